//! From graphs to a program: plans over one arena of parameters, the updates of its groups, and what steps report.

use std::collections::HashSet;
use std::ops::Range;

use super::{Graph, Lowering, Node, gradients};
use crate::kernels::optimizer::{self, Rule, Settings};
use crate::kernels::reduce::{self, MetricColumn};
use crate::plan::{
    Arenas, Group, Metrics, Op, ParamTable, PlanError, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, ScalarId,
    ScalarTable, StepPlan, TensorId,
};

/// Adjacent parameters, which one node stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The elements of the arena that they take.
    pub span: Range<usize>,
    /// The node's name.
    pub name: String,
}

/// How some parameters are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// The group's name.
    pub name: String,
    /// The parameters that it updates; none for all that there are.
    pub params: Option<Vec<Block>>,
    /// The optimiser's rule.
    pub rule: Rule,
    /// Weight decay.
    pub decay: f32,
    /// The norm that the group's gradient is clipped to.
    pub clip: Option<f32>,
    /// The group is updated in the first of so many steps.
    pub every: u32,
}

impl GroupSpec {
    /// All parameters, with Adam as PyTorch has it.
    pub fn adam(name: &str) -> Self {
        let rule = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decoupled: false };
        Self { name: name.into(), params: None, rule, decay: 0.0, clip: None, every: 1 }
    }

    /// This optimiser for some parameters alone.
    #[must_use]
    pub fn of(self, params: impl IntoIterator<Item = Block>) -> Self {
        Self { params: Some(params.into_iter().collect()), ..self }
    }

    /// The name of the metric that is the norm of the group's gradient before it is clipped.
    pub fn norm_name(&self) -> String {
        format!("norm of {}", self.name)
    }
}

/// Elements of the arenas that a group has, next to each other.
#[derive(Debug, Clone, Copy)]
struct Part {
    arenas: optimizer::UpdateTensors,
    /// Elements from the first on that the optimiser updates.
    optimised: usize,
}

/// A group while plans are built.
#[derive(Debug, Clone)]
struct Trained {
    group: Group,
    spec: GroupSpec,
    parts: Vec<Part>,
    norm: Option<Norm>,
}

/// The tensors that the norm of a group's gradient is computed in.
#[derive(Debug, Clone)]
struct Norm {
    /// Sums of squares of all parts.
    partials: TensorId,
    /// Sums of squares of each part.
    of_parts: Vec<TensorId>,
    /// Where the norm is reported.
    column: MetricColumn,
}

/// What plans of a program have in common.
pub struct ProgramBuilder {
    /// Tensors, and where nodes lie in them.
    pub lowering: Lowering,
    params: ParamTable,
    scalars: ScalarTable,
    arenas: optimizer::UpdateTensors,
    groups: Vec<Trained>,
    metrics: Metrics,
    fuse: bool,
}

impl ProgramBuilder {
    /// Starts a program over these parameters. Metrics are named in the order of their columns; each clipped group adds the norm of its
    /// gradient.
    pub fn new(
        params: ParamTable,
        scalars: ScalarTable,
        groups: &[GroupSpec],
        metrics: &[String],
        fuse: bool,
    ) -> Result<Self, PlanError> {
        let len = params.arena_len();
        let mut tensors = crate::plan::TensorTable::default();
        let mut arena = |name: &str| tensors.floats(name, &[len]);
        let [weights, gradients] = ["weights", "gradients"].map(&mut arena);
        let [first, second] = ["first moments", "second moments"].map(&mut arena);
        // One factor for each group; without groups, gradients are read as they are.
        let scales: Vec<TensorId> = match groups {
            [] | [_] => vec![tensors.floats("clip", &[1])],
            _ => groups.iter().map(|group| tensors.floats(format!("clip of {}", group.name), &[1])).collect(),
        };
        let mut names = metrics.to_vec();
        names.extend(groups.iter().filter(|group| group.clip.is_some()).map(GroupSpec::norm_name));
        if let Some(name) = twice(&names).or_else(|| twice(groups.iter().map(|group| &group.name))) {
            return Err(PlanError::SameName(name));
        }
        // Two halves of the ring: one is read back while the other is written.
        let ring = tensors.floats("metrics", &[SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT, names.len()]);
        let buffer = tensors.get(weights).buffer;
        let arenas = optimizer::UpdateTensors { weights, gradients, first, second, clip: scales[0] };
        let mut builder = Self {
            lowering: Lowering::new(tensors, buffer),
            params,
            scalars,
            arenas,
            groups: Vec::new(),
            metrics: Metrics { ring, names },
            fuse,
        };
        builder.is_each_in_one_group(groups)?;
        for (spec, scale) in groups.iter().zip(scales) {
            let group = builder.trained(spec, scale)?;
            builder.groups.push(group);
        }
        Ok(builder)
    }

