//! Cases of `attention`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::attention::{Back, Forward, back, forward};
use crate::plan::{Attention, Dtype, StepScalars};

/// A layer's sizes, and what it has.
struct Sizes {
    rows: usize,
    steps: usize,
    heads: usize,
    /// Columns of a head.
    width: usize,
    causal: bool,
    /// The times of each row in turn.
    lengths: Option<&'static [f32]>,
}

/// One long row and many short ones, one of them empty.
const LENGTHS: &[f32] = &[21.0, 1.0, 2.0, 0.0, 5.0, 9.0];

const SIZES: [Sizes; 9] = [
    Sizes { rows: 1, steps: 1, heads: 1, width: 1, causal: false, lengths: None },
    Sizes { rows: 6, steps: 21, heads: 2, width: 8, causal: false, lengths: Some(LENGTHS) },
    Sizes { rows: 6, steps: 21, heads: 3, width: 7, causal: true, lengths: Some(LENGTHS) },
    Sizes { rows: 3, steps: 10, heads: 8, width: 5, causal: true, lengths: None },
    Sizes { rows: 2, steps: 300, heads: 1, width: 16, causal: true, lengths: None },
    Sizes { rows: 2, steps: 67, heads: 2, width: 40, causal: false, lengths: None },
    Sizes { rows: 2, steps: 11, heads: 1, width: 90, causal: true, lengths: None },
    Sizes { rows: 1, steps: 9, heads: 2, width: 136, causal: false, lengths: None },
    Sizes { rows: 16, steps: 64, heads: 4, width: 32, causal: true, lengths: None },
];

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    SIZES.iter().map(case).collect()
}

fn case(of: &Sizes) -> Case {
    let Sizes { rows, steps, heads, width, causal, lengths } = *of;
    let marks = [(causal, " causal"), (lengths.is_some(), " lengths")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    let mut case = Case::new(format!("attention/{rows}x{steps}x{heads}x{width}{marks}"), StepScalars::default());
    let layer = Attention { heads: heads as u32, causal, steps: steps as u32 };
    let (all, columns) = (rows * steps, heads * width);
    let qkv = case.input("qkv", &[all, 3 * columns], Dtype::F32, Fill::Heavy { common: 1.0, rare: 4.0 });
    let lengths = lengths.map(|lengths| case.input("lengths", &[rows], Dtype::F32, Fill::Exactly(lengths)));
    let d_result = case.input("d_result", &[all, columns], Dtype::F32, Fill::Spread(1.0));
    // An exponential multiplies the rounding of its score, and scores are up to some tens.
    let tolerance = Tolerance::Relative(5e-5);
    let result = case.output("result", &[all, columns], tolerance);
    let sums = case.output("sums", &[all, heads], tolerance);
    let products = case.output("products", &[all, heads], tolerance);
    let d_qkv = case.output("d_qkv", &[all, 3 * columns], tolerance);
    case.op(|t| forward(t, "attention", layer, Forward { qkv, lengths, result, sums }));
    case.op(|t| back(t, "back", layer, Back { d_result, qkv, lengths, result, sums, d_qkv, products }));
    case.timed(rows == 16)
}
