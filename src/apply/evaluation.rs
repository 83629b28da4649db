//! Figures of a model on rows: means with their standard errors, bits, active dimensions.

use std::f64::consts::LN_2;
use std::ops::Range;

use serde::Serialize;
use wgvae_data::{Column, Columns, Examples, ValueKind};
use wgvae_engine::kernels::batch::Binarise;

use super::statistics::{kl_per_dimension, mean_variances};
use super::{Codes, PriorMixture, Run, Score};
use crate::config::ModelConfig;
use crate::model::{Likelihood, Objective, cost_of_kl};
use crate::train::are_active;

/// Figures of a model on some rows, in nats per row unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of rows.
    pub rows: usize,
    /// Latent draws per row.
    pub draws: usize,
    /// The reconstruction plus beta times the KL, or times its distance from the capacity: what training minimises, but for the
    /// bound of the objective iwae.
    pub loss: f64,
    /// The standard error of `loss`: that of the mean over the rows.
    pub loss_standard_error: f64,
    /// The weight of the KL in `loss`; none for an autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// The evidence lower bound, minus reconstruction and KL; none for an autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elbo: Option<f64>,
    /// The standard error of `elbo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elbo_standard_error: Option<f64>,
    /// Negative log-likelihood; an autoencoder's, or that of `mse`, is a loss alone.
    pub reconstruction: f64,
    /// The standard error of `reconstruction`.
    pub reconstruction_standard_error: f64,
    /// KL divergence from the prior.
    pub kl: f64,
    /// The standard error of `kl`.
    pub kl_standard_error: f64,
    /// KL divergence of each latent dimension, of which the sum is `kl`; from a normal with the moments of the prior, where that has
    /// parts.
    pub kl_per_dimension: Vec<f64>,
    /// Whether each latent dimension tells rows apart.
    #[serde(skip)]
    pub is_active: Vec<bool>,
    /// How many do.
    pub active_units: usize,
    /// The negative ELBO in bits for each value of a row, in the units of the data: of its levels, or of a table's own units; of a text
    /// for each token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_dimension: Option<f64>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_bits: Option<&'static str>,
    /// The negative ELBO of texts in nats for each token, with the end as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_per_token: Option<f64>,
    /// The negative ELBO of texts in bits for each character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_character: Option<f64>,
}

/// What the test losses of training are, in words.
pub fn test_loss(model: &ModelConfig) -> String {
    let times = if model.beta == 1.0 { String::new() } else { format!("{} ", model.beta) };
    match (model.objective, model.capacity) {
        (Objective::Ae, _) => "the reconstruction".into(),
        (Objective::Iwae, _) => {
            let share = if model.elbo_share > 0.0 { " and the ELBO" } else { "" };
            format!("the bound of {} draws in groups of {}{share}", model.samples, model.samples / model.sample_groups)
        }
        (_, Some(capacity)) => format!("reconstruction + {times}|KL - {capacity}|"),
        _ => format!("reconstruction + {times}KL"),
    }
}

/// A mean, and its standard error: of a single number NaN, since nothing is known of it.
pub(super) fn mean(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

impl Evaluation {
    /// Computes the figures from the codes and the losses of rows.
    pub fn of(run: &Run, prior: &PriorMixture, rows: &Examples, codes: &Codes, scores: &[Score], draws: usize) -> Self {
        let model = &run.config.model;
        let beta = f64::from(model.beta);
        let of = |value: &dyn Fn(&Score) -> f64| mean(scores.iter().map(value));
        let (reconstruction, reconstruction_standard_error) = of(&|s| s.recon);
        let (kl, kl_standard_error) = of(&|s| s.kl);
        // The loss is a function of the mean KL, and rows count by its slope there.
        let [cost, slope] = cost_of_kl(kl, model.capacity.map(f64::from));
        let (loss, loss_standard_error) = of(&|s| s.recon + beta * (cost + slope * (s.kl - kl)));
        let (negative_elbo, elbo_standard_error) = of(&|s| s.negative_elbo());
        let is_elbo = |value: f64| (model.objective != Objective::Ae).then_some(value);
        let bits = bits_per_dimension(run, rows, negative_elbo);
        let kl_per_dimension = kl_per_dimension(codes, prior);
        let is_active = are_active(&mean_variances(codes), &kl_per_dimension);
        Self {
            rows: scores.len(),
            draws,
            loss,
            loss_standard_error,
            beta: is_elbo(beta),
            elbo: is_elbo(-negative_elbo),
            elbo_standard_error: is_elbo(elbo_standard_error),
            reconstruction,
            reconstruction_standard_error,
            kl,
            kl_standard_error,
            kl_per_dimension,
            active_units: is_active.iter().filter(|active| **active).count(),
            is_active,
            bits_per_dimension: bits.ok(),
            no_bits: bits.err(),
            nats_per_token: bits.ok().filter(|_| run.data.vocabulary.is_some()).map(|bits| bits * LN_2),
            bits_per_character: bits.ok().and_then(|_| bits_per_character(run, rows, negative_elbo)),
        }
    }
}

/// Nats of a row as bits for each value, in the units of the data. Else why the loss is no likelihood of the data.
pub fn bits_per_dimension(run: &Run, rows: &Examples, nats: f64) -> Result<f64, &'static str> {
    let width = match (&run.data.columns, &run.data.vocabulary) {
        // A value of a table is a cell, that of a text a token.
        (Some(columns), _) => columns.len() as f64,
        (None, Some(_)) => run.count_tokens(rows) as f64 / rows.rows as f64,
        (None, None) => run.data.shape.len() as f64,
    };
    Ok((nats / LN_2 + bits_of_units(run, rows)?) / width)
}

