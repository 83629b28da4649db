//! The engine of wgvae: a training step as data, and three executors that run it.
//!
//! A model is a graph of nodes ([`graph`]). The tape makes the gradients' nodes; what comes out is lowered to ops of [`kernels`], fused and
//! ordered to a [`plan`]. A plan is run by [`exec::gpu`] (WGSL compute kernels, through wgpu), by [`exec::cpu`] (the processor's vector
//! instructions) or by [`exec::oracle`] (plain loops, in f32 or f64), which [`conformance`] compares with each other.
//!
//! The squares of a matrix, summed over its columns:
//!
//! ```
//! use wgvae_engine::exec::Execute;
//! use wgvae_engine::exec::cpu::Cpu;
//! use wgvae_engine::graph::{Axis, Graph, Lowering};
//! use wgvae_engine::plan::{Function, PlanId, Program, StepPlan, StepScalars, TensorTable};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut g = Graph::default();
//! let x = g.input("x", [2, 3], false);
//! let squares = g.map("squares", Function::Multiply, &[x, x]);
//! let sums = g.reduce("sums", squares, Axis::Columns);
//!
//! let mut tensors = TensorTable::default();
//! let weights = tensors.floats("weights", &[1]); // none of them is used here
//! let (from, to) = (tensors.floats("x", &[2, 3]), tensors.floats("sums", &[2]));
//! let of_weights = tensors.get(weights).buffer;
//! let mut lowering = Lowering::new(tensors, of_weights);
//! let ops = lowering.ops(&g, &[(x, from), (sums, to)], [vec![], vec![]], true)?;
//! let plans = vec![StepPlan { name: "squares".into(), ops }];
//! let mut cpu = Cpu::new(Program { tensors: lowering.tensors, plans, ..Program::default() });
//! cpu.write(from, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! cpu.dispatch(PlanId(0), &StepScalars::default());
//! assert_eq!(cpu.read(to)?, [14.0, 77.0]);
//! # Ok(())
//! # }
//! ```

pub mod conformance;
pub mod exec;
pub mod graph;
pub mod kernels;
pub mod plan;
pub mod platform;
pub mod session;
pub mod wgsl;

/// The snippets of the book's page on the engine.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/engine.md")]
mod book {}
