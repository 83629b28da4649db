//! The description of a model: plain data, validated by the configuration.

use std::ops::Range;

use wgvae_data::described;
use wgvae_engine::kernels::Activation;
use wgvae_engine::kernels::batch::{Augment, Binarise};
use wgvae_engine::kernels::optimizer::Rule;
use wgvae_engine::plan::{ColumnKind, Init, ParamTable};

use super::{Extent, Likelihood, SizedLayer};

described! {
    /// The objective that training minimises.
    pub enum Objective {
        Elbo = "elbo": "Reconstruction plus beta times KL",
        Iwae = "iwae": "The importance-weighted bound of several draws of the latent",
        BetaTc = "beta-tc": "The ELBO, with the total correlation of the latent dimensions weighed more",
        DipI = "dip-i": "The ELBO, and how far the covariance of the codes' means is from the identity",
        DipIi = "dip-ii": "The ELBO, and how far the covariance of draws of the latent is from the identity",
        Info = "info": "The ELBO, and how far draws of the latent are from the prior by their maximum mean discrepancy",
        Ae = "ae": "Reconstruction alone, through a code without noise",
    }
}

impl Objective {
    /// Whether it is the ELBO, with or without a cost of the codes of a batch: beta weighs the KL.
    pub fn has_kl(self) -> bool {
        !matches!(self, Objective::Iwae | Objective::Ae)
    }
}

/// The penalty on the KL divergence in the objective elbo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// Beta times the KL.
    Weighted,
    /// Beta times the KL, but each dimension costs at least so much: `max(least, mean KL of the dimension)`.
    FreeBits(f32),
    /// Beta times the distance of the KL from the step's capacity.
    Capacity,
    /// A multiplier holds the KL at or under this limit: it rises while the KL is above the limit, and falls while it
    /// is below.
    AtMost(f32),
}

/// The distribution that codes are drawn to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prior {
    /// The standard normal.
    #[default]
    Standard,
    /// A mixture, with equal weights, of so many normals whose means and variances are learned.
    Mixture {
        /// How many.
        parts: usize,
    },
    /// A mixture, with equal weights, of what the encoder makes of rows that are learned.
    Vamp {
        /// How many.
        parts: usize,
    },
}

impl Prior {
    /// The parts of a mixture.
    pub fn parts(self) -> Option<usize> {
        match self {
            Prior::Standard => None,
            Prior::Mixture { parts } | Prior::Vamp { parts } => Some(parts),
        }
    }
}

/// The cost of the codes of a whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regulariser {
    /// Nothing.
    None,
    /// A multiple of the total correlation.
    TotalCorrelation {
        /// The weight; the KL has it once already.
        weight: f32,
        /// The number of rows that batches are drawn from, with stratified sampling; else each row of a batch stands
        /// for as many.
        stratified: Option<usize>,
    },
    /// Squares of how far a covariance is from the identity.
    Dip {
        /// The weight of the covariance's diagonal.
        diagonal: f32,
        /// The weight of the rest.
        off_diagonal: f32,
        /// Whether the covariance is that of draws, not of their means.
        of_draws: bool,
    },
    /// A multiple of the squared maximum mean discrepancy of draws from the prior.
    Discrepancy {
        /// The weight.
        weight: f32,
    },
}

/// The importance-weighted bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    /// Draws of the latent for each row.
    pub samples: usize,
    /// Groups that these are in: the bound is the mean of those of the groups.
    pub groups: usize,
    /// The share of the ELBO in the objective; the rest is the bound's.
    pub elbo_share: f32,
    /// Whether the encoder's gradient is the doubly-reparameterised one.
    pub is_doubly: bool,
}

described! {
    /// The additional input that a model gets with each row.
    #[derive(Default)]
    pub enum Condition {
        #[default]
        None = "none": "Nothing",
        Class = "class": "Its class, in the encoder and in the decoder: a conditional VAE",
    }
}

