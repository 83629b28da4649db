//! Tokens: rows of a table that they choose, their cross-entropies, and tokens that are dropped.

use wgvae::model::layers::{activate, dense};
use wgvae_engine::exec::Executor;
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::plan::{Activation, Function, Orientation, PlanId, UNKNOWN};

use crate::graph::harness::{Definition, Planned, STEP, TOKENS, fill, model, parameter};

/// Logits of tokens, from the token before.
fn decoder(g: &mut Graph, ids: Node, seen: Node, table: Node) -> Node {
    let before = g.embed("before", table, seen, 1);
    let (h, _) = dense(g, "hidden", before, 7);
    let h = activate(g, h, Activation::Tanh);
    let (logits, _) = dense(g, "logits", h, TOKENS);
    g.cross_entropy("losses", logits, ids)
}

/// The costs of sequences, as a model sums them.
#[test]
fn cross_entropies_of_sequences() {
    let build = |g: &mut Graph| {
        let ids = g.input("ids", [5, 4], false);
        let table = parameter(g, "table", &[TOKENS, 3]);
        let losses = decoder(g, ids, ids, table);
        let of_sequences = g.reshape(losses, [5, 4]);
        let recon = g.reduce("recon", of_sequences, Axis::Columns);
        Definition { inputs: vec![ids], losses: vec![recon], outputs: Vec::new() }
    };
    model(build).check("sequences");
}

/// A gradient that is one number for all tokens.
#[test]
fn cross_entropies_as_they_are() {
    let build = |g: &mut Graph| {
        let ids = g.input("ids", [5, 4], false);
        let table = parameter(g, "table", &[TOKENS, 3]);
        let losses = decoder(g, ids, ids, table);
        Definition { inputs: vec![ids], losses: vec![losses], outputs: Vec::new() }
    };
    model(build).check("tokens");
}

/// The table is read twice, and once more as the weights of the logits. Rows are weighted, and some of their tokens are dropped.
#[test]
fn a_table_with_several_readers() {
    let build = |g: &mut Graph| {
        let ids = g.input("ids", [5, 4], false);
        let table = parameter(g, "table", &[TOKENS, 3]);
        let probability = g.constant(0.4);
        let seen = g.drop_tokens("seen", ids, probability, 0);
        let (before, now) = (g.embed("before", table, seen, 1), g.embed("now", table, seen, 0));
        let both = g.map("both", Function::Multiply, &[before, now]);
        let (h, _) = dense(g, "hidden", both, 3);
        let h = activate(g, h, Activation::Tanh);
        let logits = g.product("logits", Orientation::Nt, h, table);
        let losses = g.cross_entropy("losses", logits, ids);
        let (weights, _) = dense(g, "weights", both, 1);
        let weighted = g.map("weighted", Function::Multiply, &[losses, weights]);
        Definition { inputs: vec![ids], losses: vec![weighted], outputs: Vec::new() }
    };
    model(build).check("several readers");
}

/// The logits of a wide vocabulary, of which a row has a workgroup.
#[test]
fn a_wide_vocabulary() {
    let build = |g: &mut Graph| {
        let ids = g.input("ids", [5, 4], false);
        let table = parameter(g, "table", &[TOKENS, 2]);
        let rows = g.embed("rows", table, ids, 1);
        let (logits, _) = dense(g, "logits", rows, 150);
        let losses = g.cross_entropy("losses", logits, ids);
        let of_sequences = g.reshape(losses, [5, 4]);
        let recon = g.reduce("recon", of_sequences, Axis::Columns);
        Definition { inputs: vec![ids], losses: vec![recon], outputs: Vec::new() }
    };
    model(build).check("wide");
}

/// What is dropped is `UNKNOWN`, about as often as the probability says; nothing else changes, and a second draw differs.
#[test]
fn dropped_tokens() {
    let build = |g: &mut Graph| {
        let ids = g.input("ids", [100, 40], false);
        let probability = g.constant(0.3);
        let drawn = [0, 1].map(|draw| g.drop_tokens("dropped", ids, probability, draw));
        let noise = g.normal("noise", 0, [100, 40]);
        let table = parameter(g, "table", &[TOKENS, 1]);
        let rows = g.embed("rows", table, ids, 0);
        Definition { inputs: vec![ids], losses: vec![rows], outputs: vec![drawn[0], drawn[1], noise] }
    };
    let planned = Planned::new(build, true);
    let mut executor = Executor::OracleF64(Box::new(Oracle::new(planned.program.clone())));
    fill(&planned, &mut executor);
    executor.dispatch(PlanId(0), &STEP).unwrap();
    let ids = executor.read(planned.inputs[0]).unwrap();
    let [first, second, noise] = [0, 1, 2].map(|output| executor.read(planned.outputs[output]).unwrap());
    let changed = |dropped: &[f32]| ids.iter().zip(dropped).map(|(id, token)| id != token).collect::<Vec<bool>>();
    for dropped in [&first, &second] {
        assert!(ids.iter().zip(dropped).all(|(id, token)| token == id || *id >= 0.0 && *token == UNKNOWN));
        let droppable = ids.iter().filter(|id| **id >= 0.0 && **id != UNKNOWN).count() as f64;
        let share = changed(dropped).iter().filter(|changed| **changed).count() as f64 / droppable;
        // The deviation of the share of 2,800 draws is 0.009.
        assert!((share - 0.3).abs() < 0.04, "{share}");
    }
    assert_ne!(changed(&first), changed(&second));
    // Draws of tokens are none of those that noise is made of: where the number of both is small, the noise would be large.
    let squares: Vec<f64> =
        noise.iter().zip(changed(&first)).filter(|(_, is)| *is).map(|(z, _)| (z * z).into()).collect();
    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
    assert!((mean - 1.0).abs() < 0.25, "{mean}");
}
