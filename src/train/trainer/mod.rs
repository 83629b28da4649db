//! The loop: submit K steps while the last K run, watch the metrics, evaluate each epoch.

mod evaluation;
mod recovery;
mod speed;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wgvae_data::{Dataset, Shape};
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::{STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, Step, StepScalars};
use wgvae_engine::platform::Instant;
use wgvae_engine::session::{Session, initial_weights};

use crate::config::Config;
use crate::model::Vae;
use crate::train::advice::{advice, is_collapsed, remedy};
use crate::train::diagnosis::{is_shown, norms};
use crate::train::event::{EpochReport, Event, MetricsLine, StepReport, Summary};
use crate::train::feed::Feed;
use crate::train::metrics::StepMetrics;
use crate::train::saving::{LastCheckpoint, Saving};
use crate::train::state::{Mean, Progress, State};
use crate::train::weights::{first_rows, is_finite, write_rows};
use crate::train::{StepSchedule, Store, TrainError};
use speed::Speed;

pub use evaluation::Epoch;

/// Steps between the lines of `metrics.jsonl`.
const LOG_EVERY: u64 = 50;
/// The target duration of a submit. It is long enough to hide the host's work: a submit costs about 100 us, whatever
/// its size. It is short enough for Ctrl-C and the progress bar to react at once, and far from the limits of drivers'
/// watchdogs.
pub const SUBMIT_TIME: Duration = Duration::from_millis(100);

/// Called with a run's events; an error ends the run, as [`TrainError::Watch`] where it is the watcher's own.
pub type Watch<'a> = dyn FnMut(Event<'_>) -> Result<(), TrainError> + 'a;

/// How training ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The summary of the run.
    pub summary: Summary,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// A model, its data and the session that holds both.
pub struct Trainer {
    config: Config,
    shape: Shape,
    schedule: StepSchedule,
    vae: Vae,
    session: Session,
    steps_per_submit: usize,
    speed: Speed,
    feed: Feed,
    /// The rows that some parameters start as.
    first_rows: Vec<f32>,
    progress: Progress,
    /// Whether the device has the gradients of a step.
    has_stepped: bool,
    /// Whether it was said that the posterior has collapsed.
    has_warned_of_collapse: bool,
    /// The best state, where it is not in a checkpoint yet.
    best: Option<State>,
    /// Test losses of the epochs since training began or went on.
    test_losses: Vec<f64>,
}

/// How many steps go into the next submit, where `steps` took so long: towards [`SUBMIT_TIME`], at most twice as many as now.
pub fn next_steps_per_submit(now: usize, steps: usize, took: Duration) -> usize {
    let wanted = steps as f64 * SUBMIT_TIME.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (wanted.round() as usize).clamp(1, (2 * now).min(STEPS_PER_SUBMIT))
}

impl Trainer {
    /// Writes the data and the initial weights to the device. Rows that do not fit in the plans' tensors stay on the
    /// host and are streamed.
    pub fn new(config: &Config, data: Dataset, vae: Vae, mut session: Session) -> Result<Self, TrainError> {
        let schedule = StepSchedule::new(config, data.train.rows, data.test.rows).in_buckets(&vae.buckets);
        let (shape, params) = (data.shape, &vae.program.params);
        let first_rows = first_rows(params, &data.train, shape.len(), config.train.seed);
        let feed = Feed::new(data, &vae, config.train.batch, &mut *session)?;
        let mut weights = initial_weights(&vae.program.params, config.train.seed);
        write_rows(&vae.program.params, &mut weights, &first_rows);
        session.write(vae.weights, &weights)?;
        for (constant, values) in &vae.constants {
            session.write(*constant, values)?;
        }
        Ok(Self {
            schedule,
            config: config.clone(),
            shape,
            vae,
            session,
            steps_per_submit: 1,
            speed: Speed::default(),
            feed,
            first_rows,
            progress: Progress::default(),
            has_stepped: false,
            has_warned_of_collapse: false,
            best: None,
            test_losses: Vec::new(),
        })
    }

    /// The session.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The model's program and plans.
    pub fn vae(&self) -> &Vae {
        &self.vae
    }

    /// Computes the scalars of the run's steps.
    pub fn schedule(&self) -> &StepSchedule {
        &self.schedule
    }

