//! A training step as data, and three executors that run it: an adapter (WGSL, through wgpu), the processor, and plain loops.
//!
//! A line is fitted to four points:
//!
//! ```
//! use wgvae_engine::exec::OpenDevice;
//! use wgvae_engine::graph::{Graph, GroupSpec};
//! use wgvae_engine::plan::{Function, Init, Loss as Likelihood, Orientation, StepScalars};
//! use wgvae_engine::session::{LossSpec, PlanSpec, Session, SessionSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut g = Graph::default();
//! let x = g.input("x", [4, 1], false);
//! let y = g.input("y", [4, 1], false);
//! let slope = g.param("slope", &[1, 1], Init::Constant(0.0));
//! let line = g.product("line", Orientation::Nt, x, slope);
//! let minus = g.negative("minus", y);
//! let off = g.sum_of("off", line, minus);
//! let squares = g.map("squares", Function::Multiply, &[off, off]);
//! let loss = LossSpec::mean(&mut g, squares, "all");
//! let train = PlanSpec {
//!     name: "train".into(),
//!     graph: g,
//!     inputs: vec![x, y],
//!     metrics: vec![("error".into(), squares)],
//!     losses: vec![loss],
//!     ..PlanSpec::default()
//! };
//! let spec = SessionSpec { plans: vec![train], groups: vec![GroupSpec::adam("all")], unfused: false };
//! let mut session = Session::build(&spec, &OpenDevice::Cpu, 1)?;
//! let (x, y, train, rate) = (session.input("x")?, session.input("y")?, session.plan("train")?, session.rate("all")?);
//! session.set(x, &[1.0, 2.0, 3.0, 4.0])?;
//! session.set(y, &[2.0, 4.0, 6.0, 8.0])?;
//! let step = StepScalars::default().with(rate, 0.05);
//! let reports = session.run(train, &vec![step; 300])?;
//! let error = session.metric(train, "error")?;
//! assert!(reports.rows().last().is_some_and(|row| row[error.0] < 1e-3));
//! # Ok(())
//! # }
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Graph`](graph::Graph) | a model: nodes, each a matrix. Nobody writes a gradient |
//! | [`SessionSpec`](session::SessionSpec) | graphs with what is written, read and minimised, and optimisers |
//! | [`Session`](session::Session) | these on a device, with their parameters |
//! | [`OpenDevice`](exec::OpenDevice) | an adapter, the processor, or the oracle |
//! | [`Program`](plan::Program) | what a graph becomes: tensors, and plans of ops |
//! | [`Execute`](exec::Execute) | what an executor does with a program |
//!
//! The tape adds the nodes of gradients ([`graph`]). They are lowered to ops of [`kernels`], fused and ordered to a [`plan`].
//! [`conformance`] compares the executors with each other.

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
