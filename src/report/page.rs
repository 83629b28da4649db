//! A run as one self-contained HTML page.

pub use super::contents::{
    Best, ColumnSummary, Command, ComparedFigure, Diagnosed, Dimension, EpochMetrics, Facts, Figure, Headline, Latent,
    Marginal, Matrix, Notice, Page, Picture, Points, SampleRows, Samples, Shares, Step, Steps, Strips, Texts,
};
use super::markup::escape;
use super::{samples, sections, texts};

/// The page as one file, with its style, charts and pictures embedded.
pub fn html(page: &Page) -> String {
    let parts = [
        sections::header(page),
        sections::evaluated(&page.evaluated),
        sections::training(page),
        sections::made(page),
        sections::latent(page),
        sections::columns(&page.columns),
        samples::samples(&page.samples),
        texts::texts(&page.texts),
        sections::run(page),
        sections::next(&page.next),
    ];
    document(&page.title, &parts.concat())
}

/// A complete document around a body, with the common style.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{} · wgvae</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title),
        include_str!("page.css"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::check;
    use super::*;

    fn sound(page: &Page) -> String {
        let html = html(page);
        let body = &html[html.find("<main>").unwrap()..html.find("</body>").unwrap()];
        check(body);
        body.to_string()
    }

    fn sections(body: &str) -> Vec<&str> {
        body.split("<h2>").skip(1).filter_map(|rest| rest.split("</h2>").next()).collect()
    }

    fn diagnosed(epoch: usize) -> Diagnosed {
        Diagnosed { epoch, dimensions: vec![0.5, 1.5], layers: vec![("encoder.0".into(), 0.1 * epoch as f64)] }
    }

    #[test]
    fn an_empty_page_is_a_page() {
        let body = sound(&Page::default());
        assert!(!body.contains("<section") && !body.contains("<svg") && !body.contains("<dl"), "{body}");
    }

    #[test]
    fn each_part_brings_its_section() {
        let epoch = EpochMetrics { epoch: 1, train_loss: 2.0, test_loss: 1.5, reconstruction: 1.0, kl: 0.5 };
        let column = ColumnSummary {
            name: "height".into(),
            kind: "number".into(),
            mean: Some(1.7),
            deviation: Some(0.1),
            error: None,
            r2: None,
            right: None,
        };
        let line = Command { purpose: "Again".into(), line: "wgvae train --out 'a & b'".into() };
        let png = vec![1, 2, 3];
        let picture =
            Picture { title: "Samples".into(), caption: String::new(), alt: "\"digits\"".into(), png, is_wide: true };
        let steps = Steps { edges: vec![1.5, 1.7, 1.9], shares: vec![[0.5, 0.4], [0.5, 0.6]], ..Steps::default() };
        let matrix = |title: &str| Matrix { title: title.into(), names: vec!["height".into()], shares: vec![1.0] };
        let all = Page {
            title: "run".into(),
            facts: Facts { seed: Some(7), more: vec![("Batch".into(), "128".into())], ..Facts::default() },
            notices: vec![Notice {
                headline: "Overfits after epoch 32".into(),
                sentence: "The <test> loss rose.".into(),
            }],
            headline: Headline { active: Some((3, 4)), ..Headline::default() },
            evaluated: vec![Figure {
                name: "-ln p(x)".into(),
                value: 104.317,
                error: Some(0.61),
                note: "1,000 test rows, 500 draws".into(),
                best: Best::Lowest,
            }],
            epochs: vec![epoch],
            steps: vec![Step { step: 50, loss: 1.0, lr: 0.1, beta: 1.0 }],
            diagnoses: [1, 2].map(diagnosed).into(),
            likelihoods: vec![(0.5, 120.0), (1.0, 110.5), (2.0, 107.25)],
            dimensions: vec![Dimension { kl: 0.5, is_active: true }],
            pictures: vec![picture],
            strips: Some(Strips {
                title: "Traversal".into(),
                caption: "Each row".into(),
                strips: vec![("dimension 7, KL 2.31 nats".into(), vec![1])],
            }),
            latent: Some(Latent { points: vec![[0.0, 1.0]], labels: vec![9], ..Latent::default() }),
            points: Some(Points { data: vec![[0.0, 1.0]], samples: Vec::new() }),
            columns: vec![column],
            samples: Samples {
                figures: vec![ComparedFigure {
                    name: "Told apart".into(),
                    samples: "0.631".into(),
                    note: "by a <forest>".into(),
                    ..ComparedFigure::default()
                }],
                marginals: vec![
                    Marginal { name: "height".into(), shares: Shares::Numbers(steps) },
                    Marginal { name: "town".into(), shares: Shares::Words(vec![("<Bern>".into(), [0.25, 0.5])]) },
                ],
                associations: Some([matrix("Data"), matrix("Samples")]),
                rows: Some(SampleRows {
                    names: ["height", "town"].map(String::from).to_vec(),
                    more: 3,
                    rows: [vec![vec!["1.75".into(), "<Uri>".into()]], Vec::new()],
                }),
            },
            texts: Texts {
                reconstructions: vec![["<b> here".into(), "a hare".into()]],
                samples: vec!["a sample".into()],
                between: Vec::new(),
            },
            config: "[data]".into(),
            next: vec![line],
        };
        let body = sound(&all);
        let expected = [
            "Evaluation",
            "Training",
            "Reconstructions and samples",
            "Latent space",
            "Columns and their reconstructions",
            "Samples beside the data",
            "Texts",
            "The run",
            "Next steps",
        ];
        assert_eq!(sections(&body), expected);
        for text in [
            "of 4 latent dimensions",
            "KL of each latent dimension, in nats",
            "Gradient norm of each layer",
            "-ln p(x) of rows, by checkpoint",
            "encoder.0",
            "<dt>Batch</dt><dd>128</dd>",
            "&#39;a &amp; b&#39;",
            "alt=\"&quot;digits",
            "&lt;Bern&gt;",
            "25.0 %",
            "<td>0.631</td><td></td><td>by a &lt;forest&gt;</td>",
            "<caption>Rows of the data</caption>",
            "<td>&lt;Uri&gt;</td>",
            "and 3 more columns",
            "&lt;b&gt; here</th><td>a hare</td>",
            "<caption>Samples</caption>",
            "<span>dimension 7, KL 2.31 nats</span><img ",
            "<td>104.32 ± 0.610</td><td>1,000 test rows, 500 draws</td>",
        ] {
            assert!(body.contains(text), "no {text} in {body}");
        }
        // What must be known comes first.
        let place = |text: &str| body.find(text).unwrap();
        assert!(place("<b>Overfits after epoch 32</b> The &lt;test&gt; loss rose.") < place("<dl class=\"tiles\">"));
        assert!(!body.contains("mean absolute error") && !body.contains("R²"), "a column without values");

        let only_columns = Page { columns: all.columns.clone(), ..Page::default() };
        assert_eq!(sections(&sound(&only_columns)), ["Columns and their reconstructions"]);
        let only_facts = Page { facts: all.facts, ..Page::default() };
        assert_eq!(sections(&sound(&only_facts)), ["The run"]);
    }

    #[test]
    fn pictures_have_a_largest_height() {
        let picture = |width: u32, height: u32| {
            let mut png = std::io::Cursor::new(Vec::new());
            image::GrayImage::new(width, height).write_to(&mut png, image::ImageFormat::Png).unwrap();
            let png = png.into_inner();
            Picture { title: String::new(), caption: String::new(), alt: String::new(), png, is_wide: true }
        };
        let shown = |width: u32, height: u32| {
            let body = sound(&Page { pictures: vec![picture(width, height)], ..Page::default() });
            let of = |name: &str| -> u32 {
                body.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            };
            (of(" width"), of(" height"), body.contains("class=\"pixels\""))
        };
        // A strip of images of 100x3 was enlarged to 27,341 pixels.
        assert_eq!(shown(104, 4084), (23, 900, false));
        assert_eq!(shown(100, 50), (1000, 500, true));
        assert_eq!(shown(2168, 100), (1084, 50, false));
        assert_eq!(shown(1, 1), (900, 900, true));
    }

    #[test]
    fn schedules_are_drawn_only_where_they_change() {
        let step = |step: u64, lr: f64| Step { step, loss: 1.0, lr, beta: 1.0 };
        let body = sound(&Page { steps: (1..9).map(|s| step(s, 0.1)).collect(), ..Page::default() });
        assert!(!body.contains("Learning rate") && !body.contains("Beta"));
        let body = sound(&Page { steps: (1..9).map(|s| step(s, 0.1 / s as f64)).collect(), ..Page::default() });
        assert!(body.contains("Learning rate") && !body.contains("Beta"));
    }
}
