//! Likelihoods: the distribution of the data given the decoder's output.

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Node};
use crate::plan::{Activation, Function, Init, Loss};

/// The distribution of the data given the decoder's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Cross-entropy on logits, for levels in [0, 1].
    Bernoulli,
    /// Normal with a fixed sigma.
    Gaussian,
    /// Squared error: normal with sigma = sqrt(1/2), without its constant.
    Mse,
    /// Normal with one sigma, which is learned.
    GaussianLearned,
}

impl Likelihood {
    /// Every likelihood.
    pub const ALL: [Likelihood; 4] =
        [Likelihood::Bernoulli, Likelihood::Gaussian, Likelihood::Mse, Likelihood::GaussianLearned];

    /// Whether it uses the configuration's sigma.
    pub fn takes_sigma(self) -> bool {
        match self {
            Likelihood::Gaussian | Likelihood::GaussianLearned => true,
            Likelihood::Bernoulli | Likelihood::Mse => false,
        }
    }

    /// The user-visible name.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Bernoulli => "bernoulli",
            Likelihood::Gaussian => "gaussian",
            Likelihood::Mse => "mse",
            Likelihood::GaussianLearned => "gaussian-learned",
        }
    }

    /// The loss `(B, D)` of each element of an output for `x`.
    pub(super) fn loss(self, g: &mut Graph, output: Node, x: Node, sigma: f32) -> Node {
        match self {
            Likelihood::Bernoulli => g.map("loss", Function::Loss(Loss::Bernoulli), &[output, x]),
            Likelihood::Gaussian => {
                let log_norm = sigma.ln() + 0.5 * (2.0 * std::f32::consts::PI).ln();
                gaussian(g, [output, x], 1.0 / (sigma * sigma), log_norm)
            }
            Likelihood::Mse => {
                let sigma = 0.5_f32.sqrt();
                gaussian(g, [output, x], 1.0 / (sigma * sigma), 0.0)
            }
            Likelihood::GaussianLearned => {
                let log_sigma = g.param("log_sigma", &[1], Init::Constant(sigma.ln()));
                g.map("loss", Function::Loss(Loss::GaussianLearned), &[output, x, log_sigma])
            }
        }
    }

    /// Converts an output to the mean of the data, in the units of the data.
    pub(super) fn mean(self, g: &mut Graph, output: Node) -> Node {
        match self {
            Likelihood::Bernoulli => g.map("mean", Function::Activate(Activation::Sigmoid), &[output]),
            Likelihood::Gaussian | Likelihood::Mse | Likelihood::GaussianLearned => output,
        }
    }
}

fn gaussian(g: &mut Graph, [output, x]: [Node; 2], inv_var: f32, log_norm: f32) -> Node {
    let (inv_var, log_norm) = (g.constant(inv_var), g.constant(log_norm));
    g.map("loss", Function::Loss(Loss::Gaussian), &[output, x, inv_var, log_norm])
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_likelihood_is_listed() {
        assert_eq!(Likelihood::value_variants(), Likelihood::ALL);
    }
}
