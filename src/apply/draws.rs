//! Points in the latent space: draws and interpolations.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wgvae_data::{Examples, Values};
use wgvae_engine::exec::oracle;
use wgvae_engine::kernels::rng::{Stream, key};

use super::{Codes, RunError};

/// The generator of one purpose, on the host.
pub(super) fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Refuses a temperature that is negative or not finite.
pub fn expect_temperature(temperature: f32) -> Result<(), RunError> {
    match temperature >= 0.0 && temperature.is_finite() {
        true => Ok(()),
        false => Err(RunError::Unfit("the temperature must be 0 or a positive number".into())),
    }
}

/// `(N, Z)` draws from the prior, times the temperature; a function of the seed alone.
pub fn prior(count: usize, latent: usize, seed: u64, temperature: f32) -> Vec<f32> {
    let key = key(seed, Stream::Prior, 0);
    (0..count * latent).map(|i| temperature * oracle::normal::<f32>(key, i as u32, 0)).collect()
}

/// `(N, Z)` draws around `(N, Z)` codes: mean plus temperature times deviation times noise.
pub fn around(codes: &Codes, seed: u64, temperature: f32) -> Vec<f32> {
    let noise = prior(codes.rows(), codes.latent, seed, temperature);
    let spread = |i: usize| codes.logvar.get(i).map_or(0.0, |logvar| (0.5 * logvar).exp());
    codes.mu.iter().zip(noise).enumerate().map(|(i, (mu, noise))| mu + spread(i) * noise).collect()
}

/// The place that a number in [0, 1) falls on, where each has a share of these weights; where rounding leaves some, the likeliest.
pub(super) fn chosen(weights: &[f32], share: f32) -> usize {
    let mut left = share * weights.iter().sum::<f32>();
    let place = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    let likeliest = || (0..weights.len()).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap_or(0);
    place.unwrap_or_else(likeliest)
}

/// Rows of zeros and ones: each value is 1 with the probability that its level is. `keys` are those of the rows' draws.
pub(super) fn binarised(rows: &Examples, keys: impl Iterator<Item = [u32; 2]>, draw: u32) -> Examples {
    binarised_in(rows, 1, keys, draw)
}

/// Rows of zeros and ones as they are drawn when training evaluates them, in batches of so many.
pub(super) fn binarised_as_evaluated(rows: &Examples, batch: usize, seed: u64) -> Examples {
    let keys = (0_u64..).map(|number| key(seed, Stream::EvaluationBinarise, number));
    binarised_in(rows, batch, keys, 0)
}

/// Binarises rows with a key for each batch of so many rows.
fn binarised_in(rows: &Examples, batch: usize, keys: impl Iterator<Item = [u32; 2]>, draw: u32) -> Examples {
    let width = (rows.values.len() / rows.rows.max(1)).max(1);
    let of_batch = |(levels, key): (&[f32], [u32; 2])| -> Vec<f32> {
        let is_one = |(i, level): (usize, &f32)| oracle::uniform(key, i as u32, draw) < *level;
        levels.iter().enumerate().map(is_one).map(f32::from).collect()
    };
    let levels = rows.numbers(0..rows.rows, width);
    let drawn: Vec<f32> = levels.chunks(batch * width).zip(keys).flat_map(of_batch).collect();
    let bytes = matches!(rows.values, Values::Bytes(_));
    Examples { labels: rows.labels.clone(), ..Examples::of_numbers(&drawn, bytes, width) }
}

/// Linear interpolation: `steps` points from one code to another, both included.
pub fn line(from: &[f32], to: &[f32], steps: usize) -> Vec<f32> {
    shares(steps).flat_map(|t| from.iter().zip(to).map(move |(a, b)| a + (b - a) * t)).collect()
}

/// Spherical interpolation, with linearly changing length: draws from a prior of many dimensions lie near a sphere,
/// which a straight line leaves. Codes that point the same or opposite ways are interpolated linearly.
pub fn arc(from: &[f32], to: &[f32], steps: usize) -> Vec<f32> {
    let dot: f64 = from.iter().zip(to).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let (long, far) = (length(from), length(to));
    let angle = (dot / (long * far)).clamp(-1.0, 1.0).acos();
    let sine = angle.sin();
    if sine.is_nan() || sine <= 1e-6 {
        return line(from, to, steps);
    }
    let mut places = Vec::with_capacity(steps * from.len());
    for t in shares(steps).map(f64::from) {
        let (near, on) = (((1.0 - t) * angle).sin() / sine, (t * angle).sin() / sine);
        let here = long + (far - long) * t;
        let place = |(a, b): (&f32, &f32)| here * (near * f64::from(*a) / long + on * f64::from(*b) / far);
        places.extend(from.iter().zip(to).map(|pair| place(pair) as f32));
    }
    places
}

