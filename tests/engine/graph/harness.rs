//! Models built by hand, and what each must pass.

use wgvae::train::initial_weights;
use wgvae_engine::conformance;
use wgvae_engine::exec::Executor;
use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::kernels::softmax;
use wgvae_engine::plan::{BufferId, Function, Init, Loss, MAX_SCALARS, PlanId, Program, StepScalars, TensorId};
use wgvae_engine::session::{self, PlanSpec, SessionSpec};

use crate::common;

/// What a graph is for.
pub struct Definition {
    /// What comes from outside.
    pub inputs: Vec<Node>,
    /// The mean of each `(B, 1)` over its rows is minimised.
    pub losses: Vec<Node>,
    /// What else is read.
    pub outputs: Vec<Node>,
}

/// A graph as a program, and where its nodes lie.
pub struct Planned {
    pub program: Program,
    pub inputs: Vec<TensorId>,
    pub losses: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
    pub weights: TensorId,
    pub gradients: TensorId,
}

impl Planned {
    pub fn new(build: impl Fn(&mut Graph) -> Definition, fuse: bool) -> Self {
        let mut g = Graph::default();
        let of = build(&mut g);
        let mut read: Vec<Node> = Vec::new();
        for node in of.losses.iter().chain(&of.outputs).filter(|node| !of.inputs.contains(node)) {
            if !read.contains(node) {
                // Several losses may have one name.
                let name = format!("{} {}", g.name(*node), read.len());
                read.push(g.named(*node, name));
            }
        }
        let mut weighted = |node: &Node| (*node, g.constant(1.0 / g.shape(*node)[0] as f32));
        let terms = of.losses.iter().map(&mut weighted).collect();
        let names = |nodes: &[Node]| nodes.iter().map(|node| g.name(*node).to_string()).collect::<Vec<_>>();
        let [inputs, losses, outputs] = [&of.inputs, &of.losses, &of.outputs].map(|nodes| names(nodes));
        let plan = PlanSpec {
            name: "train".into(),
            graph: g,
            inputs: of.inputs,
            outputs: read,
            losses: vec![session::LossSpec { terms, group: None }],
            ..PlanSpec::default()
        };
        let planned = SessionSpec { plans: vec![plan], unfused: !fuse, ..SessionSpec::default() }.plan().unwrap();
        let program = planned.program().clone();
        let arenas = program.arenas.clone().unwrap();
        let read = |names: Vec<String>| names.iter().map(|name| planned.output(name).unwrap().0).collect();
        Self {
            inputs: inputs.iter().map(|name| planned.input(name).unwrap().0).collect(),
            losses: read(losses),
            outputs: read(outputs),
            weights: arenas.weights,
            gradients: arenas.gradients,
            program,
        }
    }
}

/// A model built by hand: as its graph was lowered, and fused.
pub struct Model {
    pub lowered: Planned,
    pub fused: Planned,
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

    /// Gradients against differences on both plans, both plans against each other, and the processor and the adapter against the oracle.
    pub fn check(&self, name: &str) {
        self.check_bindings(name);
        let mut gradients = Vec::new();
        for model in [&self.lowered, &self.fused] {
            let mut executor = Executor::OracleF64(Box::new(Oracle::new(model.program.clone())));
            fill(model, &mut executor);
            let Executor::OracleF64(mut oracle) = executor else { unreachable!() };
            let error = conformance::gradient_error(&mut oracle, model.weights, model.gradients, |oracle| {
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
        for device in common::devices() {
            for model in [&self.lowered, &self.fused] {
                let mut executor = device.compile(model.program.clone(), &GpuOptions::default()).unwrap();
                fill(model, &mut executor);
                executor.dispatch(PlanId(0), &STEP).unwrap();
                let found: Vec<f64> = executor.read(model.gradients).unwrap().into_iter().map(f64::from).collect();
                same(name, &found, &gradients[0], 1e-5);
            }
        }
    }
}

pub fn model(build: impl Fn(&mut Graph) -> Definition) -> Model {
    let [lowered, fused] = [false, true].map(|fuse| Planned::new(&build, fuse));
    let ops = |model: &Planned| model.program.plans[0].ops.len();
    assert!(ops(&fused) < ops(&lowered), "{} of {} ops", ops(&fused), ops(&lowered));
    Model { lowered, fused }
}

pub const STEP: StepScalars = StepScalars {
    noise_key: [3, 4],
    binarise_key: [0; 2],
    shuffle_key: [0; 2],
    next_shuffle_key: [0; 2],
    shuffle: 0,
    offset: 0,
    rows: 5,
    slot: 0,
    values: [0.7; MAX_SCALARS],
};

/// The groups of columns that an input of this name has.
pub const GROUPS: [std::ops::Range<usize>; 2] = [0..3, 4..6];

/// The tokens that there are in an input called `ids`.
pub const TOKENS: usize = 6;

/// Tokens that depend on their place alone, and -1 in one of seven places.
fn tokens(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| (threefry2x32([seed, 2], [i, 0])[0] % (TOKENS as u32 + 1)) as f32 - 1.0).collect()
}

/// Numbers in (-1, 1) that depend on their place alone.
pub fn numbers(count: usize, seed: u32) -> Vec<f32> {
    (0..count as u32).map(|i| threefry2x32([seed, 1], [i, 0])[0] as f32 / 2f32.powi(31) - 1.0).collect()
}

pub fn fill(model: &Planned, executor: &mut Executor) {
    // What no op writes must not matter. Arenas have gaps, which are compared with the rest.
    let arenas = [model.weights, model.gradients].map(|id| model.program.tensors.get(id).buffer);
    for (i, buffer) in model.program.tensors.buffers().iter().enumerate() {
        if !arenas.contains(&BufferId(i)) {
            executor.write_at(BufferId(i), 0, &vec![f32::NAN.to_bits(); buffer.len]).unwrap();
        }
    }
    for (seed, id) in model.inputs.iter().enumerate() {
        let tensor = model.program.tensors.get(*id);
        let values = match tensor.name.as_str() {
            "groups" => softmax::groups(7, GROUPS),
            "ids" => tokens(tensor.len(), seed as u32),
            _ => numbers(tensor.len(), seed as u32),
        };
        let words: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        executor.write_words(*id, &words).unwrap();
    }
    let weights = initial_weights(&model.program.params, 5);
    executor.write(model.weights, &weights).unwrap();
}

pub fn same(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let size = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    let distance = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!(distance <= tolerance * size, "{name}: off by {:e}", distance / size);
}

pub fn gaussian_loss(g: &mut Graph, output: Node, x: Node) -> Node {
    let (inv_var, log_norm) = (g.constant(1.3), g.constant(0.2));
    let loss = g.map("loss", Function::Loss(Loss::Gaussian), &[output, x, inv_var, log_norm]);
    g.reduce("recon", loss, Axis::Columns)
}

/// The model whose one loss is that of `output` beside `x`.
pub fn reconstruct(g: &mut Graph, x: Node, output: Node) -> Definition {
    Definition { inputs: vec![x], losses: vec![gaussian_loss(g, output, x)], outputs: Vec::new() }
}

/// A parameter of a size at which nothing vanishes.
pub fn parameter(g: &mut Graph, name: &str, shape: &[usize]) -> Node {
    g.param(name, shape, Init::Uniform(0.7))
}