described! {
    /// How weights and biases start.
    #[derive(Default)]
    pub enum InitScheme {
        #[default]
        Torch = "torch": "As PyTorch's layers: both uniform within one over the root of the inputs",
        Glorot = "glorot": "As Keras' layers: weights uniform within the root of 6 over inputs and outputs, biases 0",
        Kaiming = "kaiming": "For relu: weights uniform within the root of 6 over the inputs, biases 0",
    }
}

impl InitScheme {
    /// Sets how the parameters of layers start. The parameters of a likelihood, of a prior and of classes keep starts
    /// of their own.
    pub(crate) fn apply(self, params: &mut ParamTable) {
        if self == InitScheme::Torch {
            return;
        }
        for param in params.iter_mut().filter(|param| matches!(param.init, Init::Layer(_))) {
            param.init = match param.shape[..] {
                [first, second, ref kernel @ ..] => {
                    // An output of a convolution sees one kernel of inputs, and an input is seen by one kernel of
                    // outputs.
                    let taps: usize = kernel.iter().product();
                    let (inputs, outputs) = (second * taps, first * taps);
                    let fan = if self == InitScheme::Glorot { inputs + outputs } else { inputs };
                    Init::Layer((6.0 / fan as f32).sqrt())
                }
                _ => Init::Constant(0.0),
            };
        }
    }
}

/// The facts about the columns of a table that a network needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSpec {
    /// `(D)`: the kind of each value's column.
    pub kinds: Vec<ColumnKind>,
    /// The values of each category: one for each of its words, next to each other.
    pub categories: Vec<std::ops::Range<usize>>,
    /// `(D)`: the mean of the logarithms of counts, which their values are less; 0 for others.
    pub log_means: Vec<f32>,
}

impl TableSpec {
    /// Whether there are numbers alone.
    pub fn is_plain(&self) -> bool {
        self.kinds.iter().all(|kind| *kind == ColumnKind::Number)
    }

    /// Whether some column has numbers.
    pub fn has_numbers(&self) -> bool {
        self.kinds.contains(&ColumnKind::Number)
    }

    /// Whether some column has counts.
    pub fn has_counts(&self) -> bool {
        self.kinds.contains(&ColumnKind::Count)
    }
}

/// The network and its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeSpec {
    /// Values per example.
    pub width: usize,
    /// The encoder's hidden layers; none for a linear encoder.
    pub encoder: Vec<SizedLayer>,
    /// The decoder's layers, the last of which makes the output.
    pub decoder: Vec<SizedLayer>,
    /// Latent dimensions.
    pub latent: usize,
    /// Activation of the code of an autoencoder.
    pub latent_activation: Activation,
    /// Distribution of the data given the decoder's output.
    pub likelihood: Likelihood,
    /// Standard deviation of the likelihood gaussian; where the scale of others starts that learn theirs.
    pub sigma: f32,
    /// The objective that training minimises.
    pub objective: Objective,
    /// The distribution that codes are drawn to.
    pub prior: Prior,
    /// The penalty on the KL in the objective elbo.
    pub penalty: Penalty,
    /// The additional cost of the codes of a batch.
    pub regulariser: Regulariser,
    /// The bound, for the objective iwae; else one draw of the latent.
    pub importance: Importance,
    /// The decoder uses the encoder's matrices, transposed.
    pub tied: bool,
    /// Number of classes, one of which encoder and decoder get with each row.
    pub classes: Option<usize>,
    /// The columns of a table, unless all are numbers that are there.
    pub table: Option<TableSpec>,
    /// Whether values may be missing, which [`MISSING`](wgvae_engine::plan::MISSING) stands for: the encoder gets marks of them, and
    /// nothing is lost for them.
    pub missing: bool,
    /// Whether rows come with an interval around each value: a table's numbers are not known better than their digits tell, and a value
    /// that many rows share stands for all that lies between its neighbours.
    pub intervals: bool,
    /// How weights and biases start.
    pub init: InitScheme,
    /// The share of tokens that a decoder of texts is not shown while it is trained.
    pub word_dropout: f32,
}

impl VaeSpec {
    /// Whether rows are tokens.
    pub fn is_of_tokens(&self) -> bool {
        self.likelihood == Likelihood::Tokens
    }

