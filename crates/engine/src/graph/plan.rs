//! From a graph to the ops of a plan: lowered, fused, ordered.

use super::{Graph, Lowering, Node, fuse, gradients, order};
use crate::plan::{Op, PlanError, TensorId};

/// The most nodes of a graph: about 15 for each of the layers that an encoder and a decoder may have, with their gradients, and as many
/// again.
const MAX_NODES: usize = 1 << 18;

impl Lowering {
    /// Adds the gradients of `sum(weight * loss)`, given as `(loss, weight)`, by every parameter that they depend on; each
    /// with its part of the arena of gradients.
    pub fn gradients(&mut self, g: &mut Graph, losses: &[(Node, Node)], arena: TensorId) -> Vec<(Node, TensorId)> {
        self.placed_gradients(g, arena, |g, params| gradients(g, losses, params))
    }

    /// The same of gradients that are found another way.
    pub fn placed_gradients(
        &mut self,
        g: &mut Graph,
        arena: TensorId,
        find: impl FnOnce(&mut Graph, &[Node]) -> Vec<Option<Node>>,
    ) -> Vec<(Node, TensorId)> {
        let params = g.parameters();
        let nodes: Vec<Node> = params.iter().map(|(node, ..)| *node).collect();
        let arena = self.tensors.get(arena).buffer;
        let mut placed = Vec::new();
        let found = find(g, &nodes);
        for ((param, offset, shape), d) in params.iter().zip(found) {
            let name = format!("d_{}", g.name(*param));
            let tensor = self.tensors.view(name, arena, *offset, shape);
            placed.extend(d.map(|d| (d, tensor)));
        }
        placed
    }

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
