//! What a run's page shows of a table: its columns with their errors, and how values are spread in the data and in samples.

use crate::apply::{Applied, Run, RunError, Shown};
use crate::data::{Cell, Column as TableColumn, Provenance, Split};
use crate::report::measured;
use crate::report::page::{Column, Marginal, Notice, Shares};

/// Intervals that numbers are counted in, and the words of a column at most.
const INTERVALS: usize = 16;
const MOST_WORDS: usize = 12;
/// The share of the data beyond the first and the last interval, on each side: a single large value would leave one interval.
const BEYOND: f64 = 0.005;

/// A table's columns with their errors, in their own units.
pub fn columns(run: &Run, split: &Split, shown: &[f32]) -> Vec<Column> {
    let Some(columns) = &run.data.columns else { return Vec::new() };
    let count = columns.len();
    let [x, shown] = [&split.numbers(0..split.rows, run.data.shape.len()), shown]
        .map(|values| columns.cell_numbers(values, Provenance::Mean));
    let column = |i: usize| {
        // Of what is there.
        let pairs: Vec<(f64, f64)> = x
            .iter()
            .zip(&shown)
            .skip(i)
            .step_by(count)
            .filter(|(x, _)| !x.is_nan())
            .map(|(x, s)| (f64::from(*x), f64::from(*s)))
            .collect();
        let rows = pairs.len() as f64;
        let mean = pairs.iter().map(|(x, _)| x).sum::<f64>() / rows;
        let squares: f64 = pairs.iter().map(|(x, _)| (x - mean).powi(2)).sum();
        let residual: f64 = pairs.iter().map(|(x, s)| (x - s).powi(2)).sum();
        let kind = columns.all[i].kind;
        let of_numbers = |value: f64| (!kind.is_of_words()).then_some(value);
        let right = pairs.iter().filter(|(x, s)| x == s).count() as f64 / rows;
        Column {
            name: columns.all[i].name.clone(),
            kind: kind.name().into(),
            mean: of_numbers(mean),
            deviation: of_numbers((squares / rows).sqrt()),
            error: of_numbers(pairs.iter().map(|(x, s)| (x - s).abs()).sum::<f64>() / rows),
            r2: of_numbers(1.0 - residual / squares).filter(|_| squares > 0.0),
            right: kind.is_of_words().then_some(right),
        }
    };
    (0..count).map(column).collect()
}

/// How the values of each column are spread in rows and in samples, of which the means are shown; and what to say of columns where
/// the two do not match.
pub fn marginals(
    run: &Run,
    split: &Split,
    samples: &Shown,
    model: &Applied,
) -> Result<(Vec<Marginal>, Option<Notice>), RunError> {
    let columns = run.data.columns.as_ref().filter(|_| !samples.means.is_empty());
    let Some(columns) = columns else { return Ok((Vec::new(), None)) };
    let mut samples = samples.clone();
    if model.distribution().can_draw() {
        model.distribution().draw(&mut samples, 0)?;
    }
    let mut unlike = Vec::new();
    let drawn = samples.means;
    let count = columns.len();
    let cells = |values: Vec<f32>, of: Provenance| columns.cells(&values, of);
    let rows = split.numbers(0..split.rows, run.data.shape.len());
    let both = [cells(rows, Provenance::Kept), cells(drawn, Provenance::Drawn)];
    let mut marginal = |i: usize| {
        let column = &columns.all[i];
        let of_column = |cells: &'_ [Cell]| -> Vec<Cell> { cells.iter().skip(i).step_by(count).cloned().collect() };
        let both = [of_column(&both[0]), of_column(&both[1])];
        let (shares, difference) = match column.kind.is_of_words() {
            true => (Shares::Words(of_words(&column.words, &both)), differing_words(&column.words, &both)),
            false => {
                let both = both.map(|cells| cells.iter().filter_map(|cell| number(cell, column)).collect());
                (Shares::Numbers(of_numbers(&both)), differing_numbers(&both))
            }
        };
        unlike.extend(difference.map(|difference| (column.name.clone(), difference)));
        Marginal { name: column.name.clone(), shares }
    };
    let marginals = (0..count).map(&mut marginal).collect();
    Ok((marginals, notice(unlike)))
}

