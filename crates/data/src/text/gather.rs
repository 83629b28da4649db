//! Texts, gathered one by one, as rows of token numbers.

use std::path::{Path, PathBuf};

use super::super::error::shown;
use super::super::raw::{Raw, Request};
use super::super::skipped::Skipped;
use super::super::table::LabelReader;
use super::super::{DataError, Examples, Origins, Shape, Unit, Values};
use super::numbering::Numbering;
use super::vocabulary::{NOTHING, TextUnit, Vocabulary, count_tokens};

/// The most numbers that all rows have together: 4 GiB of them.
const MOST_NUMBERS: usize = 1 << 30;

/// Why a text is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Nothing is there.
    Empty,
    /// It has more tokens than are taken.
    Long,
    /// It has no label.
    Unlabelled,
    /// It is no text.
    Unreadable,
}

/// Where a text comes from.
#[derive(Debug, Clone)]
pub enum Place {
    /// A line or a row of the source, counted from 1.
    Numbered(Unit, u64),
    /// A file of the source, by its path in the folder.
    File(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Numbered(unit, number) => write!(f, "{unit} {number}"),
            Place::File(name) => f.write_str(&shown(name)),
        }
    }
}

/// Where texts come from: there may be very many, so numbers of lines are no more than that.
#[derive(Default)]
struct Places {
    unit: Option<Unit>,
    numbers: Vec<u64>,
    files: Vec<String>,
}

impl Places {
    fn push(&mut self, place: Place) {
        match place {
            Place::Numbered(unit, number) => {
                self.unit = Some(unit);
                self.numbers.push(number);
            }
            Place::File(name) => self.files.push(name),
        }
    }

    fn of(&self, row: usize) -> Place {
        match self.unit {
            Some(unit) => Place::Numbered(unit, self.numbers[row]),
            None => Place::File(self.files[row].clone()),
        }
    }

    fn origins(self) -> Origins {
        match self.unit {
            Some(unit) => Origins::Numbered(unit, self.numbers),
            None => Origins::Files(self.files),
        }
    }
}

/// Texts so far, as numbers of their tokens.
pub struct Gathering<'a> {
    path: PathBuf,
    request: &'a Request<'a>,
    numbering: Numbering,
    /// The most tokens of a text.
    most: usize,
    numbers: Vec<u32>,
    /// Where each text ends among the numbers.
    ends: Vec<u32>,
    places: Places,
    labels: Option<LabelReader>,
    is_test: Vec<bool>,
    skipped: [Skipped; 4],
    /// Tokens of the shortest and the longest text that has too many.
    too_long: Option<[usize; 2]>,
    notes: Vec<String>,
}

impl<'a> Gathering<'a> {
    /// No texts yet, of the source at this path.
    pub fn new(path: &Path, request: &'a Request<'a>) -> Self {
        let options = request.options;
        let (unit, most) = match &request.texts {
            Some(known) => (known.vocabulary.unit, known.length.saturating_sub(1)),
            None => (options.tokens, options.max_length.unwrap_or(options.tokens.usual_length())),
        };
        Self {
            path: path.to_path_buf(),
            request,
            numbering: Numbering::new(unit, request.texts.as_ref().map(|known| known.vocabulary)),
            most,
            numbers: Vec::new(),
            ends: Vec::new(),
            places: Places::default(),
            labels: None,
            is_test: Vec::new(),
            skipped: Default::default(),
            too_long: None,
            notes: Vec::new(),
        }
    }

    /// Takes texts of any length, unless one is asked for.
    pub fn of_any_length(mut self) -> Self {
        if self.request.options.max_length.is_none() && self.request.texts.is_none() {
            self.most = usize::MAX - 1;
        }
        self
    }

    /// What the tokens are.
    pub fn unit(&self) -> TextUnit {
        self.numbering.unit()
    }

    /// Says something of how texts were read.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Leaves a text out, or fails if that is asked for.
    pub fn leave_out(&mut self, place: &Place, why: LeftOut, reason: impl FnOnce() -> String) -> Result<(), DataError> {
        if self.request.options.strict {
            return Err(self.refused(place, reason()));
        }
        self.skipped[why as usize].add(|| place.to_string());
        Ok(())
    }

