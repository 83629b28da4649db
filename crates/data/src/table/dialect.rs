//! The dialect of a table: character encoding, separator, whether it has a header.

use super::super::dialect::Encoding;
use super::field::{self, Look, bare};

/// Rows that are inspected to recognise the dialect.
pub const SAMPLE: usize = 50;

/// How long the inspected lines may be together.
const SAMPLED_BYTES: usize = 1 << 20;
/// How many rows are inspected however long they are.
const ALWAYS_SAMPLED: usize = 3;

/// The first rows, up to a number and a size of all of them together.
pub fn sample<T>(rows: impl Iterator<Item = T>, most: usize, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut whole = 0_usize;
    let is_within = |(place, row): &(usize, T)| {
        whole = whole.saturating_add(size(row));
        *place < ALWAYS_SAMPLED || whole <= most
    };
    rows.take(SAMPLE).enumerate().take_while(is_within).map(|(_, row)| row).collect()
}

/// The separator between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    Byte(u8),
    /// Any number of spaces and tabs.
    Space,
}

/// All separators, the preferred ones first.
const SEPARATORS: [Separator; 5] =
    [Separator::Byte(b','), Separator::Byte(b'\t'), Separator::Byte(b';'), Separator::Byte(b'|'), Separator::Space];

/// How well a separator suits some lines, the most important first.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rate {
    /// Nearly all lines have as many fields as the last one.
    is_regular: bool,
    /// The first line has as many, too: decimal commas are in all lines but the header.
    is_in_header: bool,
    numbers: usize,
    /// Fields of all lines. What does not stand in the first one is text of a column, such as that of `red; blue`.
    fields: usize,
}

impl Separator {
    /// What a file of Excel says of itself in a first line such as `sep=;`.
    pub fn said(text: &str) -> Option<Self> {
        let (_, line) = lines(text).next()?;
        let line = line.trim_matches(['"', ' ']);
        let (_, separator) = line.split_at_checked(4).filter(|(name, _)| name.eq_ignore_ascii_case("sep="))?;
        match separator.as_bytes() {
            [byte @ (b',' | b'\t' | b';' | b'|')] => Some(Separator::Byte(*byte)),
            _ => None,
        }
    }

    /// Whether a comma is a decimal point, as in files separated by semicolons.
    pub fn decimal_comma(self) -> bool {
        self == Separator::Byte(b';')
    }

    /// The separator that gives rows of equal length, the header among them; of several the one with the most numbers, or else the most
    /// fields.
    pub fn guess(text: &str) -> Self {
        let lines = lines(text).map(|(_, line)| line).filter(|line| !line.trim().is_empty());
        let lines: Vec<&str> = sample(lines, SAMPLED_BYTES, |line| line.len());
        let best = SEPARATORS.into_iter().rev().max_by_key(|separator| separator.rate(&lines));
        best.unwrap_or(SEPARATORS[0])
    }

    fn rate(self, lines: &[&str]) -> Rate {
        // With a unit, too: of `5,2 %` between semicolons, `5` between commas would be the only number else.
        let is_number = |text: &&&str| field::is_number(text, self.decimal_comma());
        // Line by line: the fields of a wide table take many times the room of its text.
        let of_line = |line: &&str| {
            let fields = self.split(line);
            (fields.len(), fields.iter().filter(is_number).count())
        };
        let counts: Vec<(usize, usize)> = lines.iter().map(of_line).collect();
        let (first, last) = (counts.first().map_or(0, |first| first.0), counts.last().map_or(0, |last| last.0));
        let alike = counts.iter().filter(|(fields, _)| *fields == last).count();
        let is_regular = last > 1 && 10 * alike >= 9 * counts.len();
        // The first line may be a header, in which a number such as that of `column 3` shows nothing.
        let numbers: usize = counts.iter().skip(usize::from(counts.len() > 1)).map(|(_, numbers)| numbers).sum();
        if self == Separator::Space && !(is_regular && numbers > 0 && first == last && may_separate(lines)) {
            return Rate::default();
        }
        Rate {
            is_regular,
            is_in_header: is_regular && first == last,
            numbers: if is_regular { numbers } else { 0 },
            fields: if first > 1 { counts.iter().map(|(fields, _)| fields).sum() } else { 0 },
        }
    }

