//! The convolutional VAE of wgvae's preset keras-conv: 32 and 64 maps, a dense layer of 16, a latent of 2.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::{Model, PIXELS, negative_elbo, reparameterise};

const SIDE: usize = 28;
/// Numbers of 64 maps of 7 x 7.
const FLAT: usize = 64 * 7 * 7;
const HIDDEN: usize = 16;
const LATENT: usize = 2;

#[derive(Module, Debug)]
pub struct Conv {
    encoder: [Conv2d; 2],
    hidden: Linear,
    mu: Linear,
    logvar: Linear,
    start: Linear,
    decoder: [ConvTranspose2d; 3],
}

impl Model for Conv {
    const STEPS_PER_ROUND: usize = 5;

    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let down = |channels| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]).with_padding(padding).init(device)
        };
        let up = |channels, stride: usize| {
            let config = ConvTranspose2dConfig::new(channels, [3, 3]).with_stride([stride, stride]);
            config.with_padding([1, 1]).with_padding_out([stride - 1, stride - 1]).init(device)
        };
        Self {
            encoder: [down([1, 32]), down([32, 64])],
            hidden: linear(FLAT, HIDDEN),
            mu: linear(HIDDEN, LATENT),
            logvar: linear(HIDDEN, LATENT),
            start: linear(LATENT, FLAT),
            decoder: [up([64, 64], 2), up([64, 32], 2), up([32, 1], 1)],
        }
    }

    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        let examples = x.dims()[0];
        let mut maps = x.clone().reshape([examples, 1, SIDE, SIDE]);
        for layer in &self.encoder {
            maps = relu(layer.forward(maps));
        }
        let hidden = relu(self.hidden.forward(maps.reshape([examples, FLAT])));
        let (mu, logvar) = (self.mu.forward(hidden.clone()), self.logvar.forward(hidden));
        let z = reparameterise(&mu, &logvar);
        let [first, second, last] = &self.decoder;
        let mut maps = relu(self.start.forward(z)).reshape([examples, 64, 7, 7]);
        for layer in [first, second] {
            maps = relu(layer.forward(maps));
        }
        negative_elbo(x, last.forward(maps).reshape([examples, PIXELS]), mu, logvar)
    }
}
