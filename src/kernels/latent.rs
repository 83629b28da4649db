//! The latent variable: draws from its prior. Reparameterisation and KL ride along with the products before and behind
//! them ([`super::dense::Ending`]).

use super::case::{Case, Tolerance};
use super::{index_fits, params};
use crate::plan::{Family, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `latent.wgsl`.
    pub struct LatentParams {
        /// Draws.
        count: u32,
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

/// `z (B, Z)` from the prior.
pub fn prior(tensors: &TensorTable, z: TensorId) -> Result<Op, PlanError> {
    let label = "prior";
    let (batch, latent) = tensors.matrix(label, z)?;
    let params = LatentParams { count: index_fits(label, batch * latent)? };
    Ok(Op::new(label, Kernel::new(Family::Latent, "prior"), Grid::Elements(batch * latent))
        .write("z", z)
        .params(params.block())
        .flops(batch * latent * 20))
}

/// A draw is a few roundings away from the oracle's: 5.8 at most, to four units in the last place.
pub(super) const DRAWS: Tolerance = Tolerance::Relative(4e-7);

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    // The last has enough draws to meet every branch of the generator's logarithm and cosine.
    [(1, 1), (3, 7), (64, 8), (65, 9), (13, 131), (997, 101)]
        .into_iter()
        .map(|(batch, latent)| {
            let step = StepScalars { noise_key: [41, 42], ..StepScalars::default() };
            let mut case = Case::new(format!("latent/prior {batch}x{latent}"), step);
            let z = case.output("z", &[batch, latent], DRAWS);
            case.op(|t| prior(t, z));
            case
        })
        .collect()
}
