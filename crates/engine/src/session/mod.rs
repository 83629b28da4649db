//! A session: plans over one arena of parameters, on a device.
//!
//! Graphs say what is computed, and a [`SessionSpec`] what is written and read, what is minimised, and which optimiser updates which
//! parameters. The front page of this crate fits a line.

mod initial;
mod spec;

use std::ops::{Deref, DerefMut};

use crate::exec::gpu::{GpuError, GpuOptions};
use crate::exec::{Device, DeviceError, Execute, Executor, OpenDevice};
use crate::kernels::rng::{Stream, key};
use crate::plan::{
    MetricRows, PlanError, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, ScalarId, Step, StepScalars, TensorId,
};
use spec::Names;

pub use initial::initial_weights;
pub use spec::{LossSpec, PlanSpec, Planned, SessionSpec};

/// What the outside writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputHandle(pub TensorId);

/// What the outside reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputHandle(pub TensorId);

/// A plan of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanHandle(usize);

/// A metric: its column of [`MetricRows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricHandle(pub usize);

/// Why a session could not be built, or a step not run.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The graphs cannot be planned, or what was written does not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The session has nothing of that name.
    #[error("the session has no {what} `{name}`; it has {known}")]
    Unknown {
        /// What was looked for: an input, a plan, ...
        what: &'static str,
        /// Its name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A state of another session.
    #[error("the state has {found} {what}, and the session {needed}: it is of another session")]
    State {
        /// What differs in number: moments, groups, ...
        what: &'static str,
        /// How many the state has.
        found: usize,
        /// How many the session has.
        needed: usize,
    },
}

impl From<GpuError> for SessionError {
    fn from(error: GpuError) -> Self {
        SessionError::Device(error.into())
    }
}

/// All that a session needs to go on elsewhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionState {
    /// `(L)`: the parameters.
    pub weights: Vec<f32>,
    /// `(L)` each: the moments of the optimisers.
    pub moments: Vec<Vec<f32>>,
    /// Updates of each group.
    pub updates: Vec<u64>,
    /// Steps of each plan.
    pub steps: Vec<u64>,
}

/// Plans on a device. It dereferences to its executor, for tensors that it has no name for.
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
/// let mut session = Session::build(&spec, &OpenDevice::Cpu, 0)?;
/// let (x, sums, apply) = (session.input("x")?, session.output("sums")?, session.plan("apply")?);
/// session.set(x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// session.run(apply, &[StepScalars::default()])?;
/// assert_eq!(session.get(sums)?, [12.0, 30.0]);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    executor: Executor,
    device: OpenDevice,
    options: GpuOptions,
    names: Names,
    seed: u64,
    updates: Vec<u64>,
    steps: Vec<u64>,
}

impl Deref for Session {
    type Target = dyn Execute;

    fn deref(&self) -> &Self::Target {
        &*self.executor
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.executor
    }
}

impl Session {
    /// Plans and compiles everything. The seed gives the initial parameters and the random numbers of steps.
    pub fn build(spec: &SessionSpec, device: &OpenDevice, seed: u64) -> Result<Self, SessionError> {
        Self::build_with(spec, device, &GpuOptions::default(), seed)
    }

    /// [`Session::build`], with options for the device.
    pub fn build_with(
        spec: &SessionSpec,
        device: &OpenDevice,
        options: &GpuOptions,
        seed: u64,
    ) -> Result<Self, SessionError> {
        Self::of_planned(spec.plan()?, device, options, seed)
    }

    /// Compiles what was planned before.
    pub fn of_planned(
        planned: Planned,
        device: &OpenDevice,
        options: &GpuOptions,
        seed: u64,
    ) -> Result<Self, SessionError> {
        let executor = device.compile(planned.program, options)?;
        Self::assembled(planned.names, executor, device, options, seed)
    }

    /// [`Session::build_with`], for where nobody may wait.
    pub async fn request(
        spec: &SessionSpec,
        device: &OpenDevice,
        options: &GpuOptions,
        seed: u64,
    ) -> Result<Self, SessionError> {
        let planned = spec.plan()?;
        let executor = device.prepare(planned.program, options).await?;
        Self::assembled(planned.names, executor, device, options, seed)
    }

    fn assembled(
        names: Names,
        executor: Executor,
        device: &OpenDevice,
        options: &GpuOptions,
        seed: u64,
    ) -> Result<Self, SessionError> {
        let mut session = Self::of_executor(executor, device, options)?;
        session.steps = vec![0; names.plans.len()];
        (session.names, session.seed) = (names, seed);
        if session.program().arenas.is_some() {
            let weights = initial_weights(&session.program().params, seed);
            session.set_weights(&weights)?;
        }
        Ok(session)
    }

