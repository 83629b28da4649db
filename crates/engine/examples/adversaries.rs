//! Two networks against each other: one makes numbers of noise, one tells them from numbers that were measured. A step updates both,
//! each by an optimiser of its own.

use wgvae_engine::exec::OpenDevice;
use wgvae_engine::graph::{Graph, GroupSpec, Node};
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::plan::{Activation, Function, Init, Orientation, StepScalars};
use wgvae_engine::session::{LossSpec, PlanSpec, Session, SessionSpec};

pub(crate) const BATCH: usize = 64;
pub(crate) const HIDDEN: usize = 16;

/// `activation(x W^T + b)` of `x (B, I)`, and the parameters.
fn dense(g: &mut Graph, name: &str, x: Node, outputs: usize, activation: Activation) -> (Node, [Node; 2]) {
    let inputs = g.shape(x)[1];
    let bound = 1.0 / (inputs as f32).sqrt();
    let weight = g.param(&format!("{name}.weight"), &[outputs, inputs], Init::Uniform(bound));
    let bias = g.param(&format!("{name}.bias"), &[outputs], Init::Uniform(bound));
    let product = g.product(name, Orientation::Nt, x, weight);
    let sum = g.sum_of(format!("{name} with bias"), product, bias);
    (g.map(format!("{name} activated"), Function::Activate(activation), &[sum]), [weight, bias])
}

/// The logit that numbers `(B, 1)` were measured, and the parameters.
fn discriminator(g: &mut Graph, x: Node) -> (Node, Vec<Node>) {
    let (hidden, first) = dense(g, "discriminator.0", x, HIDDEN, Activation::Tanh);
    let (logit, second) = dense(g, "discriminator.1", hidden, 1, Activation::Identity);
    (logit, [first, second].concat())
}

pub(crate) fn spec() -> SessionSpec {
    let mut graph = Graph::default();
    let g = &mut graph;
    let (real, noise) = (g.input("real", [BATCH, 1], false), g.input("noise", [BATCH, 1], false));
    let (made, generator) = dense(g, "generator", noise, 1, Activation::Identity);
    let made = g.named(made, "made");
    // Both calls ask for parameters of the same names, and so share them.
    let ((of_real, parameters), (of_made, _)) = (discriminator(g, real), discriminator(g, made));
    let softplus = |g: &mut Graph, x| g.map("surprise", Function::Activate(Activation::Softplus), &[x]);
    let [not_real, not_made] = [of_real, of_made].map(|logit| g.negative("opposite", logit));
    let [misses, alarms, caught] = [not_real, of_made, not_made].map(|logit| softplus(g, logit));
    let telling = g.sum_of("telling", misses, alarms);
    let losses = vec![LossSpec::mean(g, telling, "discriminator"), LossSpec::mean(g, caught, "generator")];
    let blocks = |nodes: &[Node]| nodes.iter().filter_map(|node| g.block(*node)).collect::<Vec<_>>();
    let groups = vec![
        GroupSpec::adam("discriminator").of(blocks(&parameters)),
        GroupSpec::adam("generator").of(blocks(&generator)),
    ];
    let metrics = vec![("discriminator".into(), telling), ("generator".into(), caught)];
    let (inputs, outputs) = (vec![real, noise], vec![made]);
    let train = PlanSpec { name: "train".into(), graph, inputs, outputs, metrics, losses };
    SessionSpec { plans: vec![train], groups, unfused: false }
}

/// `(B, 1)` standard normals of a step.
pub(crate) fn normals(seed: u32, step: u32) -> Vec<f32> {
    let unit = |bits: u32| (f64::from(bits) + 0.5) / 2f64.powi(32);
    let draw = |row: usize| threefry2x32([seed, step], [row as u32, 0]).map(unit);
    (0..BATCH).map(draw).map(|[u, v]| ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32).collect()
}

#[allow(dead_code)] // A test trains the same networks.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut session = Session::build(&spec(), &OpenDevice::Cpu, 0)?;
    let (train, real, noise) = (session.plan("train")?, session.input("real")?, session.input("noise")?);
    let rates = [session.rate("discriminator")?, session.rate("generator")?];
    for step in 0..3000 {
        let measured: Vec<f32> = normals(1, step).iter().map(|z| 3.0 + 0.5 * z).collect();
        session.set(real, &measured)?;
        session.set(noise, &normals(2, step))?;
        session.run(train, &[StepScalars::default().with(rates[0], 5e-3).with(rates[1], 2e-3)])?;
    }
    let made = session.get(session.output("made")?)?;
    println!("measured: mean 3.00; made: mean {:.2}", made.iter().sum::<f32>() / BATCH as f32);
    Ok(())
}
