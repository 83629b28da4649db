//! An op, made ready to run.

use super::memory::Memory;
use crate::plan::StepScalars;

/// The memory and the step that a task is run with.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    /// The tensors.
    pub memory: &'a Memory,
    /// The step's scalars.
    pub step: &'a StepScalars,
}

/// The memory that a thread keeps from task to task, so that nothing is allocated while steps are run.
#[derive(Default)]
pub(super) struct Scratch {
    /// Columns of B, or a row at a time of whatever is summed.
    pub panel: Floats,
    /// Images with a margin around them, or rows of A.
    pub margin: Floats,
    /// A tile of a product.
    pub tile: Floats,
    /// A tile that is summed or turned.
    pub sums: Floats,
    /// Where rows begin.
    pub starts: Vec<usize>,
    /// Where their sums go.
    pub targets: Vec<usize>,
    /// Numbers that lie side by side in each row.
    pub segments: Vec<(usize, usize)>,
    /// The values of a pointwise program.
    pub registers: Registers,
}

/// The values of a pointwise program: each has a register, some floats behind those of the value before.
#[derive(Default)]
pub(super) struct Registers {
    pub values: Floats,
    /// The numbers of the elements, for what is drawn.
    pub index: Vec<u32>,
}

/// Floats on cache lines of their own.
#[derive(Default)]
pub(super) struct Floats(Vec<Line>);

#[repr(C, align(64))]
#[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
struct Line([f32; 16]);

impl Floats {
    /// Returns as many floats as asked for; their content is left over from earlier tasks.
    pub fn sized(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line::default());
        }
        &mut self.all_mut()[..len]
    }

    /// All that there are.
    pub fn all(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    /// All that there are.
    pub fn all_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// An op in tasks, which threads take in any order.
pub(super) trait Job: Send + Sync {
    /// How many tasks each phase has. The tasks of a phase wait for all tasks of the phase before.
    fn phases(&self) -> Vec<usize> {
        vec![1]
    }

    /// Runs a task of a phase.
    fn run(&self, at: At<'_>, phase: usize, task: usize, scratch: &mut Scratch);
}
