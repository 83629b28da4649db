//! Resizing images and converting them to grey or colour.

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, RgbImage, Rgba};
use rayon::prelude::*;

use super::raw::Raw;
use super::{Channels, DataError, Examples, Fit, Options, Shape, Values};

/// Height, width and channels.
pub type ImageSides = (usize, usize, usize);

/// Resizes an image; if it already has the size, nothing is resampled.
pub fn fitted(image: DynamicImage, (height, width, channels): ImageSides, fit: Fit) -> DynamicImage {
    let (w, h) = (width as u32, height as u32);
    let image = flat(image, channels);
    if (image.width(), image.height()) == (w, h) {
        return image;
    }
    // The triangle filter averages over the whole area of an output pixel when an image shrinks.
    let filter = FilterType::Triangle;
    let image = if fit == Fit::Crop { cropped_first(image, w, h) } else { image };
    match fit {
        Fit::Stretch => stretched(image, w, h),
        Fit::Crop => image.resize_to_fill(w, h, filter),
        Fit::Fit => {
            let inner = image.resize(w, h, filter);
            let mut whole = if channels == 1 {
                DynamicImage::from(GrayImage::new(w, h))
            } else {
                DynamicImage::from(RgbImage::new(w, h))
            };
            let (x, y) = (i64::from(w - inner.width().min(w)) / 2, i64::from(h - inner.height().min(h)) / 2);
            image::imageops::replace(&mut whole, &inner, x, y);
            // `replace` copies pixels through RGBA, so the channels are converted back.
            flat(whole, channels)
        }
    }
}

/// The most pixels that are made on the way to the size.
const MAX_BETWEEN: u64 = 1 << 22;

/// Cuts off what would be cut off after scaling, where scaling would make far more pixels than are kept: a strip of
/// 1x60000 would become 64x3840000 first.
fn cropped_first(image: DynamicImage, w: u32, h: u32) -> DynamicImage {
    let (wide, tall) = (u64::from(image.width()), u64::from(image.height()));
    let (w, h) = (u64::from(w), u64::from(h));
    // The sides after scaling: the smaller ratio of the two decides.
    let (new_w, new_h) = if wide * h > tall * w { (wide * h / tall, h) } else { (w, tall * w / wide) };
    if new_w * new_h <= MAX_BETWEEN.max(4 * w * h) && wide * new_h <= 16 * MAX_BETWEEN {
        return image;
    }
    let keep_w = (tall * w).div_ceil(h).clamp(1, wide) as u32;
    let keep_h = (wide * h).div_ceil(w).clamp(1, tall) as u32;
    image.crop_imm((image.width() - keep_w) / 2, (image.height() - keep_h) / 2, keep_w, keep_h)
}

/// Scales each side by itself. The resizer scales heights first; a wide strip is made narrower before.
fn stretched(image: DynamicImage, w: u32, h: u32) -> DynamicImage {
    let between = u64::from(image.width()) * u64::from(h);
    let is_strip = h > image.height() && image.width() / 8 > w && between > MAX_BETWEEN / 4;
    let image = if is_strip { image.resize_exact(w, image.height(), FilterType::Triangle) } else { image };
    image.resize_exact(w, h, FilterType::Triangle)
}

/// Converts to eight bits per channel, with transparent pixels over white, as browsers and image viewers show them.
fn flat(image: DynamicImage, channels: usize) -> DynamicImage {
    let image = if image.color().has_alpha() {
        let mut rgba = image.into_rgba8();
        for Rgba([r, g, b, a]) in rgba.pixels_mut() {
            let clear = 255 * (255 - u32::from(*a));
            let over_white = |level: u8| ((u32::from(level) * u32::from(*a) + clear + 127) / 255) as u8;
            (*r, *g, *b) = (over_white(*r), over_white(*g), over_white(*b));
        }
        DynamicImage::from(rgba)
    } else {
        image
    };
    if channels == 1 { image.into_luma8().into() } else { image.into_rgb8().into() }
}

