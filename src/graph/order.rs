//! Ordering: ops that can run at the same time stand beside each other.
//!
//! A device waits where an op uses a buffer that one before it writes, and all ops behind wait with it
//! ([`crate::plan::StepPlan::stages`]). So ops are listed stage by stage: each stage takes the ops whose predecessors are
//! done and that share no written buffer with those it has, those with the longest way to the end first.

use crate::plan::{BufferUses, Op, TensorTable};

/// The same ops in an order with fewer stages.
pub fn order(ops: Vec<Op>, tensors: &TensorTable) -> Vec<Op> {
    let needs: Vec<Vec<usize>> =
        (0..ops.len()).map(|i| (0..i).filter(|j| ops[i].depends_on(&ops[*j], tensors)).collect()).collect();
    // How many ops stand one behind the other from here to the end.
    let mut way = vec![1_usize; ops.len()];
    for (i, needs) in needs.iter().enumerate().rev() {
        for j in needs {
            way[*j] = way[*j].max(way[i] + 1);
        }
    }
    let mut stage_of: Vec<Option<usize>> = vec![None; ops.len()];
    let mut ordered = Vec::with_capacity(ops.len());
    for stage in 0.. {
        if ordered.len() == ops.len() {
            break;
        }
        let is_ready = |i: &usize| needs[*i].iter().all(|j| stage_of[*j].is_some_and(|s| s < stage));
        let mut ready: Vec<usize> = (0..ops.len()).filter(|i| stage_of[*i].is_none()).filter(is_ready).collect();
        ready.sort_by_key(|i| std::cmp::Reverse(way[*i]));
        let mut used = BufferUses::default();
        for i in ready {
            if used.take(&ops[i], tensors) {
                stage_of[i] = Some(stage);
                ordered.push(i);
            }
        }
    }
    let mut ops: Vec<Option<Op>> = ops.into_iter().map(Some).collect();
    ordered.into_iter().filter_map(|i| ops[i].take()).collect()
}
