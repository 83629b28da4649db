//! Shader sources: every rendered variant is valid, translates to SPIR-V, MSL and HLSL, stays within WebGPU's default
//! limits, and matches its op; an op that does not match is refused.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use crate::common::variants::{each_source, ops, sources_for};
use naga::back::{hlsl, msl, spv};
use wgvae_engine::conformance::cases;
use wgvae_engine::exec::gpu::{GpuError, Reflection, check_op, module};
use wgvae_engine::plan::{Access, Family, Field, Function, Op, ParamsBlock, TensorTable};
use wgvae_engine::wgsl::{self, Target, TuningTable};

/// A variant of a kernel, parsed and found valid.
struct Variant<'a> {
    op: &'a Op,
    source: &'a wgsl::Source,
    module: naga::Module,
    info: naga::valid::ModuleInfo,
}

/// One test, since parsing takes half of the time that it needs.
#[test]
fn every_variant_translates_stays_within_limits_and_has_no_unrolled_loop() {
    let mut loops = 0;
    each_source(|op, source| {
        let (module, info) =
            module(&op.kernel.name(), op.kernel.entry(), source).unwrap_or_else(|e| panic!("{}: {e}", source.variant));
        let variant = Variant { op, source, module, info };
        variant.translates_to_every_backend();
        variant.stays_within_webgpus_default_limits();
        loops += variant.has_no_loop_that_ends_at_a_uniform_alone();
    });
    assert!(loops > 100, "only {loops} loops");
}

impl Variant<'_> {
    fn translates_to_every_backend(&self) {
        let Self { op, source, module, info } = self;
        let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
        let spirv = spv::write_vec(module, info, &options, None);
        assert!(spirv.is_ok_and(|w| w.len() > 100), "SPIR-V of {}", source.variant);

        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..msl::Options::default() };
        let metal = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
        let metal = metal.unwrap_or_else(|e| panic!("MSL of {}: {e}", source.variant));
        assert!(metal.0.contains("kernel void"), "MSL of {}", source.variant);
        assert!(metal.1.entry_point_names.iter().all(Result::is_ok), "MSL of {}", source.variant);

        let mut text = String::new();
        let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..hlsl::Options::default() };
        let pipeline = hlsl::PipelineOptions::default();
        let mut writer = hlsl::Writer::new(&mut text, &options, &pipeline);
        let reflected = writer.write(module, info, None).unwrap_or_else(|e| panic!("HLSL of {}: {e}", source.variant));
        let names: Vec<_> = reflected.entry_point_names.iter().flatten().collect();
        assert_eq!(names.len(), 1, "HLSL of {}", source.variant);
        assert!(names[0].starts_with(op.kernel.entry()), "HLSL of {} is called {names:?}", source.variant);
        assert!(text.contains("numthreads"), "HLSL of {}", source.variant);
    }

    fn stays_within_webgpus_default_limits(&self) {
        let Self { op, source, module, info } = self;
        let limits = wgpu::Limits::default();
        let name = &source.variant;
        let reflection = Reflection::of(&op.kernel.name(), op.kernel.entry(), module, info).unwrap();
        let storage = reflection
            .slots
            .iter()
            .filter(|(_, _, slot)| matches!(slot, wgvae_engine::exec::gpu::Slot::Storage { .. }))
            .count();
        assert!(storage as u32 <= limits.max_storage_buffers_per_shader_stage, "{name}: {storage}");
        let invocations: u32 = reflection.workgroup.iter().product();
        assert!(invocations <= limits.max_compute_invocations_per_workgroup, "{name}");
        assert!(invocations.is_power_of_two(), "{name}: the tree sums need a power of two");
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, g)| g.space == naga::AddressSpace::WorkGroup)
            .map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(shared <= limits.max_compute_workgroup_storage_size, "{name}: {shared} bytes");
    }

    /// lavapipe compiles uniforms that are loop bounds into the shader as constants; if the loop then unrolls, it compiles
    /// again at every dispatch.
    fn has_no_loop_that_ends_at_a_uniform_alone(&self) -> usize {
        let Self { source, module, .. } = self;
        let mut loops = 0;
        let entries = module.entry_points.iter().map(|e| &e.function);
        for function in entries.chain(module.functions.iter().map(|(_, f)| f)) {
            let mut conditions = Vec::new();
            loop_conditions(&function.body, &mut conditions);
            loops += conditions.len();
            for condition in conditions {
                let (uniform, unknown) = made_of(module, function, condition);
                assert!(!uniform || unknown, "{}: {:?}", source.variant, function.expressions[condition]);
            }
        }
        loops
    }
}

