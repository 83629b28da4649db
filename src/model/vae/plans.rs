//! The plans one by one.

use wgvae_engine::graph::{Axis, Graph, Node, gradients};
use wgvae_engine::kernels::{batch, log_sum_exp, map, optimizer};
use wgvae_engine::plan::{Function, Index, Loss, Op, PlanError, PlanId, StepPlan, TensorId};

use super::builder::Builder;
use super::{ApplyingPlans, Generation, Inference, Labels, Seen, TrainingPlans};
use crate::model::likelihood::TableNodes;
use crate::model::network::{self, Encoded, Inputs, LatentDraws, Noise, Told};
use crate::model::objective::{self, Losses};
use crate::model::spec::{Bucket, Objective, Penalty, VaeSpec};
use crate::model::{layers, prior, step};

/// Plans in the order of their numbers.
struct Numbered(Vec<StepPlan>);

impl Numbered {
    fn add(&mut self, plan: StepPlan) -> PlanId {
        self.0.push(plan);
        PlanId(self.0.len() - 1)
    }
}

impl<'a> Builder<'a> {
    pub(super) fn training(&mut self) -> Result<(Vec<StepPlan>, TrainingPlans), PlanError> {
        let mut all = Numbered(Vec::new());
        let mut of_buckets = Vec::new();
        for (spec, bucket) in self.buckets.clone() {
            of_buckets.push(all.add(self.train_in(spec, bucket)?));
        }
        let train = match of_buckets.pop() {
            Some(longest) => longest,
            None => all.add(self.train("train")?),
        };
        let plans = TrainingPlans {
            train,
            shorter: of_buckets,
            evaluate: all.add(self.evaluate("evaluate", Noise::Drawn, true)?),
            reconstruct: all.add(self.reconstruct()?),
            sample: match self.spec.objective {
                Objective::Ae => None,
                // Texts are drawn token by token, from a trained model.
                _ if self.spec.is_of_tokens() => None,
                _ => Some(all.add(self.sample()?)),
            },
        };
        Ok((all.0, plans))
    }

    pub(super) fn applying(&mut self) -> Result<(Vec<StepPlan>, ApplyingPlans), PlanError> {
        let mut all = Numbered(Vec::new());
        let plans = ApplyingPlans {
            encode: all.add(self.encode()?),
            decode: all.add(self.decode()?),
            next_token: match self.generation.clone() {
                Some(generation) => Some(all.add(self.next_token(&generation)?)),
                None => None,
            },
            reconstruct: all.add(self.reconstruct()?),
            score: all.add(self.evaluate("score", Noise::Given, false)?),
            infer: match self.inference {
                Some((seen, inference)) => Some(all.add(self.infer(seen, inference)?)),
                None => None,
            },
            weigh: match self.weighed {
                Some(weighed) => Some(all.add(self.weigh(weighed)?)),
                None => None,
            },
            prior: match self.parts {
                Some(parts) => Some(all.add(self.prior(parts)?)),
                None => None,
            },
        };
        Ok((all.0, plans))
    }

    /// Gathers a batch of training rows, changed a little if asked.
    fn gather_training(&self) -> Result<Vec<Op>, PlanError> {
        let tensors = &self.program.lowering.tensors;
        let (data, width, binarise) = (self.train_data, self.spec.row_width(), self.train.binarise);
        let rows = |x: TensorId| match self.train.augment {
            Some(augment) => batch::augmented(tensors, data, x, binarise, augment),
            None => batch::gather(tensors, data, x, width, binarise),
        };
        let mut ops = self.gathered(rows, |labels| labels.train)?;
        if let Some(rows) = &self.rows {
            ops = ops.into_iter().map(|op| batch::of_rows(op, rows.clone())).collect::<Result<_, _>>()?;
        }
        Ok(ops)
    }

