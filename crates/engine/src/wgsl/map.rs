//! Pointwise programs as kernels of their own.

use super::pointwise::{self, WgslForm};
use super::{Capabilities, Source, template};
use crate::kernels::map::MapParams;
use crate::plan::{Op, Pointwise};

/// Renders a program as a kernel.
pub(super) fn source(op: &Op, program: &Pointwise, on: Capabilities) -> Source {
    let p = MapParams::of(op);
    let wide = pointwise::is_wide(program, p.n);
    let form = WgslForm { product: false, pairs: false, add_bias: false, wide };
    let levels = program.inputs.iter().any(|input| input.index.is_levels());
    let context = minijinja::context! {
        declarations => pointwise::declarations(program, wide),
        store => pointwise::store(program, form),
    };
    let text = template::render("map.wgsl", context);
    let libraries = pointwise::libraries(program, levels).join("\n");
    Source {
        variant: format!("{} {} {program}", op.kernel.name(), if wide { '4' } else { '1' }),
        text: format!("{libraries}\n{text}"),
        groups: on.fold((u64::from(p.m) * u64::from(p.n.div_ceil(4))).div_ceil(64)),
        ..Source::default()
    }
}
