//! The network of a [`VaeSpec`] as a graph: encoder, latent, decoder, losses.

use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::kernels::softmax;
use wgvae_engine::plan::{Activation, Function};

use super::layer::{Extent, SizedLayer, SizedOperation};
use super::layers::{self, activate, dense, dense_block, dense_tied, kl_terms, reparameterise};
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

/// What is drawn for a batch.
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

/// The encoder's outputs for a batch.
pub(super) struct Encoded {
    /// `(B, 2 Z)`: `mu | logvar`; for an autoencoder `(B, Z)`: the code.
    pub codes: Node,
    /// `(B S, Z)`: S draws of each row.
    pub z: Node,
    /// `(B, 1)`; none for an autoencoder, and without noise where the prior has parts.
    pub kl: Option<Node>,
    /// `(B, Z)`: what it is the sum of; none where the prior has parts.
    pub kl_terms: Option<Node>,
    /// The noise, if it is an input: behind that of the draws it has the draws from the prior.
    pub noise: Option<Node>,
    /// `(B, Z)`: draws from the prior, if there are some.
    pub prior: Option<Node>,
    /// The parts of the prior, if it has some: `mu` and `logvar (K, Z)`.
    pub parts: Option<[Node; 2]>,
    /// `(B S, Z)` each: mu, logvar and noise of the draws, where there is noise.
    pub drawn: Option<[Node; 3]>,
    /// What [`Encoded::log_ratio`] made of the noise, if that was needed already.
    ratio: Option<Node>,
    /// The encoder's weights, of the layers that have some, first layer first; a tied decoder uses them in reverse.
    weights: Vec<Node>,
}

/// Numbers the modules of a `torch.nn.Sequential`: each norm and each activation is one too, and where images become rows, or
/// rows images, there is one for that.
#[derive(Default)]
struct Modules(usize);

impl Modules {
    /// The numbers of a layer and of its norm.
    fn numbers(&mut self, layer: &SizedLayer) -> [usize; 2] {
        let is_dense = layer.operation == SizedOperation::Dense;
        let [flattens, unflattens] =
            [layer.from, layer.to].map(|extent| is_dense && matches!(extent, Extent::Image(_)));
        let number = self.0 + usize::from(flattens);
        // A norm is of images, so it comes behind what makes them of rows; an activation alone comes before.
        let norm = number + 1 + usize::from(unflattens);
        let has_activation = match layer.operation {
            SizedOperation::Dense | SizedOperation::Conv(_) | SizedOperation::ConvT(_) => true,
            SizedOperation::Pool(_) | SizedOperation::Up(_) => layer.activation != Activation::Identity,
            SizedOperation::Residual { .. } => false,
        };
        self.0 = norm + usize::from(layer.norm.is_some()) + usize::from(has_activation);
        [number, norm]
    }
}

