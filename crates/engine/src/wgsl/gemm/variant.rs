//! GEMM variants: which invocation computes which outputs. They are data, rendered from one set of templates.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernels::gemm::GemmParams;
use crate::plan::{Op, Orientation};
use crate::wgsl::{Capabilities, Target};

/// Lanes of a workgroup on a software adapter whose subgroups are not known, or have 8; each has 4 columns.
const LANES: u32 = 8;

/// The way in which the outputs of a product are divided among invocations. Sizes are those of a workgroup's tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum GemmVariant {
    /// One output per invocation: the reference of the tuner and a baseline of the benchmarks.
    Naive,
    /// The textbook tile in shared memory, 64 x 64: a baseline.
    Plain,
    /// `rows` x `quads` times 4 outputs per invocation, in registers, for software adapters.
    Simd {
        /// Rows of an invocation.
        rows: u32,
        /// Quads of columns of an invocation.
        quads: u32,
    },
    /// Like [`GemmVariant::Simd`], with a workgroup that is one subgroup and broadcasts the rows of A.
    Subgroup {
        /// Invocations of the subgroup.
        lanes: u32,
        /// Rows of an invocation.
        rows: u32,
        /// Quads of columns of an invocation.
        quads: u32,
    },
    /// `rows` rows and four columns, or as many as there are, per invocation, for products with few columns.
    Rows {
        /// Invocations of a workgroup: those of a vector on a software adapter, more on a GPU.
        lanes: u32,
        /// Rows of an invocation.
        rows: u32,
    },
    /// Two passes, for products that are summed over windows of images of few channels. The first makes the products of
    /// every place and tap, as [`GemmVariant::Rows`] with up to 16 columns; the second adds them.
    Taps {
        /// Invocations of a workgroup.
        lanes: u32,
        /// Rows of an invocation.
        rows: u32,
    },
    /// A subgroup owns 32 rows and all columns, and K is summed in this many parts, for a `d_weight` of few columns.
    Narrow {
        /// The parts.
        split_k: u32,
    },
    /// Tiles in shared memory, 4 x `quads` times 4 outputs per invocation, for GPUs.
    Tiles {
        /// Rows of the tile.
        rows: u32,
        /// Columns of the tile.
        cols: u32,
        /// Quads of columns of an invocation.
        quads: u32,
        /// Split-K: K is summed in this many parts, which a second pass adds; 1 for no split.
        split_k: u32,
    },
}

const fn simd(rows: u32, quads: u32) -> GemmVariant {
    GemmVariant::Simd { rows, quads }
}

const fn subgroup(lanes: u32, rows: u32, quads: u32) -> GemmVariant {
    GemmVariant::Subgroup { lanes, rows, quads }
}

const fn rows(lanes: u32, rows: u32) -> GemmVariant {
    GemmVariant::Rows { lanes, rows }
}

const fn tiles(rows: u32, cols: u32, quads: u32, split_k: u32) -> GemmVariant {
    GemmVariant::Tiles { rows, cols, quads, split_k }
}

/// Terms of a sum that a workgroup of [`GemmVariant::Tiles`] stages at a time.
pub(super) const TILE_K: u32 = 16;
/// Invocations of the second pass of a product in two passes.
pub(super) const SECOND_PASS: u32 = 64;
/// Quads of columns of the first pass of [`GemmVariant::Taps`].
pub(super) const TAPS_QUADS: u32 = 4;
/// Columns that [`GemmVariant::Narrow`] takes.
const NARROW: u32 = 32;
/// The cost of another dispatch on lavapipe: 12 us, in cycles.
const LAUNCH: f64 = 30_000.0;

/// The cost of one element on a software adapter, in cycles.
struct Cycles {
    load: f64,
    /// The cycles that giving a row's value to all lanes takes.
    broadcast: f64,
    multiply_add: f64,
}

