//! Logarithms of the probabilities of a category's words, and their gradient: some rows a task.

use super::job::{At, Job, Scratch};
use super::math::{exp, ln};
use super::memory::Region;
use super::vector::{sum, sum_of, vectorised};
use crate::kernels::softmax::SoftmaxParams;
use crate::plan::{Op, Pass, TensorTable};

/// Numbers of a task.
const TASK: usize = 1 << 13;

/// The rows of a matrix.
pub(super) struct Rows {
    pass: Pass,
    cols: usize,
    rows: usize,
    groups: Region,
    /// x, or d_y.
    given: Region,
    /// y, or d_x.
    made: Region,
    log_p: Option<Region>,
}

impl Rows {
    pub fn new(op: &Op, tensors: &TensorTable, pass: Pass) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let cols = SoftmaxParams::of(op).cols as usize;
        let [given, made] = if pass == Pass::Forward { ["x", "y"] } else { ["d_y", "d_x"] };
        let given = bound(given);
        Self {
            pass,
            cols,
            rows: given.len / cols.max(1),
            groups: bound("groups"),
            given,
            made: bound(made),
            log_p: (pass == Pass::Backward).then(|| bound("log_p")),
        }
    }

    fn each(&self) -> usize {
        (TASK / self.cols.max(1)).max(1)
    }
}

impl Job for Rows {
    fn phases(&self) -> Vec<usize> {
        vec![self.rows.div_ceil(self.each())]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        let some = task * self.each() * self.cols..((task + 1) * self.each()).min(self.rows) * self.cols;
        let groups = at.memory.floats(self.groups);
        let (first, count) = groups.split_at(groups.len() / 2);
        let given = &at.memory.floats(self.given)[some.clone()];
        let made = at.memory.floats_mut(self.made.part(some.clone()));
        made.copy_from_slice(given);
        let log_p = self.log_p.map(|log_p| &at.memory.floats(log_p)[some]);
        for (row, made) in made.chunks_exact_mut(self.cols).enumerate() {
            for (first, count) in first.iter().zip(count) {
                // A column of no group has an empty one.
                let span = *first as usize..(*first + *count) as usize;
                let Some(of_group) = made.get_mut(span.clone()).filter(|of_group| !of_group.is_empty()) else {
                    continue;
                };
                match (self.pass, log_p) {
                    (Pass::Backward, Some(log_p)) => log_softmax_back(&log_p[row * self.cols..][span], of_group),
                    _ => log_softmax(of_group),
                }
            }
        }
    }
}

vectorised! {
    /// `x - ln(sum exp(x))`
    fn log_softmax<'a>(x: &'a mut [f32]) {
        let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for x in x.iter_mut() {
            *x -= most;
        }
        let log_sum = ln(sum_of(x, exp));
        for x in x {
            *x -= log_sum;
        }
    }
}

vectorised! {
    /// `d_x = d_y - p sum(d_y)`
    fn log_softmax_back<'a>(log_p: &'a [f32], d: &'a mut [f32]) {
        let sum = sum(d);
        for (d, log_p) in d.iter_mut().zip(log_p) {
            *d -= exp(*log_p) * sum;
        }
    }
}
