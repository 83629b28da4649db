//! Cases of `rng`.

use crate::conformance::case::Case;
use crate::kernels::rng::bits;
use crate::plan::StepScalars;

/// The family's cases: bits must be equal.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (count, key) in [(1, [0, 0]), (63, [u32::MAX; 2]), (65, [0x1319_8a2e, 0x0370_7344]), (1000, [7, 8])] {
        let mut case = Case::new(format!("rng/bits {count}"), StepScalars::default());
        let words = case.word_output("words", &[count, 2]);
        case.op(|t| bits(t, key, words));
        all.push(case);
    }
    all
}
