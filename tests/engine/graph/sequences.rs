//! Models of sequences.

use wgvae_engine::graph::{Axis, Graph, Node, RecurrentInputs};
use wgvae_engine::plan::{Attention, Cell, Function, Init, Loss, Orientation, Recurrent};

use crate::graph::harness::{Definition, gaussian_loss, model};

/// B sequences of T times.
const BATCH: usize = 3;
const STEPS: usize = 4;

/// A recurrent layer of `units` on `x (B T, C)`, with a start and lengths where they are given.
fn layer(
    g: &mut Graph,
    name: &str,
    x: Node,
    (cell, units, reverse): (Cell, usize, bool),
    [start, lengths]: [Option<Node>; 2],
) -> Node {
    let (inputs, all) = (g.shape(x)[1], cell.gates() * units);
    let init = Init::Uniform(0.5);
    let of_input = g.param(&format!("{name}.weight_ih"), &[all, inputs], init);
    let bias_of_input = g.param(&format!("{name}.bias_ih"), &[all], init);
    let weight = g.param(&format!("{name}.weight_hh"), &[all, units], init);
    let bias = g.param(&format!("{name}.bias_hh"), &[all], init);
    let product = g.product(format!("{name} gates"), Orientation::Nt, x, of_input);
    let gates = g.sum_of(format!("{name} biased"), product, bias_of_input);
    let layer = Recurrent { cell, reverse, steps: STEPS as u32 };
    g.recurrent(name, layer, RecurrentInputs { gates, weight, bias, start, lengths })
}

/// `(B, 1)`: the squared errors of all times.
fn loss_of_all(g: &mut Graph, states: Node, target: Node) -> Node {
    let loss = gaussian_loss(g, states, target);
    let of_rows = g.reshape(loss, [BATCH, STEPS]);
    g.reduce("loss of rows", of_rows, Axis::Columns)
}

/// Rows of all lengths: `lengths (B, 1)` are inputs that the harness draws, brought to 0 to T here.
fn lengths(g: &mut Graph, x: Node) -> Node {
    let (two, first) = (g.constant(2.0), g.columns("first", x, 0..1));
    let scaled = g.map("lengths", Function::Multiply, &[first, two]);
    g.sum_of("lengths of rows", scaled, two)
}

#[test]
fn recurrent_layers_in_both_directions() {
    for cell in Cell::ALL {
        for reverse in [false, true] {
            for units in [4, 5] {
                let built = |g: &mut Graph| {
                    let x = g.input("x", [BATCH * STEPS, 3], false);
                    let target = g.input("target", [BATCH * STEPS, units], false);
                    let states = layer(g, "layer", x, (cell, units, reverse), [None, None]);
                    let loss = loss_of_all(g, states, target);
                    Definition { inputs: vec![x, target], losses: vec![loss], outputs: vec![states] }
                };
                model(built).check(&format!("{} {units} reverse {reverse}", cell.name()));
            }
        }
    }
}

/// Two layers: the first starts from what another layer makes, and only the last state of the second is looked at.
#[test]
fn stacked_layers_with_starts_and_lengths() {
    for cell in Cell::ALL {
        for reverse in [false, true] {
            let built = |g: &mut Graph| {
                let x = g.input("x", [BATCH * STEPS, 3], false);
                let z = g.input("z", [BATCH, 2], false);
                let target = g.input("target", [BATCH, 3], false);
                let weight = g.param("start.weight", &[cell.state() * 4, 2], Init::Uniform(0.5));
                let start = g.product("start", Orientation::Nt, z, weight);
                let lengths = lengths(g, z);
                let first = layer(g, "first", x, (cell, 4, reverse), [Some(start), Some(lengths)]);
                let second = layer(g, "second", first, (cell, 3, reverse), [None, Some(lengths)]);
                let last = g.at_time("last", second, STEPS, if reverse { 0 } else { STEPS - 1 });
                let loss = gaussian_loss(g, last, target);
                Definition { inputs: vec![x, z, target], losses: vec![loss], outputs: vec![last] }
            };
            model(built).check(&format!("stacked {} reverse {reverse}", cell.name()));
        }
    }
}

/// A layer of one time is a layer of feed-forward units.
#[test]
fn a_sequence_of_one_time() {
    for reverse in [false, true] {
        let built = |g: &mut Graph| {
            let x = g.input("x", [BATCH * STEPS, 3], false);
            let all = Cell::Gru.gates() * 2;
            let of_input = g.param("weight_ih", &[all, 3], Init::Uniform(0.5));
            let weight = g.param("weight_hh", &[all, 2], Init::Uniform(0.5));
            let bias = g.param("bias_hh", &[all], Init::Uniform(0.5));
            let gates = g.product("gates", Orientation::Nt, x, of_input);
            let layer = Recurrent { cell: Cell::Gru, reverse, steps: 1 };
            let inputs = RecurrentInputs { gates, weight, bias, start: None, lengths: None };
            let states = g.recurrent("layer", layer, inputs);
            let target = g.input("target", [BATCH * STEPS, 2], false);
            let loss = gaussian_loss(g, states, target);
            Definition { inputs: vec![x, target], losses: vec![loss], outputs: vec![states] }
        };
        model(built).check("one time");
    }
}

