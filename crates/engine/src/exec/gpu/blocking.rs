//! The blocking face of what a GPU does in its own time: for where one may wait, which is everywhere but in a browser.

use std::sync::Arc;

use pollster::block_on;

use super::{AdapterEntry, Gpu, GpuError, GpuExecutor, GpuOptions, Needs, adapters};
use crate::plan::{BufferId, MetricRows, Program};

/// See [`adapters`].
pub fn list(instance: &wgpu::Instance) -> Vec<AdapterEntry> {
    block_on(adapters(instance))
}

impl Gpu {
    /// See [`Gpu::request`].
    pub fn open(entry: &AdapterEntry, needs: Needs) -> Result<Arc<Gpu>, GpuError> {
        block_on(Self::request(entry, needs))
    }
}

impl GpuExecutor {
    /// See [`GpuExecutor::request`].
    pub fn new(gpu: Arc<Gpu>, program: Program, options: &GpuOptions) -> Result<Self, GpuError> {
        block_on(Self::request(gpu, program, options))
    }

    /// See [`GpuExecutor::mapped`].
    pub(super) fn mapped_now(
        &self,
        staging: &wgpu::Buffer,
        size: u64,
        index: &wgpu::SubmissionIndex,
    ) -> Result<Vec<u8>, GpuError> {
        block_on(self.mapped(staging, size, index))
    }

    /// See [`GpuExecutor::fetch`].
    pub fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
        block_on(self.fetch(buffer, offset, len))
    }

    /// See [`GpuExecutor::finished`].
    pub fn collect(&mut self) -> Result<Option<MetricRows>, GpuError> {
        block_on(self.finished())
    }
}
