//! `wgvae anomaly`: rows ranked by their anomaly score.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wgvae::apply::anomaly::{self, MAX_COMPARED, Scores, TrainingScores};
use wgvae::apply::classes::members;
use wgvae::apply::{Run, RunError, statistics};
use wgvae::run::png;
use wgvae_data::{Examples, Rows, Shape, Unseen, shown};

use crate::cli::args::run::{RowsArgs, RunArgs, print_written};
use crate::cli::commands::encode::with_names;
use crate::cli::output::anomalies::{Part, Strange, Table, nats_of_tokens};
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::{Sheet, names_of, picture, write_file};
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae anomaly runs/table-rows --data rows.csv", "scores of the rows of a table"),
    ("wgvae anomaly runs/table-rows --quantile 0.99", "and which are above 99 % of the training rows"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Classes that count as anomalous, to compute ROC-AUC and average precision
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    anomalous: Vec<String>,
    /// Leave out rows that the model was trained on, and rows equal to them
    #[arg(long)]
    held_out: bool,
    /// Call rows anomalous whose score is above that of this share of the training rows
    #[arg(long, value_name = "Q", conflicts_with = "contamination")]
    quantile: Option<f64>,
    /// Call this share of the rows anomalous; `auto` is those far above the training rows (3.5 robust deviations)
    #[arg(long, value_name = "SHARE")]
    contamination: Option<Contamination>,
    /// Latent draws per row
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    draws: u64,
    /// How many of the most anomalous rows to list and draw
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    top: u64,
    /// A .csv, .parquet, .json, .npy or .npz file for the scores of all rows, or - for CSV on stdout [default: anomaly.csv in the run's
    /// folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// How many rows are anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Contamination {
    Auto,
    Share(f64),
}

impl std::str::FromStr for Contamination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Contamination::Auto),
            (_, Ok(share)) if share > 0.0 && share < 1.0 => Ok(Contamination::Share(share)),
            _ => Err("give auto, or a share of the rows above 0 and below 1".into()),
        }
    }
}

#[derive(Serialize)]
struct Record {
    run: String,
    rows: usize,
    /// How many of the rows the model was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_rows: Option<usize>,
    draws: u64,
    /// Rows with something that no training row had.
    unseen_rows: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_precision: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc_of_negative_elbo: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc_of_distance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roc_auc_of_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_precision_of_error: Option<f64>,
    /// Rows above this score are anomalous.
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anomalous_rows: Option<usize>,
    #[serde(skip)]
    is_of_texts: bool,
    strangest: Vec<Strange>,
}

