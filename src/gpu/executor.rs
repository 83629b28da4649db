//! Runs plans on a device: everything is allocated and compiled once, then only encoded and submitted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::kernel::{self, Compiled};
use super::reflect::Slot;
use super::{Gpu, GpuError, Needs};
use crate::kernels::{self, Target};
use crate::plan::{
    BufferId, Family, METRICS_PER_STEP, Op, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, StepMetrics, StepScalars,
};

/// Bytes between the scalars of consecutive steps: the alignment a dynamic uniform offset needs.
const SCALARS_STRIDE: u64 = 256;
const METRICS_BYTES: u64 = (METRICS_PER_STEP * 4) as u64;

/// A change to a shader's text: how the tests plant a fault.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Whose shader.
    pub family: Family,
    /// What to look for; it must be there.
    pub find: String,
    /// What to put in its place.
    pub replace: String,
}

/// How shaders are built.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Add bounds checks, loop bounds and zeroed shared memory.
    pub checked: bool,
    /// The shape of code, where it should not be what suits the adapter.
    pub target: Option<Target>,
    /// Bind each tensor's whole buffer instead of the tensor alone, so that a stray access reaches the guard behind it
    /// and is not swallowed by the bounds of the binding.
    pub whole_buffers: bool,
    /// A planted fault.
    pub patch: Option<Patch>,
}

struct Dispatch {
    pipeline: usize,
    bind_group: wgpu::BindGroup,
    takes_step: bool,
    groups: (u32, u32),
}

struct Submitted {
    half: usize,
    steps: usize,
    index: wgpu::SubmissionIndex,
}

/// A program compiled for a device.
pub struct GpuExecutor {
    gpu: Arc<Gpu>,
    program: Program,
    buffers: Vec<wgpu::Buffer>,
    pipelines: Vec<Compiled>,
    plans: Vec<Vec<Dispatch>>,
    scalars: wgpu::Buffer,
    scalars_bytes: Vec<u8>,
    metrics: Option<wgpu::Buffer>,
    readback: Vec<wgpu::Buffer>,
    in_flight: VecDeque<Submitted>,
    next_half: usize,
    variants: Vec<String>,
    whole_buffers: bool,
}

impl GpuExecutor {
    /// What a program needs beyond WebGPU's default limits.
    pub fn needs(program: &Program) -> Needs {
        let bytes = |elements: usize| elements as u64 * 4;
        Needs {
            binding: program
                .plans
                .iter()
                .flat_map(|plan| &plan.ops)
                .flat_map(|op| &op.bindings)
                .map(|b| bytes(program.tensors.get(b.tensor).len()))
                .max()
                .unwrap_or(0),
            buffer: program.tensors.buffers().iter().map(|b| bytes(b.len)).max().unwrap_or(0),
        }
    }

