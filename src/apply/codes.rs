//! What a model says of rows: their codes and losses.

use super::RunError;
use crate::train;

/// Latent codes of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Codes {
    /// Latent dimensions.
    pub latent: usize,
    /// `(N, Z)`: means, or the codes of an autoencoder.
    pub mu: Vec<f32>,
    /// `(N, Z)`: logarithms of variances; empty for an autoencoder.
    pub logvar: Vec<f32>,
}

impl Codes {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.mu.len() / self.latent
    }

    /// The code of one row, counted from 0.
    pub fn row(&self, row: usize) -> Result<Self, RunError> {
        match row < self.rows() {
            true => Ok(self.of(std::iter::once(row))),
            false => {
                Err(RunError::Unfit(format!("there is no row {row}: there are {} rows, counted from 0", self.rows())))
            }
        }
    }

    /// The codes of some rows, in the given order.
    pub fn of(&self, rows: impl Iterator<Item = usize> + Clone) -> Self {
        let pick = |all: &[f32]| match all.is_empty() {
            true => Vec::new(),
            false => rows.clone().flat_map(|r| &all[r * self.latent..(r + 1) * self.latent]).copied().collect(),
        };
        Self { latent: self.latent, mu: pick(&self.mu), logvar: pick(&self.logvar) }
    }

    /// One code: the mean over all rows, of the means and of the logarithms of variances.
    pub fn mean(&self) -> Self {
        let mean = |all: &[f32]| match all.is_empty() {
            true => Vec::new(),
            false => train::means(all, self.latent).into_iter().map(|mean| mean as f32).collect(),
        };
        Self { latent: self.latent, mu: mean(&self.mu), logvar: mean(&self.logvar) }
    }
}

/// Losses of a row, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Negative log-likelihood, averaged over the latent draws.
    pub recon: f64,
    /// KL divergence from the prior.
    pub kl: f64,
}

impl Score {
    /// The negative ELBO; of an autoencoder, the reconstruction alone.
    pub fn negative_elbo(self) -> f64 {
        self.recon + self.kl
    }
}
