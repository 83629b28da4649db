//! The tensors that the plans of a model have in common, and where nodes lie in them.

use std::ops::Range;

use wgvae_engine::graph::{Graph, GroupSpec, Node, ProgramBuilder};
use wgvae_engine::kernels::{batch, softmax};
use wgvae_engine::plan::{ParamTable, PlanError, ScalarTable, StepPlan, TensorId, TensorTable};

use super::{Generation, Inference, Labels, Seen, Vae};
use crate::model::likelihood::TableNodes;
use crate::model::network::{self, Inputs, LatentDraws, Noise};
use crate::model::spec::{Bucket, DataSpec, Importance, Objective, TableSpec, TrainSpec, VaeSpec};
use crate::model::step::MetricColumns;
use crate::model::{objective, regulariser, step};

/// The tensors and the program that the plans have in common.
pub(super) struct Builder<'a> {
    pub(super) spec: &'a VaeSpec,
    pub(super) train: &'a TrainSpec,
    pub(super) levels: bool,
    pub(super) program: ProgramBuilder,
    /// The rows on the device.
    pub(super) data: DataSpec,
    /// The network for each bucket of training rows, and the bucket.
    pub(super) buckets: Vec<(&'a VaeSpec, &'a Bucket)>,
    /// The training rows that batches are of; all where there is none.
    pub(super) rows: Option<Range<usize>>,
    pub(super) train_data: TensorId,
    pub(super) test_data: TensorId,
    pub(super) labels: Option<Labels>,
    /// Kinds, groups and means of logarithms of a table's columns.
    pub(super) constants: Vec<(TensorId, Vec<f32>)>,
    /// The constants of the regulariser.
    pub(super) regulariser: Vec<(TensorId, Vec<f32>)>,
    pub(super) x: TensorId,
    /// The batch with each row once for each draw of the latent, where there are several.
    pub(super) x_of_draws: Option<TensorId>,
    /// The draws of the latent for a batch.
    pub(super) draws: LatentDraws,
    pub(super) mean: TensorId,
    /// The parameters that the distributions of values have beside their means.
    pub(super) parameters: [TensorId; 2],
    pub(super) given: TensorId,
    pub(super) codes: TensorId,
    pub(super) z: TensorId,
    pub(super) recon: TensorId,
    pub(super) kl: TensorId,
    /// The loss of each row, where the objective has a bound.
    pub(super) loss: TensorId,
    /// `(1)`: the weight of the KL, where it is held at or under a limit.
    pub(super) multiplier: Option<TensorId>,
    /// `(B, K)`: which part of the prior each row of a batch of samples is drawn from.
    pub(super) chosen: Option<(TensorId, Vec<f32>)>,
    /// `(K, Z)` each: the parts of the prior, if it has some.
    pub(super) parts: Option<[TensorId; 2]>,
    /// The tensors of a decoder of texts, in a model that is applied.
    pub(super) generation: Option<Generation>,
    pub(super) inference: Option<(Seen, Inference)>,
    pub(super) weighed: Option<TensorId>,
}

/// Plans, and their numbers.
pub(super) type Plans<P> = (Vec<StepPlan>, P);

impl<'a> Builder<'a> {
    pub(super) fn new(
        spec: &'a VaeSpec,
        train: &'a TrainSpec,
        data: DataSpec,
        draws: LatentDraws,
    ) -> Result<Self, PlanError> {
        let params = parameters(spec);
        let b = train.batch;
        let group = group(train);
        let has_loss = spec.objective == Objective::Iwae;
        let metrics = [step::RECON, step::KL].into_iter().chain(has_loss.then_some(step::LOSS));
        let metrics: Vec<String> = metrics.map(String::from).collect();
        let mut program = ProgramBuilder::new(params.clone(), ScalarTable::default(), &[group], &metrics, train.fuse)?;
        for (name, place) in step::NAMES {
            let given = program.scalar(name)?;
            debug_assert_eq!(given, place, "{name}");
        }
        let weights = program.weights();
        let lowering = &mut program.lowering;
        let tensors = &mut lowering.tensors;
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
        let constants = spec.table.as_ref().map_or_else(Vec::new, |table| constants(tensors, table, spec.width));
        let regulariser = regulariser::constants(spec.regulariser, b, spec.latent)
            .into_iter()
            .map(|constant| (tensors.floats(constant.name, &constant.shape), constant.values))
            .collect();
        let parts = spec.prior.parts();
        let chosen = parts.map(|parts| (tensors.floats("chosen parts", &[b, parts]), chosen(b, parts)));
        let parts =
            parts.map(|k| ["mu", "logvar"].map(|name| tensors.floats(format!("{name} of parts"), &[k, spec.latent])));
        let heads = if spec.objective != Objective::Ae { 2 } else { 1 };
        let codes = lowering.shared("codes", &[b, heads * spec.latent]);
        Ok(Self {
            spec,
            train,
            levels: data.bytes,
            data,
            buckets: Vec::new(),
            rows: None,
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
            multiplier,
            chosen,
            parts,
            generation: None,
            inference: None,
            weighed: None,
            program,
        })
    }

