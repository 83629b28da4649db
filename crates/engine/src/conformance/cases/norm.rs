//! Cases of `norm`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::norm::{back, normalise};
use crate::plan::{Dtype, Norm, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(1e-5);
    for (images, pixels, channels, groups) in [
        (1, 1, 5, 1),
        (3, 1, 12, 3),
        (65, 1, 33, 1),
        (2, 9, 4, 4),
        (5, 15, 6, 2),
        (2, 49, 8, 1),
        (7, 20, 24, 8),
        (128, 196, 32, 8),
    ] {
        let norm = Norm { pixels, channels, groups };
        let mut case = Case::new(format!("norm/{images} of {pixels}x{channels} in {groups}"), StepScalars::default());
        let shape = [images * pixels as usize, channels as usize];
        let x = case.input("x", &shape, Dtype::F32, Fill::Heavy { common: 1.0, rare: 5.0 });
        let d_y = case.input("d_y", &shape, Dtype::F32, Fill::Spread(1.0));
        let y = case.output("y", &shape, tight);
        let scale = case.output("scale", &[images * groups as usize], tight);
        let d_x = case.output("d_x", &shape, tight);
        case.op(|t| normalise(t, "normalise", [x, y, scale], norm));
        case.op(|t| back(t, "normalise back", [d_y, y, scale, d_x], norm));
        all.push(case.timed(images == 128));
    }
    // A group that is the same everywhere: what is added to the variance is all there is.
    let norm = Norm { pixels: 6, channels: 2, groups: 1 };
    let mut case = Case::new("norm/a constant", StepScalars::default());
    let x = case.input("x", &[6, 2], Dtype::F32, Fill::Among(&[0.25]));
    let y = case.output("y", &[6, 2], tight);
    let scale = case.output("scale", &[1], tight);
    case.op(|t| normalise(t, "normalise", [x, y, scale], norm));
    all.push(case);
    all
}
