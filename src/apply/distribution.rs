//! The distribution of a row's values given what the decoder shows of it: losses of single values, and draws.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Gamma, Poisson};
use wgvae_engine::exec::oracle;
use wgvae_engine::plan::{
    ColumnKind, Function, LOG_FAILURES_RANGE, LOG_FREEDOM_RANGE, LOG_SCALE_RANGE, Loss, MIN_LOG_SIGMA, ParamTable,
    is_missing,
};

use super::RunError;
use super::draws::chosen;
use crate::model::{LOG_FREEDOM, Likelihood, TableSpec, VaeSpec};

/// The stream of the seed that draws come from.
const DRAWS: u64 = 0x6472_6177;

/// What the decoder shows of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecoderOutput {
    /// `(N, D)`: means in the units that the model was trained with.
    pub means: Vec<f32>,
    /// `(N, D)` each: what else the decoder says of the distribution of each value, as much as the likelihood has: of a count that may
    /// be an extra zero the probability of that, of a level the location and the logarithm of the scale, of a column the dispersion.
    pub parameters: Vec<Vec<f32>>,
}

/// The parameters of a value besides its mean; 0 where the likelihood has none.
pub type Parameters = [f32; 2];

impl DecoderOutput {
    /// The parameters of the value at a place `N D`.
    pub fn parameters_of(&self, place: usize) -> Parameters {
        let of = |number: usize| self.parameters.get(number).map_or(0.0, |parameter| parameter[place]);
        [of(0), of(1)]
    }
}

/// The probabilities of extra zeros are kept below this, so that there is a count that the mean is of.
const MAX_ZEROS: f64 = 1.0 - 1e-6;

/// The likelihood of a trained model.
#[derive(Debug, Clone)]
pub struct Distribution {
    likelihood: Likelihood,
    width: usize,
    table: Option<TableSpec>,
    /// `(D)`, or one for all: the logarithm of a number's sigma or scale, or of a count's failures; none where a likelihood has
    /// none, or where the decoder says one of each value.
    dispersion: Vec<f32>,
    /// The logarithm of the degrees of freedom of Student's t; 0 of others.
    log_freedom: f32,
    /// `(D)`, or none: where draws of a table's numbers lie.
    ranges: Vec<[f32; 2]>,
}

impl Distribution {
    /// The distribution of a model with these weights.
    pub(super) fn of(spec: &VaeSpec, params: &ParamTable, weights: &[f32]) -> Self {
        let learned = |name: &str| {
            params.find(name).map_or_else(Vec::new, |param| weights[param.offset..param.offset + param.len()].to_vec())
        };
        Self {
            likelihood: spec.likelihood,
            width: spec.width,
            table: spec.table.clone(),
            dispersion: spec.likelihood.dispersion(spec, learned),
            log_freedom: learned(LOG_FREEDOM).first().copied().unwrap_or(0.0),
            ranges: Vec::new(),
        }
    }

    /// This distribution, of which draws of numbers lie in ranges `(D)`.
    pub(super) fn within(self, ranges: Vec<[f32; 2]>) -> Self {
        Self { ranges, ..self }
    }

    /// This distribution, of which draws lie anywhere.
    pub fn without_ranges(&self) -> Self {
        self.clone().within(Vec::new())
    }

    /// The likelihood.
    pub fn likelihood(&self) -> Likelihood {
        self.likelihood
    }

    /// Whether values can be drawn: a squared error has no scale.
    pub fn can_draw(&self) -> bool {
        !matches!(self.likelihood, Likelihood::Mse | Likelihood::Tokens)
    }

    /// The kind of a value, if it is one of a table's columns.
    pub fn kind(&self, value: usize) -> ColumnKind {
        match (self.likelihood, &self.table) {
            (Likelihood::Bernoulli, _) => ColumnKind::YesNo,
            (likelihood, Some(table)) if likelihood.is_of_columns() => table.kinds[value],
            _ => ColumnKind::Number,
        }
    }

