//! `wgvae train`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::device_args::{AdapterArgs, DeviceArgs, Opened};
use super::model_args::ModelArgs;
use super::progress::Progress;
use super::run_page::model_line;
use crate::apply::Run;
use crate::config::Config;
use crate::data::Rows;
use crate::executor::Device;
use crate::model::Vae;
use crate::report::sparkline;
use crate::train::{RunFolder, Summary, Trainer};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// The run's folder [default: runs/NAME, the first that is free]
    #[arg(long, value_name = "DIR", env = "WGVAE_OUT")]
    out: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct RunRecord<'a> {
    wgvae: &'static str,
    device: &'a Device,
    seed: u64,
    checked: bool,
    parameters: usize,
    train_rows: usize,
    test_rows: usize,
    kernels: Vec<&'a str>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (mut config, data) = args.model.resolve()?;
    let spec = config.vae_spec(data.shape.len());
    let selected = args.device.adapter.select()?;
    let held = config.data_spec_within(&data, args.device.resident_bytes(&selected));
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), held)?;
    let Opened { executor, device, .. } = args.device.open(&selected, &mut config, &vae, false)?;
    let path = match &args.out {
        Some(path) => path.clone(),
        None => RunFolder::unused(&args.model.run_name(&data)),
    };
    let mut folder = RunFolder::create(&path)?;
    let record = RunRecord {
        wgvae: env!("CARGO_PKG_VERSION"),
        device: &device,
        seed: config.train.seed,
        checked: args.device.adapter.checked,
        parameters: vae.program.params.count(),
        train_rows: data.train.rows,
        test_rows: data.test.rows,
        kernels: executor.variants(),
    };
    folder.write("run.json", &serde_json::to_string_pretty(&record)?)?;
    folder.write("config.toml", &config.to_toml()?)?;
    folder.write("data.json", &serde_json::to_string_pretty(&data.description())?)?;
    if !args.json {
        let mut out = std::io::stdout().lock();
        let totals = vae.program.plans[0].totals(&vae.program.tensors);
        let model = model_line(&config, data.shape.len(), record.parameters);
        writeln!(out, "adapter  {} ({}, {})", device.name, device.kind, device.backend)?;
        let (train, test) = (data.train.rows, data.test.rows);
        writeln!(out, "data     {}: {train} training and {test} test {}", data.name, data.shape)?;
        if held != Config::data_spec(&data) {
            let (most, all) = (held.train_rows + held.test_rows, data.train.rows + data.test.rows);
            writeln!(out, "         streamed: {most} of {all} rows on the device at a time")?;
        }
        writeln!(out, "model    {model}")?;
        writeln!(
            out,
            "step     {} dispatches in {} stages, {:.0} MFLOP",
            totals.dispatches,
            totals.stages,
            totals.flops as f64 / 1e6
        )?;
        writeln!(out, "run      {}", path.display())?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // The first Ctrl-C ends the run in order, the second at once.
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        eprintln!("Ctrl-C will end the run without saving the model: {error}");
    }
    let shown = Rows { split: data.test.clone(), classes: data.classes.clone(), notes: Vec::new() };
    let mut trainer = Trainer::new(&config, data, vae, executor, device)?;
    let total = trainer.timetable().total();
    let epochs = trainer.timetable().epochs();
    let mut progress = Progress::new(epochs, total, args.json);
    let summary = trainer.train(&mut folder, &stop, &mut |event| progress.show(event))?;
    drop(trainer);
    report(&path, &shown, &args.device.adapter)?;
    if !args.json {
        finish(&summary, progress.losses())?;
    }
    Ok(())
}

/// Writes the run's page, with the test rows.
fn report(path: &Path, rows: &Rows, adapter: &AdapterArgs) -> anyhow::Result<()> {
    let run = Run::open(path)?;
    let mut model = adapter.model(&run, rows.split.rows)?;
    super::report::write(&run, rows, &mut model, &path.join("report.html"))?;
    Ok(())
}

fn finish(s: &Summary, losses: &[f64]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if losses.len() > 1 {
        writeln!(out, "loss     {}", sparkline(losses, 40))?;
    }
    writeln!(
        out,
        "done     {} steps in {:.1} s ({:.0} steps/s); test loss {:.2} nats an example",
        s.steps, s.seconds, s.steps_per_second, s.test_loss
    )?;
    writeln!(out, "model    {}/model.safetensors", s.run)?;
    writeln!(out, "page     {}/report.html", s.run)?;
    writeln!(out, "next     wgvae sample {0}, wgvae encode {0}, wgvae eval {0}", s.run)
}
