//! Expressions: strings of a small grammar, drawn from a seed, whose probabilities are known exactly.
//!
//! ```text
//! S -> S + T | S * T | S / T | T
//! T -> ( S ) | sin( S ) | exp( S ) | x | 1 | 2 | 3
//! ```
//!
//! The grammar is unambiguous: each string has one derivation, so its probability is the product of the weights of its
//! productions. What a model of texts learns is compared with [`log_probability`].
//!
//! ```
//! use wgvae_data::expressions::{self, Kind};
//!
//! let exact = expressions::log_probability(Kind::Uniform, "sin(x)+1").unwrap_or(f64::NEG_INFINITY);
//! assert!((exact + 428_356_f64.ln()).abs() < 1e-12);
//! assert_eq!(expressions::log_probability(Kind::Uniform, "sin(x"), None);
//! ```

mod draw;
mod grammar;

use std::path::Path;
use std::sync::LazyLock;

use rayon::prelude::*;

use self::grammar::{DIALECTS, GRAMMAR, Weights, counts, dialect, log_of, total};
use super::raw::{Raw, Request};
use super::spec::{number, pairs, unknown};
use super::text::{Gathering, Place, refuse_fields};
use super::{DataError, Unit};
use crate::described;

/// Strings of an example of `dialects`.
const STRINGS: usize = 10;

described! {
    /// A distribution over strings of the grammar.
    #[derive(Default)]
    pub enum Kind {
        #[default]
        Uniform = "uniform": "All strings of at most 11 productions, each as likely as another",
        Grammar = "grammar": "Strings of at most 15 productions, by the weights of the productions",
        Dialects = "dialects": "Ten strings of one of eight hidden weightings, joined by semicolons",
    }
}

/// `expressions[:uniform|grammar|dialects][,count=20000][,seed=0]`
pub(super) struct ExpressionOptions {
    kind: Kind,
    count: usize,
    seed: u64,
}

impl ExpressionOptions {
    pub fn parse(spec: &str, text: &str) -> Result<Self, DataError> {
        let mut parsed = Self { kind: Kind::default(), count: 20_000, seed: 0 };
        for (name, value) in pairs(text) {
            match (Kind::ALL.into_iter().find(|kind| kind.name() == name), name) {
                (Some(kind), _) if value.is_none() => parsed.kind = kind,
                (_, "count") => parsed.count = number(spec, name, value, 1..=10_000_000)?,
                (_, "seed") => parsed.seed = number(spec, name, value, 0..=u64::MAX)?,
                _ => return Err(unknown(spec, name, "uniform, grammar, dialects, count=, seed=")),
            }
        }
        Ok(parsed)
    }
}

/// `count` training examples and a fifth as many test examples.
pub(super) fn rows(options: &ExpressionOptions, request: &Request<'_>) -> Result<Raw, DataError> {
    refuse_fields(request)?;
    let mut texts = Gathering::new(Path::new(&request.options.source), request).of_any_length();
    for (count, first_stream, is_test) in [(options.count, 0, false), ((options.count / 5).max(1), 1 << 32, true)] {
        let draw = |row: usize| draw::example(options.kind, options.seed, first_stream + row as u64);
        let examples: Vec<(String, Option<usize>)> = (0..count).into_par_iter().map(draw).collect();
        for ((text, dialect), row) in examples.into_iter().zip(1..) {
            let label = dialect.map(|number| number.to_string());
            texts.add(text.as_bytes(), Place::Numbered(Unit::Row, row), label.as_deref(), is_test)?;
        }
    }
    let mut raw = texts.finish()?;
    let splits = std::iter::once(&mut raw.rows).chain(&mut raw.test);
    splits.for_each(|split| split.origins = None);
    if options.kind == Kind::Dialects {
        // A small draw may lack a dialect.
        let numbers: Vec<u32> = raw.classes.iter().filter_map(|class| class.parse().ok()).collect();
        let splits = std::iter::once(&mut raw.rows).chain(&mut raw.test);
        let labels = splits.flat_map(|split| split.labels.iter_mut().flatten());
        labels.for_each(|label| *label = numbers.get(*label as usize).copied().unwrap_or(0));
        raw.classes = (0..DIALECTS).map(|number| number.to_string()).collect();
    }
    raw.name = match options.kind {
        Kind::Uniform => "expressions".into(),
        kind => format!("expressions-{}", kind.name()),
    };
    Ok(raw)
}

