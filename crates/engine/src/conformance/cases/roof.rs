//! Cases of `roof`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::roof::{copy, multiply_add};
use crate::plan::{Dtype, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (len, timed) in [(4, false), (68, false), (1000, false), (1 << 16, true)] {
        let mut case = Case::new(format!("roof/multiply_add {len}"), StepScalars::default());
        let result = case.output("result", &[len], Tolerance::Relative(1e-5));
        case.op(|t| multiply_add(t, result));
        all.push(case.timed(timed));
    }
    // 32 MiB, larger than the caches of a small machine.
    for (len, timed) in [(4, false), (68, false), (1000, false), (1 << 22, true)] {
        let mut case = Case::new(format!("roof/copy {len}"), StepScalars::default());
        let source = case.input("source", &[len], Dtype::F32, Fill::Spread(1.0));
        let result = case.output("result", &[len], Tolerance::Relative(0.0));
        case.op(|t| copy(t, source, result));
        all.push(case.timed(timed));
    }
    all
}
