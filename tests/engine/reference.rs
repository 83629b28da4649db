//! Losses, gradients and weights over ten optimiser steps against independent implementations in float64, in JAX and, for
//! images and sequences, in plain PyTorch modules: `tests/reference/make.py`, `make_tables.py`, `make_images.py` and
//! `make_sequences.py`. And convolutions of many shapes against PyTorch's: `make_windows.py`.

use std::path::PathBuf;

use safetensors::SafeTensors;
use wgvae::config::{Config, RowSpec};
use wgvae::model::{DataSpec, Extent, Layer, SizedOperation, TableSpec, Vae, layers};
use wgvae::train::StepSchedule;
use wgvae_engine::exec::gpu::{GpuExecutor, GpuOptions};
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::exec::{Executor, OpenDevice};
use wgvae_engine::graph::{Axis, Graph};
use wgvae_engine::plan::{Activation, ColumnKind, Function, Init, Param, PlanId, Program, StepScalars};
use wgvae_engine::session::{LossSpec, PlanSpec, SessionSpec};
use wgvae_engine::wgsl::Target;

use crate::common;

struct Fixture {
    name: String,
    bytes: Vec<u8>,
    config: Config,
    /// What the rows are, if they are images, texts or series.
    extent: Option<Extent>,
    /// How many classes there are, if the model is conditional.
    classes: usize,
    /// The columns, if the rows are those of a table.
    table: Option<TableSpec>,
    /// Whether values may be missing.
    gaps: bool,
}

fn fixtures() -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut all: Vec<Fixture> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "windows" && stem != "layers"))
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
            let metadata = metadata.metadata().as_ref().unwrap();
            let toml = metadata["config"].clone();
            let sizes = |key: &str| -> Option<Vec<usize>> {
                Some(metadata.get(key)?.split(',').map(|n| n.parse().unwrap()).collect())
            };
            let image = sizes("image").map(|image| Extent::Image(image.try_into().unwrap()));
            let text = sizes("tokens").map(|of| Extent::Tokens { steps: of[0], vocabulary: of[1] });
            let series = sizes("series").map(|of| Extent::Series { steps: of[0], channels: of[1], both: false });
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), toml).unwrap();
            Fixture {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                config: Config::resolve(None, Some(file.path()), toml::Table::new()).unwrap(),
                extent: image.or(text).or(series),
                table: metadata.get("table").map(|text| table(text)),
                gaps: metadata.get("gaps").or(metadata.get("table")).is_some_and(|text| has_gaps(text)),
                classes: metadata.get("classes").map_or(0, |count| count.parse().unwrap()),
                bytes,
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(all.len() >= 52, "fixtures are missing");
    all
}

/// Whether values are missing: `true`, or what a table's columns say.
fn has_gaps(text: &str) -> bool {
    let read: serde_json::Value = serde_json::from_str(text).unwrap();
    read.as_bool().unwrap_or_else(|| read["gaps"].as_bool().unwrap())
}

/// The columns of a fixture of `make_tables.py`.
fn table(text: &str) -> TableSpec {
    let read: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut spec = TableSpec::default();
    for column in read["columns"].as_array().unwrap() {
        let kind = match column["kind"].as_str().unwrap() {
            "number" => ColumnKind::Number,
            "yes-no" => ColumnKind::YesNo,
            "category" => ColumnKind::Category,
            "count" => ColumnKind::Count,
            other => panic!("no kind {other}"),
        };
        let (start, count) = (spec.kinds.len(), column["values"].as_u64().unwrap() as usize);
        spec.kinds.extend(vec![kind; count]);
        spec.log_means.extend(vec![column["log_mean"].as_f64().unwrap() as f32; count]);
        spec.categories.extend((kind == ColumnKind::Category).then_some(start..start + count));
    }
    spec
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    bytemuck::pod_collect_to_vec(tensor.data())
}

/// A parameter's values in the order of the arena; in the fixture they have PyTorch's name, shape and order.
fn of_param(file: &SafeTensors<'_>, what: &str, param: &Param) -> Vec<f32> {
    let name = format!("{what}.{}", param.name);
    assert_eq!(file.tensor(&name).unwrap().shape(), param.shape, "{name}");
    param.to_arena(&floats(file, &name)).into_owned()
}

