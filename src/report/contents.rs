//! The contents of a run's page, as plain data.

pub use super::chart::{Matrix, Steps};

/// The contents of a page. Empty or absent parts are not shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// Model, data, adapter and times of the run.
    pub facts: Facts,
    /// What a reader must know before anything else.
    pub notices: Vec<Notice>,
    /// The main figures of a run.
    pub headline: Headline,
    /// What `wgvae eval` has found of the model.
    pub evaluated: Vec<Figure>,
    /// The metrics of each epoch.
    pub epochs: Vec<EpochMetrics>,
    /// The metrics of steps in between.
    pub steps: Vec<Step>,
    /// What the model was like after some epochs.
    pub diagnoses: Vec<Diagnosed>,
    /// Epochs after which the likelihood of rows was estimated, and `-ln p(x)` then.
    pub likelihoods: Vec<(f64, f64)>,
    /// The latent dimensions, in order.
    pub dimensions: Vec<Dimension>,
    /// Pictures, in the order of the page.
    pub pictures: Vec<Picture>,
    /// Rows of images with a name each.
    pub strips: Option<Strips>,
    /// Test examples in the latent space.
    pub latent: Option<Latent>,
    /// 2-D points of the data and of the model.
    pub points: Option<Points>,
    /// A table's columns and how well they are reconstructed.
    pub columns: Vec<ColumnSummary>,
    /// Samples of a table beside its data.
    pub samples: Samples,
    /// Texts of a model of texts.
    pub texts: Texts,
    /// The configuration as TOML.
    pub config: String,
    /// Commands to continue with.
    pub next: Vec<Command>,
}

/// Something that a reader must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// In a few words.
    pub headline: String,
    /// In a sentence.
    pub sentence: String,
}

/// Which of several figures is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The lowest.
    Lowest,
    /// The highest.
    Highest,
    /// None is better than another.
    Neither,
}

/// A figure with its error, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its standard error.
    pub error: Option<f64>,
    /// What it was found from: which rows, and how. Figures of one name that were found from something else cannot be compared.
    pub note: String,
    /// Which one is the best.
    pub best: Best,
}

/// Model, data, adapter and times of the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// One line about the model.
    pub model: String,
    /// One line about the data.
    pub data: String,
    /// The adapter and its driver.
    pub adapter: String,
    /// The command that made the run.
    pub command: Option<String>,
    /// Date and time, formatted for the reader.
    pub date: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
    /// Number of trained parameters.
    pub parameters: Option<u64>,
    /// Steps done.
    pub steps: Option<u64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Steps per second over the whole run.
    pub steps_per_second: Option<f64>,
    /// Further lines: names and values.
    pub more: Vec<(String, String)>,
}

/// The main figures of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headline {
    /// Test loss in nats per example.
    pub test_loss: Option<f64>,
    /// Reconstruction loss in nats per example.
    pub reconstruction: Option<f64>,
    /// KL in nats per example; absent for a model without a prior.
    pub kl: Option<f64>,
    /// Number of active latent dimensions, and of all.
    pub active: Option<(usize, usize)>,
    /// The test loss in bits per value of an example.
    pub bits_per_dimension: Option<f64>,
    /// The test loss of texts in nats per token, and in bits per character.
    pub of_texts: Option<[f64; 2]>,
    /// The mutual information of texts and their codes, in nats.
    pub mutual_information: Option<f64>,
}

/// The metrics of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochMetrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Mean training loss over its steps.
    pub train_loss: f64,
    /// Loss of the test split.
    pub test_loss: f64,
    /// Reconstruction loss of the test split.
    pub reconstruction: f64,
    /// KL of the test split; 0 for a model without a prior.
    pub kl: f64,
}

/// The metrics of some steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the previous entry.
    pub loss: f64,
    /// Learning rate.
    pub lr: f64,
    /// KL weight.
    pub beta: f64,
}

/// What the model was like after an epoch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnosed {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The KL of each latent dimension; none where there is none.
    pub dimensions: Vec<f64>,
    /// Layers, and the norms of the gradients by their parameters.
    pub layers: Vec<(String, f64)>,
}

/// A latent dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dimension {
    /// Its KL, in nats per example.
    pub kl: f64,
    /// Whether it is active, that is, carries information about the data.
    pub is_active: bool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Title of the picture.
    pub title: String,
    /// Caption below the picture.
    pub caption: String,
    /// Description for screen readers.
    pub alt: String,
    /// The bytes of the PNG file.
    pub png: Vec<u8>,
    /// Whether it goes over the whole page.
    pub is_wide: bool,
}

/// Rows of images with a name each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Strips {
    /// Title of all of them.
    pub title: String,
    /// Caption below the title.
    pub caption: String,
    /// Names, and the bytes of PNG files.
    pub strips: Vec<(String, Vec<u8>)>,
}

/// Examples in the latent space.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latent {
    /// Their 2-D positions.
    pub points: Vec<[f32; 2]>,
    /// Their classes as indices into `classes`, one per point; empty if unknown.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Names of the axes.
    pub axes: [String; 2],
    /// Places of the first of them on a map that keeps neighbours together (t-SNE).
    pub map: Vec<[f32; 2]>,
}

/// 2-D points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// Points of the data.
    pub data: Vec<[f32; 2]>,
    /// The model's samples.
    pub samples: Vec<[f32; 2]>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSummary {
    /// Name of the column.
    pub name: String,
    /// What its values are.
    pub kind: String,
    /// Mean over the rows, of numbers.
    pub mean: Option<f64>,
    /// Standard deviation over the rows, of numbers.
    pub deviation: Option<f64>,
    /// Mean absolute error of the reconstruction, in the column's own unit.
    pub error: Option<f64>,
    /// R²: the share of the column's variance that the reconstruction explains.
    pub r2: Option<f64>,
    /// The share of words that the reconstruction has right.
    pub right: Option<f64>,
}

/// Samples of a table beside its data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// How alike they are, and how close to single rows.
    pub figures: Vec<ComparedFigure>,
    /// How the values of columns are spread.
    pub marginals: Vec<Marginal>,
    /// How columns go together, in the data and in samples.
    pub associations: Option<[Matrix; 2]>,
    /// Some rows of the data and of samples.
    pub rows: Option<SampleRows>,
}

/// What a model makes of texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    /// Test texts, and the likeliest text of the code of each.
    pub reconstructions: Vec<[String; 2]>,
    /// Texts that the model drew.
    pub samples: Vec<String>,
    /// The likeliest texts of codes between those of two test texts, which come first and last.
    pub between: Vec<String>,
}

/// A figure of samples beside that of rows that were not trained on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparedFigure {
    /// Its name.
    pub name: String,
    /// The figure of samples.
    pub samples: String,
    /// The figure of rows that were not trained on.
    pub rows: String,
    /// What it says.
    pub note: String,
}

/// Rows of a table as it has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleRows {
    /// Names of the columns that are shown.
    pub names: Vec<String>,
    /// How many columns there are beside them.
    pub more: usize,
    /// Rows of the data, and of samples.
    pub rows: [Vec<Vec<String>>; 2],
}

/// How the values of a column are spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Marginal {
    /// Name of the column.
    pub name: String,
    /// Shares of the rows.
    pub shares: Shares,
}

/// Shares of the rows with some values: of the data, and of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Shares {
    /// Numbers in steps.
    Numbers(Steps),
    /// Words.
    Words(Vec<(String, [f64; 2])>),
}

/// A command to continue with.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What it does.
    pub purpose: String,
    /// The command line.
    pub line: String,
}
