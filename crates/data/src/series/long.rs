//! Series in a table in the long form: each row has a step of a series, with the series' name and the time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::super::columns::is_missing_word;
use super::super::error::{list, shown};
use super::super::raw::{Raw, Request};
use super::super::skipped::Skipped;
use super::super::table::{self, Places, RowCells};
use super::super::{DataError, Unit};
use super::gather::Gathering;
use super::time::{TimeColumn, on_grid, usual_step};
use super::{LONGEST_SERIES, MOST_CHANNELS, RawSeries};

/// Which columns of a table are what.
#[derive(Default)]
struct Chosen {
    channels: Vec<String>,
    has_label: bool,
}

/// The rows of a table, by their series.
#[derive(Default)]
struct Steps {
    ids: HashMap<String, usize>,
    names: Vec<String>,
    labels: Vec<String>,
    /// The series of each row.
    series: Vec<usize>,
    times: TimeColumn,
    numbers: Vec<u64>,
    values: Vec<f32>,
    /// How many cells of each channel are numbers, and its first cell that is neither a number nor missing.
    met: Vec<(usize, Option<(u64, String)>)>,
}

/// The names of the columns that tell series and steps apart.
fn keys(request: &Request<'_>) -> Result<[String; 2], DataError> {
    let known = request.series.as_ref().and_then(|known| known.series.columns.clone());
    match (request.options.series.as_slice(), known) {
        ([id, time], _) if id != time => Ok([id.clone(), time.clone()]),
        ([], Some(known)) => Ok(known),
        ([], None) => Err(DataError::unusable(
            &request.options.source,
            "`data.series = [\"id\", \"time\"]` names the columns that tell series and steps apart",
        )),
        _ => Err(DataError::Option {
            option: "series",
            reason: "names two columns, that of the series and that of the time, such as id,time".into(),
        }),
    }
}

/// The places of the columns of a table: those of the series and the time, of the label if there is one, and of the channels.
fn choose(names: &[String], [id, time]: &[String; 2], request: &Request<'_>) -> Result<(Vec<usize>, Chosen), String> {
    let (options, of_names) = (request.options, Places::of_names(names));
    let mut chosen = Chosen::default();
    let find = |name: &str, what: &str| {
        of_names.of(name).ok_or_else(|| format!("there is no column `{name}` {what}; there are {}", list(names)))
    };
    let mut places = vec![find(id, "to tell series apart by")?, find(time, "to take times from")?];
    match options.label.as_deref().map(|label| find(label, "to take labels from")) {
        Some(Err(reason)) if request.label_needed => return Err(reason),
        Some(Ok(place)) if places.contains(&place) => {
            return Err("the column of the labels cannot be that of the series or of the time, too".into());
        }
        Some(Ok(place)) => {
            chosen.has_label = true;
            places.push(place);
        }
        _ => {}
    }
    let channels: Vec<usize> = match &request.series {
        Some(known) => {
            known.series.names().iter().map(|name| find(name, "to take values from")).collect::<Result<_, _>>()?
        }
        None if !options.columns.is_empty() => {
            options.columns.iter().map(|name| find(name, "to take values from")).collect::<Result<_, _>>()?
        }
        None => {
            let dropped: Vec<usize> =
                options.drop_columns.iter().map(|name| find(name, "to leave out")).collect::<Result<_, _>>()?;
            (0..names.len()).filter(|place| !places.contains(place) && !dropped.contains(place)).collect()
        }
    };
    if channels.is_empty() || channels.len() > MOST_CHANNELS {
        let count = channels.len();
        return Err(format!("it has {count} columns with values of series, and 1 to {MOST_CHANNELS} can be read"));
    }
    chosen.channels = channels.iter().map(|place| names[*place].clone()).collect();
    places.extend(channels);
    Ok((places, chosen))
}

/// Reads the series of a table.
pub fn read(path: &Path, request: &Request<'_>) -> Result<Raw, DataError> {
    let columns = keys(request)?;
    let mut steps = Steps::default();
    let mut rows_are = Unit::Row;
    let chosen = table::each_row(
        path,
        |names| choose(names, &columns, request),
        |chosen, row| {
            rows_are = row.unit;
            steps.add(&row, chosen.has_label, &columns).map_err(|reason| DataError::Row {
                path: path.to_path_buf(),
                unit: row.unit,
                number: row.number,
                reason,
            })
        },
    )?;
    steps.finish(path, request, chosen, columns, rows_are)
}

impl Steps {
    /// Adds a row of a table.
    fn add(&mut self, row: &RowCells<'_>, has_label: bool, [id, time]: &[String; 2]) -> Result<(), String> {
        let (name, of_time) = (row.raw(0), row.raw(1));
        let name = name.trim();
        if is_missing_word(&[], name) {
            return Err(format!("the column `{}` does not name a series", shown(id)));
        }
        if !self.times.add(&of_time) {
            return Err(format!(
                "the column `{}` holds `{}`, which is neither a number nor a date as those before it",
                shown(time),
                shown(&of_time)
            ));
        }
        let label = if has_label { row.raw(2) } else { Cow::Borrowed("") };
        let (label, first) = (label.trim(), if has_label { 3 } else { 2 });
        let next = self.ids.len();
        let series = *self.ids.entry(name.to_string()).or_insert(next);
        if series == next {
            self.names.push(name.to_string());
            self.labels.push(label.to_string());
        } else if self.labels[series] != label {
            return Err(format!(
                "the series `{}` has the labels `{}` and `{}`, and a series has one",
                shown(name),
                shown(&self.labels[series]),
                shown(label)
            ));
        }
        self.series.push(series);
        self.numbers.push(row.number);
        self.met.resize(row.len() - first, (0, None));
        for (column, (count, odd)) in (first..).zip(&mut self.met) {
            self.values.push(match row.plain_number(column) {
                Some(value) => {
                    *count += 1;
                    value as f32
                }
                None => {
                    let text = row.text(column);
                    if !is_missing_word(&[], &text) && odd.is_none() {
                        *odd = Some((row.number, text.into_owned()));
                    }
                    f32::NAN
                }
            });
        }
        Ok(())
    }

