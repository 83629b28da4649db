//! Rows of a table that tokens choose, and the gradient of the table.

use std::ops::Range;

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::add;
use crate::kernels::embed::EmbedParams;
use crate::plan::{Op, TensorTable};

/// Numbers of a task that copies rows.
const TASK: usize = 1 << 13;
/// Rows and columns of the table in a task of its gradient: such a tile stays in the second-level cache.
const TILE: [usize; 2] = [1024, 32];

/// The row of the table for a number; the host refuses numbers that the table does not have.
fn row_of(id: f32, tokens: usize) -> Option<usize> {
    (id >= 0.0).then(|| (id as usize).min(tokens - 1))
}

/// The positions of the tokens, each with a row of the table.
pub(super) struct Positions {
    params: EmbedParams,
    table: Region,
    ids: Region,
    y: Region,
}

impl Positions {
    pub fn new(op: &Op, tensors: &TensorTable) -> Self {
        let [table, ids, y] = ["table", "ids", "y"].map(|name| Region::bound(tensors, op, name));
        Self { params: EmbedParams::of(op), table, ids, y }
    }

    /// Positions of a task.
    fn each(&self) -> usize {
        (TASK / self.params.width.max(1) as usize).max(1)
    }
}

impl Job for Positions {
    fn phases(&self) -> Vec<usize> {
        vec![(self.params.count as usize).div_ceil(self.each())]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let [count, width, tokens, length, shift] = sizes(&self.params);
        let some = task * self.each()..((task + 1) * self.each()).min(count);
        let (table, ids) = (at.memory.floats(self.table), at.memory.floats(self.ids));
        let y = at.memory.floats_mut(self.y.part(some.start * width..some.end * width));
        for (i, y) in some.zip(y.chunks_exact_mut(width)) {
            let id = if i % length >= shift { ids[i - shift] } else { -1.0 };
            match row_of(id, tokens) {
                Some(row) => y.copy_from_slice(&table[row * width..][..width]),
                None => y.fill(0.0),
            }
        }
    }
}

fn sizes(p: &EmbedParams) -> [usize; 5] {
    [p.count, p.width, p.tokens, p.length, p.shift].map(|size| size as usize)
}

/// The gradient of the table, in tiles.
pub(super) struct Table {
    params: EmbedParams,
    ids: Region,
    d_y: Region,
    d_table: Region,
}

impl Table {
    pub fn new(op: &Op, tensors: &TensorTable) -> Self {
        let [ids, d_y, d_table] = ["ids", "d_y", "d_table"].map(|name| Region::bound(tensors, op, name));
        Self { params: EmbedParams::of(op), ids, d_y, d_table }
    }

    /// Tiles beside each other.
    fn across(&self) -> usize {
        (self.params.width as usize).div_ceil(TILE[1])
    }

    /// Adds the positions of a sequence whose tokens are within the tile.
    fn sequence(&self, at: At<'_>, first: usize, rows: &Range<usize>, cols: &Range<usize>) {
        let [_, width, tokens, length, shift] = sizes(&self.params);
        let (ids, d_y) = (at.memory.floats(self.ids), at.memory.floats(self.d_y));
        for i in first + shift..first + length {
            let Some(row) = row_of(ids[i - shift], tokens).filter(|row| rows.contains(row)) else { continue };
            let sums = at.memory.floats_mut(self.d_table.part(row * width + cols.start..row * width + cols.end));
            add(sums, &d_y[i * width + cols.start..i * width + cols.end]);
        }
    }
}

impl Job for Table {
    fn phases(&self) -> Vec<usize> {
        vec![(self.params.tokens as usize).div_ceil(TILE[0]) * self.across()]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let [count, width, tokens, length, _] = sizes(&self.params);
        let [row, col] = [task / self.across() * TILE[0], task % self.across() * TILE[1]];
        let (rows, cols) = (row..(row + TILE[0]).min(tokens), col..(col + TILE[1]).min(width));
        for row in rows.clone() {
            at.memory.floats_mut(self.d_table.part(row * width + cols.start..row * width + cols.end)).fill(0.0);
        }
        for first in (0..count).step_by(length.max(1)) {
            self.sequence(at, first, &rows, &cols);
        }
    }
}
