//! Graphs: models that no configuration has, and what fusing and ordering make of plans: the same numbers in fewer ops.

mod common;

use std::sync::Arc;

use wgvae::check;
use wgvae::config::{Config, PRESETS};
use wgvae::executor::Executor;
use wgvae::gpu::{Gpu, GpuExecutor, GpuOptions};
use wgvae::graph::{self, Graph, Lowering, Node, Over};
use wgvae::kernels::rng::threefry2x32;
use wgvae::kernels::{Body, map};
use wgvae::model::layers::{activate, dense, dense_block, kl, reparameterise};
use wgvae::model::{CustomModel, DataSpec, Definition, Likelihood, Vae};
use wgvae::oracle::Oracle;
use wgvae::plan::{
    Activation, BufferId, Function, Index, Init, Loss, Op, Orientation, PlanId, Program, StepScalars, Store, TensorId,
    TensorTable,
};
use wgvae::train::{StepSchedule, initial_weights};

/// A model built by hand: as its graph was lowered, and fused.
struct Model {
    lowered: CustomModel,
    fused: CustomModel,
}

fn model(build: impl Fn(&mut Graph) -> Definition) -> Model {
    let [lowered, fused] = [false, true].map(|fuse| CustomModel::new(&build, None, fuse).unwrap());
    let ops = |model: &CustomModel| model.program.plans[0].ops.len();
    assert!(ops(&fused) < ops(&lowered), "{} of {} ops", ops(&fused), ops(&lowered));
    Model { lowered, fused }
}

const STEP: StepScalars = StepScalars {
    noise_key: [3, 4],
    binarise_key: [0; 2],
    shuffle_key: [0; 2],
    next_shuffle_key: [0; 2],
    shuffle: 0,
    offset: 0,
    rows: 5,
    slot: 0,
    beta: 0.7,
    lr: 1e-3,
    correction1: 1.0,
    correction2: 1.0,
};

/// Numbers in (-1, 1) that depend on their place alone.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| threefry2x32([seed, 1], [i, 0])[0] as f32 / 2f32.powi(31) - 1.0).collect()
}

fn fill(model: &CustomModel, executor: &mut Executor) {
    // What no op writes must not matter. Arenas have gaps, which are compared with the rest.
    let arenas = [model.weights, model.gradients].map(|id| model.program.tensors.get(id).buffer);
    for (i, buffer) in model.program.tensors.buffers().iter().enumerate() {
        if !arenas.contains(&BufferId(i)) {
            executor.write_at(BufferId(i), 0, &vec![f32::NAN.to_bits(); buffer.len]).unwrap();
        }
    }
    for (seed, id) in model.inputs.iter().enumerate() {
        let values = numbers(model.program.tensors.get(*id).len(), seed as u32);
        let words: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        executor.write_words(*id, &words).unwrap();
    }
    let weights = initial_weights(&model.program.params, 5);
    executor.write(model.weights, &weights).unwrap();
}

impl Model {
    /// Every op stays within what WebGPU promises, and uses no buffer in two ways that exclude each other.
    fn check_bindings(&self, name: &str) {
        for model in [&self.lowered, &self.fused] {
            let tensors = &model.program.tensors;
            for op in model.program.plans.iter().flat_map(|plan| &plan.ops) {
                assert!(op.bindings.len() <= 8, "{name}: {} has {} bindings", op.label, op.bindings.len());
                for (i, a) in op.bindings.iter().enumerate() {
                    for b in &op.bindings[..i] {
                        let one_buffer = tensors.get(a.tensor).buffer == tensors.get(b.tensor).buffer;
                        assert!(!one_buffer || a.access.writes() == b.access.writes(), "{name}: {}", op.label);
                        let written = a.access.writes() && b.access.writes();
                        assert!(!written || !tensors.overlap(a.tensor, b.tensor), "{name}: {}", op.label);
                    }
                }
            }
        }
    }

