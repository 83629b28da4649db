//! Where a run's folder is: by a handle, which leads to it when it is moved, and never to another one that takes its name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use wgvae_data::disk;

/// A folder that stays the same one, whatever its name is.
#[derive(Debug)]
pub struct FolderHandle {
    path: PathBuf,
    handle: File,
    /// A path that goes through the handle, where the system has one.
    through: Option<PathBuf>,
}

/// Says whether an open file is the one that has this path now: another file may have taken its name. Where that cannot be known, it is
/// not.
fn is_known_same(open: &File, path: &Path) -> bool {
    is_same(open, path).unwrap_or(false)
}

/// Says whether an open file is the one that has this path now; an error where that cannot be known.
pub fn is_same(open: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            there => Ok(number(open.metadata()?) == number(there?)),
        }
    }
    // On other systems, an open file can be neither moved nor removed.
    #[cfg(not(unix))]
    {
        let _ = open;
        path.try_exists()
    }
}

impl FolderHandle {
    /// Takes hold of a folder.
    pub fn of(path: &Path) -> io::Result<Self> {
        let handle = disk::folder_handle(path)?;
        Ok(Self { path: path.to_path_buf(), through: through(&handle), handle })
    }

    /// Where it is now; none if it was removed, or moved and the system does not say where.
    pub fn now(&self) -> Option<PathBuf> {
        if is_known_same(&self.handle, &self.path) {
            return Some(self.path.clone());
        }
        let moved = fs::read_link(self.through.as_ref()?).ok()?;
        is_known_same(&self.handle, &moved).then_some(moved)
    }

    /// Where it is now, or was before.
    pub fn shown(&self) -> PathBuf {
        self.now().unwrap_or_else(|| self.path.clone())
    }

    /// A path to it that leads nowhere else.
    pub fn way(&self) -> &Path {
        self.through.as_ref().unwrap_or(&self.path)
    }
}

/// The path of an open folder among the descriptors of this process.
fn through(handle: &File) -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        is_known_same(handle, &path).then_some(path)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = handle;
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_followed_and_never_taken_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        fs::create_dir(&first).unwrap();
        let place = FolderHandle::of(&first).unwrap();
        assert_eq!(place.now(), Some(first.clone()));
        fs::rename(&first, &second).unwrap();
        fs::create_dir(&first).unwrap();
        fs::write(place.way().join("file"), "x").unwrap();
        assert_eq!((place.now(), fs::read(second.join("file")).unwrap()), (Some(second.clone()), b"x".to_vec()));
        fs::remove_dir_all(&second).unwrap();
        assert_eq!((place.now(), place.shown()), (None, first.clone()));
        assert!(fs::write(place.way().join("file"), "x").is_err() && fs::read_dir(&first).unwrap().count() == 0);
    }
}
