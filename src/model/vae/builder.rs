//! What the plans of a model have in common: its tensors, and where nodes lie in them.

use wgvae_engine::graph::{Graph, Lowering, Node};
use wgvae_engine::kernels::optimizer::Arenas;
use wgvae_engine::kernels::{batch, reduce, softmax};
use wgvae_engine::plan::{
    METRICS_PER_STEP, Op, ParamTable, PlanError, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, StepPlan, TensorId,
    TensorTable,
};

use super::{Inference, Labels, Seen, Vae};
use crate::model::likelihood::Table;
use crate::model::network::{self, Draws, Inputs, Noise};
use crate::model::spec::{DataSpec, Importance, Objective, TableSpec, TrainSpec, VaeSpec};
use crate::model::{objective, regulariser};

/// What the plans have in common.
pub(super) struct Builder<'a> {
    pub(super) spec: &'a VaeSpec,
    pub(super) train: &'a TrainSpec,
    pub(super) levels: bool,
    pub(super) lowering: Lowering,
    pub(super) params: ParamTable,
    pub(super) train_data: TensorId,
    pub(super) test_data: TensorId,
    pub(super) labels: Option<Labels>,
    /// Kinds, groups and means of logarithms of a table's columns.
    pub(super) constants: Vec<(TensorId, Vec<f32>)>,
    /// What a regulariser is given.
    pub(super) regulariser: Vec<(TensorId, Vec<f32>)>,
    pub(super) x: TensorId,
    /// The batch with each row once for each draw of the latent, where there are several.
    pub(super) x_of_draws: Option<TensorId>,
    /// What is drawn for a batch.
    pub(super) draws: Draws,
    pub(super) mean: TensorId,
    /// What else than the means the distributions of values have.
    pub(super) parameters: [TensorId; 2],
    pub(super) given: TensorId,
    pub(super) codes: TensorId,
    pub(super) z: TensorId,
    pub(super) recon: TensorId,
    pub(super) kl: TensorId,
    /// What each row loses, where the objective has a bound.
    pub(super) loss: TensorId,
    pub(super) metrics: TensorId,
    pub(super) partials: TensorId,
    pub(super) arenas: Arenas,
    /// `(1)`: what the KL is weighed by, where it is held at or under a limit.
    pub(super) multiplier: Option<TensorId>,
    /// `(B, K)`: which part of the prior each row of a batch of samples is drawn from.
    pub(super) chosen: Option<(TensorId, Vec<f32>)>,
    /// `(K, Z)` each: the parts of the prior, if it has some.
    pub(super) parts: Option<[TensorId; 2]>,
    pub(super) inference: Option<(Seen, Inference)>,
    pub(super) weighed: Option<TensorId>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(spec: &'a VaeSpec, train: &'a TrainSpec, data: DataSpec, draws: Draws) -> Self {
        let params = parameters(spec);
        let (b, len) = (train.batch, params.arena_len());
        let mut tensors = TensorTable::default();
        let mut arena = |name: &str| tensors.floats(name, &[len]);
        let [weights, gradients] = ["weights", "gradients"].map(&mut arena);
        let [first, second] = ["first moments", "second moments"].map(&mut arena);
        let clip = tensors.floats("clip", &[1]);
        let weights_buffer = tensors.get(weights).buffer;
        let multiplier = params
            .find(objective::MULTIPLIER)
            .map(|param| tensors.view(objective::MULTIPLIER, weights_buffer, param.offset, &param.shape));
        let mut rows = |name: &str, rows: usize| match data.bytes {
            true => tensors.words(name, &[rows, batch::words_per_row(spec.width)]),
            false => tensors.floats(name, &[rows, spec.row_width()]),
        };
        let (train_data, test_data, x) =
            (rows("train data", data.train_rows), rows("test data", data.test_rows), rows("x", b));
        let x_of_draws = (draws.samples > 1).then(|| rows("x of draws", b * draws.samples));
        let labels = spec.classes.map(|count| Labels {
            train: tensors.words("train classes", &[data.train_rows, 1]),
            test: tensors.words("test classes", &[data.test_rows, 1]),
            batch: tensors.floats("classes", &[b, count]),
        });
        let constants = spec.table.as_ref().map_or_else(Vec::new, |table| constants(&mut tensors, table, spec.width));
        let regulariser = regulariser::constants(spec.regulariser, b, spec.latent)
            .into_iter()
            .map(|constant| (tensors.floats(constant.name, &constant.shape), constant.values))
            .collect();
        let parts = spec.prior.parts();
        let chosen = parts.map(|parts| (tensors.floats("chosen parts", &[b, parts]), chosen(b, parts)));
        let parts =
            parts.map(|k| ["mu", "logvar"].map(|name| tensors.floats(format!("{name} of parts"), &[k, spec.latent])));
        // Two halves of the ring: one is read back while the other is written.
        let metrics = tensors.floats("metrics", &[SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT, METRICS_PER_STEP]);
        let partials = tensors.floats("norm partials", &[reduce::STRIPES]);
        let mut lowering = Lowering::new(tensors, weights_buffer);
        let heads = if spec.objective != Objective::Ae { 2 } else { 1 };
        let codes = lowering.shared("codes", &[b, heads * spec.latent]);
        Self {
            spec,
            train,
            levels: data.bytes,
            params,
            train_data,
            test_data,
            labels,
            constants,
            regulariser,
            x,
            x_of_draws,
            draws,
            mean: lowering.shared("mean", &[b, spec.width]),
            parameters: ["parameter 0", "parameter 1"].map(|name| lowering.shared(name, &[b, spec.width])),
            given: lowering.shared("given noise", &[draws.rows(b), spec.latent]),
            codes,
            z: if spec.objective != Objective::Ae { lowering.shared("z", &[b, spec.latent]) } else { codes },
            recon: lowering.shared("recon", &[b]),
            kl: lowering.shared("kl", &[b]),
            loss: lowering.shared("loss of rows", &[b]),
            metrics,
            partials,
            arenas: Arenas { weights, gradients, first, second, clip },
            multiplier,
            chosen,
            parts,
            inference: None,
            weighed: None,
            lowering,
        }
    }

    pub(super) fn build(mut self, plans: fn(&mut Self) -> Result<Vec<StepPlan>, PlanError>) -> Result<Vae, PlanError> {
        let mut plans = plans(&mut self)?;
        let given = (self.draws.noise == Noise::Given && self.spec.objective != Objective::Ae).then_some(self.given);
        let labels: Vec<TensorId> = self.labels.iter().flat_map(|l| [l.train, l.test, l.batch]).collect();
        let outside = [
            self.train_data,
            self.test_data,
            self.arenas.weights,
            self.arenas.gradients,
            self.arenas.clip,
            self.x,
            self.mean,
            self.codes,
            self.z,
            self.recon,
            self.kl,
            self.metrics,
        ];
        let bindings =
            |plan: &StepPlan| plan.ops.iter().flat_map(|op| &op.bindings).map(|b| b.tensor).collect::<Vec<_>>();
        let used: std::collections::HashSet<TensorId> =
            plans.iter().flat_map(bindings).chain(outside).chain(labels).collect();
        let moments = [self.arenas.first, self.arenas.second].into_iter().filter(|id| used.contains(id));
        let mut tensors = self.lowering.tensors;
        let moved = tensors.retain(|id| used.contains(&id));
        // Everything that is asked for is used.
        let id = |old: TensorId| moved[old.0].unwrap_or(old);
        for binding in plans.iter_mut().flat_map(|plan| &mut plan.ops).flat_map(|op| &mut op.bindings) {
            binding.tensor = id(binding.tensor);
        }
        let moments = moments.map(id).collect();
        Ok(Vae {
            intervals: self.spec.intervals,
            train_data: id(self.train_data),
            test_data: id(self.test_data),
            constants: self
                .constants
                .into_iter()
                .chain(self.regulariser)
                .chain(self.chosen)
                .filter(|(t, _)| used.contains(t))
                .map(|(t, v)| (id(t), v))
                .collect(),
            labels: self.labels.map(|l| Labels { train: id(l.train), test: id(l.test), batch: id(l.batch) }),
            weights: id(self.arenas.weights),
            gradients: id(self.arenas.gradients),
            moments,
            clip: id(self.arenas.clip),
            x: id(self.x),
            mean: id(self.mean),
            parameters: self.parameters.into_iter().filter(|parameter| used.contains(parameter)).map(id).collect(),
            noise: given.map(id),
            codes: id(self.codes),
            z: id(self.z),
            recon: id(self.recon),
            kl: id(self.kl),
            inference: self.inference.map(|(_, Inference { seen, trust, slope })| Inference {
                seen: id(seen),
                trust: id(trust),
                slope: id(slope),
            }),
            weighed: self.weighed.map(id),
            parts: self.parts.filter(|parts| parts.iter().all(|part| used.contains(part))).map(|parts| parts.map(id)),
            program: Program { tensors, params: self.params, plans, metrics: Some(id(self.metrics)) },
        })
    }

    /// An empty graph, and the batch in it.
    pub(super) fn graph(&self) -> (Graph, Inputs) {
        let mut g = Graph::with_params(self.params.clone());
        let inputs = network::inputs(&mut g, self.spec, self.train.batch, self.levels);
        (g, inputs)
    }

    /// Where the batch lies.
    pub(super) fn placed(&self, inputs: Inputs) -> Vec<(Node, TensorId)> {
        let classes = inputs.classes.zip(self.labels).map(|(node, labels)| (node, labels.batch));
        std::iter::once((inputs.rows.all, self.x)).chain(classes).chain(self.placed_table(inputs.table)).collect()
    }

    /// Where lies what is known of a table's columns.
    pub(super) fn placed_table(&self, table: Option<Table>) -> Vec<(Node, TensorId)> {
        let nodes = table.map(|table| [Some(table.kinds), table.groups, table.log_means]);
        nodes.into_iter().flatten().zip(&self.constants).filter_map(|(node, (id, _))| Some((node?, *id))).collect()
    }

    /// A plan of a graph, between ops that no node stands for. The nodes in `kept` lie where the outside reads them.
    pub(super) fn plan(
        &mut self,
        name: &str,
        g: &Graph,
        kept: &[(Node, TensorId)],
        around: [Vec<Op>; 2],
    ) -> Result<StepPlan, PlanError> {
        let ops = self.lowering.ops(g, kept, around, self.train.fuse)?;
        Ok(StepPlan { name: name.to_string(), ops })
    }
}