    /// A program that was planned before. Its parameters are 0, and its plans are run with [`Execute::submit`].
    pub fn of_program(program: Program, device: &OpenDevice, options: &GpuOptions) -> Result<Self, GpuError> {
        Self::of_executor(device.compile(program, options)?, device, options)
    }

    /// An executor of a program that was planned before, on this device.
    pub fn of_executor(executor: Executor, device: &OpenDevice, options: &GpuOptions) -> Result<Self, GpuError> {
        let groups = executor.program().groups.len();
        let mut session = Self {
            executor,
            device: device.clone(),
            options: options.clone(),
            names: Names::default(),
            seed: 0,
            updates: vec![0; groups],
            steps: Vec::new(),
        };
        session.reset_scales()?;
        Ok(session)
    }

    /// Gradients are multiplied by 1 where nothing clips them.
    fn reset_scales(&mut self) -> Result<(), GpuError> {
        let scales: Vec<TensorId> = self.program().groups.iter().map(|group| group.scale).collect();
        scales.into_iter().try_for_each(|scale| self.executor.write(scale, &[1.0]))
    }

    /// The device, as records show it.
    pub fn device(&self) -> Device {
        self.device.record()
    }

    /// The executor.
    pub fn executor(&mut self) -> &mut Executor {
        &mut self.executor
    }

    /// The device that the session is on.
    pub fn open_device(&self) -> &OpenDevice {
        &self.device
    }

    /// The input of this name.
    pub fn input(&self, name: &str) -> Result<InputHandle, SessionError> {
        self.names.input(name)
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Result<OutputHandle, SessionError> {
        self.names.output(name)
    }

    /// The plan of this name.
    pub fn plan(&self, name: &str) -> Result<PlanHandle, SessionError> {
        find("plan", name, self.names.plans.iter().map(|plan| plan.name.as_str())).map(PlanHandle)
    }

    /// The metric of this name that a plan reports.
    pub fn metric(&self, plan: PlanHandle, name: &str) -> Result<MetricHandle, SessionError> {
        let metrics = &self.names.plans[plan.0].metrics;
        Ok(MetricHandle(metrics[find("metric", name, metrics.iter().map(|(known, _)| known.as_str()))?].1))
    }

    /// The learning rate of a group, which each step that updates it sets.
    pub fn rate(&self, group: &str) -> Result<ScalarId, SessionError> {
        let groups = &self.program().groups;
        Ok(groups[find("group", group, groups.iter().map(|known| known.name.as_str()))?].rate)
    }

    /// A scalar that graphs named.
    pub fn scalar(&self, name: &str) -> Result<ScalarId, SessionError> {
        Ok(ScalarId(find("scalar", name, self.program().scalars.names())? as u32))
    }

    /// Writes an input.
    pub fn set(&mut self, input: InputHandle, values: &[f32]) -> Result<(), SessionError> {
        self.program().tensors.expect_len(input.0, values.len())?;
        Ok(self.executor.write(input.0, values)?)
    }

    /// Writes an input of grey levels, four to a word, each row from a whole word on.
    pub fn set_words(&mut self, input: InputHandle, words: &[u32]) -> Result<(), SessionError> {
        self.program().tensors.expect_len(input.0, words.len())?;
        Ok(self.executor.write_words(input.0, words)?)
    }

    /// Reads an output, as the step before left it.
    pub fn get(&mut self, output: OutputHandle) -> Result<Vec<f32>, SessionError> {
        Ok(self.executor.read(output.0)?)
    }

    /// [`Session::get`], for where nobody may wait.
    pub async fn fetch(&mut self, output: OutputHandle) -> Result<Vec<f32>, SessionError> {
        let tensor = self.program().tensors.get(output.0);
        let (buffer, offset, len) = (tensor.buffer, tensor.offset, tensor.len());
        Ok(bytemuck::cast_vec(self.executor.fetch(buffer, offset, len).await?))
    }

    /// The metrics of the oldest steps that were started and not collected, for where nobody may wait; none if there are no such
    /// steps.
    pub async fn finished(&mut self) -> Result<Option<MetricRows>, SessionError> {
        Ok(self.executor.finished().await?)
    }

    /// Runs steps of a plan, as many as one likes, and returns their metrics.
    pub fn run(&mut self, plan: PlanHandle, steps: &[StepScalars]) -> Result<MetricRows, SessionError> {
        let mut rows = MetricRows::default();
        let mut waiting = 0;
        for some in steps.chunks(STEPS_PER_SUBMIT) {
            if waiting == SUBMITS_IN_FLIGHT {
                self.take(&mut rows)?;
                waiting -= 1;
            }
            self.start(plan, some)?;
            waiting += 1;
        }
        for _ in 0..waiting {
            self.take(&mut rows)?;
        }
        Ok(rows)
    }

    fn take(&mut self, rows: &mut MetricRows) -> Result<(), SessionError> {
        for row in self.executor.collect()?.unwrap_or_default().rows() {
            rows.push(row.iter().copied());
        }
        Ok(())
    }

    /// Starts up to [`STEPS_PER_SUBMIT`] steps of a plan. What a step leaves at 0 is set: its rows to the whole batch, its noise to that
    /// of the session's seed. Which groups act, and the corrections of their optimisers, follows from the steps so far.
    pub fn start(&mut self, plan: PlanHandle, steps: &[StepScalars]) -> Result<(), SessionError> {
        let entry = &self.names.plans[plan.0];
        let (mut updates, mut count) = (self.updates.clone(), self.steps[plan.0]);
        let mut numbered = Vec::with_capacity(steps.len());
        for step in steps {
            let mut scalars = *step;
            if scalars.rows == 0 {
                scalars.rows = entry.rows;
            }
            if scalars.noise_key == [0; 2] {
                scalars.noise_key = key(self.seed, Stream::Noise, count + 1);
            }
            let acting = entry.acting(count);
            for number in &acting {
                updates[*number] += 1;
                let group = &self.executor.program().groups[*number];
                for (scalar, value) in group.correction_scalars().into_iter().zip(group.corrections(updates[*number])) {
                    scalars = scalars.with(scalar, value);
                }
            }
            let variant = entry.variants.iter().find(|(groups, _)| *groups == acting);
            numbered.extend(variant.map(|(_, plan)| Step { plan: *plan, scalars }));
            count += 1;
        }
        self.executor.submit(&numbered)?;
        (self.updates, self.steps[plan.0]) = (updates, count);
        Ok(())
    }

    /// The parameters `(L)`; none if there are none.
    pub fn weights(&mut self) -> Result<Vec<f32>, SessionError> {
        self.arena(|arenas| arenas.weights)
    }

    /// The gradients `(L)` of the last step.
    pub fn gradients(&mut self) -> Result<Vec<f32>, SessionError> {
        self.arena(|arenas| arenas.gradients)
    }

    fn arena(&mut self, which: impl Fn(&crate::plan::Arenas) -> TensorId) -> Result<Vec<f32>, SessionError> {
        match self.program().arenas.as_ref().map(which) {
            Some(arena) => Ok(self.executor.read(arena)?),
            None => Ok(Vec::new()),
        }
    }

    /// Overwrites the parameters.
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), SessionError> {
        let needed = self.program().params.arena_len();
        if weights.len() != needed {
            return Err(SessionError::State { what: "parameters", found: weights.len(), needed });
        }
        match self.program().arenas.as_ref().map(|arenas| arenas.weights) {
            Some(arena) => Ok(self.executor.write(arena, weights)?),
            None => Ok(()),
        }
    }

