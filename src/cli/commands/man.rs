//! `wgvae man`.

use std::io::Write;
use std::path::{Path, PathBuf};

use wgvae::apply::RunError;
use wgvae_data::disk;

use crate::cli::args::help::{self, Extent};

/// Writes the pages of a command and all below it.
fn pages(of: &clap::Command, folder: &Path) -> std::io::Result<()> {
    of.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| pages(below, folder))?;
    let page = clap_mangen::Man::new(of.clone());
    disk::write_result(&folder.join(page.get_filename()), |out| page.render(out))
}

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae man train", "the page of a command")];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command whose page is printed [default: the program's own page]
    command: Option<String>,
    /// Write all pages into this folder, as wgvae.1, wgvae-train.1 and so on
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut all = help::command(Extent::Whole);
    all.build();
    if let Some(folder) = &args.to {
        let written = std::fs::create_dir_all(folder).and_then(|()| pages(&all, folder));
        written.map_err(|e| RunError::Write { path: folder.clone(), reason: e.to_string() })?;
        return Ok(writeln!(std::io::stdout(), "written  {}", folder.display())?);
    }
    let page = match &args.command {
        None => all,
        Some(name) => match all.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                return Err(RunError::Unfit(format!("there is no command `{name}`: `wgvae --help` lists them")).into());
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(std::io::stdout().write_all(&text)?)
}
