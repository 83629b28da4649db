//! The WGSL of a matrix product, from its templates.

mod render;
mod tuning_table;
mod variant;

use super::template::TEMPLATES;
use super::{Capabilities, Source, Target};
use crate::plan::{FuseRule, Gemm, Op};
use render::{Rendering, SplitPass};
pub use tuning_table::TuningTable;
pub use variant::GemmVariant;

/// A hash of the templates, the list of variants and the fusing rules (FNV-1a, 64 bits).
pub fn fingerprint() -> u64 {
    let quads = Target::ALL.iter().map(|target| target.quad_library());
    let names = GemmVariant::ALL.iter().map(|(name, _)| *name).chain(FuseRule::ALL.map(FuseRule::name));
    let texts = TEMPLATES.iter().map(|(_, text)| *text).chain(quads).chain(names);
    let bytes = texts.flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Renders the passes of a product: one, or two where it is split.
pub fn sources(op: &Op, gemm: &Gemm, variant: GemmVariant, on: Capabilities) -> Vec<Source> {
    let passes = match (variant, variant.split_k()) {
        (GemmVariant::Taps { .. }, _) => vec![SplitPass::Taps, SplitPass::TapsSum],
        (_, 1) => vec![SplitPass::Whole],
        _ => vec![SplitPass::Parts, SplitPass::PartsSum],
    };
    passes.into_iter().map(|pass| Rendering::of(op, gemm, variant, pass, on).source()).collect()
}
