//! Scatter plots of 2-D points, as images.

use image::{DynamicImage, Rgb, RgbImage};

const SIDE: usize = 640;
const MARGIN: f32 = 24.0;
const GROUND: [f32; 3] = [252.0, 252.0, 250.0];
const DATA: [f32; 3] = [120.0, 140.0, 170.0];
const MODEL: [f32; 3] = [214.0, 84.0, 28.0];

/// Draws the data's points in grey blue and the model's in orange on top; the frame covers the data, with a margin.
pub fn scatter(data: &[f32], model: &[f32]) -> DynamicImage {
    let (low, high) = data
        .iter()
        .filter(|v| v.is_finite())
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    let span = (high - low).max(1e-6) * 1.2;
    let centre = (low + high) / 2.0;
    let scale = (SIDE as f32 - 2.0 * MARGIN) / span;
    let middle = SIDE as f32 / 2.0;
    let mut pixels = vec![GROUND; SIDE * SIDE];
    for (points, colour, radius, strength) in [(data, DATA, 2.2, 0.45), (model, MODEL, 2.2, 0.6)] {
        for point in points.chunks_exact(2) {
            let x = middle + (point[0] - centre) * scale;
            let y = middle - (point[1] - centre) * scale;
            dot(&mut pixels, (x, y), radius, colour, strength);
        }
    }
    let mut picture = RgbImage::new(SIDE as u32, SIDE as u32);
    for (pixel, colour) in picture.pixels_mut().zip(&pixels) {
        *pixel = Rgb(colour.map(|c| c.round() as u8));
    }
    picture.into()
}

fn dot(pixels: &mut [[f32; 3]], (x, y): (f32, f32), radius: f32, colour: [f32; 3], strength: f32) {
    let side = SIDE as f32;
    let inside = |v: f32| v > -radius && v < side + radius;
    if !(inside(x) && inside(y)) {
        return;
    }
    let span = |v: f32| {
        let first = (v - radius - 1.0).max(0.0) as usize;
        let last = (v + radius + 1.0).min(side - 1.0).max(0.0) as usize;
        first..=last
    };
    for row in span(y) {
        for col in span(x) {
            let (dx, dy) = (col as f32 + 0.5 - x, row as f32 + 0.5 - y);
            let covered = (radius + 0.5 - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0) * strength;
            let pixel = &mut pixels[row * SIDE + col];
            for (p, c) in pixel.iter_mut().zip(colour) {
                *p += covered * (c - *p);
            }
        }
    }
}
