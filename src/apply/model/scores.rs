//! Losses of rows under a model.

use std::ops::Range;

use wgvae_data::Examples;
use wgvae_engine::exec::oracle;
use wgvae_engine::kernels::batch::Binarise;
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::StepScalars;
use wgvae_engine::session::Session;

use super::super::{RunError, Score, draws};
use super::TrainedModel;
use crate::model::{ApplyingPlans, Vae};

impl TrainedModel {
    /// The losses of rows, averaged over `draws` latent draws. The first draw is the one that training evaluates with; all
    /// depend on the position of a row.
    pub fn score(&mut self, rows: &Examples, draws: usize) -> Result<Vec<Score>, RunError> {
        let (seed, batch, latent) = (self.run.config.train.seed, self.batch(), self.latent());
        let batches = rows.rows.div_ceil(batch) as u64;
        let mut scores = vec![Score::default(); rows.rows];
        for draw in 0..draws as u64 {
            let of_batch = |stream, first: usize| key(seed, stream, draw * batches + (first / batch) as u64);
            let noise = |of: Range<usize>| -> Vec<f32> {
                let key = of_batch(Stream::EvaluationNoise, of.start);
                (0..of.len() * latent).map(|i| oracle::normal::<f32>(key, i as u32, 0)).collect()
            };
            let binarise = |first: usize| of_batch(Stream::EvaluationBinarise, first);
            self.add_scores(rows, 1.0 / draws as f64, noise, binarise, &mut scores, &mut |_| {})?;
        }
        Ok(scores)
    }

    /// The losses of rows, averaged over `draws` latent draws, which depend on a row's content and the seed of the run alone: a
    /// row has the same score wherever it stands. Where training draws zeros and ones, each draw of the latent has its own.
    pub fn score_by_content(&mut self, rows: &Examples, draws: usize) -> Result<Vec<Score>, RunError> {
        self.score_by_content_with(rows, draws, &mut |_| {})
    }

    /// [`TrainedModel::score_by_content`] with a progress callback, which is given how many rows more were scored under one draw.
    pub fn score_by_content_with(
        &mut self,
        rows: &Examples,
        draws: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Score>, RunError> {
        let (seed, latent) = (self.run.config.train.seed, self.latent());
        let hashes = rows.hashes();
        let mut scores = vec![Score::default(); rows.rows];
        for draw in 0..draws as u32 {
            let noise = |of: Range<usize>| -> Vec<f32> {
                let of_row = |row: usize| {
                    let key = key(seed, Stream::RowNoise, hashes[row]);
                    (0..latent as u32).map(move |i| oracle::normal::<f32>(key, i, draw))
                };
                of.flat_map(of_row).collect()
            };
            let share = 1.0 / draws as f64;
            // Zeros and ones stay what they are when the device binarises them.
            match self.run.config.data.binarise {
                Binarise::Draw => {
                    let keys = hashes.iter().map(|hash| key(seed, Stream::RowBinarise, *hash));
                    let drawn = draws::binarised(rows, keys, draw);
                    self.add_scores(&drawn, share, noise, |_| [0; 2], &mut scores, progress)?;
                }
                Binarise::None | Binarise::Threshold => {
                    self.add_scores(rows, share, noise, |_| [0; 2], &mut scores, progress)?;
                }
            }
        }
        Ok(scores)
    }

    /// Adds a share of the losses of rows under one draw of the latent. `noise` is that of some rows `(N, Z)`, and `binarise` the
    /// key of the batch that begins at a row.
    fn add_scores(
        &mut self,
        rows: &Examples,
        share: f64,
        noise: impl Fn(Range<usize>) -> Vec<f32>,
        binarise: impl Fn(usize) -> [u32; 2],
        scores: &mut [Score],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), RunError> {
        let all = self.batch() * self.latent();
        let mut rest = scores.iter_mut();
        let prepare = |session: &mut Session, vae: &Vae<ApplyingPlans>, rows: Range<usize>, step: StepScalars| {
            if let Some(given) = vae.noise {
                let mut noise = noise(rows.clone());
                noise.resize(all, 0.0);
                session.write(given, &noise)?;
            }
            Ok(StepScalars { binarise_key: binarise(rows.start), ..step })
        };
        self.over(rows, self.vae.plans.score, prepare, |session, vae, kept| {
            let [recon, kl] = [session.read(vae.recon)?, session.read(vae.kl)?];
            for ((recon, kl), score) in recon.into_iter().zip(kl).take(kept).zip(&mut rest) {
                score.recon += f64::from(recon) * share;
                score.kl += f64::from(kl) * share;
            }
            progress(kept);
            Ok(())
        })
    }
}
