//! The latent variable.

use super::rng::normal;
use super::{Call, Real};
use crate::kernels::latent::{LOGVAR_RANGE, LatentParams, Noise};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    match call.op.kernel.entry {
        "sample" => sample(call),
        "sample_backward" => sample_backward(call),
        _ => prior(call),
    }
}

fn clamped<T: Real>(logvar: T) -> T {
    let (low, high) = LOGVAR_RANGE;
    logvar.max(T::of(low.into())).min(T::of(high.into()))
}

fn sample<T: Real>(call: &mut Call<'_, T>) {
    let latent = LatentParams::of(call.op).latent as usize;
    let mode = call.op.kernel.constant("NOISE");
    let half = T::of(0.5);
    let mut noise = call.take("noise");
    let mut z = call.take("z");
    let mut kl = call.take("kl");
    for (row, heads) in call.read("heads").chunks(2 * latent).enumerate() {
        kl[row] = T::zero();
        for j in 0..latent {
            let i = row * latent + j;
            let (mu, logvar) = (heads[j], clamped(heads[latent + j]));
            if mode == Noise::Drawn as u32 {
                noise[i] = normal(call.step.noise_key, i as u32);
            }
            let draw = if mode == Noise::Off as u32 { T::zero() } else { noise[i] };
            z[i] = mu + (half * logvar).exp() * draw;
            kl[row] += half * (mu * mu + logvar.exp() - T::one() - logvar);
        }
    }
    call.put("noise", noise);
    call.put("z", z);
    call.put("kl", kl);
}

fn sample_backward<T: Real>(call: &mut Call<'_, T>) {
    let p = LatentParams::of(call.op);
    let latent = p.latent as usize;
    let weight = T::of(f64::from(call.step.beta)) / T::of(f64::from(p.batch));
    let half = T::of(0.5);
    let mut d_heads = call.take("d_heads");
    let (d_z, drawn, heads) = (call.read("d_z"), call.read("drawn"), call.read("heads"));
    for i in 0..d_z.len() {
        let at_mu = i / latent * 2 * latent + i % latent;
        let (mu, logvar) = (heads[at_mu], heads[at_mu + latent]);
        d_heads[at_mu] = d_z[i] + weight * mu;
        d_heads[at_mu + latent] = if clamped(logvar) == logvar {
            half * (d_z[i] * drawn[i] * (half * logvar).exp() + weight * (logvar.exp() - T::one()))
        } else {
            T::zero()
        };
    }
    call.put("d_heads", d_heads);
}

fn prior<T: Real>(call: &mut Call<'_, T>) {
    let mut z = call.take("z");
    for (i, value) in z.iter_mut().enumerate() {
        *value = normal(call.step.noise_key, i as u32);
    }
    call.put("z", z);
}
