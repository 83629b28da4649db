//! Rows as blocks of columns, whatever file they go into.

use super::super::{Cell, Form};

/// A name for one more column beside others: its own, or where one of them has that, the name with `row_` before it.
pub fn apart<'a>(name: &str, is_taken: impl Fn(&str) -> bool + 'a) -> String {
    let numbered = (2..).map(|number| format!("row_{name}_{number}"));
    let names = [name.to_string(), format!("row_{name}")].into_iter().chain(numbered);
    names.into_iter().find(|name| !is_taken(name)).unwrap_or_default()
}

/// Columns next to each other; all blocks of a file have the same number of rows.
#[derive(Debug, Clone, Copy)]
pub enum Block<'a> {
    /// Columns of numbers, written in the shortest form that reads back to the same bits.
    Numbers {
        /// The columns' names.
        names: &'a [String],
        /// `(rows, names)`.
        values: &'a [f32],
    },
    /// Columns of cells of a table.
    Cells {
        /// The columns' names.
        names: &'a [String],
        /// `(rows, names)`.
        cells: &'a [Cell],
        /// How a text has the numbers of each column; if there are none, as programs write them.
        forms: &'a [Form],
    },
    /// One column of words.
    Words {
        /// The column's name.
        name: &'a str,
        /// One word per row.
        words: &'a [String],
    },
    /// One column of classes.
    Classes {
        /// The column's name.
        name: &'a str,
        /// One index into `classes` per row; an index outside of it is written as a number.
        labels: &'a [u32],
        /// Names of the classes.
        classes: &'a [String],
    },
    /// Columns of factors.
    Places {
        /// The columns' names.
        names: &'a [String],
        /// Row by row.
        values: &'a [u16],
    },
}

/// What stands in one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a> {
    /// A number of a model.
    Number(f32),
    /// A number of a table.
    Exact(f64),
    /// An index.
    Whole(u32),
    /// A number, and how a text has it: with as many digits as a float, or as it has itself.
    Written(f64, &'a Form, bool),
    /// A word.
    Word(&'a str),
    /// Nothing.
    Missing,
}

impl<'a> Block<'a> {
    /// The names of its columns.
    pub fn names(&self) -> Vec<&'a str> {
        match *self {
            Block::Numbers { names, .. } | Block::Cells { names, .. } | Block::Places { names, .. } => {
                names.iter().map(String::as_str).collect()
            }
            Block::Words { name, .. } | Block::Classes { name, .. } => vec![name],
        }
    }

    /// How many columns it has.
    pub fn width(&self) -> usize {
        match self {
            Block::Numbers { names, .. } | Block::Cells { names, .. } | Block::Places { names, .. } => names.len(),
            Block::Words { .. } | Block::Classes { .. } => 1,
        }
    }

    /// What stands in a row of a column.
    pub fn entry(&self, row: usize, column: usize) -> Entry<'a> {
        let place = row * self.width() + column;
        let entry = match *self {
            Block::Numbers { values, .. } => values.get(place).map(|number| Entry::Number(*number)),
            Block::Cells { cells, forms, .. } => cells.get(place).map(|cell| match (cell, forms.get(column)) {
                (Cell::Number(number), Some(form)) if !form.is_default() => {
                    Entry::Written((*number).into(), form, true)
                }
                (Cell::Exact(number), Some(form)) if !form.is_default() => Entry::Written(*number, form, false),
                (Cell::Number(number), _) => Entry::Number(*number),
                (Cell::Exact(number), _) => Entry::Exact(*number),
                (Cell::Word(word), _) => Entry::Word(word),
                (Cell::Truth(truth), _) => Entry::Word(if *truth { "true" } else { "false" }),
                (Cell::Missing, _) => Entry::Missing,
            }),
            Block::Places { values, .. } => values.get(place).map(|value| Entry::Whole(u32::from(*value))),
            Block::Words { words, .. } => words.get(place).map(|word| Entry::Word(word)),
            Block::Classes { labels, classes, .. } => labels
                .get(place)
                .map(|label| classes.get(*label as usize).map_or(Entry::Whole(*label), |class| Entry::Word(class))),
        };
        entry.unwrap_or(Entry::Missing)
    }
}
