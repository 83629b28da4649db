//! Where results go.

use std::path::{Path, PathBuf};

use wgvae::apply::{Run, RunError};
use wgvae_data::disk::{Destination, folder_of};

/// The path of a result: `to`, or else a file in the run's folder. It is none of the files that the run was trained on.
pub fn place_in(run: &Run, to: Option<&Path>, name: &str) -> Result<PathBuf, RunError> {
    let Some(to) = to else { return Ok(run.files.path(name)) };
    match is_trained_on(run, to) {
        false => Ok(as_stdout(to)),
        true => Err(RunError::Unfit(format!(
            "{} is data that {} was trained on, and no result is written over it: give another path",
            to.display(),
            run.files
        ))),
    }
}

/// `-` for every name of stdout.
pub fn as_stdout(to: &Path) -> PathBuf {
    if Destination::of(to) == Destination::Descriptor(1) { "-".into() } else { to.to_path_buf() }
}

/// Whether a file is there that the run was trained on.
fn is_trained_on(run: &Run, file: &Path) -> bool {
    if !file.symlink_metadata().is_ok_and(|there| !there.is_dir()) {
        return false;
    }
    let source = Path::new(&run.config.data.source);
    let place = |path: &Path| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    let (Some(file), Ok(of_source)) = (place(file), source.canonicalize()) else { return false };
    let is_below = file.starts_with(&of_source) && of_source.is_dir();
    Some(&file) == place(source).as_ref() || file == of_source || is_below && wgvae_data::is_of_folder(&file)
}

/// Whether a path is a folder, and not a link to one: a link is replaced by the result.
pub fn is_own_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|there| there.is_dir())
}

/// Whether images go to a path one by one: a folder, or a name that is to be one.
pub fn is_folder(to: &Path) -> bool {
    let is_named_so = to.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
    to != Path::new("-")
        && (is_own_folder(to) || is_named_so || extension(to).is_empty() && !Destination::of(to).is_stream())
}

/// The extension of a file's name in lower case.
pub fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Creates the parent folder of a path.
pub fn make_folder_of(file: &Path) -> Result<(), RunError> {
    let failed = |e: std::io::Error| RunError::Write { path: file.to_path_buf(), reason: e.to_string() };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all).map_err(failed)
}
