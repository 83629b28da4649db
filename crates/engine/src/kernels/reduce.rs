//! Sums in a fixed order.

use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, Op, PlanError, Reduce, TensorId, TensorTable};

params! {
    /// `Params` of `reduce.wgsl` and `reduce_report.wgsl.jinja`.
    pub struct ReduceParams {
        /// Values, rows of a matrix, or partials.
        rows: u32,
        /// Columns of a matrix.
        cols: u32,
        /// Largest norm, for `clip`.
        max_norm: f32,
        /// Metrics of a step.
        width: u32,
        /// The first of them that is written.
        column: u32,
    }
}

params! {
    /// `Params` of `reduce_rows.wgsl.jinja`.
    pub struct RowsParams {
        /// Rows of every matrix.
        rows: u32,
        /// Columns of the first.
        cols0: u32,
        /// Columns of the second.
        cols1: u32,
        /// Columns of the third.
        cols2: u32,
    }
}

/// Largest number of matrices whose rows one op sums.
pub const MATRICES: usize = 3;
/// The names of the bindings of these matrices.
pub const MATRIX: [&str; MATRICES] = ["matrix0", "matrix1", "matrix2"];
/// The names of their sums.
pub const TOTAL: [&str; MATRICES] = ["total0", "total1", "total2"];

/// `total (R)` of the rows of each `matrix (R, C)`.
pub fn rows(
    tensors: &TensorTable,
    label: impl Into<String>,
    matrices: &[(TensorId, TensorId)],
) -> Result<Op, PlanError> {
    let label = label.into();
    let mut params = RowsParams { rows: 0, cols0: 0, cols1: 0, cols2: 0 };
    let mut elements = 0;
    let mut count = 0;
    for ((matrix, total), cols) in matrices.iter().zip([&mut params.cols0, &mut params.cols1, &mut params.cols2]) {
        let shape = tensors.matrix(&label, *matrix)?;
        count = tensors.get(*total).len();
        tensors.expect(&label, *matrix, &[count, shape.1])?;
        tensors.expect(&label, *total, &[count])?;
        *cols = index_fits(&label, shape.1)?;
        elements += count * shape.1;
    }
    params.rows = index_fits(&label, count)?;
    index_fits(&label, elements)?;
    let mut op = Op::new(label, Kernel::Reduce(Reduce::Rows(matrices.len())), Grid::Rows(count));
    for ((matrix, total), (matrix_name, total_name)) in matrices.iter().zip(MATRIX.iter().zip(TOTAL)) {
        op = op.read(matrix_name, *matrix).write(total_name, *total);
    }
    Ok(op.params(params.block()).flops(elements))
}

/// Stripes that `squares` splits an arena into.
pub const STRIPES: usize = 128;

const NONE: ReduceParams = ReduceParams { rows: 0, cols: 0, max_norm: 0.0, width: 0, column: 0 };

fn block(label: &str, rows: usize, cols: usize) -> Result<crate::plan::ParamsBlock, PlanError> {
    index_fits(label, rows * cols)?;
    Ok(ReduceParams { rows: index_fits(label, rows)?, cols: index_fits(label, cols)?, ..NONE }.block())
}

/// A column of the metrics ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricColumn {
    /// `(slots, M)`
    pub ring: TensorId,
    /// The place of the metric's column among the `M`.
    pub column: u32,
}

impl MetricColumn {
    /// `M`, if so many columns from this one on are within the ring.
    pub(super) fn width(&self, tensors: &TensorTable, label: &str, count: usize) -> Result<u32, PlanError> {
        let (slots, width) = tensors.matrix(label, self.ring)?;
        let needed = self.column as usize + count;
        tensors.expect(label, self.ring, &[slots, width.max(needed)])?;
        index_fits(label, width)
    }
}

/// Names of the bindings of what a report takes the means of.
pub const REPORTED: [&str; 6] = ["values0", "values1", "values2", "values3", "values4", "values5"];

