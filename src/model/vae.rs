//! The plans of a model: to train it, and to apply it.

use super::layers;
use super::likelihood::Table;
use super::network::{self, Draws, Encoded, Inputs, Noise};
use super::objective::{self, Losses};
use super::regulariser;
use super::spec::{DataSpec, Importance, Objective, Regulariser, TableSpec, TrainSpec, VaeSpec};
use crate::graph::{Graph, Lowering, Node, Over, gradients};
use crate::kernels::optimizer::{self, Arenas};
use crate::kernels::{batch, log_sum_exp, reduce, softmax};
use crate::plan::{
    Function, Loss, METRICS_PER_STEP, Op, ParamTable, PlanError, PlanId, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT,
    StepPlan, TensorId, TensorTable,
};

/// A plan of a [`Vae`], by its index in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// A whole training step.
    Train = 0,
    /// The losses of a batch of test rows.
    Evaluate = 1,
    /// Test rows through the code without noise.
    Reconstruct = 2,
    /// Draws from the prior, decoded. An autoencoder has no prior and no such plan.
    Sample = 3,
}

/// A plan of a model that is only applied, by its index in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// Rows to what the encoder says of them: `codes`, and `z` without noise.
    Encode = 0,
    /// `z` to what the decoder shows.
    Decode = 1,
    /// Rows through both, without noise.
    Reconstruct = 2,
    /// The losses of rows, with one draw of the latent from [`Vae::noise`].
    Score = 3,
    /// What `z` loses for what is seen of rows, and the slope of that: of a model that is to infer codes.
    Infer = 4,
    /// Another draw of the latent for each row of the batch, whose codes are there, and its weight: of a model that is to weigh
    /// draws.
    Weigh = 5,
}

/// How rows that codes are inferred for were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// As they are: with the model's likelihood.
    Exactly,
    /// With noise: with squared errors, weighted for each value.
    WithNoise,
}

/// Where what is seen of rows lies, and the slope of its loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inference {
    /// `(B, D)`: the values; 0 where one is not seen.
    pub seen: TensorId,
    /// `(B, D)`: what the loss of each is multiplied by; 0 where it is not seen.
    pub trust: TensorId,
    /// `(B, Z)`: the slope of each row's loss by `z`; the loss is in [`Vae::recon`].
    pub slope: TensorId,
}

impl From<Plan> for PlanId {
    fn from(plan: Plan) -> Self {
        PlanId(plan as usize)
    }
}

impl From<Apply> for PlanId {
    fn from(plan: Apply) -> Self {
        match plan {
            // A model has at most one of them.
            Apply::Infer | Apply::Weigh => PlanId(4),
            _ => PlanId(plan as usize),
        }
    }
}

/// A model's program, and the tensors the outside writes and reads.
#[derive(Debug, Clone)]
pub struct Vae {
    /// Tensors and plans.
    pub program: Program,
    /// The training rows.
    pub train_data: TensorId,
    /// The test rows.
    pub test_data: TensorId,
    /// The classes of both, where the model is told.
    pub labels: Option<Labels>,
    /// What the outside writes once: what is known of a table's columns.
    pub constants: Vec<(TensorId, Vec<f32>)>,
    /// `(L)`: all parameters.
    pub weights: TensorId,
    /// `(L)`: all gradients.
    pub gradients: TensorId,
    /// `(L)` each: the optimiser's moments, as many as it has.
    pub moments: Vec<TensorId>,
    /// `(1)`: what gradients are multiplied by; starts at 1.
    pub clip: TensorId,
    /// `(B, D)`: the batch; where the data is bytes, `(B, ceil(D / 4))` words of them.
    pub x: TensorId,
    /// `(B, D)`: what the decoder shows, in the units of the data.
    pub mean: TensorId,
    /// `(B, Z)`: the noise of the reparameterisation, where it is given.
    pub noise: Option<TensorId>,
    /// `(B, 2 Z)`: mu and logvar; an autoencoder's `(B, Z)` code.
    pub codes: TensorId,
    /// `(B, Z)`: what is decoded.
    pub z: TensorId,
    /// `(B)`: the negative log-likelihood of each row.
    pub recon: TensorId,
    /// `(B)`: the KL divergence of each row.
    pub kl: TensorId,
    /// Of a model that is to infer codes.
    pub inference: Option<Inference>,
    /// Of a model that is to weigh draws, `(B, 3)`: of each row, the greatest logarithm of a weight, and the sums of the weights and
    /// of their squares in units of it. See [`stream`](crate::kernels::log_sum_exp::stream).
    pub weighed: Option<TensorId>,
}

