//! How the cells of a column are written, by what they show.

use std::collections::HashSet;

use super::super::super::columns::{ENOUGH, Form, MAX_CODES, MAX_RAW, MIN_OF_EACH, Negative, NumberForm, Times};
use super::super::super::{ValueKind, list, shown};
use super::{Absent, Decision, Elsewhere, Evidence, Extent, plain};

/// The share of a column's cells that are numbers, if it is a column of numbers; or, where other cells have few words, ...
const MOSTLY: f64 = 0.9;
/// ... the share beside them, ...
const LARGELY: f64 = 0.5;
/// ... and how few words these are.
const FEW_WORDS: usize = 5;
/// Different cells up to which a column of numbers and words is one of words.
const FEW_CELLS: usize = 20;
/// The share of its numbers that have the same unit.
const SAME_UNIT: f64 = 0.95;

impl Evidence {
    /// How the cells are written.
    pub fn decide(&self, asked: Option<ValueKind>, elsewhere: Elsewhere, is_of_words: bool) -> Decision {
        let words = |notes: Vec<String>| Decision {
            forms: vec![Form::Words],
            mark: "",
            are_words: true,
            offset: 0.0,
            scale: 1.0,
            decimals: None,
            notes,
        };
        let rare = self.rare();
        let [numbers, times, pairs] = [self.numbers.cells, rare.time_cells, rare.pairs.cells];
        let best = numbers.max(times).max(pairs);
        let asked_words = asked.map(ValueKind::is_of_words);
        // Numbers among the words of a file with types are names.
        let are_names = is_of_words && self.plain == numbers;
        let is_mostly = |cells: u64| {
            let share = cells as f64 / self.filled.max(1) as f64;
            let others = self.filled - cells;
            let distinct = self.numbers.distinct() + rare.words.distinct();
            let is_mixed = others > 0 && numbers == cells && distinct <= FEW_CELLS;
            !is_mixed && (share >= MOSTLY || share >= LARGELY && rare.words.distinct() <= FEW_WORDS)
        };
        if best == 0 || asked_words == Some(true) || asked_words.is_none() && !is_mostly(best) {
            return words(Vec::new());
        }
        if best == numbers {
            if asked_words.is_none() && (are_names || self.codes > 0) {
                return words(if self.codes > 0 { vec![self.note_codes()] } else { Vec::new() });
            }
            let found = self.decide_numbers(elsewhere);
            let few = asked.is_none() && !elsewhere.counts && self.are_codes(&found.forms[0]);
            // A unit varies: words, after all.
            let same = rare.units.iter().map(|(.., count)| *count).sum::<u64>();
            let most = rare.units.iter().map(|(.., count)| *count).max().unwrap_or(0);
            if asked.is_none() && (most as f64) < SAME_UNIT * same as f64 {
                let units: Vec<&str> = rare
                    .units
                    .iter()
                    .map(|(unit, ..)| if unit[1].is_empty() { &*unit[0] } else { &*unit[1] })
                    .collect();
                return words(vec![format!(
                    "numbers have several units ({}), so they are read as words",
                    list(&units)
                )]);
            }
            return if few { Decision { are_words: true, forms: vec![Form::Words], ..found } } else { found };
        }
        if best == times {
            return self.decide_times();
        }
        // Few different ones are names.
        match asked_words.is_none() && rare.pairs.distinct() <= FEW_CELLS {
            true => words(Vec::new()),
            false => self.decide_pairs(elsewhere),
        }
    }

    /// Whether numbers are the words of a category: two, or a few whole ones, each with enough rows.
    fn are_codes(&self, form: &Form) -> bool {
        let rare = self.rare();
        if self.numbers.is_full || (self.numbers.cells as usize) < ENOUGH || rare.words.cells > 0 {
            return false;
        }
        let values: HashSet<u64> = self
            .numbers
            .counts
            .keys()
            .filter_map(|text| form.read(text))
            .map(|value| (value + 0.0).to_bits())
            .collect();
        let are_whole = || values.iter().all(|bits| f64::from_bits(*bits).fract() == 0.0);
        let is_plain = form.is_plain();
        let count = values.len();
        count == 2
            || is_plain
                && count > 2
                && count <= MAX_CODES
                && self.numbers.cells as usize >= MIN_OF_EACH * count
                && are_whole()
    }

