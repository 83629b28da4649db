//! Cases of `batch`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::batch::{Augment, augmented, classes, gather, of_rows, repeated, words_per_row};
use crate::plan::{Binarise, Dtype, StepScalars};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (count, batch, width, offset, shuffle, binarise, rows) in [
        (1, 1, 1, 0, 1, Binarise::None, 1),
        (7, 5, 3, 4, 1, Binarise::None, 5),
        (64, 64, 8, 0, 1, Binarise::Threshold, 64),
        (65, 17, 13, 60, 1, Binarise::Draw, 17),
        (101, 32, 31, 90, 0, Binarise::None, 11),
        (40, 9, 301, 0, 1, Binarise::Threshold, 9),
        (5000, 128, 784, 4900, 1, Binarise::None, 128),
        (5000, 128, 784, 4900, 1, Binarise::Draw, 128),
    ] {
        for dtype in [Dtype::U32, Dtype::F32] {
            let bytes = dtype == Dtype::U32;
            let name = format!(
                "batch/{} {count}x{width} batch {batch} at {offset} {binarise:?}{}",
                if bytes { "bytes" } else { "floats" },
                if shuffle == 1 { "" } else { " in order" },
            );
            let step = StepScalars {
                binarise_key: [11, 12],
                shuffle_key: [21, 22],
                next_shuffle_key: [31, 32],
                shuffle,
                offset,
                rows,
                ..StepScalars::default()
            };
            let mut case = Case::new(name, step);
            let stride = if bytes { words_per_row(width) } else { width };
            let fill = match (bytes, binarise) {
                (true, _) => Fill::Bits,
                (false, Binarise::Threshold) => Fill::Among(&[0.0, 0.25, 0.5, 0.75, 1.0]),
                (false, _) => Fill::Levels,
            };
            let data = case.input("data", &[count, stride], dtype, fill);
            // Exact, because the op only copies and compares.
            let x = match bytes {
                true => case.word_output("x", &[batch, stride]),
                false => case.output("x", &[batch, width], Tolerance::Relative(0.0)),
            };
            // One batch has each row twice or three times.
            let samples = if count == 65 { 3 } else { 1 };
            case.op(|t| repeated(gather(t, data, x, width, binarise)?, samples));
            all.push(case.timed(batch == 128));
        }
    }
    for (count, batch, width, offset) in [(1, 1, 1, 0), (11, 5, 3, 9), (300, 65, 17, 250), (5000, 128, 10, 4900)] {
        let keys = StepScalars { shuffle_key: [21, 22], next_shuffle_key: [31, 32], ..StepScalars::default() };
        let step = StepScalars { shuffle: 1, offset, rows: batch as u32, ..keys };
        let mut case = Case::new(format!("batch/classes {count} of {width} batch {batch} at {offset}"), step);
        let labels = case.input("labels", &[count, 1], Dtype::U32, Fill::Below(width as u32));
        let x = case.output("x", &[batch, width], Tolerance::Relative(0.0));
        case.op(|t| classes(t, labels, x));
        all.push(case);
    }
    // The first numbers of some of the rows, and their classes.
    for (rows, batch, width, offset, shuffle) in
        [(3..7, 5, 3, 2, 1), (0..1, 4, 1, 0, 1), (20..90, 33, 9, 60, 1), (4..9, 5, 2, 0, 0)]
    {
        let keys = StepScalars { shuffle_key: [21, 22], next_shuffle_key: [31, 32], ..StepScalars::default() };
        let step = StepScalars { shuffle, offset, rows: batch as u32, ..keys };
        let mut case = Case::new(format!("batch/rows {rows:?} batch {batch} of {width} at {offset}"), step);
        let data = case.input("data", &[100, 11], Dtype::F32, Fill::Levels);
        let labels = case.input("labels", &[100, 1], Dtype::U32, Fill::Below(width as u32));
        let x = case.output("x", &[batch, width], Tolerance::Relative(0.0));
        let of = rows.clone();
        case.op(|t| of_rows(gather(t, data, x, width, Binarise::None)?, of));
        let x = case.output("of classes", &[batch, width], Tolerance::Relative(0.0));
        case.op(|t| of_rows(classes(t, labels, x)?, rows));
        all.push(case);
    }
    for ((height, image_width, channels), shift, flip, noise, binarise) in [
        ((5, 7, 1), 2, true, 0.0, Binarise::None),
        ((4, 3, 3), 1, true, 0.1, Binarise::None),
        ((1, 1, 1), 0, false, 1.0, Binarise::None),
        ((9, 5, 1), 60, false, 0.0, Binarise::None),
        ((6, 6, 1), 0, true, 0.3, Binarise::Draw),
        ((28, 28, 1), 3, true, 0.05, Binarise::None),
    ] {
        let width = height * image_width * channels;
        let (count, batch) = (300, if width == 784 { 128 } else { 33 });
        let name = format!(
            "batch/augmented {height}x{image_width}x{channels} shift {shift} flip {flip} noise {noise} {binarise:?}"
        );
        let keys = StepScalars { binarise_key: [11, 12], shuffle_key: [21, 22], ..StepScalars::default() };
        let step = StepScalars { shuffle: 1, rows: batch as u32, ..keys };
        let mut case = Case::new(name, step);
        let stride = words_per_row(width);
        let data = case.input("data", &[count, stride], Dtype::U32, Fill::Bits);
        let x = case.word_output("x", &[batch, stride]);
        let augment = Augment { height, image_width, channels, shift, flip, noise };
        let samples = if noise == 0.3 || channels == 3 { 4 } else { 1 };
        case.op(|t| repeated(augmented(t, data, x, binarise, augment)?, samples));
        all.push(case.timed(width == 784));
    }
    all
}
