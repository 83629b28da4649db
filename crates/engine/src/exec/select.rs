//! Which device runs a program.

use super::gpu::{self, AdapterEntry, AdapterKind, GpuError};

/// The device that a user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU if there is one; else the processor, or for training a software adapter where that is faster.
    #[default]
    Auto,
    /// The best adapter: a GPU if there is one, else a software adapter.
    Adapter,
    /// The best adapter that is not a software adapter.
    Gpu,
    /// The best software adapter: one that runs shaders on the CPU, such as lavapipe.
    Software,
    /// The processor, without an adapter.
    Cpu,
    /// The oracle: the same plans in plain loops, slow, for comparisons.
    Oracle,
    /// The adapter of this number in the list.
    Index(usize),
    /// The first adapter whose name contains this.
    Name(String),
}

impl std::str::FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => DeviceChoice::Auto,
            "adapter" => DeviceChoice::Adapter,
            "gpu" => DeviceChoice::Gpu,
            "software" => DeviceChoice::Software,
            "cpu" => DeviceChoice::Cpu,
            "oracle" => DeviceChoice::Oracle,
            other => match other.parse() {
                Ok(index) => DeviceChoice::Index(index),
                Err(_) => DeviceChoice::Name(other.to_string()),
            },
        })
    }
}

/// Why no device could be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No adapter matches what was asked for.
    #[error("{wanted}; {found}")]
    None {
        /// The demand that no adapter meets, as a clause.
        wanted: String,
        /// The adapters there are, or how to get one.
        found: String,
    },
    /// The adapter could not be opened or used.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// The device that [`find`] found.
pub enum Selected {
    /// An adapter.
    Adapter(Box<AdapterEntry>),
    /// The processor.
    Cpu(WhyCpu),
    /// The oracle.
    Oracle,
}

/// Why the processor was selected.
pub enum WhyCpu {
    /// The user asked for the processor.
    Asked,
    /// The machine has no adapter.
    NoAdapter,
    /// The choice was left to this program, and the only adapter is this software adapter, which training may take instead.
    NoGpu(Box<AdapterEntry>),
}

/// How to get an adapter where there is none.
pub fn adapter_hint() -> String {
    match std::env::var("WGPU_BACKEND") {
        Ok(backend) if !backend.is_empty() => {
            let names: Vec<String> = backend.split(',').map(|name| name.trim().to_lowercase()).collect();
            let unknown = names.iter().find(|name| wgpu::Backends::from_comma_list(name).is_empty());
            let why = match unknown {
                Some(name) => format!("names `{name}`, which is no backend"),
                None if names.iter().all(|name| ["gl", "gles", "opengl", "webgpu"].contains(&name.as_str())) => {
                    "leaves only a backend that this program does not use".to_string()
                }
                None => "excludes every adapter".to_string(),
            };
            format!("WGPU_BACKEND={backend} {why}: unset it, or set it to vulkan, metal or dx12")
        }
        _ => "install a graphics driver with Vulkan, or a software adapter \
              (Debian and Ubuntu: apt-get install mesa-vulkan-drivers; Fedora: dnf install mesa-vulkan-drivers)"
            .into(),
    }
}

/// Finds the requested adapter. `WGPU_BACKEND` limits the adapters, and `WGPU_ADAPTER_NAME` chooses one for `auto` and `adapter`.
pub async fn find(choice: &DeviceChoice) -> Result<Selected, DeviceError> {
    match choice {
        DeviceChoice::Cpu => return Ok(Selected::Cpu(WhyCpu::Asked)),
        DeviceChoice::Oracle => return Ok(Selected::Oracle),
        _ => {}
    }
    let entries = gpu::adapters(&gpu::instance()).await;
    let named = std::env::var("WGPU_ADAPTER_NAME").ok().filter(|n| !n.is_empty());
    let choice = match (choice, named) {
        (DeviceChoice::Auto | DeviceChoice::Adapter, Some(name)) => DeviceChoice::Name(name),
        (choice, _) => choice.clone(),
    };
    let (position, wanted) = match &choice {
        DeviceChoice::Auto => match entries.first() {
            None => return Ok(Selected::Cpu(WhyCpu::NoAdapter)),
            Some(best) if best.kind == AdapterKind::Software => {
                return Ok(Selected::Cpu(WhyCpu::NoGpu(Box::new(best.clone()))));
            }
            Some(_) => (Some(0), String::new()),
        },
        DeviceChoice::Adapter | DeviceChoice::Cpu | DeviceChoice::Oracle => {
            (Some(0), "an adapter was asked for".into())
        }
        DeviceChoice::Gpu => {
            (entries.iter().position(|e| e.kind != AdapterKind::Software), "no adapter is a GPU".to_string())
        }
        DeviceChoice::Software => (
            entries.iter().position(|e| e.kind == AdapterKind::Software),
            "no adapter is a software adapter".to_string(),
        ),
        DeviceChoice::Index(index) => {
            // `4090` may be the number of an adapter, or part of its name.
            let has = |e: &AdapterEntry| e.info.name.contains(&index.to_string());
            let position = (*index < entries.len()).then_some(*index).or_else(|| entries.iter().position(has));
            (position, format!("there is no adapter number {index}, and none has {index} in its name"))
        }
        DeviceChoice::Name(name) => {
            let wanted = name.to_lowercase();
            let has = |e: &AdapterEntry| e.info.name.to_lowercase().contains(&wanted);
            (entries.iter().position(has), format!("no adapter has `{name}` in its name"))
        }
    };
    match position.and_then(|p| entries.get(p)) {
        Some(entry) => Ok(Selected::Adapter(Box::new(entry.clone()))),
        None => Err(DeviceError::None {
            wanted,
            found: if entries.is_empty() {
                format!("this machine has no usable adapter: {}", adapter_hint())
            } else {
                let names: Vec<String> = entries
                    .iter()
                    .enumerate()
                    .map(|(i, e)| format!("{i} {} ({})", e.info.name, e.kind.name()))
                    .collect();
                format!("choose one of: {}", names.join(", "))
            },
        }),
    }
}

/// The largest size of one tensor on that device, in bytes.
pub fn largest_binding(selected: &Selected) -> u64 {
    match selected {
        Selected::Cpu(_) | Selected::Oracle => u64::MAX,
        Selected::Adapter(entry) => {
            let limits = entry.adapter.limits();
            limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
        }
    }
}
