//! From the rows of a source to a data set: choosing by class, splitting, limiting, standardising.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::list;
use super::raw::{Raw, RawColumns, ReadProgress, Request};
use super::series::{self, Series};
use super::sound;
use super::source;
use super::text::{LONGEST_TEXT, MOST_TOKENS};
use super::{
    Columns, DataError, Dataset, Examples, Missing, Options, RowFormat, Rows, Shape, ValueKind, Values, resize,
};
use crate::is_missing;

/// How many times as many rows as before balanced classes may have.
const MAX_REPEATED: usize = 50;

/// Random streams of the seed, one for each choice of rows.
const SPLIT: u64 = 0x0073_706c_6974;
const LIMIT: u64 = 0x006c_696d_6974;
const BALANCE: u64 = 0x0062_616c_616e;

impl Dataset {
    /// Loads or makes a source: a built-in one, a folder or a file.
    ///
    /// If the source has no test rows of its own, a share `test_share` of the rows is chosen at random for testing.
    /// Then `limit` training rows are chosen at random. Rows stay in the order of the source.
    pub fn load(options: impl Into<Options>) -> Result<Self, DataError> {
        Self::load_with(options, &|_, _| {})
    }

    /// [`Dataset::load`] with a progress callback.
    pub fn load_with(options: impl Into<Options>, progress: ReadProgress<'_>) -> Result<Self, DataError> {
        Self::load_known(options, None, progress)
    }

    /// [`Dataset::load_with`] of the data that a model was trained on: the columns of a table are read as they were then.
    pub fn load_known(
        options: impl Into<Options>,
        known: Option<&Columns>,
        progress: ReadProgress<'_>,
    ) -> Result<Self, DataError> {
        let mut options = options.into();
        check_numbers(&options)?;
        if let Some(known) = known.filter(|known| !known.are_unnamed()) {
            options.columns = known.of_table().into_iter().map(|column| column.name.to_string()).collect();
        }
        let raw = source::read(&Request {
            options: &options,
            progress,
            label_needed: true,
            like: known,
            texts: None,
            series: None,
            sound: None,
            is_own: true,
        })?;
        check_flags(&raw, &options)?;
        let mut raw = resize::as_asked(raw, &options)?;
        series::tidy(&mut raw, &options, None)?;
        if known.is_none() {
            raw.ask(&options.kinds, options.kind).map_err(|reason| DataError::unusable(&options.source, reason))?;
        }
        if options.missing == Missing::Drop {
            raw.note_dropped(&options)?;
        }
        Self::split(choose(raw, &options)?, &options, known)
    }

    /// Chooses, splits, limits, standardises and balances rows.
    pub(super) fn split(raw: Raw, options: &Options, known: Option<&Columns>) -> Result<Self, DataError> {
        let Raw { name, mut shape, classes, columns, text, series, sound, rows: mut train, test, mut notes } = raw;
        let mut test = match test {
            Some(test) => test,
            None => {
                let marked = drawn(options.seed, SPLIT, train.rows, test_rows(options, train.rows)?);
                train.take_out(&marked)
            }
        };
        if let Some(limit) = options.limit.filter(|limit| *limit < train.rows) {
            train.retain(&drawn(options.seed, LIMIT, train.rows, limit));
        }
        let is_image = matches!(shape, Shape::Image { .. });
        let missing = is_image && mark_missing(&mut [&mut train, &mut test], shape.len(), &mut notes);
        if train.rows == 0 || test.rows == 0 {
            return Err(DataError::unusable(&options.source, "no row has any value"));
        }
        // Columns are measured before rows are repeated, so that repetition does not change the scaling.
        let columns = match columns {
            Some(raw) => Some(
                encode(raw, options, known, &mut train, &mut test, &mut notes).map_err(|reason| {
                    let all = |kind: ValueKind| {
                        let kind = kind.name();
                        format!("{reason}; with this likelihood all columns of a table are of kind {kind}: leave that column out, or choose the likelihood columns")
                    };
                    DataError::unusable(&options.source, options.kind.map_or_else(|| reason.clone(), all))
                })?,
            ),
            None => None,
        };
        if let Some(columns) = &columns {
            shape = Shape::Table(columns.width());
        }
        let vocabulary = match text {
            Some(text) => Some(text.finish(options, &mut train, &mut test, &mut notes)?),
            None => None,
        };
        if let (Shape::Text { tokens, .. }, Some(vocabulary)) = (&mut shape, &vocabulary) {
            *tokens = vocabulary.len();
        }
        let series = series.map(|raw| {
            // Nobody needs to be told which keys of a piano are never used.
            let mut unsaid = Vec::new();
            let said = if sound.is_some() { &mut unsaid } else { &mut notes };
            let series = Series::measure(raw, &train, &test, said);
            series.encode(&mut train);
            series.encode(&mut test);
            series
        });
        if options.balance {
            let again = repeated(&train, options)?;
            notes.push(format!(
                "{} training rows of the rarer classes were repeated to balance the classes",
                again.len()
            ));
            train.repeat(&again);
        }
        Ok(Dataset {
            name,
            shape,
            classes,
            columns,
            vocabulary,
            series,
            sound,
            missing,
            train,
            test,
            notes,
            options: options.clone(),
        })
    }
}