/// Pipelines are kept by the names of variants: two texts of one name would be one pipeline.
#[test]
fn a_variants_name_says_all_that_is_compiled_in() {
    for target in Target::ALL {
        let mut texts = std::collections::HashMap::new();
        for (op, _) in ops() {
            for source in sources_for(&op, target) {
                let text = texts.entry(source.variant.clone()).or_insert_with(|| source.text.clone());
                assert!(*text == source.text, "{target:?}: {} is two shaders", source.variant);
            }
        }
    }
}

/// Whether an expression, followed through local variables, reads a uniform, and whether it reads anything that no
/// compiler can treat as a constant (built-in inputs, storage, calls).
fn made_of(module: &naga::Module, function: &naga::Function, from: naga::Handle<naga::Expression>) -> (bool, bool) {
    let (mut uniform, mut unknown) = (false, false);
    let (mut seen, mut open) = (HashSet::new(), vec![from]);
    while let Some(handle) = open.pop() {
        if !seen.insert(handle) {
            continue;
        }
        match &function.expressions[handle] {
            naga::Expression::FunctionArgument(_) | naga::Expression::CallResult(_) => unknown = true,
            naga::Expression::GlobalVariable(global) => match module.global_variables[*global].space {
                // Private variables hold copies of the uniform.
                naga::AddressSpace::Uniform | naga::AddressSpace::Private => uniform = true,
                _ => unknown = true,
            },
            naga::Expression::LocalVariable(local) => {
                open.extend(function.local_variables[*local].init);
                each_store(&function.body, &mut |pointer, value| {
                    if let naga::Expression::LocalVariable(stored) = function.expressions[pointer] {
                        open.extend((stored == *local).then_some(value));
                    }
                });
            }
            naga::Expression::Load { pointer } => open.push(*pointer),
            naga::Expression::AccessIndex { base, .. } => open.push(*base),
            naga::Expression::Access { base, index } => open.extend([*base, *index]),
            naga::Expression::Unary { expr, .. } | naga::Expression::As { expr, .. } => open.push(*expr),
            naga::Expression::Binary { left, right, .. } => open.extend([*left, *right]),
            naga::Expression::Math { arg, arg1, arg2, .. } => {
                open.extend([Some(*arg), *arg1, *arg2].into_iter().flatten())
            }
            _ => {}
        }
    }
    (uniform, unknown)
}

type Visit<'a> = &'a mut dyn FnMut(naga::Handle<naga::Expression>, naga::Handle<naga::Expression>);