impl Cycles {
    fn of(target: Target) -> Self {
        match target {
            // Measured on SwiftShader: every load of a subgroup takes 23 cycles, whatever lies where, four multiply-adds 2.2.
            Target::Subgroup4 => Self { load: 5.8, broadcast: 4.0, multiply_add: 0.55 },
            // Measured on lavapipe: eight multiply-adds take 1.1 cycles; the broadcast is in there.
            _ => Self { load: 3.4, broadcast: 0.0, multiply_add: 1.1 / 8.0 },
        }
    }
}

impl GemmVariant {
    /// Every variant with its name in files and listings.
    pub const ALL: [(&str, GemmVariant); 40] = [
        ("naive", GemmVariant::Naive),
        ("plain", GemmVariant::Plain),
        ("simd-4x32", simd(4, 1)),
        ("simd-8x32", simd(8, 1)),
        ("simd-16x32", simd(16, 1)),
        ("simd-32x32", simd(32, 1)),
        ("subgroup-8x32", subgroup(8, 8, 1)),
        ("subgroup-16x32", subgroup(8, 16, 1)),
        ("subgroup-32x32", subgroup(8, 32, 1)),
        ("subgroup-64x32", subgroup(8, 64, 1)),
        ("subgroup-16x64", subgroup(8, 16, 2)),
        ("subgroup-32x64", subgroup(8, 32, 2)),
        ("subgroup4-8x16", subgroup(4, 8, 1)),
        ("subgroup4-16x16", subgroup(4, 16, 1)),
        ("subgroup4-32x16", subgroup(4, 32, 1)),
        ("subgroup4-32x32", subgroup(4, 32, 2)),
        ("rows-8x4", rows(LANES, 1)),
        ("rows-32x4", rows(LANES, 4)),
        ("rows-128x4", rows(LANES, 16)),
        ("rows-64x4", rows(64, 1)),
        ("rows-256x4", rows(64, 4)),
        ("taps-128x16", GemmVariant::Taps { lanes: LANES, rows: 16 }),
        ("taps-64x16", GemmVariant::Taps { lanes: 64, rows: 1 }),
        ("narrow-32x32-split8", GemmVariant::Narrow { split_k: 8 }),
        ("tiles-16x16", tiles(16, 16, 1, 1)),
        ("tiles-16x64", tiles(16, 64, 1, 1)),
        ("tiles-64x16", tiles(64, 16, 1, 1)),
        ("tiles-32x32", tiles(32, 32, 1, 1)),
        ("tiles-32x64", tiles(32, 64, 1, 1)),
        ("tiles-64x64", tiles(64, 64, 1, 1)),
        ("tiles-32x64-4x8", tiles(32, 64, 2, 1)),
        ("tiles-64x64-4x8", tiles(64, 64, 2, 1)),
        ("tiles-64x128-4x8", tiles(64, 128, 2, 1)),
        ("tiles-128x64-4x8", tiles(128, 64, 2, 1)),
        ("tiles-16x16-split4", tiles(16, 16, 1, 4)),
        ("tiles-16x16-split32", tiles(16, 16, 1, 32)),
        ("tiles-32x32-split2", tiles(32, 32, 1, 2)),
        ("tiles-32x32-split4", tiles(32, 32, 1, 4)),
        ("tiles-32x32-split8", tiles(32, 32, 1, 8)),
        ("tiles-32x32-split32", tiles(32, 32, 1, 32)),
    ];

    /// Rows and columns of a workgroup's tile.
    pub(super) fn tile(self) -> (u32, u32) {
        match self {
            GemmVariant::Naive => (8, 32),
            GemmVariant::Plain => (64, 64),
            GemmVariant::Simd { rows, quads } => (rows, quads * LANES * 4),
            GemmVariant::Subgroup { lanes, rows, quads } => (rows, quads * lanes * 4),
            GemmVariant::Rows { lanes, rows } => (lanes * rows, 4),
            GemmVariant::Taps { lanes, rows } => (lanes * rows, 4 * TAPS_QUADS),
            GemmVariant::Narrow { .. } => (4 * LANES, NARROW),
            GemmVariant::Tiles { rows, cols, .. } => (rows, cols),
        }
    }

