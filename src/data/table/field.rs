//! The content of one field of a table.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    Number(f64),
    Missing,
    Word(&'a str),
}

/// Common markers of missing values.
const MISSING: [&str; 9] = ["", "na", "n/a", "nan", "?", "null", "none", "-", "."];

/// Reads a field; with `decimal_comma`, `1,5` is a number.
pub fn read(text: &str, decimal_comma: bool) -> Field<'_> {
    let text = bare(text);
    // For speed: most fields are numbers, and most others differ from one in their first letter.
    if let Some(number) = number(text, decimal_comma) {
        return Field::Number(number);
    }
    if text.len() <= 4 && MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing)) {
        return Field::Missing;
    }
    match text {
        _ if text.eq_ignore_ascii_case("true") => Field::Number(1.0),
        _ if text.eq_ignore_ascii_case("false") => Field::Number(0.0),
        _ => Field::Word(text),
    }
}

/// A field without surrounding spaces, and without quotes that the reader missed because a space preceded them.
pub fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map_or(text, str::trim)
}

/// Whether digits are a name rather than a number, such as `007`.
pub fn is_code(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A finite number. Infinities count as words, because nothing can be learned from them.
fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ','));
    if !starts {
        return None;
    }
    let parsed = text.parse::<f64>().ok().or_else(|| {
        let (whole, rest) = text.split_once(',').filter(|_| decimal_comma)?;
        format!("{whole}.{rest}").parse().ok()
    });
    parsed.filter(|number| (*number as f32).is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_words_and_nothing() {
        for (text, number) in
            [("1", 1.0), (" -2.5 ", -2.5), ("+3", 3.0), (".5", 0.5), ("1e-3", 1e-3), ("\"7\"", 7.0), ("TRUE", 1.0)]
        {
            assert_eq!(read(text, false), Field::Number(number), "{text}");
        }
        for text in ["", "  ", "NA", "n/a", "NaN", "?", "null", "None", "-"] {
            assert_eq!(read(text, false), Field::Missing, "{text}");
        }
        for text in ["setosa", "1,5", "1.2.3", "inf", "-inf", "1e999", "5 kg", "é"] {
            assert_eq!(read(text, false), Field::Word(text));
        }
        assert_eq!(read("1,5", true), Field::Number(1.5));
        assert_eq!(read("1,234,5", true), Field::Word("1,234,5"));
    }
}
