//! The engine of wgvae: a training step as data, and three executors that run it.
//!
//! A model is a graph of nodes ([`graph`]). The tape makes the gradients' nodes; what comes out is lowered to ops of [`kernels`], fused and
//! ordered to a [`plan`]. A plan is run by [`gpu`] (WGSL compute kernels, through wgpu), by [`cpu`] (the processor's vector instructions)
//! or by [`oracle`] (plain loops, in f32 or f64), which [`conformance`] compares with each other.

pub mod conformance;
pub mod cpu;
pub mod executor;
pub mod gpu;
pub mod graph;
pub mod kernels;
pub mod oracle;
pub mod plan;
pub mod profile;
pub mod wgsl;

mod caught;
mod timing;

pub use caught::{caught, panics_are_errors};
pub use timing::best_of;