/// Converts the images of a source other than a folder to the requested size and channels.
pub fn as_asked(mut raw: Raw, options: &Options) -> Result<Raw, DataError> {
    let Shape::Image { height, width, channels } = raw.shape else { return Ok(raw) };
    let size = options.image_size.map_or((height, width), |size| (size.height, size.width));
    let wanted = match options.channels {
        None => channels,
        Some(Channels::Grey) => 1,
        Some(Channels::Rgb) => 3,
    };
    let (from, to) = ((height, width, channels), (size.0, size.1, wanted));
    if from == to {
        return Ok(raw);
    }
    let splits = [Some(&mut raw.rows), raw.test.as_mut()];
    for split in splits.into_iter().flatten() {
        bring(split, from, to, options)?;
    }
    raw.shape = Shape::Image { height: to.0, width: to.1, channels: to.2 };
    if (from.0, from.1) != size {
        raw.notes.push(format!("images of {height}x{width} were resized to {}x{}", size.0, size.1));
    }
    Ok(raw)
}

fn bring(split: &mut Examples, from: ImageSides, to: ImageSides, options: &Options) -> Result<(), DataError> {
    let Values::Bytes(levels) = &split.values else {
        let reason = format!(
            "its images of {}x{} are floats, but only images of grey or colour levels can be resized",
            from.0, from.1
        );
        return Err(DataError::unusable(&options.source, reason));
    };
    let mut brought = zeros(split.rows, to.0 * to.1 * to.2)
        .ok_or_else(|| DataError::unusable(&options.source, "its images do not fit into memory at this size"))?;
    let stride = from.0 * from.1 * from.2;
    brought.par_chunks_mut(to.0 * to.1 * to.2).zip(levels.par_chunks(stride)).for_each(|(into, image)| {
        let (w, h) = (from.1 as u32, from.0 as u32);
        let image = if from.2 == 1 {
            GrayImage::from_raw(w, h, image.to_vec()).map(DynamicImage::from)
        } else {
            RgbImage::from_raw(w, h, image.to_vec()).map(DynamicImage::from)
        };
        if let Some(image) = image {
            into.copy_from_slice(fitted(image, to, options.fit).as_bytes());
        }
    });
    split.values = Values::Bytes(brought);
    Ok(())
}

/// Zeros for `count` images, or none if there is not enough memory.
pub fn zeros(rows: usize, stride: usize) -> Option<Vec<u8>> {
    let mut room = Vec::new();
    let length = rows.checked_mul(stride)?;
    room.try_reserve_exact(length).ok()?;
    room.resize(length, 0);
    Some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half black, right half white.
    fn halves(width: u32, height: u32) -> DynamicImage {
        GrayImage::from_fn(width, height, |x, _| image::Luma([if x < width / 2 { 0 } else { 255 }])).into()
    }

    #[test]
    fn each_way_of_fitting_keeps_what_it_says() {
        let stretched = fitted(halves(40, 20), (8, 8, 1), Fit::Stretch);
        assert_eq!((stretched.as_bytes()[0], stretched.as_bytes()[7]), (0, 255));
        // The middle 20 columns: still half and half.
        let cropped = fitted(halves(40, 20), (8, 8, 1), Fit::Crop);
        assert_eq!((cropped.as_bytes()[0], cropped.as_bytes()[7]), (0, 255));
        let whole = fitted(halves(40, 20), (8, 8, 3), Fit::Fit);
        let row = |y: usize| &whole.as_bytes()[y * 24..y * 24 + 24];
        assert!(row(0).iter().chain(row(7)).all(|level| *level == 0), "no bars");
        assert_eq!((row(4)[0], row(4)[21]), (0, 255));
    }

    #[test]
    fn what_is_transparent_lies_over_white() {
        let glass = |alpha: u8| image::RgbaImage::from_pixel(2, 2, Rgba([200, 100, 50, alpha]));
        let shown = |alpha: u8| fitted(glass(alpha).into(), (2, 2, 3), Fit::Crop).as_bytes()[..3].to_vec();
        assert_eq!((shown(0), shown(51), shown(255)), (vec![255; 3], vec![244, 224, 214], vec![200, 100, 50]));
        let grey = image::GrayAlphaImage::from_pixel(2, 2, image::LumaA([0, 0]));
        assert_eq!(fitted(grey.into(), (2, 2, 1), Fit::Crop).as_bytes(), [255; 4]);
    }

    #[test]
    fn nothing_changes_at_the_same_size() {
        let image = GrayImage::from_fn(5, 4, |x, y| image::Luma([(x * 50 + y) as u8]));
        assert_eq!(fitted(image.clone().into(), (4, 5, 1), Fit::Crop).as_bytes(), image.as_raw().as_slice());
    }
}
