//! Paths in commands that somebody may type.

use std::path::Path;

/// A path as a shell reads it: in quotes if it holds spaces or anything else that means something there.
pub fn shell_quote(path: impl AsRef<Path>) -> String {
    let text = path.as_ref().display().to_string();
    shlex::try_quote(&text).map(Into::into).unwrap_or(text)
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
}
