//! The network of a [`VaeSpec`] as a graph: its inputs, the latent between encoder and decoder, the losses.

use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::kernels::softmax;
use wgvae_engine::plan::Function;

use super::coder::{EncoderOutput, codes};
pub(super) use super::coder::{Told, decode, first_states, looks_back, state_widths};
use super::layers::{self, kl_terms, reparameterise};
use super::likelihood::TableNodes;
use super::prior;
use super::spec::{Objective, VaeSpec};

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

/// The draws of the latent for a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct LatentDraws {
    /// Where noise comes from.
    pub noise: Noise,
    /// Draws of the latent for each row.
    pub samples: usize,
    /// Whether as many are drawn from the prior as there are rows.
    pub prior: bool,
}

impl LatentDraws {
    /// One for each row, from there.
    pub fn one(noise: Noise) -> Self {
        Self { noise, samples: 1, prior: false }
    }

    /// How many rows of noise there are.
    pub fn rows(self, batch: usize) -> usize {
        batch * (self.samples + usize::from(self.prior))
    }
}

/// The encoder's output for a batch, and the draws from it.
pub(super) struct Encoded {
    /// `(B, 2 Z)`: `mu | logvar`; for an autoencoder `(B, Z)`: the code.
    pub codes: Node,
    /// `(B S, Z)`: S draws of each row.
    pub z: Node,
    /// None for an autoencoder.
    posterior: Option<Posterior>,
    /// The encoder's weights, of the layers that have some, first layer first; a tied decoder uses them in reverse.
    weights: Vec<Node>,
}

/// The posterior of the codes of a batch, as far as the encoder knows it, and its distance from the prior.
struct Posterior {
    noise: NoiseNodes,
    /// None without noise.
    drawn: Option<Drawn>,
    /// The parts of the prior, if it has some: `mu` and `logvar (K, Z)`.
    parts: Option<[Node; 2]>,
    kl: Kl,
}

/// Where the noise of draws comes from; nothing without noise.
#[derive(Clone, Copy)]
struct NoiseNodes {
    /// The noise, if it is an input: behind that of the draws it has the draws from the prior.
    input: Option<Node>,
    /// `(B S, Z)`: the part of it that is for the draws.
    of_draws: Option<Node>,
    /// `(B, Z)`: draws from the prior, if there are some.
    prior: Option<Node>,
}

/// `(B S, Z)` each: what the draws of codes were made from.
#[derive(Clone, Copy)]
pub(super) struct Drawn {
    /// Means.
    pub mu: Node,
    /// Logarithms of variances.
    pub logvar: Node,
    noise: Node,
}

/// The KL of the posterior of each row from the prior, `(B, 1)`.
enum Kl {
    /// The prior is the standard normal: also the terms `(B, Z)` that the KL is the sum of.
    OfDimensions { kl: Node, terms: Node },
    /// The KL from a mixture has no closed form: the mean over the draws, also of each `(B S, 1)`, see [`Encoded::log_ratio`].
    OfDraws { kl: Node, ratio: Node },
    /// The prior is a mixture, and there are no draws.
    Unknown,
}

/// Rows as the device has them.
#[derive(Clone, Copy)]
pub(super) struct RowNodes {
    /// `(B, D)`, or with intervals `(B, 2 D)`.
    pub all: Node,
    /// `(B, D)`: their values.
    pub x: Node,
    /// `(B, D)`: half of the width of the interval around each number, and the mean of the logarithms of counts.
    pub loss_inputs: Option<Node>,
}

impl RowNodes {
    /// Adds them as an input.
    pub fn input(g: &mut Graph, name: &str, spec: &VaeSpec, count: usize, levels: bool) -> Self {
        let all = g.input(name, [count, spec.row_width()], levels);
        if !spec.intervals {
            return Self { all, x: all, loss_inputs: None };
        }
        let x = g.columns("values", all, 0..spec.width);
        let loss_inputs = g.columns("beside", all, spec.width..2 * spec.width);
        Self { all, x, loss_inputs: Some(loss_inputs) }
    }
}

