//! The loop: submit K steps while the last K run, watch the metrics, evaluate each epoch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::event::{EpochReport, Event, MetricsLine, StepReport, Summary};
use super::{RunFolder, StepSchedule, TrainError, checkpoint};
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
    /// Means since the last line of `metrics.jsonl`, which may span epochs.
    window: Mean,
}

/// Streams training rows to the device: a ring of two halves, one for each submit in flight.
struct Streamed {
    rows: Split,
    /// Steps whose rows fit in one half.
    steps: usize,
    /// The free half.
    half: usize,
}

/// Running means of steps.
#[derive(Default, Clone, Copy)]
struct Mean {
    sum: StepMetrics,
    weight: f64,
}

impl Mean {
    fn add(&mut self, m: &StepMetrics, weight: f64) {
        self.sum.loss += m.loss * weight;
        self.sum.recon += m.recon * weight;
        self.sum.kl += m.kl * weight;
        self.sum.grad_norm += m.grad_norm * weight;
        self.weight += weight;
    }

    fn get(&self) -> StepMetrics {
        StepMetrics {
            loss: self.sum.loss / self.weight,
            recon: self.sum.recon / self.weight,
            kl: self.sum.kl / self.weight,
            grad_norm: self.sum.grad_norm / self.weight,
        }
    }
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
        let weights = checkpoint::initial_weights(&vae.program.params, config.train.seed);
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
            window: Mean::default(),
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

    /// Trains to the end, or until `stop` is set. Every event goes to `watch`; measurements and the model go to
    /// `folder`.
    pub fn train(
        &mut self,
        folder: &mut RunFolder,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Summary, TrainError> {
        let total = self.schedule.total();
        let mut training = Duration::ZERO;
        let mut step = 0;
        let mut epoch = 0;
        let mut last = None;
        while step < total {
            let end = self.schedule.epoch_end(epoch as u64 + 1).min(total);
            let started = Instant::now();
            let mean = self.steps(step..end, folder, stop, watch)?;
            let elapsed = started.elapsed();
            training += elapsed;
            if stop.load(Ordering::Relaxed) {
                let step = step + mean.weight as u64;
                self.save(folder)?;
                return Err(TrainError::Interrupted { step, folder: folder.path().to_path_buf() });
            }
            let test = self.evaluate()?;
            if !test.loss.is_finite() {
                // Checked before saving, so that a diverged model does not replace that of the previous epoch.
                return Err(TrainError::Diverged { step: end, loss: test.loss });
            }
            epoch += 1;
            let report = EpochReport {
                epoch,
                step: end,
                train_loss: mean.get().loss,
                test_loss: test.loss,
                test_recon: test.recon,
                test_kl: test.kl,
                seconds: training.as_secs_f64(),
                steps_per_second: (end - step) as f64 / elapsed.as_secs_f64(),
            };
            step = end;
            folder.record(&MetricsLine::Epoch(report))?;
            self.save(folder)?;
            watch(Event::Epoch(Epoch { report, trainer: self }))?;
            last = Some(report);
        }
        let seconds = training.as_secs_f64();
        let summary = Summary {
            run: folder.path().display().to_string(),
            adapter: self.device.name.clone(),
            epochs: epoch,
            steps: total,
            seconds,
            steps_per_second: total as f64 / seconds,
            train_loss: last.map_or(f64::NAN, |r| r.train_loss),
            test_loss: last.map_or(f64::NAN, |r| r.test_loss),
            test_recon: last.map_or(f64::NAN, |r| r.test_recon),
            test_kl: last.map_or(f64::NAN, |r| r.test_kl),
        };
        folder.record(&MetricsLine::Done(summary.clone()))?;
        watch(Event::Done(&summary))?;
        Ok(summary)
    }

    /// Runs a range of steps, or fewer if `stop` is set, and returns their mean.
    fn steps(
        &mut self,
        range: std::ops::Range<u64>,
        folder: &mut RunFolder,
        stop: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Mean, TrainError> {
        let total = self.schedule.total();
        let mut whole = Mean::default();
        let (mut next, mut done) = (range.start, range.start);
        let mut in_flight = 0;
        let mut since = Instant::now();
        loop {
            while in_flight < SUBMITS_IN_FLIGHT && next < range.end && !stop.load(Ordering::Relaxed) {
                let most = self.streamed.as_ref().map_or(usize::MAX, |s| s.steps).min(self.steps_per_submit);
                let count = (range.end - next).min(most as u64);
                let scalars = self.send(next..next + count)?;
                self.executor.submit(Plan::Train.into(), &scalars)?;
                next += count;
                in_flight += 1;
            }
            if in_flight == 0 {
                return Ok(whole);
            }
            let reports = self.executor.collect()?.unwrap_or_default();
            in_flight -= 1;
            let elapsed = since.elapsed();
            since = Instant::now();
            let mut progress = Mean::default();
            for metrics in &reports {
                done += 1;
                if !metrics.loss.is_finite() {
                    return Err(TrainError::Diverged { step: done, loss: metrics.loss });
                }
                whole.add(metrics, 1.0);
                progress.add(metrics, 1.0);
                self.window.add(metrics, 1.0);
                if done.is_multiple_of(LOG_EVERY) {
                    let report = self.report(done, self.window.get());
                    folder.record(&MetricsLine::Step(report))?;
                    watch(Event::Step(report))?;
                    self.window = Mean::default();
                }
            }
            watch(Event::Progress {
                report: self.report(done, progress.get()),
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

    /// Means over the test split, with one latent draw per row and the configured beta.
    pub fn evaluate(&mut self) -> Result<StepMetrics, GpuError> {
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
                self.executor.submit(Plan::Evaluate.into(), chunk)?;
                let reports = self.executor.collect()?.unwrap_or_default();
                for (metrics, step) in reports.iter().zip(chunk) {
                    mean.add(metrics, f64::from(step.rows));
                }
            }
            batches = rest;
            first += held;
        }
        Ok(mean.get())
    }

    /// The weights as they are now.
    pub fn weights(&mut self) -> Result<Vec<f32>, GpuError> {
        self.executor.read(self.vae.weights)
    }

    fn save(&mut self, folder: &RunFolder) -> Result<(), TrainError> {
        let weights = self.weights()?;
        let path = folder.file("model.safetensors");
        checkpoint::save(&path, &self.vae.program.params, &weights)
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
