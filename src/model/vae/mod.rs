//! The plans of a model: to train it, and to apply it.

mod builder;
mod plans;

use wgvae_engine::plan::{PlanError, PlanId, Program, TensorId};

use super::network::{LatentDraws, Noise};
use super::spec::{Bucket, DataSpec, Regulariser, TrainSpec, VaeSpec};
use super::step::MetricColumns;
use builder::Builder;

/// The plans of a model that is trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingPlans {
    /// A whole training step; with buckets, that of the longest texts.
    pub train: PlanId,
    /// The steps of the buckets of shorter texts, shortest first.
    pub shorter: Vec<PlanId>,
    /// The losses of a batch of test rows.
    pub evaluate: PlanId,
    /// Test rows through the code without noise.
    pub reconstruct: PlanId,
    /// Draws from the prior, decoded. An autoencoder has no prior and no such plan.
    pub sample: Option<PlanId>,
}

/// The plans of a model that is only applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyingPlans {
    /// Rows to their codes: `codes`, and `z` without noise.
    pub encode: PlanId,
    /// `z` to what the decoder makes of it; of texts, to the states that [`ApplyingPlans::next_token`] starts from.
    pub decode: PlanId,
    /// A step of a decoder of texts; only in a model of texts.
    pub next_token: Option<PlanId>,
    /// Rows through encoder and decoder, without noise.
    pub reconstruct: PlanId,
    /// The losses of rows, with one draw of the latent from [`Vae::noise`].
    pub score: PlanId,
    /// The loss of `z` for the seen values of rows, and its slope; only in a model that is to infer codes.
    pub infer: Option<PlanId>,
    /// Another draw of the latent for each row of the batch, whose codes are there, and its weight; only in a model
    /// that is to weigh draws.
    pub weigh: Option<PlanId>,
    /// The parts of the prior, if it has some.
    pub prior: Option<PlanId>,
}

impl TrainingPlans {
    /// The training step of a bucket, shortest first.
    pub fn of_bucket(&self, bucket: usize) -> PlanId {
        self.shorter.get(bucket).copied().unwrap_or(self.train)
    }
}

/// How rows that codes are inferred for were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The values are exact: the loss is the model's likelihood.
    Exactly,
    /// The values have noise: the loss is squared errors, with a weight for each value.
    WithNoise,
}

/// The tensors of the seen values of rows, and of the slope of their loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inference {
    /// `(B, D)`: the values; 0 where one is not seen; with intervals `(B, 2 D)`.
    pub seen: TensorId,
    /// `(B, D)`: the weight of each value's loss; 0 where it is not seen.
    pub trust: TensorId,
    /// `(B, Z)`: the slope of each row's loss by `z`; the loss is in [`Vae::recon`].
    pub slope: TensorId,
}

/// The tensors of a decoder of texts that makes token after token.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// `(B, 1)`: the token before, which is below 0 at the beginning; with a place `(B, T)`: the tokens so far.
    pub token: TensorId,
    /// `(B, 1)`: which row of all times the next token is made at, `b T + t`; none where states are all that a decoder remembers.
    pub place: Option<TensorId>,
    /// `(B, V)`: the logits of the next token.
    pub logits: TensorId,
    /// `(B, H)` each, of an lstm `(B, 2 H)`: the state of each recurrent layer, and the one behind the step.
    pub states: Vec<[TensorId; 2]>,
}

/// A model's program, its plans, and the tensors the outside writes and reads.
#[derive(Debug, Clone)]
pub struct Vae<P = TrainingPlans> {
    /// The plans, which are [`TrainingPlans`] or [`ApplyingPlans`].
    pub plans: P,
    /// Tensors and plans.
    pub program: Program,
    /// The columns of the metrics that steps report.
    pub metrics: MetricColumns,
    /// Whether rows come with half of the width of the interval around each value, behind their values.
    pub intervals: bool,
    /// The buckets of the training rows, shortest texts first.
    pub buckets: Vec<Bucket>,
    /// The training rows.
    pub train_data: TensorId,
    /// The test rows.
    pub test_data: TensorId,
    /// The classes of the training and test rows, where the model is conditional.
    pub labels: Option<Labels>,
    /// The tensors that are written once, with their values: facts about a table's columns.
    pub constants: Vec<(TensorId, Vec<f32>)>,
    /// `(L)`: all parameters.
    pub weights: TensorId,
    /// `(L)`: all gradients.
    pub gradients: TensorId,
    /// `(L)` each: the optimiser's moments, as many as it has.
    pub moments: Vec<TensorId>,
    /// `(1)`: what gradients are multiplied by; starts at 1.
    pub clip: TensorId,
    /// `(B, D)`: the batch; with intervals `(B, 2 D)`; where the data is bytes, `(B, ceil(D / 4))` words of them.
    pub x: TensorId,
    /// `(B, D)`: the decoded means, in the units of the data.
    pub mean: TensorId,
    /// `(B, D)` each: the parameters beside the mean that the decoder gives the distribution of each value. A count
    /// that may be an extra zero has the probability of that, a level the location and the logarithm of the scale, a
    /// column's number the logarithm of the scale.
    pub parameters: Vec<TensorId>,
    /// `(B, Z)`: the noise of the reparameterisation, where it is given.
    pub noise: Option<TensorId>,
    /// `(B, 2 Z)`: mu and logvar; an autoencoder's `(B, Z)` code.
    pub codes: TensorId,
    /// `(B, Z)`: what is decoded.
    pub z: TensorId,
    /// `(B)`: the negative log-likelihood of each row.
    pub recon: TensorId,
    /// `(B)`: the KL divergence of each row.
    pub kl: TensorId,
    /// `(K, Z)` each: means of the prior's parts and logarithms of their variances, which the plan
    /// [`ApplyingPlans::prior`] computes. Only in a model that is applied, and whose prior has parts.
    pub parts: Option<[TensorId; 2]>,
    /// The tensors of a decoder of texts; only in a model of texts that is applied.
    pub generation: Option<Generation>,
    /// The tensors of inference; only in a model that is to infer codes.
    pub inference: Option<Inference>,
    /// `(B, 3)`: for each row, the greatest logarithm of a weight, and the sums of the weights and of their squares in
    /// units of it. Only in a model that is to weigh draws. See [`stream`](wgvae_engine::kernels::log_sum_exp::stream).
    pub weighed: Option<TensorId>,
}

