//! What a configuration means for the plan of a model.

use wgvae_data::{Columns, Dataset, Description, Options, Shape, ValueKind};
use wgvae_engine::kernels::batch::{self, Augment};
use wgvae_engine::kernels::optimizer::Rule;
use wgvae_engine::plan::{ColumnKind, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT};

use super::{Condition, Config, ConfigError, Optimizer, PriorKind};
use crate::model::{
    DataSpec, Extent, Importance, Layer, Likelihood, Penalty, Prior, TableSpec, TrainSpec, VaeSpec, stack,
};

impl From<Shape> for Extent {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Image { height, width, channels } => Extent::Image([height, width, channels]),
            Shape::Point(n) | Shape::Table(n) => Extent::Flat(n),
            Shape::Text { length, tokens } => Extent::Tokens { steps: length, vocabulary: tokens },
            Shape::Series { length, channels } => Extent::Series { steps: length, channels, both: false },
        }
    }
}

/// The rows that a network is for: their extent, and the number of their classes.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct RowSpec {
    /// The extent of a row: numbers, or an image.
    pub extent: Extent,
    /// The number of classes, 0 where they are not known.
    pub classes: usize,
    /// The columns of a table.
    pub table: Option<TableSpec>,
    /// Whether values may be missing.
    pub missing: bool,
    /// The number of training rows, 0 where it is not known.
    pub rows: usize,
}

/// Rows without classes.
impl<T: Into<Extent>> From<T> for RowSpec {
    fn from(extent: T) -> Self {
        Self { extent: extent.into(), classes: 0, table: None, missing: false, rows: 0 }
    }
}

impl From<&Dataset> for RowSpec {
    fn from(data: &Dataset) -> Self {
        let table = data.columns.as_ref().map(table_spec);
        let (classes, rows) = (data.classes.len(), data.train.rows);
        Self { extent: data.shape.into(), classes, table, missing: data.has_missing(), rows }
    }
}

impl From<&Description> for RowSpec {
    fn from(data: &Description) -> Self {
        let table = data.columns.as_ref().map(table_spec);
        Self { extent: data.shape.into(), classes: data.classes.len(), table, missing: data.has_missing(), rows: 0 }
    }
}

/// The columns of a table as a network gets to know them.
fn table_spec(columns: &Columns) -> TableSpec {
    let mut spec = TableSpec::default();
    for (column, span) in columns.spans().into_iter().enumerate() {
        let column = &columns.all[column];
        let kind = match column.kind {
            // The model sees a positive value as a normal logarithm, and a quantile as a normal score.
            ValueKind::Number | ValueKind::Positive | ValueKind::Quantile => ColumnKind::Number,
            ValueKind::Count => ColumnKind::Count,
            ValueKind::YesNo => ColumnKind::YesNo,
            ValueKind::Category => ColumnKind::Category,
        };
        let log_mean = if kind == ColumnKind::Count { column.mean as f32 } else { 0.0 };
        spec.kinds.extend(span.clone().map(|_| kind));
        spec.log_means.extend(span.clone().map(|_| log_mean));
        spec.categories.extend((kind == ColumnKind::Category).then_some(span));
    }
    spec
}

impl Config {
    /// Whether the model gets each row's class.
    pub fn is_conditional(&self) -> bool {
        self.model.condition == Condition::Class
    }

    /// The options to load the data with: those of `[data]`, and what the likelihood takes a table's columns for.
    pub fn data_options(&self) -> Options {
        let kind = self.model.likelihood.is_of_counts().then_some(ValueKind::Count);
        Options { kind, ..self.data.options(self.train.seed) }
    }

    /// The network for such rows.
    #[doc(hidden)]
    pub fn vae_spec(&self, rows: impl Into<RowSpec>) -> Result<VaeSpec, ConfigError> {
        let RowSpec { extent: data, classes, table, missing, rows } = rows.into();
        let m = &self.model;
        if self.is_conditional() && classes == 0 {
            return Err(ConfigError::refused(
                &["condition", "label"],
                "condition class needs rows with classes, and these have none: name a table's column with label, put images \
                 into a folder for each class, or leave condition out",
            ));
        }
        if (m.likelihood == Likelihood::Tokens) != matches!(data, Extent::Tokens { .. }) {
            return Err(ConfigError::refused(
                &["likelihood"],
                "the likelihood tokens is that of texts, and texts have no other: choose the preset text for texts, and \
                 another likelihood for other rows",
            ));
        }
        let is_of_series = matches!(data, Extent::Series { .. });
        if is_of_series && (m.likelihood.is_of_columns() || m.likelihood == Likelihood::Logistic) {
            return Err(ConfigError::refused(
                &["likelihood"],
                format!(
                    "the likelihood {} is not one of series: choose gaussian-learned, student-t, laplace or gaussian, or bernoulli for \
                     zeros and ones",
                    m.likelihood.name()
                ),
            ));
        }
        // Layers as they are written, or as their widths are.
        let dense = |widths: &Vec<usize>| widths.iter().map(|width| Layer::dense(*width)).collect::<Vec<_>>();
        let layers = m.encoder.clone().unwrap_or_else(|| dense(&m.hidden));
        let encoded = if missing { stack::marked(&layers, data) } else { data };
        let encoder = stack::encoder(&layers, encoded, m.activation).map_err(ConfigError::Value)?;
        if missing && encoder.first().is_some_and(|layer| !layer.operation.takes_missing()) {
            return Err(ConfigError::refused(
                &["encoder"],
                "where pixels are missing, the first layer of the encoder must be dense or conv, which can be told which: put one there",
            ));
        }
        let decoder = match m.decoder.clone().or_else(|| m.decoder_hidden.as_ref().map(dense)) {
            Some(layers) => stack::decoder(&layers, m.latent, &encoder, data, m.activation),
            None => stack::mirrored(&encoder, m.latent, data),
        };
        let decoder = decoder.map_err(ConfigError::Value)?;
        if m.tied {
            stack::check_tied(&encoder, &decoder, m.latent, data).map_err(ConfigError::Value)?;
        }
        let intervals = self.has_intervals(table.as_ref());
        let mut spec = VaeSpec {
            width: data.len(),
            encoder,
            decoder,
            latent: m.latent,
            latent_activation: m.latent_activation,
            likelihood: m.likelihood,
            sigma: m.sigma,
            objective: m.objective,
            prior: match m.prior {
                PriorKind::Standard => Prior::Standard,
                PriorKind::Mixture => Prior::Mixture { parts: m.prior_parts },
                PriorKind::Vamp => Prior::Vamp { parts: m.prior_parts },
            },
            penalty: match (m.free_bits, m.capacity, m.kl_at_most) {
                (Some(least), ..) => Penalty::FreeBits(least),
                (_, Some(_), _) => Penalty::Capacity,
                (_, _, Some(most)) => Penalty::AtMost(most),
                _ => Penalty::Weighted,
            },
            regulariser: m.regulariser(rows.max(self.train.batch)),
            importance: Importance {
                samples: m.samples,
                groups: m.sample_groups,
                elbo_share: m.elbo_share,
                is_doubly: m.doubly_reparameterised,
            },
            tied: m.tied,
            classes: self.is_conditional().then_some(classes),
            table: table.filter(|table| missing || !table.is_plain()),
            missing,
            intervals,
            init: m.init,
            word_dropout: m.word_dropout,
        };
        let outputs = spec.outputs();
        if outputs > 1 {
            stack::widen(&mut spec.decoder, outputs).map_err(ConfigError::Value)?;
        }
        Ok(spec)
    }

