//! Rows and columns of nodes and parameters, and nodes that share their gradients.

use wgvae::model::layers::{activate, dense, dense_block, kl};
use wgvae_engine::exec::Executor;
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::graph::{Axis, Graph};
use wgvae_engine::plan::{Activation, Function, Index, Init, Loss, Orientation, PlanId};

use crate::graph::harness::{Definition, STEP, fill, gaussian_loss, model, parameter, reconstruct};

/// Parameters with several readers: all of one, and some of its rows twice; columns that nobody reads.
#[test]
fn shared_parameters_and_parts_of_nodes() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (h, weight) = dense(g, "shared", x, 6);
        let h = activate(g, h, Activation::Softplus);
        // This matrix again, forwards and backwards, and its first four rows.
        let again = g.product("again", Orientation::Nt, h, weight);
        let back = g.product("back", Orientation::Nn, again, weight);
        let four = g.rows("four", weight, 0..4);
        let some = g.product("some", Orientation::Nt, back, four);
        let part = g.columns("part", some, 1..3);
        let (left, _) = dense(g, "left", part, 6);
        let scale = g.param("scale", &[1], Init::Constant(0.8));
        let row = g.reduce("row", h, Axis::Columns);
        let scaled = g.map("scaled", Function::Multiply, &[left, scale]);
        let output = g.map("by row", Function::Multiply, &[scaled, row]);
        reconstruct(g, x, output)
    };
    model(build).check("shared");
}

/// An op cannot write a buffer that it reads: gradients that others are made from are not made among the others.
#[test]
fn parameters_that_share_a_gradient() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let [a, b, c, scale] = ["a", "b", "c", "scale"].map(|name| parameter(g, name, &[6, 6]));
        let scaled = g.map("scaled", Function::Multiply, &[c, scale]);
        let ab = g.sum_of("ab", a, b);
        let weight = g.sum_of("weight", ab, scaled);
        let output = g.product("output", Orientation::Nt, x, weight);
        reconstruct(g, x, output)
    };
    model(build).check("shared gradient");
    let alone = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let [a, b] = ["a", "b"].map(|name| parameter(g, name, &[6, 6]));
        let weight = g.sum_of("weight", a, b);
        let product = g.product("product", Orientation::Nt, x, weight);
        let output = activate(g, product, Activation::Tanh);
        reconstruct(g, x, output)
    };
    model(alone).check("nothing else");
}

#[test]
fn halves_that_share_a_gradient() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 12);
        let (left, right) = (g.columns("half", u, 0..6), g.columns("half", u, 6..12));
        let again = g.columns("half", u, 6..12);
        let sum = g.sum_of("left and right", left, right);
        let output = g.sum_of("all", sum, again);
        reconstruct(g, x, output)
    };
    model(build).check("halves");
    let twice = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 12);
        let (left, again) = (g.columns("left", u, 0..6), g.columns("left", u, 0..6));
        let right = g.columns("right", u, 6..12);
        let square = g.map("square", Function::Multiply, &[left, again]);
        let output = g.map("output", Function::Multiply, &[square, right]);
        reconstruct(g, x, output)
    };
    model(twice).check("one half twice");
}

/// Rows from anywhere on, of columns too, and what is given back to them.
#[test]
fn parts_of_parts() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 6);
        let middle = g.columns("middle", u, 1..5);
        let y = g.sum_of("y", middle, middle);
        let moved = g.columns("moved", x, 0..4);
        let y = g.sum_of("z", y, moved);
        let (top, rest) = (g.rows("top", y, 0..2), g.rows("rest", y, 2..5));
        let (a, _) = dense(g, "a", top, 6);
        let (b, _) = dense(g, "b", rest, 6);
        let corner = g.rows("corner", middle, 3..5);
        let corner = g.columns("its last", corner, 3..4);
        let a = g.map("by corner", Function::Multiply, &[a, corner]);
        let (ax, bx) = (g.rows("ax", x, 1..3), g.rows("bx", x, 2..5));
        let a = gaussian_loss(g, a, ax);
        let b = gaussian_loss(g, b, bx);
        Definition { inputs: vec![x], losses: vec![a, b], outputs: Vec::new() }
    };
    model(build).check("parts");
}

