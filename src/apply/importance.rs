//! The likelihood of rows by importance sampling: `p(x) = E[p(x, z) / q(z | x)]` over draws of the latent from the encoder, so that
//! the mean weight of K draws is an estimate of it. Its logarithm is a lower bound of `ln p(x)` on average, which rises with K
//! (Burda et al., 2016). The device draws and weighs, and keeps sums that do not grow with K.

use serde::Serialize;
use wgvae_data::Examples;
use wgvae_engine::kernels::batch::Binarise;
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::StepScalars;
use wgvae_engine::platform::Instant;

use super::evaluation::{bits_per_dimension, mean};
use super::{Run, RunError, TrainedModel, draws};
use crate::model::Likelihood;
use crate::train::next_steps_per_submit;

/// Weights, of the draws of a row for instance: `exp(most)` times their sum, and that of their squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    most: f64,
    sum: f64,
    squares: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { most: f64::NEG_INFINITY, sum: 0.0, squares: 0.0 }
    }
}

impl Weights {
    /// One, by its logarithm.
    pub(super) fn one(log_weight: f64) -> Self {
        Self { most: log_weight, sum: 1.0, squares: 1.0 }
    }

    /// The logarithm of their sum.
    pub(super) fn log_sum(self) -> f64 {
        self.most + self.sum.ln()
    }

    /// Adds more of them.
    pub(super) fn add(&mut self, more: Weights) {
        let most = self.most.max(more.most);
        if most == f64::NEG_INFINITY {
            return;
        }
        let [a, b] = [self.most - most, more.most - most].map(f64::exp);
        self.sum = self.sum * a + more.sum * b;
        self.squares = self.squares * a * a + more.squares * b * b;
        self.most = most;
    }

    /// What they say of so many draws.
    fn of(self, samples: usize) -> RowLikelihood {
        let count = samples as f64;
        // Shares of the sum: of the greatest weight, and the sum of the squares of all. The jackknife's variance has the square of
        // ln(1 - share) for each, which is share^2 for all but the greatest.
        let (greatest, squares) = (1.0 / self.sum, self.squares / (self.sum * self.sum));
        // The device's floats cannot tell a share from all of it if less is left than this.
        let rest = (1.0 - greatest).max(f64::from(f32::EPSILON));
        let variance = squares - greatest * greatest + rest.ln().powi(2) - 1.0 / count;
        RowLikelihood {
            log_likelihood: self.most + (self.sum / count).ln(),
            effective_samples: 1.0 / squares,
            variance: variance.max(0.0),
            last_doubling: None,
        }
    }
}

/// The weights of a row's draws, in two halves.
#[derive(Debug, Clone, Copy, Default)]
struct Halves([(Weights, usize); 2]);

impl Halves {
    /// Adds weights of some draws to a half.
    fn add(&mut self, half: usize, weights: Weights, draws: usize) {
        let (sum, count) = &mut self.0[half];
        sum.add(weights);
        *count += draws;
    }

    /// What they say together, and how much more that is than each half says alone.
    fn of_all(self) -> RowLikelihood {
        let [(first, before), (second, behind)] = self.0;
        let mut all = first;
        all.add(second);
        let found = all.of(before + behind);
        let of_half = |weights: Weights, count: usize| count as f64 * weights.of(count).log_likelihood;
        let last_doubling = (before > 0 && behind > 0).then(|| {
            let of_halves = (of_half(first, before) + of_half(second, behind)) / (before + behind) as f64;
            // The logarithm of a mean is at least the mean of the logarithms.
            (found.log_likelihood - of_halves).max(0.0)
        });
        RowLikelihood { last_doubling, ..found }
    }
}

/// An estimate of a row's likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowLikelihood {
    /// `ln p(x)`, in nats.
    pub log_likelihood: f64,
    /// How many draws of equal weight would say as much (Kish): few, if some draws have nearly all of the weight.
    pub effective_samples: f64,
    /// The variance of the estimate from one set of draws to the next, by the jackknife.
    pub variance: f64,
    /// How much higher the estimate is than half of the draws say on average; none of a single draw.
    pub last_doubling: Option<f64>,
}

/// The likelihood of some rows on average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanLikelihood {
    /// The mean of `-ln p(x)`, in nats per row.
    pub nll: f64,
    /// The standard error of it as that of the mean over the rows.
    pub nll_standard_error: f64,
    /// The standard deviation of `nll` from one set of draws of these rows to the next, by the jackknife. It is not how far off
    /// `nll` is, which is too high on average. None of a single draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll_deviation_of_draws: Option<f64>,
    /// How much `nll` fell when the draws were doubled for the last time, from half of them to all. It is too high by about so much
    /// where weights have a variance, and by more where few draws have most of the weight. None of a single draw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll_fall_of_last_doubling: Option<f64>,
    /// Draws of the latent for each row.
    pub samples: usize,
    /// How many draws of equal weight would say as much: the mean over the rows.
    pub effective_samples: f64,
    /// `nll` in bits for each value, in the units of the data, where it is a likelihood of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll_bits_per_dimension: Option<f64>,
}

