//! The file that compressed rows are in.

use wgvae_data::{Examples, NOTHING};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::apply::{RunError, TrainedModel, draws};

/// What a file begins with: its format.
const FORMAT: &[u8; 4] = b"wgz2";

/// Rows in few bytes, and what has to be equal to get them back.
#[derive(Debug, Clone, PartialEq)]
pub struct CompressedFile {
    /// What they were compressed with: the version of this program, and the device.
    pub made_with: String,
    /// A checksum of the weights.
    pub model: u64,
    /// A checksum of numbers that the model makes on that device.
    pub numbers: u64,
    /// A checksum of the rows.
    pub checksum: u64,
    /// How many rows there are.
    pub rows: usize,
    /// The stack.
    pub words: Vec<u32>,
}

impl CompressedFile {
    pub(super) fn new(model: &mut TrainedModel, rows: usize, checksum: u64, words: Vec<u32>) -> Result<Self, RunError> {
        let [weights, numbers] = checksums(model)?;
        Ok(Self { made_with: made_with(model), model: weights, numbers, checksum, rows, words })
    }

    /// The bits of the stack.
    pub fn bits(&self) -> usize {
        32 * self.words.len()
    }

    /// The bytes of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let made_with = &self.made_with.as_bytes()[..self.made_with.len().min(255)];
        let mut bytes = FORMAT.to_vec();
        bytes.push(made_with.len() as u8);
        bytes.extend(made_with);
        for number in [self.model, self.numbers, self.checksum, self.rows as u64] {
            bytes.extend(number.to_le_bytes());
        }
        self.words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    /// Reads them; says what is wrong with them.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (content, sum) = bytes.split_last_chunk::<8>().ok_or("it is too short")?;
        let rest = content
            .strip_prefix(FORMAT)
            .ok_or("it was not written by `wgvae compress`, or by another version of it")?;
        if xxh3_64(content).to_le_bytes() != *sum {
            return Err("it is damaged: its checksum is wrong".into());
        }
        let short = "it is damaged: it ends too early";
        let (length, rest) = rest.split_first().ok_or(short)?;
        let (made_with, mut rest) = rest.split_at_checked(usize::from(*length)).ok_or(short)?;
        let mut number = || -> Result<u64, &str> {
            let (number, behind) = rest.split_first_chunk::<8>().ok_or(short)?;
            rest = behind;
            Ok(u64::from_le_bytes(*number))
        };
        let [model, numbers, checksum, rows] = [number()?, number()?, number()?, number()?];
        let (words, behind) = rest.as_chunks::<4>();
        let rows = usize::try_from(rows).ok().filter(|_| rows <= MAX_ROWS && behind.is_empty()).ok_or(short)?;
        Ok(Self {
            made_with: String::from_utf8_lossy(made_with).into_owned(),
            model,
            numbers,
            checksum,
            rows,
            words: words.iter().map(|word| u32::from_le_bytes(*word)).collect(),
        })
    }

    /// Refuses a model or a device that would not give the rows back.
    pub(super) fn expect(&self, model: &mut TrainedModel) -> Result<(), RunError> {
        let [weights, numbers] = checksums(model)?;
        if weights != self.model {
            return Err(RunError::Unfit(format!(
                "the file was made with another model than that of {}: give the run that it was made with",
                model.files()
            )));
        }
        if numbers != self.numbers {
            return Err(RunError::Unfit(format!(
                "the file was made with {}, and the model computes other numbers with {}, so rows would come back wrong: use the same \
                 version and device",
                self.made_with,
                made_with(model)
            )));
        }
        Ok(())
    }
}

/// More rows than anybody has.
const MAX_ROWS: u64 = 1 << 40;

/// The version and the device.
fn made_with(model: &TrainedModel) -> String {
    format!("wgvae {} on {}", env!("CARGO_PKG_VERSION"), model.device())
}

/// Checksums of the weights, and of what the model makes of some codes and of rows that it made: the last bits of these differ where a
/// device, a driver or a build computes differently.
fn checksums(model: &mut TrainedModel) -> Result<[u64; 2], RunError> {
    let mut hash = Xxh3::new();
    let mut add = |numbers: &[f32]| numbers.iter().for_each(|x| hash.update(&x.to_le_bytes()));
    let (batch, width) = (model.batch(), model.width());
    let z = draws::prior(batch, model.latent(), 0, 1.0);
    let shown = model.decode(&z)?;
    add(&shown);
    let rows = Examples::of_numbers(&shown, model.data().bytes, width);
    let classes = model.data().classes.len().max(1) as u32;
    let labels = model.is_conditional().then(|| (0..batch as u32).map(|row| row % classes).collect());
    let codes = model.encode(&Examples { labels, ..rows })?;
    add(&codes.mu);
    add(&codes.logvar);
    if model.is_of_texts() {
        // The likeliest tokens say nothing of the last bits.
        model.start(&z, &[])?;
        add(&model.next_logits(&vec![NOTHING; batch])?);
    }
    Ok([model.checksum()?, hash.digest()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> CompressedFile {
        let made_with = "wgvae 9 on a machine".to_string();
        CompressedFile { made_with, model: 1, numbers: 2, checksum: 3, rows: 4, words: vec![5, u32::MAX, 7] }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        assert_eq!(CompressedFile::of_bytes(&file().to_bytes()), Ok(file()));
    }

    #[test]
    fn damage_is_seen() {
        let bytes = file().to_bytes();
        for cut in 0..bytes.len() {
            assert!(CompressedFile::of_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 4;
            assert!(CompressedFile::of_bytes(&bytes).is_err(), "{place}");
        }
        // A file that somebody made up, with a right checksum.
        let made_up = [FORMAT.as_slice(), &[200, 1, 2]].concat();
        let made_up = [made_up.clone(), xxh3_64(&made_up).to_le_bytes().to_vec()].concat();
        assert!(CompressedFile::of_bytes(&made_up).unwrap_err().contains("too early"));
    }
}
