//! The family's cases: products at awkward sizes, and every kind of epilogue.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::batch::words_per_row;
use crate::kernels::{Activation, Body, gemm};
use crate::plan::{
    Call, Dtype, Function, Index, Input, Loss, Op, Orientation, PlanError, Pointwise, ScalarId, StepScalars,
    StoredValue, TensorId, TensorTable, Value,
};

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    // 1, primes, and a tile minus one, exactly, and plus one, for both targets' tiles (32 x 32, 64 x 64, by 16).
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
        // Long enough to be split, and not a multiple of any tile size.
        (33, 517, 30),
        (517, 30, 33),
        (1037, 9, 7),
        (9, 1037, 5),
    ] {
        for activation in [Activation::Identity, Activation::Tanh] {
            all.push(forward_case(batch, inputs, outputs, activation, false));
            all.push(d_input_case(batch, inputs, outputs, activation));
        }
        all.push(d_weight_case(batch, inputs, outputs, false));
        all.push(d_weight_case(batch, inputs, outputs, true));
        all.push(tied_case(batch, inputs, outputs, Activation::Silu));
    }
    for activation in Activation::ALL {
        all.push(forward_case(9, 12, 17, activation, false));
        all.push(forward_case(9, 12, 16, activation, false));
        all.push(d_input_case(9, 12, 17, activation));
        all.push(d_input_case(9, 17, 12, activation));
        all.push(tied_case(9, 12, 17, activation));
    }
    for (rows, inputs, outputs) in [([3, 4], 5, 8), ([2, 7], 12, 17), ([9, 29], 64, 96)] {
        all.push(repeated_case(rows, inputs, outputs));
    }
    for (batch, inputs, latent) in [(1, 1, 1), (3, 5, 7), (64, 9, 8), (65, 8, 9), (13, 3, 131), (5, 259, 9)] {
        for noise in [Noise::Off, Noise::Drawn, Noise::Given] {
            all.push(latent_case(batch, inputs, latent, noise));
        }
        all.push(latent_backward_case(batch, inputs, latent));
    }
    for (batch, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (33, 17, 31), (64, 64, 32), (9, 259, 66)] {
        all.push(levels_case(batch, inputs, outputs));
    }
    // These products are so large that tiles on the processor share packed operands: floats, and grey levels.
    all.push(forward_case(300, 257, 512, Activation::Tanh, false));
    all.push(levels_case(127, 1040, 512));
    all.push(levels_case(128, 784, 400).timed(true));
    all.push(latent_case(128, 400, 20, Noise::Drawn).timed(true));
    // Losses of columns of several kinds have more parameters than a product can bind.
    for loss in Loss::ALL.into_iter().filter(|loss| !matches!(loss, Loss::Column | Loss::ColumnOrCount)) {
        for (batch, inputs, width) in [(1, 1, 1), (3, 2, 5), (8, 3, 64), (9, 4, 65), (17, 5, 129), (9, 259, 66)] {
            all.push(likelihood_case(loss, batch, inputs, width));
        }
    }
    all.push(likelihood_case(Loss::Bernoulli, 128, 400, 784).timed(true));
    for (batch, inputs, outputs) in [(128, 784, 400), (128, 400, 40), (128, 20, 400), (128, 400, 784), (128, 784, 512)]
    {
        all.push(forward_case(batch, inputs, outputs, Activation::Relu, true));
        all.push(d_input_case(batch, inputs, outputs, Activation::Relu).timed(true));
        all.push(d_weight_case(batch, inputs, outputs, false).timed(true));
    }
    all
}

// The tolerance for sums of up to 784 products, which the oracle adds in another order.
pub(super) const SUMS: Tolerance = Tolerance::Relative(2e-5);

/// A draw differs from the oracle's by a few roundings: draws are at most 5.8, with errors of up to four ulps.
const DRAWS: Tolerance = Tolerance::Relative(4e-7);

/// A builder of programs in reading order: inputs and stores with their tensors.
#[derive(Default)]
pub(super) struct Epilogue {
    body: Body,
}

