//! What the processor can do at best.

use pulp::{Arch, Simd, WithSimd};

use super::job::{At, Job, Scratch};
use super::memory::Region;
use crate::kernels::roof::{ROUNDS, RoofParams};
use crate::plan::{Op, Roof, TensorTable};

/// Numbers of a task.
const TASK: usize = 1 << 14;

/// A copy, or multiply-adds alone.
pub(super) struct Yardstick {
    params: RoofParams,
    source: Option<Region>,
    result: Region,
}

impl Yardstick {
    pub fn new(op: &Op, tensors: &TensorTable, kind: Roof) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        Self {
            params: RoofParams::of(op),
            source: (kind == Roof::Copy).then(|| bound("source")),
            result: bound("result"),
        }
    }
}

impl Job for Yardstick {
    fn phases(&self) -> Vec<usize> {
        vec![self.result.len.div_ceil(TASK)]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let some = task * TASK..((task + 1) * TASK).min(self.result.len);
        let result = at.memory.floats_mut(self.result.part(some.clone()));
        if let Some(source) = self.source {
            return result.copy_from_slice(at.memory.floats(source.part(some)));
        }
        Arch::new().dispatch(MultiplyAdd { params: self.params, result });
    }
}

/// Sums that are made side by side: enough to hide how long one multiply-add takes.
const SUMS: usize = 8;

/// Two sums for each number.
struct MultiplyAdd<'a> {
    params: RoofParams,
    result: &'a mut [f32],
}

impl WithSimd for MultiplyAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [scale, shift] = [self.params.scale, self.params.shift].map(|value| simd.splat_f32s(value));
        let start: Vec<f32> = (0..SUMS * S::F32_LANES).map(|i| 0.25 * (i % 4) as f32).collect();
        let one = simd.splat_f32s(1.0);
        for result in self.result.chunks_mut(start.len()) {
            // The compiler must not see that all of them are the same.
            let first = S::as_simd_f32s(std::hint::black_box(&start)).0;
            let mut low: [S::f32s; SUMS] = std::array::from_fn(|i| first[i]);
            let mut high = low.map(|value| simd.add_f32s(value, one));
            for _ in 0..ROUNDS {
                for i in 0..SUMS {
                    low[i] = simd.mul_add_f32s(low[i], scale, shift);
                    high[i] = simd.mul_add_f32s(high[i], scale, shift);
                }
            }
            let mut sums = start.clone();
            for (sum, (low, high)) in S::as_mut_simd_f32s(&mut sums).0.iter_mut().zip(low.into_iter().zip(high)) {
                *sum = simd.add_f32s(low, high);
            }
            result.copy_from_slice(&sums[..result.len()]);
        }
    }
}
