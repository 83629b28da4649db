//! The windows of a convolution as a matrix, and their sum where they overlap.

use rayon::prelude::*;

use super::Real;
use crate::plan::Windows;

/// Calls `each` with the number of a tap of a window and of the pixel under it, for those that lie in the image.
pub(super) fn taps(w: &Windows, place: usize, mut each: impl FnMut(usize, usize)) {
    let [height, width, _] = w.image.map(i64::from);
    let [down, across] = [place / w.positions[1] as usize, place % w.positions[1] as usize];
    let begin = |at: usize, padding: u32| at as i64 * i64::from(w.stride) - i64::from(padding);
    let (top, left) = (begin(down, w.padding[0]), begin(across, w.padding[1]));
    for y in 0..i64::from(w.kernel[0]) {
        for x in 0..i64::from(w.kernel[1]) {
            let (row, col) = (top + y, left + x);
            if (0..height).contains(&row) && (0..width).contains(&col) {
                each((y * i64::from(w.kernel[1]) + x) as usize, (row * width + col) as usize);
            }
        }
    }
}

/// `(B OH OW, KH KW C)` of images `(B, H W C)`.
pub(super) fn matrix<T: Real>(w: &Windows, images: &[T]) -> Vec<T> {
    let (cols, channels) = (w.cols(), w.channels());
    let mut matrix = vec![T::zero(); images.len() / w.image_len() * w.rows() * cols];
    let least = super::rows_a_thread(w.rows() * cols);
    matrix.par_chunks_mut(w.rows() * cols).with_min_len(least).zip(images.par_chunks(w.image_len())).for_each(
        |(rows, image)| {
            for (place, row) in rows.chunks_mut(cols).enumerate() {
                taps(w, place, |tap, pixel| {
                    let from = &image[pixel * channels..(pixel + 1) * channels];
                    row[tap * channels..(tap + 1) * channels].copy_from_slice(from);
                });
            }
        },
    );
    matrix
}

/// The images whose pixels are the sums of all the taps that lie over them.
pub(super) fn overlapped<T: Real>(w: &Windows, matrix: &[T]) -> Vec<T> {
    let (cols, channels) = (w.cols(), w.channels());
    let mut images = vec![T::zero(); matrix.len() / (w.rows() * cols) * w.image_len()];
    let least = super::rows_a_thread(w.rows() * cols);
    images.par_chunks_mut(w.image_len()).with_min_len(least).zip(matrix.par_chunks(w.rows() * cols)).for_each(
        |(image, rows)| {
            for (place, row) in rows.chunks(cols).enumerate() {
                taps(w, place, |tap, pixel| {
                    let to = &mut image[pixel * channels..(pixel + 1) * channels];
                    for (sum, value) in to.iter_mut().zip(&row[tap * channels..]) {
                        *sum += *value;
                    }
                });
            }
        },
    );
    images
}
