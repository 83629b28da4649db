//! Files: written so that one has its old content or its new content after a crash, a kill or on a full disk; read only if they
//! are regular, and no further than a limit; results put where a path leads.

mod output;
mod read;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use output::{Destination, write_file, write_result};
pub use read::{Lines, NotRead, bytes, folder_handle, open, open_own, read, read_text};

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

/// How the names of files begin and end that are being written.
const PARTIAL: [&str; 2] = [".wgvae-", ".part"];

/// Sixteen hexadecimal digits that nobody can guess.
pub fn draw() -> String {
    use std::hash::{BuildHasher, Hasher};
    format!("{:016x}", std::collections::hash_map::RandomState::new().build_hasher().finish())
}

/// Whether a text could be from [`draw`].
pub fn is_drawn(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name in the folder of a file that nobody can guess, for as long as the file is written. It does not hold the file's name, which may
/// be as long as a name can be.
pub fn temporary_path(path: &Path) -> PathBuf {
    let [start, end] = PARTIAL;
    path.with_file_name(format!("{start}{}{end}", draw()))
}

/// Writes a file: a temporary one beside it is synced and renamed, then the folder is synced. A link is replaced by the file. Returns
/// the file, open for writing behind its end.
pub fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<File> {
    let temporary = temporary_path(path);
    let write = || {
        let mut file = disk.create(&temporary)?;
        output::keep_permissions(&file, path)?;
        disk.write(&mut file, content)?;
        disk.sync(&file)?;
        disk.rename(&temporary, path)?;
        disk.sync_folder(folder_of(path))?;
        Ok(file)
    };
    let written = write();
    if written.is_err() {
        // It may not exist, and what matters is why writing failed.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Whether a name is one that [`temporary_path`] makes.
pub fn is_partial(name: &str) -> bool {
    let [start, end] = PARTIAL;
    name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).is_some_and(is_drawn)
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
        replace(&System, &path, b"two").unwrap().write_all(b" and more").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two and more");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            replace(&System, &link, b"three").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two and more");
        }
        fs::write(temporary_path(&path), "half").unwrap();
        // Files of other programs stay.
        fs::write(folder.path().join(".theirs.part"), "half").unwrap();
        remove_partial(folder.path());
        let hidden: Vec<PathBuf> = fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains(".part"))
            .collect();
        assert_eq!(hidden, [folder.path().join(".theirs.part")]);
    }

    #[test]
    fn names_that_are_drawn_are_not_the_same_twice() {
        let mut all: Vec<PathBuf> = (0..1000).map(|_| temporary_path(Path::new("d/a.csv"))).collect();
        assert!(all.iter().all(
            |path| path.parent() == Some(Path::new("d")) && is_partial(path.file_name().unwrap().to_str().unwrap())
        ));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1000);
        assert!(!is_partial(".wgvae-.part") && !is_drawn("../../etc/passwd") && !is_drawn("ABCDEF0123456789"));
    }
}
