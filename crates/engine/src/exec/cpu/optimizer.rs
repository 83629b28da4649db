//! The optimiser, over the whole arena.

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::vectorised;
use crate::kernels::optimizer::{MULTIPLIER_RANGE, MULTIPLIER_RATE, OptimizerParams, SMALLEST_MOMENT};
use crate::plan::{Op, ScalarId, TensorTable, Update};

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

    /// Elements that are updated.
    fn optimised(&self) -> usize {
        4 * self.params.quads as usize
    }
}

impl Job for Arena {
    fn phases(&self) -> Vec<usize> {
        vec![self.optimised().div_ceil(TASK)]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let some = task * TASK..((task + 1) * TASK).min(self.optimised());
        let p = self.params;
        let scalars = [0, 1, 2].map(|i| at.step.value(ScalarId(p.scalar + i)));
        let clip = at.memory.floats(self.clip)[0];
        let weights = at.memory.floats_mut(self.weights.part(some.clone()));
        let first = at.memory.floats_mut(self.first.part(some.clone()));
        let gradients = at.memory.floats(self.gradients.part(some.clone()));
        match (self.update, self.second) {
            (Update::Adam { decoupled }, Some(second)) => {
                let second = at.memory.floats_mut(second.part(some));
                adam(p, scalars, decoupled, clip, weights, gradients, first, second);
            }
            (update, _) => {
                let nesterov = update == Update::Sgd { nesterov: true };
                sgd(p, scalars[0], nesterov, clip, weights, gradients, first);
            }
        }
    }
}

vectorised! {
    /// Adam.
    fn adam<'a>(
        p: OptimizerParams,
        scalars: [f32; 3],
        decoupled: bool,
        clip: f32,
        weights: &'a mut [f32],
        gradients: &'a [f32],
        first: &'a mut [f32],
        second: &'a mut [f32],
    ) {
        let [lr, correction1, correction2] = scalars;
        let rate = lr * correction1;
        // One of these two changes nothing.
        let (kept, decay) = if decoupled { (1.0 - lr * p.decay, 0.0) } else { (1.0, p.decay) };
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradients).zip(first.iter_mut().zip(second)) {
            let g = *g * clip + decay * *w;
            *m = flushed(p.beta1 * *m + (1.0 - p.beta1) * g);
            *v = flushed(p.beta2 * *v + (1.0 - p.beta2) * (g * g));
            *w = *w * kept - rate * *m / (v.sqrt() * correction2 + p.epsilon);
        }
    }
}

vectorised! {
    /// SGD.
    fn sgd<'a>(
        p: OptimizerParams,
        lr: f32,
        nesterov: bool,
        clip: f32,
        weights: &'a mut [f32],
        gradients: &'a [f32],
        first: &'a mut [f32],
    ) {
        for ((w, g), velocity) in weights.iter_mut().zip(gradients).zip(first) {
            let g = *g * clip + p.decay * *w;
            *velocity = flushed(p.momentum * *velocity + g);
            *w -= lr * if nesterov { g + p.momentum * *velocity } else { *velocity };
        }
    }
}

/// The weight of the KL.
pub(super) struct Multiplier {
    value: Region,
    metrics: Region,
    params: OptimizerParams,
}

impl Multiplier {
    pub fn new(op: &Op, tensors: &TensorTable) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        Self { value: bound("multiplier_value"), metrics: bound("metrics"), params: OptimizerParams::of(op) }
    }
}

impl Job for Multiplier {
    fn run(&self, at: At<'_>, _: usize, _: usize, _: &mut Scratch) {
        let p = self.params;
        let kl = at.memory.floats(self.metrics)[(at.step.slot * p.width + p.column) as usize];
        let excess = (kl / p.limit - 1.0).clamp(-1.0, 1.0);
        let value = &mut at.memory.floats_mut(self.value)[0];
        let grown = *value * (MULTIPLIER_RATE * excess).exp();
        *value = grown.clamp(MULTIPLIER_RANGE.0, MULTIPLIER_RANGE.1);
    }
}