/// Rows and columns of vectors, and products of them.
#[test]
fn parts_and_products_of_vectors() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let long = parameter(g, "long", &[12]);
        let (left, right) = (g.columns("left", long, 0..6), g.columns("right", long, 6..12));
        let h = g.map("scaled", Function::Multiply, &[x, left]);
        let row = g.reduce("row", h, Axis::Columns);
        // (5, 1) times (1, 6).
        let outer = g.product("outer", Orientation::Nn, row, right);
        let some = g.rows("some", outer, 1..4);
        let only = g.columns("only", row, 0..1);
        let middle = g.rows("middle", only, 1..4);
        let output = g.map("output", Function::Multiply, &[some, middle]);
        let t = g.rows("t", x, 2..5);
        let recon = gaussian_loss(g, output, t);
        let column = g.reduce("column", outer, Axis::Rows);
        let all = g.reduce("all", column, Axis::Columns);
        Definition { inputs: vec![x], losses: vec![recon, all], outputs: Vec::new() }
    };
    model(build).check("vectors");
}

/// Copies of two nodes of one name are two.
#[test]
fn a_product_of_two_parts_of_one_name() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 8);
        let (left, right) = (g.columns("half", u, 0..4), g.columns("half", u, 4..8));
        let scores = g.product("scores", Orientation::Nt, left, right);
        let output = g.product("output", Orientation::Nn, scores, x);
        reconstruct(g, x, output)
    };
    model(build).check("parts of one name");
}

/// Four grey levels lie in a word, which a product that is made two columns at a time does not meet as one.
#[test]
fn two_halves_of_a_product_and_grey_levels() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], true);
        let (codes, _) = dense_block(g, "codes", x, &[("mu", 6), ("logvar", 6)]);
        let (mu, logvar) = (g.columns("mu", codes, 0..6), g.columns("logvar", codes, 6..12));
        let kl = kl(g, "kl", [mu, logvar]);
        let terms = g.map("terms", Function::Loss(Loss::GaussianLearned), &[mu, x, logvar]);
        let recon = g.reduce("recon", terms, Axis::Columns);
        Definition { inputs: vec![x], losses: vec![kl, recon], outputs: Vec::new() }
    };
    let model = model(build);
    for op in &model.fused.program.plans[0].ops {
        let levels = op.kernel.pointwise().is_some_and(|p| p.inputs.iter().any(|i| i.index == Index::Levels));
        assert!(!levels || op.kernel.gemm().is_none_or(|gemm| !gemm.pairs), "{}", op.label);
    }
    model.check("grey levels");
}

#[test]
fn a_product_read_whole_and_by_halves() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 12);
        let sigmoid = g.map("sigmoid", Function::Activate(Activation::Sigmoid), &[u]);
        let (left, right) = (g.columns("left", u, 0..6), g.columns("right", u, 6..12));
        let both = g.map("both", Function::Multiply, &[left, right]);
        let (output, _) = dense(g, "out", sigmoid, 6);
        let losses = vec![gaussian_loss(g, output, x), gaussian_loss(g, both, x)];
        Definition { inputs: vec![x], losses, outputs: Vec::new() }
    };
    model(build).check("whole and halves");
}

/// Columns that overlap, and columns that nobody reads.
#[test]
fn columns_that_overlap() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 9);
        let (left, right) = (g.columns("left", u, 0..6), g.columns("right", u, 2..8));
        let output = g.map("output", Function::Multiply, &[left, right]);
        reconstruct(g, x, output)
    };
    model(build).check("overlap");
    let first = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 9);
        let output = g.columns("first", u, 0..6);
        reconstruct(g, x, output)
    };
    model(first).check("first");
    // Beside a gradient that is one number a row.
    let row = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 9);
        let row = g.reduce("row", u, Axis::Columns);
        let row = activate(g, row, Activation::Tanh);
        let first = g.columns("first", u, 0..6);
        let output = g.map("output", Function::Multiply, &[first, row]);
        reconstruct(g, x, output)
    };
    model(row).check("row");
}