    /// Gathers a batch of test rows.
    fn gather_test(&self) -> Result<Vec<Op>, PlanError> {
        let (tensors, width) = (&self.program.lowering.tensors, self.spec.row_width());
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
            ops.push(batch::classes(&self.program.lowering.tensors, of(labels), labels.batch)?);
        }
        Ok(ops)
    }

    /// The ops that report what a step loses.
    fn report(&self, has_loss: bool) -> Result<Vec<Op>, PlanError> {
        let values = [self.recon, self.kl].into_iter().chain(has_loss.then_some(self.loss));
        let first = self.program.metric(step::RECON).ok_or(PlanError::NoParameters)?;
        self.program.report(&values.collect::<Vec<_>>(), first)
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
        let encoded = network::encode(g, spec, inputs, LatentDraws { noise, ..self.draws });
        let mut kept = self.placed(inputs);
        let of_draws = match self.x_of_draws {
            None => inputs,
            Some(to) => {
                let rows = network::RowNodes::input(g, "x of draws", spec, batch * self.draws.samples, self.levels);
                kept.push((rows.all, to));
                let repeated = |classes| g.repeat("classes of draws", classes, self.draws.samples);
                Inputs { rows, classes: inputs.classes.map(repeated), ..inputs }
            }
        };
        let output = encoded.decode(g, spec, of_draws);
        let recon = network::reconstruction(g, spec, output, of_draws);
        let losses = match as_trained {
            true => objective::losses(g, spec, &encoded, recon, batch),
            false => Losses::plain(recon),
        };
        kept.extend(losses.constants.iter().copied().zip(self.regulariser.iter().map(|(id, _)| *id)));
        kept.push((losses.recon, self.recon));
        kept.extend(encoded.kl().map(|kl| (kl, self.kl)));
        kept.extend(losses.loss.map(|loss| (loss, self.loss)));
        kept.extend(encoded.noise_input().map(|noise| (noise, self.given)));
        (encoded, losses, kept)
    }

    /// A step of texts of one bucket: it goes as far as the longest of them.
    fn train_in(&mut self, spec: &'a VaeSpec, bucket: &Bucket) -> Result<StepPlan, PlanError> {
        let whole = (self.spec, self.x, self.x_of_draws);
        let batch = self.train.batch;
        self.x = self.program.lowering.shared("x", &[batch, bucket.tokens]);
        if self.x_of_draws.is_some() {
            let rows = batch * self.draws.samples;
            self.x_of_draws = Some(self.program.lowering.shared("x of draws", &[rows, bucket.tokens]));
        }
        // Rows that are streamed lie in the order of the steps, whatever their bucket is.
        let is_resident = self.buckets.last().is_some_and(|(_, last)| last.rows.end == self.data.train_rows);
        self.rows = is_resident.then(|| bucket.rows.clone());
        self.spec = spec;
        let plan = self.train(&format!("train up to {}", bucket.tokens));
        self.rows = None;
        (self.spec, self.x, self.x_of_draws) = whole;
        plan
    }

    /// A step: the batch, the losses, their gradients, the update.
    fn train(&mut self, name: &str) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let spec = self.spec;
        let inputs = Inputs { word_dropout: spec.word_dropout, ..inputs };
        let (encoded, losses, mut kept) = self.losses(&mut g, inputs, self.draws.noise, true);
        let find = |g: &mut Graph, params: &[Node]| losses.gradients(g, spec, &encoded, params);
        kept.extend(self.program.gradients_by(&mut g, find));
        let gather = self.gather_training()?;
        let mut behind = self.report(losses.loss.is_some())?;
        behind.extend(self.program.clip(0)?);
        if let (Some(multiplier), Penalty::AtMost(limit), Some(kl)) =
            (self.multiplier, spec.penalty, self.program.metric(step::KL))
        {
            behind.push(optimizer::multiplier(&self.program.lowering.tensors, multiplier, kl, limit)?);
        }
        behind.extend(self.program.update(0)?);
        self.program.plan(name, &g, &kept, [gather, behind])
    }

    /// The losses of a batch of test rows.
    fn evaluate(&mut self, name: &str, noise: Noise, as_trained: bool) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let (_, losses, kept) = self.losses(&mut g, inputs, noise, as_trained);
        let (gather, report) = (self.gather_test()?, self.report(losses.loss.is_some())?);
        self.program.plan(name, &g, &kept, [gather, report])
    }

    fn encode(&mut self) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let encoded = network::encode(&mut g, self.spec, inputs, LatentDraws::one(Noise::Off));
        let mut kept = self.placed(inputs);
        kept.push((encoded.codes, self.codes));
        if encoded.z != encoded.codes {
            kept.push((encoded.z, self.z));
        }
        let gather = self.gather_test()?;
        self.program.plan("encode", &g, &kept, [gather, Vec::new()])
    }

    fn reconstruct(&mut self) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let encoded = network::encode(&mut g, self.spec, inputs, LatentDraws::one(Noise::Off));
        let output = encoded.decode(&mut g, self.spec, inputs);
        let mean = match self.spec.is_of_tokens() {
            // The nats of each token, given those before it.
            true => {
                let losses = network::losses(&mut g, self.spec, output, inputs);
                g.reshape(losses, [self.train.batch, self.spec.width])
            }
            false => self.mean(&mut g, output, inputs.table),
        };
        let mut kept = self.placed(inputs);
        kept.extend([(encoded.codes, self.codes), (mean, self.mean)]);
        kept.extend(self.parameters(&mut g, output));
        let gather = self.gather_test()?;
        self.program.plan("reconstruct", &g, &kept, [gather, Vec::new()])
    }

    /// The decoder's output for a `z` that no encoder of this graph made, and for the tokens of a text.
    fn decoded(&self, g: &mut Graph, z: Node, classes: Option<Node>, x: Option<Node>) -> Node {
        let weights = if self.spec.tied { network::encoder_weights(g, self.spec) } else { Vec::new() };
        let told = x.filter(|_| self.spec.is_of_tokens()).map_or(Told::Nothing, Told::Tokens);
        network::decode(g, self.spec, z, classes, told, &weights).output
    }

    /// Adds the decoded mean of an output.
    fn mean(&self, g: &mut Graph, output: Node, table: Option<TableNodes>) -> Node {
        let spec = self.spec;
        spec.likelihood.mean(g, output, spec.width, spec.sigma, table)
    }

    /// Adds the parameters that the distributions of values have beside their means, each with the tensor that it lies
    /// in.
    fn parameters(&self, g: &mut Graph, output: Node) -> Vec<(Node, TensorId)> {
        let spec = self.spec;
        let parameters = spec.likelihood.parameters(g, output, spec.width, spec.sigma);
        parameters.into_iter().zip(self.parameters).collect()
    }

    /// Adds what the decoder makes of a `z`, and of the classes that are written from outside.
    fn shown(
        &mut self,
        name: &str,
        mut g: Graph,
        z: Node,
        given: Option<(Node, TensorId)>,
    ) -> Result<StepPlan, PlanError> {
        let classes = network::classes(&mut g, self.spec, self.train.batch);
        let output = self.decoded(&mut g, z, classes, None);
        let table = network::table(&mut g, self.spec);
        let mean = self.mean(&mut g, output, table);
        let mut kept = vec![(z, self.z), (mean, self.mean)];
        kept.extend(given);
        kept.extend(self.parameters(&mut g, output));
        kept.extend(self.placed_table(table));
        kept.extend(classes.zip(self.labels).map(|(node, labels)| (node, labels.batch)));
        self.program.plan(name, &g, &kept, [Vec::new(), Vec::new()])
    }

    fn decode(&mut self) -> Result<StepPlan, PlanError> {
        let mut g = self.program.graph();
        let z = g.input("z", [self.train.batch, self.spec.latent], false);
        if let Some(generation) = self.generation.clone() {
            let states = network::first_states(&mut g, self.spec, z);
            let mut kept = vec![(z, self.z)];
            kept.extend(states.into_iter().zip(generation.states.iter().map(|[state, _]| *state)));
            return self.program.plan("decode", &g, &kept, [Vec::new(), Vec::new()]);
        }
        self.shown("decode", g, z, None)
    }

    /// A step of a decoder of texts: the logits of the next token, and the states behind it.
    fn next_token(&mut self, generation: &Generation) -> Result<StepPlan, PlanError> {
        let mut g = self.program.graph();
        let (spec, batch) = (self.spec, self.train.batch);
        let z = g.input("z", [batch, spec.latent], false);
        let id = g.input("token", [batch, if generation.place.is_some() { spec.width } else { 1 }], false);
        let place = generation.place.map(|tensor| (g.input("place", [batch, 1], false), tensor));
        let tensors = &self.program.lowering.tensors;
        let widths: Vec<usize> = generation.states.iter().map(|[state, _]| tensors.get(*state).shape[1]).collect();
        let input = |(number, width): (usize, usize)| g.input(&format!("state {number}"), [batch, width], false);
        let states: Vec<Node> = widths.into_iter().enumerate().map(input).collect();
        let classes = network::classes(&mut g, spec, batch);
        let told = place.map_or(Told::Step(id, &states), |(place, _)| Told::Prefix(id, place));
        let decoded = network::decode(&mut g, spec, z, classes, told, &[]);
        let mut kept = vec![(z, self.z), (id, generation.token), (decoded.output, generation.logits)];
        kept.extend(place);
        kept.extend(states.into_iter().zip(&generation.states).map(|(node, [state, _])| (node, *state)));
        kept.extend(decoded.states.into_iter().zip(&generation.states).map(|(node, [_, next])| (node, *next)));
        kept.extend(classes.zip(self.labels).map(|(node, labels)| (node, labels.batch)));
        let tensors = &self.program.lowering.tensors;
        let copy = |[state, next]: &[TensorId; 2]| {
            let (rows, cols) = tensors.matrix("state of the next step", *state)?;
            let from = [(*next, Index::Whole)];
            map::call(tensors, "state of the next step", [rows, cols], Function::Copy, &from, &[*state])
        };
        let behind = generation.states.iter().map(copy).collect::<Result<Vec<_>, _>>()?;
        self.program.plan("next token", &g, &kept, [Vec::new(), behind])
    }

    /// The loss of what is seen of rows by a `z`, and its slope.
    fn infer(&mut self, seen: Seen, to: Inference) -> Result<StepPlan, PlanError> {
        let mut g = self.program.graph();
        let (batch, width) = (self.train.batch, self.spec.width);
        let z = g.input("z", [batch, self.spec.latent], false);
        let rows = network::RowNodes::input(&mut g, "seen", self.spec, batch, false);
        let trust = g.input("trust", [batch, width], false);
        let classes = network::classes(&mut g, self.spec, batch);
        let output = self.decoded(&mut g, z, classes, Some(rows.x));
        let table = network::table(&mut g, self.spec);
        let losses = match seen {
            Seen::Exactly => {
                let loss =
                    network::losses(&mut g, self.spec, output, Inputs { rows, classes, table, word_dropout: 0.0 });
                let trust = g.reshape(trust, g.shape(loss));
                g.map("trusted losses", Function::Multiply, &[loss, trust])
            }
            Seen::WithNoise => {
                let mean = self.mean(&mut g, output, None);
                let [x, trust] = [rows.x, trust].map(|node| g.reshape(node, g.shape(mean)));
                let zero = g.constant(0.0);
                g.map("trusted losses", Function::Loss(Loss::Gaussian), &[mean, x, trust, zero])
            }
        };
        let of_rows = g.reshape(losses, [batch, width]);
        let recon = g.reduce("recon", of_rows, Axis::Columns);
        let one = g.constant(1.0);
        let slope = gradients(&mut g, &[(recon, one)], &[z]).into_iter().next().flatten();
        let mut kept = vec![(z, self.z), (rows.all, to.seen), (trust, to.trust), (recon, self.recon)];
        kept.extend(slope.map(|slope| (slope, to.slope)));
        kept.extend(self.placed_table(table));
        kept.extend(classes.zip(self.labels).map(|(node, labels)| (node, labels.batch)));
        self.program.plan("infer", &g, &kept, [Vec::new(), Vec::new()])
    }

    /// A draw of the latent for each row of the batch, from its codes, and its weight: `p(x, z) / q(z | x)`.
    fn weigh(&mut self, weighed: TensorId) -> Result<StepPlan, PlanError> {
        let (mut g, inputs) = self.graph();
        let (batch, latent) = (self.train.batch, self.spec.latent);
        let codes = g.input("codes", [batch, 2 * latent], false);
        let [mu, logvar] = network::halves(&mut g, codes, latent);
        let noise = g.normal("noise", 0, [batch, latent]);
        let z = layers::reparameterise(&mut g, "z", [mu, logvar], noise);
        let output = self.decoded(&mut g, z, inputs.classes, Some(inputs.rows.x));
        let recon = network::reconstruction(&mut g, self.spec, output, inputs);
        let log_q = g.map("log_q", Function::LogDraw, &[noise, logvar]);
        let parts = network::parts(&mut g, self.spec);
        let ratio = prior::log_ratio(&mut g, z, log_q, parts);
        let log_likelihood = g.negative("log_likelihood", recon);
        let log_weight = g.sum_of("log_weight", log_likelihood, ratio);
        let to = self.program.lowering.shared("log_weight", &[batch, 1]);
        let mut kept = self.placed(inputs);
        kept.extend([(codes, self.codes), (log_weight, to)]);
        let stream = log_sum_exp::stream(&self.program.lowering.tensors, "stream", to, weighed)?;
        self.program.plan("weigh", &g, &kept, [Vec::new(), vec![stream]])
    }

    fn sample(&mut self) -> Result<StepPlan, PlanError> {
        let mut g = self.program.graph();
        let batch = self.train.batch;
        match (network::parts(&mut g, self.spec), &self.chosen) {
            (Some(parts), Some((to, _))) => {
                let (count, to) = (g.shape(parts[0])[0], *to);
                let chosen = g.input("chosen parts", [batch, count], false);
                let z = prior::draw(&mut g, chosen, parts);
                self.shown("sample", g, z, Some((chosen, to)))
            }
            _ => {
                let z = g.normal("prior", 0, [batch, self.spec.latent]);
                self.shown("sample", g, z, None)
            }
        }
    }

    /// The parts of the prior.
    fn prior(&mut self, to: [TensorId; 2]) -> Result<StepPlan, PlanError> {
        let mut g = self.program.graph();
        let parts = network::parts(&mut g, self.spec).into_iter().flatten();
        let kept: Vec<_> = parts.zip(to).map(|(part, to)| (g.map("part", Function::Copy, &[part]), to)).collect();
        self.program.plan("prior", &g, &kept, [Vec::new(), Vec::new()])
    }
}
