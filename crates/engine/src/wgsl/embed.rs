//! Rows of a table that tokens choose, and the gradient of the table.

use super::{Capabilities, Source};
use crate::kernels::embed::EmbedParams;
use crate::plan::{Op, Pass};

const COMMON: &str = include_str!("../../../../shaders/embed.wgsl");
const COLUMNS: &str = include_str!("../../../../shaders/embed_back_columns.wgsl");
const TOKENS: &str = include_str!("../../../../shaders/embed_back_tokens.wgsl");

/// The WGSL of an op. The gradient has an invocation a column on a software adapter, and a workgroup a token on a GPU.
pub(super) fn source(op: &Op, pass: Pass, on: Capabilities) -> Source {
    let p = EmbedParams::of(op);
    let lanes = on.target.workgroup(op.grid);
    let each = on.target.elements_per_invocation();
    let columns = u64::from(p.width.div_ceil(lanes));
    let (way, text, groups) = match (pass, on.target.is_software()) {
        (Pass::Forward, _) => {
            let invocations = u64::from(p.count) * u64::from(p.width.div_ceil(each));
            (format!("ELEMENTS={each}"), COMMON.to_string(), invocations.div_ceil(lanes.into()))
        }
        (Pass::Backward, true) => ("columns".into(), [COMMON, COLUMNS].join("\n"), columns),
        (Pass::Backward, false) => ("tokens".into(), [COMMON, TOKENS].join("\n"), u64::from(p.tokens) * columns),
    };
    Source {
        variant: format!("{} {way} WG={lanes}", op.kernel.name()),
        text,
        constants: vec![("WG", f64::from(lanes)), ("ELEMENTS", f64::from(each))],
        groups: on.fold(groups),
        ..Source::default()
    }
}
