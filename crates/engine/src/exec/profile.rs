//! What a device can do at best, and how long ops and steps take on it.

use std::time::Duration;

use crate::exec::gpu::{AdapterKind, GpuError, GpuOptions};
use crate::exec::{Executor, OpenDevice};
use crate::kernels::roof;
use crate::plan::{Op, PlanError, PlanId, Program, StepPlan, StepScalars, TensorTable};

/// Measured peak rates of a device.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Roofs {
    /// Floating-point operations per second, multiply-adds counted as two.
    pub flops: f64,
    /// Bytes per second, read or written.
    pub bytes: f64,
    /// Seconds of an almost empty dispatch.
    pub launch: f64,
}

impl Roofs {
    /// Returns the best figures of a device from two measurements.
    pub fn best(self, other: Self) -> Self {
        Self {
            flops: self.flops.max(other.flops),
            bytes: self.bytes.max(other.bytes),
            launch: self.launch.min(other.launch),
        }
    }

    /// How many times as much it did at one of two times as at the other, of arithmetic or of copying.
    pub fn apart(self, other: Self) -> f64 {
        let [flops, bytes] = [self.flops / other.flops, self.bytes / other.bytes];
        flops.max(1.0 / flops).max(bytes).max(1.0 / bytes)
    }
}

/// Measures a device's roofs with the kernels of the family `roof`.
pub fn roofs(device: &OpenDevice, checked: bool) -> Result<Roofs, GpuError> {
    let patience = Duration::from_millis(300);
    // The full size is for large GPUs; what runs on the processor gets as much as it can do in 50 ms.
    let (sums, copied) = match device.gpu() {
        Some(gpu) if gpu.kind != AdapterKind::Software => (1 << 23, 1 << 24),
        _ => (1 << 16, 1 << 22),
    };
    let mut tensors = TensorTable::default();
    let result = tensors.floats("result", &[sums]);
    let op = built(roof::multiply_add(&tensors, result))?;
    let flops = op.flops as f64;
    Ok(Roofs {
        flops: flops / op_alone(device, tensors, op, checked, patience)?,
        bytes: 8.0 * copied as f64 / copy_seconds(device, copied, checked, patience)?,
        launch: launch_seconds(device, checked, patience)?,
    })
}

/// Seconds of an almost empty dispatch.
pub fn launch_seconds(device: &OpenDevice, checked: bool, patience: Duration) -> Result<f64, GpuError> {
    copy_seconds(device, 4, checked, patience)
}

fn copy_seconds(device: &OpenDevice, len: usize, checked: bool, patience: Duration) -> Result<f64, GpuError> {
    let mut tensors = TensorTable::default();
    let [source, result] = ["source", "result"].map(|name| tensors.floats(name, &[len]));
    let op = built(roof::copy(&tensors, source, result))?;
    op_alone(device, tensors, op, checked, patience)
}

fn built(op: Result<Op, PlanError>) -> Result<Op, GpuError> {
    op.map_err(|error| GpuError::Mismatch { kernel: "roof".into(), reason: error.to_string() })
}

fn op_alone(
    device: &OpenDevice,
    tensors: TensorTable,
    op: Op,
    checked: bool,
    patience: Duration,
) -> Result<f64, GpuError> {
    let plans = vec![StepPlan { name: "roof".into(), ops: vec![op] }];
    let program = Program { tensors, plans, ..Program::default() };
    let options = GpuOptions { checked, ..GpuOptions::default() };
    device.compile(program, &options)?.step_seconds(PlanId(0), &StepScalars::default(), patience)
}

/// The seconds of each op of a plan: on an adapter the median by timestamps; where there are none, each op is timed alone by
/// the host's clock, and the best counts. The oracle is not made for speed, and has none.
pub fn op_seconds(executor: &mut Executor, plan: PlanId, step: &StepScalars, about: f64) -> Result<Vec<f64>, GpuError> {
    let ops = executor.program().at(plan).ops.len();
    let patience = Duration::from_millis(60);
    let gpu = match executor {
        Executor::Gpu(gpu) => gpu,
        Executor::Cpu(cpu) => return Ok((0..ops).map(|op| cpu.op_seconds(plan, op, step, patience)).collect()),
        Executor::OracleF32(_) | Executor::OracleF64(_) => return Ok(vec![0.0; ops]),
    };
    let runs = (1.0 / about).clamp(3.0, 51.0) as usize;
    let mut times = vec![Vec::with_capacity(runs); ops];
    for _ in 0..runs {
        let Some(seconds) = gpu.op_seconds(plan, step)? else {
            let by_clock = |op| gpu.op_seconds_by_clock(plan, op, step, patience);
            return (0..ops).map(by_clock).collect();
        };
        for (times, seconds) in times.iter_mut().zip(seconds) {
            times.push(seconds);
        }
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    Ok(times.iter().map(|times| times[runs / 2]).collect())
}
