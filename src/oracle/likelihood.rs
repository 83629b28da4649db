//! Reconstruction losses and their gradients.

use rayon::prelude::*;

use super::activation::sigmoid;
use super::{Call, Real};
use crate::kernels::likelihood::LikelihoodParams;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    match call.op.kernel.entry {
        "bernoulli_mean" => {
            let mut mean = call.take("mean");
            for (mean, logit) in mean.iter_mut().zip(call.read("output")) {
                *mean = sigmoid(*logit);
            }
            call.put("mean", mean);
        }
        "bernoulli" => rows(call, |logit, x, _| {
            let loss = logit.max(T::zero()) - logit * x + (-logit.abs()).exp().ln_1p();
            (loss, sigmoid(logit) - x)
        }),
        "gaussian" => {
            let p = LikelihoodParams::of(call.op);
            let (inv_var, log_norm) = (T::of(p.inv_var.into()), T::of(p.log_norm.into()));
            rows(call, |mean, x, _| {
                let error = mean - x;
                (T::of(0.5) * inv_var * error * error + log_norm, inv_var * error)
            });
        }
        _ => {
            let log_sigma = call.read("log_sigma")[0];
            let inv_var = (T::of(-2.0) * log_sigma).exp();
            let log_norm = log_sigma + T::of(0.5 * (2.0 * std::f64::consts::PI).ln());
            rows(call, |mean, x, d_log_sigma| {
                let error = mean - x;
                *d_log_sigma += T::one() - inv_var * error * error;
                (T::of(0.5) * inv_var * error * error + log_norm, inv_var * error)
            });
        }
    }
}

/// Runs `element(output, x, d_log_sigma)`, which gives a loss and its slope, over every row.
fn rows<T: Real>(call: &mut Call<'_, T>, element: impl Fn(T, T, &mut T) -> (T, T) + Sync) {
    let p = LikelihoodParams::of(call.op);
    let width = p.width as usize;
    let batch = T::of(f64::from(p.batch));
    let mut recon = call.take("recon");
    let mut d_output = call.take("d_output");
    let mut d_log_sigma = vec![T::zero(); recon.len()];
    let (output, x) = (call.read("output"), call.read("x"));
    let outputs = output.par_chunks(width).zip(x.par_chunks(width));
    recon.par_iter_mut().zip(d_output.par_chunks_mut(width)).zip(d_log_sigma.par_iter_mut()).zip(outputs).for_each(
        |(((recon, slopes), d_log_sigma), (output, x))| {
            *recon = T::zero();
            for ((slope, o), x) in slopes.iter_mut().zip(output).zip(x) {
                let (loss, derivative) = element(*o, *x, d_log_sigma);
                *recon += loss;
                *slope = derivative / batch;
            }
            *d_log_sigma = *d_log_sigma / batch;
        },
    );
    call.put("recon", recon);
    call.put("d_output", d_output);
    if call.has("d_log_sigma") {
        call.put("d_log_sigma", d_log_sigma);
    }
}
