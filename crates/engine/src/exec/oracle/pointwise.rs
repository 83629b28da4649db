//! Pointwise programs: every function in Rust, and a loop over the elements.

use rayon::prelude::*;

use super::rng::{drop_token, normal};
use super::{Call, Real, Results, activation, latent, likelihood};
use crate::plan::{Function, Index, Pointwise, Value};

/// Computes any function but for draws, which also depend on the step and the position: there is no noise, and no token is dropped.
pub fn evaluate<T: Real>(function: Function, x: &[T]) -> Results<T> {
    let one = |value| [value, T::zero(), T::zero(), T::zero()];
    match function {
        Function::Copy => one(x[0]),
        Function::Add => one(x[0] + x[1]),
        Function::Multiply => one(x[0] * x[1]),
        Function::Activate(a) => one(activation::activate(a, x[0])),
        Function::Slope(a) => one(activation::gradient(a, x[0])),
        Function::Normal(_) => one(T::zero()),
        Function::DropToken(_) => one(x[0]),
        Function::Reparameterise => one(latent::reparameterise(x[0], x[1], x[2])),
        Function::ReparameteriseLogvar => one(latent::reparameterise_logvar(x[0], x[1], x[2])),
        Function::Kl => one(latent::kl(x[0], x[1])),
        Function::KlLogvar => one(latent::kl_logvar(x[0], x[1])),
        Function::Exp => one(x[0].exp()),
        Function::LogDraw => one(latent::log_draw(x[0], x[1])),
        Function::LogDrawSlope => one(latent::log_draw_slope(x[0])),
        Function::LogNormal => one(latent::log_normal(x[0], x[1], x[2])),
        Function::LogNormalX => one(-latent::log_normal_mu(x[0], x[1], x[2], x[3])),
        Function::LogNormalMu => one(latent::log_normal_mu(x[0], x[1], x[2], x[3])),
        Function::LogNormalLogvar => one(latent::log_normal_logvar(x[0], x[1], x[2], x[3])),
        Function::Loss(loss) => likelihood::evaluate(loss, x),
        Function::ColumnMean | Function::ColumnOrCountMean => one(likelihood::column_mean(x)),
        Function::ZeroInflatedMean => one(likelihood::zero_inflated_mean(x[0], x[1], x[2])),
        Function::LogisticMean => {
            let [mean, by_location, by_scale] = likelihood::logistic_mean(x[0], x[1]);
            [mean, by_location, by_scale, T::zero()]
        }
        Function::Present => one(likelihood::present(x[0])),
        Function::Absent => one(likelihood::absent(x[0])),
    }
}

/// Results of a program over `(rows, cols)` elements.
struct Made<T> {
    /// The values of each store, `(rows, cols)`.
    stores: Vec<Vec<T>>,
    /// The values of each partial sum, `(rows, ceil(cols / group))`.
    sums: Vec<Vec<T>>,
}

/// Runs a program over the elements of a map, or over the `product (rows, columns)` of a matrix product.
pub(super) fn run<T: Real>(
    call: &mut Call<'_, T>,
    program: &Pointwise,
    rows: usize,
    product: Option<&[T]>,
    cols: usize,
) {
    let pairs = call.op.kernel.gemm().is_some_and(|gemm| gemm.pairs);
    let made = elements(call, program, [rows, cols], product, pairs);
    for (store, values) in program.stores.iter().zip(made.stores) {
        let (stride, offset) = match store.index {
            Index::Columns { stride, offset } => (stride as usize, offset as usize),
            _ => (cols, 0),
        };
        let mut stored = call.take(Pointwise::OUT[store.binding]);
        for (row, values) in values.chunks(cols).enumerate() {
            for (slot, value) in stored[row * stride + offset..].iter_mut().zip(values) {
                *slot = if store.accumulate { *slot + *value } else { *value };
            }
        }
        call.write_back(Pointwise::OUT[store.binding], stored);
    }
    for (name, values) in Pointwise::SUM.iter().zip(made.sums) {
        call.write_back(name, values);
    }
}

fn elements<T: Real>(
    call: &Call<'_, T>,
    program: &Pointwise,
    [rows, cols]: [usize; 2],
    product: Option<&[T]>,
    pairs: bool,
) -> Made<T> {
    let inputs: Vec<_> = program
        .inputs
        .iter()
        .map(|input| {
            let name = Pointwise::IN[input.binding];
            let values = match input.index {
                Index::Levels => call.levels(name, cols),
                Index::LevelsOf { rows } => call.levels(name, rows as usize * cols),
                _ => call.read(name).into(),
            };
            (input.index, values)
        })
        .collect();
    // In a product of pairs, a quad holds two pairs.
    let group = if pairs { 2 } else { 4 };
    let row = |row: usize| -> (Vec<Vec<T>>, Vec<Vec<T>>) {
        let mut stores = vec![Vec::with_capacity(cols); program.stores.len()];
        let mut sums = vec![vec![T::zero(); cols.div_ceil(group)]; program.sums.len()];
        let mut results: Vec<Results<T>> = Vec::with_capacity(program.calls.len());
        let mut arguments = Vec::with_capacity(4);
        for col in 0..cols {
            results.clear();
            let value = |value: Value, results: &[Results<T>]| match value {
                Value::Product(which) => {
                    let columns = if pairs { 2 * cols } else { cols };
                    product.map_or(T::zero(), |p| p[row * columns + which * cols + col])
                }
                Value::Input(i) => {
                    let (index, values) = &inputs[i];
                    values[match *index {
                        Index::Whole | Index::Levels | Index::LevelsOf { .. } => row * cols + col,
                        Index::Columns { stride, offset } => row * stride as usize + offset as usize + col,
                        Index::Repeated { rows } => row / rows as usize * cols + col,
                        Index::PerRow => row,
                        Index::PerColumn => col,
                        Index::Once => 0,
                    }]
                }
                Value::Result { call, index } => results[call][index],
                Value::Constant(bits) => T::of(f32::from_bits(bits).into()),
                Value::Step { scalar, over } => T::of(call.step.value(scalar).into()) / T::of(over.into()),
            };
            for pointwise in &program.calls {
                arguments.clear();
                arguments.extend(pointwise.arguments.iter().map(|a| value(*a, &results)));
                let (key, place) = (call.step.noise_key, (row * cols + col) as u32);
                let one = |value| [value, T::zero(), T::zero(), T::zero()];
                let result = match pointwise.function {
                    Function::Normal(draw) => one(normal(key, place, draw)),
                    Function::DropToken(draw) => one(drop_token(arguments[0], arguments[1], key, place, draw)),
                    function => evaluate(function, &arguments),
                };
                results.push(result);
            }
            for (store, kept) in program.stores.iter().zip(&mut stores) {
                kept.push(value(store.value, &results));
            }
            for (sum, sums) in program.sums.iter().zip(&mut sums) {
                sums[col / group] += value(*sum, &results);
            }
        }
        (stores, sums)
    };
    let least = super::rows_a_thread(cols * program.calls.len());
    let rows: Vec<_> = (0..rows).into_par_iter().with_min_len(least).map(row).collect();
    let mut made = Made { stores: vec![Vec::new(); program.stores.len()], sums: vec![Vec::new(); program.sums.len()] };
    for (stores, sums) in rows {
        made.stores.iter_mut().zip(stores).for_each(|(all, row)| all.extend(row));
        made.sums.iter_mut().zip(sums).for_each(|(all, row)| all.extend(row));
    }
    made
}