    /// Makes room for so many texts, if there is some: vectors that grow in turn leave holes, which took half as much memory again.
    pub fn reserve(&mut self, texts: usize) {
        let _ = self.ends.try_reserve_exact(texts);
        let _ = self.places.numbers.try_reserve_exact(texts);
        let _ = self.is_test.try_reserve_exact(texts);
    }

    /// Adds a text that is one of the test rows, or of all others.
    pub fn add(&mut self, text: &[u8], place: Place, label: Option<&str>, is_test: bool) -> Result<(), DataError> {
        let before = self.numbers.len();
        let tokens = match self.unit() {
            TextUnit::Bytes => text.len(),
            unit => {
                let text = utf8(text).map_err(|reason| self.refused(&place, reason))?;
                // A text has no more tokens than bytes. A long one is counted before there is room for its numbers.
                let tokens = if text.len() > self.most { count_tokens(unit, text) } else { 0 };
                if tokens <= self.most {
                    let added = self.numbering.add(text, &mut self.numbers);
                    added.map_err(|reason| DataError::unusable(self.path.display(), reason))?;
                }
                tokens.max(self.numbers.len() - before)
            }
        };
        if tokens > self.most {
            let [least, longest] = self.too_long.unwrap_or([tokens; 2]);
            self.too_long = Some([least.min(tokens), longest.max(tokens)]);
            let (unit, most) = (self.unit().name(), self.most);
            let reason = || format!("it has {tokens} {unit}, and no more than {most} are taken");
            return self.leave_out(&place, LeftOut::Long, reason);
        }
        if tokens == 0 {
            return self.leave_out(&place, LeftOut::Empty, || "it is empty".into());
        }
        if self.unit() == TextUnit::Bytes {
            self.numbering.add_bytes(text, &mut self.numbers);
        }
        if let Some(label) = label
            && !self.labels.get_or_insert_default().add(label)
            && self.request.label_needed
            && self.request.options.strict
        {
            return Err(self.refused(&place, "it has no label".into()));
        }
        let end = u32::try_from(self.numbers.len());
        self.ends
            .push(end.map_err(|_| DataError::unusable(self.path.display(), "it has more than 4,294,967,295 tokens"))?);
        self.places.push(place);
        self.is_test.push(is_test);
        Ok(())
    }

    /// An error of one text.
    pub fn refused(&self, place: &Place, reason: String) -> DataError {
        match place {
            Place::Numbered(unit, number) => {
                DataError::Row { path: self.path.clone(), unit: *unit, number: *number, reason }
            }
            Place::File(name) => DataError::Format { path: self.path.join(name), kind: "text", reason },
        }
    }

