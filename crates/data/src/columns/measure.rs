//! Which kind suits the numbers of a column, and what their mean, deviation and quantiles are.

use super::float::{FLOAT_DIGITS, mean_and_deviation, short, with_digits};
use super::kind::{ENOUGH, LARGEST_COUNT, MAX_CODES, MAX_WORDS, MIN_OF_EACH};
use super::quantiles::Quantiles;
use super::{Columns, ValueKind};
use crate::error::shown;
use crate::quote::toml_text;
use crate::raw::{RawColumn, RawColumns};

/// The skewness from which on values are not normal: that of an exponential distribution is 2.
const SKEWED: f64 = 1.0;
/// How far the shares of values below each may be from a normal distribution's, for a column to be taken as normal. (Of 1,000 normal
/// values they are 0.03 off once in three times; of a uniform distribution they are 0.057 off.)
const OFF_NORMAL: f64 = 0.045;
/// How many times as far as the middle nine tenths are wide values lie from all others that are far.
const GAP: f64 = 5.0;
/// The share of values that can be far from all others.
const MAX_FAR: f64 = 0.05;

/// How many times as often as the next value one is met that a normal distribution does not draw, in this share of the rows.
const SPIKE: usize = 5;
const SPIKE_OF_ALL: f64 = 0.03;
/// The median up to which numbers with a long tail are counts: a negative binomial has one shape for all that is large, quantiles have
/// that of the column.
const MAX_OFTEN: f64 = 20.0;

/// Digits behind the decimal point that are meant: a float has about seven.
const MAX_DIGITS: u8 = 6;

/// Rows of each value on average from which on it can be told how frequent values are, units to both sides whose values are a value's
/// surroundings, and how far shares are from even ones where values repeat.
const OF_EACH: usize = 4;
const SURROUNDINGS: f64 = 5.5;
const LUMPY: f64 = 0.3;

/// Different values from which on one that is met `OFTEN` times as often as the next one, and in this share of the cells, is remarkable.
const MANY: usize = 100;
const OFTEN: usize = 10;
const OFTEN_OF_ALL: f64 = 0.02;

/// The numbers of a column that are there, in ascending order.
pub(crate) struct SortedNumbers {
    sorted: Vec<f64>,
    distinct: usize,
}

/// The values that are far from all others, below and above them: how many of each there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Far {
    pub below: usize,
    pub above: usize,
}

/// The values among sorted ones that a wide gap separates from the rest, which is nearly all of them.
pub(crate) fn far(sorted: &[f64]) -> Far {
    let count = sorted.len();
    let most = (MAX_FAR * count as f64) as usize;
    if count < ENOUGH {
        return Far::default();
    }
    let at = |share: f64| sorted[(share * (count - 1) as f64).round() as usize];
    // Where most values are one, the width is that of the rest.
    let widths = [at(0.95) - at(0.05), at(0.98) - at(0.02), at(0.99) - at(0.01)];
    let Some(width) = widths.into_iter().find(|width| *width > 0.0) else { return Far::default() };
    let is_gap = |low: f64, high: f64| high - low > GAP * width;
    let below = (1..=most).rev().find(|place| is_gap(sorted[place - 1], sorted[*place])).unwrap_or(0);
    let above = (1..=most).rev().find(|place| is_gap(sorted[count - place - 1], sorted[count - place])).unwrap_or(0);
    Far { below, above }
}

/// Mean and deviation; a deviation of 1 where all are the same.
fn moments(sorted: &[f64], change: impl Fn(f64) -> f64) -> (f64, f64) {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return (0.0, 1.0) };
    // Rounding would give a constant column a tiny deviation instead of 0.
    if first == last {
        return (change(*first), 1.0);
    }
    let (mean, deviation) = mean_and_deviation(sorted.iter().map(|value| change(*value)));
    (mean, if deviation.is_normal() { deviation } else { 1.0 })
}

fn skewness(sorted: &[f64], change: impl Fn(f64) -> f64) -> f64 {
    let (mean, deviation) = moments(sorted, &change);
    let third = |value: &f64| ((change(*value) - mean) / deviation).powi(3);
    sorted.iter().map(third).sum::<f64>() / sorted.len().max(1) as f64
}