/// What names rows in the sheet of scores: of a table's file, all that stands there; of texts, themselves.
fn named(run: &Run, args: &Args, rows: &Rows) -> anyhow::Result<Sheet> {
    let source = args.rows.source(run);
    if let Some(texts) = Sheet::of_texts(run, &rows.split.numbers(0..rows.split.rows, run.data.shape.len())) {
        return Ok(with_names(texts, run, source, rows)?);
    }
    let file = match &run.data.columns {
        Some(_) => wgvae_data::file_rows(Path::new(source), Some(&rows.split))?,
        None => None,
    };
    let Some(file) = file else { return Ok(with_names(Sheet::like(run), run, source, rows)?) };
    let origin = |row: usize| rows.split.origins.as_ref().and_then(|origins| origins.of(row)).unwrap_or_default();
    let mut sheet = Sheet::like(run).with("origin", (0..rows.split.rows).map(origin).collect());
    for (place, name) in file.names.iter().enumerate() {
        let text = |row: usize| file.cell(row, place).to_string();
        sheet = sheet.with(name, (0..rows.split.rows).map(text).collect());
    }
    Ok(sheet)
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    if args.quantile.is_some_and(|quantile| !(quantile > 0.0 && quantile < 1.0)) {
        return Err(RunError::Unfit("--quantile must be above 0 and below 1, such as 0.99".into()).into());
    }
    let (mut rows, train) = args.rows.rows_and_train_rows(&run, MAX_COMPARED)?;
    let (trained, numbers) = trained(&run, &mut rows, args)?;
    let marked = match args.anomalous.is_empty() {
        true => None,
        false => Some(marked(&rows, &args.anomalous, &run)?),
    };
    let mut model = args.run.model(&run, rows.split.rows)?;
    let (parts, of_parts) =
        anomaly::parts(run.data.shape, run.data.columns.as_ref(), names_of(run.data.shape, run.data.columns.as_ref()));
    let draws = args.draws as usize;
    let steps =
        Scores::steps(&rows.split, draws) + train.as_ref().map_or(0, |train| Scores::steps(&train.split, draws));
    let bar = args.run.counting("scoring", steps);
    let mut scored = |rows: &Examples| Scores::of(&mut model, rows, draws, &of_parts, &mut |rows| bar.inc(rows as u64));
    let mut of_train = match train {
        Ok(train) => Some((scored(&train.split)?, train.split)),
        Err(error) if args.quantile.is_some() || args.contamination == Some(Contamination::Auto) => {
            return Err(error.into());
        }
        Err(error) => {
            warning!("scores are not compared with those of the training rows: {error}");
            None
        }
    };
    let mut found = scored(&rows.split)?;
    bar.finish_and_clear();
    if let (Some((scores, train)), Some(columns)) = (&mut of_train, &run.data.columns) {
        found.join(scores, columns, [&rows.split, &*train], trained.as_deref());
    }
    if let Some((_, train)) = &of_train {
        rows.split.unseen.extend(anomaly::unseen_tokens(&run, &rows.split, train));
    }
    let train = of_train.map(|(scores, _)| TrainingScores::of(scores));
    found.raise(&rows.split.unseen, train.as_ref());
    let mut unseen = vec![Vec::new(); rows.split.rows];
    for Unseen { row, column, why } in &rows.split.unseen {
        unseen[*row].push(match run.data.columns.as_ref().and_then(|columns| columns.all.get(*column)) {
            Some(column) => format!("{}: {why}", shown(&column.name)),
            None => why.clone(),
        });
    }
    let table = Table {
        numbers,
        unseen,
        order: found.order(),
        nats: nats_of_tokens(&run, &rows.split, &found),
        shares: match run.data.vocabulary {
            // Training rows have other tokens at the same place.
            Some(_) => found.shares_of_all(),
            None => found.shares(train.as_ref()),
        },
        quantiles: train.as_ref().map(|train| found.scores.iter().map(|score| train.quantile(*score)).collect()),
        threshold: threshold(args, &found.scores, train.as_ref()),
        trained,
        parts,
        found,
    };
    let (scores, errors, distances) = (&table.found.scores, &table.found.errors, table.found.distances.as_deref());
    let figure = |of: fn(&[f64], &[bool]) -> Option<f64>, by: &[f64]| marked.as_ref().and_then(|m| of(by, m));
    let most = table.order.iter().take(args.top as usize);
    let strangest: Vec<usize> = most.clone().copied().collect();
    let expected = anomaly::expected(&run, &mut model, &rows.split.of_rows(&strangest, run.data.shape.len()))?;
    let of_each = if strangest.is_empty() { 0 } else { expected.len() / strangest.len() };
    let unseen_rows = table.unseen.iter().filter(|unseen| !unseen.is_empty()).count();
    let record = Record {
        run: run.files.to_string(),
        rows: rows.split.rows,
        trained_rows: table.trained.as_ref().map(|trained| trained.iter().filter(|trained| **trained).count()),
        draws: args.draws,
        roc_auc: figure(statistics::roc_auc, scores),
        average_precision: figure(statistics::average_precision, scores),
        roc_auc_of_negative_elbo: distances.and_then(|_| figure(statistics::roc_auc, &table.found.negative_elbos)),
        roc_auc_of_distance: distances.and_then(|distances| figure(statistics::roc_auc, distances)),
        roc_auc_of_error: figure(statistics::roc_auc, errors),
        average_precision_of_error: figure(statistics::average_precision, errors),
        threshold: table.threshold,
        anomalous_rows: table.threshold.map(|threshold| scores.iter().filter(|score| **score > threshold).count()),
        unseen_rows,
        is_of_texts: run.data.vocabulary.is_some(),
        strangest: strangest
            .iter()
            .enumerate()
            .map(|(place, row)| table.strange(*row, &rows, &expected[place * of_each..(place + 1) * of_each]))
            .collect(),
    };
    let to = place_in(&run, args.to.as_deref(), "anomaly.csv")?;
    table.sheet(named(&run, args, &rows)?).write(&to)?;
    let mut pictured = None;
    if let Shape::Image { .. } | Shape::Point(2) = run.data.shape
        && to != std::path::Path::new("-")
    {
        let width = run.data.shape.len();
        let first: Vec<f32> = most.flat_map(|row| rows.split.numbers(*row..row + 1, width)).collect();
        // Points are drawn on top of the others.
        let ground = if width == 2 { rows.split.numbers(0..rows.split.rows, width) } else { Vec::new() };
        if let Some(picture) = picture(run.data.shape, &first, &ground, 10) {
            let path = place_in(&run, Some(&to.with_file_name("strangest.png")), "")?;
            write_file(&path, &png(&picture)?)?;
            pictured = Some(path);
        }
    }
    if args.run.json {
        writeln!(terminal::out(), "{}", serde_json::to_string(&record)?)?;
        return Ok(());
    }
    if to != std::path::Path::new("-") {
        print(&record)?;
    }
    print_written(&to)?;
    if let Some(path) = pictured {
        print_written(&path)?;
    }
    Ok(())
}

