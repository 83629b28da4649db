//! The words of a column of a table.

use std::collections::HashMap;

use super::super::columns::{Grouped, MAX_WORDS, nearest_level};
use super::super::{Column, list, natural};
use super::field::is_code;

/// The words so far, in the order in which they came.
#[derive(Default)]
pub struct Words {
    words: Vec<String>,
    counts: Vec<u64>,
    places: HashMap<String, u32>,
    /// Places of words that are numbers, by their bits: `1` and `1.0` are one.
    numbers: HashMap<u64, u32>,
    /// No others are taken.
    closed: bool,
    /// The numbers that the words are, in a column of levels.
    levels: Vec<f64>,
}

/// The fewest words that can be names of rows.
const FEWEST_NAMES: usize = 20;

/// Whole numbers below this one are different numbers as floats of 64 bits, too: 2^53.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// The number that a word is; `04` is a name, and so are digits that a number has no room for.
fn number(word: &str) -> Option<u64> {
    let starts = word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let number =
        starts.then(|| word.parse().ok()).flatten().filter(|number: &f64| number.abs() < LARGEST && !is_code(word));
    number.map(|number| (number + 0.0).to_bits())
}

/// Whether words are a truth value and its opposite, which programs write in any case.
fn are_truths(words: &[String]) -> bool {
    let is_of = |pair: [&str; 2]| pair.iter().all(|truth| words.iter().any(|word| word.eq_ignore_ascii_case(truth)));
    words.len() == 2 && (is_of(["true", "false"]) || is_of(["yes", "no"]))
}

/// Words with the letters of the same word, whatever their case, spaces and marks: each the most frequent first.
pub fn near(words: &[(String, u64)]) -> Vec<Vec<String>> {
    let letters =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let mut groups: HashMap<String, Vec<&(String, u64)>> = HashMap::new();
    for word in words {
        let letters = letters(&word.0);
        if letters.chars().any(char::is_alphabetic) {
            groups.entry(letters).or_default().push(word);
        }
    }
    // A rare word that is one letter away from a frequent one.
    let mut keys: Vec<(String, u64)> =
        groups.iter().map(|(key, words)| (key.clone(), words.iter().map(|word| word.1).sum())).collect();
    keys.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    if keys.len() <= MAX_WORDS {
        for rare in (1..keys.len()).rev() {
            let (key, rows) = keys[rare].clone();
            let is_near = |(other, most): &&(String, u64)| {
                let has_digits = [other, &key].iter().any(|key| key.contains(char::is_numeric));
                *most >= 20 * rows
                    && key.chars().count() >= 5
                    && !has_digits
                    && strsim::damerau_levenshtein(other, &key) == 1
            };
            if let Some((other, _)) = keys[..rare].iter().find(is_near)
                && let Some(moved) = groups.remove(&key)
            {
                groups.entry(other.clone()).or_default().extend(moved);
            }
        }
    }
    let mut all: Vec<Vec<&(String, u64)>> = groups.into_values().filter(|words| words.len() > 1).collect();
    all.iter_mut().for_each(|words| words.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0))));
    all.sort_by(|a, b| b[0].1.cmp(&a[0].1).then(a[0].0.cmp(&b[0].0)));
    all.into_iter().map(|words| words.into_iter().map(|word| word.0.clone()).collect()).collect()
}

impl Words {
    /// The words that a model knows.
    pub fn known(column: &Column) -> Self {
        let levels = column.levels.clone();
        let mut known = Self { words: column.words.clone(), closed: true, levels, ..Self::default() };
        let group = (column.words.len() as u32).saturating_sub(1);
        let grouped = column.grouped.iter().map(|grouped| (&grouped.word, group));
        let named = column.words.len() - usize::from(!column.grouped.is_empty());
        for (word, place) in column.words[..named].iter().zip(0..).chain(grouped) {
            known.places.insert(word.clone(), place);
            number(word).map(|number| known.numbers.entry(number).or_insert(place));
            if are_truths(&column.words) {
                known.places.insert(word.to_lowercase(), place);
            }
        }
        known
    }

