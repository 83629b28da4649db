//! `wgvae train`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wgvae::report::sparkline;
use wgvae::run::{self, Place, Resume, RunOptions};
use wgvae::train::{CheckpointInterval, Event, Summary};
use wgvae_data::Dataset;
use wgvae_data::quote::shell_quote;

use crate::cli::args::device::DeviceArgs;
use crate::cli::args::model::ModelArgs;
use crate::cli::output::progress::{ProgressDisplay, ProgressFormat};
use crate::cli::output::terminal;
use crate::cli::signals;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae train", "built-in handwritten digits"),
    ("wgvae train --data photos/ --image-size 64x64", "a folder of images"),
    ("wgvae train --data rows.csv --label class", "a table with classes"),
    ("wgvae train --hidden 512,256 --latent 8 --beta 0.1", "another network"),
    ("wgvae train --encoder 'conv 16 k3 s2, dense 64' --latent 8", "convolutions"),
    ("wgvae train --resume runs/dense-strokes --epochs 20", "make a run longer"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Folder of the run
    ///
    /// [default: the first of runs/NAME, runs/NAME-2, ... that is free]
    #[arg(long, value_name = "DIR", env = "WGVAE_OUT")]
    out: Option<PathBuf>,
    /// Replace the run that is in --out
    ///
    /// The old run stays until the new one has its first checkpoint.
    #[arg(long, requires = "out")]
    replace: bool,
    /// Go on with a run; --epochs makes it longer
    ///
    /// It goes on from its newest good checkpoint. --steps makes it longer, too.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "preset", "config"])]
    resume: Option<PathBuf>,
    /// Go on from --resume as another run, in this folder, with any other settings that leave the parameters as they are
    #[arg(long, value_name = "DIR", requires = "resume", hide_short_help = true)]
    fork: Option<PathBuf>,
    /// When to write a checkpoint, e.g. 1epoch, 500steps, 5min [default: after an epoch, at most every 10 s]
    #[arg(long, value_name = "INTERVAL", default_value = "auto", hide_default_value = true, hide_short_help = true)]
    checkpoint_every: CheckpointInterval,
    /// How many of the newest checkpoints to keep, beside the best one
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1_000_000), hide_short_help = true)]
    keep: u64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print nothing but what is wrong
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

/// A run that a signal has stopped.
#[derive(Debug, thiserror::Error)]
#[error("interrupted after step {step}; go on with: wgvae train --resume {}", shell_quote(folder))]
pub struct Interrupted {
    step: u64,
    /// The folder with the checkpoint.
    folder: PathBuf,
}

/// What was typed, as a shell would read it again; none where that cannot be written.
fn command_line() -> Option<String> {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect::<Option<_>>()?;
    let words = shlex::try_join(words.iter().map(String::as_str)).ok()?;
    Some(format!("wgvae {words}"))
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let phase = signals::install(&stop);
    let mut options = RunOptions {
        device: args.device.options(),
        place: args.out.clone().map_or(Place::Unused, Place::Folder),
        // Whoever presses Ctrl-C waits.
        finish_when_stopped: false,
        replace: args.replace,
        command: command_line(),
        checkpoint_every: args.checkpoint_every,
        keep: args.keep as usize,
        stop,
        ..RunOptions::default()
    };
    let format = match (args.json, args.quiet) {
        (true, _) => ProgressFormat::Json,
        (false, true) => ProgressFormat::Nothing,
        (false, false) => ProgressFormat::Lines,
    };
    let mut progress = ProgressDisplay::new(format, phase);
    let watch = |event: Event<'_>| progress.show(event);
    let finished = match &args.resume {
        Some(path) => {
            let (from, data) = resumed(args, path)?;
            run::resume(from, data, &options, watch)?
        }
        None => {
            let (config, data) = args.model.resolve()?;
            if options.place == Place::Unused {
                options.place = Place::Named(args.model.run_name(&data));
            }
            run::train(config, data, &options, watch)?
        }
    };
    if let (true, Some(folder)) = (finished.stopped, finished.run.folder()) {
        return Err(Interrupted { step: finished.summary.steps, folder: folder.to_path_buf() }.into());
    }
    if format == ProgressFormat::Lines {
        finish(&finished.summary, progress.losses())?;
    }
    Ok(())
}

/// The run to go on with, and its data.
fn resumed(args: &Args, path: &Path) -> anyhow::Result<(Resume, Dataset)> {
    let mut from = Resume::open(path)?;
    for (path, reason) in &from.damaged {
        warning!("the checkpoint {} is left out: {reason}", path.display());
    }
    if let Some(fork) = &args.fork {
        from = from.fork(fork)?;
    }
    let (config, data) = args.model.over(from.config())?;
    Ok((from.with(config)?, data))
}

fn finish(s: &Summary, losses: &[f64]) -> std::io::Result<()> {
    let mut out = terminal::out();
    if let [first, .., last] = losses {
        writeln!(out, "test     {}  loss by epoch, {first:.2} to {last:.2}", sparkline(losses, 40))?;
    }
    writeln!(
        out,
        "done     {} steps in {:.1} s ({:.0} steps/s); test loss {:.2} nats per example",
        s.steps, s.seconds, s.steps_per_second, s.test_loss
    )?;
    writeln!(out, "model    {}/model.safetensors, as it was after epoch {}", s.run, s.best_epoch)?;
    writeln!(out, "page     {}/report.html", s.run)?;
    writeln!(out, "next     wgvae sample {0}, wgvae encode {0}, wgvae eval {0}", shell_quote(&s.run))
}