/// The largest distance between the shares of values below each, and those of a normal distribution of the same mean and deviation.
fn off_normal(sorted: &[f64], change: impl Fn(f64) -> f64) -> f64 {
    let (mean, deviation) = moments(sorted, &change);
    let count = sorted.len() as f64;
    let mut most = 0.0_f64;
    let mut below = 0;
    for run in sorted.chunk_by(|a, b| a == b) {
        let share = 0.5 * libm::erfc(-(change(run[0]) - mean) / deviation / std::f64::consts::SQRT_2);
        // Values are rounded: about half of those that are equal lie below.
        let middle = (below as f64 + 0.5 * run.len() as f64) / count;
        most = most.max((middle - share).abs());
        below += run.len();
    }
    most
}

impl SortedNumbers {
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let distinct = sorted.chunk_by(|a, b| a == b).count();
        Self { sorted, distinct }
    }

    fn least(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(0.0)
    }

    fn most(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(0.0)
    }

    /// The numbers that are not far from all others.
    fn near(&self) -> &[f64] {
        let far = far(&self.sorted);
        &self.sorted[far.below..self.sorted.len() - far.above]
    }

    fn are_whole(&self) -> bool {
        self.sorted.iter().all(|value| value.fract() == 0.0)
    }

    /// Whether one value is met far more often than any other.
    fn has_spike(&self) -> bool {
        let mut runs: Vec<usize> = self.sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
        runs.sort_unstable_by_key(|rows| std::cmp::Reverse(*rows));
        let (first, second) = (runs.first().copied().unwrap_or(0), runs.get(1).copied().unwrap_or(0));
        first >= SPIKE * second && first as f64 >= SPIKE_OF_ALL * self.sorted.len() as f64
    }

    /// Whether some values are met far more often than their neighbours of as many digits: prices in a shop, steps of a sensor, amounts
    /// that people round. By how far the shares of values are from those that they had if each were as frequent as its surroundings, in
    /// nats.
    fn repeat(&self) -> bool {
        let near = self.near();
        let count = near.len() as f64;
        if self.sorted.len() < OF_EACH * self.distinct {
            return false;
        }
        let unit = 10_f64.powi(-i32::from(self.decimals().unwrap_or(MAX_DIGITS)));
        let reach = SURROUNDINGS * unit;
        let [least, most] = [near[0], near[near.len() - 1]];
        let (mut first, mut end, mut apart) = (0, 0, 0.0);
        for run in near.chunk_by(|a, b| a == b) {
            while near[first] < run[0] - reach {
                first += 1;
            }
            while end < near.len() && near[end] <= run[0] + reach {
                end += 1;
            }
            let rows = run.len() as f64;
            let (from, to) = ((run[0] - reach).max(least - 0.5 * unit), (run[0] + reach).min(most + 0.5 * unit));
            apart += rows / count * (rows * (to - from) / unit / (end - first) as f64).ln();
        }
        apart > LUMPY
    }

    /// Each once.
    fn distinct(&self) -> impl Iterator<Item = f64> {
        self.sorted.chunk_by(|a, b| a == b).map(|run| run[0])
    }

    /// The kind that suits the numbers.
    pub fn kind(&self) -> ValueKind {
        let (count, near) = (self.sorted.len(), self.near());
        let whole = self.are_whole();
        let same = |value: f64| value;
        let is_normal = |change: fn(f64) -> f64| off_normal(near, change) < OFF_NORMAL;
        match () {
            () if count < ENOUGH || self.distinct < 2 => ValueKind::Number,
            () if self.distinct == 2 => ValueKind::YesNo,
            () if whole && self.distinct <= MAX_CODES && count >= MIN_OF_EACH * self.distinct => ValueKind::Category,
            () if self.repeat() => ValueKind::Quantile,
            () if is_normal(same) => ValueKind::Number,
            // Modes that lie apart tell rows apart, which scores of quantiles would not show. A value that many rows share, levels and
            // long tails are what a normal distribution cannot have.
            () if skewness(near, same).abs() < SKEWED && !self.has_spike() => ValueKind::Number,
            // A count is sometimes next to nothing.
            () if whole
                && skewness(near, same) >= SKEWED
                && self.least() >= 0.0
                && self.least() <= moments(near, same).1
                && near[near.len() / 2] <= MAX_OFTEN
                && self.most() <= LARGEST_COUNT =>
            {
                ValueKind::Count
            }
            () if self.least() > 0.0 && is_normal(f64::ln) => ValueKind::Positive,
            () => ValueKind::Quantile,
        }
    }

    /// Why the numbers cannot be of a kind.
    pub fn refusal(&self, kind: ValueKind) -> Option<String> {
        let (least, most) = (self.least(), self.most());
        match kind {
            ValueKind::Number | ValueKind::Quantile => None,
            ValueKind::Positive => (least <= 0.0).then(|| format!("holds {least}, which is not above 0")),
            ValueKind::Count if !self.are_whole() => Some("holds numbers that are not whole".into()),
            ValueKind::Count if least < 0.0 => Some(format!("holds {least}, which is below 0")),
            ValueKind::Count => {
                (most > LARGEST_COUNT).then(|| format!("holds {most}, and counts may be up to {LARGEST_COUNT}"))
            }
            ValueKind::YesNo => {
                (self.distinct != 2).then(|| format!("holds {} different values, not two", self.distinct))
            }
            ValueKind::Category => (self.distinct > MAX_WORDS).then(|| {
                format!("holds {} different values, and a category may have up to {MAX_WORDS}", self.distinct)
            }),
        }
    }

    /// Digits behind the decimal point of floats; none where they are more than a float has.
    fn decimals(&self) -> Option<u8> {
        let digits = |value: f64| {
            let text = (value as f32).to_string();
            text.split_once('.').map_or(0, |(_, digits)| digits.len())
        };
        let most = self.distinct().map(digits).max().unwrap_or(0);
        (most <= MAX_DIGITS.into()).then_some(most as u8)
    }
}

