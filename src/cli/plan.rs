//! `wgvae plan`: the step as a table.

use std::io::Write;

use serde::Serialize;

use super::model_args::ModelArgs;
use crate::config::Config;
use crate::model::Vae;
use crate::plan::{Access, FuseRule, Program, StepPlan};

#[derive(Debug, clap::Args)]
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
    fused: Vec<FusedRow<'a>>,
}

/// An op that another has taken in.
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
    /// Ops before fusing.
    lowered_ops: usize,
    parameters: usize,
    flops_per_step: u64,
    bytes_per_step: u64,
    ops: Vec<OpRow<'a>>,
}

fn report<'a>(program: &'a Program, plan: &'a StepPlan) -> PlanReport<'a> {
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
            fused: op.fused.iter().map(|(rule, op)| FusedRow { rule: rule.name(), op }).collect(),
        })
        .collect();
    PlanReport {
        plan: &plan.name,
        dispatches: totals.dispatches,
        stages: totals.stages,
        // Sums that are begun elsewhere are still an op.
        lowered_ops: plan.ops.len()
            + plan.ops.iter().flat_map(|op| &op.fused).filter(|(rule, _)| *rule != FuseRule::PartialSums).count(),
        parameters: program.params.count(),
        flops_per_step: totals.flops,
        bytes_per_step: totals.bytes,
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
    let spec = config.vae_spec(data.shape.len());
    let vae = Vae::new(&spec, &config.train_spec_on(data.shape), Config::data_spec(&data))?;
    let plan = vae.program.plan(&args.which).ok_or_else(|| {
        let names: Vec<&str> = vae.program.plans.iter().map(|p| p.name.as_str()).collect();
        let which = &args.which;
        crate::config::ConfigError::Value(format!("this model has no plan `{which}`; it has {}", names.join(", ")))
    })?;
    let report = report(&vae.program, plan);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    writeln!(out, "stage  op                      kernel                      MFLOP      KiB  tensors")?;
    for row in &report.ops {
        writeln!(
            out,
            "{:>5}  {:<22}  {:<24}  {:>7.2}  {:>7.0}  {}",
            row.stage,
            row.op,
            row.kernel,
            row.flops as f64 / 1e6,
            row.bytes as f64 / 1024.0,
            arrow(row)
        )?;
        if !row.fused.is_empty() {
            let fused: Vec<String> = row.fused.iter().map(|f| format!("{} ({})", f.op, f.rule)).collect();
            writeln!(out, "         with {}", fused.join(", "))?;
        }
    }
    writeln!(
        out,
        "\n{} dispatches in {} stages for {} ops, {} parameters, {:.1} MFLOP and {:.1} MiB a step",
        report.dispatches,
        report.stages,
        report.lowered_ops,
        report.parameters,
        report.flops_per_step as f64 / 1e6,
        report.bytes_per_step as f64 / 1024.0 / 1024.0
    )?;
    Ok(())
}
