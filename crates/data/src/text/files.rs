//! Folders of text files: each file is an example.

use std::path::Path;

use super::super::folder::FolderFiles;
use super::super::raw::{Raw, Request};
use super::super::{DataError, TextUnit, bytes};
use super::gather::{Gathering, LeftOut, Place, refuse_fields, utf8};

/// Reads the text files of a folder. Those that are not UTF-8 are left out and counted.
pub fn read(folder: &Path, files: FolderFiles, request: &Request<'_>) -> Result<Raw, DataError> {
    refuse_fields(request)?;
    let mut texts = Gathering::new(folder, request);
    let FolderFiles { train, test, classes, notes, .. } = files;
    notes.into_iter().for_each(|note| texts.note(note));
    let all = train.len() + test.len();
    let files = train.into_iter().map(|file| (file, false)).chain(test.into_iter().map(|file| (file, true)));
    for (number, (file, is_test)) in files.enumerate() {
        let content = bytes::all(&file.path)?;
        let place = Place::File(file.origin);
        let text = without_end(&content);
        match texts.unit() {
            TextUnit::Bytes => texts.add(text, place, label(&classes, file.class.as_deref()), is_test)?,
            _ => match utf8(text) {
                Ok(_) => texts.add(text, place, label(&classes, file.class.as_deref()), is_test)?,
                Err(reason) => texts.leave_out(&place, LeftOut::Unreadable, || reason)?,
            },
        }
        (request.progress)(number + 1, all);
    }
    texts.finish()
}

/// The class of a file; where files have classes, each has one.
fn label<'a>(classes: &[String], class: Option<&'a str>) -> Option<&'a str> {
    class.or((!classes.is_empty()).then_some(""))
}

/// A text without the mark of its encoding and the end of its last line.
fn without_end(content: &[u8]) -> &[u8] {
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}
