//! The 784-400-20-400-784 VAE.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::{Model, PIXELS, negative_elbo, reparameterise};

const HIDDEN: usize = 400;
const LATENT: usize = 20;

#[derive(Module, Debug)]
pub struct Dense {
    encoder: Linear,
    mu: Linear,
    logvar: Linear,
    decoder: Linear,
    logits: Linear,
}

impl Model for Dense {
    const STEPS_PER_ROUND: usize = 50;

    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            encoder: linear(PIXELS, HIDDEN),
            mu: linear(HIDDEN, LATENT),
            logvar: linear(HIDDEN, LATENT),
            decoder: linear(LATENT, HIDDEN),
            logits: linear(HIDDEN, PIXELS),
        }
    }

    fn loss(&self, x: Tensor<2>) -> Tensor<1> {
        let hidden = relu(self.encoder.forward(x.clone()));
        let (mu, logvar) = (self.mu.forward(hidden.clone()), self.logvar.forward(hidden));
        let z = reparameterise(&mu, &logvar);
        let logits = self.logits.forward(relu(self.decoder.forward(z)));
        negative_elbo(x, logits, mu, logvar)
    }
}
