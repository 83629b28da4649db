//! `wgvae kernels`: what is compiled for the training step.

use std::io::Write;

use serde::Serialize;
use wgvae::config::{Config, ConfigError};
use wgvae::model::Vae;
use wgvae_engine::exec::{self, OpenDevice};
use wgvae_engine::plan::Op;
use wgvae_engine::wgsl::{self, Capabilities, GemmVariant, Target, TuningTable};

use crate::cli::args::device::{DeviceArgs, shown};
use crate::cli::args::model::ModelArgs;
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae kernels --show update", "the WGSL of the optimiser")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print the WGSL of an op, e.g. gather, or of another variant of it, e.g. "encoder.0 forward:naive"
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
    /// The name of a matrix product among the tuned ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<GemmVariant>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<GemmVariant>,
}

fn row<'a>(op: &'a Op, on: Capabilities, tuning: &TuningTable) -> Row<'a> {
    let product = op.kernel.gemm().is_some();
    Row {
        op: &op.label,
        kernel: op.kernel.name(),
        variants: wgsl::sources(op, on, tuning).into_iter().map(|s| s.variant).collect(),
        product: product.then(|| TuningTable::key(op)),
        variant: product.then(|| tuning.variant(op, on)),
        candidates: if product { GemmVariant::candidates(op, on) } else { Vec::new() },
    }
}

/// The text of an op's passes, in a variant of its own where `name` says so.
fn show(name: &str, ops: &[Op], on: Capabilities, tuning: &TuningTable) -> anyhow::Result<String> {
    let (label, variant) = match name.split_once(':') {
        Some((label, variant)) => (label, Some(variant)),
        None => (name, None),
    };
    let op = ops.iter().find(|op| op.label == label).ok_or_else(|| {
        let labels: Vec<&str> = ops.iter().map(|op| op.label.as_str()).collect();
        ConfigError::Value(format!("this step has no op `{label}`; it has {}", labels.join(", ")))
    })?;
    let mut tuning = tuning.clone();
    if let Some(variant) = variant {
        let names: Vec<&str> = GemmVariant::ALL.iter().map(|(name, _)| *name).collect();
        let variant = GemmVariant::try_from(variant.to_string())
            .ok()
            .filter(|variant| variant.runs_on(on) && op.kernel.gemm().is_some())
            .ok_or_else(|| {
                ConfigError::Value(format!(
                    "`{label}` has no variant `{variant}` here; products have {}",
                    names.join(", ")
                ))
            })?;
        tuning.set(TuningTable::key(op), variant);
        if tuning.variant(op, on) != variant {
            let why = format!(
                "the variant `{variant}` cannot run `{label}`: the product is too large for it, or its K is too small to split"
            );
            return Err(ConfigError::Value(why).into());
        }
    }
    let passes = wgsl::sources(op, on, &tuning);
    Ok(passes.iter().map(|pass| format!("// {}\n{}\n", pass.variant, pass.text.trim())).collect())
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (config, data) = args.model.resolve()?;
    let spec = config.vae_spec(&data)?;
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), Config::data_spec(&data))?;
    let selected = exec::select_for_shaders(&args.device.adapter.device)?;
    let device = OpenDevice::for_program(&selected, &vae.program, false)?;
    let ops = &vae.program.at(vae.plans.train).ops;
    // Nothing is measured here: what is remembered is shown.
    let (on, tuning) = match device.gpu() {
        Some(gpu) => {
            let tuning = args.device.options().known_variants(gpu, &config.kernels, &mut shown());
            (gpu.capabilities(), tuning)
        }
        None => (Target::Gpu.into(), TuningTable::default()),
    };
    let mut out = terminal::out();
    if let Some(name) = &args.show {
        write!(out, "{}", show(name, ops, on, &tuning)?)?;
        return Ok(());
    }
    if !args.json {
        writeln!(out, "{:<22}  {:<20}  {:<18}  others worth trying, or the variant", "op", "product", "variant")?;
    }
    for op in ops {
        let row = row(op, on, &tuning);
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        let (product, variant) = (row.product.clone().unwrap_or_default(), row.variant.map(|l| l.to_string()));
        let others: Vec<String> =
            row.candidates.iter().filter(|l| Some(**l) != row.variant).map(ToString::to_string).collect();
        let detail = if row.product.is_some() { others.join(" ") } else { row.variants.join(" ") };
        writeln!(out, "{:<22}  {product:<20}  {:<18}  {detail}", row.op, variant.unwrap_or_default())?;
    }
    if !args.json {
        let tuned = ops.iter().filter(|op| op.kernel.gemm().is_some());
        let (known, all) = tuned.fold((0, 0), |(known, all), op| {
            (known + usize::from(tuning.get(&TuningTable::key(op)).is_some()), all + 1)
        });
        let on = device.gpu().map_or("no adapter".to_string(), |gpu| gpu.info.name.clone());
        writeln!(out, "\n{on}: {known} of {all} products tuned; baselines to compare with: naive, plain")?;
    }
    Ok(())
}
