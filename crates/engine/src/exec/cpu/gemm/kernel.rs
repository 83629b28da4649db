//! The innermost loops of all products: some rows of A times a panel of B, summed in registers.
//!
//! A panel is up to two vectors of columns of B, `[k][columns]`, packed. Each number of A is repeated to a whole vector, so A needs
//! no packing: either its rows lie along k, in segments, or some neighbours lie side by side for each k. Sums are in order
//! of k, so they do not depend on the width of vectors, nor on how a product is divided.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::exec::cpu::memory::{Memory, Region};

/// Vectors of a panel.
const VECTORS: usize = 2;
/// The most rows that are summed at a time.
pub(in crate::exec::cpu) const MAX_ROWS: usize = 8;

/// The size of a register tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::exec::cpu) struct Shape {
    /// Rows that are summed at a time.
    pub rows: usize,
    /// Floats of a vector.
    pub lanes: usize,
}

impl Shape {
    /// The size that suits this processor.
    pub fn here() -> Self {
        struct Ask;
        impl WithSimd for Ask {
            type Output = Shape;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> Shape {
                Shape { rows: rows::<S>(), lanes: S::F32_LANES }
            }
        }
        Arch::new().dispatch(Ask)
    }

    /// Columns of a whole panel.
    pub fn panel(self) -> usize {
        VECTORS * self.lanes
    }

    /// Floats of a row of the panel of so many columns: a vector where that is enough.
    pub fn width(self, cols: usize) -> usize {
        if cols <= self.lanes { self.lanes } else { self.panel() }
    }

    /// A panel of some columns, by its number: its columns, and the floats of its rows.
    pub fn panel_of(self, cols: Range<usize>, number: usize) -> (Range<usize>, usize) {
        let first = cols.start + number * self.panel();
        let cols = first..(first + self.panel()).min(cols.end);
        let width = self.width(cols.len());
        (cols, width)
    }

    /// All panels of some columns.
    pub fn panels(self, cols: Range<usize>) -> impl Iterator<Item = (Range<usize>, usize)> {
        (0..cols.len().div_ceil(self.panel())).map(move |number| self.panel_of(cols.clone(), number))
    }
}

/// Rows for which the sums of a panel fit the registers, beside the panel's vectors and one number of A.
#[inline(always)]
const fn rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { MAX_ROWS } else { 6 }
}

/// Where A lies.
#[derive(Clone, Copy)]
pub(in crate::exec::cpu) enum Left<'a> {
    /// Rows along k, in segments: of each the offset from where a row starts, and its length.
    Rows {
        /// Where each row starts.
        starts: &'a [usize],
        /// The segments of a row.
        segments: &'a [(usize, usize)],
    },
    /// Rows side by side.
    Columns {
        /// Where they are for each k.
        places: &'a [usize],
        /// Where each group of rows starts, from there.
        starts: &'a [usize],
    },
}

/// The target of a row that is computed because a group must be whole, and belongs nowhere.
pub(in crate::exec::cpu) const NOWHERE: usize = usize::MAX;

