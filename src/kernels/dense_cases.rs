//! The cases of [`super::dense`]: products at awkward sizes, every activation, and every ending.

use super::activation::Activation;
use super::batch::words_per_row;
use super::case::{Case, Fill, Tolerance};
use super::dense::{Ending, Epilogue, Parts, d_input, d_weight, forward};
use super::latent::{DRAWS, Noise};
use super::likelihood::{self, Term};
use super::reduce;
use crate::plan::{Dtype, StepScalars, TensorId};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    // 1, primes, a tile less one, a tile, a tile more one, for both targets' tiles (32 x 32, 64 x 64, by 16).
    for (batch, inputs, outputs) in [
        (1, 1, 1),
        (2, 3, 5),
        (6, 10, 14),
        (7, 13, 11),
        (31, 4, 33),
        (32, 16, 32),
        (33, 17, 31),
        (65, 63, 64),
        (64, 65, 129),
        (128, 36, 20),
        (100, 2, 100),
        (515, 21, 520),
        // Long enough to be split, and no multiple of anything.
        (33, 517, 30),
        (517, 30, 33),
    ] {
        for activation in [Activation::Identity, Activation::Tanh] {
            all.push(forward_case(batch, inputs, outputs, activation, false));
            all.push(d_input_case(batch, inputs, outputs, activation));
        }
        all.push(d_weight_case(batch, inputs, outputs, 0, true));
        all.push(d_weight_case(batch, inputs, outputs, outputs / 2 + 1, false));
        all.push(tied_case(batch, inputs, outputs, Activation::Silu));
    }
    for activation in Activation::ALL {
        all.push(forward_case(9, 12, 17, activation, false));
        all.push(forward_case(9, 12, 16, activation, false));
        all.push(d_input_case(9, 12, 17, activation));
        all.push(d_input_case(9, 17, 12, activation));
        all.push(tied_case(9, 12, 17, activation));
        all.push(gradient_case(activation));
    }
    for (batch, inputs, latent) in [(1, 1, 1), (3, 5, 7), (64, 9, 8), (65, 8, 9), (13, 3, 131), (5, 259, 9)] {
        for mode in [Noise::Off, Noise::Drawn, Noise::Given] {
            all.push(sample_case(batch, inputs, latent, mode));
        }
        all.push(backward_case(batch, inputs, latent, Fill::Heavy { common: 2.0, rare: 40.0 }));
    }
    // The clamp's ends belong to it: the gradient there is not yet 0.
    all.push(backward_case(8, 4, 5, Fill::Among(&[-31.0, -30.0, 0.0, 20.0, 21.0])));
    for (batch, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (33, 17, 31), (64, 64, 32), (9, 259, 66)] {
        all.push(bytes_case(batch, inputs, outputs));
    }
    all.push(bytes_case(128, 784, 400).timed(true));
    all.push(sample_case(128, 400, 20, Noise::Drawn).timed(true));
    all.push(latent_gradient_case(2, 3));
    all.push(latent_gradient_case(5, 1));
    let terms = [
        ("bernoulli", Term::Bernoulli),
        ("gaussian", Term::Gaussian { sigma: 0.3, normalised: true }),
        ("mse", Term::Gaussian { sigma: 0.5_f32.sqrt(), normalised: false }),
    ];
    for (name, term) in terms {
        for (batch, inputs, width) in [(1, 1, 1), (3, 2, 5), (8, 3, 64), (9, 4, 65), (17, 5, 129), (9, 259, 66)] {
            all.push(likelihood_case(name, batch, inputs, width, term));
        }
        all.push(likelihood_gradient_case(name, Some(term)));
    }
    for (batch, inputs, width) in [(1, 1, 1), (3, 2, 5), (9, 4, 64)] {
        all.push(squares_case(batch, inputs, width));
    }
    all.push(likelihood_gradient_case("gaussian_learned", None));
    all.push(likelihood_case("bernoulli", 128, 400, 784, Term::Bernoulli).timed(true));
    all.push(exact_case("single", &[-3.7, -2.9, -1.3, -0.4, 0.0, 0.7, 1.9, 3.1], &[0.0, 1.0], 5e-7, 5e-7));
    // Logits that leave nothing but log1p(exp(-l)): 1 + exp(-20) is 1 in f32, and its logarithm must not be 0.
    // Of 1 - sigmoid(20) = 2e-9 nothing is left in f32, in PyTorch neither.
    all.push(exact_case("certain", &[18.0, 20.0, 22.0], &[1.0], 1e-5, 1.0));
    for (batch, inputs, outputs) in [(128, 784, 400), (128, 400, 40), (128, 20, 400), (128, 400, 784), (128, 784, 512)]
    {
        all.push(forward_case(batch, inputs, outputs, Activation::Relu, true));
        all.push(d_input_case(batch, inputs, outputs, Activation::Relu).timed(true));
        all.push(d_weight_case(batch, inputs, outputs, 0, true).timed(true));
    }
    all
}

