//! The plans of a model: to train it, and to apply it.

use super::network::{self, ArenaBuffers, Before, Layer, LayerLayout};
use super::spec::{DataSpec, Likelihood, Objective, TrainSpec, VaeSpec};
use crate::kernels::dense::{Ending, Parts};
use crate::kernels::latent::{self, Noise};
use crate::kernels::likelihood::{self, Term};
use crate::kernels::optimizer::{self, Arenas};
use crate::kernels::{Activation, batch, reduce};
use crate::plan::{
    Init, METRICS_PER_STEP, Op, ParamTable, PlanError, Program, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, StepPlan,
    TensorId, TensorTable,
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
    /// The losses of rows, with one draw of the latent.
    Score = 3,
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
    /// `(L)`: all parameters.
    pub weights: TensorId,
    /// `(L)`: all gradients.
    pub gradients: TensorId,
    /// `(1)`: what gradients are multiplied by; starts at 1.
    pub clip: TensorId,
    /// `(B, D)`: the batch; where the data is bytes, `(B, ceil(D / 4))` words of them.
    pub x: TensorId,
    /// `(B, D)`: what the decoder shows, in the units of the data.
    pub mean: TensorId,
    /// `(B, Z)`: the noise of the reparameterisation.
    pub noise: Option<TensorId>,
    /// `(B, 2 Z)`: mu and logvar; an autoencoder's `(B, Z)` code.
    pub codes: TensorId,
    /// `(B, Z)`: what is decoded.
    pub z: TensorId,
    /// `(B)`: the negative log-likelihood of each row.
    pub recon: TensorId,
    /// `(B)`: the KL divergence of each row.
    pub kl: TensorId,
}

/// What plans have in common with the outside.
struct Outside {
    train_data: TensorId,
    test_data: TensorId,
    mean: TensorId,
    optimiser: Arenas,
    partials: TensorId,
}

struct Builder<'a> {
    spec: &'a VaeSpec,
    train: &'a TrainSpec,
    tensors: TensorTable,
    params: ParamTable,
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
    x: TensorId,
    /// `(B, P)`: the KL's terms, then the likelihood's, a column for four of their products' columns.
    parts: TensorId,
    kl_parts: usize,
    recon: TensorId,
    kl: TensorId,
    metrics: TensorId,
    log_sigma: Option<(network::Parameter, TensorId)>,
    latent: Option<Latent>,
}

#[derive(Clone, Copy)]
struct Latent {
    noise: TensorId,
    z: TensorId,
}

/// Lays out the parameters: PyTorch's names, with a gap in the numbers for each activation module.
fn layouts(spec: &VaeSpec) -> (ParamTable, Vec<LayerLayout>, Vec<LayerLayout>, Option<usize>) {
    let mut params = ParamTable::default();
    let mut encoder = Vec::new();
    let mut inputs = spec.width;
    for (i, &outputs) in spec.encoder.iter().enumerate() {
        let name = format!("encoder.{}", 2 * i);
        let parts = [(name.as_str(), outputs)];
        encoder.push(LayerLayout::own(&mut params, &name, inputs, &parts, spec.activation));
        inputs = outputs;
    }
    let z = spec.latent;
    encoder.push(match spec.objective {
        Objective::Elbo => {
            let parts = [("mu", z), ("logvar", z)];
            LayerLayout::own(&mut params, "mu|logvar", inputs, &parts, Activation::Identity)
        }
        Objective::Ae => LayerLayout::own(&mut params, "code", inputs, &[("code", z)], spec.latent_activation),
    });
    let mut decoder = Vec::new();
    let widths: Vec<usize> = spec.decoder.iter().copied().chain([spec.width]).collect();
    let mut inputs = z;
    let layers = encoder.len();
    for (i, &outputs) in widths.iter().enumerate() {
        let name = format!("decoder.{}", 2 * i);
        let activation = if i + 1 < widths.len() { spec.activation } else { Activation::Identity };
        decoder.push(if spec.tied {
            let source = &mut encoder[layers - 1 - i];
            LayerLayout::tied(&mut params, &name, [inputs, outputs], source, activation)
        } else {
            let parts = [(name.as_str(), outputs)];
            LayerLayout::own(&mut params, &name, inputs, &parts, activation)
        });
        inputs = outputs;
    }
    let log_sigma = (spec.likelihood == Likelihood::GaussianLearned)
        .then(|| params.push_block(&[("log_sigma", &[1], Init::Constant(0.0))]));
    (params, encoder, decoder, log_sigma)
}

