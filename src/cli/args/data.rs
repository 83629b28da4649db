//! A source on the command line, and how it is read.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use wgvae_data::{DataError, Dataset, MOST_TOKENS, Options, Vocabulary};

use crate::cli::args::keys::{self, KeyFlags, OfReading};
use crate::cli::stdin;

/// A parser of one of these values by its name; `described` gives that, and what `--help` says of it.
pub fn one_of<T>(all: &'static [T], described: fn(T) -> [&'static str; 2]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    keys::names(all.iter().map(|value| described(*value)).collect()).try_map(move |name| {
        let found = all.iter().find(|value| described(**value)[0] == name);
        found.copied().ok_or_else(|| format!("`{name}` is none of them"))
    })
}

/// A source, and which of its rows to use.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// strokes, points[:curve|rings|moons], sprites, expressions[:uniform|grammar|dialects], waves, a folder of images,
    /// texts, sounds, music or IDX files, an IDX, CSV, TSV, Parquet, text, JSON lines, NPY, NPZ, .ts, .wav or .mid file,
    /// or - for stdin (at most 1 GiB)
    #[arg(value_name = "SPEC", required = true)]
    spec: Option<String>,
    #[command(flatten)]
    keys: KeyFlags<OfReading>,
    /// Seed of the train/test split and of --limit
    #[arg(long, value_name = "N", env = "WGVAE_SEED", default_value = "0")]
    seed: u64,
}

impl SourceArgs {
    /// Where the source would be, if it is a file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(stdin::place(self.spec.as_deref().unwrap_or_default()))
    }

    /// The data set; of texts with every token of the training rows, unless fewer are asked for.
    pub fn load_with_all_tokens(&self) -> anyhow::Result<Dataset> {
        let data = self.load()?;
        let width = data.shape.len();
        let is_unknown = |token: &f32| *token == Vocabulary::UNKNOWN as f32;
        let leaves_out =
            || (0..data.train.rows).any(|row| data.train.numbers(row..row + 1, width).iter().any(is_unknown));
        match data.vocabulary.is_some() && data.options.vocabulary.is_none() && leaves_out() {
            true => Ok(load(&Options { vocabulary: Some(MOST_TOKENS), ..data.options })?),
            false => Ok(data),
        }
    }

    /// The data set.
    pub fn load(&self) -> anyhow::Result<Dataset> {
        let mut options = Options::from(self.spec.as_deref().unwrap_or("strokes"));
        options.seed = self.seed;
        self.keys.fill(&mut options)?;
        Ok(load(&options)?)
    }
}

/// Loads a source, with a progress bar on a terminal.
pub fn load(options: &Options) -> Result<Dataset, DataError> {
    let options = Options { source: stdin::spooled(&options.source)?.into(), ..options.clone() };
    with_bar(|progress| Dataset::load_with(options, progress))
}

/// Runs `read` with a progress bar on a terminal.
pub fn with_bar<T>(read: impl FnOnce(&(dyn Fn(usize, usize) + Sync)) -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return read(&|_, _| {});
    }
    let bar = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template("reading  {bar:28} {pos}/{len}  {eta} left") {
        bar.set_style(style);
    }
    let read = read(&|done, all| {
        // No bar for sources that load at once.
        if bar.is_hidden() && all >= 1000 {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    read
}
