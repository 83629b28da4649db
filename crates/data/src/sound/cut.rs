//! Long recordings and pieces of music, cut into rows of one length.

use std::ops::Range;

/// Where a recording of `length` is cut into rows of `size`: all that are whole, and the rest if it is at least half of one, or all
/// there is. A row that is not whole is to be filled with silence.
pub fn cut(length: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..length).step_by(size.max(1));
    let is_taken = move |start: &usize| *start == 0 || 2 * (length - start) >= size;
    starts.filter(is_taken).map(move |start| start..(start + size).min(length))
}

/// The number of rows of a recording.
pub fn count(length: usize, size: usize) -> usize {
    let (whole, rest) = (length / size.max(1), length % size.max(1));
    whole + usize::from(rest > 0 && (whole == 0 || 2 * rest >= size))
}