/// Where the classes of rows lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labels {
    /// `(N, 1)`: the number of the class of each training row.
    pub train: TensorId,
    /// The same of the test rows.
    pub test: TensorId,
    /// `(B, K)`: 1 in the column of the class of each row of the batch, else 0.
    pub batch: TensorId,
}

impl Labels {
    /// The numbers of the classes in turn, for rows that have none.
    pub fn in_turn(rows: std::ops::Range<usize>, count: usize) -> Vec<u32> {
        rows.map(|row| (row % count.max(1)) as u32).collect()
    }

    /// `(B, K)` of the numbers of classes.
    pub fn columns(classes: &[u32], count: usize) -> Vec<f32> {
        let row = |class: u32| (0..count as u32).map(move |column| if column == class { 1.0 } else { 0.0 });
        classes.iter().copied().flat_map(row).collect()
    }
}

/// What the plans have in common.
struct Builder<'a> {
    spec: &'a VaeSpec,
    train: &'a TrainSpec,
    levels: bool,
    lowering: Lowering,
    params: ParamTable,
    train_data: TensorId,
    test_data: TensorId,
    labels: Option<Labels>,
    /// Kinds, groups and means of logarithms of a table's columns.
    constants: Vec<(TensorId, Vec<f32>)>,
    /// What a regulariser is given.
    regulariser: Vec<(TensorId, Vec<f32>)>,
    x: TensorId,
    /// The batch with each row once for each draw of the latent, where there are several.
    x_of_draws: Option<TensorId>,
    /// What is drawn for a batch.
    draws: Draws,
    mean: TensorId,
    given: TensorId,
    codes: TensorId,
    z: TensorId,
    recon: TensorId,
    kl: TensorId,
    /// What each row loses, where the objective has a bound.
    loss: TensorId,
    metrics: TensorId,
    partials: TensorId,
    arenas: Arenas,
    inference: Option<(Seen, Inference)>,
    weighed: Option<TensorId>,
}

impl Vae {
    /// Builds the plans that train a model.
    pub fn new(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Builder::new(spec, train, data, as_trained(spec, Noise::Drawn)).build(Builder::training)
    }

    /// The same with the training plan's noise taken from [`Vae::noise`] instead of drawn: for comparisons with other
    /// programs.
    pub fn with_given_noise(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Builder::new(spec, train, data, as_trained(spec, Noise::Given)).build(Builder::training)
    }

    /// Builds the plans that apply a model to rows, at most as many at a time as the test data has.
    pub fn applied(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Builder::new(spec, train, data, Draws::one(Noise::Given)).build(Builder::applying)
    }

    /// The same, and a plan to infer the codes of rows that were seen in part or with noise.
    pub fn inferring(spec: &VaeSpec, train: &TrainSpec, data: DataSpec, seen: Seen) -> Result<Self, PlanError> {
        let mut builder = Builder::new(spec, train, data, Draws::one(Noise::Given));
        let mut matrix = |name: &str, width: usize| builder.lowering.shared(name, &[train.batch, width]);
        let inference = Inference {
            seen: matrix("seen", spec.width),
            trust: matrix("trust", spec.width),
            slope: matrix("d_z", spec.latent),
        };
        builder.inference = Some((seen, inference));
        builder.build(Builder::applying)
    }

