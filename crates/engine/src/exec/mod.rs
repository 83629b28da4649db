//! What training requires of an executor, and how the device that runs it is chosen.

mod blocking;
mod caught;
pub mod cpu;
pub mod gpu;
pub mod oracle;
pub mod profile;
mod select;
mod timing;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::plan::{
    BufferId, MetricRows, PlanId, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, Step, StepScalars, TensorId,
};
use cpu::Cpu;
use gpu::{AdapterEntry, AdapterKind, Gpu, GpuError, GpuExecutor, GpuOptions, Needs};
use oracle::{Oracle, Real};

pub use blocking::{list_adapters, select, select_for_shaders};
pub use caught::{catch_panic, panics_are_errors};
pub use select::{DeviceChoice, DeviceError, Selected, WhyCpu, adapter_hint, find, largest_binding};
pub use timing::best_of;

/// A result that the device delivers later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, GpuError>> + 'a>>;

/// Holds a program's tensors and runs its plans.
///
/// The squares of a matrix, summed over its columns:
///
/// ```
/// use wgvae_engine::exec::Execute;
/// use wgvae_engine::exec::cpu::Cpu;
/// use wgvae_engine::graph::{Axis, Graph, Lowering};
/// use wgvae_engine::plan::{Function, PlanId, Program, StepPlan, StepScalars, TensorTable};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut g = Graph::default();
/// let x = g.input("x", [2, 3], false);
/// let squares = g.map("squares", Function::Multiply, &[x, x]);
/// let sums = g.reduce("sums", squares, Axis::Columns);
///
/// let mut tensors = TensorTable::default();
/// let weights = tensors.floats("weights", &[1]); // none of them is used here
/// let (from, to) = (tensors.floats("x", &[2, 3]), tensors.floats("sums", &[2]));
/// let of_weights = tensors.get(weights).buffer;
/// let mut lowering = Lowering::new(tensors, of_weights);
/// let ops = lowering.ops(&g, &[(x, from), (sums, to)], [vec![], vec![]], true)?;
/// let plans = vec![StepPlan { name: "squares".into(), ops }];
/// let mut cpu = Cpu::new(Program { tensors: lowering.tensors, plans, ..Program::default() });
/// cpu.write(from, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// cpu.dispatch(PlanId(0), &StepScalars::default());
/// assert_eq!(cpu.read(to)?, [14.0, 77.0]);
/// # Ok(())
/// # }
/// ```
pub trait Execute {
    /// The program it runs.
    fn program(&self) -> &Program;

    /// Overwrites part of a buffer with words; floats are given as their bits.
    fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError>;

    /// Reads part of a buffer as words.
    fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError>;

    /// Runs one step of a plan with the given scalars.
    fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError>;

    /// Starts up to [`STEPS_PER_SUBMIT`] steps, of one plan or of several; at most [`SUBMITS_IN_FLIGHT`] submits may be uncollected.
    fn submit(&mut self, steps: &[Step]) -> Result<(), GpuError>;

    /// [`Execute::read_at`], for where nobody may wait.
    fn fetch(&mut self, buffer: BufferId, offset: usize, len: usize) -> Pending<'_, Vec<u32>> {
        let words = self.read_at(buffer, offset, len);
        Box::pin(async { words })
    }

    /// [`Execute::collect`], for where nobody may wait.
    fn finished(&mut self) -> Pending<'_, Option<MetricRows>> {
        let rows = self.collect();
        Box::pin(async { rows })
    }

    /// Waits for the oldest submit and returns its metrics; none if nothing was submitted.
    fn collect(&mut self) -> Result<Option<MetricRows>, GpuError>;

    /// Seconds of one step of a plan by the host's clock: the best of as many batches of steps as fit into `patience`, at least one.
    fn step_seconds(&mut self, plan: PlanId, step: &StepScalars, patience: Duration) -> Result<f64, GpuError> {
        best_of(patience, STEPS_PER_SUBMIT, |count| {
            self.submit(&plan.steps(std::iter::repeat_n(*step, count)))?;
            self.collect()?;
            Ok(())
        })
    }

    /// The kernel variants compiled for it; none on the processor.
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

/// The contract of [`Execute::submit`], which is the same on every executor.
fn may_submit(steps: &[Step], uncollected: usize) -> Result<(), GpuError> {
    match steps.len() <= STEPS_PER_SUBMIT && uncollected < SUBMITS_IN_FLIGHT {
        true => Ok(()),
        false => Err(GpuError::Submit { steps: steps.len(), uncollected }),
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

    fn submit(&mut self, steps: &[Step]) -> Result<(), GpuError> {
        may_submit(steps, self.uncollected())?;
        self.submit(steps)
    }

    fn fetch(&mut self, buffer: BufferId, offset: usize, len: usize) -> Pending<'_, Vec<u32>> {
        Box::pin(self.fetch(buffer, offset, len))
    }

    fn finished(&mut self) -> Pending<'_, Option<MetricRows>> {
        Box::pin(self.finished())
    }

    fn collect(&mut self) -> Result<Option<MetricRows>, GpuError> {
        self.collect()
    }

    fn variants(&self) -> Vec<&str> {
        self.variants().collect()
    }
}

/// Implements [`Execute`] for an executor on the host, where nothing can fail.
macro_rules! on_the_host {
    ($executor:ty $(, $number:ident)?) => {
        impl$(<$number: Real>)? Execute for $executor {
            fn program(&self) -> &Program {
                self.program()
            }

            fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) -> Result<(), GpuError> {
                self.write_at(buffer, offset, words);
                Ok(())
            }

            fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
                Ok(<$executor>::read_at(self, buffer, offset, len))
            }

            fn dispatch(&mut self, plan: PlanId, step: &StepScalars) -> Result<(), GpuError> {
                self.dispatch(plan, step);
                Ok(())
            }

            fn submit(&mut self, steps: &[Step]) -> Result<(), GpuError> {
                may_submit(steps, self.uncollected())?;
                self.submit(steps);
                Ok(())
            }

            fn collect(&mut self) -> Result<Option<MetricRows>, GpuError> {
                Ok(self.collect())
            }
        }
    };
}
on_the_host!(Cpu);
on_the_host!(Oracle<T>, T);

