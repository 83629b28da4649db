//! Grids of images.

use image::{DynamicImage, Rgb, RgbImage};
use wgvae_data::is_missing;

use super::letters;

/// Screen pixels per pixel of an image, and between images.
const SCALE: usize = 2;
const GAP: usize = 4;
const BACKGROUND: u8 = 40;
/// What names are written in.
const WRITTEN: u8 = 230;
/// Where a pixel is missing.
const NOTHING: u8 = 128;
/// The most pixels of a picture; where it would have more, it shows fewer images, and if these are large, with fewer of
/// their pixels.
const MAX_PIXELS: usize = 1 << 26;
/// Images that are shown however large they are.
const ALWAYS_SHOWN: usize = 100;

/// Height, width and channels of an image.
pub type PictureSides = (usize, usize, usize);

/// How many images stand side by side, for a picture of about as many rows: ten, more of tall ones, fewer of wide ones.
pub fn columns((height, width, _): PictureSides) -> usize {
    (10.0 * (height as f64 / width.max(1) as f64).sqrt()).round().clamp(2.0, 50.0) as usize
}

/// A grid of images with levels in [0, 1], filled row by row.
pub fn grid(levels: &[f32], size: PictureSides, columns: usize) -> DynamicImage {
    labelled(levels, size, columns, &[])
}

/// A grid of images, each row with a name on its left.
pub fn labelled(
    levels: &[f32],
    (height, width, channels): PictureSides,
    columns: usize,
    names: &[String],
) -> DynamicImage {
    let cell = (height * SCALE + GAP).saturating_mul(width * SCALE + GAP);
    let shown = (MAX_PIXELS / cell).max(ALWAYS_SHOWN);
    let images: Vec<&[f32]> = levels.chunks_exact((height * width * channels).max(1)).take(shown).collect();
    let columns = columns.max(1);
    let rows = images.len().div_ceil(columns);
    // Each pixel as a square of `scale`, or every `step`-th pixel where the picture would be too large.
    let (mut scale, mut step) = (SCALE, 1);
    let extent = |side: usize, count: usize, scale: usize, step: usize| {
        count.saturating_mul(side.div_ceil(step) * scale + GAP).saturating_add(GAP)
    };
    let sides = |scale: usize, step: usize| (extent(width, columns, scale, step), extent(height, rows, scale, step));
    let is_too_large = |(wide, tall): (usize, usize)| wide.saturating_mul(tall) > MAX_PIXELS;
    while is_too_large(sides(scale, step)) && step < height.max(width) {
        if scale > 1 { scale -= 1 } else { step += 1 }
    }
    let (all_w, all_h) = sides(scale, step);
    let cell_h = height.div_ceil(step) * scale + GAP;
    // Letters as large as there is room for.
    let letter = if cell_h > 3 * letters::HEIGHT { 2 } else { 1 };
    let longest = names.iter().map(|name| letters::width(name)).max().map_or(0, |width| width * letter + GAP);
    let all_w = all_w + longest;
    let (cell_w, cell_h) = (width.div_ceil(step) * scale + GAP, height.div_ceil(step) * scale + GAP);
    let mut picture = RgbImage::from_pixel(all_w as u32, all_h as u32, Rgb([BACKGROUND; 3]));
    for (i, image) in images.iter().enumerate() {
        let (left, top) = (longest + i % columns * cell_w + GAP, i / columns * cell_h + GAP);
        for y in 0..cell_h - GAP {
            for x in 0..cell_w - GAP {
                let at = (y / scale * step * width + x / scale * step) * channels;
                // A grey level sets all three channels.
                let level = |c: usize| match image[at + c.min(channels - 1)] {
                    level if is_missing(level) => NOTHING,
                    level => (level.clamp(0.0, 1.0) * 255.0).round() as u8,
                };
                picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb([level(0), level(1), level(2)]));
            }
        }
    }
    for (row, name) in names.iter().enumerate().take(rows) {
        let top = row * cell_h + GAP + (cell_h - GAP).saturating_sub(letter * letters::HEIGHT) / 2;
        letters::pixels(name, |x, y| {
            for (dx, dy) in (0..letter).flat_map(|dx| (0..letter).map(move |dy| (dx, dy))) {
                let (x, y) = ((GAP + x * letter + dx) as u32, (top + y * letter + dy) as u32);
                if x < picture.width() && y < picture.height() {
                    picture.put_pixel(x, y, Rgb([WRITTEN; 3]));
                }
            }
        });
    }
    if channels == 1 { DynamicImage::from(picture).into_luma8().into() } else { picture.into() }
}

