//! Group norm and its gradient: a task is an image.

use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::vector::{sums_of_columns, vectorised};
use crate::plan::{Norm, Op, Pass, TensorTable};

/// The number that is added to the variance.
const EPSILON: f32 = 1e-5;

/// The groups of all images.
pub(super) struct Groups {
    pixels: usize,
    channels: usize,
    groups: usize,
    /// x, or d_y.
    given: Region,
    /// y, or d_x.
    made: Region,
    /// `y`, which only the gradient reads.
    normalised: Option<Region>,
    scales: Region,
}

impl Groups {
    pub fn new(op: &Op, tensors: &TensorTable, norm: Norm, pass: Pass) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let [given, made, scales] = match pass {
            Pass::Forward => ["x", "y", "scale"],
            Pass::Backward => ["d_y", "d_x", "scales"],
        };
        Self {
            pixels: norm.pixels as usize,
            channels: norm.channels as usize,
            groups: norm.groups as usize,
            given: bound(given),
            made: bound(made),
            normalised: (pass == Pass::Backward).then(|| bound("normalised")),
            scales: bound(scales),
        }
    }

    fn image(&self) -> usize {
        self.pixels * self.channels
    }

    /// Replaces the sum of each channel by the mean of its group: `(C)`.
    fn means(&self, sums: &mut [f32]) {
        let each = self.channels / self.groups;
        for group in sums.chunks_exact_mut(each) {
            let mean = group.iter().sum::<f32>() / (self.pixels * each) as f32;
            group.fill(mean);
        }
    }
}

vectorised! {
    /// Sums of each channel of products, in the order of pixels.
    fn sums_of_products<'a>(x: &'a [f32], y: &'a [f32], sums: &'a mut [f32]) {
        sums.fill(0.0);
        for (x, y) in x.chunks_exact(sums.len()).zip(y.chunks_exact(sums.len())) {
            for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                *sum += x * y;
            }
        }
    }
}

vectorised! {
    /// Sums of each channel of the squared distances from its mean, in the order of pixels.
    fn sums_of_squares<'a>(x: &'a [f32], means: &'a [f32], sums: &'a mut [f32]) {
        sums.fill(0.0);
        for pixel in x.chunks_exact(sums.len()) {
            for (sum, (x, mean)) in sums.iter_mut().zip(pixel.iter().zip(means)) {
                *sum += (x - mean) * (x - mean);
            }
        }
    }
}

vectorised! {
    /// `y = (x - mean) scale`
    fn normalise<'a>(x: &'a [f32], means: &'a [f32], scales: &'a [f32], y: &'a mut [f32]) {
        for (y, x) in y.chunks_exact_mut(means.len()).zip(x.chunks_exact(means.len())) {
            for ((y, x), (mean, scale)) in y.iter_mut().zip(x).zip(means.iter().zip(scales)) {
                *y = (x - mean) * scale;
            }
        }
    }
}

vectorised! {
    /// `d_x = scale (d_y - mean - y along)`
    fn normalise_back<'a>(
        d_y: &'a [f32],
        y: &'a [f32],
        means: &'a [f32],
        along: &'a [f32],
        scales: &'a [f32],
        d_x: &'a mut [f32],
    ) {
        let channels = means.len();
        for ((d_x, d_y), y) in d_x.chunks_exact_mut(channels).zip(d_y.chunks_exact(channels)).zip(y.chunks_exact(channels)) {
            for (((d_x, d_y), y), ((mean, along), scale)) in
                d_x.iter_mut().zip(d_y).zip(y).zip(means.iter().zip(along).zip(scales))
            {
                *d_x = scale * (d_y - mean - y * along);
            }
        }
    }
}

impl Job for Groups {
    fn phases(&self) -> Vec<usize> {
        vec![self.given.len / self.image()]
    }

    fn run(&self, at: At<'_>, _: usize, image: usize, scratch: &mut Scratch) {
        let (len, channels) = (self.image(), self.channels);
        let each = channels / self.groups;
        let range = image * len..(image + 1) * len;
        let given = &at.memory.floats(self.given)[range.clone()];
        let made = at.memory.floats_mut(self.made.part(range.clone()));
        let of_image = self.scales.part(image * self.groups..(image + 1) * self.groups);
        let (means, rest) = scratch.panel.sized(3 * channels).split_at_mut(channels);
        let (along, scales) = rest.split_at_mut(channels);
        sums_of_columns(given, means);
        self.means(means);
        if let Some(normalised) = self.normalised {
            let y = &at.memory.floats(normalised)[range];
            sums_of_products(given, y, along);
            self.means(along);
            for (of_group, scale) in scales.chunks_exact_mut(each).zip(at.memory.floats(of_image)) {
                of_group.fill(*scale);
            }
            return normalise_back(given, y, means, along, scales, made);
        }
        sums_of_squares(given, means, scales);
        self.means(scales);
        scales.iter_mut().for_each(|variance| *variance = 1.0 / (*variance + EPSILON).sqrt());
        for (of_group, scale) in scales.chunks_exact(each).zip(at.memory.floats_mut(of_image)) {
            *scale = of_group[0];
        }
        normalise(given, means, scales, made);
    }
}
