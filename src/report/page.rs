//! A run as one self-contained HTML page.

use super::markup::escape;
use super::sections;

/// All that a page shows. What is empty or absent has no place on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// What was run, on what, for how long.
    pub facts: Facts,
    /// The figures that a run is judged by.
    pub headline: Headline,
    /// What was measured after each epoch.
    pub epochs: Vec<Epoch>,
    /// What was measured between.
    pub steps: Vec<Step>,
    /// The latent dimensions, in their own order.
    pub dimensions: Vec<Dimension>,
    /// Pictures, in the order in which they are shown.
    pub pictures: Vec<Picture>,
    /// Test examples in the latent space.
    pub latent: Option<Latent>,
    /// Points of the plane, the data's and the model's.
    pub points: Option<Points>,
    /// A table's columns and how well they are reconstructed.
    pub columns: Vec<Column>,
    /// What the time went into.
    pub timings: Vec<Timing>,
    /// The configuration as TOML.
    pub config: String,
    /// Commands that go on from here.
    pub next: Vec<Command>,
}

/// What was run, on what, for how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The model in a line.
    pub model: String,
    /// The data in a line.
    pub data: String,
    /// The adapter and its driver.
    pub adapter: String,
    /// The command that made the run.
    pub command: Option<String>,
    /// When, as a reader should see it.
    pub date: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
    /// Numbers that were trained.
    pub parameters: Option<u64>,
    /// Steps done.
    pub steps: Option<u64>,
    /// Of training.
    pub seconds: Option<f64>,
    /// Over the whole run.
    pub steps_per_second: Option<f64>,
    /// More lines: names and values.
    pub more: Vec<(String, String)>,
}

/// The figures that a run is judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headline {
    /// In nats an example.
    pub test_loss: Option<f64>,
    /// In nats an example.
    pub reconstruction: Option<f64>,
    /// In nats an example; absent for a model without it.
    pub kl: Option<f64>,
    /// Latent dimensions in use, and all of them.
    pub active: Option<(usize, usize)>,
    /// The test loss in bits, for each number of an example.
    pub bits_per_dimension: Option<f64>,
}

/// What was measured after an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Which, from 1.
    pub epoch: usize,
    /// Mean over its steps.
    pub train_loss: f64,
    /// Of the test split.
    pub test_loss: f64,
    /// Of the test split.
    pub reconstruction: f64,
    /// Of the test split; 0 for a model without it.
    pub kl: f64,
}

/// What was measured at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps done.
    pub step: u64,
    /// Mean since the step before in the list.
    pub loss: f64,
    /// Learning rate.
    pub lr: f64,
    /// The KL's weight.
    pub beta: f64,
}

/// A latent dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dimension {
    /// Its KL, in nats an example.
    pub kl: f64,
    /// Whether it says anything about the data.
    pub is_active: bool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What it is.
    pub title: String,
    /// What there is to see in it.
    pub caption: String,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// The file.
    pub png: Vec<u8>,
}

/// Examples in the latent space.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latent {
    /// Where they are.
    pub points: Vec<[f32; 2]>,
    /// Their classes as places in `classes`, one for each point; empty where they are not known.
    pub labels: Vec<u32>,
    /// What the classes are called.
    pub classes: Vec<String>,
    /// What the axes are.
    pub axes: [String; 2],
}

/// Points of the plane.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// The data's.
    pub data: Vec<[f32; 2]>,
    /// The model's samples.
    pub samples: Vec<[f32; 2]>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// Mean over the training rows.
    pub mean: f64,
    /// Standard deviation there.
    pub deviation: f64,
    /// Mean absolute error of the reconstruction, in the column's own unit.
    pub error: Option<f64>,
    /// The share of the column's variance that the reconstruction explains.
    pub r2: Option<f64>,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// What it was.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

/// A command to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What it does.
    pub purpose: String,
    /// What to type.
    pub line: String,
}

/// The page, with its style, its charts and its pictures inside.
pub fn html(page: &Page) -> String {
    let parts = [
        sections::header(page),
        sections::training(page),
        sections::made(page),
        sections::latent(page),
        sections::columns(&page.columns),
        sections::run(page),
        sections::next(&page.next),
    ];
    document(&page.title, &parts.concat())
}

/// A document around the body, with the style that all pages have.
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

    #[test]
    fn an_empty_page_is_a_page() {
        let body = sound(&Page::default());
        assert!(!body.contains("<section") && !body.contains("<svg") && !body.contains("<dl"), "{body}");
    }

    #[test]
    fn each_part_brings_its_section() {
        let epoch = Epoch { epoch: 1, train_loss: 2.0, test_loss: 1.5, reconstruction: 1.0, kl: 0.5 };
        let column = Column { name: "height".into(), mean: 1.7, deviation: 0.1, error: None, r2: None };
        let line = Command { purpose: "Again".into(), line: "wgvae train --out 'a & b'".into() };
        let png = vec![1, 2, 3];
        let picture = Picture { title: "Samples".into(), caption: String::new(), alt: "\"digits\"".into(), png };
        let all = Page {
            title: "run".into(),
            facts: Facts { seed: Some(7), more: vec![("Batch".into(), "128".into())], ..Facts::default() },
            headline: Headline { active: Some((3, 4)), ..Headline::default() },
            epochs: vec![epoch],
            steps: vec![Step { step: 50, loss: 1.0, lr: 0.1, beta: 1.0 }],
            dimensions: vec![Dimension { kl: 0.5, is_active: true }],
            pictures: vec![picture],
            latent: Some(Latent { points: vec![[0.0, 1.0]], labels: vec![9], ..Latent::default() }),
            points: Some(Points { data: vec![[0.0, 1.0]], samples: Vec::new() }),
            columns: vec![column],
            timings: vec![Timing { name: "training".into(), seconds: 0.0 }],
            config: "[data]".into(),
            next: vec![line],
        };
        let body = sound(&all);
        let expected = [
            "Training",
            "What the model makes",
            "Latent space",
            "Columns and their reconstructions",
            "The run",
            "From here",
        ];
        assert_eq!(sections(&body), expected);
        for text in
            ["of 4 latent dimensions", "<dt>Batch</dt><dd>128</dd>", "&#39;a &amp; b&#39;", "alt=\"&quot;digits"]
        {
            assert!(body.contains(text), "no {text} in {body}");
        }
        assert!(!body.contains("mean absolute error") && !body.contains("R²"), "a column of nothing");

        let only_columns = Page { columns: all.columns.clone(), ..Page::default() };
        assert_eq!(sections(&sound(&only_columns)), ["Columns and their reconstructions"]);
        let only_facts = Page { facts: all.facts, ..Page::default() };
        assert_eq!(sections(&sound(&only_facts)), ["The run"]);
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