    fn dispersion(&self, value: usize, parameters: Parameters) -> f64 {
        match (self.dispersion.get(value).or(self.dispersion.first()), self.likelihood) {
            (Some(dispersion), _) => f64::from(*dispersion),
            (None, Likelihood::Columns) => f64::from(parameters[0]),
            (None, _) => 0.0,
        }
    }

    /// What the logarithm of a count is less.
    fn log_mean(&self, value: usize) -> f64 {
        self.table.as_ref().map_or(0.0, |table| f64::from(table.log_means[value]))
    }

    /// The standard deviation of a number that is normal; of others, the scale.
    pub fn sigma(&self, value: usize, parameters: Parameters) -> f64 {
        let log_scale = self.dispersion(value, parameters).max(MIN_LOG_SIGMA.into());
        let most = if self.likelihood == Likelihood::Columns { LOG_SCALE_RANGE.1.into() } else { f64::MAX };
        // libm has the same result on every machine.
        libm::exp(log_scale.min(most))
    }

    /// The degrees of freedom of Student's t.
    pub(super) fn freedom(&self) -> f64 {
        libm::exp(self.log_freedom.clamp(LOG_FREEDOM_RANGE.0, LOG_FREEDOM_RANGE.1).into())
    }

    /// How far from what is shown of a number the value lies below which this share of its distribution is; 0 where its tails are so
    /// long that their exponentials have no mean.
    pub fn distance(&self, value: usize, share: f64, parameters: Parameters) -> f64 {
        self.sigma(value, parameters) * self.likelihood.quantile(share)
    }

    /// A draw of a number, of which this is shown.
    fn number(&self, value: usize, shown: f32, parameters: Parameters, rng: &mut ChaCha8Rng) -> f32 {
        (f64::from(shown) + self.sigma(value, parameters) * self.likelihood.draw(self.freedom(), rng)) as f32
    }

    /// A draw, or its mirror image at the end of the value's range where it lies beyond. If all such draws lay on the ends, rows would be
    /// told from data by them. Draws in their place would move the values of whole rows away from the ends.
    fn within_range(&self, value: usize, drawn: f32) -> f32 {
        let [least, most] = self.ranges.get(value).copied().unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        let end = drawn.max(least).min(most);
        let mirrored = if drawn == end { drawn } else { 2.0 * end - drawn };
        if (least..=most).contains(&mirrored) { mirrored } else { end }
    }

    /// The negative log-likelihood of a value, and half of the width of the interval around it, for what is shown of it: a mean, and the
    /// parameters of its distribution; 0 of a missing one.
    pub fn loss(&self, value: usize, [x, half]: [f32; 2], mean: f32, parameters: Parameters) -> f64 {
        let (kind, shown) = (self.kind(value), f64::from(mean));
        let zero = self.zeros(parameters);
        let probability = || shown.clamp(1e-7, 1.0 - 1e-7);
        let output = match kind {
            ColumnKind::Number => shown,
            ColumnKind::YesNo => (probability() / (1.0 - probability())).ln(),
            ColumnKind::Category => probability().ln(),
            ColumnKind::Count => (self.count_mean(value, shown) / (1.0 - zero)).max(1e-9).ln() - self.log_mean(value),
        };
        let [x, dispersion, kind] = [f64::from(x), self.dispersion(value, parameters), f64::from(kind as u32)];
        if is_missing(x as f32) {
            return 0.0;
        }
        if let Some((loss, others)) = self.likelihood.loss_of_value(dispersion, self.log_freedom.into()) {
            return oracle::evaluate(Function::Loss(loss), &[vec![output, x], others].concat())[0];
        }
        match self.likelihood {
            Likelihood::Logistic => {
                let [location, log_scale] = parameters.map(f64::from);
                oracle::evaluate(Function::Loss(Loss::Logistic), &[location, x, log_scale])[0]
            }
            Likelihood::ZeroInflated => {
                let log_mean = self.log_mean(value);
                let logit = (zero.max(1e-12) / (1.0 - zero)).ln();
                let inputs = [output + log_mean, x + log_mean, logit, dispersion];
                oracle::evaluate(Function::Loss(Loss::ZeroInflated), &inputs)[0]
            }
            _ => {
                let loss_input = if self.kind(value) == ColumnKind::Count { self.log_mean(value) } else { half.into() };
                let inputs = [output, x, dispersion, loss_input, kind];
                oracle::evaluate(Function::Loss(Loss::ColumnOrCount), &inputs)[0]
            }
        }
    }

