//! Kernels that measure an adapter's roofs, which other kernels are compared with.

use super::{index_fits, params};
use crate::plan::{Grid, Kernel, Op, PlanError, Roof, TensorId, TensorTable};

params! {
    /// `Params` of `roof.wgsl`.
    pub struct RoofParams {
        /// A quarter of the elements.
        quads: u32,
        /// Every sum is multiplied by this,
        scale: f32,
        /// and this is added.
        shift: f32,
    }
}

/// Multiply-adds of each of an invocation's 8 sums.
pub const ROUNDS: usize = 1024;

fn block(label: &str, len: usize) -> Result<crate::plan::ParamsBlock, PlanError> {
    // Exact in f32, and different if one round were added or missing.
    Ok(RoofParams { quads: index_fits(label, len / 4)?, scale: 1.0, shift: 1.0 / 1024.0 }.block())
}

/// `result (L)`, L a multiple of 4, from arithmetic alone.
pub fn multiply_add(tensors: &TensorTable, result: TensorId) -> Result<Op, PlanError> {
    let label = "multiply-add";
    let len = tensors.get(result).len();
    Ok(Op::new(label, Kernel::Roof(Roof::MultiplyAdd), Grid::Elements(len / 4))
        .write("result", result)
        .params(block(label, len)?)
        .flops(len / 4 * 8 * 2 * ROUNDS))
}

/// `result (L) = source (L)`, L a multiple of 4.
pub fn copy(tensors: &TensorTable, source: TensorId, result: TensorId) -> Result<Op, PlanError> {
    let label = "copy";
    let len = tensors.get(source).len();
    tensors.expect(label, result, &[len])?;
    Ok(Op::new(label, Kernel::Roof(Roof::Copy), Grid::Elements(len / 4))
        .read("source", source)
        .write("result", result)
        .params(block(label, len)?))
}