impl MeanLikelihood {
    /// The mean over rows, of which some are known.
    pub fn of(run: &Run, rows: &Examples, known: &[RowLikelihood], samples: usize) -> Self {
        let (nll, nll_standard_error) = mean(known.iter().map(|row| -row.log_likelihood));
        let count = known.len() as f64;
        let variance: f64 = known.iter().map(|row| row.variance).sum();
        let falls: Option<f64> = known.iter().map(|row| row.last_doubling).sum();
        Self {
            nll,
            nll_standard_error,
            nll_deviation_of_draws: (samples > 1).then(|| variance.sqrt() / count),
            nll_fall_of_last_doubling: falls.map(|sum| sum / count),
            samples,
            effective_samples: known.iter().map(|row| row.effective_samples).sum::<f64>() / count,
            nll_bits_per_dimension: bits_per_dimension(run, rows, nll).ok(),
        }
    }
}

/// How far an estimate is.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    /// The rows that are done.
    pub done: &'a [RowLikelihood],
    /// The share of the work that is.
    pub share: f64,
}

/// Refuses a model whose losses are not the logarithm of a likelihood.
pub fn expect_likelihood(run: &Run) -> Result<(), RunError> {
    run.expect_prior("a likelihood of rows")?;
    match run.config.model.likelihood {
        Likelihood::Mse => Err(RunError::Unfit(format!(
            "mse is no likelihood, so rows have none under {}: train with gaussian or gaussian-learned",
            run.files
        ))),
        _ => Ok(()),
    }
}

/// The likelihood of rows from `samples` draws of the latent each, under a model that was opened to weigh draws. `watch` is given how
/// far it is about ten times a second. Where training draws zeros and ones, rows have those that it evaluates with.
pub fn likelihoods(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    samples: usize,
    watch: &mut dyn FnMut(Sampled<'_>),
) -> Result<Vec<RowLikelihood>, RunError> {
    expect_likelihood(run)?;
    let (batch, seed) = (model.batch(), run.config.train.seed);
    let binarised =
        (run.config.data.binarise == Binarise::Draw).then(|| draws::binarised_as_evaluated(rows, batch, seed));
    let rows = binarised.as_ref().unwrap_or(rows);
    let mut steps_per_submit = 1;
    let mut all = Vec::with_capacity(rows.rows);
    for first in (0..rows.rows).step_by(batch) {
        let count = batch.min(rows.rows - first);
        // A batch that is not full has its rows several times, each with draws of its own.
        let copies = (batch / count).min(samples);
        let of_batch: Vec<usize> = (0..batch).map(|i| first + i % count).collect();
        model.encode_batch(rows, &of_batch)?;
        let mut weights = vec![Halves::default(); count];
        let (turns, rest) = (samples / copies, samples % copies);
        // The turns from which on draws are of the second half; of a single turn half of the copies are.
        let middle = (turns + usize::from(rest > 0)) / 2;
        let mut turn = 0;
        while turn < turns + usize::from(rest > 0) {
            // In the last turn, only some of the copies are counted.
            let is_last = turn == turns;
            let until = if turn < middle { middle } else { turns };
            let now = if is_last { 1 } else { steps_per_submit.min(until - turn) };
            let scalars: Vec<StepScalars> = (turn..turn + now)
                .map(|turn| {
                    let number = (first / batch) as u64 * samples as u64 + turn as u64;
                    StepScalars { noise_key: key(seed, Stream::Importance, number), ..StepScalars::default() }
                })
                .collect();
            let since = Instant::now();
            let of_rows = model.weigh(&scalars)?;
            let counted = if is_last { rest } else { copies };
            for (i, more) in of_rows.chunks_exact(3).take(counted * count).enumerate() {
                let [most, sum, squares] = [more[0], more[1], more[2]].map(f64::from);
                let is_second = if middle > 0 { turn >= middle } else { i / count >= counted / 2 };
                weights[i % count].add(is_second.into(), Weights { most, sum, squares }, now);
            }
            turn += now;
            steps_per_submit = next_steps_per_submit(steps_per_submit, now, since.elapsed());
            let of_batch = turn as f64 / (turns + 1) as f64 * count as f64;
            watch(Sampled { done: &all, share: (first as f64 + of_batch) / rows.rows as f64 });
        }
        all.extend(weights.into_iter().map(Halves::of_all));
    }
    watch(Sampled { done: &all, share: 1.0 });
    Ok(all)
}
