//! A model as a graph of plain nodes: what a layer adds, what the tape walks backwards, what is lowered to ops.
//!
//! Every node is a matrix `(rows, cols)`; a vector has one row or one column, a number one of each. Where a function takes
//! nodes of several shapes, the smaller ones are repeated.

pub mod fuse;
mod lower;
mod order;
mod plan;
mod tape;

pub use fuse::fuse;
pub use lower::{Lowering, Placed};
pub use order::order;
pub use tape::gradients;

use crate::plan::{Function, Init, Orientation, ParamTable};

/// A node of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(usize);

/// A number that is the same for a whole step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// Always this.
    Constant(f32),
    /// The step's weight of the KL, over a number of rows.
    BetaOver(u32),
}

/// What a fold sums over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// `(R, C)` to `(R, 1)`.
    Columns,
    /// `(R, C)` to `(1, C)`.
    Rows,
}

/// A part of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// All of it.
    Whole,
    /// Rows from the first one on, as many as the part has.
    Rows(usize),
    /// Columns from the first one on.
    Columns(usize),
}

/// How a node comes about.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Something from outside: the batch, given noise.
    Input {
        /// Grey levels, four to a word.
        levels: bool,
    },
    /// A block of the parameter arena.
    Param {
        /// Its first element there.
        offset: usize,
        /// It is a vector, which stands for a row.
        vector: bool,
    },
    /// A number.
    Scalar(Scalar),
    /// The matrix product of two nodes.
    Product {
        /// How they lie.
        orientation: Orientation,
        /// The first.
        a: Node,
        /// The second.
        b: Node,
    },
    /// A function of each element, or several in a row: each takes the inputs by their numbers, or what those before it gave.
    Map {
        /// The functions.
        calls: Vec<(Function, Vec<Argument>)>,
        /// What they take.
        inputs: Vec<Node>,
    },
    /// Another result of a map's last function than the first.
    Result {
        /// The map.
        of: Node,
        /// Which result, from 1.
        index: usize,
    },
    /// A sum in a fixed order.
    Fold {
        /// Of what.
        of: Node,
        /// Over what.
        over: Over,
    },
    /// A part of a node, which costs nothing.
    View {
        /// Of what.
        of: Node,
        /// Which part.
        region: Region,
    },
    /// The sum of parts, each added where it belongs; together they cover everything.
    Sum(Vec<(Region, Node)>),
}

/// What a function in a [`Kind::Map`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// An input of the map.
    Input(usize),
    /// The first result of one of its functions.
    Result(usize),
}

#[derive(Debug, Clone)]
struct NodeData {
    kind: Kind,
    shape: [usize; 2],
    name: String,
}

/// A model, or a part of one, for a batch of rows.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<NodeData>,
    params: ParamTable,
}

impl Graph {
    /// A graph whose parameters lie behind those of another.
    pub fn with_params(params: ParamTable) -> Self {
        Self { nodes: Vec::new(), params }
    }

    /// The parameters so far.
    pub fn params(&self) -> &ParamTable {
        &self.params
    }

    /// `(rows, cols)`
    pub fn shape(&self, node: Node) -> [usize; 2] {
        self.nodes[node.0].shape
    }

    /// The node's name: plans, messages and tensors show it.
    pub fn name(&self, node: Node) -> &str {
        &self.nodes[node.0].name
    }

    /// Gives a node another name.
    pub fn named(&mut self, node: Node, name: impl Into<String>) -> Node {
        self.nodes[node.0].name = name.into();
        node
    }

    /// How the node comes about.
    pub fn kind(&self, node: Node) -> &Kind {
        &self.nodes[node.0].kind
    }

