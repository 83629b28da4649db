//! `[model]`

use wgvae_engine::kernels::Activation;

use super::super::{BetaSchedule, PriorKind};
use super::Changes::Never;
use super::KeyGroup::Model;
use super::Range::{Fraction, NotNegative, Positive, Whole};
use super::{Key, KeyValue, Section, section};
use crate::model::{Condition, InitScheme, Layer, Likelihood, Objective, Regulariser};

/// The widest layer.
const MAX_WIDTH: u64 = 1 << 20;
/// Parts of a prior that is a mixture, if nothing else is said.
const PRIOR_PARTS: usize = 50;

/// Objectives with a KL term.
fn with_kl() -> Vec<&'static str> {
    Objective::ALL.into_iter().filter(|objective| objective.has_kl()).map(Objective::name).collect()
}

/// Likelihoods that sigma has an effect on.
fn with_sigma() -> Vec<&'static str> {
    Likelihood::ALL.into_iter().filter(|likelihood| likelihood.takes_sigma()).map(Likelihood::name).collect()
}

fn is_standard(prior: &PriorKind) -> bool {
    *prior == PriorKind::Standard
}

fn is_zero(share: &f32) -> bool {
    *share == 0.0
}

fn is_usual(parts: &usize) -> bool {
    *parts == PRIOR_PARTS
}

