//! Cases of `map`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::Body;
use crate::kernels::map::{call, map};
use crate::plan::{
    Activation, Call, ColumnKind, Dtype, Function, Index, Input, Loss, MISSING, Pointwise, ScalarId, StepScalars,
    StoredValue, TensorId, Value,
};

/// The cases of every function and of programs.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for function in Function::all() {
        for (shape, form) in [([1, 1], 0), ([9, 17], 0), ([33, 64], 0), ([9, 12], 1), ([5, 7], 2), ([6, 9], 3)] {
            if form == 0 || function.signature().inputs > 1 {
                all.push(function_case(function, shape, form));
            }
        }
    }
    for shape in [[1, 1], [3, 5], [9, 12], [64, 20]] {
        all.push(program_case(shape));
    }
    all.push(slice_case());
    all.push(repeated_case([3, 4, 8]));
    all.push(repeated_case([2, 3, 5]));
    // Enough draws to meet every branch of the generator's logarithm and cosine.
    all.push(function_case(Function::Normal(0), [997, 101], 0));
    all.push(function_case(Function::Loss(Loss::Bernoulli), [128, 784], 0).timed(true));
    all.extend(exact_cases());
    all.extend(large_count_cases());
    all
}

/// Counts of up to 200,000, and outputs near them and far: the terms of their loss are in the millions, the loss is about 10. The
/// mean of the counts' logarithms is 0, so that each output, and each count, is the same number in every precision.
fn large_count_cases() -> Vec<Case> {
    // ln(1 + k) of 50,000, 1,000, 200,000, 12, 49,000, 0 and 3.
    const COUNTS: &[f32] = &[10.819_798, 6.908_755, 12.206_078, 2.564_949_4, 10.799_596, 0.0, 1.386_294_4];
    const LOG_MEANS: &[f32] = &[10.8, 6.9, 12.2, 2.5, 10.83, 6.5, 11.9, 2.0, 10.1, 0.4, 10.82];
    const DISPERSIONS: &[f32] = &[-1.0, 0.3, 3.0, 5.5, 8.0];
    // WGSL lets exp be off by 1.5e-6 at 10.8, so a mean of 49,021 is exact to 0.07. Its distance of 21 from a count is
    // as exact, and the slope by the output is proportional to that distance. With 3,000 failures, up to 56 times this
    // relative error stands in the loss and in the slope by the dispersion.
    let tolerances = [2e-5, 3e-3, 1e-4, 1e-4].map(Tolerance::Relative);
    let of = |function: Function, name: &str, others: &[&'static [f32]]| {
        let mut case = Case::new(format!("likelihood/{name} large"), StepScalars::default());
        let shape = [33, 35];
        let mut inputs = Vec::new();
        for (name, values) in ["a", "b", "c", "d", "e"].into_iter().zip([&[LOG_MEANS, COUNTS], others].concat()) {
            inputs.push((case.input(name, &shape, Dtype::F32, Fill::Exactly(values)), Index::Whole));
        }
        let results = &["r", "s", "t", "u"][..function.signature().results];
        let results: Vec<TensorId> =
            results.iter().zip(tolerances).map(|(name, tolerance)| case.output(name, &shape, tolerance)).collect();
        case.op(|t| call(t, name, shape, function, &inputs, &results));
        case
    };
    let logits: &[f32] = &[-2.0, 0.5, 3.0];
    vec![
        of(
            Function::Loss(Loss::ColumnOrCount),
            "column_or_count",
            &[DISPERSIONS, &[0.0], &[ColumnKind::Count as u32 as f32]],
        ),
        of(Function::Loss(Loss::ZeroInflated), "zero_inflated", &[logits, DISPERSIONS]),
    ]
}

/// Cross-entropy of logits that are exact: nothing hides the error of its logarithm.
fn exact_cases() -> Vec<Case> {
    let exact = |name: &str, logits: &'static [f32], levels: &'static [f32], [loss, slope]: [f64; 2]| {
        let mut case = Case::new(format!("likelihood/bernoulli {name}"), StepScalars::default());
        let logit = case.input("logit", &[50, 1], Dtype::F32, Fill::Among(logits));
        let level = case.input("level", &[50, 1], Dtype::F32, Fill::Among(levels));
        let results = [loss, slope].map(|t| case.output("result", &[50, 1], Tolerance::Relative(t)));
        let inputs = [(logit, Index::Whole), (level, Index::Whole)];
        case.op(|t| call(t, "bernoulli", [50, 1], Function::Loss(Loss::Bernoulli), &inputs, &results));
        case
    };
    vec![
        exact("single", &[-3.7, -2.9, -1.3, -0.4, 0.0, 0.7, 1.9, 3.1], &[0.0, 1.0], [5e-7, 5e-7]),
        // Logits that leave nothing but log1p(exp(-l)): 1 + exp(-20) is 1 in f32, and its logarithm must not be 0.
        // The slope 1 - sigmoid(20) = 2e-9 is 0 in f32, as it is in PyTorch.
        exact("certain", &[18.0, 20.0, 22.0], &[1.0], [1e-5, 1.0]),
    ]
}

