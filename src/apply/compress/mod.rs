//! Rows in few bytes, and back bit for bit: bits-back coding with a stack (Townsend, Bird and Barber, 2019).
//!
//! For a row, the stack first gives a draw of the latent from what the encoder says, then takes the row's values given the draw, and then
//! the draw given the prior. What it gave for the draw comes back when the row is read, so a row costs its negative ELBO. The latent has
//! places (`masses::NormalGrid`); rows go in batches, so that a network is run once for many. Nothing has to be equal but the numbers that the
//! network makes, which both ends test ([`CompressedFile::numbers`]).

mod alphabet;
mod coder;
mod codes;
mod file;
mod masses;
mod spool;
mod stack;

pub use alphabet::{Alphabet, prepared};
pub use codes::{MAX_BITS, RoundedCodes};
pub use file::CompressedFile;
pub use spool::Unpacked;

use std::path::Path;

use wgvae_data::Examples;

use super::{Run, RunError, TrainedModel, draws};
use alphabet::{Symbol, symbols};
use coder::{Batch, Coder, Levels};
use masses::cost;
use spool::Spool;
use stack::Stack;

/// More values than anybody's memory holds.
const MAX_VALUES: u128 = 1 << 36;

/// Compresses rows, and restores them again to see that they are the same. `watch` is told how many rows are done, each twice.
pub fn compress(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    watch: &mut dyn FnMut(usize),
) -> Result<CompressedFile, RunError> {
    let rows = prepared(run, rows);
    let mut coder = Coder::new(run, model)?;
    let width = coder.width;
    let symbols = symbols(coder.alphabet, &rows, width)?;
    let classes = rows.labels.filter(|_| coder.classes > 0).unwrap_or_default();
    let mut stack = Stack::new();
    let mut done = 0;
    while done < rows.rows {
        let next = done..done + coder.next_rows(&stack, rows.rows - done);
        let of_batch = classes.get(next.clone()).unwrap_or_default().to_vec();
        let batch = Batch { symbols: symbols[next.start * width..next.end * width].to_vec(), classes: of_batch };
        coder.push(&mut stack, &batch, done)?;
        done = next.end;
        watch(done);
    }
    let mut file = CompressedFile::new(coder.model, rows.rows, checksum(&symbols, &classes), stack.into_words())?;
    let words = file.words.clone();
    let is_same = |first: usize, batch: &Batch| {
        let next = first..first + batch.symbols.len() / width;
        batch.symbols == symbols[next.start * width..next.end * width]
            && batch.classes == classes.get(next).unwrap_or_default()
    };
    let mut all = true;
    let mut see = |first: usize, batch: &Batch| {
        all &= is_same(first, batch);
        Ok(())
    };
    let came_back = unpacked(&mut coder, &mut file, &mut see, &mut |restored| watch(done + restored));
    match came_back {
        Ok(()) if all => {}
        Err(error) if !matches!(error, RunError::Content(_)) => return Err(error),
        _ => {
            return Err(RunError::Unfit(
                "the rows did not come back as they were, so nothing was written: this device does not compute the same numbers each time"
                    .into(),
            ));
        }
    }
    file.words = words;
    Ok(file)
}

/// The rows of a file, as the model takes them.
pub fn decompress(
    run: &Run,
    model: &mut TrainedModel,
    file: CompressedFile,
    watch: &mut dyn FnMut(usize),
) -> Result<Examples, RunError> {
    let rows = file.rows;
    unpack(run, model, file, &std::env::temp_dir(), watch)?.rows(0..rows)
}

