//! Matrix products with their epilogues: a layer forward, its `d_input` and its `d_weight`.

use super::activation::Activation;
use super::case::{Case, Fill, Tolerance};
use super::{Source, Target, index_fits, params};
use crate::plan::{Dtype, Family, Grid, Kernel, Op, PlanError, StepScalars, TensorId, TensorTable};

params! {
    /// `Params` of `dense.wgsl.jinja`: `C (m, n) = A B` over `k`.
    pub struct DenseParams {
        /// Rows of C.
        m: u32,
        /// Columns of C.
        n: u32,
        /// Terms of each sum.
        k: u32,
        /// Rows of C that are added to instead of overwritten.
        kept_rows: u32,
    }
}

/// What rides along with a product.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue {
    /// `(N)`, added to every row.
    pub bias: Option<TensorId>,
    /// Applied to the sum.
    pub activation: Activation,
    /// `(M, N)`: where the activation's input is kept.
    pub pre: Option<TensorId>,
    /// The product is a gradient: multiply by this activation's slope at `(M, N)` what its forward pass saved.
    pub gradient: Option<(Activation, TensorId)>,
    /// `(M)`: the column sums of A, for `tn`.
    pub row_sum: Option<TensorId>,
    /// Rows of C that are added to instead of overwritten.
    pub kept_rows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orientation {
    Nt,
    Nn,
    Tn,
}

fn product(
    tensors: &TensorTable,
    label: String,
    orientation: Orientation,
    [a, b, c]: [TensorId; 3],
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    let (m, n) = tensors.matrix(&label, c)?;
    let (a_rows, a_cols) = tensors.matrix(&label, a)?;
    let (entry, k, b_shape, a_shape) = match orientation {
        Orientation::Nt => ("nt", a_cols, [n, a_cols], [m, a_cols]),
        Orientation::Nn => ("nn", a_cols, [a_cols, n], [m, a_cols]),
        Orientation::Tn => ("tn", a_rows, [a_rows, n], [a_rows, m]),
    };
    tensors.expect(&label, a, &a_shape)?;
    tensors.expect(&label, b, &b_shape)?;
    index_fits(&label, m * n)?;
    index_fits(&label, k * n)?;
    index_fits(&label, m * k)?;
    let flag = |present: bool| u32::from(present);
    let gradient = epilogue.gradient.filter(|(a, _)| *a != Activation::Identity);
    let kernel = Kernel::new(Family::Dense, entry)
        .with("bias", flag(epilogue.bias.is_some()))
        .with("activation", epilogue.activation as u32)
        .with("keep_pre", flag(epilogue.pre.is_some()))
        .with("gradient", gradient.map_or(0, |(a, _)| a as u32))
        .with("accumulate", flag(epilogue.kept_rows > 0))
        .with("row_sum", flag(epilogue.row_sum.is_some()));
    let params = DenseParams {
        m: index_fits(&label, m)?,
        n: index_fits(&label, n)?,
        k: index_fits(&label, k)?,
        kept_rows: index_fits(&label, epilogue.kept_rows)?,
    };
    let mut op = Op::new(label.clone(), kernel, Grid::Tiles { rows: m, cols: n })
        .read("a", a)
        .read("b", b)
        .params(params.block())
        .flops(2 * m * n * k);
    op = if epilogue.kept_rows > 0 { op.update("c", c) } else { op.write("c", c) };
    if let Some(bias) = epilogue.bias {
        tensors.expect(&label, bias, &[n])?;
        op = op.read("bias", bias);
    }
    if let Some(pre) = epilogue.pre {
        tensors.expect(&label, pre, &[m, n])?;
        op = op.write("pre", pre);
    }
    if let Some((_, saved)) = gradient {
        tensors.expect(&label, saved, &[m, n])?;
        op = op.read("saved", saved);
    }
    if let Some(row_sum) = epilogue.row_sum {
        tensors.expect(&label, row_sum, &[m])?;
        op = op.write("row_sum", row_sum);
    }
    Ok(op)
}

/// `y (B, out) = activate(x (B, in) W^T + bias)`, `W [out, in]`.
pub fn forward(
    tensors: &TensorTable,
    label: impl Into<String>,
    [x, weight, y]: [TensorId; 3],
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    product(tensors, label.into(), Orientation::Nt, [x, weight, y], epilogue)
}

/// `d_x (B, in) = d_y (B, out) W`, `W [out, in]`; also `forward` through a transposed weight.
pub fn d_input(
    tensors: &TensorTable,
    label: impl Into<String>,
    [d_y, weight, d_x]: [TensorId; 3],
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    product(tensors, label.into(), Orientation::Nn, [d_y, weight, d_x], epilogue)
}

/// `d_W (out, in) = d_y (B, out)^T x (B, in)`; `row_sum (out)` is `d_bias`.
pub fn d_weight(
    tensors: &TensorTable,
    label: impl Into<String>,
    [d_y, x, d_weight]: [TensorId; 3],
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    product(tensors, label.into(), Orientation::Tn, [d_y, x, d_weight], epilogue)
}

