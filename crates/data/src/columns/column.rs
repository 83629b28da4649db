//! One column of a table: its cells as values of a model, and back.

use serde::{Deserialize, Serialize};

use super::cell::{Cell, Provenance, is_missing_word, truth};
use super::float::{FLOAT_DIGITS, MAX_RAW, short, with_digits};
use super::quantiles::Quantiles;
use super::{Form, UNKNOWN, ValueKind};
use crate::is_missing;

/// A column. A number is standardised for training: minus its mean, divided by its deviation; of what is positive or counted, the
/// logarithm is, and of numbers by quantiles the normal score is the value. A category has a value for each of its words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ValueKind,
    /// How its cells are written.
    pub form: Form,
    /// Its words; none of numbers. The last may stand for all that are grouped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What raw cells are relative to, where a float would not tell their numbers apart.
    pub offset: f64,
    /// Mean over the training rows: of positive numbers that of the logarithms, of counts that of the logarithms of one more. Values that
    /// are far from all others do not count.
    pub mean: f64,
    /// Standard deviation over the training rows; 1 for a constant column, counts and words.
    pub deviation: f64,
    /// Digits behind the decimal point, where all values have so few that they are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// The least and the largest number of the training rows, without those that are far from all others: what is drawn lies within.
    pub range: [f64; 2],
    /// The least and the largest number of the training rows.
    pub seen: [f64; 2],
    /// What most columns have not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
}

/// What most columns have not: a table may have very many of them. It is read as if it stood in the column itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// What raw cells are multiplied by, a power of two, where a float would not reach their numbers.
    #[serde(skip_serializing_if = "is_one")]
    pub scale: f64,
    /// Which of several numbers in a cell it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Words that stand for a missing value, beside an empty cell; if there are none, those that usually do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Words where numbers are, which count as missing and stay in the table as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<String>,
    /// Whether words that look like numbers or truth values are words all the same, as a table with types has them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub are_words: bool,
    /// Rare words, which the last word stands for, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grouped: Vec<Grouped>,
    /// The numbers that the words of a category are, where they are levels, such as hours of the day: between them lie others that mean
    /// something, and of several likely ones the middle is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f64>,
    /// Normal scores of numbers by quantiles.
    #[serde(skip_serializing_if = "Quantiles::is_empty")]
    pub quantiles: Quantiles,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(scale: &f64) -> bool {
    *scale == 1.0
}

impl Details {
    const NONE: Self = Self {
        scale: 1.0,
        part: None,
        missing: Vec::new(),
        odd: Vec::new(),
        are_words: false,
        grouped: Vec::new(),
        levels: Vec::new(),
        quantiles: Quantiles::NONE,
    };
}

impl Default for Details {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::ops::Deref for Column {
    type Target = Details;

    fn deref(&self) -> &Details {
        static NONE: Details = Details::NONE;
        self.details.as_deref().unwrap_or(&NONE)
    }
}

impl std::ops::DerefMut for Column {
    fn deref_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_with(Box::default)
    }
}

impl Default for Column {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ValueKind::Number,
            form: Form::default(),
            words: Vec::new(),
            offset: 0.0,
            mean: 0.0,
            deviation: 1.0,
            decimals: None,
            range: [f64::MIN, f64::MAX],
            seen: [f64::MIN, f64::MAX],
            details: None,
        }
    }
}

/// One of several numbers in each cell of a table's column, such as 80 in `120/80`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The name of the table's column.
    pub whole: String,
    /// Which of the numbers it is, counted from 0.
    pub number: usize,
    /// What stands between them.
    pub mark: String,
}

/// A word that is grouped with others, and how many rows had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    /// The word.
    pub word: String,
    /// The rows.
    pub rows: u64,
}

/// Deviations beyond which a value grows with the logarithm of its distance, so that one that is far off all others does not outweigh
/// them in training.
const FAR: f64 = 8.0;

/// The levels of a category's words; none where there are few, which may be names as well, or where they are not next to each other.
fn levels(words: &[String]) -> Vec<f64> {
    let levels: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
    let are_dense = |levels: &[f64]| levels[levels.len() - 1] - levels[0] < 2.0 * levels.len() as f64;
    let in_order = |levels: &[f64]| levels.windows(2).all(|pair| pair[0] < pair[1]);
    levels.filter(|all| all.len() >= FEWEST_LEVELS && in_order(all) && are_dense(all)).unwrap_or_default()
}

