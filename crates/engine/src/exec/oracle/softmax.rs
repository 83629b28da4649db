//! Logarithms of the probabilities of a category's words, and their gradient.

use super::{Call, Real};
use crate::plan::Pass;

/// The groups of columns that have one, and how many columns there are.
fn spans<T: Real>(groups: &[T]) -> (Vec<std::ops::Range<usize>>, usize) {
    let (first, count) = groups.split_at(groups.len() / 2);
    let span = |(first, count): (&T, &T)| first.wide() as usize..(first.wide() + count.wide()) as usize;
    let spans: Vec<_> = first.iter().zip(count).map(span).collect();
    // A column of no group has an empty one.
    let width = spans.iter().map(|span| span.end.max(span.start + 1)).max().unwrap_or(0);
    (spans.into_iter().filter(|span| !span.is_empty()).collect(), width)
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, pass: Pass) {
    let (spans, width) = spans(call.read("groups"));
    match pass {
        Pass::Forward => {
            let mut y = call.read("x").to_vec();
            for row in y.chunks_mut(width) {
                for span in spans.iter().cloned() {
                    let most = row[span.clone()].iter().fold(T::neg_infinity(), |a, b| a.max(*b));
                    let sum: T = row[span.clone()].iter().map(|x| (*x - most).exp()).sum();
                    row[span].iter_mut().for_each(|x| *x = *x - most - sum.ln());
                }
            }
            call.write_back("y", y);
        }
        Pass::Backward => {
            let (mut d, log_p) = (call.read("d_y").to_vec(), call.read("log_p"));
            for (row, log_p) in d.chunks_mut(width).zip(log_p.chunks(width)) {
                for span in spans.iter().cloned() {
                    let sum: T = row[span.clone()].iter().copied().sum();
                    row[span.clone()].iter_mut().zip(&log_p[span]).for_each(|(d, log_p)| *d = *d - log_p.exp() * sum);
                }
            }
            call.write_back("d_x", d);
        }
    }
}
