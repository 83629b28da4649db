//! The GPU executor: adapters, shader reflection, pipelines, the encoding of a step plan; its profiler and its tuner.

mod adapter;
mod executor;
mod kernel;
pub mod profiler;
mod reflect;
pub mod tuner;

pub use adapter::{AdapterEntry, AdapterKind, Gpu, Needs, adapter_name, adapters, instance};
pub use executor::{GpuExecutor, GpuOptions, HostTime, Patch};
pub use reflect::{Reflection, Slot, check_op, module};

use crate::plan::{STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT};

/// Errors of opening a GPU or running on it.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum GpuError {
    /// The adapter refused to open a device.
    #[error("{adapter} did not open a device ({reason}): choose another")]
    Device {
        /// The adapter's name.
        adapter: String,
        /// The reason it gave.
        reason: String,
    },
    /// The adapter's limits are too small for the program.
    #[error(
        "{what} needs {needed} {unit}, but {adapter} offers {offered}: use less data, a smaller batch or model, or the processor"
    )]
    Limit {
        /// A description of the tensor or buffer that is too large.
        what: String,
        /// How much it needs.
        needed: u64,
        /// The limit.
        offered: u64,
        /// Bytes, workgroups, ...
        unit: &'static str,
        /// The adapter's name.
        adapter: String,
    },
    /// A shader is not valid WGSL, or could not be specialised.
    #[error("the shader of {kernel} is not valid: {reason}")]
    Shader {
        /// The kernel.
        kernel: String,
        /// The compiler's message.
        reason: String,
    },
    /// An op and its shader do not agree.
    #[error("{kernel}: {reason}")]
    Mismatch {
        /// The kernel.
        kernel: String,
        /// How they differ.
        reason: String,
    },
    /// A submit of too many steps, or one while as many as possible are uncollected.
    #[error(
        "{steps} steps were submitted with {uncollected} submits uncollected: at most {STEPS_PER_SUBMIT} steps and {SUBMITS_IN_FLIGHT} submits"
    )]
    Submit {
        /// The steps.
        steps: usize,
        /// The submits before it that were not collected.
        uncollected: usize,
    },
    /// wgpu or the driver refused something.
    #[error("the GPU driver refused an operation: {0}")]
    Refused(String),
    /// There is no memory left on the device.
    #[error("the GPU is out of memory ({0}): close other programs, or use a smaller batch or model, or the processor")]
    OutOfMemory(String),
    /// The device is gone: the driver reset it, or it was unplugged.
    #[error("the GPU device was lost ({0}): run again, and if it happens again update its driver")]
    Lost(String),
}
