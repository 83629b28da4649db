//! The codes that explain what is seen of rows: the likeliest one, found by gradient through the decoder, and draws from their
//! posterior distribution. The device computes the losses and their slopes by the code; the steps are taken here.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::{PlanId, StepScalars};

use super::{Codes, PriorMixture, RunError, TrainedModel, draws};
use crate::model::{Inference, Labels};

/// Codes that are started from.
const STARTS: usize = 4;
/// The length of the first steps, in deviations of the prior; it falls to 0.
const RATE: f32 = 0.1;
/// The share of proposals to accept (Roberts and Rosenthal, 1998).
const ACCEPTED: f64 = 0.574;

/// What is seen of rows, and where to begin.
pub struct Observed<'a> {
    /// `(N, D)`: the values; 0 where one is not seen.
    pub seen: &'a [f32],
    /// `(N, D)`: what the loss takes in addition to each, of a model that knows intervals.
    pub loss_inputs: Option<&'a [f32]>,
    /// `(N, D)`: what the loss of each is multiplied by; 0 where it is not seen.
    pub trust: &'a [f32],
    /// The class of each row, of a conditional model.
    pub classes: Option<&'a [u32]>,
    /// What the encoder says of them, as far as it sees them.
    pub encoded: &'a Codes,
}

/// How the likeliest code is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descent {
    /// Steps from each of several starts, after which the best is gone on from.
    pub first: usize,
    /// Steps from the best.
    pub then: usize,
}

impl Descent {
    /// How often codes of rows are evaluated, in batches of so many.
    pub fn evaluations(self, rows: usize, batch: usize) -> usize {
        rows.div_ceil(batch.max(1)) * (STARTS * (self.first + 1) + self.then + 1)
    }
}

/// How many draws from the posterior are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// Chains, which are independent of each other.
    pub chains: usize,
    /// Draws of each.
    pub of_each: usize,
    /// Steps of each before the first draw, in which their length is adapted.
    pub burn_in: usize,
    /// Steps of each in all.
    pub steps: usize,
}

impl Draws {
    /// How often codes of rows are evaluated, in batches of so many.
    pub fn evaluations(self, rows: usize, batch: usize) -> usize {
        (rows * self.chains).div_ceil(batch.max(1)) * (self.steps + 1)
    }
}

/// The plan and the tensors of a model that was opened to infer codes.
fn plan(model: &mut TrainedModel) -> Result<(PlanId, Inference), RunError> {
    let vae = model.parts().1;
    let unfit = || RunError::Unfit("the model was not opened to infer codes".into());
    vae.plans.infer.zip(vae.inference).ok_or_else(unfit)
}

/// `(N, Z)`: the likeliest codes of rows. `evaluated` is called for each evaluation of a batch.
pub fn likeliest(
    model: &mut TrainedModel,
    of: &Observed<'_>,
    wanted: Descent,
    seed: u64,
    evaluated: &mut dyn FnMut(),
) -> Result<Vec<f32>, RunError> {
    let plan = plan(model)?;
    let (batch, latent, rows) = (model.batch(), model.latent(), of.encoded.rows());
    let mut likeliest = Vec::with_capacity(rows * latent);
    for first in (0..rows).step_by(batch) {
        let some: Vec<usize> = (first..rows.min(first + batch)).collect();
        let mut part = Part::new(model, of, &some, plan, evaluated)?;
        likeliest.extend(part.likeliest(&of.encoded.of(some.iter().copied()), wanted, seed)?);
    }
    Ok(likeliest)
}

/// `(N, Z)` each: draws from the posterior of the codes of rows, by chains that start around the likeliest ones `(N, Z)`. `evaluated` is
/// called for each evaluation of a batch.
pub fn draw(
    model: &mut TrainedModel,
    of: &Observed<'_>,
    likeliest: &[f32],
    wanted: Draws,
    seed: u64,
    evaluated: &mut dyn FnMut(),
) -> Result<Vec<Vec<f32>>, RunError> {
    let plan = plan(model)?;
    let (batch, latent, rows) = (model.batch(), model.latent(), of.encoded.rows());
    let span = |row: usize| row * latent..(row + 1) * latent;
    let mut draws = vec![vec![0.0; rows * latent]; wanted.chains * wanted.of_each];
    // Each chain of each row is a row of a batch.
    let all: Vec<(usize, usize)> =
        (0..wanted.chains).flat_map(|chain| (0..rows).map(move |row| (chain, row))).collect();
    for (number, some) in all.chunks(batch).enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64 + 1);
        let of_rows: Vec<usize> = some.iter().map(|(_, row)| *row).collect();
        let mut part = Part::new(model, of, &of_rows, plan, evaluated)?;
        let from: Vec<f32> = of_rows.iter().flat_map(|row| &likeliest[span(*row)]).copied().collect();
        // The encoder's variance is about that of the posterior, as it is where values are missing.
        let codes = of.encoded.of(of_rows.iter().copied());
        let scale: Vec<f32> = codes.logvar.iter().map(|logvar| logvar.exp().clamp(1e-6, 1.0)).collect();
        for (place, drawn) in part.chain(from, scale, wanted, &mut rng)?.into_iter().enumerate() {
            for ((chain, row), z) in some.iter().zip(drawn.chunks(latent)) {
                draws[chain * wanted.of_each + place][span(*row)].copy_from_slice(z);
            }
        }
    }
    Ok(draws)
}

