//! Random shapes, files and configurations give correct numbers or an error message, never a panic.

use proptest::prelude::*;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use wgvae::config::{Config, keys};
use wgvae::data::Dataset;
use wgvae::train::StepSchedule;
use wgvae_engine::conformance;
use wgvae_engine::conformance::case::{Case, Fill, Tolerance};
use wgvae_engine::exec::Execute;
use wgvae_engine::exec::gpu::{GpuError, GpuExecutor, GpuOptions};
use wgvae_engine::kernels::{Body, gemm};
use wgvae_engine::plan::{
    Activation, Call, Dtype, Function, Index, Input, Orientation, PlanId, Pointwise, StepScalars, StoredValue, Value,
};
use wgvae_engine::wgsl::Target;

use crate::common;

/// What has failed once is tried again first: its seed is kept in a file beside this one, to be committed.
fn finds() -> Option<Box<dyn FailurePersistence>> {
    Some(Box::new(FileFailurePersistence::WithSource("regressions")))
}

/// One case with a layer's forward, d_input and d_weight products at given sizes.
fn layer(batch: usize, inputs: usize, outputs: usize, accumulate: bool) -> Case {
    let sums = Tolerance::Relative(2e-5);
    let mut case = Case::new(format!("{batch}x{inputs}x{outputs}"), StepScalars::default());
    let x = case.input("x", &[batch, inputs], Dtype::F32, Fill::Spread(1.0));
    let w = case.input("w", &[outputs, inputs], Dtype::F32, Fill::Spread(1.0));
    let bias = case.input("bias", &[outputs], Dtype::F32, Fill::Spread(1.0));
    let d_y = case.input("d_y", &[batch, outputs], Dtype::F32, Fill::Spread(1.0));
    let y = case.output("y", &[batch, outputs], sums);
    let d_x = case.output("d_x", &[batch, inputs], sums);
    let d_w = case.updated("d_w", &[outputs, inputs], Fill::Spread(1.0), sums);
    let d_b = case.output("d_b", &[outputs], sums);
    let store = |value, accumulate| vec![StoredValue { value, binding: 0, index: Index::Whole, accumulate }];
    let call = |function, arguments: &[Value]| Call { function, arguments: arguments.to_vec() };
    let result = |call| Value::Result { call, index: 0 };
    let forward = Pointwise {
        calls: vec![call(Function::Activate(Activation::Elu), &[Value::Product(0)])],
        stores: store(result(0), false),
        ..Pointwise::default()
    };
    let back = Pointwise {
        inputs: vec![Input { binding: 0, index: Index::Whole }],
        calls: vec![
            call(Function::Slope(Activation::Tanh), &[Value::Input(0)]),
            call(Function::Multiply, &[Value::Product(0), result(0)]),
        ],
        stores: store(result(1), false),
        ..Pointwise::default()
    };
    let gradient = Pointwise { stores: store(Value::Product(0), accumulate), ..Pointwise::default() };
    case.op(|t| {
        let mut op = gemm::product(t, "forward", Orientation::Nt, [x, w, y])?;
        gemm::add_bias(t, &mut op, bias)?;
        gemm::set_epilogue(t, &mut op, Body { program: forward, writes: vec![y], ..Body::default() })?;
        Ok(op)
    });
    case.op(|t| {
        let mut op = gemm::product(t, "d_input", Orientation::Nn, [d_y, w, d_x])?;
        gemm::set_epilogue(t, &mut op, Body { program: back, reads: vec![x], writes: vec![d_x], sums: Vec::new() })?;
        Ok(op)
    });
    case.op(|t| {
        let mut op = gemm::product(t, "d_weight", Orientation::Tn, [d_y, x, d_w])?;
        gemm::add_row_sum(t, &mut op, d_b)?;
        gemm::set_epilogue(t, &mut op, Body { program: gradient, writes: vec![d_w], ..Body::default() })?;
        Ok(op)
    });
    case
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: finds(), ..ProptestConfig::default() })]

    #[test]
    fn layers_of_any_size_agree_with_the_oracle(
        batch in 1_usize..150, inputs in 1_usize..150, outputs in 1_usize..150,
        accumulate in any::<bool>(), tiles in any::<bool>(), checked in any::<bool>(),
    ) {
        let case = layer(batch, inputs, outputs, accumulate);
        let options = GpuOptions {
            checked,
            target: tiles.then_some(Target::Gpu),
            ..GpuOptions::default()
        };
        for device in common::devices() {
            if let Err(error) = conformance::check_case(&device, &case, &options) {
                prop_assert!(false, "{} on {}: {error}", case.name, device.record().name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: finds(), ..ProptestConfig::default() })]

    #[test]
    fn any_idx_file_is_read_or_refused(
        rank in 0_u8..5, extents in prop::collection::vec(0_u32..40, 0..5), bytes in prop::collection::vec(any::<u8>(), 0..200),
        raw in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut file = if raw { Vec::new() } else { vec![0, 0, 8, rank] };
        file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
        file.extend(&bytes);
        for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"] {
            std::fs::write(folder.path().join(name), &file).unwrap();
        }
        match Dataset::load(folder.path().to_str().unwrap()) {
            Ok(data) => prop_assert!(data.train.rows > 0),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn any_configuration_is_taken_or_refused(
        key in prop::sample::select(keys::all().collect::<Vec<_>>()),
        value in "(-?[0-9]{1,22}|-?[0-9.]{1,6}|nan|inf|\"[a-z]{0,6}\"|\\[[0-9, ]{0,12}\\]|true|\\PC{0,8})",
    ) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[{}]\n{} = {value}\n", key.section.name(), key.name)).unwrap();
        match Config::resolve(None, Some(file.path()), toml::Table::new()) {
            Ok(config) => {
                prop_assert!(config.to_toml().is_ok());
                let schedule = StepSchedule::new(&config, 60_000, 100);
                let last = schedule.train(schedule.total() - 1);
                prop_assert!(last.values.iter().all(|value| value.is_finite()) && last.offset < 60_000);
                prop_assert!(schedule.epochs() > 0);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty() && !error.to_string().contains('\n')),
        }
    }

    #[test]
    fn any_source_is_made_or_refused(options in "[a-z=,.0-9-]{0,20}") {
        for kind in ["points", "strokes"] {
            // Limits the random count of examples, to keep the test fast.
            let _ = Dataset::load(format!("{kind}:{options},count=3").as_str());
        }
    }
}

