//! The scalars of each step: a pure function of the configuration and the step's number.

use wgvae_engine::kernels::batch::{half_bits, permute};
use wgvae_engine::kernels::rng::{Stream, key};
use wgvae_engine::plan::{StepScalars, corrections};

use crate::config::{BetaSchedule, Config, Schedule};
use crate::model::{Bucket, Objective, step};
use crate::train::state::{Fork, Progress};

/// Computes the scalars of any step of a run: its learning rate, KL weight, random keys and position in the data.
#[derive(Debug, Clone)]
pub struct StepSchedule {
    config: Config,
    rows: u64,
    test_rows: u64,
    lr_factor: f64,
    fork: Fork,
    /// Rows up to the end of each bucket; none where steps take rows of all lengths.
    ends: Vec<u64>,
}

/// The rows of a step: those of a bucket behind the batches that steps before it took.
struct Place {
    bucket: usize,
    /// Rows of the bucket.
    rows: u64,
    /// Rows that were taken before.
    taken: u64,
}

impl StepSchedule {
    /// The schedule for splits of `train_rows` and `test_rows` rows.
    pub fn new(config: &Config, train_rows: usize, test_rows: usize) -> Self {
        Self {
            config: config.clone(),
            rows: train_rows as u64,
            test_rows: test_rows as u64,
            lr_factor: 1.0,
            fork: Fork::default(),
            ends: Vec::new(),
        }
    }

    /// The schedule of steps that take rows of one bucket each.
    pub fn in_buckets(mut self, buckets: &[Bucket]) -> Self {
        self.ends = buckets.iter().map(|bucket| bucket.rows.end as u64).collect();
        self
    }

    /// The schedule of a run that goes on from here: epochs are counted from its fork.
    pub fn of(mut self, progress: &Progress) -> Self {
        (self.fork, self.lr_factor) = (progress.fork, progress.lr_factor);
        self
    }

    /// Rows that were taken before a step, since the run was forked; of a step before that, none.
    fn rows_before(&self, step: u64) -> u64 {
        step.saturating_sub(self.fork.step) * self.batch()
    }

    fn batch(&self) -> u64 {
        self.config.train.batch as u64
    }

    /// Steps of the whole run.
    pub fn total(&self) -> u64 {
        let by_epochs = self.epoch_end(self.config.train.epochs as u64);
        self.config.train.steps.unwrap_or(by_epochs)
    }

    /// Epochs of the whole run, counting a partial last one.
    pub fn epochs(&self) -> usize {
        match self.config.train.steps {
            // A fork that is to end before it begins.
            Some(steps) if steps <= self.fork.step && self.fork.step > 0 => self.fork.epoch,
            Some(steps) => self.epoch_of(steps.saturating_sub(1)) as usize + 1,
            None => self.config.train.epochs,
        }
    }

    /// The epoch, counted from 0, in which a step starts.
    fn epoch_of(&self, step: u64) -> u64 {
        self.fork.epoch as u64 + self.rows_before(step) / self.rows
    }

    /// Steps until `epochs` epochs are done. A batch may cross the end of an epoch, so that every row is used exactly
    /// once per epoch; such a step belongs to the first of the two epochs.
    pub fn epoch_end(&self, epochs: u64) -> u64 {
        let since = epochs.saturating_sub(self.fork.epoch as u64);
        self.fork.step + (since * self.rows).div_ceil(self.batch())
    }

    /// The step at which the epoch that a run is in ends, or the run with it.
    pub fn next_end(&self, progress: &Progress) -> u64 {
        self.epoch_end(progress.epoch as u64 + 1).min(self.total())
    }

    /// Whole epochs that a run has done: its last one was cut short by its last step, and is none where the run is longer now.
    pub fn whole_epochs(&self, progress: &Progress) -> usize {
        let is_cut = self.epoch_end(progress.epoch as u64).min(self.total()) > progress.step;
        progress.epoch.saturating_sub(is_cut.into())
    }

    /// Whether a run has done all of its epochs.
    pub fn is_done(&self, progress: &Progress) -> bool {
        progress.epoch >= self.epochs()
    }

    /// Epochs done after `steps` steps.
    pub fn epochs_at(&self, steps: u64) -> f64 {
        self.fork.epoch as f64 + self.rows_before(steps) as f64 / self.rows as f64
    }

    /// The learning rate of a step, counted from 0.
    pub fn lr(&self, step: u64) -> f64 {
        self.lr_factor * self.scheduled_lr(step)
    }

