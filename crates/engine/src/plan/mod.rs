//! The basic data types: tensors, the parameter table, ops and step plans.
//!
//! Nothing here depends on a GPU, a model or a file. A [`Program`] is the input of an executor: the tensors, and the
//! [`StepPlan`]s (train, evaluate, sample, ...) that run on them.

mod function;
mod kernel;
mod op;
mod params;
mod pointwise;
mod scalars;
mod step_plan;
mod tensor;
mod windows;

pub use function::{
    Activation, ColumnKind, Function, Gradient, HALF_LEVEL, LOG_COUNT_RANGE, LOG_FAILURES_RANGE, LOG_FREEDOM_RANGE,
    LOG_SCALE_RANGE, LOGVAR_RANGE, Loss, MIN_LOG_SIGMA, MISSING, Saved, Signature, is_missing,
};
pub use kernel::{
    Binarise, Family, Gather, Gemm, Kernel, LogSumExp, Norm, Orientation, Pass, Pool, Reduce, Roof, Update,
};
pub use op::{Access, Binding, Field, FuseRule, Grid, Op, ParamsBlock};
pub use params::{Init, Param, ParamTable, WeightLayout};
pub use pointwise::{Call, Index, Input, Pointwise, Store, Value};
pub use scalars::{METRICS_PER_STEP, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, StepMetrics, StepScalars};
pub use step_plan::{BufferUses, PlanId, Program, StepPlan, Totals};
pub use tensor::{Buffer, BufferId, Dtype, Tensor, TensorId, TensorTable};
pub use windows::Windows;

/// Why a plan could not be built: an op was given tensors whose shapes do not fit together.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// A tensor has another shape than the op needs.
    #[error("{op}: {tensor} has shape {found:?}, but {expected:?} is needed")]
    Shape {
        /// The op that was being built.
        op: String,
        /// The tensor's name.
        tensor: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape the op needs.
        expected: Vec<usize>,
    },
    /// A tensor holds another element type than the op needs.
    #[error("{op}: {tensor} holds {found:?}, but {expected:?} is needed")]
    Dtype {
        /// The op that was being built.
        op: String,
        /// The tensor's name.
        tensor: String,
        /// The element type it has.
        found: Dtype,
        /// The element type the op needs.
        expected: Dtype,
    },
    /// A graph has more nodes than a plan can have.
    #[error("the model is made of {nodes} nodes, and no more than {most} can be planned: leave some layers out")]
    TooManyNodes {
        /// How many it has.
        nodes: usize,
        /// How many it may have.
        most: usize,
    },
    /// A size is too large for the 32-bit indices of a shader.
    #[error(
        "{op} has {elements} elements, more than a 32-bit index can reach: use less data, or a smaller batch or model"
    )]
    TooLarge {
        /// The op that was being built.
        op: String,
        /// How many elements it would have to index.
        elements: usize,
    },
}