    /// The same as [`Vae::applied`], and a plan to weigh draws of the latent, as importance sampling does.
    pub fn weighing(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        let mut builder = Builder::new(spec, train, data, Draws::one(Noise::Given));
        builder.weighed = Some(builder.lowering.shared("weighed", &[train.batch, 3]));
        builder.build(Builder::applying)
    }
}

impl<'a> Builder<'a> {
    fn new(spec: &'a VaeSpec, train: &'a TrainSpec, data: DataSpec, draws: Draws) -> Self {
        let params = parameters(spec);
        let (b, len) = (train.batch, params.arena_len());
        let mut tensors = TensorTable::default();
        let mut arena = |name: &str| tensors.floats(name, &[len]);
        let [weights, gradients] = ["weights", "gradients"].map(&mut arena);
        let [first, second] = ["first moments", "second moments"].map(&mut arena);
        let clip = tensors.floats("clip", &[1]);
        let mut rows = |name: &str, rows: usize| match data.bytes {
            true => tensors.words(name, &[rows, batch::words_per_row(spec.width)]),
            false => tensors.floats(name, &[rows, spec.width]),
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
        // Two halves of the ring: one is read back while the other is written.
        let metrics = tensors.floats("metrics", &[SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT, METRICS_PER_STEP]);
        let partials = tensors.floats("norm partials", &[reduce::STRIPES]);
        let weights_buffer = tensors.get(weights).buffer;
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
            given: lowering.shared("given noise", &[draws.rows(b), spec.latent]),
            codes,
            z: if spec.objective != Objective::Ae { lowering.shared("z", &[b, spec.latent]) } else { codes },
            recon: lowering.shared("recon", &[b]),
            kl: lowering.shared("kl", &[b]),
            loss: lowering.shared("loss of rows", &[b]),
            metrics,
            partials,
            arenas: Arenas { weights, gradients, first, second, clip },
            inference: None,
            weighed: None,
            lowering,
        }
    }