fn blocks(statement: &naga::Statement) -> Vec<&naga::Block> {
    match statement {
        naga::Statement::Block(block) => vec![block],
        naga::Statement::If { accept, reject, .. } => vec![accept, reject],
        naga::Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}

fn each_store(block: &naga::Block, visit: Visit<'_>) {
    for statement in block {
        if let naga::Statement::Store { pointer, value } = statement {
            visit(*pointer, *value);
        }
        blocks(statement).into_iter().for_each(|block| each_store(block, visit));
    }
}

/// The conditions of all loops of a block, `for` or `while`.
fn loop_conditions(block: &naga::Block, found: &mut Vec<naga::Handle<naga::Expression>>) {
    for statement in block {
        if let naga::Statement::Loop { body, .. } = statement {
            found.extend(body.iter().find_map(|inside| match inside {
                naga::Statement::If { condition, reject, .. }
                    if matches!(reject.iter().next(), Some(naga::Statement::Break)) =>
                {
                    Some(*condition)
                }
                _ => None,
            }));
        }
        blocks(statement).into_iter().for_each(|block| loop_conditions(block, found));
    }
}

#[test]
fn every_op_of_the_registry_agrees_with_its_shader() {
    for (op, tensors) in ops() {
        for target in Target::ALL {
            let passes = reflect(&op, target);
            check_op(&op, &tensors, &passes.iter().collect::<Vec<_>>()).unwrap();
        }
    }
}

#[test]
fn every_function_has_a_case_of_its_own() {
    let cases = cases();
    for function in Function::all() {
        let name = format!("/{} ", function.signature().name);
        assert!(cases.iter().any(|case| case.name.contains(&name)), "{function:?}");
    }
}

/// The shader, host side and oracle of a family have the same file stem; libraries of functions have no host side.
#[test]
fn every_family_has_its_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for family in Family::ALL {
        let stem = family.name();
        let shader = ["wgsl", "wgsl.jinja"].iter().any(|ext| root.join(format!("shaders/{stem}.{ext}")).is_file());
        assert!(shader, "shaders/{stem}");
        let library = [Family::Activation, Family::Latent, Family::Likelihood].contains(&family);
        let host = root.join(format!("crates/engine/src/kernels/{stem}.rs")).is_file()
            || root.join(format!("crates/engine/src/kernels/{stem}/mod.rs")).is_file();
        assert!(library || host, "kernels/{stem}");
        let oracle = if family == Family::Map { "pointwise" } else { stem };
        assert!(root.join(format!("crates/engine/src/exec/oracle/{oracle}.rs")).is_file(), "oracle/{stem}");
        assert!(cases().iter().any(|c| c.name.starts_with(&format!("{stem}/"))), "{stem} has no cases");
    }
}

fn reflect(op: &Op, target: Target) -> Vec<Reflection> {
    let sources = wgsl::sources(op, target, &TuningTable::default());
    let reflection = |source| {
        let (module, info) = module(&op.kernel.name(), op.kernel.entry(), source).unwrap();
        Reflection::of(&op.kernel.name(), op.kernel.entry(), &module, &info).unwrap()
    };
    sources.iter().map(reflection).collect()
}

