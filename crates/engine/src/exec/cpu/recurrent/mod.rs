//! Recurrent layers. The weights are packed once, in the first phase; each turn is a phase, whose tasks have some rows and some
//! units with all of their gates.
//!
//! A turn reads what the turn before made as a matrix of its own, of which there are two that take turns: rows of a sequence
//! lie far apart, and a task may not look at memory that another one writes.

mod back;
mod cells;
mod forward;

use std::ops::Range;

use super::Builder;
use super::gemm::{Left, Multiply, NOWHERE, Shape, To};
use super::job::{At, Job, Scratch};
use super::memory::Region;
use crate::kernels::recurrent::RecurrentParams;
use crate::plan::{Op, Pass, RecurrentKernel};

/// Panels of units that a task has at most.
const PANELS: usize = 4;
/// Tasks of a turn that each thread should have at least.
const TASKS_OF_THREAD: usize = 3;
/// The fewest rows of a task, where there are so many: fewer would not pay for the panels that they read.
const MIN_ROWS: usize = 8;

/// The job of a layer.
pub(super) fn job(builder: &mut Builder<'_>, op: &Op, kernel: RecurrentKernel) -> Box<dyn Job> {
    match kernel.pass {
        Pass::Forward => Box::new(forward::Layer::new(builder, op, kernel)),
        Pass::Backward => Box::new(back::Layer::new(builder, op, kernel)),
    }
}

/// The sizes of a layer and of its tasks.
struct Sizes {
    reverse: bool,
    batch: usize,
    steps: usize,
    units: usize,
    gates: usize,
    shape: Shape,
    /// Rows and units of a task.
    tile: [usize; 2],
}

impl Sizes {
    fn of(op: &Op, kernel: RecurrentKernel, threads: usize) -> Self {
        let p = RecurrentParams::of(op);
        let [batch, steps, units] = [p.batch, p.steps, p.units].map(|n| n as usize);
        let shape = Shape::here();
        let chunk = (PANELS * shape.panel()).min(units.next_multiple_of(shape.panel()));
        let across = units.div_ceil(chunk);
        let down = (TASKS_OF_THREAD * threads).div_ceil(across).min(batch.div_ceil(MIN_ROWS));
        let rows = batch.div_ceil(down.max(1)).next_multiple_of(shape.rows).min(batch.max(1));
        Self {
            reverse: kernel.layer.reverse,
            batch,
            steps,
            units,
            gates: kernel.layer.cell.gates(),
            shape,
            tile: [rows, chunk],
        }
    }

    /// The time of a turn of the forward pass.
    fn time(&self, turn: usize) -> usize {
        if self.reverse { self.steps - 1 - turn } else { turn }
    }

    fn panels(&self) -> usize {
        self.units.div_ceil(self.shape.panel())
    }

    fn tasks(&self) -> usize {
        self.batch.div_ceil(self.tile[0]) * self.units.div_ceil(self.tile[1])
    }

    /// The rows and the units of a task.
    fn of_task(&self, task: usize) -> [Range<usize>; 2] {
        let across = self.units.div_ceil(self.tile[1]);
        let (row, unit) = (task / across * self.tile[0], task % across * self.tile[1]);
        [row..(row + self.tile[0]).min(self.batch), unit..(unit + self.tile[1]).min(self.units)]
    }

    /// Floats of a row of a task's tile.
    fn stride(&self) -> usize {
        self.tile[1]
    }

    /// Multiplies rows of `a (B, K)` by the packed panels `[K][columns]` of some units, which `panels` finds by their numbers:
    /// sums go to `tile`.
    fn product(
        &self,
        a: &[f32],
        depth: usize,
        [rows, units]: [Range<usize>; 2],
        panels: impl Fn(usize) -> Range<usize>,
        packed: &[f32],
        (tile, starts, targets): (&mut [f32], &mut Vec<usize>, &mut Vec<usize>),
    ) {
        let (last, stride) = (rows.end - 1, self.stride());
        let padded = rows.len().next_multiple_of(self.shape.rows);
        starts.clear();
        starts.extend((rows.start..rows.start + padded).map(|row| row.min(last) * depth));
        targets.clear();
        targets.extend((0..padded).map(|row| if row < rows.len() { row * stride } else { NOWHERE }));
        let first = units.start / self.shape.panel();
        for (number, (cols, width)) in self.shape.panels(units.clone()).enumerate() {
            let left = Left::Rows { starts, segments: &[(0, depth)] };
            let panel = &packed[panels(first + number)];
            let to = To::Tile(&mut tile[cols.start - units.start..]);
            Multiply { a, left, panel: &panel[..depth * width], width, to, targets, accumulate: false }.run();
        }
    }
}

/// Some units of one of the blocks of H columns in a row of a matrix that has `parts` of them.
fn part(region: Region, row: usize, (part, parts): (usize, usize), units: usize, some: &Range<usize>) -> Region {
    let first = (row * parts + part) * units;
    region.part(first + some.start..first + some.end)
}

/// The matrices of which a turn reads one and writes the other.
fn in_turns(builder: &mut Builder<'_>, len: usize) -> [Region; 2] {
    [builder.scratch(len), builder.scratch(len)]
}

/// Zeros for states that are not given.
fn zeros(scratch: &mut Scratch, len: usize) -> &[f32] {
    let zeros = scratch.sums.sized(len);
    zeros.fill(0.0);
    zeros
}

/// Some units of one of the blocks of H columns in a row, to read.
fn row_of<'a>(
    at: At<'a>,
    region: Region,
    row: usize,
    of: (usize, usize),
    units: usize,
    some: &Range<usize>,
) -> &'a [f32] {
    at.memory.floats(part(region, row, of, units, some))
}

/// Some units of one of the blocks of H columns in a row, to write.
fn row_mut<'a>(
    at: At<'a>,
    region: Region,
    row: usize,
    of: (usize, usize),
    units: usize,
    some: &Range<usize>,
) -> &'a mut [f32] {
    at.memory.floats_mut(part(region, row, of, units, some))
}