/// Which rows the model was trained on, after these are left out if asked; and the number that each row has in its source.
fn trained(run: &Run, rows: &mut Rows, args: &Args) -> Result<(Option<Vec<bool>>, Vec<usize>), RunError> {
    let all: Vec<usize> = (0..rows.split.rows).collect();
    let Some(known) = &run.data.trained else {
        return match args.held_out {
            true => Err(RunError::Unfit(format!(
                "{} does not say which rows it was trained on (there were too many): leave --held-out out",
                run.files
            ))),
            false => Ok((None, all)),
        };
    };
    let trained = known.mark(&rows.split);
    let count = trained.iter().filter(|trained| **trained).count();
    if !args.held_out {
        if count > 0 {
            warning!(
                "{count} of {} rows are equal to rows that the model was trained on, whose scores are lower for it: --held-out \
                 leaves them out",
                trained.len()
            );
        }
        return Ok((Some(trained), all));
    }
    if count == trained.len() {
        return Err(RunError::Unfit(format!(
            "all {count} rows are equal to rows that the model was trained on: use other rows"
        )));
    }
    warning!("{count} of {} rows, which are equal to rows that the model was trained on, are left out", trained.len());
    let held_out: Vec<bool> = trained.iter().map(|trained| !trained).collect();
    rows.split.retain(&held_out);
    let numbers = all.into_iter().filter(|row| held_out[*row]).collect();
    Ok((Some(vec![false; rows.split.rows]), numbers))
}

/// The score above which rows are anomalous, if that was asked.
fn threshold(args: &Args, scores: &[f64], train: Option<&TrainingScores>) -> Option<f64> {
    match (args.quantile, args.contamination) {
        (Some(quantile), _) => train.map(|train| train.score_at(quantile)),
        (None, Some(Contamination::Auto)) => train.map(TrainingScores::far),
        (None, Some(Contamination::Share(share))) => {
            let order = statistics::descending(scores);
            let count = (share * scores.len() as f64).round() as usize;
            order.get(count).map(|row| scores[*row])
        }
        (None, None) => None,
    }
}

/// Marks the rows of the anomalous classes.
fn marked(rows: &Rows, classes: &[String], run: &wgvae::apply::Run) -> Result<Vec<bool>, RunError> {
    let mut marked = vec![false; rows.split.rows];
    for class in classes {
        for row in members(rows, class, &run.data.name)? {
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

fn print(record: &Record) -> std::io::Result<()> {
    let mut out = terminal::out();
    let is_joined = record.strangest.iter().any(|strange| strange.distance.is_some());
    let with = if is_joined { " and their distance to training rows" } else { "" };
    writeln!(out, "rows     {}, scored by their negative ELBO over {} draws{with}", record.rows, record.draws)?;
    if let (Some(count), Some(threshold)) = (record.anomalous_rows, record.threshold) {
        writeln!(out, "found    {count} anomalous, with scores above {threshold:.3}")?;
    }
    if let (Some(auc), Some(precision)) = (record.roc_auc, record.average_precision) {
        writeln!(out, "ROC-AUC  {auc:.4}, average precision {precision:.4}")?;
    }
    if let (Some(elbo), Some(distance)) = (record.roc_auc_of_negative_elbo, record.roc_auc_of_distance) {
        writeln!(out, "         {elbo:.4} by the negative ELBO alone, {distance:.4} by the distance alone")?;
    }
    if let (Some(auc), Some(precision)) = (record.roc_auc_of_error, record.average_precision_of_error) {
        writeln!(out, "         {auc:.4} and {precision:.4} by the reconstruction error alone")?;
    }
    if record.unseen_rows > 0 {
        let rows = record.unseen_rows;
        writeln!(
            out,
            "unseen   {rows} with something that no training row had: their scores are above those of all others"
        )?;
    }
    match is_joined {
        true => {
            writeln!(
                out,
                "score    negative ELBO, the higher the less the model expects such a row, and the distance"
            )?;
            writeln!(out, "         to training rows: deviations of both from what training rows have, added")?;
        }
        false => writeln!(out, "score    negative ELBO: the higher, the less the model expects such a row")?,
    }
    writeln!(out, "quantile share of the training rows with a lower score")?;
    match record.is_of_texts {
        true => writeln!(out, "error    nats of a token under the mean code; tokens are counted from 0")?,
        false => writeln!(out, "error    mean square of what the reconstruction is off, in deviations of the columns")?,
    }
    writeln!(out, "     row       score  quantile       error  origin, class: what is unusual of it")?;
    for s in &record.strangest {
        let what = [s.origin.as_deref(), s.label.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let quantile = s.quantile.map_or_else(String::new, |quantile| format!("{quantile:.4}"));
        let said = |part: &Part| match (&part.value, &part.expected) {
            (Some(value), Some(expected)) => format!("{} {value}, expected {expected}", shown(&part.name)),
            _ => format!("{} {:.0} %", part.name, 100.0 * part.share),
        };
        let is_new =
            |part: &&Part| !s.unseen.iter().any(|unseen| unseen.starts_with(&format!("{}: ", shown(&part.name))));
        let parts: Vec<String> = s.unseen.iter().cloned().chain(s.parts.iter().filter(is_new).map(said)).collect();
        let (row, score, error) = (s.row, s.score, s.error);
        let of = if parts.is_empty() { "" } else { ": " };
        writeln!(out, "{row:>8}  {score:>10.3}  {quantile:>8}  {error:>10.4}  {what}{of}{}", parts.join("; "))?;
    }
    Ok(())
}
