//! Fusing: a short list of rules, each of which makes two ops one. The first that fits is applied, until none does.
//!
//! A rule fires only where no value changes: the two ops can meet at one place of the list, both go over the same elements,
//! what is made has no more storage bindings than WebGPU promises, reads no buffer that it writes, and writes nothing twice.

mod list;
mod programs;
mod rules;

use std::collections::BTreeSet;

use super::Lowering;
use crate::plan::{FuseRule, Op, TensorId};
use list::List;

/// Makes two ops one, by their places in the list, the first of which stands before the second; none where it does not fit.
type Apply = fn(&mut List<'_>, usize, usize) -> Option<()>;

fn apply(rule: FuseRule) -> Apply {
    match rule {
        FuseRule::Repeat => rules::repeat,
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
    let mut list = List::new(ops, lowering, kept);
    // Pairs of each rule that may fit, by the second and the first place.
    let mut open: [BTreeSet<(usize, usize)>; FuseRule::ALL.len()] = Default::default();
    for place in list.places() {
        look_at(&list, place, &mut open);
    }
    while step(&mut list, &mut open) {}
    list.into_ops()
}

/// Adds the pairs that an op can be in.
fn look_at(list: &List<'_>, place: usize, open: &mut [BTreeSet<(usize, usize)>]) {
    for (rule, open) in FuseRule::ALL.into_iter().zip(open) {
        open.extend(list.pairs(rule, place).into_iter().map(|(first, second)| (second, first)));
    }
}

/// Applies the first rule that fits. A pair that did not fit is looked at again when an op that it depends on has
/// changed or moved. Until then its neighbours, and the readers of what it writes, are the same.
fn step(list: &mut List<'_>, open: &mut [BTreeSet<(usize, usize)>]) -> bool {
    for (number, rule) in FuseRule::ALL.into_iter().enumerate() {
        while let Some((second, first)) = open[number].pop_first() {
            if list.op(first).is_none() || list.op(second).is_none() {
                continue;
            }
            let before = [first, second].map(|place| list.dependent(place));
            if apply(rule)(list, first, second).is_none() {
                continue;
            }
            let after = [first, second].map(|place| list.dependent(place));
            let changed: BTreeSet<usize> = before.into_iter().chain(after).flatten().chain([first, second]).collect();
            for place in changed {
                look_at(list, place, open);
            }
            return true;
        }
    }
    false
}
