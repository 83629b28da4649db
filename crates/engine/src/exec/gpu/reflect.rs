//! Reads the bindings and uniforms that a shader declares and compares them with its op, so that a missing, extra or
//! wrongly accessed binding, or a uniform with other offsets, is an error when a plan is compiled.

use naga::valid::{Capabilities, GlobalUse, ModuleInfo, SubgroupOperationSet, ValidationFlags, Validator};

use super::GpuError;
use crate::plan::{Access, Dtype, Field, Op, Pointwise, StepScalars, TensorTable};
use crate::wgsl::Source;

/// How an entry point uses one binding.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot {
    /// A storage buffer.
    Storage {
        /// Bytes of an element: 4, or 16 for `vec4`.
        stride: u32,
        /// The element's scalar type.
        dtype: Dtype,
        /// Declared `read_write`.
        writable: bool,
        /// The entry point reads it.
        reads: bool,
    },
    /// A uniform struct: member names and offsets, and its size.
    Uniform {
        /// The members.
        members: Vec<(String, usize)>,
        /// Bytes.
        size: usize,
    },
}

/// One entry point after its constants are set.
#[derive(Debug, Clone, PartialEq)]
pub struct Reflection {
    /// Invocations of a workgroup.
    pub workgroup: [u32; 3],
    /// Binding number, variable name, use; in order of the numbers.
    pub slots: Vec<(u32, String, Slot)>,
}

/// Parses and validates a kernel's source and sets its constants; the module has one entry point left.
pub fn module(kernel: &str, entry: &str, source: &Source) -> Result<(naga::Module, ModuleInfo), GpuError> {
    let invalid = |reason: String| GpuError::Shader { kernel: kernel.to_string(), reason };
    let parsed = naga::front::wgsl::parse_str(&source.text).map_err(|e| invalid(e.emit_to_string(&source.text)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SHADER_INT64)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::BALLOT)
        .validate(&parsed)
        .map_err(|e| invalid(e.emit_to_string(&source.text)))?;
    let constants = source.constants.iter().map(|(name, value)| (name.to_string(), *value)).collect();
    let (module, info) = naga::back::pipeline_constants::process_overrides(
        &parsed,
        &info,
        Some((naga::ShaderStage::Compute, entry)),
        &constants,
    )
    .map_err(|e| invalid(e.to_string()))?;
    Ok((module.into_owned(), info.into_owned()))
}

impl Reflection {
    /// Reads the only, or the named, entry point.
    pub fn of(kernel: &str, entry: &str, module: &naga::Module, info: &ModuleInfo) -> Result<Self, GpuError> {
        let mismatch = |reason: String| GpuError::Mismatch { kernel: kernel.to_string(), reason };
        let index = module
            .entry_points
            .iter()
            .position(|e| e.name == entry)
            .ok_or_else(|| mismatch(format!("there is no entry point `{entry}`")))?;
        let uses = info.get_entry_point(index);
        let mut slots = Vec::new();
        for (handle, global) in module.global_variables.iter() {
            let used = uses[handle];
            let Some(binding) = global.binding.filter(|_| !used.is_empty()) else {
                continue;
            };
            let name = global.name.clone().unwrap_or_default();
            let ty = &module.types[global.ty].inner;
            let slot = match (global.space, ty) {
                (naga::AddressSpace::Storage { access }, naga::TypeInner::Array { base, stride, .. }) => {
                    let scalar = match module.types[*base].inner {
                        naga::TypeInner::Scalar(scalar) | naga::TypeInner::Vector { scalar, .. } => scalar,
                        _ => return Err(mismatch(format!("`{name}` is not an array of numbers"))),
                    };
                    // A word of 64 bits is a pair of floats: see quads_in_pairs.wgsl.
                    let floats = scalar.kind == naga::ScalarKind::Float || scalar.width == 8;
                    Slot::Storage {
                        stride: *stride,
                        dtype: if floats { Dtype::F32 } else { Dtype::U32 },
                        writable: access.contains(naga::StorageAccess::STORE),
                        reads: used.contains(GlobalUse::READ),
                    }
                }
                (naga::AddressSpace::Uniform, naga::TypeInner::Struct { members, span }) => Slot::Uniform {
                    members: members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset as usize)).collect(),
                    size: *span as usize,
                },
                _ => return Err(mismatch(format!("`{name}` is neither storage nor uniform"))),
            };
            slots.push((binding.binding, name, slot));
        }
        slots.sort_by_key(|(number, ..)| *number);
        Ok(Self { workgroup: module.entry_points[index].workgroup_size, slots })
    }
}

/// The scratch buffer shared by the passes of an op; it belongs to the op, not to the plan.
pub(super) const PARTIAL: &str = "partial";

/// Checks that an op binds exactly what the passes of its shader declare.
pub fn check_op(op: &Op, tensors: &TensorTable, passes: &[&Reflection]) -> Result<(), GpuError> {
    let mismatch =
        |reason: String| Err(GpuError::Mismatch { kernel: format!("{} ({})", op.kernel.name(), op.label), reason });
    let slots = || passes.iter().flat_map(|p| &p.slots);
    for (_, name, slot) in slots().filter(|(_, name, _)| name != PARTIAL) {
        match slot {
            Slot::Storage { stride, dtype, writable, reads } => {
                let Some(bound) = op.bindings.iter().find(|b| b.name == name) else {
                    return mismatch(format!("nothing is bound to `{name}`"));
                };
                let tensor = tensors.get(bound.tensor);
                if tensors.dtype(bound.tensor) != *dtype {
                    return mismatch(format!("`{name}` holds {dtype:?}, {} does not", tensor.name));
                }
                if bound.access.writes() != *writable {
                    return mismatch(format!(
                        "`{name}` is bound as {:?}, but declared {}",
                        bound.access,
                        if *writable { "read_write" } else { "read" }
                    ));
                }
                // A large tile of a product is spilled to an output before it goes through the epilogue.
                let spills = op.kernel.gemm().is_some() && Pointwise::OUT.contains(&name.as_str());
                if bound.access == Access::Write && *reads && !spills {
                    return mismatch(format!("`{name}` is bound to be overwritten, but the shader reads it"));
                }
                let lanes = *stride as usize / 4;
                if !tensor.len().is_multiple_of(lanes) {
                    return mismatch(format!(
                        "`{name}` takes {lanes} elements at a time, but {} has {}",
                        tensor.name,
                        tensor.len()
                    ));
                }
            }
            Slot::Uniform { members, size } => {
                let (fields, bytes): (&[Field], usize) = if name == "step" {
                    (StepScalars::FIELDS, size_of::<StepScalars>())
                } else {
                    match &op.params {
                        Some(block) => (block.fields, block.bytes.len()),
                        None => return mismatch(format!("it has no uniform for `{name}`")),
                    }
                };
                let host: Vec<(String, usize)> = fields.iter().map(|f| (f.name.to_string(), f.offset)).collect();
                if *members != host || *size != bytes {
                    return mismatch(format!(
                        "`{name}` is {members:?} in {size} bytes on the device, {host:?} in {bytes} on the host"
                    ));
                }
            }
        }
    }
    for bound in &op.bindings {
        if !slots().any(|(_, name, _)| name == bound.name) {
            return mismatch(format!("`{}` is bound, but the shader does not use it", bound.name));
        }
    }
    let is_params = |(_, name, slot): &(u32, String, Slot)| matches!(slot, Slot::Uniform { .. }) && name != "step";
    let wants_params = slots().any(is_params);
    if op.params.is_some() && !wants_params {
        return mismatch("it has a uniform that the shader does not use".into());
    }
    Ok(())
}
