//! Texts with missing tokens, completed by importance sampling: codes are drawn from the encoder and from the prior, missing tokens from
//! the decoder, and each completion counts by `p(seen tokens, z | drawn tokens) / q(z)`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use wgvae_data::{Examples, NOTHING, Vocabulary};
use wgvae_engine::plan::is_missing;

use super::restore::{Restored, Wanted};
use super::{Codes, RunError, TokenChoice, TrainedModel, draws};

/// Draws of the code of each row, at least; a batch of them at a time.
const PARTICLES: usize = 128;

/// Completions of a row, with the logarithms of their weights.
#[derive(Default)]
struct Completions {
    rows: Vec<Vec<f32>>,
    log_weights: Vec<f64>,
}

impl Completions {
    /// The share that each has in all of the weight.
    fn shares(&self) -> Vec<f32> {
        let most = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = self.log_weights.iter().map(|weight| libm::exp(weight - most)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / sum) as f32).collect()
    }

    /// The completion with the most weight, of all draws that came to it.
    fn likeliest(&self, shares: &[f32]) -> &[f32] {
        let weight = |row: &Vec<f32>| -> f32 {
            self.rows.iter().zip(shares).filter(|(other, _)| *other == row).map(|(_, share)| share).sum()
        };
        let best = self.rows.iter().map(|row| (row, weight(row))).reduce(|a, b| if b.1 > a.1 { b } else { a });
        best.map_or(&[], |(row, _)| row)
    }
}

