//! Runs plans on threads.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::time::Duration;

use super::Builder;
use super::job::{At, Job, Scratch};
use super::memory::Memory;
use super::threads;
use crate::exec::timing::best_of;
use crate::plan::{BufferId, MetricRows, Op, PlanId, Program, Step, StepPlan, StepScalars, TensorTable};

/// Tasks of several jobs that run side by side.
struct Group {
    /// The jobs that tasks belong to: for each, the number of its first task, the number of the job, and its phase.
    parts: Vec<(usize, usize, usize)>,
    tasks: usize,
}

/// A plan, ready to run.
struct Ready {
    jobs: Vec<Box<dyn Job>>,
    groups: Vec<Group>,
    /// Threads that it runs on: of those there are, as many as it has work for.
    threads: usize,
}

/// Floating-point operations of a step that are worth a thread.
const WORTH_A_THREAD: u64 = 2_000_000;

/// A program and its memory.
pub struct Cpu {
    program: Program,
    memory: Memory,
    plans: Vec<Ready>,
    scratch: Vec<Scratch>,
    finished: VecDeque<MetricRows>,
}

/// Ops that run side by side: of consecutive ones, those that do not use what another writes.
fn stages(plan: &StepPlan, tensors: &TensorTable) -> Vec<Range<usize>> {
    let mut stages: Vec<Range<usize>> = Vec::new();
    for (number, op) in plan.ops.iter().enumerate() {
        match stages.last_mut() {
            Some(stage) if !plan.ops[stage.clone()].iter().any(|before| op.depends_on(before, tensors)) => {
                stage.end = number + 1;
            }
            _ => stages.push(number..number + 1),
        }
    }
    stages
}

impl Ready {
    fn new(plan: &StepPlan, tensors: &TensorTable, threads: usize, most_kept: &mut usize) -> Self {
        let mut jobs = Vec::with_capacity(plan.ops.len());
        let mut groups: Vec<Group> = Vec::new();
        for stage in stages(plan, tensors) {
            let mut builder = Builder { tensors, threads, kept: 0 };
            let first = groups.len();
            for op in &plan.ops[stage] {
                let job = builder.job(op);
                for (phase, tasks) in job.phases().into_iter().enumerate() {
                    if groups.len() == first + phase {
                        groups.push(Group { parts: Vec::new(), tasks: 0 });
                    }
                    let group = &mut groups[first + phase];
                    group.parts.push((group.tasks, jobs.len(), phase));
                    group.tasks += tasks;
                }
                jobs.push(job);
            }
            *most_kept = builder.kept.max(*most_kept);
        }
        let work: u64 = plan.ops.iter().map(|op: &Op| op.flops).sum();
        let tasks = groups.iter().map(|group| group.tasks).max().unwrap_or(1);
        Self { jobs, groups, threads: threads.min((work / WORTH_A_THREAD) as usize + 1).min(tasks) }
    }

    fn task(&self, at: At<'_>, group: usize, task: usize, scratch: &mut Scratch) {
        let parts = &self.groups[group].parts;
        let part = parts.partition_point(|(first, ..)| *first <= task) - 1;
        let (first, job, phase) = parts[part];
        self.jobs[job].run(at, phase, task - first, scratch);
    }
}

impl Cpu {
    /// Allocates every buffer, filled with zeros, and makes the plans ready for all threads of the machine.
    pub fn new(program: Program) -> Self {
        Self::with_threads(program, threads::available())
    }

    /// Allocates every buffer, filled with zeros, and makes the plans ready for at most this many threads.
    pub fn with_threads(program: Program, threads: usize) -> Self {
        let mut kept = 0;
        let plans =
            program.plans.iter().map(|plan| Ready::new(plan, &program.tensors, threads.max(1), &mut kept)).collect();
        let memory = Memory::new(&program.tensors, kept);
        let scratch = (0..threads.max(1)).map(|_| Scratch::default()).collect();
        Self { program, memory, plans, scratch, finished: VecDeque::new() }
    }

    /// The vector instructions that it uses on this processor.
    pub fn instructions() -> &'static str {
        super::vector::instructions()
    }

    /// The threads of the machine, or as many as `RAYON_NUM_THREADS` says.
    pub fn available_threads() -> usize {
        threads::available()
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Overwrites part of a buffer with words.
    pub fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) {
        self.memory.part(buffer, offset..offset + words.len()).copy_from_slice(words);
    }

    /// Reads part of a buffer as words.
    pub fn read_at(&mut self, buffer: BufferId, offset: usize, len: usize) -> Vec<u32> {
        self.memory.part(buffer, offset..offset + len).to_vec()
    }

    /// Runs one step with the given scalars.
    pub fn dispatch(&mut self, plan: PlanId, step: &StepScalars) {
        self.run(plan, std::slice::from_ref(step));
    }

    /// Runs steps of one plan.
    fn run(&mut self, plan: PlanId, steps: &[StepScalars]) {
        let ready = &self.plans[plan.0];
        let groups: Vec<usize> = ready.groups.iter().map(|group| group.tasks).collect();
        let each = groups.len();
        let threads = self.threads(plan);
        let memory = &self.memory;
        threads::run(&mut self.scratch[..threads], &groups.repeat(steps.len()), |group, task, scratch| {
            ready.task(At { memory, step: &steps[group / each] }, group % each, task, scratch);
        });
    }

    /// How many threads a plan runs on.
    pub fn threads(&self, plan: PlanId) -> usize {
        self.plans[plan.0].threads
    }

    /// Seconds of one op of a plan, run alone many times in a row, as often as fits into `patience`; the best counts.
    pub fn op_seconds(&mut self, plan: PlanId, op: usize, step: &StepScalars, patience: Duration) -> f64 {
        let threads = self.threads(plan);
        let (job, memory) = (&self.plans[plan.0].jobs[op], &self.memory);
        let phases = job.phases();
        let scratch = &mut self.scratch[..threads];
        let run = |count: usize| {
            threads::run(scratch, &phases.repeat(count), |group, task, scratch| {
                job.run(At { memory, step }, group % phases.len(), task, scratch);
            });
            Ok::<(), Infallible>(())
        };
        best_of(patience, 1000, run).unwrap_or_else(|never| match never {})
    }

    /// Runs steps and keeps their metrics for [`Cpu::collect`].
    pub(in crate::exec) fn submit(&mut self, steps: &[Step]) {
        let mut slot = 0;
        for of_plan in steps.chunk_by(|a, b| a.plan == b.plan) {
            let numbered = |step: &Step| {
                slot += 1;
                StepScalars { slot: slot - 1, ..step.scalars }
            };
            let scalars: Vec<StepScalars> = of_plan.iter().map(numbered).collect();
            self.run(of_plan[0].plan, &scalars);
        }
        let rows = self.program.metrics.as_ref().map_or_else(
            || MetricRows::new(steps.len(), 0, Vec::new()),
            |metrics| {
                let (ring, width) = (self.memory.tensor(&self.program.tensors, metrics.ring), metrics.names.len());
                let values = ring[..steps.len() * width].iter().map(|value| f64::from(*value)).collect();
                MetricRows::new(steps.len(), width, values)
            },
        );
        self.finished.push_back(rows);
    }

    /// How many submits are not collected.
    pub fn uncollected(&self) -> usize {
        self.finished.len()
    }

    /// The metrics of the oldest submit not yet collected.
    pub fn collect(&mut self) -> Option<MetricRows> {
        self.finished.pop_front()
    }
}
