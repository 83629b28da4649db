//! Layers of sequences: embeddings, recurrent layers, attention, convolutions over times, and what ends a sequence.

use wgvae_engine::graph::{Axis, Graph, Name, Node, RecurrentInputs};
use wgvae_engine::plan::{Activation, Attention, Cell, Function, Init, Orientation, Recurrent, WeightLayout, Windows};

use super::layer::TimesKernel;
use super::layers::{dense, linear_init, norm};

/// Rows of an embedding start with a variance of 1, as in `torch.nn.Embedding`.
const EMBEDDING: Init = Init::Uniform(1.732_050_8);

/// How far the sequences of a batch go.
#[derive(Clone, Copy)]
pub struct Times {
    /// `(B, T)`: 1 where there is a token, else 0.
    pub is_there: Node,
    /// `(B, 1)`: tokens of each row.
    pub lengths: Node,
}

impl Times {
    /// The times of `ids (B, T)`.
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
pub enum Start {
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
    pub fn beside(self) -> Option<Node> {
        match self {
            Start::Zero => None,
            Start::Code { z, each } => each.then_some(z),
            Start::State { z, .. } => z,
        }
    }
}

/// A table's row for each of `ids (B, T)`, or for the id before it: `(B T, C)`.
pub fn embed(g: &mut Graph, name: &str, ids: Node, [vocabulary, channels]: [usize; 2], shift: usize) -> Node {
    let table = g.param(&format!("{name}.weight"), &[vocabulary, channels], EMBEDDING);
    g.embed(Name::out(name), table, ids, shift)
}

/// A recurrent layer in one direction on `x (B T, C)`: its states `(B T, H)`.
///
/// Parameters have the names and forms of `torch.nn.GRU` and `torch.nn.LSTM`; a layer that sees the code at each time has it
/// behind its other inputs.
pub fn recurrent(
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
pub fn first_state(g: &mut Graph, name: &str, z: Node, cell: Cell, units: usize) -> Node {
    let name = format!("{name}.start");
    let (u, _) = dense(g, &name, z, cell.state() * units);
    super::layers::activate(g, u, Activation::Tanh)
}

/// Adds to numbers at each time `(B T, C)` what a dense layer makes of the code `(B, Z)`.
fn plus_code(g: &mut Graph, name: &str, h: Node, z: Node) -> Node {
    let ([rows, channels], batch) = (g.shape(h), g.shape(z)[0]);
    let (mut of_code, _) = dense(g, &format!("{name}.code"), z, channels);
    if rows > batch {
        of_code = g.repeat(&format!("{name}.code at each time"), of_code, rows / batch);
    }
    g.sum_of(format!("{name}.with code"), h, of_code)
}

/// Adds to `h (B T, C)` numbers that are learned for each time, in the form of `torch.nn.Embedding`.
fn plus_positions(g: &mut Graph, name: &str, h: Node, steps: usize) -> Node {
    let [rows, channels] = g.shape(h);
    let name_of_table = format!("{name}.positions.weight");
    // A step of shorter texts learns the first positions alone.
    let all = g.params().find(&name_of_table).map_or(steps, |param| param.shape[0]);
    let table = g.param(&name_of_table, &[all, channels], EMBEDDING);
    let table = g.rows(format!("{name}.positions"), table, 0..steps);
    let table = g.reshape(table, [1, steps * channels]);
    let of_rows = g.reshape(h, [rows / steps, steps * channels]);
    let placed = g.sum_of(format!("{name}.placed"), of_rows, table);
    g.reshape(placed, [rows, channels])
}

/// What a layer without a state is told.
#[derive(Clone, Copy)]
pub struct Around {
    /// How far rows go; none in a decoder, where a time sees itself and those before alone.
    pub times: Option<Times>,
    /// The code, where this layer adds it.
    pub code: Option<Node>,
}

/// Attention on `h (B T, C)`, added to it: `h + out_proj(attention(in_proj(norm(h))))`.
///
/// `in_proj` and `out_proj` have the names and forms of `torch.nn.MultiheadAttention`.
pub fn attend(
    g: &mut Graph,
    name: &str,
    mut h: Node,
    [steps, heads]: [usize; 2],
    around: Around,
    has_positions: bool,
) -> Node {
    let channels = g.shape(h)[1];
    if has_positions {
        h = plus_positions(g, name, h, steps);
    }
    if let Some(z) = around.code {
        h = plus_code(g, name, h, z);
    }
    let x = norm(g, &format!("{name}.norm"), h, 1, 1);
    // PyTorch starts `in_proj` by Xavier's rule for a matrix `(3 C, C)`, and both biases with 0.
    let init = Init::Layer((1.5 / channels as f32).sqrt());
    let weight = g.param(&format!("{name}.in_proj_weight"), &[3 * channels, channels], init);
    let bias = g.param(&format!("{name}.in_proj_bias"), &[3 * channels], Init::Constant(0.0));
    let product = g.product(Name::forward(&format!("{name}.in_proj")), Orientation::Nt, x, weight);
    let qkv = g.sum_of(format!("{name}.in_proj"), product, bias);
    let layer = Attention { heads: heads as u32, causal: around.times.is_none(), steps: steps as u32 };
    let taken = g.attention(format!("{name}.attention"), layer, qkv, around.times.map(|times| times.lengths));
    let weight = g.param(&format!("{name}.out_proj.weight"), &[channels, channels], linear_init(channels));
    let bias = g.param(&format!("{name}.out_proj.bias"), &[channels], Init::Constant(0.0));
    let product = g.product(Name::forward(&format!("{name}.out_proj")), Orientation::Nt, taken, weight);
    let out = g.sum_of(format!("{name}.out_proj"), product, bias);
    g.sum_of(Name::out(name), h, out)
}

/// A convolution over the times of `h (B T, C)`: `(B T, N)`, with the parameters of `torch.nn.Conv1d`. Times behind a row's end
/// count as zeros.
pub fn conv1d(g: &mut Graph, name: &str, mut h: Node, steps: usize, kernel: TimesKernel, around: Around) -> Node {
    let ([rows, channels], TimesKernel { channels: outputs, size, dilation }) = (g.shape(h), kernel);
    if let Some(times) = around.times {
        let there = g.reshape(times.is_there, [rows, 1]);
        h = g.map(format!("{name}.seen"), Function::Multiply, &[h, there]);
    }
    // Times that lie a dilation apart are a column of an image with as many columns, and the kernel goes down. With a larger
    // dilation than T one tap alone is among the times, too.
    let dilation = dilation.min(steps);
    let tall = steps.div_ceil(dilation);
    let (padded, batch) = (tall * dilation, rows / steps);
    if padded > steps {
        let of_rows = g.reshape(h, [batch, steps * channels]);
        let zero = g.constant(0.0);
        let some = g.columns(format!("{name}.first times"), of_rows, 0..(padded - steps) * channels);
        let behind = g.map(format!("{name}.behind"), Function::Multiply, &[some, zero]);
        let whole = g.beside(format!("{name}.whole"), &[of_rows, behind]);
        h = g.reshape(whole, [batch * padded, channels]);
    }
    let above = if around.times.is_none() { size - 1 } else { (size - 1) / 2 };
    let [tall, wide] = [tall as u32, dilation as u32];
    let windows = Windows {
        image: [tall, wide, channels as u32],
        positions: [tall, wide],
        kernel: [size as u32, 1],
        stride: 1,
        padding: [above as u32, 0],
    };
    let init = linear_init(windows.cols());
    let weight = g.param(&format!("{name}.weight"), &[outputs, channels, size], init);
    g.set_order(&format!("{name}.weight"), Some(WeightLayout::convolution([outputs, channels, size, 1])));
    let bias = g.param(&format!("{name}.bias"), &[outputs], init);
    let product = g.convolution(Name::forward(name), h, weight, windows);
    let mut u = g.sum_of(Name::out(name), product, bias);
    if padded > steps {
        let of_rows = g.reshape(u, [batch, padded * outputs]);
        let some = g.columns(format!("{name}.times"), of_rows, 0..steps * outputs);
        u = g.reshape(some, [rows, outputs]);
    }
    match around.code {
        Some(z) => plus_code(g, name, u, z),
        None => u,
    }
}

/// `(B, C)`: the numbers at the last token of each row, of layers that keep no state behind it.
pub fn at_last_token(g: &mut Graph, name: &str, h: Node, times: Times) -> Node {
    let ([rows, channels], steps) = (g.shape(h), g.shape(times.is_there)[1]);
    let mut is_last = times.is_there;
    if steps > 1 {
        // There is a token, and none behind it.
        let zero = g.constant(0.0);
        let first = g.columns(format!("{name}.first"), times.is_there, 0..1);
        let none = g.map(format!("{name}.none"), Function::Multiply, &[first, zero]);
        let later = g.columns(format!("{name}.later"), times.is_there, 1..steps);
        let next = g.beside(format!("{name}.next"), &[later, none]);
        let minus = g.negative(format!("{name}.minus"), next);
        is_last = g.sum_of(format!("{name}.is last"), times.is_there, minus);
    }
    let is_last = g.reshape(is_last, [rows, 1]);
    let all = g.constant(steps as f32);
    let factor = g.map(format!("{name}.factor"), Function::Multiply, &[is_last, all]);
    let seen = g.map(format!("{name}.seen"), Function::Multiply, &[h, factor]);
    let [tall, wide] = [steps as u32, channels as u32];
    g.average_pool(name, seen, Windows::padded([tall, 1, wide], [tall, 1], 1, [0; 2]))
}

/// `(B, C)`: the state behind the last token. Behind its tokens a row's state stays as it is, so it is that of the last time; on
/// the way back, which is the second half of the channels, that of the first.
pub fn last(g: &mut Graph, name: &str, states: Node, steps: usize, both: bool) -> Node {
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
pub fn each_time(g: &mut Graph, name: &str, z: Node, steps: usize) -> Node {
    let [batch, latent] = g.shape(z);
    let repeated = g.repeat(&format!("{name}.code"), z, steps);
    let repeated = g.reshape(repeated, [batch, steps * latent]);
    let of_times = g.param(&format!("{name}.weight"), &[steps * latent], EMBEDDING);
    let sum = g.sum_of(name.to_string(), repeated, of_times);
    g.reshape(sum, [batch * steps, latent])
}

/// `(B, C)`: the mean of the states of a row's tokens, or of all times.
pub fn mean(g: &mut Graph, name: &str, states: Node, steps: usize, is_there: Option<Node>) -> Node {
    let [rows, channels] = g.shape(states);
    let [tall, wide] = [steps as u32, channels as u32];
    let windows = Windows::padded([tall, 1, wide], [tall, 1], 1, [0; 2]);
    let Some(is_there) = is_there else { return g.average_pool(name, states, windows) };
    let there = g.reshape(is_there, [rows, 1]);
    let seen = g.map(format!("{name}.seen"), Function::Multiply, &[states, there]);
    let average = g.average_pool(&format!("{name}.of all"), seen, windows);
    // The logarithm of a length is that of the sum of ones; times without a token count 1e-26. With less than that, the share of a row
    // without any token would be infinite, and 0 times infinity is no number.
    let [one, far, all] = [-1.0, 60.0, steps as f32].map(|value| g.constant(value));
    let absent = g.sum_of(format!("{name}.absent"), there, one);
    let weight = g.map(format!("{name}.weights"), Function::Multiply, &[absent, far]);
    let log_length = g.log_sum_exp(format!("{name}.log_length"), weight, steps);
    let minus = g.negative(format!("{name}.minus"), log_length);
    let share = g.map(format!("{name}.share"), Function::Exp, &[minus]);
    let share = g.map(format!("{name}.scale"), Function::Multiply, &[share, all]);
    g.map(name.to_string(), Function::Multiply, &[average, share])
}
