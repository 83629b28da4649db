//! Sums, in an order that depends on sizes alone.

use super::Builder;
use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::{sum, sum_of_squares, sums_of_columns};
use crate::kernels::reduce::{MATRIX, REPORTED, ReduceParams, TOTAL};
use crate::plan::{Op, Reduce};

/// Numbers of a task.
const TASK: usize = 1 << 15;

/// The job of a kind of sums.
pub(super) fn job(builder: &mut Builder<'_>, op: &Op, kind: Reduce) -> Box<dyn Job> {
    let tensors = builder.tensors;
    let bound = |name| Region::bound(tensors, op, name);
    match kind {
        Reduce::Report(count) => {
            let params = ReduceParams::of(op);
            let values = REPORTED.iter().take(count).map(|name| bound(name)).collect();
            Box::new(Report { values, metrics: bound("metrics"), params })
        }
        Reduce::Sum => Box::new(Sum { values: bound("values"), total: bound("total") }),
        Reduce::Columns => {
            let values = bound("values");
            let cols = ReduceParams::of(op).cols as usize;
            let rows = values.len / cols.max(1);
            let each = (TASK / cols.max(1)).max(1);
            let partials = builder.scratch(rows.div_ceil(each) * cols);
            Box::new(Columns { values, total: bound("total"), cols, rows, each, partials })
        }
        Reduce::Rows(count) => {
            let matrices = (0..count).map(|i| (bound(MATRIX[i]), bound(TOTAL[i]))).collect();
            Box::new(Rows { matrices })
        }
        Reduce::Squares => Box::new(Squares { values: bound("values"), total: bound("total") }),
        Reduce::Clip => Box::new(Clip {
            values: bound("values"),
            total: bound("total"),
            metrics: bound("metrics"),
            params: ReduceParams::of(op),
        }),
    }
}

/// The step's means into its slot of the metrics ring.
struct Report {
    values: Vec<Region>,
    metrics: Region,
    params: ReduceParams,
}

impl Job for Report {
    fn run(&self, at: At<'_>, _: usize, _: usize, _: &mut Scratch) {
        let rows = at.step.rows as usize;
        let slot = (at.step.slot * self.params.width + self.params.column) as usize;
        let metrics = at.memory.floats_mut(self.metrics.part(slot..slot + self.values.len()));
        for (mean, values) in metrics.iter_mut().zip(&self.values) {
            *mean = sum(&at.memory.floats(*values)[..rows]) / rows as f32;
        }
    }
}

/// All of a vector.
struct Sum {
    values: Region,
    total: Region,
}

impl Job for Sum {
    fn run(&self, at: At<'_>, _: usize, _: usize, _: &mut Scratch) {
        at.memory.floats_mut(self.total)[0] = sum(at.memory.floats(self.values));
    }
}

/// Each column of a matrix: some rows first, then what these gave.
struct Columns {
    values: Region,
    total: Region,
    cols: usize,
    rows: usize,
    each: usize,
    partials: Region,
}

impl Job for Columns {
    fn phases(&self) -> Vec<usize> {
        vec![self.rows.div_ceil(self.each), 1]
    }

    fn run(&self, at: At<'_>, phase: usize, task: usize, _: &mut Scratch) {
        let (values, to) = if phase == 0 {
            let rows = task * self.each..((task + 1) * self.each).min(self.rows);
            let part = self.partials.part(task * self.cols..(task + 1) * self.cols);
            (self.values.part(rows.start * self.cols..rows.end * self.cols), part)
        } else {
            (self.partials, self.total)
        };
        let (values, sums) = (at.memory.floats(values), at.memory.floats_mut(to));
        // One column is a vector, whose sum need not be made number after number.
        if let [alone] = sums { *alone = sum(values) } else { sums_of_columns(values, sums) }
    }
}

/// Each row of some matrices.
struct Rows {
    matrices: Vec<(Region, Region)>,
}

impl Job for Rows {
    fn phases(&self) -> Vec<usize> {
        vec![self.matrices.len()]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let (matrix, total) = self.matrices[task];
        let cols = matrix.len / total.len.max(1);
        let rows = at.memory.floats(matrix).chunks_exact(cols.max(1));
        at.memory.floats_mut(total).iter_mut().zip(rows).for_each(|(total, row)| *total = sum(row));
    }
}

/// The squares of each stripe of a vector.
struct Squares {
    values: Region,
    total: Region,
}

impl Job for Squares {
    fn phases(&self) -> Vec<usize> {
        vec![self.total.len]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let stripe = self.values.len.div_ceil(self.total.len);
        let some = (task * stripe).min(self.values.len)..((task + 1) * stripe).min(self.values.len);
        let values = at.memory.floats(self.values.part(some));
        at.memory.floats_mut(self.total.part(task..task + 1))[0] = sum_of_squares(values);
    }
}

/// The gradient's norm, and the factor that brings it down.
struct Clip {
    values: Region,
    total: Region,
    metrics: Region,
    params: ReduceParams,
}

impl Job for Clip {
    fn run(&self, at: At<'_>, _: usize, _: usize, _: &mut Scratch) {
        let norm = sum(at.memory.floats(self.values)).sqrt();
        let scale = self.params.max_norm / (norm + 1e-6);
        // A scale that is NaN stays NaN, since it is not greater than 1.
        at.memory.floats_mut(self.total)[0] = if scale > 1.0 { 1.0 } else { scale };
        let slot = (at.step.slot * self.params.width + self.params.column) as usize;
        at.memory.floats_mut(self.metrics.part(slot..slot + 1))[0] = norm;
    }
}
