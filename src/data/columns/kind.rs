//! The kinds of a table's columns, and which of them suits values.

use serde::{Deserialize, Serialize};

/// What the values of a column are, which decides how a model sees them and which distribution they have given its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Numbers: normal, with a sigma that is learned.
    Number,
    /// Numbers above 0 with a long tail: their logarithms are normal.
    Positive,
    /// Whole numbers from 0 on: negative binomial.
    Count,
    /// One of two values: Bernoulli.
    YesNo,
    /// One of several words: categorical.
    Category,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::Number, Kind::Positive, Kind::Count, Kind::YesNo, Kind::Category];

    /// The user-visible name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Positive => "positive",
            Kind::Count => "count",
            Kind::YesNo => "yes-no",
            Kind::Category => "category",
        }
    }

    /// Whether its values are words.
    pub fn is_of_words(self) -> bool {
        matches!(self, Kind::YesNo | Kind::Category)
    }
}

/// `NAME=KIND`, as `--column` and the configuration have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NamedKind {
    /// The column.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The words of a category, where they are known already: those of a run that reads its data again.
    pub words: Vec<String>,
}

impl std::str::FromStr for NamedKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || Kind::ALL.map(Kind::name).join(", ");
        let Some((name, kind)) = text.rsplit_once('=') else {
            return Err(format!("`{text}` names no kind: write NAME=KIND, with one of {}", known()));
        };
        match Kind::ALL.into_iter().find(|known| known.name() == kind.trim()) {
            Some(kind) => Ok(Self { name: name.trim().to_string(), kind, words: Vec::new() }),
            None => Err(format!("there is no kind `{}`: write one of {}", kind.trim(), known())),
        }
    }
}

impl From<NamedKind> for String {
    fn from(named: NamedKind) -> Self {
        format!("{}={}", named.name, named.kind.name())
    }
}

impl TryFrom<String> for NamedKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The fewest values from which a kind other than number is concluded.
const ENOUGH: usize = 30;
/// The most different whole numbers that are taken for the words of a category ...
const MOST_CODES: usize = 10;
/// ... if each stands for as many values as this on average.
const LEAST_OF_EACH: usize = 5;
/// The most words of a category.
pub(crate) const MOST_WORDS: usize = 256;
/// The largest count: a float holds its logarithm exactly enough for it to be found again.
const LARGEST_COUNT: f64 = 1e5;
/// The skewness from which on values are not normal: that of an exponential distribution is 2.
const SKEWED: f64 = 1.0;

/// The numbers of a column that are there.
pub(super) struct Numbers {
    values: Vec<f64>,
    /// Each once, in ascending order.
    pub distinct: Vec<f64>,
}

impl Numbers {
    pub fn of(values: impl Iterator<Item = f32>) -> Self {
        let values: Vec<f64> = values.filter(|value| !value.is_nan()).map(f64::from).collect();
        let mut distinct = values.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        Self { values, distinct }
    }

    /// Mean and deviation; a deviation of 1 where all are the same.
    pub fn moments(&self, change: impl Fn(f64) -> f64) -> (f32, f32) {
        let Some(first) = self.values.first().copied().map(&change) else { return (0.0, 1.0) };
        // Rounding would give a constant column a tiny deviation instead of 0.
        if self.distinct.len() == 1 {
            return (first as f32, 1.0);
        }
        let count = self.values.len() as f64;
        let mean = self.values.iter().copied().map(&change).sum::<f64>() / count;
        let variance = self.values.iter().map(|value| (change(*value) - mean).powi(2)).sum::<f64>() / count;
        let root = variance.sqrt() as f32;
        (mean as f32, if root.is_normal() { root } else { 1.0 })
    }

    fn skewness(&self, change: impl Fn(f64) -> f64) -> f64 {
        let (mean, deviation) = self.moments(&change);
        let third = |value: &f64| ((change(*value) - f64::from(mean)) / f64::from(deviation)).powi(3);
        self.values.iter().map(third).sum::<f64>() / self.values.len().max(1) as f64
    }

    fn are_whole(&self) -> bool {
        self.distinct.iter().all(|value| value.fract() == 0.0)
    }