    /// Whether all lines have the same two or more fields, one of which is a number in each line below the first.
    fn makes_table(self, lines: &[&str]) -> bool {
        let count = self.split(lines[0]).len();
        let mut are_numbers = vec![count > 1; count];
        for (row, line) in lines.iter().enumerate() {
            let fields = self.split(line);
            if fields.len() != count || !are_numbers.contains(&true) {
                return false;
            }
            for (field, is_number) in fields.iter().zip(&mut are_numbers).filter(|_| row > 0) {
                *is_number &= field::is_number(field, self.decimal_comma());
            }
        }
        are_numbers.contains(&true)
    }

    /// The fields of a line; separators inside quotes do not count.
    pub fn split(self, line: &str) -> Vec<&str> {
        // The room for all fields of a wide table is taken at once: a vector that grows leaves room of each smaller size behind.
        let mut fields = match self {
            Separator::Byte(separator) => {
                Vec::with_capacity(1 + line.bytes().filter(|byte| *byte == separator).count())
            }
            Separator::Space => Vec::new(),
        };
        let (mut start, mut quoted, mut empty) = (0, false, true);
        for (place, byte) in line.bytes().enumerate() {
            let separates = match self {
                Separator::Byte(separator) => byte == separator,
                Separator::Space => matches!(byte, b' ' | b'\t' | b'\r'),
            };
            if byte == b'"' {
                quoted = !quoted;
            }
            if separates && !quoted {
                if self != Separator::Space || !empty {
                    fields.push(&line[start..place]);
                }
                (start, empty) = (place + 1, true);
            } else {
                empty = false;
            }
        }
        if self != Separator::Space || !empty {
            fields.push(&line[start..]);
        }
        fields
    }
}

/// Whether spaces can separate the fields of some lines. In text they separate nothing, such as in `12 kg` or `town 12`: then other
/// separators stand between them, or a field between tabs is not made of numbers alone.
fn may_separate(lines: &[&str]) -> bool {
    let is_joined = |field: &&str| !field.starts_with('"') && field.contains([',', ';', '|']);
    let is_text = |field: &&str| {
        let parts = Separator::Space.split(field);
        !field.contains('"') && parts.len() > 1 && !parts.iter().all(|part| field::is_number(part, false))
    };
    let has_text = |line: &str| line.contains('\t') && Separator::Byte(b'\t').split(line).iter().any(is_text);
    !lines.iter().any(|line| Separator::Space.split(line).iter().any(is_joined) || has_text(line))
}

/// The first line that can have more than so many fields, whatever separates them: counted from 1,
/// and how many.
pub fn too_wide(text: &str, most: usize) -> Option<(u64, usize)> {
    let widest = |line: &str| {
        // What is quoted is no separator, where the quotes of a line are whole.
        let has_quotes = line.contains('"') && line.matches('"').count().is_multiple_of(2);
        let mut is_quoted = false;
        let mut outside: Vec<u8> = Vec::new();
        if has_quotes {
            outside.extend(line.bytes().filter(|byte| {
                is_quoted ^= *byte == b'"';
                !is_quoted
            }));
        }
        let line = if has_quotes { outside.as_slice() } else { line.as_bytes() };
        let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count() + 1;
        [b',', b'\t', b';', b'|', b' '].into_iter().map(count).max().unwrap_or(1)
    };
    // Hardly any line is long enough to be counted.
    let long = lines(text).filter(|(_, line)| line.len() >= most);
    long.map(|(number, line)| (number, widest(line))).find(|(_, fields)| *fields > most)
}

/// Whether one delimiter splits the first lines of a text into the same two or more fields, and one of the fields is a
/// number in each of them. The first line may be a header, or say what separates fields.
pub fn is_table_of(text: &str, most: usize) -> bool {
    if Separator::said(text).is_some() {
        return true;
    }
    let lines = lines(text).map(|(_, line)| line).filter(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.take(most).collect();
    lines.len() > 1 && SEPARATORS.into_iter().any(|separator| separator.makes_table(&lines))
}

/// Lines, counted from 1, whether a line feed ends them, a carriage return, or both.
pub fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let line = &rest[..end];
        let mark = &rest[end..];
        rest = mark.strip_prefix("\r\n").or_else(|| mark.get(1..)).unwrap_or("");
        number += 1;
        Some((number, line))
    })
}

