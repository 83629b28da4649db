//! What training requires of an executor, and how the device that runs it is chosen.

use std::sync::Arc;

use crate::gpu::{self, AdapterEntry, AdapterKind, Gpu, GpuError, GpuExecutor, GpuOptions, Needs};
use crate::oracle::{Oracle, Real};
use crate::plan::{BufferId, PlanId, Program, StepMetrics, StepScalars, TensorId};

/// Holds a program's tensors and runs its plans.
pub trait Execute {
    /// The program it runs.
    fn program(&self) -> &Program;

    /// Overwrites part of a buffer with words; floats are given as their bits.
    fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError>;

    /// Reads part of a buffer as words.
    fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError>;

    /// Runs one step of a plan with the given scalars.
    fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError>;

    /// Starts up to [`crate::plan::STEPS_PER_SUBMIT`] steps; at most two submits may be uncollected.
    fn submit(&mut self, plan: PlanId, steps: &[StepScalars]) -> Result<(), GpuError>;

    /// Waits for the oldest submit and returns its metrics; none if nothing was submitted.
    fn collect(&mut self) -> Result<Option<Vec<StepMetrics>>, GpuError>;

    /// The kernel variants compiled for it; empty on the CPU.
    fn variants(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Overwrites a tensor with floats.
    fn write(&mut self, tensor: TensorId, values: &[f32]) -> Result<(), GpuError> {
        self.write_words(tensor, bytemuck::cast_slice(values))
    }

    /// Overwrites a tensor with words.
    fn write_words(&mut self, tensor: TensorId, words: &[u32]) -> Result<(), GpuError> {
        let t = self.program().tensors.get(tensor);
        let (buffer, offset) = (t.buffer, t.offset);
        self.write_at(buffer, offset, words)
    }

    /// Reads a tensor of floats.
    fn read(&mut self, tensor: TensorId) -> Result<Vec<f32>, GpuError> {
        let t = self.program().tensors.get(tensor);
        let (buffer, offset, len) = (t.buffer, t.offset, t.len());
        let words = self.read_at(buffer, offset, len)?;
        Ok(bytemuck::cast_vec(words))
    }
}

impl Execute for GpuExecutor {
    fn program(&self) -> &Program {
        self.program()
    }

    fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError> {
        self.write_at(buffer, offset, words)
    }

    fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
        self.read_at(buffer, offset, len)
    }

    fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError> {
        self.dispatch(plan, step)
    }

    fn submit(&mut self, plan: PlanId, steps: &[StepScalars]) -> Result<(), GpuError> {
        self.submit(plan, steps)
    }

    fn collect(&mut self) -> Result<Option<Vec<StepMetrics>>, GpuError> {
        self.collect()
    }

    fn variants(&self) -> Vec<&str> {
        self.variants().collect()
    }
}

impl<T: Real> Execute for Oracle<T> {
    fn program(&self) -> &Program {
        self.program()
    }

    fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError> {
        self.write_at(buffer, offset, words);
        Ok(())
    }

    fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
        Ok(Oracle::read_at(self, buffer, offset, len))
    }

    fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError> {
        self.dispatch(plan, step);
        Ok(())
    }

    fn submit(&mut self, plan: PlanId, steps: &[StepScalars]) -> Result<(), GpuError> {
        self.submit(plan, steps);
        Ok(())
    }

    fn collect(&mut self) -> Result<Option<Vec<StepMetrics>>, GpuError> {
        Ok(self.collect())
    }
}

/// Any of the executors; dereferences to [`Execute`].
pub enum Executor {
    /// On a device, through wgpu.
    Gpu(Box<GpuExecutor>),
    /// The CPU in f32.
    OracleF32(Box<Oracle<f32>>),
    /// The CPU in f64: the reference that errors are measured against.
    OracleF64(Box<Oracle<f64>>),
}

impl std::ops::Deref for Executor {
    type Target = dyn Execute;

    fn deref(&self) -> &Self::Target {
        match self {
            Executor::Gpu(executor) => executor.as_ref(),
            Executor::OracleF32(executor) => executor.as_ref(),
            Executor::OracleF64(executor) => executor.as_ref(),
        }
    }
}

impl std::ops::DerefMut for Executor {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Executor::Gpu(executor) => executor.as_mut(),
            Executor::OracleF32(executor) => executor.as_mut(),
            Executor::OracleF64(executor) => executor.as_mut(),
        }
    }
}

