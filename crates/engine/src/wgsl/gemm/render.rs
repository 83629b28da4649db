//! One pass of a matrix product as WGSL: the template that it takes, the facts that are compiled in, its name and its grid.

use super::super::pointwise::{self, WgslForm};
use super::super::template;
use super::super::{Capabilities, Source};
use super::variant::{self, GemmVariant, SECOND_PASS, TAPS_QUADS, TILE_K};
use crate::kernels::gemm::GemmParams;
use crate::plan::{Gemm, Index, Op, Orientation, Pointwise, Value, Windows};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum SplitPass {
    Whole,
    /// The first pass, which sums K in parts.
    Parts,
    /// The second pass, which adds the parts and runs the epilogue.
    PartsSum,
    /// The first pass, which makes the products of every place and tap.
    Taps,
    /// The second pass, which adds those of a pixel and runs the epilogue.
    TapsSum,
}

impl SplitPass {
    fn is_first(self) -> bool {
        matches!(self, SplitPass::Parts | SplitPass::Taps)
    }

    fn is_second(self) -> bool {
        matches!(self, SplitPass::PartsSum | SplitPass::TapsSum)
    }
}

impl SplitPass {
    /// What it is called in the name of a shader.
    fn suffix(self) -> &'static str {
        match self {
            SplitPass::Whole => "",
            SplitPass::Parts => ".parts",
            SplitPass::Taps => ".taps",
            SplitPass::PartsSum | SplitPass::TapsSum => ".sum",
        }
    }
}

/// The template of a pass.
struct Body {
    /// The name by which other templates know it.
    name: &'static str,
    file: &'static str,
    /// Quads of columns that an invocation makes.
    quads: u32,
}

impl Body {
    fn of(variant: GemmVariant, pass: SplitPass) -> Self {
        let (name, file, quads) = match (variant, pass) {
            (_, SplitPass::PartsSum) => ("split_k_sum", "gemm_split_k_sum.wgsl", 1),
            (_, SplitPass::TapsSum) => ("taps_sum", "gemm_taps_sum.wgsl", 1),
            (GemmVariant::Naive, _) => ("naive", "gemm_naive.wgsl", 1),
            (GemmVariant::Plain, _) => ("plain", "gemm_plain.wgsl", 1),
            (GemmVariant::Simd { quads, .. }, _) => ("simd", "gemm_registers.wgsl", quads),
            (GemmVariant::Subgroup { quads, .. }, _) => ("subgroup", "gemm_registers.wgsl", quads),
            (GemmVariant::Rows { .. }, _) => ("rows", "gemm_rows.wgsl", 1),
            (GemmVariant::Taps { .. }, _) => ("rows", "gemm_rows.wgsl", TAPS_QUADS),
            (GemmVariant::Narrow { .. }, _) => ("narrow", "gemm_narrow.wgsl", 8),
            (GemmVariant::Tiles { quads, .. }, _) => ("tiles", "gemm_tiles.wgsl", quads),
        };
        Self { name, file, quads }
    }
}

/// A pass of a product, and what follows from it for the templates.
pub(super) struct Rendering<'a> {
    op: &'a Op,
    gemm: &'a Gemm,
    variant: GemmVariant,
    pass: SplitPass,
    on: Capabilities,
    /// The sizes of what this pass computes, and its windows. The first pass over taps is a product of its own, of no windows.
    p: GemmParams,
    windows: Option<Windows>,
    /// The sizes of the product of all places and taps, of a convolution's `d_input`.
    taps: Option<GemmParams>,
    body: Body,
    /// Four elements of A, and of B, are loaded at a time.
    quads: [bool; 2],
    /// Four columns are stored at a time.
    wide: bool,
    /// Pixels of one remainder by the stride have the same taps: so many kinds of them. 0 where there are none.
    phases: u32,
    spill: Option<usize>,
}

impl<'a> Rendering<'a> {
    pub(super) fn of(op: &'a Op, gemm: &'a Gemm, variant: GemmVariant, pass: SplitPass, on: Capabilities) -> Self {
        let taps = variant::taps(op);
        let (p, windows) = match taps.filter(|_| pass == SplitPass::Taps) {
            Some(taps) => (taps, None),
            None => (GemmParams::of(op), gemm.windows),
        };
        let is_backward = gemm.orientation == Orientation::Nn && !pass.is_second();
        let mut rendering = Self {
            op,
            gemm,
            variant,
            pass,
            on,
            p,
            windows,
            taps,
            body: Body::of(variant, pass),
            quads: [false; 2],
            wide: !gemm.pairs && pointwise::is_wide(&gemm.epilogue, p.n) && !pass.is_first(),
            phases: windows.filter(|_| is_backward).map_or(0, |w| w.stride.pow(2)),
            spill: if pass == SplitPass::Whole { spill(gemm, variant, &p) } else { None },
        };
        rendering.quads = rendering.loaded_in_quads();
        rendering
    }

