//! From nodes to ops: where each node's value is stored, and the op that computes it.

mod attention;
mod places;
mod recurrent;
mod tokens;

use std::collections::{HashMap, HashSet};

use super::{Argument, Axis, Graph, Kind, Node, Region, Scalar};
use crate::kernels::{Body, gemm, log_sum_exp, map, norm, pool, reduce, softmax};
use crate::plan::{
    BufferId, Call, Function, Input, Op, Orientation, PlanError, StoredValue, TensorId, TensorTable, Value, Windows,
};

/// Where a node's value is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// The tensor that holds it.
    pub tensor: TensorId,
    /// The part of the tensor, if it is not the whole.
    part: Option<Part>,
}

/// Elements of a tensor that a binding cannot start at, or that are not contiguous.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    /// Elements from one row to the next.
    stride: usize,
    /// The first element.
    offset: usize,
}

impl Placed {
    /// The whole tensor.
    pub fn whole(tensor: TensorId) -> Self {
        Self { tensor, part: None }
    }
}

/// Lowers graphs to ops. The plans of a model share tensors with equal name and shape.
pub struct Lowering {
    /// Every tensor.
    pub tensors: TensorTable,
    weights: BufferId,
    shared: HashMap<String, TensorId>,
}

/// A graph while it is lowered.
struct Lower<'a> {
    lowering: &'a mut Lowering,
    graph: &'a Graph,
    /// Nodes that are used.
    needed: HashSet<Node>,
    /// How often each node is read.
    readers: HashMap<Node, usize>,
    /// Nodes that others read as they are, and not another result of theirs.
    read_whole: HashSet<Node>,
    /// The nodes of other results than the first.
    results: HashMap<Node, Vec<Node>>,
    /// Products whose windows are summed.
    overlapped: HashSet<Node>,
    /// How often the value of each node is read from outside.
    kept: HashMap<Node, usize>,
    /// How many of these values a buffer holds.
    kept_in: HashMap<BufferId, usize>,
    places: HashMap<Node, Placed>,
    /// Copies of parts, as tensors of their own.
    copies: HashMap<Node, TensorId>,
    /// Names of this plan's tensors.
    taken: HashSet<String>,
    /// The number that the next tensor of a name may have.
    next: HashMap<String, usize>,
    ops: Vec<Op>,
}

impl Lowering {
    /// A lowering of models whose parameters are in an arena.
    pub fn new(tensors: TensorTable, weights: BufferId) -> Self {
        Self { tensors, weights, shared: HashMap::new() }
    }

    /// The tensor of this name and shape, added if there is none.
    pub fn shared(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let key = format!("{name} {shape:?}");
        let tensors = &mut self.tensors;
        *self.shared.entry(key).or_insert_with(|| tensors.floats(name, shape))
    }

    /// The ops that compute the nodes in `kept`, each into its tensor; inputs are in theirs already.
    pub fn lower(&mut self, graph: &Graph, kept: &[(Node, TensorId)]) -> Result<Vec<Op>, PlanError> {
        let mut needed: HashSet<Node> = kept.iter().map(|(node, _)| *node).collect();
        for node in graph.nodes().rev() {
            if needed.contains(&node) {
                needed.extend(graph.reads(node));
            }
        }
        let mut lower = Lower::new(self, graph, needed, kept);
        let mut copies = Vec::new();
        for (node, tensor) in kept {
            let place = Placed::whole(*tensor);
            let outside = matches!(graph.kind(*node), Kind::Input { .. });
            if !lower.places.contains_key(node) && (outside || lower.can_be_kept(*node, place)) {
                lower.places.insert(*node, place);
            } else {
                copies.push((*node, place));
            }
        }
        lower.place_parts();
        for node in graph.nodes() {
            if lower.needed.contains(&node) {
                lower.emit(node)?;
            }
        }
        for (node, place) in copies {
            let name = format!("{} copied", graph.name(node));
            lower.function(&name, Function::Copy, &[node], graph.shape(node), place, false)?;
        }
        Ok(lower.ops)
    }
}