/// The weights of all dialects, and the logarithm of the probability that a string of theirs is not drawn again.
static ALL_DIALECTS: LazyLock<Vec<(Weights, f64)>> = LazyLock::new(|| {
    let most = Kind::Dialects.most_productions();
    let all = (0..DIALECTS).map(dialect);
    all.map(|weights| (weights, total(&weights, most).1.ln())).collect()
});

/// The number of strings of `uniform`, and the logarithm of the probability that a string of `grammar` is not drawn again.
static TOTALS: LazyLock<(u64, f64)> = LazyLock::new(|| {
    let [uniform, grammar] = [Kind::Uniform, Kind::Grammar].map(|kind| total(&GRAMMAR, kind.most_productions()));
    (uniform.0, grammar.1.ln())
});

/// Counts the productions of a string, if it is one that a kind draws.
fn counts_within(kind: Kind, text: &str) -> Option<[u32; 11]> {
    let most = kind.most_productions() as u32;
    counts(text).filter(|counts| counts.iter().sum::<u32>() <= most)
}

/// The logarithms of the probability of an example in each dialect.
fn logs_of_dialects(text: &str) -> Option<[f64; DIALECTS]> {
    let strings: Vec<[u32; 11]> =
        text.split(';').map(|string| counts_within(Kind::Dialects, string)).collect::<Option<_>>()?;
    if strings.len() != STRINGS {
        return None;
    }
    let mut logs = [0.0; DIALECTS];
    for (log, (weights, mass)) in logs.iter_mut().zip(ALL_DIALECTS.iter()) {
        *log = strings.iter().map(|counts| log_of(counts, weights) - mass).sum();
    }
    Some(logs)
}

