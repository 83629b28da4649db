//! Cases of `log_sum_exp`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::log_sum_exp::{NOTHING, back, log_sum_exp, stream};
use crate::plan::{Dtype, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(5e-6);
    for (groups, each, cols) in [(1, 1, 1), (7, 5, 1), (3, 1, 4), (130, 50, 1), (9, 12, 10), (65, 7, 33)] {
        let mut case = Case::new(format!("log_sum_exp/{groups} of {each}x{cols}"), StepScalars::default());
        let x = case.input("x", &[groups * each, cols], Dtype::F32, Fill::Heavy { common: 3.0, rare: 100.0 });
        let y = case.output("y", &[groups, cols], tight);
        let d_y = case.input("d_y", &[groups, cols], Dtype::F32, Fill::Spread(1.0));
        let d_x = case.output("d_x", &[groups * each, cols], tight);
        case.op(|t| log_sum_exp(t, "log_sum_exp", [x, y], each));
        case.op(|t| back(t, "back", [d_y, x, y, d_x], each));
        all.push(case.timed(groups == 130));
    }
    for rows in [1, 9, 130] {
        let mut case = Case::new(format!("log_sum_exp/stream {rows}"), StepScalars::default());
        // One that has nothing yet, one whose values are all greater, and one whose values are all less.
        const STATE: [f32; 9] = [NOTHING, 0.0, 0.0, 90.0, 4.5, 2.5, -95.0, 3.0, 1.5];
        let state = case.updated("state", &[rows, 3], Fill::Exactly(&STATE), tight);
        for name in ["first", "second", "third"] {
            let x = case.input(name, &[rows], Dtype::F32, Fill::Heavy { common: 90.0, rare: 110.0 });
            case.op(|t| stream(t, name, x, state));
        }
        all.push(case);
    }
    all
}
