//! Sums over the windows of images, channel by channel: pooling, upsampling, and their gradients.

use super::{Capabilities, Source, index_fits, params, template};
use crate::plan::{Grid, Kernel, Op, PlanError, Pool, TensorId, TensorTable, Windows};

params! {
    /// `Params` of `pool.wgsl.jinja`.
    pub struct PoolParams {
        /// Invocations: elements of the result, or fours of them.
        count: u32,
    }
}

/// Channels that an invocation makes.
fn lanes(windows: &Windows) -> usize {
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

/// The WGSL of an op.
pub(super) fn source(op: &Op, pool: &Pool, on: Capabilities) -> Source {
    let w = &pool.windows;
    let [height, width, channels] = w.image;
    let factor = pool.factor();
    let lanes_of_group = on.target.workgroup(op.grid);
    let text = template::render(
        "pool.wgsl",
        minijinja::context! {
            entry => op.kernel.entry(), wide => lanes(w) == 4, height, width, channels, positions => w.positions,
            kernel => w.kernel, stride => w.stride, padding => w.padding, factor => format!("{factor:?}f"),
        },
    );
    let count = u64::from(PoolParams::of(op).count);
    Source {
        variant: format!("{} {w} x{factor} WG={lanes_of_group}", op.kernel.name()),
        text,
        constants: vec![("WG", f64::from(lanes_of_group))],
        groups: on.fold(count.div_ceil(lanes_of_group.into())),
        ..Source::default()
    }
}
