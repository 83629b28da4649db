//! Panels of B, `[k][columns]`, from wherever its numbers lie. Columns that are not there are 0.

use std::ops::Range;

use crate::cpu::vector::vectorised;

/// Where B lies.
#[derive(Clone, Copy)]
pub(super) enum Right {
    /// Columns side by side, rows so far apart.
    Rows(usize),
    /// The numbers of a column side by side, columns so far apart.
    Columns(usize),
}

/// The rows `k` and columns `cols` of B, in rows of `width`.
pub(super) fn pack(b: &[f32], right: Right, k: Range<usize>, cols: Range<usize>, width: usize, panel: &mut [f32]) {
    let count = cols.len();
    match right {
        Right::Rows(stride) => rows(b, Starts::new(k, stride, cols.start), count, width, panel),
        Right::Columns(stride) => turn(&b[cols.start * stride..], stride, k, count, width, panel),
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

/// Terms of a block: a cache line of each column.
const BLOCK: usize = 16;

vectorised! {
    /// Columns whose numbers lie side by side: blocks of some terms, of which four columns and four terms are turned in registers.
    /// (Column after column instead took 0.45 ns a number, and takes 0.28.)
    fn turn<'a>(b: &'a [f32], stride: usize, k: Range<usize>, count: usize, width: usize, panel: &'a mut [f32]) {
        let panel = &mut panel[..k.len() * width];
        let turned = count / 4 * 4;
        let (blocks, rest) = panel.split_at_mut(k.len() / BLOCK * BLOCK * width);
        for (number, to) in blocks.chunks_exact_mut(BLOCK * width).enumerate() {
            let first = k.start + number * BLOCK;
            for col in (0..turned).step_by(4) {
                let columns: [&[f32; BLOCK]; 4] =
                    std::array::from_fn(|j| b[(col + j) * stride + first..].first_chunk().unwrap_or(&[0.0; BLOCK]));
                for quad in 0..BLOCK / 4 {
                    let rows: [[f32; 4]; 4] = std::array::from_fn(|i| columns.map(|column| column[4 * quad + i]));
                    for (i, row) in rows.iter().enumerate() {
                        to[(4 * quad + i) * width + col..][..4].copy_from_slice(row);
                    }
                }
            }
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                for (j, to) in to.iter_mut().enumerate().skip(turned) {
                    *to = if j < count { b[j * stride + first + row] } else { 0.0 };
                }
            }
        }
        let first = k.end - rest.len() / width;
        for (row, to) in rest.chunks_exact_mut(width).enumerate() {
            for (j, to) in to.iter_mut().enumerate() {
                *to = if j < count { b[j * stride + first + row] } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_have_what_they_should() {
        let b: Vec<f32> = (0..40 * 37).map(|i| i as f32).collect();
        for (width, cols, k) in
            [(32, 3..35, 1..30), (16, 0..13, 0..37), (8, 5..6, 2..9), (4, 0..4, 0..5), (2, 1..3, 0..5)]
        {
            for right in [Right::Rows(40), Right::Columns(37)] {
                let mut panel = vec![f32::NAN; k.len() * width];
                pack(&b, right, k.clone(), cols.clone(), width, &mut panel);
                for (row, k) in panel.chunks(width).zip(k.clone()) {
                    for (j, value) in row.iter().enumerate() {
                        let col = cols.start + j;
                        let at = match right {
                            Right::Rows(stride) => k * stride + col,
                            Right::Columns(stride) => col * stride + k,
                        };
                        assert_eq!(*value, if j < cols.len() { b[at] } else { 0.0 });
                    }
                }
            }
        }
    }
}