    fn note_codes(&self) -> String {
        "some numbers begin with a 0, so they are read as words, such as codes".into()
    }

    /// Words that a column of numbers or times takes for missing ones.
    fn note_words(&self, others: u64, what: &str) -> Option<String> {
        let rare = self.rare();
        let mut words: Vec<String> = Vec::new();
        for tally in [&rare.words, &self.numbers, &rare.pairs].into_iter().filter(|tally| tally.cells < self.filled / 2)
        {
            words
                .extend(tally.by_count().into_iter().take(4).map(|(word, count)| format!("`{}` {count}", shown(word))));
        }
        let they_hold = if others == 1 { "cell holds" } else { "cells hold" };
        let taken = if others == 1 { "which is" } else { "which are" };
        (others > 0).then(|| format!("{others} {they_hold} no {what} ({}), {taken} taken as missing", list(&words)))
    }

    fn decide_numbers(&self, elsewhere: Elsewhere) -> Decision {
        let rare = self.rare();
        let mut notes = Vec::new();
        let comma = match (self.decimal(), self.possible) {
            (Some(comma), _) => comma,
            (None, [0, 0]) => elsewhere.comma && self.plain == self.numbers.cells && self.has_marks(),
            (None, [_, possible]) => {
                // `1,234` and `1.148` may be either; other columns decide.
                let comma = elsewhere.comma;
                if possible > 0 || comma {
                    let example = self.numbers.by_count().into_iter().find(|(text, _)| text.contains(['.', ',']));
                    let example = example.map_or("1,234".to_string(), |(text, _)| shown(text));
                    let read = NumberForm { comma, ..self.unit() }.read(&example).unwrap_or(0.0);
                    notes.push(format!(
                        "`{example}` could be a fraction or thousands, and is read as {read}, since decimal {} are what the file has",
                        if comma { "commas" } else { "points" }
                    ));
                }
                comma
            }
        };
        let group = rare.groups.iter().max_by_key(|(mark, count)| (**count, **mark)).map(|(mark, _)| *mark);
        let possible = if self.possible[usize::from(!comma)] > 0 { Some(if comma { '.' } else { ',' }) } else { None };
        // A mark with three digits behind it is the decimal mark, or separates thousands.
        let of_marks = [usize::from(comma), usize::from(!comma)].map(|mark| self.possible[mark] > 0);
        let digits = [self.digits, of_marks[0].then_some((3, 3)), of_marks[1].then_some((0, 0))].into_iter().flatten();
        let (least, most) = digits.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0));
        let form = NumberForm {
            comma,
            group: group.or(possible),
            negative: match rare.negatives.iter().max_by_key(|(how, count)| (**count, **how)).map(|(how, _)| *how) {
                Some(how) if how == Negative::BehindPrefix as u8 => Negative::BehindPrefix,
                Some(how) if how == Negative::Brackets as u8 => Negative::Brackets,
                Some(how) if how == Negative::Last as u8 => Negative::Last,
                _ => Negative::First,
            },
            digits: None,
            ..self.unit()
        };
        let digits = (least == most && !self.has_exponents).then_some(most).filter(|_| self.typed == 0);
        let form = NumberForm { digits, ..form };
        if !form.is_plain()
            && (form.comma || !form.prefix.is_empty() || !form.suffix.is_empty() || form.group.is_some())
        {
            let example = self.numbers.by_count().into_iter().find(|(text, _)| plain(text).is_none());
            let read = example.and_then(|(text, _)| Some((text, form.read(text)?)));
            notes.extend(read.map(|(text, number)| format!("numbers such as `{}`, which is {number}", shown(text))));
        }
        notes.extend(self.note_words(self.filled - self.numbers.cells, "number"));
        let extent = self.extents[usize::from(comma)];
        notes.extend(self.note_beyond(extent));
        Decision {
            forms: vec![Form::Number(form)],
            mark: "",
            are_words: false,
            offset: offset(extent),
            scale: self.scale(extent),
            decimals: (most <= 12).then_some(most),
            notes,
        }
    }

    /// Numbers that floats cannot hold beside the others of the column.
    fn note_beyond(&self, extent: Extent) -> Option<String> {
        let most = extent.largest();
        (self.scale(extent) == 1.0 && most > MAX_RAW).then(|| {
            format!("some numbers, such as {most:e}, are too large beside the others and are taken for {MAX_RAW:e}")
        })
    }

    /// Whether any number has a mark.
    fn has_marks(&self) -> bool {
        self.certain != [0; 2] || self.possible != [0; 2]
    }

    /// The currency and the unit that most numbers have.
    fn unit(&self) -> NumberForm {
        let rare = self.rare();
        let most = rare.units.iter().max_by_key(|(.., count)| *count);
        let [prefix, suffix] = most.map(|(_, written, _)| written.clone()).unwrap_or_default();
        NumberForm { prefix: prefix.into(), suffix: suffix.into(), ..NumberForm::default() }
    }

    fn decide_times(&self) -> Decision {
        let rare = self.rare();
        let Some((form, ambiguous)) = rare.times.map(Times::finish) else {
            return Decision {
                forms: vec![Form::Words],
                mark: "",
                are_words: true,
                offset: 0.0,
                scale: 1.0,
                decimals: None,
                notes: Vec::new(),
            };
        };
        let middle = 0.5 * (rare.time_extent.least + rare.time_extent.most);
        let what = match (form.day.is_some(), form.clock.is_some()) {
            (true, true) => "times",
            (true, false) => "days",
            _ => "times of the day",
        };
        let mut notes = vec![format!("{what} such as {}", form.write(middle))];
        if ambiguous {
            notes.push("the day is read before the month, and no cell says whether that is right".into());
        }
        notes.extend(self.note_words(self.filled - rare.time_cells, "time"));
        let decimals = form.clock.map_or(0, |clock| clock.fraction);
        Decision {
            forms: vec![Form::Time(form)],
            mark: "",
            are_words: false,
            offset: offset(rare.time_extent),
            scale: 1.0,
            decimals: Some(decimals),
            notes,
        }
    }

    fn decide_pairs(&self, elsewhere: Elsewhere) -> Decision {
        let rare = self.rare();
        let mark = rare.pair_mark.unwrap_or("/");
        let mut all = [Evidence::default(), Evidence::default()];
        for (text, count) in &rare.pairs.counts {
            let (first, second) = text.split_once(mark).unwrap_or((text, ""));
            for (evidence, text) in all.iter_mut().zip([first, second]) {
                for _ in 0..(*count).min(3) {
                    evidence.add(&Absent::default(), text.trim(), None);
                }
            }
        }
        let form = |evidence: &Evidence| {
            let found = evidence.decide_numbers(elsewhere);
            (found.forms.into_iter().next().unwrap_or_default(), found.decimals)
        };
        let [(first, a), (second, b)] = [form(&all[0]), form(&all[1])];
        let example = rare.pairs.by_count().first().map_or(String::new(), |(text, _)| shown(text));
        let mut notes =
            vec![format!("two numbers in a cell, such as `{example}`, are two columns and are written as one")];
        notes.extend(self.note_words(self.filled - rare.pairs.cells, "two numbers"));
        Decision {
            forms: vec![first, second],
            mark,
            are_words: false,
            offset: 0.0,
            scale: 1.0,
            decimals: a.max(b),
            notes,
        }
    }
}

/// The number that raw cells are relative to: 0, unless numbers are so far from it that a float would not tell them apart.
fn offset(extent: Extent) -> f64 {
    let (span, middle) = (extent.most - extent.least, 0.5 * (extent.most + extent.least));
    if span.is_finite() && span < middle.abs() / 64.0 { middle.round() } else { 0.0 }
}