impl Vae {
    /// Builds the plans that train a model.
    pub fn new(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Self::with(spec, train, data, |builder, outside| builder.training(outside))
    }

    /// Builds the plans that apply a model to up to so many rows at a time, which are the test data.
    pub fn applied(spec: &VaeSpec, train: &TrainSpec, data: DataSpec) -> Result<Self, PlanError> {
        Self::with(spec, train, data, |builder, outside| builder.applying(outside))
    }

    fn with(
        spec: &VaeSpec,
        train: &TrainSpec,
        data: DataSpec,
        plans: fn(&Builder<'_>, &Outside) -> Result<Vec<StepPlan>, PlanError>,
    ) -> Result<Self, PlanError> {
        let b = train.batch;
        let (params, encoder, decoder, log_sigma) = layouts(spec);
        let mut tensors = TensorTable::default();
        let arenas = ArenaBuffers::new(&mut tensors, &params);
        let whole = [params.arena_len()];
        let weights = tensors.view("weights", arenas.weights, 0, &whole);
        let gradients = tensors.view("gradients", arenas.gradients, 0, &whole);
        let first = tensors.view("first moments", arenas.first, 0, &whole);
        let second = tensors.view("second moments", arenas.second, 0, &whole);
        let clip = tensors.floats("clip", &[1]);
        let mut rows_of = |name: &str, rows: usize| match data.bytes {
            true => tensors.words(name, &[rows, batch::words_per_row(spec.width)]),
            false => tensors.floats(name, &[rows, spec.width]),
        };
        let train_data = rows_of("train data", data.train_rows);
        let test_data = rows_of("test data", data.test_rows);
        let x = match data.bytes {
            true => tensors.words("x", &[b, batch::words_per_row(spec.width)]),
            false => tensors.floats("x", &[b, spec.width]),
        };
        let place = |tensors: &mut TensorTable, layers: &[LayerLayout]| -> Vec<Layer> {
            layers.iter().map(|l| l.place(tensors, &arenas, b)).collect()
        };
        let encoder = place(&mut tensors, &encoder);
        let latent = (spec.objective == Objective::Elbo).then(|| Latent {
            noise: tensors.floats("noise", &[b, spec.latent]),
            z: tensors.floats("z", &[b, spec.latent]),
        });
        let kl_parts = if latent.is_some() { Parts::of(2 * spec.latent) } else { 0 };
        let parts = tensors.floats("parts", &[b, kl_parts + Parts::of(spec.width)]);
        let decoder = place(&mut tensors, &decoder);
        let recon = tensors.floats("recon", &[b]);
        let kl = tensors.floats("kl", &[b]);
        let log_sigma = log_sigma.map(|offset| {
            let parameter = arenas.parameter(&mut tensors, "log_sigma", offset, &[1]);
            (parameter, tensors.floats("d_log_sigma rows", &[b]))
        });
        // Two halves of the ring: one is read back while the other is written.
        let metrics = tensors.floats("metrics", &[SUBMITS_IN_FLIGHT * STEPS_PER_SUBMIT, METRICS_PER_STEP]);
        let output = decoder[decoder.len() - 1].out;
        let mean = match spec.likelihood {
            Likelihood::Bernoulli => tensors.floats("mean", &[b, spec.width]),
            _ => output,
        };
        let partials = tensors.floats("norm partials", &[reduce::STRIPES]);
        let builder = Builder {
            spec,
            train,
            tensors,
            params,
            encoder,
            decoder,
            x,
            parts,
            kl_parts,
            recon,
            kl,
            metrics,
            log_sigma,
            latent,
        };
        let optimiser = Arenas { weights, gradients, first, second, clip };
        let plans = plans(&builder, &Outside { train_data, test_data, mean, optimiser, partials })?;
        let codes = builder.encoder[builder.encoder.len() - 1].out;
        Ok(Self {
            noise: builder.latent.map(|l| l.noise),
            codes,
            z: builder.latent.map_or(codes, |l| l.z),
            recon,
            kl,
            program: Program { tensors: builder.tensors, params: builder.params, plans, metrics: Some(metrics) },
            train_data,
            test_data,
            weights,
            gradients,
            clip,
            x,
            mean,
        })
    }

    /// The same model with the training plan's noise taken from [`Vae::noise`] instead of drawn: for comparisons with
    /// other programs.
    pub fn with_given_noise(mut self) -> Self {
        for op in &mut self.program.plans[Plan::Train as usize].ops {
            for (name, value) in &mut op.kernel.constants {
                if *name == "noise" {
                    *value = Noise::Given as u32;
                }
            }
        }
        self
    }
}

fn plan(name: &str, ops: Vec<Op>) -> StepPlan {
    StepPlan { name: name.to_string(), ops }
}

impl Builder<'_> {
    fn training(&self, o: &Outside) -> Result<Vec<StepPlan>, PlanError> {
        let mut plans = vec![
            plan("train", self.train(o.train_data, o.optimiser, o.partials)?),
            plan("evaluate", self.evaluate(o.test_data)?),
            plan("reconstruct", self.reconstruct(o.test_data, o.mean)?),
        ];
        if let Some(latent) = self.latent {
            plans.push(plan("sample", self.sample(latent, o.mean)?));
        }
        Ok(plans)
    }

