//! `cargo bench [-- NAME]`: the adapter's roofs, every kernel family at real shapes, and the whole training step, in
//! one run, so that each figure can be given as a share of its roof. `WGVAE_DEVICE` chooses the device.
//! `cargo bench -- --test` runs each benchmark once: nothing is tuned, and its figures say little.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use wgvae::config::{Config, PRESETS};
use wgvae::data::Dataset;
use wgvae::model::Vae;
use wgvae::train::Trainer;
use wgvae_engine::conformance::{Case, cases};
use wgvae_engine::exec::gpu::{Gpu, GpuOptions, Needs, tuner};
use wgvae_engine::exec::{self, DeviceChoice, Executor, OpenDevice, Selected};
use wgvae_engine::plan::{PlanId, STEPS_PER_SUBMIT, StepPlan, StepScalars};
use wgvae_engine::session::Session;
use wgvae_engine::wgsl::{GemmVariant, TuningTable};

/// The measured roofs: GFLOP/s and GB/s.
static ROOFS: [OnceLock<f64>; 2] = [OnceLock::new(), OnceLock::new()];

/// Runs `count` steps of a plan in as few submits as possible, and waits for them.
fn run_steps(executor: &mut Executor, plan: PlanId, step: &StepScalars, count: u64) -> Duration {
    let started = Instant::now();
    let mut left = count as usize;
    while left > 0 {
        let now = left.min(STEPS_PER_SUBMIT);
        executor
            .submit(&plan.steps(std::iter::repeat_n(*step, now)))
            .and_then(|()| executor.collect())
            .expect("the device runs the plan");
        left -= now;
    }
    started.elapsed()
}

/// Whether each benchmark is only to run once.
fn once() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// Seconds per step: the best of several batches of steps.
fn seconds(executor: &mut Executor, plan: PlanId, step: &StepScalars) -> f64 {
    let patience = if once() { Duration::ZERO } else { Duration::from_millis(150) };
    executor.step_seconds(plan, step, patience).expect("the device runs the plan")
}

fn executor_for(device: &OpenDevice, case: &Case, tuning: TuningTable) -> Executor {
    let options = GpuOptions { tuning, ..GpuOptions::default() };
    let mut executor = device.compile(case.program.clone(), &options).expect("a registered case compiles");
    for (id, words) in case.input_words() {
        executor.write_words(id, &words).expect("inputs fit");
    }
    executor
}

fn share(figure: f64, roof: &OnceLock<f64>) -> String {
    roof.get().map_or(String::new(), |r| format!(", {:.0} % of the roof", 100.0 * figure / r))
}

fn describe(case: &Case, variant: &str, seconds: f64) {
    let op = &case.program.plans[0].ops[0];
    let flops = op.flops as f64 / seconds / 1e9;
    let bytes = StepPlan::bytes(op, &case.program.tensors) as f64 / seconds / 1e9;
    // Products are compared with the multiply-add roof, everything else with the copy roof.
    let product = case.name.starts_with("gemm") || case.name.starts_with("roof/multiply");
    if case.name.starts_with("roof/multiply") {
        ROOFS[0].get_or_init(|| flops);
    }
    if case.name.starts_with("roof/copy") {
        ROOFS[1].get_or_init(|| bytes);
    }
    let figure = if product {
        format!("{flops:.1} GFLOP/s{}", share(flops, &ROOFS[0]))
    } else {
        format!("{bytes:.2} GB/s{}", share(bytes, &ROOFS[1]))
    };
    println!("{:<40} {variant:<16} {:>9.1} us  {figure}", case.name, seconds * 1e6);
}

/// The size of the products for which the baselines are measured too: forward, d_input, d_weight.
const BASELINES: &str = " 128x784x512 ";

/// Times every promising variant of a product, and the baselines for some sizes; returns the fastest.
fn bench_variants(gpu: &Arc<Gpu>, case: &Case, best: &mut Vec<(String, f64)>) -> TuningTable {
    let op = &case.program.plans[0].ops[0];
    let mut variants = GemmVariant::candidates(op, gpu.capabilities());
    let with_baselines = case.name.contains(BASELINES);
    if with_baselines {
        variants = GemmVariant::eligible(op, gpu.capabilities());
    }
    // Compiling a variant can take a second, and tests compare all of them with the oracle.
    if once() {
        variants.truncate(1);
    }
    if with_baselines {
        variants.extend([GemmVariant::Naive, GemmVariant::Plain]);
    }
    let mut timed: Vec<(f64, GemmVariant)> = Vec::new();
    for variant in variants {
        let mut executor = executor_for(&OpenDevice::Adapter(gpu.clone()), case, TuningTable::all_of([op], variant));
        let seconds = seconds(&mut executor, PlanId(0), &case.step);
        describe(case, &variant.to_string(), seconds);
        timed.push((seconds, variant));
    }
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (fastest, variant) = timed[0];
    if with_baselines {
        let times = |baseline: GemmVariant| {
            timed.iter().find(|(_, l)| *l == baseline).map_or(f64::NAN, |(seconds, _)| seconds / fastest)
        };
        let (naive, plain) = (times(GemmVariant::Naive), times(GemmVariant::Plain));
        println!("{:<40} {variant} is {naive:.1} times as fast as naive, {plain:.1} times as fast as plain", case.name);
        best.push((case.name.split(' ').next().unwrap_or_default().to_string(), fastest));
    }
    TuningTable::all_of([op], variant)
}

