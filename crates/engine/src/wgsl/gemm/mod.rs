//! The WGSL of a matrix product, from its templates.

mod tuning_table;
mod variant;

use super::pointwise::{self, WgslForm};
use super::template::{self, TEMPLATES};
use super::{Capabilities, Source, Target};
use crate::kernels::gemm::GemmParams;
use crate::plan::{FuseRule, Gemm, Index, Op, Orientation, Pointwise, Value, Windows};
pub use tuning_table::TuningTable;
pub use variant::GemmVariant;
use variant::{SECOND_PASS, TAPS_QUADS, TILE_K};

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
    passes.into_iter().map(|pass| render(op, gemm, variant, pass, on)).collect()
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

#[derive(Clone, Copy, PartialEq)]
enum SplitPass {
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

fn render(op: &Op, gemm: &Gemm, variant: GemmVariant, pass: SplitPass, on: Capabilities) -> Source {
    // The first pass over taps is a product of its own, of no windows.
    let taps_of = variant::taps(op);
    let taps = taps_of.filter(|_| pass == SplitPass::Taps);
    let (p, windows) = match taps {
        Some(taps) => (taps, None),
        None => (GemmParams::of(op), gemm.windows),
    };
    let quad = |extent: u32| extent.is_multiple_of(4);
    let (rows, cols) = variant.tile();
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
    let threads = if pass.is_second() { SECOND_PASS } else { variant.workgroup().0 };
    let outputs = taps_of.map_or(0, |taps| taps.k);
    let (a_quads, b_quads) = match (gemm.orientation, name) {
        (_, "naive" | "plain") => (false, false),
        // An invocation of `rows` reads a few values of a row of B, one by one.
        (Orientation::Nn, "rows") => (quad(if windows.is_some() { outputs } else { p.k }), false),
        (Orientation::Tn, "rows") => (false, false),
        (Orientation::Nt, _) if windows.is_some_and(|w| !quad(w.image[2])) => (false, quad(p.k)),
        (Orientation::Nn, _) if windows.is_some() => (quad(outputs), quad(p.n)),
        (Orientation::Nt, _) => (quad(p.k), quad(p.k)),
        (Orientation::Nn, _) => (quad(p.k), quad(p.n)),
        (Orientation::Tn, _) => {
            // A subgroup loads four rows at a time only where each lane has as many.
            let fours = matches!(name, "tiles" | "narrow")
                || name == "subgroup" && rows.is_multiple_of(4 * variant.workgroup().0);
            (quad(p.m) && fours, quad(windows.map_or(p.n, |w| w.image[2])))
        }
    };
    let partial_only = pass.is_first();
    let wide = !gemm.pairs && pointwise::is_wide(&gemm.epilogue, p.n) && !partial_only;
    let backward = windows.filter(|_| gemm.orientation == Orientation::Nn && !pass.is_second());
    let phases = backward.map_or(0, |w| w.stride.pow(2));
    // Each phase has all channels of some taps.
    let tail = !quad(if phases > 0 { outputs } else { p.k });
    let spill = if pass == SplitPass::Whole { spill(gemm, variant, &p) } else { None };
    let split_k = variant.split_k();
    // If sums start from the bias, the epilogue must not add it again.
    let add_bias = gemm.bias && !matches!(name, "simd" | "subgroup");
    let form = WgslForm { product: true, pairs: gemm.pairs, add_bias, wide };
    let epilogue = match partial_only {
        true => String::new(),
        false => pointwise::declarations(&gemm.epilogue, wide) + &pointwise::store(&gemm.epilogue, form),
    };
    let tile = match pass {
        SplitPass::PartsSum => (1, SECOND_PASS * 4),
        SplitPass::TapsSum => (SECOND_PASS, 4),
        _ => (rows, cols),
    };
    // If one dimension of the grid cannot hold the tiles, they are folded into two.
    let rows_of_tiles = match backward {
        // The first phase has the most pixels.
        Some(w) => p.m / w.pixels() as u32 * w.image[0].div_ceil(w.stride) * w.image[1].div_ceil(w.stride),
        None => p.m,
    };
    let (down, across) = (rows_of_tiles.div_ceil(tile.0), p.n.div_ceil(tile.1) * phases.max(1));
    let folded = down.max(across) > on.workgroups;
    let tiles = u64::from(down) * u64::from(across);
    let groups = match folded {
        true => [u64::from(on.workgroups), tiles.div_ceil(on.workgroups.into())],
        false => [across.into(), down.into()],
    };
    let context = minijinja::context! {
        orientation => gemm.orientation.name(),
        variant => name,
        file,
        epilogue,
        partial_only,
        tile_m => tile.0,
        tile_n => tile.1,
        // A product may have fewer columns than a tile.
        cols => p.n.min(4 * quads),
        folded,
        tile_k => TILE_K,
        quads,
        threads,
        split_k,
        tail,
        spill => spill.map(|binding| Pointwise::OUT[binding]),
        permuted => gemm.pairs,
        lanes => variant.workgroup().0,
        vec_a => a_quads && !gemm.a_levels,
        vec_b => b_quads && !gemm.b_levels,
        a_levels => gemm.a_levels,
        b_levels => gemm.b_levels,
        vec_n => wide,
        bias => gemm.bias,
        row_sum => gemm.row_sum,
        phases,
        to_taps => taps.zip(gemm.windows).map(|(taps, w)| minijinja::context! {
            pixels => w.pixels(), places => w.rows(), cols => taps.n, outputs => taps.k,
        }),
        w => windows.map(|w| {
            let quads = if gemm.orientation == Orientation::Tn { b_quads } else { a_quads };
            context_of(&w, outputs, gemm.a_levels || gemm.b_levels, quads)
        }),
    };
    let levels = gemm.a_levels || gemm.b_levels || gemm.epilogue.inputs.iter().any(|i| i.index.is_levels());
    let libraries = match partial_only {
        true => pointwise::libraries(&Pointwise::default(), levels),
        false => pointwise::libraries(&gemm.epilogue, levels),
    };
    let text = [&[on.target.quad_library()], libraries.as_slice(), &[&template::render("gemm.wgsl", context)]]
        .concat()
        .join("\n");
    let widths = [a_quads, b_quads, wide, !tail].map(|wide| if wide { '4' } else { '1' });
    let flags = [
        ("a_levels", gemm.a_levels),
        ("b_levels", gemm.b_levels),
        ("bias", gemm.bias),
        ("row_sum", gemm.row_sum),
        // An epilogue shows by itself that it takes pairs.
        ("pairs", gemm.pairs && partial_only),
    ];
    let flags = flags.iter().filter(|(_, set)| *set).map(|(name, _)| name.to_string());
    let program = if partial_only { String::new() } else { gemm.epilogue.to_string() };
    // All that is compiled in.
    let described = gemm.windows.map(|w| match taps_of {
        Some(taps) => format!("({w}, {})", taps.k),
        None => format!("({w})"),
    });
    let cols = (matches!(name, "rows" | "narrow") && p.n < 4 * quads).then(|| format!("cols={}", p.n));
    let words: Vec<String> = described.into_iter().chain(cols).chain(flags).chain([program]).collect();
    let depth = if pass == SplitPass::Parts { split_k.into() } else { 1 };
    Source {
        variant: format!(
            "{}.{variant}{}{}{} {} {}",
            op.kernel.name(),
            if spill.is_some() { ".spill" } else { "" },
            if folded { ".folded" } else { "" },
            match pass {
                SplitPass::Whole => "",
                SplitPass::Parts => ".parts",
                SplitPass::Taps => ".taps",
                SplitPass::PartsSum | SplitPass::TapsSum => ".sum",
            },
            widths.iter().collect::<String>(),
            words.join(" ")
        )
        .trim_end()
        .to_string(),
        text,
        groups: [groups[0], groups[1], depth],
        scratch: match pass {
            SplitPass::Parts => (split_k * (p.m * p.n + p.m)) as usize,
            SplitPass::Taps => (p.m * p.n) as usize,
            _ => 0,
        },
        ..Source::default()
    }
}
