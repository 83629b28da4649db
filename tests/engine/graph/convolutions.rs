//! Convolutions and transposed convolutions, with dense layers before and behind them.

use wgvae::model::layers::{activate, dense, norm, residual};
use wgvae_engine::graph::{Graph, Name, Node};
use wgvae_engine::plan::{Activation, Windows};

use super::harness::{model, parameter, reconstruct};

const BATCH: usize = 3;

/// A convolution with a bias and an activation.
fn conv(g: &mut Graph, name: &str, x: Node, of: Windows, outputs: usize) -> Node {
    let weight = parameter(g, &format!("{name}.weight"), &[outputs, of.cols()]);
    let bias = parameter(g, &format!("{name}.bias"), &[outputs]);
    let product = g.convolution(Name::forward(name), x, weight, of);
    let u = g.sum_of(format!("{name}.out"), product, bias);
    activate(g, u, Activation::Tanh)
}

/// A transposed convolution with a bias.
fn conv_t(g: &mut Graph, name: &str, x: Node, of: Windows) -> Node {
    let inputs = g.shape(x)[1];
    let weight = parameter(g, &format!("{name}.weight"), &[inputs, of.cols()]);
    let bias = parameter(g, &format!("{name}.bias"), &[of.channels()]);
    let product = g.transposed_convolution(Name::forward(name), x, weight, of);
    g.sum_of(format!("{name}.out"), product, bias)
}

/// Two convolutions, a dense code, and the way back.
fn network(g: &mut Graph, x: Node, channels: usize, first: Windows, second: Windows) -> Node {
    let images = g.reshape(x, [BATCH * first.pixels(), channels]);
    let h = conv(g, "first", images, first, second.channels());
    let h = conv(g, "second", h, second, 4);
    let flat = g.reshape(h, [BATCH, 4 * second.rows()]);
    let (code, _) = dense(g, "code", flat, 3);
    let (u, _) = dense(g, "back", code, 4 * second.rows());
    let h = activate(g, u, Activation::Silu);
    let h = g.reshape(h, [BATCH * second.rows(), 4]);
    let u = conv_t(g, "up", h, second);
    let h = activate(g, u, Activation::Elu);
    conv_t(g, "out", h, first)
}

#[test]
fn an_encoder_and_a_decoder_of_images() {
    for (image, [first, second], channels) in [
        ([8, 8, 1], [(3, 2, 1), (3, 2, 1)], 4),
        ([7, 5, 3], [(3, 2, 1), (2, 1, 0)], 5),
        ([9, 9, 2], [(5, 3, 2), (3, 1, 1)], 4),
        ([6, 7, 4], [(4, 2, 1), (1, 2, 0)], 8),
    ] {
        let of = |image: [u32; 3], (kernel, stride, padding): (u32, u32, u32)| {
            Windows::padded(image, [kernel; 2], stride, [padding; 2])
        };
        let first = of(image, first);
        let [down, across] = first.positions;
        let second = of([down, across, channels], second);
        let width = first.image_len();
        let build = |g: &mut Graph| {
            let x = g.input("x", [BATCH, width], false);
            let output = network(g, x, image[2] as usize, first, second);
            // The loss of images is a sum over all of their pixels.
            let output = g.reshape(output, [BATCH, width]);
            reconstruct(g, x, output)
        };
        model(build).check(&format!("{first}, {second}"));
    }
}

/// A norm, pools and residual blocks, between dense layers.
#[test]
fn norms_pools_and_residual_blocks() {
    for ([height, width, channels], square, inside, groups) in [([4, 2, 2], 2, 4, [2, 2]), ([3, 7, 3], 3, 3, [1, 3])] {
        let pixel = |channels: u32| Windows::padded([height, width, channels], [3, 3], 1, [1, 1]);
        let pool = |channels: u32| Windows::padded([height, width, channels], [square; 2], square, [0, 0]);
        let numbers = (height * width * channels) as usize;
        let build = |g: &mut Graph| {
            let x = g.input("x", [BATCH, numbers], false);
            let images = g.reshape(x, [BATCH * (height * width) as usize, channels as usize]);
            let windows = [pixel(channels), pixel(inside)];
            let h = residual(g, "block", images, windows, groups, Activation::Silu);
            let small = g.average_pool("pool", h, pool(inside));
            let flat = g.reshape(small, [BATCH, inside as usize * pool(inside).rows()]);
            let (u, _) = dense(g, "code", flat, 5);
            let u = norm(g, "layer norm", u, 1, 1);
            let h = activate(g, u, Activation::Tanh);
            let (u, _) = dense(g, "back", h, 4 * pool(4).rows());
            let h = g.reshape(u, [BATCH * pool(4).rows(), 4]);
            let h = norm(g, "norm", h, pool(4).rows(), 2);
            let h = activate(g, h, Activation::Elu);
            let h = g.upsample("up", h, pool(4));
            let h = residual(g, "same", h, [pixel(4); 2], [2, 4], Activation::Gelu);
            let output = conv_t(g, "out", h, pixel(channels));
            let output = g.reshape(output, [BATCH, numbers]);
            reconstruct(g, x, output)
        };
        model(build).check(&format!("{height}x{width}x{channels}"));
    }
}
