//! Priors: the distribution that codes are drawn to.

use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::plan::{Function, Init, Orientation};

use super::layers;
use super::regulariser::aggregate;
use super::spec::{Prior, VaeSpec};

/// The range that the means of a mixture's parts start in: about where a standard normal is.
const SPREAD: Init = Init::Uniform(1.732_050_8);

/// The parts of a prior that is a mixture with equal weights, `mu` and `logvar (K, Z)`; none of the standard normal. `encode` makes `mu`
/// and `logvar` of rows in which nothing is missing.
pub(super) fn parts(
    g: &mut Graph,
    spec: &VaeSpec,
    encode: impl FnOnce(&mut Graph, &VaeSpec, Node) -> [Node; 2],
) -> Option<[Node; 2]> {
    let latent = spec.latent;
    match spec.prior {
        Prior::Standard => None,
        Prior::Mixture { parts } => {
            let shape = [parts, latent];
            let mu = g.param("prior.mu", &shape, SPREAD);
            Some([mu, g.param("prior.logvar", &shape, Init::Constant(0.0))])
        }
        Prior::Vamp { parts } => {
            let inputs = g.param(PSEUDO_INPUTS, &[parts, spec.width], Init::Rows);
            // Nothing is missing in rows that are learned.
            let whole = VaeSpec { missing: false, ..spec.clone() };
            Some(encode(g, &whole, inputs))
        }
    }
}

/// The rows whose codes the parts of a VampPrior are.
const PSEUDO_INPUTS: &str = "prior.inputs";

/// `(B, 1)`: `ln 1/K sum of N(z | part)` of `z (B, Z)`, less its constant.
pub(super) fn log_mixture(g: &mut Graph, z: Node, parts: [Node; 2]) -> Node {
    let count = g.shape(parts[0])[0];
    let [sums, _] = aggregate(g, z, parts, None);
    let less = g.constant(-(count as f32).ln());
    g.map("log_prior", Function::Add, &[sums, less])
}

/// `(B, Z)` draws: row i from the part in its row of `chosen (B, K)`, which is 1 there and else 0.
pub(super) fn draw(g: &mut Graph, chosen: Node, parts: [Node; 2]) -> Node {
    let [mu, logvar] = [("mu of parts", parts[0]), ("logvar of parts", parts[1])]
        .map(|(name, of)| g.product(name, Orientation::Nn, chosen, of));
    let shape = g.shape(mu);
    let noise = g.normal("prior", 0, shape);
    layers::reparameterise(g, "z", [mu, logvar], noise)
}

/// `(B, 1)`: `ln p(z) - ln q(z | x)` of draws `z (B, Z)`, from the terms of `ln q` `(B, Z)`.
pub(super) fn log_ratio(g: &mut Graph, z: Node, log_q: Node, parts: Option<[Node; 2]>) -> Node {
    let less = g.negative("minus_log_q", log_q);
    match parts {
        None => {
            let zero = g.constant(0.0);
            let log_p = g.map("log_p", Function::LogNormal, &[z, zero, zero]);
            let terms = g.sum_of("log_ratio terms", log_p, less);
            g.reduce("log_ratio", terms, Axis::Columns)
        }
        Some(parts) => {
            let log_p = log_mixture(g, z, parts);
            let less = g.reduce("minus_log_q of rows", less, Axis::Columns);
            g.sum_of("log_ratio", log_p, less)
        }
    }
}
