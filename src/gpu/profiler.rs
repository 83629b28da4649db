//! Timing on a device: ops by timestamps, whole steps by the host's clock, and the peak rates of the adapter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::executor::SINGLE_STEP;
use super::{Gpu, GpuError, GpuExecutor, GpuOptions};
use crate::kernels::roof;
use crate::plan::{Op, PlanId, Program, STEPS_PER_SUBMIT, StepPlan, StepScalars, TensorTable};

/// Measured peak rates of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Roofs {
    /// Floating-point operations per second, multiply-adds counted as two.
    pub flops: f64,
    /// Bytes per second, read or written.
    pub bytes: f64,
    /// Seconds of an almost empty dispatch.
    pub launch: f64,
}

/// Measures an adapter's roofs with the kernels of the family `roof`.
pub fn roofs(gpu: &Arc<Gpu>, checked: bool) -> Result<Roofs, GpuError> {
    let seconds = |tensors: TensorTable, op: Op| -> Result<f64, GpuError> {
        let plans = vec![StepPlan { name: "roof".into(), ops: vec![op] }];
        let program = Program { tensors, plans, ..Program::default() };
        let options = GpuOptions { checked, ..GpuOptions::default() };
        let mut executor = GpuExecutor::new(gpu.clone(), program, &options)?;
        step_seconds(&mut executor, PlanId(0), &StepScalars::default(), Duration::from_millis(300))
    };
    let built = |result: Result<Op, crate::plan::PlanError>| {
        result.map_err(|error| GpuError::Mismatch { kernel: "roof".into(), reason: error.to_string() })
    };
    let copy = |len: usize| -> Result<f64, GpuError> {
        let mut tensors = TensorTable::default();
        let [source, result] = ["source", "result"].map(|name| tensors.floats(name, &[len]));
        let op = built(roof::copy(&tensors, source, result))?;
        seconds(tensors, op)
    };
    // The full size is for large GPUs; a software adapter gets as much as it can do in 50 ms.
    let (sums, copied) = match gpu.kind {
        super::AdapterKind::Software => (1 << 16, 1 << 22),
        _ => (1 << 23, 1 << 24),
    };
    let mut tensors = TensorTable::default();
    let result = tensors.floats("result", &[sums]);
    let op = built(roof::multiply_add(&tensors, result))?;
    let flops = op.flops as f64;
    Ok(Roofs { flops: flops / seconds(tensors, op)?, bytes: 8.0 * copied as f64 / copy(copied)?, launch: copy(4)? })
}

/// Seconds of one step of a plan by the host's clock: the best of as many batches of steps as fit into `patience`, at
/// least one.
pub fn step_seconds(
    executor: &mut GpuExecutor,
    plan: PlanId,
    step: &StepScalars,
    patience: Duration,
) -> Result<f64, GpuError> {
    let mut batch = |count: usize| -> Result<f64, GpuError> {
        let started = Instant::now();
        executor.submit(plan, &vec![*step; count])?;
        executor.collect()?;
        Ok(started.elapsed().as_secs_f64() / count as f64)
    };
    // Not timed: the first run may still be compiling.
    let first = batch(1)?;
    let started = Instant::now();
    let mut best = if first > patience.as_secs_f64() { first } else { batch(1)? };
    // Several steps per batch, so that waiting for the end of the batch costs little.
    let count = (patience.as_secs_f64() / 5.0 / best.max(1e-6)).clamp(1.0, STEPS_PER_SUBMIT as f64) as usize;
    while started.elapsed() < patience {
        best = best.min(batch(count)?);
    }
    Ok(best)
}

impl GpuExecutor {
    /// Seconds of each op of a plan in one step with the given scalars, by timestamps around a pass per op. None if the
    /// device was not opened with timestamps, or has too few of them.
    pub fn op_seconds(&mut self, plan: PlanId, step: &StepScalars) -> Result<Option<Vec<f64>>, GpuError> {
        if !self.gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let device = &self.gpu.device;
        let dispatches = &self.plans[plan.0];
        let count = 2 * dispatches.len() as u32;
        if count > wgpu::QUERY_SET_MAX_QUERIES {
            return Ok(None);
        }
        let size = u64::from(count) * 8;
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("op times"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |label, usage| {
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            device.create_buffer(&descriptor)
        };
        let resolved = buffer("op times", wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer("op times readback", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        self.gpu.queue.write_buffer(&self.scalars, SINGLE_STEP, bytemuck::bytes_of(step));
        let mut encoder = device.create_command_encoder(&Default::default());
        for (i, dispatch) in dispatches.iter().enumerate() {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(2 * i as u32),
                    end_of_pass_write_index: Some(2 * i as u32 + 1),
                }),
            });
            self.encode_one(&mut pass, dispatch, SINGLE_STEP as u32);
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, size);
        let index = self.gpu.queue.submit([encoder.finish()]);
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&self.mapped(&staging, size, &index)?);
        let period = f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9;
        let ops = dispatches.last().map_or(0, |d| d.op + 1);
        let mut seconds = vec![0.0; ops];
        for (dispatch, pair) in self.plans[plan.0].iter().zip(ticks.chunks_exact(2)) {
            seconds[dispatch.op] += pair[1].saturating_sub(pair[0]) as f64 * period;
        }
        Ok(Some(seconds))
    }

    /// Seconds of one op of a plan by the host's clock: the op is run many times in a row, as often as fits into
    /// `patience`; the best counts.
    pub fn op_seconds_by_clock(
        &mut self,
        plan: PlanId,
        op: usize,
        step: &StepScalars,
        patience: Duration,
    ) -> Result<f64, GpuError> {
        self.gpu.queue.write_buffer(&self.scalars, SINGLE_STEP, bytemuck::bytes_of(step));
        let row = |count: usize| -> Result<f64, GpuError> {
            let started = Instant::now();
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for _ in 0..count {
                    for dispatch in self.plans[plan.0].iter().filter(|d| d.op == op) {
                        self.encode_one(&mut pass, dispatch, SINGLE_STEP as u32);
                    }
                }
            }
            self.gpu.wait(self.gpu.queue.submit([encoder.finish()]))?;
            Ok(started.elapsed().as_secs_f64() / count as f64)
        };
        let started = Instant::now();
        let mut best = row(1)?;
        let count = (patience.as_secs_f64() / 5.0 / best).clamp(1.0, 1000.0) as usize;
        while started.elapsed() < patience {
            best = best.min(row(count)?);
        }
        Ok(best)
    }
}
