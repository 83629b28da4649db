//! The optimiser, once over the whole parameter arena.

use super::case::{Case, Fill, Tolerance};
use super::{expect_all, index_fits, params};
use crate::plan::{Dtype, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable, Update};

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
    }
}

/// Smaller moments are set to 0.
pub const SMALLEST_MOMENT: f32 = 1e-36;

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

/// One optimiser step over the arenas.
pub fn update(tensors: &TensorTable, arenas: Arenas, rule: Rule, decay: f32) -> Result<Op, PlanError> {
    let label = "update";
    let len = tensors.get(arenas.weights).len();
    let whole: &[usize] = &[len.next_multiple_of(4)];
    expect_all(
        tensors,
        label,
        &[(arenas.weights, whole), (arenas.gradients, whole), (arenas.first, whole), (arenas.clip, &[1])],
    )?;
    let mut params = OptimizerParams {
        quads: index_fits(label, len / 4)?,
        decay,
        momentum: 0.0,
        beta1: 0.0,
        beta2: 0.0,
        epsilon: 0.0,
    };
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
            case.op(|t| update(t, arenas, rule, decay));
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
        case.op(|t| update(t, arenas, rule, 0.0));
        all.push(case);
    }
    all
}