/// The rows of a file in another file, `folder` of which has room for them: the last ones come first, and there may be more than memory
/// holds. That file has no name that anybody could open, and is gone with the result.
pub fn unpack(
    run: &Run,
    model: &mut TrainedModel,
    mut file: CompressedFile,
    folder: &Path,
    watch: &mut dyn FnMut(usize),
) -> Result<Unpacked, RunError> {
    file.expect(model)?;
    let mut coder = Coder::new(run, model)?;
    if file.rows == 0 {
        return Err(RunError::Content(
            "the file says that it has no rows, and none is written without: it is made up".into(),
        ));
    }
    if file.rows as u128 * coder.width as u128 > MAX_VALUES || !coder.have_room(file.bits(), file.rows) {
        return Err(RunError::Content(format!(
            "the file says that it has {} rows, for which its {} bytes have no room: it is made up",
            file.rows,
            file.bits() / 8
        )));
    }
    let (width, has_classes) = (coder.width, coder.classes > 0);
    let mut unpacked_rows = Unpacked {
        spool: Spool::new(folder)?,
        count: file.rows,
        width,
        alphabet: coder.alphabet,
        bytes: coder.bytes,
        has_classes,
    };
    let mut keep = |first: usize, batch: &Batch| unpacked_rows.write_batch(first, batch);
    unpacked(&mut coder, &mut file, &mut keep, watch)?;
    match unpacked_rows.checksum()? == file.checksum {
        true => Ok(unpacked_rows),
        false => Err(made_up()),
    }
}

fn made_up() -> RunError {
    RunError::Content(
        "the rows do not come back as the file's checksum says, although this device computes the numbers that they were compressed with: \
         the file is damaged or made up; nothing was written"
            .into(),
    )
}

/// Takes all batches of a file from its stack, the last one first, and gives them away with the numbers of their first rows.
fn unpacked(
    coder: &mut Coder<'_>,
    file: &mut CompressedFile,
    give: &mut dyn FnMut(usize, &Batch) -> Result<(), RunError>,
    watch: &mut dyn FnMut(usize),
) -> Result<(), RunError> {
    let bits = file.bits();
    let mut stack = Stack::of_words(std::mem::take(&mut file.words)).ok_or_else(made_up)?;
    let (mut left, mut batches) = (file.rows, 0);
    while left > 0 {
        let batch = coder.pop(&mut stack, left)?.ok_or_else(made_up)?;
        left -= batch.symbols.len() / coder.width;
        batches += 1;
        // What costs nothing was not put there by rows.
        if !coder.have_paid(bits, stack.bits(), batches) {
            return Err(made_up());
        }
        give(left, &batch)?;
        watch(file.rows - left);
    }
    Ok(())
}

fn checksum(symbols: &[Symbol], classes: &[u32]) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(bytemuck::cast_slice(symbols));
    classes.iter().for_each(|class| hash.update(&class.to_le_bytes()));
    hash.digest()
}

/// The negative ELBO of rows in bits for each row: what they should cost. Of levels, the likelihood is that of the level, not the
/// density that training uses.
pub fn elbo_bits(run: &Run, model: &mut TrainedModel, rows: &Examples, draws: usize) -> Result<f64, RunError> {
    let rows = prepared(run, rows);
    let scores = model.score(&rows, draws)?;
    let count = scores.len() as f64;
    let kl = scores.iter().map(|score| score.kl).sum::<f64>() / count;
    // A density of levels is not what they cost.
    let recon = match Alphabet::of(run)? {
        Alphabet::Levels if run.config.model.likelihood.is_density() => {
            let codes = model.encode(&rows)?;
            let classes = rows.labels.clone().unwrap_or_default();
            let symbols = symbols(Alphabet::Levels, &rows, model.width())?;
            let levels = Levels::of(model);
            let mut nats = 0.0;
            for draw in 0..draws as u64 {
                let shown = model.decoder_output(&draws::around(&codes, draw, 1.0), &classes)?;
                let around = |place: usize| levels.around(shown.means[place], shown.parameters_of(place));
                nats += (0..symbols.len()).map(|i| cost(&around(i), u32::from(symbols[i]))).sum::<f64>();
            }
            nats / count / draws as f64
        }
        _ => scores.iter().map(|score| score.recon).sum::<f64>() / count,
    };
    Ok((recon + kl) / std::f64::consts::LN_2)
}
