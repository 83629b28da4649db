//! Matrix products: rows of the output in parallel, inner loops over contiguous memory.

use rayon::prelude::*;

use super::{Call, Real, pointwise, windows};
use crate::kernels::gemm::GemmParams;
use crate::plan::{Gemm, Orientation};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, gemm: &Gemm) {
    let p = GemmParams::of(call.op);
    let (m, n, k) = (p.m as usize, p.n as usize, p.k as usize);
    let mut product = match &gemm.windows {
        None => {
            let a = call.levels("a", if gemm.orientation == Orientation::Tn { m } else { k });
            let b = call.levels("b", if gemm.orientation == Orientation::Nt { k } else { n });
            multiply(gemm.orientation, a.as_ref(), b.as_ref(), [m, n, k])
        }
        Some(windows) => {
            let len = windows.image_len();
            match gemm.orientation {
                Orientation::Nt => {
                    let a = windows::matrix(windows, &call.levels("a", len));
                    multiply(gemm.orientation, &a, call.read("b"), [m, n, k])
                }
                Orientation::Tn => {
                    let b = windows::matrix(windows, &call.levels("b", len));
                    multiply(gemm.orientation, call.read("a"), &b, [m, n, k])
                }
                Orientation::Nn => {
                    let (a, b) = (call.read("a"), call.read("b"));
                    let outputs = b.len() / windows.cols();
                    let sizes = [a.len() / outputs, windows.cols(), outputs];
                    windows::overlapped(windows, &multiply(gemm.orientation, a, b, sizes))
                }
            }
        }
    };
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
        call.write_back("row_sum", sums);
    }
    let cols = if gemm.pairs { n / 2 } else { n };
    pointwise::run(call, &gemm.epilogue, m, Some(&product), cols);
}

/// `(M, N) = A B`
fn multiply<T: Real>(orientation: Orientation, a: &[T], b: &[T], [m, n, k]: [usize; 3]) -> Vec<T> {
    let mut product = vec![T::zero(); m * n];
    let least = super::rows_a_thread(n * k);
    product.par_chunks_mut(n).with_min_len(least).enumerate().for_each(|(i, row)| match orientation {
        Orientation::Nt => {
            let a_row = &a[i * k..(i + 1) * k];
            for (value, b_row) in row.iter_mut().zip(b.chunks(k)) {
                *value = dot(a_row, b_row);
            }
        }
        Orientation::Nn => combine(row, &a[i * k..(i + 1) * k], 1, b),
        Orientation::Tn => combine(row, &a[i..], m, b),
    });
    product
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