impl Columns {
    /// Measures the columns of raw cells `(N, C)`, NaN where one is missing; of words, their places. What they are is concluded from all
    /// rows, means, deviations and quantiles are those of the training rows. Says what is remarkable of them.
    pub(in super::super) fn measure(
        raw: RawColumns,
        train: &[f32],
        test: &[f32],
        notes: &mut Vec<String>,
    ) -> Result<Self, String> {
        let count = raw.all.len();
        let dialect = raw.dialect;
        let of_column = |(place, raw): (usize, RawColumn)| {
            let of_rows = |cells: &[f32]| -> Vec<f64> {
                let cells = cells.iter().skip(place).step_by(count).filter(|cell| cell.is_finite());
                cells.map(|cell| raw.column.number_of_raw(*cell)).collect()
            };
            let [train, test] = [of_rows(train), of_rows(test)];
            measured(raw, train, test, notes)
        };
        // In place: a table may have very many columns.
        let all = raw.all.into_iter().enumerate().map(of_column).collect::<Result<_, _>>()?;
        Ok(Self { all, relations: Vec::new(), missing: false, dialect })
    }

    /// Names of the columns that have one value in all of these raw cells.
    pub(in super::super) fn constant(&self, cells: &[f32]) -> Vec<&str> {
        let width = self.len().max(1);
        let (mut first, mut same) = (vec![f32::NAN; width], vec![true; width]);
        for row in cells.chunks(width) {
            for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_nan()) {
                same[column] &= first[column].is_nan() || first[column] == *cell;
                first[column] = *cell;
            }
        }
        self.all.iter().zip(same).filter(|(_, same)| *same).map(|(column, _)| column.name.as_str()).collect()
    }
}

