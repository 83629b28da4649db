//! Features of rows: the last hidden layer of a small network. It is a classifier that is trained here, on the data's own classes, or
//! where there are none a network that stays as it starts.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use wgvae_data::{Examples, Shape, Values};
use wgvae_engine::graph::{Axis, Graph, GroupSpec, Node};
use wgvae_engine::kernels::softmax;
use wgvae_engine::plan::{Activation, Function, ScalarId, StepScalars, Windows, is_missing};
use wgvae_engine::session::{InputHandle, LossSpec, PlanHandle, PlanSpec, Session, SessionSpec, initial_weights};

use crate::apply::RunError;
use crate::model::layers::{activate, conv, dense};
use crate::model::{InitScheme, Labels};
use crate::train::DeviceOptions;

/// Features of a row.
pub const FEATURES: usize = 64;
/// The layer before them, of what is no image.
const HIDDEN: usize = 256;
/// Channels of the first convolution, and of those behind it.
const CHANNELS: [usize; 2] = [16, 32];
/// Pixels that convolutions leave at most.
const MAX_PIXELS: usize = 64;
/// Rows of a batch, and values of one at most.
const MAX_ROWS: usize = 128;
const MAX_VALUES: usize = 1 << 21;
/// Steps of the classifier at most, and epochs at most.
const MAX_STEPS: usize = 2000;
const MAX_EPOCHS: usize = 40;
/// Adam's learning rate of the first step, from which it falls to nothing in a line.
const RATE: f64 = 2e-3;
/// The seed of the network, the same for all runs: two runs on the same data are compared in the same features.
const SEED: u64 = 0;

/// The shape of the network's rows, its classes and its batches.
#[derive(Debug, Clone, Copy)]
struct Form {
    shape: Shape,
    /// Whether rows are bytes.
    levels: bool,
    /// Rows of a batch.
    batch: usize,
    /// None for random features.
    classes: usize,
}

impl Form {
    fn of(rows: &Examples, shape: Shape, classes: usize) -> Self {
        let batch = (MAX_VALUES / shape.len().max(1)).clamp(1, MAX_ROWS);
        Self { shape, levels: matches!(rows.values, Values::Bytes(_)), batch, classes }
    }

    /// `(B, D)` to the features `(B, F)`.
    fn features(self, g: &mut Graph, x: Node) -> Node {
        let mut h = x;
        let mut number = 0;
        if let Shape::Image { height, width, channels } = self.shape {
            let (mut image, mut outputs) = ([height, width, channels].map(|n| n as u32), CHANNELS[0]);
            while image[0] * image[1] > MAX_PIXELS as u32 {
                let windows = Windows::padded(image, [3, 3], 2, [1, 1]);
                h = g.reshape(h, [self.batch * windows.pixels(), windows.channels()]);
                let (u, _) = conv(g, &format!("conv.{number}"), h, windows, outputs);
                h = activate(g, u, Activation::Relu);
                image = [windows.positions[0], windows.positions[1], outputs as u32];
                (number, outputs) = (number + 1, CHANNELS[1]);
            }
            h = g.reshape(h, [self.batch, image.iter().product::<u32>() as usize]);
        }
        if number == 0 {
            let (u, _) = dense(g, "hidden", h, HIDDEN);
            h = activate(g, u, Activation::Relu);
        }
        let (u, _) = dense(g, "features", h, FEATURES);
        activate(g, u, Activation::Relu)
    }

    /// The network: features, and where there are classes, the logarithms of their probabilities, and a plan that learns them by the
    /// cross-entropy.
    fn spec(self) -> SessionSpec {
        let mut g = Graph::default();
        let x = g.input("x", [self.batch, self.shape.len()], self.levels);
        let features = self.features(&mut g, x);
        let features = g.named(features, FEATURES_NAME);
        if self.classes == 0 {
            let apply = PlanSpec {
                name: APPLY.into(),
                graph: g,
                inputs: vec![x],
                outputs: vec![features],
                ..PlanSpec::default()
            };
            return SessionSpec { plans: vec![apply], ..SessionSpec::default() };
        }
        let all = g.input("all classes", [2, 1], false);
        let (logits, _) = dense(&mut g, "classes", features, self.classes);
        let log_p = g.log_softmax("log_p", logits, all);
        let apply = PlanSpec {
            name: APPLY.into(),
            graph: g.clone(),
            inputs: vec![x, all],
            outputs: vec![features, log_p],
            ..PlanSpec::default()
        };
        let is = g.input("is of class", [self.batch, self.classes], false);
        let of_class = g.map("log_p of class", Function::Multiply, &[log_p, is]);
        let likelihood = g.reduce("log_likelihood", of_class, Axis::Columns);
        let loss = g.negative("cross_entropy", likelihood);
        let loss = LossSpec::mean(&mut g, loss, ALL);
        let learn = PlanSpec {
            name: LEARN.into(),
            graph: g,
            inputs: vec![x, all, is],
            losses: vec![loss],
            ..PlanSpec::default()
        };
        SessionSpec { plans: vec![apply, learn], groups: vec![GroupSpec::adam(ALL)], unfused: false }
    }