    /// Invocations per workgroup, and bytes of shared memory.
    pub(super) fn workgroup(self) -> (u32, u32) {
        match self {
            GemmVariant::Naive => (64, 0),
            GemmVariant::Plain => (256, 2 * 4 * 1024),
            GemmVariant::Simd { .. } | GemmVariant::Narrow { .. } => (LANES, 0),
            GemmVariant::Subgroup { lanes, .. } | GemmVariant::Rows { lanes, .. } | GemmVariant::Taps { lanes, .. } => {
                (lanes, 0)
            }
            // Rows of a tile are padded by one word of four floats.
            GemmVariant::Tiles { rows, cols, quads, .. } => {
                (rows * cols / (16 * quads), 16 * TILE_K * (rows / 4 + 1 + cols / 4 + 1))
            }
        }
    }

    /// Returns the number of parts in which K is summed.
    pub(super) fn split_k(self) -> u32 {
        match self {
            GemmVariant::Tiles { split_k, .. } | GemmVariant::Narrow { split_k } => split_k,
            _ => 1,
        }
    }

    /// Whether a second pass makes the product of what the first one stores.
    fn has_second_pass(self) -> bool {
        self.split_k() > 1 || matches!(self, GemmVariant::Taps { .. })
    }

    /// Whether an adapter can run it.
    pub fn runs_on(self, on: impl Into<Capabilities>) -> bool {
        let on = on.into();
        let (invocations, shared_bytes) = self.workgroup();
        let second_pass = if self.has_second_pass() { SECOND_PASS } else { 0 };
        let fits = invocations.max(second_pass) <= on.invocations && shared_bytes <= on.shared_bytes;
        let lanes = match self {
            GemmVariant::Subgroup { lanes, .. } => lanes,
            GemmVariant::Narrow { .. } => LANES,
            _ => 0,
        };
        // A smaller workgroup lies within a subgroup, too.
        fits && lanes <= on.target.subgroup().unwrap_or(0)
    }

