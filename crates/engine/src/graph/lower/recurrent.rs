//! Recurrent layers.

use super::super::{Kind, Node};
use super::Lower;
use crate::kernels::recurrent::{Back, Forward, back, forward};
use crate::plan::{Cell, PlanError};

impl Lower<'_> {
    /// Emits a recurrent layer, or its gradient.
    pub(super) fn recurrent(&mut self, node: Node) -> Result<(), PlanError> {
        let (name, shape) = (self.graph.name(node).to_string(), self.graph.shape(node));
        match self.graph.kind(node) {
            Kind::Recurrent { layer, gates, weight, bias, start, lengths } => {
                let kept = [shape[0], layer.cell.kept() * shape[1]];
                let of = Forward {
                    gates: self.matrix(*gates)?,
                    weight: self.matrix(*weight)?,
                    bias: self.tensor(*bias)?,
                    start: start.map(|start| self.matrix(start)).transpose()?,
                    lengths: lengths.map(|lengths| self.tensor(lengths)).transpose()?,
                    states: self.place(node).tensor,
                    kept: self.result_or_own(node, 1, "kept", &kept),
                };
                self.ops.push(forward(&self.lowering.tensors, name, *layer, of)?);
            }
            Kind::RecurrentBack { layer, d, of, kept, weight, start } => {
                let carry = [shape[0] / layer.steps as usize, layer.cell.state() * self.graph.shape(*of)[1]];
                let of = Back {
                    d_states: self.matrix(*d)?,
                    of_end: self.graph.shape(*d) != self.graph.shape(*of),
                    weight: self.matrix(*weight)?,
                    start: start.map(|start| self.matrix(start)).transpose()?,
                    states: self.matrix(*of)?,
                    kept: self.matrix(*kept)?,
                    d_gates: self.place(node).tensor,
                    d_hidden: match layer.cell {
                        Cell::Gru => Some(self.result_or_own(node, 2, "hidden", &shape)),
                        Cell::Lstm => None,
                    },
                    carry: self.result_or_own(node, 1, "carry", &carry),
                };
                self.ops.push(back(&self.lowering.tensors, name, *layer, of)?);
            }
            _ => {}
        }
        Ok(())
    }
}
