//! Sums over the windows of images, channel by channel, and back: a task is an image.

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::add;
use crate::plan::{Op, Pass, Pool, TensorTable};

/// All images.
pub(super) struct Images {
    pool: Pool,
    source: Region,
    result: Region,
}

impl Images {
    pub fn new(op: &Op, tensors: &TensorTable, pool: &Pool) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        Self { pool: *pool, source: bound("source"), result: bound("result") }
    }
}

impl Job for Images {
    fn phases(&self) -> Vec<usize> {
        vec![self.source.len / (self.pool.rows()[0] * self.pool.windows.channels())]
    }

    fn run(&self, at: At<'_>, _: usize, image: usize, _: &mut Scratch) {
        let w = &self.pool.windows;
        let channels = w.channels();
        let [inside, outside] = self.pool.rows().map(|rows| rows * channels);
        let from = &at.memory.floats(self.source)[image * inside..(image + 1) * inside];
        let to = at.memory.floats_mut(self.result.part(image * outside..(image + 1) * outside));
        to.fill(0.0);
        let [height, width] = [w.image[0] as i32, w.image[1] as i32];
        for (place, (down, across)) in
            (0..w.positions[0]).flat_map(|y| (0..w.positions[1]).map(move |x| (y, x))).enumerate()
        {
            for tap in 0..w.kernel[0] * w.kernel[1] {
                let y = (down * w.stride + tap / w.kernel[1]) as i32 - w.padding[0] as i32;
                let x = (across * w.stride + tap % w.kernel[1]) as i32 - w.padding[1] as i32;
                if !(0..height).contains(&y) || !(0..width).contains(&x) {
                    continue;
                }
                let pixel = (y * width + x) as usize;
                let [read, written] = if self.pool.pass == Pass::Forward { [pixel, place] } else { [place, pixel] };
                add(&mut to[written * channels..][..channels], &from[read * channels..][..channels]);
            }
        }
        let factor = self.pool.factor();
        to.iter_mut().for_each(|value| *value *= factor);
    }
}
