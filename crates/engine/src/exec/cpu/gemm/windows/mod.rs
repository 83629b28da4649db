//! Products one operand of which, or the result, is the windows of images. A task has some images, or some lines of one: it puts a
//! margin around them, so that the numbers under a window are segments in memory, and then multiplies as others do.

mod gradient;
mod images;
mod overlapped;

use std::ops::Range;

use super::kernel::Shape;
use crate::exec::cpu::Builder;
use crate::exec::cpu::job::{At, Job};
use crate::exec::cpu::memory::Region;
use crate::exec::cpu::pointwise::rows_of_levels;
use crate::kernels::batch::words_per_row;
use crate::plan::{Gemm, Op, Orientation, Windows};
use gradient::WeightGradient;
use images::Images;
use overlapped::Overlapped;

/// Floats of a task's tile at most: they stay in the second-level cache.
const TILE: usize = 1 << 16;
/// Multiply-adds of a task: so many that packing does not count.
const WORK: usize = 1 << 20;

pub(super) fn job(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm, windows: &Windows) -> Box<dyn Job> {
    match gemm.orientation {
        Orientation::Tn => Box::new(WeightGradient::new(builder, op, gemm, windows)),
        Orientation::Nn if Overlapped::suits(windows) => Box::new(Overlapped::new(builder, op, gemm, windows)),
        _ => Box::new(Images::new(builder, op, gemm, windows)),
    }
}

/// Images with zeros around them.
struct Margin {
    source: Region,
    levels: bool,
    /// Height, width and channels.
    image: [usize; 3],
    /// Zeros above and below, and on both sides.
    above: usize,
    left: usize,
    /// Height and width with them.
    padded: [usize; 2],
}

impl Margin {
    fn new(source: Region, levels: bool, image: [usize; 3], [above, left]: [usize; 2], padded: [usize; 2]) -> Self {
        let padded = [padded[0].max(above + image[0]), padded[1].max(left + image[1])];
        Self { source, levels, image, above, left, padded }
    }

    /// Numbers of a line with its margin.
    fn line(&self) -> usize {
        self.padded[1] * self.image[2]
    }

    /// Numbers of some lines of the padded images.
    fn len(&self, lines: usize) -> usize {
        lines * self.line()
    }

    /// Brings some lines of a padded image to `to`.
    fn fill(&self, at: At<'_>, image: usize, lines: Range<usize>, to: &mut [f32]) {
        let [height, width, channels] = self.image;
        let row = width * channels;
        let (before, line) = (self.left * channels, self.line());
        for (y, to) in lines.zip(to.chunks_mut(line)) {
            let inside = y.checked_sub(self.above).filter(|y| *y < height);
            let Some(y) = inside else {
                to.fill(0.0);
                continue;
            };
            to[..before].fill(0.0);
            to[before + row..].fill(0.0);
            let to = &mut to[before..before + row];
            if self.levels {
                let bytes: &[u8] = bytemuck::cast_slice(at.memory.words(self.source));
                rows_of_levels(&bytes[image * 4 * words_per_row(height * row) + y * row..], row, row, row, to);
            } else {
                let start = (image * height + y) * row;
                to.copy_from_slice(&at.memory.floats(self.source)[start..start + row]);
            }
        }
    }
}

/// Columns with those that fill the last panel.
fn padded_cols(shape: Shape, cols: usize) -> usize {
    shape.panels(0..cols).map(|(_, width)| width).sum()
}
