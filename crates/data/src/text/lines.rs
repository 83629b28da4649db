//! Files with a text on each line, and JSON lines.

use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::error::{LISTED, Unit, list_of, on_one_line, shown};
use super::super::raw::{Raw, Request};
use super::super::write::TEXT;
use super::super::{DataError, TextUnit, bytes};
use super::gather::{Gathering, LeftOut, Place, refuse_fields, utf8};

/// The mark of UTF-8 that some programs put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// All bytes of a file of text, without the mark of its encoding.
fn content(path: &Path, unit: TextUnit) -> Result<Vec<u8>, DataError> {
    let mut content = bytes::all(path)?;
    if unit != TextUnit::Bytes && matches!(content[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            kind: "text",
            reason: "it is UTF-16: save it as UTF-8, or read it with `data.tokens = \"bytes\"`".into(),
        });
    }
    if content.starts_with(MARK) {
        content.drain(..MARK.len());
    }
    Ok(content)
}

/// Lines with their numbers, without their ends: a line feed, with or without a carriage return before it. In a text
/// without line feeds, carriage returns end lines.
pub fn lines(content: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let end = if content.contains(&b'\n') { b'\n' } else { b'\r' };
    let whole = content.strip_suffix(&[end]).unwrap_or(content);
    let is_there = !content.is_empty();
    let lines = whole.split(move |byte| *byte == end).filter(move |_| is_there);
    (1..).zip(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Reads a file with a text on each line.
pub fn file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    refuse_fields(request)?;
    let mut texts = Gathering::new(path, request);
    let content = content(path, texts.unit())?;
    texts.reserve(lines(&content).count());
    for (number, line) in lines(&content) {
        let place = Place::Numbered(Unit::Line, number);
        // White space alone is no text, whatever the tokens are.
        match line.iter().all(u8::is_ascii_whitespace) {
            true => texts.leave_out(&place, LeftOut::Empty, || "it is empty".into())?,
            false => texts.add(line, place, None, false)?,
        }
    }
    drop(content);
    texts.finish()
}

/// Reads a file of JSON lines: a string each, or an object with a text, and a label where one is asked for.
pub fn json(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let mut texts = Gathering::new(path, request);
    let content = content(path, TextUnit::Characters)?;
    let options = request.options;
    let fields = Fields { text: options.text.as_deref().unwrap_or(TEXT), label: options.label.as_deref() };
    if fields.label == Some(fields.text) {
        let reason = "the field of the texts cannot be that of the labels, too";
        return Err(DataError::unusable(path.display(), reason));
    }
    for (number, line) in lines(&content) {
        let place = Place::Numbered(Unit::Line, number);
        let refused = |texts: &Gathering<'_>, reason| texts.refused(&place, reason);
        let line = utf8(line).map_err(|reason| refused(&texts, reason))?;
        if line.trim().is_empty() {
            texts.leave_out(&place, LeftOut::Empty, || "it is empty".into())?;
            continue;
        }
        let read = fields.of(line).map_err(|reason| refused(&texts, reason))?;
        let label = fields.label.map(|_| read.label.unwrap_or_default());
        match read.text {
            Some(text) => texts.add(text.as_bytes(), place, label.as_deref(), false)?,
            None => texts.leave_out(&place, LeftOut::Empty, || "it has no text".into())?,
        }
    }
    drop(content);
    texts.finish()
}

/// The fields of a line that are read.
#[derive(Clone, Copy)]
struct Fields<'a> {
    text: &'a str,
    label: Option<&'a str>,
}

/// What a line holds; nothing where the field is null.
struct Line {
    text: Option<String>,
    label: Option<String>,
}

/// The fields of an object that are wanted, how many it has, and the names of the first ones: an object may have very many.
#[derive(Default)]
struct Object<'a> {
    text: Option<&'a RawValue>,
    label: Option<&'a RawValue>,
    fields: usize,
    names: Vec<String>,
}

impl<'a> DeserializeSeed<'a> for Fields<'_> {
    type Value = Object<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Object<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Fields<'_> {
    type Value = Object<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Object<'a>, M::Error> {
        let mut object = Object::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.text {
                object.text = Some(map.next_value()?);
            } else if Some(name.as_str()) == self.label {
                object.label = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            object.fields += 1;
            if object.names.len() < LISTED {
                object.names.push(name);
            }
        }
        Ok(object)
    }
}

impl Fields<'_> {
    fn of(&self, line: &str) -> Result<Line, String> {
        let line = line.trim();
        let invalid = |error: serde_json::Error| format!("it is not valid JSON: {}", on_one_line(error));
        match line.as_bytes().first() {
            Some(b'"') => Ok(Line { text: Some(serde_json::from_str(line).map_err(invalid)?), label: None }),
            Some(b'{') => {
                let mut reader = serde_json::Deserializer::from_str(line);
                let object = self.deserialize(&mut reader).map_err(invalid)?;
                reader.end().map_err(invalid)?;
                self.of_object(object)
            }
            _ => {
                serde_json::from_str::<IgnoredAny>(line).map_err(invalid)?;
                Err(format!("it is `{}`, and neither a string nor an object with one", shown(line)))
            }
        }
    }

    fn of_object(&self, mut object: Object<'_>) -> Result<Line, String> {
        let Some(text) = object.text else {
            object.names.sort_unstable();
            return Err(format!(
                "its object has no `{}`, but {}: `data.text` names the field with the text",
                shown(self.text),
                if object.names.is_empty() { "nothing".into() } else { list_of(&object.names, object.fields) }
            ));
        };
        let text: Option<String> = serde_json::from_str(text.get())
            .map_err(|_| format!("its `{}` is `{}`, which is no string", shown(self.text), shown(text.get())))?;
        let label = object.label.map(|label| match label.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(label.get()).unwrap_or_default(),
            // `null` is a word that stands for no label.
            _ => label.get().to_string(),
        });
        Ok(Line { text, label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_one_of_three_ways() {
        let all = |text: &str| -> Vec<String> {
            lines(text.as_bytes()).map(|(n, line)| format!("{n}{}", String::from_utf8_lossy(line))).collect()
        };
        for text in ["a\n\nb", "a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "a\r\rb"] {
            assert_eq!(all(text), ["1a", "2", "3b"], "{text:?}");
        }
        assert_eq!(all("a\rb\nc"), ["1a\rb", "2c"]);
        assert_eq!(all(""), [""; 0]);
        assert_eq!(all("\n"), ["1"]);
    }
}
