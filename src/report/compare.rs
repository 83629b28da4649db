//! The page that compares several runs.

use super::chart::{LineChart, Series};
use super::contents::{Best, Figure, Notice, Picture};
use super::markup::escape;
use super::numbers::{duration, grouped, measured};
use super::page::{EpochMetrics, Facts, Headline, document};
use super::sections::{Curve, picture, side_by_side, with_error};

/// The data of a run that is compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunMetrics {
    /// The run's name.
    pub name: String,
    /// Model, data, adapter and times of the run.
    pub facts: Facts,
    /// What its losses are, in words. Losses of different kinds have no place in one ranking.
    pub loss: String,
    /// The epoch that the saved model is of.
    pub epoch: usize,
    /// The main figures of the saved model.
    pub headline: Headline,
    /// What must be known of it.
    pub notices: Vec<Notice>,
    /// What `wgvae eval` has found of it.
    pub evaluated: Vec<Figure>,
    /// The metrics of each epoch.
    pub epochs: Vec<EpochMetrics>,
    /// Pictures: those with one title are shown side by side.
    pub pictures: Vec<Picture>,
}

/// A row of the table: one figure per run, and which is the best.
struct Row {
    name: String,
    cells: Vec<Option<String>>,
    best: Option<f64>,
    values: Vec<Option<f64>>,
}

/// Different texts, in the order in which they come.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for text in texts {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// A page with the curves of all runs in one chart per metric, their figures in a table, and their pictures side by side.
pub fn comparison(runs: &[RunMetrics]) -> String {
    let title = format!("{} runs compared", runs.len());
    let names: Vec<&str> = runs.iter().map(|r| r.name.as_str()).collect();
    let kinds = distinct(runs.iter().map(|r| r.loss.as_str()));
    // Losses of different kinds are curves of different charts.
    let losses: [Curve; 2] = [("Test loss", |e| e.test_loss), ("Training loss", |e| e.train_loss)];
    let losses = kinds.iter().flat_map(|kind| losses.map(|curve| (Some(*kind), curve)));
    let parts: [Curve; 2] = [("Reconstruction", |e| e.reconstruction), ("KL", |e| e.kl)];
    let charts: Vec<String> = losses
        .chain(parts.map(|curve| (None, curve)))
        .filter_map(|(kind, curve)| chart(runs, kind, curve, kinds.len()))
        .collect();
    let said = match kinds.len() {
        0 | 1 => String::new(),
        _ => "<p class=\"quiet\">The losses of these runs are different things, so that none of them is marked as the best. \
              What <code>wgvae eval RUN --nll 500</code> finds can be compared, and comes here.</p>\n"
            .to_string(),
    };
    let body = format!(
        "<header>\n<h1>{}</h1>\n<ul class=\"lead\"><li>{}</li></ul>\n</header>\n\
         <section>\n<h2>Figures</h2>\n{said}{}</section>\n\
         <section>\n<h2>Curves</h2>\n{}</section>\n{}",
        escape(&title),
        escape(&names.join(", ")),
        table(runs),
        side_by_side(&charts, "two"),
        pictures(runs),
    );
    document(&title, &body)
}

/// The curves of the runs whose losses are of this kind, or of all. A run has one colour in all charts.
fn chart(runs: &[RunMetrics], kind: Option<&str>, (name, value): Curve, kinds: usize) -> Option<String> {
    let is_of_kind = |run: &RunMetrics| kind.is_none_or(|kind| kind == run.loss);
    if !runs.iter().filter(|run| is_of_kind(run)).flat_map(|r| &r.epochs).any(|e| value(e) != 0.0) {
        return None;
    }
    let series = |run: &RunMetrics| {
        let epochs = if is_of_kind(run) { &run.epochs[..] } else { &[] };
        Series { name: run.name.clone(), points: epochs.iter().map(|e| (e.epoch as f64, value(e))).collect() }
    };
    let series = runs.iter().map(series).collect();
    let title = kind.filter(|_| kinds > 1).map_or(name.to_string(), |kind| format!("{name}: {kind}"));
    Some(LineChart { title, x: "epoch".into(), series, ..LineChart::default() }.figure())
}

/// The pictures of one title beside each other, each with the name of its run.
fn pictures(runs: &[RunMetrics]) -> String {
    let titles = distinct(runs.iter().flat_map(|run| &run.pictures).map(|p| p.title.as_str()));
    let of_title = |title: &str| {
        let of_run = |run: &RunMetrics| {
            let found = run.pictures.iter().find(|p| p.title == title)?;
            Some(picture(&Picture { title: run.name.clone(), ..found.clone() }))
        };
        let figures: Vec<String> = runs.iter().filter_map(of_run).collect();
        format!("<section>\n<h2>{}</h2>\n{}</section>\n", escape(title), side_by_side(&figures, "two"))
    };
    titles.into_iter().map(of_title).collect()
}