    /// The size of the vocabulary, where rows are tokens.
    pub fn vocabulary(&self) -> usize {
        if self.is_of_tokens() { self.decoder.last().map_or(0, |layer| layer.to.pixels().1) } else { 0 }
    }

    /// How many numbers the decoder makes of each value: of columns with numbers also a scale, but where it has the encoder's weights.
    pub fn outputs(&self) -> usize {
        if self.intervals && !self.tied { 2 } else { self.likelihood.outputs() }
    }

    /// The same network for texts of at most so many tokens; none where it takes the tokens of a text at once, or learns with batches that
    /// must have texts of all lengths.
    pub fn of_tokens(&self, tokens: usize) -> Option<Self> {
        let is_of_times = |extent: Extent| matches!(extent, Extent::Tokens { .. } | Extent::Series { .. });
        let (first, last) = (self.encoder.first()?, self.encoder.last()?);
        let is_token_by_token = is_of_times(first.from)
            && !is_of_times(last.to)
            && self.decoder.iter().all(|layer| is_of_times(layer.from) && is_of_times(layer.to));
        let couples_rows = self.regulariser != Regulariser::None
            || self.penalty == Penalty::Capacity
            || matches!(self.prior, Prior::Vamp { .. });
        if !self.is_of_tokens() || !is_token_by_token || couples_rows {
            return None;
        }
        let over = |layers: &[SizedLayer]| layers.iter().map(|layer| layer.over(tokens)).collect();
        Some(Self { width: tokens, encoder: over(&self.encoder), decoder: over(&self.decoder), ..self.clone() })
    }

    /// Values that a row on the device has: behind its own, where there are intervals, half of the width of that around each number, and
    /// the mean of the logarithms of counts.
    pub fn row_width(&self) -> usize {
        if self.intervals { 2 * self.width } else { self.width }
    }
}

/// The training settings that the plan depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSpec {
    /// Rows per batch.
    pub batch: usize,
    /// How grey levels are turned into 0 and 1.
    pub binarise: Binarise,
    /// Augmentation of training images.
    pub augment: Option<Augment>,
    /// The optimiser.
    pub rule: Rule,
    /// Weight decay.
    pub decay: f32,
    /// The norm that the gradient is clipped to.
    pub clip: Option<f32>,
    /// Whether ops are fused.
    pub fuse: bool,
    /// The buckets that training texts are in by their lengths, shortest first; none where each step takes texts of all lengths.
    pub buckets: Vec<Bucket>,
}

/// Training texts of similar lengths, which lie next to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Tokens of the longest, the end among them.
    pub tokens: usize,
    /// The rows.
    pub rows: Range<usize>,
}

/// The size and type of the data on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSpec {
    /// Training rows.
    pub train_rows: usize,
    /// Test rows.
    pub test_rows: usize,
    /// Whether values are bytes, read as levels in [0, 1], or floats.
    pub bytes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_start_as_the_scheme_says() {
        let (torch, own) = (Init::Layer(0.5), Init::Uniform(0.5));
        let made = |scheme: InitScheme| {
            let mut params = ParamTable::default();
            params.push_block(&[("dense.weight", &[30, 20], torch), ("dense.bias", &[30], torch)]);
            params.push_block(&[("conv.weight", &[8, 4, 3, 5], torch), ("log_sigma", &[1], Init::Constant(0.0))]);
            params.push_block(&[("of_classes.weight", &[8, 4], own)]);
            scheme.apply(&mut params);
            params.iter().map(|param| param.init).collect::<Vec<_>>()
        };
        let (zero, uniform) = (Init::Constant(0.0), |fan: f32| Init::Layer((6.0 / fan).sqrt()));
        assert_eq!(made(InitScheme::Torch), [torch, torch, torch, zero, own]);
        assert_eq!(made(InitScheme::Glorot), [uniform(50.0), zero, uniform(180.0), zero, own]);
        assert_eq!(made(InitScheme::Kaiming), [uniform(20.0), zero, uniform(60.0), zero, own]);
    }
}