/// The rows of a batch on the device.
struct Part<'a> {
    model: &'a mut TrainedModel,
    plan: PlanId,
    tensors: Inference,
    batch: usize,
    latent: usize,
    /// None of an autoencoder.
    prior: Option<PriorMixture>,
    /// Rows of the batch that are some.
    rows: usize,
    /// Called for each evaluation.
    evaluated: &'a mut dyn FnMut(),
}

/// What codes lose `(B)`, the prior included, and the slope of that `(B, Z)`.
struct Loss {
    values: Vec<f64>,
    slope: Vec<f32>,
}

impl<'a> Part<'a> {
    fn new(
        model: &'a mut TrainedModel,
        of: &Observed<'_>,
        rows: &[usize],
        (plan, tensors): (PlanId, Inference),
        evaluated: &'a mut dyn FnMut(),
    ) -> Result<Self, RunError> {
        let (batch, latent, width) = (model.batch(), model.latent(), model.width());
        let prior = model.has_prior().then(|| model.prior().clone());
        let classes = model.data().classes.len();
        let whole = |values: &[f32]| {
            let mut all: Vec<f32> =
                rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
            all.resize(batch * width, 0.0);
            all
        };
        let (mut seen, trust) = (whole(of.seen), whole(of.trust));
        if let Some(loss_inputs) = of.loss_inputs.map(whole) {
            let rows = seen.chunks(width).zip(loss_inputs.chunks(width));
            seen = rows.flat_map(|(x, loss_inputs)| [x, loss_inputs].concat()).collect();
        }
        let (session, vae) = model.parts();
        session.write(tensors.seen, &seen)?;
        session.write(tensors.trust, &trust)?;
        if let (Some(labels), Some(all)) = (vae.labels, of.classes) {
            let mut of_batch: Vec<u32> = rows.iter().map(|row| all[*row]).collect();
            of_batch.resize(batch, 0);
            session.write(labels.batch, &Labels::columns(&of_batch, classes))?;
        }
        Ok(Self { model, plan, tensors, batch, latent, prior, rows: rows.len(), evaluated })
    }

    /// Evaluates codes `(B, Z)`.
    fn loss(&mut self, z: &[f32]) -> Result<Loss, GpuError> {
        (self.evaluated)();
        let slope = self.tensors.slope;
        let (session, vae) = self.model.parts();
        session.write(vae.z, z)?;
        session.dispatch(self.plan, &StepScalars::default())?;
        let mut loss =
            Loss { values: session.read(vae.recon)?.into_iter().map(f64::from).collect(), slope: session.read(slope)? };
        if let Some(prior) = &self.prior {
            let of_rows = z.chunks(self.latent).zip(loss.slope.chunks_mut(self.latent));
            for (value, (z, slope)) in loss.values.iter_mut().zip(of_rows) {
                *value += prior.add_slope(z, slope);
            }
        }
        Ok(loss)
    }

    /// A whole batch of codes.
    fn whole(&self, mut codes: Vec<f32>) -> Vec<f32> {
        codes.resize(self.batch * self.latent, 0.0);
        codes
    }

    /// The likeliest codes found from several starts: what the encoder says, the middle of the prior, draws from it.
    fn likeliest(&mut self, encoded: &Codes, wanted: Descent, seed: u64) -> Result<Vec<f32>, GpuError> {
        let mut best = Best::none(self.batch, self.latent);
        for start in 0..STARTS {
            let z = match start {
                0 => self.whole(encoded.mu.clone()),
                1 => vec![0.0; self.batch * self.latent],
                _ => draws::prior(self.batch, self.latent, seed.wrapping_add(start as u64), 1.0),
            };
            self.descend(z, wanted.first, &mut best)?;
        }
        let z = best.z.clone();
        self.descend(z, wanted.then, &mut best)?;
        best.z.truncate(self.rows * self.latent);
        Ok(best.z)
    }