/// Refuses option values that no source accepts.
pub(super) fn check_numbers(options: &Options) -> Result<(), DataError> {
    if options.test_share.is_nan() || options.test_share <= 0.0 || options.test_share >= 1.0 {
        return Err(DataError::Option {
            option: "test_share",
            reason: format!("must be a share of the rows between 0 and 1, not {}", options.test_share),
        });
    }
    if options.rare.is_some_and(|rare| !(0.0..1.0).contains(&rare)) {
        return Err(DataError::Option {
            option: "rare",
            reason: "must be a share from 0 to below 1, such as 0.005 or 0.5%".into(),
        });
    }
    for (option, value, most, of) in [
        ("vocabulary", options.vocabulary, MOST_TOKENS, "tokens"),
        ("max_length", options.max_length, LONGEST_TEXT, "tokens or steps"),
    ] {
        if value.is_some_and(|value| !(1..=most).contains(&value)) {
            return Err(DataError::Option { option, reason: format!("must be a number of {of} from 1 to {most}") });
        }
    }
    sound::check_numbers(options)?;
    if options.limit == Some(0) {
        return Err(DataError::Option { option: "limit", reason: "must be a number of rows above 0".into() });
    }
    Ok(())
}

/// Refuses options that do not apply to this kind of source, because ignoring them would hide a mistake.
pub(super) fn check_flags(raw: &Raw, options: &Options) -> Result<(), DataError> {
    let refused =
        |what: &str| Err(DataError::unusable(&options.source, format!("{what}, but this source has {}", raw.shape)));
    if let Some(what) = sound::misplaced(options, raw.sound) {
        return refused(what);
    }
    check_text_flags(raw, options)?;
    // Series of a table take some of its columns.
    let is_long = raw.series.as_ref().is_some_and(|series| series.columns.is_some());
    let is_of_texts = raw.text.is_some();
    let is_of_tables = options.label.is_some() && !is_of_texts && !is_long
        || (!options.columns.is_empty() || !options.drop_columns.is_empty()) && !is_long
        || !options.kinds.is_empty()
        || !options.missing_words.is_empty()
        || options.rare.is_some();
    if raw.columns.is_none() && is_of_tables {
        return refused(
            "`data.label`, `data.columns`, `data.drop_columns`, `data.kinds`, `data.missing_words` and `data.rare` apply only \
             to tables",
        );
    }
    let is_of_floats = matches!(raw.rows.values, Values::Floats(_));
    if options.missing != Missing::default() && (!is_of_floats || is_of_texts || raw.series.is_some()) {
        return refused("`data.missing` applies only to tables and to images of floats");
    }
    let has_names = raw.columns.as_ref().is_none_or(|columns| columns.are_named);
    let needs_names = options.label.is_some() && !is_of_texts
        || !options.columns.is_empty()
        || !options.drop_columns.is_empty()
        || !options.missing_words.is_empty()
        || options.rare.is_some();
    if !has_names && needs_names {
        return refused(
            "`data.label`, `data.columns`, `data.drop_columns`, `data.missing_words` and `data.rare` apply only to tables whose \
             columns have names",
        );
    }
    let is_image = matches!(raw.shape, Shape::Image { .. });
    if !is_image && (options.image_size.is_some() || options.channels.is_some()) {
        return refused("`data.image_size` and `data.channels` apply only to images");
    }
    Ok(())
}