/// Any of the executors; dereferences to [`Execute`].
pub enum Executor {
    /// The executor on a device, through wgpu.
    Gpu(Box<GpuExecutor>),
    /// The executor on the processor, which is made for speed.
    Cpu(Box<Cpu>),
    /// The oracle in f32.
    OracleF32(Box<Oracle<f32>>),
    /// The oracle in f64: what errors are measured against.
    OracleF64(Box<Oracle<f64>>),
}

impl std::ops::Deref for Executor {
    type Target = dyn Execute;

    fn deref(&self) -> &Self::Target {
        match self {
            Executor::Gpu(executor) => executor.as_ref(),
            Executor::Cpu(executor) => executor.as_ref(),
            Executor::OracleF32(executor) => executor.as_ref(),
            Executor::OracleF64(executor) => executor.as_ref(),
        }
    }
}

impl std::ops::DerefMut for Executor {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Executor::Gpu(executor) => executor.as_mut(),
            Executor::Cpu(executor) => executor.as_mut(),
            Executor::OracleF32(executor) => executor.as_mut(),
            Executor::OracleF64(executor) => executor.as_mut(),
        }
    }
}

/// The device of a run, as saved in `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Device {
    /// The adapter's name.
    pub name: String,
    /// discrete, integrated, virtual, software, cpu or oracle.
    pub kind: String,
    /// vulkan, metal, dx12, the processor's instruction set, or none.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.driver)
    }
}

impl Device {
    /// The processor.
    pub fn cpu() -> Self {
        let backend = Cpu::instructions().into();
        Self { name: "processor".into(), kind: "cpu".into(), backend, driver: "none".into() }
    }

    /// The oracle.
    pub fn oracle() -> Self {
        let none = || "none".to_string();
        Self { name: "oracle".into(), kind: "oracle".into(), backend: none(), driver: none() }
    }

    /// The choice that takes this device again; none where it is an adapter that is not here.
    pub fn again(&self) -> Option<DeviceChoice> {
        match self.kind.as_str() {
            "cpu" => Some(DeviceChoice::Cpu),
            "oracle" => Some(DeviceChoice::Oracle),
            _ => {
                let entries = list_adapters(&gpu::instance());
                let is_it = |e: &AdapterEntry| e.info.name == self.name && e.info.backend.to_string() == self.backend;
                entries.iter().position(is_it).map(DeviceChoice::Index)
            }
        }
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

/// A device that programs can be compiled for.
///
/// ```
/// use wgvae_engine::exec::OpenDevice;
/// use wgvae_engine::graph::Graph;
/// use wgvae_engine::plan::{Init, Orientation, StepScalars};
/// use wgvae_engine::session::{PlanSpec, Session, SessionSpec};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut g = Graph::default();
/// let x = g.input("x", [2, 3], false);
/// let weight = g.param("weight", &[1, 3], Init::Constant(2.0));
/// let sums = g.product("sums", Orientation::Nt, x, weight);
/// let plan = PlanSpec { name: "apply".into(), graph: g, inputs: vec![x], outputs: vec![sums], ..PlanSpec::default() };
/// let spec = SessionSpec { plans: vec![plan], ..SessionSpec::default() };
/// for device in [OpenDevice::Cpu, OpenDevice::Oracle] {
///     let mut session = Session::build(&spec, &device, 0)?;
///     let (x, sums, apply) = (session.input("x")?, session.output("sums")?, session.plan("apply")?);
///     session.set(x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
///     session.run(apply, &[StepScalars::default()])?;
///     assert_eq!(session.get(sums)?, [12.0, 30.0]);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub enum OpenDevice {
    /// An adapter.
    Adapter(Arc<Gpu>),
    /// The processor.
    Cpu,
    /// The oracle in f32.
    Oracle,
}

impl OpenDevice {
    /// Opens what was selected; an adapter with these limits and features.
    pub async fn request(selected: &Selected, needs: Needs) -> Result<Self, DeviceError> {
        Ok(match selected {
            Selected::Cpu(_) => OpenDevice::Cpu,
            Selected::Oracle => OpenDevice::Oracle,
            Selected::Adapter(entry) => OpenDevice::Adapter(Gpu::request(entry, needs).await?),
        })
    }

    /// The adapter.
    pub fn gpu(&self) -> Option<&Arc<Gpu>> {
        match self {
            OpenDevice::Adapter(gpu) => Some(gpu),
            OpenDevice::Cpu | OpenDevice::Oracle => None,
        }
    }

    /// The device, as a run's record shows it.
    pub fn record(&self) -> Device {
        match self {
            OpenDevice::Adapter(gpu) => Device::of(&gpu.info, gpu.kind),
            OpenDevice::Cpu => Device::cpu(),
            OpenDevice::Oracle => Device::oracle(),
        }
    }

    /// Compiles a program.
    pub async fn prepare(&self, program: Program, options: &GpuOptions) -> Result<Executor, GpuError> {
        Ok(match self {
            OpenDevice::Adapter(gpu) => {
                Executor::Gpu(Box::new(GpuExecutor::request(gpu.clone(), program, options).await?))
            }
            OpenDevice::Cpu => Executor::Cpu(Box::new(Cpu::new(program))),
            OpenDevice::Oracle => Executor::OracleF32(Box::new(Oracle::new(program))),
        })
    }
}
