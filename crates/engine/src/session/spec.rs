//! What a session is built from: graphs, and what is read and written of them.

use std::collections::BTreeSet;

use super::{InputHandle, OutputHandle, SessionError, find};
use crate::graph::{Graph, GroupSpec, Kind, Node, ProgramBuilder};
use crate::kernels::batch::words_per_row;
use crate::plan::{ParamTable, PlanError, PlanId, Program, ScalarTable, StepPlan, TensorId};

/// What is minimised.
#[derive(Debug, Clone)]
pub struct LossSpec {
    /// Nodes and the weights of their elements, whose sum it is.
    pub terms: Vec<(Node, Node)>,
    /// The group of parameters that minimises it; where there is none, gradients by all parameters are computed, and no parameter
    /// is updated.
    pub group: Option<String>,
}

impl LossSpec {
    /// The mean of `(B, 1)` over its rows, minimised by the parameters of a group.
    pub fn mean(g: &mut Graph, node: Node, group: &str) -> Self {
        let weight = g.constant(1.0 / g.shape(node)[0] as f32);
        Self { terms: vec![(node, weight)], group: Some(group.into()) }
    }
}

/// A plan of a session: a graph, and what the outside writes and reads of it.
#[derive(Debug, Clone, Default)]
pub struct PlanSpec {
    /// Its name.
    pub name: String,
    /// The graph; those of a session continue each other, see [`Graph::continued`].
    pub graph: Graph,
    /// What the outside writes. Plans that have an input of the same name and shape share it.
    pub inputs: Vec<Node>,
    /// What the outside reads, as it is before the update. Plans that have an output of the same name and shape share it.
    pub outputs: Vec<Node>,
    /// Means over the rows of a step, which come with every step: values `(B, 1)` by their names.
    pub metrics: Vec<(String, Node)>,
    /// What is minimised.
    pub losses: Vec<LossSpec>,
}

/// Plans over one arena of parameters.
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
/// let planned = spec.plan()?; // without a device
/// assert_eq!(planned.program().plans.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionSpec {
    /// The plans.
    pub plans: Vec<PlanSpec>,
    /// Groups of parameters, with an optimiser each.
    pub groups: Vec<GroupSpec>,
    /// Run every op by itself instead of fusing ops.
    pub unfused: bool,
}

/// A plan of the session as plans of the program: one for each choice of groups that act in a step.
#[derive(Debug, Clone)]
pub(super) struct PlanEntry {
    pub name: String,
    /// Rows of what it reports, which are those of a whole batch.
    pub rows: u32,
    /// The groups that it updates, by their numbers, and how often.
    pub groups: Vec<(usize, u32)>,
    /// For each choice of these that occurs, the plan.
    pub variants: Vec<(Vec<usize>, PlanId)>,
    /// The columns of its metrics.
    pub metrics: Vec<(String, usize)>,
}

impl PlanEntry {
    /// The groups that act in a step, by how many there were before.
    pub fn acting(&self, before: u64) -> Vec<usize> {
        let acts = |(_, every): &&(usize, u32)| before.is_multiple_of(u64::from(*every).max(1));
        self.groups.iter().filter(acts).map(|(group, _)| *group).collect()
    }
}

/// What the parts of a session are called.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub plans: Vec<PlanEntry>,
    inputs: Vec<(String, InputHandle)>,
    outputs: Vec<(String, OutputHandle)>,
}

impl Names {
    pub fn input(&self, name: &str) -> Result<InputHandle, SessionError> {
        Ok(self.inputs[find("input", name, self.inputs.iter().map(|(known, _)| known.as_str()))?].1)
    }

    pub fn output(&self, name: &str) -> Result<OutputHandle, SessionError> {
        Ok(self.outputs[find("output", name, self.outputs.iter().map(|(known, _)| known.as_str()))?].1)
    }
}

/// A planned session: a program, and what its parts are called.
#[derive(Debug, Clone)]
pub struct Planned {
    pub(super) program: Program,
    pub(super) names: Names,
}