    /// Gradients against differences on both plans, both plans against each other, and the adapter against the oracle.
    fn check(&self, name: &str, gpu: &Option<Arc<Gpu>>) {
        self.check_bindings(name);
        let mut gradients = Vec::new();
        for model in [&self.lowered, &self.fused] {
            let mut executor = Executor::OracleF64(Box::new(Oracle::new(model.program.clone())));
            fill(model, &mut executor);
            let Executor::OracleF64(mut oracle) = executor else { unreachable!() };
            let error = check::gradient_error(&mut oracle, model.weights, model.gradients, |oracle| {
                oracle.dispatch(PlanId(0), &STEP);
                let mean = |id: &TensorId| oracle.values(*id).iter().sum::<f64>() / oracle.values(*id).len() as f64;
                model.losses.iter().map(mean).sum()
            });
            assert!(error <= 1e-6, "{name}: off by {error:e}");
            oracle.dispatch(PlanId(0), &STEP);
            gradients.push(oracle.values(model.gradients).to_vec());
        }
        assert!(gradients[0].iter().any(|g| g.abs() > 1e-4), "{name}: all gradients are next to 0");
        same(name, &gradients[0], &gradients[1], 1e-12);
        let Some(gpu) = gpu else { return };
        for model in [&self.lowered, &self.fused] {
            let compiled = GpuExecutor::new(gpu.clone(), model.program.clone(), &GpuOptions::default()).unwrap();
            let mut executor = Executor::Gpu(Box::new(compiled));
            fill(model, &mut executor);
            executor.dispatch(PlanId(0), &STEP).unwrap();
            let found: Vec<f64> = executor.read(model.gradients).unwrap().into_iter().map(f64::from).collect();
            same(name, &found, &gradients[0], 1e-5);
        }
    }
}

fn same(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let size = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    let distance = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!(distance <= tolerance * size, "{name}: off by {:e}", distance / size);
}

fn gaussian_loss(g: &mut Graph, output: Node, x: Node) -> Node {
    let (inv_var, log_norm) = (g.constant(1.3), g.constant(0.2));
    let loss = g.map("loss", Function::Loss(Loss::Gaussian), &[output, x, inv_var, log_norm]);
    g.fold("recon", loss, Over::Columns)
}

/// Two latents in a row: the second's prior is the standard normal, the first's posterior and prior meet in its KL's place.
#[test]
fn a_ladder_of_two_latents() {
    let ladder = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "first", x, 7);
        let h = activate(g, u, Activation::Tanh);
        let (codes, _) = dense_block(g, "codes1", h, &[("mu1", 4), ("logvar1", 4)]);
        let (mu, logvar) = (g.columns("mu1", codes, 0..4), g.columns("logvar1", codes, 4..8));
        let noise = g.normal("noise1", 0, [5, 4]);
        let z1 = reparameterise(g, "z1", [mu, logvar], noise);
        let kl1 = kl(g, "kl1", [mu, logvar]);
        let (u, _) = dense(g, "second", z1, 6);
        let h = activate(g, u, Activation::Silu);
        let (codes, _) = dense_block(g, "codes2", h, &[("mu2", 3), ("logvar2", 3)]);
        let (mu, logvar) = (g.columns("mu2", codes, 0..3), g.columns("logvar2", codes, 3..6));
        let noise = g.normal("noise2", 1, [5, 3]);
        let z2 = reparameterise(g, "z2", [mu, logvar], noise);
        let kl2 = kl(g, "kl2", [mu, logvar]);
        // The decoder sees both.
        let (from_z2, _) = dense(g, "decoder2", z2, 7);
        let (from_z1, _) = dense(g, "decoder1", z1, 7);
        let h = g.sum_of("both", from_z2, from_z1);
        let h = activate(g, h, Activation::Elu);
        let (output, _) = dense(g, "output", h, 6);
        let recon = gaussian_loss(g, output, x);
        Definition { inputs: vec![x], losses: vec![recon, kl1, kl2], outputs: Vec::new() }
    };
    let model = model(ladder);
    model.check("ladder", &common::gpu());
    // Draws of other numbers are other draws.
    let program = &model.lowered.program;
    let mut oracle = Oracle::<f64>::new(program.clone());
    oracle.dispatch(PlanId(0), &STEP);
    let noise = |name: &str| {
        let index = program.tensors.tensors().iter().position(|t| t.name == name).unwrap();
        oracle.values(TensorId(index)).to_vec()
    };
    assert_ne!(noise("noise1")[..15], noise("noise2")[..15]);
}