    /// The network on a device, with what it starts from.
    fn open(self, device: &DeviceOptions) -> Result<Network, RunError> {
        let mut session = device.session(&self.spec(), SEED)?;
        let mut params = session.program().params.clone();
        InitScheme::Kaiming.apply(&mut params);
        session.set_weights(&initial_weights(&params, SEED))?;
        if self.classes > 0 {
            let all = session.input("all classes")?;
            session.set(all, &softmax::groups(self.classes, std::iter::once(0..self.classes)))?;
        }
        let learning = match self.classes {
            0 => None,
            _ => Some((session.input("is of class")?, session.plan(LEARN)?, session.rate(ALL)?)),
        };
        Ok(Network { form: self, x: session.input("x")?, apply: session.plan(APPLY)?, learning, session })
    }
}

/// The parameters, which are all in one group.
const ALL: &str = "all";
/// The plans.
const APPLY: &str = "apply";
const LEARN: &str = "learn";
/// The outputs.
const FEATURES_NAME: &str = "features of rows";
const LOG_P: &str = "log_p";

/// A network on a device.
struct Network {
    form: Form,
    session: Session,
    x: InputHandle,
    apply: PlanHandle,
    /// Where there are classes: their input, the plan that learns them, and its learning rate.
    learning: Option<(InputHandle, PlanHandle, ScalarId)>,
}

impl Network {
    /// Writes some rows, fewer than a batch or as many; what is missing is 0.
    fn write(&mut self, rows: &Examples, numbers: &[usize]) -> Result<(), RunError> {
        let width = self.form.shape.len();
        // Behind the last row, the first is repeated.
        let of_batch = numbers.iter().chain(std::iter::repeat(&numbers[0])).take(self.form.batch).copied();
        let mut words = rows.words_of(of_batch, width);
        if !self.form.levels {
            words.iter_mut().filter(|word| is_missing(f32::from_bits(**word))).for_each(|word| *word = 0);
        }
        Ok(self.session.set_words(self.x, &words)?)
    }

    /// Takes a step of training, `done` of `steps` of which are done.
    fn learn(
        &mut self,
        rows: &Examples,
        numbers: &[usize],
        classes: &[u32],
        [done, steps]: [usize; 2],
    ) -> Result<(), RunError> {
        self.write(rows, numbers)?;
        let classes: Vec<u32> = numbers.iter().map(|row| classes[*row]).collect();
        let Some((is, learn, rate)) = self.learning else {
            return Err(RunError::Unfit("the rows have no classes to learn".into()));
        };
        self.session.set(is, &Labels::columns(&classes, self.form.classes))?;
        let step = StepScalars::default().with(rate, (RATE * (1.0 - done as f64 / steps as f64)) as f32);
        self.session.run(learn, &[step])?;
        Ok(())
    }
}

/// The network that computes the features of rows.
pub struct Features {
    network: Network,
}

impl Features {
    /// Takes the features of a network with random weights, of the variance with which relu keeps the scale (He et al.,
    /// 2015).
    pub fn random(like: &Examples, shape: Shape, device: &DeviceOptions) -> Result<Self, RunError> {
        Ok(Self { network: Form::of(like, shape, 0).open(device)? })
    }

    /// Takes the features of a classifier, which is trained on rows with classes below `count`. `watch` gets the share
    /// of the steps that is done.
    pub fn learned(
        rows: &Examples,
        shape: Shape,
        (classes, count): (&[u32], usize),
        device: &DeviceOptions,
        watch: &mut dyn FnMut(f64),
    ) -> Result<Self, RunError> {
        let form = Form::of(rows, shape, count);
        let mut network = form.open(device)?;
        let batch = form.batch.min(rows.rows);
        let steps = (MAX_EPOCHS * rows.rows / batch).min(MAX_STEPS);
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut order: Vec<usize> = (0..rows.rows).collect();
        // An epoch leaves out the rows at its end that do not fill a batch.
        let in_epoch = rows.rows / batch;
        for step in 0..steps {
            if step % in_epoch == 0 {
                order.shuffle(&mut rng);
            }
            let first = step % in_epoch * batch;
            let mut numbers = order[first..first + batch].to_vec();
            numbers.extend(order.iter().cycle().take(form.batch - batch));
            network.learn(rows, &numbers, classes, [step, steps])?;
            watch((step + 1) as f64 / steps as f64);
        }
        Ok(Self { network })
    }

    /// `(N, F)`: the features of rows.
    pub fn of(&mut self, rows: &Examples) -> Result<Vec<f32>, RunError> {
        self.outputs(rows, FEATURES_NAME, FEATURES)
    }

    /// The share of rows whose likeliest class is theirs.
    pub fn accuracy(&mut self, rows: &Examples, classes: &[u32]) -> Result<f64, RunError> {
        let log_p = self.outputs(rows, LOG_P, self.network.form.classes)?;
        let likeliest = |of_row: &[f32]| (0..of_row.len()).max_by(|a, b| of_row[*a].total_cmp(&of_row[*b]));
        let guesses = log_p.chunks_exact(self.network.form.classes.max(1)).map(likeliest);
        let right = guesses.zip(classes).filter(|(guess, class)| *guess == Some(**class as usize)).count();
        Ok(right as f64 / rows.rows.max(1) as f64)
    }

