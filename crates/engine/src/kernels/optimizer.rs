//! The optimiser, once over the whole parameter arena.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, METRICS_PER_STEP, Op, PlanError, StepScalars, TensorId, TensorTable, Update};

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
pub struct Arenas {
    /// The parameters.
    pub weights: TensorId,
    /// Their gradients.
    pub gradients: TensorId,
    /// The first moment, or the velocity.
    pub first: TensorId,
    /// The second moment.
    pub second: TensorId,
    /// The factor on every gradient.
    pub clip: TensorId,
}

/// One optimiser step over the first `optimised` elements of the arenas.
pub fn update(
    tensors: &TensorTable,
    arenas: Arenas,
    rule: Rule,
    decay: f32,
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
    let mut params = OptimizerParams { quads: index_fits(label, len / 4)?, decay, ..NONE };
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

const NONE: OptimizerParams =
    OptimizerParams { quads: 0, decay: 0.0, momentum: 0.0, beta1: 0.0, beta2: 0.0, epsilon: 0.0, limit: 0.0 };

/// A step of the `multiplier (1)` that holds the KL of the step, in its slot of `metrics (slots, 4)`, at or under `limit` nats.
/// It grows where the KL is above the limit and shrinks where it is below, by a share of itself: so it stays positive,
/// and no learning rate, clipping or weight decay acts on it.
pub fn multiplier(tensors: &TensorTable, multiplier: TensorId, metrics: TensorId, limit: f32) -> Result<Op, PlanError> {
    let label = "multiplier";
    let slots = tensors.get(metrics).shape[0];
    expect_all(tensors, label, &[(multiplier, &[1]), (metrics, &[slots, METRICS_PER_STEP])])?;
    Ok(Op::new(label, Kernel::Update(Update::Multiplier), Grid::Single)
        .update("multiplier_value", multiplier)
        .read("metrics", metrics)
        .touching(1)
        .params(OptimizerParams { limit, ..NONE }.block())
        .flops(5))
}

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let adam = |decoupled| Rule::Adam {
        beta1: 0.9,
        beta2: 0.999,
        // Large enough to be seen in the result.
        epsilon: 1e-2,
        decoupled,
    };
    let sgd = |momentum, nesterov| Rule::Sgd { momentum, nesterov };
    let step = StepScalars {
        lr: 0.01,
        correction1: 1.0 / (1.0 - 0.9_f32.powi(3)),
        correction2: 1.0 / (1.0 - 0.999_f32.powi(3)).sqrt(),
        ..StepScalars::default()
    };
    let mut all = Vec::new();
    for len in [64, 192, 4096, 4160, 652_032] {
        for (name, rule, decay) in [
            ("sgd", sgd(0.0, false), 0.0),
            ("momentum", sgd(0.9, false), 0.02),
            ("nesterov", sgd(0.9, true), 0.02),
            ("adam", adam(false), 0.0),
            ("adam with decay", adam(false), 0.02),
            ("adamw", adam(true), 0.02),
        ] {
            let mut case = Case::new(format!("optimizer/{name} {len}"), step);
            let tight = Tolerance::Relative(2e-6);
            let arenas = Arenas {
                weights: case.updated("weights", &[len], Fill::Spread(1.0), tight),
                gradients: case.input("gradients", &[len], Dtype::F32, Fill::Spread(1.0)),
                first: case.updated("first", &[len], Fill::Spread(0.1), tight),
                second: match rule {
                    Rule::Adam { .. } => case.updated("second", &[len], Fill::Levels, tight),
                    Rule::Sgd { .. } => case.input("unused", &[1], Dtype::F32, Fill::Levels),
                },
                clip: case.input("clip", &[1], Dtype::F32, Fill::Levels),
            };
            case.op(|t| update(t, arenas, rule, decay, len));
            all.push(case.timed(len == 652_032));
        }
    }
    // Moments that have nearly decayed become 0 before they become denormal.
    for (name, rule) in [("momentum", sgd(0.9, false)), ("adam", adam(false))] {
        let mut case = Case::new(format!("optimizer/{name} decayed"), step);
        let tight = Tolerance::Relative(2e-6);
        let spent = Fill::Among(&[0.9e-36, 1.05e-36, 5e-36]);
        let unused = case.input("unused", &[1], Dtype::F32, Fill::Levels);
        let arenas = Arenas {
            weights: case.updated("weights", &[64], Fill::Spread(1.0), tight),
            gradients: case.input("gradients", &[64], Dtype::F32, Fill::Among(&[0.0])),
            first: case.updated("first", &[64], spent, tight),
            second: if name == "adam" { case.updated("second", &[64], spent, tight) } else { unused },
            clip: case.input("clip", &[1], Dtype::F32, Fill::Levels),
        };
        case.op(|t| update(t, arenas, rule, 0.0, 64));
        all.push(case);
    }
    // The optimiser leaves the end of the arena alone.
    for (name, rule) in [("sgd", sgd(0.9, true)), ("adam", adam(false)), ("adamw", adam(true))] {
        let mut case = Case::new(format!("optimizer/{name} of a part"), step);
        let mut arena = |name: &str| case.updated(name, &[192], Fill::Levels, Tolerance::Relative(2e-6));
        let [weights, gradients, first, second] = ["weights", "gradients", "first", "second"].map(&mut arena);
        let clip = case.input("clip", &[1], Dtype::F32, Fill::Levels);
        let arenas = Arenas { weights, gradients, first, second, clip };
        case.op(|t| update(t, arenas, rule, 0.02, 128));
        all.push(case);
    }
    // Means of the KL, the third number of the second slot: above the limit, far above it, below it, at 0, below 0, as a draw's may be,
    // and the ends of the range.
    let (least, most) = MULTIPLIER_RANGE;
    let cases: [(&str, f32, &'static [f32]); 7] = [
        ("above", 0.7, &[9.0, 9.0, 9.0, 9.0, 8.0, 2.5, 5.5, 0.5]),
        ("far above", 0.7, &[9.0, 9.0, 9.0, 9.0, 8.0, 2.5, 4e9, 0.5]),
        ("below", 30.0, &[9.0, 9.0, 9.0, 9.0, 8.0, 5.5, 2.5, 0.5]),
        ("of no KL", 30.0, &[9.0, 9.0, 9.0, 9.0, 8.0, 5.5, 0.0, 0.5]),
        ("of a negative KL", 30.0, &[9.0, 9.0, 9.0, 9.0, 8.0, 5.5, -6.0, 0.5]),
        ("at its least", least, &[9.0, 9.0, 9.0, 9.0, 8.0, 5.5, 1.0, 0.5]),
        ("at its most", most, &[9.0, 9.0, 9.0, 9.0, 8.0, 2.5, 7.0, 0.5]),
    ];
    for (name, value, means) in cases {
        let step = StepScalars { slot: 1, lr: 0.5, ..step };
        let mut case = Case::new(format!("optimizer/multiplier {name}"), step);
        let tight = Tolerance::Relative(1e-6);
        let weight = case.updated("multiplier", &[1], Fill::Each(value), tight);
        let metrics = case.updated("metrics", &[3, METRICS_PER_STEP], Fill::Exactly(means), tight);
        case.op(|t| multiplier(t, weight, metrics, 4.0));
        all.push(case);
    }
    all
}