    /// Leaves out channels of words; a channel with some words is an error.
    fn take_numbers(
        &mut self,
        path: &Path,
        unit: Unit,
        names: Vec<String>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<String>, DataError> {
        let odd = self.met.iter().zip(&names).find_map(|((count, odd), name)| {
            odd.as_ref().filter(|_| *count > 0).map(|(number, word)| (*number, word, name))
        });
        if let Some((number, word, name)) = odd {
            let reason = format!(
                "the column `{}` holds `{}`, which is no number: `data.drop_columns` leaves the column out",
                shown(name),
                shown(word)
            );
            return Err(DataError::Row { path: path.to_path_buf(), unit, number, reason });
        }
        let keep: Vec<bool> = self.met.iter().map(|(count, _)| *count > 0).collect();
        let kept: Vec<String> =
            names.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(name, _)| name.clone()).collect();
        if kept.len() < names.len() {
            let left: Vec<&String> =
                names.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|(name, _)| name).collect();
            notes.push(format!("columns without any number were left out: {}", list(&left)));
            table::retain_in_rows(&mut self.values, &keep);
        }
        match kept.is_empty() {
            true => Err(DataError::unusable(path.display(), "no column holds the numbers of series")),
            false => Ok(kept),
        }
    }

    fn finish(
        mut self,
        path: &Path,
        request: &Request<'_>,
        chosen: Chosen,
        columns: [String; 2],
        unit: Unit,
    ) -> Result<Raw, DataError> {
        let mut notes = Vec::new();
        let channels = match request.series {
            Some(_) => chosen.channels,
            None => self.take_numbers(path, unit, chosen.channels, &mut notes)?,
        };
        let width = channels.len();
        let column = |reason: String, row: usize| {
            let number = self.numbers.get(row).copied().unwrap_or(0);
            DataError::Row { path: path.to_path_buf(), unit, number, reason }
        };
        let (times, is_ambiguous) = std::mem::take(&mut self.times).finish().map_err(|row| {
            column(format!("the column `{}` is not a date as the others are", shown(&columns[1])), row)
        })?;
        if is_ambiguous {
            notes.push(format!("dates of the column {} were read with the day first", shown(&columns[1])));
        }
        // Rows of each series, by time.
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); self.names.len()];
        self.series.iter().enumerate().for_each(|(row, series)| rows[*series].push(row));
        let mut twice = Skipped::default();
        let mut sorted: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
        for (series, rows) in rows.iter_mut().enumerate() {
            rows.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
            if let Some(pair) = rows.windows(2).find(|pair| times[pair[0]] == times[pair[1]]) {
                if request.options.strict {
                    let reason = format!("the series `{}` has this time twice", shown(&self.names[series]));
                    return Err(column(reason, pair[1]));
                }
                twice.add(|| self.names[series].clone());
                rows.clear();
            }
            sorted.push(rows.iter().map(|row| times[*row]).collect());
        }
        let count = self.names.len();
        if twice.count() == count && count > 0 {
            return Err(DataError::unusable(
                path.display(),
                format!(
                    "each of its {count} series has a time twice, such as {}: name another column with `data.series`",
                    shown(&self.names[0])
                ),
            ));
        }
        notes.extend(twice.note(count, "series", "a time is there twice"));
        let known = request.series.as_ref().and_then(|known| known.series.step);
        let step = known.or_else(|| usual_step(sorted.iter().map(Vec::as_slice)));
        let mut all = Gathering::new(path, request, width);
        let (mut irregular, mut gaps) = (Skipped::default(), 0);
        for (series, (rows, times)) in rows.iter().zip(&sorted).enumerate().filter(|(_, (rows, _))| !rows.is_empty()) {
            let grid = step.and_then(|step| on_grid(times, step)).filter(|places| {
                // A series of mostly gaps is rather one whose times mean something else.
                places.last().is_some_and(|last| *last < LONGEST_SERIES && *last < 100 * places.len())
            });
            let places = grid.unwrap_or_else(|| {
                irregular.add(|| self.names[series].clone());
                (0..rows.len()).collect()
            });
            let length = places.last().map_or(0, |last| last + 1);
            gaps += length - rows.len();
            let mut values = vec![f32::NAN; length * width];
            for (place, row) in places.iter().zip(rows) {
                values[place * width..(place + 1) * width]
                    .copy_from_slice(&self.values[row * width..(row + 1) * width]);
            }
            let label = chosen.has_label.then_some(self.labels[series].as_str());
            all.add(&values, self.names[series].clone(), label, false);
        }
        if gaps > 0 {
            notes.push(format!("{gaps} steps lie in gaps of the times: their values are missing"));
        }
        if irregular.count() > 0 {
            notes.push(format!(
                "the times of {} of {count} series are irregular ({}): their rows are taken as one step after another",
                irregular.count(),
                irregular.which()
            ));
        }
        all.notes = notes;
        let step = step.filter(|_| irregular.count() < count);
        all.finish(RawSeries { channels, columns: Some(columns), step })
    }
}
