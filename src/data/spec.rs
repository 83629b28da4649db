//! The options of built-in sources, as they stand behind the colon.

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

/// There is no such option.
pub fn unknown(spec: &str, option: &str, known: &str) -> DataError {
    DataError::Spec { spec: spec.to_string(), reason: format!("there is no option `{option}`; there are {known}") }
}