    /// Goes down from codes by steps of Adam, and keeps the best of each row.
    fn descend(&mut self, mut z: Vec<f32>, steps: usize, best: &mut Best) -> Result<(), GpuError> {
        let (mut first, mut second) = (vec![0.0_f32; z.len()], vec![0.0_f32; z.len()]);
        for step in 0..steps {
            let loss = self.loss(&z)?;
            best.take(&z, &loss.values);
            let rate = RATE * (1.0 - step as f32 / steps as f32);
            let correction = |beta: f32| 1.0 / (1.0 - beta.powi(step as i32 + 1));
            for (i, z) in z.iter_mut().enumerate() {
                let d = loss.slope[i];
                first[i] = 0.9 * first[i] + 0.1 * d;
                second[i] = 0.999 * second[i] + 0.001 * d * d;
                let size = (second[i] * correction(0.999)).sqrt() + 1e-8;
                *z -= rate * first[i] * correction(0.9) / size;
            }
        }
        let loss = self.loss(&z)?;
        best.take(&z, &loss.values);
        Ok(())
    }

    /// Draws from the posterior by Langevin steps that are accepted or refused (MALA), each row with steps of its own length.
    /// `scale (B, Z)` are variances that the steps are fitted to; without any, they are 1.
    fn chain(
        &mut self,
        from: Vec<f32>,
        mut scale: Vec<f32>,
        wanted: Draws,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let (latent, draws) = (self.latent, wanted.of_each);
        scale.resize(self.batch * latent, 1.0);
        let normal = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
        // Chains start apart from each other.
        let mut z: Vec<f32> = self.whole(from).iter().zip(&scale).map(|(z, s)| z + s.sqrt() * normal(rng)).collect();
        let mut now = self.loss(&z)?;
        let mut length = vec![0.7_f64; self.batch];
        let mut drawn = Vec::with_capacity(draws);
        for step in 0..wanted.steps {
            // The mean of the next code.
            let drift = |z: &[f32], slope: &[f32], i: usize, length: f64| {
                z[i] - (0.5 * length * length) as f32 * scale[i] * slope[i]
            };
            let next: Vec<f32> = (0..z.len())
                .map(|i| {
                    let length = length[i / latent];
                    drift(&z, &now.slope, i, length) + length as f32 * scale[i].sqrt() * normal(rng)
                })
                .collect();
            let then = self.loss(&next)?;
            for (row, length) in length.iter_mut().enumerate() {
                let span = row * latent..(row + 1) * latent;
                let way = |from: &[f32], slope: &[f32], to: &[f32]| -> f64 {
                    let apart = |i: usize| f64::from(to[i] - drift(from, slope, i, *length)).powi(2);
                    span.clone().map(|i| apart(i) / f64::from(scale[i])).sum::<f64>() / (2.0 * length.powi(2))
                };
                let forth = way(&z, &now.slope, &next);
                let back = way(&next, &then.slope, &z);
                let log_ratio = now.values[row] - then.values[row] + forth - back;
                let chance = if log_ratio.is_finite() { log_ratio.min(0.0).exp() } else { 0.0 };
                if rng.random::<f64>() < chance {
                    z[span.clone()].copy_from_slice(&next[span.clone()]);
                    now.slope[span.clone()].copy_from_slice(&then.slope[span.clone()]);
                    now.values[row] = then.values[row];
                }
                if step < wanted.burn_in {
                    *length = (*length * (0.15 * (chance - ACCEPTED)).exp()).clamp(1e-3, 10.0);
                }
            }
            // Evenly over the rest, the last one at its end.
            let behind = (step + 1).saturating_sub(wanted.burn_in);
            if behind * draws >= (drawn.len() + 1) * (wanted.steps - wanted.burn_in) {
                drawn.push(z.clone());
            }
        }
        Ok(drawn)
    }
}

/// The best codes of rows so far.
struct Best {
    latent: usize,
    z: Vec<f32>,
    values: Vec<f64>,
}

impl Best {
    fn none(batch: usize, latent: usize) -> Self {
        Self { latent, z: vec![0.0; batch * latent], values: vec![f64::INFINITY; batch] }
    }

    fn take(&mut self, z: &[f32], values: &[f64]) {
        for (row, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            if *value < self.values[row] {
                self.values[row] = *value;
                let span = row * self.latent..(row + 1) * self.latent;
                self.z[span.clone()].copy_from_slice(&z[span]);
            }
        }
    }
}
