//! Every registered case on the adapter against the oracle in f64, for both shapes of code, with and without runtime
//! checks; and the oracle's gradients against differences.

mod common;

use wgvae::check;
use wgvae::gpu::GpuOptions;
use wgvae::kernels::{Case, Target, cases};
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
    for family in ["dense", "latent", "likelihood"] {
        assert!(with_gradients.iter().any(|c| c.name.starts_with(family)), "{family} has no gradient case");
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