    /// Checks that no parameter is in two groups.
    fn is_each_in_one_group(&self, groups: &[GroupSpec]) -> Result<(), PlanError> {
        let mut taken: Vec<&Range<usize>> = Vec::new();
        let everything = 0..self.params.arena_len();
        for group in groups {
            let spans = group.params.as_ref().map_or(vec![(&everything, "every parameter")], |blocks| {
                blocks.iter().map(|block| (&block.span, block.name.as_str())).collect()
            });
            for (span, name) in spans {
                if taken.iter().any(|other| span.start < other.end && other.start < span.end) {
                    return Err(PlanError::Group { parameter: name.into(), reason: "is in two groups" });
                }
                taken.push(span);
            }
        }
        Ok(())
    }

    fn trained(&mut self, spec: &GroupSpec, scale: TensorId) -> Result<Trained, PlanError> {
        let of_group = |what: &str| match what {
            "" => format!("rate of {}", spec.name),
            _ => format!("{what} correction of {}", spec.name),
        };
        // The optimiser's kernel reads three scalars in a row.
        let rate = self.scalars.add(&of_group(""))?;
        self.scalars.add(&of_group("first"))?;
        self.scalars.add(&of_group("second"))?;
        let parts = match &spec.params {
            None => vec![Part {
                arenas: optimizer::UpdateTensors { clip: scale, ..self.arenas },
                optimised: self.params.optimised_len(),
            }],
            Some(blocks) => {
                spans(blocks).into_iter().map(|span| self.part(&spec.name, scale, span)).collect::<Vec<_>>()
            }
        };
        let norm = spec.clip.map(|_| self.norm(spec, parts.len()));
        let decays = match spec.rule {
            Rule::Adam { beta1, beta2, .. } => Some([beta1, beta2]),
            Rule::Sgd { .. } => None,
        };
        let group = Group { name: spec.name.clone(), rate, decays, scale };
        Ok(Trained { group, spec: spec.clone(), parts, norm })
    }

    /// Adds the tensors for the norm of a group's gradient.
    fn norm(&mut self, spec: &GroupSpec, parts: usize) -> Norm {
        let column = self.metrics.find(&spec.norm_name()).unwrap_or_default() as u32;
        let tensors = &mut self.lowering.tensors;
        let partials = tensors.floats("norm partials", &[reduce::STRIPES * parts]);
        let buffer = tensors.get(partials).buffer;
        let mut of_part = |part| tensors.view("norm partials", buffer, part * reduce::STRIPES, &[reduce::STRIPES]);
        let of_parts = if parts == 1 { vec![partials] } else { (0..parts).map(&mut of_part).collect() };
        Norm { partials, of_parts, column: MetricColumn { ring: self.metrics.ring, column } }
    }

    /// Views of some elements of the arenas.
    fn part(&mut self, group: &str, clip: TensorId, span: Range<usize>) -> Part {
        let tensors = &mut self.lowering.tensors;
        let mut view = |whole: TensorId| {
            let (name, buffer) = (format!("{} of {group}", tensors.get(whole).name), tensors.get(whole).buffer);
            tensors.view(name, buffer, span.start, &[span.len()])
        };
        let optimizer::UpdateTensors { weights, gradients, first, second, .. } = self.arenas;
        let [weights, gradients, first, second] = [weights, gradients, first, second].map(&mut view);
        Part { arenas: optimizer::UpdateTensors { weights, gradients, first, second, clip }, optimised: span.len() }
    }