impl Planned {
    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The input of this name.
    pub fn input(&self, name: &str) -> Result<InputHandle, SessionError> {
        self.names.input(name)
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Result<OutputHandle, SessionError> {
        self.names.output(name)
    }
}

/// Steps after which groups act as before, at most: as many plans may be needed.
const MAX_CYCLE: u64 = 64;

impl SessionSpec {
    /// Plans everything.
    pub fn plan(&self) -> Result<Planned, PlanError> {
        let (params, scalars) = self.tables()?;
        let metrics: Vec<String> =
            self.plans.iter().flat_map(|plan| plan.metrics.iter().map(|m| metric(plan, &m.0))).collect();
        let mut builder = ProgramBuilder::new(params, scalars, &self.groups, &metrics, !self.unfused)?;
        let mut outside = Outside::default();
        let (mut plans, mut entries) = (Vec::new(), Vec::new());
        for spec in &self.plans {
            entries.push(self.entry(spec, &mut builder, &mut outside, &mut plans)?);
        }
        let Outside { inputs, outputs } = outside;
        let outside: Vec<TensorId> = inputs.iter().chain(&outputs).map(|(_, tensor)| *tensor).collect();
        let (program, moved) = builder.finish(plans, outside)?;
        // What the outside wants is kept.
        let id = |old: TensorId| moved[old.0].unwrap_or(old);
        let names = Names {
            plans: entries,
            inputs: inputs.into_iter().map(|(name, old)| (name, InputHandle(id(old)))).collect(),
            outputs: outputs.into_iter().map(|(name, old)| (name, OutputHandle(id(old)))).collect(),
        };
        Ok(Planned { program, names })
    }

    /// The parameters and scalars of all graphs, which are those of the largest.
    fn tables(&self) -> Result<(ParamTable, ScalarTable), PlanError> {
        let largest = self.plans.iter().map(|plan| plan.graph.params()).max_by_key(|params| params.arena_len());
        let params = largest.cloned().unwrap_or_default();
        let scalars = self.plans.iter().map(|plan| plan.graph.scalars()).max_by_key(|table| table.names().count());
        let scalars = scalars.cloned().unwrap_or_default();
        for plan in &self.plans {
            let unknown = plan.graph.params().iter().zip(params.iter()).find(|(ours, whole)| ours != whole);
            if let Some((param, _)) = unknown {
                return Err(PlanError::Continued { plan: plan.name.clone(), name: param.name.clone() });
            }
            let unknown = plan.graph.scalars().names().zip(scalars.names()).find(|(ours, whole)| ours != whole);
            if let Some((name, _)) = unknown {
                return Err(PlanError::Continued { plan: plan.name.clone(), name: name.into() });
            }
        }
        Ok((params, scalars))
    }

    /// The number of a group.
    fn group(&self, name: &str) -> Result<usize, PlanError> {
        let found = self.groups.iter().position(|group| group.name == name);
        found.ok_or_else(|| PlanError::Group { parameter: name.into(), reason: "is no group of the session" })
    }

    fn entry(
        &self,
        spec: &PlanSpec,
        builder: &mut ProgramBuilder,
        outside: &mut Outside,
        plans: &mut Vec<StepPlan>,
    ) -> Result<PlanEntry, PlanError> {
        let mut groups = Vec::new();
        for name in spec.losses.iter().filter_map(|loss| loss.group.as_deref()) {
            let number = self.group(name)?;
            if !groups.iter().any(|(known, _)| *known == number) {
                groups.push((number, self.groups[number].every));
            }
        }
        let rows = spec.metrics.first().map_or(1, |(_, node)| spec.graph.shape(*node)[0]) as u32;
        let column = |name: &str| builder.metric(&metric(spec, name)).map_or(0, |metric| metric.column as usize);
        let metrics = spec.metrics.iter().map(|(name, _)| (name.clone(), column(name))).collect();
        let mut entry = PlanEntry { name: spec.name.clone(), rows, groups, variants: Vec::new(), metrics };
        let placed = Placed::of(spec, builder, outside)?;
        let cycle = entry.groups.iter().map(|(_, every)| u64::from(*every).max(1)).fold(1, lcm);
        if cycle > MAX_CYCLE {
            return Err(PlanError::Group {
                parameter: spec.name.clone(),
                reason: "has groups that act together in one of more than 64 steps: choose other numbers of steps",
            });
        }
        let choices: BTreeSet<Vec<usize>> = (0..cycle).map(|step| entry.acting(step)).collect();
        for acting in choices.into_iter().rev() {
            let name = match acting.len() == entry.groups.len() {
                true => spec.name.clone(),
                false => {
                    let names: Vec<&str> = acting.iter().map(|group| self.groups[*group].name.as_str()).collect();
                    format!("{} ({})", spec.name, names.join(", "))
                }
            };
            let plan = self.variant(&name, spec, builder, &placed, &acting)?;
            entry.variants.push((acting, PlanId(plans.len())));
            plans.push(plan);
        }
        Ok(entry)
    }

