//! Every variant of every registered kernel.

use std::collections::HashSet;

use wgvae_engine::conformance::cases;
use wgvae_engine::plan::{Op, TensorTable};
use wgvae_engine::wgsl::{self, GemmVariant, Source, Target, TuningTable};

/// Calls `each` with every registered op and its tensors.
pub fn ops() -> impl Iterator<Item = (Op, TensorTable)> {
    cases().into_iter().flat_map(|case| {
        let tensors = case.program.tensors.clone();
        let ops = case.program.plans[0].ops.clone();
        ops.into_iter().map(move |op| (op, tensors.clone()))
    })
}

/// The variants of an op for a target; for a product, every GEMM variant that runs there.
pub fn sources_for(op: &Op, target: Target) -> Vec<Source> {
    if op.kernel.gemm().is_none() {
        return wgsl::sources(op, target, &TuningTable::default());
    }
    let variants = GemmVariant::ALL.iter().filter(|(_, variant)| variant.runs_on(target));
    // For a product that is too small to be split, this is its default variant again.
    variants.flat_map(|(_, variant)| wgsl::sources(op, target, &TuningTable::all_of([op], *variant))).collect()
}

/// The variants of an op for every target.
fn every_source(op: &Op) -> Vec<Source> {
    Target::ALL.iter().flat_map(|target| sources_for(op, *target)).collect()
}

/// Every distinct variant of every kernel.
pub fn each_source(mut visit: impl FnMut(&Op, &Source)) {
    let mut seen = HashSet::new();
    for (op, _) in ops() {
        for source in every_source(&op) {
            // Two targets may render a variant differently.
            if seen.insert((source.variant.clone(), source.text.len())) {
                visit(&op, &source);
            }
        }
    }
    assert!(seen.len() > 100, "only {} variants", seen.len());
}
