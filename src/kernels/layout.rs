//! How the work of a matrix product is laid out over an adapter: variants as data, from one set of templates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::gemm::GemmParams;
use super::pointwise::{self, Form};
use super::template::{self, TEMPLATES};
use super::{Source, Target};
use crate::plan::{Gemm, Index, Op, Orientation, Pointwise, Rule, Value};

/// Lanes of a software adapter's vectors (lavapipe: 8), each with 4 columns; the subgroup of [`Layout::Spread`].
pub const LANES: u32 = 8;

/// Who makes which outputs of a product. Sizes are those of a workgroup's tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Layout {
    /// One output an invocation: what the others are checked against and measured by.
    Naive,
    /// The textbook tile in shared memory, 64 x 64: a baseline.
    Plain,
    /// `rows` x `quads` times 4 outputs an invocation, in registers: software adapters.
    Lanes {
        /// Rows of an invocation.
        rows: u32,
        /// Quads of columns of an invocation.
        quads: u32,
    },
    /// The same, where the workgroup is one subgroup and broadcasts A's rows.
    Spread {
        /// Rows of an invocation.
        rows: u32,
        /// Quads of columns of an invocation.
        quads: u32,
    },
    /// Tiles in shared memory, 4 x `quads` times 4 outputs an invocation: GPUs.
    Tiles {
        /// Rows of the tile.
        rows: u32,
        /// Columns of the tile.
        cols: u32,
        /// Quads of columns of an invocation.
        quads: u32,
        /// Shares of K that are summed apart, and then together in a second pass; 1: none.
        split: u32,
    },
}

const fn lanes(rows: u32, quads: u32) -> Layout {
    Layout::Lanes { rows, quads }
}

const fn spread(rows: u32, quads: u32) -> Layout {
    Layout::Spread { rows, quads }
}

const fn tiles(rows: u32, cols: u32, quads: u32, split: u32) -> Layout {
    Layout::Tiles { rows, cols, quads, split }
}

/// Terms of a sum that a workgroup of [`Layout::Tiles`] stages at a time.
const TILE_K: u32 = 16;
/// Invocations of the pass that adds the shares of a split product.
const FINISH: u32 = 64;

impl Layout {
    /// Every layout, by the name it has in files and listings.
    pub const ALL: [(&str, Layout); 26] = [
        ("naive", Layout::Naive),
        ("plain", Layout::Plain),
        ("lanes-4x32", lanes(4, 1)),
        ("lanes-8x32", lanes(8, 1)),
        ("lanes-16x32", lanes(16, 1)),
        ("lanes-32x32", lanes(32, 1)),
        ("spread-8x32", spread(8, 1)),
        ("spread-16x32", spread(16, 1)),
        ("spread-32x32", spread(32, 1)),
        ("spread-64x32", spread(64, 1)),
        ("spread-16x64", spread(16, 2)),
        ("spread-32x64", spread(32, 2)),
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
        ("tiles-32x32-split2", tiles(32, 32, 1, 2)),
        ("tiles-32x32-split4", tiles(32, 32, 1, 4)),
        ("tiles-32x32-split8", tiles(32, 32, 1, 8)),
    ];

    /// Rows and columns that a workgroup makes.
    fn tile(self) -> (u32, u32) {
        match self {
            Layout::Naive => (8, 8),
            Layout::Plain => (64, 64),
            Layout::Lanes { rows, quads } | Layout::Spread { rows, quads } => (rows, quads * LANES * 4),
            Layout::Tiles { rows, cols, .. } => (rows, cols),
        }
    }

    /// Whether it may be used on a target; baselines may be everywhere.
    pub fn runs_on(self, target: Target) -> bool {
        match self {
            Layout::Naive | Layout::Plain | Layout::Lanes { .. } => true,
            Layout::Spread { .. } => target == Target::Spread,
            Layout::Tiles { .. } => true,
        }
    }