/// The values that a forward pass can have saved: an input has any value, an output lies in the activation's range.
pub(super) fn saved(activation: Activation) -> Fill {
    match activation {
        a if a.keeps_input() => Fill::Heavy { common: 3.0, rare: 40.0 },
        Activation::Softplus | Activation::Sigmoid => Fill::Levels,
        // The slope at 0 is PyTorch's: that of the negative side.
        Activation::Relu | Activation::LeakyRelu => Fill::Among(&[-0.9, -0.2, 0.0, 0.3, 0.8]),
        _ => Fill::Spread(0.99),
    }
}

/// Some values of logvar lie beyond the clamp, and the clamp's ends belong to it.
const LOGVARS: Fill = Fill::Among(&[-31.0, -30.0, -3.1, -1.0, -0.2, 0.0, 0.4, 1.7, 20.0, 21.0]);

/// Numbers that an argument of a function may be.
fn fill(function: Function, argument: usize) -> Fill {
    match (function, argument) {
        (Function::Slope(activation), _) => saved(activation),
        (Function::Activate(_), _) => Fill::Heavy { common: 3.0, rare: 40.0 },
        (Function::Reparameterise | Function::ReparameteriseLogvar | Function::Kl | Function::KlLogvar, 1) => LOGVARS,
        (Function::LogDraw, 1) | (Function::LogDrawSlope, 0) | (Function::LogNormal, 2) => LOGVARS,
        (Function::LogNormalX | Function::LogNormalMu | Function::LogNormalLogvar, 3) => LOGVARS,
        (Function::Loss(loss), 0) if loss.is_of_columns() => Fill::Heavy { common: 2.0, rare: 6.0 },
        (Function::Loss(loss), 1) if loss.is_of_columns() => Fill::Among(&[-0.6, 0.0, 1.0, 2.3, MISSING]),
        // The range is small: in float32, the distance of a location from a level is only as exact as the location.
        (Function::Loss(Loss::Logistic), 0) => Fill::Heavy { common: 1.0, rare: 6.0 },
        (Function::Loss(Loss::Logistic), 1) => Fill::Among(&[0.0, 1.0 / 255.0, 0.3, 0.5, 254.0 / 255.0, 1.0]),
        (Function::LogisticMean, 0) => Fill::Heavy { common: 1.0, rare: 6.0 },
        (Function::LogisticMean, 1) => Fill::Among(Loss::Logistic.parameters()[0]),
        (Function::Loss(_), 0) => Fill::Heavy { common: 6.0, rare: 120.0 },
        (Function::Loss(_), 1) => Fill::Levels,
        (Function::Loss(loss), i) => Fill::Among(loss.parameters()[i - 2]),
        (Function::ColumnMean | Function::ColumnOrCountMean, 1) => Fill::Among(Loss::ColumnOrCount.parameters()[2]),
        (Function::ColumnOrCountMean, 2) => Fill::Among(Loss::ColumnOrCount.parameters()[1]),
        (Function::DropToken(_), 0) => Fill::Tokens(30),
        (Function::DropToken(_), _) => Fill::Among(&[0.0, 0.3, 0.7, 1.0]),
        (Function::Present | Function::Absent, _) => Fill::Among(&[-0.6, 0.0, 2.3, MISSING]),
        _ => Fill::Heavy { common: 2.0, rare: 8.0 },
    }
}