// Sums of up to 784 products in another order than the oracle's.
const SUMS: Tolerance = Tolerance::Relative(2e-5);

fn forward_case(batch: usize, inputs: usize, outputs: usize, activation: Activation, timed: bool) -> Case {
    let name = format!("dense/forward {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    // As large as a layer's own, or the sums of a long row would be far from 1, which the tolerance is measured by.
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(if timed { 0.1 } else { 1.0 }));
    let bias = case.input("bias", &[outputs], Dtype::F32, Fill::Heavy { common: 1.0, rare: 40.0 });
    let y = case.output("y", &[batch, outputs], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, outputs], SUMS));
    let epilogue = Epilogue { bias: Some(bias), activation, pre, ..Epilogue::default() };
    case.op(|t| forward(t, "forward", [x, weight, y], epilogue));
    case.timed(timed)
}

fn d_input_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("dense/d_input {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(1.0));
    // What a forward pass can have saved: an input anywhere, or an output in the activation's range.
    let fill = match activation {
        Activation::Silu | Activation::Gelu => Fill::Heavy { common: 3.0, rare: 40.0 },
        Activation::Softplus | Activation::Sigmoid => Fill::Levels,
        // The slope at 0 is PyTorch's: that of the negative side.
        Activation::Relu | Activation::LeakyRelu => Fill::Among(&[-0.9, -0.2, 0.0, 0.3, 0.8]),
        _ => Fill::Spread(0.99),
    };
    let saved = case.input("saved", &[batch, inputs], Dtype::F32, fill);
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let epilogue = Epilogue { gradient: Some((activation, saved)), ..Epilogue::default() };
    case.op(|t| d_input(t, "d_input", [d_y, weight, d_x], epilogue));
    case
}

fn d_weight_case(batch: usize, inputs: usize, outputs: usize, kept_rows: usize, with_bias: bool) -> Case {
    let name = format!("dense/d_weight {batch}x{inputs}x{outputs} keeping {kept_rows}");
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let gradient = if kept_rows > 0 {
        case.updated("d_weight", &[outputs, inputs], Fill::Spread(1.0), SUMS)
    } else {
        case.output("d_weight", &[outputs, inputs], SUMS)
    };
    let row_sum = with_bias.then(|| case.output("d_bias", &[outputs], SUMS));
    let epilogue = Epilogue { row_sum, kept_rows, ..Epilogue::default() };
    case.op(|t| d_weight(t, "d_weight", [d_y, x, gradient], epilogue));
    case
}

/// A layer through a transposed weight, `[in, out]`, forward and its `d_input`: the orientations trade places.
fn tied_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("dense/tied {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(1.0);
    // The input is also what the layer before it saved: levels are in every activation's range.
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Levels);
    let weight = case.input("weight", &[inputs, outputs], Dtype::F32, spread);
    let bias = case.input("bias", &[outputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, outputs], SUMS));
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let epilogue = Epilogue { bias: Some(bias), activation, pre, ..Epilogue::default() };
    let back = Epilogue { gradient: Some((activation, x)), ..Epilogue::default() };
    case.op(|t| d_input(t, "forward", [x, weight, y], epilogue));
    case.op(|t| forward(t, "d_input", [d_y, weight, d_x], back));
    case
}

