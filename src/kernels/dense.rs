//! Matrix products with their epilogues: a layer forward, its `d_input` and its `d_weight`; and what the latent variable
//! and the likelihood do to a product while it is still in registers.

use super::activation::Activation;
use super::batch::words_per_row;
use super::latent::Noise;
use super::likelihood::Term;
use super::{index_fits, params};
use crate::plan::{Dtype, Family, Grid, Kernel, Op, PlanError, TensorId, TensorTable};

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
        /// Columns of `parts`.
        parts_stride: u32,
        /// The first column of `parts` that is this op's.
        parts_from: u32,
        /// `1 / sigma^2`, for a gaussian with a fixed sigma.
        inv_var: f32,
        /// `ln(sigma sqrt(2 pi))`, or 0 for a plain squared error.
        log_norm: f32,
    }
}

/// `parts (B, P)`: a loss for every four columns of a product, from column `from` on.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// The tensor.
    pub tensor: TensorId,
    /// The first column.
    pub from: usize,
}

impl Parts {
    /// How many columns a product of so many has.
    pub fn of(cols: usize) -> usize {
        cols.div_ceil(4)
    }
}

/// What a product is for, where it is more than its own result.
#[derive(Debug, Clone, Copy, Default)]
pub enum Ending {
    /// C is the product.
    #[default]
    Plain,
    /// The product is `mu | logvar (B, 2Z)`: z is drawn, the KL's terms go to `parts`.
    Sample {
        /// `(B, Z)`: the noise, kept or given; unused where there is none.
        noise: TensorId,
        /// Where it comes from.
        mode: Noise,
        /// `(B, Z)`.
        z: TensorId,
        /// The KL's terms.
        parts: Parts,
    },
    /// The product is `d_z (B, Z)`; C `(B, 2Z)` is the gradient of `mu | logvar`, the KL's included.
    Backward {
        /// `(B, 2Z)`: `mu | logvar`.
        heads: TensorId,
        /// `(B, Z)`: the noise of the forward pass.
        drawn: TensorId,
    },
    /// The product is the decoder's output; C is its gradient, the losses go to `parts`.
    Likelihood {
        /// Which loss.
        term: Term,
        /// `(B, D)`: what the output should have been.
        x: TensorId,
        /// The losses.
        parts: Parts,
    },
}

/// Which [`Ending`] an op has, as its kernel's constants tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Riding {
    Plain = 0,
    Sample = 1,
    Backward = 2,
    Likelihood = 3,
}

impl Riding {
    pub fn of(kernel: &Kernel) -> Self {
        match kernel.constant("riding") {
            1 => Riding::Sample,
            2 => Riding::Backward,
            3 => Riding::Likelihood,
            _ => Riding::Plain,
        }
    }

