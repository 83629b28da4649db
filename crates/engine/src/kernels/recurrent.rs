//! Recurrent layers: a dispatch for each turn, in which one product has all gates of a unit.

use super::{expect_all, index_fits, params};
use crate::plan::{Grid, Kernel, Op, Pass, PlanError, Recurrent, RecurrentKernel, TensorId, TensorTable};

params! {
    /// `Params` of `recurrent.wgsl.jinja`.
    pub struct RecurrentParams {
        /// The turn, which each dispatch sets.
        turn: u32,
        /// B
        batch: u32,
        /// T
        steps: u32,
        /// H
        units: u32,
    }
}

/// The tensors of a forward pass over B sequences of T times with H units and G gates.
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// `(B T, G H)`: what comes from the input.
    pub gates: TensorId,
    /// `(G H, H)`
    pub weight: TensorId,
    /// `(G H)`
    pub bias: TensorId,
    /// `(B, H)`, of an lstm `(B, 2 H)`: h and c before the first turn; 0 where there is none.
    pub start: Option<TensorId>,
    /// `(B, 1)`: the number of times of each row; all where there is none.
    pub lengths: Option<TensorId>,
    /// `(B T, H)`
    pub states: TensorId,
    /// `(B T, 4 H)`, of an lstm `(B T, 5 H)`: what the gradient needs.
    pub kept: TensorId,
}

/// The tensors of the gradient.
#[derive(Debug, Clone, Copy)]
pub struct Back {
    /// `(B T, H)`, or `(B, H)` where only the states after the last turn have a gradient.
    pub d_states: TensorId,
    /// Whether only these have one.
    pub of_end: bool,
    /// The layer's own, see [`Forward`].
    pub weight: TensorId,
    /// As in [`Forward`].
    pub start: Option<TensorId>,
    /// As in [`Forward`].
    pub states: TensorId,
    /// As in [`Forward`].
    pub kept: TensorId,
    /// `(B T, G H)`: the gradient of the gates.
    pub d_gates: TensorId,
    /// `(B T, G H)`: the gradient of the recurrent product and its bias; of an lstm that of the gates.
    pub d_hidden: Option<TensorId>,
    /// `(B, H)`, of an lstm `(B, 2 H)`: the part of the start's gradient that goes past the product.
    pub carry: TensorId,
}

/// The sizes of a layer: B, T, H.
fn sizes(tensors: &TensorTable, label: &str, layer: Recurrent, states: TensorId) -> Result<[usize; 3], PlanError> {
    let (rows, units) = tensors.matrix(label, states)?;
    let steps = layer.steps as usize;
    tensors.expect(label, states, &[rows / steps.max(1) * steps, units])?;
    Ok([rows / steps.max(1), steps, units])
}

fn op(label: String, kernel: RecurrentKernel, [batch, steps, units]: [usize; 3]) -> Result<Op, PlanError> {
    let gates = kernel.layer.cell.gates();
    index_fits(&label, batch * steps * units * kernel.layer.cell.kept())?;
    index_fits(&label, gates * units * units)?;
    let params = RecurrentParams {
        turn: 0,
        batch: index_fits(&label, batch)?,
        steps: index_fits(&label, steps)?,
        units: index_fits(&label, units)?,
    };
    let grid = Grid::Tiles { rows: batch, cols: units };
    let mut op = Op::new(label, Kernel::Recurrent(kernel), grid).params(params.block());
    op.turns = steps;
    Ok(op.flops(2 * batch * steps * gates * units * (units + 4)))
}

/// The states of all times, and what the gradient needs.
pub fn forward(
    tensors: &TensorTable,
    label: impl Into<String>,
    layer: Recurrent,
    of: Forward,
) -> Result<Op, PlanError> {
    let label = label.into();
    let [batch, steps, units] = sizes(tensors, &label, layer, of.states)?;
    let (rows, gates, kept) = (batch * steps, layer.cell.gates() * units, layer.cell.kept() * units);
    let shapes: [(TensorId, &[usize]); 3] =
        [(of.gates, &[rows, gates]), (of.weight, &[gates, units]), (of.kept, &[rows, kept])];
    expect_all(tensors, &label, &shapes)?;
    tensors.expect_len(of.bias, gates)?;
    expect_start(tensors, &label, layer, of.start, [batch, units])?;
    if let Some(lengths) = of.lengths {
        tensors.expect_len(lengths, batch)?;
    }
    let kernel = RecurrentKernel {
        layer,
        pass: Pass::Forward,
        has_start: of.start.is_some(),
        has_lengths: of.lengths.is_some(),
        of_end: false,
    };
    let mut op = op(label, kernel, [batch, steps, units])?
        .read("gates", of.gates)
        .read("weight", of.weight)
        .read("bias", of.bias)
        .update("states", of.states)
        .update("kept", of.kept);
    for (name, tensor) in [("start", of.start), ("lengths", of.lengths)] {
        op = match tensor {
            Some(tensor) => op.read(name, tensor),
            None => op,
        };
    }
    Ok(op)
}

/// The gradients of the gates, of the recurrent product and of the start.
pub fn back(tensors: &TensorTable, label: impl Into<String>, layer: Recurrent, of: Back) -> Result<Op, PlanError> {
    let label = label.into();
    let [batch, steps, units] = sizes(tensors, &label, layer, of.states)?;
    let (rows, gates, kept) = (batch * steps, layer.cell.gates() * units, layer.cell.kept() * units);
    let shapes: [(TensorId, &[usize]); 5] = [
        (of.d_states, &[if of.of_end { batch } else { rows }, units]),
        (of.weight, &[gates, units]),
        (of.kept, &[rows, kept]),
        (of.d_gates, &[rows, gates]),
        (of.carry, &[batch, layer.cell.state() * units]),
    ];
    expect_all(tensors, &label, &shapes)?;
    expect_start(tensors, &label, layer, of.start, [batch, units])?;
    let has_start = of.start.is_some();
    let kernel = RecurrentKernel { layer, pass: Pass::Backward, has_start, has_lengths: false, of_end: of.of_end };
    let mut op = op(label, kernel, [batch, steps, units])?
        .read("weight", of.weight)
        .read("d_states", of.d_states)
        .read("kept", of.kept)
        .update("d_gates", of.d_gates)
        .update("carry", of.carry);
    if let Some(start) = of.start {
        op = op.read("start", start);
    }
    // The gates of an lstm share their gradients with the product, and their own states say nothing about it.
    if let Some(d_hidden) = of.d_hidden {
        tensors.expect(&op.label, d_hidden, &[rows, gates])?;
        op = op.read("states", of.states).update("d_hidden", d_hidden);
    }
    Ok(op)
}

fn expect_start(
    tensors: &TensorTable,
    label: &str,
    layer: Recurrent,
    start: Option<TensorId>,
    [batch, units]: [usize; 2],
) -> Result<(), PlanError> {
    start.map_or(Ok(()), |start| tensors.expect(label, start, &[batch, layer.cell.state() * units]))
}