/// A code at each time with numbers of the time, and losses without those of missing values.
#[test]
fn a_code_at_each_time_and_values_that_are_missing() {
    let built = |g: &mut Graph| {
        let z = g.input("z", [BATCH, 2], false);
        let target = g.input("target", [BATCH, STEPS * 3], false);
        let repeated = g.repeat("repeated", z, STEPS);
        let of_rows = g.reshape(repeated, [BATCH, STEPS * 2]);
        let of_times = g.param("times", &[STEPS * 2], Init::Uniform(0.5));
        let sum = g.sum_of("sum", of_rows, of_times);
        let x = g.reshape(sum, [BATCH * STEPS, 2]);
        let states = layer(g, "layer", x, (Cell::Gru, 4, false), [None, None]);
        let weight = g.param("weight", &[3, 4], Init::Uniform(0.5));
        let bias = g.param("bias", &[3], Init::Uniform(0.5));
        let product = g.product("output product", Orientation::Nt, states, weight);
        let output = g.sum_of("output", product, bias);
        let wanted = g.reshape(target, [BATCH * STEPS, 3]);
        let [value, absent] = [("there", Function::Present), ("absent", Function::Absent)]
            .map(|(name, function)| g.map(name, function, &[wanted]));
        let log_sigma = g.param("log_sigma", &[1], Init::Constant(0.1));
        let loss = g.map("loss", Function::Loss(Loss::GaussianLearned), &[output, value, log_sigma]);
        let of_absent = g.map("of what is missing", Function::Multiply, &[loss, absent]);
        let less = g.negative("less", of_absent);
        let loss = g.map("of what is there", Function::Add, &[loss, less]);
        let of_rows = g.reshape(loss, [BATCH, STEPS * 3]);
        let loss = g.reduce("loss of rows", of_rows, Axis::Columns);
        Definition { inputs: vec![z, target], losses: vec![loss], outputs: vec![output] }
    };
    model(built).check("a code at each time");
}

/// An encoder whose first layer has values and marks beside each other, and a product behind the ends of both directions.
#[test]
fn values_beside_marks() {
    for units in [4, 16] {
        ends_of_both_directions(units);
    }
}

fn ends_of_both_directions(units: usize) {
    let built = |g: &mut Graph| {
        let x = g.input("x", [BATCH, STEPS * 3], false);
        let target = g.input("target", [BATCH, 5], false);
        let present = g.map("present", Function::Present, &[x]);
        let absent = g.map("absent", Function::Absent, &[x]);
        let [present, absent] = [present, absent].map(|node| g.reshape(node, [BATCH * STEPS, 3]));
        let both = g.beside("values and marks", &[present, absent]);
        let forward = layer(g, "forward", both, (Cell::Gru, units, false), [None, None]);
        let back = layer(g, "back", both, (Cell::Gru, units, true), [None, None]);
        let states = g.beside("both", &[forward, back]);
        let end = g.at_time("end", states, STEPS, STEPS - 1);
        let begin = g.at_time("begin", states, STEPS, 0);
        let ends = [g.columns("f", end, 0..units), g.columns("b", begin, units..2 * units)];
        let last = g.beside("ends", &ends);
        let weight = g.param("head", &[5, 2 * units], Init::Uniform(0.5));
        let output = g.product("output", Orientation::Nt, last, weight);
        let loss = gaussian_loss(g, output, target);
        Definition { inputs: vec![x, target], losses: vec![loss], outputs: vec![output] }
    };
    model(built).check(&format!("ends of {units} units"));
}

/// Attention of both kinds, with and without lengths, behind one product that makes queries, keys and values.
#[test]
fn attention_of_several_heads() {
    for causal in [false, true] {
        for has_lengths in [false, true] {
            for (heads, columns) in [(1, 5), (2, 8)] {
                let built = |g: &mut Graph| {
                    let x = g.input("x", [BATCH * STEPS, 3], false);
                    let z = g.input("z", [BATCH, 2], false);
                    let target = g.input("target", [BATCH * STEPS, columns], false);
                    let weight = g.param("in_proj_weight", &[3 * columns, 3], Init::Uniform(1.0));
                    let qkv = g.product("qkv", Orientation::Nt, x, weight);
                    let lengths = has_lengths.then(|| lengths(g, z));
                    let layer = Attention { heads, causal, steps: STEPS as u32 };
                    let result = g.attention("attention", layer, qkv, lengths);
                    let loss = loss_of_all(g, result, target);
                    let inputs = if has_lengths { vec![x, z, target] } else { vec![x, target] };
                    Definition { inputs, losses: vec![loss], outputs: vec![result] }
                };
                model(built).check(&format!("{heads} heads causal {causal} lengths {has_lengths}"));
            }
        }
    }
}
