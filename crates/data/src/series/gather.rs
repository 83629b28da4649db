//! Series, gathered one by one, as rows of one length.

use std::path::{Path, PathBuf};

use super::super::raw::{Raw, Request};
use super::super::table::LabelReader;
use super::super::{DataError, Examples, Origins, Values};
use super::{LONGEST_SERIES, MOST_NUMBERS, RawSeries, raw, steps};

/// Series so far.
pub struct Gathering {
    path: PathBuf,
    channels: usize,
    /// The most steps that are taken.
    most: usize,
    label_needed: bool,
    values: Vec<f32>,
    /// Where each series ends among the values.
    ends: Vec<usize>,
    names: Vec<String>,
    labels: Option<LabelReader>,
    is_test: Vec<bool>,
    pub notes: Vec<String>,
}

impl Gathering {
    /// No series yet, of the source at this path.
    pub fn new(path: &Path, request: &Request<'_>, channels: usize) -> Self {
        let most = match &request.series {
            Some(known) => known.length,
            None => request.options.max_length.unwrap_or(LONGEST_SERIES),
        };
        Self {
            path: path.to_path_buf(),
            channels,
            most,
            label_needed: request.label_needed,
            values: Vec::new(),
            ends: Vec::new(),
            names: Vec::new(),
            labels: None,
            is_test: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds the values `(T, D)` of a series. One that is too long is cut to one step more than are taken, which is its last, so
    /// that it is still known to be too long.
    pub fn add(&mut self, values: &[f32], name: String, label: Option<&str>, is_test: bool) {
        let channels = self.channels;
        let there = steps(values, channels);
        let taken = there.min(self.most);
        self.values.extend_from_slice(&values[..taken * channels]);
        if there > taken {
            self.values.extend_from_slice(&values[(there - 1) * channels..there * channels]);
        }
        self.ends.push(self.values.len());
        self.names.push(name);
        self.is_test.push(is_test);
        if let Some(label) = label {
            self.labels.get_or_insert_default().add(label);
        }
    }

    /// All series as rows of one length.
    pub fn finish(self, series: RawSeries) -> Result<Raw, DataError> {
        let unusable = |reason: String| DataError::unusable(self.path.display(), reason);
        if self.ends.is_empty() {
            return Err(unusable("it has no series".into()));
        }
        let mut starts = vec![0];
        starts.extend(&self.ends);
        let spans = || starts.windows(2).map(|span| span[0]..span[1]);
        let longest = spans().map(|span| span.len()).max().unwrap_or(0);
        let count = self.ends.len().checked_mul(longest).filter(|count| *count <= MOST_NUMBERS).ok_or_else(|| {
            unusable(format!(
                "{} series, the longest of {} steps, make more than {MOST_NUMBERS} numbers, since each row is as long as the \
                 longest: leave out long series with a lower `data.max_length`",
                self.ends.len(),
                longest / self.channels.max(1)
            ))
        })?;
        let mut values = Vec::new();
        let room = values.try_reserve_exact(count);
        room.map_err(|_| unusable(format!("{count} numbers do not fit into memory")))?;
        for span in spans() {
            let end = values.len() + longest;
            values.extend_from_slice(&self.values[span]);
            values.resize(end, f32::NAN);
        }
        let mut rows = Examples {
            origins: Some(Origins::Files(self.names)),
            ..Examples::of(self.ends.len(), Values::Floats(values))
        };
        let mut classes = Vec::new();
        let mut notes = self.notes;
        let mut known = vec![true; rows.rows];
        if let Some(labels) = self.labels.map(LabelReader::finish)
            && (self.label_needed || labels.known.contains(&true))
        {
            (classes, rows.labels) = (labels.names, Some(labels.classes));
            let unknown = labels.known.iter().filter(|known| !**known).count();
            if unknown > 0 {
                notes.push(format!("{unknown} of {} series were left out: without a label", rows.rows));
                known = labels.known;
            }
        }
        let test = rows.take_test(&known, self.is_test);
        if rows.rows == 0 {
            return Err(DataError::unusable(self.path.display(), "no training series has a label"));
        }
        let length = longest / self.channels.max(1);
        Ok(Raw { classes, test, notes, ..raw(series, length, rows) })
    }
}