    /// The template's word.
    pub fn name(self) -> &'static str {
        match self {
            Riding::Plain => "plain",
            Riding::Sample => "sample",
            Riding::Backward => "backward",
            Riding::Likelihood => "likelihood",
        }
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
    /// What the product is for.
    pub ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orientation {
    Nt,
    Nn,
    Tn,
}

/// Whether an op takes a tensor as grey levels, four to a word.
pub(crate) fn is_bytes(kernel: &Kernel, name: &str) -> bool {
    let constant = match name {
        "a" => "a_bytes",
        "b" => "b_bytes",
        _ => "x_bytes",
    };
    kernel.constant(constant) == 1
}

/// Checks a matrix of floats, or of grey levels packed in words; tells which it is.
fn expect_levels(
    tensors: &TensorTable,
    label: &str,
    tensor: TensorId,
    [rows, cols]: [usize; 2],
) -> Result<bool, PlanError> {
    let bytes = tensors.dtype(tensor) == Dtype::U32;
    tensors.expect_shape(label, tensor, &[rows, if bytes { words_per_row(cols) } else { cols }])?;
    Ok(bytes)
}

fn product(
    tensors: &TensorTable,
    label: String,
    orientation: Orientation,
    [a, b, c]: [TensorId; 3],
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    let (m, c_cols) = tensors.matrix(&label, c)?;
    let n = if matches!(epilogue.ending, Ending::Backward { .. }) { c_cols / 2 } else { c_cols };
    let (a_rows, a_cols) = tensors.matrix(&label, a)?;
    let (_, b_cols) = tensors.matrix(&label, b)?;
    let (entry, k, b_shape, a_shape) = match orientation {
        // Of A's columns, where they are packed, nothing but their words is known.
        Orientation::Nt => ("nt", b_cols, [n, b_cols], [m, b_cols]),
        Orientation::Nn => ("nn", a_cols, [a_cols, n], [m, a_cols]),
        Orientation::Tn => ("tn", a_rows, [a_rows, n], [a_rows, m]),
    };
    let a_bytes = expect_levels(tensors, &label, a, a_shape)?;
    let b_bytes = expect_levels(tensors, &label, b, b_shape)?;
    index_fits(&label, m * c_cols)?;
    index_fits(&label, k * n)?;
    index_fits(&label, m * k)?;
    let flag = |present: bool| u32::from(present);
    let gradient = epilogue.gradient.filter(|(a, _)| *a != Activation::Identity);
    let (riding, parts) = match epilogue.ending {
        Ending::Plain => (Riding::Plain, None),
        Ending::Sample { parts, .. } => (Riding::Sample, Some(parts)),
        Ending::Backward { .. } => (Riding::Backward, None),
        Ending::Likelihood { parts, .. } => (Riding::Likelihood, Some(parts)),
    };
    let kernel = Kernel::new(Family::Dense, entry)
        .with("bias", flag(epilogue.bias.is_some()))
        .with("activation", epilogue.activation as u32)
        .with("keep_pre", flag(epilogue.pre.is_some()))
        .with("gradient", gradient.map_or(0, |(a, _)| a as u32))
        .with("accumulate", flag(epilogue.kept_rows > 0))
        .with("row_sum", flag(epilogue.row_sum.is_some()))
        .with("riding", riding as u32)
        .with("a_bytes", flag(a_bytes))
        .with("b_bytes", flag(b_bytes));
    let mut params = DenseParams {
        m: index_fits(&label, m)?,
        n: index_fits(&label, n)?,
        k: index_fits(&label, k)?,
        kept_rows: index_fits(&label, epilogue.kept_rows)?,
        parts_stride: 0,
        parts_from: 0,
        inv_var: 1.0,
        log_norm: 0.0,
    };
    let mut op =
        Op::new(label.clone(), kernel, Grid::Tiles { rows: m, cols: n }).read("a", a).read("b", b).flops(2 * m * n * k);
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
    if let Some(parts) = parts {
        let (_, stride) = tensors.matrix(&label, parts.tensor)?;
        let needed = parts.from + Parts::of(n);
        tensors.expect(&label, parts.tensor, &[m, stride.max(needed)])?;
        params.parts_stride = index_fits(&label, stride)?;
        params.parts_from = index_fits(&label, parts.from)?;
        op = op.write("parts", parts.tensor).touching(m * Parts::of(n));
    }
    match epilogue.ending {
        Ending::Plain => {}
        Ending::Sample { noise, mode, z, .. } => {
            for tensor in [noise, z] {
                tensors.expect(&label, tensor, &[m, n / 2])?;
            }
            op.kernel = op.kernel.with("noise", mode as u32);
            op = op.write("z", z);
            if mode != Noise::Off {
                op = op.update("noise", noise);
            }
            op.flops += (m * n * 5) as u64;
        }
        Ending::Backward { heads, drawn } => {
            tensors.expect(&label, heads, &[m, 2 * n])?;
            tensors.expect(&label, drawn, &[m, n])?;
            op = op.read("heads", heads).read("drawn", drawn);
            op.flops += (m * n * 10) as u64;
        }
        Ending::Likelihood { term, x, .. } => {
            let x_bytes = expect_levels(tensors, &label, x, [m, n])?;
            op.kernel = op.kernel.with("likelihood", term.number()).with("x_bytes", flag(x_bytes));
            op = op.read("x", x);
            (params.inv_var, params.log_norm) = term.constants();
            if let Term::Square { log_sigma } = term {
                tensors.expect(&label, log_sigma, &[1])?;
                op = op.read("log_sigma", log_sigma);
            }
            op.flops += (m * n * term.flops()) as u64;
        }
    }
    Ok(op.params(params.block()))
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
