//! Relations between columns that hold in every row of a table: a total that is the sum of its parts, an amount that is a price times a
//! quantity, a department that follows from its number. They are found when the table is read, and kept in what is drawn and filled.

mod found;
mod lookups;
mod search;
mod sums;

use serde::{Deserialize, Serialize};

use super::{Column, Columns};

/// What a column follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// A number is a sum of others, each times a factor, and a constant.
    Sum {
        /// The number.
        column: usize,
        /// The others.
        terms: Vec<Term>,
        /// The constant.
        constant: f64,
    },
    /// A number is the product of two others, or their ratio, times a factor.
    Product {
        /// The number.
        column: usize,
        /// The two.
        of: [usize; 2],
        /// Whether the first is divided by the second.
        is_ratio: bool,
        /// The factor.
        factor: f64,
    },
    /// Each value of a column goes with one value of another.
    Lookup {
        /// The other.
        column: usize,
        /// The column.
        by: usize,
        /// Its values, in ascending order; of words their places.
        keys: Vec<f64>,
        /// What goes with each.
        values: Vec<f64>,
    },
}

/// A term of a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// The column.
    pub column: usize,
    /// What it is multiplied by.
    pub factor: f64,
    /// Whether it is its logarithm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_log: bool,
}

impl Term {
    fn value(&self, number: f64) -> f64 {
        self.factor * if self.is_log { number.ln() } else { number }
    }
}

impl Relation {
    /// The column that follows.
    pub fn column(&self) -> usize {
        match self {
            Relation::Sum { column, .. } | Relation::Product { column, .. } | Relation::Lookup { column, .. } => {
                *column
            }
        }
    }

    /// The columns that it follows from.
    pub fn from(&self) -> Vec<usize> {
        match self {
            Relation::Sum { terms, .. } => terms.iter().map(|term| term.column).collect(),
            Relation::Product { of, .. } => of.to_vec(),
            Relation::Lookup { by, .. } => vec![*by],
        }
    }

    /// The value of the column, from those of a row; none where one of them is missing, or cannot be.
    fn value(&self, row: &[f64]) -> Option<f64> {
        let value = match self {
            Relation::Sum { terms, constant, .. } => {
                constant + terms.iter().map(|term| term.value(row[term.column])).sum::<f64>()
            }
            Relation::Product { of: [a, b], is_ratio: false, factor, .. } => factor * row[*a] * row[*b],
            Relation::Product { of: [a, b], factor, .. } => factor * row[*a] / row[*b],
            Relation::Lookup { by, keys, values, .. } => values[nearest(keys, row[*by])?],
        };
        value.is_finite().then_some(value)
    }

    /// The one value of a sum that is missing in a row, from all others.
    fn solved(&self, row: &[f64]) -> Option<(usize, f64)> {
        let Relation::Sum { column, terms, constant } = self else { return None };
        let mut missing = terms.iter().filter(|term| row[term.column].is_nan());
        let (term, None) = (missing.next()?, missing.next()) else { return None };
        let others = terms.iter().filter(|other| other.column != term.column).map(|term| term.value(row[term.column]));
        let value = (row[*column] - constant - others.sum::<f64>()) / term.factor;
        let value = if term.is_log { value.exp() } else { value };
        value.is_finite().then_some((term.column, value))
    }

    /// The relation as a sentence.
    pub(crate) fn said(&self, columns: &[Column]) -> String {
        let name = |column: &usize| columns[*column].name.as_str();
        match self {
            Relation::Sum { column, terms, constant } => {
                let mut text = format!("{} =", name(column));
                for (place, term) in terms.iter().enumerate() {
                    let sign = match (place, term.factor < 0.0) {
                        (0, false) => " ",
                        (0, true) => " -",
                        (_, false) => " + ",
                        (_, true) => " - ",
                    };
                    text += sign;
                    if term.factor.abs() != 1.0 {
                        text += &format!("{} x ", term.factor.abs());
                    }
                    text += &if term.is_log { format!("ln {}", name(&term.column)) } else { name(&term.column).into() };
                }
                match *constant {
                    0.0 => text,
                    constant if constant < 0.0 => format!("{text} - {}", -constant),
                    constant => format!("{text} + {constant}"),
                }
            }
            Relation::Product { column, of: [a, b], is_ratio, factor } => {
                let factor = if *factor == 1.0 { String::new() } else { format!("{factor} x ") };
                format!("{} = {factor}{} {} {}", name(column), name(a), if *is_ratio { "/" } else { "x" }, name(b))
            }
            Relation::Lookup { column, by, .. } => format!("{} follows from {}", name(column), name(by)),
        }
    }

    /// Whether it can be of columns: what a damaged file says may be anything.
    pub(crate) fn fits(&self, columns: &[Column]) -> bool {
        let known = |column: usize| column < columns.len();
        known(self.column())
            && self.from().into_iter().all(|column| known(column) && column != self.column())
            && match self {
                Relation::Lookup { keys, values, .. } => !keys.is_empty() && keys.len() == values.len(),
                _ => true,
            }
    }
}