    /// Allocates the buffers, filled with zeros, and compiles every plan.
    pub fn new(gpu: Arc<Gpu>, program: Program, options: &GpuOptions) -> Result<Self, GpuError> {
        let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let buffer = |label: &str, size: u64, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: size.max(16),
                usage,
                mapped_at_creation: false,
            })
        };
        let buffers: Vec<wgpu::Buffer> =
            program.tensors.buffers().iter().map(|b| buffer(&b.name, b.len as u64 * 4, usage)).collect();
        // One slot more than both halves: `dispatch` has its own.
        let scalars = buffer(
            "step scalars",
            SCALARS_STRIDE * (SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT + 1) as u64,
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        );
        let readback = (0..SUBMITS_IN_FLIGHT)
            .map(|_| {
                buffer(
                    "metrics readback",
                    METRICS_BYTES * STEPS_PER_SUBMIT as u64,
                    wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                )
            })
            .collect();
        if let Some(error) = pollster::block_on(memory.pop()) {
            return Err(GpuError::OutOfMemory(error.to_string()));
        }
        gpu.check()?;
        let metrics = program.metrics.map(|ring| buffers[program.tensors.get(ring).buffer.0].clone());
        let mut executor = Self {
            gpu,
            program,
            buffers,
            pipelines: Vec::new(),
            plans: Vec::new(),
            scalars,
            scalars_bytes: Vec::with_capacity(STEPS_PER_SUBMIT * SCALARS_STRIDE as usize),
            metrics,
            readback,
            in_flight: VecDeque::with_capacity(SUBMITS_IN_FLIGHT),
            next_half: 0,
            variants: Vec::new(),
            whole_buffers: options.whole_buffers,
        };
        executor.compile(options)?;
        Ok(executor)
    }

    fn compile(&mut self, options: &GpuOptions) -> Result<(), GpuError> {
        let target = options.target.unwrap_or(self.gpu.target);
        let mut known: HashMap<String, usize> = HashMap::new();
        let alignment = 256_usize;
        let mut uniform_bytes: Vec<u8> = Vec::new();
        let ops: Vec<Vec<Op>> = self.program.plans.iter().map(|p| p.ops.clone()).collect();
        let mut prepared = Vec::new();
        for op in ops.iter().flatten() {
            let mut source = kernels::source(op, target);
            if let Some(patch) = options.patch.as_ref().filter(|p| p.family == op.kernel.family) {
                if !source.text.contains(&patch.find) {
                    return Err(GpuError::Shader {
                        kernel: op.kernel.name(),
                        reason: format!("there is no `{}` to patch", patch.find),
                    });
                }
                source.text = source.text.replacen(&patch.find, &patch.replace, 1);
            }
            let pipeline = match known.get(&source.variant) {
                Some(&index) => index,
                None => {
                    let compiled = kernel::compile(&self.gpu, op, &source, options.checked)?;
                    self.pipelines.push(compiled);
                    self.variants.push(source.variant.clone());
                    known.insert(source.variant, self.pipelines.len() - 1);
                    self.pipelines.len() - 1
                }
            };
            let compiled = &self.pipelines[pipeline];
            let groups = kernel::workgroups(&self.gpu, op, compiled, &self.program.tensors)?;
            let offset = uniform_bytes.len();
            if let Some(block) = &op.params {
                uniform_bytes.extend(&block.bytes);
                uniform_bytes.resize(uniform_bytes.len().next_multiple_of(alignment), 0);
            }
            prepared.push((pipeline, groups, offset));
        }
        let uniforms = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("op params"),
            size: uniform_bytes.len().max(alignment) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.queue.write_buffer(&uniforms, 0, &uniform_bytes);
        let mut prepared = prepared.into_iter();
        for plan in &ops {
            let dispatches = plan
                .iter()
                .zip(&mut prepared)
                .map(|(op, (pipeline, groups, offset))| {
                    self.dispatch_of(op, pipeline, groups, &uniforms, offset as u64)
                })
                .collect::<Result<_, _>>()?;
            self.plans.push(dispatches);
        }
        self.gpu.check()
    }

    fn dispatch_of(
        &self,
        op: &Op,
        pipeline: usize,
        groups: (u32, u32),
        uniforms: &wgpu::Buffer,
        params_offset: u64,
    ) -> Result<Dispatch, GpuError> {
        let compiled = &self.pipelines[pipeline];
        let mut entries = Vec::new();
        let mut takes_step = false;
        for (number, name, slot) in &compiled.reflection.slots {
            let (buffer, offset, size) = match slot {
                Slot::Uniform { size, .. } if name == "step" => {
                    takes_step = true;
                    (&self.scalars, 0, *size as u64)
                }
                Slot::Uniform { size, .. } => (uniforms, params_offset, *size as u64),
                Slot::Storage { .. } => {
                    // `workgroups` has checked that there is one.
                    let id = op.tensor(name).ok_or_else(|| GpuError::Mismatch {
                        kernel: op.kernel.name(),
                        reason: format!("nothing is bound to `{name}`"),
                    })?;
                    let tensor = self.program.tensors.get(id);
                    let behind = self.program.tensors.buffers()[tensor.buffer.0].len - tensor.offset;
                    let len = if self.whole_buffers { behind } else { tensor.len() };
                    (&self.buffers[tensor.buffer.0], tensor.offset as u64 * 4, len as u64 * 4)
                }
            };
            entries.push(wgpu::BindGroupEntry {
                binding: *number,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: std::num::NonZeroU64::new(size),
                }),
            });
        }
        let scope = self.gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let bind_group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&op.label),
            layout: &compiled.layout,
            entries: &entries,
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(GpuError::Mismatch {
                kernel: format!("{} ({})", op.kernel.name(), op.label),
                reason: error.to_string(),
            });
        }
        Ok(Dispatch { pipeline, bind_group, takes_step, groups })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The kernel variants that were compiled: they decide the order of sums, so a run records them.
    pub fn variants(&self) -> &[String] {
        &self.variants
    }

    /// Overwrites part of a buffer.
    pub fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError> {
        self.gpu.queue.write_buffer(&self.buffers[buffer.0], offset as u64 * 4, bytemuck::cast_slice(words));
        self.gpu.check()
    }

    /// Reads part of a buffer, after everything submitted before.
    pub fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
        let size = len as u64 * 4;
        if size == 0 {
            return Ok(Vec::new());
        }
        let staging = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[buffer.0], offset as u64 * 4, &staging, 0, size);
        let index = self.gpu.queue.submit([encoder.finish()]);
        let bytes = self.mapped(&staging, size, index)?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Maps a staging buffer, waits for the submission that fills it, and copies it out.
    fn mapped(&self, staging: &wgpu::Buffer, size: u64, index: wgpu::SubmissionIndex) -> Result<Vec<u8>, GpuError> {
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        staging.map_async(wgpu::MapMode::Read, 0..size, move |result| {
            // The receiver lives until the end of this function.
            let _ = sender.send(result);
        });
        self.gpu.wait(index)?;
        // The work is done and the answer on its way: at once, or by the thread that happens to be polling for another
        // executor of this device. On a device that is gone it may never come.
        let mut answer = std::pin::pin!(receiver.receive());
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(()))) => break,
                Poll::Ready(Some(Err(error))) => return Err(GpuError::Lost(error.to_string())),
                Poll::Pending if Instant::now() < patience => std::thread::yield_now(),
                _ => return Err(GpuError::Lost("a mapping was never answered".into())),
            }
            self.gpu.check()?;
        }
        let bytes = staging.get_mapped_range(0..size).map_err(|error| GpuError::Refused(error.to_string()))?.to_vec();
        staging.unmap();
        Ok(bytes)
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, plan: usize, offsets: impl Iterator<Item = u64>) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for offset in offsets {
            for dispatch in &self.plans[plan] {
                pass.set_pipeline(&self.pipelines[dispatch.pipeline].pipeline);
                let offset = offset as u32;
                let offsets = std::slice::from_ref(&offset);
                let offsets = if dispatch.takes_step { offsets } else { &[] };
                pass.set_bind_group(0, &dispatch.bind_group, offsets);
                pass.dispatch_workgroups(dispatch.groups.0, dispatch.groups.1, 1);
            }
        }
    }

    /// Runs one step with the scalars as they are.
    pub fn dispatch(&mut self, plan: usize, step: &StepScalars) -> Result<(), GpuError> {
        let offset = SCALARS_STRIDE * (SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT) as u64;
        self.gpu.queue.write_buffer(&self.scalars, offset, bytemuck::bytes_of(step));
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        self.encode(&mut encoder, plan, std::iter::once(offset));
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check()
    }

    /// Encodes and submits up to [`STEPS_PER_SUBMIT`] steps; their metrics come by [`GpuExecutor::collect`]. At
    /// most two submits may be uncollected.
    pub fn submit(&mut self, plan: usize, steps: &[StepScalars]) -> Result<(), GpuError> {
        assert!(
            steps.len() <= STEPS_PER_SUBMIT && self.in_flight.len() < SUBMITS_IN_FLIGHT,
            "{} steps with {} submits uncollected",
            steps.len(),
            self.in_flight.len()
        );
        let half = self.next_half;
        self.next_half = (half + 1) % SUBMITS_IN_FLIGHT;
        let first = half * STEPS_PER_SUBMIT;
        self.scalars_bytes.clear();
        for (i, step) in steps.iter().enumerate() {
            let step = StepScalars { slot: (first + i) as u32, ..*step };
            self.scalars_bytes.extend(bytemuck::bytes_of(&step));
            self.scalars_bytes.resize((i + 1) * SCALARS_STRIDE as usize, 0);
        }
        let base = first as u64 * SCALARS_STRIDE;
        self.gpu.queue.write_buffer(&self.scalars, base, &self.scalars_bytes);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let offsets = (0..steps.len() as u64).map(|i| base + i * SCALARS_STRIDE);
        self.encode(&mut encoder, plan, offsets);
        if let Some(ring) = &self.metrics {
            encoder.copy_buffer_to_buffer(
                ring,
                first as u64 * METRICS_BYTES,
                &self.readback[half],
                0,
                steps.len() as u64 * METRICS_BYTES,
            );
        }
        let index = self.gpu.queue.submit([encoder.finish()]);
        self.in_flight.push_back(Submitted { half, steps: steps.len(), index });
        self.gpu.check()
    }

    /// Waits for the oldest submit and returns its metrics; none where nothing is on its way.
    pub fn collect(&mut self) -> Result<Option<Vec<StepMetrics>>, GpuError> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        if self.metrics.is_none() {
            self.gpu.wait(oldest.index)?;
            return Ok(Some(Vec::new()));
        }
        let size = oldest.steps as u64 * METRICS_BYTES;
        let bytes = self.mapped(&self.readback[oldest.half], size, oldest.index)?;
        let floats: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let reports = floats
            .chunks_exact(METRICS_PER_STEP)
            .map(|row| StepMetrics::from_slot(std::array::from_fn(|i| row[i].into())))
            .collect();
        Ok(Some(reports))
    }
}
