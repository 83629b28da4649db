//! What the cells of a column show of how they are written. The decision is one for the column, taken from all of its cells.

mod decide;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::super::columns::{Form, LARGEST_COUNT, Times, is_missing_word, marks, parse, parts, power_of_two, truth};
use super::field::is_code;

/// Different numbers and words that are kept, to name them or to take them for the words of a category.
const MAX_KEPT: usize = 300;
/// Pairs of a currency and a unit that are told apart.
const MAX_UNITS: usize = 16;
/// Numbers above this, and columns of numbers below its inverse, are far from what a float can hold.
const LARGE: f64 = 1e30;
/// Large numbers are an exception up to one in so many.
const FEW: u64 = 10;
/// Columns from which on a table can be one of counts.
const COLUMNS_OF_COUNTS: usize = 20;

/// What stands for missing values in a column.
#[derive(Default)]
pub struct Absent {
    /// The words; if there are none, those that usually do.
    pub words: Vec<String>,
    /// The numbers among them.
    pub codes: Vec<f64>,
}

/// Texts and how often each was met.
#[derive(Default)]
pub struct Tally {
    counts: HashMap<String, u64>,
    is_full: bool,
    cells: u64,
}

impl Tally {
    fn add(&mut self, text: &str) {
        self.add_many(text, 1);
    }

    pub fn add_many(&mut self, text: &str, count: u64) {
        self.cells += count;
        if let Some(known) = self.counts.get_mut(text) {
            *known += count;
        } else if self.counts.len() < MAX_KEPT {
            self.counts.insert(text.to_string(), count);
        } else {
            self.is_full = true;
        }
    }

    /// How many different texts there are, as far as they are kept.
    fn distinct(&self) -> usize {
        self.counts.len() + usize::from(self.is_full)
    }

    pub fn by_count(&self) -> Vec<(&String, u64)> {
        let mut all: Vec<(&String, u64)> = self.counts.iter().map(|(text, count)| (text, *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }
}

/// The least and the largest number.
#[derive(Clone, Copy)]
struct Extent {
    least: f64,
    most: f64,
}

impl Extent {
    const NONE: Self = Self { least: f64::INFINITY, most: f64::NEG_INFINITY };

    /// The largest number without its sign.
    fn largest(self) -> f64 {
        self.least.abs().max(self.most.abs())
    }

    fn add(&mut self, number: f64) {
        (self.least, self.most) = (self.least.min(number), self.most.max(number));
    }
}

/// What the cells of a column show. A table may have very many columns, most of plain numbers, so what these need not is in a box.
pub struct Evidence {
    /// Cells that are not missing.
    pub filled: u64,
    /// Numbers, in any form; and those of them that a file with types has as numbers.
    numbers: Tally,
    typed: u64,
    /// Numbers without a unit, a decimal comma, or thousands.
    plain: u64,
    /// Numbers such as `007`.
    codes: u64,
    /// Numbers in which a point, or a comma, is the decimal mark for certain, and in which it may separate thousands as well.
    certain: [u64; 2],
    possible: [u64; 2],
    /// Digits behind the decimal mark; none where an exponent hides them.
    digits: Option<(u8, u8)>,
    has_exponents: bool,
    /// How many are large.
    large: u32,
    /// The least and the greatest of numbers with decimal points, and of numbers with decimal commas.
    extents: [Extent; 2],
    sum: f64,
    rare: Option<Box<Rare>>,
}

/// What cells show that are no plain numbers.
struct Rare {
    /// Words that stand for missing values.
    missing: Tally,
    /// Currencies and units: trimmed, as they stand, and how many numbers have them.
    units: Vec<([String; 2], [String; 2], u64)>,
    /// What separates thousands.
    groups: HashMap<char, u64>,
    negatives: HashMap<u8, u64>,
    times: Option<Times>,
    time_cells: u64,
    time_extent: Extent,
    /// Two numbers, and the mark between them.
    pairs: Tally,
    pair_mark: Option<&'static str>,
    words: Tally,
}

impl Default for Rare {
    fn default() -> Self {
        Self {
            missing: Tally::default(),
            units: Vec::new(),
            groups: HashMap::new(),
            negatives: HashMap::new(),
            times: None,
            time_cells: 0,
            time_extent: Extent::NONE,
            pairs: Tally::default(),
            pair_mark: None,
            words: Tally::default(),
        }
    }
}

/// What stands between two numbers in a cell.
const PAIR_MARKS: [&str; 3] = ["/", "x", "×"];

/// How a column's cells are written, and what was decided.
pub struct Decision {
    /// The form of each number in a cell; one of words.
    pub forms: Vec<Form>,
    /// What stands between them.
    pub mark: &'static str,
    /// Whether numbers are taken for the words of a category.
    pub are_words: bool,
    /// What raw cells are relative to.
    pub offset: f64,
    /// What raw cells are multiplied by.
    pub scale: f64,
    /// Digits behind the decimal mark, if they are meant.
    pub decimals: Option<u8>,
    /// What to say, beside the column's name.
    pub notes: Vec<String>,
}

/// What the table's other columns show.
#[derive(Clone, Copy)]
pub struct Elsewhere {
    /// Whether the decimal mark is a comma in other columns, or the separator leaves no other.
    pub comma: bool,
    /// Whether all columns of numbers are counts.
    pub counts: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            filled: 0,
            numbers: Tally::default(),
            typed: 0,
            plain: 0,
            codes: 0,
            certain: [0; 2],
            possible: [0; 2],
            digits: None,
            has_exponents: false,
            large: 0,
            extents: [Extent::NONE; 2],
            sum: 0.0,
            rare: None,
        }
    }
}