/// The place of the level that is nearest to a number; none far outside of all levels.
pub(crate) fn nearest_level(levels: &[f64], number: f64) -> Option<usize> {
    let (first, last) = (levels.first()?, levels.last()?);
    let span = last - first;
    let far = |level: &f64| (level - number).abs();
    let is_near = number >= first - span && number <= last + span;
    is_near.then(|| (0..levels.len()).min_by(|a, b| far(&levels[*a]).total_cmp(&far(&levels[*b])))).flatten()
}

/// The fewest whole numbers that are levels.
const FEWEST_LEVELS: usize = 11;

/// Half of the width of the widest interval, in deviations: beyond it lies nothing.
const WIDEST: f64 = 4.0;

/// Deviations as a model sees them.
fn compressed(deviations: f64) -> f64 {
    let beyond = deviations.abs() - FAR;
    if beyond > 0.0 { (FAR + beyond.ln_1p()).copysign(deviations) } else { deviations }
}

/// Deviations of a value that [`compressed`] made.
fn expanded(value: f64) -> f64 {
    let beyond = value.abs() - FAR;
    if beyond > 0.0 { (FAR + beyond.min(80.0).exp_m1()).copysign(value) } else { value }
}

/// The number that a word is, if it is written as programs write it: `4` is a number, `04` is a word.
fn usual_number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite() && number.to_string() == word)
}

impl Cell {
    /// The number that it is, in a column of numbers.
    pub fn number_in(&self, column: &Column) -> Option<f64> {
        match self {
            Cell::Number(number) => Some((*number).into()),
            Cell::Exact(number) => Some(*number),
            // Days and times are text.
            Cell::Word(word) => column.form.read(word),
            Cell::Truth(_) | Cell::Missing => None,
        }
    }
}

impl Column {
    /// The name of the table's column.
    pub fn table_name(&self) -> &str {
        self.part.as_ref().map_or(&self.name, |part| &part.whole)
    }

    /// How many values it has in a row.
    pub fn width(&self) -> usize {
        if self.kind == ValueKind::Category { self.words.len() } else { 1 }
    }

    /// Whether a word stands for a missing value.
    pub fn is_missing(&self, text: &str) -> bool {
        is_missing_word(&self.missing, text)
    }

    /// Whether a cell is to be filled in: it is empty, or holds a word or a number that stands for a missing value.
    pub fn is_blank(&self, text: &str) -> bool {
        let number = || self.form.read(text);
        let is_code = |word: &String| word.parse().is_ok_and(|code: f64| number() == Some(code));
        self.is_missing(text) || self.missing.iter().any(is_code)
    }

    /// The raw cell of a number. One that is too large for a float becomes the largest that is no missing value.
    pub(crate) fn raw(&self, number: f64) -> f32 {
        ((number - self.offset) / self.scale).clamp(-MAX_RAW, MAX_RAW) as f32
    }

    /// The number of a raw cell.
    pub(crate) fn number_of_raw(&self, cell: f32) -> f64 {
        f64::from(cell) * self.scale + self.offset
    }

    /// The raw cells of the words of a column, where they are numbers; else the places of the words.
    pub(super) fn codes(&self) -> Vec<f32> {
        let number = |word: &String| word.parse().ok().map(|number: f64| self.raw(number));
        let numbers: Option<Vec<f32>> = self.words.iter().map(number).collect();
        numbers.unwrap_or_else(|| (0..self.words.len()).map(|code| code as f32).collect())
    }

    /// Sets the values of a raw cell; says what a model has not seen of it. `codes` are the numbers that stand for words, where the cell
    /// is not the place of one.
    pub(super) fn encode(&self, cell: f32, codes: Option<&[f32]>, values: &mut [f32]) -> Option<String> {
        if self.kind.is_of_words() {
            let word = match codes {
                _ if cell == UNKNOWN => None,
                None => Some(cell as usize),
                Some(codes) => codes
                    .iter()
                    .position(|code| *code == cell)
                    .or_else(|| nearest_level(&self.levels, self.number_of_raw(cell))),
            };
            let word = word.filter(|word| *word < self.words.len());
            match (self.kind, word) {
                (ValueKind::Category, Some(word)) => {
                    values.fill(0.0);
                    values[word] = 1.0;
                }
                (ValueKind::Category, None) => values.fill(0.0),
                (_, word) => values[0] = word.map_or(0.5, |word| word as f32),
            }
            let what = || short(self.number_of_raw(cell));
            return word
                .is_none()
                .then(|| format!("{} was never seen", if codes.is_some() { what() } else { "a word".into() }));
        }
        if cell == UNKNOWN {
            self.fill(values);
            return Some("a word where numbers are".into());
        }
        let number = self.number_of_raw(cell);
        let why = self.strange(number);
        values[0] = self.value(number) as f32;
        why
    }

