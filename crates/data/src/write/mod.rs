//! Data files: each appears whole, or goes through the descriptor, device or pipe that its path leads to.

mod block;
mod csv;
mod idx;
mod npy;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod png;
mod series;
mod sounds;
mod texts;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

pub use self::block::{Block, Entry, apart};
pub use self::csv::{csv_to, write_csv};
pub use self::idx::{write_idx_images, write_idx_labels, write_idx_parts};
pub use self::npy::{write_npy, write_npy_labels, write_npy_parts};
pub use self::npz::{NpzArray, write_npz};
#[cfg(feature = "parquet")]
pub use self::parquet::write_parquet;
pub use self::png::{write_class_folders, write_png};
pub use self::series::{LongForm, names as names_of_series};
pub use self::sounds::{write_sound, write_sounds};
pub use self::texts::{TEXT, TextFormat, decoded, texts_to, write_texts};
use super::DataError;
use crate::disk::{self, folder_of, temporary_path};

/// Writes a Parquet file of `rows` rows.
#[cfg(not(feature = "parquet"))]
pub fn write_parquet(path: &Path, _rows: usize, _blocks: &[Block<'_>]) -> Result<(), DataError> {
    let reason = "this build cannot write Parquet: build it with the feature parquet";
    Err(DataError::write(path)(io::Error::other(reason)))
}

/// Writes a file that appears whole, so that no reader sees a partial one: see [`disk::write_result`].
pub fn whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), DataError> {
    disk::write_result(path, write).map_err(DataError::write(path))
}

/// Creates a folder atomically, with its contents. It must not exist yet, or be empty; a link to an empty one is replaced by the folder.
pub fn whole_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<(), DataError>) -> Result<(), DataError> {
    let failed = DataError::write(path);
    let there = path.symlink_metadata().ok();
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if there.is_some() && !is_empty() {
        return Err(DataError::Occupied(path.to_path_buf()));
    }
    // `DIR/` and `.` have no file name to derive a temporary name from.
    let path = if path.file_name().is_some() { path.to_path_buf() } else { path.canonicalize().map_err(&failed)? };
    let part = temporary_path(&path);
    let above = folder_of(&path);
    let outcome = fs::create_dir_all(above).and_then(|()| fs::create_dir(&part)).map_err(&failed);
    let outcome = outcome.and_then(|()| fill(&part).map_err(|error| in_place(error, &part, &path))).and_then(|()| {
        match there {
            Some(there) if there.is_symlink() => fs::remove_file(&path).map_err(&failed)?,
            Some(_) => fs::remove_dir(&path).map_err(&failed)?,
            None => {}
        }
        fs::rename(&part, &path).map_err(&failed)
    });
    if outcome.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    outcome
}

/// An error of a file in a folder that has its name only when it is whole, with the name that the file was to have.
fn in_place(error: DataError, part: &Path, folder: &Path) -> DataError {
    match error {
        DataError::Write { path, source } => {
            let path = path.strip_prefix(part).map_or_else(|_| path.clone(), |name| folder.join(name));
            DataError::Write { path, source }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
        // What could not be written has the name that it was to have.
        let full = |part: &Path| whole(&part.join("1/x.png"), |_| Err(io::Error::other("full")));
        let error = whole_folder(&folder.path().join("new"), full).unwrap_err().to_string();
        assert!(error.contains("new/1/x.png could not be written") && !error.contains(".part"), "{error}");
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
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
        #[cfg(unix)]
        {
            let [link, empty] = ["link", "empty"].map(|name| folder.path().join(name));
            std::os::unix::fs::symlink("new", &link).unwrap();
            assert!(matches!(whole_folder(&link, fill), Err(DataError::Occupied(_))));
            fs::create_dir(&empty).unwrap();
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("empty", &link).unwrap();
            whole_folder(&link, fill).unwrap();
            assert!(link.symlink_metadata().unwrap().is_dir() && names(&empty).is_empty() && names(&link) == ["x"]);
        }
    }
}
