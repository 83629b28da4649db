//! Layers of sequences and all their gradients against PyTorch's modules in float64: `tests/reference/make_layers.py`. A few small
//! cases are stored; WGVAE_LAYERS names a folder of many large ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use wgvae::model::sequence::{self, Around, Start, Times};
use wgvae::model::{TimesKernel, layers};
use wgvae_engine::exec::gpu::{GpuExecutor, GpuOptions};
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::exec::{Executor, OpenDevice};
use wgvae_engine::graph::{Axis, Graph, Node};
use wgvae_engine::plan::{Attention, Cell, Function, Init, PlanId, Program, Recurrent, StepScalars, TensorId};
use wgvae_engine::session::{LossSpec, PlanSpec, Planned, SessionSpec};
use wgvae_engine::wgsl::Target;

use crate::common;

/// A layer, its sizes and what it is given.
#[derive(Debug, serde::Deserialize)]
struct Case {
    kind: String,
    rows: usize,
    steps: usize,
    channels: usize,
    units: usize,
    vocabulary: usize,
    options: Options,
    /// Whether there are tokens, which also say how long rows are.
    ids: bool,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Options {
    both: bool,
    /// Empty, `state`, `code`, or `code beside` where each time sees it as well.
    start: String,
    heads: usize,
    positions: bool,
    causal: bool,
    code: bool,
    size: usize,
    dilation: usize,
    shift: usize,
}

/// The values of a tensor of either precision.
fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap();
    match tensor.dtype() {
        Dtype::F64 => bytemuck::pod_collect_to_vec(tensor.data()),
        _ => bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data()).into_iter().map(f64::from).collect(),
    }
}

fn rounded(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

impl Case {
    /// What comes in counts as a parameter: its gradient is compared.
    fn taken(&self, g: &mut Graph, name: &str, shape: [usize; 2]) -> Node {
        g.param(name, &shape, Init::Constant(0.0))
    }

    /// The layer's nodes, and what it says of its tokens.
    fn layer(&self, g: &mut Graph, ids: Option<Node>) -> Node {
        let Self { rows, steps, channels, units, vocabulary, .. } = *self;
        let of = &self.options;
        let all = rows * steps;
        let times = ids.map(|ids| Times::of(g, ids));
        let around = |g: &mut Graph| Around { times, code: of.code.then(|| self.taken(g, "z", [rows, 3])) };
        match self.kind.as_str() {
            "gru" | "lstm" => {
                let cell = if self.kind == "gru" { Cell::Gru } else { Cell::Lstm };
                let x = self.taken(g, "x", [all, channels]);
                let start = match of.start.as_str() {
                    "" => Start::Zero,
                    "state" => {
                        let state = self.taken(g, "start", [rows, cell.state() * units]);
                        Start::State { state, z: None }
                    }
                    told => Start::Code { z: self.taken(g, "z", [rows, 3]), each: told == "code beside" },
                };
                let mut directions = Vec::new();
                for reverse in if of.both { vec![false, true] } else { vec![false] } {
                    let layer = Recurrent { cell, reverse, steps: steps as u32 };
                    let with = (start, times.map(|times| times.lengths));
                    directions.push(sequence::recurrent(g, "layer", x, layer, units, with));
                }
                g.beside("both", &directions)
            }
            "attend" => {
                let x = self.taken(g, "x", [all, units]);
                let around = around(g);
                sequence::attend(g, "layer", x, [steps, of.heads], around, of.positions)
            }
            "attention" => {
                let qkv = self.taken(g, "qkv", [all, 3 * units]);
                let layer = Attention { heads: of.heads as u32, causal: of.causal, steps: steps as u32 };
                g.attention("attention", layer, qkv, times.map(|times| times.lengths))
            }
            "conv1d" => {
                let x = self.taken(g, "x", [all, channels]);
                let kernel = TimesKernel { channels: units, size: of.size, dilation: of.dilation };
                let around = around(g);
                sequence::conv1d(g, "layer", x, steps, kernel, around)
            }
            "embed" => sequence::embed(g, "layer", ids.unwrap(), [vocabulary, units], of.shift),
            "cross-entropy" => {
                let x = self.taken(g, "x", [all, units]);
                let (logits, _) = layers::dense(g, "layer", x, vocabulary);
                g.cross_entropy("losses", logits, ids.unwrap())
            }
            "last" => {
                let x = self.taken(g, "x", [all, units]);
                sequence::at_last_token(g, "layer", x, times.unwrap())
            }
            "mean" => {
                let x = self.taken(g, "x", [all, units]);
                sequence::mean(g, "layer", x, steps, times.map(|times| times.is_there))
            }
            other => panic!("no layer {other}"),
        }
    }

    /// The layer and its gradients by a loss whose gradient by what comes out is `d_y`.
    fn plan(&self, unfused: bool) -> Planned {
        let mut g = Graph::default();
        let ids = self.ids.then(|| g.input("ids", [self.rows, self.steps], false));
        let y = self.layer(&mut g, ids);
        let shape = g.shape(y);
        let d_y = g.input("d_y", shape, false);
        let terms = g.map("terms", Function::Multiply, &[y, d_y]);
        let loss = g.reduce("loss", terms, Axis::Columns);
        let one = g.constant(1.0);
        let y = g.named(y, "y");
        let plan = PlanSpec {
            name: "layer".into(),
            graph: g,
            inputs: ids.into_iter().chain([d_y]).collect(),
            outputs: vec![y],
            losses: vec![LossSpec { terms: vec![(loss, one)], group: None }],
            ..PlanSpec::default()
        };
        SessionSpec { plans: vec![plan], unfused, ..SessionSpec::default() }.plan().unwrap()
    }

    /// The largest error of what comes out and of gradients, each relative to the largest value of its tensor.
    fn errors(
        &self,
        file: &SafeTensors<'_>,
        number: usize,
        unfused: bool,
        run: impl FnOnce(Program) -> Executor,
    ) -> [f64; 2] {
        let planned = self.plan(unfused);
        let program = planned.program();
        let arenas = program.arenas.clone().unwrap();
        let mut executor = run(program.clone());
        let tensor = |name: &str| values(file, &format!("{number}.{name}"));
        for name in if self.ids { vec!["ids", "d_y"] } else { vec!["d_y"] } {
            executor.write(planned.input(name).unwrap().0, &rounded(&tensor(name))).unwrap();
        }
        let mut arena = vec![0.0; program.params.arena_len()];
        for param in program.params.iter() {
            let values = rounded(&tensor(&format!("weights.{}", param.name)));
            assert_eq!(values.len(), param.len(), "{self:?}: {}", param.name);
            arena[param.offset..param.offset + param.len()].copy_from_slice(&param.to_arena(&values));
        }
        let prefix = format!("{number}.weights.");
        let stored = file.names().iter().filter(|name| name.starts_with(&prefix)).count();
        assert_eq!(stored, program.params.iter().count(), "{self:?}: another set of parameters");
        executor.write(arenas.weights, &arena).unwrap();
        executor.dispatch(PlanId(0), &StepScalars::default()).unwrap();
        let y = error(&read(&mut executor, planned.output("y").unwrap().0), &tensor("y"));
        let gradients = read(&mut executor, arenas.gradients);
        let mut worst = 0.0;
        for param in program.params.iter() {
            let found = &gradients[param.offset..param.offset + param.len()];
            let expected = tensor(&format!("gradients.{}", param.name));
            let places: Vec<f32> = (0..param.len()).map(|place| place as f32).collect();
            let expected: Vec<f64> = param.to_arena(&places).iter().map(|place| expected[*place as usize]).collect();
            let error = error(found, &expected);
            worst = if error > worst || error.is_nan() { error } else { worst };
        }
        [y, worst]
    }
}

/// What a tensor holds, of the oracle in f64 with all digits.
fn read(executor: &mut Executor, tensor: TensorId) -> Vec<f64> {
    match executor {
        Executor::OracleF64(oracle) => oracle.values(tensor).to_vec(),
        other => other.read(tensor).unwrap().into_iter().map(f64::from).collect(),
    }
}

/// The largest difference relative to the largest value; where the other has no number, nothing is compared.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected).filter(|(_, expected)| !expected.is_nan());
    let (mut off, mut size) = (0.0_f64, 1e-3_f64);
    for (found, expected) in pairs {
        assert!(found.is_finite(), "{found} is no number");
        (off, size) = (off.max((found - expected).abs()), size.max(expected.abs()));
    }
    off / size
}

