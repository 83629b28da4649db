//! `wgvae kernels`: what is compiled for the training step.

use std::io::Write;

use serde::Serialize;

use super::device_args::{DeviceArgs, Tune, saved_for};
use super::model_args::ModelArgs;
use crate::config::{Config, ConfigError};
use crate::executor;
use crate::gpu::Remembered;
use crate::kernels::{self, Choices, Layout, Target};
use crate::model::Vae;
use crate::plan::Op;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print the WGSL of an op, e.g. gather, or of another layout of it, e.g. "encoder.0 forward:naive"
    #[arg(long, value_name = "NAME")]
    show: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    op: &'a str,
    kernel: String,
    variants: Vec<String>,
    /// Of a matrix product: its name among the tuned ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<Layout>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Layout>,
}

fn row<'a>(op: &'a Op, target: Target, choices: &Choices) -> Row<'a> {
    let product = op.kernel.gemm().is_some();
    Row {
        op: &op.label,
        kernel: op.kernel.name(),
        variants: kernels::sources(op, target, choices).into_iter().map(|s| s.variant).collect(),
        product: product.then(|| Choices::key(op)),
        layout: product.then(|| choices.layout(op, target)),
        candidates: if product { Layout::candidates(op, target) } else { Vec::new() },
    }
}

/// The text of an op's passes, in a layout of its own where `name` says so.
fn show(name: &str, ops: &[Op], target: Target, choices: &Choices) -> anyhow::Result<String> {
    let (label, layout) = match name.split_once(':') {
        Some((label, layout)) => (label, Some(layout)),
        None => (name, None),
    };
    let op = ops.iter().find(|op| op.label == label).ok_or_else(|| {
        let labels: Vec<&str> = ops.iter().map(|op| op.label.as_str()).collect();
        ConfigError::Value(format!("this step has no op `{label}`; it has {}", labels.join(", ")))
    })?;
    let mut choices = choices.clone();
    if let Some(layout) = layout {
        let names: Vec<&str> = Layout::ALL.iter().map(|(name, _)| *name).collect();
        let layout = Layout::try_from(layout.to_string())
            .ok()
            .filter(|layout| layout.runs_on(target) && op.kernel.gemm().is_some())
            .ok_or_else(|| {
                ConfigError::Value(format!(
                    "`{label}` has no layout `{layout}` here; products have {}",
                    names.join(", ")
                ))
            })?;
        choices.set(Choices::key(op), layout);
        if choices.layout(op, target) != layout {
            let why = format!("`{label}` is too large, or sums too few products, for the layout `{layout}`");
            return Err(ConfigError::Value(why).into());
        }
    }
    let passes = kernels::sources(op, target, &choices);
    Ok(passes.iter().map(|pass| format!("// {}\n{}\n", pass.variant, pass.text.trim())).collect())
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (config, data) = args.model.resolve()?;
    let spec = config.vae_spec(data.shape.len());
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), Config::data_spec(&data))?;
    let selected = executor::select(&args.device.adapter.device)?;
    let gpu = executor::open_gpu(&selected, &vae.program, false)?;
    let ops = &vae.program.plans[0].ops;
    // Nothing is measured here: what is remembered is shown.
    let (target, choices) = match &gpu {
        Some(gpu) => {
            let mut choices = saved_for(gpu, &config.kernels);
            if args.device.tune != Tune::Off {
                choices.fill_from(&Remembered::load(gpu, args.device.adapter.checked));
            }
            (gpu.target, choices)
        }
        None => (Target::Tiles, Choices::default()),
    };
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.show {
        write!(out, "{}", show(name, ops, target, &choices)?)?;
        return Ok(());
    }
    if !args.json {
        writeln!(out, "{:<22}  {:<20}  {:<18}  others worth trying, or the variant", "op", "product", "layout")?;
    }
    for op in ops {
        let row = row(op, target, &choices);
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        let (product, layout) = (row.product.clone().unwrap_or_default(), row.layout.map(|l| l.to_string()));
        let others: Vec<String> =
            row.candidates.iter().filter(|l| Some(**l) != row.layout).map(ToString::to_string).collect();
        let detail = if row.product.is_some() { others.join(" ") } else { row.variants.join(" ") };
        writeln!(out, "{:<22}  {product:<20}  {:<18}  {detail}", row.op, layout.unwrap_or_default())?;
    }
    if !args.json {
        let tuned = ops.iter().filter(|op| op.kernel.gemm().is_some());
        let (known, all) = tuned
            .fold((0, 0), |(known, all), op| (known + usize::from(choices.get(&Choices::key(op)).is_some()), all + 1));
        let on = gpu.as_ref().map_or("no adapter".to_string(), |gpu| gpu.info.name.clone());
        writeln!(out, "\n{on}: {known} of {all} products tuned; baselines to compare with: naive, plain")?;
    }
    Ok(())
}
