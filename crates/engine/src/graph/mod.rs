//! A model as a graph of nodes. Layers add nodes, the tape adds their gradients, and lowering turns them into ops.
//!
//! Every node is a matrix `(rows, cols)`; a vector has one row or one column, a number one of each. Where a function
//! takes nodes of several shapes, the smaller ones are repeated.

mod attention;
pub mod fuse;
mod images;
mod kind;
mod lower;
mod name;
mod order;
mod plan;
mod program;
mod recurrent;
mod tape;
mod tokens;
mod uses;

pub use fuse::fuse;
pub use kind::{Argument, Axis, Kind, Region, Scalar};
pub use lower::{Lowering, Placed};
pub use name::Name;
pub use order::order;
pub use program::{Block, GroupSpec, ProgramBuilder};
pub use recurrent::RecurrentInputs;
pub use tape::gradients;

use std::collections::{HashMap, HashSet};

use crate::plan::{Function, Init, Orientation, ParamTable, PlanError, ScalarTable, WeightLayout};

/// A node of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(usize);

#[derive(Debug, Clone)]
struct NodeData {
    kind: Kind,
    shape: [usize; 2],
    name: Name,
}

/// A model, or a part of one, for a batch of rows.
///
/// ```
/// use wgvae_engine::graph::Graph;
/// use wgvae_engine::plan::{Activation, Function, Init, Orientation};
///
/// let mut g = Graph::default();
/// let x = g.input("x", [64, 3], false); // 64 rows
/// let weight = g.param("weight", &[16, 3], Init::Uniform(0.5));
/// let product = g.product("layer", Orientation::Nt, x, weight); // x W^T
/// let y = g.map("layer activated", Function::Activate(Activation::Tanh), &[product]);
/// assert_eq!(g.shape(y), [64, 16]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<NodeData>,
    params: ParamTable,
    scalars: ScalarTable,
    /// The node of each block of parameters, by its place and its shape.
    blocks: HashMap<(usize, bool, [usize; 2]), Node>,
    /// The nodes of results other than the first.
    results: HashMap<(Node, usize), Node>,
}

impl Graph {
    /// A new graph over parameters and scalars that there are already.
    pub fn continuing(params: ParamTable, scalars: ScalarTable) -> Self {
        Self { params, scalars, ..Self::default() }
    }

    /// A new graph over the parameters and scalars of this one.
    pub fn continued(&self) -> Self {
        Self::continuing(self.params.clone(), self.scalars.clone())
    }

    /// The scalars so far.
    pub fn scalars(&self) -> &ScalarTable {
        &self.scalars
    }

    /// The parameters so far.
    pub fn params(&self) -> &ParamTable {
        &self.params
    }

    /// `(rows, cols)`
    pub fn shape(&self, node: Node) -> [usize; 2] {
        self.nodes[node.0].shape
    }

    /// The node's name, used in plans, messages and tensors.
    pub fn name(&self, node: Node) -> &str {
        self.nodes[node.0].name.text()
    }

    /// The node's name, and what others are named after it.
    pub fn full_name(&self, node: Node) -> &Name {
        &self.nodes[node.0].name
    }

    /// Gives a node another name.
    pub fn named(&mut self, node: Node, name: impl Into<Name>) -> Node {
        self.nodes[node.0].name = name.into();
        node
    }

    /// The node's kind.
    pub fn kind(&self, node: Node) -> &Kind {
        &self.nodes[node.0].kind
    }

