//! Reconstruction losses and their gradients, in one pass over the decoder's output.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Family, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `likelihood.wgsl`.
    pub struct LikelihoodParams {
        /// Rows.
        batch: u32,
        /// Columns.
        width: u32,
        /// `1 / sigma^2`, for a fixed sigma.
        inv_var: f32,
        /// `ln(sigma sqrt(2 pi))`, or 0 for a plain squared error.
        log_norm: f32,
    }
}

/// The tensors every likelihood works on.
#[derive(Debug, Clone, Copy)]
pub struct Tensors {
    /// `(B, D)`: what the decoder gave.
    pub output: TensorId,
    /// `(B, D)`: what it should have given.
    pub x: TensorId,
    /// `(B)`: the loss of each row.
    pub recon: TensorId,
    /// `(B, D)`: the gradient of the mean loss.
    pub d_output: TensorId,
}

fn op(
    tensors: &TensorTable,
    entry: &'static str,
    t: Tensors,
    inv_var: f32,
    log_norm: f32,
    flops_each: usize,
) -> Result<Op, PlanError> {
    let (batch, width) = tensors.matrix(entry, t.output)?;
    expect_all(tensors, entry, &[(t.x, &[batch, width]), (t.recon, &[batch]), (t.d_output, &[batch, width])])?;
    index_fits(entry, batch * width)?;
    let params =
        LikelihoodParams { batch: index_fits(entry, batch)?, width: index_fits(entry, width)?, inv_var, log_norm };
    Ok(Op::new(entry, Kernel::new(Family::Likelihood, entry), Grid::Rows(batch))
        .read("output", t.output)
        .read("x", t.x)
        .write("recon", t.recon)
        .write("d_output", t.d_output)
        .params(params.block())
        .flops(batch * width * flops_each))
}

/// Cross-entropy on logits.
pub fn bernoulli(tensors: &TensorTable, t: Tensors) -> Result<Op, PlanError> {
    op(tensors, "bernoulli", t, 1.0, 0.0, 14)
}

/// Normal with fixed sigma; without its constant where `normalised` is false.
pub fn gaussian(tensors: &TensorTable, t: Tensors, sigma: f32, normalised: bool) -> Result<Op, PlanError> {
    let log_norm = if normalised { sigma.ln() + 0.5 * (2.0 * std::f32::consts::PI).ln() } else { 0.0 };
    op(tensors, "gaussian", t, 1.0 / (sigma * sigma), log_norm, 6)
}

/// Normal with one learned sigma: `log_sigma (1)`, `d_log_sigma (B)`.
pub fn gaussian_learned(
    tensors: &TensorTable,
    t: Tensors,
    log_sigma: TensorId,
    d_log_sigma: TensorId,
) -> Result<Op, PlanError> {
    let batch = tensors.get(t.recon).len();
    expect_all(tensors, "gaussian_learned", &[(log_sigma, &[1]), (d_log_sigma, &[batch])])?;
    Ok(op(tensors, "gaussian_learned", t, 1.0, 0.0, 5)?.read("log_sigma", log_sigma).write("d_log_sigma", d_log_sigma))
}

/// `mean (B, D)` of a bernoulli decoder.
pub fn bernoulli_mean(tensors: &TensorTable, output: TensorId, mean: TensorId) -> Result<Op, PlanError> {
    let label = "bernoulli mean";
    let (batch, width) = tensors.matrix(label, output)?;
    tensors.expect(label, mean, &[batch, width])?;
    let params = LikelihoodParams {
        batch: index_fits(label, batch)?,
        width: index_fits(label, width)?,
        inv_var: 1.0,
        log_norm: 0.0,
    };
    Ok(Op::new(label, Kernel::new(Family::Likelihood, "bernoulli_mean"), Grid::Elements(batch * width))
        .read("output", output)
        .write("mean", mean)
        .params(params.block())
        .flops(batch * width * 4))
}

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let step = StepScalars::default();
    for (batch, width) in [(1, 1), (3, 5), (8, 64), (9, 65), (17, 129), (128, 784)] {
        for entry in ["bernoulli", "gaussian", "mse", "gaussian_learned"] {
            // Small ones are also gradient-checked; there the logits stay where f64 differences are exact.
            let small = batch * width <= 15;
            let spread = if small { Fill::Spread(3.0) } else { Fill::Heavy { common: 6.0, rare: 120.0 } };
            let mut case = Case::new(format!("likelihood/{entry} {batch}x{width}"), step);
            let output = case.input("output", &[batch, width], Dtype::F32, spread);
            let x = case.input("x", &[batch, width], Dtype::F32, Fill::Levels);
            let recon = case.output("recon", &[batch], Tolerance::Relative(1e-5));
            let d_output = case.output("d_output", &[batch, width], Tolerance::Relative(2e-6));
            let t = Tensors { output, x, recon, d_output };
            match entry {
                "bernoulli" => case.op(|table| bernoulli(table, t)),
                "gaussian" => case.op(|table| gaussian(table, t, 0.3, true)),
                "mse" => case.op(|table| gaussian(table, t, 0.5_f32.sqrt(), false)),
                _ => {
                    let log_sigma = case.input("log_sigma", &[1], Dtype::F32, Fill::Spread(0.5));
                    let rows = case.output("d_log_sigma", &[batch], Tolerance::Relative(1e-5));
                    case.op(|table| gaussian_learned(table, t, log_sigma, rows));
                    if batch == 1 {
                        case.gradient(log_sigma, rows);
                    }
                }
            }
            if small {
                case.loss_scaled(recon, 1.0 / batch as f64);
                case.gradient(output, d_output);
            }
            all.push(case.timed(batch == 128));
        }
        let mut case = Case::new(format!("likelihood/bernoulli_mean {batch}x{width}"), step);
        let spread = Fill::Heavy { common: 6.0, rare: 120.0 };
        let output = case.input("output", &[batch, width], Dtype::F32, spread);
        let mean = case.output("mean", &[batch, width], Tolerance::Relative(2e-6));
        case.op(|t| bernoulli_mean(t, output, mean));
        all.push(case);
    }
    // One element a row: nothing hides the error of log1p.
    let mut case = Case::new("likelihood/bernoulli single 200x1", step);
    let output = case.input("output", &[200, 1], Dtype::F32, Fill::Spread(4.0));
    let x = case.input("x", &[200, 1], Dtype::F32, Fill::Among(&[0.0, 1.0]));
    let recon = case.output("recon", &[200], Tolerance::Relative(5e-7));
    let d_output = case.output("d_output", &[200, 1], Tolerance::Relative(5e-7));
    case.op(|t| bernoulli(t, Tensors { output, x, recon, d_output }));
    all.push(case);

    // Logits that leave nothing but log1p(exp(-l)): 1 + exp(-20) is 1 in f32, and its logarithm must not be 0.
    let mut case = Case::new("likelihood/bernoulli certain 4x1", step);
    let output = case.input("output", &[4, 1], Dtype::F32, Fill::Among(&[18.0, 20.0, 22.0]));
    let x = case.input("x", &[4, 1], Dtype::F32, Fill::Among(&[1.0]));
    let recon = case.output("recon", &[4], Tolerance::Relative(1e-5));
    // Of 1 - sigmoid(20) = 2e-9 nothing is left in f32, in PyTorch neither.
    let d_output = case.output("d_output", &[4, 1], Tolerance::Relative(1.0));
    case.op(|t| bernoulli(t, Tensors { output, x, recon, d_output }));
    all.push(case);
    all
}
