//! `.ts` files of the UCR/UEA archive: a header of `@` lines, then a series a line.
//!
//! Colons separate dimensions, and commas the values of a dimension. `?` is a missing value, and the class stands last. Of a
//! folder, `NAME_TRAIN.ts` has the training rows and `NAME_TEST.ts` the test rows.

use std::path::{Path, PathBuf};

use super::super::error::shown;
use super::super::raw::{Raw, Request};
use super::super::skipped::Skipped;
use super::super::{DataError, Unit, bytes};
use super::gather::Gathering;
use super::{MOST_CHANNELS, RawSeries};

/// What a header says.
#[derive(Default)]
struct Header {
    has_times: bool,
    has_label: bool,
    has_target: bool,
}

/// Reads a file.
pub fn read(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let mut all = Reading::new(path, request);
    all.file(path, false)?;
    all.finish()
}

/// Reads the training and the test rows of a folder; none where it has no such files. Of several data sets it takes the one that is named
/// as the folder is.
pub fn folder(path: &Path, request: &Request<'_>) -> Result<Option<Raw>, DataError> {
    let Ok(entries) = std::fs::read_dir(path) else { return Ok(None) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let ends = |file: &PathBuf, end: &str| {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.strip_suffix(end).map(String::from)
    };
    let of = |end: &str| files.iter().filter_map(|file| Some((ends(file, end)?, file))).collect::<Vec<_>>();
    let (train, test) = (of("_train.ts"), of("_test.ts"));
    let both = |(name, train): &(String, &PathBuf)| {
        let (_, test) = test.iter().find(|(same, _)| same == name)?;
        Some((name.clone(), (*train).clone(), (*test).clone()))
    };
    let sets: Vec<(String, PathBuf, PathBuf)> = train.iter().filter_map(both).collect();
    let of_folder = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let (train, test) = match &sets[..] {
        [] => return Ok(None),
        [(_, train, test)] => (train, test),
        _ => match sets.iter().find(|(name, ..)| Some(name) == of_folder.as_ref()) {
            Some((_, train, test)) => (train, test),
            None => {
                let names: Vec<String> = sets.iter().map(|(name, ..)| shown(name)).collect();
                let reason = format!(
                    "it has the series of {} data sets ({}): give each a folder of its own",
                    sets.len(),
                    names.join(", ")
                );
                return Err(DataError::Format { path: path.to_path_buf(), kind: "folder of one data set", reason });
            }
        },
    };
    let mut all = Reading::new(path, request);
    all.file(train, false)?;
    all.file(test, true)?;
    all.finish().map(Some)
}

struct Reading<'a> {
    request: &'a Request<'a>,
    path: PathBuf,
    /// Made for the channels of the first series.
    all: Option<Gathering>,
    channels: usize,
    /// Series whose dimensions are not alike.
    ragged: Skipped,
    rows: usize,
    notes: Vec<String>,
}

impl<'a> Reading<'a> {
    fn new(path: &Path, request: &'a Request<'a>) -> Self {
        let (path, ragged) = (path.to_path_buf(), Skipped::default());
        Self { request, path, all: None, channels: 0, ragged, rows: 0, notes: Vec::new() }
    }

    fn file(&mut self, path: &Path, is_test: bool) -> Result<(), DataError> {
        let content = bytes::all(path)?;
        let invalid = |reason: String| DataError::Format { path: path.to_path_buf(), kind: ".ts file", reason };
        let text = std::str::from_utf8(&content).map_err(|_| invalid("it is not UTF-8".into()))?;
        let mut header = Header::default();
        let mut is_data = false;
        let mut before = self.rows;
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '%']) {
                continue;
            }
            if !is_data {
                is_data = header.read(line).map_err(&invalid)?;
                if is_data && header.has_times {
                    return Err(invalid("its values have time stamps, and only values by the step can be read".into()));
                }
                continue;
            }
            self.rows += 1;
            self.line(path, number, line, &header, is_test)?;
        }
        before = self.rows - before;
        if !is_data {
            return Err(invalid("it has no line `@data`".into()));
        }
        if before == 0 {
            return Err(invalid("no series follows its line `@data`".into()));
        }
        if header.has_target && !self.notes.iter().any(|note| note.contains("@targetlabel")) {
            self.notes.push("the numbers of `@targetlabel` behind the series were left out".into());
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, number: u64, line: &str, header: &Header, is_test: bool) -> Result<(), DataError> {
        let refused = |reason: String| DataError::Row { path: path.to_path_buf(), unit: Unit::Line, number, reason };
        let mut parts: Vec<&str> = line.split(':').collect();
        let last = if header.has_label || header.has_target { parts.pop() } else { None };
        let label = last.filter(|_| header.has_label).map(str::trim);
        let value = |text: &str| match text.trim() {
            "?" | "" | "NaN" | "nan" => Ok(f32::NAN),
            text => text
                .parse::<f32>()
                .ok()
                .filter(|value| value.is_finite())
                .ok_or_else(|| refused(format!("it holds `{}`, which is no number", shown(text)))),
        };
        let dimensions: Vec<Vec<f32>> = parts
            .iter()
            .map(|part| part.split(',').map(value).collect::<Result<Vec<f32>, _>>())
            .collect::<Result<_, _>>()?;
        let (count, length) = (dimensions.len(), dimensions.first().map_or(0, Vec::len));
        if self.all.is_none() {
            if count == 0 || count > MOST_CHANNELS {
                return Err(refused(format!("it has {count} dimensions, and 1 to {MOST_CHANNELS} can be read")));
            }
            self.channels = count;
            self.all = Some(Gathering::new(&self.path, self.request, count));
        }
        let other = dimensions.iter().position(|dimension| dimension.len() != length);
        let reason = match other {
            _ if count != self.channels => {
                Some(format!("it has {count} dimensions, and the first series {}", self.channels))
            }
            Some(place) => Some(format!(
                "its dimension {} has {} values, and the first {length}",
                place + 1,
                dimensions[place].len()
            )),
            None => None,
        };
        let name = format!("line {number}{}", if is_test { " of the test rows" } else { "" });
        if let Some(reason) = reason {
            if self.request.options.strict {
                return Err(refused(reason));
            }
            self.ragged.add(|| name);
            return Ok(());
        }
        let values: Vec<f32> =
            (0..length).flat_map(|step| dimensions.iter().map(move |dimension| dimension[step])).collect();
        if let Some(all) = &mut self.all {
            all.add(&values, name, label, is_test);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Raw, DataError> {
        self.notes.extend(self.ragged.note(self.rows, "series", "their dimensions are not alike"));
        let Some(mut all) = self.all else {
            return Err(DataError::unusable(self.path.display(), "it has no series"));
        };
        all.notes = self.notes;
        all.finish(RawSeries::unnamed(self.channels))
    }
}

impl Header {
    /// Reads a line of the header; whether the data follows.
    fn read(&mut self, line: &str) -> Result<bool, String> {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default().to_lowercase();
        let is_true = words.next().is_some_and(|word| word.eq_ignore_ascii_case("true"));
        match key.as_str() {
            "@data" => return Ok(true),
            "@timestamps" => self.has_times = is_true,
            "@classlabel" => self.has_label = is_true,
            "@targetlabel" => self.has_target = is_true,
            key if key.starts_with('@') => {}
            _ => return Err(format!("`{}` stands before its line `@data`", shown(line))),
        }
        Ok(false)
    }
}
