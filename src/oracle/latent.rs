//! The latent variable.

use super::rng::normal;
use super::{Call, Real};
use crate::kernels::latent::{LOGVAR_RANGE, Noise};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    let mut z = call.take("z");
    for (i, value) in z.iter_mut().enumerate() {
        *value = normal(call.step.noise_key, i as u32);
    }
    call.put("z", z);
}

fn bounded<T: Real>(logvar: T) -> T {
    let (low, high) = LOGVAR_RANGE;
    logvar.max(T::of(low.into())).min(T::of(high.into()))
}

/// The ending of the product that gives `heads (B, 2Z)`. Returns the KL's terms, by row and latent.
pub(super) fn sample<T: Real>(call: &mut Call<'_, T>, heads: &[T], latent: usize) -> Vec<T> {
    let mode = call.op.kernel.constant("noise");
    let half = T::of(0.5);
    let mut z = call.take("z");
    let mut noise = if mode == Noise::Off as u32 { vec![T::zero(); z.len()] } else { call.take("noise") };
    let mut terms = vec![T::zero(); z.len()];
    for (row, heads) in heads.chunks(2 * latent).enumerate() {
        for j in 0..latent {
            let i = row * latent + j;
            let (mu, logvar) = (heads[j], bounded(heads[latent + j]));
            if mode == Noise::Drawn as u32 {
                noise[i] = normal(call.step.noise_key, i as u32);
            }
            z[i] = mu + (half * logvar).exp() * noise[i];
            terms[i] = half * (mu * mu + logvar.exp() - T::one() - logvar);
        }
    }
    if mode != Noise::Off as u32 {
        call.put("noise", noise);
    }
    call.put("z", z);
    terms
}

/// The ending of the product that gives `d_z (B, Z)`: the gradient of `mu | logvar (B, 2Z)`.
pub(super) fn backward<T: Real>(call: &Call<'_, T>, d_z: &[T], latent: usize) -> Vec<T> {
    let weight = T::of(call.step.beta.into()) / T::of((d_z.len() / latent) as f64);
    let half = T::of(0.5);
    let (drawn, heads) = (call.read("drawn"), call.read("heads"));
    let mut d_heads = vec![T::zero(); 2 * d_z.len()];
    for i in 0..d_z.len() {
        let at_mu = i / latent * 2 * latent + i % latent;
        let (mu, logvar) = (heads[at_mu], heads[at_mu + latent]);
        d_heads[at_mu] = d_z[i] + weight * mu;
        if bounded(logvar) == logvar {
            let from_z = d_z[i] * drawn[i] * (half * logvar).exp();
            d_heads[at_mu + latent] = half * (from_z + weight * (logvar.exp() - T::one()));
        }
    }
    d_heads
}
