//! Rows of a source that are left out for one reason.

use super::error::list;

/// Rows that a note names.
const NAMED: usize = 5;

/// How many rows are left out, and the first of them.
#[derive(Debug, Default)]
pub struct Skipped {
    count: usize,
    first: Vec<String>,
}

impl Skipped {
    /// Adds a row, by what names it.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(name());
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first of them, and whether there are more.
    pub fn which(&self) -> String {
        let more = if self.count > self.first.len() { ", ..." } else { "" };
        format!("{}{more}", list(&self.first))
    }

    /// A note on them, if there are any: `all` counts those that were read, `what` they are.
    pub fn note(&self, all: usize, what: &str, why: &str) -> Option<String> {
        let (count, were) = (self.count, if self.count == 1 { "was" } else { "were" });
        (count > 0).then(|| format!("{count} of {all} {what} {were} left out ({}): {why}", self.which()))
    }
}
