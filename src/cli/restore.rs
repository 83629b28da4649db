//! `wgvae restore`: missing values filled in, or noise removed.

use std::path::PathBuf;

use super::encode::with_names;
use super::run_args::{RowsArgs, RunArgs, told};
use super::sheet::{Sheet, write_rows};
use crate::apply::restore::{Damage, restore};
use crate::apply::{Run, RunError, draws};
use crate::data::{self, Shape};
use crate::report;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// An image of the same size as the rows, white where pixels are missing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hole", "noise"])]
    mask: Option<PathBuf>,
    /// What is missing: names of a table's columns, or TOP,LEFT,HEIGHT,WIDTH in an image
    #[arg(long, value_name = "WHERE", value_delimiter = ',', conflicts_with = "noise")]
    hole: Vec<String>,
    /// Standard deviation of the noise, in the units the model was trained with (levels: 0 to 1)
    #[arg(long, value_name = "X")]
    noise: Option<f32>,
    /// Damage intact rows first, to measure how well they are restored
    #[arg(long)]
    damage: bool,
    /// Rounds of encoding and decoding
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: u64,
    /// How many rows to restore [default: all; a picture shows 20 of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// A .png, .csv, .json or .npy file, or - for CSV on stdout [default: restored.png, or .csv for tables]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let damage = damage(args, &run)?;
    let mut rows = args.rows.rows(&run)?;
    let count = (args.count.unwrap_or(u64::MAX) as usize).min(rows.split.rows);
    rows.split.retain(&(0..rows.split.rows).map(|row| row < count).collect::<Vec<bool>>());
    let mut model = args.run.model(&run, count)?;
    let width = model.width();
    let whole = rows.split.numbers(0..count, width);
    let before = if args.damage { damaged(&whole, &damage, run.data.bytes) } else { whole.clone() };
    let after =
        restore(&mut model, &before, rows.split.labels.as_deref(), run.data.bytes, &damage, args.rounds as usize)?;
    let shown = count.min(20) * width;
    let picture = match run.data.shape {
        Shape::Image { height, width, channels } => {
            let before = gaps(&before[..shown], &damage);
            let kinds: &[&[f32]] = match args.damage {
                true => &[&before, &after[..shown], &whole[..shown]],
                false => &[&before, &after[..shown]],
            };
            Some(report::stacked(kinds, (height, width, channels)))
        }
        Shape::Point(2) => Some(report::scatter(&before, &after)),
        _ => None,
    };
    if args.damage {
        let error = |rows: &[f32]| {
            let squares = rows.iter().zip(&whole).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            (squares / whole.len() as f64).sqrt()
        };
        warning!("root mean squared error: {:.4} damaged, {:.4} restored", error(&before), error(&after));
    }
    let to = write_rows(
        &run,
        args.to.as_deref(),
        "restored",
        || with_names(Sheet::of_rows(&run, after.clone()), &rows),
        picture,
    )?;
    told(&to)?;
    Ok(())
}

/// The damage that the flags describe.
fn damage(args: &Args, run: &Run) -> Result<Damage, RunError> {
    let width = run.data.shape.len();
    if let Some(noise) = args.noise {
        let fine = noise > 0.0 && noise.is_finite();
        return if fine {
            Ok(Damage::Noise(noise))
        } else {
            Err(RunError::Unfit("--noise must be a positive number".into()))
        };
    }
    let missing: Vec<bool> = match (&args.mask, run.data.shape) {
        (Some(path), Shape::Image { height, width, channels }) => {
            let mask = data::mask(path, height, width)?;
            mask.iter().flat_map(|gone| std::iter::repeat_n(*gone, channels)).collect()
        }
        (Some(_), _) => {
            return Err(RunError::Unfit(
                "--mask works only on images: name the missing columns of a table with --hole".into(),
            ));
        }
        (None, _) if args.hole.is_empty() => {
            let what = "say what is wrong with the rows: --mask FILE, --hole WHERE or --noise X";
            return Err(RunError::Unfit(what.into()));
        }
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
        (None, shape) => {
            let names = super::sheet::names_of(shape, run.data.columns.as_ref());
            let unknown = args.hole.iter().find(|hole| !names.contains(hole));
            if let Some(hole) = unknown {
                let reason = format!("there is no column `{hole}`; there are {}", data::list(&names));
                return Err(RunError::Unfit(reason));
            }
            names.iter().map(|name| args.hole.contains(name)).collect()
        }
    };
    let gone = missing.iter().filter(|gone| **gone).count();
    match gone {
        0 => Err(RunError::Unfit("the mask or hole marks nothing as missing: the hole lies outside the image, or the mask has no white pixel".into())),
        _ if gone == width => Err(RunError::Unfit("the mask or hole marks everything as missing, so there is nothing to restore the rows from: mark less".into())),
        _ => Ok(Damage::Missing(missing)),
    }
}

/// Damages rows; levels stay in [0, 1].
fn damaged(whole: &[f32], damage: &Damage, bytes: bool) -> Vec<f32> {
    match damage {
        Damage::Missing(_) => gaps(whole, damage),
        Damage::Noise(deviation) => {
            let noise = draws::prior(whole.len(), 1, 0, *deviation);
            let level = |v: f32| if bytes { v.clamp(0.0, 1.0) } else { v };
            whole.iter().zip(noise).map(|(v, noise)| level(v + noise)).collect()
        }
    }
}

/// Rows with 0 in place of missing values.
fn gaps(rows: &[f32], damage: &Damage) -> Vec<f32> {
    match damage {
        Damage::Missing(missing) => {
            rows.iter().zip(missing.iter().cycle()).map(|(v, gone)| if *gone { 0.0 } else { *v }).collect()
        }
        Damage::Noise(_) => rows.to_vec(),
    }
}