    /// The place of a word, as the number that a cell holds; none of one that a model does not know.
    pub fn place(&mut self, word: &str) -> Option<f32> {
        let known = self.places.get(word).or_else(|| self.numbers.get(&number(word)?));
        let truth =
            || (self.closed && are_truths(&self.words)).then(|| self.places.get(&word.to_lowercase())).flatten();
        if let Some(place) = known.or_else(truth).copied() {
            if let Some(count) = self.counts.get_mut(place as usize) {
                *count += 1;
            }
            return Some(place as f32);
        }
        if self.closed {
            let level = || nearest_level(&self.levels, f64::from_bits(number(word)?));
            return level().map(|place| place as f32);
        }
        let place = self.words.len() as u32;
        self.words.push(word.to_string());
        self.counts.push(1);
        self.places.insert(word.to_string(), place);
        number(word).map(|number| self.numbers.insert(number, place));
        Some(place as f32)
    }

    /// Why nothing can be learned from them, in a column with so many cells.
    pub fn refusal(&self, cells: usize) -> Option<String> {
        let count = self.words.len();
        let names_rows = count > FEWEST_NAMES && 2 * count > cells;
        (!self.closed && names_rows).then(|| {
            format!("it has {count} different words in {cells} rows, which name rows rather than describe them")
        })
    }

