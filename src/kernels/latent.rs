//! The latent variable: reparameterisation, its KL divergence, and their gradients.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Family, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `latent.wgsl`.
    pub struct LatentParams {
        /// Rows.
        batch: u32,
        /// Latent dimensions.
        latent: u32,
    }
}

/// `logvar` is clamped to this range, where `exp` neither vanishes nor overflows.
pub const LOGVAR_RANGE: (f32, f32) = (-30.0, 20.0);

/// Where the noise of the reparameterisation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Noise {
    /// There is none: `z = mu`.
    Off = 0,
    /// Drawn on the device, and kept for the backward pass.
    Drawn = 1,
    /// What the tensor already holds.
    Given = 2,
}

fn block(label: &str, batch: usize, latent: usize) -> Result<crate::plan::ParamsBlock, PlanError> {
    index_fits(label, 2 * batch * latent)?;
    Ok(LatentParams { batch: index_fits(label, batch)?, latent: index_fits(label, latent)? }.block())
}

/// `heads (B, 2Z)` to `z (B, Z)` and `kl (B)`.
pub fn sample(
    tensors: &TensorTable,
    heads: TensorId,
    noise: TensorId,
    z: TensorId,
    kl: TensorId,
    mode: Noise,
) -> Result<Op, PlanError> {
    let label = "sample";
    let (batch, latent) = tensors.matrix(label, z)?;
    expect_all(tensors, label, &[(heads, &[batch, 2 * latent]), (noise, &[batch, latent]), (kl, &[batch])])?;
    Ok(Op::new(label, Kernel::new(Family::Latent, "sample").with("NOISE", mode as u32), Grid::Rows(batch))
        .read("heads", heads)
        .update("noise", noise)
        .write("z", z)
        .write("kl", kl)
        .params(block(label, batch, latent)?)
        .flops(batch * latent * 10))
}

/// `d_z (B, Z)` and the KL term to `d_heads (B, 2Z)`.
pub fn sample_backward(
    tensors: &TensorTable,
    d_z: TensorId,
    heads: TensorId,
    drawn: TensorId,
    d_heads: TensorId,
) -> Result<Op, PlanError> {
    let label = "sample backward";
    let (batch, latent) = tensors.matrix(label, d_z)?;
    expect_all(
        tensors,
        label,
        &[(heads, &[batch, 2 * latent]), (drawn, &[batch, latent]), (d_heads, &[batch, 2 * latent])],
    )?;
    Ok(Op::new(label, Kernel::new(Family::Latent, "sample_backward"), Grid::Elements(batch * latent))
        .read("d_z", d_z)
        .read("heads", heads)
        .read("drawn", drawn)
        .write("d_heads", d_heads)
        .params(block(label, batch, latent)?)
        .flops(batch * latent * 10))
}

/// `z (B, Z)` from the prior.
pub fn prior(tensors: &TensorTable, z: TensorId) -> Result<Op, PlanError> {
    let label = "prior";
    let (batch, latent) = tensors.matrix(label, z)?;
    Ok(Op::new(label, Kernel::new(Family::Latent, "prior"), Grid::Elements(batch * latent))
        .write("z", z)
        .params(block(label, batch, latent)?)
        .flops(batch * latent * 20))
}

// A draw is a few roundings away from the oracle's: 5.8 at most, to four units in the last place.
const DRAWS: Tolerance = Tolerance::Relative(4e-7);

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (batch, latent) in [(1, 1), (3, 7), (64, 8), (65, 9), (13, 131), (128, 20)] {
        let step = StepScalars { noise_key: [41, 42], beta: 0.7, ..StepScalars::default() };
        for mode in [Noise::Off, Noise::Drawn, Noise::Given] {
            let mut case = Case::new(format!("latent/sample {batch}x{latent} {mode:?}"), step);
            // Some values of logvar lie beyond the clamp.
            let heads = case.input("heads", &[batch, 2 * latent], Dtype::F32, Fill::Heavy { common: 2.0, rare: 40.0 });
            let noise = match mode {
                Noise::Drawn => case.output("noise", &[batch, latent], DRAWS),
                _ => case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0)),
            };
            // exp of numbers up to 20 multiplies their rounding.
            let z = case.output("z", &[batch, latent], Tolerance::Relative(2e-5));
            let kl = case.output("kl", &[batch], Tolerance::Relative(2e-5));
            case.op(|t| sample(t, heads, noise, z, kl, mode));
            all.push(case.timed(batch == 128 && mode == Noise::Drawn));
        }
        let mut case = Case::new(format!("latent/sample_backward {batch}x{latent}"), step);
        let heads = case.input("heads", &[batch, 2 * latent], Dtype::F32, Fill::Heavy { common: 2.0, rare: 40.0 });
        let d_z = case.input("d_z", &[batch, latent], Dtype::F32, Fill::Spread(1.0));
        let drawn = case.input("drawn", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
        let d_heads = case.output("d_heads", &[batch, 2 * latent], Tolerance::Relative(2e-5));
        case.op(|t| sample_backward(t, d_z, heads, drawn, d_heads));
        all.push(case.timed(batch == 128));

        let mut case = Case::new(format!("latent/prior {batch}x{latent}"), step);
        let z = case.output("z", &[batch, latent], DRAWS);
        case.op(|t| prior(t, z));
        all.push(case);
    }
    // Enough draws to meet every branch of the generator's logarithm and cosine.
    let mut case = Case::new("latent/prior 997x101", StepScalars { noise_key: [5, 6], ..StepScalars::default() });
    let z = case.output("z", &[997, 101], DRAWS);
    case.op(|t| prior(t, z));
    all.push(case);

    // The clamp's ends belong to it: the gradient there is not yet 0.
    let mut case =
        Case::new("latent/sample_backward at the clamp", StepScalars { beta: 0.7, ..StepScalars::default() });
    let heads = case.input("heads", &[8, 10], Dtype::F32, Fill::Among(&[-31.0, -30.0, 0.0, 20.0, 21.0]));
    let d_z = case.input("d_z", &[8, 5], Dtype::F32, Fill::Spread(1.0));
    let drawn = case.input("drawn", &[8, 5], Dtype::F32, Fill::Spread(2.0));
    let d_heads = case.output("d_heads", &[8, 10], Tolerance::Relative(2e-5));
    case.op(|t| sample_backward(t, d_z, heads, drawn, d_heads));
    all.push(case);

    // d/d heads of sum(z * d_z) + beta / B sum(kl), noise given.
    for (batch, latent) in [(2, 3), (5, 1)] {
        let step = StepScalars { beta: 0.7, ..StepScalars::default() };
        let mut case = Case::new(format!("latent/gradient {batch}x{latent}"), step);
        let heads = case.input("heads", &[batch, 2 * latent], Dtype::F32, Fill::Spread(1.5));
        let noise = case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
        let d_z = case.input("d_z", &[batch, latent], Dtype::F32, Fill::Spread(1.0));
        let z = case.output("z", &[batch, latent], Tolerance::Relative(2e-6));
        let kl = case.output("kl", &[batch], Tolerance::Relative(2e-6));
        let d_heads = case.output("d_heads", &[batch, 2 * latent], Tolerance::Relative(2e-6));
        case.op(|t| sample(t, heads, noise, z, kl, Noise::Given));
        case.op(|t| sample_backward(t, d_z, heads, noise, d_heads));
        case.loss_weighted(z, d_z);
        case.loss_scaled(kl, 0.7 / batch as f64);
        case.gradient(heads, d_heads);
        all.push(case);
    }
    all
}
