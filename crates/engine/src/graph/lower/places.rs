//! Where the values of nodes lie.

use super::super::{Axis, Kind, Node, Region};
use super::{Lower, Part, Placed};
use crate::plan::{Dtype, Function, Index, ParamTable, PlanError, TensorId};

impl Lower<'_> {
    /// How often a node is read.
    pub(super) fn readers(&self, node: Node) -> usize {
        self.readers.get(&node).copied().unwrap_or(0)
    }

    /// The shape of a separate tensor for the node: sums over rows or columns are vectors.
    pub(super) fn extents(&self, node: Node) -> Vec<usize> {
        let [rows, cols] = self.graph.shape(node);
        match self.graph.kind(node) {
            Kind::Reduce { over: Axis::Columns, .. } => vec![rows],
            Kind::Reduce { over: Axis::Rows, .. } => vec![cols],
            Kind::Result { of, .. } if matches!(self.graph.kind(*of), Kind::Normalise { .. }) => vec![rows],
            Kind::CrossEntropy { .. } => vec![rows],
            _ => vec![rows, cols],
        }
    }

    /// Whether an op can write a node's value to this place.
    pub(super) fn can_be_placed(&self, node: Node, place: Placed) -> bool {
        match self.graph.kind(node) {
            Kind::Map { .. } | Kind::Sum(_) => true,
            Kind::Product { .. }
            | Kind::Overlap { .. }
            | Kind::Reduce { .. }
            | Kind::Pool { .. }
            | Kind::Normalise { .. }
            | Kind::NormaliseBack { .. }
            | Kind::LogSoftmax { .. }
            | Kind::LogSoftmaxBack { .. }
            | Kind::LogSumExp { .. }
            | Kind::LogSumExpBack { .. }
            | Kind::Recurrent { .. }
            | Kind::RecurrentBack { .. }
            | Kind::Attention { .. }
            | Kind::AttentionBack { .. }
            | Kind::Embed { .. }
            | Kind::EmbedBack { .. }
            | Kind::CrossEntropy { .. }
            | Kind::CrossEntropyBack { .. } => {
                place.part.is_none() && self.lowering.tensors.get(place.tensor).shape == self.extents(node)
            }
            _ => false,
        }
    }

    /// Whether a node's value can be computed directly in the tensor that is read from outside.
    pub(super) fn can_be_kept(&self, node: Node, place: Placed) -> bool {
        let tensors = &self.lowering.tensors;
        let buffer = tensors.get(place.tensor).buffer;
        let read = self.readers(node) > 0 || self.kept.get(&node).is_some_and(|times| *times > 1);
        // A reader of the node may write another node to the same buffer, and an op cannot read a buffer that it
        // writes.
        let alone = self.kept_in.get(&buffer) == Some(&1);
        (!read || alone) && self.can_be_placed(node, place)
    }

    /// A part of a place: rows become a tensor if a binding can start at the first one; other parts do not.
    pub(super) fn part(&mut self, place: Placed, region: Region, shape: [usize; 2]) -> Placed {
        let tensor = self.lowering.tensors.get(place.tensor).clone();
        let stride = match (place.part, &tensor.shape[..], region) {
            (Some(part), ..) => part.stride,
            (None, [_, cols], _) => *cols,
            (None, _, Region::Columns(_)) => tensor.len() / shape[0],
            (None, ..) => shape[1],
        };
        let start = match region {
            Region::Whole => return place,
            Region::Columns(start) => start,
            Region::Rows(start) => start * stride,
        };
        let offset = tensor.offset + start;
        if let (Region::Rows(row), None, true) = (region, place.part, offset.is_multiple_of(ParamTable::ALIGNMENT)) {
            let name = format!("{} from row {row}", tensor.name);
            return Placed::whole(self.lowering.tensors.view(name, tensor.buffer, offset, &[shape[0], stride]));
        }
        let before = place.part.map_or(0, |part| part.offset);
        Placed { part: Some(Part { stride, offset: before + start }), ..place }
    }

    /// Places the first parts of a sum in the sum's own tensor, if nothing else reads them.
    pub(super) fn place_parts(&mut self) {
        for sum in self.graph.nodes().rev().filter(|n| self.needed.contains(n)).collect::<Vec<_>>() {
            let Kind::Sum(parts) = self.graph.kind(sum) else { continue };
            let place = self.place(sum);
            let wholes = parts.iter().filter(|(region, _)| *region == Region::Whole).count();
            for (i, (region, part)) in parts.iter().enumerate() {
                // Two whole parts are added by an op. Further parts of a region that is written already are added to
                // it.
                let again = parts[..i].iter().any(|(before, _)| before == region);
                let first = !again && (wholes == 0 || *region == Region::Whole);
                let shape = self.graph.shape(*part);
                let fits = *region != Region::Whole || shape == self.graph.shape(sum);
                let kept = self.kept.contains_key(part);
                if !first || wholes > 1 || !fits || kept || self.readers(*part) > 1 || self.places.contains_key(part) {
                    continue;
                }
                let place = self.part(place, *region, shape);
                if self.can_be_placed(*part, place) {
                    self.places.insert(*part, place);
                }
            }
        }
    }

    /// Where a node's value is stored; by default in a tensor of its own.
    pub(super) fn place(&mut self, node: Node) -> Placed {
        if let Some(place) = self.places.get(&node) {
            return *place;
        }
        let [rows, cols] = self.graph.shape(node);
        let place = match *self.graph.kind(node) {
            Kind::Param { offset, vector } => {
                let shape: &[usize] = if vector { &[cols] } else { &[rows, cols] };
                let (name, weights) = (self.graph.name(node).to_string(), self.lowering.weights);
                Placed::whole(self.lowering.tensors.view(name, weights, offset, shape))
            }
            Kind::View { of, region } => {
                let whole = self.place(of);
                self.part(whole, region, [rows, cols])
            }
            Kind::Reshape { of } if self.place(of).part.is_none() => {
                let whole = self.place(of);
                let tensor = self.lowering.tensors.get(whole.tensor).clone();
                match self.lowering.tensors.dtype(whole.tensor) {
                    // Grey levels are packed row by row.
                    Dtype::U32 => whole,
                    Dtype::F32 => Placed::whole(self.lowering.tensors.view(
                        tensor.name,
                        tensor.buffer,
                        tensor.offset,
                        &[rows, cols],
                    )),
                }
            }
            _ => {
                let base = self.graph.full_name(node).of_tensor();
                Placed::whole(self.own(base, &self.extents(node)))
            }
        };
        self.places.insert(node, place);
        place
    }

    /// A new tensor with a unique name in this plan.
    pub(super) fn own(&mut self, base: String, shape: &[usize]) -> TensorId {
        let mut name = base.clone();
        let next = self.next.entry(base.clone()).or_insert(2);
        while !self.taken.insert(name.clone()) {
            name = format!("{base}.{next}");
            *next += 1;
        }
        self.lowering.shared(&name, shape)
    }

    /// How a place is indexed by the elements `(row, col)` of a space.
    pub(super) fn index(&self, place: Placed, shape: [usize; 2], space: [usize; 2]) -> Index {
        let tensors = &self.lowering.tensors;
        match (place.part, shape) {
            (Some(part), _) => Index::Columns { stride: part.stride as u32, offset: part.offset as u32 },
            _ if tensors.dtype(place.tensor) == Dtype::U32 => match space[0] / tensors.get(place.tensor).shape[0] {
                1 => Index::Levels,
                rows => Index::LevelsOf { rows: rows as u32 },
            },
            (None, shape) if shape == space => Index::Whole,
            (None, [1, 1]) => Index::Once,
            (None, [1, _]) => Index::PerColumn,
            (None, _) => Index::PerRow,
        }
    }

    /// The node's value as a whole tensor; a copy if it is a part of one.
    pub(super) fn tensor(&mut self, node: Node) -> Result<TensorId, PlanError> {
        let place = self.place(node);
        if place.part.is_none() && !matches!(self.graph.kind(node), Kind::Scalar(_)) {
            return Ok(place.tensor);
        }
        if let Some(copy) = self.copies.get(&node) {
            return Ok(*copy);
        }
        let shape = self.graph.shape(node);
        let name = format!("{} copied", self.graph.name(node));
        let copy = self.own(name.clone(), &shape);
        self.function(&name, Function::Copy, &[node], shape, Placed::whole(copy), false)?;
        self.copies.insert(node, copy);
        Ok(copy)
    }

    /// The node's value as a matrix, if it is a vector.
    pub(super) fn matrix(&mut self, node: Node) -> Result<TensorId, PlanError> {
        let id = self.tensor(node)?;
        let tensor = self.lowering.tensors.get(id).clone();
        Ok(match tensor.shape[..] {
            [_, _] => id,
            _ => self.lowering.tensors.view(tensor.name, tensor.buffer, tensor.offset, &self.graph.shape(node)),
        })
    }

    /// Whether two places are the same.
    pub(super) fn same(&self, a: Placed, b: Placed) -> bool {
        let [x, y] = [a, b].map(|place| self.lowering.tensors.get(place.tensor));
        (x.buffer, x.offset, &x.shape, a.part) == (y.buffer, y.offset, &y.shape, b.part)
    }
}