    /// Returns a new graph over the program's parameters.
    pub fn graph(&self) -> Graph {
        Graph::continuing(self.params.clone(), self.scalars.clone())
    }

    /// The arena of parameters `(L)`.
    pub fn weights(&self) -> TensorId {
        self.arenas.weights
    }

    /// The scalar of this name, added if there is none.
    pub fn scalar(&mut self, name: &str) -> Result<ScalarId, PlanError> {
        self.scalars.add(name)
    }

    /// The column of a metric.
    pub fn metric(&self, name: &str) -> Option<MetricColumn> {
        let column = self.metrics.find(name)? as u32;
        Some(MetricColumn { ring: self.metrics.ring, column })
    }

    /// Adds the gradients of `sum(weight * loss)`, given as `(loss, weight)`, by the parameters of a group, or by all; each with its
    /// part of the arena of gradients.
    pub fn gradients(&mut self, g: &mut Graph, losses: &[(Node, Node)], group: Option<usize>) -> Vec<(Node, TensorId)> {
        let blocks = group.and_then(|group| self.groups[group].spec.params.as_ref());
        let is_of_group = |offset: usize| blocks.is_none_or(|blocks| blocks.iter().any(|b| b.span.contains(&offset)));
        let params: Vec<_> = g.parameters().into_iter().filter(|(_, offset, _)| is_of_group(*offset)).collect();
        self.placed_gradients(g, params, |g, params| gradients(g, losses, params))
    }

    /// Adds the gradients by all parameters, which `find` makes; each with its part of the arena of gradients.
    pub fn gradients_by(
        &mut self,
        g: &mut Graph,
        find: impl FnOnce(&mut Graph, &[Node]) -> Vec<Option<Node>>,
    ) -> Vec<(Node, TensorId)> {
        let params = g.parameters();
        self.placed_gradients(g, params, find)
    }

    fn placed_gradients(
        &mut self,
        g: &mut Graph,
        params: Vec<(Node, usize, Vec<usize>)>,
        find: impl FnOnce(&mut Graph, &[Node]) -> Vec<Option<Node>>,
    ) -> Vec<(Node, TensorId)> {
        let nodes: Vec<Node> = params.iter().map(|(node, ..)| *node).collect();
        let arena = self.lowering.tensors.get(self.arenas.gradients).buffer;
        let found = find(g, &nodes);
        let placed = params.iter().zip(found).filter_map(|((param, offset, shape), d)| {
            let name = format!("d_{}", g.name(*param));
            Some((d?, self.lowering.tensors.view(name, arena, *offset, shape)))
        });
        placed.collect()
    }

    /// The ops that report the means of values `(B)`, in the columns of metrics from one on.
    pub fn report(&self, values: &[TensorId], from: MetricColumn) -> Result<Vec<Op>, PlanError> {
        let some = values.chunks(reduce::REPORTED.len()).zip((from.column..).step_by(reduce::REPORTED.len()));
        some.map(|(values, column)| reduce::report(&self.lowering.tensors, values, MetricColumn { column, ..from }))
            .collect()
    }

    /// The ops that compute the factor by which the gradient of a group is clipped; none where it is not.
    pub fn clip(&self, group: usize) -> Result<Vec<Op>, PlanError> {
        let Trained { group, spec, parts, norm } = &self.groups[group];
        let (Some(max_norm), Some(norm)) = (spec.clip, norm) else { return Ok(Vec::new()) };
        let tensors = &self.lowering.tensors;
        let squares = |(part, to): (&Part, &TensorId)| reduce::squares(tensors, part.arenas.gradients, *to);
        let mut ops = parts.iter().zip(&norm.of_parts).map(squares).collect::<Result<Vec<_>, _>>()?;
        ops.push(reduce::clip(tensors, norm.partials, group.scale, norm.column, max_norm)?);
        Ok(ops)
    }

