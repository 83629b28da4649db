//! Logarithms of sums of exponentials over groups of rows, their gradient, and such a sum that values are added to one by one.

use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, LogSumExp, Op, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `log_sum_exp.wgsl`.
    pub struct LogSumExpParams {
        /// Results.
        count: u32,
        /// Columns.
        cols: u32,
        /// Rows of a group.
        each: u32,
    }
}

/// Where the greatest value of a row is in the state of [`stream`] before there is one: below all that exists.
pub const NOTHING: f32 = -3e38;

/// The op of a kernel for `x (R G, C)` and `sums (R, C)`.
fn op(
    tensors: &TensorTable,
    label: String,
    kernel: LogSumExp,
    x: TensorId,
    sums: TensorId,
    each: usize,
) -> Result<Op, PlanError> {
    let (rows, cols) = tensors.matrix(&label, x)?;
    let groups = rows / each.max(1);
    expect_all(tensors, &label, &[(x, &[groups * each, cols]), (sums, &[groups, cols])])?;
    index_fits(&label, rows * cols)?;
    let count = if kernel == LogSumExp::Forward { groups * cols } else { rows * cols };
    let params = LogSumExpParams {
        count: index_fits(&label, count)?,
        cols: index_fits(&label, cols)?,
        each: index_fits(&label, each)?,
    };
    Ok(Op::new(label, Kernel::LogSumExp(kernel), Grid::Elements(count)).params(params.block()).flops(4 * rows * cols))
}

/// `y (R, C)` of `x (R G, C)`: of each column, over groups of `each` rows.
pub fn log_sum_exp(
    tensors: &TensorTable,
    label: impl Into<String>,
    [x, y]: [TensorId; 2],
    each: usize,
) -> Result<Op, PlanError> {
    Ok(op(tensors, label.into(), LogSumExp::Forward, x, y, each)?.read("x", x).write("y", y))
}

/// `d_x (R G, C)` of `d_y (R, C)`, with `x` and the result of [`log_sum_exp`].
pub fn back(
    tensors: &TensorTable,
    label: impl Into<String>,
    [d_y, x, sums, d_x]: [TensorId; 4],
    each: usize,
) -> Result<Op, PlanError> {
    let label = label.into();
    let shapes = [x, sums].map(|tensor| tensors.get(tensor).shape.clone());
    expect_all(tensors, &label, &[(d_x, &shapes[0]), (d_y, &shapes[1])])?;
    let op = op(tensors, label, LogSumExp::Back, x, sums, each)?;
    Ok(op.read("x", x).read("d_y", d_y).read("sums", sums).write("d_x", d_x))
}

/// Adds a value of each row, `x (R)`, to a state `(R, 3)`: the greatest so far, and the sums of `exp(x - greatest)` and of its
/// square. It starts with [`NOTHING`] and zeros.
pub fn stream(tensors: &TensorTable, label: impl Into<String>, x: TensorId, state: TensorId) -> Result<Op, PlanError> {
    let label = label.into();
    let rows = tensors.get(x).len();
    tensors.expect_dtype(&label, x, Dtype::F32)?;
    tensors.expect(&label, state, &[rows, 3])?;
    let params = LogSumExpParams { count: index_fits(&label, rows)?, cols: 1, each: 1 };
    index_fits(&label, 3 * rows)?;
    Ok(Op::new(label, Kernel::LogSumExp(LogSumExp::Stream), Grid::Elements(rows))
        .read("x", x)
        .update("state", state)
        .params(params.block())
        .flops(10 * rows))
}
