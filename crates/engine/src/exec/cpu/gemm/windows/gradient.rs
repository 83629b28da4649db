//! Gradients of the weights of convolutions.

use std::ops::Range;

use super::{Margin, TILE, WORK, padded_cols};
use crate::exec::cpu::Builder;
use crate::exec::cpu::gemm::kernel::{Left, Multiply, NOWHERE, Shape, To};
use crate::exec::cpu::gemm::pack::{Right, pack};
use crate::exec::cpu::job::{At, Floats, Job, Scratch};
use crate::exec::cpu::memory::Region;
use crate::exec::cpu::pointwise::{BoundProgram, Tile};
use crate::exec::cpu::vector::{add, sums_of_columns, vectorised};
use crate::kernels::batch::words_per_row;
use crate::plan::{Gemm, Op, Windows};

/// Parts that the images are divided into, at most.
const PARTS: usize = 16;
/// Positions of a part at least: with fewer, reading and writing the sums takes longer than the products.
const POSITIONS: usize = 512;

/// A gradient of weights: `C (CO, KH KW C) = d_y^T Windows(x)`, made as `Windows(x)^T d_y`, so that d_y is the panel. The images are
/// divided into parts, whose sums are added in order.
pub(super) struct WeightGradient {
    windows: Windows,
    body: BoundProgram,
    shape: Shape,
    a: Region,
    row_sum: Option<Region>,
    margin: Margin,
    outputs: usize,
    images: usize,
    /// Images of a part.
    part: usize,
    parts: usize,
    /// Outputs of a task: so many that the sums stay in the second-level cache.
    some_outputs: usize,
    /// `(parts, KH KW C, padded CO)`, and the sums of d_y's columns, `(parts, CO)`.
    sums: Region,
    row_sums: Region,
}

/// Rows of a product, in groups; those that lie side by side in no segment are copied.
const TOGETHER: usize = 256;

impl WeightGradient {
    pub fn new(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm, windows: &Windows) -> Self {
        let tensors = builder.tensors;
        let bound = |name| Region::bound(tensors, op, name);
        let shape = Shape::here();
        let (a, b) = (bound("a"), bound("b"));
        let len = if gemm.b_levels { words_per_row(windows.image_len()) } else { windows.image_len() };
        let images = b.len / len;
        let outputs = a.len / (images * windows.rows()).max(1);
        let [down, across] = windows.positions.map(|n| n as usize);
        let [k_down, k_across] = windows.kernel.map(|n| n as usize);
        let stride = windows.stride as usize;
        let padded = [(down - 1) * stride + k_down, (across - 1) * stride + k_across];
        let [above, left] = windows.padding.map(|n| n as usize);
        let margin = Margin::new(b, gemm.b_levels, windows.image.map(|n| n as usize), [above, left], padded);
        let work = images * windows.rows() * windows.cols() * outputs;
        let most = (images * windows.rows() / POSITIONS).clamp(1, PARTS);
        let part = images.div_ceil((work / (16 * WORK)).clamp(1, most)).max(1);
        let parts = images.div_ceil(part);
        let sums = builder.scratch(parts * windows.cols() * padded_cols(shape, outputs));
        let row_sums = builder.scratch(parts * outputs);
        Self {
            windows: *windows,
            body: BoundProgram::new(op, tensors, &gemm.epilogue, windows.cols(), false),
            shape,
            a,
            row_sum: gemm.row_sum.then(|| bound("row_sum")),
            margin,
            outputs,
            images,
            part,
            parts,
            some_outputs: (TILE / windows.cols() / shape.panel() * shape.panel()).max(shape.panel()),
            sums,
            row_sums,
        }
    }

    /// Numbers of a part's sums.
    fn len(&self) -> usize {
        self.windows.cols() * padded_cols(self.shape, self.outputs)
    }

    /// Tasks of a part.
    fn tasks_of_part(&self) -> usize {
        self.outputs.div_ceil(self.some_outputs)
    }

    /// Sums some outputs of a part.
    fn sum_part(&self, at: At<'_>, task: usize, scratch: &mut Scratch) {
        let (number, first_output) = (task / self.tasks_of_part(), task % self.tasks_of_part() * self.some_outputs);
        let outputs = first_output..(first_output + self.some_outputs).min(self.outputs);
        let images = number * self.part..((number + 1) * self.part).min(self.images);
        let (positions, taps, height) = (self.windows.rows(), self.windows.cols(), self.shape.rows);
        let stride = padded_cols(self.shape, self.outputs);
        let d_y = at.memory.floats(self.a);
        let sums = self.sums.part(number * self.len()..(number + 1) * self.len());
        scratch.targets.clear();
        scratch.targets.extend((0..taps).map(|row| row * stride));
        scratch.targets.resize(taps.next_multiple_of(height), NOWHERE);
        let together = (TOGETHER / positions.max(1)).max(1);
        for (turn, first) in images.clone().step_by(together).enumerate() {
            let some = first..(first + together).min(images.end);
            let terms = some.len() * positions;
            let room = (&mut scratch.margin, &mut scratch.sums);
            let (copied, places) = self.rows_of_windows(at, &some, room, &mut scratch.starts);
            let (places, starts) = scratch.starts.split_at(places);
            let a: &[f32] = if copied { scratch.sums.all() } else { scratch.margin.all() };
            for (cols, width) in self.shape.panels(outputs.clone()) {
                let to = To::Tensor(at.memory, sums.part(cols.start..sums.len));
                let panel = scratch.panel.sized(terms * width);
                let k = some.start * positions..some.end * positions;
                pack(Right::Rows(d_y, self.outputs), k, cols, width, panel);
                let left = Left::Columns { places, starts };
                Multiply { a, left, panel, width, to, targets: &scratch.targets, accumulate: turn > 0 }.run();
            }
        }
        if self.row_sum.is_some() && first_output == 0 {
            let sums = at.memory.floats_mut(self.row_sums.part(number * self.outputs..(number + 1) * self.outputs));
            let rows = images.start * positions * self.outputs..images.end * positions * self.outputs;
            sums_of_columns(&d_y[rows], sums);
        }
    }

