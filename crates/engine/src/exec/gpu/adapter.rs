//! Listing adapters in order of preference, and opening one.

use std::sync::{Arc, Mutex};

use super::GpuError;
use super::kernel::Pipelines;
use crate::exec::caught::catch_panic;
use crate::wgsl::{Capabilities, Target};

/// The name of an adapter in configurations: variants that are fast on one may be slow on another.
pub fn adapter_name(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({})", info.name, info.backend)
}

/// What kind of device an adapter is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A discrete graphics card.
    Discrete,
    /// A GPU integrated with the processor.
    Integrated,
    /// A virtual GPU, or one whose kind is not reported.
    Virtual,
    /// A software renderer on the CPU: lavapipe, WARP, SwiftShader.
    Software,
}

impl AdapterKind {
    /// The name shown to users and written to records.
    pub fn name(self) -> &'static str {
        match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Software => "software",
        }
    }
}

/// An adapter that could be opened.
#[derive(Debug, Clone)]
pub struct AdapterEntry {
    /// wgpu's handle.
    pub adapter: wgpu::Adapter,
    /// Name, driver, backend.
    pub info: wgpu::AdapterInfo,
    /// The kind of device that the adapter is.
    pub kind: AdapterKind,
}

/// A wgpu instance over the backends of this platform; `WGPU_BACKEND` narrows them.
pub fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    wgpu::Instance::new(descriptor)
}

/// Every adapter that can run compute shaders, best first; adapters of one kind stay in the order wgpu lists them.
pub async fn adapters(instance: &wgpu::Instance) -> Vec<AdapterEntry> {
    let mut entries: Vec<AdapterEntry> = instance
        .enumerate_adapters(wgpu::Backends::all())
        .await
        .into_iter()
        .filter(|adapter| adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS))
        .map(|adapter| {
            let info = adapter.get_info();
            let kind = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
                wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => AdapterKind::Virtual,
                wgpu::DeviceType::Cpu => AdapterKind::Software,
            };
            AdapterEntry { adapter, info, kind }
        })
        .collect();
    entries.sort_by_key(|entry| entry.kind);
    entries
}

/// What a program needs of a device: its largest binding and buffer, and optional features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of the largest storage binding.
    pub binding: u64,
    /// Bytes of the largest buffer.
    pub buffer: u64,
    /// Timestamps, where the adapter has them.
    pub timestamps: bool,
}

/// Errors that the device reported outside of any call.
#[derive(Default)]
struct Trouble {
    lost: Option<String>,
    error: Option<GpuError>,
}

/// An open device.
pub struct Gpu {
    /// wgpu's device.
    pub device: wgpu::Device,
    /// The queue of the device.
    pub queue: wgpu::Queue,
    /// The adapter it came from.
    pub info: wgpu::AdapterInfo,
    /// The kind of device that the adapter is.
    pub kind: AdapterKind,
    /// The kind of code that runs fast on the device.
    pub target: Target,
    /// The pipelines that programs on this device have compiled.
    pub(super) pipelines: Pipelines,
    trouble: Arc<Mutex<Trouble>>,
}

impl Gpu {
    /// Opens a device with WebGPU's default limits, raised only where `needs` asks for it.
    pub async fn request(entry: &AdapterEntry, needs: Needs) -> Result<Arc<Gpu>, GpuError> {
        let offered = entry.adapter.limits();
        // Limits on textures may be lower than the defaults, since no kernel uses textures.
        let mut limits = wgpu::Limits::default().or_worse_values_from(&offered);
        for (what, needed, limit, most) in [
            (
                "the largest tensor",
                needs.binding,
                &mut limits.max_storage_buffer_binding_size,
                offered.max_storage_buffer_binding_size,
            ),
            ("the largest buffer", needs.buffer, &mut limits.max_buffer_size, offered.max_buffer_size),
        ] {
            if needed > most {
                return Err(GpuError::Limit {
                    what: what.into(),
                    needed,
                    offered: most,
                    unit: "bytes",
                    adapter: entry.info.name.clone(),
                });
            }
            *limit = needed.max(*limit).min(most);
        }
        let (lanes, offered) = (entry.info.subgroup_min_size, entry.adapter.features());
        let whole = lanes == entry.info.subgroup_max_size && offered.contains(wgpu::Features::SUBGROUP);
        let (target, features) = match (entry.kind, lanes) {
            (AdapterKind::Software, 8) if whole && offered.contains(wgpu::Features::SHADER_INT64) => {
                (Target::Subgroup, wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64)
            }
            (AdapterKind::Software, 4) if whole => (Target::Subgroup4, wgpu::Features::SUBGROUP),
            (AdapterKind::Software, _) => (Target::Simd, wgpu::Features::empty()),
            _ => (Target::Gpu, wgpu::Features::empty()),
        };
        let mut wanted = features;
        wanted.set(wgpu::Features::TIMESTAMP_QUERY, needs.timestamps);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgvae"),
            required_features: wanted & entry.adapter.features(),
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = entry
            .adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| GpuError::Device { adapter: entry.info.name.clone(), reason: error.to_string() })?;
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        let lost = trouble.clone();
        device.set_device_lost_callback(move |reason, message| {
            lock(&lost).lost = Some(format!("{reason:?} {message}").trim().to_string());
        });
        let errors = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let error = match error {
                wgpu::Error::OutOfMemory { source } => GpuError::OutOfMemory(source.to_string()),
                other => GpuError::Refused(other.to_string()),
            };
            lock(&errors).error.get_or_insert(error);
        }));
        Ok(Arc::new(Gpu {
            device,
            queue,
            info: entry.info.clone(),
            kind: entry.kind,
            target,
            pipelines: Pipelines::default(),
            trouble,
        }))
    }

    /// The limits that a kernel must stay within.
    pub fn capabilities(&self) -> Capabilities {
        let limits = self.device.limits();
        Capabilities {
            target: self.target,
            invocations: limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x),
            shared_bytes: limits.max_compute_workgroup_storage_size,
            workgroups: limits.max_compute_workgroups_per_dimension,
            cores: crate::platform::cores() as u32,
            whole_quads: has_whole_quads(&self.info),
        }
    }

    /// An error if anything went wrong since the last call: errors without a scope, or the loss of the device.
    pub fn check(&self) -> Result<(), GpuError> {
        let mut trouble = lock(&self.trouble);
        if let Some(reason) = &trouble.lost {
            return Err(GpuError::Lost(reason.clone()));
        }
        match trouble.error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits until a submission is done.
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        // wgpu panics where the driver reports the loss inside this call.
        let poll = || self.device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None });
        match catch_panic(poll) {
            Some(Ok(_)) => self.check(),
            Some(Err(error)) => Err(GpuError::Lost(error.to_string())),
            None => Err(GpuError::Lost("the driver reported it while waiting".into())),
        }
    }
}

/// Whether an adapter is an llvmpipe that loads neighbouring quads as vectors. Mesa 25.0 has one that does, and the one
/// of Mesa 22.3 goes through them float by float; versions between them were not at hand.
fn has_whole_quads(info: &wgpu::AdapterInfo) -> bool {
    let version = info.driver_info.strip_prefix("Mesa ").and_then(|version| version.split('.').next()?.parse().ok());
    info.driver == "llvmpipe" && version.is_some_and(|version: u32| version >= 25)
}

fn lock(trouble: &Mutex<Trouble>) -> std::sync::MutexGuard<'_, Trouble> {
    trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
