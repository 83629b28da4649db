//! The engine of wgvae: a training step as data, and three executors that run it.
//!
//! A model is a graph of nodes ([`graph`]). The tape makes the gradients' nodes; what comes out is lowered to ops of [`kernels`], fused and
//! ordered to a [`plan`]. A plan is run by [`exec::gpu`] (WGSL compute kernels, through wgpu), by [`exec::cpu`] (the processor's vector
//! instructions) or by [`exec::oracle`] (plain loops, in f32 or f64), which [`conformance`] compares with each other.

pub mod conformance;
pub mod exec;
pub mod graph;
pub mod kernels;
pub mod plan;
pub mod wgsl;
