//! `wgvae completions`.

use std::io::Write;

use crate::cli::args::help::{self, Extent};

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae completions bash", "for the shell's folder of completions")];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(Extent::Whole), "wgvae", &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}
