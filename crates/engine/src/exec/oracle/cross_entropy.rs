//! Cross-entropies of tokens, and their gradient.

use super::{Call, Real};
use crate::kernels::cross_entropy::CrossEntropyParams;
use crate::plan::{CrossEntropy, Pass};

/// The column of a row's token, if it has one.
fn token<T: Real>(id: T, cols: usize) -> Option<usize> {
    (id >= T::zero()).then(|| (id.wide() as usize).min(cols - 1))
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kernel: CrossEntropy) {
    let cols = CrossEntropyParams::of(call.op).cols as usize;
    let (x, ids) = (call.read("x"), call.read("ids"));
    match kernel.pass {
        Pass::Forward => {
            let of_row = |(x, id): (&[T], &T)| {
                let Some(token) = token(*id, cols) else { return (T::zero(), [T::zero(); 2]) };
                let most = x.iter().fold(T::neg_infinity(), |a, b| a.max(*b));
                let log_of_rest = x.iter().map(|x| (*x - most).exp()).sum::<T>().ln();
                (most - x[token] + log_of_rest, [most, log_of_rest])
            };
            let (loss, sums): (_, Vec<[T; 2]>) = x.chunks(cols).zip(ids).map(of_row).unzip();
            call.write_back("loss", loss);
            call.write_back("sums", sums.concat());
        }
        Pass::Backward => {
            let d_loss = match kernel.d() {
                Some(d) => vec![T::of(d.into()); ids.len()],
                None => call.read("d_loss").to_vec(),
            };
            let kept = call.read("kept");
            let mut d_x = Vec::with_capacity(x.len());
            for ((x, id), (d, sums)) in x.chunks(cols).zip(ids).zip(d_loss.iter().zip(kept.chunks(2))) {
                let token = token(*id, cols);
                d_x.extend(x.iter().enumerate().map(|(col, x)| match token {
                    None => T::zero(),
                    Some(token) => {
                        *d * ((*x - sums[0] - sums[1]).exp() - if col == token { T::one() } else { T::zero() })
                    }
                }));
            }
            call.write_back("d_x", d_x);
        }
    }
}
