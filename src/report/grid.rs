//! Grids of grey images.

use image::{DynamicImage, GrayImage, Luma};

/// Screen pixels a pixel, and between images.
const SCALE: usize = 2;
const GAP: usize = 4;
const BACKGROUND: u8 = 40;

/// Images of levels in [0, 1], row by row.
pub fn grid(levels: &[f32], (height, width): (usize, usize), columns: usize) -> DynamicImage {
    let images: Vec<&[f32]> = levels.chunks_exact(height * width).collect();
    let rows = images.len().div_ceil(columns);
    let (cell_w, cell_h) = (width * SCALE + GAP, height * SCALE + GAP);
    let mut picture =
        GrayImage::from_pixel((columns * cell_w + GAP) as u32, (rows * cell_h + GAP) as u32, Luma([BACKGROUND]));
    for (i, image) in images.iter().enumerate() {
        let (left, top) = (i % columns * cell_w + GAP, i / columns * cell_h + GAP);
        for y in 0..height * SCALE {
            for x in 0..width * SCALE {
                let level = image[y / SCALE * width + x / SCALE];
                let grey = (level.clamp(0.0, 1.0) * 255.0).round() as u8;
                picture.put_pixel((left + x) as u32, (top + y) as u32, Luma([grey]));
            }
        }
    }
    picture.into()
}

/// Ten columns of originals, each with its reconstruction below.
pub fn reconstructions(x: &[f32], mean: &[f32], size: (usize, usize)) -> DynamicImage {
    let run = 10 * size.0 * size.1;
    let blank = vec![0.0; run];
    let pairs: Vec<f32> = x
        .chunks(run)
        .zip(mean.chunks(run))
        .flat_map(|(x, mean)| {
            // A last, shorter row is filled up, so that its reconstructions start a row of their own.
            let rest = &blank[x.len()..];
            [x, rest, mean, rest].concat()
        })
        .collect();
    grid(&pairs, size, 10)
}
