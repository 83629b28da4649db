//! The section of a run's page that shows texts.

use super::contents::Texts;
use super::sections::{section, titled_table};

/// Texts and their reconstructions, samples, and texts between two others.
pub fn texts(texts: &Texts) -> String {
    let alone = |all: &[String]| -> Vec<Vec<String>> { all.iter().map(|text| vec![text.clone()]).collect() };
    let beside: Vec<Vec<String>> = texts.reconstructions.iter().map(|both| both.to_vec()).collect();
    let parts = [
        titled_table("Test texts, and the likeliest text of the code of each", &["text", "reconstruction"], &beside),
        titled_table("Samples", &["text"], &alone(&texts.samples)),
        titled_table(
            "From one test text to another, in equal steps between their codes",
            &["text"],
            &alone(&texts.between),
        ),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    section("Texts", &parts.join("<div class=\"apart\"></div>\n"))
}
