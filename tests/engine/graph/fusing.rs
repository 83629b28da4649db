//! What fusing makes of plans, and what it must leave alone.

use wgvae::config::Config;
use wgvae::model::{DataSpec, Vae};
use wgvae_engine::graph::{self, Lowering};
use wgvae_engine::kernels::{Body, map, reduce};
use wgvae_engine::plan::{Dtype, Function, Index, Op, StepPlan, StoredValue, TensorId, TensorTable};

/// What is only summed is not stored, but for a product that would have no output left: its tiles are spilled there.
#[test]
fn what_is_only_summed_is_not_stored() {
    let config = Config::resolve(Some("dense"), None, toml::Table::new()).unwrap();
    let data = DataSpec { train_rows: 1000, test_rows: 100, bytes: true };
    let vae = Vae::new(&config.vae_spec(30).unwrap(), &config.train_spec(), data).unwrap();
    let bindings = vae.program.plans[0].ops.iter().flat_map(|op| &op.bindings);
    let stored: Vec<&str> = bindings.map(|b| vae.program.tensors.get(b.tensor).name.as_str()).collect();
    assert!(stored.contains(&"kl terms partial sums"), "{stored:?}");
    assert!(!stored.contains(&"kl terms"), "{stored:?}");
    let scored = vae.program.plan("evaluate").unwrap().ops.iter().find(|op| op.label == "decoder.2 forward").unwrap();
    assert!(scored.tensor("out0").is_some(), "{scored:?}");
}

#[test]
fn tensors_of_a_name_and_a_shape_are_shared() {
    let mut tensors = TensorTable::default();
    let weights = tensors.buffer("weights", 1, Dtype::F32);
    let mut lowering = Lowering::new(tensors, weights);
    let h = lowering.shared("h", &[5, 6]);
    assert_eq!(lowering.shared("h", &[5, 6]), h);
    assert_ne!(lowering.shared("h", &[6, 5]), h);
    assert_ne!(lowering.shared("g", &[5, 6]), h);
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

/// Two ops write one buffer and two another: one of each can share a stage.
#[test]
fn ops_that_share_no_buffer_share_a_stage() {
    let mut tensors = TensorTable::default();
    let x = tensors.floats("x", &[5, 6]);
    let mut halves = |name: &str| {
        let buffer = tensors.buffer(name, 128, Dtype::F32);
        [0, 64].map(|offset| tensors.view(format!("{name} from {offset}"), buffer, offset, &[5, 6]))
    };
    let [[a, b], [c, d]] = ["left", "right"].map(&mut halves);
    let ops = graph::order([a, b, c, d].map(|to| add(&tensors, x, x, to, false)).to_vec(), &tensors);
    let plan = StepPlan { name: "ordered".into(), ops };
    assert_eq!(plan.stages(&tensors), [0, 0, 1, 1]);
}

/// Columns of a slice that reach into the next row are refused.
#[test]
fn a_slice_of_columns_stays_within_its_row() {
    let mut tensors = TensorTable::default();
    let [x, y] = [[5, 8], [5, 6]].map(|shape| tensors.floats("matrix", &shape));
    let copy = |offset| {
        let columns = Index::Columns { stride: 8, offset };
        map::call(&tensors, "copy", [5, 6], Function::Copy, &[(x, columns)], &[y])
    };
    assert!(copy(2).is_ok());
    assert!(copy(3).is_err());
}

/// Ops that no graph comes to: in place, and to one place under two names.
#[test]
fn ops_that_cannot_be_one_stay_two() {
    let mut tensors = TensorTable::default();
    let [a, b, c, d, m, n] = ["a", "b", "c", "d", "m", "m"].map(|name| tensors.floats(name, &[5, 6]));
    let [s, t] = ["s", "t"].map(|name| tensors.floats(name, &[5]));
    let buffer = tensors.get(b).buffer;
    let again = tensors.view("b again", buffer, 0, &[5, 6]);
    let mut lowering = Lowering::new(tensors, buffer);
    let tensors = lowering.tensors.clone();
    let add = |a, b, to, accumulate| add(&tensors, a, b, to, accumulate);
    let fused = |ops: Vec<Op>, lowering: &mut Lowering| graph::fuse(ops, lowering, &[a, b, c, d]).len();
    assert_eq!(fused(vec![add(a, a, b, false), add(b, d, c, false)], &mut lowering), 1);
    // What the first reads, the second writes.
    assert_eq!(fused(vec![add(a, a, b, false), add(b, d, a, false)], &mut lowering), 2);
    // Two matrices of one name, each summed over its columns: their partial sums are two.
    let sums = |m, total| reduce::rows(&tensors, "rows", &[(m, total)]).unwrap();
    let ops = vec![add(a, a, m, false), add(b, b, n, false), sums(m, s), sums(n, t)];
    let ops = graph::fuse(ops, &mut lowering, &[s, t]);
    let mut written: Vec<TensorId> =
        ops.iter().flat_map(|op| &op.bindings).filter(|b| b.access.writes()).map(|b| b.tensor).collect();
    let count = written.len();
    written.sort();
    written.dedup();
    assert_eq!(written.len(), count);
    // Both write the same elements.
    let mut both = add(a, a, c, false);
    let mut body = Body::of(&both).unwrap();
    body.program.stores.push(StoredValue { binding: 1, ..body.program.stores[0] });
    body.writes.push(b);
    body.bind(&tensors, &mut both, [5, 6]).unwrap();
    assert_eq!(fused(vec![both.clone(), add(c, d, b, true)], &mut lowering), 1);
    assert_eq!(fused(vec![both, add(c, d, again, true)], &mut lowering), 2);
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
        let vae = Vae::new(&config.vae_spec(30).unwrap(), &config.train_spec(), data).unwrap();
        let totals = vae.program.plans[0].totals(&vae.program.tensors);
        assert_eq!((totals.dispatches, totals.stages), expected, "{name}");
    }
}