/// The reason why a changed op of the registry is refused.
fn refusal(case: &str, change: impl FnOnce(&mut Op, &mut TensorTable)) -> String {
    let case = cases().into_iter().find(|c| c.name == case).unwrap();
    let mut tensors = case.program.tensors.clone();
    let mut op = case.program.plans[0].ops[0].clone();
    let passes = reflect(&op, Target::Simd);
    let passes: Vec<&Reflection> = passes.iter().collect();
    check_op(&op, &tensors, &passes).unwrap();
    change(&mut op, &mut tensors);
    match check_op(&op, &tensors, &passes) {
        Err(GpuError::Mismatch { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

const CASE: &str = "reduce/rows 9 of [64, 1]";

#[test]
fn a_missing_binding_is_refused() {
    let reason = refusal(CASE, |op, _| {
        op.bindings.retain(|b| b.name != "total1");
    });
    assert!(reason.contains("nothing is bound to `total1`"), "{reason}");
}

#[test]
fn an_extra_binding_is_refused() {
    let reason = refusal(CASE, |op, tensors| {
        let extra = tensors.floats("extra", &[4]);
        *op = op.clone().read("matrix2", extra);
    });
    assert!(reason.contains("`matrix2` is bound, but"), "{reason}");
}

#[test]
fn a_wrong_access_is_refused() {
    let reason = refusal(CASE, |op, _| op.bindings[0].access = Access::Write);
    assert!(reason.contains("declared read"), "{reason}");
    let reason = refusal(CASE, |op, _| op.bindings[1].access = Access::Read);
    assert!(reason.contains("declared read_write"), "{reason}");
    let reason = refusal("optimizer/sgd 64", |op, _| {
        for binding in &mut op.bindings {
            if binding.access == Access::ReadWrite {
                binding.access = Access::Write;
            }
        }
    });
    assert!(reason.contains("but the shader reads it"), "{reason}");
}

#[test]
fn a_wrong_element_type_is_refused() {
    let reason = refusal(CASE, |op, tensors| {
        op.bindings[0].tensor = tensors.words("words", &[9, 64]);
    });
    assert!(reason.contains("`matrix0` holds F32, words does not"), "{reason}");
}

#[test]
fn a_length_that_vectors_do_not_divide_is_refused() {
    let reason = refusal("optimizer/sgd 64", |op, tensors| {
        op.bindings[0].tensor = tensors.floats("odd", &[63]);
    });
    assert!(reason.contains("takes 4 elements at a time"), "{reason}");
}

#[test]
fn a_params_struct_that_differs_is_refused() {
    const SWAPPED: &[Field] =
        &[Field::of("cols0", 0), Field::of("rows", 4), Field::of("cols1", 8), Field::of("cols2", 12)];
    let reason = refusal(CASE, |op, _| {
        let bytes = op.params.as_ref().unwrap().bytes.clone();
        op.params = Some(ParamsBlock { fields: SWAPPED, bytes });
    });
    assert!(reason.contains("on the device"), "{reason}");
    let reason = refusal(CASE, |op, _| op.params = None);
    assert!(reason.contains("no uniform"), "{reason}");
}

/// The modules of a package by their paths, each with those that its text names, tests left out. Parents and children of a module are
/// no dependencies.
fn modules(root: &Path) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
        }
    }
    let mut found = Vec::new();
    files(root, &mut found);
    let path_of = |file: &Path| -> Vec<String> {
        let path = file.strip_prefix(root).unwrap().with_extension("");
        let mut path: Vec<String> = path.iter().map(|part| part.to_str().unwrap().to_string()).collect();
        path.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        path
    };
    let texts: BTreeMap<Vec<String>, String> = found
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            (
                path_of(file),
                code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"),
            )
        })
        .collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names_of = |module: &Vec<String>, text: &str| -> BTreeSet<Vec<String>> {
        let mut named = BTreeSet::new();
        let mut resolve = |parts: &[&str]| {
            let mut at = if parts[0] == "crate" { Vec::new() } else { module.clone() };
            let ups = parts.iter().take_while(|part| **part == "super").count();
            at.truncate(at.len().saturating_sub(ups));
            for part in parts.iter().skip(ups.max(1)).map(|part| part.to_string()) {
                let below = [at.as_slice(), &[part]].concat();
                if !texts.contains_key(&below) {
                    break;
                }
                at = below;
            }
            if !module.starts_with(&at) && !at.starts_with(module) {
                named.insert(at);
            }
        };
        for start in ["crate::", "super::", "self::"] {
            for (place, _) in text.match_indices(start) {
                if text[..place].ends_with(|c| is_word(c) || c == ':' || c == '$') {
                    continue;
                }
                let path = text[place..].split(|c| !is_word(c) && c != ':').next().unwrap();
                let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
                resolve(&parts);
                if let Some(group) = text[place + path.len()..].strip_prefix('{') {
                    // Only the first names in the braces: none of the imports has braces in braces.
                    for name in group.split('}').next().unwrap().split(',') {
                        resolve(&[&parts[..], &[name.trim().split("::").next().unwrap()]].concat());
                    }
                }
            }
        }
        named
    };
    texts.iter().map(|(module, text)| (module.clone(), names_of(module, text))).collect()
}

/// Modules whose dependencies have all been taken away are taken away, until none is left, or a circle.
#[test]
fn no_module_depends_on_itself() {
    for root in ["src", "crates/engine/src", "crates/data/src"] {
        let mut left = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root));
        assert!(left.len() > 30 && left.values().any(|named| named.len() > 3), "{left:?}");
        loop {
            let free: Vec<_> =
                left.iter().filter(|(_, named)| named.is_empty()).map(|(module, _)| module.clone()).collect();
            if free.is_empty() {
                break;
            }
            for module in &free {
                left.remove(module);
            }
            left.values_mut().for_each(|named| named.retain(|module| !free.contains(module)));
        }
        assert!(left.is_empty(), "in {root} these depend on each other, or on those that do: {left:#?}");
    }
}
