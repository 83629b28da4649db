//! `wgvae plan`: the step as a table.

use std::io::Write;

use serde::Serialize;
use wgvae::config::Config;
use wgvae::model::Vae;
use wgvae_engine::plan::{Access, FuseRule, Op, Program, StepPlan};

use crate::cli::args::model::ModelArgs;
use crate::cli::output::terminal;

/// The rules, for the end of the help text.
fn rules() -> String {
    let line = |rule: FuseRule| format!("  {:<13} {}\n", rule.name(), rule.summary());
    format!("Rules by which ops are fused:\n{}", FuseRule::ALL.map(line).concat())
}

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae plan --preset conv", "the step of a preset, op by op")];

#[derive(Debug, clap::Args)]
#[command(after_help = rules())]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Which plan: train, evaluate, reconstruct, sample
    #[arg(long, value_name = "NAME", default_value = "train")]
    which: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct TensorRow<'a> {
    binding: &'a str,
    tensor: &'a str,
    shape: &'a [usize],
    access: &'a str,
}

#[derive(Serialize)]
struct OpRow<'a> {
    stage: usize,
    op: &'a str,
    kernel: String,
    tensors: Vec<TensorRow<'a>>,
    flops: u64,
    bytes: u64,
    /// Functions of the epilogue of a product.
    epilogue: Vec<&'a str>,
    /// Ops that are part of this one.
    fused: Vec<FusedRow<'a>>,
    /// Ops that stay, and add up what this one has summed.
    begins: Vec<FusedRow<'a>>,
}

/// What a rule has fused.
#[derive(Serialize)]
struct FusedRow<'a> {
    rule: &'a str,
    op: &'a str,
}

#[derive(Serialize)]
struct PlanReport<'a> {
    plan: &'a str,
    dispatches: usize,
    stages: usize,
    /// Whether the ops were fused.
    fuse: bool,
    /// Ops before fusing.
    lowered_ops: usize,
    parameters: usize,
    flops_per_step: u64,
    bytes_per_step: u64,
    /// All buffers of training, the training rows included.
    memory_bytes: u64,
    ops: Vec<OpRow<'a>>,
}

fn fused(op: &Op, listed: impl Fn(FuseRule) -> bool) -> Vec<FusedRow<'_>> {
    op.fused.iter().filter(|(rule, _)| listed(*rule)).map(|(rule, op)| FusedRow { rule: rule.name(), op }).collect()
}

fn report<'a>(program: &'a Program, plan: &'a StepPlan, fuse: bool) -> PlanReport<'a> {
    let tensors = &program.tensors;
    let totals = plan.totals(tensors);
    let ops = plan
        .ops
        .iter()
        .zip(plan.stages(tensors))
        .map(|(op, stage)| OpRow {
            stage: stage + 1,
            op: &op.label,
            kernel: op.kernel.name(),
            tensors: op
                .bindings
                .iter()
                .map(|b| TensorRow {
                    binding: b.name,
                    tensor: &tensors.get(b.tensor).name,
                    shape: &tensors.get(b.tensor).shape,
                    access: match b.access {
                        Access::Read => "read",
                        Access::Write => "write",
                        Access::ReadWrite => "update",
                    },
                })
                .collect(),
            flops: op.flops,
            bytes: StepPlan::bytes(op, tensors),
            epilogue: op.kernel.gemm().map_or_else(Vec::new, |gemm| gemm.epilogue.function_names().collect()),
            fused: fused(op, |rule| rule != FuseRule::PartialSums),
            begins: fused(op, |rule| rule == FuseRule::PartialSums),
        })
        .collect::<Vec<_>>();
    PlanReport {
        plan: &plan.name,
        dispatches: totals.dispatches,
        stages: totals.stages,
        lowered_ops: ops.iter().map(|op| 1 + op.fused.len()).sum(),
        fuse,
        parameters: program.params.count(),
        flops_per_step: totals.flops,
        bytes_per_step: totals.bytes,
        memory_bytes: tensors.memory(),
        ops,
    }
}

fn arrow(row: &OpRow<'_>) -> String {
    let shape = |t: &TensorRow<'_>| {
        let extents: Vec<String> = t.shape.iter().map(usize::to_string).collect();
        format!("{}[{}]", t.tensor, extents.join(","))
    };
    let side = |written: bool| {
        let tensors: Vec<String> = row
            .tensors
            .iter()
            .filter(|t| match t.access {
                "read" => !written,
                "write" => written,
                _ => true,
            })
            .map(shape)
            .collect();
        tensors.join(" ")
    };
    format!("{} -> {}", side(false), side(true))
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (config, data) = args.model.resolve()?;
    let spec = config.vae_spec(&data)?;
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), Config::data_spec(&data))?;
    let plan = vae.program.plan(&args.which).ok_or_else(|| {
        let names: Vec<&str> = vae.program.plans.iter().map(|p| p.name.as_str()).collect();
        let which = &args.which;
        wgvae::config::ConfigError::Value(format!("this model has no plan `{which}`; it has {}", names.join(", ")))
    })?;
    let report = report(&vae.program, plan, config.kernels.fuse);
    let mut out = terminal::out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    let width = |least: usize, text: for<'a> fn(&'a OpRow<'_>) -> &'a str| {
        report.ops.iter().map(|row| text(row).chars().count()).fold(least, usize::max)
    };
    let (ops, kernels) = (width(20, |row| row.op), width(16, |row| &row.kernel));
    writeln!(out, "stage  {:<ops$}  {:<kernels$}    MFLOP      KiB  tensors", "op", "kernel")?;
    for row in &report.ops {
        let (mflop, kib) = (row.flops as f64 / 1e6, row.bytes as f64 / 1024.0);
        let (stage, op, kernel) = (row.stage, row.op, &row.kernel);
        writeln!(out, "{stage:>5}  {op:<ops$}  {kernel:<kernels$}  {mflop:>7.2}  {kib:>7.0}  {}", arrow(row))?;
        for (what, list) in [("with", &row.fused), ("begins", &row.begins)] {
            let list: Vec<String> = list.iter().map(|f| format!("{} ({})", f.op, f.rule)).collect();
            if !list.is_empty() {
                writeln!(out, "         {what} {}", list.join(", "))?;
            }
        }
        if !row.epilogue.is_empty() {
            writeln!(out, "         epilogue: {}", row.epilogue.join(", "))?;
        }
    }
    writeln!(
        out,
        "\n{} dispatches in {} stages for {} ops{}, {} parameters, {:.1} MFLOP and {:.1} MiB a step, {:.0} MiB of memory",
        report.dispatches,
        report.stages,
        report.lowered_ops,
        if report.fuse { "" } else { " (not fused)" },
        report.parameters,
        report.flops_per_step as f64 / 1e6,
        report.bytes_per_step as f64 / 1024.0 / 1024.0,
        report.memory_bytes as f64 / 1024.0 / 1024.0
    )?;
    Ok(())
}
