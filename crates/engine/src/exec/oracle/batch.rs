//! Gathering a batch.

use super::rng::unit;
use super::{Call, Real};
use crate::kernels::batch::{BatchParams, row_of};
use crate::kernels::rng::threefry2x32;
use crate::plan::{Binarise, Gather};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, gather: Gather, binarise: Binarise) {
    let p = BatchParams::of(call.op);
    if gather == Gather::Classes {
        return classes(call, &p);
    }
    let (count, width, words) = (p.count as usize, p.width as usize, p.words as usize);
    let bytes = gather != Gather::Floats;
    let batch = if bytes { call.words("x_bytes").len() / words } else { call.read("x").len() / width };
    let mut levels = vec![0.0_f32; batch * width];
    for (place, row) in levels.chunks_mut(width).enumerate() {
        let r = place / p.samples as usize;
        let source = p.first as usize + row_of(r, count, p.half_bits, call.step);
        let image = match gather {
            Gather::Augmented { flip, .. } => Some(augmented(call, &p, flip, source, r)),
            _ => None,
        };
        for (d, value) in row.iter_mut().enumerate() {
            // Levels are f32 in every executor, so that comparing a draw with one gives the same result.
            let level = if let Some(image) = &image {
                f32::from(image[d]) / 255.0
            } else if bytes {
                let word = call.words("bytes")[source * words + d / 4];
                f32::from(word.to_le_bytes()[d % 4]) / 255.0
            } else {
                call.read("floats")[source * p.stride as usize + d].wide() as f32
            };
            let level = match binarise {
                Binarise::Threshold => f32::from(u8::from(level >= 0.5)),
                Binarise::Draw => {
                    let draw = threefry2x32(call.step.binarise_key, [(r * width + d) as u32, 0]);
                    f32::from(u8::from(unit(draw[0]) < level))
                }
                Binarise::None => level,
            };
            *value = level;
        }
    }
    if !bytes {
        let values = levels.iter().map(|level| T::of(f64::from(*level))).collect();
        call.write_back("x", values);
        return;
    }
    let byte = |level: &f32| (level * 255.0).round() as u32;
    let word = |levels: &[f32]| levels.iter().rev().fold(0, |word, level| (word << 8) | byte(level));
    let words: Vec<u32> = levels.chunks(width).flat_map(|row| row.chunks(4)).map(word).collect();
    call.write_words("x_bytes", &words);
}

fn classes<T: Real>(call: &mut Call<'_, T>, p: &BatchParams) {
    let labels = call.words("bytes");
    let class = |r: usize| labels[p.first as usize + row_of(r, p.count as usize, p.half_bits, call.step)];
    let row = |r: usize| (0..p.width).map(move |d| if d == class(r) { T::one() } else { T::zero() });
    let x = (0..p.batch as usize).flat_map(row).collect();
    call.write_back("x", x);
}

/// The image of row `r` of the batch, moved, mirrored and with noise.
fn augmented<T: Real>(call: &Call<'_, T>, p: &BatchParams, flip: bool, source: usize, r: usize) -> Vec<u8> {
    let words = &call.words("bytes")[source * p.words as usize..];
    let [place, mirror] = threefry2x32(call.step.binarise_key, [r as u32, 1]);
    let reach = 2 * p.shift + 1;
    let down = i64::from((place & 0xFFFF) % reach) - i64::from(p.shift);
    let right = i64::from((place >> 16) % reach) - i64::from(p.shift);
    let mirrored = flip && mirror & 1 == 1;
    let (height, image_width, channels) = (i64::from(p.height), i64::from(p.image_width), p.channels as usize);
    let moved = |i: usize| -> u8 {
        let pixel = (i / channels) as i64;
        let (y, x) = (pixel / image_width - down, pixel % image_width - right);
        if !(0..height).contains(&y) || !(0..image_width).contains(&x) {
            return 0;
        }
        let x = if mirrored { image_width - 1 - x } else { x };
        let at = (y * image_width + x) as usize * channels + i % channels;
        words[at / 4].to_le_bytes()[at % 4]
    };
    let width = p.width as usize;
    (0..width)
        .map(|i| {
            let bits = threefry2x32(call.step.binarise_key, [(r * width + i) as u32, 2]);
            let sum: i64 = bits.iter().flat_map(|word| word.to_le_bytes()).map(i64::from).sum();
            let change = ((sum - 1020) * i64::from(p.noise) + 32768) >> 16;
            (i64::from(moved(i)) + change).clamp(0, 255) as u8
        })
        .collect()
}
