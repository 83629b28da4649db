//! wgvae trains variational autoencoders with every part of the step in hand-written WGSL: batch gathering, layers,
//! reparameterisation, losses, gradients and the optimiser. The host only records dispatches.
//!
//! A training step, from nothing to numbers:
//!
//! ```
//! use wgvae::{config::Config, data::Dataset, executor, gpu::GpuOptions, model::{Plan, Vae}, train::Trainer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::resolve(Some("dense"), None, toml::Table::new())?;
//! let data = Dataset::load("strokes:count=256")?;
//! let spec = config.vae_spec(data.shape.len());
//! let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data))?; // plans: plain lists of ops
//! let selected = executor::select(&executor::DeviceChoice::Auto)?;
//! let (executor, device) = executor::open(&selected, vae.program.clone(), &GpuOptions::default())?;
//! let mut trainer = Trainer::new(&config, data, vae, executor, device)?; // data and weights go to the device
//! let steps = [0, 1, 2].map(|step| trainer.timetable().train(step)); // what differs from step to step
//! trainer.executor().submit(Plan::Train as usize, &steps)?; // one upload, one submit
//! for metrics in trainer.executor().collect()?.unwrap_or_default() {
//!     println!("loss {:.1} = {:.1} + KL {:.1}", metrics.loss, metrics.recon, metrics.kl);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Modules depend on each other in one direction, from [`cli`] down to [`plan`]; ARCHITECTURE.md draws the house.

pub mod apply;
pub mod check;
pub mod cli;
pub mod config;
pub mod data;
pub mod executor;
pub mod gpu;
pub mod graph;
pub mod kernels;
pub mod model;
pub mod oracle;
pub mod plan;
pub mod report;
pub mod train;