    /// How far the run is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The state, read back from the device.
    pub fn state(&mut self) -> Result<State, GpuError> {
        let weights = self.session.read(self.vae.weights)?;
        let moments = self.vae.moments.iter().map(|id| self.session.read(*id)).collect::<Result<_, _>>()?;
        Ok(State { progress: self.progress.clone(), weights, moments })
    }

    /// Goes on from a state.
    pub fn restore(&mut self, state: &State) -> Result<(), GpuError> {
        self.session.write(self.vae.weights, &state.weights)?;
        for (id, moment) in self.vae.moments.iter().zip(&state.moments) {
            self.session.write(*id, moment)?;
        }
        self.progress = state.progress.clone();
        self.schedule = self.schedule.clone().of(&state.progress);
        self.best = None;
        self.progress.epoch = self.schedule.whole_epochs(&self.progress);
        Ok(())
    }

    /// Takes no epoch so far for the best one, as their losses are not comparable with those that follow; where none follows, the best
    /// one stays. Whether it was forgotten.
    pub fn forget_best(&mut self) -> bool {
        let more_follow = !self.schedule.is_done(&self.progress);
        if more_follow {
            self.progress.best = None;
        }
        more_follow
    }

    /// Whether there is nothing left to train.
    fn is_finished(&self) -> bool {
        self.schedule.is_done(&self.progress) || self.config.train.patience.is_some_and(|most| self.waited() >= most)
    }

    /// Epochs since the best one, without those in which beta or the capacity was rising.
    fn waited(&self) -> usize {
        let best = self.progress.best.map_or(self.progress.epoch, |best| best.epoch);
        (best + 1..=self.progress.epoch).filter(|epoch| self.schedule.has_risen(*epoch as u64)).count()
    }

