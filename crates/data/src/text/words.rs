//! Texts cut into words, so that the words give the text back.
//!
//! A piece is a word, or one visible character that belongs to no word. A word is a run of letters and digits; an
//! apostrophe between two of them is part of it. A piece that has white space before it begins with one space, and so
//! does the first piece of a text. So ` cat` and `cat` are two tokens, and the pieces of a text, put together, are the
//! text with one space for each run of white space.

/// Whether a character stands inside a word where letters are on both sides.
fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// The end of the piece at the beginning of a text, in bytes.
fn end_of_piece(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    let Some((_, first)) = characters.next() else { return 0 };
    if !first.is_alphanumeric() {
        return first.len_utf8();
    }
    let mut end = first.len_utf8();
    while let Some((place, c)) = characters.next() {
        let is_inner = is_apostrophe(c) && characters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if !c.is_alphanumeric() && !is_inner {
            break;
        }
        end = place + c.len_utf8();
    }
    end
}

/// Calls `each` with every piece of a text, in order.
pub fn each_piece(text: &str, mut each: impl FnMut(&str)) {
    let mut rest = text;
    let mut piece = String::new();
    let mut is_first = true;
    loop {
        let visible = rest.trim_start();
        if visible.is_empty() {
            return;
        }
        let (word, after) = visible.split_at(end_of_piece(visible));
        piece.clear();
        if is_first || visible.len() < rest.len() {
            piece.push(' ');
        }
        piece.push_str(word);
        each(&piece);
        (rest, is_first) = (after, false);
    }
}

/// Whether a text is one piece, with or without its space.
pub fn is_piece(text: &str) -> bool {
    let word = text.strip_prefix(' ').unwrap_or(text);
    !word.is_empty() && !word.starts_with(char::is_whitespace) && end_of_piece(word) == word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_piece(text, |piece| all.push(piece.to_string()));
        all
    }

    #[test]
    fn texts_are_cut_into_words_and_marks() {
        assert_eq!(
            pieces("Don't say \"so\", it's 3.5\u{a0}kg"),
            [" Don't", " say", " \"", "so", "\"", ",", " it's", " 3", ".", "5", " kg"]
        );
        assert_eq!(pieces("  l\u{2019}été 'quoted' o'' \t\n"), [" l\u{2019}été", " '", "quoted", "'", " o", "'", "'"]);
        assert_eq!(pieces(" \n"), [""; 0]);
        assert!([" a", "a", "don't", " !", "東京"].into_iter().all(is_piece));
        assert!(!["", " ", "  a", "a b", "a!", "don'", "!!", "a "].into_iter().any(is_piece));
    }
}
