//! The basic data types: tensors, the parameter table, ops and step plans.
//!
//! Nothing here depends on a GPU, a model or a file. A [`Program`] is the input of an executor: the tensors, and the
//! [`StepPlan`]s (train, evaluate, sample, ...) that run on them.

mod attention;
mod function;
mod groups;
mod kernel;
mod op;
mod params;
mod pointwise;
mod recurrent;
mod scalars;
mod step_plan;
mod tensor;
mod windows;

pub use attention::{Attention, AttentionKernel};
pub use function::{
    Activation, ColumnKind, Function, Gradient, HALF_LEVEL, LOG_COUNT_RANGE, LOG_FAILURES_RANGE, LOG_FREEDOM_RANGE,
    LOG_SCALE_RANGE, LOGVAR_RANGE, Loss, MIN_LOG_SIGMA, MISSING, Saved, Signature, UNKNOWN, is_missing,
};
pub use groups::{Arenas, Group, corrections};
pub use kernel::{
    Binarise, CrossEntropy, Family, Gather, Gemm, Kernel, LogSumExp, Norm, Orientation, Pass, Pool, Reduce, Roof,
    Update,
};
pub use op::{Access, Binding, Field, FuseRule, Grid, Op, ParamsBlock};
pub use params::{Init, Param, ParamTable, WeightLayout};
pub use pointwise::{Call, Index, Input, Pointwise, StoredValue, Value};
pub use recurrent::{Cell, Recurrent, RecurrentKernel};
pub use scalars::{
    MAX_SCALARS, MetricRows, Metrics, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, ScalarId, ScalarTable, StepScalars,
};
pub use step_plan::{BufferUses, PlanId, Program, Step, StepPlan, Totals};
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
    /// A program names more scalars than a step has.
    #[error("`{name}` is one scalar more than the {MAX_SCALARS} that a step has")]
    TooManyScalars {
        /// The scalar that was to be added.
        name: String,
    },
    /// A step reports no values, or more than an op can take the means of.
    #[error("a step reports {found} values; it may be from 1 to {most}")]
    Metrics {
        /// How many it reports.
        found: usize,
        /// How many it may report.
        most: usize,
    },
    /// A parameter is in two groups, or in none of the program's.
    #[error("{parameter} {reason}")]
    Group {
        /// The parameter.
        parameter: String,
        /// The reason why the group does not fit.
        reason: &'static str,
    },
    /// The graphs of a session have different parameters or scalars.
    #[error(
        "the graph of {plan} has another `{name}` than the others: make the graphs of a session from each other, by `continued`"
    )]
    Continued {
        /// The plan.
        plan: String,
        /// The parameter, or the scalar.
        name: String,
    },
    /// A model has nothing to train.
    #[error("the model has no parameters: give it a layer that has some")]
    NoParameters,
    /// Two things have one name.
    #[error("there are two of the name `{0}`: give each another")]
    SameName(String),
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