    /// Trains to the end, or until `stop` is set. Every event goes to `watch`; measurements, checkpoints and the model go
    /// to `store`.
    pub fn train(
        &mut self,
        store: &mut dyn Store,
        saving: &Saving,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Ended, TrainError> {
        let mut saved = LastCheckpoint::now(&self.progress);
        while !self.is_finished() {
            let advanced = match self.advance(store, saving, &mut saved, stop, watch) {
                Err(error @ TrainError::Diverged { .. }) => {
                    let outcome = self.roll_back(store, saving, error, watch).map(|()| true);
                    saved = LastCheckpoint::now(&self.progress);
                    outcome
                }
                outcome => outcome,
            };
            let goes_on = advanced.map_err(|error| match (error, store.folder()) {
                (TrainError::Device(error), Some(folder)) => TrainError::Failed { error, folder },
                (error, _) => error,
            })?;
            if let Some(now) = store.moved() {
                watch(Event::Warning(&format!(
                    "the folder of the run is {} now, and the run goes on there",
                    now.display()
                )))?;
            }
            if !goes_on {
                let steps = self.leave(store, saving)?;
                return Ok(Ended { summary: Summary { steps, ..self.summary(store) }, stopped: true });
            }
        }
        if !self.schedule.is_done(&self.progress) {
            watch(Event::Warning(&format!(
                "stopped after epoch {} of {}: the test loss has not fallen for {} epochs, which is all the patience there is",
                self.progress.epoch,
                self.schedule.epochs(),
                self.waited()
            )))?;
        }
        if let (Some(best), Some(last)) = (&self.progress.best, &self.progress.last) {
            for advice in advice(&self.config, best, last, &self.test_losses) {
                watch(Event::Warning(&advice.sentence))?;
            }
        }
        let summary = self.summary(store);
        store.record(&MetricsLine::Done(summary.clone()))?;
        watch(Event::Done(&summary))?;
        Ok(Ended { summary, stopped: false })
    }

    /// Trains to the next checkpoint, or to the end of the epoch; whether training goes on.
    fn advance(
        &mut self,
        store: &mut dyn Store,
        saving: &Saving,
        saved: &mut LastCheckpoint,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<bool, TrainError> {
        let end = self.schedule.next_end(&self.progress);
        let due = saving.every.steps_due(saved).unwrap_or(end).min(end);
        self.steps(due, saving.every.time_due(saved), store, stop, watch)?;
        let shown = self.progress.step == end && is_shown(self.progress.epoch + 1, self.schedule.epochs());
        if shown && self.has_stepped && self.progress.gradient_norms.is_none() {
            let gradients = self.session.read(self.vae.gradients)?;
            self.progress.gradient_norms = Some(norms(&self.vae.program.params, &gradients));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (mut is_best, mut diagnosis) = (false, None);
        let ended = self.progress.step == end;
        if ended {
            let Some(test) = self.evaluate(stop)? else { return Ok(false) };
            if !test.loss.is_finite() {
                return Err(TrainError::Diverged { step: end, loss: test.loss, tensor: None });
            }
            is_best = self.end_epoch(&test);
            if let Some(report) = self.progress.last {
                store.record(&MetricsLine::Epoch(report))?;
                diagnosis = self.diagnose(report)?;
                if let Some(diagnosis) = &diagnosis {
                    store.record(&MetricsLine::Diagnosis(diagnosis.clone()))?;
                }
            }
        }
        let is_due = saving.every.is_due(&self.progress, saved) || self.is_finished();
        if is_best || is_due {
            let state = self.state()?;
            if let Some((tensor, value)) = state.not_finite(&self.vae.program.params) {
                let (step, loss) = (state.progress.step, value.into());
                return Err(TrainError::Diverged { step, loss, tensor: Some(tensor) });
            }
            if is_best {
                self.best = Some(state.clone());
            }
            if is_due {
                self.checkpoint(store, saving, &state)?;
                *saved = LastCheckpoint::now(&self.progress);
            }
        }
        if ended && let Some(report) = self.progress.last {
            if let Some(diagnosis) = &diagnosis {
                watch(Event::Diagnosis(diagnosis))?;
            }
            if let Some(warning) = self.first_collapse(&report) {
                watch(Event::Warning(&warning))?;
            }
            watch(Event::Epoch(Epoch { report, trainer: self }))?;
        }
        Ok(true)
    }

    /// Returns advice where the posterior has collapsed, once, if training goes on.
    fn first_collapse(&mut self, report: &EpochReport) -> Option<String> {
        let full = self.schedule.beta(report.step.saturating_sub(1)) >= f64::from(self.config.model.beta);
        if self.has_warned_of_collapse || !full || self.is_finished() || !is_collapsed(&self.config, report) {
            return None;
        }
        self.has_warned_of_collapse = true;
        Some(format!(
            "after epoch {} the KL is {:.2} nats: the posterior has collapsed so far, and the latent says next to nothing of the data; \
             against it: {}",
            report.epoch,
            report.test_kl,
            remedy(&self.config)
        ))
    }

    /// Counts an epoch as done; returns whether it is the best so far.
    fn end_epoch(&mut self, test: &StepMetrics) -> bool {
        let progress = &mut self.progress;
        progress.epoch += 1;
        let steps = progress.of_epoch.weight();
        let report = EpochReport {
            epoch: progress.epoch,
            step: progress.step,
            train_loss: progress.of_epoch.get().loss,
            test_loss: test.loss,
            test_recon: test.recon,
            test_kl: test.kl,
            seconds: progress.seconds,
            steps_per_second: steps / progress.epoch_seconds,
        };
        progress.of_epoch = Mean::default();
        progress.epoch_seconds = 0.0;
        progress.last = Some(report);
        self.test_losses.push(test.loss);
        let is_best = progress.best.is_none_or(|best| report.test_loss < best.test_loss);
        if is_best {
            progress.best = Some(report);
        }
        is_best
    }

    fn checkpoint(&mut self, store: &mut dyn Store, saving: &Saving, state: &State) -> Result<(), TrainError> {
        let best = self.best.take();
        self.save(store, saving, state, best.as_ref())
    }

    /// Writes a checkpoint of a state, and the best state if it is not in one yet.
    pub fn save(
        &self,
        store: &mut dyn Store,
        saving: &Saving,
        state: &State,
        best: Option<&State>,
    ) -> Result<(), TrainError> {
        store.checkpoint(saving, &self.vae.program.params, state, best)
    }

    fn summary(&self, store: &dyn Store) -> Summary {
        let progress = &self.progress;
        let best = progress.best;
        Summary {
            run: store.folder().map_or_else(String::new, |folder| folder.display().to_string()),
            adapter: self.session.device().name,
            epochs: progress.epoch,
            steps: progress.step,
            seconds: progress.seconds,
            steps_per_second: progress.step as f64 / progress.seconds,
            train_loss: progress.last.map_or(f64::NAN, |r| r.train_loss),
            best_epoch: best.map_or(0, |r| r.epoch),
            test_loss: best.map_or(f64::NAN, |r| r.test_loss),
            test_recon: best.map_or(f64::NAN, |r| r.test_recon),
            test_kl: best.map_or(f64::NAN, |r| r.test_kl),
            last_test_loss: progress.last.map_or(f64::NAN, |r| r.test_loss),
        }
    }

    /// Runs steps up to one, fewer where `stop` is set or the deadline passes.
    fn steps(
        &mut self,
        end: u64,
        deadline: Option<Instant>,
        store: &mut dyn Store,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<(), TrainError> {
        let total = self.schedule.total();
        let mut next = self.progress.step;
        let mut in_flight = 0;
        let mut since = Instant::now();
        let goes_on = || !stop.load(Ordering::Relaxed) && deadline.is_none_or(|deadline| Instant::now() < deadline);
        loop {
            while in_flight < SUBMITS_IN_FLIGHT && next < end && goes_on() {
                let most = self.feed.most_steps().min(self.steps_per_submit);
                let count = (end - next).min(most as u64);
                let of_step = |step| (self.schedule.bucket(step), self.schedule.train(step));
                let steps: Vec<(usize, StepScalars)> = (next..next + count).map(of_step).collect();
                let scalars = self.feed.stage(&steps, &mut *self.session)?;
                let plan = |bucket: usize| self.vae.plans.of_bucket(bucket);
                let steps = steps.iter().zip(scalars);
                let steps: Vec<Step> =
                    steps.map(|((bucket, _), scalars)| Step { plan: plan(*bucket), scalars }).collect();
                self.session.submit(&steps)?;
                next += count;
                in_flight += 1;
            }
            if in_flight == 0 {
                return Ok(());
            }
            let reports = self.session.collect()?.unwrap_or_default();
            in_flight -= 1;
            let elapsed = since.elapsed();
            since = Instant::now();
            self.progress.seconds += elapsed.as_secs_f64();
            self.progress.epoch_seconds += elapsed.as_secs_f64();
            self.speed.add(reports.len(), elapsed);
            let mut progress = Mean::default();
            for row in reports.rows() {
                let step = self.progress.step;
                let capacity = self.config.model.capacity.map(|_| self.schedule.capacity(step));
                let metrics = &StepMetrics::of(row, self.vae.metrics, self.schedule.beta(step), capacity);
                if ![metrics.loss, metrics.grad_norm].into_iter().all(|value| is_finite(value as f32)) {
                    let loss = metrics.loss;
                    return Err(TrainError::Diverged { step: self.progress.step + 1, loss, tensor: None });
                }
                self.progress.step += 1;
                self.has_stepped = true;
                let done = self.progress.step;
                self.progress.of_epoch.add(metrics, 1.0);
                progress.add(metrics, 1.0);
                self.progress.since_report.add(metrics, 1.0);
                if done.is_multiple_of(LOG_EVERY) {
                    let report = self.report(done, self.progress.since_report.get());
                    store.record(&MetricsLine::Step(report))?;
                    watch(Event::Step(report))?;
                    self.progress.since_report = Mean::default();
                }
            }
            watch(Event::Progress {
                report: self.report(self.progress.step, progress.get()),
                total,
                steps_per_second: self.speed.steps_per_second(),
            })?;
            self.steps_per_submit = next_steps_per_submit(self.steps_per_submit, reports.len(), elapsed);
        }
    }

    fn report(&self, done: u64, m: StepMetrics) -> StepReport {
        StepReport {
            step: done,
            epoch: self.schedule.epochs_at(done),
            loss: m.loss,
            recon: m.recon,
            kl: m.kl,
            grad_norm: self.config.train.clip.map(|_| m.grad_norm),
            lr: self.schedule.lr(done - 1),
            beta: self.schedule.beta(done - 1),
        }
    }

    /// The weights as they are now.
    pub fn weights(&mut self) -> Result<Vec<f32>, GpuError> {
        self.session.read(self.vae.weights)
    }
}
