//! A run's model on a device.

mod samples;
mod scores;
mod texts;

use wgvae_data::{Columns, Description, Examples, Values, list};
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::kernels::log_sum_exp::NOTHING;
use wgvae_engine::plan::{PlanId, StepScalars};
use wgvae_engine::session::Session;

use super::{Codes, DecoderOutput, Distribution, Parameters, PriorMixture, Run, RunError};
use crate::model::{ApplyingPlans, DataSpec, Labels, Seen, Vae};
use crate::train::{self, Checkpoint, DeviceEvent, DeviceOptions, Files, Progress, StepSchedule, Unusable};

pub use texts::TokenChoice;

/// Bytes of rows that the device holds at a time.
const RESIDENT_BYTES: u64 = 64 << 20;

/// The most values of a batch of rows that codes are inferred for, where training has fewer.
const INFERRED_VALUES: usize = 1 << 15;

/// What a model is to do in addition to encoding, decoding and scoring.
#[derive(Debug, Clone, Copy)]
enum Also {
    Nothing,
    Infer(Seen),
    Weigh,
}

/// A trained model on a device.
///
/// ```
/// use wgvae::{Config, Dataset, DeviceChoice, RunOptions, TrainedModel};
///
/// # fn main() -> Result<(), wgvae::Error> {
/// let data = Dataset::load("points:count=200")?;
/// let mut config = Config::for_data(&data)?;
/// config.train.epochs = 2;
/// let mut options = RunOptions::in_memory();
/// options.device.device = DeviceChoice::Cpu;
/// let run = wgvae::train(config, data, &options, |_| {})?.run;
/// let mut model = TrainedModel::open(&run, 10, &options.device, &mut |_| {})?;
/// assert_eq!(model.sample(5, 0)?.len(), 5 * 2); // five points
/// # Ok(())
/// # }
/// ```
pub struct TrainedModel {
    run: Run,
    vae: Vae<ApplyingPlans>,
    session: Session,
    distribution: Distribution,
    prior: PriorMixture,
    device: String,
    capacity: usize,
    so_far: texts::SoFar,
}

