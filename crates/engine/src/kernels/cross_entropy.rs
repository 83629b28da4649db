//! Cross-entropies of tokens, and their gradient.
//!
//! A token is a whole number in a float; a number below 0 is no token, and its row counts for nothing.

use super::{index_fits, params};
use crate::plan::{CrossEntropy, Dtype, Grid, Kernel, Op, Pass, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `cross_entropy.wgsl`.
    pub struct CrossEntropyParams {
        /// Rows.
        rows: u32,
        /// Columns: the tokens that there are.
        cols: u32,
    }
}

/// Columns from which a row has a workgroup of its own.
pub const WIDE: usize = 128;

/// Checks that a tensor has one float for each row, as a vector or a matrix.
fn expect_a_row(tensors: &TensorTable, label: &str, id: TensorId, rows: usize) -> Result<(), PlanError> {
    if tensors.get(id).len() != rows {
        tensors.expect_shape(label, id, &[rows])?;
    }
    tensors.expect_dtype(label, id, Dtype::F32)
}

/// The gradient of each loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossGradient {
    /// `(R)`: a number a row.
    Each(TensorId),
    /// One number for all rows.
    Constant(f32),
}

/// The op of a pass over `x (R, V)`, with two `sums` a row.
fn op(
    tensors: &TensorTable,
    label: String,
    kernel: impl FnOnce(bool) -> CrossEntropy,
    [x, ids, sums]: [TensorId; 3],
) -> Result<Op, PlanError> {
    let (rows, cols) = tensors.matrix(&label, x)?;
    tensors.expect(&label, x, &[rows, cols])?;
    expect_a_row(tensors, &label, ids, rows)?;
    tensors.expect(&label, sums, &[rows, 2])?;
    index_fits(&label, rows * cols)?;
    let params = CrossEntropyParams { rows: index_fits(&label, rows)?, cols: index_fits(&label, cols)? };
    let kernel = kernel(cols >= WIDE);
    let grid = match kernel {
        CrossEntropy { wide: true, .. } => Grid::Rows(rows),
        CrossEntropy { pass: Pass::Forward, .. } => Grid::Elements(rows),
        CrossEntropy { pass: Pass::Backward, .. } => Grid::Elements(rows * cols),
    };
    Ok(Op::new(label, Kernel::CrossEntropy(kernel), grid)
        .read("x", x)
        .read("ids", ids)
        .params(params.block())
        .flops(4 * rows * cols))
}

/// `loss (R)` and `sums (R, 2)` of the logits `x (R, V)` and R tokens: the loss is the logarithm of the sum of the exponentials less
/// the token's logit. The sums are the greatest logit and the logarithm less it. All are 0 where there is no token.
pub fn cross_entropy(
    tensors: &TensorTable,
    label: impl Into<String>,
    [x, ids, loss, sums]: [TensorId; 4],
) -> Result<Op, PlanError> {
    let op = op(tensors, label.into(), |wide| CrossEntropy::new(Pass::Forward, wide, None), [x, ids, sums])?;
    expect_a_row(tensors, &op.label, loss, tensors.get(x).shape[0])?;
    Ok(op.write("loss", loss).write("sums", sums))
}

/// `d_x (R, V)` of the gradient of the losses, with what [`cross_entropy`] read and its second result.
pub fn back(
    tensors: &TensorTable,
    label: impl Into<String>,
    d_loss: LossGradient,
    [x, ids, kept, d_x]: [TensorId; 4],
) -> Result<Op, PlanError> {
    let label = label.into();
    tensors.expect(&label, d_x, &tensors.get(x).shape)?;
    let d = if let LossGradient::Constant(d) = d_loss { Some(d) } else { None };
    let mut op = op(tensors, label, |wide| CrossEntropy::new(Pass::Backward, wide, d), [x, ids, kept])?;
    if let LossGradient::Each(d_loss) = d_loss {
        expect_a_row(tensors, &op.label, d_loss, tensors.get(x).shape[0])?;
        op = op.read("d_loss", d_loss);
    }
    Ok(op.read("kept", kept).write("d_x", d_x))
}
