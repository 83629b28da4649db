//! Convolutions forward, and the gradients of their images, which are transposed convolutions forward.

use std::ops::Range;

use super::{Margin, TILE, WORK, padded_cols};
use crate::exec::cpu::Builder;
use crate::exec::cpu::gemm::kernel::{Left, Multiply, NOWHERE, Shape, To};
use crate::exec::cpu::gemm::pack::{Right, Starts, pack, rows};
use crate::exec::cpu::job::{At, Job, Scratch};
use crate::exec::cpu::memory::Region;
use crate::exec::cpu::pointwise::{BoundProgram, Tile};
use crate::kernels::batch::words_per_row;
use crate::plan::{Gemm, Op, Orientation, TensorTable, Windows};

/// The results that have the same taps: every `stride`-th line and column, from `first` on.
struct Phase {
    first: [usize; 2],
    /// The parts of an image under a window, from where the window starts: offsets of lines and pixels, and numbers
    /// side by side.
    segments: Vec<[usize; 3]>,
    /// Where the rows of B of those numbers are.
    taps: Vec<usize>,
    /// Where its panels are.
    packed: Region,
}

/// A convolution forward, or a gradient of its images.
pub(super) struct Images {
    windows: Windows,
    forward: bool,
    body: BoundProgram,
    shape: Shape,
    b: Region,
    bias: Option<Region>,
    margin: Margin,
    phases: Vec<Phase>,
    /// Lines and columns of a result, from phase to phase.
    every: usize,
    /// Height and width of a result.
    result: [usize; 2],
    /// Columns of the result.
    cols: usize,
    /// Numbers of one tap: channels of what lies under windows.
    channels: usize,
    images: usize,
    /// Images of a task, and lines of each.
    task: [usize; 2],
}

impl Images {
    pub fn new(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm, windows: &Windows) -> Self {
        let tensors: &TensorTable = builder.tensors;
        let bound = |name| Region::bound(tensors, op, name);
        let shape = Shape::here();
        let forward = gemm.orientation == Orientation::Nt;
        let (a, b) = (bound("a"), bound("b"));
        let outputs = b.len / windows.cols();
        let [height, width, channels] = windows.image.map(|n| n as usize);
        let [down, across] = windows.positions.map(|n| n as usize);
        let [k_down, k_across] = windows.kernel.map(|n| n as usize);
        let stride = windows.stride as usize;
        let [above, left] = windows.padding.map(|n| n as usize);
        let images = if forward {
            let len = if gemm.a_levels { words_per_row(windows.image_len()) } else { windows.image_len() };
            a.len / len
        } else {
            a.len / outputs / windows.rows()
        };
        let (margin, mut phases, cols);
        if forward {
            let padded = [(down - 1) * stride + k_down, (across - 1) * stride + k_across];
            margin = Margin::new(a, gemm.a_levels, [height, width, channels], [above, left], padded);
            let segments = (0..k_down).map(|y| [y, 0, k_across * channels]).collect();
            phases = vec![Phase { first: [0, 0], segments, taps: (0..k_down * k_across).collect(), packed: b }];
            cols = outputs;
        } else {
            // A pixel gets something from each tap that reaches it: of position (pixel + padding - tap) / stride, where that is whole.
            let reach = |extent: usize, kernel: usize, padding: usize| {
                let before = (kernel - 1).saturating_sub(padding).div_ceil(stride);
                (before, before + (extent - 1 + padding) / stride + 1)
            };
            let (before_y, high) = reach(height, k_down, above);
            let (before_x, wide) = reach(width, k_across, left);
            margin = Margin::new(a, false, [down, across, outputs], [before_y, before_x], [high, wide]);
            let taps = |first: usize, kernel: usize, padding: usize, before: usize| -> Vec<(usize, usize)> {
                let fits = (0..kernel).filter(|tap| (first + padding + stride * kernel - tap).is_multiple_of(stride));
                // The first pixel of the phase is at position (first + padding - tap) / stride, behind the margin.
                fits.map(|tap| (tap, (first + padding + stride * before - tap) / stride)).collect()
            };
            phases = Vec::new();
            for y in 0..stride.min(height) {
                for x in 0..stride.min(width) {
                    let mut phase = Phase { first: [y, x], segments: Vec::new(), taps: Vec::new(), packed: b };
                    for (tap_y, at_y) in taps(y, k_down, above, before_y) {
                        for (tap_x, at_x) in taps(x, k_across, left, before_x) {
                            phase.segments.push([at_y, at_x, outputs]);
                            phase.taps.push((tap_y * k_across + tap_x) * channels);
                        }
                    }
                    phases.push(phase);
                }
            }
            cols = channels;
        }
        let channels = if forward { channels } else { outputs };
        for phase in &mut phases {
            phase.packed = builder.scratch(phase.taps.len() * channels * padded_cols(shape, cols));
        }
        let result = if forward { [down, across] } else { [height, width] };
        let every = if forward { 1 } else { stride };
        // Whole images, so many that packing what is around them pays; or some lines of one.
        let of_image = result[0] * result[1];
        let line = result[1] * padded_cols(shape, cols);
        let lines = (TILE / line / every * every).max(every).min(result[0].next_multiple_of(every));
        let lines = result[0].div_ceil(result[0].div_ceil(lines)).next_multiple_of(every);
        let work = of_image * cols * k_down * k_across * channels / (every * every);
        let together = if lines < result[0] { 1 } else { (WORK / work.max(1)).min(TILE / (line * result[0])).max(1) };
        Self {
            windows: *windows,
            forward,
            body: BoundProgram::new(op, tensors, &gemm.epilogue, cols, false),
            shape,
            b,
            bias: gemm.bias.then(|| bound("bias")),
            margin,
            phases,
            every,
            result,
            cols,
            channels,
            images,
            task: [together, lines],
        }
    }

