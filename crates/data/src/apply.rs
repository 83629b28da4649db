//! Rows for a trained model, converted to the form it was trained on.

use super::load::{check_flags, choose, mark_missing};
use super::raw::{KnownSeries, Raw, RawColumns, ReadProgress, Request};
use super::text::KnownTexts;
use super::{
    Channels, Columns, DataError, Description, Examples, ImageSize, Options, RowFormat, Rows, Shape, Table, Values,
    resize,
};
use super::{series, source, sprites, table};

/// Loads the test rows if the source has its own, else all rows in order.
///
/// Images are converted to the model's size and channels; a table's columns are found by name and standardised as in
/// training. Where that is impossible, the error says what the model takes and what the source has.
pub fn rows(options: &Options, like: &Description) -> Result<Rows, DataError> {
    rows_with(options, like, &|_, _| {})
}

/// [`rows`] with a progress callback.
pub fn rows_with(options: &Options, like: &Description, progress: ReadProgress<'_>) -> Result<Rows, DataError> {
    let wanted = wanted(options, like);
    let request = Request {
        options: &wanted,
        progress,
        label_needed: false,
        like: like.columns.as_ref(),
        texts: texts_of(like),
        series: series_of(like),
        sound: like.sound.map(|sound| (sound, like.shape)),
        is_own: false,
    };
    let raw = source::read(&request)?;
    converted(raw, options, &wanted, like)
}

/// Rows of a table in memory: those with any value, in the form of the model. Columns are found by their names. A column of classes
/// has the name of `label`, if it is there.
pub fn table_rows(table: &Table, label: Option<&str>, like: &Description) -> Result<Rows, DataError> {
    let label = label.filter(|label| table.names().any(|name| name == *label)).map(String::from);
    let options = Options { label, ..Options::from("the table") };
    let wanted = wanted(&options, like);
    let request = Request {
        options: &wanted,
        progress: &|_, _| {},
        label_needed: false,
        like: like.columns.as_ref(),
        texts: texts_of(like),
        series: series_of(like),
        sound: like.sound.map(|sound| (sound, like.shape)),
        is_own: false,
    };
    if let Some(reason) = table.refusal() {
        return Err(DataError::unusable(&options.source, reason));
    }
    converted(table::in_memory(&options.source, table, &request)?, &options, &wanted, like)
}

/// Rows with these factors `(N, factors)`, whether a source has them or not; none where the source cannot make any it is asked for.
pub fn rows_of_factors(options: &Options, values: &[u16], like: &Description) -> Result<Option<Rows>, DataError> {
    if options.source.split(':').next() != Some("sprites") {
        return Ok(None);
    }
    let raw = sprites::of_factors(values).map_err(|reason| DataError::unusable(&options.source, reason))?;
    // All of them, in this order.
    let all = Options { keep_label: Vec::new(), drop_label: Vec::new(), limit: None, ..options.clone() };
    converted(raw, &all, &wanted(&all, like), like).map(Some)
}

/// What a model of texts knows.
fn texts_of(like: &Description) -> Option<KnownTexts<'_>> {
    let vocabulary = like.vocabulary.as_ref()?;
    Some(KnownTexts { vocabulary, length: like.shape.len() })
}

/// What a model of series knows.
fn series_of(like: &Description) -> Option<KnownSeries<'_>> {
    let Shape::Series { length, .. } = like.shape else { return None };
    Some(KnownSeries { series: like.series.as_ref()?, length })
}

/// The options with the size and the columns of the model.
fn wanted(options: &Options, like: &Description) -> Options {
    let mut wanted = options.clone();
    match (like.shape, &like.columns) {
        (Shape::Series { .. }, _) => {
            (wanted.max_length, wanted.steps_per_beat) = (None, None);
            if wanted.format.is_auto() {
                wanted.format = RowFormat::Series;
            }
        }
        (Shape::Image { height, width, channels }, _) => {
            if wanted.format.is_auto() {
                wanted.format = RowFormat::Images;
            }
            wanted.image_size = Some(ImageSize { height, width });
            wanted.channels = Some(if channels == 1 { Channels::Grey } else { Channels::Rgb });
            (wanted.sample_rate, wanted.mel_bands, wanted.seconds) = (None, None, None);
        }
        (Shape::Table(_), Some(columns)) if !columns.are_unnamed() => {
            wanted.columns = columns.of_table().into_iter().map(|column| column.name.to_string()).collect();
        }
        (Shape::Text { .. }, _) => {
            wanted.tokens = like.vocabulary.as_ref().map_or(wanted.tokens, |vocabulary| vocabulary.unit);
            (wanted.vocabulary, wanted.max_length) = (None, None);
            if wanted.format.is_auto() {
                wanted.format = RowFormat::Text;
            }
        }
        _ => {}
    }
    wanted
}