/// Where the classes of rows lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labels {
    /// `(N, 1)`: the number of the class of each training row.
    pub train: TensorId,
    /// `(N, 1)`: the number of the class of each test row.
    pub test: TensorId,
    /// `(B, K)`: 1 in the column of the class of each row of the batch, else 0.
    pub batch: TensorId,
}

impl Labels {
    /// The numbers of the classes in turn, for rows that have none.
    pub fn in_turn(rows: std::ops::Range<usize>, count: usize) -> Vec<u32> {
        rows.map(|row| (row % count.max(1)) as u32).collect()
    }

    /// `(B, K)` of the numbers of classes.
    pub fn columns(classes: &[u32], count: usize) -> Vec<f32> {
        let row = |class: u32| (0..count as u32).map(move |column| if column == class { 1.0 } else { 0.0 });
        classes.iter().copied().flat_map(row).collect()
    }
}

impl Vae {
    /// Builds the plans that train a model.
    pub fn new(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Self::training(spec, train, data, Noise::Drawn)
    }

    /// Builds the plans that train a model, with noise from [`Vae::noise`] instead of drawn: for comparisons with other
    /// programs.
    pub fn with_given_noise(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Self::training(spec, train, data, Noise::Given)
    }

    fn training(spec: &VaeSpec, train: &TrainSpec, data: DataSpec, noise: Noise) -> Result<Self, PlanError> {
        // A network that cannot have buckets has none.
        let specs: Option<Vec<VaeSpec>> = train.buckets.iter().map(|bucket| spec.of_tokens(bucket.tokens)).collect();
        let specs = specs.unwrap_or_default();
        let mut builder = Builder::new(spec, train, data, as_trained(spec, noise))?;
        builder.buckets = specs.iter().zip(&train.buckets).collect();
        builder.build(Builder::training)
    }
}

impl Vae<ApplyingPlans> {
    /// Builds the plans that apply a model to rows, at most as many at a time as the test data has.
    pub fn applied(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Builder::new(spec, train, data, LatentDraws::one(Noise::Given))?.with_generation().build(Builder::applying)
    }

    /// Builds the plans that apply a model, and one that infers the codes of rows that were seen in part or with noise.
    pub fn inferring(spec: &VaeSpec, train: &TrainSpec, data: DataSpec, seen: Seen) -> Result<Self, PlanError> {
        let mut builder = Builder::new(spec, train, data, LatentDraws::one(Noise::Given))?.with_generation();
        let mut matrix = |name: &str, width: usize| builder.program.lowering.shared(name, &[train.batch, width]);
        let inference = Inference {
            seen: matrix("seen", spec.row_width()),
            trust: matrix("trust", spec.width),
            slope: matrix("d_z", spec.latent),
        };
        builder.inference = Some((seen, inference));
        builder.build(Builder::applying)
    }

    /// Builds the plans that apply a model, and one that weighs draws of the latent, as importance sampling does.
    pub fn weighing(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        let mut builder = Builder::new(spec, train, data, LatentDraws::one(Noise::Given))?.with_generation();
        builder.weighed = Some(builder.program.lowering.shared("weighed", &[train.batch, 3]));
        builder.build(Builder::applying)
    }
}

/// Returns the draws of a training step.
fn as_trained(spec: &VaeSpec, noise: Noise) -> LatentDraws {
    let prior = matches!(spec.regulariser, Regulariser::Discrepancy { .. });
    LatentDraws { noise, samples: spec.importance.samples, prior }
}