/// Which device a user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The best adapter, or the CPU if there is none.
    #[default]
    Auto,
    /// The best adapter that is not a software adapter.
    Gpu,
    /// The best software adapter: one that runs shaders on the CPU, such as lavapipe.
    Software,
    /// The CPU executor, without an adapter.
    Cpu,
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
            "gpu" => DeviceChoice::Gpu,
            "software" => DeviceChoice::Software,
            "cpu" => DeviceChoice::Cpu,
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
        /// What no adapter matches, as a clause.
        wanted: String,
        /// The adapters there are, or how to get one.
        found: String,
    },
    /// The adapter could not be opened or used.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// The device of a run, as saved in `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Device {
    /// The adapter's name.
    pub name: String,
    /// discrete, integrated, virtual, software, or cpu.
    pub kind: String,
    /// vulkan, metal, dx12, or none.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
}

impl Device {
    /// The CPU executor.
    pub fn cpu() -> Self {
        Self { name: "CPU reference".into(), kind: "cpu".into(), backend: "none".into(), driver: "none".into() }
    }

    /// The device of an adapter.
    pub fn of(info: &wgpu::AdapterInfo, kind: AdapterKind) -> Self {
        Self {
            name: info.name.clone(),
            kind: kind.name().into(),
            backend: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        }
    }
}

/// What [`select`] found.
pub enum Selected {
    /// An adapter.
    Adapter(Box<AdapterEntry>),
    /// The CPU, because it was asked for, or because there is no adapter.
    Cpu {
        /// Whether the CPU is used because there is no adapter.
        for_want_of_adapter: bool,
    },
}

/// How to get an adapter where there is none.
pub fn adapter_hint() -> String {
    match std::env::var("WGPU_BACKEND") {
        Ok(backend) if !backend.is_empty() => {
            format!("WGPU_BACKEND={backend} excludes every adapter: unset it, or set it to vulkan, metal or dx12")
        }
        _ => "install a graphics driver with Vulkan, or a software adapter \
              (Debian and Ubuntu: apt-get install mesa-vulkan-drivers; Fedora: dnf install mesa-vulkan-drivers)"
            .into(),
    }
}

/// Finds the requested adapter. `WGPU_BACKEND` limits the adapters, and `WGPU_ADAPTER_NAME` chooses one for `auto`.
pub fn select(choice: &DeviceChoice) -> Result<Selected, DeviceError> {
    if *choice == DeviceChoice::Cpu {
        return Ok(Selected::Cpu { for_want_of_adapter: false });
    }
    let entries = gpu::list(&gpu::instance());
    let named = std::env::var("WGPU_ADAPTER_NAME").ok().filter(|n| !n.is_empty());
    let choice = match (choice, named) {
        (DeviceChoice::Auto, Some(name)) => DeviceChoice::Name(name),
        (choice, _) => choice.clone(),
    };
    let (position, wanted) = match &choice {
        DeviceChoice::Auto if entries.is_empty() => {
            return Ok(Selected::Cpu { for_want_of_adapter: true });
        }
        DeviceChoice::Auto | DeviceChoice::Cpu => (Some(0), String::new()),
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
        Selected::Cpu { .. } => u64::MAX,
        Selected::Adapter(entry) => {
            let limits = entry.adapter.limits();
            limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
        }
    }
}

/// Opens the selected adapter with the limits that a program needs; none where the CPU was selected.
pub fn open_gpu(selected: &Selected, program: &Program, timestamps: bool) -> Result<Option<Arc<Gpu>>, DeviceError> {
    match selected {
        Selected::Cpu { .. } => Ok(None),
        Selected::Adapter(entry) => {
            let needs = Needs { timestamps, ..GpuExecutor::needs(program) };
            Ok(Some(Gpu::open(entry, needs)?))
        }
    }
}

/// Compiles a program for a device, or for the CPU.
pub fn compile(
    gpu: Option<Arc<Gpu>>,
    program: Program,
    options: &GpuOptions,
) -> Result<(Executor, Device), DeviceError> {
    match gpu {
        None => Ok((Executor::OracleF32(Box::new(Oracle::new(program))), Device::cpu())),
        Some(gpu) => {
            let device = Device::of(&gpu.info, gpu.kind);
            Ok((Executor::Gpu(Box::new(GpuExecutor::new(gpu, program, options)?)), device))
        }
    }
}
