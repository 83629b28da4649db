//! t-SNE (van der Maaten and Hinton, 2008): a map in two dimensions in which vectors that are neighbours stay neighbours.
//!
//! What is drawn apart is exact, between all pairs; what is drawn together is between the nearest vectors only. It starts from the
//! principal components, and each sum has one order, so that the same vectors give the same bytes on any number of threads. (The crate
//! `bhtsne` 0.7.13 was looked at: it starts from random places without a seed, and its sums are in the order in which threads finish.)

use rayon::prelude::*;

/// The most vectors of a map: the time grows with their square.
pub const MAX: usize = 1500;
/// Fewer vectors than this have no neighbourhoods.
pub const FEWEST: usize = 30;
/// How many neighbours a vector has, about.
const PERPLEXITY: f64 = 30.0;
/// Steps, and how many of them draw together more strongly, by so much.
const STEPS: usize = 500;
const EARLY: usize = 120;
const EXAGGERATION: f32 = 12.0;
/// Numbers that are added up side by side.
const LANES: usize = 8;

/// The places of vectors `(N, dims)` on the map, at most 1,500 of them; `start` are their places to begin with, of which the scale does
/// not matter. None of too few, or of vectors that are not finite.
pub fn map(values: &[f32], dims: usize, start: &[[f32; 2]]) -> Option<Vec<[f32; 2]>> {
    let rows: Vec<&[f32]> = values.chunks_exact(dims.max(1)).take(MAX).collect();
    let is_finite = values.iter().take(MAX * dims).all(|value| value.is_finite());
    if rows.len() < FEWEST || start.len() < rows.len() || !is_finite {
        return None;
    }
    let near = Near::of(&rows);
    let mut places = begin(&start[..rows.len()]);
    let rate = (rows.len() as f32 / EXAGGERATION / 4.0).max(50.0);
    let (mut speed, mut gains) = (vec![[0.0_f32; 2]; rows.len()], vec![[1.0_f32; 2]; rows.len()]);
    for step in 0..STEPS {
        let (together, momentum) = if step < EARLY { (EXAGGERATION, 0.5) } else { (1.0, 0.8) };
        let slopes = slopes(&places, &near, together);
        for (((place, slope), speed), gain) in places.iter_mut().zip(&slopes).zip(&mut speed).zip(&mut gains) {
            for i in 0..2 {
                // Jacobs' rule: faster where the direction stays.
                gain[i] = if slope[i] * speed[i] < 0.0 { gain[i] + 0.2 } else { (gain[i] * 0.8).max(0.01) };
                speed[i] = momentum * speed[i] - rate * gain[i] * slope[i];
                place[i] += speed[i];
            }
        }
        centre(&mut places);
    }
    places.iter().flatten().all(|place| place.is_finite()).then_some(places)
}

/// Small places like those to start from, no two of them on each other.
fn begin(start: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut places = start.to_vec();
    centre(&mut places);
    let square: f64 = places.iter().map(|place| f64::from(place[0]).powi(2)).sum();
    let scale = 1e-4 / ((square / places.len() as f64).sqrt() as f32).max(f32::MIN_POSITIVE);
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 1e-6
    };
    places.iter().map(|place| place.map(|v| v * scale + draw())).collect()
}

fn centre(places: &mut [[f32; 2]]) {
    for i in 0..2 {
        let mean = places.iter().map(|place| f64::from(place[i])).sum::<f64>() / places.len() as f64;
        places.iter_mut().for_each(|place| place[i] -= mean as f32);
    }
}

/// The probabilities by which vectors are neighbours: of each the others, with theirs.
struct Near(Vec<Vec<(u32, f32)>>);

impl Near {
    fn of(rows: &[&[f32]]) -> Self {
        let count = rows.len();
        let perplexity = PERPLEXITY.min((count - 1) as f64 / 3.0);
        let most = ((3.0 * perplexity) as usize).min(count - 1);
        let of_row = |i: usize| -> Vec<(u32, f64)> {
            let distance = |j: usize| rows[i].iter().zip(rows[j]).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            let mut others: Vec<(f32, u32)> = (0..count).filter(|j| *j != i).map(|j| (distance(j), j as u32)).collect();
            let by_distance = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            others.select_nth_unstable_by(most - 1, by_distance);
            others.truncate(most);
            others.sort_unstable_by(by_distance);
            let nearest = others[0].0;
            let distances: Vec<f64> = others.iter().map(|(distance, _)| f64::from(distance - nearest)).collect();
            let shares = shares(&distances, perplexity);
            others.iter().zip(shares).map(|((_, j), share)| (*j, share)).collect()
        };
        let one_way: Vec<Vec<(u32, f64)>> = (0..count).into_par_iter().map(of_row).collect();
        // Both ways, with a sum of 1.
        let mut both: Vec<Vec<(u32, f64)>> = one_way.clone();
        for (i, others) in one_way.iter().enumerate() {
            others.iter().for_each(|(j, share)| both[*j as usize].push((i as u32, *share)));
        }
        let joined = |mut others: Vec<(u32, f64)>| -> Vec<(u32, f32)> {
            others.sort_by_key(|(j, _)| *j);
            others
                .chunk_by(|a, b| a.0 == b.0)
                .map(|same| (same[0].0, (same.iter().map(|(_, share)| share).sum::<f64>() / 2.0 / count as f64) as f32))
                .collect()
        };
        Self(both.into_iter().map(joined).collect())
    }
}

