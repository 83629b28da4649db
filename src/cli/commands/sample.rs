//! `wgvae sample`: new rows, decoded from draws of a mixture fitted to codes, of the prior, or around known codes.

use std::path::PathBuf;

use wgvae::apply::classes::Centre;
use wgvae::apply::{DecoderOutput, Mixture, Run, RunError, TokenChoice, TrainedModel, draws};
use wgvae::model::Labels;
use wgvae_data::disk::System;
use wgvae_data::{Rows, Shape, Vocabulary, write};

use crate::cli::args::run::{DrawArgs, RowsArgs, RunArgs, own_data};
use crate::cli::output::drawn::Drawn;
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::{is_folder, levels, picture, write_rows};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae sample runs/dense-strokes", "a picture of 100 images"),
    ("wgvae sample runs/dense-strokes --around-class 3 --to threes.npy", "around a class, as numbers"),
    ("wgvae sample runs/table-rows --count 1000 --to new.csv", "rows of a table"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// How many rows to draw [default: 100; 2000 for points]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: Option<u64>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// What codes are drawn from
    #[arg(long, value_enum, default_value = "codes", conflicts_with_all = ["around_class", "around_row"])]
    from: From,
    #[command(flatten)]
    draws: DrawArgs,
    /// Multiply the standard deviation of the draws
    ///
    /// Rows are more typical below 1, and more unusual above 1. For texts, it is the temperature of the tokens: what logits are divided
    /// by.
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true)]
    temperature: f32,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Draw around the mean code of the rows of this class
    #[arg(long, value_name = "CLASS", conflicts_with = "around_row")]
    around_class: Option<String>,
    /// Draw around the code of this row, counted from 0
    #[arg(long, value_name = "ROW")]
    around_row: Option<usize>,
    /// A file, e.g. .png, .csv, .npy; a folder; or - for stdout
    ///
    /// A .png, .csv, .parquet, .json, .npy or .npz file, a folder for one PNG file an image, or - for CSV on stdout [default: samples.png,
    /// or .csv for rows of a table]. Of sounds a .wav file, of music a .mid file, or a folder with a file for each.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// How tokens of texts are chosen.
#[derive(Debug, clap::Args)]
struct TokenArgs {
    /// Draw each token of a text from the likeliest ones that make up this share
    #[arg(long, value_name = "SHARE", conflicts_with = "greedy", hide_short_help = true)]
    top_p: Option<f64>,
    /// Take the likeliest token of a text at each step
    #[arg(long, hide_short_help = true)]
    greedy: bool,
    /// Begin each text with this
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    prefix: Option<String>,
}

impl TokenArgs {
    /// How the tokens are chosen, and those that each text begins with; none where the run is not on texts.
    fn choice(&self, run: &Run, temperature: f32, seed: u64) -> Result<Option<(TokenChoice, Vec<u32>)>, RunError> {
        let Some(vocabulary) = &run.data.vocabulary else {
            let asked =
                [("--top-p", self.top_p.is_some()), ("--greedy", self.greedy), ("--prefix", self.prefix.is_some())];
            return match asked.iter().find(|(_, asked)| *asked) {
                Some((flag, _)) => {
                    Err(RunError::Unfit(format!("{flag} is for texts: this run is on {}", run.data.shape)))
                }
                None => Ok(None),
            };
        };
        if self.top_p.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(RunError::Unfit("--top-p is a share above 0 and at most 1".into()));
        }
        let prefix = self.prefix.as_deref().map(|prefix| vocabulary.encode(prefix)).unwrap_or_default();
        if prefix.contains(&Vocabulary::UNKNOWN) {
            return Err(RunError::Unfit("--prefix has a token that the run's vocabulary does not have".into()));
        }
        if prefix.len() + 1 >= run.data.shape.len() {
            return Err(RunError::Unfit(format!(
                "--prefix has {} tokens, and a text of this run at most {}: shorten it",
                prefix.len(),
                run.data.shape.len() - 1
            )));
        }
        let choice = match self.greedy {
            true => TokenChoice::Likeliest,
            false => TokenChoice::Drawn { temperature: temperature.into(), top_p: self.top_p.unwrap_or(1.0), seed },
        };
        Ok(Some((choice, prefix)))
    }
}