fn measured(raw: RawColumn, train: Vec<f64>, test: Vec<f64>, notes: &mut Vec<String>) -> Result<super::Column, String> {
    let RawColumn { mut column, asked, is_of_words, is_measured } = raw;
    let refused = |why: String, kind: ValueKind| {
        format!("the column `{}` cannot be {}: it {why}", shown(&column.name), kind.name())
    };
    if is_of_words {
        column.kind = match asked {
            Some(ValueKind::YesNo) | None if column.words.len() == 2 => ValueKind::YesNo,
            Some(ValueKind::Category) | None => ValueKind::Category,
            Some(asked) => return Err(refused(format!("holds {} different words", column.words.len()), asked)),
        };
        column.set_levels();
        return Ok(column);
    }
    let trained = SortedNumbers::of(train.iter().copied());
    let numbers = SortedNumbers::of(train.into_iter().chain(test));
    column.kind = match asked {
        Some(asked) => match numbers.refusal(asked) {
            None => asked,
            Some(why) => return Err(refused(why, asked)),
        },
        None => numbers.kind(),
    };
    if !is_measured {
        column.decimals = numbers.decimals();
    }
    let near = trained.near();
    match column.kind {
        ValueKind::Number => (column.mean, column.deviation) = moments(near, |value| value),
        ValueKind::Positive => (column.mean, column.deviation) = moments(near, f64::ln),
        ValueKind::Count => column.mean = moments(near, f64::ln_1p).0,
        ValueKind::Quantile => column.quantiles = Quantiles::of(near),
        // Only an array has numbers here; a table's codes are words already.
        ValueKind::YesNo | ValueKind::Category => {
            column.words = numbers.distinct().map(|number| (number as f32).to_string()).collect();
            column.set_levels();
            return Ok(column);
        }
    }
    if !trained.sorted.is_empty() {
        column.range = [near[0], near[near.len() - 1]];
        column.seen = [trained.least(), trained.most()];
    }
    notes.extend(remarkable(&column, &numbers));
    Ok(column)
}

/// What to say of a column's numbers that are far from all others.
fn remarkable(column: &super::Column, numbers: &SortedNumbers) -> Option<String> {
    let Far { below, above } = far(&numbers.sorted);
    let all = &numbers.sorted;
    let near = &all[below..all.len() - above];
    let (first, last) = (near.first()?, near.last()?);
    let written = |number: f64| {
        if number != 0.0 && !(1e-6..1e15).contains(&number.abs()) {
            return short(with_digits(number, FLOAT_DIGITS));
        }
        let scale = 10_f64.powi(column.decimals.unwrap_or(6).into());
        column.form.write((number * scale).round() / scale, Some(u8::MAX))
    };
    let strange: Vec<f64> = all[..below].iter().chain(&all[all.len() - above..]).copied().collect();
    let name = shown(&column.name);
    let Some(value) = strange.first().copied() else {
        // A sensor that is stuck, or nothing to pay: one value again and again among many that are met a few times.
        let mut runs: Vec<(usize, f64)> = all.chunk_by(|a, b| a == b).map(|run| (run.len(), run[0])).collect();
        runs.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
        let is_shared =
            runs.len() >= MANY && runs[0].0 >= OFTEN * runs[1].0 && runs[0].0 as f64 >= OFTEN_OF_ALL * all.len() as f64;
        let share = 100.0 * runs.first()?.0 as f64 / all.len() as f64;
        return is_shared.then(|| {
            format!(
                "{name}: {share:.1} % of the cells are {}, and no other value is met a tenth as often",
                written(runs[0].1)
            )
        });
    };
    let (_, deviation) = moments(near, |value| value);
    let away = |away: f64| if away < 1e6 { format!("{away:.0}") } else { format!("{away:.0e}") };
    let away = away(strange.iter().map(|value| (first - value).max(value - last)).fold(0.0, f64::max) / deviation);
    let others = format!("the other values lie from {} to {}", written(*first), written(*last));
    // One value again and again is a code.
    let is_code = strange.len() > 2 && strange.iter().all(|other| *other == value);
    Some(match (is_code, strange.len()) {
        (true, count) => {
            let value = written(value);
            format!(
                "{name}: {count} cells are {value}, and {others}: if {value} stands for missing, add `data.missing_words = [{}]`",
                toml_text(&format!("{}={value}", column.table_name()))
            )
        }
        (false, 1) => format!(
            "{name}: 1 value, {}, is {away} deviations away, and {others}: it is learned from, but nothing as far off is drawn",
            written(value)
        ),
        (false, count) => format!(
            "{name}: {count} values, such as {}, are up to {away} deviations away, and {others}: they are learned from, but \
             nothing as far off is drawn",
            written(value)
        ),
    })
}

/// The width of a column of which nothing is asked: for tests.
#[cfg(test)]
impl SortedNumbers {
    pub fn kind_of(values: impl Iterator<Item = f64>) -> ValueKind {
        Self::of(values).kind()
    }
}
