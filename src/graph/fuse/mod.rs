//! Fusing: a short list of rules, each of which makes two ops one. The first that fits is applied, until none does.
//!
//! A rule fires only where no value changes: the two ops can meet at one place of the list, both go over the same elements,
//! what is made has no more storage bindings than WebGPU promises, reads no buffer that it writes, and writes nothing twice.

mod list;
mod programs;
mod rules;

use super::Lowering;
use crate::plan::{FuseRule, Op, TensorId};
use list::List;

/// Makes two ops one, by their places in the list, the first of which stands before the second; none where it does not fit.
type Apply = fn(&mut List<'_>, usize, usize) -> Option<()>;

fn apply(rule: FuseRule) -> Apply {
    match rule {
        FuseRule::Bias => rules::bias,
        FuseRule::Chain => rules::chain,
        FuseRule::Epilogue => rules::epilogue,
        FuseRule::PartialSums => rules::partial_sums,
        FuseRule::RowSum => rules::row_sum,
        FuseRule::Rows => rules::rows,
    }
}

/// Applies the rules to a plan's ops. Tensors in `kept` are read from outside.
pub fn fuse(ops: Vec<Op>, lowering: &mut Lowering, kept: &[TensorId]) -> Vec<Op> {
    let mut list = List { ops, lowering, kept };
    while step(&mut list) {}
    list.ops
}

/// Applies the first rule that fits.
fn step(list: &mut List<'_>) -> bool {
    FuseRule::ALL.iter().any(|rule| {
        let mut pairs = (0..list.ops.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
        pairs.any(|(first, second)| apply(*rule)(list, first, second).is_some())
    })
}
