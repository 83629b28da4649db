//! Recognises the kind of a source by its name and content, and reads it.

use std::path::Path;

use super::bytes;
use super::folder::{FileType, FolderFiles};
use super::raw::{Raw, Request};
use super::{
    DataError, RowFormat, expressions, folder, idx, images, npy, npz, points, series, sound, sprites, strokes, table,
    text, waves,
};

/// Reads or generates a source.
pub(super) fn read(request: &Request<'_>) -> Result<Raw, DataError> {
    let spec = request.options.source.as_str();
    let (kind, options) = spec.split_once(':').unwrap_or((spec, ""));
    match kind {
        "strokes" => strokes::parse(spec, options).map(|o| strokes::rows(&o)),
        "points" => points::PointOptions::parse(spec, options).map(|o| points::rows(&o)),
        "waves" => waves::parse(spec, options).map(|o| waves::rows(&o)),
        "sprites" => sprites::parse(spec, options).map(|o| sprites::rows(&o)),
        "expressions" => {
            expressions::ExpressionOptions::parse(spec, options).and_then(|o| expressions::rows(&o, request))
        }
        _ => {
            let path = Path::new(spec);
            let mut raw = if path.is_dir() {
                of_folder(path, request)?
            } else if path.exists() {
                of_file(path, request)?
            } else {
                return Err(DataError::Missing(path.to_path_buf()));
            };
            raw.name = name(path);
            Ok(raw)
        }
    }
}

fn of_folder(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let find = |of: FileType| FolderFiles::find(path, of);
    if request.options.format == RowFormat::Text {
        return text::files(path, find(FileType::Texts)?, request);
    }
    if let Some(raw) = series::folder(path, request)? {
        return Ok(raw);
    }
    let sets = idx::Sets::find(path)?;
    if sets.is_there() {
        return sets.read();
    }
    let images = find(FileType::Images);
    let count = |files: &Result<FolderFiles, DataError>| files.as_ref().map_or(0, |files| files.train.len());
    let (sounds, music) = (find(FileType::Sounds), find(FileType::Music));
    // A picture or two beside many sounds shows what they are about.
    let most = count(&images).max(count(&sounds)).max(count(&music));
    match (images, sounds, music) {
        (Ok(images), ..) if images.train.len() == most => images::read(path, images, request),
        (_, Ok(sounds), _) if sounds.train.len() == most => sound::wav(path, sounds, request),
        (.., Ok(music)) => sound::midi(path, music, request),
        // One file of text beside others is rather a note on them.
        (images, sounds, Err(error)) => match find(FileType::Texts) {
            Ok(texts) if texts.unread.is_empty() && texts.train.len() > 1 => text::files(path, texts, request),
            // Images or sounds may be there that cannot be read.
            _ => {
                let others = [images.err(), sounds.err()].into_iter().flatten();
                Err(others.into_iter().find(|other| other.to_string() != error.to_string()).unwrap_or(error))
            }
        },
    }
}

/// The kinds of files.
pub(super) enum FileKind {
    Idx,
    Npy,
    Npz,
    Image,
    Table {
        /// Whether its name, or its first bytes, say so; else nothing says otherwise.
        is_known: bool,
    },
    /// Text, which may be a table.
    Text,
    /// JSON lines.
    Json,
    /// Series of the UCR/UEA archive.
    Series,
    /// Sounds.
    Wav,
    /// Music.
    Midi,
}

impl FileKind {
    /// Whether it may be read as a table.
    pub fn may_be_table(&self) -> bool {
        matches!(self, FileKind::Table { .. } | FileKind::Text)
    }
}

fn of_file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    let head = bytes::head(path)?;
    let is_readable = image::guess_format(&head).is_ok_and(|format| format.reading_enabled());
    if let Some(reason) = folder::unreadable(&extension).filter(|_| !is_readable) {
        return Err(DataError::unusable(path.display(), reason));
    }
    match kind(path, &head) {
        FileKind::Idx => idx::file(path),
        FileKind::Npy => npy::file(path, request.options.format),
        FileKind::Npz => npz::file(path, request.options.format),
        FileKind::Series => series::ts(path, request),
        FileKind::Wav => sound::wav(path, FolderFiles::one(path), request),
        FileKind::Midi => sound::midi(path, FolderFiles::one(path), request),
        FileKind::Image => images::read(path, FolderFiles::one(path), request),
        FileKind::Json => text::json(path, request),
        kind @ (FileKind::Table { .. } | FileKind::Text) => match rows_of_text(path, &kind, request)? {
            RowsOfText::Table => table::file(path, request),
            RowsOfText::Column => text::column(path, request),
            RowsOfText::Series => series::long(path, request),
            RowsOfText::Lines { note } => {
                let mut raw = text::file(path, request)?;
                raw.notes.splice(0..0, note);
                Ok(raw)
            }
        },
    }
}