/// `(dimensions * steps, Z)`: each of the dimensions in turn goes from `-range` to `range` times its spread around
/// `start`, the others stay at `start`.
pub fn traversal(start: &[f32], spread: &[f32], dimensions: &[usize], range: f32, steps: usize) -> Vec<f32> {
    let mut z = Vec::with_capacity(dimensions.len() * start.len() * steps);
    for dimension in dimensions {
        let end = |side: f32| {
            let mut place = start.to_vec();
            place[*dimension] += side * range * spread[*dimension];
            place
        };
        z.extend(line(&end(-1.0), &end(1.0), steps));
    }
    z
}

/// `steps` numbers from 0 to 1.
fn shares(steps: usize) -> impl Iterator<Item = f32> {
    (0..steps).map(move |i| if steps > 1 { i as f32 / (steps - 1) as f32 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_engine::exec::oracle::Oracle;
    use wgvae_engine::kernels::batch::{Binarise, gather};
    use wgvae_engine::plan::{PlanId, Program, StepPlan, StepScalars, TensorTable};

    #[test]
    fn zeros_and_ones_are_those_of_the_device() {
        let (batch, width) = (3, 7);
        for bytes in [false, true] {
            let levels: Vec<f32> = (0..batch * width).map(|i| i as f32 / 20.0 % 1.0).collect();
            let rows = Examples::of_numbers(&[levels.clone(), levels].concat(), bytes, width);
            let mut tensors = TensorTable::default();
            let [data, x] = [("data", 2 * batch), ("x", batch)].map(|(name, rows)| match bytes {
                true => tensors.words(name, &[rows, width.div_ceil(4)]),
                false => tensors.floats(name, &[rows, width]),
            });
            let ops = vec![gather(&tensors, data, x, width, Binarise::Draw).unwrap()];
            let plans = vec![StepPlan { name: "gather".into(), ops }];
            let mut oracle = Oracle::<f32>::new(Program { tensors, plans, ..Program::default() });
            let buffer = |id| oracle.program().tensors.get(id).buffer;
            let (from, to) = (buffer(data), buffer(x));
            oracle.write_at(from, 0, &rows.words(width));
            let drawn = binarised_as_evaluated(&rows, batch, 4);
            for number in 0..2 {
                let binarise_key = key(4, Stream::EvaluationBinarise, number as u64);
                let offset = (number * batch) as u32;
                oracle.dispatch(PlanId(0), &StepScalars { binarise_key, offset, rows: 3, ..StepScalars::default() });
                let of_batch = number * batch..(number + 1) * batch;
                let expected = drawn.words_of(of_batch, width);
                assert_eq!(oracle.read_at(to, 0, expected.len()), expected, "batch {number}, bytes {bytes}");
            }
        }
    }

    #[test]
    fn both_ways_start_and_end_where_they_should() {
        let (from, to) = ([3.0, 0.0], [0.0, 1.0]);
        for way in [line, arc] {
            let places = way(&from, &to, 5);
            assert_eq!(places.len(), 10);
            for (place, end) in [(&places[..2], from), (&places[8..], to)] {
                assert!(place.iter().zip(end).all(|(a, b)| (a - b).abs() < 1e-6), "{places:?}");
            }
        }
        // Halfway along the arc: at 45 degrees, with the mean of the two lengths.
        let middle = &arc(&from, &to, 3)[2..4];
        assert!(middle.iter().all(|x| (x - 2.0 / 2.0_f32.sqrt()).abs() < 1e-6), "{middle:?}");
        assert_eq!(line(&from, &to, 3)[2..4], [1.5, 0.5]);
        assert_eq!(arc(&from, &[-3.0, 0.0], 3)[2..4], [0.0, 0.0]);
        assert_eq!(arc(&[0.0, 0.0], &to, 3)[2..4], [0.0, 0.5]);
    }

    #[test]
    fn draws_follow_the_seed_and_the_temperature() {
        let draws = prior(2000, 3, 7, 1.0);
        assert_eq!(draws, prior(2000, 3, 7, 1.0));
        assert_ne!(draws, prior(2000, 3, 8, 1.0));
        let variance = draws.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((variance - 1.0).abs() < 0.06, "{variance}");
        assert!(prior(9, 3, 7, 0.0).iter().all(|d| *d == 0.0));
        let codes = Codes { latent: 1, mu: vec![5.0; 1000], logvar: vec![-60.0; 1000] };
        assert!(around(&codes, 1, 1.0).iter().all(|z| (z - 5.0).abs() < 1e-9));
    }
}
