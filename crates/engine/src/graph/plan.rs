//! From a graph to the ops of a plan: lowered, fused, ordered.

use super::{Graph, Lowering, Node, fuse, order};
use crate::plan::{Op, PlanError, TensorId};

/// The most nodes of a graph: about 15 for each of the layers that an encoder and a decoder may have, with their gradients, and as many
/// again.
const MAX_NODES: usize = 1 << 18;

impl Lowering {
    /// The ops of a graph, between others that no node stands for. The nodes in `kept` lie where the outside reads them.
    pub fn ops(
        &mut self,
        g: &Graph,
        kept: &[(Node, TensorId)],
        [before, behind]: [Vec<Op>; 2],
        fuse_ops: bool,
    ) -> Result<Vec<Op>, PlanError> {
        let nodes = g.nodes().len();
        if nodes > MAX_NODES {
            return Err(PlanError::TooManyNodes { nodes, most: MAX_NODES });
        }
        let ops = [before, self.lower(g, kept)?, behind].concat();
        if !fuse_ops {
            return Ok(ops);
        }
        let outside: Vec<TensorId> = kept.iter().map(|(_, tensor)| *tensor).collect();
        let fused = fuse(ops, self, &outside);
        Ok(order(fused, &self.tensors))
    }
}
