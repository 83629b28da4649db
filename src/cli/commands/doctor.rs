//! `wgvae doctor`: every registered kernel case on an adapter, against the oracle in f64.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wgvae::config::{Config, PRESETS};
use wgvae::model::check_model;
use wgvae::model::{DataSpec, Extent, TrainSpec};
use wgvae_engine::conformance::cases;
use wgvae_engine::conformance::{self, CaseError};
use wgvae_engine::exec::gpu::{GpuOptions, Needs};
use wgvae_engine::exec::{self, Device, DeviceChoice, DeviceError, OpenDevice, Selected, WhyCpu, adapter_hint};

use crate::cli::Verdict;
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] =
    &[("wgvae doctor --device software", "check the software adapter where there is a GPU, too")];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// adapter (the best one, a software adapter where there is no GPU), gpu, software, cpu, oracle, a number or part of a name
    /// from `wgvae devices`
    #[arg(long, default_value = "adapter", env = "WGVAE_DEVICE", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Compile shaders with bounds checks
    #[arg(long)]
    checked: bool,
    /// Run the presets' models op by op only; otherwise both op by op and fused
    #[arg(long)]
    no_fuse: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Family {
    cases: usize,
    failed: usize,
    /// Largest error as a share of its tolerance, among the cases that passed.
    worst: f64,
}

#[derive(Serialize)]
struct Report {
    wgvae: &'static str,
    os: &'static str,
    device: Device,
    checked: bool,
    families: BTreeMap<String, Family>,
    /// The models that were checked.
    models: Vec<String>,
    failures: Vec<String>,
    healthy: bool,
}

/// Runs on a device, and gives the largest error as a share of its tolerance.
type CheckFn = dyn Fn(&OpenDevice, &GpuOptions) -> Result<f64, CaseError>;

/// Something to be checked, and its family.
struct Check {
    family: String,
    name: String,
    run: Box<CheckFn>,
}

/// Every registered case.
fn kernels() -> impl Iterator<Item = Check> {
    cases().into_iter().map(|case| Check {
        family: case.name.split('/').next().unwrap_or_default().to_string(),
        name: case.name.clone(),
        run: Box::new(move |device, options| conformance::check_case(device, &case, options)),
    })
}

/// A step of every preset's model, op by op and fused, against the oracle's op by op.
fn models(no_fuse: bool) -> Vec<Check> {
    let mut all = Vec::new();
    for (name, _) in PRESETS {
        // Presets are part of the program, and a test resolves every one.
        let Ok(config) = Config::resolve(Some(name), None, toml::Table::new()) else { continue };
        // The first that the layers take: images as small as they allow, texts, series.
        let kinds = [
            Extent::Image([3, 3, 3]),
            Extent::Image([28, 28, 1]),
            Extent::Tokens { steps: 5, vocabulary: 9 },
            Extent::Series { steps: 5, channels: 2, both: false },
        ];
        let Some(spec) = kinds.into_iter().find_map(|extent| config.vae_spec(extent).ok()) else { continue };
        for fuse in if no_fuse { vec![false] } else { vec![false, true] } {
            let train = TrainSpec { batch: 9, fuse, ..config.train_spec() };
            let data = DataSpec { train_rows: 20, test_rows: 9, bytes: config.data.source == "strokes" };
            let spec = spec.clone();
            all.push(Check {
                family: "models".into(),
                name: format!("model {name}, {}", if fuse { "fused" } else { "op by op" }),
                run: Box::new(move |device, options| check_model(device, options, &spec, &train, data)),
            });
        }
    }
    all
}

/// A bar on a terminal: the cases take half a minute on two cores.
fn progress(checks: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(checks as u64);
    if let Ok(style) = ProgressStyle::with_template("checking {bar:28} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let selected = exec::select_for_shaders(&args.device)?;
    // Without an adapter, what was asked for was not tested, whatever the processor does.
    let untested = matches!(selected, Selected::Cpu(WhyCpu::NoAdapter));
    let options = GpuOptions { checked: args.checked, ..GpuOptions::default() };
    let device = OpenDevice::open(&selected, Needs::default())?;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut failures = Vec::new();
    let models = models(args.no_fuse);
    let names = models.iter().map(|model| model.name.clone()).collect();
    let checks: Vec<Check> = kernels().chain(models).collect();
    let bar = progress(checks.len());
    for check in &checks {
        let result = (check.run)(&device, &options);
        bar.inc(1);
        let family = families.entry(check.family.clone()).or_default();
        family.cases += 1;
        match result {
            Ok(worst) => family.worst = family.worst.max(worst),
            Err(error) => {
                family.failed += 1;
                failures.push(format!("{}: {error}", check.name));
            }
        }
    }
    bar.finish_and_clear();
    let report = Report {
        wgvae: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        device: device.record(),
        checked: args.checked,
        families,
        models: names,
        healthy: failures.is_empty(),
        failures,
    };
    let mut out = terminal::out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        let d = &report.device;
        writeln!(out, "wgvae {} on {}", report.wgvae, report.os)?;
        writeln!(out, "{}: {}, {}, driver {}", d.name, d.kind, d.backend, d.driver)?;
        for (name, family) in &report.families {
            writeln!(
                out,
                "{name:<12} {:>4} of {:>4} cases agree with the f64 reference; the largest error is {:.2} of its tolerance",
                family.cases - family.failed,
                family.cases,
                family.worst
            )?;
        }
        for failure in &report.failures {
            writeln!(out, "FAILED {failure}")?;
        }
        if report.healthy && !untested {
            writeln!(out, "verdict: healthy, every kernel gives the right numbers here")?;
        }
    }
    if report.healthy && untested {
        let found = format!("the processor gives the right numbers; {}", adapter_hint());
        return Err(DeviceError::None { wanted: "no adapter was tested, because there is none".into(), found }.into());
    }
    if report.healthy {
        return Ok(());
    }
    Err(Verdict(format!(
        "verdict: {} cases failed on {}; update its driver, or train with --device cpu, and send this report in",
        report.failures.len(),
        report.device.name
    ))
    .into())
}