    /// Every node, each after the nodes it is computed from.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(Node)
    }

    /// The nodes that a node is computed from.
    pub fn reads(&self, node: Node) -> Vec<Node> {
        match self.kind(node) {
            Kind::Input { .. } | Kind::Param { .. } | Kind::Scalar(_) => Vec::new(),
            Kind::Product { a, b, .. } => vec![*a, *b],
            Kind::Map { inputs, .. } => inputs.clone(),
            Kind::Result { of, .. } | Kind::Reduce { of, .. } | Kind::View { of, .. } | Kind::Reshape { of } => {
                vec![*of]
            }
            Kind::Windows { of, .. } | Kind::Overlap { of, .. } => vec![*of],
            Kind::Pool { of, .. } | Kind::Normalise { of, .. } => vec![*of],
            Kind::NormaliseBack { d, of, scale, .. } => vec![*d, *of, *scale],
            Kind::LogSoftmax { of, groups } => vec![*of, *groups],
            Kind::LogSoftmaxBack { d, of, groups } => vec![*d, *of, *groups],
            Kind::LogSumExp { of } => vec![*of],
            Kind::LogSumExpBack { d, of, sums } => vec![*d, *of, *sums],
            Kind::Recurrent { gates, weight, bias, start, lengths, .. } => {
                [Some(*gates), Some(*weight), Some(*bias), *start, *lengths].into_iter().flatten().collect()
            }
            Kind::RecurrentBack { d, of, kept, weight, start, .. } => {
                [Some(*d), Some(*of), Some(*kept), Some(*weight), *start].into_iter().flatten().collect()
            }
            Kind::Attention { of, lengths, .. } => [Some(*of), *lengths].into_iter().flatten().collect(),
            Kind::AttentionBack { d, of, result, sums, lengths, .. } => {
                [Some(*d), Some(*of), Some(*result), Some(*sums), *lengths].into_iter().flatten().collect()
            }
            Kind::Embed { table, ids, .. } => vec![*table, *ids],
            Kind::EmbedBack { d, ids, .. } => vec![*d, *ids],
            Kind::CrossEntropy { of, ids } => vec![*of, *ids],
            Kind::CrossEntropyBack { d, of, ids, sums } => vec![*d, *of, *ids, *sums],
            Kind::Sum(parts) => parts.iter().map(|(_, part)| *part).collect(),
        }
    }

    fn add(&mut self, kind: Kind, shape: [usize; 2], name: impl Into<Name>) -> Node {
        let node = Node(self.nodes.len());
        match kind {
            Kind::Param { offset, vector } => *self.blocks.entry((offset, vector, shape)).or_insert(node),
            Kind::Result { of, index } => *self.results.entry((of, index)).or_insert(node),
            _ => node,
        };
        self.nodes.push(NodeData { kind, shape, name: name.into() });
        node
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, shape: [usize; 2], levels: bool) -> Node {
        self.add(Kind::Input { levels }, shape, name)
    }

    /// Whether a node is an input of grey levels, four to a word.
    pub fn is_levels(&self, node: Node) -> bool {
        matches!(self.kind(node), Kind::Input { levels: true })
    }

    /// Adds a block of adjacent parameters: `(name, rows, init)` of each, all with the same number of columns. If the
    /// table already has the first parameter, the existing block is used.
    pub fn params_block(&mut self, name: &str, block: &[(&str, Vec<usize>, Init)]) -> Node {
        let offset = match block.first().and_then(|(first, ..)| self.params.find(first)) {
            Some(known) => known.offset,
            None => {
                let block: Vec<_> = block.iter().map(|(name, shape, init)| (*name, shape.as_slice(), *init)).collect();
                self.params.push_block(&block)
            }
        };
        let rows: usize = block.iter().map(|(_, shape, _)| shape[0]).sum();
        let (shape, vector) = match block.first().map(|(_, shape, _)| shape.as_slice()) {
            // The weights of a convolution are a matrix, too.
            Some([_, rest @ ..]) if !rest.is_empty() => ([rows, rest.iter().product()], false),
            _ => ([1, rows], true),
        };
        let kind = Kind::Param { offset, vector };
        let known = self.blocks.get(&(offset, vector, shape)).copied();
        known.unwrap_or_else(|| self.add(kind, shape, name))
    }

    /// Every block of parameters with its offset in the arena and its shape.
    pub fn parameters(&self) -> Vec<(Node, usize, Vec<usize>)> {
        let block = |node: Node| match *self.kind(node) {
            Kind::Param { offset, vector } => {
                let [rows, cols] = self.shape(node);
                Some((node, offset, if vector { vec![cols] } else { vec![rows, cols] }))
            }
            _ => None,
        };
        self.nodes().filter_map(block).collect()
    }

    /// Adds one parameter.
    pub fn param(&mut self, name: &str, shape: &[usize], init: Init) -> Node {
        self.params_block(name, &[(name, shape.to_vec(), init)])
    }

    /// Sets the order of a parameter's elements, where it is not that of files.
    pub fn set_order(&mut self, name: &str, order: Option<WeightLayout>) {
        if let Some(order) = order {
            self.params.set_order(name, order);
        }
    }

    /// Adds one parameter behind all others that the optimiser leaves alone, as an op of its own updates it.
    pub fn param_with_own_update(&mut self, name: &str, shape: &[usize], init: Init) -> Node {
        let node = self.param(name, shape, init);
        self.params.set_own_update(name);
        node
    }

    /// Adds a number.
    pub fn scalar(&mut self, scalar: Scalar) -> Node {
        self.add(Kind::Scalar(scalar), [1, 1], "scalar")
    }

    /// Adds a number that each step sets, by its name.
    pub fn step_scalar(&mut self, name: &str) -> Result<Node, PlanError> {
        let scalar = self.scalars.add(name)?;
        Ok(self.scalar(Scalar::Step { scalar, over: 1 }))
    }

    /// The parameters that a node stands for, to be given to a group; none where it stands for others.
    pub fn block(&self, node: Node) -> Option<Block> {
        let [rows, cols] = self.shape(node);
        match *self.kind(node) {
            Kind::Param { offset, .. } => {
                Some(Block { span: offset..offset + rows * cols, name: self.name(node).to_string() })
            }
            _ => None,
        }
    }

    /// Adds a constant.
    pub fn constant(&mut self, value: f32) -> Node {
        self.scalar(Scalar::Constant(value))
    }

    /// Adds the matrix product of two nodes; `orientation` says which is transposed.
    ///
    /// # Panics
    /// If the extents that are summed over differ.
    pub fn product(&mut self, name: impl Into<Name>, orientation: Orientation, a: Node, b: Node) -> Node {
        let ([a_rows, a_cols], [b_rows, b_cols]) = (self.shape(a), self.shape(b));
        let (shape, depths) = match orientation {
            Orientation::Nt => ([a_rows, b_rows], [a_cols, b_cols]),
            Orientation::Nn => ([a_rows, b_cols], [a_cols, b_rows]),
            Orientation::Tn => ([a_cols, b_cols], [a_rows, b_rows]),
        };
        assert_eq!(depths[0], depths[1], "{} times {}", self.name(a), self.name(b));
        self.add(Kind::Product { orientation, a, b }, shape, name)
    }

    /// Adds the logarithms of probabilities `(B, D)`: of each group of columns, their exponentials have a sum of 1. Columns of no
    /// group stay as they are. `groups (2, G)` is an input, see [`groups`](crate::kernels::softmax::groups).
    ///
    /// # Panics
    /// If that has another number of rows.
    pub fn log_softmax(&mut self, name: impl Into<Name>, of: Node, groups: Node) -> Node {
        let (shape, name) = (self.shape(of), name.into());
        assert_eq!(self.shape(groups)[0], 2, "{name}");
        self.add(Kind::LogSoftmax { of, groups }, shape, name)
    }

    /// Adds the gradient of these.
    fn log_softmax_back(&mut self, d: Node, of: Node, groups: Node) -> Node {
        let (shape, name) = (self.shape(of), format!("d_{} by its softmax", self.name(of)));
        self.add(Kind::LogSoftmaxBack { d, of, groups }, shape, name)
    }

    /// Adds logarithms of sums of exponentials of `(R G, C)`: of each column, over groups of `each` neighbouring rows.
    ///
    /// # Panics
    /// If the rows are no whole number of groups.
    pub fn log_sum_exp(&mut self, name: impl Into<Name>, of: Node, each: usize) -> Node {
        let ([rows, cols], name) = (self.shape(of), name.into());
        assert!(each > 0 && rows % each == 0, "{name}: {rows} rows in groups of {each}");
        self.add(Kind::LogSumExp { of }, [rows / each, cols], name)
    }

    /// Adds the gradient of these.
    fn log_sum_exp_back(&mut self, d: Node, of: Node, sums: Node) -> Node {
        let (shape, name) = (self.shape(of), format!("d_{} by its sum", self.name(of)));
        self.add(Kind::LogSumExpBack { d, of, sums }, shape, name)
    }

    /// Adds what each value has of its sum of exponentials: `exp(x - sum)`.
    pub fn shares(&mut self, of: Node, sums: Node) -> Node {
        let (one, shape) = (self.constant(1.0), self.shape(sums));
        let ones = self.map_of("ones", vec![(Function::Copy, vec![Argument::Input(0)])], &[one], shape);
        let shares = self.log_sum_exp_back(ones, of, sums);
        let name = format!("shares of {}", self.name(of));
        self.named(shares, name)
    }

    /// A node and all that it is computed from.
    pub fn ancestors(&self, of: Node) -> HashSet<Node> {
        let mut found = HashSet::from([of]);
        for node in self.nodes().rev() {
            if found.contains(&node) {
                found.extend(self.reads(node));
            }
        }
        found
    }

    /// Adds the same elements, row by row, in another shape.
    ///
    /// # Panics
    /// If there are more or fewer elements in it.
    pub fn reshape(&mut self, of: Node, shape: [usize; 2]) -> Node {
        let [rows, cols] = self.shape(of);
        assert_eq!(rows * cols, shape[0] * shape[1], "{} as {shape:?}", self.name(of));
        if shape == [rows, cols] {
            return of;
        }
        let name = self.name(of).to_string();
        self.add(Kind::Reshape { of }, shape, name)
    }

    /// Adds a function of each element.
    ///
    /// # Panics
    /// If the number of inputs or their shapes do not match the function.
    pub fn map(&mut self, name: impl Into<Name>, function: Function, inputs: &[Node]) -> Node {
        let arguments = (0..inputs.len()).map(Argument::Input).collect();
        let shape = self.common_shape(inputs);
        self.map_of(name, vec![(function, arguments)], inputs, shape)
    }

    /// Adds several functions of each element in sequence; the node is the result of the last one.
    pub(crate) fn map_of(
        &mut self,
        name: impl Into<Name>,
        calls: Vec<(Function, Vec<Argument>)>,
        inputs: &[Node],
        shape: [usize; 2],
    ) -> Node {
        let name = name.into();
        for (function, arguments) in &calls {
            let signature = function.signature();
            assert_eq!(arguments.len(), signature.inputs, "{name}: {}", signature.name);
        }
        for input in inputs {
            let fits = self.shape(*input).iter().zip(shape).all(|(have, want)| *have == want || *have == 1);
            assert!(fits, "{name}: {} is {:?}, not {shape:?}", self.name(*input), self.shape(*input));
        }
        self.add(Kind::Map { calls, inputs: inputs.to_vec() }, shape, name)
    }

    fn common_shape(&self, nodes: &[Node]) -> [usize; 2] {
        let extent = |axis: usize| nodes.iter().map(|n| self.shape(*n)[axis]).max().unwrap_or(1);
        [extent(0), extent(1)]
    }

    /// Adds standard normal draws; different numbers give independent draws.
    pub fn normal(&mut self, name: &str, draw: u32, shape: [usize; 2]) -> Node {
        self.map_of(name, vec![(Function::Normal(draw), Vec::new())], &[], shape)
    }

    /// The node of a map's result other than the first; a new one, if there is none.
    fn result_of(&mut self, of: Node, index: usize) -> Node {
        let (shape, name) = (self.shape(of), format!("{}.{index}", self.name(of)));
        self.result_as(of, index, shape, name)
    }

    /// The node of a result other than the first; a new one, if there is none.
    fn result_as(&mut self, of: Node, index: usize, shape: [usize; 2], name: String) -> Node {
        match self.results.get(&(of, index)) {
            Some(node) => *node,
            None => self.add(Kind::Result { of, index }, shape, name),
        }
    }

    /// Adds `a + b`.
    pub fn sum_of(&mut self, name: impl Into<Name>, a: Node, b: Node) -> Node {
        self.map(name, Function::Add, &[a, b])
    }

    /// Adds `-a`.
    pub fn negative(&mut self, name: impl Into<Name>, a: Node) -> Node {
        let minus = self.constant(-1.0);
        self.map(name, Function::Multiply, &[a, minus])
    }

    /// Adds a sum over rows or columns.
    pub fn reduce(&mut self, name: impl Into<Name>, of: Node, over: Axis) -> Node {
        let [rows, cols] = self.shape(of);
        let shape = match over {
            Axis::Columns => [rows, 1],
            Axis::Rows => [1, cols],
        };
        self.add(Kind::Reduce { of, over }, shape, name)
    }

    /// Adds a view of neighbouring columns; all of them are the node itself.
    ///
    /// # Panics
    /// If the range is empty or exceeds the node.
    pub fn columns(&mut self, name: impl Into<Name>, of: Node, range: std::ops::Range<usize>) -> Node {
        let [rows, cols] = self.shape(of);
        assert!(!range.is_empty() && range.end <= cols, "columns {range:?} of {}", self.name(of));
        if range.len() == cols {
            return of;
        }
        self.add(Kind::View { of, region: Region::Columns(range.start) }, [rows, range.len()], name)
    }

    /// Adds a view of neighbouring rows; all of them are the node itself.
    ///
    /// # Panics
    /// If the range is empty or exceeds the node.
    pub fn rows(&mut self, name: impl Into<Name>, of: Node, range: std::ops::Range<usize>) -> Node {
        let [rows, cols] = self.shape(of);
        assert!(!range.is_empty() && range.end <= rows, "rows {range:?} of {}", self.name(of));
        if range.len() == rows {
            return of;
        }
        self.add(Kind::View { of, region: Region::Rows(range.start) }, [range.len(), cols], name)
    }

    /// Adds matrices `(R, ..)` beside each other.
    ///
    /// # Panics
    /// If they have different numbers of rows, or there is none.
    pub fn beside(&mut self, name: impl Into<Name>, parts: &[Node]) -> Node {
        let (rows, name) = (self.shape(parts[0])[0], name.into());
        let mut all = Vec::with_capacity(parts.len());
        let mut width = 0;
        for part in parts {
            let [height, cols] = self.shape(*part);
            assert_eq!(height, rows, "{name}: {}", self.name(*part));
            all.push((Region::Columns(width), *part));
            width += cols;
        }
        self.sum(name, [rows, width], all)
    }

    /// Adds a sum of parts, each in its region.
    pub(crate) fn sum(&mut self, name: impl Into<Name>, shape: [usize; 2], parts: Vec<(Region, Node)>) -> Node {
        self.add(Kind::Sum(parts), shape, name)
    }
}
