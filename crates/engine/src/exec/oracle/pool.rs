//! Sums over the windows of images, channel by channel, and back.

use super::windows::taps;
use super::{Call, Real};
use crate::plan::{Pass, Pool};

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, pool: &Pool) {
    let (w, channels) = (&pool.windows, pool.windows.channels());
    let [inside, outside] = pool.rows().map(|rows| rows * channels);
    let source = call.read("source");
    let mut result = vec![T::zero(); source.len() / inside * outside];
    for (from, to) in source.chunks(inside).zip(result.chunks_mut(outside)) {
        for place in 0..w.rows() {
            taps(w, place, |_, pixel| {
                let (from_at, to_at) = if pool.pass == Pass::Forward { (pixel, place) } else { (place, pixel) };
                for c in 0..channels {
                    to[to_at * channels + c] += from[from_at * channels + c];
                }
            });
        }
    }
    result.iter_mut().for_each(|value| *value *= T::of(pool.factor().into()));
    call.write_back("result", result);
}
