//! Results, put where a path leads: into a file that appears whole, or through a descriptor, a device or a pipe.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{folder_of, temporary_path};

/// How long a pipe may be without a reader.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// How many links may lead from one to the next.
const MAX_LINKS: usize = 40;

/// What a path of a result leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Nothing yet, a regular file, or a link to either: a new file takes its place.
    File,
    /// A folder.
    Folder,
    /// A device, a pipe, or a descriptor of another process. It is written to.
    Stream(PathBuf),
    /// A descriptor of this process. It is written to, from where its writers are.
    Descriptor(i32),
}

impl Destination {
    /// Follows a path to what it leads to.
    pub fn of(path: &Path) -> Self {
        let mut at = path.to_path_buf();
        for _ in 0..MAX_LINKS {
            let Ok(found) = fs::symlink_metadata(&at) else { return Destination::File };
            if let (Ok(folder), Some(name)) = (folder_of(&at).canonicalize(), at.file_name()) {
                at = folder.join(name);
                if let Some(descriptor) = descriptor(&at) {
                    return descriptor;
                }
            }
            if !found.is_symlink() {
                let is_link = path.symlink_metadata().is_ok_and(|first| first.is_symlink());
                return match (found.is_file(), found.is_dir()) {
                    (true, _) => Destination::File,
                    // A link to a folder is replaced like any other.
                    (_, true) => {
                        if is_link {
                            Destination::File
                        } else {
                            Destination::Folder
                        }
                    }
                    _ => Destination::Stream(at),
                };
            }
            let Ok(next) = fs::read_link(&at) else { return Destination::File };
            at = folder_of(&at).join(next);
        }
        Destination::File
    }

    /// Whether what is written goes on to somebody, instead of staying in a file.
    pub fn is_stream(&self) -> bool {
        matches!(self, Destination::Stream(_) | Destination::Descriptor(_))
    }
}

/// The descriptor that a path without links in its folder is the name of: `/proc/PID/fd/N`, `/proc/PID/task/TID/fd/N`, `/dev/fd/N`.
fn descriptor(path: &Path) -> Option<Destination> {
    let words: Vec<&str> = path.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let (process, number) = match words[..] {
        ["/", "proc", process, "fd", number] | ["/", "proc", process, "task", _, "fd", number] => (process, number),
        ["/", "dev", "fd", _] => return Some(Destination::Stream(path.to_path_buf())),
        _ => return None,
    };
    match (process.parse() == Ok(std::process::id()), number.parse()) {
        (true, Ok(number)) => Some(Destination::Descriptor(number)),
        _ => Some(Destination::Stream(path.to_path_buf())),
    }
}

/// Writes a result. A file appears whole, with the permissions of the one that it replaces; a link is replaced by the file, and what it
/// leads to stays. Descriptors, devices and pipes are written to.
pub fn write_result(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let through = match Destination::of(path) {
        Destination::File => return write_file(path, fill),
        Destination::Folder => return Err(io::ErrorKind::IsADirectory.into()),
        Destination::Stream(at) => stream(&at)?,
        Destination::Descriptor(number) => {
            // What was said before stands before it.
            io::stdout().flush()?;
            duplicate(number)?
        }
    };
    filled(through, fill)
}

/// Writes a file that appears whole, in the place of whatever has its name and is no folder.
pub fn write_file(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let part = temporary_path(path);
    let file = OpenOptions::new().write(true).create_new(true).open(&part)?;
    let written =
        keep_permissions(&file, path).and_then(|()| filled(file, fill)).and_then(|()| fs::rename(&part, path));
    written.inspect_err(|_| {
        // Best effort: the error to report is that of writing.
        let _ = fs::remove_file(&part);
    })
}

fn filled(file: File, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    fill(&mut out).and_then(|()| out.flush())
}

/// Gives a file that is still empty the permissions, and where that is allowed the owner, of the one that it will replace.
pub(super) fn keep_permissions(file: &File, replaced: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(old) = fs::symlink_metadata(replaced)
        && old.is_file()
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only the superuser may give files away.
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        }
        file.set_permissions(fs::Permissions::from_mode(old.permissions().mode() & 0o777))?;
    }
    #[cfg(not(unix))]
    let _ = (file, replaced);
    Ok(())
}