    pub(super) fn build<P>(mut self, plans: fn(&mut Self) -> Result<Plans<P>, PlanError>) -> Result<Vae<P>, PlanError> {
        let (steps, plans) = plans(&mut self)?;
        let given = (self.draws.noise == Noise::Given && self.spec.objective != Objective::Ae).then_some(self.given);
        let labels = self.labels.iter().flat_map(|l| [l.train, l.test, l.batch]);
        let outside = [self.train_data, self.test_data, self.x, self.mean, self.codes, self.z, self.recon, self.kl];
        let norm = group(self.train).norm_name();
        let (program, moved) = self.program.finish(steps, outside.into_iter().chain(labels))?;
        // Everything that is asked for is used.
        let id = |old: TensorId| moved[old.0].unwrap_or(old);
        let is_used = |old: &TensorId| moved[old.0].is_some();
        let (Some(arenas), Some(metrics)) = (&program.arenas, &program.metrics) else {
            return Err(PlanError::NoParameters);
        };
        let constants = self.constants.into_iter().chain(self.regulariser).chain(self.chosen);
        Ok(Vae {
            plans,
            intervals: self.spec.intervals,
            buckets: self.buckets.iter().map(|(_, bucket)| (*bucket).clone()).collect(),
            train_data: id(self.train_data),
            test_data: id(self.test_data),
            constants: constants.filter(|(t, _)| is_used(t)).map(|(t, v)| (id(t), v)).collect(),
            labels: self.labels.map(|l| Labels { train: id(l.train), test: id(l.test), batch: id(l.batch) }),
            weights: arenas.weights,
            gradients: arenas.gradients,
            moments: arenas.moments.clone(),
            clip: program.groups[0].scale,
            x: id(self.x),
            mean: id(self.mean),
            parameters: self.parameters.into_iter().filter(is_used).map(id).collect(),
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
            generation: self.generation.map(|of| Generation {
                token: id(of.token),
                place: of.place.map(id),
                logits: id(of.logits),
                states: of.states.into_iter().map(|pair| pair.map(id)).collect(),
            }),
            weighed: self.weighed.map(id),
            parts: self.parts.filter(|parts| parts.iter().all(is_used)).map(|parts| parts.map(id)),
            metrics: MetricColumns::of(metrics, &norm),
            program,
        })
    }

    /// Adds the tensors of a decoder of texts that makes token after token, if the model is one.
    pub(super) fn with_generation(mut self) -> Self {
        if !self.spec.is_of_tokens() {
            return self;
        }
        let batch = self.train.batch;
        let mut shared = |name: &str, width: usize| self.program.lowering.shared(name, &[batch, width]);
        let logits = shared("logits", self.spec.vocabulary());
        if network::looks_back(self.spec) {
            let (token, place) = (shared("tokens so far", self.spec.width), shared("place", 1));
            self.generation = Some(Generation { token, place: Some(place), logits, states: Vec::new() });
            return self;
        }
        let token = shared("token", 1);
        let state = |(number, width): (usize, usize)| {
            ["state", "next state"].map(|name| shared(&format!("{name} {number}"), width))
        };
        let states = network::state_widths(self.spec).into_iter().enumerate().map(state).collect();
        self.generation = Some(Generation { token, place: None, logits, states });
        self
    }

    /// An empty graph, and the batch in it.
    pub(super) fn graph(&self) -> (Graph, Inputs) {
        let mut g = self.program.graph();
        let inputs = network::inputs(&mut g, self.spec, self.train.batch, self.levels);
        (g, inputs)
    }

    /// Where the batch lies.
    pub(super) fn placed(&self, inputs: Inputs) -> Vec<(Node, TensorId)> {
        let classes = inputs.classes.zip(self.labels).map(|(node, labels)| (node, labels.batch));
        std::iter::once((inputs.rows.all, self.x)).chain(classes).chain(self.placed_table(inputs.table)).collect()
    }

    /// Where lies what is known of a table's columns.
    pub(super) fn placed_table(&self, table: Option<TableNodes>) -> Vec<(Node, TensorId)> {
        let nodes = table.map(|table| [Some(table.kinds), table.groups, table.log_means]);
        nodes.into_iter().flatten().zip(&self.constants).filter_map(|(node, (id, _))| Some((node?, *id))).collect()
    }
}

/// How all parameters are trained.
fn group(train: &TrainSpec) -> GroupSpec {
    GroupSpec {
        name: step::GROUP.into(),
        params: None,
        rule: train.rule,
        decay: train.decay,
        clip: train.clip,
        every: 1,
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
    let encoded = network::encode(&mut g, spec, inputs, LatentDraws::one(Noise::Drawn));
    let output = encoded.decode(&mut g, spec, inputs);
    let recon = network::reconstruction(&mut g, spec, output, inputs);
    let importance = Importance { samples: 1, groups: 1, ..spec.importance };
    objective::losses(&mut g, &VaeSpec { importance, ..spec.clone() }, &encoded, recon, 1);
    let mut params = g.params().clone();
    spec.init.apply(&mut params);
    params
}
