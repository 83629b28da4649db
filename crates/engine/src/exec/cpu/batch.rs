//! Gathering a batch.

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::rng::unit;
use super::vector::{each, vectorised};
use crate::kernels::batch::{BatchParams, row_of};
use crate::kernels::rng::threefry2x32;
use crate::plan::{Binarise, Gather, Op, TensorTable};

/// The rows of a batch.
pub(super) struct Rows {
    params: BatchParams,
    gather: Gather,
    binarise: Binarise,
    data: Region,
    x: Region,
    batch: usize,
    /// Rows of a task.
    each: usize,
}

/// Elements of a task.
const TASK: usize = 1 << 13;

impl Rows {
    pub fn new(op: &Op, tensors: &TensorTable, gather: Gather, binarise: Binarise) -> Self {
        let params = BatchParams::of(op);
        let bound = |name| Region::bound(tensors, op, name);
        let (data, x) = match gather {
            Gather::Floats => (bound("floats"), bound("x")),
            Gather::Classes => (bound("bytes"), bound("x")),
            Gather::Levels | Gather::Augmented { .. } => (bound("bytes"), bound("x_bytes")),
        };
        let row = if matches!(gather, Gather::Levels | Gather::Augmented { .. }) { params.words } else { params.width };
        let batch = x.len / (row as usize).max(1);
        Self { params, gather, binarise, data, x, batch, each: (TASK / params.width.max(1) as usize).max(1) }
    }

    fn row(&self, at: At<'_>, place: usize) {
        let p = &self.params;
        let r = place / p.samples as usize;
        let (width, words) = (p.width as usize, p.words as usize);
        let source = p.first as usize + row_of(r, p.count as usize, p.half_bits, at.step);
        let first = (r * width) as u32;
        match self.gather {
            Gather::Classes => {
                let class = at.memory.words(self.data)[source] as usize;
                let x = at.memory.floats_mut(self.x.part(place * width..(place + 1) * width));
                x.fill(0.0);
                if let Some(column) = x.get_mut(class) {
                    *column = 1.0;
                }
            }
            Gather::Floats => {
                let from = &at.memory.floats(self.data)[source * p.stride as usize..][..width];
                let x = at.memory.floats_mut(self.x.part(place * width..(place + 1) * width));
                let key = at.step.binarise_key;
                match self.binarise {
                    Binarise::None => x.copy_from_slice(from),
                    Binarise::Threshold => each!([from], [x], above_one_half),
                    Binarise::Draw => draw_floats(key, first, from, x),
                }
            }
            Gather::Levels | Gather::Augmented { .. } => {
                let from = &at.memory.words(self.data)[source * words..][..words];
                let x = at.memory.words_mut(self.x.part(place * words..(place + 1) * words));
                let (from, x): (&[u8], &mut [u8]) = (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(x));
                let (x, behind) = x.split_at_mut(width);
                behind.fill(0);
                match self.gather {
                    Gather::Augmented { flip, .. } => self.augment(at, r, flip, from, x),
                    _ => x.copy_from_slice(&from[..width]),
                }
                let key = at.step.binarise_key;
                match self.binarise {
                    Binarise::None => {}
                    // 128 / 255 is the first level of one half or more.
                    Binarise::Threshold => x.iter_mut().for_each(|x| *x = if *x >= 128 { 255 } else { 0 }),
                    Binarise::Draw => draw_levels(key, first, x),
                }
            }
        }
    }

    /// An image moved, mirrored and with noise.
    fn augment(&self, at: At<'_>, r: usize, flip: bool, from: &[u8], x: &mut [u8]) {
        let p = &self.params;
        let [place, mirror] = threefry2x32(at.step.binarise_key, [r as u32, 1]);
        let reach = 2 * p.shift + 1;
        let moved = |bits: u32| (bits % reach) as i32 - p.shift as i32;
        let (down, right) = (moved(place & 0xFFFF), moved(place >> 16));
        let mirrored = flip && mirror & 1 == 1;
        let (height, width, channels) = (p.height as i32, p.image_width as i32, p.channels as usize);
        for (pixel, to) in x.chunks_mut(channels).enumerate() {
            let (y, column) = (pixel as i32 / width - down, pixel as i32 % width - right);
            if !(0..height).contains(&y) || !(0..width).contains(&column) {
                to.fill(0);
                continue;
            }
            let column = if mirrored { width - 1 - column } else { column };
            let start = (y * width + column) as usize * channels;
            to.copy_from_slice(&from[start..start + to.len()]);
        }
        if p.noise == 0 {
            return;
        }
        add_noise(at.step.binarise_key, (r * x.len()) as u32, p.noise as i32, x);
    }
}

#[inline(always)]
fn above_one_half([level]: [f32; 1]) -> [f32; 1] {
    [if level >= 0.5 { 1.0 } else { 0.0 }]
}

vectorised! {
    /// 1 with the level as its probability, else 0.
    fn draw_floats<'a>(key: [u32; 2], first: u32, levels: &'a [f32], x: &'a mut [f32]) {
        for (i, (x, level)) in x.iter_mut().zip(levels).enumerate() {
            let draw = unit(threefry2x32(key, [first.wrapping_add(i as u32), 0])[0]);
            *x = if draw < *level { 1.0 } else { 0.0 };
        }
    }
}

vectorised! {
    /// Replaces each byte by 255 with the byte's level as the probability, else by 0.
    fn draw_levels<'a>(key: [u32; 2], first: u32, x: &'a mut [u8]) {
        for (i, x) in x.iter_mut().enumerate() {
            let draw = unit(threefry2x32(key, [first.wrapping_add(i as u32), 0])[0]);
            *x = if draw < f32::from(*x) / 255.0 { 255 } else { 0 };
        }
    }
}

vectorised! {
    /// Levels with noise: the sum of eight random bytes.
    fn add_noise<'a>(key: [u32; 2], first: u32, noise: i32, x: &'a mut [u8]) {
        for (i, x) in x.iter_mut().enumerate() {
            let [a, b] = threefry2x32(key, [first.wrapping_add(i as u32), 2]);
            let of_a = (a & 0xFF) + (a >> 8 & 0xFF) + (a >> 16 & 0xFF) + (a >> 24);
            let of_b = (b & 0xFF) + (b >> 8 & 0xFF) + (b >> 16 & 0xFF) + (b >> 24);
            let change = (((of_a + of_b) as i32 - 1020) * noise + 32768) >> 16;
            *x = (i32::from(*x) + change).clamp(0, 255) as u8;
        }
    }
}

impl Job for Rows {
    fn phases(&self) -> Vec<usize> {
        vec![self.batch.div_ceil(self.each)]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, _: &mut Scratch) {
        for r in task * self.each..((task + 1) * self.each).min(self.batch) {
            self.row(at, r);
        }
    }
}