#[test]
fn a_residual_connection() {
    let residual = |g: &mut Graph| {
        let x = g.input("x", [5, 8], false);
        let (u, _) = dense(g, "in", x, 8);
        let mut h = activate(g, u, Activation::Relu);
        for block in ["block1", "block2"] {
            let (u, _) = dense(g, block, h, 8);
            let branch = activate(g, u, Activation::Gelu);
            h = g.sum_of(format!("{block} residual"), h, branch);
        }
        let (output, _) = dense(g, "out", h, 8);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(residual).check("residual", &common::gpu());
}

/// `(x V^T + c) sigmoid(x W^T + b)`: two products of one operand meet element by element.
fn gated(g: &mut Graph, name: &str, x: Node, outputs: usize) -> Node {
    let (value, _) = dense(g, &format!("{name}.value"), x, outputs);
    let (gate, _) = dense(g, &format!("{name}.gate"), x, outputs);
    let gate = activate(g, gate, Activation::Sigmoid);
    g.map(name, Function::Multiply, &[value, gate])
}

#[test]
fn a_gated_layer() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let h = gated(g, "gated", x, 9);
        let (output, _) = dense(g, "out", h, 6);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("gated", &common::gpu());
}

/// Parameters with several readers: all of one, and some of its rows twice; columns that nobody reads.
#[test]
fn shared_parameters_and_parts_of_nodes() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (h, weight) = dense(g, "shared", x, 6);
        let h = activate(g, h, Activation::Softplus);
        // The same matrix again, forwards and backwards, and its first four rows.
        let again = g.product("again", wgvae::plan::Orientation::Nt, h, weight);
        let back = g.product("back", wgvae::plan::Orientation::Nn, again, weight);
        let four = g.rows("four", weight, 0..4);
        let some = g.product("some", wgvae::plan::Orientation::Nt, back, four);
        let part = g.columns("part", some, 1..3);
        let (left, _) = dense(g, "left", part, 6);
        let scale = g.param("scale", &[1], wgvae::plan::Init::Constant(0.8));
        let row = g.fold("row", h, Over::Columns);
        let scaled = g.map("scaled", Function::Multiply, &[left, scale]);
        let output = g.map("by row", Function::Multiply, &[scaled, row]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("shared", &common::gpu());
}

/// A parameter of a size at which nothing vanishes.
fn parameter(g: &mut Graph, name: &str, shape: &[usize]) -> Node {
    g.param(name, shape, Init::Uniform(0.7))
}

