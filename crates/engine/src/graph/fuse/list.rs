//! The list of ops while it is fused: where two can meet, and what may become of them.
//!
//! An op keeps its place while others go, and each tensor knows the places of its readers and writers, so that no question about two
//! ops goes through all of them.

use std::collections::{BTreeSet, HashSet};

use super::programs::{tidy, without_copies};
use crate::graph::Lowering;
use crate::graph::uses::{Between, Uses};
use crate::kernels::map::MapParams;
use crate::kernels::{Body, gemm};
use crate::plan::{Binding, FuseRule, Grid, Index, Kernel, Op, Reduce, TensorId, TensorTable};

/// Storage bindings that WebGPU promises a shader.
const MAX_BINDINGS: usize = 8;

/// The ops by their places, and what they are about.
pub(super) struct List<'a> {
    ops: Vec<Option<Op>>,
    uses: Uses,
    pub(super) lowering: &'a mut Lowering,
    kept: HashSet<TensorId>,
}

impl<'a> List<'a> {
    pub(super) fn new(ops: Vec<Op>, lowering: &'a mut Lowering, kept: &[TensorId]) -> Self {
        let uses = Uses::of(&ops, kept, &lowering.tensors);
        Self { ops: ops.into_iter().map(Some).collect(), uses, lowering, kept: kept.iter().copied().collect() }
    }

    /// The ops that are left, in order.
    pub(super) fn into_ops(self) -> Vec<Op> {
        self.ops.into_iter().flatten().collect()
    }

    /// Places, whether an op is left there or not.
    pub(super) fn places(&self) -> std::ops::Range<usize> {
        0..self.ops.len()
    }

    /// The op at a place; none where it is gone.
    pub(super) fn op(&self, place: usize) -> Option<&Op> {
        self.ops[place].as_ref()
    }

    /// Replaces the op at a place, or removes it where there is no new one; the uses of tensors stay true.
    pub(super) fn replace(&mut self, place: usize, op: Option<Op>) {
        if let Some(old) = self.ops[place].take() {
            self.uses.remove(place, &old);
        }
        if let Some(op) = &op {
            self.uses.add(place, op, &self.lowering.tensors);
        }
        self.ops[place] = op;
    }

    pub(super) fn tensors(&self) -> &TensorTable {
        &self.lowering.tensors
    }

    /// The places of a rule's pairs that an op can be in: those that share the tensor which the rule is about.
    pub(super) fn pairs(&self, rule: FuseRule, place: usize) -> Vec<(usize, usize)> {
        use FuseRule::{Bias, Chain, Epilogue, PartialSums, Repeat, RowSum, Rows};
        let Some(op) = self.op(place) else { return Vec::new() };
        let is_rows = |op: &Op| matches!(op.kernel, Kernel::Reduce(Reduce::Rows(_)));
        let is_columns = |op: &Op| matches!(op.kernel, Kernel::Reduce(Reduce::Columns));
        let is_pool = |op: &Op| matches!(op.kernel, Kernel::Pool(_));
        let (is_product, is_map) =
            (|op: &Op| op.kernel.gemm().is_some(), |op: &Op| matches!(op.kernel, Kernel::Map(_)));
        let fits = |first: usize, second: usize| match (self.op(first), self.op(second)) {
            (Some(first), Some(second)) => match rule {
                Repeat => is_pool(first) && is_map(second),
                Bias | Epilogue => is_product(first) && is_map(second),
                Chain => is_map(first) && is_map(second),
                PartialSums => (is_product(first) || is_map(first)) && is_rows(second),
                RowSum => is_product(first) && is_columns(second) || is_columns(first) && is_product(second),
                Rows => is_rows(first) && is_rows(second),
            },
            _ => false,
        };
        if !(is_rows(op) || is_columns(op) || is_product(op) || is_map(op) || is_pool(op)) {
            return Vec::new();
        }
        let mut others = BTreeSet::new();
        match rule {
            Rows if is_rows(op) => others.extend(self.places().filter(|other| self.op(*other).is_some_and(is_rows))),
            Rows => {}
            _ => {
                for binding in &op.bindings {
                    match rule {
                        PartialSums => self.uses.alike(binding.tensor, self.tensors()).iter().for_each(|tensor| {
                            others.extend(self.uses.places(*tensor));
                        }),
                        _ => others.extend(self.uses.places(binding.tensor)),
                    }
                }
            }
        }
        let pair = |other: usize| (place.min(other), place.max(other));
        others.into_iter().filter(|other| *other != place).map(pair).filter(|pair| fits(pair.0, pair.1)).collect()
    }

    /// The places of ops that must stay in their order with one.
    pub(super) fn dependent(&self, place: usize) -> BTreeSet<usize> {
        self.op(place).map_or_else(BTreeSet::new, |op| self.uses.dependent(op, self.tensors()))
    }

    /// Where two ops can meet: at the first's place, if the second depends on nothing between them; or at the second's, if
    /// nothing between them depends on the first.
    pub(super) fn place(&self, first: usize, second: usize) -> Option<usize> {
        let between = Between { first, second };
        if !self.uses.depends(self.op(second)?, between, self.tensors()) {
            return Some(first);
        }
        (!self.uses.depends(self.op(first)?, between, self.tensors())).then_some(second)
    }

    /// Whether an op between two places writes a tensor, or a part of it.
    pub(super) fn is_written_between(&self, tensor: TensorId, first: usize, second: usize) -> bool {
        self.uses.is_written(tensor, Between { first, second }, self.tensors())
    }

    /// Whether an op is bound to a tensor.
    pub(super) fn is_bound(&self, tensor: TensorId) -> bool {
        self.uses.places(tensor).next().is_some()
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
        op.bindings.len() <= MAX_BINDINGS && !read_and_written && !written_twice
    }

    /// Puts an op in place of two, by a rule.
    pub(super) fn unite(&mut self, first: usize, second: usize, mut op: Op, rule: FuseRule) -> Option<()> {
        let at = self.place(first, second)?;
        if !self.is_sound(&op) {
            return None;
        }
        // The new op keeps one label, and names the other op as fused into it.
        let (a, b) = (self.op(first)?, self.op(second)?);
        let taken = if op.label == a.label { b } else { a };
        op.fused.push((rule, taken.label.clone()));
        op.fused.extend(taken.fused.clone());
        self.replace(if at == first { second } else { first }, None);
        self.replace(at, Some(op));
        Some(())
    }

    /// Whether a tensor, or a part of it, is read by any but two ops.
    pub(super) fn is_read_elsewhere(&self, tensor: TensorId, but: [usize; 2]) -> bool {
        let alike = self.uses.alike(tensor, self.tensors());
        alike.iter().any(|tensor| self.kept.contains(tensor) || self.uses.is_read_elsewhere(*tensor, but))
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
        let is_product = self.op(made_of[0]).is_some_and(|op| op.kernel.gemm().is_some());
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