/// Nats of a text as bits for each of its characters.
fn bits_per_character(run: &Run, rows: &Examples, nats: f64) -> Option<f64> {
    let characters: usize = run.texts(rows)?.iter().map(|text| text.chars().count()).sum();
    (characters > 0).then(|| nats * rows.rows as f64 / LN_2 / characters as f64)
}

/// What the units of the data add to the bits of a row: a density in units that are wider by a factor has as many bits more as
/// that factor. Else why the loss is no likelihood of the data.
fn bits_of_units(run: &Run, rows: &Examples) -> Result<f64, &'static str> {
    let model = &run.config.model;
    let is_binary = run.config.data.binarise != Binarise::None;
    match model.likelihood {
        _ if model.objective == Objective::Ae => Err("a plain autoencoder has no likelihood"),
        Likelihood::Mse => Err("mse is no likelihood: train with gaussian or gaussian-learned"),
        Likelihood::Bernoulli if is_binary => Ok(0.0),
        Likelihood::Bernoulli => Err(
            "bernoulli is no likelihood of levels between 0 and 1: train with `data.binarise`, or with gaussian-learned",
        ),
        _ if is_binary => Err("a density is no likelihood of zeros and ones: train with bernoulli"),
        _ if rows.has_missing() => Err("some values are missing"),
        // The loss is that of levels, not of their density.
        Likelihood::Logistic => Ok(0.0),
        // The 256 levels share the unit interval.
        _ if run.data.bytes => Ok(8.0 * run.data.shape.len() as f64),
        likelihood => match (&run.data.columns, &run.data.series) {
            (Some(columns), _) => bits_of_columns(columns, rows, likelihood),
            (_, Some(series)) => {
                let steps = run.data.shape.len() / series.channels.len().max(1);
                Ok(steps as f64 * series.channels.iter().map(|channel| channel.deviation.log2()).sum::<f64>())
            }
            _ => Ok(0.0),
        },
    }
}

/// The bits per row that the units of a table's columns add. Words and counts have probabilities, which no unit changes, but under one
/// density for all columns they are numbers.
fn bits_of_columns(columns: &Columns, rows: &Examples, likelihood: Likelihood) -> Result<f64, &'static str> {
    let width = columns.width();
    let values = rows.numbers(0..rows.rows, width);
    let bits = |(column, span): (usize, Range<usize>)| {
        let of = &columns.all[column];
        let Column { mean, deviation, kind, .. } = of;
        // The density of what is positive is that of its logarithm over the number.
        let logarithms = values.iter().skip(span.start).step_by(width).map(|v| f64::from(*v) * deviation + mean);
        match kind {
            ValueKind::Number => Ok(deviation.log2()),
            ValueKind::Positive => Ok(deviation.log2() + logarithms.sum::<f64>() / LN_2 / rows.rows as f64),
            ValueKind::Quantile => {
                let scores = values.iter().skip(span.start).step_by(width);
                let bits = scores.map(|score| Some(of.quantiles.growth((*score).into())?.log2())).sum::<Option<f64>>();
                bits.map(|bits| bits / rows.rows as f64).ok_or(
                    "rows share values of a column by quantiles, which have a probability and no density: `data.kinds = [\"NAME=number\"]` has one",
                )
            }
            _ if likelihood.is_of_columns() => Ok(0.0),
            _ => Err("a density is no likelihood of words and counts: train with columns"),
        }
    };
    columns.spans().into_iter().enumerate().map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_the_error_of_the_textbook() {
        let (value, error) = mean([1.0, 2.0, 3.0, 6.0].into_iter());
        // The variance is (4 + 1 + 0 + 9) / 3.
        assert_eq!(value, 3.0);
        assert!((error - (14.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
        let (value, error) = mean([5.0].into_iter());
        assert!(value == 5.0 && error.is_nan());
    }
}
