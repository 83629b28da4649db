//! Chromium without a window.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::RgbImage;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Shows a page in a frame, since windows have a least width, and once it is there counts what has loaded, what leaves
/// the page's width and which captions cover each other.
const WITNESS: &str = r#"<!doctype html><html><body><iframe srcdoc="PAGE" style="width:WIDTHpx;height:1400px;border:0">
</iframe><script>
addEventListener("load", () => {
  const seen = document.documentElement.dataset, inner = document.querySelector("iframe").contentDocument;
  const page = inner.documentElement;
  seen.width = page.clientWidth;
  seen.images = inner.images.length;
  seen.broken = [...inner.images].filter(image => !(image.complete && image.naturalWidth > 0)).length;
  seen.wide = Math.max(0, page.scrollWidth - page.clientWidth);
  const boxes = svg => [...svg.querySelectorAll(".below, .left, .name")].map(text => text.getBoundingClientRect());
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const covered = all => all.filter((a, i) => all.slice(i + 1).some(b => meet(a, b))).length;
  seen.covered = [...inner.querySelectorAll("svg")].map(svg => covered(boxes(svg))).reduce((a, b) => a + b, 0);
});
</script></body></html>"#;

/// A browser.
pub struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

/// What a page did when it was opened.
#[derive(Debug, PartialEq)]
pub struct Opened {
    /// What it wrote to the console.
    pub console: Vec<String>,
    /// Its images.
    pub images: usize,
    /// Those that did not load.
    pub broken: usize,
    /// By how many pixels it is wider than its window.
    pub wide: usize,
    /// Captions in charts that cover another one.
    pub covered: usize,
}

/// Below `target`, since some browsers are not let into the system's folder for temporary files.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Browser {
    /// The one that WGVAE_CHROMIUM names, or the first that the system has. Without one the caller's test is skipped,
    /// loudly; with WGVAE_REQUIRE_CHROMIUM=1 it fails.
    pub fn find() -> Option<Self> {
        let named = std::env::var_os("WGVAE_CHROMIUM").map(PathBuf::from);
        let folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let program = named.or_else(|| {
            NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|p| p.is_file())
        });
        if program.is_none() {
            let required = std::env::var("WGVAE_REQUIRE_CHROMIUM").is_ok_and(|v| v == "1");
            assert!(!required, "WGVAE_REQUIRE_CHROMIUM=1, but there is no Chromium");
            super::common::skipped("no Chromium; install one, or name one in WGVAE_CHROMIUM, to run this test");
        }
        Some(Self { program: program?, profile: folder() })
    }

    fn run(&self, page: &Path, arguments: &[String]) -> Output {
        let output = Command::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--timeout=60000",
                "--enable-logging=stderr",
                "--v=0",
            ])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .arg("--window-size=1200,1400")
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", self.program.display()));
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} ends with {}: {log}", self.program.display(), output.status);
        output
    }

    /// Opens a page in a frame of this width and asks how it is.
    pub fn open(&self, html: &str, width: usize) -> Opened {
        let folder = folder();
        let page = folder.path().join("page.html");
        let framed = html.replace('&', "&amp;").replace('"', "&quot;");
        std::fs::write(&page, WITNESS.replace("WIDTH", &width.to_string()).replace("PAGE", &framed)).unwrap();
        let output = self.run(&page, &["--dump-dom".into()]);
        let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let seen = |name: &str| -> usize {
            let start = format!("data-{name}=\"");
            let value = dom.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
            value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no {name} in {dom:.400}: {log}"))
        };
        assert_eq!(seen("width"), width);
        Opened {
            console: log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_string).collect(),
            images: seen("images"),
            broken: seen("broken"),
            wide: seen("wide"),
            covered: seen("covered"),
        }
    }

    /// A picture of the top of a page.
    pub fn picture(&self, html: &str, is_dark: bool) -> RgbImage {
        let folder = folder();
        let (page, shot) = (folder.path().join("page.html"), folder.path().join("page.png"));
        std::fs::write(&page, html).unwrap();
        let scheme = format!("--blink-settings=preferredColorScheme={}", usize::from(!is_dark));
        self.run(&page, &[scheme, format!("--screenshot={}", shot.display())]);
        image::open(&shot).unwrap().into_rgb8()
    }
}
