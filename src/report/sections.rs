//! The sections of a run's page.

use super::chart::{Bar, Bars, ChartSize, Cloud, Group, Heights, LineChart, Series};
use super::contents::{
    ColumnSummary, Command, Diagnosed, EpochMetrics, Facts, Figure, Headline, Latent, Notice, Page, Picture, Points,
    SeriesChart, Step, Strips,
};
use super::markup::{base64, escape, png_size, sentence};
use super::numbers::{duration, grouped, measured};

/// Width available for a picture on a wide screen, and for one over the whole page. Smaller pictures are enlarged by a whole factor.
const PICTURE_WIDTH: u32 = 520;
const PAGE_WIDTH: u32 = 1084;
/// Largest height of a picture on the page: tall ones are made smaller.
const MAX_HEIGHT: u32 = 900;
/// And of a row of images with a name.
const STRIP_HEIGHT: u32 = 140;
/// Largest number of a table's columns that are shown; the others are only counted.
const MAX_COLUMNS: usize = 200;

/// A curve's name, and its value at each epoch.
pub type Curve = (&'static str, fn(&EpochMetrics) -> f64);

/// A section with a heading; empty if it has no content.
pub fn section(heading: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// Figures side by side; `columns` is the CSS class of the layout.
pub fn side_by_side(figures: &[String], columns: &str) -> String {
    if figures.is_empty() { String::new() } else { format!("<div class=\"{columns}\">\n{}</div>\n", figures.concat()) }
}

/// The run's name, a summary of it, what must be known of it, and its main figures.
pub fn header(page: &Page) -> String {
    let facts = &page.facts;
    let lines: String = [&facts.model, &facts.data]
        .into_iter()
        .filter(|line| !line.is_empty())
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    let lines = if lines.is_empty() { lines } else { format!("<ul class=\"lead\">{lines}</ul>\n") };
    let (title, notices) = (escape(&page.title), notices(&page.notices));
    format!("<header>\n<h1>{title}</h1>\n{lines}{notices}{}</header>\n", tiles(&page.headline))
}

/// What must be known, a line each.
fn notices(notices: &[Notice]) -> String {
    let line = |n: &Notice| format!("<li><b>{}</b> {}</li>\n", escape(&n.headline), sentence(&n.sentence));
    let lines: String = notices.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("<ul class=\"notices\">\n{lines}</ul>\n") }
}

/// A figure with its error.
pub fn with_error(figure: &Figure) -> String {
    let error = figure.error.filter(|error| error.is_finite());
    error.map_or_else(|| measured(figure.value), |error| format!("{} ± {}", measured(figure.value), measured(error)))
}

/// What `wgvae eval` has found.
pub fn evaluated(figures: &[Figure]) -> String {
    let row = |f: &Figure| vec![f.name.clone(), with_error(f), f.note.clone()];
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    let table = if rows.is_empty() { String::new() } else { table(&["figure", "value", "from"], &rows) };
    section("Evaluation", &noted(&table))
}

/// A table whose last column is a sentence.
pub fn noted(table: &str) -> String {
    table.replace("class=\"listed\"", "class=\"listed noted\"")
}

fn tiles(headline: &Headline) -> String {
    let nats = "nats per example";
    let number = |v: Option<f64>| v.map(measured);
    let (active, of) = match headline.active {
        Some((active, all)) => (Some(active.to_string()), format!("of {all} latent dimensions")),
        None => (None, String::new()),
    };
    let tiles = [
        ("Test loss", number(headline.test_loss), nats),
        ("Reconstruction", number(headline.reconstruction), nats),
        ("KL", number(headline.kl), nats),
        ("Active units", active, of.as_str()),
        ("Mutual information", number(headline.mutual_information), "nats that codes tell of texts"),
        ("Nats per token", headline.of_texts.map(|[nats, _]| format!("{nats:.3}")), "the end of a text is one"),
        ("Bits per character", headline.of_texts.map(|[_, bits]| format!("{bits:.3}")), "from the test loss"),
        ("Bits per dimension", headline.bits_per_dimension.map(|v| format!("{v:.3}")), "from the test loss"),
    ];
    let tiles: String = tiles
        .into_iter()
        .filter_map(|(name, value, unit)| Some((name, value?, unit)))
        .map(|(name, value, unit)| {
            format!("<div><dt>{name}</dt><dd>{}</dd><dd class=\"unit\">{unit}</dd></div>\n", escape(&value))
        })
        .collect();
    if tiles.is_empty() { tiles } else { format!("<dl class=\"tiles\">\n{tiles}</dl>\n") }
}

/// The curves.
pub fn training(page: &Page) -> String {
    let mut large = Vec::new();
    if !page.epochs.is_empty() {
        let curves: [Curve; 2] = [("test", |e| e.test_loss), ("train", |e| e.train_loss)];
        large.push(by_epoch(page, "Loss after each epoch", ChartSize::Half, &curves));
    }
    if !page.steps.is_empty() {
        large.push(by_step(page, "Loss at each step", ChartSize::Half, Heights::Curves, |s| s.loss));
    }
    let has_kl = page.epochs.len() > 1 && page.epochs.iter().any(|e| e.kl != 0.0);
    let varies = |value: fn(&Step) -> f64| page.steps.windows(2).any(|pair| value(&pair[0]) != value(&pair[1]));
    let (lr_varies, beta_varies) = (varies(|s| s.lr), varies(|s| s.beta));
    let count = 2 * usize::from(has_kl) + usize::from(lr_varies) + usize::from(beta_varies);
    let (size, columns) = if count == 3 { (ChartSize::Third, "three") } else { (ChartSize::Half, "two") };
    let mut more = Vec::new();
    if has_kl {
        more.push(by_epoch(page, "Reconstruction", size, &[("test", |e| e.reconstruction)]));
        more.push(by_epoch(page, "KL", size, &[("test", |e| e.kl)]));
    }
    if lr_varies {
        more.push(by_step(page, "Learning rate", size, Heights::FromZero, |s| s.lr));
    }
    if beta_varies {
        more.push(by_step(page, "Beta", size, Heights::FromZero, |s| s.beta));
    }
    let mut behind = diagnosed(&page.diagnoses);
    if page.likelihoods.len() > 1 {
        let series = vec![Series { name: "-ln p(x)".into(), points: page.likelihoods.clone() }];
        let (title, x) = ("-ln p(x) of rows, by checkpoint".into(), "epochs".into());
        behind.push(LineChart { title, x, series, ..LineChart::default() }.figure());
    }
    let diagnosed = side_by_side(&behind, "two");
    section("Training", &(side_by_side(&large, "two") + &side_by_side(&more, columns) + &diagnosed))
}

/// Largest number of curves in a chart: the ones that end highest.
const MAX_CURVES: usize = 8;

/// How the latent dimensions and the gradients went.
fn diagnosed(all: &[Diagnosed]) -> Vec<String> {
    let Some(last) = all.last().filter(|_| all.len() > 1) else { return Vec::new() };
    let chart = |title: &str, last: Vec<(String, f64)>, of: &dyn Fn(&Diagnosed, usize) -> Option<f64>| {
        let mut order: Vec<usize> = (0..last.len()).collect();
        order.sort_by(|a, b| last[*b].1.total_cmp(&last[*a].1));
        let left_out = order.len().saturating_sub(MAX_CURVES);
        order.truncate(MAX_CURVES);
        let points = |i: usize| all.iter().filter_map(|at| Some((at.epoch as f64, of(at, i)?))).collect();
        let series = order.into_iter().map(|i| Series { name: last[i].0.clone(), points: points(i) }).collect();
        let title = if left_out > 0 { format!("{title}: the largest {MAX_CURVES}") } else { title.to_string() };
        LineChart { title, x: "epoch".into(), series, ..LineChart::default() }.figure()
    };
    let mut figures = Vec::new();
    if !last.dimensions.is_empty() {
        let dimensions = last.dimensions.iter().enumerate().map(|(i, kl)| (i.to_string(), *kl)).collect();
        figures.push(chart("KL of each latent dimension", dimensions, &|at, i| at.dimensions.get(i).copied()));
    }
    if !last.layers.is_empty() {
        figures.push(chart("Gradient norm of each layer", last.layers.clone(), &|at, i| Some(at.layers.get(i)?.1)));
    }
    figures
}

fn by_epoch(page: &Page, title: &str, size: ChartSize, curves: &[Curve]) -> String {
    let series = |(name, value): &Curve| Series {
        name: name.to_string(),
        points: page.epochs.iter().map(|e| (e.epoch as f64, value(e))).collect(),
    };
    let series = curves.iter().map(series).collect();
    LineChart { title: title.into(), x: "epoch".into(), size, series, ..LineChart::default() }.figure()
}

fn by_step(page: &Page, title: &str, size: ChartSize, heights: Heights, value: fn(&Step) -> f64) -> String {
    let points = page.steps.iter().map(|s| (s.step as f64, value(s))).collect();
    let series = vec![Series { name: title.to_lowercase(), points }];
    LineChart { title: title.into(), x: "step".into(), size, heights, series, ..LineChart::default() }.figure()
}

/// Pictures, and the data's points with the model's samples.
pub fn made(page: &Page) -> String {
    let points = page.points.iter().filter(|p| !p.data.is_empty() || !p.samples.is_empty()).map(points);
    let series = page.series.iter().map(series);
    let figures: Vec<String> = points.chain(page.pictures.iter().map(picture)).chain(series).collect();
    section("Reconstructions and samples", &(side_by_side(&figures, "two") + &strips(page.strips.as_ref())))
}

/// A chart of series.
fn series(chart: &SeriesChart) -> String {
    let curve = |(name, points): &(String, Vec<(f64, f64)>)| Series { name: name.clone(), points: points.clone() };
    LineChart {
        title: chart.title.clone(),
        x: "time".into(),
        heights: Heights::Linear,
        series: chart.curves.iter().map(curve).collect(),
        band: chart.band.clone(),
        ..LineChart::default()
    }
    .figure()
}

/// Rows of images with a name each.
fn strips(strips: Option<&Strips>) -> String {
    let Some(all) = strips.filter(|strips| !strips.strips.is_empty()) else { return String::new() };
    let strip = |(name, png): &(String, Vec<u8>)| {
        let size = shown_size(png, PICTURE_WIDTH, STRIP_HEIGHT);
        format!("<li><span>{}</span>{}</li>\n", escape(name), image(png, name, size))
    };
    let rows: String = all.strips.iter().map(strip).collect();
    format!(
        "<figure class=\"stripped\">\n<figcaption><b>{}</b> <small>{}</small></figcaption>\n<ul class=\"strips\">\n{rows}</ul>\n\
         </figure>\n",
        escape(&all.title),
        escape(&all.caption)
    )
}

/// The size that a picture is shown in, and whether its pixels stay sharp: enlarged by a whole factor where there is room, made
/// smaller where it is too wide or too high.
fn shown_size(png: &[u8], widest: u32, highest: u32) -> Option<(u32, u32, bool)> {
    let (width, height) = png_size(png).filter(|(width, height)| *width > 0 && *height > 0)?;
    let factor = (widest / width).min(highest / height);
    if factor > 0 {
        return Some((width * factor, height * factor, true));
    }
    let scale = (f64::from(widest) / f64::from(width)).min(f64::from(highest) / f64::from(height));
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    Some((scaled(width), scaled(height), false))
}

fn image(png: &[u8], alt: &str, size: Option<(u32, u32, bool)>) -> String {
    let attributes = size.map(|(width, height, is_sharp)| {
        // A picture that is scaled down needs averaged pixels instead of sharp ones.
        let class = if is_sharp { " class=\"pixels\"" } else { "" };
        format!("{class} width=\"{width}\" height=\"{height}\"")
    });
    let (data, alt) = (base64(png), escape(alt));
    format!("<img src=\"data:image/png;base64,{data}\" alt=\"{alt}\"{}>", attributes.unwrap_or_default())
}

fn points(points: &Points) -> String {
    let groups = vec![
        Group { name: "data".into(), colour: None, points: points.data.clone() },
        Group { name: "samples".into(), colour: Some(1), points: points.samples.clone() },
    ];
    let axes = ["x".to_string(), "y".to_string()];
    Cloud { title: "Data and samples".into(), axes, is_named_inside: false, groups }.figure()
}

/// A picture as a figure.
pub fn picture(picture: &Picture) -> String {
    let widest = if picture.is_wide { PAGE_WIDTH } else { PICTURE_WIDTH };
    format!(
        "<figure{}>\n<figcaption><b>{}</b> <small>{}</small></figcaption>\n{}\n</figure>\n",
        if picture.is_wide { " class=\"wide\"" } else { "" },
        escape(&picture.title),
        escape(&picture.caption),
        image(&picture.png, &picture.alt, shown_size(&picture.png, widest, MAX_HEIGHT)),
    )
}

/// The test examples in the latent space, and the KL of each dimension.
pub fn latent(page: &Page) -> String {
    let mut figures = Vec::new();
    if let Some(latent) = page.latent.as_ref().filter(|l| !l.points.is_empty()) {
        figures.push(cloud(latent, &latent.points, "Test examples", &latent.axes));
        if !latent.map.is_empty() {
            let axes = ["t-SNE: neighbours stay together", ""].map(String::from);
            figures.push(cloud(latent, &latent.map, "Map of the test examples", &axes));
        }
    }
    if !page.dimensions.is_empty() {
        let bar = |(i, d): (usize, &super::contents::Dimension)| Bar {
            name: i.to_string(),
            value: d.kl,
            is_marked: d.is_active,
        };
        let mut bars: Vec<Bar> = page.dimensions.iter().enumerate().map(bar).collect();
        // NaN sorts last.
        let size = |bar: &Bar| if bar.value.is_nan() { f64::NEG_INFINITY } else { bar.value };
        bars.sort_by(|a, b| size(b).total_cmp(&size(a)));
        figures.push(
            Bars {
                title: "KL of each latent dimension, in nats".into(),
                x: "latent dimension".into(),
                kinds: ["active".into(), "unused".into()],
                bars,
            }
            .figure(),
        );
    }
    section("Latent space", &side_by_side(&figures, "two"))
}

/// Places of the test examples, coloured by their classes.
fn cloud(latent: &Latent, places: &[[f32; 2]], title: &str, axes: &[String; 2]) -> String {
    let of = |class: Option<usize>| -> Vec<[f32; 2]> {
        let label = |i: usize| latent.labels.get(i).map(|l| *l as usize).filter(|l| *l < latent.classes.len());
        places.iter().enumerate().filter(|(i, _)| label(*i) == class).map(|(_, p)| *p).collect()
    };
    let none = Group { name: String::new(), colour: None, points: of(None) };
    let known = latent.classes.iter().enumerate();
    let known = known.map(|(i, name)| Group { name: name.clone(), colour: Some(i), points: of(Some(i)) });
    let groups: Vec<Group> = [none].into_iter().chain(known).filter(|g| !g.points.is_empty()).collect();
    // For a few groups, the legend is enough.
    let is_named_inside = groups.len() > 3;
    Cloud { title: title.into(), axes: axes.clone(), is_named_inside, groups }.figure()
}

/// A table's columns.
pub fn columns(columns: &[ColumnSummary]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    type Figure = (&'static str, fn(&ColumnSummary) -> Option<f64>);
    let figures: [Figure; 5] = [
        ("mean", |c| c.mean),
        ("deviation", |c| c.deviation),
        ("mean absolute error", |c| c.error),
        ("R²", |c| c.r2),
        ("share right", |c| c.right),
    ];
    // What no column has is left out.
    let figures: Vec<_> = figures.into_iter().filter(|(_, of)| columns.iter().any(|c| of(c).is_some())).collect();
    let names: Vec<&str> = ["column", "kind"].into_iter().chain(figures.iter().map(|(name, _)| *name)).collect();
    let row = |c: &ColumnSummary| -> Vec<String> {
        let values = figures.iter().map(|(_, of)| of(c).map_or(String::new(), measured));
        [c.name.clone(), c.kind.clone()].into_iter().chain(values).collect()
    };
    let rows: Vec<Vec<String>> = columns.iter().take(MAX_COLUMNS).map(row).collect();
    let more = match columns.len().saturating_sub(MAX_COLUMNS) {
        0 => String::new(),
        more => format!("<p class=\"quiet\">and {} more columns</p>\n", grouped(more as u64)),
    };
    section("Columns and their reconstructions", &(table(&names, &rows) + &more))
}

/// A table with a title, or nothing where it has no rows.
pub fn titled_table(title: &str, names: &[&str], rows: &[Vec<String>]) -> String {
    match rows.is_empty() {
        true => String::new(),
        false => table(names, rows).replacen("<thead>", &format!("<caption>{title}</caption>\n<thead>"), 1),
    }
}

/// A table whose first column is text and whose others are numbers.
pub fn table(names: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = names.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let row = |cells: &Vec<String>| {
        let cell = |(i, text): (usize, &String)| match i {
            0 => format!("<th scope=\"row\">{}</th>", escape(text)),
            _ => format!("<td>{}</td>", escape(text)),
        };
        format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let body: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table class=\"listed\">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )
}

/// The facts of the run, its command and its configuration.
pub fn run(page: &Page) -> String {
    let facts: String = facts(&page.facts)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(&value)))
        .collect();
    let facts = if facts.is_empty() { facts } else { format!("<dl class=\"facts\">\n{facts}</dl>\n") };
    let command = page.facts.command.as_deref().map(str::trim).filter(|command| !command.is_empty());
    let command = command.map(|c| format!("<p class=\"made\">Made by</p>\n<pre>{}</pre>\n", escape(c)));
    let config = match page.config.trim() {
        "" => String::new(),
        config => format!("<details>\n<summary>Configuration</summary>\n<pre>{}</pre>\n</details>\n", escape(config)),
    };
    section("The run", &(facts + &command.unwrap_or_default() + &config))
}

fn facts(facts: &Facts) -> Vec<(&str, String)> {
    let number = |v: Option<u64>| v.map(grouped);
    let lines = [
        ("Parameters", number(facts.parameters)),
        ("Adapter", Some(facts.adapter.clone())),
        ("Steps", number(facts.steps)),
        ("Training time", facts.seconds.map(duration)),
        ("Steps per second", facts.steps_per_second.map(measured)),
        ("Seed", facts.seed.map(|seed| seed.to_string())),
        ("Date", facts.date.clone()),
    ];
    let known = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.chain(facts.more.iter().map(|(name, value)| (name.as_str(), value.clone()))).collect()
}

/// Commands to continue with.
pub fn next(commands: &[Command]) -> String {
    let items: String =
        commands.iter().map(|c| format!("<li>{}<pre>{}</pre></li>\n", escape(&c.purpose), escape(&c.line))).collect();
    section("Next steps", &if items.is_empty() { items } else { format!("<ul class=\"next\">\n{items}</ul>\n") })
}
