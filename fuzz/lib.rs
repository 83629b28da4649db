//! What the targets share: a file that holds what the fuzzer made, in a folder of this process.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wgvae::data::{Dataset, Options};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// The folder.
pub fn folder() -> &'static Path {
    FOLDER.path()
}

/// Writes a file into the folder.
pub fn written(name: &str, content: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Loads a source as training would; what matters is that it comes back.
pub fn load(source: &Path, change: impl Fn(&mut Options)) {
    let mut options = Options::from(source.to_str().unwrap());
    change(&mut options);
    if let Ok(data) = Dataset::load(options) {
        let _ = data.check();
    }
}