    /// What a step over K costs with this layout, in made-up units, to choose one where nothing was measured and to
    /// order what is. Infinite for what is not meant for the target or wastes most of its tile.
    fn cost(self, p: &GemmParams, target: Target) -> f64 {
        let meant = match self {
            Layout::Naive | Layout::Plain => false,
            Layout::Lanes { .. } => target == Target::Lanes,
            Layout::Spread { .. } => target == Target::Spread,
            Layout::Tiles { .. } => target == Target::Tiles,
        };
        let (rows, cols) = self.tile();
        let (over, across) = (p.m.div_ceil(rows), p.n.div_ceil(cols));
        // A tile twice as large as the output is never the best.
        if !meant || (over == 1 && rows > 16 && rows / 2 >= p.m) || (across == 1 && cols > 32 && cols / 2 >= p.n) {
            return f64::INFINITY;
        }
        // Compiling an unrolled tile takes a software adapter from 0.1 s (8 x 32) to 0.5 s (64 x 32): a small product
        // does not earn that back.
        let products = f64::from(p.m) * f64::from(p.n) * f64::from(p.k);
        let unrolled = target != Target::Tiles && f64::from(rows * cols) > 256.0_f64.max(products / 1000.0);
        if unrolled {
            return f64::INFINITY;
        }
        let groups = f64::from(over * across);
        let (rows, cols, k) = (f64::from(rows), f64::from(cols), f64::from(p.k));
        match self {
            // Measured on lavapipe: 3.4 cycles to load a value, 1.1 for 8 multiply-adds; without the subgroup every
            // row of A is loaded by every lane. A core that waits for the last workgroup is lost.
            Layout::Lanes { .. } | Layout::Spread { .. } => {
                let loads = if matches!(self, Layout::Lanes { .. }) { 8.0 * rows + cols } else { rows + cols };
                let even = (groups / 2.0).ceil() * 2.0;
                even * k * (3.4 * loads + 1.1 * rows * cols / 8.0)
            }
            // Not measured: the wish for at least 128 workgroups, then for as many products a staged value as may be.
            Layout::Tiles { quads, split, .. } => {
                let groups = groups * f64::from(split);
                let rounds = (groups / 128.0).ceil();
                let second_pass = if split == 1 { 0.0 } else { 400.0 };
                let reads = (1.0 + f64::from(quads)) / f64::from(quads);
                rounds * k / f64::from(split) * (rows + cols + 0.05 * reads * rows * cols) / 16.0 + second_pass
            }
            Layout::Naive | Layout::Plain => f64::INFINITY,
        }
    }

    /// The layouts that an op may be given on a target, likeliest first.
    pub fn eligible(op: &Op, target: Target) -> Vec<Layout> {
        let p = GemmParams::of(op);
        Self::by_cost(&p, target).into_iter().map(|(_, layout)| layout).collect()
    }

    /// Those of them that are worth the time to try. On a software adapter, where compiling one takes up to half a second
    /// and costs were measured, those that are not much dearer than the likeliest.
    pub fn candidates(op: &Op, target: Target) -> Vec<Layout> {
        let all = Self::by_cost(&GemmParams::of(op), target);
        let most = match (target, all.first()) {
            (Target::Lanes | Target::Spread, Some((least, _))) => 1.25 * least,
            _ => f64::INFINITY,
        };
        all.into_iter().filter(|(cost, _)| *cost <= most).map(|(_, layout)| layout).collect()
    }

    fn by_cost(p: &GemmParams, target: Target) -> Vec<(f64, Layout)> {
        let mut costs: Vec<(f64, Layout)> = Self::ALL
            .iter()
            .map(|(_, layout)| (layout.cost(p, target), *layout))
            .filter(|(cost, layout)| cost.is_finite() && layout.takes(p))
            .collect();
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        costs
    }

    /// A product is split where its output is small, since every share is stored, and its K long: of a few tiles there are
    /// no shares.
    fn takes(self, p: &GemmParams) -> bool {
        match self {
            Layout::Tiles { split, .. } if split > 1 => {
                // The second pass has a workgroup a row, of which a dimension holds 65,535.
                let small = u64::from(p.m) * u64::from(p.n) <= 1 << 18 && p.m <= 65_535;
                small && p.k >= 2 * split * TILE_K
            }
            _ => true,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, layout)| layout == self).map_or("unnamed", |(name, _)| name);
        f.write_str(name)
    }
}

impl From<Layout> for String {
    fn from(layout: Layout) -> Self {
        layout.to_string()
    }
}

impl TryFrom<String> for Layout {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, layout)| *layout).ok_or_else(|| format!("`{name}` is no layout of a product"))
    }
}

/// Which layout each product has, by its orientation and sizes. They decide the order of sums: the same choices give
/// the same bits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices {
    layouts: BTreeMap<String, Layout>,
}