fn bench_cases(criterion: &mut Criterion, device: &OpenDevice, wanted: &dyn Fn(&str) -> bool) {
    let mut timed: Vec<Case> = cases().into_iter().filter(|c| c.timed).collect();
    // The roofs come first, whatever the filter selects, because all other figures are relative to them.
    timed.sort_by_key(|c| !c.name.starts_with("roof"));
    let mut best = Vec::new();
    for case in &timed {
        let roof = case.name.starts_with("roof");
        if !roof && !wanted(&case.name) {
            continue;
        }
        let tuning = match device.gpu() {
            Some(gpu) if case.name.starts_with("gemm") => bench_variants(gpu, case, &mut best),
            _ => TuningTable::default(),
        };
        let mut executor = executor_for(device, case, tuning);
        describe(case, "", seconds(&mut executor, PlanId(0), &case.step));
        let op = &case.program.plans[0].ops[0];
        let mut group = criterion.benchmark_group(case.name.split('/').next().unwrap_or_default());
        group.throughput(match op.flops {
            0 => Throughput::Bytes(StepPlan::bytes(op, &case.program.tensors)),
            flops => Throughput::Elements(flops),
        });
        let name = case.name.split_once('/').map_or("", |(_, rest)| rest);
        group.bench_function(name, |b| {
            b.iter_custom(|count| run_steps(&mut executor, PlanId(0), &case.step, count));
        });
        group.finish();
    }
    if let [(_, forward), gradients @ ..] = best.as_slice() {
        for (name, seconds) in gradients {
            println!("{name} takes {:.2} times as long as the forward product", seconds / forward);
        }
    }
}

fn bench_steps(criterion: &mut Criterion, selected: &Selected, wanted: &dyn Fn(&str) -> bool) {
    for (number, (preset, _)) in PRESETS.iter().enumerate() {
        let name = format!("step/{preset}");
        if !wanted(&name) {
            continue;
        }
        let config = Config::resolve(Some(preset), None, toml::Table::new()).expect("presets resolve");
        let source = &config.data.source;
        let mark = if source.contains(':') { ',' } else { ':' };
        let data = Dataset::load(format!("{source}{mark}count=2000").as_str()).expect("built-in data");
        let spec = config.vae_spec(data.shape).unwrap();
        let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).expect("plans");
        let plan = vae.program.at(vae.plans.train).totals(&vae.program.tensors);
        // An adapter compiles most of a thousand shaders for all presets, as it does for the tests.
        let device = match once() && number > 0 {
            true => OpenDevice::Cpu,
            false => OpenDevice::for_program(selected, &vae.program, false).expect("the device opens"),
        };
        let mut options = GpuOptions::default();
        if let Some(gpu) = device.gpu().filter(|_| !once()) {
            let ops = &vae.program.at(vae.plans.train).ops;
            tuner::tune(gpu, ops, &mut options.tuning, false, &mut |_| {}).expect("the tuner runs");
        }
        let session = Session::of_program(vae.program.clone(), &device, &options).expect("the program compiles");
        let train = vae.plans.train;
        let mut trainer = Trainer::new(&config, data, vae, session).expect("data fits");
        let step = trainer.schedule().train(0);
        let seconds = seconds(trainer.session().executor(), train, &step);
        let flops = plan.flops as f64 / seconds / 1e9;
        println!(
            "{name:<44} {:>9.1} us  {flops:.1} GFLOP/s{}, {:.0} steps/s, {:.0} examples/s",
            seconds * 1e6,
            share(flops, &ROOFS[0]),
            1.0 / seconds,
            config.train.batch as f64 / seconds
        );
        let mut group = criterion.benchmark_group("step");
        group.throughput(Throughput::Elements(config.train.batch as u64));
        group.bench_function(*preset, |b| {
            b.iter_custom(|count| run_steps(trainer.session().executor(), train, &step, count));
        });
        group.finish();
    }
}

fn main() {
    let choice = std::env::var("WGVAE_DEVICE").map_or(DeviceChoice::Auto, |name| name.parse().unwrap_or_default());
    let selected = exec::select_for_shaders(&choice).expect("the device is there");
    let device = OpenDevice::open(&selected, Needs::default()).expect("the device opens");
    let record = device.record();
    println!("device: {} ({}, {})", record.name, record.kind, record.backend);
    // Criterion filters what it runs; the same filter here avoids preparing the rest.
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| name.contains(w.as_str()));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .without_plots()
        .configure_from_args();
    bench_cases(&mut criterion, &device, &wanted);
    bench_steps(&mut criterion, &selected, &wanted);
    criterion.final_summary();
}
