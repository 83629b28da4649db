//! The content of one field of a table.

use super::super::columns::{MISSING_WORDS, marks, parts};

/// A field without surrounding spaces, and without quotes that the reader missed because a space preceded them.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map_or(text, str::trim)
}

/// Whether a field of a first row, or of a sample, is a number, missing, or a word, before its column is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    Number,
    Missing,
    Word,
}

/// What a field looks like; with `decimal_comma`, `1,5` is a number.
pub fn look(text: &str, decimal_comma: bool) -> Look {
    let text = bare(text);
    let is_plain = || {
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ','))
            && (text.parse::<f64>().is_ok_and(f64::is_finite)
                || decimal_comma
                    && text
                        .split_once(',')
                        .is_some_and(|(whole, rest)| format!("{whole}.{rest}").parse::<f64>().is_ok()))
    };
    if is_plain() {
        return Look::Number;
    }
    if text.is_empty() || MISSING_WORDS.iter().chain(&["none"]).any(|missing| text.eq_ignore_ascii_case(missing)) {
        return Look::Missing;
    }
    Look::Word
}

/// Whether a field looks like a number, with a currency or a unit as well; with `decimal_comma`, `1,5` is one.
pub fn is_number(text: &str, decimal_comma: bool) -> bool {
    let with_unit = |text: &str| {
        let parts = parts(text).filter(|parts| decimal_comma || !parts.body.contains(','));
        parts.is_some_and(|parts| marks(parts.body).is_some())
    };
    look(text, decimal_comma) == Look::Number || with_unit(bare(text))
}

/// Whether digits are a name rather than a number, such as `007`.
pub fn is_code(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_words_and_nothing() {
        for text in ["1", " -2.5 ", "+3", ".5", "1e-3", "\"7\""] {
            assert_eq!(look(text, false), Look::Number, "{text}");
        }
        for text in ["", "  ", "NA", "n/a", "NaN", "?", "null", "None", "-", "#N/A"] {
            assert_eq!(look(text, false), Look::Missing, "{text}");
        }
        for text in ["setosa", "1,5", "1.2.3", "inf", "-inf", "1e999", "5 kg", "é", "TRUE"] {
            assert_eq!(look(text, false), Look::Word, "{text}");
        }
        assert_eq!((look("1,5", true), look("1,234,5", true)), (Look::Number, Look::Word));
    }
}