/// Columns that are named in a notice, at most.
const MOST_NAMED: usize = 3;
/// How far shares of data and samples may be apart before it is said, beside what is chance.
const APART: f64 = 0.1;

/// A column's values whose shares differ the most.
struct Difference {
    /// By how much, beyond what may be.
    beyond: f64,
    /// In words.
    said: String,
}

fn notice(mut unlike: Vec<(String, Difference)>) -> Option<Notice> {
    unlike.sort_by(|a, b| b.1.beyond.total_cmp(&a.1.beyond));
    let named: Vec<String> = unlike.iter().take(MOST_NAMED).map(|(name, _)| format!("`{name}`")).collect();
    let more = match unlike.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let said: Vec<String> =
        unlike.iter().take(MOST_NAMED).map(|(name, of)| format!("`{name}`: {}.", of.said)).collect();
    (!unlike.is_empty()).then(|| Notice {
        headline: format!("Samples of {}{more} do not match the data", named.join(", ")),
        sentence: said.join(" "),
    })
}

/// How far apart shares among so many values may be by chance, in one of a hundred columns (Kolmogorov and Smirnov).
fn chance(both: [usize; 2]) -> f64 {
    1.63 * both.iter().map(|count| 1.0 / *count as f64).sum::<f64>().sqrt()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The number up to which the shares of data and samples differ the most, if that is more than may be.
fn differing_numbers(both: &[Vec<f64>; 2]) -> Option<Difference> {
    let mut sorted = both.clone();
    sorted.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
    if sorted.iter().any(Vec::is_empty) {
        return None;
    }
    let up_to = |of: usize, value: f64| sorted[of].partition_point(|v| *v <= value) as f64 / sorted[of].len() as f64;
    let apart = |value: f64| (up_to(0, value) - up_to(1, value)).abs();
    let value = sorted.iter().flatten().copied().max_by(|a, b| apart(*a).total_cmp(&apart(*b)))?;
    let beyond = apart(value) - APART - chance([sorted[0].len(), sorted[1].len()]);
    (beyond > 0.0).then(|| Difference {
        beyond,
        said: format!(
            "{} of the data and {} of the samples are {} or less",
            percent(up_to(0, value)),
            percent(up_to(1, value)),
            measured(value)
        ),
    })
}

/// The word whose shares differ the most, if that is more than may be.
fn differing_words(words: &[String], both: &[Vec<Cell>; 2]) -> Option<Difference> {
    let there = both.each_ref().map(|cells| cells.iter().filter(|cell| **cell != Cell::Missing).collect::<Vec<_>>());
    if there.iter().any(Vec::is_empty) {
        return None;
    }
    let shares = words.iter().map(|word| {
        let is_word = |cell: &&&Cell| matches!(cell, Cell::Word(of) if of == word);
        (word, there.each_ref().map(|cells| cells.iter().filter(is_word).count() as f64 / cells.len() as f64))
    });
    let apart = |shares: &[f64; 2]| (shares[0] - shares[1]).abs();
    let (word, [data, samples]) = shares.max_by(|a, b| apart(&a.1).total_cmp(&apart(&b.1)))?;
    let beyond = apart(&[data, samples]) - APART - chance([there[0].len(), there[1].len()]);
    (beyond > 0.0).then(|| Difference {
        beyond,
        said: format!("{} of the data and {} of the samples are {word}", percent(data), percent(samples)),
    })
}

fn number(cell: &Cell, column: &TableColumn) -> Option<f64> {
    match cell {
        Cell::Number(number) => Some((*number).into()),
        Cell::Exact(number) => Some(*number),
        // Days and times are text.
        Cell::Word(word) => column.form.read(word),
        Cell::Truth(_) | Cell::Missing => None,
    }
}

fn share<T>(values: &[T], is_in: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| is_in(value)).count() as f64 / values.len().max(1) as f64
}