/// Rows of a source, in the form of the model.
fn converted(raw: Raw, options: &Options, wanted: &Options, like: &Description) -> Result<Rows, DataError> {
    check_flags(&raw, options)?;
    let mut raw = resize::as_asked(raw, wanted)?;
    if let Some(known) = series_of(like) {
        series::tidy(&mut raw, wanted, Some(known.length))?;
    }
    let mut raw = choose(raw, wanted)?;
    // A model that was trained on whole images cannot take others. Of a table it gets the middle of the column.
    if !like.has_missing() && like.columns.is_none() && like.series.is_none() {
        raw.note_dropped(options)?;
    }
    let Raw { shape, classes, columns, sound, rows, test, mut notes, .. } = raw;
    let mut split = test.unwrap_or(rows);
    let mismatch = |has: String| DataError::Mismatch { takes: takes(like), source_name: options.source.clone(), has };
    // Plain rows of numbers become images or points if their width matches.
    let fits = match (like.shape, shape) {
        (Shape::Text { .. }, Shape::Text { .. }) => shape == like.shape,
        (Shape::Series { .. }, Shape::Series { .. }) => shape == like.shape,
        (Shape::Text { .. } | Shape::Series { .. }, _) | (_, Shape::Text { .. } | Shape::Series { .. }) => false,
        (Shape::Image { .. }, Shape::Image { .. }) => shape == like.shape,
        (Shape::Table(width), Shape::Table(_) | Shape::Point(_)) => match (&columns, &like.columns) {
            (Some(found), Some(known)) if found.are_named && !known.are_unnamed() => found.names() == known.names(),
            // The columns of an array are known by their places.
            (_, known) => shape.len() == known.as_ref().map_or(width, Columns::len),
        },
        (Shape::Image { .. }, _) | (_, Shape::Point(_)) | (Shape::Point(_), Shape::Table(_)) => {
            shape.len() == like.shape.len()
        }
        (_, Shape::Image { .. }) => false,
    };
    let has = || sound.map_or_else(|| shape.to_string(), |sound| sound.described(shape));
    if !fits || sound.is_some() && like.sound.is_none() {
        return Err(mismatch(has()));
    }
    if let Some(known) = &like.columns {
        let are_places = columns.as_ref().map_or_else(|| vec![false; known.len()], RawColumns::are_places);
        let is_array = columns.is_none_or(|columns| !columns.are_named);
        if let (Values::Floats(cells), true) = (&split.values, is_array && !known.missing) {
            let missing = cells.iter().filter(|cell| cell.is_nan()).count();
            if missing > 0 {
                notes.push(format!(
                    "{missing} of {} cells are missing, and no row that was trained on had any: the middle of the column stands for each",
                    cells.len()
                ));
            }
        }
        known.encode(&are_places, &mut split);
    }
    if let Some(series) = &like.series {
        if let (Values::Floats(values), false) = (&split.values, series.missing) {
            let missing = values.iter().filter(|value| value.is_nan()).count();
            if missing > 0 {
                notes.push(format!(
                    "{missing} of {} values are missing, and no row that was trained on had any: the mean of the channel stands for each",
                    values.len()
                ));
            }
        }
        series.encode(&mut split);
    }
    if like.missing {
        mark_missing(&mut [&mut split], like.shape.len(), &mut notes);
    }
    bring_to_levels(&mut split, like.bytes).map_err(mismatch)?;
    let mut rows = Rows { split, classes, notes };
    rows.limit(options);
    Ok(rows)
}

fn takes(like: &Description) -> String {
    let levels = if like.bytes { " with levels in [0, 1]" } else { "" };
    match &like.columns {
        None if like.sound.is_some() => like.sound.map_or_else(String::new, |sound| sound.described(like.shape)),
        // Columns as a file has them: a word is one column.
        Some(columns) => Shape::Table(columns.of_table().len()).to_string(),
        None => format!("{}{levels}", like.shape),
    }
}

/// Levels as bytes where the model was trained on bytes, numbers where it was not.
fn bring_to_levels(split: &mut Examples, bytes: bool) -> Result<(), String> {
    // Where pixels are missing, levels stay numbers.
    let takes_bytes = bytes && !split.has_missing();
    match &split.values {
        Values::Floats(values) if takes_bytes => {
            let outside = |v: &&f32| !(0.0..=1.0).contains(*v);
            if let Some(value) = values.iter().find(outside) {
                return Err(format!("numbers outside that range, such as {value}"));
            }
            split.values = Values::Bytes(values.iter().map(|v| (v * 255.0).round() as u8).collect());
        }
        Values::Bytes(_) if !bytes => split.values = Values::Floats(split.values.numbers(0..split.values.len())),
        _ => {}
    }
    Ok(())
}
