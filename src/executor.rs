//! The seam between training and the machine: what an executor can do.

use crate::gpu::{GpuError, GpuExecutor};
use crate::oracle::Oracle;
use crate::plan::{BufferId, Program, StepMetrics, StepScalars, TensorId};

/// Something that holds a program's tensors and runs its plans.
pub enum Executor {
    /// wgpu.
    Gpu(Box<GpuExecutor>),
    /// The CPU in f32.
    Oracle(Box<Oracle<f32>>),
    /// The CPU in f64: what tolerances are measured against.
    Exact(Box<Oracle<f64>>),
}

impl Executor {
    /// The program it runs.
    pub fn program(&self) -> &Program {
        match self {
            Executor::Gpu(e) => e.program(),
            Executor::Oracle(e) => e.program(),
            Executor::Exact(e) => e.program(),
        }
    }

    /// Overwrites part of a buffer with words; floats come as their bits.
    pub fn write_at(
        &mut self,
        buffer: BufferId,
        offset: usize,
        words: &[u32],
    ) -> Result<(), GpuError> {
        match self {
            Executor::Gpu(e) => e.write_at(buffer, offset, words),
            Executor::Oracle(e) => {
                e.write_at(buffer, offset, words);
                Ok(())
            }
            Executor::Exact(e) => {
                e.write_at(buffer, offset, words);
                Ok(())
            }
        }
    }

    /// Reads part of a buffer as words.
    pub fn read_at(
        &mut self,
        buffer: BufferId,
        offset: usize,
        len: usize,
    ) -> Result<Vec<u32>, GpuError> {
        match self {
            Executor::Gpu(e) => e.read_at(buffer, offset, len),
            Executor::Oracle(e) => Ok(e.read_at(buffer, offset, len)),
            Executor::Exact(e) => Ok(e.read_at(buffer, offset, len)),
        }
    }

    /// Overwrites a tensor with floats.
    pub fn write(&mut self, tensor: TensorId, values: &[f32]) -> Result<(), GpuError> {
        self.write_words(tensor, bytemuck::cast_slice(values))
    }

    /// Overwrites a tensor with words.
    pub fn write_words(&mut self, tensor: TensorId, words: &[u32]) -> Result<(), GpuError> {
        let t = self.program().tensors.get(tensor);
        let (buffer, offset) = (t.buffer, t.offset);
        self.write_at(buffer, offset, words)
    }

    /// Reads a tensor of floats.
    pub fn read(&mut self, tensor: TensorId) -> Result<Vec<f32>, GpuError> {
        let t = self.program().tensors.get(tensor);
        let (buffer, offset, len) = (t.buffer, t.offset, t.len());
        let words = self.read_at(buffer, offset, len)?;
        Ok(bytemuck::cast_vec(words))
    }

    /// Runs one step of a plan with the scalars as they are.
    pub fn dispatch(&mut self, plan: usize, step: &StepScalars) -> Result<(), GpuError> {
        match self {
            Executor::Gpu(e) => e.dispatch(plan, step),
            Executor::Oracle(e) => {
                e.dispatch(plan, step);
                Ok(())
            }
            Executor::Exact(e) => {
                e.dispatch(plan, step);
                Ok(())
            }
        }
    }

    /// Starts up to [`crate::plan::STEPS_PER_SUBMIT`] steps; at most two submits may be uncollected.
    pub fn submit(&mut self, plan: usize, steps: &[StepScalars]) -> Result<(), GpuError> {
        match self {
            Executor::Gpu(e) => e.submit(plan, steps),
            Executor::Oracle(e) => {
                e.submit(plan, steps);
                Ok(())
            }
            Executor::Exact(e) => {
                e.submit(plan, steps);
                Ok(())
            }
        }
    }

    /// Waits for the oldest submit and returns its metrics; none where nothing is on its way.
    pub fn collect(&mut self) -> Result<Option<Vec<StepMetrics>>, GpuError> {
        match self {
            Executor::Gpu(e) => e.collect(),
            Executor::Oracle(e) => Ok(e.collect()),
            Executor::Exact(e) => Ok(e.collect()),
        }
    }

    /// The kernel variants compiled for it; empty on the CPU.
    pub fn variants(&self) -> &[String] {
        match self {
            Executor::Gpu(e) => e.variants(),
            Executor::Oracle(_) | Executor::Exact(_) => &[],
        }
    }
}
