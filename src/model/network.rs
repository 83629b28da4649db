//! The network of a [`VaeSpec`] as a graph: encoder, latent, decoder, losses.

use super::layer::{Direction, Extent, SizedLayer};
use super::layers::{self, activate, dense, dense_block, dense_tied, kl, reparameterise};
use super::spec::{Objective, VaeSpec};
use crate::graph::{Graph, Node, Over};
use crate::plan::Function;

/// Where the noise of the reparameterisation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noise {
    /// No noise: `z = mu`.
    Off,
    /// Drawn on the device.
    Drawn,
    /// Given as an input.
    Given,
}

/// The encoder's outputs for a batch.
pub(super) struct Encoded {
    /// `(B, 2 Z)`: `mu | logvar`; for an autoencoder `(B, Z)`: the code.
    pub codes: Node,
    /// `(B, Z)`
    pub z: Node,
    /// `(B, 1)`; none for an autoencoder.
    pub kl: Option<Node>,
    /// The noise, if it is an input.
    pub noise: Option<Node>,
    /// The encoder's weights, first layer first; a tied decoder uses them in reverse.
    weights: Vec<Node>,
}

/// Numbers the modules of a `torch.nn.Sequential`: each activation is one too, and where images become rows, or rows images,
/// there is one for that.
#[derive(Default)]
struct Modules(usize);

impl Modules {
    /// The number of a layer.
    fn number(&mut self, layer: &SizedLayer) -> usize {
        let flattens = matches!((layer.from, layer.windows), (Extent::Image(_), None));
        let number = self.0 + usize::from(flattens);
        let unflattens = matches!((layer.to, layer.windows), (Extent::Image(_), None));
        self.0 = number + 2 + usize::from(unflattens);
        number
    }
}

/// A layer and its activation on `(B, from)`, and the layer's weight. `tied` is the weight of the layer it mirrors.
fn forward(g: &mut Graph, name: &str, h: Node, batch: usize, layer: &SizedLayer, tied: Option<Node>) -> (Node, Node) {
    let h = g.reshape(h, if layer.windows.is_some() { layer.from.matrix(batch) } else { [batch, layer.from.len()] });
    let (u, weight) = match (layer.windows, tied) {
        (Some((Direction::Back, windows)), tied) => layers::conv_t(g, name, h, windows, tied),
        (Some((Direction::Forward, windows)), _) => layers::conv(g, name, h, windows, layer.to.channels().0),
        (None, Some(weight)) => (dense_tied(g, name, h, weight), weight),
        (None, None) => dense(g, name, h, layer.to.len()),
    };
    if layer.windows.is_none() {
        layers::set_order(g, name, layer.from, layer.to);
    }
    (activate(g, u, layer.activation), weight)
}

/// Encodes `x (B, D)` to the latent variable.
pub(super) fn encode(g: &mut Graph, spec: &VaeSpec, x: Node, noise: Noise) -> Encoded {
    let mut weights = Vec::new();
    let mut h = x;
    let batch = g.shape(x)[0];
    let mut modules = Modules::default();
    for layer in &spec.encoder {
        let name = format!("encoder.{}", modules.number(layer));
        let (next, weight) = forward(g, &name, h, batch, layer, None);
        weights.push(weight);
        h = next;
    }
    let flat = spec.encoder.last().map_or(Extent::Flat(spec.width), |layer| layer.to);
    h = g.reshape(h, [batch, flat.len()]);
    let latent = spec.latent;
    if spec.objective == Objective::Ae {
        let (code, weight) = dense(g, "code", h, latent);
        layers::set_order(g, "code", flat, Extent::Flat(latent));
        weights.push(weight);
        let z = activate(g, code, spec.latent_activation);
        return Encoded { codes: z, z, kl: None, noise: None, weights };
    }
    let (codes, weight) = dense_block(g, "mu|logvar", h, &[("mu", latent), ("logvar", latent)]);
    for head in ["mu", "logvar"] {
        layers::set_order(g, head, flat, Extent::Flat(latent));
    }
    weights.push(g.rows("mu.weight", weight, 0..latent));
    let mu = g.columns("mu", codes, 0..latent);
    let logvar = g.columns("logvar", codes, latent..2 * latent);
    let given = (noise == Noise::Given).then(|| g.input("noise", [batch, latent], false));
    let z = match noise {
        Noise::Off => g.map("z", Function::Copy, &[mu]),
        Noise::Drawn | Noise::Given => {
            let noise = given.unwrap_or_else(|| g.normal("noise", 0, [batch, latent]));
            reparameterise(g, "z", [mu, logvar], noise)
        }
    };
    Encoded { codes, z, kl: Some(kl(g, "kl", [mu, logvar])), noise: given, weights }
}

/// Decodes `z (B, Z)` to the decoder's output: `(B, D)`, or `(B H W, C)`. A tied decoder uses the weights in `encoder`.
pub(super) fn decode(g: &mut Graph, spec: &VaeSpec, z: Node, encoder: &[Node]) -> Node {
    let mut h = z;
    let batch = g.shape(z)[0];
    let mut modules = Modules::default();
    for (i, layer) in spec.decoder.iter().enumerate() {
        let name = format!("decoder.{}", modules.number(layer));
        let tied = encoder.len().checked_sub(i + 1).filter(|_| spec.tied).map(|mirrored| encoder[mirrored]);
        h = forward(g, &name, h, batch, layer, tied).0;
    }
    h
}

impl Encoded {
    /// Decodes the latent variable.
    pub fn decode(&self, g: &mut Graph, spec: &VaeSpec) -> Node {
        decode(g, spec, self.z, &self.weights)
    }
}

/// The encoder's weights, for a tied decoder without an encoder.
pub(super) fn encoder_weights(g: &mut Graph, spec: &VaeSpec) -> Vec<Node> {
    let x = g.input("x", [1, spec.width], false);
    encode(g, spec, x, Noise::Off).weights
}

/// `(B, 1)`: the negative log-likelihood of each row of `x`.
pub(super) fn reconstruction(g: &mut Graph, spec: &VaeSpec, output: Node, x: Node) -> Node {
    let batch = g.shape(x)[0];
    let x = g.reshape(x, g.shape(output));
    let loss = spec.likelihood.loss(g, output, x, spec.sigma);
    let of_rows = g.reshape(loss, [batch, spec.width]);
    g.fold("recon", of_rows, Over::Columns)
}
