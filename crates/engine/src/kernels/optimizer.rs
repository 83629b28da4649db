//! The optimiser, once over the whole parameter arena.

use super::reduce::MetricColumn;
use super::{expect_all, index_fits, params};
use crate::plan::{Grid, Kernel, Op, PlanError, ScalarId, TensorId, TensorTable, Update};

params! {
    /// `Params` of `optimizer.wgsl`.
    pub struct OptimizerParams {
        /// A quarter of the arena's length.
        quads: u32,
        /// Weight decay.
        decay: f32,
        /// SGD: momentum.
        momentum: f32,
        /// Adam: decay of the first moment.
        beta1: f32,
        /// Adam: decay of the second moment.
        beta2: f32,
        /// Adam: added to the denominator.
        epsilon: f32,
        /// The multiplier: nats that the KL is held at or under.
        limit: f32,
        /// The first of three scalars of the step: learning rate, and Adam's corrections `1 / (1 - beta1^t)`, `1 / sqrt(1 - beta2^t)`.
        scalar: u32,
        /// The multiplier: column of the KL in the metrics.
        column: u32,
        /// Metrics of a step.
        width: u32,
    }
}

/// Smaller moments are set to 0.
pub const SMALLEST_MOMENT: f32 = 1e-36;

/// The change of the multiplier's logarithm in a step where the KL is 0, or twice its limit or more: there it is largest.
pub const MULTIPLIER_RATE: f32 = 0.05;

/// The multiplier stays between these: it could not rise again from 0, and takes long to come back from far away.
pub const MULTIPLIER_RANGE: (f32, f32) = (1e-3, 1e6);

/// The rule that turns gradients into a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent.
    Sgd {
        /// 0 for none.
        momentum: f32,
        /// Nesterov momentum.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the denominator.
        epsilon: f32,
        /// Weight decay acts on the weights (AdamW), not on the gradient.
        decoupled: bool,
    },
}

/// The arenas, all `(L)`, and the gradient's scale `(1)`.
#[derive(Debug, Clone, Copy)]
pub struct UpdateTensors {
    /// The parameters.
    pub weights: TensorId,
    /// The gradients of the weights.
    pub gradients: TensorId,
    /// The first moment, or the velocity.
    pub first: TensorId,
    /// The second moment.
    pub second: TensorId,
    /// The factor on every gradient.
    pub clip: TensorId,
}

/// How an optimiser's step is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The rule.
    pub rule: Rule,
    /// Weight decay.
    pub decay: f32,
    /// The first of three scalars of the step: learning rate, and Adam's corrections.
    pub scalar: ScalarId,
}

/// One step of an optimiser over the first `optimised` elements of the arenas.
pub fn update(
    tensors: &TensorTable,
    arenas: UpdateTensors,
    settings: Settings,
    optimised: usize,
) -> Result<Op, PlanError> {
    let label = "update";
    let len = tensors.get(arenas.weights).len();
    let whole: &[usize] = &[len.next_multiple_of(4)];
    expect_all(
        tensors,
        label,
        &[(arenas.weights, whole), (arenas.gradients, whole), (arenas.first, whole), (arenas.clip, &[1])],
    )?;
    let len = optimised.min(len);
    let Settings { rule, decay, scalar } = settings;
    let mut params = OptimizerParams { quads: index_fits(label, len / 4)?, decay, scalar: scalar.0, ..NONE };
    let grid = Grid::Elements(len / 4);
    let op = match rule {
        Rule::Sgd { momentum, nesterov } => {
            params.momentum = momentum;
            Op::new(label, Kernel::Update(Update::Sgd { nesterov }), grid).flops(len * 8)
        }
        Rule::Adam { beta1, beta2, epsilon, decoupled } => {
            tensors.expect(label, arenas.second, whole)?;
            params.beta1 = beta1;
            params.beta2 = beta2;
            params.epsilon = epsilon;
            Op::new(label, Kernel::Update(Update::Adam { decoupled }), grid)
                .update("second", arenas.second)
                .flops(len * 14)
        }
    };
    Ok(op
        .update("weights", arenas.weights)
        .read("gradients", arenas.gradients)
        .update("first", arenas.first)
        .read("clip", arenas.clip)
        .params(params.block()))
}

const NONE: OptimizerParams = OptimizerParams {
    quads: 0,
    decay: 0.0,
    momentum: 0.0,
    beta1: 0.0,
    beta2: 0.0,
    epsilon: 0.0,
    limit: 0.0,
    scalar: 0,
    column: 0,
    width: 0,
};

/// A step of the `multiplier (1)` that holds the KL of the step, in its column of `metrics (slots, M)`, at or under `limit` nats.
/// It grows where the KL is above the limit and shrinks where it is below, by a share of itself: so it stays positive,
/// and no learning rate, clipping or weight decay acts on it.
pub fn multiplier(tensors: &TensorTable, multiplier: TensorId, kl: MetricColumn, limit: f32) -> Result<Op, PlanError> {
    let label = "multiplier";
    let width = kl.width(tensors, label, 1)?;
    tensors.expect(label, multiplier, &[1])?;
    Ok(Op::new(label, Kernel::Update(Update::Multiplier), Grid::Single)
        .update("multiplier_value", multiplier)
        .read("metrics", kl.ring)
        .touching(1)
        .params(OptimizerParams { limit, width, column: kl.column, ..NONE }.block())
        .flops(5))
}
