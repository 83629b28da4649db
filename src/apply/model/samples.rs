//! New rows.

use wgvae_data::{Examples, Provenance, Table};

use super::{TokenChoice, TrainedModel};
use crate::apply::{DecoderOutput, Mixture, RunError, units};
use crate::model::Labels;

impl TrainedModel {
    /// New rows `(N, D)`, decoded from draws of the mixture that training fitted to its codes, or where there is none of the prior; a
    /// function of the seed alone. A conditional model's are of each class in turn. Rows of a table are drawn from the likelihood, where
    /// it has noise: a truth value is 0 or 1. Of images and points, the mean is shown.
    pub fn sample(&mut self, count: usize, seed: u64) -> Result<Vec<f32>, RunError> {
        let mixture = Mixture::of(&self.run)?;
        if self.is_of_texts() {
            return self.sample_texts(mixture.as_ref(), count, seed);
        }
        let (_, mut shown) = self.sample_from(mixture.as_ref(), count, seed)?;
        if self.run.data.columns.is_some() && self.distribution.can_draw() {
            self.distribution.draw(&mut shown, seed)?;
        }
        Ok(shown.means)
    }

    /// New rows of a table, with its columns, units and types, drawn as [`TrainedModel::sample`] draws them: within the range of the data,
    /// with as many decimals, and with the relations between columns.
    pub fn sample_table(&mut self, count: usize, seed: u64) -> Result<Table, RunError> {
        self.run.columns()?;
        let provenance = if self.distribution.can_draw() { Provenance::Drawn } else { Provenance::Mean };
        let drawn = self.sample(count, seed)?;
        self.run.table(&drawn, provenance)
    }

    /// What the model makes of the rows of a table, without noise: means of numbers, and the likeliest words.
    pub fn reconstruct_table(&mut self, rows: &Examples) -> Result<Table, RunError> {
        let shown = self.reconstruct_shown(rows)?;
        let columns = self.run.columns()?;
        Ok(columns.table(units::cells(&self.run, self, &shown).unwrap_or_default()))
    }

    /// Draws texts from a mixture that was read already.
    pub(crate) fn sample_texts(
        &mut self,
        mixture: Option<&Mixture>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<f32>, RunError> {
        let (z, classes) = self.draw_codes(mixture, count, seed)?;
        self.decode_tokens(&z, &classes, TokenChoice::as_it_is(seed), &[])
    }

    /// Draws codes from a mixture that was read already, and decodes them.
    pub(crate) fn sample_from(
        &mut self,
        mixture: Option<&Mixture>,
        count: usize,
        seed: u64,
    ) -> Result<(Vec<f32>, DecoderOutput), RunError> {
        let (z, classes) = self.draw_codes(mixture, count, seed)?;
        let shown = self.decoder_output(&z, &classes)?;
        Ok((z, shown))
    }

    /// Draws codes `(N, Z)` from a mixture, or else from the prior, for rows of each class in turn.
    fn draw_codes(&self, mixture: Option<&Mixture>, count: usize, seed: u64) -> Result<(Vec<f32>, Vec<u32>), RunError> {
        let classes = Labels::in_turn(0..count, self.run.data.classes.len());
        let z = match mixture {
            Some(mixture) => mixture.draw(count, &classes, seed, 1.0),
            None => {
                self.run.expect_prior("sampling from a prior")?;
                self.prior.draw(count, seed, 1.0)
            }
        };
        Ok((z, classes))
    }
}
