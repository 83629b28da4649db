//! Escaping and encoding for HTML.

/// Escapes text for use between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // HTML does not allow other control characters, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Escapes a sentence, in which what is between backticks is code: keys of the configuration.
pub fn sentence(text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = escape(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => out += &format!("<code>{}</code>{}", escape(code), escape(after)),
            None => out += &format!("`{}", escape(code)),
        }
    }
    out
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes in base64, for data URIs.
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            // Three bytes give four digits; a shorter group is padded.
            out.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Width and height from the header of a PNG.
pub fn png_size(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| png.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    png.starts_with(b"\x89PNG\r\n\x1a\n").then_some(())?;
    Some((number(16)?, number(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("<a href=\"x\">'&\u{0}"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{fffd}");
        assert_eq!(escape("two\nlines"), "two\nlines");
    }

    #[test]
    fn sentences_show_keys_as_code() {
        assert_eq!(sentence("try `a = \"b\"`, or <c>"), "try <code>a = &quot;b&quot;</code>, or &lt;c&gt;");
        assert_eq!(sentence("`a``b`c"), "<code>a</code><code>b</code>c");
        assert_eq!(sentence("a`b"), "a`b");
    }

    #[test]
    fn base64_pads_to_four_digits() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 239, 190]), "/+++");
    }

    #[test]
    fn a_size_is_read_only_from_a_png() {
        assert_eq!(png_size(b"GIF89a"), None);
        assert_eq!(png_size(b"\x89PNG\r\n\x1a\n"), None);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend([0, 0, 1, 4, 0, 0, 0, 9]);
        assert_eq!(png_size(&png), Some((260, 9)));
    }
}