/// What a layer takes in addition to the layer before it.
#[derive(Default)]
struct Given {
    /// The weight of the layer it mirrors.
    tied: Option<Node>,
    /// `(B, D)`: 1 where a value of the rows is missing, else 0.
    absent: Option<Node>,
    /// What else is known of the rows `(B, K)`, and the name of the weight for it.
    known: Vec<(Node, &'static str)>,
}

/// A layer on what it takes, with its norm and its activation, and the layer's weight, if there is one.
fn forward(
    g: &mut Graph,
    names: [String; 2],
    h: Node,
    batch: usize,
    layer: &SizedLayer,
    Given { tied, absent, known }: Given,
) -> (Node, Option<Node>) {
    let ([name, norm], channels) = (&names, layer.to.channels().0);
    // A dense layer has the numbers of images, the others their pixels.
    let is_dense = layer.operation == SizedOperation::Dense;
    let h = g.reshape(h, if is_dense { [batch, layer.from.len()] } else { layer.from.matrix(batch) });
    let with_weight = |(u, weight): (Node, Node)| (u, Some(weight));
    let (mut u, weight) = match (layer.operation, tied) {
        (SizedOperation::ConvT(windows), tied) => with_weight(layers::conv_t(g, name, h, windows, tied)),
        (SizedOperation::Conv(windows), _) => with_weight(layers::conv(g, name, h, windows, channels)),
        (SizedOperation::Dense, Some(weight)) => (dense_tied(g, name, h, weight), Some(weight)),
        (SizedOperation::Dense, None) => with_weight(dense(g, name, h, layer.to.len())),
        (SizedOperation::Pool(windows), _) => (g.average_pool(name, h, windows), None),
        (SizedOperation::Up(windows), _) => (g.upsample(name, h, windows), None),
        (SizedOperation::Residual { windows, groups }, _) => {
            (layers::residual(g, name, h, windows, groups, layer.activation), None)
        }
    };
    if is_dense {
        layers::set_order(g, name, layer.from, layer.to);
    }
    // A dense layer takes what is known as it takes its other inputs. A norm of all channels of an image would take away what is
    // the same in all pixels.
    for (known, name) in known.iter().filter(|_| is_dense) {
        u = layers::conditioned(g, name, u, *known, Extent::Flat(layer.to.len()));
        layers::set_order(g, name, Extent::Flat(g.shape(*known)[1]), layer.to);
    }
    if let Some(absent) = absent {
        u = match layer.operation {
            SizedOperation::Conv(windows) => {
                let images = g.reshape(absent, layer.from.matrix(batch));
                layers::plus_convolution(g, MISSING_WEIGHT, u, images, windows, channels)
            }
            // No other layer comes first where values are missing.
            _ => plus_missing(g, u, absent, layer.from, layer.to),
        };
    }
    if let Some(groups) = layer.norm {
        let of_images = g.reshape(u, layer.to.matrix(batch));
        u = layers::norm(g, norm, of_images, layer.to.pixels().0, groups);
    }
    for (known, name) in known.into_iter().filter(|_| !is_dense) {
        u = layers::conditioned(g, name, u, known, layer.to);
    }
    match layer.operation {
        SizedOperation::Residual { .. } => (u, weight),
        _ => (activate(g, u, layer.activation), weight),
    }
}

/// The name of the weight for what is missing.
const MISSING_WEIGHT: &str = "encoder_absent";

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

/// What a network takes: rows, perhaps their classes, and what a likelihood needs to know of a table's columns.
#[derive(Clone, Copy)]
pub(super) struct Inputs {
    /// The rows.
    pub rows: RowNodes,
    /// `(B, K)`: 1 in the column of a row's class, else 0.
    pub classes: Option<Node>,
    /// What the likelihood needs of columns, unless all are numbers that are there.
    pub table: Option<TableNodes>,
}

/// Adds what a layer makes of which values are missing.
fn plus_missing(g: &mut Graph, u: Node, absent: Node, from: Extent, to: Extent) -> Node {
    let u = layers::plus_product(g, MISSING_WEIGHT, u, absent, to.len());
    layers::set_order(g, MISSING_WEIGHT, from, to);
    u
}

/// What the encoder makes of rows.
pub(super) struct EncoderOutput {
    /// `(B, 2 Z)`: `mu | logvar`; for an autoencoder `(B, Z)`: the code.
    pub codes: Node,
    /// The encoder's weights, of the layers that have some, first layer first; a tied decoder uses them in reverse.
    weights: Vec<Node>,
}

/// Encodes rows.
pub(super) fn codes(g: &mut Graph, spec: &VaeSpec, x: Node, classes: Option<Node>) -> EncoderOutput {
    let mut known: Vec<(Node, &str)> = classes.map(|classes| (classes, "encoder_condition")).into_iter().collect();
    let mut weights = Vec::new();
    let mut h = x;
    // Missing values are 0, in a table the mean of the others, and the encoder gets the marks of which they are.
    let mut absent = None;
    if spec.missing {
        h = g.map("present", Function::Present, &[x]);
        absent = Some(g.map("absent", Function::Absent, &[x]));
    }
    // Products read grey levels themselves, other layers do not.
    let is_product = |layer: &SizedLayer| matches!(layer.operation, SizedOperation::Dense | SizedOperation::Conv(_));
    if g.is_levels(h) && !spec.encoder.first().is_none_or(is_product) {
        h = g.map("x as numbers", Function::Copy, &[h]);
    }
    let batch = g.shape(x)[0];
    let mut modules = Modules::default();
    for layer in &spec.encoder {
        let names = modules.numbers(layer).map(|number| format!("encoder.{number}"));
        let (next, weight) = forward(
            g,
            names,
            h,
            batch,
            layer,
            Given { tied: None, absent: absent.take(), known: std::mem::take(&mut known) },
        );
        weights.extend(weight);
        h = next;
    }
    // Without a layer before them, the heads take what it would have taken.
    let flat = spec.encoder.last().map_or(Extent::Flat(spec.width), |layer| layer.to);
    h = g.reshape(h, [batch, flat.len()]);
    let latent = spec.latent;
    if spec.objective == Objective::Ae {
        let (mut code, weight) = dense(g, "code", h, latent);
        layers::set_order(g, "code", flat, Extent::Flat(latent));
        weights.push(weight);
        for (known, name) in known {
            code = layers::conditioned(g, name, code, known, Extent::Flat(latent));
        }
        code = absent.map_or(code, |absent| plus_missing(g, code, absent, flat, Extent::Flat(latent)));
        let z = activate(g, code, spec.latent_activation);
        return EncoderOutput { codes: z, weights };
    }
    let (mut codes, weight) = dense_block(g, "mu|logvar", h, &[("mu", latent), ("logvar", latent)]);
    for head in ["mu", "logvar"] {
        layers::set_order(g, head, flat, Extent::Flat(latent));
    }
    weights.push(g.rows("mu.weight", weight, 0..latent));
    for (known, name) in known {
        codes = layers::conditioned(g, name, codes, known, Extent::Flat(2 * latent));
    }
    codes = absent.map_or(codes, |absent| plus_missing(g, codes, absent, flat, Extent::Flat(2 * latent)));
    EncoderOutput { codes, weights }
}

/// Encodes rows to draws of the latent variable.
pub(super) fn encode(
    g: &mut Graph,
    spec: &VaeSpec,
    Inputs { rows, classes, .. }: Inputs,
    draws: LatentDraws,
) -> Encoded {
    let x = rows.x;
    let EncoderOutput { codes, weights } = codes(g, spec, x, classes);
    if spec.objective == Objective::Ae {
        return Encoded {
            codes,
            z: codes,
            kl: None,
            kl_terms: None,
            noise: None,
            prior: None,
            parts: None,
            drawn: None,
            ratio: None,
            weights,
        };
    }
    let (batch, latent) = (g.shape(x)[0], spec.latent);
    let [mu, logvar] = halves(g, codes, latent);
    let LatentDraws { noise, samples, prior } = draws;
    let of_draws = match samples {
        1 => [mu, logvar],
        _ => {
            let repeated = g.repeat("codes of draws", codes, samples);
            halves(g, repeated, latent)
        }
    };
    let shape = [batch * samples, latent];
    let given = (noise == Noise::Given).then(|| g.input("noise", [draws.rows(batch), latent], false));
    let (of_codes, prior) = match (given, prior) {
        (Some(all), true) => {
            let rows = [("noise of codes", 0..shape[0]), ("prior", shape[0]..draws.rows(batch))];
            let [codes, prior] = rows.map(|(name, rows)| g.rows(name, all, rows));
            (Some(codes), Some(prior))
        }
        (given, prior) => (given, (prior && noise == Noise::Drawn).then(|| g.normal("prior", 1, [batch, latent]))),
    };
    let (z, drawn) = match noise {
        Noise::Off => (g.map("z", Function::Copy, &[mu]), None),
        Noise::Drawn | Noise::Given => {
            let noise = of_codes.unwrap_or_else(|| g.normal("noise", 0, shape));
            (reparameterise(g, "z", of_draws, noise), Some([of_draws[0], of_draws[1], noise]))
        }
    };
    let parts = parts(g, spec);
    let mut encoded =
        Encoded { codes, z, kl: None, kl_terms: None, noise: given, prior, parts, drawn, ratio: None, weights };
    match parts {
        None => {
            let terms = kl_terms(g, "kl", [mu, logvar]);
            encoded.kl = Some(g.reduce("kl", terms, Axis::Columns));
            encoded.kl_terms = Some(terms);
        }
        // What the draws say of it: the KL from a mixture has no closed form.
        Some(_) => {
            encoded.ratio = encoded.log_ratio(g, false);
            encoded.kl = encoded.ratio.map(|ratio| match samples {
                1 => g.negative("kl", ratio),
                _ => layers::mean_of_columns(g, "kl", ratio, batch, -1.0),
            });
        }
    }
    encoded
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

/// Decodes `z (B, Z)` to the decoder's output: `(B, D)`, or `(B H W, C)`; of a likelihood with two
/// outputs of each value `(B, 2 D)`, or `(B H W, 2 C)`. A tied decoder uses the weights in `encoder`.
pub(super) fn decode(g: &mut Graph, spec: &VaeSpec, z: Node, classes: Option<Node>, encoder: &[Node]) -> Node {
    let mut known: Vec<(Node, &str)> = classes.map(|classes| (classes, "decoder_condition")).into_iter().collect();
    let mut h = z;
    let batch = g.shape(z)[0];
    let mut modules = Modules::default();
    // What has weights in the encoder has some in the decoder that mirrors it.
    let mut mirrored = encoder.iter().rev().filter(|_| spec.tied);
    for layer in &spec.decoder {
        let names = modules.numbers(layer).map(|number| format!("decoder.{number}"));
        let has_weight = !matches!(layer.operation, SizedOperation::Pool(_) | SizedOperation::Up(_));
        let tied = if has_weight { mirrored.next().copied() } else { None };
        h = forward(g, names, h, batch, layer, Given { tied, absent: None, known: std::mem::take(&mut known) }).0;
    }
    h
}

impl Encoded {
    /// `(B S, 1)`: `ln p(z) - ln q(z | x)` of the draws; none without noise. Either as a function of the noise, which is more
    /// exact, or of z, which has the gradient by z alone.
    pub fn log_ratio(&self, g: &mut Graph, by_z: bool) -> Option<Node> {
        let [mu, logvar, noise] = self.drawn?;
        if let (Some(ratio), false) = (self.ratio, by_z) {
            return Some(ratio);
        }
        let log_q = match by_z {
            true => g.map("log_q", Function::LogNormal, &[self.z, mu, logvar]),
            false => g.map("log_q", Function::LogDraw, &[noise, logvar]),
        };
        Some(prior::log_ratio(g, self.z, log_q, self.parts))
    }

    /// Decodes the latent variable.
    pub fn decode(&self, g: &mut Graph, spec: &VaeSpec, classes: Option<Node>) -> Node {
        decode(g, spec, self.z, classes, &self.weights)
    }
}

/// Adds what a network takes, for a batch of rows.
pub(super) fn inputs(g: &mut Graph, spec: &VaeSpec, batch: usize, levels: bool) -> Inputs {
    let rows = RowNodes::input(g, "x", spec, batch, levels);
    Inputs { rows, classes: classes(g, spec, batch), table: table(g, spec) }
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

/// `(B, D)`, or `(B H W, C)`: the loss of each value of `x`.
pub(super) fn losses(g: &mut Graph, spec: &VaeSpec, output: Node, inputs: Inputs) -> Node {
    let RowNodes { x, loss_inputs, .. } = inputs.rows;
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
