//! Texts, token by token: the decoder sees the token before each, and its states go from step to step.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use wgvae_data::{Examples, NOTHING, Vocabulary};
use wgvae_engine::plan::StepScalars;

use super::TrainedModel;
use crate::apply::{RunError, draws};

/// How the tokens of a text are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TokenChoice {
    /// The likeliest token of each step.
    Likeliest,
    /// Drawn from what the decoder says of each step.
    Drawn {
        /// What logits are divided by: below 1, likely tokens are drawn more often; above 1, less often.
        temperature: f64,
        /// The share of the likeliest tokens that draws are from: 1 for all.
        top_p: f64,
        /// The seed. A row's draws depend on the seed, on its number and on its code alone.
        seed: u64,
    },
}

impl TokenChoice {
    /// The distribution that the decoder says, as it is.
    pub fn as_it_is(seed: u64) -> Self {
        TokenChoice::Drawn { temperature: 1.0, top_p: 1.0, seed }
    }

    /// The generator of a row's draws.
    pub(in crate::apply) fn generator(self, row: usize) -> ChaCha8Rng {
        let seed = match self {
            TokenChoice::Likeliest => 0,
            TokenChoice::Drawn { seed, .. } => seed,
        };
        draws::rng(seed, row as u64)
    }

    /// A token of these logits; never the one that stands for unknown tokens, which no text has.
    pub(in crate::apply) fn token(self, logits: &[f32], rng: &mut ChaCha8Rng) -> u32 {
        let (first, most) = likeliest(logits);
        let TokenChoice::Drawn { temperature, top_p, .. } = self else { return first };
        if temperature <= 0.0 {
            return first;
        }
        let weight = |(token, logit): (usize, f64)| (token, libm::exp((logit - most) / temperature));
        let mut all: Vec<(usize, f64)> = known(logits).map(weight).collect();
        let mut total: f64 = all.iter().map(|(_, weight)| weight).sum();
        if top_p < 1.0 {
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let mut seen = 0.0;
            let before = |(_, weight): &(usize, f64)| {
                let is_among = seen < top_p * total;
                seen += weight;
                is_among
            };
            let kept: Vec<_> = all.iter().copied().take_while(before).collect();
            all = kept;
            total = all.iter().map(|(_, weight)| weight).sum();
        }
        let mut left = rng.random::<f64>() * total;
        for (token, weight) in &all {
            left -= weight;
            if left < 0.0 {
                return *token as u32;
            }
        }
        // Rounding may leave a rest, which is that of the likeliest token.
        first
    }
}

/// The tokens that a text can have, with their logits.
fn known(logits: &[f32]) -> impl Iterator<Item = (usize, f64)> {
    let all = logits.iter().enumerate().filter(|(token, _)| *token != Vocabulary::UNKNOWN as usize);
    all.map(|(token, logit)| (token, f64::from(*logit)))
}

/// The likeliest token that a text can have, and its logit. Where logits are equal, the first one is taken.
fn likeliest(logits: &[f32]) -> (u32, f64) {
    let best = known(logits).reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.map_or((Vocabulary::END, 0.0), |(token, logit)| (token as u32, logit))
}

/// The tokens of a batch that is being decoded, for a decoder that reads all of them for each that it makes.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    times: usize,
    /// `(B, T)`
    tokens: Vec<f32>,
}

impl TrainedModel {
    /// Whether the model is one of texts.
    pub fn is_of_texts(&self) -> bool {
        self.vae.generation.is_some()
    }

    /// Decodes `z (N, Z)` to rows of tokens `(N, T)`, each of which begins with `prefix`. A text that does not end by itself within T
    /// tokens is cut.
    pub fn decode_tokens(
        &mut self,
        z: &[f32],
        classes: &[u32],
        choice: TokenChoice,
        prefix: &[u32],
    ) -> Result<Vec<f32>, RunError> {
        let (batch, latent, width) = (self.batch(), self.latent(), self.width());
        let mut rows = Vec::with_capacity(z.len() / latent.max(1) * width);
        for (number, chunk) in z.chunks(batch * latent).enumerate() {
            self.start(chunk, classes.get(number * batch..).unwrap_or_default())?;
            let count = chunk.len() / latent;
            let mut generators: Vec<ChaCha8Rng> =
                (0..count).map(|row| choice.generator(number * batch + row)).collect();
            let mut tokens = vec![NOTHING; count * width];
            let mut open: Vec<bool> = vec![true; count];
            let mut before = vec![NOTHING; batch];
            for time in 0..width {
                let logits = self.next_logits(&before)?;
                let vocabulary = logits.len() / batch;
                let given = prefix.get(time).copied();
                for row in 0..count {
                    if !open[row] {
                        continue;
                    }
                    let token = match given {
                        _ if time + 1 == width => Vocabulary::END,
                        Some(token) => token,
                        None => choice.token(&logits[row * vocabulary..][..vocabulary], &mut generators[row]),
                    };
                    tokens[row * width + time] = token as f32;
                    before[row] = token as f32;
                    open[row] = token != Vocabulary::END;
                }
                if !open.contains(&true) {
                    break;
                }
            }
            rows.extend(tokens);
        }
        Ok(rows)
    }

