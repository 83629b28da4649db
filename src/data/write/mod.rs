//! Data files, written atomically: under a temporary name first, then renamed.

mod block;
mod csv;
mod idx;
#[cfg(feature = "parquet")]
mod parquet;
mod png;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use self::block::{Block, Entry, apart};
pub use self::csv::{csv_to, write_csv};
pub use self::idx::{write_idx_images, write_idx_labels, write_idx_parts};
#[cfg(feature = "parquet")]
pub use self::parquet::write_parquet;
pub use self::png::{write_class_folders, write_png};
use super::DataError;
pub use super::npy::{write_npy, write_npy_labels, write_npy_parts};
use crate::disk::beside;

/// Writes a Parquet file of `rows` rows.
#[cfg(not(feature = "parquet"))]
pub fn write_parquet(path: &Path, _rows: usize, _blocks: &[Block<'_>]) -> Result<(), DataError> {
    let reason = "this build cannot write Parquet: build it with the feature parquet";
    Err(DataError::write(path)(io::Error::other(reason)))
}

/// Writes a file atomically, so that no reader sees a partial one. A link stays one, to the new file; pipes and devices are written to.
pub fn whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), DataError> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let written = fs::OpenOptions::new().write(true).open(path).map(BufWriter::new).and_then(|mut out| {
            write(&mut out)?;
            out.flush()
        });
        return written.map_err(DataError::write(path));
    }
    let is_link = path.symlink_metadata().is_ok_and(|there| there.is_symlink());
    let path = &if is_link { path.canonicalize().unwrap_or_else(|_| path.to_path_buf()) } else { path.to_path_buf() };
    let part = beside(path);
    let outcome = File::create(&part).map(BufWriter::new).and_then(|mut out| {
        write(&mut out)?;
        out.flush()?;
        drop(out);
        fs::rename(&part, path)
    });
    outcome.map_err(|error| {
        // Best effort: the error to report is that of writing.
        let _ = fs::remove_file(&part);
        DataError::write(path)(error)
    })
}

/// Creates a folder atomically, with its contents. It must not exist yet, or be empty.
pub fn whole_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<(), DataError>) -> Result<(), DataError> {
    let failed = DataError::write(path);
    let is_there = path.symlink_metadata().is_ok();
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if is_there && !is_empty() {
        return Err(DataError::Occupied(path.to_path_buf()));
    }
    // `DIR/` and `.` have no file name to derive a temporary name from.
    let path = if path.file_name().is_some() { path.to_path_buf() } else { path.canonicalize().map_err(&failed)? };
    let part = beside(&path);
    let outcome = fs::create_dir_all(&part).map_err(&failed).and_then(|()| fill(&part)).and_then(|()| {
        if is_there {
            fs::remove_dir(&path).map_err(&failed)?;
        }
        fs::rename(&part, &path).map_err(&failed)
    });
    if outcome.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn nothing_is_left_of_what_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let error = whole(&path, |out| out.write_all(b"half").and(Err(io::Error::other("full")))).unwrap_err();
        assert!(error.to_string().contains("a.csv could not be written: full"), "{error}");
        let broken = |part: &Path| {
            fs::write(part.join("x"), "half").unwrap();
            Err(DataError::Missing("y".into()))
        };
        assert!(whole_folder(&folder.path().join("new"), broken).is_err());
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_and_devices_stay_what_they_are() {
        use std::io::Read;
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/file"), "old").unwrap();
        symlink("elsewhere/file", at("link")).unwrap();
        whole(&at("link"), |out| out.write_all(b"new")).unwrap();
        assert!(at("link").symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(at("elsewhere/file")).unwrap(), b"new");
        assert_eq!(names(&at("elsewhere")), ["file"]);

        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let (pipe, read) = (at("pipe"), at("pipe"));
        let reader = std::thread::spawn(move || {
            let mut heard = String::new();
            File::open(read).unwrap().read_to_string(&mut heard).unwrap();
            heard
        });
        whole(&pipe, |out| out.write_all(b"through")).unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
        whole(Path::new("/dev/null"), |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn folders_appear_complete_and_never_over_others() {
        let folder = tempfile::tempdir().unwrap();
        let fill = |part: &Path| whole(&part.join("x"), |out| out.write_all(b"whole"));
        let new = folder.path().join("new");
        whole_folder(&new, fill).unwrap();
        assert_eq!(names(folder.path()), ["new"]);
        assert_eq!(fs::read(new.join("x")).unwrap(), b"whole");
        assert!(matches!(whole_folder(&new, fill), Err(DataError::Occupied(_))));
        fs::remove_file(new.join("x")).unwrap();
        whole_folder(&new, fill).unwrap();
        assert_eq!(names(&new), ["x"]);
    }
}
