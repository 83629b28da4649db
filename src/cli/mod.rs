//! The command line: one file per command, results on stdout, everything else on stderr.

/// Writes a line to stderr; where nobody can read it any more, there is nothing else to do.
macro_rules! warning {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!($crate::cli::output::terminal::err(), $($argument)*);
    }};
}

mod args;
mod commands;
mod output;
mod signals;
mod stdin;

use std::io::Write;

use clap::{FromArgMatches, Parser};

use args::help;
use commands::{Command, train};

pub use output::errors::{Typed, is_reader_gone};
use wgvae::apply::RunError;
use wgvae::config::ConfigError;
use wgvae::run::Error;
use wgvae::train::TrainError;
use wgvae_data::DataError;
use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::PlanError;

/// Exit code of a command that was interrupted.
pub const INTERRUPTED: i32 = 130;

/// Train variational autoencoders on any GPU, with every training step in hand-written WGSL.
#[derive(Debug, Parser)]
#[command(name = "wgvae", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What follows the options in the whole help of the program.
const EXAMPLES: &str = "Examples:
  wgvae train                                     handwritten digits from the built-in strokes
  wgvae train --preset points                     2-D points, a 2-D latent space
  wgvae train --data photos/ --image-size 64x64   a folder of images
  wgvae train --data rows.csv --label class       a table whose column `class` has the classes
  wgvae train --data mnist/ --epochs 20           a folder of IDX files
  wgvae train --hidden 512,256 --latent 8 --likelihood mse --beta 0.1
  wgvae data rows.csv --label class               describe a data source
  wgvae sample runs/dense-strokes                 new digits
  wgvae encode runs/dense-strokes --to codes.csv  latent codes of the test rows
  wgvae anomaly runs/table-rows --data rows.csv   the most unusual rows
  wgvae profile --batch 512                       where a step's time goes
  wgvae doctor                                    check that this adapter computes correctly

Exit codes: 0 done, 2 usage, 3 bad input, 4 no usable adapter, 5 diverged,
6 device lost or out of memory, 130 interrupted, 1 anything else.";

/// Reads the command line; an error is also what asks for help.
pub fn parse() -> Result<Cli, clap::Error> {
    // Only who asks for the help, or does not get past the command line, waits for it to be put together.
    let typed = Typed::of(std::env::args_os());
    let explained = || Cli::from_arg_matches(&help::command(typed.extent()).try_get_matches()?);
    Cli::try_parse().or_else(|_| explained()).map_err(|error| typed.explained(error))
}

/// Runs a command, and makes sure that what it printed has arrived.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    signals::outlive_file_limits();
    let outcome = cli.command.run().and_then(|()| Ok(std::io::stdout().flush()?));
    stdin::forget();
    // Every other error of writing or reading names its file.
    outcome.map_err(|error| match error.is::<std::io::Error>() {
        true => error.context("the result could not be written to stdout"),
        false => error,
    })
}

/// A failed check whose details the command has printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Verdict(String);

/// An error and its causes in one line. Some errors name their cause themselves; it is not said again.
pub fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.ends_with(&cause) {
        true => said,
        false if said.is_empty() => cause,
        false => format!("{said}: {cause}"),
    })
}

/// The exit code that belongs to an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            None.or_else(|| cause.downcast_ref::<train::Interrupted>().map(|_| 130))
                .or_else(|| cause.downcast_ref().map(of_run))
                .or_else(|| cause.downcast_ref().map(of_error))
                .or_else(|| cause.downcast_ref().map(of_train))
                .or_else(|| cause.downcast_ref().map(of_device))
                .or_else(|| cause.downcast_ref().map(of_gpu))
                .or_else(|| cause.downcast_ref().map(of_data))
                .or_else(|| cause.downcast_ref().map(of_config))
                .or_else(|| cause.downcast_ref::<PlanError>().map(|_| 2))
        })
        .unwrap_or(1)
}

fn of_run(error: &RunError) -> u8 {
    match error {
        RunError::Missing { .. } | RunError::Damaged { .. } | RunError::Content(_) | RunError::Load(_) => 3,
        RunError::Unfit(_) | RunError::Plan(_) => 2,
        RunError::Write { .. } | RunError::Session(_) => 1,
        RunError::Config(e) => of_config(e),
        RunError::Data(e) => of_data(e),
        RunError::Device(e) => of_device(e),
    }
}

fn of_error(error: &Error) -> u8 {
    match error {
        Error::Config(e) => of_config(e),
        Error::Data(e) => of_data(e),
        Error::Plan(_) => 2,
        Error::Device(error) | Error::TooLarge { error, .. } => of_device(error),
        Error::Train(e) => of_train(e),
        Error::Run(e) => of_run(e),
        Error::Changed { .. } | Error::OtherData(_) | Error::OtherParameters { .. } => 2,
    }
}

fn of_train(error: &TrainError) -> u8 {
    match error {
        TrainError::Device(error) | TrainError::Failed { error, .. } => of_device(error),
        TrainError::Occupied(_) | TrainError::Exists(_) | TrainError::Busy(_) | TrainError::Link(_) => 2,
        TrainError::NoRun(_) | TrainError::AnotherFormat { .. } => 3,
        TrainError::Write { .. } | TrainError::Watch | TrainError::Gone(_) => 1,
        TrainError::Diverged { .. } => 5,
    }
}

fn of_device(error: &DeviceError) -> u8 {
    match error {
        DeviceError::None { .. } => 4,
        DeviceError::Gpu(e) => of_gpu(e),
    }
}

fn of_gpu(error: &GpuError) -> u8 {
    match error {
        GpuError::Device { .. } => 4,
        GpuError::Lost(_) | GpuError::OutOfMemory(_) | GpuError::Limit { .. } => 6,
        _ => 1,
    }
}

fn of_data(error: &DataError) -> u8 {
    match error {
        DataError::Spec { .. } | DataError::Option { .. } | DataError::Occupied(_) => 2,
        DataError::Write { .. } => 1,
        _ => 3,
    }
}

fn of_config(error: &ConfigError) -> u8 {
    match error {
        ConfigError::Read { .. } => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let named = DataError::Read { path: "rows.csv".into(), source: missing() };
        let cause = missing().to_string();
        assert_eq!(sentence(&named.into()), format!("rows.csv could not be read: {cause}"));
        assert_eq!(sentence(&anyhow::Error::from(missing()).context("no result")), format!("no result: {cause}"));
    }

    #[test]
    fn every_example_of_the_help_is_a_command() {
        let examples: Vec<&str> = EXAMPLES.lines().map(str::trim).filter(|l| l.starts_with("wgvae ")).collect();
        assert!(examples.len() >= 6);
        for example in examples {
            // Two spaces separate the command from its description.
            let command = example.split("  ").next().unwrap_or_default();
            let parsed = Cli::try_parse_from(command.split(' '));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}