/// The inputs of a network: rows, perhaps their classes, and what a likelihood needs to know of a table's columns.
#[derive(Clone, Copy)]
pub(super) struct Inputs {
    /// The rows.
    pub rows: RowNodes,
    /// `(B, K)`: 1 in the column of a row's class, else 0.
    pub classes: Option<Node>,
    /// The facts about columns that the likelihood needs, unless all columns are numbers and none is missing.
    pub table: Option<TableNodes>,
    /// The share of tokens that a decoder of texts is not shown.
    pub word_dropout: f32,
}

/// The number of the draw that decides which tokens a decoder is not shown.
const DROPPED: u32 = 2;

impl Inputs {
    /// What a decoder is told of the rows beside their codes.
    fn told(self, g: &mut Graph, spec: &VaeSpec) -> Told<'static> {
        if !spec.is_of_tokens() {
            return Told::Nothing;
        }
        if self.word_dropout == 0.0 {
            return Told::Tokens(self.rows.x);
        }
        let share = g.constant(self.word_dropout);
        Told::Tokens(g.drop_tokens("tokens shown", self.rows.x, share, DROPPED))
    }
}

/// Encodes rows to draws of the latent variable.
pub(super) fn encode(
    g: &mut Graph,
    spec: &VaeSpec,
    Inputs { rows, classes, .. }: Inputs,
    draws: LatentDraws,
) -> Encoded {
    let EncoderOutput { codes, weights } = codes(g, spec, rows.x, classes);
    if spec.objective == Objective::Ae {
        return Encoded { codes, z: codes, posterior: None, weights };
    }
    let (batch, latent) = (g.shape(rows.x)[0], spec.latent);
    let moments = halves(g, codes, latent);
    let of_draws = match draws.samples {
        1 => moments,
        samples => {
            let repeated = g.repeat("codes of draws", codes, samples);
            halves(g, repeated, latent)
        }
    };
    let noise = NoiseNodes::of(g, draws, batch, latent);
    let (z, drawn) = draw(g, moments, of_draws, noise);
    let parts = parts(g, spec);
    let kl = match (parts, drawn) {
        (None, _) => Kl::of_dimensions(g, moments),
        (Some(_), Some(drawn)) => Kl::of_draws(g, z, drawn, parts, batch),
        (Some(_), None) => Kl::Unknown,
    };
    Encoded { codes, z, posterior: Some(Posterior { noise, drawn, parts, kl }), weights }
}

impl NoiseNodes {
    /// Adds the noise of a batch.
    fn of(g: &mut Graph, draws: LatentDraws, batch: usize, latent: usize) -> Self {
        let rows = batch * draws.samples;
        match draws.noise {
            Noise::Off => Self { input: None, of_draws: None, prior: None },
            Noise::Drawn => {
                let prior = draws.prior.then(|| g.normal("prior", 1, [batch, latent]));
                Self { input: None, of_draws: Some(g.normal("noise", 0, [rows, latent])), prior }
            }
            Noise::Given => {
                let all = g.input("noise", [draws.rows(batch), latent], false);
                let [of_draws, prior] = match draws.prior {
                    true => [("noise of codes", 0..rows), ("prior", rows..draws.rows(batch))]
                        .map(|(name, rows)| Some(g.rows(name, all, rows))),
                    false => [Some(all), None],
                };
                Self { input: Some(all), of_draws, prior }
            }
        }
    }
}

/// Draws of the latent `(B S, Z)`; without noise, the means.
fn draw(g: &mut Graph, [mean, _]: [Node; 2], of_draws: [Node; 2], noise: NoiseNodes) -> (Node, Option<Drawn>) {
    let Some(noise) = noise.of_draws else { return (g.map("z", Function::Copy, &[mean]), None) };
    let [mu, logvar] = of_draws;
    (reparameterise(g, "z", of_draws, noise), Some(Drawn { mu, logvar, noise }))
}