/// How many lines end in some bytes of a text.
pub fn line_ends(bytes: &[u8]) -> u64 {
    let ends = |(place, byte): (usize, &u8)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(place + 1) != Some(&b'\n'),
        _ => false,
    };
    bytes.iter().enumerate().filter(|at| ends(*at)).count() as u64
}

/// A text, its encoding, and whether that was marked.
pub type Decoded = (String, Encoding, bool);

/// The text of a file in UTF-8, UTF-16 with a byte order mark, or Latin-1; none for other content.
pub fn text(bytes: Vec<u8>) -> Option<Decoded> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = || bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        let length: usize = char::decode_utf16(units()).map(|c| c.map_or(0, char::len_utf8)).sum();
        let mut text = String::with_capacity(length);
        for character in char::decode_utf16(units()) {
            text.push(character.ok()?);
        }
        Some(text)
    };
    let (mut text, encoding, mut mark) = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => (utf16(rest, u16::from_le_bytes)?, Encoding::Utf16Little, true),
        [0xfe, 0xff, rest @ ..] => (utf16(rest, u16::from_be_bytes)?, Encoding::Utf16Big, true),
        _ => match String::from_utf8(bytes) {
            Ok(text) => (text, Encoding::Utf8, false),
            Err(error) => (latin1(error.as_bytes())?, Encoding::Latin1, false),
        },
    };
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
        mark = true;
    }
    (!text.contains('\0')).then_some((text, encoding, mark))
}

/// Text in Latin-1; none if more than a third of it are letters beyond ASCII, as in no table.
fn latin1(bytes: &[u8]) -> Option<String> {
    let beyond = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    if beyond > bytes.len() / 3 + 16 {
        return None;
    }
    let mut text = String::with_capacity(bytes.len() + beyond);
    text.extend(bytes.iter().map(|byte| char::from(*byte)));
    Some(text)
}

