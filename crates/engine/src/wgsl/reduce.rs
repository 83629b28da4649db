//! Sums over the columns of tall matrices.

use super::{Capabilities, Source, template};
use crate::kernels::reduce::ReduceParams;
use crate::plan::Op;

/// The two passes that sum the columns of a tall matrix.
pub(super) fn tall_columns(op: &Op, on: Capabilities) -> Vec<Source> {
    let p = ReduceParams::of(op);
    // About as many stripes as rows of each.
    let stripes = f64::from(p.rows).sqrt().ceil() as u32;
    let pass = |first: bool| {
        let lanes = on.target.workgroup(op.grid);
        let invocations = u64::from(p.cols) * if first { u64::from(stripes) } else { 1 };
        Source {
            variant: format!("reduce.columns.{} {stripes}", if first { "stripes" } else { "sum" }),
            text: template::render("reduce_columns.wgsl", minijinja::context! { first, stripes }),
            constants: vec![("WG", f64::from(lanes))],
            groups: on.fold(invocations.div_ceil(lanes.into())),
            scratch: (p.cols * stripes) as usize,
        }
    };
    vec![pass(true), pass(false)]
}
