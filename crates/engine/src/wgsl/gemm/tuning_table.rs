//! The tuning table: the chosen GEMM variant of each product of a program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::GemmVariant;
use crate::kernels::gemm::GemmParams;
use crate::plan::Op;
use crate::wgsl::Capabilities;

/// The variant of each product, by its orientation and sizes. Variants decide the order of sums: one table always gives
/// one result, to the bit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TuningTable {
    variants: BTreeMap<String, GemmVariant>,
}

impl TuningTable {
    /// A product's name in a table: `nt 128x400x784` is C (128, 400) over 784; behind it the windows, if there are.
    pub fn key(op: &Op) -> String {
        let p = GemmParams::of(op);
        let windows = op.kernel.gemm().and_then(|gemm| gemm.windows);
        let windows = windows.map_or(String::new(), |windows| format!(" {windows}"));
        format!("{} {}x{}x{}{windows}", op.kernel.entry(), p.m, p.n, p.k)
    }

    /// Makes a table with one variant for every product among some ops.
    pub fn all_of<'a>(ops: impl IntoIterator<Item = &'a Op>, variant: GemmVariant) -> Self {
        Self { variants: ops.into_iter().map(|op| (Self::key(op), variant)).collect() }
    }

    /// Sets a product's variant.
    pub fn set(&mut self, key: String, variant: GemmVariant) {
        self.variants.insert(key, variant);
    }

    /// The chosen variant of a product.
    pub fn get(&self, key: &str) -> Option<GemmVariant> {
        self.variants.get(key).copied()
    }

    /// Adds the choices of another table for products that have none here.
    pub fn fill_from(&mut self, others: &TuningTable) {
        for (product, variant) in &others.variants {
            self.variants.entry(product.clone()).or_insert(*variant);
        }
    }

    /// Number of products with a variant.
    pub fn len(&self) -> usize {
        self.variants.len()
    }

    /// Whether no product has a variant.
    pub fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    /// The variant of an op: the chosen one if the adapter can run it, else the expected fastest.
    pub fn variant(&self, op: &Op, on: impl Into<Capabilities>) -> GemmVariant {
        let on = on.into();
        let chosen = self.get(&Self::key(op)).filter(|variant| variant.runs_on(on) && variant.takes(op));
        chosen.or_else(|| GemmVariant::eligible(op, on).first().copied()).unwrap_or(GemmVariant::Naive)
    }
}
