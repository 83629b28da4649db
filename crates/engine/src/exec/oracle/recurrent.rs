//! Recurrent layers and their gradients, row by row.

use super::{Call, Real};
use crate::kernels::recurrent::RecurrentParams;
use crate::plan::{Cell, Pass, RecurrentKernel};

/// Sizes and the order of times.
#[derive(Clone, Copy)]
struct Layer {
    cell: Cell,
    reverse: bool,
    batch: usize,
    steps: usize,
    units: usize,
}

impl Layer {
    fn gates(self) -> usize {
        self.cell.gates() * self.units
    }

    fn time(self, turn: usize) -> usize {
        if self.reverse { self.steps - 1 - turn } else { turn }
    }
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kernel: RecurrentKernel) {
    let p = RecurrentParams::of(call.op);
    let layer = Layer {
        cell: kernel.layer.cell,
        reverse: kernel.layer.reverse,
        batch: p.batch as usize,
        steps: p.steps as usize,
        units: p.units as usize,
    };
    match kernel.pass {
        Pass::Forward => forward(call, layer, kernel),
        Pass::Backward => back(call, layer, kernel),
    }
}

fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

/// h, and the c of an lstm, of a row before the first turn.
fn start<T: Real>(call: &Call<'_, T>, layer: Layer, has_start: bool, row: usize) -> Vec<T> {
    let len = layer.cell.state() * layer.units;
    if has_start { call.read("start")[row * len..(row + 1) * len].to_vec() } else { vec![T::zero(); len] }
}

fn forward<T: Real>(call: &mut Call<'_, T>, layer: Layer, kernel: RecurrentKernel) {
    let Layer { cell, batch, steps, units: n, .. } = layer;
    let (gates, weight, bias) = (call.read("gates"), call.read("weight"), call.read("bias"));
    let mut states = vec![T::zero(); batch * steps * n];
    let mut kept = vec![T::zero(); batch * steps * cell.kept() * n];
    for row in 0..batch {
        let mut state = start(call, layer, kernel.has_start, row);
        let length = if kernel.has_lengths { call.read("lengths")[row].wide() } else { f64::INFINITY };
        for turn in 0..steps {
            let time = layer.time(turn);
            let at = row * steps + time;
            let x = &gates[at * layer.gates()..][..layer.gates()];
            let kept = &mut kept[at * cell.kept() * n..][..cell.kept() * n];
            let h = state[..n].to_vec();
            let hidden: Vec<T> = (0..layer.gates())
                .map(|gate| bias[gate] + (0..n).map(|k| weight[gate * n + k] * h[k]).sum::<T>())
                .collect();
            for u in 0..n {
                let of: [T; 5] = match cell {
                    _ if time as f64 >= length => match cell {
                        Cell::Gru => [0.0, 1.0, 0.0, 0.0, 0.0].map(T::of),
                        Cell::Lstm => [T::of(-1.0), T::one(), T::zero(), T::zero(), state[n + u]],
                    },
                    Cell::Gru => {
                        let (r, z) = (sigmoid(x[u] + hidden[u]), sigmoid(x[n + u] + hidden[n + u]));
                        let q = hidden[2 * n + u];
                        let new = (x[2 * n + u] + r * q).tanh();
                        state[u] = (T::one() - z) * new + z * h[u];
                        [r, z, new, q, T::zero()]
                    }
                    Cell::Lstm => {
                        let of_gate = |gate: usize| x[gate * n + u] + hidden[gate * n + u];
                        let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(of_gate(gate)));
                        let g = of_gate(2).tanh();
                        state[n + u] = f * state[n + u] + i * g;
                        state[u] = o * state[n + u].tanh();
                        [i, f, g, o, state[n + u]]
                    }
                };
                (0..cell.kept()).for_each(|part| kept[part * n + u] = of[part]);
            }
            states[at * n..][..n].copy_from_slice(&state[..n]);
        }
    }
    call.write_back("states", states);
    call.write_back("kept", kept);
}

fn back<T: Real>(call: &mut Call<'_, T>, layer: Layer, kernel: RecurrentKernel) {
    let Layer { cell, batch, steps, units: n, .. } = layer;
    let (weight, d_states, kept) = (call.read("weight"), call.read("d_states"), call.read("kept"));
    let mut d_gates = vec![T::zero(); batch * steps * layer.gates()];
    let mut d_hidden = d_gates.clone();
    let mut carry = vec![T::zero(); batch * cell.state() * n];
    for row in 0..batch {
        let start = start(call, layer, kernel.has_start, row);
        let carry = &mut carry[row * cell.state() * n..][..cell.state() * n];
        for turn in (0..steps).rev() {
            let at = row * steps + layer.time(turn);
            let before = turn.checked_sub(1).map(|before| row * steps + layer.time(before));
            let after = (turn + 1 < steps).then(|| row * steps + layer.time(turn + 1));
            let kept_at = |at: usize, part: usize, u: usize| kept[(at * cell.kept() + part) * n + u];
            let mut product = vec![T::zero(); n];
            if let Some(after) = after {
                for (gate, d) in d_hidden[after * layer.gates()..][..layer.gates()].iter().enumerate() {
                    product.iter_mut().zip(&weight[gate * n..]).for_each(|(sum, weight)| *sum += *d * *weight);
                }
            }
            for u in 0..n {
                let d_state = match kernel.of_end {
                    true if turn + 1 < steps => T::zero(),
                    true => d_states[row * n + u],
                    false => d_states[at * n + u],
                };
                let d_h = d_state + carry[u] + product[u];
                let one = T::one();
                let (of_gates, of_hidden): ([T; 4], [T; 4]) = match cell {
                    Cell::Gru => {
                        let [r, z, new, q] = [0, 1, 2, 3].map(|part| kept_at(at, part, u));
                        let h = before.map_or(start[u], |before| call.read("states")[before * n + u]);
                        let d_n = d_h * (one - z) * (one - new * new);
                        let d_z = d_h * (h - new) * z * (one - z);
                        let d_r = d_n * q * r * (one - r);
                        carry[u] = d_h * z;
                        ([d_r, d_z, d_n, T::zero()], [d_r, d_z, d_n * r, T::zero()])
                    }
                    // Behind the row's length.
                    Cell::Lstm if kept_at(at, 0, u) < T::zero() => {
                        carry[u] = d_h;
                        ([T::zero(); 4], [T::zero(); 4])
                    }
                    Cell::Lstm => {
                        let [i, f, g, o, c] = [0, 1, 2, 3, 4].map(|part| kept_at(at, part, u));
                        let c_before = before.map_or(start[n + u], |before| kept_at(before, 4, u));
                        let d_c = carry[n + u] + d_h * o * (one - c.tanh() * c.tanh());
                        carry[u] = T::zero();
                        carry[n + u] = d_c * f;
                        let d_i = d_c * g * i * (one - i);
                        let d_f = d_c * c_before * f * (one - f);
                        let of = [d_i, d_f, d_c * i * (one - g * g), d_h * c.tanh() * o * (one - o)];
                        (of, of)
                    }
                };
                for gate in 0..cell.gates() {
                    d_gates[at * layer.gates() + gate * n + u] = of_gates[gate];
                    d_hidden[at * layer.gates() + gate * n + u] = of_hidden[gate];
                }
            }
        }
    }
    call.write_back("d_gates", d_gates);
    if cell == Cell::Gru {
        call.write_back("d_hidden", d_hidden);
    }
    call.write_back("carry", carry);
}
