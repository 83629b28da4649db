//! Data from stdin: it is read more than once, so it goes into a temporary file, which ends with the command.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wgvae_data::DataError;
use wgvae_data::disk;

/// How stdin is named as a source.
pub const NAME: &str = "-";

/// The most bytes that are read.
const MAX_BYTES: u64 = 1 << 30;

/// The file, as a source. Only its owner can read the folder that it is in.
static SPOOL: OnceLock<String> = OnceLock::new();

fn unusable(reason: &str) -> DataError {
    DataError::Unusable { source_name: NAME.into(), reason: reason.into() }
}

/// Where a source is: for `-` a file with what stdin holds, which is read the first time.
pub fn spooled(source: &str) -> Result<&str, DataError> {
    if source != NAME || SPOOL.get().is_some() {
        return Ok(place(source));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(unusable("nothing is piped into stdin: write `... | wgvae`, or `wgvae ... < FILE`"));
    }
    // Whoever interrupts the command does not want the file either. Training has its own way to end.
    let _ = ctrlc::set_handler(|| {
        forget();
        std::process::exit(super::Exit::Interrupted.code().into());
    });
    let folder = std::env::temp_dir().join(format!("wgvae-{}", disk::draw()));
    let written = |error: std::io::Error| DataError::Write { path: folder.clone(), source: error };
    let file = folder.join("stdin");
    let file = file.to_str().ok_or_else(|| unusable("the folder for temporary files has no name in UTF-8"))?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(written)?;
    let _ = SPOOL.set(file.into());
    spool(stdin.lock(), Path::new(file), MAX_BYTES)?;
    Ok(place(source))
}

/// Writes at most so many bytes into a file.
fn spool(from: impl Read, file: &Path, most: u64) -> Result<(), DataError> {
    let written = |error: std::io::Error| DataError::Write { path: file.to_path_buf(), source: error };
    let mut to = OpenOptions::new().write(true).create_new(true).open(file).map_err(written)?;
    let mut from = from.take(most.saturating_add(1));
    let (mut part, mut count) = (vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut part) {
            Ok(0) if count == 0 => return Err(unusable("stdin is empty")),
            Ok(0) => return Ok(()),
            Ok(more) => {
                count += more as u64;
                if count > most {
                    return Err(unusable(&format!(
                        "stdin has more than {}, which is the most that is read of it: write it into a file first",
                        disk::bytes(most)
                    )));
                }
                to.write_all(&part[..more]).map_err(written)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DataError::Read { path: PathBuf::from(NAME), source: error }),
        }
    }
}

/// Where a source is, once it was read.
pub fn place(source: &str) -> &str {
    match SPOOL.get() {
        Some(file) if source == NAME => file,
        _ => source,
    }
}

/// Removes what was written.
pub fn forget() {
    if let Some(folder) = SPOOL.get().and_then(|file| Path::new(file).parent()) {
        // What cannot be removed is left to whoever cleans the folder of temporary files.
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_spooled_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let spooled = |name: &str, most: u64| spool(std::io::repeat(b'x').take(9), &folder.path().join(name), most);
        spooled("all", 9).unwrap();
        assert_eq!(fs::read(folder.path().join("all")).unwrap(), b"xxxxxxxxx");
        let error = spooled("less", 8).unwrap_err().to_string();
        assert_eq!(
            error,
            "-: stdin has more than 8 bytes, which is the most that is read of it: write it into a file first"
        );
        // What somebody else has put there is not followed.
        assert!(matches!(spooled("all", 9), Err(DataError::Write { .. })));
        assert!(spool(std::io::empty(), &folder.path().join("none"), 9).unwrap_err().to_string().contains("empty"));
    }
}
