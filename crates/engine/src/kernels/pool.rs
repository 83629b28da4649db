//! Sums over the windows of images, channel by channel: pooling, upsampling, and their gradients.

use super::case::{Case, Fill, Tolerance};
use super::{Capabilities, Source, index_fits, params, template};
use crate::plan::{Dtype, Grid, Kernel, Op, PlanError, Pool, StepScalars, TensorId, TensorTable, Way, Windows};

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

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(1e-5);
    for (images, image, kernel, stride, padding) in [
        (1, [1, 1, 1], [1, 1], 1, [0, 0]),
        (2, [6, 4, 3], [2, 2], 2, [0, 0]),
        (3, [7, 5, 8], [2, 2], 2, [0, 0]),
        (2, [9, 6, 5], [3, 3], 3, [0, 0]),
        // Every pixel of an image.
        (5, [4, 7, 4], [4, 7], 1, [0, 0]),
        // Windows that overlap, windows that leave pixels out, windows beyond the edge.
        (2, [7, 8, 4], [3, 3], 2, [1, 1]),
        (2, [8, 7, 3], [2, 1], 3, [0, 0]),
        (1, [5, 9, 2], [4, 3], 1, [2, 1]),
        (128, [14, 14, 32], [2, 2], 2, [0, 0]),
    ] {
        let windows = Windows::padded(image, kernel, stride, padding);
        let taps: u32 = kernel.iter().product();
        for (way, factor) in [(Way::Forward, 1.0 / taps as f32), (Way::Back, 1.0)] {
            let kind = Pool::new(way, windows, factor);
            let name = format!("pool/{} {images} of {windows}", Kernel::Pool(kind).entry());
            let mut case = Case::new(name, StepScalars::default());
            let [inside, outside] = kind.rows().map(|rows| images * rows);
            let from = case.input("source", &[inside, windows.channels()], Dtype::F32, Fill::Spread(1.0));
            let to = case.output("result", &[outside, windows.channels()], tight);
            case.op(|t| pool(t, "pool", [from, to], kind));
            all.push(case.timed(images == 128));
        }
    }
    all
}