impl Evidence {
    /// Takes a cell.
    pub fn add(&mut self, absent: &Absent, text: &str, typed: Option<f64>) {
        if text.is_empty() {
            return;
        }
        let number = typed.or_else(|| plain(text));
        if is_missing_word(&absent.words, text) || number.is_some_and(|number| absent.codes.contains(&number)) {
            return self.rare_mut().missing.add(text);
        }
        self.filled += 1;
        if let Some(number) = number {
            self.typed += u64::from(typed.is_some());
            self.add_plain(text, number);
        } else if !(self.add_number(text) || self.add_time(text) || self.add_pair(text)) {
            self.rare_mut().words.add(text);
        }
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(Box::default)
    }

    fn add_plain(&mut self, text: &str, number: f64) {
        self.numbers.add(text);
        self.plain += 1;
        self.codes += u64::from(is_code(text));
        self.sum += number;
        self.add_size(number);
        self.extents[0].add(number);
        let body = text.trim_start_matches(['-', '+']);
        if body.bytes().all(|byte| byte.is_ascii_digit()) {
            self.digits = Some(self.digits.map_or((0, 0), |(_, most)| (0, most)));
            return self.extents[1].add(number);
        }
        let Some(marks) = marks(body) else { return };
        if let Some((_, could_group)) = marks.decimal {
            *if could_group { &mut self.possible[0] } else { &mut self.certain[0] } += 1;
            if could_group {
                self.extents[1].add(number * 1000.0);
            }
        }
        if !marks.decimal.is_some_and(|(_, could_group)| could_group) {
            self.add_digits(body, marks.digits, number);
        }
    }

    fn add_size(&mut self, number: f64) {
        self.large = self.large.saturating_add(u32::from(number.abs() > LARGE));
    }

    /// The power of two that raw cells are multiplied by. It is 1 where floats reach all of the numbers but a few.
    fn scale(&self, extent: Extent) -> f64 {
        let most = extent.largest().min(f64::MAX);
        let are_large = u64::from(self.large) * FEW > self.numbers.cells;
        if are_large || most < LARGE.recip() && most > 0.0 { power_of_two(most) } else { 1.0 }
    }

    fn add_digits(&mut self, body: &str, digits: u8, number: f64) {
        let digits = match body.contains(['e', 'E']) {
            true => {
                self.has_exponents = true;
                let text = number.to_string();
                text.split_once('.').map_or(0, |(_, digits)| digits.len().min(255) as u8)
            }
            false => digits,
        };
        self.digits = Some(self.digits.map_or((digits, digits), |(least, most)| (least.min(digits), most.max(digits))));
    }

