//! Sums over the windows of images.

use super::{Capabilities, Source, template};
use crate::kernels::pool::{PoolParams, lanes};
use crate::plan::{Op, Pool};

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