/// Refuses options of texts where there are none, and a source of other rows than were asked for.
fn check_text_flags(raw: &Raw, options: &Options) -> Result<(), DataError> {
    let refused =
        |what: &str| Err(DataError::unusable(&options.source, format!("{what}, but this source has {}", raw.shape)));
    let fits = match options.format {
        RowFormat::Auto => true,
        RowFormat::Table => raw.columns.is_some() || matches!(raw.shape, Shape::Point(_)),
        RowFormat::Text => raw.text.is_some(),
        RowFormat::Series => raw.series.is_some(),
        RowFormat::Images => matches!(raw.shape, Shape::Image { .. }),
    };
    if !fits {
        return refused(&format!("`data.format = \"{}\"` asks for other rows", options.format.name()));
    }
    if raw.series.is_none() && !options.series.is_empty() {
        return refused("`data.series` names columns of a table that holds series");
    }
    let takes_length = raw.text.is_some() || raw.series.is_some();
    let is_of_texts = options.text.is_some() || options.has_vocabulary();
    match raw.text.is_none() && is_of_texts || options.max_length.is_some() && !takes_length {
        true => refused(
            "`data.text`, `data.tokens` and `data.vocabulary` apply only to texts, and `data.max_length` to texts and series",
        ),
        false => Ok(()),
    }
}

/// Keeps the rows of the chosen classes. The classes keep their numbers.
pub(super) fn choose(mut raw: Raw, options: &Options) -> Result<Raw, DataError> {
    let (keep, leave) = (&options.keep_label, &options.drop_label);
    if keep.is_empty() && leave.is_empty() {
        return Ok(raw);
    }
    let unusable = |reason: String| Err(DataError::unusable(&options.source, reason));
    if raw.rows.labels.is_none() && raw.test.as_ref().is_none_or(|test| test.labels.is_none()) {
        let hint = if raw.columns.is_some() { "; name the column with the classes with `data.label`" } else { "" };
        return unusable(format!("there are no labels to choose rows by{hint}"));
    }
    for (which, split) in [("training", Some(&mut raw.rows)), ("test", raw.test.as_mut())] {
        if let Some(split) = split {
            choose_of(split, which, &raw.classes, options)?;
        }
    }
    Ok(raw)
}

/// Keeps the rows of a split whose class is chosen.
fn choose_of(split: &mut Examples, which: &str, classes: &[String], options: &Options) -> Result<(), DataError> {
    let (keep, leave) = (&options.keep_label, &options.drop_label);
    if keep.is_empty() && leave.is_empty() {
        return Ok(());
    }
    let unusable = |reason: String| Err(DataError::unusable(&options.source, reason));
    if let Some(name) = keep.iter().chain(leave).find(|name| !classes.contains(name)) {
        return unusable(format!("there is no class `{name}`; there are {}", list(classes)));
    }
    let wanted: Vec<bool> =
        classes.iter().map(|class| (keep.is_empty() || keep.contains(class)) && !leave.contains(class)).collect();
    let is_wanted = |label: &u32| wanted.get(*label as usize).copied().unwrap_or(false);
    // One split may have labels while the other has none.
    let Some(labels) = &split.labels else {
        return unusable(format!("the {which} rows have no labels to choose by"));
    };
    let marks: Vec<bool> = labels.iter().map(is_wanted).collect();
    split.retain(&marks);
    match split.rows {
        0 => unusable("no rows are left: none has one of the chosen classes".into()),
        _ => Ok(()),
    }
}

impl Rows {
    /// Keeps the rows of the chosen classes, and the first `limit` of these.
    pub fn choose(&mut self, options: &Options) -> Result<(), DataError> {
        choose_of(&mut self.split, "run's", &self.classes, options)?;
        self.limit(options);
        Ok(())
    }

    /// Keeps the first `limit` rows.
    pub(super) fn limit(&mut self, options: &Options) {
        if let Some(limit) = options.limit {
            self.split.retain(&(0..self.split.rows).map(|row| row < limit).collect::<Vec<bool>>());
        }
    }
}

/// How many rows are kept for testing.
fn test_rows(options: &Options, rows: usize) -> Result<usize, DataError> {
    if rows < 2 {
        let reason = format!("{rows} row is too few to train and test with: at least 2 are needed");
        return Err(DataError::unusable(&options.source, reason));
    }
    Ok(((rows as f64 * options.test_share).round() as usize).clamp(1, rows - 1))
}

/// Marks those of some recordings that are held out for testing, each with all its rows.
pub(super) fn held_out(options: &Options, recordings: usize) -> Result<Vec<bool>, DataError> {
    Ok(drawn(options.seed, SPLIT, recordings, test_rows(options, recordings)?))
}

/// Marks `count` of `rows` rows at random by a partial Fisher-Yates shuffle.
fn drawn(seed: u64, stream: u64, rows: usize, count: usize) -> Vec<bool> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let mut order: Vec<u64> = (0..rows as u64).collect();
    let mut marked = vec![false; rows];
    for place in 0..count.min(rows) {
        let other = rng.random_range(place as u64..rows as u64);
        order.swap(place, other as usize);
        marked[order[place] as usize] = true;
    }
    marked
}