/// What a file of text holds.
enum RowsOfText {
    Table,
    /// Texts in a column of a table.
    Column,
    /// Series in a table, a step in each row.
    Series,
    /// A text on each line, and what to say of that.
    Lines {
        note: Option<String>,
    },
}

/// Whether a file of text is read as a table, as a column of one, or line by line.
fn rows_of_text(path: &Path, kind: &FileKind, request: &Request<'_>) -> Result<RowsOfText, DataError> {
    let options = request.options;
    let is_known_table = matches!(kind, FileKind::Table { is_known: true });
    Ok(match options.format {
        _ if !options.series.is_empty() => RowsOfText::Series,
        RowFormat::Series => RowsOfText::Series,
        RowFormat::Table => RowsOfText::Table,
        RowFormat::Text if is_known_table => RowsOfText::Column,
        // A run may have its texts from a column, and new ones from a file of lines.
        RowFormat::Text if options.text.is_some() && (request.texts.is_none() || text::is_table(path)?) => {
            RowsOfText::Column
        }
        RowFormat::Text => RowsOfText::Lines { note: None },
        _ if options.text.is_some() => RowsOfText::Column,
        _ if !is_known_table && options.has_tokens() => RowsOfText::Lines { note: None },
        // A model of a table takes each file as one.
        _ if matches!(kind, FileKind::Table { .. }) || request.like.is_some() || text::is_table(path)? => {
            RowsOfText::Table
        }
        _ => RowsOfText::Lines {
            note: Some(
                "its lines do not split into the same fields with a number among them, so each line is a text; \
                 `data.format = \"table\"` reads a table"
                    .into(),
            ),
        },
    })
}

/// The extension of a file without that of gzip, in lower case.
fn extension(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.into())
}

/// The kind of a file.
pub(super) fn kind_of(path: &Path) -> Result<FileKind, DataError> {
    Ok(kind(path, &bytes::head(path)?))
}

/// The kind of a file, by its first bytes if they identify it, else by its name.
fn kind(path: &Path, head: &[u8]) -> FileKind {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = extension(path);
    let extension = extension.as_str();
    if head.starts_with(npy::MAGIC) {
        return FileKind::Npy;
    }
    if head.starts_with(&bytes::PARQUET) {
        return FileKind::Table { is_known: true };
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") {
        return FileKind::Wav;
    }
    if head.starts_with(b"MThd") {
        return FileKind::Midi;
    }
    if head.starts_with(b"PK\x03\x04") {
        return FileKind::Npz;
    }
    // A table may begin with `BM` like a bitmap, so the name decides first.
    if matches!(extension, "csv" | "tsv" | "tab" | "data" | "dat") {
        return FileKind::Table { is_known: true };
    }
    match extension {
        "txt" | "text" => return FileKind::Text,
        "jsonl" | "ndjson" => return FileKind::Json,
        "ts" => return FileKind::Series,
        "wav" | "wave" => return FileKind::Wav,
        "mid" | "midi" => return FileKind::Midi,
        _ => {}
    }
    if idx::is_magic(head) {
        return FileKind::Idx;
    }
    if image::guess_format(head).is_ok() || folder::is_image_extension(extension) {
        return FileKind::Image;
    }
    match extension {
        "npy" => FileKind::Npy,
        "npz" => FileKind::Npz,
        _ if name.contains("ubyte") || name.contains("idx") => FileKind::Idx,
        _ => FileKind::Table { is_known: false },
    }
}

/// Whether a file would be read as a part of the folder that it is in: an image, a sound, music, or IDX.
pub fn is_of_folder(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    let is_sound = ["wav", "wave", "mid", "midi"].contains(&extension.to_lowercase().as_str());
    folder::is_image_extension(&extension) || is_sound || name.contains("ubyte") || name.contains("idx")
}

/// A short name for a file or folder.
fn name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut short = name.as_str();
    if path.is_file() {
        short = short.strip_suffix(".gz").unwrap_or(short);
        short = short.rsplit_once('.').map_or(short, |(stem, _)| stem);
    }
    if short.is_empty() { "data".into() } else { short.into() }
}
