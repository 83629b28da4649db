//! Scores of codes by the factors of their rows: of codes that are as good as can be, that know nothing, and that mix all factors.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgvae::Codes;
use wgvae::apply::FactorScores;
use wgvae::data::Factors;

use super::place::{Place, read};

const ROWS: usize = 4000;
const COUNTS: [usize; 4] = [3, 6, 10, 32];

/// Factors that are drawn independently; the first has no order.
fn factors() -> Factors {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values = (0..ROWS).flat_map(|_| COUNTS.map(|count| count as u16)).map(|count| rng.random_range(0..count)).collect();
    Factors {
        names: ["kind", "size", "angle", "place"].map(String::from).into(),
        counts: COUNTS.into(),
        ordered: vec![false, true, true, true],
        values,
    }
}

/// `(N, 4)`: each factor from -1 to 1.
fn scaled(factors: &Factors) -> Vec<[f32; 4]> {
    let share = |value: u16, count: usize| 2.0 * f32::from(value) / (count - 1) as f32 - 1.0;
    factors.values.chunks(4).map(|row| std::array::from_fn(|i| share(row[i], COUNTS[i]))).collect()
}

/// Codes of six dimensions.
fn codes(mut of: impl FnMut(&[f32; 4], [f32; 6]) -> [f32; 6]) -> (Codes, Factors) {
    let factors = factors();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut noise = move || std::array::from_fn(|_| rng.random::<f32>() * 2.0 - 1.0);
    let mu = scaled(&factors).iter().flat_map(|row| of(row, noise())).collect();
    (Codes { latent: 6, mu, logvar: Vec::new() }, factors)
}

/// Each factor is a dimension, in another order and at another scale, between two of noise.
fn perfect() -> (Codes, Factors) {
    codes(|[kind, size, angle, place], noise| [noise[0], 3.0 * place, -kind, noise[3], 0.5 * size, 2.0 * angle])
}

fn random() -> (Codes, Factors) {
    codes(|_, noise| noise)
}

/// Four dimensions of a code as good as can be, turned by an orthogonal matrix in which all numbers are as large.
fn turned() -> (Codes, Factors) {
    codes(|[a, b, c, d], noise| {
        let sum = |signs: [f32; 4]| 0.5 * (signs[0] * a + signs[1] * b + signs[2] * c + signs[3] * d);
        let [first, second] = [sum([1.0, 1.0, 1.0, 1.0]), sum([1.0, -1.0, 1.0, -1.0])];
        [first, second, sum([1.0, 1.0, -1.0, -1.0]), sum([1.0, -1.0, -1.0, 1.0]), noise[0], noise[1]]
    })
}

#[test]
fn dump() {
    for (name, (codes, factors)) in [("perfect", perfect()), ("random", random()), ("turned", turned())] {
        let z: Vec<u8> = codes.mu.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(format!("/tmp/w/fscratch/{name}.f32"), z).unwrap();
        let f: Vec<u8> = factors.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(format!("/tmp/w/fscratch/{name}.u16"), f).unwrap();
        let start = std::time::Instant::now();
        let scores = FactorScores::of(&codes, &factors, 7).unwrap();
        println!("{name} {:?} {}", start.elapsed(), serde_json::to_string(&scores).unwrap());
    }
}
