//! Nodes of recurrent layers.

use super::{Argument, Axis, Graph, Kind, Name, Node, Region, Scalar};
use crate::plan::{Cell, Function, Orientation, Recurrent, Windows};

/// The inputs of a recurrent layer over B sequences of T times, with H units and G gates.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentInputs {
    /// `(B T, G H)`: `W_i x + b_i`, one product over all times. The T rows of a sequence are neighbours.
    pub gates: Node,
    /// `(G H, H)`: the recurrent weights, as PyTorch's `weight_hh`.
    pub weight: Node,
    /// `(1, G H)`: their bias, as `bias_hh`.
    pub bias: Node,
    /// `(B, H)`, for an lstm `(B, 2 H)`: h and c before the first turn; 0 where there is none.
    pub start: Option<Node>,
    /// `(B, 1)`: times of each row; behind them its state stays as it is. All where there is none.
    pub lengths: Option<Node>,
}

impl Graph {
    /// Adds the states `(B T, H)` of a recurrent layer after each time; of one that goes back, before each time.
    ///
    /// ```
    /// use wgvae_engine::graph::{Graph, RecurrentInputs};
    /// use wgvae_engine::plan::{Cell, Init, Orientation, Recurrent};
    ///
    /// let mut g = Graph::default();
    /// let x = g.input("x", [4 * 10, 3], false); // 4 sequences of 10 times
    /// let init = Init::Uniform(0.25);
    /// let of_input = g.param("gru.weight_ih_l0", &[3 * 16, 3], init);
    /// let weight = g.param("gru.weight_hh_l0", &[3 * 16, 16], init);
    /// let bias = g.param("gru.bias_hh_l0", &[3 * 16], init);
    /// let gates = g.product("gates", Orientation::Nt, x, of_input);
    /// let layer = Recurrent { cell: Cell::Gru, reverse: false, steps: 10 };
    /// let states = g.recurrent("gru", layer, RecurrentInputs { gates, weight, bias, start: None, lengths: None });
    /// assert_eq!(g.shape(states), [40, 16]);
    /// let last = g.at_time("last", states, 10, 9);
    /// assert_eq!(g.shape(last), [4, 16]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not match.
    pub fn recurrent(&mut self, name: impl Into<Name>, layer: Recurrent, inputs: RecurrentInputs) -> Node {
        let RecurrentInputs { gates, weight, bias, start, lengths } = inputs;
        let (name, [rows, width], steps) = (name.into(), self.shape(gates), layer.steps as usize);
        let units = self.shape(weight)[1];
        assert!(steps > 0 && rows % steps == 0, "{name}: {rows} rows of {steps} times");
        assert_eq!([width, units], [layer.cell.gates() * units, units], "{name}: gates of {units} units");
        assert_eq!(self.shape(weight), [width, units], "{name}: its weight");
        assert_eq!(self.shape(bias), [1, width], "{name}: its bias");
        let batch = rows / steps;
        if let Some(start) = start {
            assert_eq!(self.shape(start), [batch, layer.cell.state() * units], "{name}: its start");
        }
        if let Some(lengths) = lengths {
            assert_eq!(self.shape(lengths), [batch, 1], "{name}: the lengths");
        }
        self.add(Kind::Recurrent { layer, gates, weight, bias, start, lengths }, [rows, units], name)
    }

    /// Adds the rows `(B, C)` of one time of sequences `(B T, C)`.
    ///
    /// # Panics
    /// If there is no such time.
    pub fn at_time(&mut self, name: impl Into<Name>, of: Node, steps: usize, time: usize) -> Node {
        let [rows, cols] = self.shape(of);
        let of_rows = self.reshape(of, [rows / steps, steps * cols]);
        self.columns(name, of_rows, time * cols..(time + 1) * cols)
    }

    /// Adds what the turn behind the last one would start from: `(B, H)`, of an lstm `(B, 2 H)`. It has no gradient for an lstm.
    pub fn final_state(&mut self, states: Node, layer: Recurrent) -> Node {
        let (steps, units) = (layer.steps as usize, self.shape(states)[1]);
        let last = if layer.reverse { 0 } else { steps - 1 };
        let name = self.name(states).to_string();
        let h = self.at_time(format!("{name} final h"), states, steps, last);
        match layer.cell {
            Cell::Gru => h,
            Cell::Lstm => {
                let kept = self.kept(states, layer);
                let of_all = self.at_time(format!("{name} final"), kept, steps, last);
                let c = self.columns(format!("{name} final c"), of_all, 4 * units..5 * units);
                self.beside(format!("{name} final h and c"), &[h, c])
            }
        }
    }

    /// The second result of a recurrent layer: what the gradient needs.
    pub(super) fn kept(&mut self, of: Node, layer: Recurrent) -> Node {
        let ([rows, units], name) = (self.shape(of), format!("{}.kept", self.name(of)));
        self.result_as(of, 1, [rows, layer.cell.kept() * units], name)
    }