fn table(runs: &[RunMetrics]) -> String {
    // Losses on different data, and different losses, are not comparable.
    let is_same = |of: fn(&RunMetrics) -> &str| runs.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]));
    let is_same_data = is_same(|run| &run.facts.data);
    let is_same_loss = is_same_data && is_same(|run| &run.loss);
    let loss = |name: &str, value: fn(&RunMetrics) -> Option<f64>, shown: fn(f64) -> String| {
        let row = lowest(runs, name, value, shown);
        Row { best: row.best.filter(|_| is_same_loss), ..row }
    };
    let notices =
        |run: &RunMetrics| Some(run.notices.iter().map(|n| n.headline.clone()).collect::<Vec<_>>().join("; "));
    let mut rows = vec![
        loss("Test loss", |r| r.headline.test_loss, measured),
        plain(runs, "which is", |r| Some(r.loss.clone())),
        loss("Reconstruction", |r| r.headline.reconstruction, measured),
        plain(runs, "KL", |r| r.headline.kl.map(measured)),
        plain(runs, "Active units", |r| r.headline.active.map(|(active, all)| format!("{active} of {all}"))),
        plain(runs, "Mutual information", |r| r.headline.mutual_information.map(measured)),
        loss("Bits per dimension", |r| r.headline.bits_per_dimension, |v| format!("{v:.3}")),
        plain(runs, "Of epoch", |r| (r.epoch > 0).then(|| grouped(r.epoch as u64))),
        plain(runs, "To know", notices),
    ];
    rows.extend(found(runs, is_same_data));
    rows.extend([
        plain(runs, "Epochs", |r| r.epochs.last().map(|e| grouped(e.epoch as u64))),
        plain(runs, "Steps", |r| r.facts.steps.map(grouped)),
        lowest(runs, "Training time", |r| r.facts.seconds, duration),
        plain(runs, "Steps per second", |r| r.facts.steps_per_second.map(measured)),
        plain(runs, "Parameters", |r| r.facts.parameters.map(grouped)),
        plain(runs, "Seed", |r| r.facts.seed.map(|seed| seed.to_string())),
        plain(runs, "Model", |r| Some(r.facts.model.clone())),
        plain(runs, "Data", |r| Some(r.facts.data.clone())),
        plain(runs, "Adapter", |r| Some(r.facts.adapter.clone())),
    ]);
    rows.retain(|row| row.cells.iter().flatten().any(|cell| !cell.is_empty()));
    let head: String = runs.iter().map(|run| format!("<th scope=\"col\">{}</th>", escape(&run.name))).collect();
    let body: String = rows.iter().map(Row::markup).collect();
    format!(
        "<div class=\"scroll\"><table class=\"compared\">\n<thead><tr><th></th>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table></div>\n"
    )
}

/// Rows of what `wgvae eval` has found. Figures that were not found alike, of other rows for instance, are shown with what they were
/// found from, and not ranked.
fn found(runs: &[RunMetrics], is_same_data: bool) -> Vec<Row> {
    let of_name = |name: &str| {
        let of = |run: &RunMetrics| run.evaluated.iter().find(|figure| figure.name == name).cloned();
        let figures: Vec<Option<Figure>> = runs.iter().map(of).collect();
        let notes = distinct(figures.iter().flatten().map(|figure| figure.note.as_str()));
        let cell = |figure: &Figure| match notes.len() {
            1 => with_error(figure),
            _ => format!("{} ({})", with_error(figure), figure.note),
        };
        let values: Vec<Option<f64>> =
            figures.iter().map(|figure| figure.as_ref().map(|figure| figure.value)).collect();
        let finite: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
        let best = match figures.iter().flatten().next().map_or(Best::Neither, |figure| figure.best) {
            Best::Lowest => finite.iter().copied().min_by(f64::total_cmp),
            Best::Highest => finite.iter().copied().max_by(f64::total_cmp),
            Best::Neither => None,
        };
        Row {
            name: name.to_string(),
            cells: figures.iter().map(|figure| figure.as_ref().map(cell)).collect(),
            best: best.filter(|_| is_same_data && notes.len() == 1 && finite.len() > 1),
            values,
        }
    };
    let names = distinct(runs.iter().flat_map(|run| &run.evaluated).map(|figure| figure.name.as_str()));
    names.into_iter().map(of_name).collect()
}

fn plain(runs: &[RunMetrics], name: &str, cell: impl Fn(&RunMetrics) -> Option<String>) -> Row {
    Row { name: name.into(), cells: runs.iter().map(cell).collect(), best: None, values: Vec::new() }
}

