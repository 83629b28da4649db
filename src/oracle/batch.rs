//! Gathering a batch.

use super::rng::unit;
use super::{Call, Real};
use crate::kernels::batch::{BatchParams, row_of};
use crate::kernels::rng::threefry2x32;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    let p = BatchParams::of(call.op);
    let (count, width, stride) = (p.count as usize, p.width as usize, p.words as usize);
    let binarise = call.op.kernel.constant("BINARISE");
    let bytes = call.has("bytes");
    let batch = if bytes { call.words("x_bytes").len() / stride } else { call.read("x").len() / width };
    let mut levels = vec![0.0_f32; batch * width];
    for (r, row) in levels.chunks_mut(width).enumerate() {
        let source = row_of(r, count, p.half_bits, call.step);
        for (d, value) in row.iter_mut().enumerate() {
            // Levels are f32 on every executor, so that a draw falls on the same side of them.
            let level = if bytes {
                let word = call.words("bytes")[source * stride + d / 4];
                f32::from(word.to_le_bytes()[d % 4]) / 255.0
            } else {
                call.read("floats")[source * width + d].wide() as f32
            };
            let level = match binarise {
                1 => f32::from(u8::from(level >= 0.5)),
                2 => {
                    let draw = threefry2x32(call.step.binarise_key, [(r * width + d) as u32, 0]);
                    f32::from(u8::from(unit(draw[0]) < level))
                }
                _ => level,
            };
            *value = level;
        }
    }
    if !bytes {
        let values = levels.iter().map(|level| T::of(f64::from(*level))).collect();
        call.put("x", values);
        return;
    }
    let byte = |level: &f32| (level * 255.0).round() as u32;
    let word = |levels: &[f32]| levels.iter().rev().fold(0, |word, level| (word << 8) | byte(level));
    let words: Vec<u32> = levels.chunks(width).flat_map(|row| row.chunks(4)).map(word).collect();
    call.write_words("x_bytes", &words);
}