    /// The state, read back from the device.
    pub fn state(&mut self) -> Result<SessionState, SessionError> {
        let moments = self.program().arenas.as_ref().map_or_else(Vec::new, |arenas| arenas.moments.clone());
        let moments = moments.into_iter().map(|moment| self.executor.read(moment)).collect::<Result<_, _>>()?;
        let weights = self.weights()?;
        Ok(SessionState { weights, moments, updates: self.updates.clone(), steps: self.steps.clone() })
    }

    /// Goes on from a state.
    pub fn restore(&mut self, state: &SessionState) -> Result<(), SessionError> {
        let moments = self.program().arenas.as_ref().map_or_else(Vec::new, |arenas| arenas.moments.clone());
        for (what, found, needed) in [
            ("moments", state.moments.len(), moments.len()),
            ("groups", state.updates.len(), self.updates.len()),
            ("plans", state.steps.len(), self.steps.len()),
        ] {
            if found != needed {
                return Err(SessionError::State { what, found, needed });
            }
        }
        self.set_weights(&state.weights)?;
        for (arena, values) in moments.into_iter().zip(&state.moments) {
            self.program().tensors.expect_len(arena, values.len())?;
            self.executor.write(arena, values)?;
        }
        (self.updates, self.steps) = (state.updates.clone(), state.steps.clone());
        Ok(())
    }

    /// Goes on from a state on another device, such as one that was opened again after the first was lost. Inputs are 0 there.
    pub fn reopen(&mut self, device: &OpenDevice, state: &SessionState) -> Result<(), SessionError> {
        let program = self.program().clone();
        self.executor = device.compile(program, &self.options)?;
        self.device = device.clone();
        self.reset_scales()?;
        self.restore(state)
    }
}

/// The place of a name among those that there are.
fn find<'a>(what: &'static str, name: &str, all: impl Iterator<Item = &'a str> + Clone) -> Result<usize, SessionError> {
    all.clone().position(|known| known == name).ok_or_else(|| {
        let known: Vec<&str> = all.collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        SessionError::Unknown { what, name: name.into(), known }
    })
}