#[test]
fn a_node_that_is_read_three_times() {
    // Its gradient's parts are maps, and so is what reads it.
    let cubed = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let (u, _) = dense(g, "in", x, 6);
        let h = activate(g, u, Activation::Tanh);
        let square = g.map("square", Function::Multiply, &[h, h]);
        let cube = g.map("cube", Function::Multiply, &[square, h]);
        let output = g.sum_of("output", cube, scaled);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(cubed).check("cubed", &common::gpu());
    // Its gradient's parts are products, and it is summed over columns.
    let spread = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let row = g.fold("row", scaled, Over::Columns);
        let y = g.sum_of("y", x, row);
        let [a, b, c] = ["a", "b", "c"].map(|name| dense(g, name, y, 6).0);
        let [a, b, c] = [(a, "tanh a"), (b, "tanh b"), (c, "tanh c")].map(|(u, name)| {
            let h = activate(g, u, Activation::Tanh);
            g.named(h, name)
        });
        let ab = g.map("ab", Function::Multiply, &[a, b]);
        let output = g.map("abc", Function::Multiply, &[ab, c]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(spread).check("spread", &common::gpu());
}

/// A row of what a map, or a product, makes is not there yet where the two would be one op.
#[test]
fn a_node_that_meets_a_row_of_its_own() {
    let map = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let h = g.map("scaled", Function::Multiply, &[x, scale]);
        let top = g.rows("top", h, 0..1);
        let both = g.sum_of("both", h, top);
        let (output, _) = dense(g, "out", both, 6);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(map).check("map", &common::gpu());
    let product = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let weight = parameter(g, "weight", &[6, 6]);
        let h = g.product("product", Orientation::Nt, x, weight);
        let top = g.rows("top", h, 0..1);
        let output = g.sum_of("both", h, top);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(product).check("product", &common::gpu());
}

/// With one row a bias' gradient is that of what it is added to.
#[test]
fn a_batch_of_one() {
    let build = |g: &mut Graph| {
        let (x, t) = (g.input("x", [1, 6], false), g.input("t", [1, 2], false));
        let (u, _) = dense(g, "in", x, 6);
        let bias = parameter(g, "bias", &[6]);
        let output = g.sum_of("output", u, bias);
        let first = g.columns("first", u, 0..2);
        let loss = gaussian_loss(g, output, x);
        Definition { inputs: vec![x, t], losses: vec![loss, gaussian_loss(g, first, t)], outputs: Vec::new() }
    };
    model(build).check("batch of one", &common::gpu());
    let narrow = |g: &mut Graph| {
        let x = g.input("x", [1, 1], false);
        let h = gated(g, "gated", x, 1);
        let (output, _) = dense(g, "out", h, 1);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(narrow).check("one by one", &common::gpu());
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
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("shared gradient", &common::gpu());
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
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("halves", &common::gpu());
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
    model(build).check("parts", &common::gpu());
}

/// Rows and columns of vectors, and products of them.
#[test]
fn parts_and_products_of_vectors() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let long = parameter(g, "long", &[12]);
        let (left, right) = (g.columns("left", long, 0..6), g.columns("right", long, 6..12));
        let h = g.map("scaled", Function::Multiply, &[x, left]);
        let row = g.fold("row", h, Over::Columns);
        // (5, 1) times (1, 6).
        let outer = g.product("outer", Orientation::Nn, row, right);
        let some = g.rows("some", outer, 1..4);
        let middle = g.rows("middle", row, 1..4);
        let output = g.map("output", Function::Multiply, &[some, middle]);
        let t = g.rows("t", x, 2..5);
        let recon = gaussian_loss(g, output, t);
        let column = g.fold("column", outer, Over::Rows);
        let all = g.fold("all", column, Over::Columns);
        Definition { inputs: vec![x], losses: vec![recon, all], outputs: Vec::new() }
    };
    model(build).check("vectors", &common::gpu());
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
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("parts of one name", &common::gpu());
}

#[test]
fn losses_that_are_products_and_losses_given_twice() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let h = gated(g, "gated", x, 6);
        let weight = parameter(g, "weight", &[1, 6]);
        let loss = g.product("loss", Orientation::Nt, h, weight);
        let (first, second) = (g.fold("rows", h, Over::Columns), g.fold("rows", h, Over::Columns));
        Definition { inputs: vec![x], losses: vec![loss, loss, first, second, first], outputs: Vec::new() }
    };
    model(build).check("losses", &common::gpu());
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
        let recon = g.fold("recon", terms, Over::Columns);
        Definition { inputs: vec![x], losses: vec![kl, recon], outputs: Vec::new() }
    };
    let model = model(build);
    for op in &model.fused.program.plans[0].ops {
        let levels = op.kernel.pointwise().is_some_and(|p| p.inputs.iter().any(|i| i.index == Index::Levels));
        assert!(!levels || op.kernel.gemm().is_none_or(|gemm| !gemm.pairs), "{}", op.label);
    }
    model.check("grey levels", &common::gpu());
}

