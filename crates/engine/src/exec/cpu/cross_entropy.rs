//! Cross-entropies of tokens, and their gradient: some rows a task.

use super::job::{At, Job, Scratch};
use super::math::{exp_negative, ln, share};
use super::memory::Region;
use super::vector::vectorised;
use crate::kernels::cross_entropy::CrossEntropyParams;
use crate::plan::{CrossEntropy, Op, Pass, TensorTable};

/// Numbers of a task.
const TASK: usize = 1 << 13;
/// Numbers whose greatest is found before their exponentials are added: so many stay in the first-level cache.
const CHUNK: usize = 1024;
/// Sums kept side by side.
const LANES: usize = 16;

/// The rows of a matrix of logits.
pub(super) struct Rows {
    rows: usize,
    cols: usize,
    x: Region,
    ids: Region,
    pass: Bound,
}

/// What only the forward, or only the backward pass has.
enum Bound {
    Forward { loss: Region, sums: Region },
    Backward { d_loss: LossSlope, kept: Region, d_x: Region },
}

/// The gradient of each loss, or of all.
#[derive(Clone, Copy)]
enum LossSlope {
    Each(Region),
    Constant(f32),
}

impl Rows {
    pub fn new(op: &Op, tensors: &TensorTable, kernel: CrossEntropy) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let p = CrossEntropyParams::of(op);
        let pass = match kernel.pass {
            Pass::Forward => Bound::Forward { loss: bound("loss"), sums: bound("sums") },
            Pass::Backward => {
                let d_loss = kernel.d().map_or_else(|| LossSlope::Each(bound("d_loss")), LossSlope::Constant);
                Bound::Backward { d_loss, kept: bound("kept"), d_x: bound("d_x") }
            }
        };
        Self { rows: p.rows as usize, cols: p.cols as usize, x: bound("x"), ids: bound("ids"), pass }
    }

    /// Rows of a task.
    fn each(&self) -> usize {
        (TASK / self.cols.max(1)).max(1)
    }
}

impl Job for Rows {
    fn phases(&self) -> Vec<usize> {
        vec![self.rows.div_ceil(self.each())]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, scratch: &mut Scratch) {
        let some = task * self.each()..((task + 1) * self.each()).min(self.rows);
        let part = |region: Region, each: usize| region.part(some.start * each..some.end * each);
        let (x, ids) = (at.memory.floats(part(self.x, self.cols)), at.memory.floats(part(self.ids, 1)));
        match self.pass {
            Bound::Forward { loss, sums } => {
                losses(x, ids, at.memory.floats_mut(part(loss, 1)), at.memory.floats_mut(part(sums, 2)));
            }
            Bound::Backward { d_loss, kept, d_x } => {
                let d_loss = match d_loss {
                    LossSlope::Each(region) => at.memory.floats(part(region, 1)),
                    LossSlope::Constant(d) => {
                        scratch.sums.sized(ids.len());
                        let all = &mut scratch.sums.all_mut()[..ids.len()];
                        all.fill(d);
                        all
                    }
                };
                slopes(x, ids, d_loss, at.memory.floats(part(kept, 2)), at.memory.floats_mut(part(d_x, self.cols)));
            }
        }
    }
}

/// The column of a row's token, if it has one; the host refuses numbers that there are no columns for.
#[inline(always)]
fn token_of(id: f32, cols: usize) -> Option<usize> {
    if id >= 0.0 { Some((id as usize).min(cols - 1)) } else { None }
}

/// The greatest of some numbers and of one more.
#[inline(always)]
fn greatest(x: &[f32], first: f32) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut most = [first; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for (most, x) in most.iter_mut().zip(rest) {
        *most = greater(*most, *x);
    }
    for chunk in chunks {
        for i in 0..LANES {
            most[i] = greater(most[i], chunk[i]);
        }
    }
    folded(most, greater)
}

/// The sum of `exp(x - most)`.
#[inline(always)]
fn sum_of_shares(x: &[f32], most: f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum = exp_negative(*x - most);
    }
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] += exp_negative(chunk[i] - most);
        }
    }
    folded(sums, |a, b| a + b)
}

/// What lies side by side as one number, in a fixed order.
#[inline(always)]
fn folded(mut lanes: [f32; LANES], of_two: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = of_two(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

vectorised! {
    /// Computes the loss and the sums of each row.
    fn losses<'a>(x: &'a [f32], ids: &'a [f32], loss: &'a mut [f32], sums: &'a mut [f32]) {
        let cols = x.len() / ids.len();
        let made = loss.iter_mut().zip(sums.as_chunks_mut::<2>().0);
        for ((x, id), (loss, sums)) in x.chunks_exact(cols).zip(ids).zip(made) {
            let Some(token) = token_of(*id, cols) else {
                (*loss, *sums) = (0.0, [0.0; 2]);
                continue;
            };
            let (mut most, mut sum) = (f32::MIN, 0.0);
            for chunk in x.chunks(CHUNK) {
                let before = most;
                most = greatest(chunk, before);
                sum = sum * exp_negative(before - most) + sum_of_shares(chunk, most);
            }
            let log_of_rest = ln(sum);
            // The difference first: it is exact where both are near each other.
            (*loss, *sums) = ((most - x[token]) + log_of_rest, [most, log_of_rest]);
        }
    }
}

vectorised! {
    /// `d_x = d_loss (exp(x - greatest - logarithm) - [column is the token])`
    fn slopes<'a>(x: &'a [f32], ids: &'a [f32], d_loss: &'a [f32], kept: &'a [f32], d_x: &'a mut [f32]) {
        let cols = x.len() / ids.len();
        let of_rows = ids.iter().zip(d_loss.iter().zip(kept.as_chunks::<2>().0));
        for ((x, d_x), (id, (d, [most, log_of_rest]))) in x.chunks_exact(cols).zip(d_x.chunks_exact_mut(cols)).zip(of_rows) {
            let Some(token) = token_of(*id, cols) else {
                d_x.fill(0.0);
                continue;
            };
            for (d_x, x) in d_x.iter_mut().zip(x) {
                *d_x = *d * share(*x - *most - *log_of_rest);
            }
            d_x[token] = *d * (share(x[token] - *most - *log_of_rest) - 1.0);
        }
    }
}