/// After the device is lost, every call returns an error and none hangs.
#[test]
fn a_lost_device_is_an_error() {
    if common::gpu().is_none() {
        return;
    }
    let entry = wgvae_engine::exec::list_adapters(&wgvae_engine::exec::gpu::instance()).remove(0);
    let gpu = wgvae_engine::exec::gpu::Gpu::open(&entry, Default::default()).unwrap();
    let case = layer(4, 4, 4, false);
    let mut executor = GpuExecutor::new(gpu.clone(), case.program.clone(), &GpuOptions::default()).unwrap();
    let step = PlanId(0).steps([StepScalars::default()]);
    Execute::submit(&mut executor, &step).unwrap();
    executor.collect().unwrap();
    gpu.device.destroy();
    let lost = |result: Result<(), GpuError>| matches!(result, Err(GpuError::Lost(_)));
    let submitted = Execute::submit(&mut executor, &step);
    let collected = executor.collect().map(|_| ());
    assert!(lost(submitted.clone()) || lost(collected.clone()), "{submitted:?} {collected:?}");
    let buffer = case.program.tensors.get(case.outputs[0].0).buffer;
    let read = executor.read_at(buffer, 0, 4).map(|_| ());
    assert!(lost(read.clone()), "{read:?}");
}

/// A program too large for the adapter is refused before anything is allocated.
#[test]
fn a_model_too_large_for_the_adapter_is_refused() {
    let Some(_) = common::gpu() else { return };
    let entry = wgvae_engine::exec::list_adapters(&wgvae_engine::exec::gpu::instance()).remove(0);
    let offered = entry.adapter.limits().max_storage_buffer_binding_size;
    let needs = wgvae_engine::exec::gpu::Needs { binding: offered + 4, buffer: offered + 4, timestamps: false };
    match wgvae_engine::exec::gpu::Gpu::open(&entry, needs) {
        Err(GpuError::Limit { needed, .. }) => assert_eq!(needed, offered + 4),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}