    /// The plan of a step in which some groups act.
    fn variant(
        &self,
        name: &str,
        spec: &PlanSpec,
        builder: &mut ProgramBuilder,
        placed: &Placed,
        acting: &[usize],
    ) -> Result<StepPlan, PlanError> {
        let mut g = spec.graph.clone();
        let mut kept = placed.kept.clone();
        for group in acting {
            let is_of = |loss: &&LossSpec| loss.group.as_ref() == Some(&self.groups[*group].name);
            let terms: Vec<_> = spec.losses.iter().filter(is_of).flat_map(|loss| loss.terms.iter().copied()).collect();
            kept.extend(builder.gradients(&mut g, &terms, Some(*group)));
        }
        let of_none = spec.losses.iter().filter(|loss| loss.group.is_none());
        let of_none: Vec<_> = of_none.flat_map(|loss| loss.terms.iter().copied()).collect();
        if !of_none.is_empty() {
            kept.extend(builder.gradients(&mut g, &of_none, None));
        }
        let mut behind = match spec.metrics.first().and_then(|(first, _)| builder.metric(&metric(spec, first))) {
            Some(first) => builder.report(&placed.metrics, first)?,
            None => Vec::new(),
        };
        for group in acting {
            behind.extend(builder.clip(*group)?);
        }
        for group in acting {
            behind.extend(builder.update(*group)?);
        }
        builder.plan(name, &g, &kept, [Vec::new(), behind])
    }
}

/// The name of a metric among those of all plans.
fn metric(plan: &PlanSpec, name: &str) -> String {
    format!("{name} of {}", plan.name)
}

/// Tensors that the outside writes and reads, by their names.
#[derive(Default)]
struct Outside {
    inputs: Vec<(String, TensorId)>,
    outputs: Vec<(String, TensorId)>,
}

/// Where nodes of a plan lie.
struct Placed {
    kept: Vec<(Node, TensorId)>,
    /// `(B)` of each metric.
    metrics: Vec<TensorId>,
}

impl Placed {
    fn of(spec: &PlanSpec, builder: &mut ProgramBuilder, outside: &mut Outside) -> Result<Self, PlanError> {
        let (g, tensors) = (&spec.graph, &mut builder.lowering.tensors);
        let mut kept: Vec<(Node, TensorId)> = Vec::new();
        for (nodes, known) in [(&spec.inputs, &mut outside.inputs), (&spec.outputs, &mut outside.outputs)] {
            for node in nodes {
                let (name, [rows, cols]) = (g.name(*node), g.shape(*node));
                let (shape, is_words) = match g.kind(*node) {
                    Kind::Input { levels: true } => ([rows, words_per_row(cols)], true),
                    _ => ([rows, cols], false),
                };
                let same = known.iter().find(|(other, id)| other == name && tensors.get(*id).shape == shape);
                let tensor = same.map(|(_, tensor)| *tensor).unwrap_or_else(|| match is_words {
                    true => tensors.words(name, &shape),
                    false => tensors.floats(name, &shape),
                });
                if !known.iter().any(|(_, id)| *id == tensor) {
                    known.push((name.to_string(), tensor));
                }
                if kept.iter().any(|(other, id)| *id == tensor && other != node) {
                    return Err(PlanError::SameName(name.into()));
                }
                kept.push((*node, tensor));
            }
        }
        let reported = |(name, node): &(String, Node)| (*node, tensors.floats(name, &[g.shape(*node)[0]]));
        let reported: Vec<_> = spec.metrics.iter().map(reported).collect();
        let metrics = reported.iter().map(|(_, tensor)| *tensor).collect();
        kept.extend(reported);
        Ok(Self { kept, metrics })
    }
}

/// The least common multiple.
fn lcm(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