    /// Every node, in an order in which each stands behind what it is made from.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + use<> {
        (0..self.nodes.len()).map(Node)
    }

    /// What a node is made from.
    pub fn reads(&self, node: Node) -> Vec<Node> {
        match self.kind(node) {
            Kind::Input { .. } | Kind::Param { .. } | Kind::Scalar(_) => Vec::new(),
            Kind::Product { a, b, .. } => vec![*a, *b],
            Kind::Map { inputs, .. } => inputs.clone(),
            Kind::Result { of, .. } | Kind::Fold { of, .. } | Kind::View { of, .. } => vec![*of],
            Kind::Sum(parts) => parts.iter().map(|(_, part)| *part).collect(),
        }
    }

    fn add(&mut self, kind: Kind, shape: [usize; 2], name: impl Into<String>) -> Node {
        self.nodes.push(NodeData { kind, shape, name: name.into() });
        Node(self.nodes.len() - 1)
    }

    /// Something from outside.
    pub fn input(&mut self, name: &str, shape: [usize; 2], levels: bool) -> Node {
        self.add(Kind::Input { levels }, shape, name)
    }

    /// A block of parameters that lie one below the other: `(name, rows, init)` of each, all of so many columns. A block of
    /// which the table has the first parameter already is that one.
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
            Some([_, cols]) => ([rows, *cols], false),
            _ => ([1, rows], true),
        };
        let kind = Kind::Param { offset, vector };
        let known = self.nodes.iter().position(|n| n.kind == kind && n.shape == shape);
        known.map_or_else(|| self.add(kind, shape, name), Node)
    }

    /// Every block of parameters with its place in the arena and its shape there.
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

    /// One parameter.
    pub fn param(&mut self, name: &str, shape: &[usize], init: Init) -> Node {
        self.params_block(name, &[(name, shape.to_vec(), init)])
    }

    /// A number.
    pub fn scalar(&mut self, scalar: Scalar) -> Node {
        self.add(Kind::Scalar(scalar), [1, 1], "scalar")
    }

    /// A constant.
    pub fn constant(&mut self, value: f32) -> Node {
        self.scalar(Scalar::Constant(value))
    }

    /// `A B`, as the two lie.
    ///
    /// # Panics
    /// If the extents that are summed over differ.
    pub fn product(&mut self, name: impl Into<String>, orientation: Orientation, a: Node, b: Node) -> Node {
        let ([a_rows, a_cols], [b_rows, b_cols]) = (self.shape(a), self.shape(b));
        let (shape, depths) = match orientation {
            Orientation::Nt => ([a_rows, b_rows], [a_cols, b_cols]),
            Orientation::Nn => ([a_rows, b_cols], [a_cols, b_rows]),
            Orientation::Tn => ([a_cols, b_cols], [a_rows, b_rows]),
        };
        assert_eq!(depths[0], depths[1], "{} times {}", self.name(a), self.name(b));
        self.add(Kind::Product { orientation, a, b }, shape, name)
    }

    /// A function of each element.
    ///
    /// # Panics
    /// If the shapes do not fit, or their number.
    pub fn map(&mut self, name: impl Into<String>, function: Function, inputs: &[Node]) -> Node {
        let arguments = (0..inputs.len()).map(Argument::Input).collect();
        let shape = self.common_shape(inputs);
        self.map_of(name, vec![(function, arguments)], inputs, shape)
    }

    /// Several functions of each element, one after the other; what the last one gives is the node.
    pub(crate) fn map_of(
        &mut self,
        name: impl Into<String>,
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

    /// Standard normal draws, other ones for each number.
    pub fn normal(&mut self, name: &str, draw: u32, shape: [usize; 2]) -> Node {
        self.map_of(name, vec![(Function::Normal(draw), Vec::new())], &[], shape)
    }

    /// A result of a map other than the first.
    pub fn result(&mut self, of: Node, index: usize) -> Node {
        let (shape, name) = (self.shape(of), format!("{}.{index}", self.name(of)));
        self.add(Kind::Result { of, index }, shape, name)
    }

    /// `a + b`
    pub fn sum_of(&mut self, name: impl Into<String>, a: Node, b: Node) -> Node {
        self.map(name, Function::Add, &[a, b])
    }

    /// A sum over rows or columns.
    pub fn fold(&mut self, name: impl Into<String>, of: Node, over: Over) -> Node {
        let [rows, cols] = self.shape(of);
        let shape = match over {
            Over::Columns => [rows, 1],
            Over::Rows => [1, cols],
        };
        self.add(Kind::Fold { of, over }, shape, name)
    }

    /// Some neighbouring columns.
    ///
    /// # Panics
    /// If there are none, or not so many.
    pub fn columns(&mut self, name: impl Into<String>, of: Node, range: std::ops::Range<usize>) -> Node {
        let [rows, cols] = self.shape(of);
        assert!(!range.is_empty() && range.end <= cols, "columns {range:?} of {}", self.name(of));
        self.add(Kind::View { of, region: Region::Columns(range.start) }, [rows, range.len()], name)
    }

    /// Some neighbouring rows.
    ///
    /// # Panics
    /// If there are none, or not so many.
    pub fn rows(&mut self, name: impl Into<String>, of: Node, range: std::ops::Range<usize>) -> Node {
        let [rows, cols] = self.shape(of);
        assert!(!range.is_empty() && range.end <= rows, "rows {range:?} of {}", self.name(of));
        self.add(Kind::View { of, region: Region::Rows(range.start) }, [range.len(), cols], name)
    }

    /// Parts added where they belong.
    pub(crate) fn sum(&mut self, name: impl Into<String>, shape: [usize; 2], parts: Vec<(Region, Node)>) -> Node {
        self.add(Kind::Sum(parts), shape, name)
    }
}