/// Shares of what is there.
fn of_words(words: &[String], both: &[Vec<Cell>; 2]) -> Vec<(String, [f64; 2])> {
    let there = [0, 1].map(|of| both[of].iter().filter(|cell| **cell != Cell::Missing).cloned().collect::<Vec<_>>());
    let of_word =
        |word: &String| (word.clone(), [0, 1].map(|of| share(&there[of], |cell| *cell == Cell::Word(word.clone()))));
    let mut shares: Vec<_> = words.iter().map(of_word).collect();
    shares.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]));
    shares.truncate(MOST_WORDS);
    shares
}

fn of_numbers(both: &[Vec<f64>; 2]) -> Vec<(f64, [f64; 2])> {
    let mut sorted = both[0].clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).or(sorted.last()).copied();
    let (Some(low), Some(high)) = (at(BEYOND), at(1.0 - BEYOND)) else { return Vec::new() };
    let width = (high - low).max(f64::MIN_POSITIVE) / INTERVALS as f64;
    let interval = |i: usize| {
        let start = low + i as f64 * width;
        let end = if i + 1 == INTERVALS { f64::INFINITY } else { start + width };
        let is_in = |value: &f64| (*value >= start || i == 0) && *value < end;
        (start + width / 2.0, [0, 1].map(|of| share(&both[of], is_in)))
    };
    (0..INTERVALS).map(interval).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_are_not_like_the_data_are_named() {
        let data: Vec<f64> = (0..1000).map(|i| f64::from(i % 100)).collect();
        let narrow: Vec<f64> = data.iter().map(|value| value / 2.0 + 50.5).collect();
        assert!(differing_numbers(&[data.clone(), data.iter().map(|value| value + 5.0).collect()]).is_none());
        let difference = differing_numbers(&[data.clone(), narrow]).unwrap();
        assert_eq!(difference.said, "51 % of the data and 0 % of the samples are 50.00 or less");
        // Few rows say little, and none nothing.
        assert!(differing_numbers(&[vec![1.0, 2.0], data.clone()]).is_none());
        assert!(differing_numbers(&[Vec::new(), data]).is_none());
        let words = ["a".to_string(), "b".to_string()];
        let cells = |a: usize, b: usize| {
            [vec![Cell::Word("a".into()); a], vec![Cell::Word("b".into()); b], vec![Cell::Missing; 9]].concat()
        };
        assert!(differing_words(&words, &[cells(500, 500), cells(550, 450)]).is_none());
        let difference = differing_words(&words, &[cells(500, 500), cells(900, 100)]).unwrap();
        assert_eq!(difference.said, "50 % of the data and 10 % of the samples are b");
        let of = |name: &str, beyond: f64| (name.to_string(), Difference { beyond, said: "far".into() });
        let said = notice(vec![of("a", 0.1), of("b", 0.4), of("c", 0.2), of("d", 0.05)]).unwrap();
        assert_eq!(said.headline, "Samples of `b`, `c`, `a` and 1 more do not match the data");
        assert_eq!(said.sentence, "`b`: far. `c`: far. `a`: far.");
        assert_eq!(notice(Vec::new()), None);
    }

    #[test]
    fn all_rows_are_counted_once() {
        let data: Vec<f64> = (0..1000).map(f64::from).collect();
        let shares = of_numbers(&[data, vec![-5.0, 500.0, 1e9]]);
        assert_eq!(shares.len(), INTERVALS);
        for of in [0, 1] {
            assert!((shares.iter().map(|(_, shares)| shares[of]).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert!((shares[0].1[1] - 1.0 / 3.0).abs() < 1e-9 && (shares[INTERVALS - 1].1[1] - 1.0 / 3.0).abs() < 1e-9);
        assert!(of_numbers(&[Vec::new(), vec![1.0]]).is_empty());
        assert_eq!(of_numbers(&[vec![2.0; 9], vec![2.0]]).len(), INTERVALS);
        let words = ["a".to_string(), "b".to_string()];
        let cells = |words: &[&str]| words.iter().map(|word| Cell::Word(word.to_string())).collect::<Vec<_>>();
        let mut data = cells(&["b", "b", "a", "b"]);
        data.push(Cell::Missing);
        assert_eq!(of_words(&words, &[data, cells(&["a"])])[0], ("b".into(), [0.75, 0.0]));
    }
}