/// What codes are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// A mixture of normal distributions that training fitted to codes of its rows
    Codes,
    /// The prior: the standard normal distribution that training drew codes to, or the mixture that it learned with --prior
    Prior,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    if args.from == From::Prior {
        run.expect_prior("sampling from the prior")?;
    }
    draws::expect_temperature(args.temperature)?;
    // The temperature of texts is that of their tokens.
    let of_codes = if run.data.vocabulary.is_some() { 1.0 } else { args.temperature };
    let points = run.data.shape == Shape::Point(2);
    let count = args.count.unwrap_or(if points { 2000 } else { 100 }) as usize;
    // Sampled points are drawn on top of the data's points.
    let centre = centre(args);
    let rows = if centre.is_some() || points { Some(args.rows.rows(&run)?) } else { None };
    let mut model = args.run.model(&run, rows.as_ref().map_or(1, |r| r.split.rows))?;
    let class = args.rows.class.as_deref().map(|class| run.class(class)).transpose()?;
    // Draws around a class or a row are of its class.
    let class = class.or_else(|| centre.zip(rows.as_ref()).and_then(|(centre, rows)| centre.class(rows)));
    let classes = match class {
        Some(class) => vec![class; count],
        None => Labels::in_turn(0..count, run.data.classes.len()),
    };
    let z = match (centre.zip(rows.as_ref()), args.from) {
        (Some((centre, rows)), _) => {
            let code = centre.code(&model.encode(&rows.split)?, rows, &run.data.name)?;
            draws::around(&code.of(std::iter::repeat_n(0, count)), args.seed, of_codes)
        }
        (None, From::Codes) => mixture(&args.run, &run, &mut model)?.draw(count, &classes, args.seed, of_codes),
        (None, From::Prior) => model.prior().draw(count, args.seed, of_codes),
    };
    let mut shown = match args.tokens.choice(&run, args.temperature, args.seed)? {
        Some((choice, prefix)) => {
            let means = model.decode_tokens(&z, &classes, choice, &prefix)?;
            DecoderOutput { means, parameters: Vec::new() }
        }
        None => model.decoder_output(&z, &classes)?,
    };
    let drawn = Drawn::of(&run, &args.draws, &mut model, &z, &mut shown, args.seed)?;
    let ground = match &rows {
        Some(rows) if points => rows.split.numbers(0..rows.split.rows.min(2000), 2),
        _ => Vec::new(),
    };
    let picture = picture(run.data.shape, &shown.means, &ground, 10);
    let sheet = || {
        let shown = shown.clone();
        let name = |class: &u32| run.data.classes.get(*class as usize).cloned().unwrap_or_default();
        let sheet = drawn.sheet(&run, &model, shown, count, args.seed)?;
        Ok(match model.is_conditional() {
            true => sheet.with_classes(run.class_column(), classes.iter().map(name).collect()),
            false => sheet,
        })
    };
    let to = args.to.as_deref().map(|to| place_in(&run, Some(to), "")).transpose()?;
    let to = match (run.data.shape, &to) {
        (Shape::Image { height, width, channels }, Some(to)) if is_folder(to) && run.data.sound.is_none() => {
            let levels = levels(&shown.means);
            let labels = model.is_conditional().then_some(&classes[..]);
            let size = (height, width, channels);
            write::whole_folder(to, |folder| {
                write::write_class_folders(folder, size, &levels, labels, &run.data.classes)
            })?;
            to.clone()
        }
        (_, to) => write_rows(&run, to.as_deref(), "samples", sheet, picture)?,
    };
    args.run.print_drawn(&[&to], drawn.closeness)
}

/// What the codes are drawn around, if that was asked for.
fn centre(args: &Args) -> Option<Centre<'_>> {
    args.around_row.map(Centre::Row).or(args.around_class.as_deref().map(Centre::Class))
}

/// The mixture that draws come from. Training fits it; for a run that was stopped, or is of an older version, it is fitted now.
pub fn mixture(args: &RunArgs, run: &Run, model: &mut TrainedModel) -> Result<Mixture, RunError> {
    let train = || {
        let data = own_data(run).map_err(|error| {
            RunError::Unfit(format!("{error}; or draw from the prior, with --from prior, which needs no data"))
        })?;
        Ok(Rows { split: data.train, classes: data.classes, notes: Vec::new() })
    };
    let fitting = |rows| warning!("fitting the mixture that draws come from to codes of {rows} training rows, once");
    Mixture::of_or_fitted(run, model, train, fitting, &args.adapter.options(), &System)
}