    /// The ops that update the parameters of a group.
    pub fn update(&self, group: usize) -> Result<Vec<Op>, PlanError> {
        let Trained { group, spec, parts, .. } = &self.groups[group];
        let settings = Settings { rule: spec.rule, decay: spec.decay, scalar: group.rate };
        let update = |part: &Part| optimizer::update(&self.lowering.tensors, part.arenas, settings, part.optimised);
        parts.iter().map(update).collect()
    }

    /// A plan of a graph, between ops that no node stands for. The nodes in `kept` lie where the outside reads them.
    pub fn plan(
        &mut self,
        name: &str,
        g: &Graph,
        kept: &[(Node, TensorId)],
        around: [Vec<Op>; 2],
    ) -> Result<StepPlan, PlanError> {
        let ops = self.lowering.ops(g, kept, around, self.fuse)?;
        Ok(StepPlan { name: name.to_string(), ops })
    }

    /// Ends the program: it keeps the tensors that the plans use and those that the outside wants. Returns the new id of each tensor as
    /// well.
    pub fn finish(
        self,
        mut plans: Vec<StepPlan>,
        outside: impl IntoIterator<Item = TensorId>,
    ) -> Result<(Program, Vec<Option<TensorId>>), PlanError> {
        if let Some(name) = twice(plans.iter().map(|plan| &plan.name)) {
            return Err(PlanError::SameName(name));
        }
        let bindings = plans.iter().flat_map(|plan| &plan.ops).flat_map(|op| &op.bindings);
        let mut used: HashSet<TensorId> = bindings.map(|binding| binding.tensor).chain(outside).collect();
        let has_params = self.params.arena_len() > 0;
        if has_params {
            used.extend([self.arenas.weights, self.arenas.gradients, self.arenas.clip]);
            used.extend(self.groups.iter().map(|trained| trained.group.scale));
        }
        if !self.metrics.names.is_empty() {
            used.insert(self.metrics.ring);
        }
        let arenas = [self.arenas.first, self.arenas.second];
        // Parts of the moments keep the whole of them.
        let is_used = |arena: &TensorId| used.iter().any(|id| self.lowering.tensors.overlap(*id, *arena));
        let moments: Vec<TensorId> = arenas.into_iter().filter(is_used).collect();
        used.extend(&moments);
        let mut tensors = self.lowering.tensors;
        let moved = tensors.retain(|id| used.contains(&id));
        // Everything that is asked for is used.
        let id = |old: TensorId| moved[old.0].unwrap_or(old);
        for binding in plans.iter_mut().flat_map(|plan| &mut plan.ops).flat_map(|op| &mut op.bindings) {
            binding.tensor = id(binding.tensor);
        }
        let arenas = has_params.then(|| Arenas {
            weights: id(self.arenas.weights),
            gradients: id(self.arenas.gradients),
            moments: moments.into_iter().map(id).collect(),
        });
        let groups = self.groups.into_iter().map(|trained| Group { scale: id(trained.group.scale), ..trained.group });
        let metrics = (!self.metrics.names.is_empty()).then(|| Metrics { ring: id(self.metrics.ring), ..self.metrics });
        let groups = groups.collect();
        let (params, scalars) = (self.params, self.scalars);
        Ok((Program { tensors, params, plans, scalars, metrics, arenas, groups }, moved))
    }
}

/// The first name that occurs twice.
fn twice<'a>(names: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name)).cloned()
}

/// The spans of blocks, aligned as blocks are; blocks that lie next to each other share one.
fn spans(blocks: &[Block]) -> Vec<Range<usize>> {
    let aligned = |block: &Block| block.span.start..block.span.end.next_multiple_of(ParamTable::ALIGNMENT);
    let mut all: Vec<Range<usize>> = blocks.iter().map(aligned).collect();
    all.sort_by_key(|span| span.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for span in all {
        match joined.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ => joined.push(span),
        }
    }
    joined
}