impl Kl {
    /// The KL of `mu` and `logvar (B, Z)` from the standard normal.
    fn of_dimensions(g: &mut Graph, moments: [Node; 2]) -> Self {
        let terms = kl_terms(g, "kl", moments);
        Kl::OfDimensions { kl: g.reduce("kl", terms, Axis::Columns), terms }
    }

    /// The KL from a mixture, as the draws say.
    fn of_draws(g: &mut Graph, z: Node, drawn: Drawn, parts: Option<[Node; 2]>, batch: usize) -> Self {
        let ratio = drawn.log_ratio(g, z, parts);
        let kl = match g.shape(ratio)[0] == batch {
            true => g.negative("kl", ratio),
            false => layers::mean_of_columns(g, "kl", ratio, batch, -1.0),
        };
        Kl::OfDraws { kl, ratio }
    }
}

impl Drawn {
    /// `(B S, 1)`: `ln p(z) - ln q(z | x)`, as a function of the noise.
    fn log_ratio(self, g: &mut Graph, z: Node, parts: Option<[Node; 2]>) -> Node {
        let log_q = g.map("log_q", Function::LogDraw, &[self.noise, self.logvar]);
        prior::log_ratio(g, z, log_q, parts)
    }

    /// The ratio as a function of z.
    fn log_ratio_by_z(self, g: &mut Graph, z: Node, parts: Option<[Node; 2]>) -> Node {
        let log_q = g.map("log_q", Function::LogNormal, &[z, self.mu, self.logvar]);
        prior::log_ratio(g, z, log_q, parts)
    }
}

/// The two halves of `mu | logvar (B, 2 Z)`.
pub(super) fn halves(g: &mut Graph, codes: Node, latent: usize) -> [Node; 2] {
    [g.columns("mu", codes, 0..latent), g.columns("logvar", codes, latent..2 * latent)]
}

/// The parts of the prior; those of a VampPrior are codes of rows that are learned.
pub(super) fn parts(g: &mut Graph, spec: &VaeSpec) -> Option<[Node; 2]> {
    prior::parts(g, spec, |g, spec, rows| {
        let codes = codes(g, spec, rows, None).codes;
        halves(g, codes, spec.latent)
    })
}

impl Encoded {
    /// `(B, 1)`: the KL from the prior; none for an autoencoder, and without noise where the prior has parts.
    pub fn kl(&self) -> Option<Node> {
        match self.posterior.as_ref()?.kl {
            Kl::OfDimensions { kl, .. } | Kl::OfDraws { kl, .. } => Some(kl),
            Kl::Unknown => None,
        }
    }

    /// `(B, Z)`: what the KL is the sum of; none where the prior has parts.
    pub fn kl_terms(&self) -> Option<Node> {
        match self.posterior.as_ref()?.kl {
            Kl::OfDimensions { terms, .. } => Some(terms),
            Kl::OfDraws { .. } | Kl::Unknown => None,
        }
    }

    /// The noise, if it is an input: behind that of the draws it has the draws from the prior.
    pub fn noise_input(&self) -> Option<Node> {
        self.posterior.as_ref()?.noise.input
    }

    /// `(B, Z)`: draws from the prior, if there are some.
    pub fn prior(&self) -> Option<Node> {
        self.posterior.as_ref()?.noise.prior
    }

    /// Returns the distributions that the draws were made from; none without noise.
    pub fn drawn(&self) -> Option<Drawn> {
        self.posterior.as_ref()?.drawn
    }

    /// `(B S, 1)`: `ln p(z) - ln q(z | x)` of the draws; none without noise. Either as a function of the noise, which is more
    /// exact, or of z, which has the gradient by z alone.
    pub fn log_ratio(&self, g: &mut Graph, by_z: bool) -> Option<Node> {
        let posterior = self.posterior.as_ref()?;
        let drawn = posterior.drawn?;
        Some(match posterior.kl {
            _ if by_z => drawn.log_ratio_by_z(g, self.z, posterior.parts),
            Kl::OfDraws { ratio, .. } => ratio,
            _ => drawn.log_ratio(g, self.z, posterior.parts),
        })
    }

