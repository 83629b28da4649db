//! Which rows a model was trained on.

use serde::{Deserialize, Serialize};

use super::Examples;

/// Bits of a row's hash that are kept: a row that is not among a million trained ones looks like one of them once in 280
/// million times.
const BITS: u32 = 48;
/// Hexadecimal digits of these.
const DIGITS: usize = BITS as usize / 4;
/// The most rows of which they are kept: 48 MB of text.
const MAX: usize = 1 << 22;

/// Hashes of the rows that a model was trained on. In a file, they are one string of twelve hexadecimal digits each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprints {
    /// In ascending order, each once.
    hashes: Vec<u64>,
}

impl Fingerprints {
    /// Fingerprints of training rows, unless there are too many.
    pub(super) fn of(train: &Examples) -> Option<Self> {
        (train.rows <= MAX).then(|| Self::from(train.hashes().into_iter()))
    }

    fn from(hashes: impl Iterator<Item = u64>) -> Self {
        let mut hashes: Vec<u64> = hashes.map(|hash| hash >> (u64::BITS - BITS)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// Whether they are those of exactly these rows.
    pub fn are_of(&self, train: &Examples) -> bool {
        *self == Self::from(train.hashes().into_iter())
    }

    /// Marks the rows that are among them.
    pub fn mark(&self, rows: &Examples) -> Vec<bool> {
        let known = |hash: u64| self.hashes.binary_search(&(hash >> (u64::BITS - BITS))).is_ok();
        rows.hashes().into_iter().map(known).collect()
    }
}

impl From<Fingerprints> for String {
    fn from(all: Fingerprints) -> Self {
        all.hashes.iter().map(|hash| format!("{hash:0DIGITS$x}")).collect()
    }
}

impl TryFrom<String> for Fingerprints {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "the fingerprints of the rows trained on are no hexadecimal digits, twelve for each row";
        if !text.len().is_multiple_of(DIGITS) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        let hash = |at: usize| u64::from_str_radix(&text[at..at + DIGITS], 16).map_err(|_| wrong);
        let mut hashes: Vec<u64> = (0..text.len()).step_by(DIGITS).map(hash).collect::<Result<_, _>>()?;
        hashes.sort_unstable();
        Ok(Self { hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Values;
    use super::*;

    #[test]
    fn trained_rows_are_known_again() {
        let rows = |values: &[f32]| Examples::of(values.len() / 2, Values::Floats(values.to_vec()));
        let all = Fingerprints::of(&rows(&[1.0, 2.0, 3.0, 4.0, 1.0, 2.0])).unwrap();
        assert_eq!(all.hashes.len(), 2);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text.len(), 2 * DIGITS + 2);
        let again: Fingerprints = serde_json::from_str(&text).unwrap();
        assert_eq!(again, all);
        assert!(again.are_of(&rows(&[3.0, 4.0, 1.0, 2.0])) && !again.are_of(&rows(&[3.0, 4.0])));
        assert_eq!(again.mark(&rows(&[3.0, 4.0, 2.0, 1.0, 1.0, 2.0])), [true, false, true]);
        for wrong in ["\"0123\"", "\"00000000000g\"", "\"00000000é000\"", "5"] {
            assert!(serde_json::from_str::<Fingerprints>(wrong).is_err(), "{wrong}");
        }
    }
}
