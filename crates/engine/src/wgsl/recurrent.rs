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
    let shares = on.target.subgroup().unwrap_or(0);
    let most = match (on.target.is_software(), shares > 0, kernel.pass) {
        (true, true, _) if !wide => 8,
        (true, true, Pass::Forward) => 16,
        (true, true, Pass::Backward) => 32,
        (true, false, _) if !wide => 2,
        (true, false, Pass::Forward) => 8,
        (true, false, Pass::Backward) => 16,
        (false, ..) => 2,
    };
    let rows = most.min(p.batch.next_power_of_two());
    let lanes: u32 = match shares {
        0 if on.target.is_software() => 8,
        0 => 32,
        shares => shares,
    };
    let (backward, reverse) = (kernel.pass == Pass::Backward, kernel.layer.reverse);
    let RecurrentKernel { has_start, has_lengths, of_end, .. } = kernel;
    let body = template::render(
        "recurrent.wgsl",
        minijinja::context! {
            entry => op.kernel.entry(), cell, backward, reverse, has_start, has_lengths, of_end, units, rows, wide, shares,
        },
    );
    let marks = [(reverse, " reverse"), (has_start, " start"), (has_lengths, " lengths"), (of_end, " end")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    Source {
        variant: format!("{} {units}{marks} rows={rows} WG={lanes}", op.kernel.name()),
        text: [include_str!("../../../../shaders/activation.wgsl"), &body].join("\n"),
        constants: vec![("WG", f64::from(lanes))],
        groups: [u64::from(units.div_ceil(4)).div_ceil(lanes.into()), u64::from(p.batch.div_ceil(rows)), 1],
        ..Source::default()
    }
}
