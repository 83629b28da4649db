//! Durable files: after a crash, a kill or on a full disk, a file has either its old content or its new content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The calls that change files. Tests replace it, to make each call fail in turn.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates a file that must not exist yet, so that no link is followed.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// Writes to a file.
    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        file.write_all(content)
    }

    /// Waits until a file's content is on the disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Renames a file over another one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Waits until the names in a folder are on the disk. Windows has no such call and orders renames by itself.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The system's disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct System;

impl Disk for System {}

/// The end of the names of files that are being written.
const PARTIAL: &str = ".part";

/// The folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name beside a file that no other process and no other call uses, for as long as it is written.
pub fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}-{count}{PARTIAL}", std::process::id()))
}

/// Writes a file: a temporary one beside it is synced and renamed, then the folder is synced.
pub fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let write = || {
        let mut file = disk.create(&beside)?;
        disk.write(&mut file, content)?;
        disk.sync(&file)?;
        drop(file);
        disk.rename(&beside, path)?;
        disk.sync_folder(folder_of(path))
    };
    let written = write();
    if written.is_err() {
        // It may not exist, and what matters is why writing failed.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Whether a name is one that [`beside`] makes.
pub fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PARTIAL)
}

/// Removes what killed processes left of files that they were writing.
pub fn remove_partial(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_partial(&entry.file_name().to_string_lossy()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&System, &path, b"one").unwrap();
        replace(&System, &path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            replace(&System, &link, b"three").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
        }
        fs::write(folder.path().join(".file.1-1.part"), "half").unwrap();
        remove_partial(folder.path());
        let hidden =
            fs::read_dir(folder.path()).unwrap().flatten().filter(|e| e.file_name().as_encoded_bytes()[0] == b'.');
        assert_eq!(hidden.count(), 0);
    }
}
