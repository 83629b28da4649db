//! The flags that select and read data, shared by the commands that take a source.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use toml::Value;
use wgvae_data::{Channels, DataError, Dataset, Fit, ImageSize, Missing, NamedKind, Options};

use crate::cli::stdin;

/// Which rows of a source are taken, and as what.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ChoiceArgs {
    /// Column of a table that holds the class
    #[arg(long, value_name = "COL")]
    pub label: Option<String>,
    /// Keep only rows of these classes, separated by commas
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    pub keep_label: Vec<String>,
    /// Drop rows of these classes, separated by commas
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    pub drop_label: Vec<String>,
    /// Use at most N rows, chosen at random by the seed (in training, N training rows)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Balance the classes: repeat rows of the rarer ones (in training, training rows)
    #[arg(long)]
    pub balance: bool,
    /// Fail on files and rows that cannot be used, instead of skipping them
    #[arg(long)]
    pub strict: bool,
    /// How to resize images of another shape [default: crop]
    #[arg(long, value_parser = one_of(&Fit::ALL, Fit::described))]
    pub fit: Option<Fit>,
}

/// Which rows are chosen, and how a source is read that a model is yet to be trained on.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DataArgs {
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Columns of a table to learn from, separated by commas [default: all but the label]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Columns of a table to leave out, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "columns")]
    drop_columns: Vec<String>,
    /// What a column of a table is: NAME=number, positive, quantile, count, yes-no, category or ignore [default: what suits its
    /// values]
    #[arg(long, value_name = "NAME=KIND")]
    column: Vec<NamedKind>,
    /// Words that stand for missing values beside empty cells, separated by commas, in place of NA, null, ? and the like;
    /// COLUMN=WORD is one more in one column
    #[arg(long, value_name = "WORDS", value_delimiter = ',', allow_hyphen_values = true)]
    missing_words: Vec<String>,
    /// Group words of a smaller share of a column's cells, such as 0.5% [default: the rarest, where there are more than 256]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    rare: Option<f64>,
    /// Do not look for relations between columns of a table, which are kept in rows that are drawn or filled
    #[arg(long)]
    no_relations: bool,
    /// Learn from rows of a table with missing values, or drop them [default: keep]
    #[arg(long, value_parser = one_of(&Missing::ALL, Missing::described))]
    missing: Option<Missing>,
    /// Share of the rows to hold out for testing, if the source has no test rows of its own [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    test_share: Option<f64>,
    /// Resize images to this size, height first [default: theirs; 64x64 or less for images of several sizes or above 256]
    #[arg(long, value_name = "HxW")]
    image_size: Option<ImageSize>,
    /// Read images as grey or rgb [default: grey if all images are grey]
    #[arg(long, value_parser = one_of(&Channels::ALL, Channels::described))]
    channels: Option<Channels>,
}

/// A share, as a number or in percent.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = text.trim().strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let share = number.trim().parse::<f64>().ok().map(|number| number * scale);
    share.filter(|share| (0.0..1.0).contains(share)).ok_or_else(|| "give a share such as 0.005 or 0.5%".into())
}

/// Words as they are meant, without spaces around them.
fn words(flag: &[String]) -> Option<Vec<String>> {
    (!flag.is_empty()).then(|| flag.iter().map(|word| word.trim().to_string()).collect())
}

impl ChoiceArgs {
    /// Sets every option whose flag was given.
    pub fn fill(&self, options: &mut Options) {
        options.keep_label = words(&self.keep_label).unwrap_or(std::mem::take(&mut options.keep_label));
        options.drop_label = words(&self.drop_label).unwrap_or(std::mem::take(&mut options.drop_label));
        options.label = self.label.clone().or(options.label.take());
        options.limit = self.limit.or(options.limit);
        options.balance |= self.balance;
        options.strict |= self.strict;
        options.fit = self.fit.unwrap_or(options.fit);
    }

