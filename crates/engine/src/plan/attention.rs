//! Attention between the times of sequences.

use super::Pass;

/// Attention of several heads, in which each time of a sequence looks at the times of the same sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attention {
    /// The heads, each of which has its own part of the columns.
    pub heads: u32,
    /// Whether a time looks at itself and earlier times alone.
    pub causal: bool,
    /// T: times of a sequence.
    pub steps: u32,
}

/// A pass of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttentionKernel {
    /// The layer.
    pub layer: Attention,
    /// The pass.
    pub pass: Pass,
    /// Whether rows have lengths of their own.
    pub has_lengths: bool,
}
