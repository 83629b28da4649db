//! Cases of products with the windows of images: convolutions forward, their `d_weight` and their `d_input`.

use super::gemm::{Epilogue, SUMS, activated, product, result, sloped};
use crate::conformance::case::{Case, Fill};
use crate::kernels::batch::words_per_row;
use crate::kernels::{Activation, gemm};
use crate::plan::{Dtype, Function, Index, Loss, Orientation, StepScalars, Value, Windows};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    // Widths around tiles and words, strides, kernels larger and smaller than the stride and the image, channels that are
    // and are not whole words.
    for (images, image, kernel, stride, padding, outputs) in [
        (1, [1, 1, 1], [1, 1], 1, [0, 0], 1),
        (2, [5, 7, 1], [3, 3], 1, [1, 1], 3),
        (3, [7, 5, 3], [3, 3], 2, [1, 1], 5),
        (2, [7, 7, 4], [4, 4], 2, [1, 1], 8),
        (2, [8, 6, 8], [3, 3], 2, [1, 1], 4),
        (1, [28, 28, 1], [3, 3], 2, [1, 1], 32),
        (1, [14, 14, 32], [3, 3], 2, [1, 1], 12),
        (2, [9, 10, 5], [5, 4], 3, [2, 1], 7),
        (3, [6, 6, 4], [1, 1], 2, [0, 0], 4),
        (2, [5, 5, 4], [2, 2], 3, [0, 0], 4),
        (5, [4, 3, 8], [5, 5], 1, [2, 2], 33),
        (1, [41, 3, 1], [3, 1], 1, [1, 0], 2),
        (1, [1, 47, 4], [1, 5], 2, [0, 2], 3),
        (2, [13, 11, 12], [3, 2], 1, [0, 1], 36),
        // Two convolutions may have the same windows and other channels.
        (2, [8, 6, 8], [3, 3], 2, [1, 1], 12),
        (2, [5, 7, 1], [3, 3], 1, [1, 1], 4),
        // Enough places to be split.
        (3, [13, 11, 1], [3, 3], 1, [1, 1], 5),
        (2, [13, 11, 3], [3, 3], 1, [1, 1], 8),
        (5, [18, 16, 1], [4, 4], 2, [1, 1], 6),
        // More lines than a task of the processor takes.
        (1, [33, 65, 2], [3, 3], 1, [1, 1], 34),
    ] {
        let of = Windows::padded(image, kernel, stride, padding);
        all.push(case(images, of, outputs, Activation::Relu, false));
        all.push(case(images, of, outputs, Activation::Identity, true));
    }
    // Padding below and right of the image only, as `same` has it at an even size with a stride of 2.
    let same = Windows { image: [8, 8, 4], positions: [4, 4], kernel: [3, 3], stride: 2, padding: [0, 0] };
    all.push(case(3, same, 8, Activation::Identity, false));
    for (images, image, stride, outputs) in [(3, [7, 5, 3], 2, 5), (2, [9, 13, 9], 1, 4), (1, [23, 24, 1], 2, 3)] {
        all.push(likelihood_case(images, Windows::padded(image, [3, 3], stride, [1, 1]), outputs));
    }
    let of = Windows::padded([14, 14, 32], [3, 3], 2, [1, 1]);
    all.push(case(128, of, 64, Activation::Relu, false).timed(true));
    all
}

/// A decoder's last layer, a transposed convolution, with the loss and gradient of images of grey levels.
fn likelihood_case(images: usize, of: Windows, inputs: usize) -> Case {
    let mut case = Case::new(format!("gemm/windows {images} of {of} from {inputs} bernoulli"), StepScalars::default());
    let (pixels, channels) = (images * of.pixels(), of.channels());
    let x = case.input("x", &[images * of.rows(), inputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[inputs, of.cols()], Dtype::F32, Fill::Spread(1.0));
    let bias = case.input("bias", &[channels], Dtype::F32, Fill::Spread(1.0));
    let levels = case.input("levels", &[images, words_per_row(of.image_len())], Dtype::U32, Fill::Bits);
    let d_output = case.output("d_output", &[pixels, channels], SUMS);
    let sum = case.output("loss", &[pixels, channels.div_ceil(4)], SUMS);
    let mut epilogue = Epilogue::default();
    let level = epilogue.input(levels, Index::LevelsOf { rows: of.pixels() as u32 });
    let loss = epilogue.call(Function::Loss(Loss::Bernoulli), &[Value::Product(0), level]);
    epilogue.store(result(loss, 1), d_output, Index::Whole);
    epilogue.sum(loss, sum);
    case.op(|t| {
        let op = gemm::convolution(t, "forward", Orientation::Nn, [x, weight, d_output], of)?;
        product(t, op, Some(bias), epilogue)
    });
    case
}

fn case(images: usize, of: Windows, outputs: usize, activation: Activation, levels: bool) -> Case {
    let levels_name = if levels { " levels" } else { "" };
    let name = format!("gemm/windows {images} of {of} to {outputs} {}{levels_name}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(if images > 100 { 0.1 } else { 1.0 });
    let (pixels, places) = (images * of.pixels(), images * of.rows());
    let x = match levels {
        // The padding behind an image is not a level.
        true => case.input("x", &[images, words_per_row(of.image_len())], Dtype::U32, Fill::Bits),
        false => case.input("x", &[pixels, of.channels()], Dtype::F32, spread),
    };
    let weight = case.input("weight", &[outputs, of.cols()], Dtype::F32, spread);
    let bias = case.input("bias", &[outputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[places, outputs], Dtype::F32, spread);
    let saved = case.input("saved", &[pixels, of.channels()], Dtype::F32, super::map::saved(activation));
    let y = case.output("y", &[places, outputs], SUMS);
    let d_weight = case.output("d_weight", &[outputs, of.cols()], SUMS);
    let d_bias = case.output("d_bias", &[outputs], SUMS);
    let d_x = case.output("d_x", &[pixels, of.channels()], SUMS);
    let forward = activated(&mut case, activation, y);
    case.op(|t| {
        let op = gemm::convolution(t, "forward", Orientation::Nt, [x, weight, y], of)?;
        product(t, op, Some(bias), forward)
    });
    case.op(|t| {
        let mut op = gemm::convolution(t, "d_weight", Orientation::Tn, [d_y, x, d_weight], of)?;
        gemm::add_row_sum(t, &mut op, d_bias)?;
        Ok(op)
    });
    case.op(|t| {
        let op = gemm::convolution(t, "d_input", Orientation::Nn, [d_y, weight, d_x], of)?;
        product(t, op, None, sloped(activation, saved, d_x))
    });
    case
}