impl TrainedModel {
    /// Opens a run's model on a device, with device memory for up to `rows` rows at a time.
    pub fn open(
        run: &Run,
        rows: usize,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Self, RunError> {
        let plans = Self::plans(run, rows, Also::Nothing)?;
        Self::open_with(run, plans, device, watch)
    }

    /// Opens a model that is also to infer the codes of rows that were seen in part or with noise.
    pub(super) fn open_to_infer(
        run: &Run,
        rows: usize,
        seen: Seen,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Self, RunError> {
        let mut run = run.clone();
        // Many steps are taken with each batch, of one or two chains for each row: in parts of one size, so that little is computed in
        // vain.
        let (chains, most) = (2 * rows.max(1), (INFERRED_VALUES / run.data.shape.len().max(1)).max(1));
        let batch = &mut run.config.train.batch;
        *batch = (*batch).max(chains.div_ceil(chains.div_ceil(most)));
        let plans = Self::plans(&run, rows, Also::Infer(seen))?;
        Self::open_with(&run, plans, device, watch)
    }

    /// Opens a model that is also to weigh draws of the latent.
    pub fn open_to_weigh(
        run: &Run,
        rows: usize,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Self, RunError> {
        run.expect_prior("a likelihood of rows")?;
        Self::open_with(run, Self::plans(run, rows, Also::Weigh)?, device, watch)
    }

    fn open_with(
        run: &Run,
        plans: Vae<ApplyingPlans>,
        device: &DeviceOptions,
        watch: &mut dyn FnMut(DeviceEvent<'_>),
    ) -> Result<Self, RunError> {
        // Before anything is allocated on the device: weights that do not match the description of the data would make
        // it fail there.
        run.expect_weights(&plans.program.params)?;
        let weights = train::read(&run.files, &plans.program.params)?;
        let session = device.open_trained(&run.config, &plans, watch)?;
        Self::new(run, plans, session, &weights)
    }

    /// Builds the plans that apply a run's model to `rows` rows.
    fn plans(run: &Run, rows: usize, also: Also) -> Result<Vae<ApplyingPlans>, RunError> {
        let width = run.config.row_width(run.data.shape.len(), run.data.columns.as_ref());
        let held = run.config.rows_held(rows.max(run.config.train.batch), width, run.data.bytes, RESIDENT_BYTES);
        let data = DataSpec { train_rows: 1, test_rows: held, bytes: run.data.bytes };
        let (spec, train) = (run.config.vae_spec(&run.data)?, run.config.train_spec());
        Ok(match also {
            Also::Nothing => Vae::applied(&spec, &train, data)?,
            Also::Infer(seen) => Vae::inferring(&spec, &train, data, seen)?,
            Also::Weigh => Vae::weighing(&spec, &train, data)?,
        })
    }

    /// Loads the weights to the device that compiled those plans.
    fn new(run: &Run, vae: Vae<ApplyingPlans>, mut session: Session, weights: &[f32]) -> Result<Self, RunError> {
        session.write(vae.weights, weights)?;
        for (constant, values) in &vae.constants {
            session.write(*constant, values)?;
        }
        let ranges = run.data.columns.as_ref().map(Columns::ranges).unwrap_or_default();
        let distribution =
            Distribution::of(&run.config.vae_spec(&run.data)?, &vae.program.params, weights).within(ranges);
        let capacity = vae.program.tensors.get(vae.test_data).shape[0];
        let prior = PriorMixture::standard(run.config.model.latent);
        let device = session.device().to_string();
        let mut applied = Self {
            run: run.clone(),
            vae,
            session,
            distribution,
            prior,
            device,
            capacity,
            so_far: texts::SoFar::default(),
        };
        applied.read_prior()?;
        Ok(applied)
    }

    /// Reads the parts of a prior that has some.
    fn read_prior(&mut self) -> Result<(), GpuError> {
        if let (Some(plan), Some([mu, logvar])) = (self.vae.plans.prior, self.vae.parts) {
            self.session.dispatch(plan, &StepScalars::default())?;
            let [mu, logvar] = [self.session.read(mu)?, self.session.read(logvar)?];
            self.prior = PriorMixture::of(self.latent(), &mu, &logvar);
        }
        Ok(())
    }

    /// Latent dimensions.
    pub fn latent(&self) -> usize {
        self.run.config.model.latent
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.run.data.shape.len()
    }

    /// The distribution of a row's values given what is shown of it.
    pub fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// The distribution that codes were drawn to.
    pub fn prior(&self) -> &PriorMixture {
        &self.prior
    }

    /// The device, in words.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The files of the run.
    pub(super) fn files(&self) -> &Files {
        &self.run.files
    }

    /// Rows of a batch.
    pub(super) fn batch(&self) -> usize {
        self.run.config.train.batch
    }

    /// The weights, as the device has them.
    pub(super) fn weights(&mut self) -> Result<Vec<f32>, GpuError> {
        self.session.read(self.vae.weights)
    }

    /// A checksum of the weights.
    pub(super) fn checksum(&mut self) -> Result<u64, GpuError> {
        let bytes: Vec<u8> = self.weights()?.iter().flat_map(|x| x.to_le_bytes()).collect();
        Ok(xxhash_rust::xxh3::xxh3_64(&bytes))
    }

    /// Writes the weights.
    pub(super) fn set_weights(&mut self, weights: &[f32]) -> Result<(), GpuError> {
        self.session.write(self.vae.weights, weights)?;
        self.read_prior()
    }

    /// Takes the weights of a checkpoint, and says how far training was.
    pub fn go_to(&mut self, checkpoint: &Checkpoint) -> Result<Progress, RunError> {
        let damaged = |error: Unusable| RunError::Damaged { path: checkpoint.path.clone(), reason: error.to_string() };
        let manifest = checkpoint.manifest().map_err(damaged)?;
        let state = checkpoint.state(&manifest, &self.vae.program.params, 0).map_err(damaged)?;
        self.set_weights(&state.weights)?;
        Ok(state.progress)
    }

    /// The device, and where the model's tensors are on it.
    pub(super) fn parts(&mut self) -> (&mut Session, &Vae<ApplyingPlans>) {
        (&mut self.session, &self.vae)
    }

    /// The run.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn data(&self) -> &Description {
        &self.run.data
    }

    /// Whether codes have a prior.
    pub(super) fn has_prior(&self) -> bool {
        self.run.has_prior()
    }

    /// Refuses rows that do not have the model's form.
    fn expect(&self, rows: &Examples) -> Result<(), RunError> {
        let bytes = matches!(rows.values, Values::Bytes(_));
        if rows.values.len() == rows.rows * self.width() && bytes == self.run.data.bytes {
            return if self.is_conditional() { self.expect_classes(rows.labels.as_deref(), rows.rows) } else { Ok(()) };
        }
        let kind = |bytes: bool| if bytes { "levels" } else { "numbers" };
        Err(RunError::Unfit(format!(
            "the model takes rows of {} {}, but these are {} {} for {} rows: convert them with Run::rows or wgvae_data::rows",
            self.width(),
            kind(self.run.data.bytes),
            rows.values.len(),
            kind(bytes),
            rows.rows
        )))
    }

    /// The columns whose values come with intervals.
    pub(super) fn intervals(&self) -> Option<&Columns> {
        self.run.data.columns.as_ref().filter(|_| self.vae.intervals)
    }

    /// Whether the model needs the class of each row.
    pub fn is_conditional(&self) -> bool {
        self.vae.labels.is_some()
    }

    /// Refuses classes that are not the model's, or not one for each row.
    fn expect_classes(&self, classes: Option<&[u32]>, rows: usize) -> Result<(), RunError> {
        let known = |classes: &&[u32]| {
            classes.len() == rows && classes.iter().all(|class| (*class as usize) < self.run.data.classes.len())
        };
        if classes.is_some_and(|classes| known(&classes)) {
            return Ok(());
        }
        Err(RunError::Unfit(format!(
            "this model was trained with classes ({}), and must be told the class of each row",
            list(&self.run.data.classes)
        )))
    }

    /// Runs a plan over all rows, batch by batch. Before each, `prepare` is called with its rows and may change its scalars;
    /// after it, `read` with the number of its valid rows.
    fn over(
        &mut self,
        rows: &Examples,
        plan: PlanId,
        mut prepare: impl FnMut(
            &mut Session,
            &Vae<ApplyingPlans>,
            std::ops::Range<usize>,
            StepScalars,
        ) -> Result<StepScalars, GpuError>,
        mut read: impl FnMut(&mut Session, &Vae<ApplyingPlans>, usize) -> Result<(), GpuError>,
    ) -> Result<(), RunError> {
        self.expect(rows)?;
        let schedule = StepSchedule::new(&self.run.config, 1, rows.rows);
        let (batch, width) = (self.batch(), self.width());
        for first in (0..rows.rows).step_by(self.capacity) {
            let end = (first + self.capacity).min(rows.rows);
            let words = rows.words_with(first..end, width, self.intervals());
            self.session.write_words(self.vae.test_data, &words)?;
            if let (Some(labels), Some(classes)) = (self.vae.labels, &rows.labels) {
                self.session.write_words(labels.test, &classes[first..end])?;
            }
            for start in (first..end).step_by(batch) {
                let rows = start..end.min(start + batch);
                let step = schedule.evaluate((start / batch) as u64);
                let step = prepare(&mut self.session, &self.vae, rows.clone(), step)?;
                // The offset is relative to the rows that the device holds.
                let step = StepScalars { offset: (start - first) as u32, ..step };
                self.session.dispatch(plan, &step)?;
                read(&mut self.session, &self.vae, rows.len())?;
            }
        }
        Ok(())
    }

    /// Encodes rows.
    pub fn encode(&mut self, rows: &Examples) -> Result<Codes, RunError> {
        let latent = self.latent();
        let mut codes = Codes { latent, ..Codes::default() };
        self.over(rows, self.vae.plans.encode, unchanged, |session, vae, kept| {
            let all = session.read(vae.codes)?;
            let stride = session.program().tensors.get(vae.codes).shape[1];
            for row in all.chunks(stride).take(kept) {
                codes.mu.extend(&row[..latent]);
                codes.logvar.extend(&row[latent..]);
            }
            Ok(())
        })?;
        Ok(codes)
    }

    /// Encodes a batch: these rows, as many as a batch has.
    pub(super) fn encode_batch(&mut self, rows: &Examples, of_batch: &[usize]) -> Result<(), RunError> {
        self.expect(rows)?;
        let words = rows.words_with(of_batch.iter().copied(), self.width(), self.intervals());
        self.session.write_words(self.vae.test_data, &words)?;
        if let (Some(labels), Some(classes)) = (self.vae.labels, &rows.labels) {
            let classes: Vec<u32> = of_batch.iter().map(|row| classes[*row]).collect();
            self.session.write_words(labels.test, &classes)?;
        }
        let step = StepScalars { rows: of_batch.len() as u32, ..StepScalars::default() };
        Ok(self.session.dispatch(self.vae.plans.encode, &step)?)
    }

    /// `(B, 3)`: the weights of a draw of the latent for each row of the batch that was encoded last and each step: the logarithm of
    /// the greatest, and the sums of them and of their squares in units of it.
    pub(super) fn weigh(&mut self, steps: &[StepScalars]) -> Result<Vec<f32>, RunError> {
        let (Some(plan), Some(weighed)) = (self.vae.plans.weigh, self.vae.weighed) else {
            return Err(RunError::Unfit("the model was not opened to weigh draws".into()));
        };
        let nothing = [NOTHING, 0.0, 0.0].repeat(self.batch());
        self.session.write(weighed, &nothing)?;
        self.session.submit(&plan.steps(steps.iter().copied()))?;
        self.session.collect()?;
        Ok(self.session.read(weighed)?)
    }

    /// Decodes `z (N, Z)` to `(N, D)`, in the units the model was trained with. A conditional model gets the classes in turn.
    pub fn decode(&mut self, z: &[f32]) -> Result<Vec<f32>, RunError> {
        let classes = Labels::in_turn(0..z.len() / self.latent(), self.run.data.classes.len());
        self.decode_as(z, &classes)
    }

    /// Decodes `z (N, Z)` as rows of these classes, numbered as in the run's `data.json`. A model that is not conditional takes
    /// none.
    pub fn decode_as(&mut self, z: &[f32], classes: &[u32]) -> Result<Vec<f32>, RunError> {
        Ok(self.decoder_output(z, classes)?.means)
    }

    /// Decodes `z (N, Z)` to all that a draw of the rows' values needs: see [`Distribution::draw`].
    pub fn decoder_output(&mut self, z: &[f32], classes: &[u32]) -> Result<DecoderOutput, RunError> {
        let (batch, latent, width) = (self.batch(), self.latent(), self.width());
        if !z.len().is_multiple_of(latent) {
            let why = format!("each code has {latent} numbers, and {} is not a multiple of that", z.len());
            return Err(RunError::Unfit(why));
        }
        if self.is_conditional() {
            self.expect_classes(Some(classes), z.len() / latent)?;
        }
        if self.is_of_texts() {
            let means = self.decode_tokens(z, classes, TokenChoice::Likeliest, &[])?;
            return Ok(DecoderOutput { means, parameters: Vec::new() });
        }
        let values = z.len() / latent * width;
        let parameters = self.vae.parameters.iter().map(|_| Vec::with_capacity(values)).collect();
        let mut shown = DecoderOutput { means: Vec::with_capacity(values), parameters };
        for (number, chunk) in z.chunks(batch * latent).enumerate() {
            self.decode_batch(chunk, classes.get(number * batch..).unwrap_or_default())?;
            let kept = chunk.len() / latent * width;
            shown.means.extend(&self.session.read(self.vae.mean)?[..kept]);
            for (parameter, to) in self.vae.parameters.iter().zip(&mut shown.parameters) {
                to.extend(&self.session.read(*parameter)?[..kept]);
            }
        }
        Ok(shown)
    }

    /// Runs the plan `decode` on the first codes of `z (N, Z)`, at most a batch of them, as rows of these classes.
    fn decode_batch(&mut self, z: &[f32], classes: &[u32]) -> Result<(), GpuError> {
        let batch = self.batch();
        let mut whole = z.to_vec();
        whole.resize(batch * self.latent(), 0.0);
        self.session.write(self.vae.z, &whole)?;
        if let Some(labels) = self.vae.labels {
            let mut of_batch: Vec<u32> = classes.iter().take(batch).copied().collect();
            of_batch.resize(batch, 0);
            self.session.write(labels.batch, &Labels::columns(&of_batch, self.run.data.classes.len()))?;
        }
        self.session.dispatch(self.vae.plans.decode, &StepScalars::default())
    }

    /// Reconstructs rows without noise: `(N, D)`.
    pub fn reconstruct(&mut self, rows: &Examples) -> Result<Vec<f32>, RunError> {
        Ok(self.reconstruct_shown(rows)?.means)
    }

    /// Reconstructs rows without noise, with all that a draw of their values needs.
    pub fn reconstruct_shown(&mut self, rows: &Examples) -> Result<DecoderOutput, RunError> {
        let count = self.vae.parameters.len();
        let mut shown = DecoderOutput { parameters: vec![Vec::new(); count], ..DecoderOutput::default() };
        self.reconstruct_each(rows, |_, mean, parameters| {
            for value in 0..mean.len() {
                shown.parameters.iter_mut().zip(parameters(value)).for_each(|(all, parameter)| all.push(parameter));
            }
            shown.means.extend(mean);
        })?;
        Ok(shown)
    }

    /// Reconstructs rows without noise, and gives each row's number, its reconstruction `(D)`, and the parameters of each value's
    /// distribution: see [`DecoderOutput::parameters`].
    pub fn reconstruct_each(
        &mut self,
        rows: &Examples,
        mut each: impl FnMut(usize, &[f32], &dyn Fn(usize) -> Parameters),
    ) -> Result<(), RunError> {
        let width = self.width();
        if self.is_of_texts() {
            let codes = self.encode(rows)?;
            let in_turn = || Labels::in_turn(0..rows.rows, self.run.data.classes.len());
            let classes = rows.labels.clone().unwrap_or_else(in_turn);
            let shown = self.decoder_output(&codes.mu, &classes)?;
            shown
                .means
                .chunks_exact(width)
                .enumerate()
                .for_each(|(row, tokens)| each(row, tokens, &|_| Parameters::default()));
            return Ok(());
        }
        let mut done = 0;
        self.over(rows, self.vae.plans.reconstruct, unchanged, |session, vae, kept| {
            let parameters =
                vae.parameters.iter().map(|parameter| session.read(*parameter)).collect::<Result<_, _>>()?;
            let shown = DecoderOutput { means: session.read(vae.mean)?, parameters };
            for (place, mean) in shown.means.chunks_exact(width).take(kept).enumerate() {
                each(done + place, mean, &|value| shown.parameters_of(place * width + value));
            }
            done += kept;
            Ok(())
        })
    }

    /// Reconstructs rows of one class as rows of another. What the code says of a row stays, what its class does
    /// changes.
    pub fn reconstruct_as(&mut self, rows: &Examples, class: u32) -> Result<DecoderOutput, RunError> {
        let codes = self.encode(rows)?;
        self.decoder_output(&codes.mu, &vec![class; rows.rows])
    }
}

/// A batch with the scalars that an evaluation gives it.
fn unchanged(
    _: &mut Session,
    _: &Vae<ApplyingPlans>,
    _: std::ops::Range<usize>,
    step: StepScalars,
) -> Result<StepScalars, GpuError> {
    Ok(step)
}
