//! The optimiser, over the whole arena.

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::vectorised;
use crate::kernels::optimizer::{OptimizerParams, SMALLEST_MOMENT};
use crate::plan::{Op, TensorTable, Update};

/// Parameters of a task.
const TASK: usize = 1 << 14;

/// The arenas.
pub(super) struct Arena {
    params: OptimizerParams,
    update: Update,
    weights: Region,
    gradients: Region,
    first: Region,
    second: Option<Region>,
    clip: Region,
}

#[inline(always)]
fn flushed(moment: f32) -> f32 {
    if moment.abs() < SMALLEST_MOMENT { 0.0 } else { moment }
}

impl Arena {
    pub fn new(op: &Op, tensors: &TensorTable, update: Update) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        Self {
            params: OptimizerParams::of(op),
            update,
            weights: bound("weights"),
            gradients: bound("gradients"),
            first: bound("first"),
            second: matches!(update, Update::Adam { .. }).then(|| bound("second")),
            clip: bound("clip"),
        }
    }
}

impl Job for Arena {
    fn phases(&self) -> Vec<usize> {
        vec![self.weights.len.div_ceil(TASK)]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let some = task * TASK..((task + 1) * TASK).min(self.weights.len);
        let p = self.params;
        let step = *at.step;
        let clip = at.memory.floats(self.clip)[0];
        let weights = at.memory.floats_mut(self.weights.part(some.clone()));
        let first = at.memory.floats_mut(self.first.part(some.clone()));
        let gradients = at.memory.floats(self.gradients.part(some.clone()));
        match (self.update, self.second) {
            (Update::Adam { decoupled }, Some(second)) => {
                let second = at.memory.floats_mut(second.part(some));
                let rate = step.lr * step.correction1;
                // One of these two changes nothing.
                let (kept, decay) = if decoupled { (1.0 - step.lr * p.decay, 0.0) } else { (1.0, p.decay) };
                let [correction2, beta1, beta2] = [step.correction2, p.beta1, p.beta2];
                adam(
                    [clip, decay, kept, rate, correction2, beta1, beta2, p.epsilon],
                    weights,
                    gradients,
                    first,
                    second,
                );
            }
            (update, _) => {
                let nesterov = update == Update::Sgd { nesterov: true };
                sgd([clip, p.decay, p.momentum, step.lr], nesterov, weights, gradients, first);
            }
        }
    }
}

vectorised! {
    /// Adam; the first numbers are the factor on gradients, the decay of weights through the gradient, the share of weights that is
    /// kept, and the learning rate.
    fn adam<'a>(
        of: [f32; 8],
        weights: &'a mut [f32],
        gradients: &'a [f32],
        first: &'a mut [f32],
        second: &'a mut [f32],
    ) {
        let [clip, decay, kept, rate, correction2, beta1, beta2, epsilon] = of;
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradients).zip(first.iter_mut().zip(second)) {
            let g = *g * clip + decay * *w;
            *m = flushed(beta1 * *m + (1.0 - beta1) * g);
            *v = flushed(beta2 * *v + (1.0 - beta2) * (g * g));
            *w = *w * kept - rate * *m / (v.sqrt() * correction2 + epsilon);
        }
    }
}

vectorised! {
    /// SGD: of the factor on gradients, the decay of weights, the momentum and the learning rate.
    fn sgd<'a>(of: [f32; 4], nesterov: bool, weights: &'a mut [f32], gradients: &'a [f32], first: &'a mut [f32]) {
        let [clip, decay, momentum, lr] = of;
        for ((w, g), velocity) in weights.iter_mut().zip(gradients).zip(first) {
            let g = *g * clip + decay * *w;
            *velocity = flushed(momentum * *velocity + g);
            *w -= lr * if nesterov { g + momentum * *velocity } else { *velocity };
        }
    }
}