/// A product has one bias; what else is added to it, and the product itself where that is read, is not lost.
#[test]
fn a_product_with_more_than_a_bias() {
    let twice = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 6);
        let bias = parameter(g, "bias", &[6]);
        let output = g.sum_of("output", u, bias);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(twice).check("two biases", &common::gpu());
    let before = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (weight, bias) = (parameter(g, "weight", &[6, 6]), parameter(g, "bias", &[6]));
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, bias);
        let (output, _) = dense(g, "out", u, 6);
        let by_product = g.map("by product", Function::Multiply, &[output, product]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, by_product, x)], outputs: Vec::new() }
    };
    model(before).check("before its bias", &common::gpu());
    let row = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let weight = parameter(g, "weight", &[6, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, x);
        let (output, _) = dense(g, "out", u, 6);
        let top = g.rows("top", product, 0..1);
        let output = g.map("by its top", Function::Multiply, &[output, top]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(row).check("a row of it", &common::gpu());
}

/// Where the batch is as large as a layer is wide, rows and columns differ by more than their number.
#[test]
fn a_square_batch() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [6, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let row = g.fold("row", scaled, Over::Columns);
        let weight = parameter(g, "weight", &[6, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, row);
        let h = activate(g, u, Activation::Tanh);
        let (u, _) = dense(g, "middle", h, 6);
        let (output, _) = dense(g, "out", u, 6);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("square", &common::gpu());
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
        let output = g.sum_of("output", output, both);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("whole and halves", &common::gpu());
}

/// More sums over columns than an op begins, or ends.
#[test]
fn five_sums_of_one_node() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let h = g.map("scaled", Function::Multiply, &[x, scale]);
        let activations =
            [Activation::Tanh, Activation::Sigmoid, Activation::Softplus, Activation::Silu, Activation::Gelu];
        let losses = activations.map(|activation| {
            let terms = g.map(activation.name(), Function::Activate(activation), &[h]);
            g.fold(format!("{} sum", activation.name()), terms, Over::Columns)
        });
        Definition { inputs: vec![x], losses: losses.to_vec(), outputs: Vec::new() }
    };
    model(build).check("five sums", &common::gpu());
}

#[test]
fn a_sum_of_more_than_an_op_may_bind() {
    let build = |g: &mut Graph| {
        let inputs: Vec<Node> = (0..10).map(|i| g.input(&format!("x{i}"), [5, 6], false)).collect();
        let scale = parameter(g, "scale", &[6]);
        let mut sum = g.map("scaled", Function::Multiply, &[inputs[0], scale]);
        for x in &inputs[1..] {
            sum = g.sum_of("sum", sum, *x);
        }
        let losses = vec![gaussian_loss(g, sum, inputs[0])];
        Definition { inputs, losses, outputs: Vec::new() }
    };
    model(build).check("ten inputs", &common::gpu());
}

/// A product whose columns may be split over workgroups keeps a place for its tiles; everything else that is only summed is
/// not stored.
#[test]
fn what_is_only_summed_is_not_stored() {
    let config = Config::resolve(Some("dense"), None, toml::Table::new()).unwrap();
    let data = DataSpec { train_rows: 1000, test_rows: 100, bytes: true };
    let vae = Vae::new(&config.vae_spec(30), &config.train_spec(), data).unwrap();
    let bindings = vae.program.plans[0].ops.iter().flat_map(|op| &op.bindings);
    let stored: Vec<&str> = bindings.map(|b| vae.program.tensors.get(b.tensor).name.as_str()).collect();
    assert!(stored.contains(&"kl terms partial sums"), "{stored:?}");
    assert!(!stored.contains(&"kl terms"), "{stored:?}");
}

/// `to = a + b`, or `to += a + b`.
fn add(tensors: &TensorTable, a: TensorId, b: TensorId, to: TensorId, accumulate: bool) -> Op {
    let mut op =
        map::call(tensors, "add", [5, 6], Function::Add, &[(a, Index::Whole), (b, Index::Whole)], &[to]).unwrap();
    let mut body = Body::of(&op).unwrap();
    body.program.stores[0].accumulate = accumulate;
    body.bind(tensors, &mut op, [5, 6]).unwrap();
    op
}

