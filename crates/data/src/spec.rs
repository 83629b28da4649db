//! The options of built-in sources, after the colon of their name.

use super::DataError;

/// Reads `name=value` and bare words separated by commas.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (part, None),
    })
}

/// The value of an option, within a range.
pub fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    spec: &str,
    name: &str,
    value: Option<&str>,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, DataError> {
    value.and_then(|v| v.parse().ok()).filter(|v| range.contains(v)).ok_or_else(|| DataError::Spec {
        spec: spec.to_string(),
        reason: format!("{name} takes a number from {} to {}", range.start(), range.end()),
    })
}

/// `[count=N][,seed=N]`: the options of a built-in source that has no others.
pub struct Counted {
    pub count: usize,
    pub seed: u64,
}

impl Counted {
    /// Parses the options, with a default and an upper limit for the count.
    pub fn parse(spec: &str, text: &str, count: usize, most: usize) -> Result<Self, DataError> {
        let mut parsed = Self { count, seed: 0 };
        for (name, value) in pairs(text) {
            match name {
                "count" => parsed.count = number(spec, name, value, 1..=most)?,
                "seed" => parsed.seed = number(spec, name, value, 0..=u64::MAX)?,
                _ => return Err(unknown(spec, name, "count= and seed=")),
            }
        }
        Ok(parsed)
    }
}

/// The error for an unknown option.
pub fn unknown(spec: &str, option: &str, known: &str) -> DataError {
    DataError::Spec { spec: spec.to_string(), reason: format!("there is no option `{option}`; there are {known}") }
}
