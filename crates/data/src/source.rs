//! Recognises the kind of a source by its name and content, and reads it.

use std::path::Path;

use super::bytes;
use super::raw::{Raw, Request};
use super::{DataError, folder, idx, images, npy, npz, points, sprites, strokes, table};

/// Reads or generates a source.
pub(super) fn read(request: &Request<'_>) -> Result<Raw, DataError> {
    let spec = request.options.source.as_str();
    let (kind, options) = spec.split_once(':').unwrap_or((spec, ""));
    match kind {
        "strokes" => strokes::parse(spec, options).map(|o| strokes::rows(&o)),
        "points" => points::PointOptions::parse(spec, options).map(|o| points::rows(&o)),
        "sprites" => sprites::parse(spec, options).map(|o| sprites::rows(&o)),
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
    let sets = idx::Sets::find(path)?;
    if sets.is_there() {
        return sets.read();
    }
    let files = folder::ImageFiles::find(path)?;
    images::read(path, files, request)
}

/// The kinds of files.
pub(super) enum FileKind {
    Idx,
    Npy,
    Npz,
    Image,
    Table,
}

fn of_file(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    let head = bytes::head(path)?;
    let is_readable = image::guess_format(&head).is_ok_and(|format| format.reading_enabled());
    if let Some(format) = folder::unread_format(&extension).filter(|_| !is_readable) {
        let reason = format!("{format} cannot be read: make a PNG or JPEG file of it");
        return Err(DataError::unusable(path.display(), reason));
    }
    match kind(path, &head) {
        FileKind::Idx => idx::file(path),
        FileKind::Npy => npy::file(path),
        FileKind::Npz => npz::file(path),
        FileKind::Image => images::read(path, folder::ImageFiles::one(path), request),
        FileKind::Table => table::file(path, request),
    }
}

/// The kind of a file.
pub(super) fn kind_of(path: &Path) -> Result<FileKind, DataError> {
    Ok(kind(path, &bytes::head(path)?))
}

/// The kind of a file, by its first bytes if they identify it, else by its name.
fn kind(path: &Path, head: &[u8]) -> FileKind {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if head.starts_with(npy::MAGIC) {
        return FileKind::Npy;
    }
    if head.starts_with(&bytes::PARQUET) {
        return FileKind::Table;
    }
    if head.starts_with(b"PK\x03\x04") {
        return FileKind::Npz;
    }
    // A table may begin with `BM` like a bitmap, so the name decides first.
    if matches!(extension, "csv" | "tsv" | "tab" | "txt" | "data" | "dat") {
        return FileKind::Table;
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
        _ => FileKind::Table,
    }
}

/// Whether a file would be read as a part of the folder that it is in: an image, or IDX.
pub fn is_of_folder(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    folder::is_image_extension(&extension) || name.contains("ubyte") || name.contains("idx")
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
