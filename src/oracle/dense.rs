//! Matrix products: rows of the output in parallel, inner loops over contiguous memory.

use rayon::prelude::*;

use super::{Call, Real, activation, latent, likelihood};
use crate::kernels::Activation;
use crate::kernels::dense::{DenseParams, Riding};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>) {
    let p = DenseParams::of(call.op);
    let (m, n, k) = (p.m as usize, p.n as usize, p.k as usize);
    let mut product = vec![T::zero(); m * n];
    {
        let orientation = call.op.kernel.entry;
        let a = call.levels("a", if orientation == "tn" { m } else { k });
        let b = call.levels("b", if orientation == "nt" { k } else { n });
        let (a, b) = (a.as_ref(), b.as_ref());
        product.par_chunks_mut(n).enumerate().for_each(|(i, row)| match orientation {
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
        for row in product.chunks_mut(n) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += *bias;
            }
        }
    }
    match Riding::of(&call.op.kernel) {
        Riding::Plain => plain(call, &p, product),
        Riding::Sample => {
            let terms = latent::sample(call, &product, n / 2);
            // A column of parts holds four of the product's: two latents.
            write_parts(call, &p, &terms, n / 2, 2);
            call.put("c", product);
        }
        Riding::Backward => {
            let d_heads = latent::backward(call, &product, n);
            call.put("c", d_heads);
        }
        Riding::Likelihood => {
            let losses = likelihood::losses(call, &mut product);
            write_parts(call, &p, &losses, n, 4);
            call.put("c", product);
        }
    }
}

fn plain<T: Real>(call: &mut Call<'_, T>, p: &DenseParams, mut c: Vec<T>) {
    if call.has("pre") {
        call.put("pre", c.clone());
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
    let kept = &call.read("c")[..(p.kept_rows * p.n) as usize];
    for (value, before) in c.iter_mut().zip(kept) {
        *value += *before;
    }
    if call.has("row_sum") {
        let mut sums = vec![T::zero(); p.m as usize];
        for row in call.read("a").chunks(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
        call.put("row_sum", sums);
    }
    call.put("c", c);
}

/// Sums of each `group` of a row's terms into the op's columns of `parts`.
fn write_parts<T: Real>(call: &mut Call<'_, T>, p: &DenseParams, terms: &[T], width: usize, group: usize) {
    let mut parts = call.take("parts");
    for (row, terms) in parts.chunks_mut(p.parts_stride as usize).zip(terms.chunks(width)) {
        for (part, terms) in row[p.parts_from as usize..].iter_mut().zip(terms.chunks(group)) {
            *part = terms.iter().copied().sum();
        }
    }
    call.put("parts", parts);
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