    /// The probability of an extra zero.
    fn zeros(&self, parameters: Parameters) -> f64 {
        if self.likelihood == Likelihood::ZeroInflated { f64::from(parameters[0]).min(MAX_ZEROS) } else { 0.0 }
    }

    /// The values of each category.
    fn categories(&self) -> &[Range<usize>] {
        match (&self.table, self.likelihood) {
            (Some(table), likelihood) if likelihood.is_of_columns() => &table.categories,
            _ => &[],
        }
    }

    /// Draws rows `(N, D)` in place of the means that are shown of them; a function of what is shown and the seed.
    pub fn draw(&self, shown: &mut DecoderOutput, seed: u64) -> Result<(), RunError> {
        if self.likelihood == Likelihood::Tokens {
            return Err(RunError::Unfit("texts are drawn token by token: TrainedModel::decode_tokens does it".into()));
        }
        if !self.can_draw() {
            return Err(RunError::Unfit(
                "mse has no noise to draw with: give means, or train with gaussian-learned or columns".into(),
            ));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(DRAWS);
        let width = self.width.max(1);
        let mut means = std::mem::take(&mut shown.means);
        for (number, row) in means.chunks_mut(width).enumerate() {
            for (value, x) in row.iter_mut().enumerate() {
                let parameters = shown.parameters_of(number * width + value);
                *x = match self.kind(value) {
                    ColumnKind::Number if self.likelihood == Likelihood::Logistic => level(parameters, rng.random()),
                    ColumnKind::Number => self.within_range(value, self.number(value, *x, parameters, &mut rng)),
                    ColumnKind::YesNo => f32::from(rng.random::<f32>() < *x),
                    ColumnKind::Count => self.count(value, *x, parameters, &mut rng),
                    ColumnKind::Category => *x,
                };
            }
            for span in self.categories() {
                let words = &mut row[span.clone()];
                let drawn = chosen(words, rng.random());
                words.fill(0.0);
                if let Some(word) = words.get_mut(drawn) {
                    *word = 1.0;
                }
            }
        }
        shown.means = means;
        Ok(())
    }

    /// The mean of a count, of what is shown of it.
    pub fn count_mean(&self, value: usize, shown: f64) -> f64 {
        (shown + self.log_mean(value)).exp_m1().max(0.0)
    }

    /// The value of a count.
    pub fn of_count(&self, value: usize, count: f64) -> f64 {
        count.ln_1p() - self.log_mean(value)
    }

    /// A draw from a negative binomial, or an extra zero: from a Poisson distribution whose mean has a gamma distribution.
    fn count(&self, value: usize, shown: f32, parameters: Parameters, rng: &mut ChaCha8Rng) -> f32 {
        let mut mean = self.count_mean(value, shown.into());
        if self.likelihood == Likelihood::ZeroInflated {
            let zero = self.zeros(parameters);
            if rng.random::<f64>() < zero {
                return self.of_count(value, 0.0) as f32;
            }
            mean /= 1.0 - zero;
        }
        let dispersion = self.dispersion(value, parameters);
        let failures = dispersion.clamp(LOG_FAILURES_RANGE.0.into(), LOG_FAILURES_RANGE.1.into()).exp();
        let rate = Gamma::new(failures, mean / failures).map_or(mean, |gamma| gamma.sample(rng));
        let count: f64 = Poisson::new(rate).map_or(0.0, |poisson| poisson.sample(rng));
        self.of_count(value, count) as f32
    }
}

/// The scale of a level's distribution; the same on every machine.
pub(super) fn scale_of_level(log_scale: f32) -> f64 {
    libm::exp(log_scale.clamp(LOG_SCALE_RANGE.0, LOG_SCALE_RANGE.1).into())
}

/// The level at a share of a logistic distribution of levels.
fn level([location, log_scale]: Parameters, share: f64) -> f32 {
    let x = f64::from(location) + scale_of_level(log_scale) * (share / (1.0 - share)).ln();
    ((255.0 * x).round().clamp(0.0, 255.0) / 255.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kinds: &[ColumnKind], dispersion: &[f32], log_means: &[f32]) -> Distribution {
        let start = kinds.iter().position(|kind| *kind == ColumnKind::Category);
        let table = TableSpec {
            kinds: kinds.to_vec(),
            categories: start.map(|start| start..kinds.len()).into_iter().collect(),
            log_means: log_means.to_vec(),
        };
        let (likelihood, dispersion) = (Likelihood::Columns, dispersion.to_vec());
        Distribution {
            likelihood,
            width: kinds.len(),
            table: Some(table),
            dispersion,
            log_freedom: 0.0,
            ranges: Vec::new(),
        }
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        use ColumnKind::{Category, Count, Number, YesNo};
        let kinds = [Number, YesNo, Count, Category, Category, Category];
        let all = of(&kinds, &[0.5_f32.ln(), 0.0, 2.0_f32.ln(), 0.0, 0.0, 0.0], &[0.0, 0.0, 1.3, 0.0, 0.0, 0.0]);
        // A count whose mean is 6.
        let shown = [2.0, 0.3, (7.0_f32).ln() - 1.3, 0.2, 0.7, 0.1];
        let rows = 200_000;
        let draw = || {
            let mut drawn = DecoderOutput { means: shown.repeat(rows), parameters: Vec::new() };
            all.draw(&mut drawn, 5).unwrap();
            drawn.means
        };
        let drawn = draw();
        let column = |i: usize| drawn.iter().skip(i).step_by(6).map(|v| f64::from(*v)).collect::<Vec<_>>();
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / rows as f64;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64)
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 0.03 * b.abs(), "{a}, not {b}");
        let (mean, variance) = moments(&column(0));
        near(mean, 2.0);
        near(variance, (0.5 * std::f64::consts::PI).powi(2) / 3.0);
        near(moments(&column(1)).0, 0.3);
        let counts: Vec<f64> = column(2).iter().map(|v| (v + f64::from(1.3_f32)).exp_m1()).collect();
        assert!(counts.iter().all(|count| (count - count.round()).abs() < 1e-4));
        let (mean, variance) = moments(&counts);
        near(mean, 6.0);
        // The mean, and its square over the failures.
        near(variance, 6.0 + 36.0 / 2.0);
        for (word, p) in [(3, 0.2), (4, 0.7), (5, 0.1)] {
            near(moments(&column(word)).0, p);
        }
        assert!(drawn.chunks(6).all(|row| row[3..].iter().sum::<f32>() == 1.0));
        assert_eq!(drawn, draw());
    }

    #[test]
    fn draws_have_their_extra_zeros() {
        let inflated =
            Distribution { likelihood: Likelihood::ZeroInflated, ..of(&[ColumnKind::Count; 2], &[0.0; 2], &[0.0; 2]) };
        // A mean of 2 with half of the counts extra zeros, and of 4 without.
        let rows = 200_000;
        let mut drawn = DecoderOutput {
            means: [3.0_f32.ln(), 5.0_f32.ln()].repeat(rows),
            parameters: vec![[0.5, 0.0].repeat(rows)],
        };
        inflated.draw(&mut drawn, 3).unwrap();
        for (column, mean, zeros) in [(0, 2.0, 0.6), (1, 4.0, 0.2)] {
            let counts = || drawn.means.iter().skip(column).step_by(2).map(|value| f64::from(*value).exp_m1().round());
            let found = counts().sum::<f64>() / rows as f64;
            assert!((found - mean).abs() < 0.04, "a mean of {found}, not {mean}");
            let found = counts().filter(|count| *count == 0.0).count() as f64 / rows as f64;
            assert!((found - zeros).abs() < 0.005, "{found} zeros, not {zeros}");
        }
    }

    /// Numbers around what is shown of them, with one scale.
    fn around(likelihood: Likelihood, scale: f32, freedom: f32) -> Distribution {
        let (dispersion, log_freedom) = (vec![scale.ln()], freedom.ln());
        Distribution { likelihood, width: 1, table: None, dispersion, log_freedom, ranges: Vec::new() }
    }

    #[test]
    fn draws_with_heavy_tails_have_the_quantiles_of_their_distributions() {
        // The shares of draws further off than 1 and than 4 scales (of Student's t with 3 degrees of freedom by its distribution
        // function, 0.5 + (t / (1 + t^2 / 3) / sqrt(3) + atan(t / sqrt(3))) / pi).
        for (likelihood, freedom, shares) in [
            (Likelihood::Laplace, 1.0, [(-1.0_f64).exp(), (-4.0_f64).exp()]),
            (Likelihood::StudentT, 3.0, [0.391_002, 0.028_010]),
            (Likelihood::GaussianLearned, 1.0, [0.317_311, 0.000_063]),
        ] {
            let distribution = around(likelihood, 0.5, freedom);
            let mut drawn = DecoderOutput { means: vec![2.0; 200_000], parameters: Vec::new() };
            distribution.draw(&mut drawn, 7).unwrap();
            let drawn = drawn.means;
            for (scales, share) in [0.5, 2.0].into_iter().zip(shares) {
                let beyond = drawn.iter().filter(|x| (**x - 2.0).abs() > scales).count() as f64 / 200_000.0;
                // Four standard errors.
                let error = 4.0 * (share * (1.0 - share) / 200_000.0).sqrt();
                assert!((beyond - share).abs() < error, "{likelihood:?}: {beyond} beyond {scales}, not {share}");
            }
            let above = drawn.iter().filter(|x| **x > 2.0).count() as f64 / 200_000.0;
            assert!((above - 0.5).abs() < 0.005, "{likelihood:?}: {above} above");
        }
    }

    /// Within a range, draws have the density of those without one and of their mirror images.
    #[test]
    fn draws_within_a_range_do_not_lie_on_its_ends() {
        let rows = 100_000;
        let drawn = |ranges: Vec<[f32; 2]>, shown: f32| {
            let mut drawn = DecoderOutput { means: vec![shown; rows], parameters: Vec::new() };
            around(Likelihood::Laplace, 0.5, 1.0).within(ranges).draw(&mut drawn, 9).unwrap();
            drawn.means
        };
        let share = |all: &[f32], within: [f32; 2]| {
            all.iter().filter(|x| within[0] < **x && **x < within[1]).count() as f64 / rows as f64
        };
        let (free, kept) = (drawn(Vec::new(), 2.0), drawn(vec![[1.0, 2.25]], 2.0));
        for [low, high] in [[1.0, 1.1], [1.5, 1.75], [2.0, 2.25]] {
            let mirrored = [[low, high], [2.0 - high, 2.0 - low], [4.5 - high, 4.5 - low]];
            let expected: f64 = mirrored.into_iter().map(|within| share(&free, within)).sum();
            assert!((share(&kept, [low, high]) - expected).abs() < 0.01, "{low} to {high}");
        }
        // What lies so far beyond that its mirror image does, too, is at the end.
        assert!(drawn(vec![[1.0, 2.25]], 50.0).iter().all(|x| *x == 2.25));
    }

    #[test]
    fn levels_are_drawn_as_probable_as_they_are() {
        let distribution = around(Likelihood::Logistic, 1.0, 1.0);
        let rows = 100_000;
        for parameters in [[0.02, 0.01_f32.ln()], [0.7, 0.2_f32.ln()]] {
            let parameters_of_all = parameters.iter().map(|parameter| vec![*parameter; rows]).collect();
            let mut drawn = DecoderOutput { means: vec![0.0; rows], parameters: parameters_of_all };
            distribution.draw(&mut drawn, 3).unwrap();
            for level in [0, 3, 5, 180, 255] {
                let x = level as f32 / 255.0;
                let found = drawn.means.iter().filter(|drawn| **drawn == x).count() as f64 / rows as f64;
                let share = (-distribution.loss(0, [x, 0.0], 0.0, parameters)).exp();
                // Four standard errors.
                assert!((found - share).abs() <= 4.0 * (share / rows as f64).sqrt() + 1e-6, "{level}: {found} {share}");
            }
        }
    }

    #[test]
    fn losses_are_those_of_the_textbook() {
        use ColumnKind::{Category, Count, Number, YesNo};
        let all = of(&[Number, YesNo, Count, Category], &[0.5_f32.ln(), 0.0, 0.0, 0.0], &[0.0, 0.0, 0.7, 0.0]);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a}, not {b}");
        // Two scales off: the density, and the mean of a width of two scales.
        near(all.loss(0, [1.0, 0.0], 2.0, [0.0, 0.0]), 2.0 + 2.0 * (-2.0_f64).exp().ln_1p() + 0.5_f64.ln());
        near(all.loss(0, [1.0, 0.5], 2.0, [0.0, 0.0]), -(0.268_941_421_4 - 0.047_425_873_2_f64).ln());
        near(all.loss(1, [1.0, 0.0], 0.3, [0.0, 0.0]), -(0.3_f64.ln()));
        // With one failure it is geometric: of 3 for a mean of 4, 0.2 times 0.8 cubed.
        near(all.loss(2, [4.0_f32.ln() - 0.7, 0.0], 5.0_f32.ln() - 0.7, [0.0, 0.0]), -(0.2 * 0.8_f64.powi(3)).ln());
        near(all.loss(3, [1.0, 0.0], 0.25, [0.0, 0.0]), 4.0_f64.ln());
        // With a scale of one half the density is exp(-2 |x - m|); with one degree of freedom it is Cauchy's.
        near(around(Likelihood::Laplace, 0.5, 1.0).loss(0, [1.0, 0.0], 2.5, [0.0, 0.0]), 3.0);
        near(
            around(Likelihood::StudentT, 2.0, 1.0).loss(0, [1.0, 0.0], 3.0, [0.0, 0.0]),
            (4.0 * std::f64::consts::PI).ln(),
        );
        // By scipy.stats.t(3, 2, 0.5).logpdf(1).
        near(around(Likelihood::StudentT, 0.5, 3.0).loss(0, [1.0, 0.0], 2.0, [0.0, 0.0]), 2.002_337_4);
        for likelihood in [Likelihood::Laplace, Likelihood::StudentT] {
            assert_eq!(around(likelihood, 0.5, 3.0).loss(0, [wgvae_engine::plan::MISSING, 0.0], 2.0, [0.0, 0.0]), 0.0);
        }
        // Half of the counts are extra zeros, and a mean of 2 is half of 4: the geometric distribution has a zero with 0.2.
        let inflated = Distribution { likelihood: Likelihood::ZeroInflated, ..of(&[Count], &[0.0], &[0.7]) };
        let (shown, zero) = (3.0_f32.ln() - 0.7, [0.5, 0.0]);
        near(inflated.loss(0, [-0.7, 0.0], shown, zero), -(0.6_f64.ln()));
        near(inflated.loss(0, [4.0_f32.ln() - 0.7, 0.0], shown, zero), -(0.1 * 0.8_f64.powi(3)).ln());
        assert_eq!(all.loss(3, [0.0, 0.0], 0.25, [0.0, 0.0]), 0.0);
        // All levels together are certain, wherever the location is and however wide the scale.
        let levels = around(Likelihood::Logistic, 1.0, 1.0);
        for parameters in [[0.3, -2.0], [0.0, -6.0], [-0.8, -1.0], [1.4, 1.5], [0.5003, -9.0]] {
            let shares = (0..256).map(|level| (-levels.loss(0, [level as f32 / 255.0, 0.0], 0.0, parameters)).exp());
            near(shares.sum(), 1.0);
        }
        // Between 99.5 and 100.5 of 255, with a scale of one tenth: by scipy.stats.logistic.
        near(levels.loss(0, [100.0 / 255.0, 0.0], 0.0, [0.5, 0.1_f32.ln()]), 4.902_649_78);
        assert_eq!(all.loss(0, [wgvae_engine::plan::MISSING, 0.0], 2.0, [0.0, 0.0]), 0.0);
    }
}