    /// Puts the words in order into a column, and their places there into its cells. Words of a smaller share of the cells than `rare`,
    /// and the rarest where there are too many, are grouped. What to say of them is returned.
    pub fn finish<'a>(
        self,
        column: &mut Column,
        rare: Option<f64>,
        cells: impl Iterator<Item = &'a mut f32>,
    ) -> Vec<String> {
        if self.closed {
            return Vec::new();
        }
        let name = |place: &usize| &self.words[*place];
        let mut order: Vec<usize> = (0..self.words.len()).collect();
        order.sort_by(|a, b| self.counts[*b].cmp(&self.counts[*a]).then_with(|| natural::compare(name(a), name(b))));
        let all: u64 = self.counts.iter().sum();
        let least = rare.map_or(0.0, |share| share * all as f64);
        let frequent = order.iter().take_while(|place| self.counts[**place] as f64 >= least).count();
        let kept = if frequent.min(MAX_WORDS) < order.len() { frequent.min(MAX_WORDS - 1) } else { order.len() };
        // One word is no group.
        let kept = if order.len() - kept == 1 && order.len() <= MAX_WORDS { order.len() } else { kept };
        let mut notes = Vec::new();
        let counted: Vec<(String, u64)> =
            order.iter().map(|place| (name(place).clone(), self.counts[*place])).collect();
        for words in near(&counted).into_iter().take(3) {
            notes.push(format!("{} may be one word in several spellings; they are kept apart", list(&words)));
        }
        let grouped = order.split_off(kept);
        order.sort_by(|a, b| natural::compare(name(a), name(b)));
        let mut places = vec![order.len() as f32; self.words.len()];
        order.iter().enumerate().for_each(|(place, old)| places[*old] = place as f32);
        cells.filter(|cell| cell.is_finite()).for_each(|cell| *cell = places[*cell as usize]);
        column.words = order.iter().map(|place| name(place).clone()).collect();
        if !grouped.is_empty() {
            let rows: u64 = grouped.iter().map(|place| self.counts[*place]).sum();
            column.words.push(format!("{} other words", grouped.len()));
            notes.push(format!(
                "the {} rarest words, of {rows} cells, are learned from as one and drawn as often as they were met; `data.rare` groups \
                 more or fewer, up to {MAX_WORDS} words in all",
                grouped.len()
            ));
            let group = |place: usize| Grouped { word: name(&place).clone(), rows: self.counts[place] };
            column.grouped = grouped.into_iter().map(group).collect();
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(words: Words, rare: Option<f64>, cells: &mut [f32]) -> (Column, Vec<String>) {
        let mut column = Column::default();
        let notes = words.finish(&mut column, rare, cells.iter_mut());
        (column, notes)
    }

    #[test]
    fn words_are_in_order_whatever_order_they_come_in() {
        let mut words = Words::default();
        let mut cells: Vec<f32> = ["b10", "b9", "a", "b10"].map(|word| words.place(word).unwrap()).into();
        cells.push(f32::NAN);
        assert_eq!(words.refusal(4), None);
        assert_eq!(finished(words, None, &mut cells).0.words, ["a", "b9", "b10"]);
        assert_eq!(cells[..4], [2.0, 1.0, 0.0, 2.0]);
        let known = |words: &[&str]| {
            Words::known(&Column { words: words.iter().map(|w| w.to_string()).collect(), ..Column::default() })
        };
        let mut numbers = known(&["1", "2"]);
        assert_eq!((numbers.place("2.0"), numbers.place("3"), numbers.place("x")), (Some(1.0), None, None));
        assert_eq!((known(&["FALSE", "TRUE"]).place("true"), known(&["A", "B"]).place("a")), (Some(1.0), None));
        let mut numbers = Words::default();
        assert_eq!(["1.0", "01", "1", "2e0", "x"].map(|word| numbers.place(word).unwrap()), [0.0, 1.0, 0.0, 2.0, 3.0]);
        let large = ["9007199254740993", "9007199254740992"];
        assert_eq!(large.map(|word| numbers.place(word).unwrap()), [4.0, 5.0]);
        assert_eq!(numbers.words[..4], ["1.0", "01", "2e0", "x"]);
        let mut names = Words::default();
        (0..30).for_each(|row| assert!(names.place(&format!("row {row}")).is_some()));
        assert!(names.refusal(30).unwrap().contains("30 different words in 30 rows"));
    }

    #[test]
    fn rare_words_are_grouped_and_known_again() {
        let mut words = Words::default();
        let mut cells = Vec::new();
        for (word, rows) in [("much", 50), ("some", 40), ("x", 2), ("y", 3)] {
            cells.extend((0..rows).map(|_| words.place(word).unwrap()));
        }
        let (column, notes) = finished(words, Some(0.1), &mut cells);
        assert_eq!(column.words, ["much", "some", "2 other words"]);
        assert_eq!(column.grouped.iter().map(|g| (g.word.as_str(), g.rows)).collect::<Vec<_>>(), [("y", 3), ("x", 2)]);
        assert_eq!((cells[0], cells[60], cells[91]), (0.0, 1.0, 2.0));
        assert!(notes[0].starts_with("the 2 rarest words, of 5 cells"), "{notes:?}");
        let mut known = Words::known(&column);
        assert_eq!(
            ["x", "y", "some", "2 other words"].map(|word| known.place(word)),
            [Some(2.0), Some(2.0), Some(1.0), None]
        );
        // More words than a category can have.
        let mut many = Words::default();
        let mut cells: Vec<f32> = (0..3000).map(|i| many.place(&format!("w{}", i % 300)).unwrap()).collect();
        let (column, _) = finished(many, None, &mut cells);
        assert_eq!((column.words.len(), column.grouped.len()), (MAX_WORDS, 300 - (MAX_WORDS - 1)));
    }

    #[test]
    fn spellings_are_pointed_out() {
        let words = [("Online", 90), ("ONLINE", 5), ("onlin", 1), ("shop", 40), ("a-1", 9), ("a1", 2), ("5", 1)];
        let words: Vec<(String, u64)> = words.iter().map(|(word, rows)| (word.to_string(), *rows)).collect();
        assert_eq!(near(&words), [vec!["Online", "ONLINE", "onlin"], vec!["a-1", "a1"]]);
    }
}
