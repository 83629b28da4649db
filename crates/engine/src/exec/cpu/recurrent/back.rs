//! The backward pass of recurrent layers.

use std::array::from_fn;
use std::ops::Range;

use super::cells::{gru_back, lstm_back};
use super::{Sizes, in_turns, row_mut, row_of, zeros};
use crate::exec::cpu::Builder;
use crate::exec::cpu::gemm::{Right, pack};
use crate::exec::cpu::job::{At, Job, Scratch};
use crate::exec::cpu::memory::Region;
use crate::exec::cpu::vector::add;
use crate::plan::{Cell, Op, RecurrentKernel};

/// The gradients of a layer.
pub(super) struct Layer {
    cell: Cell,
    sizes: Sizes,
    weight: Region,
    start: Option<Region>,
    d_states: Region,
    /// Whether only the states after the last turn have a gradient.
    of_end: bool,
    kept: Region,
    d_gates: Region,
    carry: Region,
    /// The states of a gru, and the gradient of its recurrent product.
    of_gru: Option<[Region; 2]>,
    /// The panels of the weights, one behind another.
    packed: Region,
    /// `(B, G H)`: the gradient of the recurrent product in the turn after, and in this one.
    d_product: [Region; 2],
}

impl Layer {
    pub fn new(builder: &mut Builder<'_>, op: &Op, kernel: RecurrentKernel) -> Self {
        let tensors = builder.tensors;
        let bound = |name| Region::bound(tensors, op, name);
        let start = kernel.has_start.then(|| bound("start"));
        let of_gru = (kernel.layer.cell == Cell::Gru).then(|| [bound("states"), bound("d_hidden")]);
        let [weight, d_states, kept, d_gates, carry] = ["weight", "d_states", "kept", "d_gates", "carry"].map(bound);
        let sizes = Sizes::of(op, kernel, builder.threads);
        let packed = builder.scratch(sizes.panels() * sizes.gates * sizes.units * sizes.shape.panel());
        let d_product = in_turns(builder, sizes.batch * sizes.gates * sizes.units);
        Self {
            cell: kernel.layer.cell,
            sizes,
            weight,
            start,
            d_states,
            of_end: kernel.of_end,
            kept,
            d_gates,
            carry,
            of_gru,
            packed,
            d_product,
        }
    }

    fn depth(&self) -> usize {
        self.sizes.gates * self.sizes.units
    }

    fn panel(&self, panel: usize) -> Range<usize> {
        let len = self.depth() * self.sizes.shape.panel();
        panel * len..(panel + 1) * len
    }

    fn prepare(&self, at: At<'_>, panel: usize) {
        let (cols, width) = self.sizes.shape.panel_of(0..self.sizes.units, panel);
        let place = self.panel(panel);
        let to = at.memory.floats_mut(self.packed.part(place.start..place.start + self.depth() * width));
        pack(Right::Rows(at.memory.floats(self.weight), self.sizes.units), 0..self.depth(), cols, width, to);
    }

    /// A turn of the gradient: `turn` is that of the forward pass.
    fn turn(&self, at: At<'_>, turn: usize, task: usize, scratch: &mut Scratch) {
        let (sizes, units) = (&self.sizes, self.sizes.units);
        let [rows, some] = sizes.of_task(task);
        let is_first = turn + 1 == sizes.steps;
        let [after, this] = [self.d_product[turn % 2], self.d_product[(turn + 1) % 2]];
        let len = rows.len() * sizes.stride();
        scratch.tile.sized(len);
        if is_first {
            scratch.tile.all_mut()[..len].fill(0.0);
        } else {
            let (a, packed) = (at.memory.floats(after), at.memory.floats(self.packed));
            let to = (&mut scratch.tile.all_mut()[..len], &mut scratch.starts, &mut scratch.targets);
            sizes.product(a, self.depth(), [rows.clone(), some.clone()], |panel| self.panel(panel), packed, to);
        }
        zeros(scratch, some.len());
        let (tile, none) = (scratch.tile.all_mut(), &scratch.sums.all()[..some.len()]);
        for (number, row) in rows.enumerate() {
            let d_h = &mut tile[number * sizes.stride()..][..some.len()];
            let place = row * sizes.steps + sizes.time(turn);
            let before = turn.checked_sub(1).map(|before| row * sizes.steps + sizes.time(before));
            if !self.of_end || is_first {
                let place = if self.of_end { row } else { place };
                add(d_h, row_of(at, self.d_states, place, (0, 1), units, &some));
            }
            let state = self.cell.state();
            let carry = |part: usize| row_mut(at, self.carry, row, (part, state), units, &some);
            if !is_first {
                add(d_h, carry(0));
            }
            let kept = |part: usize| row_of(at, self.kept, place, (part, self.cell.kept()), units, &some);
            let d_gates = |gate: usize| row_mut(at, self.d_gates, place, (gate, sizes.gates), units, &some);
            let next = |gate: usize| row_mut(at, this, row, (gate, sizes.gates), units, &some);
            // h of a gru before this turn, and c of an lstm.
            let old = |region: Region, parts: (usize, usize)| match (before, self.start) {
                (Some(before), _) => row_of(at, region, before, parts, units, &some),
                (None, Some(start)) => row_of(at, start, row, (state - 1, state), units, &some),
                (None, None) => none,
            };
            if let Some([states, d_hidden]) = self.of_gru {
                let h = old(states, (0, 1));
                let d_hidden = |gate: usize| row_mut(at, d_hidden, place, (gate, 3), units, &some);
                gru_back(d_h, from_fn(kept), h, from_fn(d_gates), from_fn(d_hidden), from_fn(next));
                carry(0).copy_from_slice(d_h);
                continue;
            }
            let d_c = carry(1);
            if is_first {
                d_c.fill(0.0);
            }
            if kept(0)[0] < 0.0 {
                // Behind the row's length.
                carry(0).copy_from_slice(d_h);
                (0..4).for_each(|gate| {
                    d_gates(gate).fill(0.0);
                    next(gate).fill(0.0);
                });
                continue;
            }
            lstm_back(d_h, d_c, from_fn(kept), old(self.kept, (4, 5)), from_fn(d_gates), from_fn(next));
            carry(0).fill(0.0);
        }
    }
}

impl Job for Layer {
    fn phases(&self) -> Vec<usize> {
        let mut phases = vec![self.sizes.tasks(); self.sizes.steps + 1];
        phases[0] = self.sizes.panels();
        phases
    }

    fn run(&self, at: At<'_>, phase: usize, task: usize, scratch: &mut Scratch) {
        match phase {
            0 => self.prepare(at, task),
            _ => self.turn(at, self.sizes.steps - phase, task, scratch),
        }
    }
}
