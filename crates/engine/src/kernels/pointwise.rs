//! Pointwise programs: the tensors bound to one.

use super::batch::words_per_row;
use crate::plan::{Access, Dtype, Index, Op, PlanError, Pointwise, TensorId, TensorTable};

/// A pointwise program with its tensors, by the numbers of their bindings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    /// The program that is run on each element.
    pub program: Pointwise,
    /// `in0`, `in1`, ...
    pub reads: Vec<TensorId>,
    /// `out0`, `out1`, ...
    pub writes: Vec<TensorId>,
    /// `sum0`, `sum1`, ...
    pub sums: Vec<TensorId>,
}

impl Body {
    /// The pointwise part of an op; none where it has none.
    pub fn of(op: &Op) -> Option<Self> {
        let program = op.kernel.pointwise()?.clone();
        let bound = |names: &[&str]| names.iter().map_while(|name| op.tensor(name)).collect();
        Some(Self {
            program,
            reads: bound(&Pointwise::IN),
            writes: bound(&Pointwise::OUT),
            sums: bound(&Pointwise::SUM),
        })
    }

    /// Binds the tensors of a program to an op, in place of those of the program it had. `[rows, cols]` is the space of the
    /// program; for a product of pairs it has half the product's columns.
    pub fn bind(self, tensors: &TensorTable, op: &mut Op, [rows, cols]: [usize; 2]) -> Result<(), PlanError> {
        self.check(tensors, &op.label, [rows, cols])?;
        let program_bindings = [&Pointwise::IN[..], &Pointwise::OUT, &Pointwise::SUM].concat();
        op.bindings.retain(|b| !program_bindings.contains(&b.name));
        for (name, tensor) in Pointwise::IN.iter().zip(&self.reads) {
            op.add(name, *tensor, Access::Read);
        }
        for (i, (name, tensor)) in Pointwise::OUT.iter().zip(&self.writes).enumerate() {
            let accumulates = self.program.stores.iter().any(|s| s.binding == i && s.accumulate);
            op.add(name, *tensor, if accumulates { Access::ReadWrite } else { Access::Write });
        }
        for (name, tensor) in Pointwise::SUM.iter().zip(&self.sums) {
            op.add(name, *tensor, Access::Write);
        }
        let product = op.kernel.gemm().map_or(0, |gemm| super::gemm::flops(gemm, &super::gemm::GemmParams::of(op)));
        op.flops = product + (rows * cols * self.program.flops()) as u64;
        if let Some(program) = op.kernel.pointwise_mut() {
            *program = self.program;
        }
        Ok(())
    }

    fn check(&self, tensors: &TensorTable, label: &str, [rows, cols]: [usize; 2]) -> Result<(), PlanError> {
        let inputs = self.program.inputs.iter().map(|input| (self.reads[input.binding], input.index));
        let stores = self.program.stores.iter().map(|store| (self.writes[store.binding], store.index));
        for (id, index) in inputs.chain(stores) {
            let tensor = tensors.get(id);
            let expected = match index {
                Index::Whole => vec![rows, cols],
                Index::Columns { stride, .. } => vec![rows, stride as usize],
                Index::Levels => vec![rows, words_per_row(cols)],
                Index::LevelsOf { rows: each } => {
                    let each = each as usize;
                    vec![rows / each, words_per_row(each * cols)]
                }
                Index::Repeated { rows: each } => vec![rows / each as usize, cols],
                Index::PerRow => vec![rows],
                Index::PerColumn => vec![cols],
                Index::Once => vec![1],
            };
            // Vectors are bound as they are: (B) is (B, 1), and (N) is (1, N).
            let extents = |shape: &[usize]| shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
            let fits = match (index, &tensor.shape[..]) {
                // Rows of the space may be parts of the tensor's, or several of them one.
                (Index::Whole, [tensor_rows, _]) => {
                    let nested = tensor_rows.is_multiple_of(rows) || rows.is_multiple_of(*tensor_rows);
                    nested && tensor.len() == rows * cols
                }
                (Index::Columns { stride, offset }, shape) => {
                    let [stride, offset] = [stride, offset].map(|n| n as usize);
                    let within = offset % stride + cols <= stride && offset + (rows - 1) * stride < tensor.len();
                    within && (shape.len() == 1 || shape[1] == stride)
                }
                (Index::Repeated { rows: each }, shape) => rows.is_multiple_of(each as usize) && *shape == expected[..],
                (_, shape) => extents(shape) == extents(&expected),
            };
            if !fits {
                return Err(PlanError::Shape {
                    op: label.to_string(),
                    tensor: tensor.name.clone(),
                    found: tensor.shape.clone(),
                    expected,
                });
            }
            tensors.expect_dtype(label, id, if index.is_levels() { Dtype::U32 } else { Dtype::F32 })?;
        }
        for id in &self.sums {
            tensors.expect(label, *id, &[rows, self.program.partial_sums(cols)])?;
        }
        Ok(())
    }
}
