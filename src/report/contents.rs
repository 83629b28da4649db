//! What a page of a run shows: plain data.

/// All that a page shows. What is empty or absent has no place on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// What was run, on what, for how long.
    pub facts: Facts,
    /// The figures that a run is judged by.
    pub headline: Headline,
    /// What was measured after each epoch.
    pub epochs: Vec<Epoch>,
    /// What was measured between.
    pub steps: Vec<Step>,
    /// The latent dimensions, in their own order.
    pub dimensions: Vec<Dimension>,
    /// Pictures, in the order in which they are shown.
    pub pictures: Vec<Picture>,
    /// Test examples in the latent space.
    pub latent: Option<Latent>,
    /// Points of the plane, the data's and the model's.
    pub points: Option<Points>,
    /// A table's columns and how well they are reconstructed.
    pub columns: Vec<Column>,
    /// The configuration as TOML.
    pub config: String,
    /// Commands that go on from here.
    pub next: Vec<Command>,
}

/// What was run, on what, for how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The model in a line.
    pub model: String,
    /// The data in a line.
    pub data: String,
    /// The adapter and its driver.
    pub adapter: String,
    /// The command that made the run.
    pub command: Option<String>,
    /// When, as a reader should see it.
    pub date: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
    /// Numbers that were trained.
    pub parameters: Option<u64>,
    /// Steps done.
    pub steps: Option<u64>,
    /// Of training.
    pub seconds: Option<f64>,
    /// Over the whole run.
    pub steps_per_second: Option<f64>,
    /// More lines: names and values.
    pub more: Vec<(String, String)>,
}

/// The figures that a run is judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headline {
    /// In nats an example.
    pub test_loss: Option<f64>,
    /// In nats an example.
    pub reconstruction: Option<f64>,
    /// In nats an example; absent for a model without it.
    pub kl: Option<f64>,
    /// Latent dimensions in use, and all of them.
    pub active: Option<(usize, usize)>,
    /// The test loss in bits, for each number of an example.
    pub bits_per_dimension: Option<f64>,
}

/// What was measured after an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Which, from 1.
    pub epoch: usize,
    /// Mean over its steps.
    pub train_loss: f64,
    /// Of the test split.
    pub test_loss: f64,
    /// Of the test split.
    pub reconstruction: f64,
    /// Of the test split; 0 for a model without it.
    pub kl: f64,
}

/// What was measured at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps done.
    pub step: u64,
    /// Mean since the step before in the list.
    pub loss: f64,
    /// Learning rate.
    pub lr: f64,
    /// The KL's weight.
    pub beta: f64,
}

/// A latent dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dimension {
    /// Its KL, in nats an example.
    pub kl: f64,
    /// Whether it says anything about the data.
    pub is_active: bool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What it is.
    pub title: String,
    /// What there is to see in it.
    pub caption: String,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// The file.
    pub png: Vec<u8>,
}

/// Examples in the latent space.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latent {
    /// Where they are.
    pub points: Vec<[f32; 2]>,
    /// Their classes as places in `classes`, one for each point; empty where they are not known.
    pub labels: Vec<u32>,
    /// What the classes are called.
    pub classes: Vec<String>,
    /// What the axes are.
    pub axes: [String; 2],
}

/// Points of the plane.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// The data's.
    pub data: Vec<[f32; 2]>,
    /// The model's samples.
    pub samples: Vec<[f32; 2]>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// Mean over the training rows.
    pub mean: f64,
    /// Standard deviation there.
    pub deviation: f64,
    /// Mean absolute error of the reconstruction, in the column's own unit.
    pub error: Option<f64>,
    /// The share of the column's variance that the reconstruction explains.
    pub r2: Option<f64>,
}

/// A command to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What it does.
    pub purpose: String,
    /// What to type.
    pub line: String,
}