/// Two layers forward and back: every gradient of the first is checked against differences.
fn gradient_case(activation: Activation) -> Case {
    let (batch, inputs, hidden, outputs) = (3, 4, 5, 2);
    let name = format!("dense/gradient {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(1.0);
    let x = case.input("x", &[batch, inputs], Dtype::F32, spread);
    let w1 = case.input("w1", &[hidden, inputs], Dtype::F32, spread);
    let b1 = case.input("b1", &[hidden], Dtype::F32, spread);
    let w2 = case.input("w2", &[outputs, hidden], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let h = case.output("h", &[batch, hidden], SUMS);
    let pre = activation.keeps_input().then(|| case.output("pre", &[batch, hidden], SUMS));
    let y = case.output("y", &[batch, outputs], SUMS);
    let d_w2 = case.output("d_w2", &[outputs, hidden], SUMS);
    let d_h = case.output("d_h", &[batch, hidden], SUMS);
    let d_w1 = case.output("d_w1", &[hidden, inputs], SUMS);
    let d_b1 = case.output("d_b1", &[hidden], SUMS);
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let none = Epilogue::default();
    let first = Epilogue { bias: Some(b1), activation, pre, ..none };
    let back = Epilogue { gradient: Some((activation, pre.unwrap_or(h))), ..none };
    let bias = Epilogue { row_sum: Some(d_b1), ..none };
    case.op(|t| forward(t, "first", [x, w1, h], first));
    case.op(|t| forward(t, "second", [h, w2, y], none));
    case.op(|t| d_weight(t, "second d_weight", [d_y, h, d_w2], none));
    case.op(|t| d_input(t, "second d_input", [d_y, w2, d_h], back));
    case.op(|t| d_weight(t, "first d_weight", [d_h, x, d_w1], bias));
    case.op(|t| d_input(t, "first d_input", [d_h, w1, d_x], none));
    case.loss_weighted(y, d_y);
    for (input, gradient) in [(w2, d_w2), (w1, d_w1), (b1, d_b1), (x, d_x)] {
        case.gradient(input, gradient);
    }
    case
}

/// A batch of grey levels, as it was gathered: forward and `d_weight` of the layer that takes it, and a likelihood of it.
fn bytes_case(batch: usize, inputs: usize, outputs: usize) -> Case {
    let mut case = Case::new(format!("dense/bytes {batch}x{inputs}x{outputs}"), StepScalars::default());
    let spread = Fill::Spread(0.1);
    // What lies behind the end of a row is no level.
    let x = case.input("x", &[batch, words_per_row(inputs)], Dtype::U32, Fill::Bits);
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::default() };
    case.op(|t| forward(t, "forward", [x, weight, y], epilogue));
    if batch < 128 {
        let d_w = case.output("d_weight", &[outputs, inputs], SUMS);
        let h = case.input("h", &[batch, 3], Dtype::F32, spread);
        let w2 = case.input("w2", &[inputs, 3], Dtype::F32, Fill::Spread(4.0));
        let d_output = case.output("d_output", &[batch, inputs], SUMS);
        let parts = Parts { tensor: case.output("parts", &[batch, Parts::of(inputs)], SUMS), from: 0 };
        let ending = Ending::Likelihood { term: Term::Bernoulli, x, parts };
        case.op(|t| d_weight(t, "d_weight", [d_y, x, d_w], Epilogue::default()));
        case.op(|t| forward(t, "likelihood", [h, w2, d_output], Epilogue { ending, ..Epilogue::default() }));
    }
    case
}

/// Columns of `parts` before and behind the op's own: they must stay as they are.
const FOREIGN: [usize; 2] = [2, 1];

fn parts_of(case: &mut Case, batch: usize, cols: usize, tolerance: Tolerance) -> Parts {
    let [before, behind] = FOREIGN;
    let shape = [batch, before + Parts::of(cols) + behind];
    Parts { tensor: case.updated("parts", &shape, Fill::Levels, tolerance), from: before }
}

fn sample_case(batch: usize, inputs: usize, latent: usize, mode: Noise) -> Case {
    let name = format!("dense/sample {batch}x{inputs}x{latent} {mode:?}");
    let mut case = Case::new(name, StepScalars { noise_key: [41, 42], ..StepScalars::default() });
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[2 * latent, inputs], Dtype::F32, Fill::Spread(1.0));
    // Some values of logvar lie beyond the clamp.
    let bias = case.input("bias", &[2 * latent], Dtype::F32, Fill::Heavy { common: 2.0, rare: 40.0 });
    let noise = match mode {
        Noise::Drawn => case.output("noise", &[batch, latent], DRAWS),
        _ => case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0)),
    };
    let heads = case.output("heads", &[batch, 2 * latent], SUMS);
    // exp of numbers up to 20 multiplies the rounding of a sum.
    let through_exp = Tolerance::Relative(5e-5);
    let z = case.output("z", &[batch, latent], through_exp);
    let parts = parts_of(&mut case, batch, 2 * latent, through_exp);
    let ending = Ending::Sample { noise, mode, z, parts };
    case.op(|t| forward(t, "sample", [x, weight, heads], Epilogue { bias: Some(bias), ending, ..Epilogue::default() }));
    case
}

