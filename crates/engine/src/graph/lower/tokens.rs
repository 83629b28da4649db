//! The ops of nodes of tokens.

use super::super::{Kind, Node, Scalar};
use super::Lower;
use crate::kernels::cross_entropy::LossGradient;
use crate::kernels::{cross_entropy, embed};
use crate::plan::PlanError;

impl Lower<'_> {
    pub(super) fn embed(&mut self, node: Node) -> Result<(), PlanError> {
        let name = self.graph.name(node).to_string();
        let op = match *self.graph.kind(node) {
            Kind::Embed { table, ids, shift } => {
                let operands = [self.matrix(table)?, self.matrix(ids)?, self.place(node).tensor];
                embed::embed(&self.lowering.tensors, name, operands, shift)?
            }
            Kind::EmbedBack { d, ids, shift } => {
                let operands = [self.matrix(ids)?, self.matrix(d)?, self.place(node).tensor];
                embed::back(&self.lowering.tensors, name, operands, shift)?
            }
            _ => return Ok(()),
        };
        self.ops.push(op);
        Ok(())
    }

    pub(super) fn cross_entropy(&mut self, node: Node) -> Result<(), PlanError> {
        let name = self.graph.name(node).to_string();
        let op = match *self.graph.kind(node) {
            Kind::CrossEntropy { of, ids } => {
                let sums = self.result_or_own(node, 1, "sums", &[self.graph.shape(node)[0], 2]);
                let operands = [self.matrix(of)?, self.tensor(ids)?, self.place(node).tensor, sums];
                cross_entropy::cross_entropy(&self.lowering.tensors, name, operands)?
            }
            Kind::CrossEntropyBack { d, of, ids, sums } => {
                let d = match *self.graph.kind(d) {
                    Kind::Scalar(Scalar::Constant(d)) => LossGradient::Constant(d),
                    _ => LossGradient::Each(self.tensor(d)?),
                };
                let [of, ids, sums] = [self.matrix(of)?, self.tensor(ids)?, self.tensor(sums)?];
                let d_x = self.place(node).tensor;
                cross_entropy::back(&self.lowering.tensors, name, d, [of, ids, sums, d_x])?
            }
            _ => return Ok(()),
        };
        self.ops.push(op);
        Ok(())
    }
}
