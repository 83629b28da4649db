//! How the work of a matrix product is laid out over an adapter: variants as data, from one set of templates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::dense::{DenseParams, Riding, is_bytes};
use super::{Source, Target};
use crate::plan::Op;

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
    fn cost(self, p: &DenseParams, target: Target) -> f64 {
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
        let p = DenseParams::of(op);
        Self::by_cost(&p, target).into_iter().map(|(_, layout)| layout).collect()
    }

    /// Those of them that are worth the time to try. On a software adapter, where compiling one takes up to half a second
    /// and costs were measured, those that are not much dearer than the likeliest.
    pub fn candidates(op: &Op, target: Target) -> Vec<Layout> {
        let all = Self::by_cost(&DenseParams::of(op), target);
        let most = match (target, all.first()) {
            (Target::Lanes | Target::Spread, Some((least, _))) => 1.25 * least,
            _ => f64::INFINITY,
        };
        all.into_iter().filter(|(cost, _)| *cost <= most).map(|(_, layout)| layout).collect()
    }

    fn by_cost(p: &DenseParams, target: Target) -> Vec<(f64, Layout)> {
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
    fn takes(self, p: &DenseParams) -> bool {
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
        let p = DenseParams::of(op);
        format!("{} {}x{}x{}", op.kernel.entry, p.m, p.n, p.k)
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
        let p = DenseParams::of(op);
        let chosen = self.get(&Self::key(op)).filter(|l| l.runs_on(target) && l.takes(&p));
        chosen.or_else(|| Layout::eligible(op, target).first().copied()).unwrap_or(Layout::Naive)
    }
}

const TEMPLATES: [(&str, &str); 6] = [
    ("dense.wgsl", include_str!("../../shaders/dense.wgsl.jinja")),
    ("dense_naive.wgsl", include_str!("../../shaders/dense_naive.wgsl.jinja")),
    ("dense_plain.wgsl", include_str!("../../shaders/dense_plain.wgsl.jinja")),
    ("dense_lanes.wgsl", include_str!("../../shaders/dense_lanes.wgsl.jinja")),
    ("dense_tiles.wgsl", include_str!("../../shaders/dense_tiles.wgsl.jinja")),
    ("dense_finish.wgsl", include_str!("../../shaders/dense_finish.wgsl.jinja")),
];

