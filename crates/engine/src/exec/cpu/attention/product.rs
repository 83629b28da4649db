//! Products of a few rows and a packed panel, added to what is there. Matrices of a head are small, so that a panel is packed once and
//! nothing is planned.

use pulp::{Arch, Simd, WithSimd};

/// Columns of a panel: a matrix that is multiplied by lies in panels `[rows][LANES]`.
pub(super) const LANES: usize = 16;
/// The most rows that are multiplied together.
pub(super) const MAX_ROWS: usize = 8;

/// How the rows of A lie.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// Neighbouring numbers are of one row, and so many lie from one row to the next.
    Rows(usize),
    /// Neighbouring numbers are of neighbouring rows, and so many lie from one term of the sum to the next. Rows up to a multiple
    /// of [`MAX_ROWS`] are read.
    Columns(usize),
}

/// `to += A panel`.
pub(super) struct Multiply<'a> {
    pub a: &'a [f32],
    pub left: Left,
    /// Rows of A.
    pub rows: usize,
    /// `[depth][LANES]`
    pub panel: &'a [f32],
    /// Where the columns of the first row are.
    pub to: &'a mut [f32],
    /// From one row to the next.
    pub stride: usize,
}

impl Multiply<'_> {
    /// Adds the product.
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The sums of a group fit the registers.
        match (S::F32_LANES, S::REGISTER_COUNT >= 32) {
            (16, true) => self.groups::<S, 1, MAX_ROWS>(simd),
            (8, true) => self.groups::<S, 2, MAX_ROWS>(simd),
            (8, false) => self.groups::<S, 2, 4>(simd),
            (4, true) => self.groups::<S, 4, 4>(simd),
            (4, false) => self.groups::<S, 4, 2>(simd),
            _ => self.groups::<S, LANES, 1>(simd),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn groups<S: Simd, const WIDE: usize, const ROWS: usize>(self, simd: S) {
        let panel = S::as_simd_f32s(self.panel).0.as_chunks::<WIDE>().0;
        for row in (0..self.rows).step_by(ROWS) {
            let mut sums = [[simd.splat_f32s(0.0); WIDE]; ROWS];
            match self.left {
                Left::Rows(stride) => {
                    // Rows behind the last are the last one again, and are not stored.
                    let rows: [&[f32]; ROWS] =
                        std::array::from_fn(|i| &self.a[(row + i).min(self.rows - 1) * stride..][..panel.len()]);
                    for (k, b) in panel.iter().enumerate() {
                        for i in 0..ROWS {
                            let x = simd.splat_f32s(rows[i][k]);
                            for j in 0..WIDE {
                                sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
                            }
                        }
                    }
                }
                Left::Columns(stride) => {
                    for (column, b) in self.a[row..].chunks(stride).zip(panel) {
                        let Some(column) = column.first_chunk::<ROWS>() else { break };
                        for i in 0..ROWS {
                            let x = simd.splat_f32s(column[i]);
                            for j in 0..WIDE {
                                sums[i][j] = simd.mul_add_e_f32s(x, b[j], sums[i][j]);
                            }
                        }
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(self.rows - row) {
                let to = &mut self.to[(row + i) * self.stride..][..LANES];
                for (to, sum) in S::as_mut_simd_f32s(to).0.iter_mut().zip(sums) {
                    *to = simd.add_f32s(*to, *sum);
                }
            }
        }
    }
}