/// Originals in some columns, each row followed by its reconstructions.
pub fn reconstructions(x: &[f32], mean: &[f32], size: PictureSides) -> DynamicImage {
    stacked(&[x, mean], size)
}

/// Several kinds of the same images in strips of so many, a row each; the strips of the first kind are followed by those of the others.
pub fn strips(kinds: &[&[f32]], lengths: &[usize], size: PictureSides) -> DynamicImage {
    let (each, columns) = (size.0 * size.1 * size.2, lengths.iter().copied().max().unwrap_or(1));
    let mut images = Vec::with_capacity(kinds.len() * lengths.len() * columns * each);
    let mut first = 0;
    for length in lengths {
        for kind in kinds {
            images.extend(kind.iter().skip(first * each).take(length * each));
            // A shorter strip is filled up with black.
            images.resize(images.len().next_multiple_of(columns * each), 0.0);
        }
        first += length;
    }
    grid(&images, size, columns)
}

/// Several kinds of the same images in some columns, each row of the first kind followed by those of the others.
pub fn stacked(kinds: &[&[f32]], size: PictureSides) -> DynamicImage {
    let columns = columns(size);
    let run = columns * size.0 * size.1 * size.2;
    let all = kinds.first().map_or(0, |kind| kind.len());
    let mut images = Vec::with_capacity(kinds.len() * all.next_multiple_of(run));
    for start in (0..all).step_by(run) {
        for kind in kinds {
            images.extend(&kind[start..(start + run).min(all)]);
            // A shorter last row is padded, so that the next kind starts in a new row.
            images.resize(images.len().next_multiple_of(run), 0.0);
        }
    }
    grid(&images, size, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_names() {
        let images = vec![0.5; 4 * 8 * 8];
        let (plain, named) =
            (grid(&images, (8, 8, 1), 2), labelled(&images, (8, 8, 1), 2, &["dim 1".into(), "dim 0".into()]));
        assert_eq!((plain.height(), named.height()), (44, 44));
        assert_eq!(named.width(), plain.width() + 5 * 6 + GAP as u32);
        let (plain, named) = (plain.into_luma8(), named.into_luma8());
        let written = named.enumerate_pixels().filter(|(.., pixel)| pixel.0[0] == WRITTEN).map(|(x, y, _)| (x, y));
        let written: Vec<(u32, u32)> = written.collect();
        // Both names, each in its row, and the images beside them as they were.
        assert!(
            written.iter().all(|(x, _)| *x < 34)
                && written.iter().any(|(_, y)| *y < 22)
                && written.iter().any(|(_, y)| *y > 22)
        );
        assert!(plain.enumerate_pixels().all(|(x, y, pixel)| named.get_pixel(x + 34, y) == pixel));
    }

    #[test]
    fn tall_and_wide_images_make_pictures_of_moderate_height() {
        assert_eq!([(28, 28, 1), (100, 3, 1), (3, 100, 1)].map(columns), [10, 50, 2]);
        for size in [(28, 28, 1), (100, 8, 1), (400, 5, 1), (8, 200, 1)] {
            let images = vec![0.0; 50 * size.0 * size.1];
            let picture = reconstructions(&images, &images, size);
            let ratio = f64::from(picture.height()) / f64::from(picture.width());
            assert!((0.1..4.0).contains(&ratio), "{size:?}: {}x{}", picture.width(), picture.height());
        }
    }

    #[test]
    fn strips_begin_in_rows_of_their_own() {
        // Images of one pixel: strips of three and of one, dark ones below.
        let picture = strips(&[&[1.0, 0.9, 0.8, 0.7], &[0.4, 0.3, 0.2, 0.1]], &[3, 1], (1, 1, 1)).into_luma8();
        let step = (SCALE + GAP) as u32;
        assert_eq!(picture.dimensions(), (3 * step + GAP as u32, 4 * step + GAP as u32));
        let level = |column: u32, row: u32| picture.get_pixel(column * step + GAP as u32, row * step + GAP as u32).0[0];
        let rows: Vec<[u8; 3]> = (0..4).map(|row| [0, 1, 2].map(|column| level(column, row))).collect();
        assert_eq!(rows, [[255, 230, 204], [102, 77, 51], [179, 0, 0], [26, 0, 0]]);
    }
}
