//! The flags that say what of a source is wanted.

use clap::ValueEnum;
use toml::Value;

use crate::data::{Channels, Fit, ImageSize, Options};

#[derive(Debug, Default, clap::Args)]
pub struct DataArgs {
    /// The column with the class, of a table: its name, or its number from 1 where there is no header
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    label: Option<String>,
    /// Columns to use, of a table [default: all but the label]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Data")]
    columns: Vec<String>,
    /// Only rows of these classes
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', help_heading = "Data")]
    keep_label: Vec<String>,
    /// No rows of these classes
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', help_heading = "Data")]
    drop_label: Vec<String>,
    /// Share of the rows kept for testing, where the source has no test rows of its own [default: 0.1]
    #[arg(long, value_name = "SHARE", help_heading = "Data")]
    valid: Option<f64>,
    /// At most so many training rows
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<usize>,
    /// Fail at files and rows that cannot be used instead of leaving them out
    #[arg(long, help_heading = "Data")]
    strict: bool,
    /// Bring images to this size: height, then width
    #[arg(long, value_name = "HxW", help_heading = "Data")]
    image_size: Option<ImageSize>,
    /// Colours of images [default: grey where all files are]
    #[arg(long, help_heading = "Data")]
    channels: Option<Channels>,
    /// How images of another shape are brought to size [default: crop]
    #[arg(long, help_heading = "Data")]
    fit: Option<Fit>,
}

impl DataArgs {
    /// Lays the flags over options.
    pub fn apply(&self, options: &mut Options) {
        let list = |into: &mut Vec<String>, from: &[String]| {
            if !from.is_empty() {
                *into = from.to_vec();
            }
        };
        list(&mut options.columns, &self.columns);
        list(&mut options.keep_label, &self.keep_label);
        list(&mut options.drop_label, &self.drop_label);
        options.label = self.label.clone().or(options.label.take());
        options.valid = self.valid.unwrap_or(options.valid);
        options.limit = self.limit.or(options.limit);
        options.strict |= self.strict;
        options.image_size = self.image_size.or(options.image_size);
        options.channels = self.channels.or(options.channels);
        options.fit = self.fit.unwrap_or(options.fit);
    }

    /// The flags as entries of the configuration's `[data]`.
    pub fn entries(&self) -> Vec<(&'static str, Value)> {
        let list = |values: &[String]| {
            let values: Vec<Value> = values.iter().cloned().map(Value::String).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        };
        let entries = [
            ("label", self.label.clone().map(Value::String)),
            ("columns", list(&self.columns)),
            ("keep_label", list(&self.keep_label)),
            ("drop_label", list(&self.drop_label)),
            ("valid", self.valid.map(Value::Float)),
            ("limit", self.limit.and_then(|n| i64::try_from(n).ok()).map(Value::Integer)),
            ("strict", self.strict.then_some(Value::Boolean(true))),
            ("image_size", self.image_size.map(|size| Value::String(size.to_string()))),
            ("channels", self.channels.as_ref().and_then(name_of)),
            ("fit", self.fit.as_ref().and_then(name_of)),
        ];
        entries.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }
}

/// What a value is called on the command line and in a configuration.
pub fn name_of<T: ValueEnum>(value: &T) -> Option<Value> {
    value.to_possible_value().map(|v| Value::String(v.get_name().to_string()))
}