/// The place of the key that is nearest to a number.
fn nearest(keys: &[f64], number: f64) -> Option<usize> {
    let place = keys.partition_point(|key| *key < number);
    let near = [place.saturating_sub(1), place.min(keys.len() - 1)];
    let far = |place: &usize| (keys[*place] - number).abs();
    (!number.is_nan()).then(|| if far(&near[0]) < far(&near[1]) { near[0] } else { near[1] })
}

impl Columns {
    /// Makes the relations hold in a row of numbers `(C)`, of words their places: columns that follow get what follows. Of a row of which
    /// some cells were `filled`, only those are changed, and where one of a sum's terms alone was filled, it is what is left. `share` is
    /// how likely a word of a column is, by its place.
    pub(super) fn relate(&self, row: &mut [f64], filled: Option<&[bool]>, share: &dyn Fn(usize, usize) -> f32) {
        let mut known: Vec<f64> =
            row.iter().enumerate().map(|(column, place)| self.all[column].of_place(*place)).collect();
        let mut set = |known: &mut [f64], column: usize, value: f64| {
            if let Some((place, value)) = self.all[column].to_place(value) {
                row[column] = place;
                known[column] = value;
            }
        };
        for (column, value) in self.matching_keys(&known, filled, share) {
            set(&mut known, column, value);
        }
        // What is known for certain: the cells that were there, and what follows from them.
        let is_there = |column: usize| filled.is_some_and(|filled| !filled[column]);
        let certain = |(column, value): (usize, &f64)| if is_there(column) { *value } else { f64::NAN };
        let mut certain: Vec<f64> = known.iter().enumerate().map(certain).collect();
        // What is left of one sum may be what another needs; where nothing was there, nothing is certain.
        for relation in self.relations.iter().filter(|_| filled.is_some()).cycle().take(self.relations.len().pow(2)) {
            let column = relation.column();
            let found = match certain[column].is_nan() {
                true => relation.value(&certain).map(|value| (column, value)),
                false => relation.solved(&certain),
            };
            if let Some((column, value)) = found {
                set(&mut known, column, value);
                certain[column] = known[column];
            }
        }
        for relation in &self.relations {
            let column = relation.column();
            if certain[column].is_nan()
                && let Some(value) = relation.value(&known)
            {
                set(&mut known, column, value);
            }
        }
    }

    /// What words follow from, each moved to the nearest number, or the likeliest word, that these words go with: a day of the year is
    /// drawn less exactly than the day of the week, and the next day is another one; and a town that is filled in lies in the land that
    /// stands beside it. `known` are the numbers of a row.
    fn matching_keys(
        &self,
        known: &[f64],
        filled: Option<&[bool]>,
        share: &dyn Fn(usize, usize) -> f32,
    ) -> Vec<(usize, f64)> {
        let lookups = |by: usize| {
            self.relations.iter().filter_map(move |relation| match relation {
                Relation::Lookup { column, by: from, keys, values }
                    if *from == by && self.all[*column].kind.is_of_words() =>
                {
                    Some((*column, keys, values))
                }
                _ => None,
            })
        };
        let follows = |column: usize| self.relations.iter().any(|relation| relation.column() == column);
        let is_free = |column: usize| filled.is_none_or(|filled| filled[column]) && !known[column].is_nan();
        // What is filled in is no reason to move a key, but for draws, of which all is.
        let counts = |column: usize| filled.is_none_or(|filled| !filled[column]);
        // A word that is drawn is as good as what follows from it.
        let is_key = |by: usize| !self.all[by].kind.is_of_words() || filled.is_some();
        let keys = (0..self.len()).filter(|by| is_key(*by) && !follows(*by) && is_free(*by));
        let moved = |by: usize| {
            let (_, keys, _) = lookups(by).next()?;
            let apart = |key: f64| {
                let other = |(column, keys, values): (usize, &Vec<f64>, &Vec<f64>)| {
                    let value = nearest(keys, key).map(|place| values[place]);
                    counts(column) && !known[column].is_nan() && value != Some(known[column])
                };
                let far = match self.all[by].kind.is_of_words() {
                    // A word is the farther the less likely it is.
                    true => {
                        self.all[by].to_place(key).map_or(1.0, |(place, _)| 1.0 - f64::from(share(by, place as usize)))
                    }
                    false => (key - known[by]).abs(),
                };
                (lookups(by).filter(|lookup| other(*lookup)).count(), far)
            };
            let least = keys.iter().map(|key| (apart(*key), *key));
            let least = least.min_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
            Some((by, least.1))
        };
        keys.filter_map(moved).collect()
    }
}

impl Column {
    /// The number that a word at a place is, if all words are numbers; else the place. Of numbers themselves.
    fn of_place(&self, place: f64) -> f64 {
        match self.kind.is_of_words() {
            true => self.words.get(place as usize).and_then(|word| word.parse().ok()).unwrap_or(place),
            false => place,
        }
    }

    /// The number as the column has it, and of words the place of the one that it is; none where there is none.
    fn to_place(&self, value: f64) -> Option<(f64, f64)> {
        if !self.kind.is_of_words() {
            let number = self.rounded(value);
            return Some((number, number));
        }
        let is_it = |place: usize| self.of_place(place as f64) == value;
        (0..self.words.len()).find(|place| is_it(*place)).map(|place| (place as f64, value))
    }
}