    fn applying(&self, o: &Outside) -> Result<Vec<StepPlan>, PlanError> {
        let mut encode = Vec::new();
        let z = self.encode(o.test_data, Noise::Off, &mut encode)?;
        let mut decode = Vec::new();
        let output = self.decode(z, &mut decode)?;
        self.show(output, o.mean, &mut decode)?;
        Ok(vec![
            plan("encode", encode),
            plan("decode", decode),
            plan("reconstruct", self.reconstruct(o.test_data, o.mean)?),
            plan("score", self.evaluate(o.test_data)?),
        ])
    }

    /// Batch in, latent out.
    fn encode(&self, data: TensorId, noise: Noise, ops: &mut Vec<Op>) -> Result<TensorId, PlanError> {
        let t = &self.tensors;
        ops.push(batch::gather(t, data, self.x, self.spec.width, self.train.binarise)?);
        self.encode_batch(noise, ops)
    }

    /// The batch as it was gathered in, latent out.
    fn encode_batch(&self, noise: Noise, ops: &mut Vec<Op>) -> Result<TensorId, PlanError> {
        let t = &self.tensors;
        let Some(l) = self.latent else {
            return network::forward(t, &self.encoder, self.x, ops);
        };
        let (heads, layers) = self.encoder.split_last().expect("an encoder ends in its heads");
        let input = network::forward(t, layers, self.x, ops)?;
        let parts = Parts { tensor: self.parts, from: 0 };
        let ending = Ending::Sample { noise: l.noise, mode: noise, z: l.z, parts };
        ops.push(heads.ending_in(t, input, heads.out, ending)?);
        Ok(l.z)
    }

    fn decode(&self, z: TensorId, ops: &mut Vec<Op>) -> Result<TensorId, PlanError> {
        network::forward(&self.tensors, &self.decoder, z, ops)
    }

