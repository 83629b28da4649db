//! Sums.

use super::{Call, Real};
use crate::kernels::reduce::{MATRIX, REPORTED, ReduceParams, TOTAL};
use crate::plan::Reduce;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kind: Reduce) {
    match kind {
        Reduce::Report(count) => report(call, count),
        Reduce::Rows(count) => {
            for (matrix, total) in MATRIX.iter().zip(TOTAL).take(count) {
                let rows = call.tensors.get(call.id(total)).len();
                let values = call.read(matrix);
                let sums = values.chunks(values.len() / rows).map(|row| row.iter().copied().sum()).collect();
                call.write_back(total, sums);
            }
        }
        Reduce::Sum => {
            let total = call.read("values").iter().copied().sum();
            call.write_back("total", vec![total]);
        }
        Reduce::Columns => {
            let p = ReduceParams::of(call.op);
            let mut totals = vec![T::zero(); p.cols as usize];
            for row in call.read("values").chunks(totals.len()) {
                for (total, value) in totals.iter_mut().zip(row) {
                    *total += *value;
                }
            }
            call.write_back("total", totals);
        }
        Reduce::Squares => {
            let mut partials = call.take("total");
            let values = call.read("values");
            let stripe = values.len().div_ceil(partials.len());
            partials.fill(T::zero());
            for (partial, values) in partials.iter_mut().zip(values.chunks(stripe)) {
                *partial = values.iter().map(|v| *v * *v).sum();
            }
            call.write_back("total", partials);
        }
        Reduce::Clip => {
            let p = ReduceParams::of(call.op);
            let sum: T = call.read("values").iter().copied().sum();
            let norm = sum.sqrt();
            let scale = (T::of(p.max_norm.into()) / (norm + T::of(1e-6))).min(T::one());
            call.write_back("total", vec![scale]);
            let mut metrics = call.take("metrics");
            metrics[(call.step.slot * p.width + p.column) as usize] = norm;
            call.write_back("metrics", metrics);
        }
    }
}

fn report<T: Real>(call: &mut Call<'_, T>, count: usize) {
    let (rows, p) = (call.step.rows as usize, ReduceParams::of(call.op));
    let mean = |name: &&str| call.read(name)[..rows].iter().copied().sum::<T>() / T::of(rows as f64);
    let means: Vec<T> = REPORTED.iter().take(count).map(mean).collect();
    let mut metrics = call.take("metrics");
    let slot = (call.step.slot * p.width + p.column) as usize;
    metrics[slot..slot + count].copy_from_slice(&means);
    call.write_back("metrics", metrics);
}