/// Shares of a normal distribution at these squared distances, as wide as gives this perplexity.
fn shares(distances: &[f64], perplexity: f64) -> Vec<f64> {
    let of = |precision: f64| -> (Vec<f64>, f64) {
        let weights: Vec<f64> = distances.iter().map(|distance| (-precision * distance).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mean: f64 = weights.iter().zip(distances).map(|(weight, distance)| weight * distance).sum::<f64>() / sum;
        (weights.iter().map(|weight| weight / sum).collect(), sum.ln() + precision * mean)
    };
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let largest = distances.last().copied().unwrap_or(0.0).max(1e-30);
    let mut precision = 1.0 / largest;
    for _ in 0..64 {
        let entropy = of(precision).1;
        if (entropy - perplexity.ln()).abs() < 1e-5 {
            break;
        }
        if entropy > perplexity.ln() {
            low = precision
        } else {
            high = precision
        }
        precision = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * precision };
    }
    of(precision).0
}

/// The gradient of the divergence between neighbourhoods of vectors and of places, by each place.
fn slopes(places: &[[f32; 2]], near: &Near, together: f32) -> Vec<[f32; 2]> {
    let [x, y]: [Vec<f32>; 2] = [0, 1].map(|i| places.iter().map(|place| place[i]).collect());
    let apart: Vec<(f32, [f32; 2])> = (0..places.len()).into_par_iter().map(|i| apart(places[i], &x, &y)).collect();
    // Each place is one of those that it was compared with.
    let whole: f64 = apart.iter().map(|(sum, _)| f64::from(*sum) - 1.0).sum();
    let scale = (1.0 / whole.max(1e-30)) as f32;
    let slope = |i: usize| {
        let mut slope = [0.0; 2];
        for (j, share) in &near.0[i] {
            let other = places[*j as usize];
            let [dx, dy] = [places[i][0] - other[0], places[i][1] - other[1]];
            let pull = share / (1.0 + dx * dx + dy * dy);
            slope[0] += pull * dx;
            slope[1] += pull * dy;
        }
        [0, 1].map(|c| 4.0 * (together * slope[c] - scale * apart[i].1[c]))
    };
    (0..places.len()).into_par_iter().map(slope).collect()
}

/// What pushes a place from all others: the sum of `1 / (1 + d²)`, and of its square times the differences.
fn apart(place: [f32; 2], x: &[f32], y: &[f32]) -> (f32, [f32; 2]) {
    let mut sums = [[0.0_f32; LANES]; 3];
    let mut add = |lane: usize, x: f32, y: f32| {
        let (dx, dy) = (place[0] - x, place[1] - y);
        let near = 1.0 / (1.0 + dx * dx + dy * dy);
        let square = near * near;
        sums[0][lane] += near;
        sums[1][lane] += square * dx;
        sums[2][lane] += square * dy;
    };
    let (wide_x, wide_y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = wide_x.remainder().iter().zip(wide_y.remainder());
    for (x, y) in wide_x.zip(wide_y) {
        for lane in 0..LANES {
            add(lane, x[lane], y[lane]);
        }
    }
    rest.for_each(|(x, y)| add(0, *x, *y));
    let [near, dx, dy] = sums.map(|lanes| lanes.iter().sum());
    (near, [dx, dy])
}

#[cfg(test)]
mod tests {
    use super::super::principal;
    use super::*;

    /// Groups around the corners of a simplex: no plane shows all of them.
    fn groups(count: usize, each: usize) -> Vec<f32> {
        let mut state = 3_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count * each)
            .flat_map(|i| (0..count).map(move |d| f32::from(d == i % count)).collect::<Vec<_>>())
            .map(|corner| 2.0 * corner + draw())
            .collect()
    }

    /// The share of places whose nearest neighbour is of their group.
    fn together(places: &[[f32; 2]], count: usize) -> f64 {
        let far = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let nearest = |i: usize| {
            let others = (0..places.len()).filter(|j| *j != i);
            others.min_by(|a, b| far(places[i], places[*a]).total_cmp(&far(places[i], places[*b]))).unwrap()
        };
        (0..places.len()).filter(|i| nearest(*i) % count == i % count).count() as f64 / places.len() as f64
    }

    #[test]
    fn groups_that_no_plane_shows_are_apart_on_the_map() {
        let (count, each) = (9, 30);
        let values = groups(count, each);
        let start = principal(&values, count).points;
        let found = map(&values, count, &start).unwrap();
        let (before, after) = (together(&start, count), together(&found, count));
        assert!(before < 0.7 && after > 0.98, "{before} {after}");
    }

    #[test]
    fn the_same_vectors_give_the_same_bytes_on_any_threads() {
        let values = groups(5, 20);
        let start = principal(&values, 5).points;
        let found = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| map(&values, 5, &start).unwrap())
        });
        let bits = |places: &[[f32; 2]]| places.iter().flatten().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found[0]), bits(&found[1]));
    }

    #[test]
    fn odd_vectors_do_no_harm() {
        assert_eq!(map(&[1.0; 40], 4, &[[0.0; 2]; 10]), None);
        let mut values = groups(5, 20);
        let start = principal(&values, 5).points;
        values[7] = f32::NAN;
        assert_eq!(map(&values, 5, &start), None);
        // All vectors the same, and two places alone.
        for values in [vec![1.0; 50 * 4], (0..50 * 4).map(|i| f32::from(i % 8 < 4)).collect()] {
            let found = map(&values, 4, &principal(&values, 4).points).unwrap();
            assert!(found.iter().flatten().all(|place| place.is_finite()), "{found:?}");
        }
    }
}
