//! Cases of `embed`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::embed::{back, embed};
use crate::plan::{Dtype, StepScalars, TensorId};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = [
        ("", [1, 1], [1, 1], 0, Fill::Tokens(1)),
        ("", [3, 5], [2, 4], 0, Fill::Tokens(3)),
        ("shifted", [3, 5], [2, 4], 1, Fill::Tokens(3)),
        ("shifted", [7, 65], [3, 33], 1, Fill::Tokens(7)),
        ("shifted out", [4, 3], [3, 1], 1, Fill::Tokens(4)),
        ("in order", [6, 2], [2, 6], 1, Fill::Exactly(&[5.0, 0.0, 5.0, 3.0, 1.0, 5.0, -1.0])),
        ("without tokens", [3, 9], [4, 5], 0, Fill::Each(-1.0)),
        // The host refuses such numbers, but a kernel must not read or write beyond the table for them.
        ("beyond the table", [3, 5], [4, 9], 0, Fill::Among(&[0.0, 2.0, 3.0, 64.0, 4e9])),
        // More positions than a workgroup compares at a time.
        ("long", [5, 3], [9, 300], 1, Fill::Tokens(5)),
        // Several tiles of the processor.
        ("large", [1500, 35], [7, 40], 1, Fill::Tokens(1500)),
    ]
    .into_iter()
    .map(|(what, table, ids, shift, fill)| {
        let mut case = case(what, table, ids);
        let (tokens, d_y) = inputs(&mut case, table, ids, fill);
        let rows = case.input("table", &table, Dtype::F32, Fill::Spread(1.0));
        let y = case.output("y", &[ids[0] * ids[1], table[1]], Tolerance::Relative(0.0));
        let d_table = case.output("d_table", &table, Tolerance::Relative(5e-6));
        case.op(|t| embed(t, "embed", [rows, tokens, y], shift));
        case.op(|t| back(t, "embed back", [tokens, d_y, d_table], shift));
        case
    })
    .collect();
    for table in [[64, 256], [10_000, 64]] {
        let ids = [64, 32];
        let mut forward = case("forward", table, ids);
        let rows = forward.input("table", &table, Dtype::F32, Fill::Spread(1.0));
        let tokens = forward.input("ids", &ids, Dtype::F32, Fill::Tokens(table[0] as u32));
        let y = forward.output("y", &[ids[0] * ids[1], table[1]], Tolerance::Relative(0.0));
        forward.op(|t| embed(t, "embed", [rows, tokens, y], 1));
        let mut backward = case("back", table, ids);
        let (tokens, d_y) = inputs(&mut backward, table, ids, Fill::Tokens(table[0] as u32));
        let d_table = backward.output("d_table", &table, Tolerance::Relative(5e-6));
        backward.op(|t| back(t, "embed back", [tokens, d_y, d_table], 1));
        all.extend([forward.timed(true), backward.timed(true)]);
    }
    all
}

/// An empty case, named by its sizes.
fn case(what: &str, [rows, cols]: [usize; 2], [sequences, length]: [usize; 2]) -> Case {
    let sizes = format!("{sequences}x{length} of {rows}x{cols}");
    Case::new(format!("embed/{what} {sizes}").replace("/ ", "/"), StepScalars::default())
}

/// The tokens, and the gradient of their rows.
fn inputs(case: &mut Case, [_, cols]: [usize; 2], ids: [usize; 2], fill: Fill) -> (TensorId, TensorId) {
    let tokens = case.input("ids", &ids, Dtype::F32, fill);
    (tokens, case.input("d_y", &[ids[0] * ids[1], cols], Dtype::F32, Fill::Spread(1.0)))
}
