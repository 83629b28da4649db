//! The network of a [`VaeSpec`] as a graph: encoder, latent, decoder, losses.

use super::layers::{activate, dense, dense_block, dense_tied, kl, reparameterise};
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

/// Encodes `x (B, D)` to the latent variable.
pub(super) fn encode(g: &mut Graph, spec: &VaeSpec, x: Node, noise: Noise) -> Encoded {
    let mut weights = Vec::new();
    let mut h = x;
    for (i, &outputs) in spec.encoder.iter().enumerate() {
        // Names as in PyTorch, where each activation module of a `Sequential` takes a number too.
        let (u, weight) = dense(g, &format!("encoder.{}", 2 * i), h, outputs);
        weights.push(weight);
        h = activate(g, u, spec.activation);
    }
    let (batch, latent) = (g.shape(x)[0], spec.latent);
    if spec.objective == Objective::Ae {
        let (code, weight) = dense(g, "code", h, latent);
        weights.push(weight);
        let z = activate(g, code, spec.latent_activation);
        return Encoded { codes: z, z, kl: None, noise: None, weights };
    }
    let (codes, weight) = dense_block(g, "mu|logvar", h, &[("mu", latent), ("logvar", latent)]);
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

/// Decodes `z (B, Z)` to the decoder's output `(B, D)`. A tied decoder uses the weights in `encoder`.
pub(super) fn decode(g: &mut Graph, spec: &VaeSpec, z: Node, encoder: &[Node]) -> Node {
    let mut h = z;
    for (i, &outputs) in spec.decoder.iter().chain([&spec.width]).enumerate() {
        let name = format!("decoder.{}", 2 * i);
        let u = match encoder.len().checked_sub(i + 1).filter(|_| spec.tied) {
            Some(mirrored) => dense_tied(g, &name, h, encoder[mirrored]),
            None => dense(g, &name, h, outputs).0,
        };
        h = if i < spec.decoder.len() { activate(g, u, spec.activation) } else { u };
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
    let loss = spec.likelihood.loss(g, output, x, spec.sigma);
    g.fold("recon", loss, Over::Columns)
}
