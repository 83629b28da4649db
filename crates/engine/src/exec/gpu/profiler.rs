//! Timing on an adapter: ops by timestamps, whole steps by the host's clock.

use std::time::Duration;

use super::executor::SINGLE_STEP;
use super::{GpuError, GpuExecutor};
use crate::exec::timing::best_of;
use crate::plan::{PlanId, StepScalars};

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
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&self.mapped_now(&staging, size, &index)?);
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
        best_of(patience, 1000, |count| {
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for _ in 0..count {
                    for dispatch in self.plans[plan.0].iter().filter(|d| d.op == op) {
                        self.encode_one(&mut pass, dispatch, SINGLE_STEP as u32);
                    }
                }
            }
            self.gpu.wait(self.gpu.queue.submit([encoder.finish()]))
        })
    }
}
