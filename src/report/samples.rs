//! The section of a run's page that shows samples of a table beside its data.

use super::chart::Histogram;
use super::contents::{ComparedFigure, Marginal, SampleRows, Samples, Shares};
use super::numbers::grouped;
use super::sections::{noted, section, side_by_side, table, titled_table};

/// Largest number of a table's columns whose values are drawn, and of words whose shares are shown.
const MAX_MARGINALS: usize = 24;
const MAX_WORDS: usize = 60;

/// Samples of a table beside its data.
pub fn samples(samples: &Samples) -> String {
    let matrices = samples.associations.iter().flatten().map(|matrix| matrix.figure()).collect::<Vec<_>>();
    let [charts, words] = marginals(&samples.marginals);
    let parts = [
        figures(&samples.figures),
        charts,
        words,
        side_by_side(&matrices, "two"),
        samples.rows.as_ref().map(examples).unwrap_or_default(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    section("Samples beside the data", &parts.join("<div class=\"apart\"></div>\n"))
}

fn figures(figures: &[ComparedFigure]) -> String {
    let row = |of: &ComparedFigure| [&of.name, &of.samples, &of.rows, &of.note].map(String::clone).to_vec();
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    match rows.is_empty() {
        true => String::new(),
        false => noted(&table(&["figure", "samples", "rows not trained on", "what it says"], &rows)),
    }
}

/// How the values of columns are spread: charts of numbers, a table of words.
fn marginals(marginals: &[Marginal]) -> [String; 2] {
    let of_numbers = |marginal: &Marginal| match &marginal.shares {
        Shares::Numbers(steps) => Some(Histogram { title: marginal.name.clone(), steps: steps.clone() }.figure()),
        Shares::Words(_) => None,
    };
    let of_words = |marginal: &Marginal| -> Vec<Vec<String>> {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        match &marginal.shares {
            Shares::Words(shares) => shares
                .iter()
                .map(|(word, [data, samples])| {
                    vec![marginal.name.clone(), word.clone(), percent(*data), percent(*samples)]
                })
                .collect(),
            Shares::Numbers(_) => Vec::new(),
        }
    };
    let figures: Vec<String> = marginals.iter().filter_map(of_numbers).take(MAX_MARGINALS).collect();
    let rows: Vec<Vec<String>> = marginals.iter().flat_map(of_words).take(MAX_WORDS).collect();
    let words = if rows.is_empty() { String::new() } else { table(&["column", "value", "data", "samples"], &rows) };
    [side_by_side(&figures, "three"), words]
}

/// Rows of the data and of samples, one table below the other.
fn examples(examples: &SampleRows) -> String {
    let more = match examples.more {
        0 => String::new(),
        more => format!("<p class=\"quiet\">and {} more columns</p>\n", grouped(more as u64)),
    };
    let names: Vec<&str> = examples.names.iter().map(String::as_str).collect();
    let of = |(title, rows): (&str, &Vec<Vec<String>>)| titled_table(title, &names, rows);
    let titles = ["Rows of the data", "Samples"];
    titles.into_iter().zip(&examples.rows).map(of).collect::<Vec<_>>().join("<div class=\"apart\"></div>\n") + &more
}
