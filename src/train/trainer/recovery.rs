//! What becomes of a run that is interrupted, or diverges.

use super::Trainer;
use crate::train::event::{Event, MetricsLine, Rollback};
use crate::train::saving::Saving;
use crate::train::state::{Progress, State};
use crate::train::weights::{initial_weights, write_rows};
use crate::train::{RunFolder, TrainError, Watch};

/// How often training may diverge and go back to a checkpoint.
const ROLLBACKS: u32 = 3;

impl Trainer {
    /// The error of a run that was stopped. Its state goes into a checkpoint, unless it is not finite: then the last one is
    /// what there is to go on from.
    pub(super) fn interrupted(&mut self, folder: &mut RunFolder, saving: &Saving) -> TrainError {
        let path = folder.path();
        let saved = self.state().map_err(TrainError::from).and_then(|state| {
            if state.not_finite(&self.vae.program.params).is_some() {
                return Ok(folder.checkpoints().first().map_or(0, |checkpoint| checkpoint.step));
            }
            self.checkpoint(folder, saving, &state)?;
            Ok(state.progress.step)
        });
        match saved {
            Ok(step) => TrainError::Interrupted { step, folder: path },
            Err(error) => error,
        }
    }

    /// After a divergence, goes back to the newest good checkpoint, or to the start, with half the learning rate; the third
    /// time has been the last.
    pub(super) fn roll_back(
        &mut self,
        folder: &mut RunFolder,
        saving: &Saving,
        error: TrainError,
        watch: &mut Watch<'_>,
    ) -> Result<(), TrainError> {
        let TrainError::Diverged { step: diverged, .. } = error else { return Err(error) };
        // Steps that were sent before are of no use.
        while self.executor.collect()?.is_some() {}
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
        let good = folder.checkpoints().into_iter().find_map(|checkpoint| {
            let manifest = checkpoint.manifest().ok()?;
            checkpoint.state(&manifest, &params, moments).ok()
        });
        let mut state = good.unwrap_or_else(|| self.first_state());
        state.progress.rollbacks = rollbacks;
        state.progress.lr_factor = lr_factor;
        self.restore(&state)?;
        folder.rewind(state.progress.step)?;
        let rollback = Rollback { step: state.progress.step, diverged, lr_factor, count: rollbacks };
        folder.record(&MetricsLine::Rollback(rollback))?;
        // So that a run that is killed and resumed does not diverge as often again.
        if state.progress.step > 0 {
            folder.checkpoint(&saving.origin, &params, &state, None, saving.keep)?;
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
