//! Attention.

use super::{Capabilities, Source, template};
use crate::kernels::attention::AttentionParams;
use crate::plan::{AttentionKernel, Op, Pass};

/// The WGSL of an op.
pub(super) fn source(op: &Op, kernel: AttentionKernel, on: Capabilities) -> Source {
    let p = AttentionParams::of(op);
    let (width, heads, causal, has_lengths) = (p.width, kernel.layer.heads, kernel.layer.causal, kernel.has_lengths);
    // Each quad that is made is code for each of four times, and so is each that is held: a software adapter's compiler took
    // 6 seconds for a head of 64 columns in one part with all quads held, and takes 1.6 for two parts that load them again.
    let (lanes, most, held_at_most): (u32, u32, u32) = if on.target.is_software() { (8, 8, 4) } else { (32, 16, 8) };
    let quads = width.div_ceil(4);
    let parts = quads.div_ceil(most);
    let held = quads.div_ceil(parts);
    let loops = quads > held_at_most;
    let backward = kernel.pass == Pass::Backward;
    let body = template::render(
        "attention.wgsl",
        minijinja::context! {
            entry => op.kernel.entry(), heads, causal, has_lengths, backward, width, quads, parts, held, loops,
            scale => format!("{:?}", 1.0 / (width as f32).sqrt()),
            wide => width.is_multiple_of(4),
        },
    );
    let marks = [(causal, " causal"), (has_lengths, " lengths")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    let [x, y, _] = on.fold(u64::from(p.batch) * u64::from(heads));
    Source {
        variant: format!("{} {heads}x{width}{marks} WG={lanes}", op.kernel.name()),
        text: body,
        constants: vec![("WG", f64::from(lanes))],
        groups: [x, y, u64::from(p.steps.div_ceil(lanes) * parts)],
        ..Source::default()
    }
}