impl TrainedModel {
    /// Completes texts `(N, T)` of which tokens are missing. What is drawn depends on the seed and on a row's number; `progress` is told
    /// how many rows are done.
    pub fn complete_texts(
        &mut self,
        rows: &[f32],
        classes: Option<&[u32]>,
        wanted: Wanted,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Restored, RunError> {
        let width = self.width();
        let token = |token: &f32| if is_missing(*token) { Vocabulary::UNKNOWN as f32 } else { *token };
        let seen: Vec<f32> = rows.iter().map(token).collect();
        let split = Examples { labels: classes.map(<[u32]>::to_vec), ..Examples::of_numbers(&seen, false, width) };
        let codes = self.encode(&split)?;
        let mut restored = Restored { rows: rows.to_vec(), draws: vec![rows.to_vec(); wanted.draws] };
        for (number, row) in rows.chunks_exact(width).enumerate() {
            if row.iter().any(|token| is_missing(*token)) {
                let class = classes.map_or(0, |classes| classes[number]);
                let completions = self.completions(row, class, &codes.row(number)?, [wanted.seed, number as u64])?;
                let shares = completions.shares();
                let span = number * width..(number + 1) * width;
                restored.rows[span.clone()].copy_from_slice(completions.likeliest(&shares));
                let mut rng = draws::rng(wanted.seed, u64::MAX - number as u64);
                for rows in &mut restored.draws {
                    rows[span.clone()].copy_from_slice(&completions.rows[draws::chosen(&shares, rng.random())]);
                }
            }
            progress(number + 1);
        }
        Ok(restored)
    }

    /// Draws completions of a row `(T)`: as many as there are particles.
    fn completions(
        &mut self,
        row: &[f32],
        class: u32,
        code: &Codes,
        [seed, number]: [u64; 2],
    ) -> Result<Completions, RunError> {
        let (batch, latent) = (self.batch(), self.latent());
        let mut completions = Completions::default();
        for round in 0..PARTICLES.div_ceil(batch) {
            let stream = |particle: usize| number << 20 | (round * batch + particle) as u64;
            let mut generators: Vec<ChaCha8Rng> =
                (0..batch).map(|particle| draws::rng(seed, stream(particle))).collect();
            // Every other draw is from the prior, so that a code that the encoder did not think of has a chance.
            let mut z = self.prior().draw(batch, generators[0].random(), 1.0);
            for (z, rng) in z.chunks_exact_mut(latent).zip(&mut generators).step_by(2) {
                for (i, z) in z.iter_mut().enumerate() {
                    let noise: f32 = StandardNormal.sample(rng);
                    *z = code.mu[i] + (0.5 * code.logvar[i]).exp() * noise;
                }
            }
            let weight = |z: &[f32]| {
                let log_prior = self.prior().log_density(z);
                log_prior - log_proposal(z, code, log_prior)
            };
            let mut weights: Vec<f64> = z.chunks_exact(latent).map(weight).collect();
            self.start(&z, &vec![class; batch])?;
            let mut rows = vec![vec![NOTHING; row.len()]; batch];
            let mut before = vec![NOTHING; batch];
            for (time, given) in row.iter().enumerate().take_while(|(_, token)| **token != NOTHING) {
                let mut logits = self.next_logits(&before)?;
                let vocabulary = logits.len() / batch;
                for (particle, logits) in logits.chunks_exact_mut(vocabulary).enumerate() {
                    let token = match is_missing(*given) {
                        true => drawn(logits, &mut weights[particle], &mut generators[particle]),
                        false => {
                            weights[particle] += log_share(logits, *given as usize);
                            *given as u32
                        }
                    };
                    before[particle] = token as f32;
                    rows[particle][time] = token as f32;
                }
            }
            completions.rows.extend(rows);
            completions.log_weights.extend(weights);
        }
        Ok(completions)
    }
}

/// Draws a missing token, which is neither the end, since the text goes on behind it, nor unknown; the weight gets the share of the others.
fn drawn(logits: &mut [f32], log_weight: &mut f64, rng: &mut ChaCha8Rng) -> u32 {
    let others = [Vocabulary::END, Vocabulary::UNKNOWN].map(|token| libm::exp(log_share(logits, token as usize)));
    *log_weight += libm::log((1.0 - others.iter().sum::<f64>()).max(f64::MIN_POSITIVE));
    logits[Vocabulary::END as usize] = f32::NEG_INFINITY;
    TokenChoice::as_it_is(0).token(logits, rng)
}

/// The logarithm of the density that codes of particles are drawn from: half from the encoder, half from the prior.
fn log_proposal(z: &[f32], code: &Codes, log_prior: f64) -> f64 {
    let log_encoder: f64 = z
        .iter()
        .zip(code.mu.iter().zip(&code.logvar))
        .map(|(z, (mu, logvar))| {
            let far = f64::from(z - mu).powi(2) / libm::exp(f64::from(*logvar));
            -0.5 * (far + f64::from(*logvar) + (2.0 * std::f64::consts::PI).ln())
        })
        .sum();
    let most = log_encoder.max(log_prior);
    most + libm::log(0.5 * (libm::exp(log_encoder - most) + libm::exp(log_prior - most)))
}

/// The logarithm of the probability of a token.
fn log_share(logits: &[f32], token: usize) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| libm::exp(f64::from(logit - most))).sum();
    f64::from(logits[token] - most) - libm::log(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_count_by_their_weights() {
        let rows = vec![vec![2.0], vec![3.0], vec![2.0], vec![4.0]];
        let log_weights = [0.3_f64, 0.35, 0.2, 0.15].map(f64::ln).to_vec();
        let completions = Completions { rows, log_weights };
        let shares = completions.shares();
        assert!(shares.iter().zip([0.3, 0.35, 0.2, 0.15]).all(|(a, b)| (a - b).abs() < 1e-6), "{shares:?}");
        // The second has the most weight by itself, and two others together have more.
        assert_eq!(completions.likeliest(&shares), [2.0]);
    }

    #[test]
    fn the_proposal_is_a_density() {
        let code = Codes { latent: 1, mu: vec![0.5], logvar: vec![-2.0] };
        let prior = |z: f32| -0.5 * (f64::from(z * z) + (2.0 * std::f64::consts::PI).ln());
        let step = 1e-3;
        let sum: f64 = (-10_000..10_000)
            .map(|i| i as f32 * step)
            .map(|z| f64::from(step) * log_proposal(&[z], &code, prior(z)).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        let shares: f64 = (0..3).map(|token| log_share(&[1.0, -2.0, 0.5], token).exp()).sum();
        assert!((shares - 1.0).abs() < 1e-7, "{shares}");
    }
}
