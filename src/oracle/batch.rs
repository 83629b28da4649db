//! Gathering a batch.

use super::rng::unit;
use super::{Call, Real};
use crate::kernels::batch::BatchParams;
use crate::kernels::rng::threefry2x32;
use crate::plan::StepScalars;

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

/// The data set's row that row `r` of the batch is.
fn row_of(r: usize, count: usize, half_bits: u32, step: &StepScalars) -> usize {
    let position = step.offset as usize + r;
    let (position, key) = if position >= count {
        ((position - count) % count, step.next_shuffle_key)
    } else {
        (position, step.shuffle_key)
    };
    if step.shuffle == 0 { position } else { permute(position as u32, count as u32, half_bits, key) as usize }
}

fn scramble(value: u32) -> u32 {
    let h = (value ^ (value >> 16)).wrapping_mul(0x85EB_CA6B);
    let h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// A keyed permutation of `0..count`.
fn permute(position: u32, count: u32, half_bits: u32, key: [u32; 2]) -> u32 {
    let mask = (1 << half_bits) - 1;
    let mut value = position;
    loop {
        let (mut left, mut right) = (value >> half_bits, value & mask);
        for round in 0..6_u32 {
            let salt = key[round as usize % 2].wrapping_add(round.wrapping_mul(0x9E37_79B9));
            (left, right) = (right, left ^ (scramble(right ^ salt) & mask));
        }
        value = (left << half_bits) | right;
        if value < count {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::batch::half_bits;

    fn order(count: u32, key: [u32; 2]) -> Vec<u32> {
        (0..count).map(|p| permute(p, count, half_bits(count as usize), key)).collect()
    }

    #[test]
    fn every_row_is_used_once() {
        for count in (1..300).chain([1000, 4096, 4097, 60_000]) {
            let mut rows = order(count, [count, 77]);
            rows.sort_unstable();
            assert_eq!(rows, (0..count).collect::<Vec<_>>(), "count {count}");
        }
    }

    /// A shuffle that left neighbours together, or rows near their place, would pass the test above.
    #[test]
    fn the_order_looks_random() {
        let n = 10_000_u32;
        let a = order(n, [1, 2]);
        let b = order(n, [1, 3]);
        let fixed = a.iter().enumerate().filter(|(i, r)| *i as u32 == **r).count();
        let same = a.iter().zip(&b).filter(|(x, y)| x == y).count();
        assert!(fixed < 10 && same < 10, "{fixed} rows in place, {same} shared by two keys");
        let steps: Vec<f64> = a.windows(2).map(|w| (f64::from(w[0]) - f64::from(w[1])).abs() / f64::from(n)).collect();
        let mean = steps.iter().sum::<f64>() / steps.len() as f64;
        // Two independent uniform numbers are 1/3 apart on average.
        assert!((mean - 1.0 / 3.0).abs() < 0.01, "mean step {mean}");
    }
}
