//! Reconstruction losses and their gradients.

use rayon::prelude::*;

use super::activation::sigmoid;
use super::{Call, Real};
use crate::kernels::dense::DenseParams;
use crate::kernels::likelihood::LikelihoodParams;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    if call.op.kernel.entry == "bernoulli_mean" {
        let mut mean = call.take("mean");
        for (mean, logit) in mean.iter_mut().zip(call.read("output")) {
            *mean = sigmoid(*logit);
        }
        call.put("mean", mean);
        return;
    }
    let p = LikelihoodParams::of(call.op);
    let kl_parts = p.kl_parts as usize;
    let rows = call.read("parts").chunks(p.parts as usize);
    let sums = |range: fn(&[T], usize) -> &[T]| -> Vec<T> {
        rows.clone().map(|row| range(row, kl_parts).iter().copied().sum()).collect()
    };
    let kl = sums(|row, kl_parts| &row[..kl_parts]);
    let mut recon = sums(|row, kl_parts| &row[kl_parts..]);
    if call.op.kernel.entry == "rows_learned" {
        let log_sigma = call.read("log_sigma")[0];
        let inv_var = (T::of(-2.0) * log_sigma).exp();
        let log_norm = log_sigma + T::of(0.5 * (2.0 * std::f64::consts::PI).ln());
        let (width, batch) = (T::of(p.width.into()), T::of(p.batch.into()));
        let slopes = recon.iter().map(|squares| (width - inv_var * *squares) / batch).collect();
        for value in &mut recon {
            *value = T::of(0.5) * inv_var * *value + width * log_norm;
        }
        call.put("d_log_sigma", slopes);
    }
    call.put("recon", recon);
    call.put("kl", kl);
}

/// The ending of the product that gives the decoder's output `(B, D)`: the losses of its elements; the output becomes
/// its gradient.
pub(super) fn losses<T: Real>(call: &Call<'_, T>, output: &mut [T]) -> Vec<T> {
    let p = DenseParams::of(call.op);
    let (inv_var, log_norm) = (T::of(p.inv_var.into()), T::of(p.log_norm.into()));
    let x = call.levels("x", p.n as usize);
    let x = x.as_ref();
    match call.op.kernel.constant("likelihood") {
        1 => each(output, x, p.m, |logit, x| {
            let loss = logit.max(T::zero()) - logit * x + (-logit.abs()).exp().ln_1p();
            (loss, sigmoid(logit) - x)
        }),
        2 => each(output, x, p.m, |mean, x| {
            let error = mean - x;
            (T::of(0.5) * inv_var * error * error + log_norm, inv_var * error)
        }),
        _ => {
            let inv_var = (T::of(-2.0) * call.read("log_sigma")[0]).exp();
            each(output, x, p.m, |mean, x| {
                let error = mean - x;
                (error * error, inv_var * error)
            })
        }
    }
}

/// Runs `element(output, x)`, which gives a loss and its slope, over every element.
fn each<T: Real>(output: &mut [T], x: &[T], batch: u32, element: impl Fn(T, T) -> (T, T) + Sync) -> Vec<T> {
    let batch = T::of(f64::from(batch));
    let term = |(o, x): (&mut T, &T)| {
        let (loss, slope) = element(*o, *x);
        *o = slope / batch;
        loss
    };
    output.par_iter_mut().zip(x).map(term).collect()
}