    /// The first given flag that changes how a source is read, not which of its rows are chosen.
    pub fn about_reading(&self) -> Option<&'static str> {
        let flags = [("--label", self.label.is_some()), ("--strict", self.strict), ("--fit", self.fit.is_some())];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

impl DataArgs {
    /// Sets every option whose flag was given.
    fn fill(&self, options: &mut Options) {
        self.choice.fill(options);
        options.columns = words(&self.columns).unwrap_or(std::mem::take(&mut options.columns));
        options.drop_columns = words(&self.drop_columns).unwrap_or(std::mem::take(&mut options.drop_columns));
        options.missing_words = words(&self.missing_words).unwrap_or(std::mem::take(&mut options.missing_words));
        options.rare = self.rare.or(options.rare);
        options.relations &= !self.no_relations;
        if !self.column.is_empty() {
            options.kinds.clone_from(&self.column);
        }
        options.missing = self.missing.unwrap_or(options.missing);
        options.test_share = self.test_share.unwrap_or(options.test_share);
        options.image_size = self.image_size.or(options.image_size);
        options.channels = self.channels.or(options.channels);
    }

    /// The flags as entries of the configuration's `[data]`.
    pub fn entries(&self) -> Vec<(&'static str, Value)> {
        let list = |values: &[String]| Some(Value::Array(words(values)?.into_iter().map(Value::String).collect()));
        let choice = &self.choice;
        let entries = [
            ("label", choice.label.clone().map(Value::String)),
            ("columns", list(&self.columns)),
            ("drop_columns", list(&self.drop_columns)),
            ("missing_words", list(&self.missing_words)),
            ("rare", self.rare.map(Value::Float)),
            ("relations", self.no_relations.then_some(Value::Boolean(false))),
            ("kinds", list(&self.column.iter().cloned().map(String::from).collect::<Vec<_>>())),
            ("missing", self.missing.as_ref().and_then(name_of)),
            ("keep_label", list(&choice.keep_label)),
            ("drop_label", list(&choice.drop_label)),
            ("test_share", self.test_share.map(Value::Float)),
            ("limit", choice.limit.and_then(|n| i64::try_from(n).ok()).map(Value::Integer)),
            ("balance", choice.balance.then_some(Value::Boolean(true))),
            ("strict", choice.strict.then_some(Value::Boolean(true))),
            ("image_size", self.image_size.map(|size| Value::String(size.to_string()))),
            ("channels", self.channels.as_ref().and_then(name_of)),
            ("fit", choice.fit.as_ref().and_then(name_of)),
        ];
        entries.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }
}

/// The name of a value in a configuration.
pub fn name_of<T: serde::Serialize>(value: &T) -> Option<Value> {
    Value::try_from(value).ok()
}

/// A parser of one of these values by its name; `described` gives that, and what `--help` says of it.
pub fn one_of<T>(all: &'static [T], described: fn(T) -> [&'static str; 2]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let values = all.iter().map(move |value| {
        let [name, meaning] = described(*value);
        PossibleValue::new(name).help(meaning)
    });
    PossibleValuesParser::from(values.collect::<Vec<_>>()).try_map(move |name| {
        let found = all.iter().find(|value| described(**value)[0] == name);
        found.copied().ok_or_else(|| format!("`{name}` is none of them"))
    })
}

/// A source, and which of its rows to use.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// strokes, points[:curve|rings|moons], sprites, a folder of images or IDX files, an IDX, CSV, TSV, Parquet, NPY
    /// or NPZ file, or - for stdin (at most 1 GiB)
    #[arg(value_name = "SPEC", required = true)]
    spec: Option<String>,
    #[command(flatten)]
    choice: DataArgs,
    /// Seed of the train/test split and of --limit
    #[arg(long, value_name = "N", env = "WGVAE_SEED", default_value = "0")]
    seed: u64,
}

impl SourceArgs {
    /// Where the source would be, if it is a file.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(stdin::place(self.spec.as_deref().unwrap_or_default()))
    }

    /// The data set.
    pub fn load(&self) -> Result<Dataset, DataError> {
        let mut options = Options::from(self.spec.as_deref().unwrap_or("strokes"));
        options.seed = self.seed;
        self.choice.fill(&mut options);
        load(&options)
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
