//! Logarithms of the probabilities of a category's words, and their gradient.

use super::{expect_all, index_fits, params};
use crate::plan::{Grid, Kernel, Op, Pass, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `softmax.wgsl`.
    pub struct SoftmaxParams {
        /// Groups of all rows.
        count: u32,
        /// Columns.
        cols: u32,
        /// Groups of a row.
        groups: u32,
    }
}

/// The op of a way, with what both have: `groups (2, G)` and the shape of `of (B, D)`.
fn op(
    tensors: &TensorTable,
    label: String,
    pass: Pass,
    groups: TensorId,
    of: TensorId,
    others: &[TensorId],
) -> Result<Op, PlanError> {
    let (rows, cols) = tensors.matrix(&label, of)?;
    let (_, count) = tensors.matrix(&label, groups)?;
    tensors.expect(&label, groups, &[2, count])?;
    let shape = [rows, cols];
    let others: Vec<(TensorId, &[usize])> = others.iter().map(|other| (*other, &shape[..])).collect();
    expect_all(tensors, &label, &others)?;
    let params = SoftmaxParams {
        count: index_fits(&label, rows * count)?,
        cols: index_fits(&label, cols)?,
        groups: index_fits(&label, count)?,
    };
    index_fits(&label, rows * cols)?;
    Ok(Op::new(label, Kernel::Softmax(pass), Grid::Elements(rows * count))
        .read("groups", groups)
        .params(params.block())
        .flops(6 * rows * cols))
}

/// `y (B, D)`: `x (B, D)` less the logarithm of the sum of the exponentials of its group; unchanged where there is none.
pub fn log_softmax(
    tensors: &TensorTable,
    label: impl Into<String>,
    [groups, x, y]: [TensorId; 3],
) -> Result<Op, PlanError> {
    Ok(op(tensors, label.into(), Pass::Forward, groups, x, &[y])?.read("x", x).write("y", y))
}

/// `d_x (B, D)` of `d_y (B, D)`, with the result of [`log_softmax`].
pub fn back(
    tensors: &TensorTable,
    label: impl Into<String>,
    [groups, d_y, log_p, d_x]: [TensorId; 4],
) -> Result<Op, PlanError> {
    let op = op(tensors, label.into(), Pass::Backward, groups, d_y, &[log_p, d_x])?;
    Ok(op.read("d_y", d_y).read("log_p", log_p).write("d_x", d_x))
}

/// `groups (2, G)` of columns of which these are in groups, in order.
pub fn groups(width: usize, spans: impl IntoIterator<Item = std::ops::Range<usize>>) -> Vec<f32> {
    let (mut first, mut count, mut next) = (Vec::new(), Vec::new(), 0);
    for span in spans.into_iter().chain(std::iter::once(width..width)) {
        for column in next..span.start {
            first.push(column as f32);
            count.push(0.0);
        }
        if !span.is_empty() {
            first.push(span.start as f32);
            count.push(span.len() as f32);
        }
        next = span.end;
    }
    [first, count].concat()
}
