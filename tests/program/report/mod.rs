//! The report page, as text and in a browser.

mod browser;
mod synthetic;

use std::collections::HashSet;

use browser::{Browser, Opened};
use wgvae::report::compare::{RunMetrics, comparison};
use wgvae::report::page::{Page, html};

use crate::common;

/// The names and the HTML of all test pages.
fn pages() -> Vec<(&'static str, String)> {
    let run = |name: &str, page: Page| RunMetrics {
        name: name.into(),
        facts: page.facts,
        loss: "reconstruction + KL (bernoulli)".into(),
        headline: page.headline,
        notices: page.notices,
        evaluated: page.evaluated,
        epochs: page.epochs,
        pictures: page.pictures,
        ..RunMetrics::default()
    };
    let runs = [run("dense-strokes", synthetic::images()), run("points-moons", synthetic::points())];
    vec![
        ("images", html(&synthetic::images())),
        ("points", html(&synthetic::points())),
        ("large", html(&synthetic::large())),
        ("broken", html(&synthetic::broken())),
        ("empty", html(&Page::default())),
        ("compared", comparison(&runs)),
    ]
}

/// The pages are written to the tests' folder below `target`, so that they can be looked at.
#[test]
fn a_page_needs_nothing_but_itself() {
    for (name, page) in pages() {
        std::fs::write(format!("{}/{name}.html", env!("CARGO_TARGET_TMPDIR")), &page).unwrap();
        // Text outside of tags must be escaped, because names may contain markup.
        for tag in page.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
            for (_, value) in ["src=\"", "href=\""].iter().filter_map(|name| tag.split_once(name)) {
                assert!(value.starts_with("data:"), "{name}: <{tag:.80}>");
            }
        }
        assert!(!page.contains("url("), "{name}");
        assert!(!page.contains("@import") && !page.contains("<script"), "{name}");
    }
}

/// On desktop and phone widths: no console messages, all images load, nothing is wider than the window, no labels
/// overlap.
#[test]
fn a_browser_has_nothing_to_complain_about() {
    let Some(browser) = Browser::find() else { return };
    for (name, page) in pages() {
        let images = page.matches("<img ").count();
        for width in [1200, 400] {
            let opened = browser.open(&page, width);
            assert_eq!(
                opened,
                Opened { console: Vec::new(), images, broken: 0, wide: 0, covered: 0, cut: 0 },
                "{name}, {width} wide"
            );
        }
    }
    let images = browser.open(&html(&synthetic::images()), 1200).images;
    assert_eq!(images, 2 + 8);
}

/// The pages that `train` writes for images, points and a table.
#[test]
fn pages_of_real_runs_open_too() {
    let (Some(browser), Some(_)) = (Browser::find(), common::gpu()) else { return };
    let place = tempfile::tempdir().unwrap();
    let rows: String =
        (0..60).map(|i| format!("{i},{},{}\n", i * i, if i % 2 == 0 { "<even>" } else { "odd" })).collect();
    std::fs::write(place.path().join("rows.csv"), format!("a & b,\"c \"\"d\"\"\",kind\n{rows}")).unwrap();
    for (line, images) in [
        ("--data strokes:count=300 --hidden 16 --latent 3 --epochs 2", 2 + 3),
        ("--preset autoencoder --data strokes:count=300 --epochs 1", 2),
        ("--preset points --data points:rings,count=300 --epochs 2", 0),
        ("--data rows.csv --label kind --epochs 2", 0),
    ] {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_wgvae"))
            .args(["train", "--tune", "off", "--replace", "--out", "run"])
            .args(line.split(' '))
            .current_dir(place.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        let page = std::fs::read_to_string(place.path().join("run/report.html")).unwrap();
        for width in [1200, 400] {
            let opened = browser.open(&page, width);
            let fine = Opened { console: Vec::new(), images, broken: 0, wide: 0, covered: 0, cut: 0 };
            assert_eq!(opened, fine, "{line}, {width} wide");
        }
    }
}

/// The checks of the browser test do find faults.
#[test]
fn a_bad_page_is_caught() {
    let Some(browser) = Browser::find() else { return };
    let bad = "<!doctype html><html><head></head><body><script>console.error('no')</script>\
        <img src=\"data:image/png;base64,AAAA\"><pre style=\"width:3000px\">wide</pre>\
        <svg><text class=\"below\" y=\"20\">one</text><text class=\"below\" y=\"22\">two</text></svg></body></html>";
    let opened = browser.open(bad, 1200);
    assert_eq!((opened.console.len(), opened.images, opened.broken, opened.covered), (1, 1, 1, 1), "{opened:?}");
    assert!(opened.wide > 1000, "{opened:?}");
}

#[test]
fn light_and_dark_are_two_looks() {
    let Some(browser) = Browser::find() else { return };
    let page = html(&synthetic::images());
    let [light, dark] = [false, true].map(|is_dark| browser.picture(&page, is_dark));
    let mean = |picture: &image::RgbImage| {
        picture.as_raw().iter().map(|v| f64::from(*v)).sum::<f64>() / picture.as_raw().len() as f64
    };
    assert!(mean(&light) > 200.0 && mean(&dark) < 60.0, "{} {}", mean(&light), mean(&dark));
    for picture in [&light, &dark] {
        let colours: HashSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
        assert!(colours.len() > 200, "{} colours", colours.len());
    }
}
