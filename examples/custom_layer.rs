//! A custom layer in a custom model: a gated layer, `(x V^T + c) sigmoid(x W^T + b)`, in a small VAE. Layers add nodes
//! to a graph; gradients, fused kernels and the optimiser are derived from it.

use wgvae::graph::{Axis, Graph, GroupSpec, Node};
use wgvae::model::layers::{activate, dense, dense_block, kl, reparameterise};
use wgvae::plan::StepScalars;
use wgvae::session::{self, PlanSpec, SessionSpec};
use wgvae::{Activation, DeviceOptions, Function, Loss};

const BATCH: usize = 64;
const WIDTH: usize = 8;
const LATENT: usize = 2;

/// The layer. Its gradient is derived automatically.
fn gated(g: &mut Graph, name: &str, x: Node, outputs: usize) -> Node {
    let (value, _) = dense(g, &format!("{name}.value"), x, outputs);
    let (gate, _) = dense(g, &format!("{name}.gate"), x, outputs);
    let gate = activate(g, gate, Activation::Sigmoid);
    g.map(name, Function::Multiply, &[value, gate])
}

/// A VAE with it, and the plan that trains it.
fn model() -> PlanSpec {
    let mut graph = Graph::default();
    let g = &mut graph;
    let x = g.input("x", [BATCH, WIDTH], false);
    let h = gated(g, "encoder", x, 32);
    let (codes, _) = dense_block(g, "codes", h, &[("mu", LATENT), ("logvar", LATENT)]);
    let mu = g.columns("mu", codes, 0..LATENT);
    let logvar = g.columns("logvar", codes, LATENT..2 * LATENT);
    let noise = g.normal("noise", 0, [BATCH, LATENT]);
    let z = reparameterise(g, "z", [mu, logvar], noise);
    let h = gated(g, "decoder", z, 32);
    let (output, _) = dense(g, "output", h, WIDTH);
    let output = g.named(output, "reconstruction");
    // A normal likelihood with sigma = 0.1, without its constant.
    let (inv_var, log_norm) = (g.constant(100.0), g.constant(0.0));
    let loss = g.map("loss", Function::Loss(Loss::Gaussian), &[output, x, inv_var, log_norm]);
    let recon = g.reduce("recon", loss, Axis::Columns);
    let kl = kl(g, "kl", [mu, logvar]);
    let losses = [recon, kl].map(|node| session::LossSpec::mean(g, node, "all")).to_vec();
    PlanSpec {
        name: "train".into(),
        graph,
        inputs: vec![x],
        outputs: vec![output],
        metrics: vec![("recon".into(), recon), ("kl".into(), kl)],
        losses,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec = SessionSpec { plans: vec![model()], groups: vec![GroupSpec::adam("all")], unfused: false };
    let mut session = DeviceOptions::default().session(&spec, 0)?;
    let (train, rate) = (session.plan("train")?, session.rate("all")?);
    let (x, output) = (session.input("x")?, session.output("reconstruction")?);
    println!("{} dispatches per step on {}", session.program().plans[0].ops.len(), session.device().name);
    // Points on a circle in eight dimensions.
    let row = |i: usize| (0..WIDTH).map(move |d| (i as f32 * 0.37 + d as f32 * 0.8).sin());
    let mut last = Vec::new();
    for step in 0..600 {
        let batch: Vec<f32> = (0..BATCH).flat_map(|r| row(step * BATCH + r)).collect();
        session.set(x, &batch)?;
        let metrics = session.run(train, &[StepScalars::default().with(rate, 3e-3)])?;
        last = metrics.rows().flatten().copied().collect();
        if step % 100 == 0 {
            println!("step {step:>3}  reconstruction {:>7.2}  KL {:.2}", last[0], last[1]);
        }
    }
    println!("end       reconstruction {:>7.2}  KL {:.2}", last[0], last[1]);
    println!("the reconstruction of the first row: {:.2?}", &session.get(output)?[..WIDTH]);
    Ok(())
}