    fn scheduled_lr(&self, step: u64) -> f64 {
        let t = &self.config.train;
        if step < t.warmup_steps {
            return t.lr * (step + 1) as f64 / t.warmup_steps as f64;
        }
        let done = (step - t.warmup_steps) as f64;
        let span = self.total().saturating_sub(t.warmup_steps).max(1) as f64;
        match t.schedule {
            Schedule::Constant => t.lr,
            Schedule::Cosine => {
                let turn = std::f64::consts::PI * (done / span).min(1.0);
                t.lr * 0.5 * (1.0 + turn.cos())
            }
            Schedule::Step => {
                let every = t.lr_step_epochs.unwrap_or(1) as f64;
                t.lr * t.lr_gamma.powi((self.epoch_of(step) as f64 / every).floor() as i32)
            }
        }
    }

    /// The KL weight (beta) of a step, counted from 0.
    pub fn beta(&self, step: u64) -> f64 {
        let m = &self.config.model;
        if m.objective == Objective::Ae {
            return 0.0;
        }
        let risen = |by: f64| if by > 0.0 { (self.epochs_at(step) / by).min(1.0) } else { 1.0 };
        let share = match m.beta_schedule {
            BetaSchedule::Linear => risen(m.beta_warmup_epochs),
            BetaSchedule::Sigmoid => {
                // The curve rises from 0 to 1, mostly around the middle.
                let sigmoid = |t: f64| 1.0 / (1.0 + (-12.0 * (t - 0.5)).exp());
                let (low, high) = (sigmoid(0.0), sigmoid(1.0));
                (sigmoid(risen(m.beta_warmup_epochs)) - low) / (high - low)
            }
            BetaSchedule::Cyclical => {
                let place = step as f64 / self.total().max(1) as f64 * f64::from(m.beta_cycles);
                (2.0 * place.fract()).min(1.0)
            }
        };
        f64::from(m.beta) * share
    }

    /// Returns the capacity of a step, counted from 0; it is 0 where the KL is not held at one.
    pub fn capacity(&self, step: u64) -> f64 {
        let m = &self.config.model;
        let risen = if m.capacity_epochs > 0.0 { (self.epochs_at(step) / m.capacity_epochs).min(1.0) } else { 1.0 };
        f64::from(m.capacity.unwrap_or(0.0)) * risen
    }

    /// Whether beta and the capacity have risen to what they end at in the last step of an epoch, counted from 1. Before that,
    /// test losses, which have them as they are at the end, say little of how training goes.
    pub fn has_risen(&self, epoch: u64) -> bool {
        let last = self.epoch_end(epoch).min(self.total()).saturating_sub(1);
        let m = &self.config.model;
        let beta = if m.objective == Objective::Ae { 0.0 } else { f64::from(m.beta) };
        self.beta(last) >= beta && self.capacity(last) >= f64::from(m.capacity.unwrap_or(0.0))
    }

    /// The bucket of a training step, counted from 0.
    pub fn bucket(&self, step: u64) -> usize {
        self.place(step).bucket
    }

    /// Where a step's rows are. Cycles of about an epoch have as many steps of each bucket as it has batches, in random order. So all
    /// buckets come to the ends of their epochs together, and every step can be known without those before it.
    fn place(&self, step: u64) -> Place {
        let steps = step.saturating_sub(self.fork.step);
        if self.ends.len() < 2 {
            return Place { bucket: 0, rows: self.rows, taken: steps * self.batch() };
        }
        let cycle_steps = (self.rows / self.batch()).max(1);
        let (cycle, number) = (steps / cycle_steps, steps % cycle_steps);
        let order = key(self.config.train.seed, Stream::Buckets, cycle);
        let count = cycle_steps as usize;
        let number = u64::from(permute(number as u32, count as u32, half_bits(count), order));
        // Steps of all buckets up to one, in so many cycles.
        let until = |end: u64, cycles: u64| {
            (u128::from(cycles) * u128::from(cycle_steps) * u128::from(end) / u128::from(self.rows)) as u64
        };
        let (mut start, mut first) = (0, 0);
        for (bucket, end) in self.ends.iter().copied().enumerate() {
            let last = until(end, cycle + 1) - until(end, cycle);
            if number < last {
                let before = until(end, cycle) - until(start, cycle);
                return Place { bucket, rows: end - start, taken: (before + number - first) * self.batch() };
            }
            (start, first) = (end, last);
        }
        unreachable!("the last bucket ends with the rows, and so with the cycle")
    }

