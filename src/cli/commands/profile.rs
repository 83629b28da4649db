//! `wgvae profile`: where the time of a training step goes.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use wgvae::config::{Config, ConfigError};
use wgvae::model::{DataSpec, Vae};
use wgvae::train::{SUBMIT_TIME, Trainer};
use wgvae_engine::exec::gpu::{GpuError, HostTime};
use wgvae_engine::exec::profile::{Roofs, op_seconds, roofs};
use wgvae_engine::exec::{Device, Executor, Selected};
use wgvae_engine::plan::{Op, PlanId, Program, StepPlan, StepScalars};

use crate::cli::args::device::DeviceArgs;
use crate::cli::args::model::ModelArgs;
use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae profile --batch 512", "where the time of a step goes")];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What limits the speed of an op, or of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Bound {
    Arithmetic,
    Memory,
    /// The fixed cost of a dispatch.
    Launch,
    /// Recording on the host, which the device waits for.
    Host,
}

impl Bound {
    fn name(self) -> &'static str {
        match self {
            Bound::Arithmetic => "arithmetic",
            Bound::Memory => "memory",
            Bound::Launch => "launch",
            Bound::Host => "host",
        }
    }
}

#[derive(Serialize)]
struct OpRow<'a> {
    op: &'a str,
    stage: usize,
    variants: Vec<String>,
    us: f64,
    flops: u64,
    bytes: u64,
    gflops_per_s: f64,
    gb_per_s: f64,
    /// The reached share of the lower of the two roofs.
    share_of_roof: f64,
    bound: Bound,
}

#[derive(Serialize)]
struct Report<'a> {
    wgvae: &'static str,
    device: &'a Device,
    batch: usize,
    parameters: usize,
    ms_per_step: f64,
    examples_per_second: f64,
    host_ms_per_step: f64,
    recording_ms_per_step: f64,
    submitting_ms_per_step: f64,
    /// The sum of the ops' times.
    ops_ms: f64,
    /// The sum of the matrix products' times.
    products_ms: f64,
    /// Time of the whole step divided by that of its products; none where the products' timestamps show no time.
    step_over_products: Option<f64>,
    dispatches: usize,
    stages: usize,
    /// Threads of the processor.
    threads: Option<usize>,
    gflops_per_s: f64,
    /// The better of those measured before and after the ops.
    roofs: Roofs,
    roofs_before_and_after: [Roofs; 2],
    /// Whether these show that something else was running.
    under_load: bool,
    bound: Bound,
    ops: Vec<OpRow<'a>>,
}

/// Roofs that are this many times apart, before and after the ops, were measured while something else was running.
const APART: f64 = 1.25;
/// So was one that a product reaches this many times over.
const ABOVE: f64 = 1.1;

/// Runs steps as training does, with two submits in flight: seconds per step, the best of seven rounds, and the host's
/// time for recording and submitting.
fn whole_steps(trainer: &mut Trainer) -> Result<(f64, HostTime), GpuError> {
    let scalars: Vec<StepScalars> = (0..64).map(|step| trainer.schedule().train(step)).collect();
    let steps = trainer.vae().plans.train.steps(scalars.iter().copied());
    let mut executor = trainer.session().executor();
    let once = |executor: &mut &mut Executor, count: usize| -> Result<f64, GpuError> {
        let started = Instant::now();
        executor.submit(&steps[..count])?;
        executor.collect()?;
        Ok(started.elapsed().as_secs_f64() / count as f64)
    };
    once(&mut executor, 1)?;
    // Submits of few steps cost more per step, so it takes two rounds to find how many steps training submits.
    let fitting = |about: f64| (SUBMIT_TIME.as_secs_f64() / about).round().clamp(1.0, scalars.len() as f64) as usize;
    let per_submit = fitting(once(&mut executor, 2)?);
    let about = once(&mut executor, per_submit)?;
    let per_submit = fitting(about);
    let submits = (0.4 / about / per_submit as f64).clamp(2.0, 200.0) as usize;
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let started = Instant::now();
        let mut in_flight = 0;
        for _ in 0..submits {
            if in_flight == wgvae_engine::plan::SUBMITS_IN_FLIGHT {
                executor.collect()?;
                in_flight -= 1;
            }
            executor.submit(&steps[..per_submit])?;
            in_flight += 1;
        }
        while executor.collect()?.is_some() {}
        best = best.min(started.elapsed().as_secs_f64() / (submits * per_submit) as f64);
    }
    // Host time is measured with nothing in flight, because a software adapter would compete for the processor.
    let before = host_time(executor);
    for _ in 0..submits {
        once(&mut executor, per_submit)?;
    }
    let after = host_time(executor);
    Ok((
        best,
        HostTime {
            recording: after.recording - before.recording,
            submitting: after.submitting - before.submitting,
            steps: after.steps - before.steps,
        },
    ))
}

