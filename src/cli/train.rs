//! `wgvae train`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::device_args::DeviceArgs;
use super::model_args::ModelArgs;
use super::progress::Progress;
use crate::report::sparkline;
use crate::run::{self, Error, RunOptions};
use crate::train::{Summary, TrainError};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Folder of the run [default: the first of runs/NAME, runs/NAME-2, ... that does not exist]
    #[arg(long, value_name = "DIR", env = "WGVAE_OUT")]
    out: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (config, data) = args.model.resolve()?;
    let options = RunOptions {
        device: args.device.options(),
        folder: args.out.clone(),
        name: Some(args.model.run_name(&data)),
        stop: Arc::default(),
    };
    let mut progress = Progress::new(args.json, || stop_at_ctrl_c(&options.stop));
    let finished = match run::train(config, data, &options, &mut |event| Ok(progress.show(event)?)) {
        // Unwrapped, because main recognises the error of a closed pipe.
        Err(Error::Train(TrainError::Watch(error))) => return Err(error.into()),
        outcome => outcome?,
    };
    if !args.json {
        finish(&finished.summary, progress.losses())?;
    }
    Ok(())
}

/// The first Ctrl-C ends the run after saving the model, the second at once.
fn stop_at_ctrl_c(stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    let handler = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        eprintln!("Ctrl-C will end the run without saving the model: {error}");
    }
}

fn finish(s: &Summary, losses: &[f64]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if losses.len() > 1 {
        writeln!(out, "loss     {}", sparkline(losses, 40))?;
    }
    writeln!(
        out,
        "done     {} steps in {:.1} s ({:.0} steps/s); test loss {:.2} nats per example",
        s.steps, s.seconds, s.steps_per_second, s.test_loss
    )?;
    writeln!(out, "model    {}/model.safetensors", s.run)?;
    writeln!(out, "page     {}/report.html", s.run)?;
    writeln!(out, "next     wgvae sample {0}, wgvae encode {0}, wgvae eval {0}", s.run)
}