impl Epilogue {
    pub fn input(&mut self, tensor: TensorId, index: Index) -> Value {
        self.body.reads.push(tensor);
        self.body.program.inputs.push(Input { binding: self.body.reads.len() - 1, index });
        Value::Input(self.body.program.inputs.len() - 1)
    }

    pub fn call(&mut self, function: Function, arguments: &[Value]) -> Value {
        self.body.program.calls.push(Call { function, arguments: arguments.to_vec() });
        Value::Result { call: self.body.program.calls.len() - 1, index: 0 }
    }

    pub fn store(&mut self, value: Value, tensor: TensorId, index: Index) {
        let known = self.body.writes.iter().position(|t| *t == tensor);
        let binding = known.unwrap_or_else(|| {
            self.body.writes.push(tensor);
            self.body.writes.len() - 1
        });
        self.body.program.stores.push(StoredValue { value, binding, index, accumulate: false });
    }

    pub fn sum(&mut self, value: Value, tensor: TensorId) {
        self.body.program.sums.push(value);
        self.body.sums.push(tensor);
    }
}

/// A result of a call other than the first.
pub(super) fn result(value: Value, index: usize) -> Value {
    match value {
        Value::Result { call, .. } => Value::Result { call, index },
        value => value,
    }
}

/// A product of matrices with a bias and an epilogue.
fn dense(
    tensors: &TensorTable,
    orientation: Orientation,
    operands: [TensorId; 3],
    bias: Option<TensorId>,
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    product(tensors, gemm::product(tensors, "product", orientation, operands)?, bias, epilogue)
}

/// A product with a bias and an epilogue.
pub(super) fn product(
    tensors: &TensorTable,
    mut op: Op,
    bias: Option<TensorId>,
    epilogue: Epilogue,
) -> Result<Op, PlanError> {
    if let Some(bias) = bias {
        gemm::add_bias(tensors, &mut op, bias)?;
    }
    gemm::set_epilogue(tensors, &mut op, epilogue.body)?;
    Ok(op)
}

/// An activation as an epilogue; its input is stored too if the slope needs it.
pub(super) fn activated(case: &mut Case, activation: Activation, y: TensorId) -> Epilogue {
    let mut epilogue = Epilogue::default();
    let mut value = Value::Product(0);
    if activation.keeps_input() {
        let shape = case.program.tensors.get(y).shape.clone();
        let pre = case.output("pre", &shape, SUMS);
        epilogue.store(value, pre, Index::Whole);
    }
    if activation != Activation::Identity {
        value = epilogue.call(Function::Activate(activation), &[value]);
    }
    epilogue.store(value, y, Index::Whole);
    epilogue
}

/// The slope of an activation as an epilogue, from what the forward pass saved.
pub(super) fn sloped(activation: Activation, saved: TensorId, d_x: TensorId) -> Epilogue {
    let mut epilogue = Epilogue::default();
    let mut value = Value::Product(0);
    if activation != Activation::Identity {
        let saved = epilogue.input(saved, Index::Whole);
        let slope = epilogue.call(Function::Slope(activation), &[saved]);
        value = epilogue.call(Function::Multiply, &[value, slope]);
    }
    epilogue.store(value, d_x, Index::Whole);
    epilogue
}

fn forward_case(batch: usize, inputs: usize, outputs: usize, activation: Activation, timed: bool) -> Case {
    let name = format!("gemm/forward {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    // The weights are as large as those of a layer; otherwise sums of long rows would be far from 1, the scale of the
    // tolerance.
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(if timed { 0.1 } else { 1.0 }));
    let bias = case.input("bias", &[outputs], Dtype::F32, Fill::Heavy { common: 1.0, rare: 40.0 });
    let y = case.output("y", &[batch, outputs], SUMS);
    let epilogue = activated(&mut case, activation, y);
    case.op(|t| dense(t, Orientation::Nt, [x, weight, y], Some(bias), epilogue));
    case.timed(timed)
}

