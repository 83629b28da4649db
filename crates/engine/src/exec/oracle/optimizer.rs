//! The optimiser.

use super::{Call, Real};
use crate::kernels::optimizer::{MULTIPLIER_RANGE, MULTIPLIER_RATE, OptimizerParams, SMALLEST_MOMENT};
use crate::plan::{ScalarId, StepScalars, Update};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, update: Update) {
    match update {
        Update::Sgd { nesterov } => sgd(call, nesterov),
        Update::Adam { decoupled } => adam(call, decoupled),
        Update::Multiplier => multiplier(call),
    }
}

fn flushed<T: Real>(moment: T) -> T {
    if moment.abs() < T::of(SMALLEST_MOMENT.into()) { T::zero() } else { moment }
}

/// The learning rate and Adam's corrections.
fn scalars<T: Real>(step: &StepScalars, p: OptimizerParams) -> [T; 3] {
    [0, 1, 2].map(|i| T::of(step.value(ScalarId(p.scalar + i)).into()))
}

fn sgd<T: Real>(call: &mut Call<'_, T>, nesterov: bool) {
    let p = OptimizerParams::of(call.op);
    let (momentum, decay) = (T::of(p.momentum.into()), T::of(p.decay.into()));
    let [lr, ..] = scalars::<T>(call.step, p);
    let mut weights = call.take("weights");
    let mut first = call.take("first");
    let clip = call.read("clip")[0];
    let gradients = call.read("gradients");
    for ((w, velocity), g) in weights.iter_mut().zip(&mut first).zip(gradients).take(4 * p.quads as usize) {
        let g = *g * clip + decay * *w;
        *velocity = flushed(momentum * *velocity + g);
        let direction = if nesterov { g + momentum * *velocity } else { *velocity };
        *w = *w - lr * direction;
    }
    call.write_back("weights", weights);
    call.write_back("first", first);
}

fn adam<T: Real>(call: &mut Call<'_, T>, decoupled: bool) {
    let p = OptimizerParams::of(call.op);
    let (b1, b2) = (T::of(p.beta1.into()), T::of(p.beta2.into()));
    let (decay, epsilon) = (T::of(p.decay.into()), T::of(p.epsilon.into()));
    let [lr, correction1, correction2] = scalars(call.step, p);
    let mut weights = call.take("weights");
    let mut first = call.take("first");
    let mut second = call.take("second");
    let clip = call.read("clip")[0];
    let gradients = call.read("gradients");
    let moments = first.iter_mut().zip(&mut second);
    for ((w, (m, v)), g) in weights.iter_mut().zip(moments).zip(gradients).take(4 * p.quads as usize) {
        let mut g = *g * clip;
        if decoupled {
            *w *= T::one() - lr * decay;
        } else {
            g += decay * *w;
        }
        *m = flushed(b1 * *m + (T::one() - b1) * g);
        *v = flushed(b2 * *v + (T::one() - b2) * g * g);
        *w = *w - lr * correction1 * *m / (v.sqrt() * correction2 + epsilon);
    }
    call.write_back("weights", weights);
    call.write_back("first", first);
    call.write_back("second", second);
}

fn multiplier<T: Real>(call: &mut Call<'_, T>) {
    let p = OptimizerParams::of(call.op);
    let limit = T::of(p.limit.into());
    let kl = call.read("metrics")[(call.step.slot * p.width + p.column) as usize];
    let (least, most) = (T::of(MULTIPLIER_RANGE.0.into()), T::of(MULTIPLIER_RANGE.1.into()));
    let excess = ((kl - limit) / limit).max(-T::one()).min(T::one());
    let value = call.read("multiplier_value")[0] * (T::of(MULTIPLIER_RATE.into()) * excess).exp();
    call.write_back("multiplier_value", vec![value.max(least).min(most)]);
}
