//! Group norm and its gradient.

use super::{expect_all, index_fits, params};
use crate::plan::{Grid, Kernel, Norm, Op, Pass, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `norm.wgsl`.
    pub struct NormParams {
        /// Groups of all images.
        count: u32,
    }
}

/// How many groups there are in `(B P, C)`.
fn count(tensors: &TensorTable, label: &str, x: TensorId, norm: Norm) -> Result<usize, PlanError> {
    let rows = tensors.matrix(label, x)?.0;
    let [pixels, channels] = [norm.pixels, norm.channels].map(|n| n as usize);
    tensors.expect(label, x, &[rows / pixels * pixels, channels])?;
    index_fits(label, rows * channels)?;
    Ok(norm.count(rows))
}

/// `y (B P, C)` and `scale (B G)` of `x (B P, C)`.
pub fn normalise(
    tensors: &TensorTable,
    label: impl Into<String>,
    [x, y, scale]: [TensorId; 3],
    norm: Norm,
) -> Result<Op, PlanError> {
    let label = label.into();
    let groups = count(tensors, &label, x, norm)?;
    expect_all(tensors, &label, &[(y, &tensors.get(x).shape), (scale, &[groups])])?;
    let params = NormParams { count: index_fits(&label, groups)? };
    Ok(Op::new(label, Kernel::Norm(norm, Pass::Forward), Grid::Rows(groups))
        .read("x", x)
        .write("y", y)
        .write("scale", scale)
        .params(params.block())
        .flops(6 * tensors.get(x).len()))
}

/// `d_x (B P, C)` of `d_y (B P, C)`, with the results of [`normalise`].
pub fn back(
    tensors: &TensorTable,
    label: impl Into<String>,
    [d_y, normalised, scales, d_x]: [TensorId; 4],
    norm: Norm,
) -> Result<Op, PlanError> {
    let label = label.into();
    let groups = count(tensors, &label, d_y, norm)?;
    let shape = tensors.get(d_y).shape.clone();
    expect_all(tensors, &label, &[(normalised, &shape), (scales, &[groups]), (d_x, &shape)])?;
    let params = NormParams { count: index_fits(&label, groups)? };
    Ok(Op::new(label, Kernel::Norm(norm, Pass::Backward), Grid::Rows(groups))
        .read("d_y", d_y)
        .read("normalised", normalised)
        .read("scales", scales)
        .write("d_x", d_x)
        .params(params.block())
        .flops(8 * tensors.get(d_y).len()))
}
