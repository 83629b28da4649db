//! Reconstruction losses. Element by element they ride along with the decoder's last product
//! ([`super::dense::Ending::Likelihood`]); here are their kinds, the sums over rows, and what a decoder shows.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Family, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `likelihood.wgsl`.
    pub struct LikelihoodParams {
        /// Rows.
        batch: u32,
        /// Columns of the output.
        width: u32,
        /// Columns of `parts` that belong to the KL.
        kl_parts: u32,
        /// Columns of `parts`.
        parts: u32,
    }
}

/// The loss of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// Cross-entropy on logits.
    Bernoulli,
    /// Normal with a fixed sigma; without its constant where `normalised` is false.
    Gaussian {
        /// The standard deviation.
        sigma: f32,
        /// Whether the constant belongs to the loss.
        normalised: bool,
    },
    /// Normal with one learned sigma: the parts are squares, [`rows_learned`] makes losses of them.
    Square {
        /// `(1)`: its logarithm.
        log_sigma: TensorId,
    },
}

impl Term {
    /// The number the template knows it by.
    pub(super) fn number(self) -> u32 {
        match self {
            Term::Bernoulli => 1,
            Term::Gaussian { .. } => 2,
            Term::Square { .. } => 3,
        }
    }

    /// `inv_var` and `log_norm`.
    pub(super) fn constants(self) -> (f32, f32) {
        match self {
            Term::Gaussian { sigma, normalised } => {
                let log_norm = if normalised { sigma.ln() + 0.5 * (2.0 * std::f32::consts::PI).ln() } else { 0.0 };
                (1.0 / (sigma * sigma), log_norm)
            }
            _ => (1.0, 0.0),
        }
    }

    pub(super) fn flops(self) -> usize {
        match self {
            Term::Bernoulli => 14,
            Term::Gaussian { .. } => 6,
            Term::Square { .. } => 5,
        }
    }
}

fn rows_op(
    tensors: &TensorTable,
    entry: &'static str,
    parts: TensorId,
    [width, kl_parts]: [usize; 2],
    [recon, kl]: [TensorId; 2],
) -> Result<Op, PlanError> {
    let (batch, columns) = tensors.matrix(entry, parts)?;
    expect_all(tensors, entry, &[(recon, &[batch]), (kl, &[batch])])?;
    index_fits(entry, batch * columns)?;
    let params = LikelihoodParams {
        batch: index_fits(entry, batch)?,
        width: index_fits(entry, width)?,
        kl_parts: index_fits(entry, kl_parts)?,
        parts: index_fits(entry, columns)?,
    };
    Ok(Op::new("row losses", Kernel::new(Family::Likelihood, entry), Grid::Rows(batch))
        .read("parts", parts)
        .write("recon", recon)
        .write("kl", kl)
        .params(params.block())
        .flops(batch * columns))
}

/// `parts (B, P)` to `recon (B)` and, from its first `kl_parts` columns, `kl (B)`.
pub fn rows(
    tensors: &TensorTable,
    parts: TensorId,
    kl_parts: usize,
    recon: TensorId,
    kl: TensorId,
) -> Result<Op, PlanError> {
    rows_op(tensors, "rows", parts, [0, kl_parts], [recon, kl])
}

/// The same for [`Term::Square`] over `width` columns, with `log_sigma (1)` and `d_log_sigma (B)`.
pub fn rows_learned(
    tensors: &TensorTable,
    parts: TensorId,
    [width, kl_parts]: [usize; 2],
    [recon, kl]: [TensorId; 2],
    [log_sigma, d_log_sigma]: [TensorId; 2],
) -> Result<Op, PlanError> {
    let batch = tensors.get(recon).len();
    expect_all(tensors, "rows_learned", &[(log_sigma, &[1]), (d_log_sigma, &[batch])])?;
    let op = rows_op(tensors, "rows_learned", parts, [width, kl_parts], [recon, kl])?;
    Ok(op.read("log_sigma", log_sigma).write("d_log_sigma", d_log_sigma))
}

/// `mean (B, D)` of a bernoulli decoder.
pub fn bernoulli_mean(tensors: &TensorTable, output: TensorId, mean: TensorId) -> Result<Op, PlanError> {
    let label = "bernoulli mean";
    let (batch, width) = tensors.matrix(label, output)?;
    tensors.expect(label, mean, &[batch, width])?;
    let params =
        LikelihoodParams { batch: index_fits(label, batch)?, width: index_fits(label, width)?, kl_parts: 0, parts: 0 };
    index_fits(label, batch * width)?;
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
    for (batch, parts, kl_parts) in [(1, 1, 0), (3, 5, 2), (8, 64, 1), (9, 65, 64), (17, 129, 60), (128, 206, 10)] {
        let sums = Tolerance::Relative(1e-5);
        let mut case = Case::new(format!("likelihood/rows {batch}x{parts} KL {kl_parts}"), step);
        let from = case.input("parts", &[batch, parts], Dtype::F32, Fill::Levels);
        let recon = case.output("recon", &[batch], sums);
        let kl = case.output("kl", &[batch], sums);
        case.op(|t| rows(t, from, kl_parts, recon, kl));
        all.push(case.timed(batch == 128));

        let mut case = Case::new(format!("likelihood/rows_learned {batch}x{parts} KL {kl_parts}"), step);
        let from = case.input("parts", &[batch, parts], Dtype::F32, Fill::Levels);
        let log_sigma = case.input("log_sigma", &[1], Dtype::F32, Fill::Spread(0.5));
        let recon = case.output("recon", &[batch], sums);
        let kl = case.output("kl", &[batch], sums);
        let d_log_sigma = case.output("d_log_sigma", &[batch], sums);
        let width = 4 * (parts - kl_parts) - 1;
        case.op(|t| rows_learned(t, from, [width, kl_parts], [recon, kl], [log_sigma, d_log_sigma]));
        if batch == 1 {
            case.loss_scaled(recon, 1.0);
            case.gradient(log_sigma, d_log_sigma);
        }
        all.push(case);
    }
    for (batch, width) in [(1, 1), (3, 5), (9, 65), (17, 129)] {
        let mut case = Case::new(format!("likelihood/bernoulli_mean {batch}x{width}"), step);
        let spread = Fill::Heavy { common: 6.0, rare: 120.0 };
        let output = case.input("output", &[batch, width], Dtype::F32, spread);
        let mean = case.output("mean", &[batch, width], Tolerance::Relative(2e-6));
        case.op(|t| bernoulli_mean(t, output, mean));
        all.push(case);
    }
    all
}