section! {
    /// `[model]`
    ModelConfig, Model, model;

    hidden: Vec<usize> = vec![400]
        => "widths of the encoder's hidden layers; [] for none"
        .group(Model).value("WIDTHS").range(Whole(1, MAX_WIDTH)).because("no data can pass through a layer of width 0")
        .reset_by(&["encoder"]).logarithmic().may_change(Never)
        .help("Widths of the hidden layers, e.g. 400,200, or none")
        .common().brief("Widths of hidden layers, e.g. 400,200");

    #[serde(skip_serializing_if = "Option::is_none")]
    decoder_hidden: Option<Vec<usize>> = None
        => "widths of the decoder's hidden layers"
        .group(Model).value("WIDTHS").range(Whole(1, MAX_WIDTH)).because("no data can pass through a layer of width 0")
        .reset_by(&["hidden", "encoder"]).logarithmic().may_change(Never)
        .otherwise("those of the encoder in reverse").example("[200, 400]")
        .help("Widths of the decoder's hidden layers [default: those of --hidden in reverse]");

    #[serde(skip_serializing_if = "Option::is_none")]
    encoder: Option<Vec<Layer>> = None
        => "layers of the encoder, instead of hidden: dense N, dense HxWxC, conv or conv-t N kK sS pP"
        .group(Model).value("LAYERS").excludes("hidden").reset_by(&["hidden"]).may_change(Never)
        .example("[\"conv 32 k3 s2\", \"conv 64 k3 s2\"]")
        .help("Layers of the encoder, instead of --hidden, e.g. 'conv 32 k3 s2, conv 64 k3 s2, dense 128'")
        .common().brief("Layers, e.g. 'conv 32 k3 s2, dense 128'");

    #[serde(skip_serializing_if = "Option::is_none")]
    decoder: Option<Vec<Layer>> = None
        => "layers of the decoder, without the last, which follows from the data"
        .group(Model).value("LAYERS").excludes("decoder_hidden").reset_by(&["hidden", "encoder"]).may_change(Never)
        .otherwise("those of the encoder in reverse").example("[\"dense 7x7x64\", \"conv-t 32 k3 s2\"]");

    latent: usize = 20
        => "latent dimensions"
        .group(Model).value("N").range(Whole(1, MAX_WIDTH)).because("the latent space needs at least one dimension")
        .logarithmic().may_change(Never)
        .common();

    activation: Activation = Activation::Relu
        => "activation of the hidden layers"
        .group(Model).listed();

    latent_activation: Activation = Activation::Identity
        => "activation of the code, for `objective` ae"
        .group(Model).of("objective", &["ae"]);

    likelihood: Likelihood = Likelihood::Bernoulli
        => "distribution of the data around the output"
        .listed().help("Distribution of the data given the decoder's output")
        .common().brief("Distribution of the data");

    sigma: f32 = 1.0
        => "standard deviation of gaussian; where a scale that is learned starts"
        .value("X").range(Positive).of_those("likelihood", with_sigma).note(", which have a scale").logarithmic()
        .help("Standard deviation of the likelihood gaussian; where a scale that is learned starts");

    objective: Objective = Objective::Elbo
        => "elbo: reconstruction plus beta times KL; beta-tc, dip-i, dip-ii, info: and what codes of a batch cost; \
            iwae: the importance-weighted bound; ae: a plain autoencoder"
        .help("elbo: reconstruction plus beta times KL; beta-tc, dip-i, dip-ii, info: and what the codes of a batch \
               cost; iwae: the importance-weighted bound; ae: a plain autoencoder")
        .common().brief("The loss");

    #[serde(skip_serializing_if = "is_standard")]
    prior: PriorKind = PriorKind::Standard
        => "what codes are drawn to: standard, mixture, vamp (what the encoder makes of learned rows)"
        .may_change(Never).example("\"vamp\"")
        .help("What codes are drawn to: the standard normal, a mixture of normals that are learned, or one of what \
               the encoder makes of rows that are learned (VampPrior)");

    #[serde(skip_serializing_if = "is_usual")]
    prior_parts: usize = PRIOR_PARTS
        => "parts of the prior, for mixture and vamp"
        .value("N").range(Whole(1, 65_535)).of("prior", &["mixture", "vamp"]).logarithmic().may_change(Never)
        .help("Parts of the prior, for --prior mixture and vamp");

    #[serde(skip_serializing_if = "is_zero")]
    word_dropout: f32 = 0.0
        => "share of a text's tokens that the decoder is not shown while it is trained, so that it needs the code"
        .group(Model).value("SHARE").range(Fraction).of("likelihood", &["tokens"]).example("0.3");

    condition: Condition = Condition::None
        => "class: encoder and decoder are told each row's class"
        .group(Model).may_change(Never)
        .help("class: a conditional VAE, whose encoder and decoder are told each row's class");

    beta: f32 = 1.0
        => "weight of the KL term"
        .value("X").range(NotNegative).of_those("objective", with_kl).note(", which have a KL term")
        .reset_by(&["kl_at_most"]).logarithmic().common();

    beta_warmup_epochs: f64 = 0.0
        => "epochs over which beta rises from 0"
        .value("EPOCHS").range(NotNegative).of_those("objective", with_kl).note(", which have a KL term")
        .reset_by(&["kl_at_most"]).not_of_step();

    beta_schedule: BetaSchedule = BetaSchedule::Linear
        => "how beta rises: linear, sigmoid, cyclical (anew in each of beta_cycles cycles)"
        .of_those("objective", with_kl).note(", which have a KL term").reset_by(&["kl_at_most"])
        .help("How beta rises; cyclical: anew in each of --beta-cycles cycles");

    beta_cycles: u32 = 4
        => "cycles of the run, for `beta_schedule` cyclical"
        .value("N").range(Whole(1, u32::MAX as u64)).of("beta_schedule", &["cyclical"]).reset_by(&["objective"]);

    #[serde(skip_serializing_if = "Option::is_none")]
    free_bits: Option<f32> = None
        => "nats that each latent dimension costs at least"
        .value("NATS").range(Positive).of("objective", &["elbo"]).reset_by(&["capacity", "kl_at_most"]).logarithmic()
        .example("0.1");

    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<f32> = None
        => "nats that the KL is held at: beta weighs its distance from them"
        .value("NATS").range(Positive).of("objective", &["elbo"]).reset_by(&["free_bits", "kl_at_most"]).logarithmic()
        .example("25.0");

    capacity_epochs: f64 = 0.0
        => "epochs over which the capacity rises from 0"
        .value("EPOCHS").range(NotNegative).reset_by(&["objective", "free_bits", "kl_at_most"]);

    #[serde(skip_serializing_if = "Option::is_none")]
    kl_at_most: Option<f32> = None
        => "nats that the KL is held at or under, by a multiplier in place of beta"
        .value("NATS").range(Positive).of("objective", &["elbo"])
        .reset_by(&["free_bits", "capacity", "beta", "beta_warmup_epochs", "beta_schedule"]).logarithmic().example("20.0");

    tc_weight: f32 = 6.0
        => "weight of the total correlation, for `objective` beta-tc; the KL has it once"
        .value("X").range(NotNegative).of("objective", &["beta-tc"]).logarithmic();

    tc_stratified: bool = false
        => "estimate the total correlation by stratified sampling"
        .of("objective", &["beta-tc"]);

    dip_off_diagonal: f32 = 10.0
        => "weight of covariances between dimensions, for objectives dip-i and dip-ii"
        .value("X").range(NotNegative).of("objective", &["dip-i", "dip-ii"]).logarithmic()
        .help("Weight of the covariances between dimensions, for --objective dip-i and dip-ii");

    #[serde(skip_serializing_if = "Option::is_none")]
    dip_diagonal: Option<f32> = None
        => "weight of the variances' distances from 1"
        .value("X").range(NotNegative).of("objective", &["dip-i", "dip-ii"]).logarithmic()
        .otherwise("10 times the other in dip-i").example("100.0")
        .help("Weight of the variances' distances from 1 [default: 10 times the other in dip-i, as much as it in \
               dip-ii]");

    mmd_weight: f32 = 100.0
        => "weight of the discrepancy from the prior, for `objective` info"
        .value("X").range(NotNegative).of("objective", &["info"]).logarithmic();

    samples: usize = 1
        => "draws of the latent for each row, for `objective` iwae"
        .value("N").range(Whole(1, 65_535)).of("objective", &["iwae"]).logarithmic();

    sample_groups: usize = 1
        => "groups that these are in, each of which has a bound of its own"
        .value("N").range(Whole(1, u64::MAX)).of("objective", &["iwae"]);

    elbo_share: f32 = 0.0
        => "share of the ELBO in `objective` iwae"
        .value("SHARE").range(Fraction).of("objective", &["iwae"]);

    doubly_reparameterised: bool = false
        => "use the doubly-reparameterised gradient of `objective` iwae"
        .of("objective", &["iwae"]);

    tied: bool = false
        => "the decoder uses the encoder's matrices, transposed"
        .group(Model).may_change(Never)
        .help("Tie the weights: the decoder uses the encoder's matrices, transposed");

    init: InitScheme = InitScheme::Torch
        => "how weights and biases start: torch, glorot (as in Keras), kaiming (for relu)"
        .group(Model).help("How weights and biases start");
}

