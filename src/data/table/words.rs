//! The words of a column of a table.

use std::collections::HashMap;

use super::super::columns::MOST_WORDS;
use super::super::natural;
use super::field::is_code;

/// The words so far, in the order in which they came.
#[derive(Default)]
pub struct Words {
    words: Vec<String>,
    places: HashMap<String, u32>,
    /// No others are taken.
    closed: bool,
}

/// The fewest words that can be names of rows.
const FEWEST_NAMES: usize = 20;

impl Words {
    /// Those that a model knows.
    pub fn known(words: &[String]) -> Self {
        let places = words.iter().cloned().zip(0..).collect();
        Self { words: words.to_vec(), places, closed: true }
    }

    /// The place of a word, as the number that a cell holds; none of one that a model does not know.
    pub fn place(&mut self, word: &str) -> Option<f32> {
        if let Some(place) = self.places.get(word) {
            return Some(*place as f32);
        }
        if self.closed {
            // `1` and `1.0` are one word where words are numbers.
            let number: f32 = word.parse().ok()?;
            return self.places.get(&number.to_string()).map(|place| *place as f32);
        }
        // The same of the words that come; `04` is a name.
        let number = word.parse().ok().filter(|number: &f32| number.is_finite() && !is_code(word));
        let name = number.map_or_else(|| word.to_string(), |number| number.to_string());
        if let Some(place) = self.places.get(&name) {
            return Some(*place as f32);
        }
        let place = self.words.len() as u32;
        self.words.push(name.clone());
        self.places.insert(name, place);
        Some(place as f32)
    }

    /// Why nothing can be learned from them, in a column with so many cells.
    pub fn refusal(&self, cells: usize) -> Option<String> {
        let count = self.words.len();
        let names_rows = count > FEWEST_NAMES && 2 * count > cells;
        (!self.closed && (count > MOST_WORDS || names_rows)).then(|| {
            format!("it has {count} different words in {cells} rows, which name rows rather than describe them")
        })
    }

    /// The words in order, and the cells by their places there.
    pub fn finish<'a>(self, cells: impl Iterator<Item = &'a mut f32>) -> Vec<String> {
        if self.closed {
            return self.words;
        }
        let mut order: Vec<usize> = (0..self.words.len()).collect();
        order.sort_by(|a, b| natural::compare(&self.words[*a], &self.words[*b]));
        let mut places = vec![0.0; order.len()];
        order.iter().enumerate().for_each(|(place, old)| places[*old] = place as f32);
        cells.filter(|cell| !cell.is_nan()).for_each(|cell| *cell = places[*cell as usize]);
        order.into_iter().map(|old| self.words[old].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_order_whatever_order_they_come_in() {
        let mut words = Words::default();
        let mut cells: Vec<f32> = ["b10", "b9", "a", "b10"].map(|word| words.place(word).unwrap()).into();
        cells.push(f32::NAN);
        assert_eq!(words.refusal(4), None);
        assert_eq!(words.finish(cells.iter_mut()), ["a", "b9", "b10"]);
        assert_eq!(cells[..4], [2.0, 1.0, 0.0, 2.0]);
        let mut known = Words::known(&["1".into(), "2".into()]);
        assert_eq!((known.place("2.0"), known.place("3"), known.place("x")), (Some(1.0), None, None));
        let mut numbers = Words::default();
        assert_eq!(["1.0", "01", "1", "2e0", "x"].map(|word| numbers.place(word).unwrap()), [0.0, 1.0, 0.0, 2.0, 3.0]);
        assert_eq!(numbers.words, ["1", "01", "2", "x"]);
        let mut names = Words::default();
        (0..30).for_each(|row| assert!(names.place(&format!("row {row}")).is_some()));
        assert!(names.refusal(30).unwrap().contains("30 different words in 30 rows"));
    }
}