fn d_input_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("gemm/d_input {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, Fill::Spread(1.0));
    let saved = case.input("saved", &[batch, inputs], Dtype::F32, super::map::saved(activation));
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let epilogue = sloped(activation, saved, d_x);
    case.op(|t| dense(t, Orientation::Nn, [d_y, weight, d_x], None, epilogue));
    case
}

fn d_weight_case(batch: usize, inputs: usize, outputs: usize, accumulate: bool) -> Case {
    let name = format!("gemm/d_weight {batch}x{inputs}x{outputs}{}", if accumulate { " added" } else { "" });
    let mut case = Case::new(name, StepScalars::default());
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let shape = [outputs, inputs];
    let gradient = match accumulate {
        true => case.updated("d_weight", &shape, Fill::Spread(1.0), SUMS),
        false => case.output("d_weight", &shape, SUMS),
    };
    let row_sum = (!accumulate).then(|| case.output("d_bias", &[outputs], SUMS));
    let mut program = Pointwise::plain();
    program.stores[0].accumulate = accumulate;
    let body = Body { program, writes: vec![gradient], ..Body::default() };
    case.op(|t| {
        let mut op = dense(t, Orientation::Tn, [d_y, x, gradient], None, Epilogue { body })?;
        if let Some(row_sum) = row_sum {
            gemm::add_row_sum(t, &mut op, row_sum)?;
        }
        Ok(op)
    });
    case
}