/// Opens a device, a pipe or a descriptor of another process for writing.
fn stream(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
        let kind = fs::metadata(path)?.file_type();
        if kind.is_file() {
            return OpenOptions::new().append(true).open(path);
        }
        if kind.is_fifo() {
            let started = std::time::Instant::now();
            // Opening it waits for a reader, without end.
            loop {
                match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
                    Ok(_there_is_a_reader) => return OpenOptions::new().write(true).open(path),
                    Err(error) if error.raw_os_error() != Some(libc::ENXIO) => return Err(error),
                    Err(_) if started.elapsed() > PATIENCE => {
                        let seconds = PATIENCE.as_secs();
                        return Err(io::Error::other(format!(
                            "it is a pipe, and nobody opened it to read for {seconds} seconds"
                        )));
                    }
                    Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
                }
            }
        }
    }
    OpenOptions::new().write(true).open(path)
}

/// Another handle of an open descriptor, which writes where that does. To open its path again would begin at the start of its file.
#[cfg(unix)]
#[expect(unsafe_code)]
fn duplicate(number: i32) -> io::Result<File> {
    use std::os::fd::BorrowedFd;
    // Descriptors that this program has opened itself are closed in its children; those that it was given are not.
    let state = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
    let flags = state.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    if flags.is_none_or(|flags| flags & libc::O_CLOEXEC != 0) || number < 0 {
        return Err(io::Error::other("it is no descriptor that this program was started with"));
    }
    // SAFETY: it is open, and nothing in this program owns it, which could close it before it is duplicated.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(File::from(descriptor.try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn duplicate(_number: i32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        all.sort();
        all
    }

    fn write(path: &Path, content: &str) -> io::Result<()> {
        write_result(path, |out| out.write_all(content.as_bytes()))
    }

    #[test]
    fn links_are_replaced_and_what_they_lead_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("elsewhere/deep")).unwrap();
        fs::write(at("elsewhere/file"), "old").unwrap();
        for (name, to) in [
            ("link", "elsewhere/file"),
            ("dangling", "elsewhere/new"),
            ("to-folder", "elsewhere/deep"),
            ("circle", "circle"),
            ("chain", "link"),
        ] {
            symlink(to, at(name)).unwrap();
        }
        for name in ["chain", "link", "dangling", "to-folder", "circle"] {
            assert_eq!(Destination::of(&at(name)), Destination::File, "{name}");
            write(&at(name), "new").unwrap();
            assert!(at(name).symlink_metadata().unwrap().is_file() && fs::read(at(name)).unwrap() == b"new", "{name}");
        }
        assert_eq!(fs::read(at("elsewhere/file")).unwrap(), b"old");
        assert_eq!(names(&at("elsewhere")), ["deep", "file"]);
        assert!(names(&at("elsewhere/deep")).is_empty());
        assert_eq!(write(&at("elsewhere"), "new").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn permissions_are_kept_and_names_may_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        write(&path, "one").unwrap();
        let usual = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        for mode in [0o600, 0o640, 0o444, usual] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write(&path, "two").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(names(folder.path()).len(), 1);
        let broken = write_result(&path, |out| out.write_all(b"half").and(Err(io::Error::other("full"))));
        assert_eq!((broken.unwrap_err().to_string(), fs::read(&path).unwrap()), ("full".into(), b"two".to_vec()));
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn pipes_and_devices_are_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, link] = ["pipe", "link"].map(|name| folder.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink("pipe", &link).unwrap();
        for path in [&pipe, &link] {
            let read = pipe.clone();
            let reader = std::thread::spawn(move || {
                let mut heard = String::new();
                File::open(read).unwrap().read_to_string(&mut heard).unwrap();
                heard
            });
            write(path, "through").unwrap();
            assert_eq!(reader.join().unwrap(), "through");
            assert!(pipe.metadata().unwrap().file_type().is_fifo());
        }
        assert!(link.symlink_metadata().unwrap().is_symlink());
        write(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn descriptors_are_known_by_all_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/dev/stderr", &link).unwrap();
        let own = |number: &str| format!("/proc/{}/fd/{number}", std::process::id());
        for name in [
            "/dev/fd/2",
            "/proc/self/fd/2",
            "/proc/thread-self/fd/2",
            "/dev/../dev/stderr",
            &own("2"),
            link.to_str().unwrap(),
        ] {
            assert_eq!(Destination::of(Path::new(name)), Destination::Descriptor(2), "{name}");
        }
        // One that this program has opened for itself is none that it was given.
        let file = File::create(folder.path().join("own")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        assert!(write(Path::new(&own(&number.to_string())), "x").is_err());
        assert!(fs::read(folder.path().join("own")).unwrap().is_empty());
    }
}