/// A function of its own, as a kernel; the arguments in turn given for each element, row, column, and once.
fn function_case(function: Function, [rows, cols]: [usize; 2], form: usize) -> Case {
    let signature = function.signature();
    let name = format!("{}/{} {rows}x{cols} form {form}", signature.family.name(), signature.name);
    let mut case = Case::new(name, StepScalars { noise_key: [41, 42], ..StepScalars::default() });
    let mut inputs = Vec::new();
    for i in 0..signature.inputs {
        let (index, shape) = match form + i {
            _ if i == 0 || form == 0 => (Index::Whole, vec![rows, cols]),
            2 => (Index::PerColumn, vec![cols]),
            3 => (Index::PerRow, vec![rows]),
            _ => (Index::Once, vec![1]),
        };
        inputs.push((case.input(["a", "b", "c", "d", "e"][i], &shape, Dtype::F32, fill(function, i)), index));
    }
    let tolerance = Tolerance::Relative(match function {
        Function::DropToken(_) => 0.0,
        Function::Copy | Function::Add | Function::Multiply => 1e-7,
        Function::Normal(_) => 4e-7,
        // exp of numbers up to 20 multiplies the rounding of its argument.
        Function::Reparameterise | Function::ReparameteriseLogvar | Function::Kl | Function::KlLogvar => 5e-6,
        Function::Exp => 5e-6,
        // exp of numbers up to 30.
        Function::LogNormal | Function::LogNormalX | Function::LogNormalMu | Function::LogNormalLogvar => 1e-5,
        // Terms of up to 120 cancel; cases below have logits that leave nothing to hide behind.
        Function::Loss(_) => 1e-5,
        // A difference of two entropies.
        Function::LogisticMean => 1e-5,
        _ => 2e-6,
    });
    let results: Vec<TensorId> =
        (0..signature.results).map(|i| case.output(["r", "s", "t", "u"][i], &[rows, cols], tolerance)).collect();
    case.op(|t| call(t, signature.name, [rows, cols], function, &inputs, &results));
    case
}

/// Slices of columns, a sum that is added to, and partial sums.
fn program_case([rows, cols]: [usize; 2]) -> Case {
    let mut case = Case::new(format!("map/program {rows}x{cols}"), StepScalars::default().with(ScalarId(5), 0.7));
    let tight = Tolerance::Relative(2e-6);
    let spread = Fill::Spread(1.0);
    let both = case.input("both", &[rows, 2 * cols], Dtype::F32, spread);
    let grey = case.input("grey", &[rows, cols.div_ceil(4)], Dtype::U32, Fill::Bits);
    let result = case.output("result", &[rows, 2 * cols], tight);
    let total = case.updated("total", &[rows, cols], spread, tight);
    let sum = case.output("sum", &[rows, cols.div_ceil(4)], tight);
    let half = |offset: usize| Index::Columns { stride: 2 * cols as u32, offset: offset as u32 };
    let result_of = |call| Value::Result { call, index: 0 };
    let add = |a, b| Call { function: Function::Add, arguments: vec![a, b] };
    let multiply = |a, b| Call { function: Function::Multiply, arguments: vec![a, b] };
    let store = |value, binding, index, accumulate| StoredValue { value, binding, index, accumulate };
    let program = Pointwise {
        inputs: vec![
            Input { binding: 0, index: half(0) },
            Input { binding: 0, index: half(cols) },
            Input { binding: 1, index: Index::Levels },
        ],
        calls: vec![
            multiply(Value::Input(0), Value::Step { scalar: ScalarId(5), over: 3 }),
            add(result_of(0), Value::Input(1)),
            multiply(Value::Input(2), Value::constant(0.3)),
        ],
        stores: vec![
            store(result_of(0), 0, half(cols), false),
            store(result_of(1), 0, half(0), false),
            store(result_of(2), 1, Index::Whole, true),
        ],
        sums: vec![result_of(1)],
    };
    let body = Body { program, reads: vec![both, grey], writes: vec![result, total], sums: vec![sum] };
    case.op(|t| map(t, "program", [rows, cols], body));
    case
}

/// Rows that each stand for several.
fn repeated_case([rows, each, cols]: [usize; 3]) -> Case {
    let mut case = Case::new(format!("map/repeated {rows}x{each}x{cols}"), StepScalars::default());
    let some = case.input("some", &[rows, cols], Dtype::F32, Fill::Spread(1.0));
    let all = case.input("all", &[rows * each, cols], Dtype::F32, Fill::Spread(1.0));
    let sum = case.output("sum", &[rows * each, cols], Tolerance::Relative(1e-6));
    let inputs = [(some, Index::Repeated { rows: each as u32 }), (all, Index::Whole)];
    case.op(|t| call(t, "add", [rows * each, cols], Function::Add, &inputs, &[sum]));
    case
}

/// Columns that start in the middle of a group of four, though the matrix' rows and the columns' number are whole groups.
fn slice_case() -> Case {
    let mut case = Case::new("map/slice 5x4 of 5x8", StepScalars::default());
    let matrix = case.input("matrix", &[5, 8], Dtype::F32, Fill::Spread(1.0));
    let slice = case.output("slice", &[5, 4], Tolerance::Relative(0.0));
    let columns = Index::Columns { stride: 8, offset: 2 };
    case.op(|t| call(t, "slice", [5, 4], Function::Copy, &[(matrix, columns)], &[slice]));
    case
}
