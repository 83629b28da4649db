//! What is refused: values out of range, and values that contradict each other or the data.

use wgvae_data::{Column, Dataset, Shape, ValueKind};

use super::rules::RULES;
use super::{Binarise, Config, ConfigError, Likelihood, keys};

impl Config {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        keys::all().try_for_each(|key| key.check_range(self))?;
        keys::all().try_for_each(|key| key.check_belongs(self))?;
        match RULES.iter().find(|rule| (rule.is_broken)(self)) {
            Some(rule) => Err(ConfigError::refused(rule.keys, rule.sentence)),
            None => Ok(()),
        }
    }

    /// Checks the configuration, by itself and against the data it is to be used with.
    pub fn check_data(&self, data: &Dataset) -> Result<(), ConfigError> {
        self.validate()?;
        self.vae_spec(data)?;
        ON_DATA.iter().try_for_each(|check| check(self, data))
    }
}

/// Refuses a configuration that does not suit the data.
type Check = fn(&Config, &Dataset) -> Result<(), ConfigError>;

/// The checks of a configuration against the data, in the order in which errors are reported.
const ON_DATA: &[Check] =
    &[has_classes, has_counts, has_256_levels, fills_a_batch, has_images_to_augment, is_wider_than_shift, has_levels];

fn has_classes(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    let known = |labels: &Vec<u32>| labels.iter().all(|label| (*label as usize) < data.classes.len());
    let lacking = [("training", &data.train), ("test", &data.test)]
        .into_iter()
        .find(|(_, split)| !split.labels.as_ref().is_some_and(known));
    match lacking.filter(|_| config.is_conditional()) {
        Some((which, _)) => refuse(
            &["condition"],
            format!(
                "condition class needs the class of every row, and some {which} rows of {} have none: leave those rows or condition out",
                data.name
            ),
        ),
        None => Ok(()),
    }
}

fn has_counts(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    if !config.model.likelihood.is_of_counts() {
        return Ok(());
    }
    let (name, source) = (config.model.likelihood.name(), &data.name);
    let of_counts = format!("the likelihood {name} is of tables whose columns are all counts");
    let Some(columns) = &data.columns else {
        return refuse(&["likelihood"], format!("{of_counts}, and {source} is no table: choose another likelihood"));
    };
    match columns.all.iter().find(|column| column.kind != ValueKind::Count) {
        Some(Column { name, kind, .. }) => refuse(
            &["likelihood", "drop_columns"],
            format!(
                "{of_counts}, and the column `{name}` of {source} is {}: choose the likelihood columns, which takes columns of every kind, or leave that column out",
                kind.name()
            ),
        ),
        None => Ok(()),
    }
}

fn has_256_levels(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    // Where pixels are missing, levels are numbers.
    let is_of_256 = data.is_bytes() || data.missing && data.is_of_256_levels();
    match config.model.likelihood == Likelihood::Logistic && (!is_of_256 || data.columns.is_some()) {
        true => refuse(
            &["likelihood"],
            format!(
                "the likelihood logistic is of images of 256 levels, and {} has other values: choose gaussian-learned, laplace or student-t",
                data.name
            ),
        ),
        false => Ok(()),
    }
}

fn fills_a_batch(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    match config.train.batch > data.train.rows {
        true => refuse(
            &["batch"],
            format!(
                "a batch of {} rows is larger than the training data, which has {}: choose a smaller batch",
                config.train.batch, data.train.rows
            ),
        ),
        false => Ok(()),
    }
}

fn has_images_to_augment(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    let image_of_bytes = matches!(data.shape, Shape::Image { .. }) && data.is_bytes();
    match config.augments() && !image_of_bytes {
        true => refuse(
            &["shift", "flip", "noise"],
            format!(
                "shift, flip and noise apply only to images of grey levels or colours, and {} has no such images: leave them out",
                data.name
            ),
        ),
        false => Ok(()),
    }
}

fn is_wider_than_shift(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    let shift = config.data.shift;
    match data.shape {
        Shape::Image { height, width, .. } if shift >= height.min(width) => refuse(
            &["shift"],
            format!(
                "a shift of {shift} pixels would move images of {height}x{width} out of the frame: choose a smaller shift"
            ),
        ),
        _ => Ok(()),
    }
}

fn has_levels(config: &Config, data: &Dataset) -> Result<(), ConfigError> {
    if data.is_bytes() {
        return Ok(());
    }
    let unlimited = format!("needs levels in [0, 1], but the values of {} are not limited to that range", data.name);
    // Where pixels are missing, levels are numbers; those of series always are.
    let may_be_levels = data.missing || data.series.is_some();
    if config.model.likelihood == Likelihood::Bernoulli && !(may_be_levels && data.is_levels()) {
        let suits = |likelihood: &Likelihood| match likelihood {
            Likelihood::Bernoulli | Likelihood::Logistic => false,
            _ => data.columns.is_some() || !likelihood.is_of_columns() && !likelihood.is_of_counts(),
        };
        let others: Vec<_> = Likelihood::ALL.into_iter().filter(suits).map(Likelihood::name).collect();
        return refuse(
            &["likelihood"],
            format!(
                "the bernoulli likelihood {unlimited}: choose another likelihood ({}), or the preset points or table",
                others.join(", ")
            ),
        );
    }
    match config.data.binarise {
        Binarise::None => Ok(()),
        _ => refuse(&["binarise"], format!("binarise {unlimited}: leave binarise out")),
    }
}

fn refuse(keys: &[&'static str], reason: String) -> Result<(), ConfigError> {
    Err(ConfigError::refused(keys, reason))
}
