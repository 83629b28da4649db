//! Group norm and its gradient.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, Norm, Op, PlanError, StepScalars, TensorId, TensorTable, Way};

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
    Ok(Op::new(label, Kernel::Norm(norm, Way::Forward), Grid::Rows(groups))
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
    Ok(Op::new(label, Kernel::Norm(norm, Way::Back), Grid::Rows(groups))
        .read("d_y", d_y)
        .read("normalised", normalised)
        .read("scales", scales)
        .write("d_x", d_x)
        .params(params.block())
        .flops(8 * tensors.get(d_y).len()))
}

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(1e-5);
    for (images, pixels, channels, groups) in [
        (1, 1, 5, 1),
        (3, 1, 12, 3),
        (65, 1, 33, 1),
        (2, 9, 4, 4),
        (5, 15, 6, 2),
        (2, 49, 8, 1),
        (7, 20, 24, 8),
        (128, 196, 32, 8),
    ] {
        let norm = Norm { pixels, channels, groups };
        let mut case = Case::new(format!("norm/{images} of {pixels}x{channels} in {groups}"), StepScalars::default());
        let shape = [images * pixels as usize, channels as usize];
        let x = case.input("x", &shape, Dtype::F32, Fill::Heavy { common: 1.0, rare: 5.0 });
        let d_y = case.input("d_y", &shape, Dtype::F32, Fill::Spread(1.0));
        let y = case.output("y", &shape, tight);
        let scale = case.output("scale", &[images * groups as usize], tight);
        let d_x = case.output("d_x", &shape, tight);
        case.op(|t| normalise(t, "normalise", [x, y, scale], norm));
        case.op(|t| back(t, "normalise back", [d_y, y, scale, d_x], norm));
        all.push(case.timed(images == 128));
    }
    // A group that is the same everywhere: what is added to the variance is all there is.
    let norm = Norm { pixels: 6, channels: 2, groups: 1 };
    let mut case = Case::new("norm/a constant", StepScalars::default());
    let x = case.input("x", &[6, 2], Dtype::F32, Fill::Among(&[0.25]));
    let y = case.output("y", &[6, 2], tight);
    let scale = case.output("scale", &[1], tight);
    case.op(|t| normalise(t, "normalise", [x, y, scale], norm));
    all.push(case);
    all
}