    /// Estimated cost of the product in arbitrary units, to choose a variant without measuring and to order those that
    /// are measured. Infinite for variants that are not meant for the target or would waste most of their tile.
    fn cost(self, p: &GemmParams, on: Capabilities) -> f64 {
        let target = on.target;
        let meant = match self {
            GemmVariant::Naive | GemmVariant::Plain => false,
            GemmVariant::Simd { .. } => target == Target::Simd,
            GemmVariant::Subgroup { lanes, .. } => target.subgroup() == Some(lanes),
            GemmVariant::Narrow { .. } => target.subgroup() == Some(LANES),
            GemmVariant::Rows { lanes, .. } | GemmVariant::Taps { lanes, .. } => {
                (lanes > LANES) == (target == Target::Gpu)
            }
            GemmVariant::Tiles { .. } => target == Target::Gpu,
        };
        let (rows, cols) = self.tile();
        let (over, across) = (p.m.div_ceil(rows), p.n.div_ceil(cols));
        // A tile twice as large as the output is never the fastest.
        if !meant || (over == 1 && rows > 16 && rows / 2 >= p.m) || (across == 1 && cols > 32 && cols / 2 >= p.n) {
            return f64::INFINITY;
        }
        // Compiling an unrolled tile takes a software adapter from 0.1 s (8 x 32) to 0.5 s (64 x 32): this
        // does not pay off for a small product.
        let products = f64::from(p.m) * f64::from(p.n) * f64::from(p.k);
        let unrolled = target.is_software() && f64::from(rows * cols) > 256.0_f64.max(products / 1000.0);
        if unrolled {
            return f64::INFINITY;
        }
        let groups = f64::from(over * across);
        let second_pass = match target {
            _ if !self.has_second_pass() => 0.0,
            Target::Gpu => 400.0,
            _ => LAUNCH,
        };
        let few = f64::from(p.n.min(cols));
        let (rows, cols, k) = (f64::from(rows), f64::from(cols), f64::from(p.k));
        // Cores that wait for the last workgroups are idle.
        let cores = f64::from(on.cores);
        let even = |groups: f64| (groups / cores).ceil() * cores;
        let Cycles { load, broadcast, multiply_add } = Cycles::of(target);
        match self {
            // Without a subgroup, every lane loads every row of A.
            GemmVariant::Simd { .. } => {
                even(groups) * k * (load * (f64::from(LANES) * rows + cols) + multiply_add * rows * cols)
            }
            GemmVariant::Subgroup { .. } => {
                even(groups) * k * (load * (rows + cols) + broadcast * rows + multiply_add * rows * cols)
            }
            // Every lane loads its rows, and all load the columns. With taps, the second pass loads what the first one
            // stores.
            GemmVariant::Rows { lanes, .. } | GemmVariant::Taps { lanes, .. } if target.is_software() => {
                let between = if self.has_second_pass() { 2.0 * load * f64::from(p.m) * f64::from(p.n) } else { 0.0 };
                let loads = rows + f64::from(lanes) * few;
                even(groups) * k * (load * loads + multiply_add * rows * few) + between + second_pass
            }
            // This cost is not measured: it is that of tiles without shared memory, where every value is loaded anew.
            GemmVariant::Rows { .. } | GemmVariant::Taps { .. } => {
                (groups / 128.0).ceil() * k * (rows + 64.0 * few) / 4.0 + second_pass
            }
            GemmVariant::Narrow { split_k } => {
                let parts = f64::from(split_k);
                even(groups * parts) * k / parts * (load * (rows + few) + multiply_add * rows * few) + second_pass
            }
            // This cost is not measured: it prefers at least 128 workgroups, then as many multiply-adds per staged
            // value as possible.
            GemmVariant::Tiles { quads, split_k, .. } => {
                let groups = groups * f64::from(split_k);
                let rounds = (groups / 128.0).ceil();
                let reads = (1.0 + f64::from(quads)) / f64::from(quads);
                rounds * k / f64::from(split_k) * (rows + cols + 0.05 * reads * rows * cols) / 16.0 + second_pass
            }
            GemmVariant::Naive | GemmVariant::Plain => f64::INFINITY,
        }
    }

    /// The variants that can run an op on an adapter, the expected fastest first.
    pub fn eligible(op: &Op, on: impl Into<Capabilities>) -> Vec<GemmVariant> {
        Self::by_cost(op, on.into()).into_iter().map(|(_, variant)| variant).collect()
    }

    /// The eligible variants that are worth measuring. On a software adapter, where compiling one takes up to half a
    /// second and the cost model is measured, these are the ones that are not much slower than the expected fastest.
    pub fn candidates(op: &Op, on: impl Into<Capabilities>) -> Vec<GemmVariant> {
        let on = on.into();
        let all = Self::by_cost(op, on);
        let most = match all.first() {
            Some((least, _)) if on.target.is_software() => 1.25 * least,
            _ => f64::INFINITY,
        };
        all.into_iter().filter(|(cost, _)| *cost <= most).map(|(_, variant)| variant).collect()
    }

    fn by_cost(op: &Op, on: Capabilities) -> Vec<(f64, GemmVariant)> {
        let mut p = GemmParams::of(op);
        if let Some(phases) = phases(op) {
            // Each pixel has one of so many parts of the taps.
            p.k = p.k.div_ceil(phases);
        }
        let by_one = op.kernel.gemm().and_then(|gemm| gemm.windows).is_some_and(|w| !w.image[2].is_multiple_of(4));
        let cost = |variant: GemmVariant| match (variant, variant.tile()) {
            (GemmVariant::Taps { .. }, _) => variant.cost(&taps(op).unwrap_or(p), on),
            // SwiftShader's compiler needs more than 8 GiB for 512 outputs of windows that are loaded one number at a
            // time.
            (_, (rows, cols)) if by_one && on.target == Target::Subgroup4 && rows * cols > 256 => f64::INFINITY,
            _ => variant.cost(&p, on),
        };
        let mut costs: Vec<(f64, GemmVariant)> = Self::ALL
            .iter()
            .filter(|(_, variant)| variant.takes(op) && variant.runs_on(on))
            .map(|(_, variant)| (cost(*variant), *variant))
            .filter(|(cost, _)| cost.is_finite())
            .collect();
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        costs
    }