impl Choices {
    /// A product's name in a list of choices: `nt 128x400x784` is C (128, 400) over 784.
    pub fn key(op: &Op) -> String {
        let p = GemmParams::of(op);
        format!("{} {}x{}x{}", op.kernel.entry(), p.m, p.n, p.k)
    }

    /// The same layout for every product that an op is.
    pub fn all_of<'a>(ops: impl IntoIterator<Item = &'a Op>, layout: Layout) -> Self {
        Self { layouts: ops.into_iter().map(|op| (Self::key(op), layout)).collect() }
    }

    /// Sets a product's layout.
    pub fn set(&mut self, key: String, layout: Layout) {
        self.layouts.insert(key, layout);
    }

    /// What was chosen for a product.
    pub fn get(&self, key: &str) -> Option<Layout> {
        self.layouts.get(key).copied()
    }

    /// Takes over what others have chosen for products that have no layout here.
    pub fn fill_from(&mut self, others: &Choices) {
        for (product, layout) in &others.layouts {
            self.layouts.entry(product.clone()).or_insert(*layout);
        }
    }

    /// How many products have one.
    pub fn len(&self) -> usize {
        self.layouts.len()
    }

    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }

    /// The layout of an op: what was chosen, where the target has it, or the likeliest.
    pub fn layout(&self, op: &Op, target: Target) -> Layout {
        let p = GemmParams::of(op);
        let chosen = self.get(&Self::key(op)).filter(|l| l.runs_on(target) && l.takes(&p));
        chosen.or_else(|| Layout::eligible(op, target).first().copied()).unwrap_or(Layout::Naive)
    }
}