/// Rows of a parameter that is not the first, from one on that a binding can start at and from one that it cannot.
#[test]
fn rows_of_a_parameter() {
    for start in [1, 2] {
        let build = |g: &mut Graph| {
            let (x, t) = (g.input("x", [5, 32], false), g.input("t", [5, 6], false));
            let bias = parameter(g, "bias", &[6]);
            let weight = parameter(g, "weight", &[8, 32]);
            let rows = g.rows("rows", weight, start..start + 6);
            let product = g.product("product", Orientation::Nt, x, rows);
            let output = g.sum_of("output", product, bias);
            Definition { inputs: vec![x, t], losses: vec![gaussian_loss(g, output, t)], outputs: vec![output] }
        };
        let model = model(build);
        model.check(&format!("rows from {start}"));
        // Wrong rows with gradients that fit them would pass: what lies where is written here once more.
        let model = &model.fused;
        let mut executor = Executor::OracleF64(Box::new(Oracle::new(model.program.clone())));
        fill(model, &mut executor);
        executor.dispatch(PlanId(0), &STEP).unwrap();
        let [inputs, weights, gradients, output] =
            [model.inputs[0], model.weights, model.gradients, model.outputs[0]].map(|id| executor.read(id).unwrap());
        // The bias takes the first 64 numbers of the arenas.
        let (first, end) = (64 + 32 * start, 64 + 32 * (start + 6));
        assert!((64..64 + 8 * 32).all(|i| (gradients[i] != 0.0) == (first..end).contains(&i)), "rows from {start}");
        let expected: f32 = (0..32).map(|i| inputs[i] * weights[first + i]).sum::<f32>() + weights[0];
        assert!((output[0] - expected).abs() < 1e-5, "rows from {start}: {} and {expected}", output[0]);
    }
}

/// A mixture's density at several draws of each row: logarithms of sums over groups of rows, of several columns and of one.
#[test]
fn logarithms_of_sums() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [15, 4], false);
        let (u, _) = dense(g, "in", x, 6);
        let [mu, logvar] = [parameter(g, "mu", &[6]), parameter(g, "logvar", &[6])];
        let densities = g.map("densities", Function::LogNormal, &[u, mu, logvar]);
        let of_groups = g.log_sum_exp("of_groups", densities, 3);
        let of_rows = g.reshape(densities, [90, 1]);
        let of_rows = g.log_sum_exp("of_rows", of_rows, 6);
        let noise = g.columns("noise", x, 0..1);
        let spread = g.columns("spread", u, 0..1);
        let drawn = g.map("drawn", Function::LogDraw, &[noise, spread]);
        let losses = vec![g.reduce("sum", of_groups, Axis::Columns), of_rows, drawn];
        Definition { inputs: vec![x], losses, outputs: Vec::new() }
    };
    model(build).check("logarithms of sums");
}

/// Two categories and a column that is none, the first read by what is no likelihood.
#[test]
fn logarithms_of_probabilities() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 7], false);
        let groups = g.input("groups", [2, 4], false);
        let (u, _) = dense(g, "in", x, 7);
        let log_p = g.log_softmax("log_p", u, groups);
        let first = g.columns("first", log_p, 0..3);
        let p = g.map("p", Function::Activate(Activation::Softplus), &[first]);
        let recon = gaussian_loss(g, log_p, x);
        let losses = vec![recon, g.reduce("sum", p, Axis::Columns)];
        Definition { inputs: vec![x, groups], losses, outputs: Vec::new() }
    };
    model(build).check("logarithms of probabilities");
}

/// Rows that each stand for several: in a map, behind a product, and in another shape, in which they are no rows; and numbers made of
/// numbers, which every element has.
#[test]
fn rows_and_numbers_that_many_elements_share() {
    for [rows, times, cols] in [[3, 4, 5], [2, 3, 4], [3, 3, 1], [1, 4, 1], [4, 1, 3]] {
        let build = |g: &mut Graph| {
            let x = g.input("x", [rows * times, cols], false);
            let z = g.input("z", [rows, cols], false);
            let (made, _) = dense(g, "made", z, cols);
            let repeated = g.repeat("repeated", made, times);
            let sum = g.sum_of("sum", x, repeated);
            let (behind, _) = dense(g, "behind", x, cols);
            let behind = g.sum_of("behind with rows", behind, repeated);
            // All of a row's copies are one row of as many columns.
            let flat = g.reshape(repeated, [rows, times * cols]);
            let (of_row, _) = dense(g, "of row", z, times * cols);
            let across = g.map("across", Function::Multiply, &[of_row, flat]);
            let across = g.reshape(across, [rows * times, cols]);
            let [first, second] = ["first", "second"].map(|name| parameter(g, name, &[1]));
            let number = g.map("number", Function::Multiply, &[first, second]);
            let scaled = g.map("scaled", Function::Multiply, &[sum, number]);
            let both = g.sum_of("both", scaled, behind);
            let output = g.sum_of("output", both, across);
            Definition { inputs: vec![x, z], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
        };
        model(build).check(&format!("{rows} rows {times} times, {cols} columns"));
    }
}
