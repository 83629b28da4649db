//! The scalars and the metrics of a step.

use super::op::Field;

/// Largest number of steps per submit: the size of half the scalars ring and of half the metrics ring.
pub const STEPS_PER_SUBMIT: usize = 512;

/// Floats a step writes into its slot of the metrics ring: loss, reconstruction, KL, gradient norm.
pub const METRICS_PER_STEP: usize = 4;

/// The scalars of one step. Those of K steps are uploaded in one copy, and each op reads its step's through a dynamic
/// offset, as the uniform `step` of `shaders/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StepScalars {
    /// Key of the reparameterisation noise of this step.
    pub noise_key: [u32; 2],
    /// Key of the binarisation draws of this step.
    pub binarise_key: [u32; 2],
    /// Key of the current epoch's permutation.
    pub shuffle_key: [u32; 2],
    /// Key of the next epoch's permutation, for a batch that crosses into it.
    pub next_shuffle_key: [u32; 2],
    /// 1: take rows in the epoch's permuted order; 0: in the order they are stored.
    pub shuffle: u32,
    /// Position of the batch's first row within the epoch.
    pub offset: u32,
    /// Valid rows of the batch; the rest are padding of a partial last batch.
    pub rows: u32,
    /// Slot of the metrics ring; the executor sets it.
    pub slot: u32,
    /// Weight of the KL term.
    pub beta: f32,
    /// Learning rate.
    pub lr: f32,
    /// Adam: `1 / (1 - beta1^t)`.
    pub correction1: f32,
    /// Adam: `1 / sqrt(1 - beta2^t)`.
    pub correction2: f32,
    /// What the KL is held at, where it is held at something; else 0.
    pub capacity: f32,
    /// A uniform with pairs of words has an even number of words.
    pub padding: u32,
}

impl StepScalars {
    /// Names and byte offsets, to be checked against the shader's struct.
    pub const FIELDS: &[Field] = &[
        Field::of("noise_key", std::mem::offset_of!(StepScalars, noise_key)),
        Field::of("binarise_key", std::mem::offset_of!(StepScalars, binarise_key)),
        Field::of("shuffle_key", std::mem::offset_of!(StepScalars, shuffle_key)),
        Field::of("next_shuffle_key", std::mem::offset_of!(StepScalars, next_shuffle_key)),
        Field::of("shuffle", std::mem::offset_of!(StepScalars, shuffle)),
        Field::of("offset", std::mem::offset_of!(StepScalars, offset)),
        Field::of("rows", std::mem::offset_of!(StepScalars, rows)),
        Field::of("slot", std::mem::offset_of!(StepScalars, slot)),
        Field::of("beta", std::mem::offset_of!(StepScalars, beta)),
        Field::of("lr", std::mem::offset_of!(StepScalars, lr)),
        Field::of("correction1", std::mem::offset_of!(StepScalars, correction1)),
        Field::of("correction2", std::mem::offset_of!(StepScalars, correction2)),
        Field::of("capacity", std::mem::offset_of!(StepScalars, capacity)),
        Field::of("padding", std::mem::offset_of!(StepScalars, padding)),
    ];
}

/// Largest number of submits in flight: one runs while the next is encoded. The rings have a half for each.
pub const SUBMITS_IN_FLIGHT: usize = 2;

/// The metrics of one step: means over its rows, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct StepMetrics {
    /// Reconstruction plus `beta` times KL.
    pub loss: f64,
    /// Negative log-likelihood of the batch.
    pub recon: f64,
    /// KL divergence from the prior.
    pub kl: f64,
    /// Global norm of the gradient before clipping; 0 without clipping.
    pub grad_norm: f64,
}

impl StepMetrics {
    /// Reads a slot of the metrics ring.
    pub fn from_slot([loss, recon, kl, grad_norm]: [f64; METRICS_PER_STEP]) -> Self {
        Self { loss, recon, kl, grad_norm }
    }
}
