//! `wgvae completions` and `wgvae man`: what a shell and a reader of manuals want.

use std::io::Write;

use clap::CommandFactory;

use super::Cli;

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn completions(args: &CompletionsArgs) {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wgvae", &mut text);
    // Where nobody reads stdout any more, there is nobody to tell.
    let _ = std::io::stdout().write_all(&text);
}

/// The manual: the program's page, then one for each command.
pub fn man() -> anyhow::Result<()> {
    let mut text = Vec::new();
    let mut all = Cli::command();
    all.build();
    clap_mangen::Man::new(all.clone()).render(&mut text)?;
    for command in all.get_subcommands().filter(|command| command.get_name() != "help") {
        clap_mangen::Man::new(command.clone()).render(&mut text)?;
    }
    let _ = std::io::stdout().write_all(&text);
    Ok(())
}
