//! `wgvae completions` and `wgvae man`.

use std::io::Write;

use clap::CommandFactory;

use super::Cli;

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wgvae", &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}

/// Prints the manual page of the program, then that of each command.
pub fn man() -> anyhow::Result<()> {
    let mut text = Vec::new();
    let mut all = Cli::command();
    all.build();
    clap_mangen::Man::new(all.clone()).render(&mut text)?;
    for command in all.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(command.clone()).render(&mut text)?;
    }
    Ok(std::io::stdout().write_all(&text)?)
}