fn host_time(executor: &Executor) -> HostTime {
    match executor {
        Executor::Gpu(gpu) => gpu.host_time(),
        _ => HostTime::default(),
    }
}

fn bound_of(flops: u64, bytes: u64, roofs: &Roofs) -> Bound {
    let arithmetic = flops as f64 / roofs.flops;
    let memory = bytes as f64 / roofs.bytes;
    if roofs.launch > arithmetic.max(memory) {
        Bound::Launch
    } else if arithmetic > memory {
        Bound::Arithmetic
    } else {
        Bound::Memory
    }
}

/// What limits most of the step's time.
fn bound_of_step(rows: &[OpRow<'_>], seconds: f64, host: f64) -> Bound {
    if host > 0.8 * seconds {
        return Bound::Host;
    }
    let time = |bound: Bound| -> f64 { rows.iter().filter(|r| r.bound == bound).map(|r| r.us).sum() };
    let bounds = [Bound::Arithmetic, Bound::Memory, Bound::Launch];
    bounds.into_iter().max_by(|a, b| time(*a).total_cmp(&time(*b))).unwrap_or(Bound::Arithmetic)
}

/// The variants that an adapter runs for an op of the step; the processor has one way for each.
fn variants(executor: &Executor, plan: PlanId, number: usize, op: &Op) -> Vec<String> {
    match executor {
        Executor::Gpu(gpu) => gpu.variants_of(plan, number).map(str::to_string).collect(),
        _ => vec![op.kernel.name()],
    }
}

fn rows<'a>(
    executor: &'a Executor,
    program: &'a Program,
    id: PlanId,
    seconds: &[f64],
    roofs: &Roofs,
) -> Vec<OpRow<'a>> {
    let plan = program.at(id);
    let stages = plan.stages(&program.tensors);
    plan.ops
        .iter()
        .enumerate()
        .map(|(i, op)| {
            let bytes = StepPlan::bytes(op, &program.tensors);
            // An op may be shorter than the resolution of the timestamps.
            let (flops_per_s, bytes_per_s) = match seconds[i] > 0.0 {
                true => (op.flops as f64 / seconds[i], bytes as f64 / seconds[i]),
                false => (0.0, 0.0),
            };
            OpRow {
                op: &op.label,
                stage: stages[i] + 1,
                variants: variants(executor, id, i, op),
                us: seconds[i] * 1e6,
                flops: op.flops,
                bytes,
                gflops_per_s: flops_per_s / 1e9,
                gb_per_s: bytes_per_s / 1e9,
                share_of_roof: (flops_per_s / roofs.flops).max(bytes_per_s / roofs.bytes),
                bound: bound_of(op.flops, bytes, roofs),
            }
        })
        .collect()
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let (mut config, data) = args.model.resolve()?;
    let spec = config.vae_spec(&data)?;
    let holding = |held: DataSpec| Vae::new(&spec, &config.train_spec_on(data.shape), held);
    let selected = args.device.choose(&config, || Ok(holding(config.data_spec_within(&data, 1))?))?;
    if matches!(selected, Selected::Oracle) {
        let why = "the oracle is plain on purpose, so there is nothing to profile: choose an adapter (`wgvae devices` lists \
                   them), or cpu";
        return Err(ConfigError::Value(why.into()).into());
    }
    let vae = holding(Config::data_spec(&data))?;
    let opened = args.device.open(&selected, &mut config, &vae, true)?;
    let (record, device) = (opened.device(), opened.open_device().clone());
    let measured = || roofs(&device, args.device.adapter.checked);
    let before = measured()?;
    let (program, train) = (vae.program.clone(), vae.plans.train);
    let mut trainer = Trainer::new(&config, data, vae, opened)?;
    let (seconds, host) = whole_steps(&mut trainer)?;
    let step = trainer.schedule().train(0);
    let executor = trainer.session().executor();
    let op_seconds = op_seconds(executor, train, &step, seconds)?;
    let plan = program.at(train);
    let totals = plan.totals(&program.tensors);
    let (dispatches, threads) = match executor {
        Executor::Gpu(gpu) => (gpu.dispatches(train), None),
        Executor::Cpu(cpu) => (plan.ops.len(), Some(cpu.threads(train))),
        Executor::OracleF32(_) | Executor::OracleF64(_) => (plan.ops.len(), None),
    };
    let after = measured()?;
    let roofs = before.best(after);
    let rows = rows(executor, &program, train, &op_seconds, &roofs);
    let above = |row: &OpRow<'_>| row.bound == Bound::Arithmetic && row.share_of_roof > ABOVE;
    let under_load = before.apart(after) > APART || rows.iter().any(above);
    let host_ms = |time: Duration| time.as_secs_f64() * 1e3 / host.steps.max(1) as f64;
    let is_product = |i: &usize| plan.ops[*i].kernel.gemm().is_some();
    let products = (0..rows.len()).filter(is_product).map(|i| op_seconds[i]).sum::<f64>();
    let host_ms_per_step = host_ms(host.recording + host.submitting);
    let report = Report {
        wgvae: env!("CARGO_PKG_VERSION"),
        device: &record,
        batch: config.train.batch,
        parameters: program.params.count(),
        ms_per_step: seconds * 1e3,
        examples_per_second: config.train.batch as f64 / seconds,
        host_ms_per_step,
        recording_ms_per_step: host_ms(host.recording),
        submitting_ms_per_step: host_ms(host.submitting),
        ops_ms: op_seconds.iter().sum::<f64>() * 1e3,
        products_ms: products * 1e3,
        step_over_products: (products > 0.0).then(|| seconds / products),
        dispatches,
        stages: totals.stages,
        threads,
        gflops_per_s: totals.flops as f64 / seconds / 1e9,
        roofs,
        roofs_before_and_after: [before, after],
        under_load,
        bound: bound_of_step(&rows, seconds, host_ms_per_step / 1e3),
        ops: rows,
    };
    let mut out = terminal::out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    print(&mut out, &report)?;
    Ok(())
}

