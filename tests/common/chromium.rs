//! Headless Chromium.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--v=0",
];

/// Chromium's own time limit covers only the loading of a page; it may also hang before or after.
const GRACE: Duration = Duration::from_secs(60);

/// A browser.
pub struct Chromium {
    program: PathBuf,
    profile: tempfile::TempDir,
}

/// Profile folder below `target`, because some browsers may not access the system's temporary folder.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Chromium {
    /// The browser that WGVAE_CHROMIUM names, or the first one installed. Without one the test is skipped with a
    /// message, or fails with WGVAE_REQUIRE_CHROMIUM=1.
    pub fn find() -> Option<Self> {
        let named = std::env::var_os("WGVAE_CHROMIUM").map(PathBuf::from);
        let folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let program = named.or_else(|| {
            NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|p| p.is_file())
        });
        if program.is_none() {
            skipped("no Chromium; install one, or name one in WGVAE_CHROMIUM, to run this test");
        }
        Some(Self { program: program?, profile: folder() })
    }

    /// Opens a page with additional flags; returns the browser's output and its log. A page that takes longer than
    /// `limit` to load is returned as it is then.
    pub fn run(&self, page: &Path, limit: Duration, arguments: &[String]) -> (String, String) {
        let folder = folder();
        let written = ["output", "log"].map(|name| folder.path().join(name));
        let [output, log] = written.each_ref().map(|path| File::create(path).unwrap());
        let mut child = Command::new(&self.program)
            .args(FLAGS)
            .arg(format!("--timeout={}", limit.as_millis()))
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .stdout(output)
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", self.program.display()));
        let status = ended_within(&mut child, limit + GRACE);
        let [output, log] = written.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
        let end = status.map_or("does not end".to_string(), |status| format!("ends with {status}"));
        assert!(status.is_some_and(|status| status.success()), "{} {end}: {log}", self.program.display());
        (output, log)
    }
}

/// Reports that a test was skipped because Chromium is missing; with WGVAE_REQUIRE_CHROMIUM=1 it fails.
pub fn skipped(why: &str) {
    let required = std::env::var("WGVAE_REQUIRE_CHROMIUM").is_ok_and(|v| v == "1");
    assert!(!required, "WGVAE_REQUIRE_CHROMIUM=1, but there is {why}");
    super::skipped(why);
}

/// The exit status of a process, which is killed if it does not end in time.
fn ended_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
