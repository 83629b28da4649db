//! Matrix products: rows of the output in parallel, inner loops over contiguous memory.

use rayon::prelude::*;

use super::{Call, Real, activation};
use crate::kernels::Activation;
use crate::kernels::dense::DenseParams;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    let p = DenseParams::of(call.op);
    let (m, n, k) = (p.m as usize, p.n as usize, p.k as usize);
    let mut c = call.take("c");
    let kept = c[..p.kept_rows as usize * n].to_vec();
    {
        let (a, b) = (call.read("a"), call.read("b"));
        let orientation = call.op.kernel.entry;
        c.par_chunks_mut(n).enumerate().for_each(|(i, row)| match orientation {
            "nt" => {
                let a_row = &a[i * k..(i + 1) * k];
                for (value, b_row) in row.iter_mut().zip(b.chunks(k)) {
                    *value = dot(a_row, b_row);
                }
            }
            "nn" => combine(row, &a[i * k..(i + 1) * k], 1, b),
            _ => combine(row, &a[i..], m, b),
        });
    }
    if call.has("bias") {
        let bias = call.read("bias");
        for row in c.chunks_mut(n) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += *bias;
            }
        }
    }
    if call.has("pre") {
        let mut pre = call.take("pre");
        pre.copy_from_slice(&c);
        call.put("pre", pre);
    }
    let kind = Activation::from_code(call.op.kernel.constant("activation"));
    if kind != Activation::Identity {
        c.par_iter_mut().for_each(|v| *v = activation::activate(kind, *v));
    }
    if call.has("saved") {
        let kind = Activation::from_code(call.op.kernel.constant("gradient"));
        let saved = call.read("saved");
        c.par_iter_mut().zip(saved).for_each(|(v, s)| *v *= activation::gradient(kind, *s));
    }
    for (value, before) in c.iter_mut().zip(&kept) {
        *value += *before;
    }
    if call.has("row_sum") {
        let mut sums = call.take("row_sum");
        sums.fill(T::zero());
        for row in call.read("a").chunks(m) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
        call.put("row_sum", sums);
    }
    call.put("c", c);
}

/// Eight partial sums, so that the compiler may use vector registers without reordering a sum.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a8.remainder().iter().zip(b8.remainder());
    let tail: T = rest.map(|(x, y)| *x * *y).sum();
    for (x, y) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.into_iter().sum::<T>() + tail
}

/// `row = sum over k of a[k * stride] * b[k, :]`.
fn combine<T: Real>(row: &mut [T], a: &[T], stride: usize, b: &[T]) {
    row.fill(T::zero());
    for (factor, b_row) in a.iter().step_by(stride).zip(b.chunks(row.len())) {
        for (value, b) in row.iter_mut().zip(b_row) {
            *value += *factor * *b;
        }
    }
}
