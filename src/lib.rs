//! Trains variational autoencoders on any GPU, with every training step in hand-written WGSL, or on the processor.
//!
//! A first example, from data to a trained model and new rows:
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
//! | type | what it is |
//! |---|---|
//! | [`Dataset`] | training and test rows, read from a source |
//! | [`InMemory`], [`Table`] | a data set of rows in memory; a table with typed columns |
//! | [`Config`] | data, model and training; the same as `config.toml` |
//! | [`RunOptions`] | the device, the folder, checkpoints, and a flag that stops a run |
//! | [`Event`] | what [`train`] tells while it works |
//! | [`Run`] | a finished run, read from its folder or from bytes |
//! | [`TrainedModel`] | the model of a run on a device: codes, reconstructions, scores, samples |
//!
//! [`config::keys`] lists every key of a configuration. [`session`] and [`graph`] train other models with the same kernels.
//! The feature `cli`, on by default, is for the program `wgvae`. Crates that use the library can turn it off.

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