/// A number that changes with the templates, the list of layouts and the rules of fusing (FNV-1a, 64 bits).
pub fn fingerprint() -> u64 {
    let quads = Target::ALL.iter().map(|target| target.quads());
    let names = Layout::ALL.iter().map(|(name, _)| *name).chain(Rule::ALL.iter().map(|(_, name)| *name));
    let texts = TEMPLATES.iter().map(|(_, text)| *text).chain(quads).chain(names);
    let bytes = texts.flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Renders the passes of a product: one, or two where it is split.
pub(super) fn sources(op: &Op, gemm: &Gemm, layout: Layout, target: Target) -> Vec<Source> {
    match layout {
        Layout::Tiles { split, .. } if split > 1 => {
            [Pass::Shares(split), Pass::Finish(split)].map(|pass| render(op, gemm, layout, pass, target)).into()
        }
        _ => vec![render(op, gemm, layout, Pass::Whole, target)],
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Whole,
    Shares(u32),
    Finish(u32),
}

/// The store that products are spilled to while the epilogue of a large tile is a loop: unrolled, it would be more code than
/// the product, and take as long again to compile. Where K is short, spilling would cost more than the product.
fn spill(gemm: &Gemm, layout: Layout, p: &GemmParams) -> Option<usize> {
    let (Layout::Lanes { rows, quads } | Layout::Spread { rows, quads }) = layout else { return None };
    let program = &gemm.epilogue;
    let stores = &program.stores;
    if program.calls.is_empty() && !gemm.pairs || stores.iter().any(|store| store.accumulate) {
        return None;
    }
    let sums = !program.sums.is_empty();
    if !(sums || gemm.pairs || rows * quads > 16 && p.k >= 128) {
        return None;
    }
    let columns = |value, offset| {
        let index = Index::Columns { stride: p.n, offset };
        stores.iter().find(|store| store.value == value && store.index == index).map(|store| store.binding)
    };
    match gemm.pairs {
        true => columns(Value::Product(0), 0).filter(|first| columns(Value::Product(1), p.n / 2) == Some(*first)),
        false => stores.iter().find(|store| store.index == Index::Whole).map(|store| store.binding),
    }
}

fn render(op: &Op, gemm: &Gemm, layout: Layout, pass: Pass, target: Target) -> Source {
    let p = GemmParams::of(op);
    let quad = |extent: u32| extent.is_multiple_of(4);
    let (rows, cols) = layout.tile();
    let (name, file, quads, threads) = match (layout, pass) {
        (_, Pass::Finish(_)) => ("finish", "gemm_finish.wgsl", 1, FINISH),
        (Layout::Naive, _) => ("naive", "gemm_naive.wgsl", 1, 64),
        (Layout::Plain, _) => ("plain", "gemm_plain.wgsl", 1, 256),
        (Layout::Lanes { quads, .. }, _) => ("lanes", "gemm_lanes.wgsl", quads, LANES),
        (Layout::Spread { quads, .. }, _) => ("spread", "gemm_lanes.wgsl", quads, LANES),
        (Layout::Tiles { quads, .. }, _) => ("tiles", "gemm_tiles.wgsl", quads, rows * cols / (16 * quads)),
    };
    let (a_quads, b_quads) = match (gemm.orientation, name) {
        (_, "naive" | "plain") => (false, false),
        (Orientation::Nt, _) => (quad(p.k), quad(p.k)),
        (Orientation::Nn, _) => (quad(p.k), quad(p.n)),
        (Orientation::Tn, "tiles") => (quad(p.m), quad(p.n)),
        // Only a subgroup that covers 32 rows loads four of them at a time.
        (Orientation::Tn, _) => (name == "spread" && quad(p.m) && rows.is_multiple_of(32), quad(p.n)),
    };
    let partial_only = matches!(pass, Pass::Shares(_));
    let wide = !gemm.pairs && pointwise::is_wide(&gemm.epilogue, p.n) && !partial_only;
    let tail = !quad(p.k);
    let spill = if pass == Pass::Whole { spill(gemm, layout, &p) } else { None };
    let split = match pass {
        Pass::Whole => 1,
        Pass::Shares(split) | Pass::Finish(split) => split,
    };
    // Where sums start from the bias, the epilogue has it already.
    let add_bias = gemm.bias && !matches!(name, "lanes" | "spread");
    let form = Form { product: true, pairs: gemm.pairs, add_bias, wide };
    let epilogue = match partial_only {
        true => String::new(),
        false => pointwise::declarations(&gemm.epilogue, wide) + &pointwise::store(&gemm.epilogue, form),
    };
    let context = minijinja::context! {
        orientation => gemm.orientation.name(),
        layout => name,
        file,
        epilogue,
        partial_only,
        tile_m => rows,
        tile_n => cols,
        tile_k => TILE_K,
        quads,
        threads,
        split,
        tail,
        spill => spill.map(|binding| Pointwise::OUT[binding]),
        permuted => gemm.pairs,
        lanes => LANES,
        vec_a => a_quads && !gemm.a_levels,
        vec_b => b_quads && !gemm.b_levels,
        a_levels => gemm.a_levels,
        b_levels => gemm.b_levels,
        vec_n => wide,
        bias => gemm.bias,
        row_sum => gemm.row_sum,
    };
    let levels = gemm.a_levels || gemm.b_levels || gemm.epilogue.inputs.iter().any(|i| i.index == Index::Levels);
    let libraries = match partial_only {
        true => pointwise::libraries(&Pointwise::default(), levels),
        false => pointwise::libraries(&gemm.epilogue, levels),
    };
    let text =
        [&[target.quads()], libraries.as_slice(), &[&template::render("gemm.wgsl", context)]].concat().join("\n");
    let tile = match (layout, pass) {
        (_, Pass::Finish(_)) => (1, FINISH * 4),
        (Layout::Naive, _) => (8, 32),
        _ => (rows, cols),
    };
    let widths = [a_quads, b_quads, wide, !tail].map(|wide| if wide { '4' } else { '1' });
    let flags =
        [("a_levels", gemm.a_levels), ("b_levels", gemm.b_levels), ("bias", gemm.bias), ("row_sum", gemm.row_sum)];
    let flags = flags.iter().filter(|(_, set)| *set).map(|(name, _)| name.to_string());
    let program = if partial_only { String::new() } else { gemm.epilogue.to_string() };
    let words: Vec<String> = flags.chain([program]).collect();
    Source {
        variant: format!(
            "{}.{layout}{}{} {} {}",
            op.kernel.name(),
            if spill.is_some() { ".spill" } else { "" },
            match pass {
                Pass::Whole => "",
                Pass::Shares(_) => ".shares",
                Pass::Finish(_) => ".finish",
            },
            widths.iter().collect::<String>(),
            words.join(" ")
        )
        .trim_end()
        .to_string(),
        text,
        tile: Some(tile),
        depth: if partial_only { split } else { 1 },
        scratch: if split > 1 { (split * (p.m * p.n + p.m)) as usize } else { 0 },
        ..Source::default()
    }
}
