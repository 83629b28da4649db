//! wgvae trains variational autoencoders with every part of the step in hand-written WGSL: batch gathering, layers,
//! reparameterisation, losses, gradients and the optimiser. The host only records dispatches.
//!
//! From data to a trained model, and new rows drawn from it:
//!
//! ```
//! use wgvae::{TrainedModel, Config, Dataset, Event, RunOptions};
//!
//! # fn main() -> Result<(), wgvae::Error> {
//! let data = Dataset::load("strokes:count=256")?; // or a folder of images, a table, an array
//! let mut config = Config::for_data(&data)?; // every field of it may be changed
//! config.train.epochs = 1;
//! let options = RunOptions::in_folder("runs/digits");
//! # let folder = tempfile::tempdir().unwrap();
//! # let mut options = RunOptions::in_folder(folder.path().join("digits"));
//! # options.device.tune = wgvae::Tune::Off;
//! let finished = wgvae::train(config, data, &options, |event| {
//!     if let Event::Epoch(epoch) = event {
//!         println!("epoch {}: test loss {:.1}", epoch.report.epoch, epoch.report.test_loss);
//!     }
//! })?;
//! let mut model = TrainedModel::open(&finished.run, 1, &options.device, &mut |_| {})?;
//! let digits = model.sample(16, 0)?; // (16, 784) levels in [0, 1]
//! # assert_eq!(digits.len(), 16 * 784);
//! # Ok(())
//! # }
//! ```
//!
//! Modules depend on each other in one direction; ARCHITECTURE.md describes them. The feature `cli`, on by default, is
//! for the program `wgvae`: crates that use this one as a library can turn it off.

pub mod apply;
pub mod config;
pub mod model;

// Internals for the program, the tests and the benchmarks; they may change without notice.
mod eigen;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod train;

pub use apply::{Codes, Evaluation, Run, RunError, Score, TrainedModel};
pub use config::{Config, ConfigError};
pub use run::{Error, Finished, Place, Resume, RunOptions, WatchResult, resume, train};
pub use train::{
    CheckpointInterval, DeviceEvent, DeviceOptions, Epoch, EpochReport, Event, LoadError, MeasuredChoice, MetricsLine,
    Speeds, Start, StepReport, Summary, TrainError, Tune,
};
pub use wgvae_data as data;
pub use wgvae_data::{Cell, DataError, Dataset, InMemory, Table};
pub use wgvae_engine::exec::gpu::GpuError;
pub use wgvae_engine::exec::gpu::tuner::{Trial, Tuning};
pub use wgvae_engine::exec::{Device, DeviceChoice, DeviceError};
pub use wgvae_engine::plan::{Activation, Function, Loss, PlanError, Totals};
pub use wgvae_engine::wgsl::GemmVariant;
pub use wgvae_engine::{graph, plan, session};

/// The Rust of README.md and of the book, which is compiled as the other examples are.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/rust.md")]
    mod library {}
}
