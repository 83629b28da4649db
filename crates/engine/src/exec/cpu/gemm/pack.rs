//! Panels of B, `[k][columns]`, from wherever its numbers lie. Columns that are not there are 0.

use std::ops::Range;

use crate::exec::cpu::pointwise::rows_of_levels;
use crate::exec::cpu::vector::vectorised;

/// B, and how it lies.
#[derive(Clone, Copy)]
pub(in crate::exec::cpu) enum Right<'a> {
    /// Columns side by side, rows so far apart.
    Rows(&'a [f32], usize),
    /// Columns of grey levels side by side, rows so far apart.
    Levels(&'a [u8], usize),
    /// The numbers of a column side by side, columns so far apart.
    Columns(&'a [f32], usize),
}

/// The rows `k` and columns `cols` of B, in rows of `width`.
pub(in crate::exec::cpu) fn pack(b: Right<'_>, k: Range<usize>, cols: Range<usize>, width: usize, panel: &mut [f32]) {
    let count = cols.len();
    match b {
        Right::Rows(b, stride) => rows(b, Starts::new(k, stride, cols.start), count, width, panel),
        Right::Levels(b, stride) => rows_of_levels(&b[k.start * stride + cols.start..], stride, count, width, panel),
        Right::Columns(b, stride) => turn(&b[cols.start * stride..], stride, k, count, width, panel),
    }
}

/// Where rows start: at equal distances, some behind each other for each of several tops.
#[derive(Clone, Copy)]
pub(super) struct Starts<'a> {
    /// Where the rows of each top start.
    tops: &'a [usize],
    /// How many rows of a top, and how far apart.
    each: (usize, usize),
    first: usize,
}

impl<'a> Starts<'a> {
    /// Rows at equal distances.
    fn new(k: Range<usize>, stride: usize, first: usize) -> Self {
        Self { tops: &[0], each: (k.len(), stride), first: k.start * stride + first }
    }

    /// The rows of each top, so many and so far apart.
    pub fn of(tops: &'a [usize], each: (usize, usize), first: usize) -> Self {
        Self { tops, each, first }
    }

    #[inline(always)]
    fn places(self) -> impl Iterator<Item = usize> {
        let ((count, stride), first) = (self.each, self.first);
        self.tops.iter().flat_map(move |top| (0..count).map(move |row| first + top + row * stride))
    }
}

/// Rows that start where they say.
pub(super) fn rows(b: &[f32], starts: Starts<'_>, count: usize, width: usize, panel: &mut [f32]) {
    match width {
        _ if count < width => padded(b, starts, count, width, panel),
        32 => whole::<32>(b, starts, panel),
        16 => whole::<16>(b, starts, panel),
        8 => whole::<8>(b, starts, panel),
        _ => padded(b, starts, count, width, panel),
    }
}

vectorised! {
    /// Rows of which some columns are not there.
    fn padded<'a>(b: &'a [f32], starts: Starts<'a>, count: usize, width: usize, panel: &'a mut [f32]) {
        for (to, start) in panel.chunks_exact_mut(width).zip(starts.places()) {
            let (to, rest) = to.split_at_mut(count);
            for (to, from) in to.iter_mut().zip(&b[start..][..count]) {
                *to = *from;
            }
            rest.fill(0.0);
        }
    }
}

vectorised! {
    /// Rows of a width that is known.
    fn whole<'a, const WIDTH: usize>(b: &'a [f32], starts: Starts<'a>, panel: &'a mut [f32]) {
        let ((count, stride), first) = (starts.each, starts.first);
        let mut panel = panel;
        for top in starts.tops {
            let (to, rest) = panel.split_at_mut(count * WIDTH);
            for (row, to) in to.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
                let from: &[f32; WIDTH] = b[first + top + row * stride..].first_chunk().unwrap_or(&[0.0; WIDTH]);
                *to = *from;
            }
            panel = rest;
        }
    }
}

/// Columns and terms of a block that is turned in registers.
const BLOCK: usize = 8;
type Block = [[f32; BLOCK]; BLOCK];

/// Columns whose numbers lie side by side, in blocks.
struct Turn<'a, S, F> {
    simd: S,
    b: &'a [f32],
    stride: usize,
    k: Range<usize>,
    count: usize,
    width: usize,
    panel: &'a mut [f32],
    /// Makes the columns of a block its rows.
    turned: F,
}