/// Ops that no graph comes to: in place, and to one place under two names.
#[test]
fn ops_that_cannot_be_one_stay_two() {
    let mut tensors = TensorTable::default();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| tensors.floats(name, &[5, 6]));
    let buffer = tensors.get(b).buffer;
    let again = tensors.view("b again", buffer, 0, &[5, 6]);
    let mut lowering = Lowering::new(tensors, buffer);
    let tensors = lowering.tensors.clone();
    let add = |a, b, to, accumulate| add(&tensors, a, b, to, accumulate);
    let mut fused = |ops: Vec<Op>| graph::fuse(ops, &mut lowering, &[a, b, c, d]).len();
    assert_eq!(fused(vec![add(a, a, b, false), add(b, d, c, false)]), 1);
    // What the first reads, the second writes.
    assert_eq!(fused(vec![add(a, a, b, false), add(b, d, a, false)]), 2);
    // Both write the same elements.
    let mut both = add(a, a, c, false);
    let mut body = Body::of(&both).unwrap();
    body.program.stores.push(Store { binding: 1, ..body.program.stores[0] });
    body.writes.push(b);
    body.bind(&tensors, &mut both, [5, 6]).unwrap();
    assert_eq!(fused(vec![both.clone(), add(c, d, b, true)]), 1);
    assert_eq!(fused(vec![both, add(c, d, again, true)]), 2);
}

/// Columns that overlap, and columns that nobody reads.
#[test]
fn columns_that_overlap() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 9);
        let (left, right) = (g.columns("left", u, 0..6), g.columns("right", u, 2..8));
        let output = g.map("output", Function::Multiply, &[left, right]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("overlap", &common::gpu());
    let first = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 9);
        let output = g.columns("first", u, 0..6);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(first).check("first", &common::gpu());
}

/// Gradients that are one number, or one for each row, until something needs them whole.
#[test]
fn losses_that_are_plain_sums() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 6);
        let all = g.fold("all", u, Over::Columns);
        let middle = g.columns("middle", u, 2..5);
        let some = g.fold("some", middle, Over::Columns);
        let weight = parameter(g, "weight", &[4, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let of_product = g.fold("of product", product, Over::Columns);
        let alone = parameter(g, "alone", &[5, 6]);
        let alone = g.fold("alone summed", alone, Over::Columns);
        Definition { inputs: vec![x], losses: vec![all, some, of_product, alone], outputs: Vec::new() }
    };
    model(build).check("plain sums", &common::gpu());
}

#[test]
fn products_of_what_lies_across() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (left, _) = dense(g, "left", x, 4);
        let (right, _) = dense(g, "right", x, 7);
        // (4, 7), from the sums over the batch.
        let gram = g.product("gram", Orientation::Tn, left, right);
        let mixed = g.product("mixed", Orientation::Nn, left, gram);
        let (output, _) = dense(g, "out", mixed, 6);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
    };
    model(build).check("across", &common::gpu());
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
            Definition { inputs: vec![x, t], losses: vec![gaussian_loss(g, output, t)], outputs: Vec::new() }
        };
        model(build).check(&format!("rows from {start}"), &common::gpu());
    }
}

#[test]
#[should_panic(expected = "loss has no gradient for target")]
fn a_target_that_depends_on_parameters() {
    let mut g = Graph::default();
    let x = g.input("x", [5, 6], false);
    let (output, _) = dense(&mut g, "out", x, 6);
    let target = parameter(&mut g, "target", &[5, 6]);
    let loss = gaussian_loss(&mut g, output, target);
    let weight = g.constant(1.0);
    graph::gradients(&mut g, &[(loss, weight)], &[target]);
}

fn config(toml: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    Config::resolve(None, Some(file.path()), toml::Table::new()).unwrap()
}

/// Every preset, and what presets leave out.
fn configs() -> Vec<(String, Config)> {
    let mut all: Vec<(String, Config)> = PRESETS
        .iter()
        .map(|(name, _)| (name.to_string(), Config::resolve(Some(name), None, toml::Table::new()).unwrap()))
        .collect();
    for (name, toml) in [
        ("tied", "[model]\nhidden = [12, 9]\ntied = true\nactivation = \"gelu\"\n[train]\nclip = 1.0"),
        ("tied autoencoder", "[model]\nhidden = [12]\nobjective = \"ae\"\ntied = true\nlatent_activation = \"tanh\""),
        ("linear", "[model]\nhidden = []\nlatent = 5\nlikelihood = \"gaussian-learned\""),
    ] {
        all.push((name.to_string(), config(toml)));
    }
    for likelihood in Likelihood::ALL {
        let name = likelihood.name();
        let sigma = if likelihood.takes_sigma() { "sigma = 0.4" } else { "" };
        let text = format!("[model]\nhidden = [13]\nlatent = 3\nlikelihood = \"{name}\"\n{sigma}");
        all.push((name.to_string(), config(&text)));
    }
    for (_, config) in &mut all {
        // Small, so that the plan as it was lowered does not take long; no multiple of anything.
        config.train.batch = 9;
    }
    all
}

