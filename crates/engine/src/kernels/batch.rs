//! Gathering a batch from the resident data set.

use super::{index_fits, params};
pub use crate::plan::Binarise;
use crate::plan::{Dtype, Gather, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `batch.wgsl`.
    pub struct BatchParams {
        /// Rows that batches are of.
        count: u32,
        /// Columns of the batch.
        width: u32,
        /// Words per row of packed bytes.
        words: u32,
        /// Half the number of bits that the permutation works on.
        half_bits: u32,
        /// Height of an augmented image in pixels.
        height: u32,
        /// Width of an augmented image in pixels.
        image_width: u32,
        /// Channels per pixel.
        channels: u32,
        /// Largest shift in pixels in each direction.
        shift: u32,
        /// The factor on the sum of eight random bytes, in units of 1/65536.
        noise: u32,
        /// Rows of the batch.
        batch: u32,
        /// How many neighbouring rows of the batch are the same row of the data set.
        samples: u32,
        /// The first of the rows that batches are of.
        first: u32,
        /// Floats from one row of the data set to the next.
        stride: u32,
    }
}

impl BatchParams {
    /// The parameters of a gather that changes nothing: rows of the data set, columns of the batch, words of a row, rows of
    /// the batch.
    fn of_rows(label: &str, [count, width, words, batch]: [usize; 4]) -> Result<Self, PlanError> {
        let fits = |extent: usize| index_fits(label, extent);
        Ok(Self {
            count: fits(count)?,
            width: fits(width)?,
            words: fits(words)?,
            half_bits: half_bits(count),
            batch: fits(batch)?,
            samples: 1,
            stride: fits(width)?,
            ..bytemuck::Zeroable::zeroed()
        })
    }
}

/// Augmentation: random changes of images each time they are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augment {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub image_width: usize,
    /// Channels per pixel.
    pub channels: usize,
    /// Largest shift in pixels in each direction.
    pub shift: usize,
    /// Whether images are mirrored at random, half of the time.
    pub flip: bool,
    /// Standard deviation of the noise on levels in [0, 1].
    pub noise: f32,
}

/// The standard deviation of the sum of eight random bytes: sqrt(8 (256^2 - 1) / 12).
const BYTES_DEVIATION: f32 = 209.0;

/// Words per row of packed bytes; rows start on a word.
pub fn words_per_row(width: usize) -> usize {
    width.div_ceil(4)
}

/// Half the bits of the smallest even-bit range that holds `count`.
pub fn half_bits(count: usize) -> u32 {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(1)
}

