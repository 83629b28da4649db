//! Group norm and its gradient.

use super::{Call, Real};
use crate::plan::{Norm, Pass};

/// The number that is added to the variance.
const EPSILON: f64 = 1e-5;

/// The elements of each group of each image, in order.
fn groups(norm: Norm, len: usize) -> impl Iterator<Item = Vec<usize>> {
    let [pixels, channels, groups] = [norm.pixels, norm.channels, norm.groups].map(|n| n as usize);
    let each = channels / groups;
    (0..len / (pixels * channels)).flat_map(move |image| {
        (0..groups).map(move |group| {
            let of_pixel = move |pixel: usize| {
                let start = (image * pixels + pixel) * channels + group * each;
                start..start + each
            };
            (0..pixels).flat_map(of_pixel).collect()
        })
    })
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, norm: Norm, pass: Pass) {
    match pass {
        Pass::Forward => forward(call, norm),
        Pass::Backward => back(call, norm),
    }
}

fn forward<T: Real>(call: &mut Call<'_, T>, norm: Norm) {
    let x = call.read("x");
    let mut y = vec![T::zero(); x.len()];
    let mut scales = Vec::new();
    for group in groups(norm, x.len()) {
        let count = T::of(group.len() as f64);
        let mean = group.iter().map(|i| x[*i]).sum::<T>() / count;
        let variance = group.iter().map(|i| (x[*i] - mean) * (x[*i] - mean)).sum::<T>() / count;
        let scale = (variance + T::of(EPSILON)).sqrt().recip();
        group.iter().for_each(|i| y[*i] = (x[*i] - mean) * scale);
        scales.push(scale);
    }
    call.write_back("y", y);
    call.write_back("scale", scales);
}

fn back<T: Real>(call: &mut Call<'_, T>, norm: Norm) {
    let (d_y, y, scales) = (call.read("d_y"), call.read("normalised"), call.read("scales"));
    let mut d_x = vec![T::zero(); d_y.len()];
    for (group, scale) in groups(norm, d_y.len()).zip(scales) {
        let count = T::of(group.len() as f64);
        let mean = group.iter().map(|i| d_y[*i]).sum::<T>() / count;
        let along = group.iter().map(|i| d_y[*i] * y[*i]).sum::<T>() / count;
        group.iter().for_each(|i| d_x[*i] = *scale * (d_y[*i] - mean - y[*i] * along));
    }
    call.write_back("d_x", d_x);
}