    /// The part of the training settings that the plan depends on, without augmentation.
    #[doc(hidden)]
    pub fn train_spec(&self) -> TrainSpec {
        let t = &self.train;
        TrainSpec {
            batch: t.batch,
            binarise: self.data.binarise,
            augment: None,
            rule: match t.optimizer {
                Optimizer::Sgd => Rule::Sgd { momentum: t.momentum, nesterov: t.nesterov },
                Optimizer::Adam | Optimizer::Adamw => Rule::Adam {
                    beta1: t.beta1,
                    beta2: t.beta2,
                    epsilon: t.epsilon,
                    decoupled: t.optimizer == Optimizer::Adamw,
                },
            },
            decay: t.weight_decay,
            clip: t.clip.filter(|c| *c > 0.0),
            fuse: self.kernels.fuse,
            buckets: Vec::new(),
        }
    }

    /// [`Config::train_spec`] with the augmentation of training images of this shape.
    #[doc(hidden)]
    pub fn train_spec_on(&self, shape: Shape) -> TrainSpec {
        let d = &self.data;
        let augment = match shape {
            Shape::Image { height, width, channels } if self.augments() => {
                Some(Augment { height, image_width: width, channels, shift: d.shift, flip: d.flip, noise: d.noise })
            }
            _ => None,
        };
        TrainSpec { augment, ..self.train_spec() }
    }

    pub(super) fn augments(&self) -> bool {
        self.data.shift > 0 || self.data.flip || self.data.noise > 0.0
    }

    /// The part of the data that the plan depends on, where all rows are on the device.
    #[doc(hidden)]
    pub fn data_spec(data: &Dataset) -> DataSpec {
        DataSpec { train_rows: data.train.rows, test_rows: data.test.rows, bytes: data.is_bytes() }
    }

    /// [`Config::data_spec`] for buffers of at most `most` bytes: training rows that do not fit are streamed through a
    /// ring of two halves, each holding the rows of several steps; test rows through a buffer of several batches.
    pub fn data_spec_within(&self, data: &Dataset, most: u64) -> DataSpec {
        let whole = Self::data_spec(data);
        let width = self.row_width(data.shape.len(), data.columns.as_ref());
        let held = |rows: usize, most: u64| self.rows_held(rows, width, whole.bytes, most);
        let half = held(whole.train_rows, most / SUBMITS_IN_FLIGHT as u64).min(STEPS_PER_SUBMIT * self.train.batch);
        DataSpec {
            train_rows: match held(whole.train_rows, most) {
                all if all == whole.train_rows => all,
                _ => SUBMITS_IN_FLIGHT * half,
            },
            test_rows: held(whole.test_rows, most),
            ..whole
        }
    }

    /// Values that a row of so many has on the device: see [`VaeSpec::row_width`].
    pub(crate) fn row_width(&self, width: usize, columns: Option<&Columns>) -> usize {
        if self.has_intervals(columns.map(table_spec).as_ref()) { 2 * width } else { width }
    }

    /// Whether rows come with intervals: those of a table with numbers, of which each column has its own likelihood.
    fn has_intervals(&self, table: Option<&TableSpec>) -> bool {
        self.model.likelihood == Likelihood::Columns && table.is_some_and(TableSpec::has_numbers)
    }

    /// `rows` if they fit into `most` bytes; else the rows of as many whole batches as fit, and at least one batch.
    pub(crate) fn rows_held(&self, rows: usize, width: usize, bytes: bool, most: u64) -> usize {
        let row = 4 * if bytes { batch::words_per_row(width) } else { width } as u64;
        match rows as u64 * row <= most {
            true => rows,
            false => ((most / row) as usize / self.train.batch).max(1) * self.train.batch,
        }
    }
}