fn backward_case(batch: usize, outputs: usize, latent: usize, heads: Fill) -> Case {
    let at = if matches!(heads, Fill::Among(_)) { " at the clamp" } else { "" };
    let name = format!("dense/backward {batch}x{outputs}x{latent}{at}");
    let mut case = Case::new(name, StepScalars { beta: 0.7, ..StepScalars::default() });
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, latent], Dtype::F32, Fill::Spread(1.0));
    let transposed = case.input("transposed", &[latent, outputs], Dtype::F32, Fill::Spread(1.0));
    let heads = case.input("heads", &[batch, 2 * latent], Dtype::F32, heads);
    let drawn = case.input("drawn", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
    let d_heads = case.output("d_heads", &[batch, 2 * latent], SUMS);
    let tied = case.output("tied d_heads", &[batch, 2 * latent], SUMS);
    let epilogue = Epilogue { ending: Ending::Backward { heads, drawn }, ..Epilogue::default() };
    case.op(|t| d_input(t, "backward", [d_y, weight, d_heads], epilogue));
    case.op(|t| forward(t, "backward through tied weights", [d_y, transposed, tied], epilogue));
    case
}

/// A layer's weight and bias gradients from the gradient of its output, checked against differences.
fn layer_gradients(case: &mut Case, [d_y, x]: [TensorId; 2], [weight, bias]: [TensorId; 2]) {
    let shape = |case: &Case, id| case.program.tensors.get(id).shape.clone();
    let (weight_shape, bias_shape) = (shape(case, weight), shape(case, bias));
    let d_weight_of = case.output("d_weight", &weight_shape, SUMS);
    let d_bias = case.output("d_bias", &bias_shape, SUMS);
    case.op(|t| d_weight(t, "d_weight", [d_y, x, d_weight_of], Epilogue::default()));
    case.op(|t| reduce::columns(t, "d_bias", d_y, d_bias));
    case.gradient(weight, d_weight_of);
    case.gradient(bias, d_bias);
}

/// d of sum(y * d_y) + beta / B sum(kl), y a layer of the z that is drawn, noise given.
fn latent_gradient_case(batch: usize, latent: usize) -> Case {
    let (inputs, outputs) = (4, 3);
    let step = StepScalars { beta: 0.7, ..StepScalars::default() };
    let mut case = Case::new(format!("dense/latent gradient {batch}x{latent}"), step);
    let spread = Fill::Spread(1.0);
    let x = case.input("x", &[batch, inputs], Dtype::F32, spread);
    let weight = case.input("weight", &[2 * latent, inputs], Dtype::F32, spread);
    let bias = case.input("bias", &[2 * latent], Dtype::F32, spread);
    let noise = case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
    let w2 = case.input("w2", &[outputs, latent], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let heads = case.output("heads", &[batch, 2 * latent], SUMS);
    let z = case.output("z", &[batch, latent], SUMS);
    let parts = Parts { tensor: case.output("parts", &[batch, Parts::of(2 * latent)], SUMS), from: 0 };
    let y = case.output("y", &[batch, outputs], SUMS);
    let d_heads = case.output("d_heads", &[batch, 2 * latent], SUMS);
    let sample = Ending::Sample { noise, mode: Noise::Given, z, parts };
    let back = Ending::Backward { heads, drawn: noise };
    let bias_and = |ending| Epilogue { bias: Some(bias), ending, ..Epilogue::default() };
    case.op(|t| forward(t, "heads", [x, weight, heads], bias_and(sample)));
    case.op(|t| forward(t, "layer", [z, w2, y], Epilogue::default()));
    case.op(|t| d_input(t, "back", [d_y, w2, d_heads], Epilogue { ending: back, ..Epilogue::default() }));
    case.loss_weighted(y, d_y);
    case.loss_scaled(parts.tensor, f64::from(step.beta) / batch as f64);
    layer_gradients(&mut case, [d_heads, x], [weight, bias]);
    case
}

struct Decoder {
    x: TensorId,
    weight: TensorId,
    bias: TensorId,
    level: TensorId,
    d_output: TensorId,
}

/// A decoder's last layer: outputs of any size, by way of its bias.
fn decoder(case: &mut Case, [batch, inputs, width]: [usize; 3], bias: Fill) -> Decoder {
    Decoder {
        x: case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0)),
        weight: case.input("weight", &[width, inputs], Dtype::F32, Fill::Spread(1.0)),
        bias: case.input("bias", &[width], Dtype::F32, bias),
        level: case.input("level", &[batch, width], Dtype::F32, Fill::Levels),
        d_output: case.output("d_output", &[batch, width], SUMS),
    }
}

