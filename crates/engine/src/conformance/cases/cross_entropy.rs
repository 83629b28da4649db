//! Cases of `cross_entropy`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::cross_entropy::{LossGradient, back, cross_entropy};
use crate::plan::{Dtype, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let heavy = Fill::Heavy { common: 3.0, rare: 100.0 };
    let mut all: Vec<Case> = [
        ("", [1, 2], Fill::Exactly(&[1.0]), heavy),
        ("", [1, 1], Fill::Exactly(&[0.0]), heavy),
        ("", [7, 2], Fill::Tokens(2), heavy),
        ("", [130, 11], Fill::Tokens(11), heavy),
        // Either side of the width from which a row has a workgroup.
        ("", [33, 127], Fill::Tokens(127), heavy),
        ("", [33, 128], Fill::Tokens(128), heavy),
        ("", [5, 1027], Fill::Tokens(1027), heavy),
        ("", [3, 20_000], Fill::Tokens(20_000), heavy),
        ("in order", [9, 4], Fill::Exactly(&[3.0, 0.0, 3.0, 1.0, -1.0, 2.0]), heavy),
        ("without tokens", [9, 4], Fill::Each(-1.0), heavy),
        ("without tokens", [9, 140], Fill::Each(-1.0), heavy),
        // The host refuses such numbers, but a kernel must not read beyond the row for them.
        ("beyond the row", [9, 4], Fill::Among(&[0.0, 4.0, 64.0, 4e9]), heavy),
        ("beyond the row", [9, 140], Fill::Among(&[0.0, 140.0, 200.0, 4e9]), heavy),
        // Each number is greater than those before it, in a row and in a lane.
        ("ascending", [3, 9], Fill::Tokens(9), Fill::Exactly(&[-80.0, -30.0, -9.0, 0.0, 1.0, 2.0, 9.0, 60.0, 90.0])),
        ("equal", [3, 200], Fill::Tokens(200), Fill::Each(0.25)),
        ("timed", [2048, 64], Fill::Tokens(64), heavy),
        ("timed", [256, 10_000], Fill::Tokens(10_000), heavy),
    ]
    .into_iter()
    .map(|(what, [rows, cols], fill, logits)| {
        let mut case =
            Case::new(format!("cross_entropy/{what} {rows}x{cols}").replace("/ ", "/"), StepScalars::default());
        let tight = Tolerance::Relative(5e-6);
        let ids = case.input("ids", &[rows, 1], Dtype::F32, fill);
        let x = case.input("x", &[rows, cols], Dtype::F32, logits);
        let loss = case.output("loss", &[rows], tight);
        let sums = case.output("sums", &[rows, 2], tight);
        let d_loss = case.input("d_loss", &[rows], Dtype::F32, Fill::Spread(1.0));
        let d_x = case.output("d_x", &[rows, cols], tight);
        case.op(|t| cross_entropy(t, "cross entropy", [x, ids, loss, sums]));
        case.op(|t| back(t, "cross entropy back", LossGradient::Each(d_loss), [x, ids, sums, d_x]));
        let even = case.output("d_x by a constant", &[rows, cols], tight);
        case.op(|t| back(t, "cross entropy back by a constant", LossGradient::Constant(-0.3), [x, ids, sums, even]));
        case.timed(what == "timed")
    })
    .collect();
    all.sort_by_key(|case| case.timed);
    all
}