/// Three steps of a model: its losses and where its weights are.
fn steps(config: &Config, fuse: bool, bytes: bool, run: impl FnOnce(Program) -> Executor) -> Vec<f64> {
    const WIDTH: usize = 27;
    let data = DataSpec { train_rows: 20, test_rows: 20, bytes };
    let mut train = config.train_spec();
    train.fuse = fuse;
    let vae = Vae::new(&config.vae_spec(WIDTH), &train, data).unwrap();
    let mut executor = run(vae.program.clone());
    let tensor = vae.program.tensors.get(vae.train_data).clone();
    let words: Vec<u32> = match bytes {
        true => (0..tensor.len() as u32).map(|i| threefry2x32([9, 9], [i, 0])[0]).collect(),
        false => numbers(tensor.len(), 8).into_iter().map(|v| (0.5 + 0.5 * v).to_bits()).collect(),
    };
    for data in [vae.train_data, vae.test_data] {
        executor.write_words(data, &words).unwrap();
    }
    executor.write(vae.clip, &[1.0]).unwrap();
    executor.write(vae.weights, &initial_weights(&vae.program.params, 5)).unwrap();
    let schedule = StepSchedule::new(config, 20, 20);
    let metrics = vae.program.metrics.unwrap();
    let mut found = Vec::new();
    for step in 0..3 {
        executor.dispatch(PlanId(0), &schedule.train(step)).unwrap();
        found.extend(executor.read(metrics).unwrap()[..3].iter().map(|v| f64::from(*v)));
    }
    let mut results = vec![vae.weights];
    for (plan, results_of) in [(1, vec![vae.recon]), (2, vec![vae.mean]), (3, vec![vae.mean])] {
        if plan < vae.program.plans.len() {
            executor.dispatch(PlanId(plan), &schedule.evaluate(0)).unwrap();
            for id in results_of {
                found.extend(executor.read(id).unwrap().into_iter().map(f64::from));
            }
        }
    }
    for id in results.drain(..) {
        found.extend(executor.read(id).unwrap().into_iter().map(f64::from));
    }
    found
}

#[test]
fn fused_is_as_it_was_lowered() {
    let gpu = common::gpu();
    for (name, config) in configs() {
        for bytes in [true, false] {
            let exact = |program| Executor::OracleF64(Box::new(Oracle::new(program)));
            let expected = steps(&config, false, bytes, exact);
            // Weights and means are read as f32.
            same(&name, &steps(&config, true, bytes, exact), &expected, 1e-7);
            let Some(gpu) = &gpu else { continue };
            for fuse in [false, true] {
                let found = steps(&config, fuse, bytes, |program| {
                    let compiled = GpuExecutor::new(gpu.clone(), program, &GpuOptions::default()).unwrap();
                    Executor::Gpu(Box::new(compiled))
                });
                same(&name, &found, &expected, 1e-5);
            }
        }
    }
}

/// What every preset's step comes to: `(dispatches, stages)`.
#[test]
fn steps_are_as_short_as_promised() {
    for (name, expected) in [
        ("dense", (15, 10)),
        ("deep-dense", (21, 14)),
        ("autoencoder", (9, 6)),
        ("points", (15, 10)),
        ("table", (22, 15)),
    ] {
        let config = Config::resolve(Some(name), None, toml::Table::new()).unwrap();
        let data = DataSpec { train_rows: 1000, test_rows: 100, bytes: config.data.source == "strokes" };
        let vae = Vae::new(&config.vae_spec(30), &config.train_spec(), data).unwrap();
        let totals = vae.program.plans[0].totals(&vae.program.tensors);
        assert_eq!((totals.dispatches, totals.stages), expected, "{name}");
    }
}