    fn build(mut self, plans: fn(&mut Self) -> Result<Vec<StepPlan>, PlanError>) -> Result<Vae, PlanError> {
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
            train_data: id(self.train_data),
            test_data: id(self.test_data),
            constants: self
                .constants
                .into_iter()
                .chain(self.regulariser)
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
            program: Program { tensors, params: self.params, plans, metrics: Some(id(self.metrics)) },
        })
    }

    fn training(&mut self) -> Result<Vec<StepPlan>, PlanError> {
        let mut plans = vec![self.train()?, self.evaluate("evaluate", Noise::Drawn, true)?, self.reconstruct()?];
        if self.spec.objective != Objective::Ae {
            plans.push(self.sample()?);
        }
        Ok(plans)
    }

    fn applying(&mut self) -> Result<Vec<StepPlan>, PlanError> {
        let mut plans =
            vec![self.encode()?, self.decode()?, self.reconstruct()?, self.evaluate("score", Noise::Given, false)?];
        if let Some((seen, inference)) = self.inference {
            plans.push(self.infer(seen, inference)?);
        }
        if let Some(weighed) = self.weighed {
            plans.push(self.weigh(weighed)?);
        }
        Ok(plans)
    }

    /// An empty graph, and the batch in it.
    fn graph(&self) -> (Graph, Inputs) {
        let mut g = Graph::with_params(self.params.clone());
        let inputs = network::inputs(&mut g, self.spec, self.train.batch, self.levels);
        (g, inputs)
    }

    /// Where the batch lies.
    fn placed(&self, inputs: Inputs) -> Vec<(Node, TensorId)> {
        let classes = inputs.classes.zip(self.labels).map(|(node, labels)| (node, labels.batch));
        std::iter::once((inputs.x, self.x)).chain(classes).chain(self.placed_table(inputs.table)).collect()
    }

    /// Where lies what is known of a table's columns.
    fn placed_table(&self, table: Option<Table>) -> Vec<(Node, TensorId)> {
        let nodes = table.map(|table| [Some(table.kinds), table.groups, table.log_means]);
        nodes.into_iter().flatten().zip(&self.constants).filter_map(|(node, (id, _))| Some((node?, *id))).collect()
    }

    /// A plan of a graph, between ops that no node stands for. The nodes in `kept` lie where the outside reads them.
    fn plan(
        &mut self,
        name: &str,
        g: &Graph,
        kept: &[(Node, TensorId)],
        around: [Vec<Op>; 2],
    ) -> Result<StepPlan, PlanError> {
        let ops = self.lowering.ops(g, kept, around, self.train.fuse)?;
        Ok(StepPlan { name: name.to_string(), ops })
    }

    /// Gathers a batch of training rows, changed a little if asked.
    fn gather_training(&self) -> Result<Vec<Op>, PlanError> {
        let tensors = &self.lowering.tensors;
        let (data, width, binarise) = (self.train_data, self.spec.width, self.train.binarise);
        let rows = |x: TensorId| match self.train.augment {
            Some(augment) => batch::augmented(tensors, data, x, binarise, augment),
            None => batch::gather(tensors, data, x, width, binarise),
        };
        self.gathered(rows, |labels| labels.train)
    }

    /// Gathers a batch of test rows.
    fn gather_test(&self) -> Result<Vec<Op>, PlanError> {
        let (tensors, width) = (&self.lowering.tensors, self.spec.width);
        let rows = |x: TensorId| batch::gather(tensors, self.test_data, x, width, self.train.binarise);
        self.gathered(rows, |labels| labels.test)
    }

    /// Gathers rows, and again for each draw of the latent, where there are several; and their classes.
    fn gathered(
        &self,
        rows: impl Fn(TensorId) -> Result<Op, PlanError>,
        of: impl Fn(Labels) -> TensorId,
    ) -> Result<Vec<Op>, PlanError> {
        let mut ops = vec![rows(self.x)?];
        if let Some(x) = self.x_of_draws {
            let mut op = batch::repeated(rows(x)?, self.draws.samples)?;
            op.label += " of draws";
            ops.push(op);
        }
        if let Some(labels) = self.labels {
            ops.push(batch::classes(&self.lowering.tensors, of(labels), labels.batch)?);
        }
        Ok(ops)
    }

    fn report(&self, has_loss: bool) -> Result<Op, PlanError> {
        let tensors = &self.lowering.tensors;
        match has_loss {
            true => reduce::report_loss(tensors, [self.recon, self.kl, self.loss], self.metrics),
            false => reduce::report(tensors, self.recon, self.kl, self.metrics),
        }
    }

    /// The losses of a batch, as they are in training or the reconstruction and the KL alone, and the nodes that the outside
    /// places or reads.
    fn losses(
        &self,
        g: &mut Graph,
        inputs: Inputs,
        noise: Noise,
        as_trained: bool,
    ) -> (Encoded, Losses, Vec<(Node, TensorId)>) {
        let (spec, batch) = (self.spec, self.train.batch);
        let encoded = network::encode(g, spec, inputs, Draws { noise, ..self.draws });
        let mut kept = self.placed(inputs);
        let of_draws = match self.x_of_draws {
            None => inputs,
            Some(to) => {
                let x = g.input("x of draws", [batch * self.draws.samples, spec.width], self.levels);
                kept.push((x, to));
                let repeated = |classes| g.repeat("classes of draws", classes, self.draws.samples);
                Inputs { x, classes: inputs.classes.map(repeated), table: inputs.table }
            }
        };
        let output = encoded.decode(g, spec, of_draws.classes);
        let recon = network::reconstruction(g, spec, output, of_draws);
        let losses = match as_trained {
            true => objective::losses(g, spec, &encoded, recon, batch),
            false => Losses::plain(recon),
        };
        kept.extend(losses.constants.iter().copied().zip(self.regulariser.iter().map(|(id, _)| *id)));
        kept.push((losses.recon, self.recon));
        kept.extend(encoded.kl.map(|kl| (kl, self.kl)));
        kept.extend(losses.loss.map(|loss| (loss, self.loss)));
        kept.extend(encoded.noise.map(|noise| (noise, self.given)));
        (encoded, losses, kept)
    }

    /// A step: the batch, the losses, their gradients, the update.
    fn train(&mut self) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let (encoded, losses, mut kept) = self.losses(&mut g, inputs, self.draws.noise, true);
        let (spec, arena) = (self.spec, self.arenas.gradients);
        let find = |g: &mut Graph, params: &[Node]| losses.gradients(g, spec, &encoded, params);
        kept.extend(self.lowering.placed_gradients(&mut g, arena, find));
        let gather = self.gather_training()?;
        let tensors = &self.lowering.tensors;
        let mut behind = vec![self.report(losses.loss.is_some())?];
        if let Some(max_norm) = self.train.clip {
            behind.push(reduce::squares(tensors, self.arenas.gradients, self.partials)?);
            behind.push(reduce::clip(tensors, self.partials, self.arenas.clip, self.metrics, max_norm)?);
        }
        behind.push(optimizer::update(tensors, self.arenas, self.train.rule, self.train.decay)?);
        self.plan("train", &g, &kept, [gather, behind])
    }

    /// The losses of a batch of test rows.
    fn evaluate(&mut self, name: &str, noise: Noise, as_trained: bool) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let (_, losses, kept) = self.losses(&mut g, inputs, noise, as_trained);
        let (gather, report) = (self.gather_test()?, self.report(losses.loss.is_some())?);
        self.plan(name, &g, &kept, [gather, vec![report]])
    }

    fn encode(&mut self) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let encoded = network::encode(&mut g, self.spec, inputs, Draws::one(Noise::Off));
        let mut kept = self.placed(inputs);
        kept.push((encoded.codes, self.codes));
        if encoded.z != encoded.codes {
            kept.push((encoded.z, self.z));
        }
        let gather = self.gather_test()?;
        self.plan("encode", &g, &kept, [gather, Vec::new()])
    }

    fn reconstruct(&mut self) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let output = network::encode(&mut g, self.spec, inputs, Draws::one(Noise::Off)).decode(
            &mut g,
            self.spec,
            inputs.classes,
        );
        let mean = self.spec.likelihood.mean(&mut g, output, inputs.table);
        let mut kept = self.placed(inputs);
        kept.push((mean, self.mean));
        let gather = self.gather_test()?;
        self.plan("reconstruct", &g, &kept, [gather, Vec::new()])
    }

    /// What the decoder shows of a `z`, and of the classes that the outside writes.
    fn shown(&mut self, name: &str, mut g: Graph, z: Node) -> Result<StepPlan, PlanError> {
        let classes = network::classes(&mut g, self.spec, self.train.batch);
        let weights = if self.spec.tied { network::encoder_weights(&mut g, self.spec) } else { Vec::new() };
        let output = network::decode(&mut g, self.spec, z, classes, &weights);
        let table = network::table(&mut g, self.spec);
        let mean = self.spec.likelihood.mean(&mut g, output, table);
        let mut kept = vec![(z, self.z), (mean, self.mean)];
        kept.extend(self.placed_table(table));
        kept.extend(classes.zip(self.labels).map(|(node, labels)| (node, labels.batch)));
        self.plan(name, &g, &kept, [Vec::new(), Vec::new()])
    }

    fn decode(&mut self) -> Result<StepPlan, PlanError> {
        let mut g = Graph::with_params(self.params.clone());
        let z = g.input("z", [self.train.batch, self.spec.latent], false);
        self.shown("decode", g, z)
    }

    /// The loss of what is seen of rows by a `z`, and its slope.
    fn infer(&mut self, seen: Seen, to: Inference) -> Result<StepPlan, PlanError> {
        let mut g = Graph::with_params(self.params.clone());
        let (batch, width) = (self.train.batch, self.spec.width);
        let z = g.input("z", [batch, self.spec.latent], false);
        let (x, trust) = (g.input("seen", [batch, width], false), g.input("trust", [batch, width], false));
        let classes = network::classes(&mut g, self.spec, batch);
        let weights = if self.spec.tied { network::encoder_weights(&mut g, self.spec) } else { Vec::new() };
        let output = network::decode(&mut g, self.spec, z, classes, &weights);
        let table = network::table(&mut g, self.spec);
        let losses = match seen {
            Seen::Exactly => {
                let loss = network::losses(&mut g, self.spec, output, Inputs { x, classes, table });
                let trust = g.reshape(trust, g.shape(loss));
                g.map("trusted losses", Function::Multiply, &[loss, trust])
            }
            Seen::WithNoise => {
                let mean = self.spec.likelihood.mean(&mut g, output, None);
                let [x, trust] = [x, trust].map(|node| g.reshape(node, g.shape(mean)));
                let zero = g.constant(0.0);
                g.map("trusted losses", Function::Loss(Loss::Gaussian), &[mean, x, trust, zero])
            }
        };
        let of_rows = g.reshape(losses, [batch, width]);
        let recon = g.fold("recon", of_rows, Over::Columns);
        let one = g.constant(1.0);
        let slope = gradients(&mut g, &[(recon, one)], &[z]).into_iter().next().flatten();
        let mut kept = vec![(z, self.z), (x, to.seen), (trust, to.trust), (recon, self.recon)];
        kept.extend(slope.map(|slope| (slope, to.slope)));
        kept.extend(self.placed_table(table));
        kept.extend(classes.zip(self.labels).map(|(node, labels)| (node, labels.batch)));
        self.plan("infer", &g, &kept, [Vec::new(), Vec::new()])
    }

    /// A draw of the latent for each row of the batch, from its codes, and its weight: `p(x, z) / q(z | x)`.
    fn weigh(&mut self, weighed: TensorId) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let (batch, latent) = (self.train.batch, self.spec.latent);
        let codes = g.input("codes", [batch, 2 * latent], false);
        let [mu, logvar] = network::halves(&mut g, codes, latent);
        let noise = g.normal("noise", 0, [batch, latent]);
        let z = layers::reparameterise(&mut g, "z", [mu, logvar], noise);
        let weights = if self.spec.tied { network::encoder_weights(&mut g, self.spec) } else { Vec::new() };
        let output = network::decode(&mut g, self.spec, z, inputs.classes, &weights);
        let recon = network::reconstruction(&mut g, self.spec, output, inputs);
        let ratio = layers::log_ratio(&mut g, z, noise, logvar);
        let minus = g.constant(-1.0);
        let log_likelihood = g.map("log_likelihood", Function::Multiply, &[recon, minus]);
        let log_weight = g.sum_of("log_weight", log_likelihood, ratio);
        let to = self.lowering.shared("log_weight", &[batch, 1]);
        let mut kept = self.placed(inputs);
        kept.extend([(codes, self.codes), (log_weight, to)]);
        let stream = log_sum_exp::stream(&self.lowering.tensors, "stream", to, weighed)?;
        self.plan("weigh", &g, &kept, [Vec::new(), vec![stream]])
    }

    fn sample(&mut self) -> Result<StepPlan, PlanError> {
        let mut g = Graph::with_params(self.params.clone());
        let z = g.normal("prior", 0, [self.train.batch, self.spec.latent]);
        self.shown("sample", g, z)
    }
}

/// What a step of training draws.
fn as_trained(spec: &VaeSpec, noise: Noise) -> Draws {
    let prior = matches!(spec.regulariser, Regulariser::Discrepancy { .. });
    Draws { noise, samples: spec.importance.samples, prior }
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
