//! Sums over the windows of images, channel by channel: pooling, upsampling, and their gradients.

use super::{index_fits, params};
use crate::plan::{Grid, Kernel, Op, PlanError, Pool, TensorId, TensorTable, Windows};

params! {
    /// `Params` of `pool.wgsl.jinja`.
    pub struct PoolParams {
        /// Invocations: elements of the result, or fours of them.
        count: u32,
    }
}

/// Channels that an invocation makes.
pub(crate) fn lanes(windows: &Windows) -> usize {
    if windows.channels().is_multiple_of(4) { 4 } else { 1 }
}

/// Images `(B H W, C)` to the factor times the sums of their windows `(B OH OW, C)`, or back.
pub fn pool(
    tensors: &TensorTable,
    label: impl Into<String>,
    [from, to]: [TensorId; 2],
    pool: Pool,
) -> Result<Op, PlanError> {
    let label = label.into();
    let windows = pool.windows;
    let (rows, cols) = tensors.matrix(&label, from)?;
    let [inside, outside] = pool.rows();
    let images = rows / inside;
    tensors.expect(&label, from, &[images * inside, windows.channels()])?;
    tensors.expect(&label, to, &[images * outside, windows.channels()])?;
    index_fits(&label, images * windows.image_len())?;
    let elements = images * outside * cols;
    let invocations = elements / lanes(&windows);
    let params = PoolParams { count: index_fits(&label, invocations)? };
    let taps: usize = windows.kernel.iter().map(|n| *n as usize).product();
    Ok(Op::new(label, Kernel::Pool(pool), Grid::Elements(invocations))
        .read("source", from)
        .write("result", to)
        .params(params.block())
        .flops(images * windows.rows() * taps * cols))
}
