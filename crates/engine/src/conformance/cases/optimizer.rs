//! Cases of `optimizer`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::optimizer::{MULTIPLIER_RANGE, Rule, Settings, UpdateTensors, multiplier, update};
use crate::kernels::reduce::MetricColumn;
use crate::plan::{Dtype, ScalarId, StepScalars};

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
    // The last of four scalars, and the first two of four others.
    let scalar = ScalarId(3);
    let corrections = [1.0 / (1.0 - 0.9_f32.powi(3)), 1.0 / (1.0 - 0.999_f32.powi(3)).sqrt()];
    let step =
        StepScalars::default().with(scalar, 0.01).with(ScalarId(4), corrections[0]).with(ScalarId(5), corrections[1]);
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
            let arenas = UpdateTensors {
                weights: case.updated("weights", &[len], Fill::Spread(1.0), tight),
                gradients: case.input("gradients", &[len], Dtype::F32, Fill::Spread(1.0)),
                first: case.updated("first", &[len], Fill::Spread(0.1), tight),
                second: match rule {
                    Rule::Adam { .. } => case.updated("second", &[len], Fill::Levels, tight),
                    Rule::Sgd { .. } => case.input("unused", &[1], Dtype::F32, Fill::Levels),
                },
                clip: case.input("clip", &[1], Dtype::F32, Fill::Levels),
            };
            case.op(|t| update(t, arenas, Settings { rule, decay, scalar }, len));
            all.push(case.timed(len == 652_032));
        }
    }
    // Moments that have nearly decayed become 0 before they become denormal.
    for (name, rule) in [("momentum", sgd(0.9, false)), ("adam", adam(false))] {
        let mut case = Case::new(format!("optimizer/{name} decayed"), step);
        let tight = Tolerance::Relative(2e-6);
        let spent = Fill::Among(&[0.9e-36, 1.05e-36, 5e-36]);
        let unused = case.input("unused", &[1], Dtype::F32, Fill::Levels);
        let arenas = UpdateTensors {
            weights: case.updated("weights", &[64], Fill::Spread(1.0), tight),
            gradients: case.input("gradients", &[64], Dtype::F32, Fill::Among(&[0.0])),
            first: case.updated("first", &[64], spent, tight),
            second: if name == "adam" { case.updated("second", &[64], spent, tight) } else { unused },
            clip: case.input("clip", &[1], Dtype::F32, Fill::Levels),
        };
        case.op(|t| update(t, arenas, Settings { rule, decay: 0.0, scalar }, 64));
        all.push(case);
    }
    // The optimiser leaves the end of the arena alone.
    for (name, rule) in [("sgd", sgd(0.9, true)), ("adam", adam(false)), ("adamw", adam(true))] {
        let mut case = Case::new(format!("optimizer/{name} of a part"), step);
        let mut arena = |name: &str| case.updated(name, &[192], Fill::Levels, Tolerance::Relative(2e-6));
        let [weights, gradients, first, second] = ["weights", "gradients", "first", "second"].map(&mut arena);
        let clip = case.input("clip", &[1], Dtype::F32, Fill::Levels);
        let arenas = UpdateTensors { weights, gradients, first, second, clip };
        case.op(|t| update(t, arenas, Settings { rule, decay: 0.02, scalar }, 128));
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
        let step = StepScalars { slot: 1, ..step };
        let mut case = Case::new(format!("optimizer/multiplier {name}"), step);
        let tight = Tolerance::Relative(1e-6);
        let weight = case.updated("multiplier", &[1], Fill::Each(value), tight);
        let metrics = case.updated("metrics", &[3, 4], Fill::Exactly(means), tight);
        case.op(|t| multiplier(t, weight, MetricColumn { ring: metrics, column: 2 }, 4.0));
        all.push(case);
    }
    all
}