    /// Whether it suits a product's sizes: a split needs a small output, because every partial sum is stored, and a K
    /// long enough for some tiles per part.
    pub(super) fn takes(self, op: &Op) -> bool {
        let p = GemmParams::of(op);
        let is_tn = op.kernel.gemm().is_some_and(|gemm| gemm.orientation == Orientation::Tn);
        let splits = |parts: u32| u64::from(p.m) * u64::from(p.n) <= 1 << 18 && p.k >= 2 * parts * TILE_K;
        match self {
            GemmVariant::Tiles { split_k, .. } if split_k > 1 => phases(op).is_none() && splits(split_k),
            GemmVariant::Narrow { split_k } => is_tn && p.n <= NARROW && splits(split_k),
            // The second pass makes four columns; with more than one tile of columns, the first one would read A again.
            GemmVariant::Taps { .. } => taps(op).is_some_and(|taps| {
                p.n <= 4 && taps.n <= 4 * TAPS_QUADS && u64::from(taps.m) * u64::from(taps.n) <= 1 << 24
            }),
            _ => true,
        }
    }
}

/// Returns the sizes of the product of every place and tap, for a product that is summed over windows.
pub(super) fn taps(op: &Op) -> Option<GemmParams> {
    let gemm = op.kernel.gemm().filter(|gemm| gemm.orientation == Orientation::Nn)?;
    let (p, w) = (GemmParams::of(op), gemm.windows?);
    let (cols, kernel) = (w.cols() as u32, w.kernel[0] * w.kernel[1]);
    Some(GemmParams { m: p.m / w.pixels() as u32 * w.rows() as u32, n: cols, k: p.k / kernel })
}

/// How many phases a product has, where its result is summed over windows.
fn phases(op: &Op) -> Option<u32> {
    let gemm = op.kernel.gemm().filter(|gemm| gemm.orientation == Orientation::Nn)?;
    gemm.windows.map(|windows| windows.stride.pow(2))
}

impl fmt::Display for GemmVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, variant)| variant == self).map_or("unnamed", |(name, _)| name);
        f.write_str(name)
    }
}

impl From<GemmVariant> for String {
    fn from(variant: GemmVariant) -> Self {
        variant.to_string()
    }
}

impl TryFrom<String> for GemmVariant {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, variant)| *variant)
            .ok_or_else(|| format!("`{name}` is not a GEMM variant; `wgvae kernels` lists them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_variants() {
        for (name, variant) in GemmVariant::ALL {
            assert_eq!(GemmVariant::try_from(name.to_string()), Ok(variant));
        }
        assert!(GemmVariant::try_from("subgroup-1x1".to_string()).is_err());
    }

    /// Adapters with fewer invocations or less shared memory have fewer variants.
    #[test]
    fn variants_stay_within_an_adapters_limits() {
        let webgpu = Capabilities::from(Target::Gpu);
        let small = Capabilities { invocations: 128, shared_bytes: 4096, ..webgpu };
        let runs = |on: Capabilities| GemmVariant::ALL.iter().filter(|(_, v)| v.runs_on(on)).count();
        assert_eq!(runs(Target::Subgroup.into()), GemmVariant::ALL.len());
        assert!(runs(small) < runs(webgpu));
        assert!(tiles(16, 16, 1, 1).runs_on(small) && !tiles(64, 64, 1, 1).runs_on(small));
        assert!(!GemmVariant::Plain.runs_on(small));
    }
}