    /// The scalars of a training step, counted from 0.
    pub fn train(&self, step: u64) -> StepScalars {
        let t = &self.config.train;
        let Place { rows, taken, .. } = self.place(step);
        let epoch = self.fork.epoch as u64 + taken / rows;
        let [first, second] = step::CORRECTIONS;
        let [correction1, correction2] = corrections([t.beta1, t.beta2], step + 1);
        let scalars = StepScalars {
            noise_key: key(t.seed, Stream::Noise, step),
            binarise_key: key(t.seed, Stream::Binarise, step),
            shuffle_key: key(t.seed, Stream::Shuffle, epoch),
            next_shuffle_key: key(t.seed, Stream::Shuffle, epoch + 1),
            shuffle: 1,
            offset: (taken % rows) as u32,
            rows: t.batch as u32,
            ..StepScalars::default()
        };
        scalars
            .with(step::RATE, self.lr(step) as f32)
            .with(first, correction1)
            .with(second, correction2)
            .with(step::BETA, self.beta(step) as f32)
            .with(step::CAPACITY, self.capacity(step) as f32)
    }

    /// Rows of the test split.
    pub fn evaluation_rows(&self) -> usize {
        self.test_rows as usize
    }

    /// Batches of an evaluation.
    pub fn evaluation_batches(&self) -> u64 {
        self.test_rows.div_ceil(self.batch())
    }

    /// The scalars of a batch of the test split, whose rows are taken in order; the last batch may be partial. Draws do
    /// not depend on the training step and beta is the final one, so that evaluations within a run are comparable.
    pub fn evaluate(&self, batch: u64) -> StepScalars {
        let seed = self.config.train.seed;
        let offset = batch * self.batch();
        let rows = self.batch().min(self.test_rows - offset);
        let m = &self.config.model;
        let scalars = StepScalars {
            noise_key: key(seed, Stream::EvaluationNoise, batch),
            binarise_key: key(seed, Stream::EvaluationBinarise, batch),
            offset: offset as u32,
            rows: rows as u32,
            ..StepScalars::default()
        };
        let beta = if m.objective == Objective::Ae { 0.0 } else { m.beta };
        scalars.with(step::BETA, beta).with(step::CAPACITY, m.capacity.unwrap_or(0.0))
    }

    /// The scalars of a batch of the test split's rows in random order, which is the same at each call.
    pub fn pictured(&self, batch: u64) -> StepScalars {
        let shuffle_key = key(self.config.train.seed, Stream::Shuffle, u64::MAX);
        StepScalars { shuffle: 1, shuffle_key, next_shuffle_key: shuffle_key, ..self.evaluate(batch) }
    }