    /// Decodes the latent variable; a decoder of texts sees each token of these rows before it makes the next.
    pub fn decode(&self, g: &mut Graph, spec: &VaeSpec, inputs: Inputs) -> Node {
        let told = inputs.told(g, spec);
        decode(g, spec, self.z, inputs.classes, told, &self.weights).output
    }
}

/// Adds what a network takes, for a batch of rows.
pub(super) fn inputs(g: &mut Graph, spec: &VaeSpec, batch: usize, levels: bool) -> Inputs {
    let rows = RowNodes::input(g, "x", spec, batch, levels);
    Inputs { rows, classes: classes(g, spec, batch), table: table(g, spec), word_dropout: 0.0 }
}

/// Adds what the likelihood needs to know of a table's columns.
pub(super) fn table(g: &mut Graph, spec: &VaeSpec) -> Option<TableNodes> {
    let table = spec.table.as_ref().filter(|_| spec.likelihood.is_of_columns())?;
    let width = spec.width;
    let groups = softmax::groups(width, table.categories.iter().cloned()).len() / 2;
    Some(TableNodes {
        kinds: g.input("kinds", [1, width], false),
        groups: (!table.categories.is_empty()).then(|| g.input("groups", [2, groups], false)),
        log_means: table.has_counts().then(|| g.input("log_means", [1, width], false)),
    })
}

/// Adds the classes of a batch of rows, if the model is conditional.
pub(super) fn classes(g: &mut Graph, spec: &VaeSpec, batch: usize) -> Option<Node> {
    spec.classes.map(|count| g.input("classes", [batch, count], false))
}

/// The encoder's weights, for a tied decoder without an encoder.
pub(super) fn encoder_weights(g: &mut Graph, spec: &VaeSpec) -> Vec<Node> {
    let inputs = inputs(g, spec, 1, false);
    encode(g, spec, inputs, LatentDraws::one(Noise::Off)).weights
}

/// `(B, D)`, or `(B H W, C)`, of tokens `(B T, 1)`: the loss of each value of `x`.
pub(super) fn losses(g: &mut Graph, spec: &VaeSpec, output: Node, inputs: Inputs) -> Node {
    let RowNodes { x, loss_inputs, .. } = inputs.rows;
    if spec.is_of_tokens() {
        return spec.likelihood.loss(g, output, x, None, spec.sigma, None);
    }
    // Columns have parameters of their own.
    let output = match spec.likelihood.is_of_columns() {
        true => g.reshape(output, [g.shape(x)[0], spec.outputs() * spec.width]),
        false => output,
    };
    let [rows, cols] = g.shape(output);
    let shape = [rows, cols / spec.outputs()];
    let x = if g.shape(x) == shape { x } else { g.reshape(x, shape) };
    // A column's loss knows missing values itself.
    if !spec.missing || spec.likelihood.is_of_columns() {
        return spec.likelihood.loss(g, output, x, loss_inputs, spec.sigma, inputs.table);
    }
    let [value, absent] = [("x there", Function::Present), ("x absent", Function::Absent)]
        .map(|(name, function)| g.map(name, function, &[x]));
    let loss = spec.likelihood.loss(g, output, value, None, spec.sigma, None);
    let of_absent = g.map("loss of what is missing", Function::Multiply, &[loss, absent]);
    let of_absent = g.negative("less", of_absent);
    g.map("loss of what is there", Function::Add, &[loss, of_absent])
}

/// `(B, 1)`: the negative log-likelihood of each row of `x`.
pub(super) fn reconstruction(g: &mut Graph, spec: &VaeSpec, output: Node, inputs: Inputs) -> Node {
    let batch = g.shape(inputs.rows.x)[0];
    let loss = losses(g, spec, output, inputs);
    let of_rows = g.reshape(loss, [batch, spec.width]);
    g.reduce("recon", of_rows, Axis::Columns)
}
