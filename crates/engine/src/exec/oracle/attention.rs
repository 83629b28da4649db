//! Attention and its gradient, query by query.

use std::ops::Range;

use super::{Call, Real};
use crate::kernels::attention::AttentionParams;
use crate::plan::{AttentionKernel, Pass};

/// Sizes, and who looks at whom.
struct Layer {
    heads: usize,
    causal: bool,
    batch: usize,
    steps: usize,
    width: usize,
    lengths: Vec<usize>,
}

impl Layer {
    fn columns(&self) -> usize {
        self.heads * self.width
    }

    /// Where the columns of a head's query (0), key (1) or value (2) are.
    fn place(&self, row: usize, which: usize, head: usize) -> Range<usize> {
        let first = (row * 3 + which) * self.columns() + head * self.width;
        first..first + self.width
    }

    /// Every query of every head within the lengths: the row of its sequence's first time, its time, its head, and the times
    /// that it looks at.
    fn each(&self, mut query: impl FnMut(usize, usize, usize, usize)) {
        for sequence in 0..self.batch {
            for head in 0..self.heads {
                for time in 0..self.lengths[sequence] {
                    let seen = if self.causal { time + 1 } else { self.lengths[sequence] };
                    query(sequence * self.steps, time, head, seen);
                }
            }
        }
    }
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kernel: AttentionKernel) {
    let p = AttentionParams::of(call.op);
    let [batch, steps, width] = [p.batch, p.steps, p.width].map(|n| n as usize);
    let lengths = match kernel.has_lengths {
        true => call.read("lengths").iter().map(|length| (length.wide().max(0.0).ceil() as usize).min(steps)).collect(),
        false => vec![steps; batch],
    };
    let heads = kernel.layer.heads as usize;
    let layer = Layer { heads, causal: kernel.layer.causal, batch, steps, width, lengths };
    match kernel.pass {
        Pass::Forward => forward(call, &layer),
        Pass::Backward => back(call, &layer),
    }
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(a, b)| *a * *b).sum()
}

fn forward<T: Real>(call: &mut Call<'_, T>, layer: &Layer) {
    let (qkv, rows) = (call.read("qkv"), layer.batch * layer.steps);
    let scale = T::one() / T::of(layer.width as f64).sqrt();
    let mut result = vec![T::zero(); rows * layer.columns()];
    let mut sums = vec![T::zero(); rows * layer.heads];
    layer.each(|first, time, head, seen| {
        let query = &qkv[layer.place(first + time, 0, head)];
        let scores: Vec<T> = (0..seen).map(|key| dot(query, &qkv[layer.place(first + key, 1, head)]) * scale).collect();
        let most = scores.iter().copied().fold(scores[0], T::max);
        let sum: T = scores.iter().map(|score| (*score - most).exp()).sum();
        let to = &mut result[(first + time) * layer.columns() + head * layer.width..][..layer.width];
        for (key, score) in scores.iter().enumerate() {
            let weight = (*score - most).exp() / sum;
            let value = &qkv[layer.place(first + key, 2, head)];
            to.iter_mut().zip(value).for_each(|(to, value)| *to += weight * *value);
        }
        sums[(first + time) * layer.heads + head] = most + sum.ln();
    });
    call.write_back("result", result);
    call.write_back("sums", sums);
}

fn back<T: Real>(call: &mut Call<'_, T>, layer: &Layer) {
    let (qkv, d_result, result, sums) =
        (call.read("qkv"), call.read("d_result"), call.read("result"), call.read("sums"));
    let scale = T::one() / T::of(layer.width as f64).sqrt();
    let mut d_qkv = vec![T::zero(); qkv.len()];
    let mut products = vec![T::zero(); sums.len()];
    layer.each(|first, time, head, seen| {
        let of_head = (first + time) * layer.columns() + head * layer.width;
        let d = &d_result[of_head..of_head + layer.width];
        let product = dot(d, &result[of_head..of_head + layer.width]);
        products[(first + time) * layer.heads + head] = product;
        let at_query = layer.place(first + time, 0, head);
        for key in 0..seen {
            let [at_key, at_value] = [1, 2].map(|which| layer.place(first + key, which, head));
            let score = dot(&qkv[at_query.clone()], &qkv[at_key.clone()]) * scale;
            let weight = (score - sums[(first + time) * layer.heads + head]).exp();
            let d_score = weight * (dot(d, &qkv[at_value.clone()]) - product) * scale;
            for column in 0..layer.width {
                d_qkv[at_value.start + column] += weight * d[column];
                d_qkv[at_query.start + column] += d_score * qkv[at_key.start + column];
                d_qkv[at_key.start + column] += d_score * qkv[at_query.start + column];
            }
        }
    });
    call.write_back("d_qkv", d_qkv);
    call.write_back("products", products);
}
