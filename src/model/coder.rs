//! Encoder and decoder of a [`VaeSpec`]: its layers, one after the other.

use wgvae_engine::graph::{Graph, Node};
use wgvae_engine::plan::{Activation, Function, Recurrent};

use super::layer::{Extent, SizedLayer, SizedOperation};
use super::layers::{self, activate, dense, dense_block, dense_tied};
use super::sequence::{self, Around, Start, Times};
use super::spec::{Objective, VaeSpec};

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
            SizedOperation::Conv1d(_) => true,
            SizedOperation::Pool(_) | SizedOperation::Up(_) => layer.activation != Activation::Identity,
            SizedOperation::Residual { .. } | SizedOperation::Embed | SizedOperation::Recurrent { .. } => false,
            SizedOperation::Attend(_) | SizedOperation::Last | SizedOperation::Mean => false,
        };
        self.0 = norm + usize::from(layer.norm.is_some()) + usize::from(has_activation);
        [number, norm]
    }
}

/// The inputs of a layer in addition to the layer before it.
#[derive(Default)]
struct Given {
    /// The weight of the layer it mirrors.
    tied: Option<Node>,
    /// `(B, D)`: 1 where a value of the rows is missing, else 0.
    absent: Option<Node>,
    /// Other facts that are known of the rows `(B, K)`, each with the name of its weight.
    known: Vec<(Node, &'static str)>,
    /// What layers of sequences are told.
    sequence: Option<Sequence>,
}

/// What layers of sequences are told.
#[derive(Clone, Copy)]
struct Sequence {
    /// How far texts go; none where a decoder need not know, and of series, which are taken whole.
    times: Option<Times>,
    /// How many tokens later an embedding sees each: a decoder sees the token before.
    shift: usize,
    /// What a recurrent layer starts from.
    start: Start,
    /// Whether a layer of attention adds positions: the first of them does.
    has_positions: bool,
    /// Whether what comes in stays as it is behind a row's end, as the states of recurrent layers do.
    is_held: bool,
}

impl Sequence {
    /// Takes note of a layer that has been passed.
    fn pass(&mut self, layer: &SizedLayer) {
        match layer.operation {
            SizedOperation::Recurrent { .. } => self.is_held = true,
            SizedOperation::Attend(_) => (self.has_positions, self.is_held) = (false, false),
            SizedOperation::Conv1d(_) => self.is_held = false,
            _ => {}
        }
    }