impl<'a> Lower<'a> {
    fn new(lowering: &'a mut Lowering, graph: &'a Graph, needed: HashSet<Node>, kept: &[(Node, TensorId)]) -> Self {
        let mut lower = Self {
            lowering,
            graph,
            needed,
            readers: HashMap::new(),
            read_whole: HashSet::new(),
            results: HashMap::new(),
            overlapped: HashSet::new(),
            kept: HashMap::new(),
            kept_in: HashMap::new(),
            places: HashMap::new(),
            copies: HashMap::new(),
            taken: HashSet::new(),
            next: HashMap::new(),
            ops: Vec::new(),
        };
        for node in graph.nodes() {
            if let Kind::Overlap { of, .. } = graph.kind(node) {
                lower.overlapped.insert(*of);
            }
            if !lower.needed.contains(&node) {
                continue;
            }
            match graph.kind(node) {
                Kind::Result { of, .. } => lower.results.entry(*of).or_default().push(node),
                _ => lower.read_whole.extend(graph.reads(node)),
            }
            for read in graph.reads(node) {
                *lower.readers.entry(read).or_default() += 1;
            }
        }
        for (node, tensor) in kept {
            *lower.kept.entry(*node).or_default() += 1;
            *lower.kept_in.entry(lower.lowering.tensors.get(*tensor).buffer).or_default() += 1;
        }
        lower
    }

    /// The op that applies a function to nodes.
    fn function(
        &mut self,
        label: &str,
        function: Function,
        nodes: &[Node],
        space: [usize; 2],
        to: Placed,
        accumulate: bool,
    ) -> Result<(), PlanError> {
        let arguments = (0..nodes.len()).map(Argument::Input).collect();
        self.map(label, &[(function, arguments)], nodes, space, &[(0, to)], accumulate)
    }

    /// The node whose tensor has the elements of a reshaped one: element by element, the shape of a matrix does not matter.
    fn unshaped(&mut self, node: Node) -> Node {
        if let Kind::Reshape { of } = *self.graph.kind(node) {
            let place = self.place(of);
            if place.part.is_none() && self.lowering.tensors.get(place.tensor).shape.len() == 2 {
                return self.unshaped(of);
            }
        }
        node
    }

    /// The op that applies functions to nodes in sequence; the results of the last one are stored.
    fn map(
        &mut self,
        label: &str,
        calls: &[(Function, Vec<Argument>)],
        nodes: &[Node],
        space: [usize; 2],
        results: &[(usize, Placed)],
        accumulate: bool,
    ) -> Result<(), PlanError> {
        let mut body = Body::default();
        let mut operands = Vec::new();
        for node in nodes {
            if let Kind::Scalar(scalar) = self.graph.kind(*node) {
                operands.push(match scalar {
                    Scalar::Constant(value) => Value::constant(*value),
                    Scalar::Step { scalar, over } => Value::Step { scalar: *scalar, over: *over },
                });
                continue;
            }
            let shape = self.graph.shape(*node);
            // An input that is repeated must keep its own shape, which says how it is repeated.
            let unshaped = if shape == space { self.unshaped(*node) } else { *node };
            let mut place = self.place(unshaped);
            // A repeated part is copied to its own tensor first.
            if place.part.is_some() && shape != space {
                place = Placed::whole(self.tensor(*node)?);
            }
            let index = self.index(place, shape, space);
            let binding = body.reads.iter().position(|t| *t == place.tensor).unwrap_or_else(|| {
                body.reads.push(place.tensor);
                body.reads.len() - 1
            });
            body.program.inputs.push(Input { binding, index });
            operands.push(Value::Input(body.program.inputs.len() - 1));
        }
        for (function, arguments) in calls {
            let argument = |a: &Argument| match a {
                Argument::Input(i) => operands[*i],
                Argument::Result(call) => Value::Result { call: *call, index: 0 },
            };
            body.program.calls.push(Call { function: *function, arguments: arguments.iter().map(argument).collect() });
        }
        for (index, place) in results {
            let binding = body.writes.iter().position(|t| *t == place.tensor).unwrap_or_else(|| {
                body.writes.push(place.tensor);
                body.writes.len() - 1
            });
            let value = Value::Result { call: calls.len() - 1, index: *index };
            let index = self.index(*place, space, space);
            body.program.stores.push(StoredValue { value, binding, index, accumulate });
        }
        self.ops.push(map::map(&self.lowering.tensors, label, space, body)?);
        Ok(())
    }

