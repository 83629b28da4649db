//! Matrix products: a layer's forward product, its `d_input` and its `d_weight`. The epilogue of a product is a
//! pointwise program that runs while the product is in registers.

use super::batch::words_per_row;
use super::{Body, index_fits, params};
use crate::plan::{
    Access, Dtype, Gemm, Grid, Kernel, Op, Orientation, PlanError, Pointwise, TensorId, TensorTable, Windows,
};

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

/// Floating-point operations of a product, among them those with the zeros around an image.
pub fn flops(gemm: &Gemm, p: &GemmParams) -> u64 {
    let all = 2 * u64::from(p.m) * u64::from(p.n) * u64::from(p.k);
    match &gemm.windows {
        // A pixel has only some of the taps.
        Some(windows) if gemm.orientation == Orientation::Nn => all / windows.pixels() as u64 * windows.rows() as u64,
        _ => all,
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
    plain(tensors, label, orientation, [a, b, c], [m, n, k], [a_levels, b_levels], None)
}

/// A product one operand of which, or the result, is the windows of images:
///
/// | orientation | | A | B | C |
/// |---|---|---|---|---|
/// | `nt` | convolution forward | images, as windows `(B OH OW, KH KW C)` | weights `(CO, KH KW C)` | `(B OH OW, CO)` |
/// | `tn` | its `d_weight` | `d_y (B OH OW, CO)` | images, as windows | `(CO, KH KW C)` |
/// | `nn` | its `d_input`: the windows' gradients, summed where they overlap | `d_y (B OH OW, CO)` | weights | images `(B H W, C)` |
///
/// A transposed convolution forward is the `d_input`, and its own gradient is the forward.
pub fn convolution(
    tensors: &TensorTable,
    label: impl Into<String>,
    orientation: Orientation,
    [a, b, c]: [TensorId; 3],
    windows: Windows,
) -> Result<Op, PlanError> {
    let label = label.into();
    let (rows, taps) = (windows.rows(), windows.cols());
    let images = match orientation {
        Orientation::Nn => tensors.get(a).len() / tensors.matrix(&label, b)?.0 / rows,
        Orientation::Nt => tensors.matrix(&label, c)?.0 / rows,
        Orientation::Tn => tensors.matrix(&label, a)?.0 / rows,
    };
    let pixels = images * windows.pixels();
    // Grey levels are packed in words, and each image starts on a word.
    let levels = |id: TensorId| -> Result<bool, PlanError> {
        let levels = tensors.dtype(id) == Dtype::U32;
        let found = tensors.get(id);
        let expected = match levels {
            true => vec![images, words_per_row(windows.image_len())],
            false => vec![pixels, windows.channels()],
        };
        if found.len() != expected.iter().product::<usize>() {
            return Err(PlanError::Shape {
                op: label.clone(),
                tensor: found.name.clone(),
                found: found.shape.clone(),
                expected,
            });
        }
        Ok(levels)
    };
    let (sizes, is_levels) = match orientation {
        Orientation::Nt => {
            let (outputs, _) = tensors.matrix(&label, b)?;
            tensors.expect(&label, b, &[outputs, taps])?;
            tensors.expect(&label, c, &[images * rows, outputs])?;
            ([images * rows, outputs, taps], [levels(a)?, false])
        }
        Orientation::Tn => {
            let (_, outputs) = tensors.matrix(&label, a)?;
            tensors.expect(&label, a, &[images * rows, outputs])?;
            tensors.expect(&label, c, &[outputs, taps])?;
            ([outputs, taps, images * rows], [false, levels(b)?])
        }
        Orientation::Nn => {
            let (outputs, _) = tensors.matrix(&label, b)?;
            tensors.expect(&label, b, &[outputs, taps])?;
            tensors.expect(&label, a, &[images * rows, outputs])?;
            tensors.expect(&label, c, &[pixels, windows.channels()])?;
            ([pixels, windows.channels(), taps / windows.channels() * outputs], [false, false])
        }
    };
    for id in [a, b, c] {
        index_fits(&label, 4 * tensors.get(id).len())?;
    }
    plain(tensors, label, orientation, [a, b, c], sizes, is_levels, Some(windows))
}

/// A product without bias and epilogue.
fn plain(
    tensors: &TensorTable,
    label: String,
    orientation: Orientation,
    [a, b, c]: [TensorId; 3],
    [m, n, k]: [usize; 3],
    [a_levels, b_levels]: [bool; 2],
    windows: Option<Windows>,
) -> Result<Op, PlanError> {
    let params = GemmParams { m: index_fits(&label, m)?, n: index_fits(&label, n)?, k: index_fits(&label, k)? };
    let gemm = Gemm {
        orientation,
        a_levels,
        b_levels,
        bias: false,
        row_sum: false,
        windows,
        pairs: false,
        epilogue: Pointwise::default(),
    };
    let mut op = Op::new(label, Kernel::Gemm(gemm), Grid::Tiles { rows: m, cols: n })
        .read("a", a)
        .read("b", b)
        .params(params.block());
    let body = Body { program: Pointwise::plain(), writes: vec![c], ..Body::default() };
    body.bind(tensors, &mut op, [m, n])?;
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