    /// The gradient `(B, H)` of the states after the last turn, if a gradient `(B T, H)` has zeros for all others.
    pub(super) fn of_last_turn(&self, d: Node, layer: Recurrent) -> Option<Node> {
        let Kind::Reshape { of } = *self.kind(d) else { return None };
        let Kind::Sum(parts) = self.kind(of) else { return None };
        let units = self.shape(d)[1];
        let [(Region::Whole, zeros), (Region::Columns(start), only)] = parts[..] else { return None };
        let Kind::Map { inputs, .. } = self.kind(zeros) else { return None };
        let is_zero = matches!(inputs[..], [zero] if *self.kind(zero) == Kind::Scalar(Scalar::Constant(0.0)));
        let time = if layer.reverse { 0 } else { layer.steps as usize - 1 };
        (is_zero && start == time * units && self.shape(only)[1] == units).then_some(only)
    }

    /// The gradient of the gates, of the recurrent product, and the part of the start's that goes past it.
    pub(super) fn recurrent_back(
        &mut self,
        d: Node,
        of: Node,
        layer: Recurrent,
        weight: Node,
        start: Option<Node>,
    ) -> [Node; 3] {
        let ([rows, units], name) = (self.shape(of), self.name(of).to_string());
        let kept = self.kept(of, layer);
        let shape = [rows, layer.cell.gates() * units];
        let kind = Kind::RecurrentBack { layer, d, of, kept, weight, start };
        let d_gates = self.add(kind, shape, format!("d_{name} gates"));
        let state = [rows / layer.steps as usize, layer.cell.state() * units];
        let carry = self.result_as(d_gates, 1, state, format!("d_{name} carry"));
        let d_hidden = match layer.cell {
            Cell::Gru => self.result_as(d_gates, 2, shape, format!("d_{name} hidden")),
            Cell::Lstm => d_gates,
        };
        [d_gates, d_hidden, carry]
    }

    /// The gradient `(B, G H)` of the first turn's recurrent product.
    pub(super) fn recurrent_d_first(&mut self, d_hidden: Node, layer: Recurrent, name: &str) -> Node {
        let steps = layer.steps as usize;
        let first = if layer.reverse { steps - 1 } else { 0 };
        self.at_time(format!("{name} d_first"), d_hidden, steps, first)
    }

    /// Adds the gradient of the recurrent weights: one product over all times, of each with the states before it. The first turn
    /// has those of `start`, given with its gradient.
    pub(super) fn recurrent_d_weight(
        &mut self,
        d_hidden: Node,
        states: Node,
        layer: Recurrent,
        start: Option<(Node, Node)>,
    ) -> Node {
        let ([rows, units], steps) = (self.shape(states), layer.steps as usize);
        let (name, width) = (self.full_name(states).stem().to_string(), self.shape(d_hidden)[1]);
        let label = format!("{name} d_weight");
        let before = match layer.reverse {
            // A window of one time, one time earlier; before the first there are zeros.
            false => {
                let [steps, units] = [steps as u32, units as u32];
                let windows = Windows {
                    image: [steps, 1, units],
                    positions: [steps, 1],
                    kernel: [1; 2],
                    stride: 1,
                    padding: [1, 0],
                };
                self.windows(states, windows)
            }
            true => {
                let all = [rows / steps, steps * units];
                let zero = self.constant(0.0);
                let call = vec![(Function::Copy, vec![Argument::Input(0)])];
                let mut parts = vec![(Region::Whole, self.map_of("no state", call, &[zero], all))];
                if steps > 1 {
                    let flat = self.reshape(states, all);
                    let later = self.columns(format!("{name} later"), flat, units..steps * units);
                    parts.push((Region::Columns(0), later));
                }
                let shifted = self.sum(format!("{name} shifted"), all, parts);
                self.reshape(shifted, [rows, units])
            }
        };
        let of_states = self.product(label.clone(), Orientation::Tn, d_hidden, before);
        let Some((start, d_first)) = start else { return of_states };
        let start = self.columns(format!("{name} start"), start, 0..units);
        let of_start = self.product(format!("{label} by its start"), Orientation::Tn, d_first, start);
        debug_assert_eq!(self.shape(of_start), [width, units]);
        self.sum_of(label, of_states, of_start)
    }

    /// Adds the gradient of the start: through the product of the first turn, and past it.
    pub(super) fn recurrent_d_start(&mut self, d_first: Node, carry: Node, (weight, name): (Node, &str)) -> Node {
        let through = self.product(format!("{name} d_start"), Orientation::Nn, d_first, weight);
        let (label, shape) = (format!("d_{name} start"), self.shape(carry));
        if self.shape(through) == shape {
            return self.sum_of(label, through, carry);
        }
        self.sum(label, shape, vec![(Region::Whole, carry), (Region::Columns(0), through)])
    }

    /// Adds the gradient of the recurrent bias.
    pub(super) fn recurrent_d_bias(&mut self, d_hidden: Node, name: &str) -> Node {
        self.reduce(format!("{name} d_bias"), d_hidden, Axis::Rows)
    }
}
