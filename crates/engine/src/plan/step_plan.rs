//! Step plans: ops in order, their stages and totals.

use std::collections::HashMap;

use super::{Arenas, BufferId, Group, Metrics, Op, ParamTable, ScalarTable, StepScalars, TensorTable};

/// A list of ops, run from first to last.
#[derive(Debug, Clone, Default)]
pub struct StepPlan {
    /// The purpose of the plan: `train`, `evaluate`, ...
    pub name: String,
    /// The ops.
    pub ops: Vec<Op>,
}

/// The buffers that the ops of a stage use, and whether one writes them.
#[derive(Debug, Default)]
pub struct BufferUses(HashMap<BufferId, bool>);

impl BufferUses {
    /// Takes an op into the stage, unless it writes a buffer that another uses, or uses one that another writes.
    pub fn take(&mut self, op: &Op, tensors: &TensorTable) -> bool {
        let uses = || op.bindings.iter().map(|b| (tensors.get(b.tensor).buffer, b.access.writes()));
        let waits = uses().any(|(buffer, writes)| self.0.get(&buffer).is_some_and(|written| writes || *written));
        if !waits {
            uses().for_each(|(buffer, writes)| *self.0.entry(buffer).or_default() |= writes);
        }
        !waits
    }
}

/// Sums over a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Dispatches: one for each op, or as many as it has turns.
    pub dispatches: usize,
    /// Groups of ops that must wait for each other.
    pub stages: usize,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of the bound tensors, each read or write counted once.
    pub bytes: u64,
}

impl StepPlan {
    /// The stage of each op, from 0.
    ///
    /// This follows wgpu's barriers, which are stricter than the data flow: there is a barrier between two dispatches
    /// if one writes a *buffer* that the other uses, even if the ranges do not overlap, and everything after a barrier
    /// waits for it. So the ops of a stage are consecutive in the list.
    pub fn stages(&self, tensors: &TensorTable) -> Vec<usize> {
        let mut stage = 0;
        let mut used = BufferUses::default();
        let mut stages = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            if !used.take(op, tensors) {
                stage += 1;
                used = BufferUses::default();
                used.take(op, tensors);
            }
            stages.push(stage);
        }
        stages
    }

    /// Bytes of the tensors an op is bound to: a tensor that is updated counts twice.
    pub fn bytes(op: &Op, tensors: &TensorTable) -> u64 {
        op.bindings
            .iter()
            .map(|b| {
                let passes = match b.access {
                    super::Access::ReadWrite => 2,
                    _ => 1,
                };
                (b.touched.unwrap_or(tensors.get(b.tensor).len()) * 4 * passes) as u64
            })
            .sum()
    }

    /// Sums over the plan.
    pub fn totals(&self, tensors: &TensorTable) -> Totals {
        Totals {
            dispatches: self.ops.iter().map(|op| op.turns).sum(),
            stages: self.stages(tensors).last().map_or(0, |last| last + 1),
            flops: self.ops.iter().map(|op| op.flops).sum(),
            bytes: self.ops.iter().map(|op| Self::bytes(op, tensors)).sum(),
        }
    }
}

/// The index of a plan in its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanId(pub usize);

impl PlanId {
    /// Steps of this plan.
    pub fn steps(self, scalars: impl IntoIterator<Item = StepScalars>) -> Vec<Step> {
        scalars.into_iter().map(|scalars| Step { plan: self, scalars }).collect()
    }
}

/// A step: a plan, and the scalars that it runs with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The plan.
    pub plan: PlanId,
    /// The scalars of the step.
    pub scalars: StepScalars,
}

/// The input of an executor: tensors, and the plans that run on them.
///
/// ```
/// use wgvae_engine::graph::Graph;
/// use wgvae_engine::plan::{Init, Orientation};
/// use wgvae_engine::session::{PlanSpec, SessionSpec};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut g = Graph::default();
/// let x = g.input("x", [2, 3], false);
/// let weight = g.param("weight", &[1, 3], Init::Constant(2.0));
/// let sums = g.product("sums", Orientation::Nt, x, weight);
/// let plan = PlanSpec { name: "apply".into(), graph: g, inputs: vec![x], outputs: vec![sums], ..PlanSpec::default() };
/// let spec = SessionSpec { plans: vec![plan], ..SessionSpec::default() };
/// let planned = spec.plan()?;
/// let ops: Vec<&str> = planned.program().plans[0].ops.iter().map(|op| op.label.as_str()).collect();
/// assert_eq!(ops.len(), 1); // the product
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Buffers and tensors.
    pub tensors: TensorTable,
    /// The layout of the parameter arenas.
    pub params: ParamTable,
    /// The plans.
    pub plans: Vec<StepPlan>,
    /// The scalars that steps set.
    pub scalars: ScalarTable,
    /// The metrics that plans report.
    pub metrics: Option<Metrics>,
    /// Where its parameters lie; none if it has no parameters.
    pub arenas: Option<Arenas>,
    /// The groups of parameters that optimisers update.
    pub groups: Vec<Group>,
}

impl Program {
    /// One of its plans.
    pub fn at(&self, plan: PlanId) -> &StepPlan {
        &self.plans[plan.0]
    }

    /// The plan of this name.
    pub fn plan(&self, name: &str) -> Option<&StepPlan> {
        self.plans.iter().find(|p| p.name == name)
    }
}
