//! From an op to a pipeline, its bind group layout and its grid.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::reflect::{self, Reflection, Slot};
use super::{Gpu, GpuError};
use crate::plan::Op;
use crate::wgsl::Source;

/// A compiled kernel variant.
pub(super) struct Compiled {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
    pub reflection: Reflection,
    pub variant: String,
}

/// The key of a compiled kernel variant: two variants of one name differ where a fault was planted.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    variant: String,
    text: String,
    constants: Vec<(&'static str, u64)>,
    checked: bool,
}

/// The compiled variants of a device that some program still has.
#[derive(Default)]
pub(super) struct Pipelines(Mutex<HashMap<Key, Weak<Compiled>>>);

impl Pipelines {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Weak<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets variants that no program has any more.
    pub fn forget_unused(&self) {
        self.all().retain(|_, compiled| compiled.strong_count() > 0);
    }
}

/// A source that another program on the device has compiled, or compiles it.
pub(super) async fn shared(gpu: &Gpu, op: &Op, source: &Source, checked: bool) -> Result<Arc<Compiled>, GpuError> {
    let constants = source.constants.iter().map(|(name, value)| (*name, value.to_bits())).collect();
    let key = Key { variant: source.variant.clone(), text: source.text.clone(), constants, checked };
    if let Some(compiled) = gpu.pipelines.all().get(&key).and_then(Weak::upgrade) {
        return Ok(compiled);
    }
    let compiled = Arc::new(compile(gpu, op, source, checked).await?);
    gpu.pipelines.all().insert(key, Arc::downgrade(&compiled));
    Ok(compiled)
}

/// Compiles a source. Without `checked`, no bounds checks and no loop bounds are added; with it, both are.
async fn compile(gpu: &Gpu, op: &Op, source: &Source, checked: bool) -> Result<Compiled, GpuError> {
    let name = op.kernel.name();
    let (module, info) = reflect::module(&name, op.kernel.entry(), source)?;
    let reflection = Reflection::of(&name, op.kernel.entry(), &module, &info)?;
    let entries: Vec<wgpu::BindGroupLayoutEntry> = reflection
        .slots
        .iter()
        .map(|(binding, name, slot)| wgpu::BindGroupLayoutEntry {
            binding: *binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match slot {
                    Slot::Storage { writable, .. } => wgpu::BufferBindingType::Storage { read_only: !writable },
                    Slot::Uniform { .. } => wgpu::BufferBindingType::Uniform,
                },
                has_dynamic_offset: name == "step",
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let validation = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let layout =
        gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&name), entries: &entries });
    let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(&name),
        bind_group_layouts: &[Some(&layout)],
        ..Default::default()
    });
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(&name),
        source: wgpu::ShaderSource::Wgsl(source.text.as_str().into()),
    };
    let shader = if checked { gpu.device.create_shader_module(descriptor) } else { unchecked(&gpu.device, descriptor) };
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&source.variant),
        layout: Some(&pipeline_layout),
        module: &shader,
        entry_point: Some(op.kernel.entry()),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &source.constants,
            // Every kernel writes shared memory before it reads it.
            zero_initialize_workgroup_memory: checked,
        },
        cache: None,
    });
    if let Some(error) = validation.pop().await {
        return Err(GpuError::Shader { kernel: name, reason: error.to_string() });
    }
    Ok(Compiled { pipeline, layout, reflection, variant: source.variant.clone() })
}

/// Creates a shader module without runtime checks.
#[expect(unsafe_code)]
fn unchecked(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // SAFETY: the sources are this crate's own. Their indices are bounded by the params that op constructors check
    // against tensor shapes, their loops end, and the tests run every registered case of every kernel with all
    // checks on and compare the results with those without.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

/// Workgroups in x, y and z.
pub(super) fn workgroups(gpu: &Gpu, op: &Op, groups: [u64; 3]) -> Result<[u32; 3], GpuError> {
    let most = gpu.capabilities().workgroups;
    let over = groups.into_iter().max().unwrap_or(0);
    if over > u64::from(most) {
        return Err(GpuError::Limit {
            what: format!("{} ({})", op.kernel.name(), op.label),
            needed: over,
            offered: most.into(),
            unit: "workgroups in one dimension",
            adapter: gpu.info.name.clone(),
        });
    }
    Ok(groups.map(|groups| groups as u32))
}