    pub(super) fn source(&self) -> Source {
        let Self { op, variant, pass, p, .. } = self;
        let widths = [self.quads[0], self.quads[1], self.wide, !self.has_tail()];
        let widths: String = widths.map(|wide| if wide { '4' } else { '1' }).iter().collect();
        let (tiles, is_folded) = self.groups();
        let spilled = if self.spill.is_some() { ".spill" } else { "" };
        let folded = if is_folded { ".folded" } else { "" };
        let (kernel, suffix, words) = (op.kernel.name(), pass.suffix(), self.words().join(" "));
        let split_k = variant.split_k();
        Source {
            variant: format!("{kernel}.{variant}{spilled}{folded}{suffix} {widths} {words}").trim_end().to_string(),
            text: self.text(is_folded),
            groups: [tiles[0], tiles[1], if *pass == SplitPass::Parts { split_k.into() } else { 1 }],
            scratch: match pass {
                SplitPass::Parts => (split_k * (p.m * p.n + p.m)) as usize,
                SplitPass::Taps => (p.m * p.n) as usize,
                _ => 0,
            },
            ..Source::default()
        }
    }

    /// Channels of what a convolution makes.
    fn outputs(&self) -> u32 {
        self.taps.map_or(0, |taps| taps.k)
    }

    /// Whether four elements of A, and of B, are loaded at a time.
    fn loaded_in_quads(&self) -> [bool; 2] {
        let (p, windows, outputs, name) = (&self.p, self.windows, self.outputs(), self.body.name);
        let quad = |extent: u32| extent.is_multiple_of(4);
        match (self.gemm.orientation, name) {
            (_, "naive" | "plain") | (Orientation::Tn, "rows") => [false, false],
            // An invocation of `rows` reads a few values of a row of B, one by one.
            (Orientation::Nn, "rows") => [quad(if windows.is_some() { outputs } else { p.k }), false],
            (Orientation::Nt, _) if windows.is_some_and(|w| !quad(w.image[2])) => [false, quad(p.k)],
            (Orientation::Nn, _) if windows.is_some() => [quad(outputs), quad(p.n)],
            (Orientation::Nt, _) => [quad(p.k), quad(p.k)],
            (Orientation::Nn, _) => [quad(p.k), quad(p.n)],
            (Orientation::Tn, _) => {
                // A subgroup loads four rows at a time only where each lane has as many.
                let has_four = self.variant.tile().0.is_multiple_of(4 * self.variant.workgroup().0);
                let fours = matches!(name, "tiles" | "narrow") || name == "subgroup" && has_four;
                [quad(p.m) && fours, quad(windows.map_or(p.n, |w| w.image[2]))]
            }
        }
    }

    /// Whether the terms of a sum are no multiple of four. Each phase has all channels of some taps.
    fn has_tail(&self) -> bool {
        !(if self.phases > 0 { self.outputs() } else { self.p.k }).is_multiple_of(4)
    }

    /// Rows and columns that a workgroup makes.
    fn tile(&self) -> (u32, u32) {
        match self.pass {
            SplitPass::PartsSum => (1, SECOND_PASS * 4),
            SplitPass::TapsSum => (SECOND_PASS, 4),
            _ => self.variant.tile(),
        }
    }

    /// The grid, and whether the tiles are folded into two dimensions because one cannot hold them.
    fn groups(&self) -> ([u64; 2], bool) {
        let (p, tile, most) = (&self.p, self.tile(), self.on.workgroups);
        let rows = match self.windows.filter(|_| self.phases > 0) {
            // The first phase has the most pixels.
            Some(w) => p.m / w.pixels() as u32 * w.image[0].div_ceil(w.stride) * w.image[1].div_ceil(w.stride),
            None => p.m,
        };
        let (down, across) = (rows.div_ceil(tile.0), p.n.div_ceil(tile.1) * self.phases.max(1));
        let tiles = u64::from(down) * u64::from(across);
        match down.max(across) > most {
            true => ([u64::from(most), tiles.div_ceil(most.into())], true),
            false => ([across.into(), down.into()], false),
        }
    }

    fn epilogue(&self) -> String {
        if self.pass.is_first() {
            return String::new();
        }
        // If sums start from the bias, the epilogue must not add it again.
        let add_bias = self.gemm.bias && !matches!(self.body.name, "simd" | "subgroup");
        let form = WgslForm { product: true, pairs: self.gemm.pairs, add_bias, wide: self.wide };
        pointwise::declarations(&self.gemm.epilogue, self.wide) + &pointwise::store(&self.gemm.epilogue, form)
    }

