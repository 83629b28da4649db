//! Reading: regular files only, and no further than a limit. A pipe, a device or a socket is refused without waiting for it.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// There is no regular file.
    #[error("it is {0}, and only regular files can be read")]
    NotAFile(&'static str),
    /// There is more than may be read.
    #[error("it has more than {}, which is the most that is read of such a file", bytes(*.0))]
    TooLong(u64),
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<NotRead> for io::Error {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}

/// A limit in words.
pub fn bytes(count: u64) -> String {
    match count {
        count if count >= 1 << 30 => format!("{} GiB", count >> 30),
        count if count >= 1 << 20 => format!("{} MiB", count >> 20),
        count => format!("{count} bytes"),
    }
}

/// What something is that is no regular file.
fn what_it_is(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    if kind.is_dir() { "a folder" } else { "no regular file" }
}

fn expect_regular(metadata: &Metadata) -> Result<(), NotRead> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(NotRead::NotAFile(what_it_is(metadata.file_type()))),
    }
}

/// Options with which opening waits for nothing.
fn without_waiting() -> OpenOptions {
    #[allow(unused_mut)]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options
}

/// Opens a regular file for reading and returns its length.
pub fn open(path: &Path) -> Result<(File, u64), NotRead> {
    // Opening a device may do something to it, so the kind is looked up first, and again in case the path has changed.
    expect_regular(&std::fs::metadata(path)?)?;
    let file = without_waiting().read(true).open(path)?;
    let metadata = file.metadata()?;
    expect_regular(&metadata)?;
    Ok((file, metadata.len()))
}

/// Opens a regular file for reading and writing that nobody else is to have put there as a link; makes it where there is none.
pub fn open_own(path: &Path) -> Result<File, NotRead> {
    let mut options = without_waiting();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
    expect_regular(&file.metadata()?)?;
    Ok(file)
}

/// A handle of a folder, which leads to it wherever it is moved.
pub fn folder_handle(path: &Path) -> io::Result<File> {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // Without this flag the system opens no folder.
        const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
        return OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path);
    }
    #[cfg(not(windows))]
    {
        let folder = without_waiting().read(true).open(path)?;
        match folder.metadata()?.is_dir() {
            true => Ok(folder),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }
}

/// All of a regular file, if that is no more than a limit.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, NotRead> {
    let (file, length) = open(path)?;
    if length > limit {
        return Err(NotRead::TooLong(limit));
    }
    let mut content = Vec::new();
    content.try_reserve_exact(length as usize).map_err(|_| NotRead::Io(io::ErrorKind::OutOfMemory.into()))?;
    // It may grow meanwhile, but not without end.
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    match content.len() as u64 > limit {
        true => Err(NotRead::TooLong(limit)),
        false => Ok(content),
    }
}

/// The text of a regular file, if that is no more than a limit.
pub fn read_text(path: &Path, limit: u64) -> Result<String, NotRead> {
    let content = read(path, limit)?;
    String::from_utf8(content).map_err(|_| NotRead::Io(io::Error::other("it is not UTF-8 text")))
}

/// Lines of a regular file, or of one in memory, one after the other, so that its length does not matter.
pub struct Lines {
    from: Box<dyn BufRead>,
    longest: u64,
}

impl Lines {
    /// Opens a file whose lines have at most so many bytes.
    pub fn open(path: &Path, longest: u64) -> Result<Self, NotRead> {
        Ok(Self { from: Box::new(BufReader::new(open(path)?.0)), longest })
    }

    /// The lines of a file that is in memory.
    pub fn of(content: Vec<u8>, longest: u64) -> Self {
        Self { from: Box::new(io::Cursor::new(content)), longest }
    }
}

/// Lines with their ends, which the last one may lack; an error behind one that is too long.
impl Iterator for Lines {
    type Item = Result<Vec<u8>, NotRead>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match (&mut self.from).take(self.longest + 1).read_until(b'\n', &mut line) {
            Err(error) => Some(Err(error.into())),
            Ok(0) => None,
            Ok(count) if count as u64 > self.longest => Some(Err(NotRead::TooLong(self.longest))),
            Ok(_) => Some(Ok(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        assert_eq!(
            read(&path, 3).unwrap_err().to_string(),
            "it has more than 3 bytes, which is the most that is read of such a file"
        );
        // Nothing is reserved for a file without content of any length.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read(&path, 1 << 20), Err(NotRead::TooLong(_))));
        let mut lines = Lines::open(&path, 1 << 20).unwrap();
        assert!(matches!(lines.next(), Some(Err(NotRead::TooLong(_)))));
        std::fs::write(&path, "one\n\ntorn").unwrap();
        let all: Vec<Vec<u8>> = Lines::open(&path, 4).unwrap().map(Result::unwrap).collect();
        assert_eq!(all, [b"one\n".to_vec(), b"\n".to_vec(), b"torn".to_vec()]);
        assert!(matches!(read(folder.path(), 9), Err(NotRead::NotAFile("a folder"))));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_sockets_and_devices_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, socket, link] = ["pipe", "socket", "link"].map(|name| folder.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for (path, what) in [(&pipe, "a pipe"), (&socket, "a socket"), (&link, "a device")] {
            assert!(matches!(read(path, 9), Err(NotRead::NotAFile(found)) if found == what), "{what}");
        }
        // Looked at after opening, they are refused as well.
        assert!(matches!(open_own(&pipe), Err(NotRead::NotAFile("a pipe"))));
        assert!(matches!(open_own(&link), Err(NotRead::Io(_))));
        assert!(
            without_waiting().read(true).open(&pipe).unwrap().metadata().unwrap().file_type()
                != std::fs::metadata(folder.path()).unwrap().file_type()
        );
        assert!(folder_handle(&pipe).is_err() && folder_handle(folder.path()).is_ok());
    }
}