/// Where sums go.
pub(in crate::exec::cpu) enum To<'a> {
    /// A tile that belongs to one task alone.
    Tile(&'a mut [f32]),
    /// A tensor, other parts of which are written by other tasks.
    Tensor(&'a Memory, Region),
}

impl<'a> To<'a> {
    /// The tensor, or the tile.
    pub fn of(tensor: Option<(&'a Memory, Region)>, tile: &'a mut [f32]) -> Self {
        tensor.map_or(To::Tile(tile), |(memory, region)| To::Tensor(memory, region))
    }

    /// Some of them.
    #[inline(always)]
    fn row(&mut self, start: usize, len: usize) -> &mut [f32] {
        match self {
            To::Tile(tile) => &mut tile[start..start + len],
            To::Tensor(memory, region) => memory.floats_mut(region.part(start..start + len)),
        }
    }
}

/// `to += A panel`, or `to = A panel`.
pub(in crate::exec::cpu) struct Multiply<'a> {
    /// The numbers of A.
    pub a: &'a [f32],
    /// Where they lie.
    pub left: Left<'a>,
    /// Columns of B.
    pub panel: &'a [f32],
    /// Floats of a row of the panel.
    pub width: usize,
    /// Where sums go.
    pub to: To<'a>,
    /// Where those of each row are; of as many rows as a whole number of groups has.
    pub targets: &'a [usize],
    /// Whether to add to what is there.
    pub accumulate: bool,
}

impl Multiply<'_> {
    /// Does it.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (rows::<S>(), self.width == S::F32_LANES) {
            (MAX_ROWS, true) => self.groups::<S, MAX_ROWS, 1>(simd),
            (MAX_ROWS, false) => self.groups::<S, MAX_ROWS, VECTORS>(simd),
            (_, true) => self.groups::<S, 6, 1>(simd),
            (_, false) => self.groups::<S, 6, VECTORS>(simd),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn groups<S: Simd, const ROWS: usize, const WIDE: usize>(mut self, simd: S) {
        let panel = S::as_simd_f32s(self.panel).0;
        for (group, targets) in self.targets.chunks_exact(ROWS).enumerate() {
            let mut sums = [[simd.splat_f32s(0.0); WIDE]; ROWS];
            if self.accumulate {
                for (sums, target) in sums.iter_mut().zip(targets).filter(|(_, target)| **target != NOWHERE) {
                    let row = S::as_simd_f32s(self.to.row(*target, self.width)).0;
                    sums.copy_from_slice(&row[..WIDE]);
                }
            }
            let sums = match self.left {
                Left::Rows { starts, segments } => {
                    let starts = starts[group * ROWS..].first_chunk().unwrap_or(&[0; ROWS]);
                    rows_sum(simd, self.a, starts, segments, panel, sums)
                }
                Left::Columns { places, starts } => columns_sum(simd, self.a, places, starts[group], panel, sums),
            };
            for (sums, target) in sums.iter().zip(targets).filter(|(_, target)| **target != NOWHERE) {
                let row = S::as_mut_simd_f32s(self.to.row(*target, self.width)).0;
                row[..WIDE].copy_from_slice(sums);
            }
        }
    }
}

/// Sums of some rows of A that lie along k.
#[inline(always)]
fn rows_sum<S: Simd, const ROWS: usize, const WIDE: usize>(
    simd: S,
    a: &[f32],
    starts: &[usize; ROWS],
    segments: &[(usize, usize)],
    mut panel: &[S::f32s],
    mut sums: [[S::f32s; WIDE]; ROWS],
) -> [[S::f32s; WIDE]; ROWS] {
    for (offset, len) in segments {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|i| &a[starts[i] + offset..][..*len]);
        let (b, rest) = panel.split_at(len * WIDE);
        for (k, b) in b.as_chunks::<WIDE>().0.iter().enumerate() {
            for i in 0..ROWS {
                let x = simd.splat_f32s(rows[i][k]);
                for j in 0..WIDE {
                    sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
                }
            }
        }
        panel = rest;
    }
    sums
}

/// Sums of some rows of A that lie side by side for each k.
#[inline(always)]
fn columns_sum<S: Simd, const ROWS: usize, const WIDE: usize>(
    simd: S,
    a: &[f32],
    places: &[usize],
    start: usize,
    panel: &[S::f32s],
    mut sums: [[S::f32s; WIDE]; ROWS],
) -> [[S::f32s; WIDE]; ROWS] {
    for (place, b) in places.iter().zip(panel.as_chunks::<WIDE>().0) {
        let column = a[place + start..].first_chunk::<ROWS>().unwrap_or(&[0.0; ROWS]);
        for i in 0..ROWS {
            let x = simd.splat_f32s(column[i]);
            for j in 0..WIDE {
                sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
            }
        }
    }
    sums
}
