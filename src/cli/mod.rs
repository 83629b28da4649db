//! The command line: one file a command, results on stdout, everything else on stderr.

mod device_args;
mod devices;
mod doctor;
mod kernels;
mod model_args;
mod plan;
mod profile;
mod progress;
mod train;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;
use crate::data::DataError;
use crate::executor::{DeviceError, Selected, adapter_hint};
use crate::gpu::GpuError;
use crate::plan::PlanError;
use crate::train::TrainError;

/// Trains variational autoencoders on any GPU, every step in hand-written WGSL.
#[derive(Debug, Parser)]
#[command(name = "wgvae", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  wgvae train                                   handwritten digits from the built-in strokes
  wgvae train --preset points                   points of the plane, a 2-D latent space
  wgvae train --data mnist/ --epochs 20         a folder of IDX files
  wgvae train --hidden 512,256 --latent 8 --likelihood mse --beta 0.1
  wgvae plan --preset deep-dense                the step, op by op
  wgvae profile --batch 512                     where its time goes
  wgvae kernels --show gather                   the WGSL that is compiled
  wgvae doctor                                  is this adapter to be trusted?

Exit codes: 0 done, 2 usage, 3 bad input, 4 no usable adapter, 5 diverged, 6 device lost or out of memory,
130 interrupted, 1 anything else.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model and write a run folder
    Train(Box<train::Args>),
    /// Print the training step as a list of ops
    Plan(Box<plan::Args>),
    /// Time every op of the training step, and say what bounds it
    Profile(Box<profile::Args>),
    /// List the kernels of the training step, or print one
    Kernels(Box<kernels::Args>),
    /// List the adapters
    Devices(devices::Args),
    /// Run every kernel on an adapter and compare it with the CPU reference
    Doctor(doctor::Args),
}

/// Runs a command.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}

/// A doctor's or another command's verdict that is no error of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Verdict(String);

/// The exit code that belongs to an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let of_gpu = |e: &GpuError| match e {
        GpuError::Device { .. } => 4,
        GpuError::Lost(_) | GpuError::OutOfMemory(_) | GpuError::Limit { .. } => 6,
        _ => 1,
    };
    let of_device = |e: &DeviceError| match e {
        DeviceError::None { .. } => 4,
        DeviceError::Gpu(e) => of_gpu(e),
    };
    for cause in error.chain() {
        if let Some(e) = cause.downcast_ref::<TrainError>() {
            return match e {
                TrainError::Device(e) => of_device(e),
                TrainError::Plan(_) | TrainError::Occupied(_) => 2,
                TrainError::Write { .. } => 1,
                TrainError::Diverged { .. } => 5,
                TrainError::Interrupted { .. } => 130,
            };
        }
        if let Some(e) = cause.downcast_ref::<DeviceError>() {
            return of_device(e);
        }
        if let Some(e) = cause.downcast_ref::<GpuError>() {
            return of_gpu(e);
        }
        if let Some(e) = cause.downcast_ref::<DataError>() {
            return match e {
                DataError::Spec { .. } => 2,
                _ => 3,
            };
        }
        if let Some(e) = cause.downcast_ref::<ConfigError>() {
            return match e {
                ConfigError::Read { .. } => 3,
                _ => 2,
            };
        }
        if cause.downcast_ref::<PlanError>().is_some() {
            return 2;
        }
    }
    1
}

/// Says so where the CPU stands in for an adapter.
fn warn_of_cpu(selected: &Selected) {
    if let Selected::Cpu { for_want_of_adapter } = selected {
        if *for_want_of_adapter {
            eprintln!("no GPU adapter was found: {}", adapter_hint());
        }
        eprintln!("running on the CPU reference: the same results, without a GPU");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_help_is_a_command() {
        let examples: Vec<&str> = EXAMPLES.lines().map(str::trim).filter(|l| l.starts_with("wgvae ")).collect();
        assert!(examples.len() >= 6);
        for example in examples {
            // What it does stands behind two spaces.
            let command = example.split("  ").next().unwrap_or_default();
            let parsed = Cli::try_parse_from(command.split(' '));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}
