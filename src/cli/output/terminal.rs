//! What is printed for a person to read. Names, words and sentences may come from a file, and a terminal obeys some characters: these
//! are shown, not sent. Every line that a command prints goes through here; results that a program reads are written as they are.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// Whether a terminal would obey a character, or the text around it be shown in another order because of it.
fn is_obeyed(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text with such characters as JSON writes them, `\u001b`, so that it stays JSON where it was.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_obeyed(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown += &format!("\\u{unit:04x}")),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A writer of text, which shows what a terminal would obey.
pub struct Visible<W: Write> {
    to: W,
    /// The first bytes of a character that is not whole yet.
    begun: Vec<u8>,
}

impl<W: Write> Visible<W> {
    pub fn new(to: W) -> Self {
        Self { to, begun: Vec::new() }
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.begun);
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.to.write_all(visible(text).as_bytes())?;
                    rest = &[];
                }
                Err(error) => {
                    let (text, behind) = rest.split_at(error.valid_up_to());
                    let text = std::str::from_utf8(text).unwrap_or_default();
                    self.to.write_all(visible(text).as_bytes())?;
                    let Some(wrong) = error.error_len() else {
                        self.begun = behind.to_vec();
                        break;
                    };
                    self.to.write_all("\u{fffd}".as_bytes())?;
                    rest = &behind[wrong..];
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Stdout, for text.
pub fn out() -> Visible<io::StdoutLock<'static>> {
    Visible::new(io::stdout().lock())
}

/// Stdout, for results: as they are where a program reads them, and for a person on a terminal as [`out`] shows them.
pub fn results() -> Box<dyn Write> {
    match io::stdout().is_terminal() {
        true => Box::new(out()),
        false => Box::new(io::stdout().lock()),
    }
}

/// Stderr, for text.
pub fn err() -> Visible<io::StderrLock<'static>> {
    Visible::new(io::stderr().lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        let text = "a\u{1b}[31mb\r\u{9b}2J\u{202e}c\u{2066}\u{e0041}\u{7}\tü\n";
        let shown = "a\\u001b[31mb\\u000d\\u009b2J\\u202ec\\u2066\\udb40\\udc41\\u0007\tü\n";
        assert_eq!(visible(text), shown);
        assert!(matches!(visible("plain ü\n"), Cow::Borrowed(_)));
        // However it is cut.
        for cut in 0..text.len() {
            let mut out = Visible::new(Vec::new());
            out.write_all(&text.as_bytes()[..cut]).unwrap();
            out.write_all(&text.as_bytes()[cut..]).unwrap();
            assert_eq!(String::from_utf8(out.to).unwrap(), shown, "{cut}");
        }
        let mut out = Visible::new(Vec::new());
        out.write_all(b"a\xffb").unwrap();
        assert_eq!(String::from_utf8(out.to).unwrap(), "a\u{fffd}b");
        // What is shown of JSON is the same JSON.
        let json = serde_json::to_string(&["\u{202e}x\u{85}", "\u{1b}"]).unwrap();
        let read: Vec<String> = serde_json::from_str(&visible(&json)).unwrap();
        assert_eq!(read, ["\u{202e}x\u{85}", "\u{1b}"]);
    }

    /// Every command prints through this file, or says why not: results that a program reads.
    #[test]
    fn nothing_is_printed_past_it() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
        let raw = ["terminal.rs", "sheet.rs", "completions.rs", "man.rs", "decompress.rs"];
        let entries = |folder| std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let folders = ["", "args", "commands", "output"].map(|folder| root.join(folder));
        let (files, mut looked_at) = (folders.into_iter().flat_map(entries), 0);
        for entry in files.filter(|entry| entry.path().is_file()) {
            looked_at += 1;
            let name = entry.file_name().into_string().unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            for (line, number) in text.lines().zip(1..).filter(|_| !raw.contains(&name.as_str())) {
                let prints = ["stdout()", "stderr()", "println!", "eprint"].iter().any(|word| line.contains(word));
                let is_no_text =
                    ["is_terminal", "flush", "ProgressDrawTarget", "use_stderr"].iter().any(|word| line.contains(word));
                assert!(!prints || is_no_text, "{name}:{number} prints past terminal.rs: {line}");
            }
        }
        assert!(looked_at > 35, "{looked_at} files");
    }
}