/// `Turn`, with the vector instructions of this processor. With AVX's instructions for it, it takes 0.16 ns a number; 0.31 as the
/// compiler wrote it from arrays of 4 x 4, and 0.45 column after column.
fn turn(b: &[f32], stride: usize, k: Range<usize>, count: usize, width: usize, panel: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(Turn { simd, b, stride, k, count, width, panel, turned: turned_by_avx });
    }
    pulp::Arch::new().dispatch(Turn { simd: (), b, stride, k, count, width, panel, turned });
}

impl<S: Copy, F: Fn(S, Block) -> Block> pulp::NullaryFnOnce for Turn<'_, S, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, b, stride, k, count, width, panel, turned } = self;
        let panel = &mut panel[..k.len() * width];
        let in_blocks = count / BLOCK * BLOCK;
        let (blocks, rest) = panel.split_at_mut(k.len() / BLOCK * BLOCK * width);
        let one_by_one = |to: &mut [f32], first: usize, from: usize| {
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                for (j, to) in to.iter_mut().enumerate().skip(from) {
                    *to = if j < count { b[j * stride + first + row] } else { 0.0 };
                }
            }
        };
        for (number, to) in blocks.chunks_exact_mut(BLOCK * width).enumerate() {
            let first = k.start + number * BLOCK;
            for col in (0..in_blocks).step_by(BLOCK) {
                let column = |j| *b[(col + j) * stride + first..].first_chunk().unwrap_or(&[0.0; BLOCK]);
                let rows = turned(simd, std::array::from_fn(column));
                for (i, row) in rows.iter().enumerate() {
                    to[i * width + col..][..BLOCK].copy_from_slice(row);
                }
            }
            one_by_one(to, first, in_blocks);
        }
        one_by_one(rest, k.end - rest.len() / width, 0);
    }
}

/// The columns of a block as rows.
#[inline(always)]
fn turned(_: (), block: Block) -> Block {
    std::array::from_fn(|i| block.map(|column| column[i]))
}

/// Transposes in steps: pairs of columns, then quads, then halves of vectors change places.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned_by_avx(simd: pulp::x86::V3, block: Block) -> Block {
    use std::arch::x86_64::__m256;
    use std::array::from_fn;
    let avx = simd.avx;
    let columns: [__m256; BLOCK] = bytemuck::cast(block);
    let pairs: [[__m256; 2]; 4] = from_fn(|i| {
        let [a, b] = [columns[2 * i], columns[2 * i + 1]];
        [avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b)]
    });
    let quads: [[__m256; 4]; 2] = from_fn(|i| {
        let [[a, b], [c, d]] = [pairs[2 * i], pairs[2 * i + 1]];
        let (low, high) = (|a, b| avx._mm256_shuffle_ps::<0x44>(a, b), |a, b| avx._mm256_shuffle_ps::<0xEE>(a, b));
        [low(a, c), high(a, c), low(b, d), high(b, d)]
    });
    let rows: [__m256; BLOCK] = from_fn(|i| match i {
        0..4 => avx._mm256_permute2f128_ps::<0x20>(quads[0][i], quads[1][i]),
        _ => avx._mm256_permute2f128_ps::<0x31>(quads[0][i - 4], quads[1][i - 4]),
    });
    bytemuck::cast(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_turned() {
        let block: Block = std::array::from_fn(|i| std::array::from_fn(|j| (BLOCK * i + j) as f32));
        let expected = turned((), block);
        assert_eq!([expected[1][0], expected[0][1]], [1.0, 8.0]);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert_eq!(turned_by_avx(simd, block), expected);
        }
    }

    #[test]
    fn panels_have_what_they_should() {
        let b: Vec<f32> = (0..40 * 37).map(|i| i as f32).collect();
        let levels: Vec<u8> = (0..40 * 37).map(|i| (i % 251) as u8).collect();
        for (width, cols, k) in
            [(32, 3..35, 1..30), (16, 0..13, 0..37), (8, 5..6, 2..9), (4, 0..4, 0..5), (2, 1..3, 0..5)]
        {
            for right in [Right::Rows(&b, 40), Right::Levels(&levels, 40), Right::Columns(&b, 37)] {
                let mut panel = vec![f32::NAN; k.len() * width];
                pack(right, k.clone(), cols.clone(), width, &mut panel);
                for (row, k) in panel.chunks(width).zip(k.clone()) {
                    for (j, value) in row.iter().enumerate() {
                        let col = cols.start + j;
                        let there = || match right {
                            Right::Rows(b, stride) => b[k * stride + col],
                            Right::Levels(b, stride) => f32::from(b[k * stride + col]) * (1.0 / 255.0),
                            Right::Columns(b, stride) => b[col * stride + k],
                        };
                        assert_eq!(*value, if j < cols.len() { there() } else { 0.0 });
                    }
                }
            }
        }
    }
}