/// The step's means of some `values (B)` into its slot of the metrics `(slots, M)`, from a column on.
pub fn report(tensors: &TensorTable, values: &[TensorId], to: MetricColumn) -> Result<Op, PlanError> {
    let label = "report";
    if values.is_empty() || values.len() > REPORTED.len() {
        return Err(PlanError::Metrics { found: values.len(), most: REPORTED.len() });
    }
    let batch = tensors.get(values[0]).len();
    let width = to.width(tensors, label, values.len())?;
    let mut op = Op::new(label, Kernel::Reduce(Reduce::Report(values.len())), Grid::Single);
    for (name, values) in REPORTED.iter().zip(values) {
        tensors.expect(label, *values, &[batch])?;
        op = op.read(name, *values);
    }
    let params = ReduceParams { rows: index_fits(label, batch)?, width, column: to.column, ..NONE };
    let touched = values.len();
    Ok(op.update("metrics", to.ring).touching(touched).params(params.block()).flops(touched * batch))
}

/// `total (1)`: the sum of `values (n)`.
pub fn sum(
    tensors: &TensorTable,
    label: impl Into<String>,
    values: TensorId,
    total: TensorId,
) -> Result<Op, PlanError> {
    let label = label.into();
    let n = tensors.get(values).len();
    tensors.expect_dtype(&label, values, Dtype::F32)?;
    tensors.expect(&label, total, &[1])?;
    let params = block(&label, n, 1)?;
    Ok(Op::new(label, Kernel::Reduce(Reduce::Sum), Grid::Single)
        .read("values", values)
        .write("total", total)
        .params(params)
        .flops(n))
}

/// Rows from which a matrix' columns are summed in stripes. The gradients of biases have some hundred in a dense model, and
/// a hundred thousand in a convolutional one.
pub const TALL: usize = 2048;

/// Whether the columns of an op's matrix are summed in two passes.
pub(crate) fn is_tall(op: &Op) -> bool {
    ReduceParams::of(op).rows as usize > TALL
}

/// `totals (N)`: the column sums of `matrix (M, N)`.
pub fn columns(
    tensors: &TensorTable,
    label: impl Into<String>,
    matrix: TensorId,
    totals: TensorId,
) -> Result<Op, PlanError> {
    let label = label.into();
    let (rows, cols) = tensors.matrix(&label, matrix)?;
    tensors.expect(&label, totals, &[cols])?;
    let params = block(&label, rows, cols)?;
    Ok(Op::new(label, Kernel::Reduce(Reduce::Columns), Grid::Elements(cols))
        .read("values", matrix)
        .write("total", totals)
        .params(params)
        .flops(rows * cols))
}

/// `partials (STRIPES)`: sums of squares over stripes of `values (n)`.
pub fn squares(tensors: &TensorTable, values: TensorId, partials: TensorId) -> Result<Op, PlanError> {
    let label = "gradient norm";
    let n = tensors.get(values).len();
    expect_all(tensors, label, &[(values, &[n]), (partials, &[STRIPES])])?;
    Ok(Op::new(label, Kernel::Reduce(Reduce::Squares), Grid::Rows(STRIPES))
        .read("values", values)
        .write("total", partials)
        .params(block(label, n, 1)?)
        .flops(2 * n))
}

/// `scale (1)`: the factor that reduces the gradient's norm to `max_norm`, from the partial sums of its squares.
pub fn clip(
    tensors: &TensorTable,
    partials: TensorId,
    scale: TensorId,
    norm: MetricColumn,
    max_norm: f32,
) -> Result<Op, PlanError> {
    let label = "clip";
    let n = tensors.get(partials).len();
    expect_all(tensors, label, &[(partials, &[n]), (scale, &[1])])?;
    let width = norm.width(tensors, label, 1)?;
    let params = ReduceParams { rows: index_fits(label, n)?, max_norm, width, column: norm.column, ..NONE };
    Ok(Op::new(label, Kernel::Reduce(Reduce::Clip), Grid::Single)
        .read("values", partials)
        .write("total", scale)
        .update("metrics", norm.ring)
        .touching(1)
        .params(params.block())
        .flops(n))
}