    /// The kind that suits the numbers.
    pub fn kind(&self) -> Kind {
        let (count, distinct) = (self.values.len(), self.distinct.len());
        let [Some(least), Some(most)] = [self.distinct.first(), self.distinct.last()] else { return Kind::Number };
        let whole = self.are_whole();
        match () {
            () if count < ENOUGH || distinct < 2 => Kind::Number,
            () if distinct == 2 => Kind::YesNo,
            () if whole && distinct <= MOST_CODES && count >= LEAST_OF_EACH * distinct => Kind::Category,
            () if self.skewness(|value| value) < SKEWED => Kind::Number,
            // Of what is counted, there is sometimes next to nothing.
            () if whole
                && *least >= 0.0
                && *least <= f64::from(self.moments(|value| value).1)
                && *most <= LARGEST_COUNT =>
            {
                Kind::Count
            }
            () if *least > 0.0 && self.skewness(f64::ln).abs() < self.skewness(|value| value) => Kind::Positive,
            () => Kind::Number,
        }
    }

    /// Why the numbers cannot be of a kind.
    pub fn refusal(&self, kind: Kind) -> Option<String> {
        let (distinct, least) = (self.distinct.len(), self.distinct.first().copied().unwrap_or(1.0));
        let most = self.distinct.last().copied().unwrap_or(0.0);
        match kind {
            Kind::Number => None,
            Kind::Positive => (least <= 0.0).then(|| format!("holds {least}, which is not above 0")),
            Kind::Count if !self.are_whole() => Some("holds numbers that are not whole".into()),
            Kind::Count if least < 0.0 => Some(format!("holds {least}, which is below 0")),
            Kind::Count => {
                (most > LARGEST_COUNT).then(|| format!("holds {most}, and counts may be up to {LARGEST_COUNT}"))
            }
            Kind::YesNo => (distinct != 2).then(|| format!("holds {distinct} different values, not two")),
            Kind::Category => (distinct > MOST_WORDS)
                .then(|| format!("holds {distinct} different values, and a category may have up to {MOST_WORDS}")),
        }
    }

    /// Digits behind the decimal point; none where they are more than a float has.
    pub fn decimals(&self) -> Option<u8> {
        let digits = |value: &f64| {
            let text = (*value as f32).to_string();
            text.split_once('.').map_or(0, |(_, digits)| digits.len())
        };
        let most = self.distinct.iter().map(digits).max().unwrap_or(0);
        (most <= 6).then_some(most as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_kind_that_suits_them() {
        let of = |value: &dyn Fn(usize) -> f32| Numbers::of((0..200).map(value)).kind();
        let wave = |i: usize| ((i * 37 % 200) as f32 + 0.5) / 200.0;
        for (value, kind) in [
            (&(|i| wave(i) * 7.0 - 3.0) as &dyn Fn(usize) -> f32, Kind::Number),
            (&|i| (i % 2) as f32, Kind::YesNo),
            (&|i| [3.5, -1.0][i % 2], Kind::YesNo),
            (&|i| (i % 5) as f32, Kind::Category),
            // The quantiles of an exponential and of a log-normal distribution.
            (&|i| (-(wave(i).ln()) * 8.0).floor(), Kind::Count),
            (&|i| (2.0 * (wave(i) / (1.0 - wave(i))).ln()).exp(), Kind::Positive),
            // Whole, but around a mean.
            (&|i| (wave(i) * 60.0).floor() + 20.0, Kind::Number),
            // A long tail with zeros in it.
            (&|i| if i % 3 == 0 { 0.0 } else { (2.0 * (wave(i) / (1.0 - wave(i))).ln()).exp() }, Kind::Number),
            (&|_| 4.0, Kind::Number),
            (&|_| f32::NAN, Kind::Number),
        ] {
            assert_eq!(of(value), kind, "{:?}", (0..5).map(value).collect::<Vec<_>>());
        }
        // Of a few values, nothing is concluded.
        assert_eq!(Numbers::of((0..20).map(|i| (i % 2) as f32)).kind(), Kind::Number);
    }

    #[test]
    fn decimals_are_those_that_are_written() {
        let of = |values: &[f32]| Numbers::of(values.iter().copied()).decimals();
        assert_eq!(of(&[1.0, 20.0]), Some(0));
        assert_eq!(of(&[5.1, 0.25]), Some(2));
        assert_eq!(of(&[1.0 / 3.0]), None);
    }

    #[test]
    fn a_name_and_its_kind_are_one_word() {
        let named: NamedKind = "a=b=count".parse().unwrap();
        assert_eq!((named.name.as_str(), named.kind), ("a=b", Kind::Count));
        assert_eq!(String::from(named), "a=b=count");
        for (text, reason) in [("a", "names no kind"), ("a=words", "there is no kind `words`: write one of number, ")] {
            assert!(text.parse::<NamedKind>().unwrap_err().contains(reason));
        }
    }
}
