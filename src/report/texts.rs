//! The section of a run's page that shows texts.

use super::contents::Texts;
use super::sections::{section, table};

/// Texts and their reconstructions, samples, and texts between two others.
pub fn texts(texts: &Texts) -> String {
    let of = |title: &str, names: &[&str], rows: Vec<Vec<String>>| match rows.is_empty() {
        true => String::new(),
        false => table(names, &rows).replacen("<thead>", &format!("<caption>{title}</caption>\n<thead>"), 1),
    };
    let one = |text: &String| vec![text.clone()];
    let parts = [
        of(
            "Test texts, and the likeliest text of the code of each",
            &["text", "reconstruction"],
            texts.reconstructions.iter().map(|both| both.to_vec()).collect(),
        ),
        of("Samples", &["text"], texts.samples.iter().map(one).collect()),
        of(
            "From one test text to another, in equal steps between their codes",
            &["text"],
            texts.between.iter().map(one).collect(),
        ),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    section("Texts", &parts.join("<div class=\"apart\"></div>\n"))
}
