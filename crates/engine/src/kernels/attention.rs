//! Attention between the times of sequences, and its gradient.

use super::{expect_all, index_fits, params};
use crate::plan::{Attention, AttentionKernel, Grid, Kernel, Op, Pass, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `attention.wgsl.jinja`.
    pub struct AttentionParams {
        /// Which part of the gradient a dispatch makes: 0 for queries, 1 for keys and values. Each dispatch sets it.
        turn: u32,
        /// B
        batch: u32,
        /// T
        steps: u32,
        /// Columns of a head.
        width: u32,
    }
}

/// The tensors of a forward pass over B sequences of T times with C columns in all heads together.
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// `(B T, 3 C)`: queries, keys and values beside each other; each has the columns of a head side by side.
    pub qkv: TensorId,
    /// `(B, 1)`: the number of times of each row; all where there is none.
    pub lengths: Option<TensorId>,
    /// `(B T, C)`: means of the values, weighed by how much each time looks at the others. Zeros behind a row's length.
    pub result: TensorId,
    /// `(B T, heads)`: the logarithm of the sum that weights were divided by.
    pub sums: TensorId,
}

/// The tensors of the gradient.
#[derive(Debug, Clone, Copy)]
pub struct Back {
    /// `(B T, C)`
    pub d_result: TensorId,
    /// As in [`Forward`].
    pub qkv: TensorId,
    /// As in [`Forward`].
    pub lengths: Option<TensorId>,
    /// As in [`Forward`].
    pub result: TensorId,
    /// As in [`Forward`].
    pub sums: TensorId,
    /// `(B T, 3 C)`
    pub d_qkv: TensorId,
    /// `(B T, heads)`: the product of each head's result with its gradient, which keys and values need.
    pub products: TensorId,
}

/// The op of a pass, with what both have, and B T and C.
fn op(
    tensors: &TensorTable,
    label: String,
    (layer, pass): (Attention, Pass),
    [qkv, result]: [TensorId; 2],
    lengths: Option<TensorId>,
) -> Result<(Op, [usize; 2]), PlanError> {
    let (rows, columns) = tensors.matrix(&label, result)?;
    let [heads, steps] = [layer.heads, layer.steps].map(|n| n.max(1) as usize);
    let (batch, width) = (rows / steps, columns / heads);
    tensors.expect(&label, result, &[batch * steps, heads * width])?;
    tensors.expect(&label, qkv, &[rows, 3 * columns])?;
    index_fits(&label, 3 * rows * columns)?;
    let params = AttentionParams {
        turn: 0,
        batch: index_fits(&label, batch)?,
        steps: layer.steps,
        width: index_fits(&label, width)?,
    };
    let kernel = Kernel::Attention(AttentionKernel { layer, pass, has_lengths: lengths.is_some() });
    let (turns, products) = if pass == Pass::Forward { (1, 2) } else { (2, 7) };
    // A time of a causal layer looks at half of the others.
    let pairs = batch * steps * if layer.causal { steps.div_ceil(2) } else { steps };
    let mut op = Op::new(label, kernel, Grid::Tiles { rows, cols: columns })
        .params(params.block())
        .flops(pairs * heads * (2 * products * width + 4))
        .read("qkv", qkv);
    op.turns = turns;
    if let Some(lengths) = lengths {
        tensors.expect_len(lengths, batch)?;
        op = op.read("lengths", lengths);
    }
    Ok((op, [rows, columns]))
}

/// What each time takes of the times that it looks at: `softmax(q k^T / sqrt(W)) v`, head by head.
pub fn forward(
    tensors: &TensorTable,
    label: impl Into<String>,
    layer: Attention,
    of: Forward,
) -> Result<Op, PlanError> {
    let (op, [rows, _]) = op(tensors, label.into(), (layer, Pass::Forward), [of.qkv, of.result], of.lengths)?;
    tensors.expect(&op.label, of.sums, &[rows, layer.heads as usize])?;
    Ok(op.write("result", of.result).write("sums", of.sums))
}

/// The gradients of queries, keys and values: first those of the queries, then the others.
pub fn back(tensors: &TensorTable, label: impl Into<String>, layer: Attention, of: Back) -> Result<Op, PlanError> {
    let (op, [rows, columns]) = op(tensors, label.into(), (layer, Pass::Backward), [of.qkv, of.result], of.lengths)?;
    let heads = layer.heads as usize;
    let shapes: [(TensorId, &[usize]); 4] = [
        (of.d_result, &[rows, columns]),
        (of.sums, &[rows, heads]),
        (of.products, &[rows, heads]),
        (of.d_qkv, &[rows, 3 * columns]),
    ];
    expect_all(tensors, &op.label, &shapes)?;
    Ok(op
        .read("d_result", of.d_result)
        .read("result", of.result)
        .read("sums", of.sums)
        .update("d_qkv", of.d_qkv)
        .update("products", of.products))
}
