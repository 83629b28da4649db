//! Cases of `pool`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::pool::pool;
use crate::plan::{Dtype, Kernel, Pass, Pool, StepScalars, Windows};

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
        for (pass, factor) in [(Pass::Forward, 1.0 / taps as f32), (Pass::Backward, 1.0)] {
            let kind = Pool::new(pass, windows, factor);
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
