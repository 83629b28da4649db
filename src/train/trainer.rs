//! The loop: submit K steps while the last K run, watch the metrics, evaluate each epoch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::advice::advice;
use super::event::{EpochReport, Event, MetricsLine, Rollback, StepReport, Summary};
use super::saving::{Saved, Saving};
use super::state::{Mean, Progress, State};
use super::weights::{initial_weights, is_finite};
use super::{RunFolder, StepSchedule, TrainError};
use crate::config::Config;
use crate::data::{Dataset, Shape, Split};
use crate::executor::{Device, Executor};
use crate::gpu::GpuError;
use crate::kernels::batch::{half_bits, row_of};
use crate::model::{Plan, Vae};
use crate::plan::{Dtype, STEPS_PER_SUBMIT, SUBMITS_IN_FLIGHT, StepMetrics, StepScalars, TensorId};

/// Steps between the lines of `metrics.jsonl`.
const LOG_EVERY: u64 = 50;
/// Target duration of a submit: long enough to hide the host's work (a submit costs about 100 us regardless of size),
/// short enough for Ctrl-C and the progress bar to react at once and to stay far from drivers' watchdog limits.
pub const SUBMIT_TIME: Duration = Duration::from_millis(100);

/// How often training may diverge and go back to a checkpoint.
const ROLLBACKS: u32 = 3;

/// Called with a run's events; an error ends the run.
pub type Watch<'a> = dyn FnMut(Event<'_>) -> Result<(), TrainError> + 'a;

/// A model, its data and the executor that holds both.
pub struct Trainer {
    config: Config,
    shape: Shape,
    schedule: StepSchedule,
    vae: Vae,
    executor: Executor,
    device: Device,
    steps_per_submit: usize,
    /// Streams the training rows, if the device holds only those of the next steps.
    streamed: Option<Streamed>,
    /// The test rows, if the device holds only some of them.
    test: Option<Split>,
    progress: Progress,
    /// The best state, where it is not in a checkpoint yet.
    best: Option<State>,
}

/// Streams training rows to the device: a ring of two halves, one for each submit in flight.
struct Streamed {
    rows: Split,
    /// Steps whose rows fit in one half.
    steps: usize,
    /// The free half.
    half: usize,
}

impl Trainer {
    /// Writes the data and the initial weights to the device. Rows that do not fit in the plans' tensors stay on the
    /// host and are streamed.
    pub fn new(
        config: &Config,
        data: Dataset,
        vae: Vae,
        mut executor: Executor,
        device: Device,
    ) -> Result<Self, TrainError> {
        let width = data.shape.len();
        let schedule = StepSchedule::new(config, data.train.rows, data.test.rows);
        let held = |tensor: TensorId| vae.program.tensors.get(tensor).shape[0];
        let (ring, held_test) = (held(vae.train_data), held(vae.test_data));
        let streamed = if ring == data.train.rows {
            executor.write_words(vae.train_data, &data.train.words(width))?;
            None
        } else {
            let steps = ring / SUBMITS_IN_FLIGHT / config.train.batch;
            Some(Streamed { rows: data.train, steps, half: 0 })
        };
        let test = if held_test == data.test.rows {
            executor.write_words(vae.test_data, &data.test.words(width))?;
            None
        } else {
            Some(data.test)
        };
        let weights = initial_weights(&vae.program.params, config.train.seed);
        executor.write(vae.weights, &weights)?;
        executor.write(vae.clip, &[1.0])?;
        Ok(Self {
            schedule,
            config: config.clone(),
            shape: data.shape,
            vae,
            executor,
            device,
            steps_per_submit: 1,
            streamed,
            test,
            progress: Progress::default(),
            best: None,
        })
    }

    /// The executor.
    pub fn executor(&mut self) -> &mut Executor {
        &mut self.executor
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
        let weights = self.executor.read(self.vae.weights)?;
        let moments = self.vae.moments.iter().map(|id| self.executor.read(*id)).collect::<Result<_, _>>()?;
        Ok(State { progress: self.progress, weights, moments })
    }

    /// Goes on from a state.
    pub fn restore(&mut self, state: &State) -> Result<(), GpuError> {
        self.executor.write(self.vae.weights, &state.weights)?;
        for (id, moment) in self.vae.moments.iter().zip(&state.moments) {
            self.executor.write(*id, moment)?;
        }
        self.progress = state.progress;
        self.schedule.set_lr_factor(state.progress.lr_factor);
        self.best = None;
        // A partial last epoch is a whole one, where the run is longer now.
        if self.schedule.epoch_end(self.progress.epoch as u64).min(self.schedule.total()) > self.progress.step {
            self.progress.epoch -= 1;
        }
        Ok(())
    }

