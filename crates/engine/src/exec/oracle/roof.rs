//! The kernels that measure peak rates.

use super::{Call, Real};
use crate::kernels::roof::{ROUNDS, RoofParams};
use crate::plan::Roof;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kind: Roof) {
    let mut result = call.take("result");
    if kind == Roof::Copy {
        result.copy_from_slice(call.read("source"));
    } else {
        let p = RoofParams::of(call.op);
        let (scale, shift) = (T::of(p.scale.into()), T::of(p.shift.into()));
        let sums: Vec<T> = (0..4)
            .map(|j| {
                (0..2)
                    .map(|i| {
                        let start = T::of(f64::from(i) + 0.25 * f64::from(j));
                        (0..ROUNDS).fold(start, |sum, _| sum * scale + shift)
                    })
                    .sum()
            })
            .collect();
        for quad in result.chunks_mut(4) {
            quad.copy_from_slice(&sums);
        }
    }
    call.write_back("result", result);
}
