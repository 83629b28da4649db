//! Layers of sequences: embeddings, recurrent layers, and what ends a sequence.

use wgvae_engine::graph::{Axis, Graph, Name, Node, RecurrentInputs};
use wgvae_engine::plan::{Activation, Cell, Function, Init, Orientation, Recurrent, Windows};

/// Rows of an embedding start with a variance of 1, as in `torch.nn.Embedding`.
const EMBEDDING: Init = Init::Uniform(1.732_050_8);

/// How far the sequences of a batch go.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// `(B, T)`: 1 where there is a token, else 0.
    pub is_there: Node,
    /// `(B, 1)`: tokens of each row.
    pub lengths: Node,
}

impl Times {
    /// Those of `ids (B, T)`.
    pub fn of(g: &mut Graph, ids: Node) -> Self {
        let half = g.constant(0.5);
        let above = g.sum_of("tokens and a half", ids, half);
        let is_there = g.map("is a token", Function::Slope(Activation::Relu), &[above]);
        let lengths = g.reduce("lengths", is_there, Axis::Columns);
        Self { is_there, lengths }
    }
}

/// What the first turn of a recurrent layer starts from.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// Zeros.
    Zero,
    /// What a dense layer makes of the code `(B, Z)`; the input of each time has the code beside it, too, where `each` says so.
    Code {
        /// The code.
        z: Node,
        /// Whether each time sees it.
        each: bool,
    },
    /// The state `(B, H)`, of an lstm `(B, 2 H)`, and the code beside the input, where each time sees it.
    State {
        /// The state.
        state: Node,
        /// The code.
        z: Option<Node>,
    },
}

impl Start {
    /// The code that each time sees.
    fn beside(self) -> Option<Node> {
        match self {
            Start::Zero => None,
            Start::Code { z, each } => each.then_some(z),
            Start::State { z, .. } => z,
        }
    }
}

/// A table's row for each of `ids (B, T)`, or for the id before it: `(B T, C)`.
pub(super) fn embed(g: &mut Graph, name: &str, ids: Node, [vocabulary, channels]: [usize; 2], shift: usize) -> Node {
    let table = g.param(&format!("{name}.weight"), &[vocabulary, channels], EMBEDDING);
    g.embed(Name::out(name), table, ids, shift)
}

/// A recurrent layer in one direction on `x (B T, C)`: its states `(B T, H)`.
///
/// Parameters have the names and forms of `torch.nn.GRU` and `torch.nn.LSTM`; a layer that sees the code at each time has it
/// behind its other inputs.
pub(super) fn recurrent(
    g: &mut Graph,
    name: &str,
    x: Node,
    layer: Recurrent,
    units: usize,
    (start, lengths): (Start, Option<Node>),
) -> Node {
    let [rows, channels] = g.shape(x);
    let (steps, gates) = (layer.steps as usize, layer.cell.gates() * units);
    let batch = rows / steps;
    let end = if layer.reverse { "_l0_reverse" } else { "_l0" };
    let init = Init::Layer(1.0 / (units as f32).sqrt());
    let code = start.beside();
    let seen = code.map_or(0, |z| g.shape(z)[1]);
    let of_input = g.param(&format!("{name}.weight_ih{end}"), &[gates, channels + seen], init);
    let weight = g.param(&format!("{name}.weight_hh{end}"), &[gates, units], init);
    let of_input_bias = g.param(&format!("{name}.bias_ih{end}"), &[gates], init);
    let bias = g.param(&format!("{name}.bias_hh{end}"), &[gates], init);
    let of = if layer.reverse { format!("{name}.reverse") } else { name.to_string() };
    let mut inputs = match code {
        None => g.product(Name::forward(&of), Orientation::Nt, x, of_input),
        Some(_) => {
            let weight = g.columns(format!("{of}.weight of x"), of_input, 0..channels);
            g.product(Name::forward(&of), Orientation::Nt, x, weight)
        }
    };
    inputs = g.sum_of(format!("{of}.gates of x"), inputs, of_input_bias);
    if let Some(z) = code {
        let weight = g.columns(format!("{of}.weight of z"), of_input, channels..channels + seen);
        let mut of_code = g.product(format!("{of} of z"), Orientation::Nt, z, weight);
        if steps > 1 {
            of_code = g.repeat(&format!("{of} of z at each time"), of_code, steps);
        }
        inputs = g.sum_of(format!("{of}.gates"), inputs, of_code);
    }
    let start = match start {
        Start::Zero => None,
        Start::State { state, .. } => Some(state),
        Start::Code { z, .. } => Some(first_state(g, name, z, layer.cell, units)),
    };
    debug_assert_eq!(batch * steps, rows);
    g.recurrent(Name::out(&of), layer, RecurrentInputs { gates: inputs, weight, bias, start, lengths })
}

