//! The ops of attention.

use super::super::{Kind, Node};
use super::Lower;
use crate::kernels::attention::{Back, Forward, back, forward};
use crate::plan::PlanError;

impl Lower<'_> {
    /// Emits attention, or its gradient.
    pub(super) fn attention(&mut self, node: Node) -> Result<(), PlanError> {
        let (name, [rows, _]) = (self.graph.name(node).to_string(), self.graph.shape(node));
        let op = match *self.graph.kind(node) {
            Kind::Attention { layer, of, lengths } => {
                let of = Forward {
                    qkv: self.matrix(of)?,
                    lengths: lengths.map(|lengths| self.tensor(lengths)).transpose()?,
                    result: self.place(node).tensor,
                    sums: self.result_or_own(node, 1, "sums", &[rows, layer.heads as usize]),
                };
                forward(&self.lowering.tensors, name, layer, of)?
            }
            Kind::AttentionBack { layer, d, of, result, sums, lengths } => {
                let of = Back {
                    d_result: self.matrix(d)?,
                    qkv: self.matrix(of)?,
                    lengths: lengths.map(|lengths| self.tensor(lengths)).transpose()?,
                    result: self.matrix(result)?,
                    sums: self.matrix(sums)?,
                    d_qkv: self.place(node).tensor,
                    products: self.own(format!("{name}.products"), &[rows, layer.heads as usize]),
                };
                back(&self.lowering.tensors, name, layer, of)?
            }
            _ => return Ok(()),
        };
        self.ops.push(op);
        Ok(())
    }
}
