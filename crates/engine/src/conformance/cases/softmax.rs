//! Cases of `softmax`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::softmax::{back, log_softmax};
use crate::plan::{Dtype, StepScalars};

/// The groups of the cases: of three, alone, of one, twice two.
const GROUPS: [f32; 12] = [
    0.0, 3.0, 4.0, 5.0, 7.0, 9.0, // the first column of each
    3.0, 0.0, 1.0, 2.0, 2.0, 0.0, // and their number
];
/// The columns of the cases.
const COLUMNS: usize = 10;

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(5e-6);
    for rows in [1, 7, 130] {
        let cols = COLUMNS;
        let mut case = Case::new(format!("softmax/{rows}x{cols}"), StepScalars::default());
        let table = case.input("groups", &[2, GROUPS.len() / 2], Dtype::F32, Fill::Exactly(&GROUPS));
        let x = case.input("x", &[rows, cols], Dtype::F32, Fill::Heavy { common: 3.0, rare: 100.0 });
        let y = case.output("y", &[rows, cols], tight);
        let d_y = case.input("d_y", &[rows, cols], Dtype::F32, Fill::Spread(1.0));
        let d_x = case.output("d_x", &[rows, cols], tight);
        case.op(|t| log_softmax(t, "softmax", [table, x, y]));
        case.op(|t| back(t, "softmax back", [table, d_y, y, d_x]));
        all.push(case);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::softmax::groups;

    #[test]
    fn the_cases_have_the_groups_they_say() {
        let spans = [0..3, 4..5, 5..7, 7..9];
        assert_eq!(groups(COLUMNS, spans), GROUPS);
    }
}
