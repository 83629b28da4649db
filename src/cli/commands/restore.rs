//! `wgvae restore`: missing values filled in, or noise removed.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use wgvae::apply::restore::{Damage, Restored, Wanted, hidden};
use wgvae::apply::{Run, RunError, draws};
use wgvae::report;
use wgvae_data::write;
use wgvae_data::{
    Cell, Columns, Dialect, Examples, FileRows, Form, Origins, Provenance, Rows, Series, Shape, TableColumn,
};
use wgvae_engine::plan::is_missing;

use crate::cli::args::run::{RowsArgs, RunArgs, print_written};
use crate::cli::commands::encode::with_names;
use crate::cli::commands::restore_gaps::{gone_of_series, with_gaps, with_hidden};
use crate::cli::commands::restore_texts::{self, Gaps};
use crate::cli::output::sheet::{Sheet, names_of, write_rows};
use crate::cli::output::terminal;

/// The most training rows that say how far off reconstructions are.
const MAX_COMPARED: usize = 2000;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae restore runs/table-rows --data rows.csv --to filled.csv", "fill in empty cells"),
    ("wgvae restore runs/dense-strokes --noise 0.2 --damage", "how well noise is removed"),
    ("wgvae restore runs/dense-strokes --hole 8,8,10,10 --damage", "how well a hole is filled in"),
    ("wgvae restore runs/text-grammar --damage", "how well hidden tokens of texts are guessed"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// An image of the same size as the rows, white where pixels are missing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hole", "noise"])]
    mask: Option<PathBuf>,
    /// What is missing: names of a table's columns, TOP,LEFT,HEIGHT,WIDTH in an image, a mark in texts, or steps or channels of series
    ///
    /// A mark stands in a text for each token that is missing, as in --hole _; of series, 10-19 hides steps and a name a channel
    /// [default: a table's empty cells, and tokens of a text that
    /// the vocabulary does not have].
    #[arg(long, value_name = "WHERE", value_delimiter = ',', conflicts_with = "noise")]
    hole: Vec<String>,
    /// Standard deviation of the noise, in the units the model was trained with (levels: 0 to 1)
    #[arg(long, value_name = "X")]
    noise: Option<f32>,
    /// Damage intact rows first, to measure how well they are restored
    ///
    /// Without --hole, a fifth of a table's cells, or of a text's tokens, is hidden, and of each series a gap of a fifth of its steps.
    #[arg(long)]
    damage: bool,
    /// Write N independent completions of each row
    ///
    /// They take the place of the best guess, and differ as far as what is seen leaves open.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u64).range(..=10_000))]
    draws: u64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Add a column that names the cells, or the places of tokens, which were filled in
    #[arg(long, conflicts_with = "noise")]
    mark: bool,
    /// How many rows to restore [default: all; a picture shows 20 of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A .png, .csv, .parquet, .json, .npy or .npz file, or - for CSV on stdout [default: restored.png, .csv for tables, .txt for texts, .wav or
    /// .mid for sounds]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// What is done, as it is printed.
#[derive(serde::Serialize)]
struct Done {
    rows: usize,
    /// Values, or cells of a table, that are missing in all rows together.
    missing: usize,
    /// Root mean squared errors, in `units`: of the missing values, or with noise of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    rmse_damaged: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rmse_restored: Option<f64>,
    units: &'static str,
    /// What is counted.
    #[serde(skip)]
    counted: &'static str,
    /// The result of each column that was damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<ColumnDone>,
    /// What the rows of the picture are, from above.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<Vec<&'static str>>,
}

/// How well a column was restored, in its own units, and how well it would be with the mean or the most frequent word.
#[derive(serde::Serialize)]
struct ColumnDone {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rmse: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rmse_of_mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_right: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_most_frequent: Option<f64>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    if let Some(vocabulary) = &run.data.vocabulary {
        let asked = Gaps {
            hole: &args.hole,
            is_other: args.noise.is_some() || args.mask.is_some(),
            damage: args.damage,
            draws: args.draws,
            seed: args.seed,
            mark: args.mark,
            count: args.count,
            to: args.to.as_deref(),
        };
        return restore_texts::run(&args.run, &args.rows, asked, &run, vocabulary);
    }
    if args.noise.is_some_and(|noise| !(noise > 0.0 && noise.is_finite())) {
        return Err(RunError::Unfit("--noise must be a positive number".into()).into());
    }
    let damage = damage_of(args);
    let gone = gone(args, &run)?;
    let (mut rows, train) = match damage {
        Damage::Noise(_) => {
            let (rows, train) = args.rows.rows_and_train_rows(&run, MAX_COMPARED)?;
            match train {
                Ok(train) => (rows, Some(train)),
                // What a table's columns leave open they know themselves.
                Err(_) if run.data.columns.is_some() => (rows, None),
                Err(error) => return Err(error.into()),
            }
        }
        Damage::Missing => (args.rows.rows_with_missing(&run)?, None),
    };
    let count = (args.count.unwrap_or(u64::MAX) as usize).min(rows.split.rows);
    rows.split.retain(&(0..rows.split.rows).map(|row| row < count).collect::<Vec<bool>>());
    let train = train.as_ref().map(|train| &train.split);
    let mut restorer = args.run.adapter.restorer(&run, count, damage, train)?;
    let width = run.data.shape.len();
    let whole = rows.split.numbers(0..count, width);
    let before = match (damage, &gone) {
        (Damage::Noise(noise), _) if args.damage => with_noise(&run, &whole, noise),
        (Damage::Missing, Some(gone)) => hidden(&whole, gone),
        (Damage::Missing, None) if args.damage => match (&run.data.columns, run.data.shape) {
            (Some(columns), _) => with_hidden(columns, &whole, args.seed),
            (None, Shape::Series { length, channels }) => with_gaps(&whole, length, channels, args.seed),
            _ => whole.clone(),
        },
        _ => whole.clone(),
    };
    let is_whole = damage == Damage::Missing && !before.iter().any(|value| is_missing(*value));
    if is_whole && (run.data.columns.is_none() || args.draws > 0) {
        let what = "no value of these rows is missing: say what is wrong with them, with --mask FILE, --hole WHERE or --noise X";
        return Err(RunError::Unfit(what.into()).into());
    }
    let wanted = Wanted {
        draws: args.draws as usize,
        noisy: run.data.columns.is_some() || run.data.series.is_some(),
        seed: args.seed,
    };
    // A table of which nothing is missing comes back as it is.
    let restored = match is_whole {
        true => Restored { rows: before.clone(), draws: Vec::new() },
        false => {
            let bar = args.run.counting("restore", 0);
            let restored = restorer.restore_with(&before, rows.split.labels.as_deref(), wanted, &mut |done, all| {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            restored?
        }
    };
    let (picture, named) = picture(&run, args, [&before, &restored.rows, &whole]);
    let done = done(&run, args, damage, [&before, &restored.rows, &whole], named);
    let source = match &run.data.columns {
        Some(_) => {
            wgvae_data::file_rows(Path::new(args.rows.source(&run)), args.rows.data.is_none().then_some(&rows.split))?
        }
        None => None,
    };
    let sheet = || match (&source, &run.data.columns) {
        (Some(file), Some(columns)) => Ok(of_file(args, columns, file, &rows.split, &before, &restored)),
        _ => sheet(args, &run, &rows, &restored),
    };
    let to = write_rows(&run, args.to.as_deref(), "restored", sheet, picture)?;
    if to != Path::new("-") {
        print(&done, args, damage)?;
    }
    if !args.run.json {
        print_written(&to)?;
    }
    Ok(())
}

fn print(done: &Done, args: &Args, damage: Damage) -> anyhow::Result<()> {
    let mut out = terminal::out();
    if args.run.json {
        writeln!(out, "{}", serde_json::to_string(done)?)?;
        return Ok(());
    }
    writeln!(out, "rows     {} with {} missing {}", done.rows, done.missing, done.counted)?;
    if let (Some(damaged), Some(restored)) = (done.rmse_damaged, done.rmse_restored) {
        let of = if damage == Damage::Missing { "the missing values" } else { "all values" };
        writeln!(out, "rmse     {damaged:.4} damaged, {restored:.4} restored: of {of}, in {}", done.units)?;
    }
    for column in &done.columns {
        match (column.rmse, column.rmse_of_mean, column.share_right, column.share_of_most_frequent) {
            (Some(rmse), Some(mean), ..) => {
                writeln!(out, "         {}: rmse {rmse:.4}, {mean:.4} with the mean", wgvae_data::shown(&column.name))?;
            }
            (_, _, Some(right), Some(most)) => {
                writeln!(
                    out,
                    "         {}: {:.1} % right, {:.1} % with the most frequent word",
                    wgvae_data::shown(&column.name),
                    100.0 * right,
                    100.0 * most
                )?;
            }
            _ => {}
        }
    }
    if let Some(picture) = &done.picture {
        writeln!(out, "picture  rows in turn: {}", picture.join(", "))?;
    }
    Ok(())
}

/// The damage and what became of it.
fn done(
    run: &Run,
    args: &Args,
    damage: Damage,
    [before, after, whole]: [&[f32]; 3],
    named: Option<Vec<&'static str>>,
) -> Done {
    let width = run.data.shape.len();
    let count = before.len() / width.max(1);
    // What was there, and is judged by.
    let judged = |i: usize| !is_missing(whole[i]) && (is_missing(before[i]) || damage != Damage::Missing);
    let error = |rows: &[f32]| {
        let apart = |i: usize| if is_missing(rows[i]) { whole[i] } else { rows[i] - whole[i] };
        let squares: Vec<f64> = (0..whole.len()).filter(|i| judged(*i)).map(|i| f64::from(apart(i)).powi(2)).collect();
        (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
    };
    let columns = run.data.columns.as_ref().filter(|_| args.damage && damage == Damage::Missing);
    let of_table = run.data.columns.as_ref();
    Done {
        rows: count,
        // A cell of a table has several values where it is one of several words.
        missing: match of_table {
            Some(columns) => {
                let starts: Vec<usize> = columns.spans().into_iter().map(|span| span.start).collect();
                before
                    .chunks(width.max(1))
                    .map(|row| starts.iter().filter(|start| is_missing(row[**start])).count())
                    .sum()
            }
            None => before.iter().filter(|value| is_missing(**value)).count(),
        },
        counted: if of_table.is_some() { "cells" } else { "values" },
        rmse_damaged: args.damage.then(|| error(before)),
        rmse_restored: args.damage.then(|| error(after)),
        units: match run.data.shape {
            _ if run.data.bytes => "levels from 0 to 1",
            Shape::Series { .. } => "standard deviations of the channels",
            Shape::Table(_) => "standard deviations of the columns, and shares of words",
            _ => "the units of the data",
        },
        columns: columns.map_or_else(Vec::new, |columns| of_columns(columns, [before, after, whole])),
        picture: named,
    }
}

fn of_columns(columns: &Columns, [before, after, whole]: [&[f32]; 3]) -> Vec<ColumnDone> {
    let count = columns.len();
    let after = columns.numbers_of(&columns.cells_filled(after, before));
    let true_cells = columns.cell_numbers(whole, Provenance::Kept);
    let gone = columns.cell_numbers(before, Provenance::Kept);
    let column = |place: usize| {
        let cells = || (place..true_cells.len()).step_by(count).filter(|i| !true_cells[*i].is_nan());
        let hidden: Vec<usize> = cells().filter(|i| gone[*i].is_nan()).collect();
        if hidden.is_empty() {
            return None;
        }
        let name = columns.all[place].name.clone();
        let none = ColumnDone { name, rmse: None, rmse_of_mean: None, share_right: None, share_of_most_frequent: None };
        let number = |i: &usize| f64::from(true_cells[*i]);
        if columns.all[place].kind.is_of_words() {
            let right = hidden.iter().filter(|i| after[**i] == true_cells[**i]).count();
            let same = |i: &usize| hidden.iter().filter(|j| true_cells[**j] == true_cells[*i]).count();
            let most = hidden.iter().map(same).max().unwrap_or(0);
            let share = |rows: usize| Some(rows as f64 / hidden.len() as f64);
            return Some(ColumnDone { share_right: share(right), share_of_most_frequent: share(most), ..none });
        }
        let mean = hidden.iter().map(number).sum::<f64>() / hidden.len() as f64;
        let root = |guess: &dyn Fn(&usize) -> f64| {
            let squares: f64 = hidden.iter().map(|i| (guess(i) - number(i)).powi(2)).sum();
            Some((squares / hidden.len() as f64).sqrt())
        };
        let (rmse, rmse_of_mean) = (root(&|i| f64::from(after[*i])), root(&|_| mean));
        Some(ColumnDone { rmse, rmse_of_mean, ..none })
    };
    (0..count).filter_map(column).collect()
}

/// A picture of some rows, and what its rows are.
fn picture(
    run: &Run,
    args: &Args,
    [before, after, whole]: [&[f32]; 3],
) -> (Option<image::DynamicImage>, Option<Vec<&'static str>>) {
    match run.data.shape {
        Shape::Image { height, width, channels } => {
            let most = (20 * height * width * channels).min(before.len());
            let mut kinds: Vec<&[f32]> = vec![&before[..most], &after[..most]];
            let mut named = vec!["as they were given", "restored"];
            if args.damage {
                kinds.push(&whole[..most]);
                named = vec!["damaged", "restored", "as they were"];
            }
            (Some(report::stacked(&kinds, (height, width, channels))), Some(named))
        }
        Shape::Point(2) => {
            let shown: Vec<f32> = before.iter().map(|value| if is_missing(*value) { 0.0 } else { *value }).collect();
            (Some(report::scatter(&shown, after)), None)
        }
        _ => (None, None),
    }
}

/// The rows, or the completions of each row one after the other.
fn sheet(args: &Args, run: &Run, rows: &Rows, restored: &Restored) -> anyhow::Result<Sheet> {
    // Read once: they are the same for every draw.
    let names = with_names(Sheet::default(), run, args.rows.source(run), rows)?.text;
    let of = |values: &[f32], of: Provenance| Sheet { text: names.clone(), ..Sheet::of(run, values.to_vec(), of) };
    if restored.draws.is_empty() {
        let is_table = run.data.columns.is_some();
        return Ok(of(&restored.rows, if is_table { Provenance::Drawn } else { Provenance::Kept }));
    }
    Ok(Sheet::in_turn("draw", restored.draws.iter().map(|drawn| of(drawn, Provenance::Drawn)).collect()))
}

/// The table that was given, with all its columns and rows as they stand there, but for the cells that were filled in.
fn of_file(
    args: &Args,
    columns: &Columns,
    file: &FileRows,
    rows: &Examples,
    before: &[f32],
    restored: &Restored,
) -> Sheet {
    let of_table = columns.of_table();
    let (width, count) = (columns.width(), of_table.len());
    let starts: Vec<usize> = columns.spans().into_iter().map(|span| span.start).collect();
    let place = |column: &TableColumn| {
        let exact = file.names.iter().position(|name| name == column.name);
        exact.or_else(|| file.names.iter().position(|name| name.eq_ignore_ascii_case(column.name)))
    };
    let places: Vec<Option<usize>> = of_table.iter().map(place).collect();
    let lines: HashMap<u64, usize> = match &rows.origins {
        Some(Origins::Numbered(_, numbers)) => numbers.iter().copied().zip(0..).collect(),
        _ => HashMap::new(),
    };
    let fields = (0..file.numbers.len()).map(|row| file.len_of(row)).max().unwrap_or(0).max(file.names.len());
    let is_noise = matches!(damage_of(args), Damage::Noise(_));
    let cells_of = |values: &[f32]| match is_noise {
        true => columns.cells(values, Provenance::Drawn),
        false => columns.cells_filled(values, before),
    };
    let made = |values: &[f32]| -> Sheet {
        let cells = columns.joined(cells_of(values));
        let (mut all, mut marks) = (Vec::with_capacity(file.numbers.len() * fields), Vec::new());
        for (number, line) in file.numbers.iter().enumerate() {
            let first = all.len();
            all.extend((0..fields).map(|place| file.cell(number, place)));
            let mut filled = Vec::new();
            for (column, place) in places.iter().enumerate() {
                let (Some(row), Some(place)) = (lines.get(line), place) else { continue };
                let of_model = &columns.all[of_table[column].columns.start];
                let is_gone = is_missing(before[row * width + starts[of_table[column].columns.start]]);
                // What a column of numbers takes as missing, such as a word, stays where it stands.
                let is_kept = !args.hole.contains(&of_model.name)
                    && !args.damage
                    && all[first + place] != Cell::Missing
                    && !of_model.is_blank(&file.text(number, *place));
                if is_gone && !is_kept || is_noise && of_model.kind.is_normal() {
                    all[first + place] = cells[row * count + column].clone();
                    filled.push(of_table[column].name);
                }
            }
            marks.push(Cell::Word(filled.join("; ")));
        }
        let mut names = file.header.clone();
        names.resize(fields, String::new());
        let mut forms = vec![Form::Words; fields];
        for (column, place) in of_table.iter().zip(&places) {
            place.iter().for_each(|place| forms[*place] = columns.all[column.columns.start].form.clone());
        }
        if args.mark {
            names.push(write::apart("filled", |name| names.iter().any(|known| known == name)));
            forms.push(Form::Words);
            let rows: Vec<Vec<Cell>> = all.chunks(fields.max(1)).map(<[Cell]>::to_vec).collect();
            all = rows.into_iter().zip(marks).flat_map(|(row, mark)| row.into_iter().chain([mark])).collect();
        }
        let dialect = Dialect { header: args.mark || file.has_header, ..file.dialect.unwrap_or_default() };
        Sheet { names, numbers: Vec::new(), cells: Some(all), forms, dialect, ..Sheet::default() }
    };
    if restored.draws.is_empty() {
        let sheet = made(&restored.rows);
        return Sheet { numbers: columns.numbers_of(&cells_of(&restored.rows)), ..sheet };
    }
    Sheet::in_turn("draw", restored.draws.iter().map(|drawn| made(drawn)).collect())
}

fn damage_of(args: &Args) -> Damage {
    args.noise.map_or(Damage::Missing, Damage::Noise)
}

/// `(D)`: which values the flags hide.
fn gone(args: &Args, run: &Run) -> Result<Option<Vec<bool>>, RunError> {
    let width = run.data.shape.len();
    let gone: Vec<bool> = match (&args.mask, run.data.shape) {
        (Some(path), Shape::Image { height, width, channels }) => {
            let mask = wgvae_data::mask(path, height, width)?;
            mask.iter().flat_map(|gone| std::iter::repeat_n(*gone, channels)).collect()
        }
        (Some(_), _) => {
            return Err(RunError::Unfit(
                "--mask works only on images: name the missing columns of a table, or steps of series, with --hole"
                    .into(),
            ));
        }
        (None, _) if args.hole.is_empty() => return Ok(None),
        (None, Shape::Image { height, width, channels }) => {
            let sides: Vec<usize> = args.hole.iter().filter_map(|side| side.trim().parse().ok()).collect();
            let [top, left, tall, wide] = sides[..] else {
                return Err(RunError::Unfit(
                    "a hole in an image is given as TOP,LEFT,HEIGHT,WIDTH in pixels, such as --hole 8,8,12,12".into(),
                ));
            };
            let inside = |i: usize| {
                let (y, x) = (i / channels / width, i / channels % width);
                (top..top.saturating_add(tall)).contains(&y) && (left..left.saturating_add(wide)).contains(&x)
            };
            (0..height * width * channels).map(inside).collect()
        }
        (None, Shape::Series { length, .. }) => {
            let names = run.data.series.as_ref().map_or_else(Vec::new, Series::names);
            gone_of_series(&args.hole, &names, length)?
        }
        (None, shape) => {
            let names = names_of(shape, run.data.columns.as_ref());
            let unknown = args.hole.iter().find(|hole| !names.contains(hole));
            if let Some(hole) = unknown {
                let reason = format!("there is no column `{hole}`; there are {}", wgvae_data::list(&names));
                return Err(RunError::Unfit(reason));
            }
            let spans = run.data.columns.as_ref().map(Columns::spans);
            let values = |place: usize| spans.as_ref().map_or(1, |spans| spans[place].len());
            let of_name =
                |(place, name): (usize, &String)| std::iter::repeat_n(args.hole.contains(name), values(place));
            names.iter().enumerate().flat_map(of_name).collect()
        }
    };
    match gone.iter().filter(|gone| **gone).count() {
        0 => Err(RunError::Unfit("the mask or hole marks nothing as missing: the hole lies outside the image, or the mask has no white pixel".into())),
        all if all == width => Err(RunError::Unfit("the mask or hole marks everything as missing, so there is nothing to restore the rows from: mark less".into())),
        _ => Ok(Some(gone)),
    }
}

/// Adds noise to numbers; levels stay in [0, 1], and words and counts what they are.
fn with_noise(run: &Run, whole: &[f32], deviation: f32) -> Vec<f32> {
    let noise = draws::prior(whole.len(), 1, 0, deviation);
    let is_number: Vec<bool> = match &run.data.columns {
        Some(columns) => columns.are_numbers(),
        None => vec![true],
    };
    let level = |v: f32| if run.data.bytes { v.clamp(0.0, 1.0) } else { v };
    let of = |((v, noise), is_number): ((&f32, f32), &bool)| {
        if *is_number && !is_missing(*v) { level(v + noise) } else { *v }
    };
    whole.iter().zip(noise).zip(is_number.iter().cycle()).map(of).collect()
}
