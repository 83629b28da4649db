//! What nodes are.

use super::Node;
use crate::plan::{Attention, Function, Norm, Orientation, Pool, Recurrent, ScalarId, Windows};

/// A number that is the same for a whole step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A constant.
    Constant(f32),
    /// A number that each step sets, divided by one that stays.
    Step {
        /// The number that each step sets.
        scalar: ScalarId,
        /// The divisor.
        over: u32,
    },
}

/// The axis that a sum goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// `(R, C)` to `(R, 1)`.
    Columns,
    /// `(R, C)` to `(1, C)`.
    Rows,
}

/// A part of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// The whole matrix.
    Whole,
    /// Rows, starting at this one.
    Rows(usize),
    /// Columns, starting at this one.
    Columns(usize),
}

/// The kind of a node: how its value is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// An input: the batch, or given noise.
    Input {
        /// Whether the input holds grey levels, four to a word.
        levels: bool,
    },
    /// A block of the parameter arena.
    Param {
        /// The place of the block's first element in the arena.
        offset: usize,
        /// Whether the parameter is a vector, which is used as a row.
        vector: bool,
    },
    /// A number.
    Scalar(Scalar),
    /// The matrix product of two nodes.
    Product {
        /// The orientation, which says which operand is transposed.
        orientation: Orientation,
        /// The first operand.
        a: Node,
        /// The second operand.
        b: Node,
    },
    /// A function of each element, or several in sequence: arguments are inputs, or results of earlier functions.
    Map {
        /// The functions.
        calls: Vec<(Function, Vec<Argument>)>,
        /// The inputs.
        inputs: Vec<Node>,
    },
    /// A result other than the first: of a map's last function, of a norm, of attention, or of cross-entropies.
    Result {
        /// The node that has several results.
        of: Node,
        /// The index of the result, from 1.
        index: usize,
    },
    /// A sum in a fixed order.
    Reduce {
        /// The node it is taken from.
        of: Node,
        /// The axis of the sum.
        over: Axis,
    },
    /// A part of a node, without a copy.
    View {
        /// The node it is taken from.
        of: Node,
        /// The part.
        region: Region,
    },
    /// A matrix with the elements of another one, row by row, in another shape.
    Reshape {
        /// The node whose elements they are.
        of: Node,
    },
    /// The windows of images, of which a product takes what it needs without their being stored.
    Windows {
        /// The images `(B H W, C)`.
        of: Node,
        /// Where the windows lie.
        windows: Windows,
    },
    /// The images that a product's windows are summed to where they overlap.
    Overlap {
        /// The product.
        of: Node,
        /// Where the windows lie.
        windows: Windows,
    },
    /// Sums over the windows of images, channel by channel, or from windows back to pixels.
    Pool {
        /// The images, or the sums.
        of: Node,
        /// Which, and what they are multiplied by.
        pool: Pool,
    },
    /// Group norm; its second result is what each group was multiplied by.
    Normalise {
        /// The images `(B P, C)`.
        of: Node,
        /// The groups.
        norm: Norm,
    },
    /// The gradient of a group norm.
    NormaliseBack {
        /// The gradient of the result.
        d: Node,
        /// The norm.
        of: Node,
        /// The scales that the norm multiplied by.
        scale: Node,
        /// The groups.
        norm: Norm,
    },
    /// Logarithms of probabilities, in groups of neighbouring columns.
    LogSoftmax {
        /// The matrix.
        of: Node,
        /// `(2, D)`: the first column of each column's group, and the number of its columns.
        groups: Node,
    },
    /// The gradient of a log-softmax.
    LogSoftmaxBack {
        /// The gradient of the result.
        d: Node,
        /// The logarithms.
        of: Node,
        /// The groups of columns.
        groups: Node,
    },
    /// Logarithms of sums of exponentials of each column, over groups of neighbouring rows.
    LogSumExp {
        /// The matrix `(R G, C)`.
        of: Node,
    },
    /// The gradient of logarithms of sums of exponentials.
    LogSumExpBack {
        /// The gradient of the result.
        d: Node,
        /// The matrix whose exponentials were summed.
        of: Node,
        /// The logarithms of the sums `(R, C)`.
        sums: Node,
    },
    /// The states of a recurrent layer `(B T, H)`; its second result is what the gradient needs.
    Recurrent {
        /// The layer.
        layer: Recurrent,
        /// `(B T, G H)`: what comes from the input, for each gate of each unit.
        gates: Node,
        /// `(G H, H)`
        weight: Node,
        /// `(1, G H)`
        bias: Node,
        /// `(B, H)`, of an lstm `(B, 2 H)`: h and c before the first turn.
        start: Option<Node>,
        /// `(B, 1)`: the number of times of each row.
        lengths: Option<Node>,
    },
    /// The gradient of the gates `(B T, G H)`; its second result is the part of the start's gradient that goes past the
    /// recurrent product, its third the gradient of that product, where it is another one than that of the gates.
    RecurrentBack {
        /// The layer.
        layer: Recurrent,
        /// The gradient of the states, or `(B, H)` that of those after the last turn, which alone have one.
        d: Node,
        /// The states.
        of: Node,
        /// The second result of the layer.
        kept: Node,
        /// The recurrent weights `(G H, H)`.
        weight: Node,
        /// The state before the first turn.
        start: Option<Node>,
    },
    /// What each time of sequences takes of the others `(B T, C)`; its second result is what the gradient needs.
    Attention {
        /// The layer.
        layer: Attention,
        /// `(B T, 3 C)`: queries, keys and values beside each other.
        of: Node,
        /// `(B, 1)`: the number of times of each row.
        lengths: Option<Node>,
    },
    /// The gradient of queries, keys and values `(B T, 3 C)`.
    AttentionBack {
        /// The layer.
        layer: Attention,
        /// The gradient of the result.
        d: Node,
        /// The queries, keys and values.
        of: Node,
        /// The result.
        result: Node,
        /// The second result `(B T, heads)`.
        sums: Node,
        /// `(B, 1)`: the number of times of each row.
        lengths: Option<Node>,
    },
    /// Rows of a table that tokens choose.
    Embed {
        /// The table `(V, E)`.
        table: Node,
        /// The tokens `(B, T)`.
        ids: Node,
        /// Positions between a token and the one that it is used at.
        shift: usize,
    },
    /// The gradient of the table.
    EmbedBack {
        /// The gradient of the rows `(B T, E)`.
        d: Node,
        /// The tokens.
        ids: Node,
        /// Positions between a token and the one that it is used at.
        shift: usize,
    },
    /// Cross-entropies of tokens; the second result has two numbers a row, from which the gradient has the sums of exponentials.
    CrossEntropy {
        /// The logits `(B T, V)`.
        of: Node,
        /// The tokens `(B, T)`.
        ids: Node,
    },
    /// The gradient of the logits.
    CrossEntropyBack {
        /// The gradient of the cross-entropies.
        d: Node,
        /// The logits.
        of: Node,
        /// The tokens.
        ids: Node,
        /// The second result `(B T, 2)`.
        sums: Node,
    },
    /// The sum of parts, each added in its region; together they cover the whole matrix.
    Sum(Vec<(Region, Node)>),
}

/// An argument of a function in a [`Kind::Map`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// An input of the map.
    Input(usize),
    /// The first result of one of its functions.
    Result(usize),
}
