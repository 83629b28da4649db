//! Ordering: ops that can run at the same time stand beside each other.
//!
//! A device waits where an op uses a buffer that one before it writes, and all ops behind wait with it
//! ([`crate::plan::StepPlan::stages`]). So ops are listed stage by stage: each stage takes the ops whose predecessors are
//! done and that share no written buffer with those it has, those with the longest way to the end first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::uses::Uses;
use crate::plan::{BufferUses, Op, TensorTable};

/// Brings ops into an order with fewer stages.
pub fn order(ops: Vec<Op>, tensors: &TensorTable) -> Vec<Op> {
    let uses = Uses::of(&ops, &[], tensors);
    let needs: Vec<Vec<usize>> = ops
        .iter()
        .enumerate()
        .map(|(place, op)| uses.dependent(op, tensors).into_iter().take_while(|before| *before < place).collect())
        .collect();
    // How many ops stand one behind the other from here to the end.
    let mut pass = vec![1_usize; ops.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); ops.len()];
    for (i, needs) in needs.iter().enumerate().rev() {
        for j in needs {
            pass[*j] = pass[*j].max(pass[i] + 1);
            readers[*j].push(i);
        }
    }
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut ready: BTreeSet<(Reverse<usize>, usize)> =
        (0..ops.len()).filter(|i| missing[*i] == 0).map(|i| (Reverse(pass[i]), i)).collect();
    let mut ordered = Vec::with_capacity(ops.len());
    while !ready.is_empty() {
        let mut used = BufferUses::default();
        let taken: Vec<_> = ready.iter().copied().filter(|(_, i)| used.take(&ops[*i], tensors)).collect();
        for (way_of, i) in taken {
            ready.remove(&(way_of, i));
            ordered.push(i);
            for reader in &readers[i] {
                missing[*reader] -= 1;
                if missing[*reader] == 0 {
                    ready.insert((Reverse(pass[*reader]), *reader));
                }
            }
        }
    }
    let mut ops: Vec<Option<Op>> = ops.into_iter().map(Some).collect();
    ordered.into_iter().filter_map(|i| ops[i].take()).collect()
}
