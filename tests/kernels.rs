//! Every registered case on the adapter against the oracle in f64, for both shapes of code, with and without runtime
//! checks; and the oracle's gradients against differences.

mod common;

use wgvae::check;
use wgvae::gpu::GpuOptions;
use wgvae::kernels::{Case, Choices, Layout, Target, cases};
use wgvae::oracle::Oracle;

fn check_all(target: Target, checked: bool) {
    let Some(gpu) = common::gpu() else { return };
    if target == Target::Spread && gpu.target != Target::Spread {
        common::skipped(&format!("{} has no subgroups of 8 lanes", gpu.info.name));
        return;
    }
    let options = GpuOptions { checked, target: Some(target), ..GpuOptions::default() };
    let mut failures = Vec::new();
    for case in cases() {
        // Only dense has other code for lanes and spread.
        if target == Target::Spread && !case.name.starts_with("dense") {
            continue;
        }
        if let Err(error) = check::check_case(&gpu, &case, &options) {
            failures.push(format!("{}: {error}", case.name));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn lanes_agree_with_the_oracle() {
    check_all(Target::Lanes, false);
}

#[test]
fn lanes_agree_with_the_oracle_checked() {
    check_all(Target::Lanes, true);
}

#[test]
fn spread_lanes_agree_with_the_oracle() {
    check_all(Target::Spread, false);
}

#[test]
fn spread_lanes_agree_with_the_oracle_checked() {
    check_all(Target::Spread, true);
}

#[test]
fn tiles_agree_with_the_oracle() {
    check_all(Target::Tiles, false);
}

#[test]
fn tiles_agree_with_the_oracle_checked() {
    check_all(Target::Tiles, true);
}

/// Every layout of a product, likely or not, at sizes around its tile's and on every ending.
#[test]
fn every_layout_agrees_with_the_oracle() {
    let Some(gpu) = common::gpu() else { return };
    let wanted = |case: &Case| {
        case.name.starts_with("dense/")
            && !case.timed
            && case.program.plans[0].ops.iter().all(|op| op.flops < 3_000_000)
    };
    let all: Vec<Case> = cases().into_iter().filter(wanted).collect();
    let mut failures = Vec::new();
    for (number, (name, layout)) in Layout::ALL.iter().enumerate() {
        if !layout.runs_on(gpu.target) {
            common::skipped(&format!("{name} does not run on {}", gpu.info.name));
            continue;
        }
        // Compiling a large tile takes a software adapter half a second: each layout has a share of the cases, another
        // than its neighbours, and those whose sizes are awkward in every way.
        let mut awkward = vec!["d_input 33x17x31 tanh", "d_weight 33x17x31", "sample 65x8x9 Drawn", "bernoulli 9x4x65"];
        if name.contains("split") {
            awkward = vec!["forward 33x517x30", "d_weight 517x30x33", "5x259x9", "bernoulli 9x259x66"];
        }
        let chosen = all
            .iter()
            .enumerate()
            .filter(|(i, case)| i % 20 == number % 20 || awkward.iter().any(|name| case.name.contains(name)));
        for (_, case) in chosen {
            let choices = Choices::all_of(&case.program.plans[0].ops, *layout);
            let options = GpuOptions { choices, checked: number % 2 == 0, ..GpuOptions::default() };
            if let Err(error) = check::check_case(&gpu, case, &options) {
                failures.push(format!("{name}: {}: {error}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn the_oracle_in_f32_agrees_with_itself_in_f64() {
    for case in cases() {
        if let Err(error) = check::check_on_cpu(&case) {
            panic!("{}: {error}", case.name);
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    let with_gradients: Vec<Case> = cases().into_iter().filter(|c| !c.gradients.is_empty()).collect();
    for ending in ["gradient tanh", "latent gradient", "bernoulli gradient", "mse gradient", "learned gradient"] {
        assert!(with_gradients.iter().any(|c| c.name.contains(ending)), "{ending} is missing");
    }
    for case in &with_gradients {
        let mut oracle = Oracle::<f64>::new(case.program.clone());
        for (id, words) in case.input_words() {
            let values = oracle.values_mut(id);
            for (value, word) in values.iter_mut().zip(&words) {
                *value = f64::from(f32::from_bits(*word));
            }
        }
        for pair in &case.gradients {
            let error =
                check::gradient_error(&mut oracle, pair.input, pair.gradient, |oracle| check::case_loss(case, oracle));
            let name = &case.program.tensors.get(pair.gradient).name;
            assert!(error <= 1e-6, "{}: {name} is off by {error:e}", case.name);
        }
    }
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|c| c.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