impl Decoder {
    fn op(&self, case: &mut Case, term: Term, parts: Parts) {
        let ending = Ending::Likelihood { term, x: self.level, parts };
        let epilogue = Epilogue { bias: Some(self.bias), ending, ..Epilogue::default() };
        case.op(|t| forward(t, "likelihood", [self.x, self.weight, self.d_output], epilogue));
    }
}

const FAR: Fill = Fill::Heavy { common: 6.0, rare: 120.0 };

fn likelihood_case(name: &str, batch: usize, inputs: usize, width: usize, term: Term) -> Case {
    let mut case = Case::new(format!("dense/{name} {batch}x{inputs}x{width}"), StepScalars::default());
    let decoder = decoder(&mut case, [batch, inputs, width], FAR);
    let parts = parts_of(&mut case, batch, width, SUMS);
    decoder.op(&mut case, term, parts);
    if batch < 128 {
        // The same through weights that lie the other way round, as tied ones do.
        let transposed = case.input("transposed", &[inputs, width], Dtype::F32, Fill::Spread(1.0));
        let d_output = case.output("tied d_output", &[batch, width], SUMS);
        let parts = Parts { tensor: case.output("tied parts", &[batch, Parts::of(width)], SUMS), from: 0 };
        let ending = Ending::Likelihood { term, x: decoder.level, parts };
        let epilogue = Epilogue { bias: Some(decoder.bias), ending, ..Epilogue::default() };
        case.op(|t| d_input(t, "tied likelihood", [decoder.x, transposed, d_output], epilogue));
    }
    case
}

fn squares_case(batch: usize, inputs: usize, width: usize) -> Case {
    let mut case = Case::new(format!("dense/squares {batch}x{inputs}x{width}"), StepScalars::default());
    let decoder = decoder(&mut case, [batch, inputs, width], FAR);
    let log_sigma = case.input("log_sigma", &[1], Dtype::F32, Fill::Spread(0.5));
    let parts = parts_of(&mut case, batch, width, SUMS);
    decoder.op(&mut case, Term::Square { log_sigma }, parts);
    case
}

/// d of the mean loss of a batch; without a term, of the normal with a learned sigma.
fn likelihood_gradient_case(name: &str, term: Option<Term>) -> Case {
    let (batch, inputs, width) = (3, 2, 5);
    let mut case = Case::new(format!("dense/{name} gradient"), StepScalars::default());
    let decoder = decoder(&mut case, [batch, inputs, width], Fill::Spread(2.0));
    let parts = Parts { tensor: case.output("parts", &[batch, Parts::of(width)], SUMS), from: 0 };
    match term {
        Some(term) => {
            decoder.op(&mut case, term, parts);
            case.loss_scaled(parts.tensor, 1.0 / batch as f64);
        }
        None => {
            let log_sigma = case.input("log_sigma", &[1], Dtype::F32, Fill::Spread(0.5));
            let recon = case.output("recon", &[batch], SUMS);
            let kl = case.output("kl", &[batch], SUMS);
            let slopes = case.output("d_log_sigma rows", &[batch], SUMS);
            let slope = case.output("d_log_sigma", &[1], SUMS);
            decoder.op(&mut case, Term::Square { log_sigma }, parts);
            case.op(|t| likelihood::rows_learned(t, parts.tensor, [width, 0], [recon, kl], [log_sigma, slopes]));
            case.op(|t| reduce::sum(t, slopes, slope));
            case.loss_scaled(recon, 1.0 / batch as f64);
            case.gradient(log_sigma, slope);
        }
    }
    layer_gradients(&mut case, [decoder.d_output, decoder.x], [decoder.weight, decoder.bias]);
    case
}

/// Cross-entropy of logits that are exact, one a row: nothing hides the error of its logarithm.
fn exact_case(name: &str, logits: &'static [f32], levels: &'static [f32], loss: f64, slope: f64) -> Case {
    let rows = 50;
    let mut case = Case::new(format!("dense/bernoulli {name}"), StepScalars::default());
    let logit = case.input("logit", &[rows, 1], Dtype::F32, Fill::Among(logits));
    let one = case.input("one", &[1, 1], Dtype::F32, Fill::Among(&[1.0]));
    let level = case.input("level", &[rows, 1], Dtype::F32, Fill::Among(levels));
    let d_output = case.output("d_output", &[rows, 1], Tolerance::Relative(slope));
    let parts = Parts { tensor: case.output("parts", &[rows, 1], Tolerance::Relative(loss)), from: 0 };
    let ending = Ending::Likelihood { term: Term::Bernoulli, x: level, parts };
    case.op(|t| forward(t, "likelihood", [logit, one, d_output], Epilogue { ending, ..Epilogue::default() }));
    case
}