/// Rows to repeat so that every class has as many as the largest. Within a class all rows are repeated equally often,
/// and some, chosen at random, once more.
fn repeated(train: &Examples, options: &Options) -> Result<Vec<usize>, DataError> {
    let Some(labels) = &train.labels else {
        return Err(DataError::unusable(&options.source, "there are no labels to balance by"));
    };
    let mut members: std::collections::BTreeMap<u32, Vec<usize>> = std::collections::BTreeMap::new();
    for (row, label) in labels.iter().enumerate() {
        members.entry(*label).or_default().push(row);
    }
    let most = members.values().map(Vec::len).max().unwrap_or(0);
    let all = members.len().saturating_mul(most);
    if all > train.rows.saturating_mul(MAX_REPEATED) {
        return Err(DataError::unusable(
            &options.source,
            format!(
                "balancing {} classes, the largest of which has {most} rows, would make {all} rows of {}: keep fewer classes \
                 with `data.keep_label`, or drop the rarest with `data.drop_label`",
                members.len(),
                train.rows
            ),
        ));
    }
    let mut again = Vec::new();
    for (label, rows) in &members {
        let missing = most - rows.len();
        for _ in 0..missing / rows.len() {
            again.extend(rows);
        }
        let once_more = drawn(options.seed, BALANCE ^ u64::from(*label) << 48, rows.len(), missing % rows.len());
        again.extend(rows.iter().zip(once_more).filter(|(_, more)| *more).map(|(row, _)| row));
    }
    Ok(again)
}

/// Marks the pixels that are missing, and leaves out rows that have no others. Whether there are any.
pub(super) fn mark_missing(splits: &mut [&mut Examples], width: usize, notes: &mut Vec<String>) -> bool {
    let (mut missing, mut values, mut empty) = (0, 0, 0);
    for split in splits {
        let of_split = split.mark_missing();
        (missing, values) = (missing + of_split, values + split.values.len());
        if let (Values::Floats(all), 1..) = (&split.values, of_split) {
            let marks: Vec<bool> = all.chunks(width).map(|row| row.iter().any(|value| !is_missing(*value))).collect();
            empty += marks.iter().filter(|mark| !**mark).count();
            split.retain(&marks);
        }
    }
    if empty > 0 {
        notes.push(format!("{empty} rows were left out because they have no value"));
    }
    if missing > 0 {
        notes.push(format!(
            "{missing} of {values} pixels are missing: what is there is learned from; `data.missing = \"drop\"` leaves such images out"
        ));
    }
    missing > 0
}

/// Relations of which each has a line.
const MAX_SAID: usize = 12;

/// What to say of the relations between columns.
fn said(columns: &Columns) -> Vec<String> {
    let relations = &columns.relations;
    let mut said: Vec<String> = relations
        .iter()
        .take(MAX_SAID)
        .map(|relation| format!("in every row {}", relation.said(&columns.all)))
        .collect();
    if relations.len() > MAX_SAID {
        said.push(format!("{} more relations hold in every row", relations.len() - MAX_SAID));
    }
    if let Some(last) = said.last_mut() {
        *last += ": kept in rows that are drawn or filled; `data.relations = false` leaves that";
    }
    said
}

/// Measures the columns of the training rows, and makes values of all rows' cells.
fn encode(
    raw: RawColumns,
    options: &Options,
    known: Option<&Columns>,
    train: &mut Examples,
    test: &mut Examples,
    notes: &mut Vec<String>,
) -> Result<Columns, String> {
    let (Values::Floats(cells), Values::Floats(of_test)) = (&train.values, &test.values) else {
        let names: Vec<String> = raw.names().into_iter().map(String::from).collect();
        let count = names.len();
        return Ok(Columns::numbers(names, vec![0.0; count], vec![1.0; count]));
    };
    let are_places = raw.are_places();
    if let Some(known) = known {
        known.encode(&are_places, train);
        known.encode(&are_places, test);
        return Ok(known.clone());
    }
    let mut columns = Columns::measure(raw, cells, of_test, notes)?;
    let constant = columns.constant(cells);
    if !constant.is_empty() {
        notes.push(format!(
            "columns with the same value in every training row, from which nothing can be learned: {}; choose columns with `data.columns`",
            list(&constant)
        ));
    }
    let has_missing =
        |split: &Examples| matches!(&split.values, Values::Floats(cells) if cells.iter().any(|cell| cell.is_nan()));
    columns.missing = has_missing(train) || has_missing(test);
    if options.relations {
        columns.relations = columns.relations_in([cells, of_test]);
        notes.extend(said(&columns));
    }
    columns.encode(&are_places, train);
    columns.encode(&are_places, test);
    Ok(columns)
}

#[cfg(test)]
mod tests;