/// A product to which a number is added that several rows share.
fn repeated_case([rows, each]: [usize; 2], inputs: usize, outputs: usize) -> Case {
    let batch = rows * each;
    let mut case = Case::new(format!("gemm/repeated {rows}x{each}x{inputs}x{outputs}"), StepScalars::default());
    let spread = Fill::Spread(1.0);
    let x = case.input("x", &[batch, inputs], Dtype::F32, spread);
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, spread);
    let bias = case.input("bias", &[outputs], Dtype::F32, spread);
    let of_rows = case.input("of rows", &[rows, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let mut epilogue = Epilogue::default();
    let of_row = epilogue.input(of_rows, Index::Repeated { rows: each as u32 });
    let sum = epilogue.call(Function::Add, &[Value::Product(0), of_row]);
    epilogue.store(sum, y, Index::Whole);
    case.op(|t| dense(t, Orientation::Nt, [x, weight, y], Some(bias), epilogue));
    case
}

/// A layer through a transposed weight, `[in, out]`, forward and its `d_input`: the orientations are swapped.
fn tied_case(batch: usize, inputs: usize, outputs: usize, activation: Activation) -> Case {
    let name = format!("gemm/tied {batch}x{inputs}x{outputs} {}", activation.name());
    let mut case = Case::new(name, StepScalars::default());
    let spread = Fill::Spread(1.0);
    // The input is also what the previous layer saved; levels are in the range of every activation.
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Levels);
    let weight = case.input("weight", &[inputs, outputs], Dtype::F32, spread);
    let bias = case.input("bias", &[outputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let d_x = case.output("d_x", &[batch, inputs], SUMS);
    let forward = activated(&mut case, activation, y);
    case.op(|t| dense(t, Orientation::Nn, [x, weight, y], Some(bias), forward));
    case.op(|t| dense(t, Orientation::Nt, [d_y, weight, d_x], None, sloped(activation, x, d_x)));
    case
}

/// A batch of grey levels: forward and `d_weight` of the layer that takes it, and a likelihood of it.
fn levels_case(batch: usize, inputs: usize, outputs: usize) -> Case {
    let mut case = Case::new(format!("gemm/levels {batch}x{inputs}x{outputs}"), StepScalars::default());
    let spread = Fill::Spread(0.1);
    // The padding after the end of a row is not a level.
    let x = case.input("x", &[batch, words_per_row(inputs)], Dtype::U32, Fill::Bits);
    let weight = case.input("weight", &[outputs, inputs], Dtype::F32, spread);
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, spread);
    let y = case.output("y", &[batch, outputs], SUMS);
    let forward = activated(&mut case, Activation::Relu, y);
    case.op(|t| dense(t, Orientation::Nt, [x, weight, y], None, forward));
    if batch < 128 {
        let d_w = case.output("d_weight", &[outputs, inputs], SUMS);
        case.op(|t| gemm::product(t, "d_weight", Orientation::Tn, [d_y, x, d_w]));
        let h = case.input("h", &[batch, 3], Dtype::F32, spread);
        let w2 = case.input("w2", &[inputs, 3], Dtype::F32, Fill::Spread(4.0));
        let d_output = case.output("d_output", &[batch, inputs], SUMS);
        let sum = case.output("loss", &[batch, inputs.div_ceil(4)], SUMS);
        let mut epilogue = Epilogue::default();
        let level = epilogue.input(x, Index::Levels);
        let loss = epilogue.call(Function::Loss(Loss::Bernoulli), &[Value::Product(0), level]);
        epilogue.store(result(loss, 1), d_output, Index::Whole);
        epilogue.sum(loss, sum);
        case.op(|t| dense(t, Orientation::Nt, [h, w2, d_output], None, epilogue));
    }
    case
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Noise {
    Off,
    Drawn,
    Given,
}

/// `mu | logvar` from one product: z is drawn from them, and the KL's terms are summed.
fn latent_case(batch: usize, inputs: usize, latent: usize, noise: Noise) -> Case {
    let name = format!("gemm/latent {batch}x{inputs}x{latent} {noise:?}");
    let mut case = Case::new(name, StepScalars { noise_key: [41, 42], ..StepScalars::default() });
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[2 * latent, inputs], Dtype::F32, Fill::Spread(1.0));
    // Some values of logvar are outside of the clamped range.
    let bias = case.input("bias", &[2 * latent], Dtype::F32, Fill::Heavy { common: 2.0, rare: 40.0 });
    let codes = case.output("codes", &[batch, 2 * latent], SUMS);
    // exp of numbers up to 20 magnifies the rounding of a sum.
    let through_exp = Tolerance::Relative(5e-5);
    let z = case.output("z", &[batch, latent], through_exp);
    let sum = case.output("kl", &[batch, (2 * latent).div_ceil(4)], through_exp);
    let [mu, logvar] = [Value::Product(0), Value::Product(1)];
    let half = |offset: usize| Index::Columns { stride: 2 * latent as u32, offset: offset as u32 };
    let mut epilogue = Epilogue::default();
    epilogue.store(mu, codes, half(0));
    epilogue.store(logvar, codes, half(latent));
    let drawn = match noise {
        Noise::Off => None,
        Noise::Drawn => {
            let kept = case.output("noise", &[batch, latent], DRAWS);
            let drawn = epilogue.call(Function::Normal(0), &[]);
            epilogue.store(drawn, kept, Index::Whole);
            Some(drawn)
        }
        Noise::Given => {
            let given = case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
            Some(epilogue.input(given, Index::Whole))
        }
    };
    let drawn = drawn.map_or(mu, |noise| epilogue.call(Function::Reparameterise, &[mu, logvar, noise]));
    epilogue.store(drawn, z, Index::Whole);
    let kl = epilogue.call(Function::Kl, &[mu, logvar]);
    epilogue.sum(kl, sum);
    case.op(|t| dense(t, Orientation::Nt, [x, weight, codes], Some(bias), epilogue));
    case
}

/// The gradient of `mu | logvar` from that of z, which is a product.
fn latent_backward_case(batch: usize, outputs: usize, latent: usize) -> Case {
    let name = format!("gemm/latent backward {batch}x{outputs}x{latent}");
    let mut case = Case::new(name, StepScalars::default().with(ScalarId(5), 0.7));
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let weight = case.input("weight", &[outputs, latent], Dtype::F32, Fill::Spread(1.0));
    let codes = case.input("codes", &[batch, 2 * latent], Dtype::F32, Fill::Heavy { common: 2.0, rare: 40.0 });
    let noise = case.input("noise", &[batch, latent], Dtype::F32, Fill::Spread(2.0));
    let d_z = case.output("d_z", &[batch, latent], SUMS);
    let d_codes = case.output("d_codes", &[batch, 2 * latent], SUMS);
    let half = |offset: usize| Index::Columns { stride: 2 * latent as u32, offset: offset as u32 };
    let mut epilogue = Epilogue::default();
    let [mu, logvar] = [half(0), half(latent)].map(|index| epilogue.input(codes, index));
    let noise = epilogue.input(noise, Index::Whole);
    let (d, weight_of_kl) = (Value::Product(0), Value::Step { scalar: ScalarId(5), over: batch as u32 });
    let kl = epilogue.call(Function::Multiply, &[weight_of_kl, mu]);
    let d_mu = epilogue.call(Function::Add, &[d, kl]);
    let from_z = epilogue.call(Function::ReparameteriseLogvar, &[d, logvar, noise]);
    let kl = epilogue.call(Function::KlLogvar, &[weight_of_kl, logvar]);
    let d_logvar = epilogue.call(Function::Add, &[from_z, kl]);
    epilogue.store(d, d_z, Index::Whole);
    epilogue.store(d_mu, d_codes, half(0));
    epilogue.store(d_logvar, d_codes, half(latent));
    case.op(|t| dense(t, Orientation::Nn, [d_y, weight, d_z], None, epilogue));
    case
}

/// A decoder's last layer, outputs of any size by way of its bias, with its loss and gradient; the same through weights
/// that lie the other way round.
fn likelihood_case(loss: Loss, batch: usize, inputs: usize, width: usize) -> Case {
    let signature = Function::Loss(loss).signature();
    let name = format!("gemm/{} {batch}x{inputs}x{width}", signature.name);
    let mut case = Case::new(name, StepScalars::default());
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let bias = case.input("bias", &[width], Dtype::F32, Fill::Heavy { common: 6.0, rare: 120.0 });
    let level = case.input("level", &[batch, width], Dtype::F32, Fill::Levels);
    for (orientation, shape) in [(Orientation::Nt, [width, inputs]), (Orientation::Nn, [inputs, width])] {
        let weight = case.input("weight", &shape, Dtype::F32, Fill::Spread(1.0));
        let d_output = case.output("d_output", &[batch, width], SUMS);
        let sum = case.output("loss", &[batch, width.div_ceil(4)], SUMS);
        let mut epilogue = Epilogue::default();
        let mut arguments = vec![Value::Product(0), epilogue.input(level, Index::Whole)];
        for (i, examples) in loss.parameters().iter().enumerate() {
            // For a table, each column has its own parameter. Otherwise inputs that the loss has a slope for are
            // tensors, and the others are constants.
            arguments.push(match 2 + i < signature.results {
                _ if loss.is_of_columns() => {
                    // The extreme ones are tried where no product's rounding is multiplied by them.
                    let parameter = case.input("parameter", &[width], Dtype::F32, Fill::Among(&examples[..3]));
                    epilogue.input(parameter, Index::PerColumn)
                }
                true => {
                    let fill = Fill::Among(&examples[..1]);
                    epilogue.input(case.input("parameter", &[1], Dtype::F32, fill), Index::Once)
                }
                false => Value::constant(examples[0]),
            });
        }
        let loss_of = epilogue.call(Function::Loss(loss), &arguments);
        let mean = Value::constant(1.0 / batch as f32);
        let slope = epilogue.call(Function::Multiply, &[mean, result(loss_of, 1)]);
        epilogue.store(slope, d_output, Index::Whole);
        epilogue.sum(loss_of, sum);
        // Operands, bias and x, the slope and the sum, and all parameters twice: more than that a shader may not bind.
        let fits = 6 + 2 * (signature.results - 2) <= 8;
        for slope in (2..signature.results).filter(|_| fits && !loss.is_of_columns()) {
            let sum = case.output("d_parameter", &[batch, width.div_ceil(4)], SUMS);
            epilogue.sum(result(loss_of, slope), sum);
        }
        case.op(|t| dense(t, orientation, [x, weight, d_output], Some(bias), epilogue));
    }
    case
}
