//! Texts in what somebody may type: in commands, and in keys of the configuration.
//!
//! Messages name a key as it stands in a configuration, between backticks: `data.missing = "drop"`, or `data.columns`
//! where no value is meant. A program that has other names for keys can find them so.

use std::fmt::Write;
use std::path::Path;

/// A path as a shell reads it: in quotes if it holds spaces or anything else that means something there.
pub fn shell_quote(path: impl AsRef<Path>) -> String {
    let text = path.as_ref().display().to_string();
    shlex::try_quote(&text).map(Into::into).unwrap_or(text)
}

/// A text as TOML reads it, in quotes and on one line. There are no backticks in it, so that it can stand between two.
pub fn toml_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a text cannot fail.
            c if c == '`' || c.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_has_some() {
        assert_eq!(shell_quote("runs/dense-strokes"), "runs/dense-strokes");
        assert_eq!(shell_quote("a b/it's"), "\"a b/it's\"");
        assert_eq!(shell_quote("$x y"), "'$x y'");
    }

    #[test]
    fn texts_for_toml_have_no_backticks_and_one_line() {
        assert_eq!(toml_text("a=number"), "\"a=number\"");
        assert_eq!(toml_text("a\"b\\`\nü"), r#""a\"b\\\u0060\u000aü""#);
    }
}