    fn text(&self, is_folded: bool) -> String {
        let gemm = self.gemm;
        let levels = gemm.a_levels || gemm.b_levels || gemm.epilogue.inputs.iter().any(|i| i.index.is_levels());
        let libraries = match self.pass.is_first() {
            true => pointwise::libraries(&Pointwise::default(), levels),
            false => pointwise::libraries(&gemm.epilogue, levels),
        };
        let body = template::render("gemm.wgsl", self.context(is_folded));
        [&[self.on.target.quad_library()], libraries.as_slice(), &[&body]].concat().join("\n")
    }

    /// The facts that the templates use.
    fn context(&self, is_folded: bool) -> minijinja::Value {
        let Self { gemm, variant, p, body, quads: [a_quads, b_quads], .. } = self;
        let (tile_m, tile_n) = self.tile();
        minijinja::context! {
            orientation => gemm.orientation.name(),
            variant => body.name,
            file => body.file,
            epilogue => self.epilogue(),
            partial_only => self.pass.is_first(),
            tile_m,
            tile_n,
            // A product may have fewer columns than a tile.
            cols => p.n.min(4 * body.quads),
            folded => is_folded,
            tile_k => TILE_K,
            quads => body.quads,
            threads => if self.pass.is_second() { SECOND_PASS } else { variant.workgroup().0 },
            split_k => variant.split_k(),
            tail => self.has_tail(),
            spill => self.spill.map(|binding| Pointwise::OUT[binding]),
            permuted => gemm.pairs,
            lanes => variant.workgroup().0,
            vec_a => *a_quads && !gemm.a_levels,
            vec_b => *b_quads && !gemm.b_levels,
            a_levels => gemm.a_levels,
            b_levels => gemm.b_levels,
            vec_n => self.wide,
            bias => gemm.bias,
            row_sum => gemm.row_sum,
            phases => self.phases,
            to_taps => self.taps.filter(|_| self.pass == SplitPass::Taps).zip(gemm.windows).map(|(taps, w)| {
                minijinja::context! { pixels => w.pixels(), places => w.rows(), cols => taps.n, outputs => taps.k }
            }),
            w => self.windows.map(|w| {
                let quads = if gemm.orientation == Orientation::Tn { *b_quads } else { *a_quads };
                context_of(&w, self.outputs(), gemm.a_levels || gemm.b_levels, quads)
            }),
        }
    }

    /// What is compiled in, as words of the shader's name.
    fn words(&self) -> Vec<String> {
        let Self { gemm, p, body, .. } = self;
        let windows = gemm.windows.map(|w| match self.taps {
            Some(taps) => format!("({w}, {})", taps.k),
            None => format!("({w})"),
        });
        let is_short = matches!(body.name, "rows" | "narrow") && p.n < 4 * body.quads;
        let flags = [
            ("a_levels", gemm.a_levels),
            ("b_levels", gemm.b_levels),
            ("bias", gemm.bias),
            ("row_sum", gemm.row_sum),
            // An epilogue shows by itself that it takes pairs.
            ("pairs", gemm.pairs && self.pass.is_first()),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).map(|(name, _)| name.to_string());
        let program = if self.pass.is_first() { String::new() } else { gemm.epilogue.to_string() };
        let cols = is_short.then(|| format!("cols={}", p.n));
        windows.into_iter().chain(cols).chain(flags).chain([program]).collect()
    }
}

/// The store that a large tile is spilled to, so that its epilogue can be a loop: unrolled, the epilogue would be more
/// code than the product and double the compile time. If K is short, spilling would cost more than the product.
fn spill(gemm: &Gemm, variant: GemmVariant, p: &GemmParams) -> Option<usize> {
    let (GemmVariant::Simd { rows, quads } | GemmVariant::Subgroup { rows, quads, .. }) = variant else { return None };
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

/// The facts about windows that the templates use. `outputs`: channels of what the convolution makes; `quads`: whether
/// four channels can be loaded at a time.
fn context_of(w: &Windows, outputs: u32, levels: bool, quads: bool) -> minijinja::Value {
    let ([height, width, channels], s) = (w.image, w.stride);
    let len = height * width * channels;
    minijinja::context! {
        height,
        width,
        channels,
        rows => w.positions[0],
        cols => w.positions[1],
        kernel_height => w.kernel[0],
        kernel_width => w.kernel[1],
        stride => s,
        top => w.padding[0],
        left => w.padding[1],
        outputs,
        // Elements from one image to the next.
        image_stride => if levels { len.next_multiple_of(4) } else { len },
        quads,
        most_down => height.div_ceil(s),
        least_down => height / s,
        most_across => width.div_ceil(s),
        least_across => width / s,
        most_taps => w.kernel[1].div_ceil(s),
        least_taps => w.kernel[1] / s,
    }
}
