//! Transposed convolutions to few channels.

use std::ops::Range;

use super::{TILE, padded_cols};
use crate::exec::cpu::Builder;
use crate::exec::cpu::gemm::kernel::{Left, Multiply, NOWHERE, Shape, To};
use crate::exec::cpu::gemm::pack::{Right, pack};
use crate::exec::cpu::job::{At, Job, Scratch};
use crate::exec::cpu::memory::Region;
use crate::exec::cpu::pointwise::{BoundProgram, Tile};
use crate::exec::cpu::vector::vectorised;
use crate::plan::{Gemm, Op, Windows};

/// Images that windows with few channels overlap to. First the whole product, with all taps side by side: vectors that one channel
/// fills to a sixteenth would be wasted on it tap by tap. Then what lies over each pixel is added.
pub(super) struct Overlapped {
    windows: Windows,
    body: BoundProgram,
    shape: Shape,
    a: Region,
    b: Region,
    bias: Option<Region>,
    packed: Region,
    outputs: usize,
    images: usize,
}

impl Overlapped {
    /// Whether taps and channels fill vectors better together, and a whole image fits.
    pub fn suits(windows: &Windows) -> bool {
        let shape = Shape::here();
        2 * windows.channels() <= shape.lanes && windows.rows() * padded_cols(shape, windows.cols()) <= 4 * TILE
    }

    pub fn new(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm, windows: &Windows) -> Self {
        let tensors = builder.tensors;
        let bound = |name| Region::bound(tensors, op, name);
        let shape = Shape::here();
        let (a, b) = (bound("a"), bound("b"));
        let outputs = b.len / windows.cols();
        Self {
            windows: *windows,
            body: BoundProgram::new(op, tensors, &gemm.epilogue, windows.channels(), false),
            shape,
            a,
            b,
            bias: gemm.bias.then(|| bound("bias")),
            packed: builder.scratch(outputs * padded_cols(shape, windows.cols())),
            outputs,
            images: a.len / outputs / windows.rows(),
        }
    }

    /// The panels: where each lies among the packed numbers, its columns, the floats of its rows.
    fn panels(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>, usize)> {
        let outputs = self.outputs;
        let place = move |(cols, width): (Range<usize>, usize)| {
            (cols.start * outputs..(cols.start + width) * outputs, cols, width)
        };
        self.shape.panels(0..self.windows.cols()).map(place)
    }

    /// Adds what lies over each pixel: rows of `products`, `stride` apart, are positions.
    fn overlap(&self, products: &[f32], stride: usize, image: &mut [f32]) {
        let w = &self.windows;
        let [height, width, channels] = w.image.map(|n| n as usize);
        let [down, across] = w.positions.map(|n| n as usize);
        let [k_down, k_across] = w.kernel.map(|n| n as usize);
        let s = w.stride as usize;
        let [above, left] = w.padding.map(|n| n as usize);
        image.fill(0.0);
        // Positions whose tap lies inside: of `position s + tap - padding` in the image.
        let inside = |tap: usize, padding: usize, extent: usize, positions: usize| {
            let first = padding.saturating_sub(tap).div_ceil(s);
            let end = (extent + padding).saturating_sub(tap).div_ceil(s).min(positions);
            first..end.max(first)
        };
        for (tap_y, tap_x) in (0..k_down).flat_map(|y| (0..k_across).map(move |x| (y, x))) {
            let column = (tap_y * k_across + tap_x) * channels;
            let columns = inside(tap_x, left, width, across);
            if columns.is_empty() {
                continue;
            }
            for y in inside(tap_y, above, height, down) {
                let pixel = (y * s + tap_y - above) * width + columns.start * s + tap_x - left;
                let from = &products[(y * across + columns.start) * stride + column..];
                add_apart(from, stride, columns.len(), channels, &mut image[pixel * channels..], s * channels);
            }
        }
    }
}

vectorised! {
    /// `to += from`, some numbers each of rows that are so far apart.
    fn add_apart<'a>(
        from: &'a [f32],
        from_stride: usize,
        rows: usize,
        count: usize,
        to: &'a mut [f32],
        to_stride: usize,
    ) {
        for row in 0..rows {
            for i in 0..count {
                to[row * to_stride + i] += from[row * from_stride + i];
            }
        }
    }
}

impl Job for Overlapped {
    fn phases(&self) -> Vec<usize> {
        vec![1, self.images]
    }

    fn run(&self, at: At<'_>, phase: usize, image: usize, scratch: &mut Scratch) {
        let taps = self.windows.cols();
        if phase == 0 {
            let packed = at.memory.floats_mut(self.packed);
            for (place, cols, width) in self.panels() {
                pack(Right::Rows(at.memory.floats(self.b), taps), 0..self.outputs, cols, width, &mut packed[place]);
            }
            return;
        }
        let positions = self.windows.rows();
        let stride = padded_cols(self.shape, taps);
        let filled = positions.next_multiple_of(self.shape.rows);
        scratch.starts.clear();
        scratch.starts.extend((0..filled).map(|place| place.min(positions - 1) * self.outputs));
        scratch.targets.clear();
        scratch.targets.extend((0..positions).map(|place| place * stride));
        scratch.targets.resize(filled, NOWHERE);
        let len = positions * self.outputs;
        let a = at.memory.floats(self.a.part(image * len..(image + 1) * len));
        let products = scratch.sums.sized(positions * stride);
        let packed = at.memory.floats(self.packed);
        for (place, cols, width) in self.panels() {
            let left = Left::Rows { starts: &scratch.starts, segments: &[(0, self.outputs)] };
            let (panel, to) = (&packed[place], To::Tile(&mut products[cols.start..]));
            Multiply { a, left, panel, width, to, targets: &scratch.targets, accumulate: false }.run();
        }
        let (pixels, channels) = (self.windows.pixels(), self.windows.channels());
        let tile = scratch.tile.sized(pixels * channels);
        self.overlap(products, stride, tile);
        let bias = self.bias.map(|bias| at.memory.floats(bias));
        let tile = Tile { values: tile, stride: channels, second: 0, bias };
        let rows = image * pixels..(image + 1) * pixels;
        self.body.run(at, Some(tile), [rows, 0..channels], &mut scratch.registers);
    }
}
