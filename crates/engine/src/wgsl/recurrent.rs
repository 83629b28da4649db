//! A turn of a recurrent layer.

use super::{Capabilities, Source, template};
use crate::kernels::recurrent::RecurrentParams;
use crate::plan::{Op, Pass, RecurrentKernel};

/// The WGSL of an op.
pub(super) fn source(op: &Op, kernel: RecurrentKernel, on: Capabilities) -> Source {
    let p = RecurrentParams::of(op);
    let (units, cell) = (p.units, kernel.layer.cell.name());
    let wide = units.is_multiple_of(4);
    // A software adapter has cheap registers and expensive loads; a GPU wants more invocations. Where units are loaded one by one,
    // a loop over many rows takes long to compile.
    let rows = match (on.target.is_software(), kernel.pass) {
        (true, _) if !wide => 2,
        (true, Pass::Forward) => 8,
        (true, Pass::Backward) => 16,
        (false, _) => 2,
    };
    let lanes: u32 = if on.target.is_software() { 8 } else { 32 };
    let (backward, reverse) = (kernel.pass == Pass::Backward, kernel.layer.reverse);
    let (has_start, has_lengths) = (kernel.has_start, kernel.has_lengths);
    let body = template::render(
        "recurrent.wgsl",
        minijinja::context! {
            entry => op.kernel.entry(), cell, backward, reverse, has_start, has_lengths, units, rows, wide,
        },
    );
    let marks = [(reverse, " reverse"), (has_start, " start"), (has_lengths, " lengths")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    Source {
        variant: format!("{} {units}{marks} rows={rows} WG={lanes}", op.kernel.name()),
        text: [include_str!("../../../../shaders/activation.wgsl"), &body].join("\n"),
        constants: vec![("WG", f64::from(lanes))],
        groups: [u64::from(units.div_ceil(4)).div_ceil(lanes.into()), u64::from(p.batch.div_ceil(rows)), 1],
        ..Source::default()
    }
}
