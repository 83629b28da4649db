//! `wgvae anomaly`: rows ranked by their anomaly score.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::encode::with_names;
use super::run_args::{RowsArgs, RunArgs, place_in, told};
use super::sample::of_class;
use super::sheet::{Sheet, picture, put};
use crate::apply::{RunError, statistics};
use crate::data::{Rows, Shape};
use crate::run::png;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Classes that count as anomalous, to compute ROC-AUC and average precision
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    anomalous: Vec<String>,
    /// Latent draws per row
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    draws: u64,
    /// How many of the most anomalous rows to list and draw
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    top: u64,
    /// A .csv, .json or .npy file for the scores of all rows, or - for CSV on stdout [default: anomaly.csv in the run's
    /// folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Strange {
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The negative ELBO.
    score: f64,
    /// Mean squared error of the reconstruction, in the units the model was trained with.
    error: f64,
}

#[derive(Serialize)]
struct Record {
    run: String,
    rows: usize,
    draws: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_precision: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc_of_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_precision_of_error: Option<f64>,
    strangest: Vec<Strange>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let rows = args.rows.rows(&run)?;
    let marked = match args.anomalous.is_empty() {
        true => None,
        false => Some(marked(&rows, &args.anomalous, &run)?),
    };
    let mut model = args.run.model(&run, rows.split.rows)?;
    let width = model.width();
    let scores: Vec<f64> =
        model.score(&rows.split, args.draws as usize)?.into_iter().map(|score| score.loss()).collect();
    let shown = model.reconstruct(&rows.split)?;
    let x = rows.split.numbers(0..rows.split.rows, width);
    let squared = |(x, shown): (&f32, &f32)| f64::from(x - shown).powi(2);
    let mean_of = |(x, shown): (&[f32], &[f32])| x.iter().zip(shown).map(squared).sum::<f64>() / width as f64;
    let errors: Vec<f64> = x.chunks(width).zip(shown.chunks(width)).map(mean_of).collect();
    let order = statistics::descending(&scores);
    let figure = |of: fn(&[f64], &[bool]) -> Option<f64>, by: &[f64]| marked.as_ref().and_then(|m| of(by, m));
    let strange = |row: &usize| Strange {
        row: *row,
        origin: rows.split.origins.as_ref().and_then(|origins| origins.of(*row)),
        label: rows.split.labels.as_ref().and_then(|l| rows.classes.get(l[*row] as usize).cloned()),
        score: scores[*row],
        error: errors[*row],
    };
    let record = Record {
        run: run.path.display().to_string(),
        rows: rows.split.rows,
        draws: args.draws,
        roc_auc: figure(statistics::roc_auc, &scores),
        average_precision: figure(statistics::average_precision, &scores),
        roc_auc_of_error: figure(statistics::roc_auc, &errors),
        average_precision_of_error: figure(statistics::average_precision, &errors),
        strangest: order.iter().take(args.top as usize).map(strange).collect(),
    };
    let to = place_in(&run, args.to.as_deref(), "anomaly.csv");
    sheet(&rows, &order, &scores, &errors).write(&to)?;
    let mut pictured = None;
    if let Shape::Image { .. } | Shape::Point(2) = run.data.shape
        && to != std::path::Path::new("-")
    {
        let first: Vec<f32> =
            order.iter().take(args.top as usize).flat_map(|row| &x[row * width..(row + 1) * width]).copied().collect();
        if let Some(picture) = picture(run.data.shape, &first, &x, 10) {
            let path = to.with_file_name("strangest.png");
            put(&path, &png(&picture)?)?;
            pictured = Some(path);
        }
    }
    if args.run.json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&record)?)?;
        return Ok(());
    }
    if to != std::path::Path::new("-") {
        print(&record)?;
    }
    told(&to)?;
    if let Some(path) = pictured {
        told(&path)?;
    }
    Ok(())
}

/// Marks the rows of the anomalous classes.
fn marked(rows: &Rows, classes: &[String], run: &crate::apply::Run) -> Result<Vec<bool>, RunError> {
    let mut marked = vec![false; rows.split.rows];
    for class in classes {
        for row in of_class(rows, class, run)? {
            marked[row] = true;
        }
    }
    if marked.iter().all(|m| *m) {
        return Err(RunError::Unfit(
            "every row belongs to an anomalous class, so there are no normal rows to compare with: name fewer classes"
                .into(),
        ));
    }
    Ok(marked)
}

/// All rows, the most anomalous first.
fn sheet(rows: &Rows, order: &[usize], scores: &[f64], errors: &[f64]) -> Sheet {
    let names = with_names(Sheet::default(), rows);
    let sorted = |values: &[String]| order.iter().map(|row| values[*row].clone()).collect();
    let mut sheet = Sheet {
        text: vec![("row".into(), order.iter().map(usize::to_string).collect())],
        names: vec!["score".into(), "error".into()],
        numbers: order.iter().flat_map(|row| [scores[*row] as f32, errors[*row] as f32]).collect(),
    };
    for (name, values) in &names.text {
        sheet = sheet.with(name, sorted(values));
    }
    sheet
}

fn print(record: &Record) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "rows     {}, scored by their negative ELBO over {} draws", record.rows, record.draws)?;
    if let (Some(auc), Some(precision)) = (record.roc_auc, record.average_precision) {
        writeln!(out, "ROC-AUC  {auc:.4}, average precision {precision:.4}")?;
    }
    if let (Some(auc), Some(precision)) = (record.roc_auc_of_error, record.average_precision_of_error) {
        writeln!(out, "         {auc:.4} and {precision:.4} by the reconstruction error alone")?;
    }
    writeln!(out, "     row       score       error  origin, class")?;
    for s in &record.strangest {
        let what = [s.origin.as_deref(), s.label.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        writeln!(out, "{:>8}  {:>10.3}  {:>10.4}  {what}", s.row, s.score, s.error)?;
    }
    Ok(())
}
