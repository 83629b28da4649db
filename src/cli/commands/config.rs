//! `wgvae config`: a configuration file to start from.

use std::io::Write;

use wgvae::config::Config;

use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae config --preset conv", "a file that explains every key")];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The preset to start from: dense, deep-dense, conv, keras-conv, burgess, photo, autoencoder, points, text, series, sound, music, table
    #[arg(long, value_name = "NAME", default_value = "dense")]
    preset: String,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::resolve(Some(&args.preset), None, toml::Table::new())?;
    let text = config.to_commented_toml(&format!("The preset {}. Use it: wgvae train --config FILE", args.preset))?;
    Ok(terminal::out().write_all(text.as_bytes())?)
}