fn follow(fixture: &Fixture, executor: impl FnOnce(Program) -> Executor) {
    let name = &fixture.name;
    let config = &fixture.config;
    let file = SafeTensors::deserialize(&fixture.bytes).unwrap();
    let x = floats(&file, "x");
    let losses = floats(&file, "losses");
    let shape = file.tensor("x").unwrap().shape().to_vec();
    let (rows, width) = (shape[0], shape[1]);
    let data = DataSpec { train_rows: rows, test_rows: 1, bytes: false };
    // Rows of numbers of a table have intervals behind their values.
    let values = fixture.table.as_ref().map_or(width, |table| table.kinds.len());
    let extent = fixture.extent.unwrap_or(Extent::Flat(values));
    let spec = config
        .vae_spec(RowSpec {
            extent,
            classes: fixture.classes,
            table: fixture.table.clone(),
            missing: fixture.gaps,
            rows,
        })
        .unwrap();
    let vae = Vae::with_given_noise(&spec, &config.train_spec(), data).unwrap();
    let mut executor = executor(vae.program.clone());
    executor.write(vae.train_data, &x).unwrap();
    executor.write(vae.clip, &[1.0]).unwrap();
    for (constant, values) in &vae.constants {
        executor.write(*constant, values).unwrap();
    }
    if let Some(labels) = vae.labels {
        let classes: Vec<u32> = bytemuck::pod_collect_to_vec(file.tensor("classes").unwrap().data());
        executor.write_words(labels.train, &classes).unwrap();
    }
    let params = &vae.program.params;
    let mut arena = vec![0.0; params.arena_len()];
    for param in params.iter() {
        let values = of_param(&file, "weights", param);
        arena[param.offset..param.offset + param.len()].copy_from_slice(&values);
    }
    let stored = file.names().iter().filter(|n| n.starts_with("weights.")).count();
    assert_eq!(stored, params.iter().count(), "{name}: another set of parameters");
    executor.write(vae.weights, &arena).unwrap();

    let schedule = StepSchedule::new(config, rows, 1);
    let noise = floats(&file, "noise");
    let draws = noise.len() / losses.len();
    for (t, expected) in losses.iter().enumerate() {
        if let Some(tensor) = vae.noise {
            executor.write(tensor, &noise[t * draws..(t + 1) * draws]).unwrap();
        }
        let step = StepScalars { shuffle: 0, ..schedule.train(t as u64) };
        executor.dispatch(vae.plans.train, &step).unwrap();
        let loss = common::reported(&mut executor, &vae, &schedule, t as u64).loss;
        let error = (loss / f64::from(*expected) - 1.0).abs();
        assert!(error <= 1e-4, "{name}: step {t} has loss {loss}, the reference {expected}");
        if t == 0 {
            let gradients = executor.read(vae.gradients).unwrap();
            for param in params.iter() {
                let found = &gradients[param.offset..param.offset + param.len()];
                let expected = of_param(&file, "gradients", param);
                if param.has_own_update {
                    assert!(found.iter().chain(&expected).all(|d| *d == 0.0), "{name}: {} has a gradient", param.name);
                    continue;
                }
                let error = distance(found, &expected) / distance(&expected, &vec![0.0; expected.len()]);
                assert!(error <= 1e-4, "{name}: d {} is off by {error:e}", param.name);
            }
        }
    }
    // The error of the weights after ten updates, relative to how far they moved.
    let weights = executor.read(vae.weights).unwrap();
    for param in params.iter() {
        let found = &weights[param.offset..param.offset + param.len()];
        let expected = of_param(&file, "final", param);
        let moved = distance(&expected, &arena[param.offset..param.offset + param.len()]);
        let error = distance(found, &expected) / moved;
        assert!(error <= 1e-3, "{name}: {} ends off by {error:e} of its way", param.name);
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn the_oracle_follows_the_reference() {
    for fixture in fixtures() {
        follow(&fixture, |p| Executor::OracleF32(Box::new(Oracle::new(p))));
        follow(&fixture, |p| Executor::OracleF64(Box::new(Oracle::new(p))));
    }
}

#[test]
fn the_processor_follows_the_reference() {
    for fixture in fixtures() {
        follow(&fixture, |program| OpenDevice::Cpu.compile(program, &GpuOptions::default()).unwrap());
    }
}

#[test]
fn the_adapter_follows_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    for fixture in fixtures() {
        for checked in [false, true] {
            let options = GpuOptions { checked, ..GpuOptions::default() };
            follow(&fixture, |program| {
                let compiled = GpuExecutor::new(gpu.clone(), program, &options).unwrap();
                Executor::Gpu(Box::new(compiled))
            });
        }
    }
}

/// A convolution or a transposed one of `windows.safetensors`, with its gradients.
#[derive(serde::Deserialize)]
struct WindowsCase {
    layer: String,
    image: [usize; 3],
    images: usize,
}

/// Numbers of images with channels first, as they lie here, with channels last; or back.
fn channels(values: &[f32], [outer, inner]: [usize; 2], images: usize) -> Vec<f32> {
    let of =
        |image: &[f32]| (0..inner).flat_map(|i| (0..outer).map(move |o| o * inner + i)).map(|at| image[at]).collect();
    values.chunks(values.len() / images).flat_map(|image| -> Vec<f32> { of(image) }).collect()
}

fn convolve(file: &SafeTensors<'_>, number: usize, case: &WindowsCase, executor: impl Fn(Program) -> Executor) {
    let layer: Layer = case.layer.parse().unwrap();
    let from = Extent::Image(case.image);
    let sized = layer.on(from, Activation::Identity).unwrap();
    let tensor = |name: &str| floats(file, &format!("{number}.{name}"));
    let (pixels, inputs) = from.pixels();
    let (places, outputs) = sized.to.pixels();
    let last = |values: Vec<f32>, channel: usize| {
        channels(&values, [channel, values.len() / channel / case.images], case.images)
    };
    let build = || {
        let mut g = Graph::default();
        let x = g.param("x", &[case.images * pixels, inputs], Init::Constant(0.0));
        let d_y = g.input("d_y", [case.images, places * outputs], false);
        let (y, _) = match sized.operation {
            SizedOperation::Conv(windows) => layers::conv(&mut g, "layer", x, windows, outputs),
            SizedOperation::ConvT(windows) => layers::conv_t(&mut g, "layer", x, windows, None),
            _ => unreachable!(),
        };
        // A loss whose gradient by y is d_y.
        let rows = g.reshape(y, [case.images, places * outputs]);
        let terms = g.map("terms", Function::Multiply, &[rows, d_y]);
        let loss = g.reduce("loss", terms, Axis::Columns);
        let mean = g.constant(1.0 / case.images as f32);
        let loss = LossSpec { terms: vec![(loss, mean)], group: None };
        let name = "layer".into();
        let y = g.named(y, "y");
        PlanSpec { name, graph: g, inputs: vec![d_y], outputs: vec![y], losses: vec![loss], ..PlanSpec::default() }
    };
    let spec = SessionSpec { plans: vec![build()], ..SessionSpec::default() };
    let model = spec.plan().unwrap();
    let program = model.program();
    let arenas = program.arenas.clone().unwrap();
    let mut executor = executor(program.clone());
    // The loss is a mean over images.
    let d_y: Vec<f32> = last(tensor("d_y"), outputs).iter().map(|d| d * case.images as f32).collect();
    executor.write(model.input("d_y").unwrap().0, &d_y).unwrap();
    let params = &program.params;
    let expected_of = |param: &Param, names: [&str; 3]| match param.name.as_str() {
        "x" => last(tensor(names[0]), inputs),
        "layer.weight" => param.to_arena(&tensor(names[1])).into_owned(),
        _ => tensor(names[2]),
    };
    let mut arena = vec![0.0; params.arena_len()];
    for param in params.iter() {
        arena[param.offset..param.offset + param.len()].copy_from_slice(&expected_of(param, ["x", "weight", "bias"]));
    }
    executor.write(arenas.weights, &arena).unwrap();
    executor.dispatch(PlanId(0), &StepScalars::default()).unwrap();
    let compare = |what: &str, found: &[f32], expected: &[f32]| {
        let error = distance(found, expected) / distance(expected, &vec![0.0; expected.len()]).max(1e-3);
        assert!(error <= 1e-5, "{} on {from}: {what} is off by {error:e}", case.layer);
    };
    compare("y", &executor.read(model.output("y").unwrap().0).unwrap(), &last(tensor("y"), outputs));
    let gradients = executor.read(arenas.gradients).unwrap();
    for param in params.iter() {
        let found = &gradients[param.offset..param.offset + param.len()];
        compare(&format!("d_{}", param.name), found, &expected_of(param, ["d_x", "d_weight", "d_bias"]));
    }
}

#[test]
fn convolutions_of_every_shape_are_pytorchs() {
    let bytes =
        std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/windows.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases: Vec<WindowsCase> = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["cases"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let gpu = common::gpu();
    assert!(cases.len() >= 60);
    for (number, case) in cases.iter().enumerate() {
        convolve(&file, number, case, |program| Executor::OracleF64(Box::new(Oracle::new(program))));
        convolve(&file, number, case, |program| OpenDevice::Cpu.compile(program, &GpuOptions::default()).unwrap());
        let Some(gpu) = &gpu else { continue };
        // Half of them each, of convolutions and of transposed ones.
        let target = if number / 2 % 2 == 0 { gpu.target } else { Target::Gpu };
        let options = GpuOptions { target: Some(target), ..GpuOptions::default() };
        convolve(&file, number, case, |program| {
            Executor::Gpu(Box::new(GpuExecutor::new(gpu.clone(), program, &options).unwrap()))
        });
    }
}