/// `(B, H)`, of an lstm `(B, 2 H)`: the state that a decoder's layer starts from, a dense layer with tanh on the code.
pub(super) fn first_state(g: &mut Graph, name: &str, z: Node, cell: Cell, units: usize) -> Node {
    let name = format!("{name}.start");
    let (u, _) = super::layers::dense(g, &name, z, cell.state() * units);
    super::layers::activate(g, u, Activation::Tanh)
}

/// `(B, C)`: the state behind the last token. Behind its tokens a row's state stays as it is, so it is that of the last time; on
/// the way back, which is the second half of the channels, that of the first.
pub(super) fn last(g: &mut Graph, name: &str, states: Node, steps: usize, both: bool) -> Node {
    let channels = g.shape(states)[1];
    let end = g.at_time(format!("{name}.last"), states, steps, steps - 1);
    if !both || steps == 1 {
        return end;
    }
    let begin = g.at_time(format!("{name}.first"), states, steps, 0);
    let half = channels / 2;
    let [forward, back] =
        [(end, 0..half), (begin, half..channels)].map(|(of, columns)| g.columns(format!("{name}.half"), of, columns));
    g.beside(format!("{name}.ends"), &[forward, back])
}

/// `(B T, C)`: the code `(B, Z)` at each time, plus numbers of the time that are learned.
pub(super) fn each_time(g: &mut Graph, name: &str, z: Node, steps: usize) -> Node {
    let [batch, latent] = g.shape(z);
    let repeated = g.repeat(&format!("{name}.code"), z, steps);
    let repeated = g.reshape(repeated, [batch, steps * latent]);
    let of_times = g.param(&format!("{name}.weight"), &[steps * latent], EMBEDDING);
    let sum = g.sum_of(name.to_string(), repeated, of_times);
    g.reshape(sum, [batch * steps, latent])
}

/// `(B, C)`: the mean of the states of a row's tokens, or of all times.
pub(super) fn mean(g: &mut Graph, name: &str, states: Node, steps: usize, is_there: Option<Node>) -> Node {
    let [rows, channels] = g.shape(states);
    let [tall, wide] = [steps as u32, channels as u32];
    let windows = Windows::padded([tall, 1, wide], [tall, 1], 1, [0; 2]);
    let Some(is_there) = is_there else { return g.average_pool(name, states, windows) };
    let there = g.reshape(is_there, [rows, 1]);
    let seen = g.map(format!("{name}.seen"), Function::Multiply, &[states, there]);
    let average = g.average_pool(&format!("{name}.of all"), seen, windows);
    // The logarithm of a length is that of the sum of ones; times without a token count next to nothing.
    let [one, far, all] = [-1.0, 200.0, steps as f32].map(|value| g.constant(value));
    let absent = g.sum_of(format!("{name}.absent"), there, one);
    let weight = g.map(format!("{name}.weights"), Function::Multiply, &[absent, far]);
    let log_length = g.log_sum_exp(format!("{name}.log_length"), weight, steps);
    let minus = g.negative(format!("{name}.minus"), log_length);
    let share = g.map(format!("{name}.share"), Function::Exp, &[minus]);
    let share = g.map(format!("{name}.scale"), Function::Multiply, &[share, all]);
    g.map(name.to_string(), Function::Multiply, &[average, share])
}