    /// From the latent to the loss of each row and the gradient of the output.
    fn losses(&self, z: TensorId, ops: &mut Vec<Op>) -> Result<(), PlanError> {
        let t = &self.tensors;
        let (last, layers) = self.decoder.split_last().expect("a decoder ends in its output");
        let input = network::forward(t, layers, z, ops)?;
        let term = match (self.spec.likelihood, self.log_sigma) {
            (Likelihood::Bernoulli, _) => Term::Bernoulli,
            (Likelihood::GaussianLearned, Some((log_sigma, _))) => Term::Square { log_sigma: log_sigma.value },
            (Likelihood::Mse, _) => Term::Gaussian { sigma: 0.5_f32.sqrt(), normalised: false },
            _ => Term::Gaussian { sigma: self.spec.sigma, normalised: true },
        };
        let parts = Parts { tensor: self.parts, from: self.kl_parts };
        ops.push(last.ending_in(t, input, last.d_pre, Ending::Likelihood { term, x: self.x, parts })?);
        let sums = [self.recon, self.kl];
        ops.push(match self.log_sigma {
            Some((log_sigma, rows)) => likelihood::rows_learned(
                t,
                self.parts,
                [self.spec.width, self.kl_parts],
                sums,
                [log_sigma.value, rows],
            )?,
            None => likelihood::rows(t, self.parts, self.kl_parts, sums[0], sums[1])?,
        });
        Ok(())
    }

    fn report(&self) -> Result<Op, PlanError> {
        reduce::report(&self.tensors, self.recon, self.kl, self.metrics)
    }

    fn train(&self, data: TensorId, arenas: Arenas, partials: TensorId) -> Result<Vec<Op>, PlanError> {
        let t = &self.tensors;
        let binarise = self.train.binarise;
        let mut ops = vec![match self.train.augment {
            Some(augment) => batch::augmented(t, data, self.x, binarise, augment)?,
            None => batch::gather(t, data, self.x, self.spec.width, binarise)?,
        }];
        let z = self.encode_batch(Noise::Drawn, &mut ops)?;
        self.losses(z, &mut ops)?;
        let mut back = Vec::new();
        match self.latent {
            Some(l) => {
                let heads = &self.encoder[self.encoder.len() - 1];
                let ending = Ending::Backward { heads: heads.out, drawn: l.noise };
                let latent = Before::Latent { d_heads: heads.d_pre, ending };
                network::backward(t, &self.decoder, l.z, Some(latent), &mut back)?;
                network::backward(t, &self.encoder, self.x, None, &mut back)?;
            }
            None => {
                let whole: Vec<Layer> = self.encoder.iter().chain(&self.decoder).cloned().collect();
                network::backward(t, &whole, self.x, None, &mut back)?;
            }
        }
        // The report needs the rows' sums, which share a stage with the last layer's gradients: it shares the next.
        let rest = back.split_off(back.len().min(2));
        ops.append(&mut back);
        ops.push(self.report()?);
        ops.extend(rest);
        if let Some((log_sigma, rows)) = self.log_sigma {
            ops.push(reduce::sum(t, rows, log_sigma.gradient)?);
        }
        if let Some(max_norm) = self.train.clip {
            ops.push(reduce::squares(t, arenas.gradients, partials)?);
            ops.push(reduce::clip(t, partials, arenas.clip, self.metrics, max_norm)?);
        }
        ops.push(optimizer::update(t, arenas, self.train.rule, self.train.decay)?);
        Ok(ops)
    }

    fn evaluate(&self, data: TensorId) -> Result<Vec<Op>, PlanError> {
        let mut ops = Vec::new();
        let z = self.encode(data, Noise::Drawn, &mut ops)?;
        self.losses(z, &mut ops)?;
        ops.push(self.report()?);
        Ok(ops)
    }

    fn show(&self, output: TensorId, mean: TensorId, ops: &mut Vec<Op>) -> Result<(), PlanError> {
        if mean != output {
            ops.push(likelihood::bernoulli_mean(&self.tensors, output, mean)?);
        }
        Ok(())
    }

    fn reconstruct(&self, data: TensorId, mean: TensorId) -> Result<Vec<Op>, PlanError> {
        let mut ops = Vec::new();
        let z = self.encode(data, Noise::Off, &mut ops)?;
        let output = self.decode(z, &mut ops)?;
        self.show(output, mean, &mut ops)?;
        Ok(ops)
    }

    fn sample(&self, l: Latent, mean: TensorId) -> Result<Vec<Op>, PlanError> {
        let mut ops = vec![latent::prior(&self.tensors, l.z)?];
        let output = self.decode(l.z, &mut ops)?;
        self.show(output, mean, &mut ops)?;
        Ok(ops)
    }
}
