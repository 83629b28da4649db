//! Series in files: an array, JSON lines, or the long form, in which each row is a step.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value};
use wgvae::apply::Run;
use wgvae_data::write::{LongForm, names_of_series};

use super::sheet::{FileFormat, SeriesForm, Sheet, extension, make_folder_of};

/// The text column that names series.
const ORIGIN: &str = "origin";

impl Sheet {
    /// Rows of series in the units of the data; none where the run is not on series.
    pub fn of_series(run: &Run, values: &[f32]) -> Option<Self> {
        let series = run.data.series.clone()?;
        let channels = series.channels.len().max(1);
        let steps = run.data.shape.len() / channels;
        let names = super::sheet::names_of(run.data.shape, None);
        let numbers = series.decode(values);
        let series = Some(SeriesForm { series, steps });
        Some(Self { names, numbers, extents: vec![steps, channels], series, ..Self::like(run) })
    }

    /// What names each series, and the other columns of text.
    fn ids(&self, form: &SeriesForm) -> Vec<(String, Vec<String>)> {
        let [id, _] = names_of_series(&form.series);
        let rows = self.numbers.len() / (form.steps * form.series.channels.len()).max(1);
        let own = self.text.iter().find(|(name, _)| name == ORIGIN).map(|(_, words)| words.clone());
        let ids = own.unwrap_or_else(|| (0..rows).map(|row| row.to_string()).collect());
        let others = self.text.iter().filter(|(name, _)| name != ORIGIN);
        std::iter::once((id, ids)).chain(others.map(|(name, words)| (name.clone(), words.clone()))).collect()
    }

    /// The rows as steps.
    fn long(&self, form: &SeriesForm) -> Self {
        let LongForm { series, names, numbers } = LongForm::of(&form.series, &self.numbers, form.steps);
        let text = self.ids(form).into_iter();
        let text = text.map(|(name, words)| (name, series.iter().map(|row| words[*row].clone()).collect())).collect();
        Self { text, names, numbers, extents: Vec::new(), series: None, ..self.clone() }
    }

    /// Writes series in the format that the name says; `-` is stdout, in the long form.
    pub(super) fn write_series(&self, to: &Path) -> anyhow::Result<()> {
        let Some(form) = &self.series else { return Ok(()) };
        if ["jsonl", "ndjson"].contains(&extension(to).as_str()) {
            make_folder_of(to)?;
            return Ok(wgvae_data::write::whole(to, |out| self.lines(form, out))?);
        }
        match FileFormat::of(to) {
            Some(format @ (FileFormat::Npy | FileFormat::Npz)) => self.write_as(format, to),
            Some(format) => self.long(form).write_as(format, to),
            None => Err(FileFormat::unknown(to).into()),
        }
    }

    /// A line for each series, with a list of numbers for each channel; null is a missing one.
    fn lines(&self, form: &SeriesForm, out: &mut impl Write) -> std::io::Result<()> {
        let (ids, width) = (self.ids(form), form.series.channels.len());
        let lengths = form.series.lengths(&self.numbers, form.steps);
        for (row, (values, length)) in self.numbers.chunks((form.steps * width).max(1)).zip(lengths).enumerate() {
            let mut line: Map<String, Value> =
                ids.iter().map(|(name, words)| (name.clone(), words[row].clone().into())).collect();
            for (place, channel) in form.series.channels.iter().enumerate() {
                let numbers = values.iter().skip(place).step_by(width).take(length);
                // The shortest number that is read as the same one.
                let number = |value: &f32| match value.to_string().parse::<f64>() {
                    Ok(number) if number.is_finite() => number.into(),
                    _ => Value::Null,
                };
                line.insert(channel.name.clone(), numbers.map(number).collect());
            }
            writeln!(out, "{}", Value::Object(line))?;
        }
        Ok(())
    }
}