    /// All texts as rows of one length.
    pub fn finish(mut self) -> Result<Raw, DataError> {
        if self.ends.is_empty() {
            return Err(DataError::unusable(self.path.display(), self.why_nothing()));
        }
        let (classes, labels, known) = self.labels();
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.said_of_skipped());
        notes.extend(self.numbering.said_of_unknown());
        let values = self.rows().map_err(|reason| DataError::unusable(self.path.display(), reason))?;
        let length = values.len() / self.ends.len();
        let mut rows = Examples {
            labels,
            origins: Some(self.places.origins()),
            ..Examples::of(self.ends.len(), Values::Floats(values))
        };
        let test = rows.take_test(&known, self.is_test);
        if rows.rows == 0 {
            return Err(DataError::unusable(self.path.display(), "no training text has a label"));
        }
        let tokens = self.numbering.finish();
        let shape = Shape::Text { length, tokens: tokens.len() };
        Ok(Raw { classes, test, notes, text: Some(tokens), ..Raw::of("", shape, rows) })
    }

    /// The classes, the label of each text, and whether it has one. Rows for a model need none.
    fn labels(&mut self) -> (Vec<String>, Option<Vec<u32>>, Vec<bool>) {
        let all = vec![true; self.ends.len()];
        let Some(labels) = self.labels.take().map(LabelReader::finish) else { return (Vec::new(), None, all) };
        if !self.request.label_needed && !labels.known.contains(&true) {
            return (Vec::new(), None, all);
        }
        for (row, _) in labels.known.iter().enumerate().filter(|(_, known)| !**known) {
            self.skipped[LeftOut::Unlabelled as usize].add(|| self.places.of(row).to_string());
        }
        (labels.names, Some(labels.classes), labels.known)
    }

    /// Token numbers `(N, length)`, with the end behind each text.
    fn rows(&mut self) -> Result<Vec<f32>, String> {
        let numbers = std::mem::take(&mut self.numbers);
        let starts = || std::iter::once(&0).chain(&self.ends);
        let texts = || starts().zip(&self.ends).map(|(start, end)| &numbers[*start as usize..*end as usize]);
        let longest = texts().map(<[u32]>::len).max().unwrap_or(0) + 1;
        let length = self.request.texts.as_ref().map_or(longest, |known| known.length);
        let count = self.ends.len().checked_mul(length).filter(|count| *count <= MOST_NUMBERS).ok_or_else(|| {
            format!(
                "{} texts, the longest of {} {}, make more than {MOST_NUMBERS} numbers, since each row is as long as the longest: \
                 leave out long texts with a lower `data.max_length`",
                self.ends.len(),
                longest - 1,
                self.unit().name()
            )
        })?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| format!("{count} numbers do not fit into memory"))?;
        for text in texts() {
            let end = values.len() + length;
            values.extend(text.iter().map(|number| *number as f32));
            values.push(Vocabulary::END as f32);
            values.resize(end, NOTHING);
        }
        Ok(values)
    }

    fn skipped(&self, why: LeftOut) -> &Skipped {
        &self.skipped[why as usize]
    }

    /// Why no text is there.
    fn why_nothing(&self) -> String {
        let unit = self.unit().name();
        match (self.too_long, self.skipped(LeftOut::Unreadable).count(), self.skipped(LeftOut::Empty).count()) {
            (Some([least, _]), ..) if self.request.texts.is_some() => {
                format!(
                    "every text is longer than the {} {unit} that the model takes: the shortest has {least}",
                    self.most
                )
            }
            (Some([least, _]), ..) => format!(
                "every text is longer than {} {unit}: the shortest has {least}, and `data.max_length = {least}` takes it",
                self.most
            ),
            (_, 1.., _) => {
                format!("none of its texts can be read, such as {}", self.skipped(LeftOut::Unreadable).which())
            }
            (_, _, 1..) => "it has no text: all that is there is empty".into(),
            _ => "it is empty".into(),
        }
    }

    /// What to say of the texts that were left out.
    fn said_of_skipped(&self) -> Vec<String> {
        let all = self.ends.len() + self.skipped.iter().map(Skipped::count).sum::<usize>()
            - self.skipped(LeftOut::Unlabelled).count();
        let unit = self.unit().name();
        let limit = match (&self.request.texts, self.too_long) {
            (Some(_), _) => format!("longer than the {} {unit} that the model takes", self.most),
            (None, longest) => format!(
                "longer than {} {unit}; `data.max_length = {}` takes all of them",
                self.most,
                longest.map_or(self.most, |[_, longest]| longest)
            ),
        };
        let reasons: [(LeftOut, &str); 4] = [
            (LeftOut::Empty, "empty"),
            (LeftOut::Long, &limit),
            (LeftOut::Unlabelled, "without a label"),
            (LeftOut::Unreadable, "not UTF-8"),
        ];
        reasons.iter().filter_map(|(why, what)| self.skipped(*why).note(all, "texts", what)).collect()
    }
}

/// Refuses keys that name a field, for a source whose texts are no fields. What a run knows of its own source is no
/// mistake with another one.
pub fn refuse_fields(request: &Request<'_>) -> Result<(), DataError> {
    let options = request.options;
    match request.texts.is_none() && (options.label.is_some() || options.text.is_some()) {
        true => Err(DataError::unusable(
            &options.source,
            "`data.label` and `data.text` name a column of a table or a field of JSON lines, and this source is neither",
        )),
        false => Ok(()),
    }
}

/// The text in some bytes, or why there is none.
pub fn utf8(bytes: &[u8]) -> Result<&str, String> {
    let any = "`data.tokens = \"bytes\"` reads any bytes";
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err(format!("it holds a zero byte, which no text has: {any}")),
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            Err(format!("it is not UTF-8: byte {} of it is {:#04x}; {any}", at + 1, bytes[at]))
        }
    }
}