    /// Puts the middle of the column, in place of a value that is missing.
    pub(super) fn fill(&self, values: &mut [f32]) {
        values.fill(if self.kind == ValueKind::YesNo { 0.5 } else { 0.0 });
    }

    /// Why a number is none that the column could have, if it is.
    fn strange(&self, number: f64) -> Option<String> {
        let [least, most] = self.seen;
        let span = most - least;
        // A float has about seven digits.
        let short = |number: f64| match &self.form {
            Form::Time(form) => form.write(number),
            _ => short(with_digits(number, FLOAT_DIGITS - 1)),
        };
        let outside = || {
            let is_far = number < least - span || number > most + span;
            is_far.then(|| format!("{} is far outside of {} to {}", short(number), short(least), short(most)))
        };
        match self.kind {
            ValueKind::Positive if number <= 0.0 => Some(format!("{} is not above 0", short(number))),
            ValueKind::Count if number < 0.0 => Some(format!("{} is below 0", short(number))),
            ValueKind::Count if number.fract() != 0.0 => Some(format!("{} is not whole", short(number))),
            _ => outside(),
        }
    }

    /// The value of a number; of one that the column cannot have, that of the nearest.
    fn value(&self, number: f64) -> f64 {
        let [least, _] = self.range;
        let standardised = |number: f64| compressed((number - self.mean) / self.deviation);
        match self.kind {
            ValueKind::Number => standardised(number),
            ValueKind::Positive => {
                let least = if least > 0.0 && least.is_finite() { least } else { f64::MIN_POSITIVE };
                standardised(if number > 0.0 { number } else { least }.ln())
            }
            ValueKind::Quantile => compressed(self.quantiles.score(number)),
            // A float holds the logarithm of a count exactly enough up to the largest one.
            ValueKind::Count => number.round().clamp(0.0, super::LARGEST_COUNT).ln_1p() - self.mean,
            ValueKind::YesNo | ValueKind::Category => 0.0,
        }
    }

    /// The number in the table's own units that a value is, of numbers.
    pub fn of_value(&self, value: f64) -> f64 {
        match self.kind {
            ValueKind::Number => expanded(value) * self.deviation + self.mean,
            ValueKind::Positive => (expanded(value) * self.deviation + self.mean).exp(),
            ValueKind::Quantile => self.quantiles.number(expanded(value)),
            ValueKind::Count => (value + self.mean).exp_m1().max(0.0),
            ValueKind::YesNo | ValueKind::Category => value,
        }
    }

    /// Half of the last digit of its numbers; 0 where they have no digits of their own.
    pub(super) fn half_digit(&self) -> f64 {
        self.decimals.map_or(0.0, |decimals| 0.5 * 10_f64.powi(-i32::from(decimals)))
    }

    /// Finds out which levels the words of a category are, if they are some.
    pub(super) fn set_levels(&mut self) {
        let levels = levels(&self.words);
        if !levels.is_empty() {
            self.levels = levels;
        }
    }

    /// What a loss takes in addition to a value. Of a number half of the width of the interval that it stands for: it is not known better
    /// than its digits, and one that many rows share stands for all scores between its neighbours. Of a count the mean of the logarithms; 0
    /// of words.
    pub(super) fn loss_input(&self, value: f32) -> f32 {
        if self.kind == ValueKind::Count {
            return self.mean as f32;
        }
        if is_missing(value) || !self.kind.is_normal() {
            return 0.0;
        }
        let digit = self.half_digit();
        let half = match self.kind {
            ValueKind::Quantile => self.quantiles.half(expanded(value.into()), digit),
            ValueKind::Positive => digit / (self.of_value(value.into()) * self.deviation),
            _ => digit / self.deviation,
        };
        if half.is_finite() { half.min(WIDEST) as f32 } else { 0.0 }
    }

    /// A value that is shown as this number: the inverse of [`Column::of_value`].
    pub fn to_value(&self, number: f64) -> f64 {
        match self.kind {
            ValueKind::YesNo | ValueKind::Category => number,
            ValueKind::Count => number.max(0.0).ln_1p() - self.mean,
            _ => self.value(number),
        }
    }