fn print(out: &mut impl Write, r: &Report<'_>) -> std::io::Result<()> {
    let mega = 1024.0 * 1024.0;
    writeln!(out, "{}: {}, {}", r.device.name, r.device.kind, r.device.driver)?;
    writeln!(
        out,
        "stage  op                          us   MFLOP     MiB  GFLOP/s    GB/s  of roof  bound       kernel"
    )?;
    for row in &r.ops {
        writeln!(
            out,
            "{:>5}  {:<22} {:>7.0} {:>7.2} {:>7.2}  {:>7.1} {:>7.2}  {:>5.0} %  {:<10}  {}",
            row.stage,
            row.op,
            row.us,
            row.flops as f64 / 1e6,
            row.bytes as f64 / mega,
            row.gflops_per_s,
            row.gb_per_s,
            row.share_of_roof * 100.0,
            row.bound.name(),
            row.variants.join(", ")
        )?;
    }
    writeln!(
        out,
        "\nstep     {:.3} ms, {:.0} steps/s, {:.0} examples/s, {:.1} GFLOP/s: bound by {}",
        r.ms_per_step,
        1e3 / r.ms_per_step,
        r.examples_per_second,
        r.gflops_per_s,
        r.bound.name()
    )?;
    writeln!(
        out,
        "ops      {:.3} ms one by one, {:.3} ms of it matrix products: the step takes {} times as long as its products",
        r.ops_ms,
        r.products_ms,
        r.step_over_products.map_or("?".into(), |times| format!("{times:.2}"))
    )?;
    match r.threads {
        Some(threads) => writeln!(out, "threads  {threads}, for {} ops", r.dispatches)?,
        None => writeln!(
            out,
            "host     {:.1} us per step: {:.1} recording {} dispatches in {} stages, {:.1} submitting",
            r.host_ms_per_step * 1e3,
            r.recording_ms_per_step * 1e3,
            r.dispatches,
            r.stages,
            r.submitting_ms_per_step * 1e3
        )?,
    }
    writeln!(
        out,
        "roofs    {:.1} GFLOP/s multiply-add, {:.2} GB/s copy, {:.1} us per dispatch, measured just now",
        r.roofs.flops / 1e9,
        r.roofs.bytes / 1e9,
        r.roofs.launch * 1e6
    )?;
    if r.under_load {
        let [before, after] = r.roofs_before_and_after.map(|roofs| roofs.flops / 1e9);
        let [copied, again] = r.roofs_before_and_after.map(|roofs| roofs.bytes / 1e9);
        writeln!(
            out,
            "load     something else was running: before and after the ops these were {before:.1} and {after:.1} GFLOP/s, \
             {copied:.2} and {again:.2} GB/s, so run it again when the machine is idle"
        )?;
    }
    Ok(())
}
