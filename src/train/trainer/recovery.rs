//! What becomes of a run that is interrupted, or diverges.

use wgvae_engine::session::initial_weights;

use super::Trainer;
use crate::train::event::{Event, MetricsLine, Rollback};
use crate::train::saving::Saving;
use crate::train::state::{Progress, State};
use crate::train::weights::write_rows;
use crate::train::{Store, TrainError, Watch};

/// How often training may diverge and go back to a checkpoint.
const ROLLBACKS: u32 = 3;

impl Trainer {
    /// Saves the state of a run that is stopped, unless it is not finite: then the last one is what there is to go on from. The steps
    /// of what there is.
    pub(super) fn leave(&mut self, store: &mut dyn Store, saving: &Saving) -> Result<u64, TrainError> {
        let state = self.state()?;
        match state.not_finite(&self.vae.program.params) {
            None => {
                self.checkpoint(store, saving, &state)?;
                Ok(state.progress.step)
            }
            Some((tensor, value)) => match store.last(&self.vae.program.params, self.vae.moments.len()) {
                Some(last) => Ok(last.progress.step),
                None => {
                    let step = state.progress.step;
                    Err(TrainError::Diverged { step, loss: value.into(), tensor: Some(tensor) })
                }
            },
        }
    }

    /// After a divergence, goes back to the newest good checkpoint, or to the start, with half the learning rate; the third
    /// time has been the last.
    pub(super) fn roll_back(
        &mut self,
        store: &mut dyn Store,
        saving: &Saving,
        error: TrainError,
        watch: &mut Watch<'_>,
    ) -> Result<(), TrainError> {
        let TrainError::Diverged { step: diverged, .. } = error else { return Err(error) };
        // Steps that were sent before are of no use.
        while self.session.collect()?.is_some() {}
        let (rollbacks, lr_factor) = (self.progress.rollbacks + 1, self.progress.lr_factor / 2.0);
        if rollbacks > ROLLBACKS {
            return Err(match error {
                TrainError::Diverged { step, loss, tensor: None } => {
                    let state = self.state()?;
                    let tensor = state.not_finite(&self.vae.program.params).map(|(tensor, _)| tensor);
                    TrainError::Diverged { step, loss, tensor }
                }
                error => error,
            });
        }
        let (params, moments) = (self.vae.program.params.clone(), self.vae.moments.len());
        let mut state = store.last(&params, moments).unwrap_or_else(|| self.first_state());
        state.progress.rollbacks = rollbacks;
        state.progress.lr_factor = lr_factor;
        self.restore(&state)?;
        store.rewind(self.progress.step, self.progress.epoch)?;
        let rollback = Rollback { step: state.progress.step, diverged, lr_factor, count: rollbacks };
        store.record(&MetricsLine::Rollback(rollback))?;
        // The lower rate is saved, so that a run that is killed and resumed does not diverge as often again.
        if state.progress.step > 0 {
            store.checkpoint(saving, &params, &state, None)?;
        }
        watch(Event::Rollback(rollback))
    }

    fn first_state(&self) -> State {
        let params = &self.vae.program.params;
        let mut weights = initial_weights(params, self.config.train.seed);
        write_rows(params, &mut weights, &self.first_rows);
        let moments = vec![vec![0.0; weights.len()]; self.vae.moments.len()];
        State { progress: Progress::default(), weights, moments }
    }
}