    /// The number of values; of words, the place of the likeliest one.
    pub(super) fn number(&self, values: &[f32], shown: Provenance) -> f64 {
        let number = match self.kind {
            ValueKind::YesNo => f64::from(u8::from(values[0] >= 0.5)),
            ValueKind::Category if shown != Provenance::Kept && !self.levels.is_empty() => {
                let half = values.iter().sum::<f32>() / 2.0;
                let mut below = 0.0;
                let is_middle = |share: &f32| {
                    below += share;
                    below >= half
                };
                values.iter().position(is_middle).unwrap_or(0) as f64
            }
            ValueKind::Category => {
                let likelier = |best: usize, word: usize| if values[word] > values[best] { word } else { best };
                (1..values.len()).fold(0, likelier) as f64
            }
            _ => self.of_value(values[0].into()),
        };
        if self.kind.is_of_words() {
            return number;
        }
        let number = if shown == Provenance::Drawn { number.clamp(self.range[0], self.range[1]) } else { number };
        if shown == Provenance::Mean { number } else { self.rounded(number) }
    }

    /// The values of numbers within the range that was seen, all that are rounded to it included. The ends of numbers by quantiles, and
    /// of counts with their long tails, stand for what lies beyond as well.
    pub(super) fn drawn_range(&self) -> [f32; 2] {
        let [least, most] = self.range;
        let half = self.half_digit();
        match self.kind {
            ValueKind::Number => [least - half, most + half].map(|number| self.value(number) as f32),
            ValueKind::Positive if least > half => [least - half, most + half].map(|number| self.value(number) as f32),
            ValueKind::Positive => [f32::NEG_INFINITY, self.value(most + half) as f32],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        }
    }

    /// A number with the digits of the column.
    pub(super) fn rounded(&self, number: f64) -> f64 {
        let Some(decimals) = self.decimals else { return number };
        let scale = 10_f64.powi(decimals.into());
        let rounded = (number * scale).round() / scale;
        // A positive number is never rounded to 0; and plus zero, so that none is -0.
        if self.kind == ValueKind::Positive && rounded <= 0.0 { 1.0 / scale } else { rounded + 0.0 }
    }

    /// The cell of values; `row` is a number of the row that draws of grouped words depend on.
    pub(super) fn cell(&self, values: &[f32], shown: Provenance, row: impl FnOnce() -> u64) -> Cell {
        if is_missing(values[0]) {
            return Cell::Missing;
        }
        self.cell_of(self.number(values, shown), shown, row)
    }

    /// The cell of a number, or of the word at a place.
    pub(super) fn cell_of(&self, number: f64, shown: Provenance, row: impl FnOnce() -> u64) -> Cell {
        if self.kind.is_of_words() {
            return Cell::Word(self.word(number as usize, shown, row));
        }
        self.written(number, shown)
    }

    /// The cell of a number.
    pub(super) fn written(&self, number: f64, shown: Provenance) -> Cell {
        match (&self.form, self.decimals) {
            (Form::Time(form), _) => Cell::Word(form.write(number)),
            // What its digits say; a number without digits of its own has those of a float.
            (_, Some(_)) if shown != Provenance::Mean => Cell::Exact(number),
            _ if self.scale != 1.0 => Cell::Exact(with_digits(number, FLOAT_DIGITS)),
            _ if self.offset == 0.0 => Cell::Number(number as f32),
            _ => Cell::Exact(number),
        }
    }

    /// A cell as a table with types has it: words that are numbers or truth values are that.
    pub(super) fn typed(&self) -> impl Fn(Cell) -> Cell + use<> {
        let is_of_words = self.kind.is_of_words() && self.part.is_none() && !self.are_words;
        let all_words = || self.words.iter().chain(self.grouped.iter().map(|grouped| &grouped.word));
        let are_truths = is_of_words && all_words().all(|word| truth(word).is_some());
        let are_numbers = is_of_words && all_words().all(|word| usual_number(word).is_some());
        move |cell| match cell {
            Cell::Word(word) if are_truths => truth(&word).map_or(Cell::Word(word), Cell::Truth),
            Cell::Word(word) if are_numbers => usual_number(&word).map_or(Cell::Word(word), Cell::Exact),
            cell => cell,
        }
    }

    /// The word at a place: of those that are grouped, one that is drawn as often as rows had it, or the most frequent.
    fn word(&self, place: usize, shown: Provenance, row: impl FnOnce() -> u64) -> String {
        let is_group = !self.grouped.is_empty() && place + 1 == self.words.len();
        if !is_group {
            return self.words.get(place).cloned().unwrap_or_default();
        }
        let all: u64 = self.grouped.iter().map(|grouped| grouped.rows).sum();
        let mut rest = match shown {
            shown if shown.is_draw() => row() % all.max(1),
            _ => 0,
        };
        let drawn = self.grouped.iter().find(|grouped| {
            let is_it = rest < grouped.rows;
            rest = rest.saturating_sub(grouped.rows);
            is_it
        });
        drawn.or(self.grouped.first()).map_or_else(String::new, |grouped| grouped.word.clone())
    }
}