    /// An output `(N, width)` for all rows.
    fn outputs(&mut self, rows: &Examples, name: &str, width: usize) -> Result<Vec<f32>, RunError> {
        let network = &mut self.network;
        let output = network.session.output(name)?;
        let mut all = Vec::with_capacity(rows.rows * width);
        let numbers: Vec<usize> = (0..rows.rows).collect();
        for numbers in numbers.chunks(network.form.batch) {
            network.write(rows, numbers)?;
            network.session.run(network.apply, &[StepScalars::default()])?;
            all.extend(&network.session.get(output)?[..numbers.len() * width]);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::Dataset;
    use wgvae_engine::exec::DeviceChoice;
    use wgvae_engine::plan::MISSING;

    fn device() -> DeviceOptions {
        DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() }
    }

    #[test]
    fn the_classifier_knows_digits_that_it_has_not_seen() {
        let data = Dataset::load("strokes:count=3000").unwrap();
        let (train, test) = (&data.train, &data.test);
        let labels = |split: &Examples| split.labels.clone().unwrap();
        let mut told = Vec::new();
        let classes = labels(train);
        let mut learn = |device: &DeviceOptions| {
            let mut watch = |share: f64| told.push(share);
            Features::learned(train, data.shape, (&classes, data.classes.len()), device, &mut watch).unwrap()
        };
        let mut learned = learn(&device());
        let accuracy = learned.accuracy(test, &labels(test)).unwrap();
        assert!(accuracy > 0.95, "{accuracy}");
        let of_test = learned.of(test).unwrap();
        assert_eq!(of_test.len(), test.rows * FEATURES);
        assert_eq!(of_test, learn(&device()).of(test).unwrap());
        assert!(told.is_sorted_by(|a, b| a < b || *a == 1.0) && told.last() == Some(&1.0));
        // Untrained, it guesses.
        let form = Form::of(train, data.shape, data.classes.len());
        let mut random = Features { network: form.open(&device()).unwrap() };
        let accuracy = random.accuracy(test, &labels(test)).unwrap();
        assert!(accuracy < 0.35, "{accuracy}");
    }

    /// The dense network in plain loops.
    #[test]
    fn random_features_are_those_of_plain_loops() {
        let shape = Shape::Table(5);
        let mut numbers: Vec<f32> = (0..300 * 5).map(|i| (i as f32 * 0.7).sin() * 2.0).collect();
        numbers[7] = MISSING;
        let rows = Examples::of_numbers(&numbers, false, 5);
        let mut random = Features::random(&rows, shape, &device()).unwrap();
        let found = random.of(&rows).unwrap();
        let weights = random.network.session.weights().unwrap();
        let params = random.network.session.program().params.clone();
        let of = |name: &str| {
            let param = params.find(name).unwrap();
            weights[param.offset..param.offset + param.len()].to_vec()
        };
        let layer = |name: &str, inputs: &[f64]| -> Vec<f64> {
            let weight = of(&format!("{name}.weight"));
            assert!(of(&format!("{name}.bias")).iter().all(|bias| *bias == 0.0));
            let variance = weight.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weight.len() as f64;
            assert!((variance * inputs.len() as f64 - 2.0).abs() < 0.15, "{name}: {variance}");
            let sum = |row: &[f32]| row.iter().zip(inputs).map(|(w, x)| f64::from(*w) * x).sum::<f64>().max(0.0);
            weight.chunks(inputs.len()).map(sum).collect()
        };
        // The second row has a missing value, and is in the first batch; the last is in the third.
        for row in [0, 1, 299] {
            let value = |i: usize| if i == 7 { 0.0 } else { f64::from(numbers[i]) };
            let x: Vec<f64> = (row * 5..row * 5 + 5).map(value).collect();
            let expected = layer("features", &layer("hidden", &x));
            for (found, expected) in found[row * FEATURES..(row + 1) * FEATURES].iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-4 * expected.max(1.0), "{found}, not {expected}");
            }
        }
    }

    #[test]
    fn images_of_every_size_have_features() {
        for (height, width, channels) in [(8, 8, 1), (9, 8, 3), (1, 200, 1), (40, 3, 3), (64, 64, 3)] {
            let shape = Shape::Image { height, width, channels };
            let numbers: Vec<f32> = (0..3 * shape.len()).map(|i| (i as f32 * 0.37).sin().abs()).collect();
            for bytes in [false, true] {
                let rows = Examples::of_numbers(&numbers, bytes, shape.len());
                let features = Features::random(&rows, shape, &device()).unwrap().of(&rows).unwrap();
                let of_row = |row: usize| &features[row * FEATURES..(row + 1) * FEATURES];
                assert!(of_row(0) != of_row(1) && of_row(1) != of_row(2), "{shape}");
                assert!(features.iter().filter(|value| **value > 0.0).count() > FEATURES, "{shape}");
            }
        }
    }
}