/// A row whose lowest figure is the best one.
fn lowest(
    runs: &[RunMetrics],
    name: &str,
    value: impl Fn(&RunMetrics) -> Option<f64>,
    shown: impl Fn(f64) -> String,
) -> Row {
    let values: Vec<Option<f64>> = runs.iter().map(value).collect();
    let finite: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    let best = finite.iter().copied().min_by(f64::total_cmp).filter(|_| finite.len() > 1);
    Row { name: name.into(), cells: values.iter().map(|v| v.map(&shown)).collect(), best, values }
}

impl Row {
    fn markup(&self) -> String {
        let is_best = |i: usize| self.best.is_some() && self.values.get(i).copied().flatten() == self.best;
        let cell = |(i, cell): (usize, &Option<String>)| {
            let text = escape(cell.as_deref().filter(|cell| !cell.is_empty()).unwrap_or("–"));
            if is_best(i) { format!("<td><b>{text}</b></td>") } else { format!("<td>{text}</td>") }
        };
        let cells: String = self.cells.iter().enumerate().map(cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::check;
    use super::*;

    fn run(name: &str, test_loss: f64) -> RunMetrics {
        let epoch = |epoch| EpochMetrics { epoch, train_loss: 200.0, test_loss, reconstruction: test_loss, kl: 0.0 };
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

    #[test]
    fn losses_of_different_kinds_are_not_ranked() {
        let of = |name: &str, test_loss: f64, beta: &str| RunMetrics {
            loss: format!("reconstruction + {beta} KL"),
            ..run(name, test_loss)
        };
        let page = comparison(&[of("a", 105.5, "1"), of("b", 90.0, "4")]);
        check(&page[page.find("<main>").unwrap()..page.find("</body>").unwrap()]);
        assert!(!page.contains("<td><b>") && page.contains("different things"), "{page}");
        for title in ["Test loss: reconstruction + 1 KL", "Test loss: reconstruction + 4 KL"] {
            assert!(page.contains(&format!("<title>{title}</title>")), "no {title}");
        }
        let page = comparison(&[of("a", 105.5, "4"), of("b", 90.0, "4")]);
        assert!(page.contains("<td><b>90.00</b></td>") && page.contains("<title>Test loss</title>"));
    }

    #[test]
    fn what_was_found_is_ranked_where_it_was_found_alike() {
        let of = |name: &str, note: &str, nll: f64, precision: f64| {
            let figure = |name: &str, value: f64, best: Best| Figure {
                name: name.into(),
                value,
                error: Some(0.5),
                note: note.into(),
                best,
            };
            let evaluated = vec![
                figure("-ln p(x)", nll, Best::Lowest),
                figure("Precision", precision, Best::Highest),
                figure("TC", 1.0, Best::Neither),
            ];
            RunMetrics { evaluated, ..run(name, 100.0) }
        };
        let page = comparison(&[of("a", "9 rows", 90.0, 0.7), of("b", "9 rows", 80.0, 0.6), run("c", 1.0)]);
        for cells in [
            "<td>90.00 ± 0.500</td><td><b>80.00 ± 0.500</b></td><td>–</td>",
            "<td><b>0.700 ± 0.500</b></td><td>0.600 ± 0.500</td><td>–</td>",
            "<td>1.00 ± 0.500</td><td>1.00 ± 0.500</td><td>–</td>",
        ] {
            assert!(page.contains(cells), "no {cells} in {page}");
        }
        let page = comparison(&[of("a", "9 rows", 90.0, 0.7), of("b", "8 rows", 80.0, 0.6)]);
        assert!(page.contains("<td>90.00 ± 0.500 (9 rows)</td><td>80.00 ± 0.500 (8 rows)</td>"), "{page}");
    }

    #[test]
    fn pictures_of_one_title_stand_side_by_side() {
        let of = |name: &str, titles: &[&str]| {
            let picture = |title: &&str| Picture {
                title: title.to_string(),
                caption: "after epoch 3".into(),
                alt: format!("{title} of {name}"),
                png: vec![1],
                is_wide: false,
            };
            RunMetrics { pictures: titles.iter().map(picture).collect(), ..run(name, 1.0) }
        };
        let page = comparison(&[
            of("a", &["Reconstructions", "Samples"]),
            of("b", &["Reconstructions"]),
            of("c", &["Samples"]),
        ]);
        let body = &page[page.find("<main>").unwrap()..page.find("</body>").unwrap()];
        check(body);
        let samples = &body[body.find("<h2>Samples</h2>").unwrap()..];
        let names: Vec<&str> =
            samples.split("<figcaption><b>").skip(1).filter_map(|rest| rest.split("</b>").next()).collect();
        assert_eq!(names, ["a", "c"]);
        assert!(samples.contains("<small>after epoch 3</small>") && body.matches("<img ").count() == 4);
    }
}