    /// The scalars of a batch of draws from the prior: the same at each call, so that pictures are comparable.
    pub fn sample(&self, batch: u64) -> StepScalars {
        StepScalars {
            noise_key: key(self.config.train.seed, Stream::Prior, batch),
            rows: self.config.train.batch as u32,
            ..StepScalars::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Optimizer;

    fn schedule_with(change: impl FnOnce(&mut Config)) -> StepSchedule {
        let mut config = Config::default();
        config.train.epochs = 4;
        config.train.batch = 8;
        config.train.lr = 1.0;
        change(&mut config);
        StepSchedule::new(&config, 20, 13)
    }

    #[test]
    fn batches_run_on_over_the_end_of_an_epoch() {
        let t = schedule_with(|_| {});
        assert_eq!((1..=4).map(|e| t.epoch_end(e)).collect::<Vec<_>>(), [3, 5, 8, 10]);
        assert_eq!(t.total(), 10);
        let third = t.train(2);
        assert_eq!((third.offset, third.rows), (16, 8));
        assert_eq!(third.next_shuffle_key, t.train(3).shuffle_key);
        assert_ne!(third.shuffle_key, third.next_shuffle_key);
        assert_eq!(t.train(3).offset, 4);
    }

    /// At the end of a cycle, each text of a bucket was used once before another was used twice, and all buckets are as far.
    #[test]
    fn buckets_have_as_many_steps_as_batches() {
        let of = |rows: std::ops::Range<usize>| Bucket { tokens: rows.end, rows };
        for (rows, cuts, batch) in
            [(1000, vec![300, 450], 8), (130, vec![16, 33, 50], 8), (64, vec![20], 10), (977, vec![21], 7)]
        {
            let starts: Vec<usize> = [0].into_iter().chain(cuts.iter().copied()).chain([rows]).collect();
            let buckets: Vec<Bucket> = starts.windows(2).map(|ends| of(ends[0]..ends[1])).collect();
            let mut config = Config::default();
            config.train.batch = batch;
            let schedule = StepSchedule::new(&config, rows, 1).in_buckets(&buckets);
            let mut used = vec![0_u64; rows];
            let (mut changes, mut before) = (0, 0);
            for step in 0..3000_u64 {
                let (bucket, scalars) = (schedule.bucket(step), schedule.train(step));
                let range = buckets[bucket].rows.clone();
                for r in 0..batch {
                    let row = wgvae_engine::kernels::batch::row_of(r, range.len(), half_bits(range.len()), &scalars);
                    used[range.start + row] += 1;
                }
                changes += usize::from(bucket != before);
                before = bucket;
                for range in buckets.iter().map(|bucket| bucket.rows.clone()) {
                    let [least, most] = [used[range.clone()].iter().min(), used[range].iter().max()];
                    let is_end = (step + 1).is_multiple_of((rows / batch) as u64);
                    assert!(most.unwrap() - least.unwrap() <= if is_end { 1 } else { 3 }, "step {step}");
                }
            }
            let [least, most] = [used.iter().min().unwrap(), used.iter().max().unwrap()];
            assert!(most - least <= 3 && *least > 3000 * batch as u64 / rows as u64 - 3, "{least} to {most}");
            assert!(changes > 100, "the order is random: {changes} changes");
        }
    }

    #[test]
    fn the_last_evaluation_batch_is_partial() {
        let t = schedule_with(|_| {});
        assert_eq!(t.evaluation_batches(), 2);
        assert_eq!((t.evaluate(0).rows, t.evaluate(1).rows), (8, 5));
        assert_eq!(t.evaluate(1).offset, 8);
    }

    #[test]
    fn warm_up_and_schedules() {
        let t = schedule_with(|c| c.train.warmup_steps = 4);
        assert_eq!((t.lr(0), t.lr(1), t.lr(3), t.lr(9)), (0.25, 0.5, 1.0, 1.0));
        let t = schedule_with(|c| c.train.schedule = Schedule::Cosine);
        assert_eq!(t.lr(0), 1.0);
        assert!((t.lr(5) - 0.5).abs() < 1e-12 && t.lr(9) < 0.05);
        let t = schedule_with(|c| {
            c.train.schedule = Schedule::Step;
            c.train.lr_step_epochs = Some(2);
        });
        // Epochs end after steps 3, 5, 8 and 10.
        assert_eq!((t.lr(0), t.lr(4)), (1.0, 1.0));
        assert!((t.lr(5) - 0.1).abs() < 1e-12 && (t.lr(9) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn beta_rises_over_its_warm_up() {
        let t = schedule_with(|c| {
            c.model.beta = 4.0;
            c.model.beta_warmup_epochs = 2.0;
        });
        assert_eq!((t.beta(0), t.beta(9)), (0.0, 4.0));
        assert!((t.beta(1) - 4.0 * 0.2).abs() < 1e-12);
        assert_eq!(t.evaluate(0).value(step::BETA), 4.0);
    }

    #[test]
    fn beta_rises_along_a_sigmoid_or_in_cycles() {
        let t = schedule_with(|c| {
            c.model.beta = 4.0;
            c.model.beta_warmup_epochs = 4.0;
            c.model.beta_schedule = BetaSchedule::Sigmoid;
        });
        // Step 5 of 10 is half of the way, where the sigmoid is one half.
        assert_eq!((t.beta(0), t.beta(10)), (0.0, 4.0));
        assert!((t.beta(5) - 2.0).abs() < 1e-12);
        assert!(t.beta(2) < 0.2 && t.beta(8) > 3.8);
        let t = schedule_with(|c| {
            c.model.beta = 4.0;
            c.model.beta_schedule = BetaSchedule::Cyclical;
            c.model.beta_cycles = 2;
        });
        let betas: Vec<f64> = (0..10).map(|step| t.beta(step)).collect();
        let cycle = [0.0, 1.6, 3.2, 4.0, 4.0];
        assert!(betas.iter().zip(cycle.iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-12), "{betas:?}");
        assert_eq!(t.evaluate(0).value(step::BETA), 4.0);
    }

    #[test]
    fn epochs_are_known_in_which_beta_or_the_capacity_rises() {
        let risen = |t: StepSchedule| (1..=4).map(|epoch| t.has_risen(epoch)).collect::<Vec<_>>();
        assert_eq!(risen(schedule_with(|_| {})), [true; 4]);
        assert_eq!(risen(schedule_with(|c| c.model.beta_warmup_epochs = 2.0)), [false, false, true, true]);
        let held = |c: &mut Config| (c.model.capacity, c.model.capacity_epochs) = (Some(9.0), 3.0);
        assert_eq!(risen(schedule_with(held)), [false, false, false, true]);
        let cyclical = |c: &mut Config| {
            (c.model.beta_schedule, c.model.beta_cycles) = (BetaSchedule::Cyclical, 2);
        };
        assert_eq!(risen(schedule_with(cyclical)), [false, true, false, true]);
        assert_eq!(risen(schedule_with(|c| c.model.objective = Objective::Ae)), [true; 4]);
    }

    #[test]
    fn the_capacity_rises() {
        let t = schedule_with(|c| {
            c.model.capacity = Some(10.0);
            c.model.capacity_epochs = 2.0;
        });
        assert_eq!((t.capacity(0), t.capacity(9)), (0.0, 10.0));
        assert!((t.train(1).value(step::CAPACITY) - 2.0).abs() < 1e-6);
        assert_eq!(t.evaluate(0).value(step::CAPACITY), 10.0);
        assert_eq!(schedule_with(|_| {}).train(3).value(step::CAPACITY), 0.0);
    }

    /// Random runs are stopped, resumed and forked with other batches, rows and ends. Each epoch ends once and behind the one before
    /// it, takes every row once, and the run ends.
    #[test]
    fn forks_and_resumes_go_through_each_epoch_once() {
        let mut count = 0;
        let mut random = |end: u64| {
            count += 1;
            u64::from(wgvae_engine::kernels::rng::threefry2x32([4, 30], [count, 0])[0]) % end
        };
        for run in 0..1000 {
            let (mut config, mut rows, mut progress) = (Config::default(), 1 + random(40), Progress::default());
            let mut epochs: Vec<usize> = Vec::new();
            for _ in 0..1 + random(4) {
                let is_fork = random(2) == 0 && progress.step > 0;
                if is_fork {
                    progress.begin_fork();
                }
                if is_fork || progress == Progress::default() {
                    rows = 1 + random(40);
                    config.train.batch = 1 + random(rows) as usize;
                    config.train.epochs = 1 + random(12) as usize;
                    config.train.steps = (random(3) == 0).then(|| 1 + random(120));
                } else {
                    config.train.epochs += random(4) as usize;
                    config.train.steps = config.train.steps.map(|steps| steps + random(30));
                }
                let schedule = StepSchedule::new(&config, rows as usize, 1).of(&progress);
                progress.epoch = schedule.whole_epochs(&progress);
                epochs.retain(|epoch| *epoch <= progress.epoch);
                let stop = progress.step + random(150);
                let mut rounds = 0;
                while !schedule.is_done(&progress) && progress.step < stop {
                    rounds += 1;
                    assert!(rounds < 1000, "run {run} hangs at {progress:?} of {config:?}");
                    let end = schedule.next_end(&progress);
                    assert!(end >= progress.step, "run {run}: {progress:?} and {end}");
                    let first = progress.step;
                    progress.step = end.min(stop).max(first);
                    // The rows of the steps follow each other, and begin at the fork.
                    for step in first..progress.step {
                        let taken = (step - progress.fork.step) * config.train.batch as u64;
                        assert_eq!(u64::from(schedule.train(step).offset), taken % rows);
                        assert_eq!(schedule.epoch_of(step), progress.epoch as u64, "run {run}");
                    }
                    // A run may be stopped when the steps of an epoch are done, and its losses are not known yet.
                    if progress.step == end && (end < stop || random(2) == 0) {
                        progress.epoch += 1;
                        epochs.push(progress.epoch);
                        let taken = (end - progress.fork.step) * config.train.batch as u64;
                        let whole = (progress.epoch - progress.fork.epoch) as u64 * rows;
                        assert!(taken >= whole || end == schedule.total(), "run {run}");
                    }
                }
                if schedule.is_done(&progress) && progress.step > progress.fork.step {
                    assert_eq!(progress.step, schedule.total(), "run {run}");
                }
            }
            assert_eq!(epochs, (1..=epochs.len()).collect::<Vec<_>>(), "run {run}");
        }
    }

    #[test]
    fn adam_corrections_are_pytorchs() {
        let t = schedule_with(|c| c.train.optimizer = Optimizer::Adam);
        let step = t.train(2);
        let first = 1.0 - 0.9_f64.powi(3);
        let second = 1.0 - 0.999_f64.powi(3);
        assert!((f64::from(step.value(step::CORRECTIONS[0])) * first - 1.0).abs() < 1e-6);
        assert!((f64::from(step.value(step::CORRECTIONS[1])) * second.sqrt() - 1.0).abs() < 1e-4);
    }
}