/// The logarithm of a sum of exponentials.
fn log_sum(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

/// The exact logarithm of the probability of a text, in nats; none if the source never draws it.
pub fn log_probability(kind: Kind, text: &str) -> Option<f64> {
    match kind {
        Kind::Uniform => counts_within(kind, text).map(|_| -(TOTALS.0 as f64).ln()),
        Kind::Grammar => counts_within(kind, text).map(|counts| log_of(&counts, &GRAMMAR) - TOTALS.1),
        Kind::Dialects => logs_of_dialects(text).map(|logs| log_sum(&logs) - (DIALECTS as f64).ln()),
    }
}

/// The exact probability of each dialect, given an example of `dialects`; none if no dialect draws it.
pub fn posterior(text: &str) -> Option<[f64; DIALECTS]> {
    let logs = logs_of_dialects(text)?;
    let all = log_sum(&logs);
    Some(logs.map(|log| (log - all).exp()))
}

/// The exact entropy of a text of `uniform` or `grammar`, in nats. That of `dialects` has no closed form, so there is none.
pub fn entropy(kind: Kind) -> Option<f64> {
    match kind {
        Kind::Uniform => Some((TOTALS.0 as f64).ln()),
        Kind::Grammar => Some(total(&GRAMMAR, kind.most_productions()).2),
        Kind::Dialects => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::{Dataset, Shape};
    use super::*;

    fn texts(spec: &str) -> (Dataset, Vec<String>) {
        let data = Dataset::load(spec).unwrap();
        let width = data.shape.len();
        let vocabulary = data.vocabulary.clone().unwrap();
        let rows = data.train.numbers(0..data.train.rows, width);
        (data, rows.chunks(width).map(|row| vocabulary.decode(row)).collect())
    }

    #[test]
    fn drawn_texts_are_of_the_grammar_and_of_the_seed() {
        for kind in Kind::ALL {
            let spec = format!("expressions:{},count=500", kind.name());
            let (data, all) = texts(&spec);
            assert_eq!((data.train.rows, data.test.rows), (500, 100));
            assert!(all.iter().all(|text| log_probability(kind, text).is_some_and(|log| log < 0.0)), "{all:?}");
            assert_eq!(data, Dataset::load(spec.as_str()).unwrap());
            assert_ne!(all, texts(&format!("{spec},seed=1")).1);
            // The letters of x, sin and exp, three digits, brackets and operators; semicolons in examples of dialects.
            let tokens = 2 + 6 + 3 + 2 + 3 + usize::from(kind == Kind::Dialects);
            assert_eq!(data.vocabulary.as_ref().unwrap().len(), tokens);
            assert!(matches!(data.shape, Shape::Text { tokens: found, .. } if found == tokens), "{:?}", data.shape);
            assert_eq!(data.classes.len(), if kind == Kind::Dialects { 8 } else { 0 });
        }
    }

    /// The mean of minus the exact logarithm over draws is the exact entropy.
    #[test]
    fn draws_have_the_exact_entropy() {
        let (_, all) = texts("expressions:grammar,count=40000");
        let mean = -all.iter().filter_map(|text| log_probability(Kind::Grammar, text)).sum::<f64>() / all.len() as f64;
        // The deviation of a string's logarithm is below 5 nats, that of this mean below .025.
        assert!((mean - entropy(Kind::Grammar).unwrap()).abs() < 0.075, "{mean}");
    }

    /// Each index gives another string, and draws have each number of productions as often as all strings have it.
    #[test]
    fn uniform_draws_are_uniform() {
        let table = grammar::table(&GRAMMAR, 11);
        let all = grammar::total(&GRAMMAR, 11).0;
        let mut counts: HashMap<String, u32> = HashMap::new();
        // Indices go to strings one to one.
        for index in (0..all).step_by(7) {
            *counts.entry(draw::unranked(&table, 11, index)).or_default() += 1;
        }
        assert_eq!(counts.len() as u64, all.div_ceil(7));
        let sizes = |text: &String| counts_within(Kind::Uniform, text).unwrap().iter().sum::<u32>() as usize;
        let (_, drawn) = texts("expressions:uniform,count=40000");
        let mut by_size = [0.0; 12];
        drawn.iter().for_each(|text| by_size[sizes(text)] += 1.0);
        // Chi-squared over sizes with enough strings; its 1 - 1e-6 quantile for 8 degrees of freedom is 42.7.
        let expected = |size: usize| 40_000.0 * table[0][size].count as f64 / all as f64;
        let chi: f64 = (4..=11).map(|size| (by_size[size] - expected(size)).powi(2) / expected(size).max(1e-9)).sum();
        assert!(chi < 42.7, "{chi} {by_size:?}");
    }

    /// What strings tell of their dialect: .31 nats and .26 right guesses of one, 1.3 nats and .67 of ten.
    #[test]
    fn strings_tell_their_dialect() {
        let (data, all) = texts("expressions:dialects,count=20000");
        let labels = data.train.labels.as_ref().unwrap();
        let (mut told, mut right) = (0.0, 0.0);
        for (text, label) in all.iter().zip(labels) {
            let posterior = posterior(text).unwrap();
            let best = (0..DIALECTS).max_by(|a, b| posterior[*a].total_cmp(&posterior[*b])).unwrap();
            told += (DIALECTS as f64).ln() + posterior[*label as usize].ln();
            right += f64::from(u8::from(best == *label as usize));
            assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let (told, right) = (told / all.len() as f64, right / all.len() as f64);
        assert!((told - 1.3).abs() < 0.05 && (right - 0.67).abs() < 0.02, "{told} {right}");
        let (mut told, mut right) = (0.0, 0.0);
        for (text, label) in all.iter().zip(labels) {
            let counts = counts_within(Kind::Dialects, text.split(';').next().unwrap()).unwrap();
            let logs: Vec<f64> = ALL_DIALECTS.iter().map(|(weights, mass)| log_of(&counts, weights) - mass).collect();
            let best = (0..DIALECTS).max_by(|a, b| logs[*a].total_cmp(&logs[*b])).unwrap();
            told += (DIALECTS as f64).ln() + logs[*label as usize] - log_sum(&logs);
            right += f64::from(u8::from(best == *label as usize));
        }
        let (told, right) = (told / all.len() as f64, right / all.len() as f64);
        assert!((told - 0.31).abs() < 0.02 && (right - 0.26).abs() < 0.02, "{told} {right}");
    }

    #[test]
    fn wrong_options_are_refused() {
        for (text, reason) in [
            ("dialect", "no option `dialect`"),
            ("uniform=2", "no option `uniform`"),
            ("count=0", "count takes a number from 1 to 10000000"),
            ("seed=x", "seed takes a number"),
        ] {
            let error = ExpressionOptions::parse(&format!("expressions:{text}"), text).err().unwrap();
            assert!(error.to_string().contains(reason), "{error}");
        }
        for text in ["x", "x;x;x;x;x;x;x;x;x", "x;x;x;x;x;x;x;x;x;", "y;x;x;x;x;x;x;x;x;x"] {
            assert_eq!((log_probability(Kind::Dialects, text), posterior(text)), (None, None));
        }
    }
}