/// What follows from an objective.
impl ModelConfig {
    /// The cost of the codes of a batch, whose rows are drawn from so many.
    pub(in super::super) fn regulariser(&self, rows: usize) -> Regulariser {
        match self.objective {
            Objective::BetaTc => Regulariser::TotalCorrelation {
                weight: self.tc_weight - 1.0,
                stratified: self.tc_stratified.then_some(rows),
            },
            Objective::DipI => Regulariser::Dip {
                diagonal: self.dip_diagonal.unwrap_or(10.0 * self.dip_off_diagonal),
                off_diagonal: self.dip_off_diagonal,
                of_draws: false,
            },
            Objective::DipIi => Regulariser::Dip {
                diagonal: self.dip_diagonal.unwrap_or(self.dip_off_diagonal),
                off_diagonal: self.dip_off_diagonal,
                of_draws: true,
            },
            Objective::Info => Regulariser::Discrepancy { weight: self.mmd_weight },
            Objective::Elbo | Objective::Iwae | Objective::Ae => Regulariser::None,
        }
    }

    /// The loss that is minimised, in words.
    pub fn loss_in_words(&self) -> String {
        match self.objective {
            Objective::Elbo => match (self.free_bits, self.capacity, self.kl_at_most) {
                (Some(least), ..) => format!("ELBO with beta {} and {least} free nats a dimension", self.beta),
                (_, Some(capacity), _) => format!("ELBO with beta {} and a capacity of {capacity} nats", self.beta),
                (_, _, Some(most)) => format!("ELBO with a KL of {most} nats at most"),
                _ => format!("ELBO with beta {}", self.beta),
            },
            Objective::BetaTc => format!("ELBO with beta {} and total correlation times {}", self.beta, self.tc_weight),
            Objective::DipI => format!("DIP-VAE-I with beta {}", self.beta),
            Objective::DipIi => format!("DIP-VAE-II with beta {}", self.beta),
            Objective::Info => format!("InfoVAE with beta {} and a discrepancy times {}", self.beta, self.mmd_weight),
            Objective::Iwae => {
                let groups =
                    if self.sample_groups > 1 { format!(" in {} groups", self.sample_groups) } else { String::new() };
                format!("IWAE with {} draws{groups}", self.samples)
            }
            Objective::Ae => "autoencoder".into(),
        }
    }
}
