//! Paths in commands that somebody may type.

use std::path::Path;

/// A path as a shell reads it: in quotes if it holds spaces or anything else that means something there.
pub fn quoted(path: impl AsRef<Path>) -> String {
    let text = path.as_ref().display().to_string();
    shlex::try_quote(&text).map(Into::into).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_has_some() {
        assert_eq!(quoted("runs/dense-strokes"), "runs/dense-strokes");
        assert_eq!(quoted("a b/it's"), "\"a b/it's\"");
        assert_eq!(quoted("$x y"), "'$x y'");
    }
}
