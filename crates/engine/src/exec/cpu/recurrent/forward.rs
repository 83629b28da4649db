//! The forward pass.

use std::array::from_fn;
use std::ops::Range;

use super::cells::{gru, lstm};
use super::{Sizes, in_turns, row_mut, row_of, zeros};
use crate::exec::cpu::Builder;
use crate::exec::cpu::gemm::{Right, pack};
use crate::exec::cpu::job::{At, Job, Scratch};
use crate::exec::cpu::memory::Region;
use crate::plan::{Cell, Op, RecurrentKernel};

/// The states of a layer.
pub(super) struct Layer {
    cell: Cell,
    sizes: Sizes,
    gates: Region,
    weight: Region,
    bias: Region,
    start: Option<Region>,
    lengths: Option<Region>,
    states: Region,
    kept: Region,
    /// The panels of all gates of some units, one behind another.
    packed: Region,
    /// `(B, H)`: h before the turn, and behind it.
    h: [Region; 2],
}

impl Layer {
    pub fn new(builder: &mut Builder<'_>, op: &Op, kernel: RecurrentKernel) -> Self {
        let tensors = builder.tensors;
        let bound = |name| Region::bound(tensors, op, name);
        let (start, lengths) = (kernel.has_start.then(|| bound("start")), kernel.has_lengths.then(|| bound("lengths")));
        let [gates, weight, bias, states, kept] = ["gates", "weight", "bias", "states", "kept"].map(bound);
        let sizes = Sizes::of(op, kernel, builder.threads);
        let packed = builder.scratch(sizes.panels() * sizes.gates * sizes.units * sizes.shape.panel());
        let h = in_turns(builder, sizes.batch * sizes.units);
        Self { cell: kernel.layer.cell, sizes, gates, weight, bias, start, lengths, states, kept, packed, h }
    }

    /// Where a gate's panel of units lies among the packed.
    fn panel(&self, gate: usize, panel: usize) -> Range<usize> {
        let len = self.sizes.units * self.sizes.shape.panel();
        let number = panel * self.sizes.gates + gate;
        number * len..(number + 1) * len
    }

    /// Packs a panel; the task behind the last of them takes the start.
    fn prepare(&self, at: At<'_>, task: usize) {
        let (units, shape) = (self.sizes.units, self.sizes.shape);
        let (gate, panel) = (task % self.sizes.gates, task / self.sizes.gates);
        if panel == self.sizes.panels() {
            let h = at.memory.floats_mut(self.h[0]);
            match self.start {
                None => h.fill(0.0),
                Some(start) => {
                    let rows = at.memory.floats(start).chunks_exact(self.cell.state() * units);
                    h.chunks_exact_mut(units).zip(rows).for_each(|(h, row)| h.copy_from_slice(&row[..units]));
                }
            }
            return;
        }
        let (cols, width) = shape.panel_of(0..units, panel);
        let place = self.panel(gate, panel);
        let to = at.memory.floats_mut(self.packed.part(place.start..place.start + units * width));
        let cols = gate * units + cols.start..gate * units + cols.end;
        pack(Right::Columns(at.memory.floats(self.weight), units), 0..units, cols, width, to);
    }

    /// Whether a time is behind a row's length.
    fn is_behind(&self, at: At<'_>, row: usize, time: usize) -> bool {
        self.lengths.is_some_and(|lengths| time as f32 >= at.memory.floats(lengths)[row])
    }

    /// A row behind its length: nothing changes, and what is kept says so.
    fn behind(&self, at: At<'_>, place: usize, some: &Range<usize>, h: &[f32], c: &[f32]) {
        let (units, parts) = (self.sizes.units, self.cell.kept());
        let marks: &[f32] = match self.cell {
            Cell::Gru => &[0.0, 1.0, 0.0, 0.0],
            Cell::Lstm => &[-1.0, 1.0, 0.0, 0.0],
        };
        for (part, mark) in marks.iter().enumerate() {
            row_mut(at, self.kept, place, (part, parts), units, some).fill(*mark);
        }
        if self.cell == Cell::Lstm {
            row_mut(at, self.kept, place, (4, parts), units, some).copy_from_slice(c);
        }
        row_mut(at, self.states, place, (0, 1), units, some).copy_from_slice(h);
    }

    fn turn(&self, at: At<'_>, turn: usize, task: usize, scratch: &mut Scratch) {
        let (sizes, units) = (&self.sizes, self.sizes.units);
        let [rows, some] = sizes.of_task(task);
        let [before, behind] = [self.h[turn % 2], self.h[(turn + 1) % 2]];
        let len = rows.len() * sizes.stride();
        scratch.tile.sized(sizes.gates * len);
        if turn > 0 || self.start.is_some() {
            let (a, packed) = (at.memory.floats(before), at.memory.floats(self.packed));
            for gate in 0..sizes.gates {
                let tile = &mut scratch.tile.all_mut()[gate * len..(gate + 1) * len];
                let places = |panel: usize| self.panel(gate, panel);
                let to = (tile, &mut scratch.starts, &mut scratch.targets);
                sizes.product(a, units, [rows.clone(), some.clone()], places, packed, to);
            }
        } else {
            scratch.tile.all_mut()[..sizes.gates * len].fill(0.0);
        }
        zeros(scratch, some.len());
        let (tile, no_c) = (scratch.tile.all(), &scratch.sums.all()[..some.len()]);
        let time = sizes.time(turn);
        for (number, row) in rows.enumerate() {
            let place = row * sizes.steps + time;
            let h = row_of(at, before, row, (0, 1), units, &some);
            let next = row_mut(at, behind, row, (0, 1), units, &some);
            let c = match (self.cell, turn.checked_sub(1), self.start) {
                (Cell::Gru, ..) => h,
                (Cell::Lstm, Some(turn), _) => {
                    row_of(at, self.kept, row * sizes.steps + sizes.time(turn), (4, 5), units, &some)
                }
                (Cell::Lstm, None, Some(start)) => row_of(at, start, row, (1, 2), units, &some),
                (Cell::Lstm, None, None) => no_c,
            };
            if self.is_behind(at, row, time) {
                next.copy_from_slice(h);
                self.behind(at, place, &some, h, c);
                continue;
            }
            let u = |gate: usize| &tile[gate * len + number * sizes.stride()..][..some.len()];
            let x = |gate: usize| row_of(at, self.gates, place, (gate, sizes.gates), units, &some);
            let bias = |gate: usize| row_of(at, self.bias, 0, (gate, sizes.gates), units, &some);
            let state = row_mut(at, self.states, place, (0, 1), units, &some);
            let kept = |part: usize| row_mut(at, self.kept, place, (part, self.cell.kept()), units, &some);
            match self.cell {
                Cell::Gru => gru(from_fn(x), from_fn(u), from_fn(bias), h, from_fn(kept), state, next),
                Cell::Lstm => lstm(from_fn(x), from_fn(u), from_fn(bias), c, from_fn(kept), state, next),
            }
        }
    }
}

impl Job for Layer {
    fn phases(&self) -> Vec<usize> {
        let mut phases = vec![self.sizes.tasks(); self.sizes.steps + 1];
        phases[0] = self.sizes.panels() * self.sizes.gates + 1;
        phases
    }

    fn run(&self, at: At<'_>, phase: usize, task: usize, scratch: &mut Scratch) {
        match phase.checked_sub(1) {
            None => self.prepare(at, task),
            Some(turn) => self.turn(at, turn, task, scratch),
        }
    }
}
