//! Matrix products: a layer's forward product, its `d_input` and its `d_weight`. The epilogue of a product is a
//! pointwise program that runs while the product is in registers.

mod cases;
mod render;
mod tuning_table;
mod variant;

use super::batch::words_per_row;
use super::{Body, index_fits, params};
use crate::plan::{Access, Dtype, Gemm, Grid, Kernel, Op, Orientation, PlanError, Pointwise, TensorId, TensorTable};

pub(super) use cases::cases;
pub use render::fingerprint;
pub(super) use render::sources;
pub use tuning_table::TuningTable;
pub use variant::{GemmVariant, LANES};

params! {
    /// `Params` of `gemm.wgsl.jinja`: `P (m, n) = A B` over `k`.
    pub struct GemmParams {
        /// Rows of P.
        m: u32,
        /// Columns of P.
        n: u32,
        /// Terms of each sum.
        k: u32,
    }
}

impl GemmParams {
    /// Floating-point operations of the product.
    pub fn flops(&self) -> u64 {
        2 * u64::from(self.m) * u64::from(self.n) * u64::from(self.k)
    }
}

/// Checks a matrix of floats, or of grey levels packed in words; returns whether it holds grey levels.
fn expect_levels(
    tensors: &TensorTable,
    label: &str,
    tensor: TensorId,
    [rows, cols]: [usize; 2],
) -> Result<bool, PlanError> {
    let levels = tensors.dtype(tensor) == Dtype::U32;
    tensors.expect_shape(label, tensor, &[rows, if levels { words_per_row(cols) } else { cols }])?;
    Ok(levels)
}

/// `C (M, N) = A B`.
pub fn product(
    tensors: &TensorTable,
    label: impl Into<String>,
    orientation: Orientation,
    [a, b, c]: [TensorId; 3],
) -> Result<Op, PlanError> {
    let label = label.into();
    let (m, n) = tensors.matrix(&label, c)?;
    let (a_rows, a_cols) = tensors.matrix(&label, a)?;
    let (_, b_cols) = tensors.matrix(&label, b)?;
    let (k, a_shape, b_shape) = match orientation {
        // If A is packed, only the number of words per row is known, not the number of columns.
        Orientation::Nt => (b_cols, [m, b_cols], [n, b_cols]),
        Orientation::Nn => (a_cols, [m, a_cols], [a_cols, n]),
        Orientation::Tn => (a_rows, [a_rows, m], [a_rows, n]),
    };
    let a_levels = expect_levels(tensors, &label, a, a_shape)?;
    let b_levels = expect_levels(tensors, &label, b, b_shape)?;
    for elements in [m * n, k * n, m * k] {
        index_fits(&label, elements)?;
    }
    let params = GemmParams { m: index_fits(&label, m)?, n: index_fits(&label, n)?, k: index_fits(&label, k)? };
    let gemm = Gemm {
        orientation,
        a_levels,
        b_levels,
        bias: false,
        row_sum: false,
        pairs: false,
        epilogue: Pointwise::default(),
    };
    let mut op = Op::new(label, Kernel::Gemm(gemm), Grid::Tiles { rows: m, cols: n })
        .read("a", a)
        .read("b", b)
        .params(params.block());
    let plain = Body { program: Pointwise::plain(), writes: vec![c], ..Body::default() };
    plain.bind(tensors, &mut op, [m, n])?;
    Ok(op)
}

/// Adds `bias (N)` to every row of a product.
pub fn add_bias(tensors: &TensorTable, op: &mut Op, bias: TensorId) -> Result<(), PlanError> {
    tensors.expect(&op.label, bias, &[GemmParams::of(op).n as usize])?;
    if let Kernel::Gemm(gemm) = &mut op.kernel {
        gemm.bias = true;
    }
    op.add("bias", bias, Access::Read);
    Ok(())
}

/// Adds the column sums of A, `row_sum (M)`, as another output of a `tn` product.
pub fn add_row_sum(tensors: &TensorTable, op: &mut Op, row_sum: TensorId) -> Result<(), PlanError> {
    tensors.expect(&op.label, row_sum, &[GemmParams::of(op).m as usize])?;
    if let Kernel::Gemm(gemm) = &mut op.kernel {
        gemm.row_sum = true;
    }
    op.add("row_sum", row_sum, Access::Write);
    Ok(())
}

/// Sets the epilogue of a product; an epilogue that takes pairs of columns makes it a product of pairs.
pub fn set_epilogue(tensors: &TensorTable, op: &mut Op, body: Body) -> Result<(), PlanError> {
    let p = GemmParams::of(op);
    let pairs = body.program.takes_pairs();
    if let Kernel::Gemm(gemm) = &mut op.kernel {
        gemm.pairs = pairs;
    }
    let cols = if pairs { p.n / 2 } else { p.n };
    body.bind(tensors, op, [p.m as usize, cols as usize])
}