/// The tensors that say what is known of a table's columns, and their values.
fn constants(tensors: &mut TensorTable, table: &TableSpec, width: usize) -> Vec<(TensorId, Vec<f32>)> {
    let kinds = table.kinds.iter().map(|kind| (*kind as u32) as f32).collect();
    let groups = softmax::groups(width, table.categories.iter().cloned());
    [("kinds", 1, kinds), ("groups", 2, groups), ("log_means", 1, table.log_means.clone())]
        .into_iter()
        .map(|(name, rows, values)| (tensors.floats(name, &[rows, values.len() / rows]), values))
        .collect()
}

/// `(B, K)`: 1 for the part that a row is drawn from, else 0. The parts are as probable as each other, and take turns; where there are
/// more than rows, some of them.
fn chosen(batch: usize, parts: usize) -> Vec<f32> {
    let of_row = |row: usize| if parts > batch { row * parts / batch } else { row % parts };
    (0..batch).flat_map(|row| (0..parts).map(move |part| if part == of_row(row) { 1.0 } else { 0.0 })).collect()
}

/// The parameters of a model, in the order in which its layers ask for them.
fn parameters(spec: &VaeSpec) -> ParamTable {
    let mut g = Graph::default();
    let inputs = network::inputs(&mut g, spec, 1, false);
    let encoded = network::encode(&mut g, spec, inputs, Draws::one(Noise::Drawn));
    let output = encoded.decode(&mut g, spec, inputs.classes);
    let recon = network::reconstruction(&mut g, spec, output, inputs);
    let importance = Importance { samples: 1, groups: 1, ..spec.importance };
    objective::losses(&mut g, &VaeSpec { importance, ..spec.clone() }, &encoded, recon, 1);
    let mut params = g.params().clone();
    spec.init.apply(&mut params);
    params
}
