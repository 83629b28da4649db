//! Rows with their anomaly scores, and what is unusual of them.

use serde::Serialize;
use wgvae::apply::anomaly::{Expected, Scores};
use wgvae::apply::{Run, statistics};
use wgvae_data::{Cell, Examples, NOTHING, Rows, shown};

use super::sheet::Sheet;

/// A part of a row that is unusual.
#[derive(Serialize)]
pub struct Part {
    pub name: String,
    /// Its share in what the row loses more than training rows do.
    pub share: f64,
    /// What stands there, and what the model expects, of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

#[derive(Serialize)]
pub struct Strange {
    pub row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether the model was trained on the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anomalous: Option<bool>,
    /// What rows are ranked by: of a table the negative ELBO and the distance to training rows, joined; else the negative ELBO.
    pub score: f64,
    pub negative_elbo: f64,
    /// How far the row is from training rows, of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// The share of the training rows with a lower score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Mean squared error of the reconstruction, in the units the model was trained with; of a text the nats of a token.
    pub error: f64,
    /// What no training row had, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// The three parts with the largest shares in what is unusual of it.
    pub parts: Vec<Part>,
}

/// The figures of each row.
pub struct Table {
    pub found: Scores,
    /// The number that each row has in its source.
    pub numbers: Vec<usize>,
    /// What no training row had, by rows.
    pub unseen: Vec<Vec<String>>,
    pub order: Vec<usize>,
    pub trained: Option<Vec<bool>>,
    pub quantiles: Option<Vec<f64>>,
    pub threshold: Option<f64>,
    /// Names of the parts, and their shares `(N, parts)`.
    pub parts: Vec<String>,
    pub shares: Vec<f64>,
    /// The nats of each token of texts, by rows, up to their ends.
    pub nats: Option<Vec<String>>,
}

impl Table {
    fn is_anomalous(&self, row: usize) -> Option<bool> {
        self.threshold.map(|threshold| self.found.scores[row] > threshold)
    }

    /// A row, and what the model expects of each of its parts.
    pub fn strange(&self, row: usize, rows: &Rows, expected: &[Expected]) -> Strange {
        let shares = &self.shares[row * self.parts.len()..(row + 1) * self.parts.len()];
        let by_share = statistics::descending(shares);
        let part = |i: &usize| Part {
            name: self.parts[*i].clone(),
            share: shares[*i],
            value: expected.get(*i).map(|expected| shown_cell(&expected.seen)),
            expected: expected.get(*i).map(shown_expected),
        };
        Strange {
            row: self.numbers[row],
            unseen: self.unseen[row].clone(),
            origin: rows.split.origins.as_ref().and_then(|origins| origins.of(row)),
            label: rows.split.labels.as_ref().and_then(|l| rows.classes.get(l[row] as usize).cloned()),
            trained: self.trained.as_ref().map(|trained| trained[row]),
            anomalous: self.is_anomalous(row),
            score: self.found.scores[row],
            negative_elbo: self.found.negative_elbos[row],
            distance: self.found.distances.as_ref().map(|distances| distances[row]),
            quantile: self.quantiles.as_ref().map(|quantiles| quantiles[row]),
            error: self.found.errors[row],
            parts: by_share.iter().take(3).filter(|i| shares[**i] > 0.0).map(part).collect(),
        }
    }

    /// All rows, the most anomalous first; `names` names them, in the order of the rows.
    pub fn sheet(&self, names: Sheet) -> Sheet {
        let words = |value: &dyn Fn(usize) -> String| self.order.iter().map(|row| value(*row)).collect::<Vec<_>>();
        let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
        let mut text = vec![("row".to_string(), words(&|row| self.numbers[row].to_string()))];
        text.extend(names.text.iter().map(|(name, values)| (name.clone(), words(&|row| values[row].clone()))));
        if let Some(trained) = &self.trained {
            text.push(("trained".into(), words(&|row| yes(trained[row]))));
        }
        if self.threshold.is_some() {
            text.push(("anomalous".into(), words(&|row| yes(self.is_anomalous(row) == Some(true)))));
        }
        if self.unseen.iter().any(|unseen| !unseen.is_empty()) {
            text.push(("unseen".into(), words(&|row| self.unseen[row].join("; "))));
        }
        let mut figures = vec!["score".to_string(), "error".to_string()];
        if self.found.distances.is_some() {
            figures.extend(["negative_elbo", "distance"].map(String::from));
        }
        figures.extend(self.quantiles.iter().map(|_| "quantile".to_string()));
        // Texts have too many parts for a column each.
        let shown = if self.nats.is_some() { 0 } else { self.parts.len() };
        figures.extend(self.parts[..shown].iter().map(|name| format!("share of {name}")));
        if let Some(nats) = &self.nats {
            text.push(("nats".into(), words(&|row| nats[row].clone())));
        }
        let of_row = |row: &usize| {
            let quantile = self.quantiles.as_ref().map(|quantiles| quantiles[*row]);
            let shares = self.shares[row * self.parts.len()..][..shown].iter().copied();
            let figures = [self.found.scores[*row], self.found.errors[*row]];
            let joined = self.found.distances.iter().flat_map(|all| [self.found.negative_elbos[*row], all[*row]]);
            figures.into_iter().chain(joined).chain(quantile).chain(shares).map(|v| v as f32).collect::<Vec<_>>()
        };
        Sheet { text, is_text: false, names: figures, numbers: self.order.iter().flat_map(of_row).collect(), ..names }
    }
}

fn shown_cell(cell: &Cell) -> String {
    match cell {
        Cell::Number(number) => short(f64::from(*number)),
        Cell::Exact(_) | Cell::Truth(_) => cell.to_string(),
        Cell::Word(word) => shown(word),
        Cell::Missing => "nothing".into(),
    }
}

/// A number with four significant digits.
fn short(number: f64) -> String {
    if number != 0.0 && !(1e-6..1e15).contains(&number.abs()) {
        return format!("{number:.3e}");
    }
    let digits = (3 - number.abs().max(1e-9).log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

fn shown_expected(expected: &Expected) -> String {
    match (&expected.mean, expected.deviation, expected.probability) {
        (Cell::Word(word), None, Some(probability)) => format!("{} ({:.0} %)", shown(word), 100.0 * probability),
        (Cell::Number(mean), Some(deviation), _) => format!("{} +- {}", short((*mean).into()), short(deviation)),
        (Cell::Exact(mean), Some(deviation), _) => format!("{} +- {}", short(*mean), short(deviation)),
        (mean, ..) => shown_cell(mean),
    }
}

/// The nats of each token of texts `(N, T)`, by rows, up to their ends.
pub fn nats_of_tokens(run: &Run, rows: &Examples, found: &Scores) -> Option<Vec<String>> {
    run.data.vocabulary.as_ref()?;
    let width = run.data.shape.len();
    let tokens = rows.numbers(0..rows.rows, width);
    let of_row = |(losses, tokens): (&[f64], &[f32])| {
        let there = losses.iter().zip(tokens).take_while(|(_, token)| **token != NOTHING);
        there.map(|(nats, _)| format!("{nats:.3}")).collect::<Vec<_>>().join(" ")
    };
    Some(found.losses().chunks_exact(width).zip(tokens.chunks_exact(width)).map(of_row).collect())
}
