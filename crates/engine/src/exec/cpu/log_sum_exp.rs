//! Logarithms of sums of exponentials over groups of rows, their gradient, and such a sum that values are added to one by one: some
//! groups a task.

use super::job::{At, Job, Scratch};
use super::math::{exp, ln, share};
use super::memory::Region;
use super::vector::{sum_of, vectorised};
use crate::kernels::log_sum_exp::LogSumExpParams;
use crate::plan::{LogSumExp, Op, TensorTable};

/// Numbers of a task.
const TASK: usize = 1 << 13;

/// The groups of a matrix.
pub(super) struct Groups {
    kernel: LogSumExp,
    cols: usize,
    each: usize,
    groups: usize,
    x: Region,
    /// y, d_x, or the state.
    made: Region,
    /// `d_y` and `y`, which only the gradient reads.
    others: Option<[Region; 2]>,
}

impl Groups {
    pub fn new(op: &Op, tensors: &TensorTable, kernel: LogSumExp) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let p = LogSumExpParams::of(op);
        let (cols, each) = (p.cols as usize, p.each as usize);
        let made = match kernel {
            LogSumExp::Forward => "y",
            LogSumExp::Back => "d_x",
            LogSumExp::Stream => "state",
        };
        let x = bound("x");
        Self {
            kernel,
            cols,
            each,
            groups: x.len / (cols * each).max(1),
            x,
            made: bound(made),
            others: (kernel == LogSumExp::Back).then(|| ["d_y", "sums"].map(bound)),
        }
    }

    /// Groups of a task.
    fn share(&self) -> usize {
        (TASK / (self.cols * self.each).max(1)).max(1)
    }
}

impl Job for Groups {
    fn phases(&self) -> Vec<usize> {
        vec![self.groups.div_ceil(self.share())]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, scratch: &mut Scratch) {
        let groups = task * self.share()..((task + 1) * self.share()).min(self.groups);
        let group = self.cols * self.each;
        let part = |region: Region, each: usize| region.part(groups.start * each..groups.end * each);
        let x = at.memory.floats(part(self.x, group));
        match (self.kernel, self.others) {
            (LogSumExp::Back, Some(others)) => {
                let [d_y, sums] = others.map(|other| at.memory.floats(part(other, self.cols)));
                let d_x = at.memory.floats_mut(part(self.made, group));
                let of_groups = d_y.chunks_exact(self.cols).zip(sums.chunks_exact(self.cols));
                for ((x, d_x), (d_y, sums)) in x.chunks_exact(group).zip(d_x.chunks_exact_mut(group)).zip(of_groups) {
                    match (d_y, sums) {
                        ([d_y], [sum]) => back_of_column(x, *d_y, *sum, d_x),
                        _ => back_of_rows(x, d_y, sums, d_x),
                    }
                }
            }
            (LogSumExp::Stream, _) => stream(x, at.memory.floats_mut(part(self.made, 3))),
            _ => {
                let room = scratch.sums.sized(self.cols.max(self.each));
                let y = at.memory.floats_mut(part(self.made, self.cols));
                for (x, y) in x.chunks_exact(group).zip(y.chunks_exact_mut(self.cols)) {
                    match y {
                        [y] => *y = of_column(x, &mut room[..self.each]),
                        _ => of_rows(x, &mut room[..self.cols], y),
                    }
                }
            }
        }
    }
}

vectorised! {
    /// `ln(sum exp(x))`; `less` has room for as many numbers.
    fn of_column<'a>(x: &'a [f32], less: &'a mut [f32]) -> f32 {
        let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (less, x) in less.iter_mut().zip(x) {
            *less = *x - most;
        }
        most + ln(sum_of(less, exp))
    }
}

vectorised! {
    /// Computes `ln(sum exp(x))` of each column.
    fn of_rows<'a>(x: &'a [f32], most: &'a mut [f32], y: &'a mut [f32]) {
        let cols = y.len();
        most.copy_from_slice(&x[..cols]);
        for row in x.chunks_exact(cols) {
            for (most, x) in most.iter_mut().zip(row) {
                *most = if *x > *most { *x } else { *most };
            }
        }
        y.fill(0.0);
        for row in x.chunks_exact(cols) {
            for ((y, most), x) in y.iter_mut().zip(most.iter()).zip(row) {
                *y += exp(*x - *most);
            }
        }
        for (y, most) in y.iter_mut().zip(most.iter()) {
            *y = *most + ln(*y);
        }
    }
}

vectorised! {
    /// `d_x = d_y exp(x - sum)`
    fn back_of_column<'a>(x: &'a [f32], d_y: f32, sum: f32, d_x: &'a mut [f32]) {
        for (d_x, x) in d_x.iter_mut().zip(x) {
            *d_x = d_y * share(*x - sum);
        }
    }
}

vectorised! {
    /// Computes `d_x = d_y exp(x - sum)` of each column.
    fn back_of_rows<'a>(x: &'a [f32], d_y: &'a [f32], sums: &'a [f32], d_x: &'a mut [f32]) {
        let cols = sums.len();
        for (x, d_x) in x.chunks_exact(cols).zip(d_x.chunks_exact_mut(cols)) {
            for ((d_x, x), (d_y, sum)) in d_x.iter_mut().zip(x).zip(d_y.iter().zip(sums)) {
                *d_x = *d_y * share(*x - *sum);
            }
        }
    }
}

vectorised! {
    /// Adds a value to the state of each row.
    fn stream<'a>(x: &'a [f32], state: &'a mut [f32]) {
        for (state, x) in state.as_chunks_mut::<3>().0.iter_mut().zip(x) {
            let [before, sum, squares] = *state;
            let most = if *x > before { *x } else { before };
            let (kept, added) = (exp(before - most), exp(*x - most));
            *state = [most, sum * kept + added, squares * kept * kept + added * added];
        }
    }
}
