//! Matrix products: rows of the output in parallel, inner loops over contiguous memory.

use rayon::prelude::*;

use super::{Call, Real, pointwise};
use crate::kernels::gemm::GemmParams;
use crate::plan::{Gemm, Orientation};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, gemm: &Gemm) {
    let p = GemmParams::of(call.op);
    let (m, n, k) = (p.m as usize, p.n as usize, p.k as usize);
    let mut product = vec![T::zero(); m * n];
    {
        let a = call.levels("a", if gemm.orientation == Orientation::Tn { m } else { k });
        let b = call.levels("b", if gemm.orientation == Orientation::Nt { k } else { n });
        let (a, b) = (a.as_ref(), b.as_ref());
        product.par_chunks_mut(n).enumerate().for_each(|(i, row)| match gemm.orientation {
            Orientation::Nt => {
                let a_row = &a[i * k..(i + 1) * k];
                for (value, b_row) in row.iter_mut().zip(b.chunks(k)) {
                    *value = dot(a_row, b_row);
                }
            }
            Orientation::Nn => combine(row, &a[i * k..(i + 1) * k], 1, b),
            Orientation::Tn => combine(row, &a[i..], m, b),
        });
    }
    if gemm.bias {
        let bias = call.read("bias");
        for row in product.chunks_mut(n) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += *bias;
            }
        }
    }
    if gemm.row_sum {
        let mut sums = vec![T::zero(); m];
        for row in call.levels("a", m).chunks(m) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
        call.put("row_sum", sums);
    }
    let cols = if gemm.pairs { n / 2 } else { n };
    pointwise::run(call, &gemm.epilogue, m, Some(&product), cols);
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
