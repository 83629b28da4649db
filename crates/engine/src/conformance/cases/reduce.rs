//! Cases of `reduce`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::reduce::{
    MATRIX, MetricColumn, REPORTED, STRIPES, TOTAL, clip, columns, report, rows, squares, sum,
};
use crate::plan::{Dtype, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let tight = Tolerance::Relative(1e-5);
    // How many means, of how many metrics, from which column on.
    for (count, metrics, column) in [(2, 4, 0), (1, 1, 0), (3, 4, 1), (6, 7, 0)] {
        for (batch, rows) in [(1, 1), (7, 7), (64, 63), (65, 65), (128, 128), (300, 129)] {
            let step = StepScalars { rows, slot: 1, ..StepScalars::default() };
            let mut case = Case::new(format!("reduce/report {count} of {rows} of {batch}"), step);
            let input = |name: &&str| case.input(name, &[batch], Dtype::F32, Fill::Levels);
            let values: Vec<_> = REPORTED.iter().take(count).map(input).collect();
            let ring = case.ring("metrics", [3, metrics], tight);
            case.op(|t| report(t, &values, MetricColumn { ring, column }));
            all.push(case);
        }
    }
    for n in [1, 7, 63, 64, 65, 1031] {
        let mut case = Case::new(format!("reduce/sum {n}"), StepScalars::default());
        let values = case.input("values", &[n], Dtype::F32, Fill::Levels);
        let total = case.output("total", &[1], tight);
        case.op(|t| sum(t, "sum", values, total));
        all.push(case);

        let step = StepScalars { slot: 2, ..StepScalars::default() };
        for max_norm in [0.5, 1e6] {
            let mut case = Case::new(format!("reduce/clip {n} to {max_norm}"), step);
            let partials = case.input("values", &[n], Dtype::F32, Fill::Levels);
            let scale = case.output("total", &[1], tight);
            let ring = case.ring("metrics", [3, 4], tight);
            case.op(|t| clip(t, partials, scale, MetricColumn { ring, column: 3 }, max_norm));
            all.push(case);
        }
    }
    // A norm so small that the 1e-6 added to it matters.
    let mut case = Case::new("reduce/clip of a tiny norm", StepScalars { slot: 1, ..StepScalars::default() });
    let partials = case.input("values", &[9], Dtype::F32, Fill::Among(&[1e-14, 3e-14]));
    let scale = case.output("total", &[1], tight);
    let ring = case.ring("metrics", [3, 1], tight);
    case.op(|t| clip(t, partials, scale, MetricColumn { ring, column: 0 }, 1e-7));
    all.push(case);
    for (count, batch, widths) in [
        (1, 1, [1, 0, 0]),
        (1, 17, [129, 0, 0]),
        (2, 9, [64, 1, 0]),
        (2, 128, [196, 10, 0]),
        (3, 3, [5, 2, 7]),
        (3, 65, [8, 65, 9]),
    ] {
        let mut case = Case::new(format!("reduce/rows {batch} of {:?}", &widths[..count]), StepScalars::default());
        let mut matrices = Vec::new();
        for (i, cols) in widths.into_iter().take(count).enumerate() {
            let matrix = case.input(MATRIX[i], &[batch, cols], Dtype::F32, Fill::Levels);
            matrices.push((matrix, case.output(TOTAL[i], &[batch], tight)));
        }
        case.op(|t| rows(t, "rows", &matrices));
        all.push(case.timed(batch == 128));
    }
    for (rows, cols) in [(1, 1), (5, 3), (64, 63), (31, 65), (128, 784), (2049, 3), (5000, 33)] {
        let mut case = Case::new(format!("reduce/columns {rows}x{cols}"), StepScalars::default());
        let matrix = case.input("matrix", &[rows, cols], Dtype::F32, Fill::Levels);
        let totals = case.output("total", &[cols], tight);
        case.op(|t| columns(t, "columns", matrix, totals));
        all.push(case.timed(rows == 128));
    }
    for n in [1, 127, 64 * STRIPES, 64 * STRIPES + 1, 652_032] {
        let mut case = Case::new(format!("reduce/squares {n}"), StepScalars::default());
        let values = case.input("values", &[n], Dtype::F32, Fill::Spread(1.0));
        let partials = case.output("total", &[STRIPES], tight);
        case.op(|t| squares(t, values, partials));
        all.push(case.timed(n == 652_032));
    }
    all
}