/// What layers run on, fused or not, and how far it may be off.
const EXECUTORS: [(&str, f64); 5] = [
    // Constants are f32.
    ("oracle in f64, lowered", 1e-6),
    ("oracle in f32", 1e-4),
    ("processor", 1e-4),
    ("processor, lowered", 1e-4),
    ("adapter", 1e-4),
];

/// The largest errors of each layer on each executor, of what comes out and of gradients.
type Worst = BTreeMap<String, [[f64; 2]; EXECUTORS.len()]>;

/// Compares the cases of a file; returns those that are too far off.
fn compare(path: &Path, with_adapter: bool, worst: &mut Worst) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let gpu = if with_adapter { common::gpu() } else { None };
    let mut off = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for (i, (name, most)) in EXECUTORS.into_iter().enumerate() {
            let run = |program: Program| match i {
                0 => Executor::OracleF64(Box::new(Oracle::new(program))),
                1 => Executor::OracleF32(Box::new(Oracle::new(program))),
                2 | 3 => OpenDevice::Cpu.compile(program, &GpuOptions::default()).unwrap(),
                _ => {
                    let gpu = gpu.clone().unwrap();
                    // Half of the cases as another kind of adapter has them.
                    let target = if number % 2 == 0 { gpu.target } else { Target::Gpu };
                    let options = GpuOptions { target: Some(target), ..GpuOptions::default() };
                    Executor::Gpu(Box::new(GpuExecutor::new(gpu, program, &options).unwrap()))
                }
            };
            if i == 4 && gpu.is_none() {
                continue;
            }
            let errors = case.errors(&file, number, i == 0 || i == 3, run);
            if !errors.iter().all(|error| *error <= most) {
                off.push(format!("{case:?} on {name}: off by {errors:?}"));
            }
            let known = &mut worst.entry(case.kind.clone()).or_default()[i];
            *known = [0, 1].map(|part| known[part].max(errors[part]));
        }
    }
    off
}

#[test]
fn layers_of_sequences_are_pytorchs() {
    let mut worst = Worst::new();
    let stored = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/layers.safetensors");
    // On the adapter, shaders of 27 layers would take 20 s; the fixtures of whole models have them, too.
    let mut off = compare(&stored, false, &mut worst);
    assert_eq!(worst.len(), 9);
    if let Some(folder) = std::env::var_os("WGVAE_LAYERS") {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        off.extend(paths.iter().flat_map(|path| compare(path, true, &mut worst)));
        println!("largest errors in {} files, of what comes out and of gradients", paths.len());
        for (kind, errors) in worst {
            for ((name, _), [y, gradients]) in EXECUTORS.iter().zip(errors) {
                println!("{kind:14} {name:24} {y:8.1e} {gradients:8.1e}");
            }
        }
    }
    assert!(off.is_empty(), "{}", off.join("\n"));
}