    /// Brings some images to where the numbers under windows can be read. `starts` gets a place for each position, and
    /// behind these a start for each group of taps; the number of positions is returned. If taps that lie side by side
    /// do not fill groups, the windows are copied, and the first result is true.
    fn rows_of_windows(
        &self,
        at: At<'_>,
        images: &Range<usize>,
        (margin, copy): (&mut Floats, &mut Floats),
        starts: &mut Vec<usize>,
    ) -> (bool, usize) {
        let [down, across] = self.windows.positions.map(|n| n as usize);
        let (stride, channels) = (self.windows.stride as usize, self.windows.channels());
        let segment = self.windows.kernel[1] as usize * channels;
        let (line, height) = (self.margin.line(), self.shape.rows);
        let lines = self.margin.padded[0];
        let len = self.margin.len(lines);
        let padded = margin.sized(len * images.len());
        for (image, to) in images.clone().zip(padded.chunks_mut(len)) {
            self.margin.fill(at, image, 0..lines, to);
        }
        starts.clear();
        for image in 0..images.len() {
            for y in 0..down {
                let first = image * len + y * stride * line;
                starts.extend((0..across).map(|x| first + x * stride * channels));
            }
        }
        let places = starts.len();
        let k_down = self.windows.kernel[0] as usize;
        if segment.is_multiple_of(height) {
            for y in 0..k_down {
                starts.extend((0..segment / height).map(|group| y * line + group * height));
            }
            return (false, places);
        }
        let taps = self.windows.cols();
        let width = taps.next_multiple_of(height);
        copied(padded, starts, line, k_down, segment, width, copy.sized(places * width));
        for (number, start) in starts.iter_mut().enumerate() {
            *start = number * width;
        }
        starts.extend((0..width / height).map(|group| group * height));
        (true, places)
    }

    /// Numbers of the sums that a task adds up.
    const ADDED: usize = 1 << 12;

    /// Adds up the parts, in order, where the first is.
    fn add_parts(&self, at: At<'_>, task: usize) {
        let some = task * Self::ADDED..((task + 1) * Self::ADDED).min(self.len());
        let total = at.memory.floats_mut(self.sums.part(some.clone()));
        for part in 1..self.parts {
            let start = part * self.len();
            add(total, at.memory.floats(self.sums.part(start + some.start..start + some.end)));
        }
    }

    /// Rows of the result that a task turns round.
    fn rows_of_task(&self) -> usize {
        (TILE / self.windows.cols().max(1)).clamp(1, 16)
    }

    fn finish(&self, at: At<'_>, task: usize, scratch: &mut Scratch) {
        if task == 0
            && let Some(to) = self.row_sum
        {
            sums_of_columns(at.memory.floats(self.row_sums), at.memory.floats_mut(to));
        }
        let each = self.rows_of_task();
        let some = task * each..((task + 1) * each).min(self.outputs);
        let taps = self.windows.cols();
        let tile = scratch.tile.sized(some.len() * taps);
        let sums = at.memory.floats(self.sums.part(0..self.len()));
        for (tap, row) in sums.chunks_exact(padded_cols(self.shape, self.outputs)).enumerate() {
            for (i, value) in row[some.clone()].iter().enumerate() {
                tile[i * taps + tap] = *value;
            }
        }
        let tile = Tile { values: tile, stride: taps, second: 0, bias: None };
        self.body.run(at, Some(tile), [some, 0..taps], &mut scratch.registers);
    }
}

impl Job for WeightGradient {
    fn phases(&self) -> Vec<usize> {
        let finish = self.outputs.div_ceil(self.rows_of_task());
        match self.parts {
            1 => vec![self.tasks_of_part(), finish],
            parts => vec![parts * self.tasks_of_part(), self.len().div_ceil(Self::ADDED), finish],
        }
    }

    fn run(&self, at: At<'_>, phase: usize, task: usize, scratch: &mut Scratch) {
        match (phase, self.parts) {
            (0, _) => self.sum_part(at, task, scratch),
            (1, parts) if parts > 1 => self.add_parts(at, task),
            _ => self.finish(at, task, scratch),
        }
    }
}

vectorised! {
    /// The numbers under windows, behind each other: of each window that starts where `starts` say, so many segments, a line apart.
    fn copied<'a>(
        from: &'a [f32],
        starts: &'a [usize],
        line: usize,
        segments: usize,
        segment: usize,
        width: usize,
        to: &'a mut [f32],
    ) {
        for (start, to) in starts.iter().zip(to.chunks_exact_mut(width)) {
            for y in 0..segments {
                let from = &from[start + y * line..][..segment];
                let to = &mut to[y * segment..][..segment];
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            }
            to[segments * segment..].fill(0.0);
        }
    }
}