/// The index, in a data set of `count` rows, of row `r` of a step's batch; the host's twin of the shader's function.
pub fn row_of(r: usize, count: usize, half_bits: u32, step: &StepScalars) -> usize {
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

/// A keyed permutation of `0..count`, whose positions have twice `half_bits` bits.
pub fn permute(position: u32, count: u32, half_bits: u32, key: [u32; 2]) -> u32 {
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

/// `x` from `data`, `width` D numbers of each row: `(B, ceil(D / 4))` from `(N, ceil(D / 4))` words of bytes, or `(B, D)` from
/// the first of `(N, S)` floats.
pub fn gather(
    tensors: &TensorTable,
    data: TensorId,
    x: TensorId,
    width: usize,
    binarise: Binarise,
) -> Result<Op, PlanError> {
    let label = "gather";
    let (batch, _) = tensors.matrix(label, x)?;
    let source = tensors.get(data);
    let count = source.shape[0];
    let (gather, [source_name, target_name], stride) = match tensors.dtype(data) {
        Dtype::U32 => (Gather::Levels, ["bytes", "x_bytes"], words_per_row(width)),
        Dtype::F32 => (Gather::Floats, ["floats", "x"], width),
    };
    let of_row = source.shape[1];
    if of_row < stride || gather == Gather::Levels && of_row > stride {
        return Err(PlanError::Shape {
            op: label.to_string(),
            tensor: source.name.clone(),
            found: source.shape.clone(),
            expected: vec![count, stride],
        });
    }
    tensors.expect_dtype(label, x, tensors.dtype(data))?;
    tensors.expect_shape(label, x, &[batch, stride])?;
    index_fits(label, count * of_row)?;
    let params = BatchParams::of_rows(label, [count, width, words_per_row(width), batch])?;
    let params = BatchParams { stride: index_fits(label, of_row)?, ..params };
    Ok(Op::new(label, Kernel::Batch(gather, binarise), Grid::Rows(batch))
        .read(source_name, data)
        .touching(batch * stride)
        .write(target_name, x)
        .params(params.block())
        .flops(batch * width))
}

/// `x (B, K)` from the numbers of classes `labels (N, 1)` of as many rows: 1 in the column of the row's class, else 0.
pub fn classes(tensors: &TensorTable, labels: TensorId, x: TensorId) -> Result<Op, PlanError> {
    let label = "gather classes";
    let (batch, width) = tensors.matrix(label, x)?;
    let (count, _) = tensors.matrix(label, labels)?;
    tensors.expect_dtype(label, labels, Dtype::U32)?;
    tensors.expect_shape(label, labels, &[count, 1])?;
    tensors.expect(label, x, &[batch, width])?;
    let params = BatchParams::of_rows(label, [count, width, 1, batch])?;
    Ok(Op::new(label, Kernel::Batch(Gather::Classes, Binarise::None), Grid::Rows(batch))
        .read("bytes", labels)
        .touching(batch)
        .write("x", x)
        .params(params.block())
        .flops(batch * width))
}

/// Gathers images of grey levels packed in words and augments each.
pub fn augmented(
    tensors: &TensorTable,
    data: TensorId,
    x: TensorId,
    binarise: Binarise,
    augment: Augment,
) -> Result<Op, PlanError> {
    let label = "gather";
    let width = augment.height * augment.image_width * augment.channels;
    tensors.expect_dtype(label, data, Dtype::U32)?;
    let mut op = gather(tensors, data, x, width, binarise)?;
    let params = BatchParams {
        height: index_fits(label, augment.height)?,
        image_width: index_fits(label, augment.image_width)?,
        channels: index_fits(label, augment.channels)?,
        shift: index_fits(label, augment.shift)?,
        noise: (augment.noise * 255.0 / BYTES_DEVIATION * 65536.0).round() as u32,
        ..BatchParams::of(&op)
    };
    op.kernel = Kernel::Batch(Gather::Augmented { flip: augment.flip, noise: augment.noise > 0.0 }, binarise);
    Ok(op.params(params.block()))
}

/// Changes a gather so that each row stands `samples` times in the batch, unchanged: `x (B S, ..)`.
pub fn repeated(op: Op, samples: usize) -> Result<Op, PlanError> {
    let params = BatchParams { samples: index_fits(&op.label, samples)?, ..BatchParams::of(&op) };
    Ok(op.params(params.block()))
}

/// Changes a gather so that its batches are of some of the rows, which lie next to each other.
pub fn of_rows(op: Op, rows: std::ops::Range<usize>) -> Result<Op, PlanError> {
    let [first, count] = [rows.start, rows.len()].map(|n| index_fits(&op.label, n));
    let params = BatchParams { first: first?, count: count?, half_bits: half_bits(rows.len()), ..BatchParams::of(&op) };
    Ok(op.params(params.block()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_bits_hold_the_count() {
        for count in 1..5000_usize {
            let range = 1_usize << (2 * half_bits(count));
            assert!(range >= count, "{count}");
            assert!(range < 4 * count.max(2), "{count} walks too far in {range}");
        }
    }

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

    /// A shuffle that keeps neighbours together, or rows near their place, would pass the test above.
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
        // The mean distance of two independent uniform numbers is 1/3.
        assert!((mean - 1.0 / 3.0).abs() < 0.01, "mean step {mean}");
    }
}
