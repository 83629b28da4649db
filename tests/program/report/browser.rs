//! Opens pages in a browser and measures them.

use std::path::Path;
use std::time::Duration;

use image::RgbImage;

use crate::common::chromium::{Chromium, folder};

/// Shows a page in a frame, because windows have a minimum width. Once it is loaded, counts images, overflowing
/// elements and overlapping labels.
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
  const isCut = text => text.getClientRects().length > 0 && (text.getBoundingClientRect().left < 0 || text.getBoundingClientRect().right > page.clientWidth);
  seen.cut = [...inner.querySelectorAll("svg text")].filter(isCut).length;
  seen.covered = [...inner.querySelectorAll("svg")].map(svg => covered(boxes(svg))).reduce((a, b) => a + b, 0);
});
</script></body></html>"#;

/// A browser.
pub struct Browser(Chromium);

/// The measurements of an opened page.
#[derive(Debug, PartialEq)]
pub struct Opened {
    /// Its console messages.
    pub console: Vec<String>,
    /// Number of images.
    pub images: usize,
    /// Number of images that did not load.
    pub broken: usize,
    /// By how many pixels it is wider than the window.
    pub wide: usize,
    /// Labels in charts that overlap another one.
    pub covered: usize,
    /// Labels in charts that reach out of the window.
    pub cut: usize,
}

impl Browser {
    /// See [`Chromium::find`].
    pub fn find() -> Option<Self> {
        Chromium::find().map(Self)
    }

    fn run(&self, page: &Path, arguments: &[String]) -> (String, String) {
        let window = ["--disable-gpu", "--hide-scrollbars", "--window-size=1200,1400"].map(str::to_string);
        self.0.run(page, Duration::from_secs(60), &[&window, arguments].concat())
    }

    /// Opens a page in a frame of this width and measures it.
    pub fn open(&self, html: &str, width: usize) -> Opened {
        let folder = folder();
        let page = folder.path().join("page.html");
        let framed = html.replace('&', "&amp;").replace('"', "&quot;");
        std::fs::write(&page, WITNESS.replace("WIDTH", &width.to_string()).replace("PAGE", &framed)).unwrap();
        let (dom, log) = self.run(&page, &["--dump-dom".into()]);
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
            cut: seen("cut"),
        }
    }

    /// A screenshot of the top of a page.
    pub fn picture(&self, html: &str, is_dark: bool) -> RgbImage {
        let folder = folder();
        let (page, shot) = (folder.path().join("page.html"), folder.path().join("page.png"));
        std::fs::write(&page, html).unwrap();
        let scheme = format!("--blink-settings=preferredColorScheme={}", usize::from(!is_dark));
        self.run(&page, &[scheme, format!("--screenshot={}", shot.display())]);
        image::open(&shot).unwrap().into_rgb8()
    }
}