    /// A layer of sequences on what it takes.
    fn layer(self, g: &mut Graph, name: &str, h: Node, layer: &SizedLayer) -> Option<Node> {
        Some(match (layer.operation, layer.from) {
            (SizedOperation::Embed, Extent::Tokens { vocabulary, .. }) => {
                sequence::embed(g, name, h, [vocabulary, layer.to.pixels().1], self.shift)
            }
            (SizedOperation::Recurrent { cell, units, both }, Extent::Series { steps, .. }) => {
                let of = |reverse: bool| Recurrent { cell, reverse, steps: steps as u32 };
                let with = (self.start, self.times.map(|times| times.lengths));
                let forward = sequence::recurrent(g, name, h, of(false), units, with);
                if !both {
                    return Some(forward);
                }
                let back = sequence::recurrent(g, name, h, of(true), units, with);
                g.beside(format!("{name}.both"), &[forward, back])
            }
            (SizedOperation::Attend(heads), Extent::Series { steps, .. }) => {
                let around = Around { times: self.times, code: self.start.beside() };
                sequence::attend(g, name, h, [steps, heads], around, self.has_positions)
            }
            (SizedOperation::Conv1d(kernel), Extent::Series { steps, .. }) => {
                let around = Around { times: self.times, code: self.start.beside() };
                sequence::conv1d(g, name, h, steps, kernel, around)
            }
            (SizedOperation::Last, _) if !self.is_held && self.times.is_some() => {
                sequence::at_last_token(g, name, h, self.times?)
            }
            (SizedOperation::Last, Extent::Series { steps, both, .. }) => sequence::last(g, name, h, steps, both),
            (SizedOperation::Mean, Extent::Series { steps, .. }) => {
                sequence::mean(g, name, h, steps, self.times.map(|times| times.is_there))
            }
            _ => return None,
        })
    }
}

/// A layer on what it takes, with its norm and its activation, and the layer's weight, if there is one.
fn forward(
    g: &mut Graph,
    names: [String; 2],
    h: Node,
    batch: usize,
    layer: &SizedLayer,
    Given { tied, absent, known, sequence }: Given,
) -> (Node, Option<Node>) {
    let ([name, norm], channels) = (&names, layer.to.channels().0);
    // A dense layer has the numbers of images, the others their pixels.
    let is_dense = layer.operation == SizedOperation::Dense;
    let is_of_times = matches!(layer.from, Extent::Series { .. });
    let h = g.reshape(h, if is_dense && !is_of_times { [batch, layer.from.len()] } else { layer.from.matrix(batch) });
    if let Some(mut made) = sequence.and_then(|sequence| sequence.layer(g, name, h, layer)) {
        if let Some(groups) = layer.norm {
            made = layers::norm(g, norm, made, 1, groups);
        }
        return (activate(g, made, layer.activation), None);
    }
    let with_weight = |(u, weight): (Node, Node)| (u, Some(weight));
    let (mut u, weight) = match (layer.operation, tied) {
        (SizedOperation::ConvT(windows), tied) => with_weight(layers::conv_t(g, name, h, windows, tied)),
        (SizedOperation::Conv(windows), _) => with_weight(layers::conv(g, name, h, windows, channels)),
        (SizedOperation::Dense, Some(weight)) => (dense_tied(g, name, h, weight), Some(weight)),
        (SizedOperation::Dense, None) if is_of_times => with_weight(dense(g, name, h, layer.to.pixels().1)),
        (SizedOperation::Dense, None) => with_weight(dense(g, name, h, layer.to.len())),
        (SizedOperation::Pool(windows), _) => (g.average_pool(name, h, windows), None),
        (SizedOperation::Up(windows), _) => (g.upsample(name, h, windows), None),
        (SizedOperation::Residual { windows, groups }, _) => {
            (layers::residual(g, name, h, windows, groups, layer.activation), None)
        }
        // A layer of sequences was made above.
        (SizedOperation::Embed | SizedOperation::Recurrent { .. }, _) => (h, None),
        (SizedOperation::Attend(_) | SizedOperation::Conv1d(_), _) => (h, None),
        (SizedOperation::Last | SizedOperation::Mean, _) => (h, None),
    };
    if is_dense {
        layers::set_order(g, name, layer.from, layer.to);
    }
    // A dense layer takes what is known as it takes its other inputs. A norm of all channels of an image would take away what is
    // the same in all pixels.
    for (known, name) in known.iter().filter(|_| is_dense && !is_of_times) {
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
        // A time of a sequence must not see later ones, and rows are not equally long.
        let pixels = if is_of_times { 1 } else { layer.to.pixels().0 };
        u = layers::norm(g, norm, of_images, pixels, groups);
    }
    for (known, name) in known.into_iter().filter(|_| !is_dense || is_of_times) {
        u = layers::conditioned(g, name, u, known, layer.to);
    }
    match layer.operation {
        SizedOperation::Residual { .. } => (u, weight),
        _ => (activate(g, u, layer.activation), weight),
    }
}

/// The name of the weight for what is missing.
const MISSING_WEIGHT: &str = "encoder_absent";

/// Adds what a layer makes of which values are missing.
fn plus_missing(g: &mut Graph, u: Node, absent: Node, from: Extent, to: Extent) -> Node {
    let u = layers::plus_product(g, MISSING_WEIGHT, u, absent, to.len());
    layers::set_order(g, MISSING_WEIGHT, from, to);
    u
}

/// The output of the encoder for a batch.
pub(super) struct EncoderOutput {
    /// `(B, 2 Z)`: `mu | logvar`; for an autoencoder `(B, Z)`: the code.
    pub codes: Node,
    /// The encoder's weights, of the layers that have some, first layer first; a tied decoder uses them in reverse.
    pub weights: Vec<Node>,
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
    let mut sequence = spec.is_of_tokens().then(|| {
        let times = Times::of(g, x);
        Sequence { times: Some(times), shift: 0, start: Start::Zero, has_positions: true, is_held: false }
    });
    if let Some(SizedLayer { from: from @ Extent::Series { steps, channels, .. }, .. }) = spec.encoder.first() {
        sequence = Some(Sequence { times: None, shift: 0, start: Start::Zero, has_positions: true, is_held: false });
        if channels * steps > spec.width {
            let of_times = [batch * steps, channels / 2];
            // Nothing is missing in rows that are learned.
            let absent = absent.take().unwrap_or_else(|| {
                let zero = g.constant(0.0);
                g.map("no marks", Function::Multiply, &[h, zero])
            });
            let [present, absent] = [h, absent].map(|node| g.reshape(node, of_times));
            h = g.beside("values and marks", &[present, absent]);
        }
        h = g.reshape(h, from.matrix(batch));
    }
    let mut modules = Modules::default();
    for layer in &spec.encoder {
        let names = modules.numbers(layer).map(|number| format!("encoder.{number}"));
        let (next, weight) = forward(
            g,
            names,
            h,
            batch,
            layer,
            // Layers of sequences pass what is known on: to the next layer, or to the heads.
            Given { tied: None, absent: absent.take(), known: layer.take_known(&mut known), sequence },
        );
        weights.extend(weight);
        h = next;
        if let Some(sequence) = &mut sequence {
            sequence.pass(layer);
        }
    }
    // Where the encoder has no layers, its heads take the inputs of the first layer.
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

/// What a decoder of sequences is given beside the code.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    /// Nothing: the rows are no sequences.
    Nothing,
    /// The tokens `(B, T)`, of which each step sees the one before it.
    Tokens(Node),
    /// The tokens `(B, T)` so far, and which row of `(B T)` the next token of each text `(B, 1)` is made at.
    Prefix(Node, Node),
    /// A single step: the token before it `(B, 1)`, and the state of each recurrent layer.
    Step(Node, &'a [Node]),
}

/// The output of a decoder.
pub(super) struct Decoded {
    /// `(B, D)`, or `(B H W, C)`; of a likelihood with two outputs of each value `(B, 2 D)`, or `(B H W, 2 C)`; of tokens `(B T, V)`.
    pub output: Node,
    /// What the next step would start from, for each recurrent layer: see [`Graph::final_state`].
    pub states: Vec<Node>,
}

/// Decodes `z (B, Z)`. A tied decoder uses the weights in `encoder`.
pub(super) fn decode(
    g: &mut Graph,
    spec: &VaeSpec,
    z: Node,
    classes: Option<Node>,
    told: Told<'_>,
    encoder: &[Node],
) -> Decoded {
    let mut known: Vec<(Node, &str)> = classes.map(|classes| (classes, "decoder_condition")).into_iter().collect();
    let (mut h, shift, mut steps) = match (told, spec.decoder.first()) {
        (Told::Nothing, Some(SizedLayer { from: Extent::Series { steps, .. }, .. })) => {
            (sequence::each_time(g, "decoder.times", z, *steps), 0, *steps)
        }
        (Told::Nothing, _) => (z, 0, 0),
        (Told::Tokens(ids) | Told::Prefix(ids, _), _) => (ids, 1, spec.width),
        (Told::Step(id, _), _) => (id, 0, 1),
    };
    let batch = g.shape(z)[0];
    let mut modules = Modules::default();
    let mut states = Vec::new();
    let mut given = match told {
        Told::Step(_, states) => states.iter(),
        _ => [].iter(),
    };
    // A layer with weights in the encoder has a layer with weights in the decoder that mirrors it.
    let mut mirrored = encoder.iter().rev().filter(|_| spec.tied);
    let mut is_first_to_see = true;
    let mut has_positions = true;
    for (number, layer) in spec.decoder.iter().enumerate() {
        if let (Told::Prefix(_, place), true) = (told, number + 1 == spec.decoder.len()) {
            h = g.embed("numbers at the next token", h, place, 0);
            steps = 1;
        }
        let names = modules.numbers(layer).map(|number| format!("decoder.{number}"));
        let has_weight = !matches!(layer.operation, SizedOperation::Pool(_) | SizedOperation::Up(_));
        let tied = if has_weight { mirrored.next().copied() } else { None };
        let layer = if steps > 0 { layer.over(steps) } else { *layer };
        // In a decoder of texts, the first layer that can see the code does so at each time; recurrent ones start from it, too. A decoder
        // of series has the code for its input.
        let each = is_first_to_see && spec.is_of_tokens();
        let is_recurrent = matches!(layer.operation, SizedOperation::Recurrent { .. });
        let start = match if is_recurrent { given.next() } else { None } {
            Some(state) => Start::State { state: *state, z: each.then_some(z) },
            None => Start::Code { z, each },
        };
        let sequence = (steps > 0).then_some(Sequence { times: None, shift, start, has_positions, is_held: true });
        is_first_to_see &= !layer.sees_code();
        has_positions &= !matches!(layer.operation, SizedOperation::Attend(_));
        h = forward(
            g,
            names,
            h,
            batch,
            &layer,
            Given { tied, absent: None, known: layer.take_known(&mut known), sequence },
        )
        .0;
        if let (SizedOperation::Recurrent { cell, .. }, true) = (layer.operation, spec.is_of_tokens()) {
            states.push(g.final_state(h, Recurrent { cell, reverse: false, steps: steps as u32 }));
        }
    }
    Decoded { output: h, states }
}

/// The width of the state of each recurrent layer of a decoder.
pub(super) fn state_widths(spec: &VaeSpec) -> Vec<usize> {
    let width = |layer: &SizedLayer| match layer.operation {
        SizedOperation::Recurrent { cell, units, .. } => Some(cell.state() * units),
        _ => None,
    };
    spec.decoder.iter().filter_map(width).collect()
}

/// The states that a decoder's recurrent layers start from, for a code `z (B, Z)`.
pub(super) fn first_states(g: &mut Graph, spec: &VaeSpec, z: Node) -> Vec<Node> {
    let mut modules = Modules::default();
    let mut states = Vec::new();
    for layer in &spec.decoder {
        let [number, _] = modules.numbers(layer);
        if let SizedOperation::Recurrent { cell, units, .. } = layer.operation {
            states.push(sequence::first_state(g, &format!("decoder.{number}"), z, cell, units));
        }
    }
    states
}

/// Whether a decoder of texts makes a token from all tokens before it, and not from the last one and states.
pub(super) fn looks_back(spec: &VaeSpec) -> bool {
    spec.decoder.iter().any(|layer| matches!(layer.operation, SizedOperation::Attend(_) | SizedOperation::Conv1d(_)))
}

impl SizedLayer {
    /// Whether a decoder's layer can see the code.
    fn sees_code(&self) -> bool {
        matches!(
            self.operation,
            SizedOperation::Recurrent { .. } | SizedOperation::Attend(_) | SizedOperation::Conv1d(_)
        )
    }

    /// What is known of rows, where this layer takes it: layers of sequences pass it on.
    fn take_known(&self, known: &mut Vec<(Node, &'static str)>) -> Vec<(Node, &'static str)> {
        if self.operation.is_of_sequences() { Vec::new() } else { std::mem::take(known) }
    }
}
