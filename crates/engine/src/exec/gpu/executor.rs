//! Runs plans on a device: buffers are allocated and kernels compiled once; after that, steps are only encoded and
//! submitted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::kernel::{self, Compiled};
use super::reflect::{self, Reflection, Slot};
use super::{Gpu, GpuError, Needs};
use crate::plan::{
    BufferId, Family, MetricRows, Metrics, Op, PlanId, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, Step, StepScalars,
};
use crate::platform::{self, Answer, Duration, Instant};
use crate::wgsl::{self, Capabilities, Target, TuningTable};

/// Bytes between the scalars of consecutive steps: the alignment a dynamic uniform offset needs.
pub(super) const SCALARS_STRIDE: u64 = 256;
/// Slot of the scalars of a single dispatched step: after both halves of the ring.
pub(super) const SINGLE_STEP: u64 = SCALARS_STRIDE * (SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT) as u64;

/// A change to a shader's text, with which the tests plant a fault.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The kernel whose shader is changed.
    pub family: Family,
    /// The text to replace in each pass; a pass without it stays as it is.
    pub find: String,
    /// The replacement.
    pub replace: String,
}

/// How shaders are built.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Add bounds checks, loop bounds and zeroed shared memory.
    pub checked: bool,
    /// The kind of code, instead of the one chosen for the adapter.
    pub target: Option<Target>,
    /// Most workgroups in one dimension of a grid, instead of the adapter's limit; the tests lower it so that small
    /// grids are folded too.
    pub workgroups: Option<u32>,
    /// Variants of products, instead of the defaults.
    pub tuning: TuningTable,
    /// Bind each tensor's whole buffer instead of the tensor alone, so that an access past its end changes the guard
    /// after it instead of being clamped to the binding.
    pub whole_buffers: bool,
    /// A planted fault.
    pub patch: Option<Patch>,
}

pub(super) struct Dispatch {
    /// The place of the dispatch's op in its plan.
    pub op: usize,
    pipeline: usize,
    bind_group: wgpu::BindGroup,
    takes_step: bool,
    groups: [u32; 3],
}

struct Submitted {
    half: usize,
    steps: usize,
    index: wgpu::SubmissionIndex,
}

/// Host time spent on submits so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostTime {
    /// Writing scalars and encoding dispatches.
    pub recording: Duration,
    /// Handing them to the driver.
    pub submitting: Duration,
    /// Steps.
    pub steps: u64,
}

/// A program compiled for a device.
pub struct GpuExecutor {
    pub(super) gpu: Arc<Gpu>,
    program: Program,
    buffers: Vec<wgpu::Buffer>,
    pipelines: Vec<Arc<Compiled>>,
    pub(super) plans: Vec<Vec<Dispatch>>,
    pub(super) scalars: wgpu::Buffer,
    scalars_bytes: Vec<u8>,
    /// A mapped buffer for each half of the scalars ring, because writing through the queue would allocate one per
    /// submit.
    upload: Vec<wgpu::Buffer>,
    /// The metrics ring, and the metrics of a step.
    metrics: Option<(wgpu::Buffer, usize)>,
    readback: Vec<wgpu::Buffer>,
    host: HostTime,
    in_flight: VecDeque<Submitted>,
    next_half: usize,
    whole_buffers: bool,
}

