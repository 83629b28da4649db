//! The blocking face of what a device does in its own time: for where one may wait, which is everywhere but in a browser.

use std::sync::Arc;

use pollster::block_on;

use super::gpu::{AdapterEntry, Gpu, GpuError, GpuExecutor, GpuOptions, Needs, adapters};
use super::{DeviceChoice, DeviceError, Executor, OpenDevice, Selected, WhyCpu, find};
use crate::plan::{BufferId, MetricRows, Program};

/// See [`adapters`].
pub fn list_adapters(instance: &wgpu::Instance) -> Vec<AdapterEntry> {
    block_on(adapters(instance))
}

/// See [`find`].
pub fn select(choice: &DeviceChoice) -> Result<Selected, DeviceError> {
    block_on(find(choice))
}

/// Finds the requested device where shaders are what matters: what is left to this program is the best adapter, and the processor only
/// where there is none.
pub fn select_for_shaders(choice: &DeviceChoice) -> Result<Selected, DeviceError> {
    if !matches!(choice, DeviceChoice::Auto | DeviceChoice::Adapter) {
        return select(choice);
    }
    Ok(match select(&DeviceChoice::Auto)? {
        Selected::Cpu(WhyCpu::NoGpu(entry)) => Selected::Adapter(entry),
        selected => selected,
    })
}

impl OpenDevice {
    /// See [`OpenDevice::request`].
    pub fn open(selected: &Selected, needs: Needs) -> Result<Self, DeviceError> {
        block_on(Self::request(selected, needs))
    }

    /// Opens the selected device, with the limits and features that a program needs.
    pub fn for_program(selected: &Selected, program: &Program, timestamps: bool) -> Result<Self, DeviceError> {
        Self::open(selected, Needs { timestamps, ..GpuExecutor::needs(program) })
    }

    /// See [`OpenDevice::prepare`].
    pub fn compile(&self, program: Program, options: &GpuOptions) -> Result<Executor, GpuError> {
        block_on(self.prepare(program, options))
    }
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
    pub(in crate::exec) fn mapped_now(
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