/// Whether the first of these rows is a header.
///
/// It is one if it holds no number, or if it has words above numbers and all its own numbers are whole, such as names
/// of pixels. Otherwise the words in it are classes, or mistakes.
pub fn has_header(rows: &[Vec<&str>], decimal_comma: bool) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let read = |text: &str| field::look(text, decimal_comma) == Look::Number;
    let numbers: Vec<&&str> = first.iter().filter(|text| read(text)).collect();
    let words = first.iter().any(|text| field::look(text, decimal_comma) == Look::Word);
    if numbers.is_empty() {
        return words;
    }
    let over_numbers = first.iter().enumerate().any(|(column, text)| {
        let mut below = rest.iter().filter_map(|row| row.get(column)).peekable();
        let is_word = field::look(text, decimal_comma) == Look::Word;
        is_word && below.peek().is_some() && below.all(|text| field::look(text, decimal_comma) != Look::Word)
    });
    over_numbers && numbers.iter().all(|text| bare(text).bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_recognised() {
        for (text, separator) in [
            ("a,b\n1,2\n3,4\n", Separator::Byte(b',')),
            ("a;b;c\n1,5;2,5;3\n1;2,25;3,5\n", Separator::Byte(b';')),
            ("a\tb\n1 x\t2\n", Separator::Byte(b'\t')),
            ("1|2\n3|4\n", Separator::Byte(b'|')),
            (" 1.0   2.0  3.0\n 4.0   5.0 6.0\n", Separator::Space),
            ("18.0   8   307.0\t\"chevrolet malibu\"\n15.0   8   350.0\t\"buick\"\n", Separator::Space),
            ("a\n1\n2\n", Separator::Byte(b',')),
            ("\"a;b\",c\n1,2\n", Separator::Byte(b',')),
            ("1,2,3\n4,5\n", Separator::Byte(b',')),
            ("New York\nLos Angeles\n", Separator::Byte(b',')),
            ("a;b\n1 kg;x\n2 g;y\n", Separator::Byte(b';')),
            ("a;b\n5,2 %;x\n7,1 %;y\n", Separator::Byte(b';')),
            ("a\n5 %\n7 %\n", Separator::Byte(b',')),
            ("a\nred\ngreen; blue\nred\nred\n", Separator::Byte(b',')),
        ] {
            assert_eq!(Separator::guess(text), separator, "{text:?}");
        }
        // A number in a header is none, and a unit no field.
        let units: String = (0..20).map(|row| format!("{row}\t{row} %\n")).collect();
        assert_eq!(Separator::guess(&format!("a\tcolumn 2\n{units}")), Separator::Byte(b'\t'));
        let towns: String = (0..20).map(|row| format!("{row}\ttown {row}\n")).collect();
        assert_eq!(Separator::guess(&format!("a\tcolumn 2\n{towns}")), Separator::Byte(b'\t'));
        // Decimal commas are in all lines but the header.
        for separator in ['|', '\t'] {
            let rows: String = (0..20).map(|row| format!("1234,5{row}{separator}57,2 kg\n")).collect();
            let text = format!("a{separator}b\n{rows}");
            assert_eq!(Separator::guess(&text), Separator::Byte(separator as u8), "{text:?}");
        }
    }

    #[test]
    fn tables_are_told_from_texts() {
        for text in ["a,b\nx,1\ny,2\n", "1 2\n3 4", "x\t1.5 kg\ny\t2 kg\n", "sep=;\na;b\n", "a;b\nx;1,5\ny;2,5\n"] {
            assert!(is_table_of(text, 100), "{text:?}");
        }
        let verses = "In the beginning, God\nAnd the earth, was\nAnd God, said\n";
        for text in
            ["", "one line, 1", "a\n1\n2\n", verses, "chapter 1\nchapter two\n", "a,b\n1,2\n3,4,5\n", "a,b\nx,y\n"]
        {
            assert!(!is_table_of(text, 100), "{text:?}");
        }
        // The lines behind the first hundred are not looked at.
        let text = format!("{}free text\n", "a,1\n".repeat(100));
        assert!(is_table_of(&text, 100) && !is_table_of(&text, 101));
    }

    #[test]
    fn quoted_separators_are_none() {
        let quoted = format!("a,b\n\"{}\",2\n", ",".repeat(300));
        assert_eq!(too_wide(&quoted, 100), None);
        assert_eq!(too_wide(&quoted.replace('"', ""), 100), Some((2, 302)));
        // An open quote is no reason to count nothing.
        assert_eq!(too_wide(&quoted.replacen('"', "", 1), 100), Some((2, 302)));
        let said = ["sep=;\na;b\n", "SEP=,\r\n", "\"sep=|\"\n", "sep=\t\n", "sep=x\n", "seplen,b\n", "sep="]
            .map(Separator::said);
        let known = [b';', b',', b'|', b'\t'].map(|byte| Some(Separator::Byte(byte)));
        assert_eq!(said, [known[0], known[1], known[2], known[3], None, None, None]);
    }

    #[test]
    fn headers_are_recognised() {
        let header = |text: &str| {
            let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
            has_header(&rows, false)
        };
        assert!(header("a,b\n1,2"));
        assert!(header("name,kind\nx,y"));
        assert!(header("label,0,1,2\n5,0,0,0"));
        assert!(!header("5.1,3.5,setosa\n4.9,3.0,setosa"));
        assert!(!header("1,2\n3,4"));
        assert!(!header("5.1,oops\n4.9,3.0"));
        assert!(!header("?,1\n2,3"));
        assert!(!header(""));
    }

    #[test]
    fn texts_of_several_kinds_are_read() {
        for (bytes, read, encoding) in [
            (&b"\xef\xbb\xbfa,b"[..], "a,b", Encoding::Utf8),
            (b"\xff\xfea\0,\0", "a,", Encoding::Utf16Little),
            (b"caf\xe9", "café", Encoding::Latin1),
        ] {
            let (found, known, mark) = text(bytes.to_vec()).unwrap();
            assert_eq!((found.as_str(), known), (read, encoding));
            let back = encoding.bytes(&format!("{}{read}", if mark { "\u{feff}" } else { "" }));
            assert_eq!(back, bytes);
        }
        assert_eq!(text(b"a\0b".to_vec()), None);
        assert_eq!(Encoding::Latin1.bytes("Ω"), "Ω".as_bytes());
    }

    #[test]
    fn lines_end_in_every_way() {
        let all: Vec<(u64, &str)> = lines("a\rb\n\r\nc\r").collect();
        assert_eq!(all, [(1, "a"), (2, "b"), (3, ""), (4, "c")]);
        assert_eq!(line_ends(b"a\rb\n\r\nc\r"), 4);
    }
}
