//! Recurrent layers.

use super::Pass;

/// What a unit of a recurrent layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Gated recurrent units, with gates r, z and n, as in `torch.nn.GRU`.
    Gru,
    /// Long short-term memory, with gates i, f, g and o, as in `torch.nn.LSTM`.
    Lstm,
}

impl Cell {
    /// Every cell.
    pub const ALL: [Cell; 2] = [Cell::Gru, Cell::Lstm];

    /// The name in layers, plans and shaders.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Gru => "gru",
            Cell::Lstm => "lstm",
        }
    }

    /// Gates of a unit.
    pub fn gates(self) -> usize {
        match self {
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// Numbers of a unit that the next turn needs: h, and the c of an lstm.
    pub fn state(self) -> usize {
        match self {
            Cell::Gru => 1,
            Cell::Lstm => 2,
        }
    }

    /// Numbers of a unit at a time that the gradient needs.
    pub fn kept(self) -> usize {
        match self {
            Cell::Gru => 4,
            Cell::Lstm => 5,
        }
    }
}

/// A recurrent layer over sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recurrent {
    /// What its units do.
    pub cell: Cell,
    /// Whether it goes from the last time back to the first.
    pub reverse: bool,
    /// T: times of a sequence.
    pub steps: u32,
}

/// A pass of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecurrentKernel {
    /// The layer.
    pub layer: Recurrent,
    /// The pass.
    pub pass: Pass,
    /// Whether the state before the first turn is given; else it is 0.
    pub has_start: bool,
    /// Whether rows have lengths of their own; only the forward pass needs to know.
    pub has_lengths: bool,
    /// Whether only the states after the last turn have a gradient.
    pub of_end: bool,
}
