//! The page that compares several runs.

use super::chart::{Heights, Lines, Series, Size};
use super::markup::escape;
use super::numbers::{duration, grouped, measured};
use super::page::{Epoch, Facts, Headline, document};
use super::sections::Curve;

/// The data of a run that is compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunMetrics {
    /// The run's name.
    pub name: String,
    /// Model, data, adapter and times of the run.
    pub facts: Facts,
    /// Its main figures.
    pub headline: Headline,
    /// The metrics of each epoch.
    pub epochs: Vec<Epoch>,
}

/// A row of the table: one figure per run, and whether the lowest is the best.
struct Row {
    name: &'static str,
    cells: Vec<Option<String>>,
    best: Option<f64>,
    values: Vec<Option<f64>>,
}

/// A page with the curves of all runs in one chart per metric, and their figures in a table.
pub fn comparison(runs: &[RunMetrics]) -> String {
    let title = format!("{} runs compared", runs.len());
    let names: Vec<&str> = runs.iter().map(|r| r.name.as_str()).collect();
    let charts: [Curve; 4] = [
        ("Test loss", |e| e.test_loss),
        ("Training loss", |e| e.train_loss),
        ("Reconstruction", |e| e.reconstruction),
        ("KL", |e| e.kl),
    ];
    let figures: String = charts
        .into_iter()
        .filter(|(_, value)| runs.iter().flat_map(|r| &r.epochs).any(|e| value(e) != 0.0))
        .map(|(title, value)| {
            let series = |run: &RunMetrics| Series {
                name: run.name.clone(),
                points: run.epochs.iter().map(|e| (e.epoch as f64, value(e))).collect(),
            };
            let series = runs.iter().map(series).collect();
            let (title, x) = (title.into(), "epoch".into());
            Lines { title, x, size: Size::Half, heights: Heights::Curves, series }.figure()
        })
        .collect();
    let body = format!(
        "<header>\n<h1>{}</h1>\n<ul class=\"lead\"><li>{}</li></ul>\n</header>\n\
         <section>\n<h2>Curves</h2>\n<div class=\"two\">\n{figures}</div>\n</section>\n\
         <section>\n<h2>Figures</h2>\n{}</section>\n",
        escape(&title),
        escape(&names.join(", ")),
        table(runs),
    );
    document(&title, &body)
}

fn table(runs: &[RunMetrics]) -> String {
    // Losses on different data are not comparable.
    let is_same_data = runs.windows(2).all(|pair| pair[0].facts.data == pair[1].facts.data);
    let loss = |name: &'static str, value: fn(&RunMetrics) -> Option<f64>, shown: fn(f64) -> String| {
        let row = lowest(runs, name, value, shown);
        Row { best: row.best.filter(|_| is_same_data), ..row }
    };
    let mut rows = vec![
        loss("Test loss", |r| r.headline.test_loss, measured),
        loss("Reconstruction", |r| r.headline.reconstruction, measured),
        plain(runs, "KL", |r| r.headline.kl.map(measured)),
        plain(runs, "Active units", |r| r.headline.active.map(|(active, all)| format!("{active} of {all}"))),
        loss("Bits per dimension", |r| r.headline.bits_per_dimension, |v| format!("{v:.3}")),
        plain(runs, "Epochs", |r| r.epochs.last().map(|e| grouped(e.epoch as u64))),
        plain(runs, "Steps", |r| r.facts.steps.map(grouped)),
        lowest(runs, "Training time", |r| r.facts.seconds, duration),
        plain(runs, "Steps per second", |r| r.facts.steps_per_second.map(measured)),
        plain(runs, "Parameters", |r| r.facts.parameters.map(grouped)),
        plain(runs, "Seed", |r| r.facts.seed.map(|seed| seed.to_string())),
        plain(runs, "Model", |r| Some(r.facts.model.clone())),
        plain(runs, "Data", |r| Some(r.facts.data.clone())),
        plain(runs, "Adapter", |r| Some(r.facts.adapter.clone())),
    ];
    rows.retain(|row| row.cells.iter().flatten().any(|cell| !cell.is_empty()));
    let head: String = runs.iter().map(|run| format!("<th scope=\"col\">{}</th>", escape(&run.name))).collect();
    let body: String = rows.iter().map(Row::markup).collect();
    format!(
        "<div class=\"scroll\"><table class=\"compared\">\n<thead><tr><th></th>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table></div>\n"
    )
}

fn plain(runs: &[RunMetrics], name: &'static str, cell: impl Fn(&RunMetrics) -> Option<String>) -> Row {
    Row { name, cells: runs.iter().map(cell).collect(), best: None, values: Vec::new() }
}

/// A row whose lowest figure is the best one.
fn lowest(
    runs: &[RunMetrics],
    name: &'static str,
    value: impl Fn(&RunMetrics) -> Option<f64>,
    shown: impl Fn(f64) -> String,
) -> Row {
    let values: Vec<Option<f64>> = runs.iter().map(value).collect();
    let finite: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    let best = finite.iter().copied().min_by(f64::total_cmp).filter(|_| finite.len() > 1);
    Row { name, cells: values.iter().map(|v| v.map(&shown)).collect(), best, values }
}

impl Row {
    fn markup(&self) -> String {
        let is_best = |i: usize| self.best.is_some() && self.values.get(i).copied().flatten() == self.best;
        let cell = |(i, cell): (usize, &Option<String>)| {
            let text = escape(cell.as_deref().filter(|cell| !cell.is_empty()).unwrap_or("–"));
            if is_best(i) { format!("<td><b>{text}</b></td>") } else { format!("<td>{text}</td>") }
        };
        let cells: String = self.cells.iter().enumerate().map(cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::check;
    use super::*;

    fn run(name: &str, test_loss: f64) -> RunMetrics {
        let epoch = |epoch| Epoch { epoch, train_loss: 200.0, test_loss, reconstruction: test_loss, kl: 0.0 };
        RunMetrics {
            name: name.into(),
            headline: Headline { test_loss: Some(test_loss), ..Headline::default() },
            epochs: (1..=3).map(epoch).collect(),
            ..RunMetrics::default()
        }
    }

    #[test]
    fn the_best_figure_stands_out() {
        let page = comparison(&[run("a", 105.5), run("<b>", 104.2), run("c", f64::NAN)]);
        let body = &page[page.find("<main>").unwrap()..page.find("</body>").unwrap()];
        check(body);
        assert!(body.contains("<td>105.50</td><td><b>104.20</b></td><td>–</td>"), "{body}");
        assert!(body.contains("&lt;b&gt;") && !body.contains("<title>KL</title>"));
        let mut other = run("d", 90.0);
        other.facts.data = "something else".into();
        assert!(!comparison(&[run("a", 105.5), other]).contains("<td><b>"));
        comparison(&[]);
    }
}
