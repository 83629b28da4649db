//! Every registered case on the adapter against the oracle in f64, for every target, and on one of them with runtime
//! checks (with WGVAE_EVERY_SHADER on all); and the oracle's gradients against central differences.

use rayon::prelude::*;
use wgvae_engine::conformance;
use wgvae_engine::conformance::{Case, cases};
use wgvae_engine::exec::OpenDevice;
use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::exec::oracle::evaluate;
use wgvae_engine::plan::{Function, Gradient, Saved};
use wgvae_engine::wgsl::{GemmVariant, Target, TuningTable};

use crate::common;

fn check_all(target: Target, checked: bool) {
    let Some(gpu) = common::gpu() else { return };
    let device = OpenDevice::Adapter(gpu.clone());
    if target.subgroup() > gpu.target.subgroup() {
        common::skipped(&format!("{} has no such subgroups", gpu.info.name));
        return;
    }
    let options = GpuOptions { checked, target: Some(target), ..GpuOptions::default() };
    let mut failures = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        // The compiler of WGSL adds the checks in the same way for all targets. Halves in which no pattern of the list shows.
        let half = number.count_ones() % 2;
        if checked && half != u32::from(target == Target::Simd) && !common::every_shader() {
            continue;
        }
        // `Subgroup` differs from `Simd` in products alone; those of `Subgroup4` are in `every_variant_agrees_with_the_oracle`.
        let products = case.name.starts_with("gemm");
        if target == Target::Subgroup && !products || target == Target::Subgroup4 && products {
            continue;
        }
        if let Err(error) = conformance::check_case(&device, &case, &options) {
            failures.push(format!("{}: {error}", case.name));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn simd_agrees_with_the_oracle() {
    check_all(Target::Simd, false);
}

#[test]
fn simd_agrees_with_the_oracle_checked() {
    check_all(Target::Simd, true);
}

#[test]
fn subgroup_agrees_with_the_oracle() {
    check_all(Target::Subgroup, false);
}

#[test]
fn subgroup_agrees_with_the_oracle_checked() {
    check_all(Target::Subgroup, true);
}

#[test]
fn subgroup4_agrees_with_the_oracle() {
    check_all(Target::Subgroup4, false);
}

#[test]
fn gpu_agrees_with_the_oracle() {
    check_all(Target::Gpu, false);
}

#[test]
fn gpu_agrees_with_the_oracle_checked() {
    check_all(Target::Gpu, true);
}

/// Grids too large for one dimension are folded into the second; a lowered limit folds every grid here.
#[test]
fn folded_grids_agree_with_the_oracle() {
    let Some(gpu) = common::gpu() else { return };
    let device = OpenDevice::Adapter(gpu.clone());
    let families = [
        "batch/",
        "cross_entropy/",
        "embed/",
        "reduce/",
        "map/program",
        "optimizer/adamw",
        "gemm/forward 65x63x64",
        "gemm/d_weight 33x17x31",
    ];
    let wanted = |case: &&Case| !case.timed && families.iter().any(|name| case.name.starts_with(name));
    let all = cases();
    let mut failures = Vec::new();
    for case in all.iter().filter(wanted) {
        for target in [Target::Simd, Target::Gpu] {
            // The sum of squares counts its stripes along one dimension.
            let workgroups = if case.name.contains("squares") { 128 } else { 2 };
            let options = GpuOptions { target: Some(target), workgroups: Some(workgroups), ..GpuOptions::default() };
            if let Err(error) = conformance::check_case(&device, case, &options) {
                failures.push(format!("{} on {target:?}: {error}", case.name));
            }
        }
    }
    for (name, variant) in GemmVariant::ALL.iter().filter(|(_, variant)| variant.runs_on(gpu.capabilities())) {
        let sizes = if name.contains("split") { "gemm/d_weight 517x30x33" } else { "gemm/d_weight 65x63x64" };
        // The second adds to what is there, in the same place.
        let count = if common::every_shader() { usize::MAX } else { 1 };
        for case in all.iter().filter(|case| case.name.starts_with(sizes)).take(count) {
            let tuning = TuningTable::all_of(&case.program.plans[0].ops, *variant);
            let options = GpuOptions { tuning, workgroups: Some(3), ..GpuOptions::default() };
            if let Err(error) = conformance::check_case(&device, case, &options) {
                failures.push(format!("{} as {name}: {error}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Every GEMM variant, even one that would never be chosen, at sizes around its tile's and with every epilogue.
#[test]
fn every_variant_agrees_with_the_oracle() {
    let wanted = |case: &Case| {
        case.name.starts_with("gemm/") && !case.timed && case.program.plans[0].ops.iter().all(|op| op.flops < 3_000_000)
    };
    let all: Vec<Case> = cases().into_iter().filter(wanted).collect();
    // Side by side, on a device for each thread: it is the driver's compiler that takes the time.
    let failures = GemmVariant::ALL.par_iter().enumerate().flat_map_iter(|(number, (name, variant))| {
        let Some(gpu) = common::gpu() else { return Vec::new() };
        let device = OpenDevice::Adapter(gpu.clone());
        if !variant.runs_on(gpu.capabilities()) {
            common::skipped(&format!("{name} does not run on {}", gpu.info.name));
            return Vec::new();
        }
        // Compiling a large tile takes a software adapter half a second and more. So each variant gets a different share of
        // the cases, and all get those with awkward sizes.
        let share = if common::every_shader() { 30 } else { 60 };
        let mut awkward = vec![
            "9x10x5 to 3x3 k5x4 s3 p2x1 to 7 relu",
            "d_input 33x17x31 tanh",
            "d_weight 33x17x31",
            "latent 65x8x9 Drawn",
            "bernoulli 9x4x65",
        ];
        // The largest of these take lavapipe's compiler two seconds.
        let is_large = ["simd-32x32", "subgroup-64x32", "subgroup-32x64"].contains(name);
        if name.starts_with("subgroup4") || is_large && !common::every_shader() {
            awkward.truncate(3);
        }
        if name.contains("split") {
            awkward = vec!["forward 33x517x30", "d_weight 517x30x33", "1037x9x7", "5x259x9", "bernoulli 9x259x66"];
            awkward.extend(["windows 3 of 13x11x1", "windows 2 of 13x11x3"]);
        }
        if name.contains("taps") {
            awkward = vec!["windows 3 of 13x11x1", "windows 5 of 18x16x1", "windows 2 of 8x6x8"];
        }
        let chosen = all
            .iter()
            .enumerate()
            .filter(|(i, case)| i % share == number % share || awkward.iter().any(|name| case.name.contains(name)));
        let mut failures = Vec::new();
        for (_, case) in chosen {
            let tuning = TuningTable::all_of(&case.program.plans[0].ops, *variant);
            let options = GpuOptions { tuning, checked: number % 2 == 0, ..GpuOptions::default() };
            if let Err(error) = conformance::check_case(&device, case, &options) {
                failures.push(format!("{name}: {}: {error}", case.name));
            }
        }
        failures
    });
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The processor on every case, and the oracle in f32, each against the oracle in f64.
#[test]
fn the_processor_and_the_oracle_in_f32_agree_with_the_oracle() {
    for (device, name) in [(OpenDevice::Cpu, "the processor"), (OpenDevice::Oracle, "the oracle")] {
        let failed = |case: &Case| conformance::check_case(&device, case, &GpuOptions::default()).err();
        let failures: Vec<String> =
            cases().iter().filter_map(|case| Some(format!("{name} on {}: {}", case.name, failed(case)?))).collect();
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }
}

/// The gradient that the tape derives for a function with respect to an input, for an output gradient of 1.3.
fn gradient(function: Function, input: usize, x: &[f64]) -> Option<f64> {
    let d = 1.3;
    let results = evaluate(function, x);
    let saved = |saved: Saved| match saved {
        Saved::Input(i) => x[i],
        Saved::Result(i) => results[i],
    };
    Some(match function.gradient(input) {
        Gradient::None => return None,
        Gradient::Pass => d,
        Gradient::Times(value) => d * saved(value),
        Gradient::TimesSlope(slope, value) => d * evaluate(slope, &[saved(value)])[0],
        Gradient::Through(back, values) => {
            let arguments: Vec<f64> = std::iter::once(d).chain(values.iter().map(|value| saved(*value))).collect();
            evaluate(back, &arguments)[0]
        }
    })
}

#[test]
fn the_gradient_of_every_function_agrees_with_differences() {
    const H: f64 = 1e-6;
    let mut checked = 0;
    for function in Function::all() {
        let inputs = function.signature().inputs;
        for input in 0..inputs {
            for place in 0..50 {
                // Away from 0, where some functions have a kink; the second input of a likelihood is a level.
                let wave = |i: usize| 1.7 * (0.9 * place as f64 + 2.3 * i as f64 + 0.21).sin();
                let mut x: Vec<f64> = (0..inputs).map(|i| wave(i) + 0.02 * wave(i).signum()).collect();
                if let Function::Loss(loss) = function {
                    // Where a parameter is not kept within bounds.
                    for (x, examples) in x[2..].iter_mut().zip(loss.parameters()) {
                        *x = f64::from(examples[place % examples.len().min(3)]);
                    }
                }
                let Some(claimed) = gradient(function, input, &x) else { break };
                let at = x[input];
                let mut of = |value: f64| {
                    x[input] = value;
                    evaluate(function, &x)[0]
                };
                let measured = 1.3 * (of(at + H) - of(at - H)) / (2.0 * H);
                let off = (claimed - measured).abs();
                assert!(
                    off <= 1e-7 * (1.0 + measured.abs()),
                    "{function:?} by input {input} at {x:?}: {claimed} is claimed, {measured} measured"
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 50 * 20, "only {checked}");
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|c| c.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