    fn add_number(&mut self, text: &str) -> bool {
        let Some(parts) = parts(text) else { return false };
        let Some(marks) = marks(parts.body) else { return false };
        let values = [false, true].map(|comma| super::super::columns::value(parts.body, comma));
        if values == [None; 2] {
            return false;
        }
        self.numbers.add(text);
        let trimmed = [parts.prefix.trim(), parts.suffix.trim()];
        let units = &mut self.rare_mut().units;
        let has_room = units.len() < MAX_UNITS;
        match units.iter_mut().find(|(known, ..)| [known[0].as_str(), known[1].as_str()] == trimmed) {
            Some((.., count)) => *count += 1,
            None if has_room => {
                let written = [parts.prefix.trim_start(), parts.suffix.trim_end()];
                units.push((trimmed.map(String::from), written.map(String::from), 1));
            }
            None => {}
        }
        if let Some((mark, could_group)) = marks.decimal {
            let place = usize::from(mark == ',');
            *if could_group { &mut self.possible[place] } else { &mut self.certain[place] } += 1;
        }
        if let Some(group) = marks.group {
            *self.rare_mut().groups.entry(group).or_default() += 1;
            // What separates thousands is no decimal mark.
            if marks.decimal.is_none() && matches!(group, '.' | ',') {
                self.certain[usize::from(group == '.')] += 1;
            }
        }
        let sign = if parts.negative.is_some() { -1.0 } else { 1.0 };
        if let Some(negative) = parts.negative {
            *self.rare_mut().negatives.entry(negative as u8).or_default() += 1;
        }
        if let Some(value) = values.into_iter().flatten().last() {
            self.add_size(value);
        }
        for (extent, value) in self.extents.iter_mut().zip(values) {
            value.into_iter().for_each(|value| extent.add(sign * value));
        }
        if !marks.decimal.is_some_and(|(_, could_group)| could_group) {
            self.add_digits(parts.body, marks.digits, values[0].or(values[1]).unwrap_or(0.0));
        }
        true
    }

    fn add_time(&mut self, text: &str) -> bool {
        let Some(parsed) = parse(text) else { return false };
        let rare = self.rare_mut();
        let times = rare.times.get_or_insert_with(|| Times::of(parsed));
        let fits = times.add(parsed);
        if fits {
            rare.time_cells += 1;
            times.finish().0.of(parsed).into_iter().for_each(|time| rare.time_extent.add(time));
        }
        fits
    }

    fn add_pair(&mut self, text: &str) -> bool {
        let split = |mark: &'static str| text.split_once(mark).map(|pair| (mark, pair));
        let Some((mark, (first, second))) = PAIR_MARKS.into_iter().find_map(split) else { return false };
        let is_number = |text: &str| {
            let parts = parts(text).filter(|parts| parts.prefix.is_empty() && parts.negative.is_none());
            parts.filter(|parts| parts.suffix.is_empty() && marks(parts.body).is_some()).is_some()
        };
        let fits = is_number(first) && is_number(second) && *self.rare_mut().pair_mark.get_or_insert(mark) == mark;
        if fits {
            self.rare_mut().pairs.add(text);
        }
        fits
    }

    /// Whether its words look like numbers or truth values.
    pub fn may_be_typed(&self) -> bool {
        let are_truths = || self.rare().words.counts.keys().all(|word| truth(word).is_some());
        self.numbers.cells == self.filled || self.filled > 0 && self.rare().words.cells == self.filled && are_truths()
    }

    /// Whether its numbers have decimal commas, or points, for certain.
    pub fn decimal(&self) -> Option<bool> {
        match self.certain {
            [0, 0] => None,
            [points, commas] => Some(commas > points),
        }
    }

    /// Whether the plain numbers of a column are whole, from 0 on, and have a long tail; none of other numbers.
    pub fn counts(&self) -> Option<Option<bool>> {
        let Extent { least, most } = self.extents[0];
        if self.plain == 0 {
            return None;
        }
        let are_whole = self.plain == self.filled
            && self.digits == Some((0, 0))
            && least >= 0.0
            && most <= LARGEST_COUNT
            && self.codes == 0;
        let mean = self.sum / self.plain as f64;
        Some(are_whole.then_some(least == 0.0 && most > 10.0 * mean.max(0.3)))
    }

    /// What cells show that are no plain numbers.
    fn rare(&self) -> &Rare {
        static NONE: OnceLock<Rare> = OnceLock::new();
        self.rare.as_deref().unwrap_or_else(|| NONE.get_or_init(Rare::default))
    }

    /// Words that stand for missing values.
    pub fn missing_words(&self) -> Vec<(&String, u64)> {
        self.rare.as_ref().map_or_else(Vec::new, |rare| rare.missing.by_count())
    }
}

/// A number in the form that programs write.
fn plain(text: &str) -> Option<f64> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    starts.then(|| text.parse().ok()).flatten().filter(|number: &f64| (*number as f32).is_finite())
}

/// Whether a table is one of counts in all its columns of numbers: of each of them, whether it is one of counts with a long tail; none
/// where it is of other numbers.
pub fn are_counts(of_numbers: &[Option<bool>]) -> bool {
    let long = of_numbers.iter().filter(|long| **long == Some(true)).count();
    of_numbers.len() >= COLUMNS_OF_COUNTS && !of_numbers.contains(&None) && 3 * long >= of_numbers.len()
}
