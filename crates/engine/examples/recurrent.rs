//! A recurrent network, whose weights are shared over time: it reads eight numbers one after the other, and says how far the last one
//! is from the first.

use wgvae_engine::exec::OpenDevice;
use wgvae_engine::graph::{Graph, GroupSpec, Node};
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::plan::{Activation, Function, Init, Orientation, StepScalars};
use wgvae_engine::session::{LossSpec, PlanSpec, Session, SessionSpec};

pub(crate) const BATCH: usize = 32;
pub(crate) const STEPS: usize = 8;
pub(crate) const HIDDEN: usize = 12;

/// The state behind a number `x (B, 1)`: `tanh(x W^T + h U^T + b)`; before the first number there is none.
fn next(g: &mut Graph, time: usize, x: Node, before: Option<Node>) -> Node {
    let bound = 1.0 / (HIDDEN as f32).sqrt();
    // A parameter that there is already is the same one again.
    let input = g.param("input", &[HIDDEN, 1], Init::Uniform(1.0));
    let bias = g.param("bias", &[HIDDEN], Init::Uniform(bound));
    let recurrent = g.param("recurrent", &[HIDDEN, HIDDEN], Init::Uniform(bound));
    let read = g.product(format!("read {time}"), Orientation::Nt, x, input);
    let mut sum = g.sum_of(format!("biased {time}"), read, bias);
    if let Some(before) = before {
        let kept = g.product(format!("kept {time}"), Orientation::Nt, before, recurrent);
        sum = g.sum_of(format!("sum {time}"), kept, sum);
    }
    g.map(format!("state {time}"), Function::Activate(Activation::Tanh), &[sum])
}

pub(crate) fn spec() -> SessionSpec {
    let mut graph = Graph::default();
    let g = &mut graph;
    // Time after time, the numbers of all rows.
    let numbers = g.input("numbers", [STEPS * BATCH, 1], false);
    let target = g.input("target", [BATCH, 1], false);
    let mut state = None;
    for time in 0..STEPS {
        let x = g.rows(format!("number {time}"), numbers, time * BATCH..(time + 1) * BATCH);
        state = Some(next(g, time, x, state));
    }
    let readout = g.param("readout", &[1, HIDDEN], Init::Uniform(0.3));
    let said = state.map(|state| g.product("said", Orientation::Nt, state, readout)).unwrap_or(target);
    let minus = g.negative("minus target", target);
    let off = g.sum_of("off", said, minus);
    let squares = g.map("squares", Function::Multiply, &[off, off]);
    let losses = vec![LossSpec::mean(g, squares, "all")];
    let (inputs, outputs) = (vec![numbers, target], vec![said]);
    let metrics = vec![("squares".into(), squares)];
    let train = PlanSpec { name: "train".into(), graph, inputs, outputs, metrics, losses };
    SessionSpec { plans: vec![train], groups: vec![GroupSpec::adam("all")], unfused: false }
}

/// Numbers in (-1, 1), time after time, and how far the last is from the first, of each row.
pub(crate) fn batch(step: u32) -> (Vec<f32>, Vec<f32>) {
    let number = |i: usize| threefry2x32([9, step], [i as u32, 0])[0] as f32 / 2f32.powi(31) - 1.0;
    let numbers: Vec<f32> = (0..STEPS * BATCH).map(number).collect();
    let target = (0..BATCH).map(|row| numbers[(STEPS - 1) * BATCH + row] - numbers[row]).collect();
    (numbers, target)
}

#[allow(dead_code)] // A test trains the same network.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut session = Session::build(&spec(), &OpenDevice::Cpu, 0)?;
    let (train, rate) = (session.plan("train")?, session.rate("all")?);
    let (numbers, target) = (session.input("numbers")?, session.input("target")?);
    for step in 0..=4000 {
        let (values, wanted) = batch(step);
        session.set(numbers, &values)?;
        session.set(target, &wanted)?;
        let metrics = session.run(train, &[StepScalars::default().with(rate, 3e-3)])?;
        if step % 1000 == 0 {
            println!("step {step:>4}  mean square {:.4}", metrics.rows().flatten().sum::<f64>());
        }
    }
    Ok(())
}
