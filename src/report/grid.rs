//! Grids of images.

use image::{DynamicImage, Rgb, RgbImage};

/// Screen pixels per pixel of an image, and between images.
const SCALE: usize = 2;
const GAP: usize = 4;
const BACKGROUND: u8 = 40;

/// Height, width and channels of an image.
pub type Size = (usize, usize, usize);

/// A grid of images with levels in [0, 1], filled row by row.
pub fn grid(levels: &[f32], (height, width, channels): Size, columns: usize) -> DynamicImage {
    let images: Vec<&[f32]> = levels.chunks_exact(height * width * channels).collect();
    let rows = images.len().div_ceil(columns);
    let (cell_w, cell_h) = (width * SCALE + GAP, height * SCALE + GAP);
    let (all_w, all_h) = ((columns * cell_w + GAP) as u32, (rows * cell_h + GAP) as u32);
    let mut picture = RgbImage::from_pixel(all_w, all_h, Rgb([BACKGROUND; 3]));
    for (i, image) in images.iter().enumerate() {
        let (left, top) = (i % columns * cell_w + GAP, i / columns * cell_h + GAP);
        for y in 0..height * SCALE {
            for x in 0..width * SCALE {
                let at = (y / SCALE * width + x / SCALE) * channels;
                // A grey level sets all three channels.
                let level = |c: usize| (image[at + c.min(channels - 1)].clamp(0.0, 1.0) * 255.0).round() as u8;
                picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb([level(0), level(1), level(2)]));
            }
        }
    }
    if channels == 1 { DynamicImage::from(picture).into_luma8().into() } else { picture.into() }
}

/// Originals in ten columns, each row followed by its reconstructions.
pub fn reconstructions(x: &[f32], mean: &[f32], size: Size) -> DynamicImage {
    stacked(&[x, mean], size)
}

/// Several kinds of the same images in ten columns, each row of the first kind followed by those of the others.
pub fn stacked(kinds: &[&[f32]], size: Size) -> DynamicImage {
    let run = 10 * size.0 * size.1 * size.2;
    let all = kinds.first().map_or(0, |kind| kind.len());
    let mut images = Vec::with_capacity(kinds.len() * all.next_multiple_of(run));
    for start in (0..all).step_by(run) {
        for kind in kinds {
            images.extend(&kind[start..(start + run).min(all)]);
            // A shorter last row is padded, so that the next kind starts in a new row.
            images.resize(images.len().next_multiple_of(run), 0.0);
        }
    }
    grid(&images, size, 10)
}
