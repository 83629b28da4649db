//! Models that no configuration has.

use wgvae::model::layers::{activate, dense, dense_block, kl, reparameterise};
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::graph::{self, Axis, Graph, Node};
use wgvae_engine::plan::{Activation, Function, Orientation, PlanId, TensorId};

use crate::graph::harness::{Definition, STEP, gaussian_loss, model, parameter, reconstruct};

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
    model.check("ladder");
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
        reconstruct(g, x, output)
    };
    model(residual).check("residual");
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
        reconstruct(g, x, output)
    };
    model(build).check("gated");
}

/// Where the batch is as large as a layer is wide, rows and columns differ by more than their number.
#[test]
fn a_square_batch() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [6, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let row = g.reduce("row", scaled, Axis::Columns);
        let weight = parameter(g, "weight", &[6, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, row);
        let h = activate(g, u, Activation::Tanh);
        let (u, _) = dense(g, "middle", h, 6);
        let (output, _) = dense(g, "out", u, 6);
        reconstruct(g, x, output)
    };
    model(build).check("square");
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
    model(build).check("batch of one");
    let narrow = |g: &mut Graph| {
        let x = g.input("x", [1, 1], false);
        let h = gated(g, "gated", x, 1);
        let (output, _) = dense(g, "out", h, 1);
        reconstruct(g, x, output)
    };
    model(narrow).check("one by one");
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
        reconstruct(g, x, output)
    };
    model(cubed).check("cubed");
    // Its gradient's parts are products, and it is summed over columns.
    let spread = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let scale = parameter(g, "scale", &[6]);
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let row = g.reduce("row", scaled, Axis::Columns);
        let y = g.sum_of("y", x, row);
        let [a, b, c] = ["a", "b", "c"].map(|name| dense(g, name, y, 6).0);
        let [a, b, c] = [(a, "tanh a"), (b, "tanh b"), (c, "tanh c")].map(|(u, name)| {
            let h = activate(g, u, Activation::Tanh);
            g.named(h, name)
        });
        let ab = g.map("ab", Function::Multiply, &[a, b]);
        let output = g.map("abc", Function::Multiply, &[ab, c]);
        reconstruct(g, x, output)
    };
    model(spread).check("spread");
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
        reconstruct(g, x, output)
    };
    model(map).check("map");
    let product = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let weight = parameter(g, "weight", &[6, 6]);
        let h = g.product("product", Orientation::Nt, x, weight);
        let top = g.rows("top", h, 0..1);
        let output = g.sum_of("both", h, top);
        reconstruct(g, x, output)
    };
    model(product).check("product");
}

/// A product has one bias; what else is added to it, and the product itself where that is read, is not lost.
#[test]
fn a_product_with_more_than_a_bias() {
    let twice = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 6);
        let bias = parameter(g, "bias", &[6]);
        let output = g.sum_of("output", u, bias);
        reconstruct(g, x, output)
    };
    model(twice).check("two biases");
    let before = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (weight, bias) = (parameter(g, "weight", &[6, 6]), parameter(g, "bias", &[6]));
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, bias);
        let (output, _) = dense(g, "out", u, 6);
        let by_product = g.map("by product", Function::Multiply, &[output, product]);
        Definition { inputs: vec![x], losses: vec![gaussian_loss(g, by_product, x)], outputs: Vec::new() }
    };
    model(before).check("before its bias");
    let row = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let weight = parameter(g, "weight", &[6, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let u = g.sum_of("u", product, x);
        let (output, _) = dense(g, "out", u, 6);
        let top = g.rows("top", product, 0..1);
        let output = g.map("by its top", Function::Multiply, &[output, top]);
        reconstruct(g, x, output)
    };
    model(row).check("a row of it");
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
        reconstruct(g, x, output)
    };
    model(build).check("across");
}

#[test]
fn losses_that_are_products_and_losses_given_twice() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let h = gated(g, "gated", x, 6);
        let weight = parameter(g, "weight", &[1, 6]);
        let loss = g.product("loss", Orientation::Nt, h, weight);
        let (first, second) = (g.reduce("rows", h, Axis::Columns), g.reduce("rows", h, Axis::Columns));
        Definition { inputs: vec![x], losses: vec![loss, loss, first, second, first], outputs: Vec::new() }
    };
    model(build).check("losses");
}

/// Gradients that are one number, or one for each row, until something needs them whole.
#[test]
fn losses_that_are_plain_sums() {
    let build = |g: &mut Graph| {
        let x = g.input("x", [5, 6], false);
        let (u, _) = dense(g, "in", x, 6);
        let all = g.reduce("all", u, Axis::Columns);
        let middle = g.columns("middle", u, 2..5);
        let some = g.reduce("some", middle, Axis::Columns);
        let weight = parameter(g, "weight", &[4, 6]);
        let product = g.product("product", Orientation::Nt, x, weight);
        let of_product = g.reduce("of product", product, Axis::Columns);
        let (once, _) = dense(g, "once", x, 6);
        let once = g.reduce("once summed", once, Axis::Columns);
        let alone = parameter(g, "alone", &[5, 6]);
        let alone = g.reduce("alone summed", alone, Axis::Columns);
        Definition { inputs: vec![x], losses: vec![all, some, of_product, once, alone], outputs: Vec::new() }
    };
    model(build).check("plain sums");
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
            g.reduce(format!("{} sum", activation.name()), terms, Axis::Columns)
        });
        Definition { inputs: vec![x], losses: losses.to_vec(), outputs: Vec::new() }
    };
    model(build).check("five sums");
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
    model(build).check("ten inputs");
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
