//! The command line: one file per command, results on stdout, everything else on stderr.

/// Writes a line to stderr, with flags in place of keys; where nobody can read it any more, there is nothing else to do.
macro_rules! warning {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let said = format!($($argument)*);
        let _ = writeln!($crate::cli::output::terminal::err(), "{}", $crate::cli::output::flags::with_flags(&said));
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

use clap::{FromArgMatches, Parser};

use args::help;
use commands::Command;

pub use args::typed::Typed;
pub use exit::{Exit, exit_code};
pub use output::errors::is_reader_gone;

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
    error.chain().map(output::errors::said).fold(String::new(), |said, cause| match said.ends_with(&cause) {
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