/// A number that changes with the templates and the list of layouts (FNV-1a, 64 bits).
pub fn fingerprint() -> u64 {
    let quads = Target::ALL.iter().map(|target| target.quads());
    let texts = TEMPLATES.iter().map(|(_, text)| *text).chain(quads).chain(Layout::ALL.iter().map(|(name, _)| *name));
    let bytes = texts.flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Renders the passes of a product: one, or two where it is split.
pub(super) fn sources(op: &Op, layout: Layout) -> Vec<Source> {
    match layout {
        Layout::Tiles { split, .. } if split > 1 => {
            vec![render(op, layout, Pass::Shares(split)), render(op, layout, Pass::Finish(split))]
        }
        _ => vec![render(op, layout, Pass::Whole)],
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Whole,
    Shares(u32),
    Finish(u32),
}

fn render(op: &Op, layout: Layout, pass: Pass) -> Source {
    let p = DenseParams::of(op);
    let quad = |extent: u32| extent.is_multiple_of(4);
    let riding = Riding::of(&op.kernel);
    let constant = |name| op.kernel.constant(name);
    let (rows, cols) = layout.tile();
    let (name, file, quads, threads) = match (layout, pass) {
        (_, Pass::Finish(_)) => ("finish", "dense_finish.wgsl", 1, FINISH),
        (Layout::Naive, _) => ("naive", "dense_naive.wgsl", 1, 64),
        (Layout::Plain, _) => ("plain", "dense_plain.wgsl", 1, 256),
        (Layout::Lanes { quads, .. }, _) => ("lanes", "dense_lanes.wgsl", quads, LANES),
        (Layout::Spread { quads, .. }, _) => ("spread", "dense_lanes.wgsl", quads, LANES),
        (Layout::Tiles { quads, .. }, _) => ("tiles", "dense_tiles.wgsl", quads, rows * cols / (16 * quads)),
    };
    let [a_bytes, b_bytes, x_bytes] = ["a", "b", "x"].map(|name| is_bytes(&op.kernel, name));
    let (a_quads, b_quads) = match (op.kernel.entry, name) {
        (_, "naive" | "plain") => (false, false),
        ("nt", _) => (quad(p.k), quad(p.k)),
        ("nn", _) => (quad(p.k), quad(p.n)),
        (_, "tiles") => (quad(p.m), quad(p.n)),
        // Only a subgroup that covers 32 rows loads four of them at a time.
        _ => (name == "spread" && quad(p.m) && rows.is_multiple_of(32), quad(p.n)),
    };
    let alone = name == "naive" && matches!(riding, Riding::Plain | Riding::Backward);
    let whole_quads = quad(p.n) && matches!(riding, Riding::Plain | Riding::Likelihood);
    let vec_c = whole_quads && !alone && !matches!(pass, Pass::Shares(_));
    let tail = !quad(p.k);
    // Unrolled, the ending of a large tile would be more code than its product, and take as long again to compile; where
    // K is short, parking would cost more than the product.
    let parks = match layout {
        Layout::Lanes { rows, quads } | Layout::Spread { rows, quads } => {
            let ends = riding != Riding::Plain || constant("gradient") + constant("activation") > 0;
            let kept = constant("accumulate") == 1 || riding == Riding::Backward;
            ends && !kept && (rows * quads > 16 && p.k >= 128 || matches!(riding, Riding::Sample | Riding::Likelihood))
        }
        _ => false,
    };
    let epilogue = if matches!(pass, Pass::Shares(_)) { "partial" } else { riding.name() };
    let split = match pass {
        Pass::Whole => 1,
        Pass::Shares(split) | Pass::Finish(split) => split,
    };
    // Empty for identity: nothing is called.
    let function = |name| Activation::from_code(constant(name)).shader_name();
    let context = minijinja::context! {
        orientation => op.kernel.entry,
        layout => name,
        file,
        epilogue,
        tile_m => rows,
        tile_n => cols,
        tile_k => TILE_K,
        quads,
        threads,
        split,
        alone,
        tail,
        parks,
        permuted => riding == Riding::Sample,
        lanes => LANES,
        vec_a => a_quads && !a_bytes,
        vec_b => b_quads && !b_bytes,
        a_bytes,
        b_bytes,
        x_bytes,
        vec_c,
        bias => constant("bias") == 1,
        activation => function("activation"),
        keep_pre => constant("keep_pre") == 1,
        gradient => function("gradient"),
        accumulate => constant("accumulate") == 1,
        row_sum => constant("row_sum") == 1,
        noise => constant("noise"),
        likelihood => constant("likelihood"),
    };
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let text = TEMPLATES
        .iter()
        .try_for_each(|(name, text)| environment.add_template(name, text))
        .and_then(|()| environment.get_template("dense.wgsl"))
        .and_then(|template| template.render(context))
        // The templates are part of the program, and a test renders every variant of them.
        .unwrap_or_else(|error| panic!("{error:#}"));
    let tile = match (layout, pass) {
        (_, Pass::Finish(_)) => (1, FINISH * 4),
        (Layout::Naive, _) if !alone => (8, 32),
        _ => (rows, cols),
    };
    let widths = [a_quads, b_quads, vec_c, !tail].map(|wide| if wide { '4' } else { '1' });
    let keys: Vec<String> =
        op.kernel.constants.iter().filter(|(_, v)| *v > 0).map(|(name, value)| format!("{name}={value}")).collect();
    Source {
        variant: format!(
            "{}.{layout}{}{} {} {}",
            op.kernel.name(),
            if parks { ".parks" } else { "" },
            match pass {
                Pass::Whole => "",
                Pass::Shares(_) => ".shares",
                Pass::Finish(_) => ".finish",
            },
            widths.iter().collect::<String>(),
            keys.join(" ")
        )
        .trim_end()
        .to_string(),
        text,
        constants: Vec::new(),
        tile: Some(tile),
        each: 1,
        depth: if matches!(pass, Pass::Shares(_)) { split } else { 1 },
        scratch: if split > 1 { (split * (p.m * p.n + p.m)) as usize } else { 0 },
    }
}