    /// Whether there is nothing left to train.
    fn is_finished(&self) -> bool {
        let epoch = self.progress.epoch;
        let waited = self.progress.best.map_or(0, |best| epoch.saturating_sub(best.epoch));
        epoch >= self.schedule.epochs() || self.config.train.patience.is_some_and(|patience| waited >= patience)
    }

    /// Trains to the end, or until `stop` is set. Every event goes to `watch`; measurements, checkpoints and the model go
    /// to `folder`.
    pub fn train(
        &mut self,
        folder: &mut RunFolder,
        saving: &Saving,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Summary, TrainError> {
        self.train_on(folder, saving, stop, watch).map_err(|error| match error {
            TrainError::Device(error) => TrainError::Stopped { error, folder: folder.path().to_path_buf() },
            error => error,
        })
    }

    fn train_on(
        &mut self,
        folder: &mut RunFolder,
        saving: &Saving,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Summary, TrainError> {
        let total = self.schedule.total();
        let mut saved = Saved::now(&self.progress);
        while !self.is_finished() {
            let end = self.schedule.epoch_end(self.progress.epoch as u64 + 1).min(total);
            let due = saving.every.steps_due(&saved).unwrap_or(end).min(end);
            let deadline = saving.every.time_due(&saved);
            match self.steps(due, deadline, folder, stop, watch) {
                Err(TrainError::Diverged { step, loss, .. }) => {
                    self.roll_back(folder, saving, step, loss, watch)?;
                    saved = Saved::now(&self.progress);
                    continue;
                }
                outcome => outcome?,
            }
            if stop.load(Ordering::Relaxed) {
                return Err(self.interrupted(folder, saving));
            }
            let mut is_best = false;
            let ended = self.progress.step == end;
            if ended {
                let Some(test) = self.evaluate(stop)? else { return Err(self.interrupted(folder, saving)) };
                if !test.loss.is_finite() {
                    self.roll_back(folder, saving, end, test.loss, watch)?;
                    saved = Saved::now(&self.progress);
                    continue;
                }
                is_best = self.end_epoch(&test);
                if let Some(report) = self.progress.last {
                    folder.record(&MetricsLine::Epoch(report))?;
                }
            }
            let finished = self.is_finished();
            let is_due = saving.every.is_due(&self.progress, &saved) || finished;
            if is_best || is_due {
                let state = self.state()?;
                if let Some((tensor, value)) = state.not_finite(&self.vae.program.params) {
                    let error =
                        TrainError::Diverged { step: state.progress.step, loss: value.into(), tensor: Some(tensor) };
                    self.roll_back_or(folder, saving, error, watch)?;
                    saved = Saved::now(&self.progress);
                    continue;
                }
                if is_best {
                    self.best = Some(state.clone());
                }
                if is_due {
                    self.checkpoint(folder, saving, &state)?;
                    saved = Saved::now(&self.progress);
                }
            }
            if ended && let Some(report) = self.progress.last {
                watch(Event::Epoch(Epoch { report, trainer: self }))?;
            }
        }
        for advice in advice(&self.config, &self.progress) {
            watch(Event::Warning(&advice))?;
        }
        let summary = self.summary(folder);
        folder.record(&MetricsLine::Done(summary.clone()))?;
        watch(Event::Done(&summary))?;
        Ok(summary)
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
        let is_best = progress.best.is_none_or(|best| report.test_loss < best.test_loss);
        if is_best {
            progress.best = Some(report);
        }
        is_best
    }

    fn checkpoint(&mut self, folder: &mut RunFolder, saving: &Saving, state: &State) -> Result<(), TrainError> {
        let best = self.best.take();
        self.save(folder, saving, state, best.as_ref())
    }

    /// Writes a checkpoint of a state, and the best state if it is not in one yet.
    pub fn save(
        &self,
        folder: &mut RunFolder,
        saving: &Saving,
        state: &State,
        best: Option<&State>,
    ) -> Result<(), TrainError> {
        folder.checkpoint(&saving.origin, &self.vae.program.params, state, best, saving.keep)
    }

    /// The error of a run that was stopped. Its state goes into a checkpoint, unless it is not finite: then the last one is
    /// what there is to go on from.
    fn interrupted(&mut self, folder: &mut RunFolder, saving: &Saving) -> TrainError {
        let path = folder.path().to_path_buf();
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

    fn roll_back(
        &mut self,
        folder: &mut RunFolder,
        saving: &Saving,
        step: u64,
        loss: f64,
        watch: &mut Watch<'_>,
    ) -> Result<(), TrainError> {
        self.roll_back_or(folder, saving, TrainError::Diverged { step, loss, tensor: None }, watch)
    }

    /// After a divergence, goes back to the newest good checkpoint, or to the start, with half the learning rate; the third
    /// time has been the last.
    fn roll_back_or(
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
        let best = self.best.take().filter(|best| best.progress.step <= state.progress.step);
        state.progress.rollbacks = rollbacks;
        state.progress.lr_factor = lr_factor;
        self.restore(&state)?;
        self.best = best;
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
        let weights = initial_weights(&self.vae.program.params, self.config.train.seed);
        let moments = vec![vec![0.0; weights.len()]; self.vae.moments.len()];
        State { progress: Progress::default(), weights, moments }
    }

    fn summary(&self, folder: &RunFolder) -> Summary {
        let progress = &self.progress;
        let best = progress.best;
        Summary {
            run: folder.path().display().to_string(),
            adapter: self.device.name.clone(),
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
        folder: &mut RunFolder,
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
                let most = self.streamed.as_ref().map_or(usize::MAX, |s| s.steps).min(self.steps_per_submit);
                let count = (end - next).min(most as u64);
                let scalars = self.send(next..next + count)?;
                self.executor.submit(Plan::Train.into(), &scalars)?;
                next += count;
                in_flight += 1;
            }
            if in_flight == 0 {
                return Ok(());
            }
            let reports = self.executor.collect()?.unwrap_or_default();
            in_flight -= 1;
            let elapsed = since.elapsed();
            since = Instant::now();
            self.progress.seconds += elapsed.as_secs_f64();
            self.progress.epoch_seconds += elapsed.as_secs_f64();
            let mut progress = Mean::default();
            for metrics in &reports {
                if ![metrics.loss, metrics.grad_norm].into_iter().all(|value| is_finite(value as f32)) {
                    let loss = metrics.loss;
                    return Err(TrainError::Diverged { step: self.progress.step + 1, loss, tensor: None });
                }
                self.progress.step += 1;
                let done = self.progress.step;
                self.progress.of_epoch.add(metrics, 1.0);
                progress.add(metrics, 1.0);
                self.progress.since_report.add(metrics, 1.0);
                if done.is_multiple_of(LOG_EVERY) {
                    let report = self.report(done, self.progress.since_report.get());
                    folder.record(&MetricsLine::Step(report))?;
                    watch(Event::Step(report))?;
                    self.progress.since_report = Mean::default();
                }
            }
            watch(Event::Progress {
                report: self.report(self.progress.step, progress.get()),
                total,
                steps_per_second: reports.len() as f64 / elapsed.as_secs_f64(),
            })?;
            self.adapt(reports.len(), elapsed);
        }
    }

    /// The scalars of the next steps; if rows are streamed, first writes those of the steps to the device.
    fn send(&mut self, steps: std::ops::Range<u64>) -> Result<Vec<StepScalars>, GpuError> {
        let mut scalars: Vec<StepScalars> = steps.map(|step| self.schedule.train(step)).collect();
        let Some(streamed) = &mut self.streamed else { return Ok(scalars) };
        let batch = self.config.train.batch;
        let count = streamed.rows.rows;
        let half_bits = half_bits(count);
        let rows = scalars.iter().flat_map(|step| (0..batch).map(move |r| row_of(r, count, half_bits, step)));
        let words = streamed.rows.words_of(rows, self.shape.len());
        let ring = self.executor.program().tensors.get(self.vae.train_data);
        let (buffer, first) = (ring.buffer, streamed.half * streamed.steps * batch);
        let offset = ring.offset + first * ring.shape[1];
        self.executor.write_at(buffer, offset, &words)?;
        for (i, step) in scalars.iter_mut().enumerate() {
            *step = StepScalars { shuffle: 0, offset: (first + i * batch) as u32, ..*step };
        }
        streamed.half = (streamed.half + 1) % SUBMITS_IN_FLIGHT;
        Ok(scalars)
    }

    /// Makes the device hold test rows from `first` on; returns how many it holds.
    fn hold(&mut self, first: usize) -> Result<usize, GpuError> {
        let held = self.executor.program().tensors.get(self.vae.test_data).shape[0];
        if let Some(test) = &self.test {
            let words = test.words_of(first..(first + held).min(test.rows), self.shape.len());
            self.executor.write_words(self.vae.test_data, &words)?;
        }
        Ok(held)
    }

    /// Chooses how many steps go into a submit: towards [`SUBMIT_TIME`], at most doubling.
    fn adapt(&mut self, steps: usize, elapsed: Duration) {
        let wanted = steps as f64 * SUBMIT_TIME.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        let most = (2 * self.steps_per_submit).min(STEPS_PER_SUBMIT);
        self.steps_per_submit = (wanted.round() as usize).clamp(1, most);
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

    /// Means over the test split: one draw of the latent a row, and the configured beta. None if `stop` is set meanwhile.
    pub fn evaluate(&mut self, stop: &AtomicBool) -> Result<Option<StepMetrics>, GpuError> {
        let mut mean = Mean::default();
        let mut batches: Vec<_> = (0..self.schedule.evaluation_batches()).map(|b| self.schedule.evaluate(b)).collect();
        let mut first = 0;
        while first < self.schedule.evaluation_rows() {
            let held = self.hold(first)?;
            let rest = batches.split_off(held.div_ceil(self.config.train.batch).min(batches.len()));
            for step in &mut batches {
                step.offset -= first as u32;
            }
            // An evaluation step is about a third of a training step.
            for chunk in batches.chunks((3 * self.steps_per_submit).min(STEPS_PER_SUBMIT)) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                self.executor.submit(Plan::Evaluate.into(), chunk)?;
                let reports = self.executor.collect()?.unwrap_or_default();
                for (metrics, step) in reports.iter().zip(chunk) {
                    mean.add(metrics, f64::from(step.rows));
                }
            }
            batches = rest;
            first += held;
        }
        Ok(Some(mean.get()))
    }

    /// The weights as they are now.
    pub fn weights(&mut self) -> Result<Vec<f32>, GpuError> {
        self.executor.read(self.vae.weights)
    }

    /// The first rows of the batch that was gathered last.
    fn batch(&mut self, rows: usize) -> Result<Vec<f32>, GpuError> {
        let width = self.shape.len();
        let tensors = &self.executor.program().tensors;
        if tensors.dtype(self.vae.x) == Dtype::F32 {
            return Ok(self.executor.read(self.vae.x)?[..rows * width].to_vec());
        }
        let x = tensors.get(self.vae.x);
        let (buffer, offset, words) = (x.buffer, x.offset, x.shape[1]);
        let words = self.executor.read_at(buffer, offset, rows * words)?.into_iter();
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let rows = bytes.chunks(width.next_multiple_of(4)).flat_map(|row| &row[..width]);
        Ok(rows.map(|byte| f32::from(*byte) / 255.0).collect())
    }

    /// The output `(rows, D)` of a plan for its first rows. `batch_done` is called after each batch with the number
    /// of its valid rows.
    fn shown(
        &mut self,
        plan: Plan,
        rows: usize,
        mut batch_done: impl FnMut(&mut Self, usize) -> Result<(), GpuError>,
    ) -> Result<Vec<f32>, GpuError> {
        let width = self.shape.len();
        let mut mean = Vec::new();
        let mut batch = 0;
        let mut held = 0..0;
        while mean.len() < rows * width {
            let step = match plan {
                Plan::Sample => self.schedule.sample(batch),
                _ => {
                    let step = self.schedule.evaluate(batch);
                    let first = step.offset as usize;
                    if !held.contains(&first) {
                        held = first..first + self.hold(first)?;
                    }
                    StepScalars { offset: (first - held.start) as u32, ..step }
                }
            };
            self.executor.dispatch(plan.into(), &step)?;
            let kept = step.rows as usize;
            batch_done(self, kept)?;
            mean.extend(&self.executor.read(self.vae.mean)?[..kept * width]);
            batch += 1;
        }
        mean.truncate(rows * width);
        Ok(mean)
    }
}

/// A finished epoch: its figures, and the model after it.
pub struct Epoch<'a> {
    /// Its figures.
    pub report: EpochReport,
    trainer: &'a mut Trainer,
}

impl Epoch<'_> {
    /// What one example is.
    pub fn shape(&self) -> Shape {
        self.trainer.shape
    }

    /// Rows of the test split.
    pub fn test_rows(&self) -> usize {
        self.trainer.schedule.evaluation_rows()
    }

    /// The first test rows as the model receives them, and their reconstructions without noise: `(rows, D)` each.
    pub fn reconstruct(&mut self, rows: usize) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
        let rows = rows.min(self.test_rows());
        let mut x = Vec::new();
        let mean = self.trainer.shown(Plan::Reconstruct, rows, |trainer, kept| {
            x.extend(trainer.batch(kept)?);
            Ok(())
        })?;
        x.truncate(mean.len());
        Ok((x, mean))
    }

    /// `rows` decoded draws from the prior: `(rows, D)`. An autoencoder has no prior.
    pub fn sample(&mut self, rows: usize) -> Result<Option<Vec<f32>>, TrainError> {
        if self.trainer.vae.program.plan("sample").is_none() {
            return Ok(None);
        }
        Ok(Some(self.trainer.shown(Plan::Sample, rows, |_, _| Ok(()))?))
    }
}