    fn emit(&mut self, node: Node) -> Result<(), PlanError> {
        let name = self.graph.name(node).to_string();
        let shape = self.graph.shape(node);
        match self.graph.kind(node) {
            // Views and further results need no op of their own.
            Kind::Input { .. } | Kind::Param { .. } | Kind::Scalar(_) | Kind::View { .. } | Kind::Result { .. } => {}
            // Windows are taken by products, and a product of windows is their sum's.
            Kind::Windows { .. } => {}
            Kind::Product { .. } if self.overlapped.contains(&node) => {}
            Kind::Reshape { of } => {
                if self.place(*of).part.is_some() {
                    let place = self.place(node);
                    self.function(&name, Function::Copy, &[*of], self.graph.shape(*of), place, false)?;
                }
            }
            Kind::Overlap { of, windows } => {
                let Kind::Product { a, b, .. } = self.graph.kind(*of) else {
                    unreachable!("Graph makes these of products alone")
                };
                let operands = [self.matrix(*a)?, self.matrix(*b)?, self.place(node).tensor];
                let tensors = &self.lowering.tensors;
                self.ops.push(gemm::convolution(tensors, name, Orientation::Nn, operands, *windows)?);
            }
            Kind::Product { orientation, a, b } if self.windows(*a).or(self.windows(*b)).is_some() => {
                let operand = |lower: &mut Self, node: Node| match lower.windows(node) {
                    Some((images, windows)) => Ok((lower.tensor(images)?, Some(windows))),
                    None => lower.matrix(node).map(|id| (id, None)),
                };
                let ((a, of_a), (b, of_b)) = (operand(self, *a)?, operand(self, *b)?);
                let Some(windows) = of_a.or(of_b) else { return Ok(()) };
                let operands = [a, b, self.place(node).tensor];
                self.ops.push(gemm::convolution(&self.lowering.tensors, name, *orientation, operands, windows)?);
            }
            Kind::Product { orientation, a, b } => {
                let operands = [self.matrix(*a)?, self.matrix(*b)?, self.place(node).tensor];
                self.ops.push(gemm::product(&self.lowering.tensors, name, *orientation, operands)?);
            }
            Kind::Map { calls, inputs } => {
                let results = self.results(node);
                self.map(&name, calls, inputs, shape, &results, false)?;
            }
            Kind::Reduce { of, over } => {
                let (from, to) = (self.matrix(*of)?, self.place(node).tensor);
                let tensors = &self.lowering.tensors;
                self.ops.push(match (over, self.graph.shape(*of)) {
                    (Axis::Columns, _) => reduce::rows(tensors, name, &[(from, to)])?,
                    (Axis::Rows, [rows, 1]) if rows <= reduce::TALL => reduce::sum(tensors, name, from, to)?,
                    (Axis::Rows, _) => reduce::columns(tensors, name, from, to)?,
                });
            }
            Kind::Pool { of, pool } => {
                let operands = [self.matrix(*of)?, self.place(node).tensor];
                self.ops.push(pool::pool(&self.lowering.tensors, name, operands, *pool)?);
            }
            Kind::Normalise { of, norm } => {
                let (from, to) = (self.matrix(*of)?, self.place(node).tensor);
                let scale = self.result_or_own(node, 1, "scale", &[norm.count(shape[0])]);
                self.ops.push(norm::normalise(&self.lowering.tensors, name, [from, to, scale], *norm)?);
            }
            Kind::NormaliseBack { d, of, scale, norm } => {
                let operands = [self.matrix(*d)?, self.tensor(*of)?, self.tensor(*scale)?, self.place(node).tensor];
                self.ops.push(norm::back(&self.lowering.tensors, name, operands, *norm)?);
            }
            Kind::LogSoftmax { of, groups } => {
                let operands = [self.matrix(*groups)?, self.matrix(*of)?, self.place(node).tensor];
                self.ops.push(softmax::log_softmax(&self.lowering.tensors, name, operands)?);
            }
            Kind::LogSoftmaxBack { d, of, groups } => {
                let operands = [self.matrix(*groups)?, self.matrix(*d)?, self.matrix(*of)?, self.place(node).tensor];
                self.ops.push(softmax::back(&self.lowering.tensors, name, operands)?);
            }
            Kind::LogSumExp { of } => {
                let (operands, each) =
                    ([self.matrix(*of)?, self.place(node).tensor], self.graph.shape(*of)[0] / shape[0]);
                self.ops.push(log_sum_exp::log_sum_exp(&self.lowering.tensors, name, operands, each)?);
            }
            Kind::LogSumExpBack { d, of, sums } => {
                let operands = [self.matrix(*d)?, self.matrix(*of)?, self.matrix(*sums)?, self.place(node).tensor];
                let each = shape[0] / self.graph.shape(*sums)[0];
                self.ops.push(log_sum_exp::back(&self.lowering.tensors, name, operands, each)?);
            }
            Kind::Recurrent { .. } | Kind::RecurrentBack { .. } => self.recurrent(node)?,
            Kind::Attention { .. } | Kind::AttentionBack { .. } => self.attention(node)?,
            Kind::Embed { .. } | Kind::EmbedBack { .. } => self.embed(node)?,
            Kind::CrossEntropy { .. } | Kind::CrossEntropyBack { .. } => self.cross_entropy(node)?,
            Kind::Sum(parts) => self.sum(node, parts)?,
        }
        Ok(())
    }