/// The work of one invocation and workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    name: &'static str,
    tile_m: u32,
    tile_n: u32,
    tile_k: u32,
    threads: u32,
}

/// Lanes of a software adapter's vectors (lavapipe: 8), each with 4 columns; the subgroup of [`Target::Spread`].
pub const LANES: u32 = 8;

fn layout(p: &DenseParams, target: Target) -> Layout {
    match target {
        Target::Lanes | Target::Spread => Layout {
            name: if target == Target::Spread { "spread" } else { "lanes" },
            // The taller the tile, the more products a loaded value serves, as long as there are rows for it.
            tile_m: p.m.next_multiple_of(4).min(32),
            tile_n: LANES * 4,
            tile_k: 4,
            threads: LANES,
        },
        Target::Tiles => {
            // With batch 128 most outputs are too small to fill a GPU with large tiles.
            let large = p.m.div_ceil(64) * p.n.div_ceil(64) >= 64;
            let side = if large { 64 } else { 32 };
            Layout { name: "tiles", tile_m: side, tile_n: side, tile_k: 16, threads: side * side / 16 }
        }
    }
}

const TEMPLATE: &str = include_str!("../../shaders/dense.wgsl.jinja");

/// Renders the template for an op on a target.
pub(super) fn source(op: &Op, target: Target) -> Source {
    let p = DenseParams::of(op);
    let layout = layout(&p, target);
    let quad = |extent: u32| extent.is_multiple_of(4);
    let (vec_a, vec_b) = match op.kernel.entry {
        "nt" => (quad(p.k), quad(p.k)),
        "nn" => (quad(p.k), quad(p.n)),
        _ => (quad(p.m), quad(p.n)),
    };
    let constant = |name| op.kernel.constant(name);
    let context = minijinja::context! {
        orientation => op.kernel.entry,
        layout => layout.name,
        tile_m => layout.tile_m,
        tile_n => layout.tile_n,
        tile_k => layout.tile_k,
        threads => layout.threads,
        lanes => LANES,
        vec_a,
        vec_b,
        vec_c => quad(p.n),
        bias => constant("bias") == 1,
        activation => constant("activation"),
        keep_pre => constant("keep_pre") == 1,
        gradient => constant("gradient"),
        accumulate => constant("accumulate") == 1,
        row_sum => constant("row_sum") == 1,
    };
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let text = environment
        .render_str(TEMPLATE, context)
        // The template is part of the program, and a test renders every variant of it.
        .unwrap_or_else(|error| panic!("dense.wgsl.jinja: {error:#}"));
    Source {
        variant: format!(
            "{} {} {}x{} {}{}{} {:?}",
            op.kernel.name(),
            layout.name,
            layout.tile_m,
            layout.tile_n,
            u8::from(vec_a),
            u8::from(vec_b),
            u8::from(quad(p.n)),
            op.kernel.constants
        ),
        text,
        constants: Vec::new(),
        tile: Some((layout.tile_m, layout.tile_n)),
    }
}

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    // 1, primes, a tile less one, a tile, a tile more one, for both targets' tiles (32 x 32, 64 x 64, by 16).
    for (batch, inputs, outputs) in [
        (1, 1, 1),
        (2, 3, 5),
        (6, 10, 14),
        (7, 13, 11),
        (31, 4, 33),
        (32, 16, 32),
        (33, 17, 31),
        (65, 63, 64),
        (64, 65, 129),
        (128, 36, 20),
        (100, 2, 100),
        (515, 21, 520),
    ] {
        for activation in [Activation::Identity, Activation::Tanh] {
            all.push(forward_case(batch, inputs, outputs, activation, false));
            all.push(d_input_case(batch, inputs, outputs, activation));
        }
        all.push(d_weight_case(batch, inputs, outputs, 0, true));
        all.push(d_weight_case(batch, inputs, outputs, outputs / 2 + 1, false));
        all.push(tied_case(batch, inputs, outputs, Activation::Silu));
    }
    for activation in Activation::ALL {
        all.push(forward_case(9, 12, 17, activation, false));
        all.push(forward_case(9, 12, 16, activation, false));
        all.push(d_input_case(9, 12, 17, activation));
        all.push(d_input_case(9, 17, 12, activation));
        all.push(tied_case(9, 12, 17, activation));
        all.push(gradient_case(activation));
    }
    for (batch, inputs, outputs) in [(128, 784, 400), (128, 400, 40), (128, 20, 400), (128, 400, 784)] {
        all.push(forward_case(batch, inputs, outputs, Activation::Relu, true));
        all.push(d_input_case(batch, inputs, outputs, Activation::Relu).timed(true));
        all.push(d_weight_case(batch, inputs, outputs, 0, true).timed(true));
    }
    all
}

// Sums of up to 784 products in another order than the oracle's.
const SUMS: Tolerance = Tolerance::Relative(2e-5);