    /// `(N, T)`: the nats of each token of texts given those before it, under their mean codes; 0 behind their ends.
    pub fn token_losses(&mut self, rows: &Examples) -> Result<Vec<f32>, RunError> {
        let width = self.width();
        let mut all = Vec::with_capacity(rows.rows * width);
        self.over(rows, self.vae.plans.reconstruct, super::unchanged, |session, vae, kept| {
            all.extend(&session.read(vae.mean)?[..kept * width]);
            Ok(())
        })?;
        Ok(all)
    }

    /// The likeliest token at each place of texts, given their mean codes and the tokens before it, and its probability: `(N, T)`.
    pub fn likeliest_tokens(&mut self, rows: &Examples) -> Result<Vec<(u32, f64)>, RunError> {
        let (batch, latent, width) = (self.batch(), self.latent(), self.width());
        let codes = self.encode(rows)?;
        let tokens = rows.numbers(0..rows.rows, width);
        let classes = rows.labels.clone().unwrap_or_default();
        let mut all = vec![(Vocabulary::END, 1.0); rows.rows * width];
        for (number, z) in codes.mu.chunks(batch * latent).enumerate() {
            self.start(z, classes.get(number * batch..).unwrap_or_default())?;
            let first = number * batch;
            let mut before = vec![NOTHING; batch];
            for time in 0..width {
                let logits = self.next_logits(&before)?;
                let vocabulary = logits.len() / batch;
                for (row, logits) in logits.chunks_exact(vocabulary).take(z.len() / latent).enumerate() {
                    let place = (first + row) * width + time;
                    let (token, most) = likeliest(logits);
                    let sum: f64 = logits.iter().map(|logit| libm::exp(f64::from(*logit) - most)).sum();
                    all[place] = (token, 1.0 / sum);
                    before[row] = tokens[place];
                }
                if before.iter().all(|token| *token <= Vocabulary::END as f32) {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Brings the decoder to where the texts of codes `(N, Z)` begin.
    pub(in crate::apply) fn start(&mut self, z: &[f32], classes: &[u32]) -> Result<(), RunError> {
        let batch = self.batch();
        self.so_far = SoFar { times: 0, tokens: vec![NOTHING; batch * self.width()] };
        Ok(self.decode_batch(z, classes)?)
    }

    /// `(B, V)`: the logits of the tokens behind these `(B)`, which follow those of the calls since [`TrainedModel::start`]; a number
    /// below 0 stands for the beginning.
    pub(in crate::apply) fn next_logits(&mut self, before: &[f32]) -> Result<Vec<f32>, RunError> {
        let (Some(plan), Some(generation)) = (self.vae.plans.next_token, self.vae.generation.clone()) else {
            return Err(RunError::Unfit("the model is not one of texts".into()));
        };
        match generation.place {
            None => self.session.write(generation.token, before)?,
            Some(place) => {
                let width = self.width();
                let time = self.so_far.times.min(width.saturating_sub(1));
                if let Some(last) = time.checked_sub(1) {
                    let tokens = self.so_far.tokens.iter_mut().skip(last).step_by(width);
                    tokens.zip(before).for_each(|(token, before)| *token = *before);
                }
                self.so_far.times += 1;
                let places: Vec<f32> = (0..before.len()).map(|row| (row * width + time) as f32).collect();
                self.session.write(generation.token, &self.so_far.tokens)?;
                self.session.write(place, &places)?;
            }
        }
        self.session.dispatch(plan, &StepScalars::default())?;
        Ok(self.session.read(generation.logits)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        // Token 1 stands for unknown tokens.
        let logits = [0.6_f32.ln(), 9.0, 0.3_f32.ln(), 0.1_f32.ln()];
        let shares = |temperature: f64, top_p: f64| {
            let choice = TokenChoice::Drawn { temperature, top_p, seed: 3 };
            let mut counts = [0.0; 4];
            for row in 0..20_000 {
                counts[choice.token(&logits, &mut choice.generator(row)) as usize] += 1.0 / 20_000.0;
            }
            counts
        };
        let near = |found: [f64; 4], expected: [f64; 4]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.015), "{found:?} and not {expected:?}");
        };
        near(shares(1.0, 1.0), [0.6, 0.0, 0.3, 0.1]);
        near(shares(0.5, 1.0), [0.36 / 0.46, 0.0, 0.09 / 0.46, 0.01 / 0.46]);
        near(shares(1.0, 0.8), [2.0 / 3.0, 0.0, 1.0 / 3.0, 0.0]);
        near(shares(1.0, 0.6), [1.0, 0.0, 0.0, 0.0]);
        near(shares(0.0, 1.0), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(TokenChoice::Likeliest.token(&logits, &mut TokenChoice::Likeliest.generator(0)), 0);
        // Where logits are equal, the first one is taken.
        assert_eq!(TokenChoice::Likeliest.token(&[1.0, 2.0, 1.0], &mut TokenChoice::Likeliest.generator(0)), 0);
    }
}