    /// Where a result of a node is stored that an op writes whether something reads it or not.
    fn result_or_own(&mut self, node: Node, index: usize, what: &str, shape: &[usize]) -> TensorId {
        match self.results(node).iter().find(|(of, _)| *of == index) {
            Some((_, place)) => place.tensor,
            None => self.own(format!("{}.{what}", self.graph.name(node)), shape),
        }
    }

    /// The images that a node is the windows of.
    fn windows(&self, node: Node) -> Option<(Node, Windows)> {
        match self.graph.kind(node) {
            Kind::Windows { of, windows } => Some((*of, *windows)),
            _ => None,
        }
    }

    /// The results of a node that are used.
    fn results(&mut self, map: Node) -> Vec<(usize, Placed)> {
        let mut results = Vec::new();
        if self.read_whole.contains(&map) || self.places.contains_key(&map) {
            results.push((0, self.place(map)));
        }
        for node in self.results.get(&map).cloned().unwrap_or_default() {
            if let Kind::Result { index, .. } = self.graph.kind(node) {
                results.push((*index, self.place(node)));
            }
        }
        results
    }

    fn sum(&mut self, node: Node, parts: &[(Region, Node)]) -> Result<(), PlanError> {
        let (name, shape, place) = (self.graph.name(node).to_string(), self.graph.shape(node), self.place(node));
        let wholes: Vec<Node> = parts.iter().filter(|(region, _)| *region == Region::Whole).map(|p| p.1).collect();
        let views = parts.iter().filter(|(region, _)| *region != Region::Whole);
        match wholes.as_slice() {
            [] => {}
            [only] if self.places.get(only) == Some(&place) => {}
            [only] => self.function(&name, Function::Copy, &[*only], shape, place, false)?,
            [first, second, rest @ ..] => {
                self.function(&name, Function::Add, &[*first, *second], shape, place, false)?;
                for part in rest {
                    self.function(&name, Function::Copy, &[*part], shape, place, true)?;
                }
            }
        }
        let mut covered: Vec<Region> = Vec::new();
        for (region, part) in views {
            let shape = self.graph.shape(*part);
            let to = self.part(place, *region, shape);
            let accumulate = !wholes.is_empty() || covered.contains(region);
            covered.push(*region);
            let there = self.places.get(part).is_some_and(|from| self.same(*from, to));
            if accumulate || !there {
                self.function(&name, Function::Copy, &[*part], shape, to, accumulate)?;
            }
        }
        Ok(())
    }
}