fn forward_case(batch: usize, inputs: usize, outputs: usize, activation: Activation, timed: bool) -> Case {
    let name = format!("dense/forward {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(1.0));
    let bias = case.input("bias", &[outputs], Dtype::F32, Fill::Heavy { common: 1.0, rare: 40.0 });
    let y = case.output("y", &[batch, outputs], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, outputs], SUMS));
    let epilogue = Epilogue { bias: Some(bias), activation, pre, ..Epilogue::default() };
    case.op(|t| forward(t, "forward", [x, weight, y], epilogue));
    case.timed(timed)
}

fn d_input_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("dense/d_input {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(1.0));
    // What a forward pass can have saved: an input anywhere, or an output in the activation's range.
    let fill = match activation {
        Activation::Silu | Activation::Gelu => Fill::Heavy { common: 3.0, rare: 40.0 },
        Activation::Softplus | Activation::Sigmoid => Fill::Levels,
        // The slope at 0 is PyTorch's: that of the negative side.
        Activation::Relu | Activation::LeakyRelu => Fill::Among(&[-0.9, -0.2, 0.0, 0.3, 0.8]),
        _ => Fill::Spread(0.99),
    };
    let saved = case.input("saved", &[batch, inputs], Dtype::F32, fill);
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let epilogue = Epilogue { gradient: Some((activation, saved)), ..Epilogue::default() };
    case.op(|t| d_input(t, "d_input", [d_y, weight, d_x], epilogue));
    case
}

fn d_weight_case(batch: usize, inputs: usize, outputs: usize, kept_rows: usize, with_bias: bool) -> Case {
    let name = format!("dense/d_weight {batch}x{inputs}x{outputs} keeping {kept_rows}");
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let gradient = if kept_rows > 0 {
        case.updated("d_weight", &[outputs, inputs], Fill::Spread(1.0), SUMS)
    } else {
        case.output("d_weight", &[outputs, inputs], SUMS)
    };
    let row_sum = with_bias.then(|| case.output("d_bias", &[outputs], SUMS));
    let epilogue = Epilogue { row_sum, kept_rows, ..Epilogue::default() };
    case.op(|t| d_weight(t, "d_weight", [d_y, x, gradient], epilogue));
    case
}

/// A layer through a transposed weight, `[in, out]`, forward and its `d_input`: the orientations trade places.
fn tied_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("dense/tied {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(1.0);
    // The input is also what the layer before it saved: levels are in every activation's range.
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Levels);
    let weight = case.input("weight", &[inputs, outputs], Dtype::F32, spread);
    let bias = case.input("bias", &[outputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, outputs], SUMS));
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let epilogue = Epilogue { bias: Some(bias), activation, pre, ..Epilogue::default() };
    let back = Epilogue { gradient: Some((activation, x)), ..Epilogue::default() };
    case.op(|t| d_input(t, "forward", [x, weight, y], epilogue));
    case.op(|t| forward(t, "d_input", [d_y, weight, d_x], back));
    case
}

/// Two layers forward and back: every gradient of the first is checked against differences.
fn gradient_case(activation: Activation) -> Case {
    let (batch, inputs, hidden, outputs) = (3, 4, 5, 2);
    let name = format!("dense/gradient {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(1.0);
    let x = case.input("x", &[batch, inputs], Dtype::F32, spread);
    let w1 = case.input("w1", &[hidden, inputs], Dtype::F32, spread);
    let b1 = case.input("b1", &[hidden], Dtype::F32, spread);
    let w2 = case.input("w2", &[outputs, hidden], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let h = case.output("h", &[batch, hidden], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, hidden], SUMS));
    let y = case.output("y", &[batch, outputs], SUMS);
    let d_w2 = case.output("d_w2", &[outputs, hidden], SUMS);
    let d_h = case.output("d_h", &[batch, hidden], SUMS);
    let d_w1 = case.output("d_w1", &[hidden, inputs], SUMS);
    let d_b1 = case.output("d_b1", &[hidden], SUMS);
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let none = Epilogue::default();
    let first = Epilogue { bias: Some(b1), activation, pre, ..none };
    let back = Epilogue { gradient: Some((activation, pre.unwrap_or(h))), ..none };
    let bias = Epilogue { row_sum: Some(d_b1), ..none };
    case.op(|t| forward(t, "first", [x, w1, h], first));
    case.op(|t| forward(t, "second", [h, w2, y], none));
    case.op(|t| d_weight(t, "second d_weight", [d_y, h, d_w2], none));
    case.op(|t| d_input(t, "second d_input", [d_y, w2, d_h], back));
    case.op(|t| d_weight(t, "first d_weight", [d_h, x, d_w1], bias));
    case.op(|t| d_input(t, "first d_input", [d_h, w1, d_x], none));
    case.loss_weighted(y, d_y);
    for (input, gradient) in [(w2, d_w2), (w1, d_w1), (b1, d_b1), (x, d_x)] {
        case.gradient(input, gradient);
    }
    case
}
