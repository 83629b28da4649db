//! Scores of codes by the factors of their rows: of codes that are as good as can be, that know nothing, and that mix all factors.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgvae::Codes;
use wgvae::apply::{FactorScores, PriorMixture};
use wgvae::data::Factors;

use super::place::{Place, read};

const ROWS: usize = 4000;
const COUNTS: [usize; 4] = [3, 6, 10, 32];

/// Factors that are drawn independently; the first has no order.
fn factors() -> Factors {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values =
        (0..ROWS).flat_map(|_| COUNTS.map(|count| count as u16)).map(|count| rng.random_range(0..count)).collect();
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

/// The first two factors and the last two mixed in two dimensions each, by a turn of 0.35.
fn mixed() -> (Codes, Factors) {
    let (sine, cosine) = 0.35_f32.sin_cos();
    let turn = |a: f32, b: f32| [cosine * a - sine * b, sine * a + cosine * b];
    codes(|[a, b, c, d], noise| {
        let ([first, second], [third, fourth]) = (turn(*a, *b), turn(*c, *d));
        [first, second, third, fourth, noise[0], noise[1]]
    })
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, not {expected} +- {tolerance}");
}

fn scores((codes, factors): &(Codes, Factors)) -> FactorScores {
    FactorScores::of(codes, &PriorMixture::standard(codes.latent), factors, 7).unwrap()
}

/// Numbers beside codes are those of scikit-learn 1.9.1 and NumPy of the same codes: `mutual_info_score`, `LinearRegression`,
/// `LinearDiscriminantAnalysis`, `RandomForestRegressor` with 50 trees and leaves of five rows, `LogisticRegression`, with other halves
/// of the rows and other draws.
#[test]
fn a_code_as_good_as_can_be_has_the_best_scores() {
    let s = scores(&perfect());
    assert_eq!((s.rows, s.names.len(), s.mig.dimension.as_slice()), (ROWS, 4, &[2, 4, 5, 1][..]));
    near(s.mig.score, 0.951_325_034_197_652_5, 1e-12, "MIG");
    // The 32 values do not fit into 20 bins.
    near(s.mig.per_factor[3], 0.828_541_17, 1e-8, "MIG of a factor of many values");
    near(s.sap.score, 0.917, 0.01, "SAP");
    assert_eq!(s.sap.dimension, [2, 4, 5, 1]);
    assert_eq!(s.sap.measure, ["accuracy", "r2", "r2", "r2"]);
    for score in [s.dci.disentanglement, s.dci.completeness, s.dci.informativeness] {
        near(score, 1.0, 0.001, "DCI");
    }
    assert!(s.beta_vae.score > 0.99 && s.factor_vae.score > 0.99, "{:?} {:?}", s.beta_vae, s.factor_vae);
}

#[test]
fn a_code_that_knows_nothing_has_the_worst() {
    let s = scores(&random());
    near(s.mig.score, 0.000_506_551_3, 1e-9, "MIG");
    near(s.sap.score, 0.0, 0.01, "SAP");
    for score in [s.dci.disentanglement, s.dci.completeness, s.dci.informativeness] {
        near(score, 0.0, 0.005, "DCI");
    }
    for votes in [&s.beta_vae, &s.factor_vae] {
        near(votes.chance, 0.25, 1e-12, "chance");
        near(votes.score, 0.25, 0.04, "votes");
    }
}

#[test]
fn a_turned_code_knows_all_but_not_apart() {
    let s = scores(&turned());
    near(s.mig.score, 0.002_366_179_7, 1e-9, "MIG");
    near(s.sap.score, 0.011, 0.015, "SAP");
    near(s.dci.disentanglement, 0.0012, 0.002, "disentanglement");
    near(s.dci.completeness, 0.2197, 0.01, "completeness");
    near(s.dci.informativeness, 0.974, 0.01, "informativeness");
    near(s.beta_vae.score, 0.469, 0.05, "beta-VAE");
    near(s.factor_vae.score, 0.25, 0.04, "FactorVAE");
}

#[test]
fn a_code_that_mixes_some_is_in_between() {
    let s = scores(&mixed());
    near(s.mig.score, 0.4674, 0.002, "MIG");
    near(s.mig.per_factor[3], 0.1358, 0.002, "MIG of a factor of many values");
    near(s.sap.score, 0.713, 0.015, "SAP");
    near(s.dci.disentanglement, 0.8329, 0.01, "disentanglement");
    near(s.dci.completeness, 0.8715, 0.01, "completeness");
    near(s.dci.informativeness, 0.9998, 0.002, "informativeness");
    assert!(s.beta_vae.score > 0.99 && s.factor_vae.score > 0.99, "{:?} {:?}", s.beta_vae, s.factor_vae);
}

/// Dimensions that are as the prior are no votes, a factor with one value has none, and the seed decides all.
#[test]
fn dimensions_and_factors_that_say_nothing_are_left_out() {
    let (codes, factors) = perfect();
    // The two dimensions of noise have the variance of the prior, and the mean of it but for a trace.
    let is_noise = |i: usize| [0, 3].contains(&(i % 6));
    let mu: Vec<f32> =
        codes.mu.iter().enumerate().map(|(i, z)| if is_noise(i) { 1e-3 * z.signum() } else { *z }).collect();
    let logvar = (0..mu.len()).map(|i| if is_noise(i) { 0.0 } else { -4.0 }).collect();
    let collapsed = Codes { latent: 6, mu, logvar };
    let s = scores(&(collapsed.clone(), factors.clone()));
    assert_eq!((s.factor_vae.dimensions, s.beta_vae.dimensions), (4, 6));
    assert!(s.factor_vae.score > 0.99);
    assert_eq!(s, scores(&(collapsed.clone(), factors.clone())));
    let other = FactorScores::of(&collapsed, &PriorMixture::standard(collapsed.latent), &factors, 8).unwrap();
    assert!(other.mig == s.mig && other.sap != s.sap);
    // A code without an active dimension guesses as well as nothing does.
    let nothing = Codes { mu: vec![0.0; codes.mu.len()], logvar: vec![0.0; codes.mu.len()], ..codes.clone() };
    let none = scores(&(nothing, factors.clone()));
    assert_eq!(
        (none.mig.score, none.sap.score, none.dci.disentanglement, none.factor_vae.dimensions),
        (0.0, 0.0, 0.0, 0)
    );
    near(none.factor_vae.score, 0.25, 0.04, "FactorVAE of nothing");
    near(none.beta_vae.score, 0.25, 0.04, "beta-VAE of nothing");

    let of_kind = |values: &mut Vec<u16>| values.iter_mut().step_by(4).for_each(|kind| *kind = 2);
    let mut same = factors.clone();
    of_kind(&mut same.values);
    let s = scores(&(codes.clone(), same));
    assert_eq!((s.names.len(), s.constant), (3, vec!["kind".to_string()]));

    let error = |codes: &Codes, factors: &Factors| {
        FactorScores::of(codes, &PriorMixture::standard(codes.latent), factors, 7).unwrap_err().to_string()
    };
    let few =
        |rows: usize| (codes.of(0..rows), Factors { values: factors.values[..rows * 4].to_vec(), ..factors.clone() });
    let (some, of_some) = few(20);
    assert!(error(&some, &of_some).contains("20 rows are too few"));
    let (some, of_some) = few(100);
    assert!(error(&some, &factors).contains("16000 values of 4 factors do not belong to 100 rows"));
    let alone = Factors { values: (0..400).map(|i| if i % 4 == 3 { i / 4 } else { 1 }).collect(), ..of_some.clone() };
    assert!(error(&some, &alone).contains("no two of these rows have the same place"));
    let all_alike = Factors { values: vec![1; 400], ..of_some.clone() };
    assert!(error(&some, &all_alike).contains("have the same factors"));
    let mut broken = some.clone();
    broken.mu[13] = f32::NAN;
    assert!(error(&broken, &of_some).contains("the code of row 2 is not finite"));
}

/// Through the program: scores and pictures of a short run on sprites, and of data without factors a sentence.
#[test]
fn runs_are_scored_and_shown_by_factors() {
    let place = Place::new();
    let train = "train --device cpu --steps 40 --hidden 32 --latent 4 --batch 32";
    place.done(&format!("{train} --data sprites:count=300 --image-size 16x16 --out run"));
    place.done(&format!("{train} --data strokes:count=100 --out strokes"));
    let eval = place.json("eval run --device cpu --factors --json");
    let scores = &eval["factors"];
    assert_eq!(scores["names"], serde_json::json!(["shape", "scale", "rotation", "x", "y"]));
    assert_eq!(scores["rows"], 60);
    for score in ["mig", "sap", "dci", "beta_vae", "factor_vae"] {
        assert!(scores[score]["estimator"].as_str().is_some_and(|text| text.len() > 20), "{score}: {eval}");
    }
    // The file and the text have the same figures.
    let file: serde_json::Value = serde_json::from_str(&read(&place.path("run/eval.json"))).unwrap();
    assert_eq!(&file["factors"], scores);
    let text = place.done("eval run --device cpu --factors");
    let line = |name: &str, number: &serde_json::Value| format!("{name:<15} {:.3}", number.as_f64().unwrap());
    for (name, number) in [("MIG", &scores["mig"]["score"]), ("FactorVAE", &scores["factor_vae"]["score"])] {
        assert!(text.lines().any(|l| l.starts_with(&line(name, number))), "{text}");
    }
    assert!(place.json("eval run --device cpu --json").get("factors").is_none());
    assert_eq!(place.json("eval run --device cpu --factors --train --json")["factors"]["rows"], 300);
    let hearts = place.json("eval run --device cpu --factors --data sprites:count=1500 --keep-label heart --json");
    assert_eq!(hearts["factors"]["constant"], serde_json::json!(["shape"]));
    let (code, output) = place.refused("eval strokes --device cpu --factors");
    assert!(code == 2 && output.contains("these rows have no known factors") && output.contains("sprites"), "{output}");

    let output = place.done("traverse run --device cpu --factors --steps 5 --row 7");
    assert!(output.contains("rotation  moves ") && output.contains("run/factors.png"), "{output}");
    let moves = place.json("traverse run --device cpu --factors --steps 5 --row 7 --json");
    assert_eq!(moves["moves"]["scale"].as_array().unwrap().len(), moves["active"].as_array().unwrap().len());
    assert!(moves["written"][0].as_str().unwrap().ends_with("factors.png"), "{moves}");
    let sheet = place.done("traverse run --device cpu --factors --steps 5 --row 7 --to -");
    let cell = |row: &str| row.split(',').take(2).map(String::from).collect::<Vec<_>>();
    let found: Vec<Vec<String>> = sheet.lines().map(cell).collect();
    assert_eq!((found.len(), &found[0][..]), (1 + 3 + 5 * 4, &["factor".to_string(), "value".to_string()][..]));
    assert_eq!(found[3..5], [["shape", "2"], ["scale", "0"]].map(|row| row.map(String::from).to_vec()));
    let output = place.wgvae("traverse run --device cpu --factors --row 60");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && message.contains("there is no row 60: there are 60 rows"), "{message}");
    let (_, output) = place.refused("traverse strokes --device cpu --factors");
    assert!(output.contains("these rows have no known factors"), "{output}");
}
