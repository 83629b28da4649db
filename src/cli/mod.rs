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
mod exit;
mod output;
#[cfg(test)]
mod reference;
mod signals;
mod stdin;

use std::io::Write;

use clap::{FromArgMatches, Parser, Subcommand};

use args::help;
use commands::{
    anomaly, augment, compare, compress, config, data, decode, decompress, devices, doctor, encode, eval, interpolate,
    kernels, plan, profile, reconstruct, report, restore, sample, shell, train, traverse,
};

pub use exit::{Exit, exit_code};
pub use output::errors::{Typed, is_reader_gone};

/// Train variational autoencoders on any GPU, with every training step in hand-written WGSL.
#[derive(Debug, Parser)]
#[command(name = "wgvae", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

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

Exit codes: 0 done, 2 usage, 3 bad input, 4 no usable adapter, 5 diverged, 6 device lost or out of memory,
130 interrupted, 1 anything else.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model and write a run folder
    Train(Box<train::Args>),
    /// Evaluate a trained model: loss, KL, active units
    Eval(Box<eval::Args>),
    /// Sample new rows from a trained model
    Sample(Box<sample::Args>),
    /// Reconstruct rows with a trained model
    Reconstruct(Box<reconstruct::Args>),
    /// Interpolate between two rows in the latent space
    Interpolate(Box<interpolate::Args>),
    /// Show what each latent dimension does
    Traverse(Box<traverse::Args>),
    /// Turn rows into latent codes
    Encode(Box<encode::Args>),
    /// Turn latent codes into rows
    Decode(Box<decode::Args>),
    /// Write rows in few bytes, from which they come back bit for bit
    Compress(Box<compress::Args>),
    /// Restore the rows of a file that `compress` wrote
    Decompress(Box<decompress::Args>),
    /// Rank rows by how anomalous they are to a trained model
    Anomaly(Box<anomaly::Args>),
    /// Fill in missing parts of rows, or remove noise
    Restore(Box<restore::Args>),
    /// Write new examples similar to existing ones
    Augment(Box<augment::Args>),
    /// Compare several runs
    Compare(compare::Args),
    /// Write the HTML page of a run
    Report(Box<report::Args>),
    /// Print the training step as a list of ops
    Plan(Box<plan::Args>),
    /// Time every op of the training step and show what limits it
    Profile(Box<profile::Args>),
    /// List the kernels of the training step, or print one
    Kernels(Box<kernels::Args>),
    /// Describe a data source, or write it as files
    Data(Box<data::Args>),
    /// Print a configuration file to start from
    Config(config::Args),
    /// Print shell completions
    Completions(shell::CompletionsArgs),
    /// Print a manual page, as roff, or write all of them
    Man(shell::ManArgs),
    /// List the adapters
    Devices(devices::Args),
    /// Run every kernel on a device and compare it with the oracle
    Doctor(doctor::Args),
}

/// Reads the command line; an error is also what asks for help.
pub fn parse() -> Result<Cli, clap::Error> {
    // Only who asks for the help, or does not get past the command line, waits for it to be put together.
    let explained = || Cli::from_arg_matches(&help::command().try_get_matches()?);
    Cli::try_parse().or_else(|_| explained()).map_err(|error| Typed::of(std::env::args_os()).explained(error))
}

/// Runs a command, and makes sure that what it printed has arrived.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    signals::outlive_file_limits();
    let outcome = command(cli).and_then(|()| Ok(std::io::stdout().flush()?));
    stdin::forget();
    // Every other error of writing or reading names its file.
    outcome.map_err(|error| match error.is::<std::io::Error>() {
        true => error.context("the result could not be written to stdout"),
        false => error,
    })
}

fn command(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Reconstruct(args) => reconstruct::run(&args),
        Command::Interpolate(args) => interpolate::run(&args),
        Command::Traverse(args) => traverse::run(&args),
        Command::Encode(args) => encode::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Compress(args) => compress::run(&args),
        Command::Decompress(args) => decompress::run(&args),
        Command::Anomaly(args) => anomaly::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Augment(args) => augment::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::DataError;

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