    fn panels(&self) -> usize {
        self.shape.panels(0..self.cols).count()
    }

    /// Packs a panel of B for a phase.
    fn pack(&self, at: At<'_>, phase: &Phase, number: usize, place: &mut [f32]) {
        let b = at.memory.floats(self.b);
        let (cols, width) = self.shape.panel_of(0..self.cols, number);
        let taps = self.windows.cols();
        if self.forward {
            return pack(Right::Columns(b, taps), 0..taps, cols, width, place);
        }
        // W[co][tap][c], of the taps that a phase has.
        rows(b, Starts::of(&phase.taps, (self.channels, taps), cols.start), cols.len(), width, place);
    }

    fn terms(&self, phase: &Phase) -> usize {
        phase.segments.iter().map(|[_, _, len]| len).sum()
    }

    /// Where a panel of a phase is among its numbers.
    fn panel(&self, phase: &Phase, number: usize) -> Range<usize> {
        let (cols, width) = self.shape.panel_of(0..self.cols, number);
        let terms = self.terms(phase);
        cols.start * terms..(cols.start + width) * terms
    }
}

impl Job for Images {
    fn phases(&self) -> Vec<usize> {
        let [together, lines] = self.task;
        vec![self.phases.len() * self.panels(), self.images.div_ceil(together) * self.result[0].div_ceil(lines)]
    }

    fn run(&self, at: At<'_>, step: usize, task: usize, scratch: &mut Scratch) {
        if step == 0 {
            let (phase, number) = (&self.phases[task / self.panels()], task % self.panels());
            let place = at.memory.floats_mut(phase.packed.part(self.panel(phase, number)));
            return self.pack(at, phase, number, place);
        }
        let [together, lines] = self.task;
        let bands = self.result[0].div_ceil(lines);
        let images = task / bands * together..(task / bands * together + together).min(self.images);
        let first_line = task % bands * lines;
        let band = first_line..(first_line + lines).min(self.result[0]);
        let [height, width] = [band.len(), self.result[1]];
        let line = self.margin.line();
        // The lines that windows of the band lie over.
        let scale = if self.forward { self.windows.stride as usize } else { 1 };
        let top = band.start / self.every * scale;
        let under = (band.end - 1) / self.every * scale + self.reach();
        let under = top..under.min(self.margin.padded[0]).max(top);
        let len = self.margin.len(under.len());
        let padded = scratch.margin.sized(len * images.len());
        for (image, to) in images.clone().zip(padded.chunks_mut(len.max(1))) {
            self.margin.fill(at, image, under.clone(), to);
        }
        let stride = padded_cols(self.shape, self.cols);
        let rows = images.len() * height * width;
        let tile = scratch.tile.sized(rows * stride);
        for phase in &self.phases {
            let (starts, targets) = (&mut scratch.starts, &mut scratch.targets);
            starts.clear();
            targets.clear();
            let across = scale * self.margin.image[2];
            for image in 0..images.len() {
                let lines = (band.start..band.end).filter(|y| y % self.every == phase.first[0]);
                for y in lines {
                    let start = image * len + (y / self.every * scale - top) * line;
                    let target = (image * height + y - band.start) * width;
                    for (number, x) in (phase.first[1]..width).step_by(self.every).enumerate() {
                        starts.push(start + number * across);
                        targets.push((target + x) * stride);
                    }
                }
            }
            if starts.is_empty() {
                continue;
            }
            let filled = starts.len().next_multiple_of(self.shape.rows);
            starts.resize(filled, starts[0]);
            targets.resize(filled, NOWHERE);
            let segments = &mut scratch.segments;
            segments.clear();
            segments.extend(phase.segments.iter().map(|[y, x, len]| (y * line + x * self.margin.image[2], *len)));
            let packed = at.memory.floats(phase.packed);
            for (number, (cols, width)) in self.shape.panels(0..self.cols).enumerate() {
                let left = Left::Rows { starts, segments };
                let (panel, to) = (&packed[self.panel(phase, number)], To::Tile(&mut tile[cols.start..]));
                Multiply { a: padded, left, panel, width, to, targets, accumulate: false }.run();
            }
        }
        let first = (images.start * self.result[0] + band.start) * width;
        let bias = self.bias.map(|bias| at.memory.floats(bias));
        let tile = Tile { values: tile, stride, second: 0, bias };
        self.body.run(at, Some(tile), [first..first + rows, 0..self.cols], &mut scratch.registers);
    }
}

impl Images {
    /// Lines that a window lies over.
    fn reach(&self) -> usize {
        let last = self.phases.iter().flat_map(|phase| &phase.segments).map(|[y, ..]| *y).max();
        last.map_or(0, |y| y + 1)
    }
}
