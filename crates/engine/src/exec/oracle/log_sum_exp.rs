//! Logarithms of sums of exponentials over groups of rows, their gradient, and such a sum that values are added to one by one.

use super::{Call, Real};
use crate::kernels::log_sum_exp::LogSumExpParams;
use crate::plan::LogSumExp;

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, kernel: LogSumExp) {
    let p = LogSumExpParams::of(call.op);
    let (cols, each) = (p.cols as usize, p.each as usize);
    match kernel {
        LogSumExp::Forward => {
            let x = call.read("x");
            let sum = |group: &[T], col: usize| {
                let column = || group.iter().skip(col).step_by(cols);
                let most = column().fold(T::neg_infinity(), |a, b| a.max(*b));
                most + column().map(|x| (*x - most).exp()).sum::<T>().ln()
            };
            let y = x.chunks(each * cols).flat_map(|group| (0..cols).map(move |col| sum(group, col))).collect();
            call.write_back("y", y);
        }
        LogSumExp::Back => {
            let (x, d_y, sums) = (call.read("x"), call.read("d_y"), call.read("sums"));
            let slope = |(i, x): (usize, &T)| {
                let of = i / (each * cols) * cols + i % cols;
                d_y[of] * (*x - sums[of]).exp()
            };
            let d_x = x.iter().enumerate().map(slope).collect();
            call.write_back("d_x", d_x);
        }
        LogSumExp::Stream => {
            let mut state = call.take("state");
            for (state, x) in state.chunks_exact_mut(3).zip(call.read("x")) {
                let most = state[0].max(*x);
                let (kept, added) = ((state[0] - most).exp(), (*x - most).exp());
                state[2] = state[2] * kept * kept + added * added;
                state[1] = state[1] * kept + added;
                state[0] = most;
            }
            call.write_back("state", state);
        }
    }
}