impl GpuExecutor {
    /// Returns the limits and features that a program needs beyond WebGPU's defaults.
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
            timestamps: false,
        }
    }

    /// Allocates the buffers, filled with zeros, and compiles every plan.
    pub async fn request(gpu: Arc<Gpu>, program: Program, options: &GpuOptions) -> Result<Self, GpuError> {
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
        // One slot more than both halves, for `dispatch`.
        let scalars = buffer(
            "step scalars",
            SCALARS_STRIDE * (SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT + 1) as u64,
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        );
        let upload = (0..SUBMITS_IN_FLIGHT)
            .map(|_| {
                gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("scalars upload"),
                    size: SCALARS_STRIDE * STEPS_PER_SUBMIT as u64,
                    usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: true,
                })
            })
            .collect();
        let width = program.metrics.as_ref().map_or(0, |metrics| metrics.names.len());
        let readback = (0..SUBMITS_IN_FLIGHT)
            .map(|_| {
                buffer(
                    "metrics readback",
                    (width * 4 * STEPS_PER_SUBMIT) as u64,
                    wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                )
            })
            .collect();
        if let Some(error) = memory.pop().await {
            return Err(GpuError::OutOfMemory(error.to_string()));
        }
        gpu.check()?;
        let of_metrics = |metrics: &Metrics| buffers[program.tensors.get(metrics.ring).buffer.0].clone();
        let metrics = program.metrics.as_ref().map(|metrics| (of_metrics(metrics), metrics.names.len()));
        let mut executor = Self {
            gpu,
            program,
            buffers,
            pipelines: Vec::new(),
            plans: Vec::new(),
            scalars,
            scalars_bytes: Vec::with_capacity(STEPS_PER_SUBMIT * SCALARS_STRIDE as usize),
            upload,
            metrics,
            readback,
            host: HostTime::default(),
            in_flight: VecDeque::with_capacity(SUBMITS_IN_FLIGHT),
            next_half: 0,
            whole_buffers: options.whole_buffers,
        };
        executor.compile(options).await?;
        Ok(executor)
    }

    async fn compile(&mut self, options: &GpuOptions) -> Result<(), GpuError> {
        let adapter = self.gpu.capabilities();
        let on = Capabilities {
            target: options.target.unwrap_or(adapter.target),
            workgroups: options.workgroups.unwrap_or(adapter.workgroups),
            // A target that was asked for has the code that it always has.
            whole_quads: adapter.whole_quads && options.target.is_none(),
            ..adapter
        };
        self.gpu.pipelines.forget_unused();
        let mut known: HashMap<String, usize> = HashMap::new();
        let alignment = 256_usize;
        let mut uniform_bytes: Vec<u8> = Vec::new();
        let ops: Vec<Vec<Op>> = self.program.plans.iter().map(|p| p.ops.clone()).collect();
        let mut prepared = Vec::new();
        for op in ops.iter().flatten() {
            let mut passes = Vec::new();
            let mut scratch = 0;
            for mut source in wgsl::sources(op, on, &options.tuning) {
                if let Some(patch) = options.patch.as_ref().filter(|p| p.family == op.kernel.family()) {
                    source.text = source.text.replacen(&patch.find, &patch.replace, 1);
                }
                scratch = scratch.max(source.scratch);
                let pipeline = match known.get(&source.variant) {
                    Some(&index) => index,
                    None => {
                        self.pipelines.push(kernel::shared(&self.gpu, op, &source, options.checked).await?);
                        known.insert(source.variant.clone(), self.pipelines.len() - 1);
                        self.pipelines.len() - 1
                    }
                };
                passes.push((pipeline, source.groups));
            }
            let reflections: Vec<&Reflection> = passes.iter().map(|p| &self.pipelines[p.0].reflection).collect();
            reflect::check_op(op, &self.program.tensors, &reflections)?;
            let partial = (scratch > 0).then(|| {
                self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("partial"),
                    size: scratch as u64 * 4,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            });
            let mut offsets = Vec::with_capacity(op.turns);
            for turn in 0..op.turns {
                offsets.push(uniform_bytes.len() as u64);
                if let Some(block) = &op.params {
                    uniform_bytes.extend(block.of_turn(turn as u32));
                    uniform_bytes.resize(uniform_bytes.len().next_multiple_of(alignment), 0);
                }
            }
            prepared.push((passes, partial, offsets));
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
            let mut dispatches = Vec::new();
            for (index, (op, (passes, partial, offsets))) in plan.iter().zip(&mut prepared).enumerate() {
                for offset in offsets {
                    for pass in &passes {
                        let params = (&uniforms, offset);
                        dispatches.push(self.dispatch_of(op, index, *pass, params, partial.as_ref()).await?);
                    }
                }
            }
            self.plans.push(dispatches);
        }
        self.gpu.check()
    }

    async fn dispatch_of(
        &self,
        op: &Op,
        index: usize,
        (pipeline, groups): (usize, [u64; 3]),
        (uniforms, params_offset): (&wgpu::Buffer, u64),
        partial: Option<&wgpu::Buffer>,
    ) -> Result<Dispatch, GpuError> {
        let compiled = &self.pipelines[pipeline];
        let groups = kernel::workgroups(&self.gpu, op, groups)?;
        let mut entries = Vec::new();
        let mut takes_step = false;
        for (number, name, slot) in &compiled.reflection.slots {
            let (buffer, offset, size) = match slot {
                Slot::Uniform { size, .. } if name == "step" => {
                    takes_step = true;
                    (&self.scalars, 0, *size as u64)
                }
                Slot::Uniform { size, .. } => (uniforms, params_offset, *size as u64),
                Slot::Storage { .. } if name == reflect::PARTIAL => {
                    let partial = partial.ok_or_else(|| GpuError::Mismatch {
                        kernel: op.kernel.name(),
                        reason: "it has no scratch buffer".into(),
                    })?;
                    (partial, 0, partial.size())
                }
                Slot::Storage { .. } => {
                    // `check_op` has refused such an op already.
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
        if let Some(error) = scope.pop().await {
            return Err(GpuError::Mismatch {
                kernel: format!("{} ({})", op.kernel.name(), op.label),
                reason: error.to_string(),
            });
        }
        Ok(Dispatch { op: index, pipeline, bind_group, takes_step, groups })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The kernel variants that were compiled: they decide the order of sums, so a run records them.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.pipelines.iter().map(|p| p.variant.as_str())
    }

    /// Overwrites part of a buffer.
    pub fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError> {
        self.gpu.queue.write_buffer(&self.buffers[buffer.0], offset as u64 * 4, bytemuck::cast_slice(words));
        self.gpu.check()
    }

    /// Reads part of a buffer, after everything submitted before.
    pub async fn fetch(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
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
        let bytes = self.mapped(&staging, size, &index).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Starts mapping a buffer.
    fn map(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode, size: u64) -> Answer {
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        buffer.map_async(mode, 0..size, move |result| {
            // Sending fails only if the receiver was dropped, and then the result is not needed.
            let _ = sender.send(result);
        });
        receiver
    }

    /// Maps a staging buffer, waits for the submission that fills it, and copies it out.
    pub(in crate::exec) async fn mapped(
        &self,
        staging: &wgpu::Buffer,
        size: u64,
        index: &wgpu::SubmissionIndex,
    ) -> Result<Vec<u8>, GpuError> {
        let answer = self.map(staging, wgpu::MapMode::Read, size);
        platform::done(&self.gpu, index).await?;
        platform::answered(&self.gpu, answer).await?;
        let bytes = staging.get_mapped_range(0..size).map_err(|error| GpuError::Refused(error.to_string()))?.to_vec();
        staging.unmap();
        Ok(bytes)
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, steps: impl Iterator<Item = (PlanId, u64)>) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for (plan, offset) in steps {
            for dispatch in &self.plans[plan.0] {
                self.encode_one(&mut pass, dispatch, offset as u32);
            }
        }
    }

    pub(super) fn encode_one(&self, pass: &mut wgpu::ComputePass<'_>, dispatch: &Dispatch, offset: u32) {
        pass.set_pipeline(&self.pipelines[dispatch.pipeline].pipeline);
        let offsets = std::slice::from_ref(&offset);
        pass.set_bind_group(0, &dispatch.bind_group, if dispatch.takes_step { offsets } else { &[] });
        let [x, y, z] = dispatch.groups;
        pass.dispatch_workgroups(x, y, z);
    }

    /// Runs one step with the given scalars.
    pub fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError> {
        self.gpu.queue.write_buffer(&self.scalars, SINGLE_STEP, bytemuck::bytes_of(step));
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        self.encode(&mut encoder, std::iter::once((plan, SINGLE_STEP)));
        self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check()
    }

    /// Encodes and submits up to [`STEPS_PER_SUBMIT`] steps, where no more than one submit is uncollected;
    /// [`GpuExecutor::finished`] returns their metrics.
    pub(in crate::exec) fn submit(&mut self, steps: &[Step]) -> Result<(), GpuError> {
        let started = Instant::now();
        let half = self.next_half;
        self.next_half = (half + 1) % SUBMITS_IN_FLIGHT;
        let first = half * STEPS_PER_SUBMIT;
        self.scalars_bytes.clear();
        for (i, step) in steps.iter().enumerate() {
            let scalars = StepScalars { slot: (first + i) as u32, ..step.scalars };
            self.scalars_bytes.extend(bytemuck::bytes_of(&scalars));
            self.scalars_bytes.resize((i + 1) * SCALARS_STRIDE as usize, 0);
        }
        let base = first as u64 * SCALARS_STRIDE;
        let bytes = self.scalars_bytes.len() as u64;
        self.upload[half]
            .get_mapped_range_mut(0..bytes)
            .map_err(|error| self.gpu.check().err().unwrap_or(GpuError::Refused(error.to_string())))?
            .copy_from_slice(&self.scalars_bytes);
        self.upload[half].unmap();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.upload[half], 0, &self.scalars, base, bytes);
        let placed = steps.iter().zip(0..).map(|(step, i)| (step.plan, base + i * SCALARS_STRIDE));
        self.encode(&mut encoder, placed);
        if let Some((ring, width)) = &self.metrics {
            let row = *width as u64 * 4;
            let size = steps.len() as u64 * row;
            encoder.copy_buffer_to_buffer(ring, first as u64 * row, &self.readback[half], 0, size);
        }
        let commands = encoder.finish();
        let recorded = Instant::now();
        let index = self.gpu.queue.submit([commands]);
        self.host.recording += recorded - started;
        self.host.submitting += recorded.elapsed();
        self.host.steps += steps.len() as u64;
        self.in_flight.push_back(Submitted { half, steps: steps.len(), index });
        self.gpu.check()
    }

    /// Waits for the oldest submit and returns its metrics; none if nothing was submitted.
    pub async fn finished(&mut self) -> Result<Option<MetricRows>, GpuError> {
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        let scalars =
            self.map(&self.upload[oldest.half], wgpu::MapMode::Write, SCALARS_STRIDE * STEPS_PER_SUBMIT as u64);
        let rows = match self.metrics {
            Some((_, width)) => {
                let size = (oldest.steps * width * 4) as u64;
                let bytes = self.mapped(&self.readback[oldest.half], size, &oldest.index).await?;
                let floats: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
                MetricRows::new(oldest.steps, width, floats.into_iter().map(f64::from).collect())
            }
            None => {
                platform::done(&self.gpu, &oldest.index).await?;
                MetricRows::new(oldest.steps, 0, Vec::new())
            }
        };
        platform::answered(&self.gpu, scalars).await?;
        Ok(Some(rows))
    }

    /// How many submits are not collected.
    pub fn uncollected(&self) -> usize {
        self.in_flight.len()
    }

    /// Host time spent on submits.
    pub fn host_time(&self) -> HostTime {
        self.host
    }

    /// Dispatches of a step: one for each op, two for a split product, and one for each turn of a recurrent layer.
    pub fn dispatches(&self, plan: PlanId) -> usize {
        self.plans[plan.0].len()
    }

    /// The kernel variants that an op of a plan runs, in order.
    pub fn variants_of(&self, plan: PlanId, op: usize) -> impl Iterator<Item = &str> {
        let mut seen = Vec::new();
        let passes = self.plans[plan.0].iter().filter(move |d| d.op == op);
        let once = passes.filter(move |d| {
            !seen.contains(&d.pipeline) && {
                seen.push(d.pipeline);
                true
            }
        });
        once.map(|d| self.pipelines[d.pipeline].variant.as_str())
    }
}
