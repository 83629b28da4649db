//! The list of ops while it is fused: where two can meet, and what may become of them.

use super::programs::{tidy, without_copies};
use crate::graph::Lowering;
use crate::kernels::map::MapParams;
use crate::kernels::{Body, gemm};
use crate::plan::{Access, Binding, FuseRule, Grid, Index, Kernel, Op, TensorId, TensorTable};

/// Storage bindings that WebGPU promises a shader.
const MOST_BINDINGS: usize = 8;

/// The ops, and what they are about.
pub(super) struct List<'a> {
    pub(super) ops: Vec<Op>,
    pub(super) lowering: &'a mut Lowering,
    pub(super) kept: &'a [TensorId],
}

impl List<'_> {
    pub(super) fn tensors(&self) -> &TensorTable {
        &self.lowering.tensors
    }

    /// Where two ops can meet: at the first's place, if the second depends on nothing between them; or at the second's, if
    /// nothing between them depends on the first.
    pub(super) fn place(&self, first: usize, second: usize) -> Option<usize> {
        let between = &self.ops[first + 1..second];
        if !between.iter().any(|op| op.depends_on(&self.ops[second], self.tensors())) {
            return Some(first);
        }
        (!between.iter().any(|op| op.depends_on(&self.ops[first], self.tensors()))).then_some(second)
    }

    /// Whether an op stays within what a shader may bind, reads no buffer that it writes, and writes nothing twice.
    pub(super) fn is_sound(&self, op: &Op) -> bool {
        let buffer = |id: TensorId| self.tensors().get(id).buffer;
        let read_and_written = op.bindings.iter().filter(|b| b.access.writes()).any(|written| {
            op.bindings.iter().any(|read| !read.access.writes() && buffer(read.tensor) == buffer(written.tensor))
        });
        let written_twice = op.bindings.iter().enumerate().any(|(i, a)| {
            let both = |b: &&Binding| a.access.writes() && b.access.writes();
            op.bindings[..i].iter().filter(both).any(|b| self.tensors().overlap(a.tensor, b.tensor))
        });
        op.bindings.len() <= MOST_BINDINGS && !read_and_written && !written_twice
    }

    /// Puts an op in place of two, by a rule.
    pub(super) fn unite(&mut self, first: usize, second: usize, mut op: Op, rule: FuseRule) -> Option<()> {
        let at = self.place(first, second)?;
        if !self.is_sound(&op) {
            return None;
        }
        // It goes on under one label, and names the other.
        let [a, b] = [first, second].map(|i| &self.ops[i]);
        let taken = if op.label == a.label { b } else { a };
        op.fused.push((rule, taken.label.clone()));
        op.fused.extend(taken.fused.clone());
        self.ops[at] = op;
        self.ops.remove(if at == first { second } else { first });
        Some(())
    }

    /// Whether a tensor, or a part of it, is read by any but two ops.
    pub(super) fn is_read_elsewhere(&self, tensor: TensorId, [first, second]: [usize; 2]) -> bool {
        let reads =
            |op: &Op| op.bindings.iter().any(|b| b.access != Access::Write && self.tensors().overlap(b.tensor, tensor));
        self.kept.iter().any(|kept| self.tensors().overlap(*kept, tensor))
            || self.ops.iter().enumerate().any(|(i, op)| i != first && i != second && reads(op))
    }

    /// Whether two tensors are the same elements, whatever their shapes.
    pub(super) fn is_same(&self, a: TensorId, b: TensorId) -> bool {
        let [a, b] = [a, b].map(|id| self.tensors().get(id));
        (a.buffer, a.offset, a.len()) == (b.buffer, b.offset, b.len())
    }

    /// The rows and columns of an op's pointwise part.
    pub(super) fn space(&self, op: &Op) -> Option<[usize; 2]> {
        match (&op.kernel, op.grid) {
            (Kernel::Gemm(gemm), Grid::Tiles { rows, cols }) => Some([rows, if gemm.pairs { cols / 2 } else { cols }]),
            (Kernel::Map(_), _) => {
                let p = MapParams::of(op);
                Some([p.m as usize, p.n as usize])
            }
            _ => None,
        }
    }

    /// A program without the stores that only the two ops it is made of would read. A product whose columns are summed keeps
    /// an output, which its tiles are spilled to.
    pub(super) fn without_dead_stores(&self, mut body: Body, made_of: [usize; 2]) -> Body {
        let is_product = self.ops[made_of[0]].kernel.gemm().is_some();
        let is_dead = |body: &Body, i: usize| {
            let store = &body.program.stores[i];
            let whole = body.program.stores.iter().filter(|s| s.index == Index::Whole).count();
            let spills = is_product && !body.program.sums.is_empty() && store.index == Index::Whole && whole == 1;
            !spills && !self.is_read_elsewhere(body.writes[store.binding], made_of)
        };
        while let Some(dead) = (0..body.program.stores.len()).find(|i| is_dead(&body, *i)) {
            body.program.stores.remove(dead);
        }
        tidy(without_copies(body))
    }

    /// Gives an op another program.
    pub(super) fn with_body(&self, op: &Op, body: Body) -> Option<Op> {
        let mut op = op.clone();
        match op.kernel {
            Kernel::Gemm(_) => gemm::set_epilogue(self.tensors(), &mut op, body).ok()?,
            _ => {
                let space = self.space(&op)?;
                body.bind(self.tensors(), &mut op, space).ok()?;
            }
        }
        Some(op)
    }
}
