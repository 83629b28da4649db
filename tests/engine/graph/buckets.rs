//! A step of a bucket of short texts is the step of the same texts that goes as far as the longest text of all.

use wgvae::config::RowSpec;
use wgvae::model::{Bucket, DataSpec, Extent, TrainSpec, Vae};
use wgvae::train::initial_weights;
use wgvae_engine::exec::Executor;
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::plan::{PlanId, StepScalars};

use crate::graph::harness::{numbers, same};
use crate::graph::presets::config;

const ROWS: usize = 20;
const TOKENS: usize = 9;
const VOCABULARY: u32 = 6;

/// Texts whose tokens are at most so many, by their rows; behind its end, which is token 0, a text has none.
fn texts(longest: impl Fn(usize) -> usize) -> Vec<u32> {
    let token = |i: usize| {
        let (row, time) = (i / TOKENS, i % TOKENS);
        let last = row * 5 % longest(row);
        match time.cmp(&last) {
            std::cmp::Ordering::Less => (1 + threefry2x32([7, 7], [i as u32, 0])[0] % (VOCABULARY - 1)) as f32,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => -1.0,
        }
    };
    (0..ROWS * TOKENS).map(|i| token(i).to_bits()).collect()
}

/// The losses and the gradients of the rows from one on, in the order of the data.
fn step(vae: &Vae, plan: PlanId, from: usize, words: &[u32]) -> Vec<f64> {
    let mut oracle = Executor::OracleF64(Box::new(Oracle::new(vae.program.clone())));
    oracle.write_words(vae.train_data, words).unwrap();
    let classes: Vec<u32> = (0..ROWS as u32).map(|row| row * 7 % 4).collect();
    if let Some(labels) = vae.labels {
        oracle.write_words(labels.train, &classes).unwrap();
    }
    oracle.write(vae.clip, &[1.0]).unwrap();
    oracle.write(vae.weights, &initial_weights(&vae.program.params, 5)).unwrap();
    // What steps of other buckets left there.
    let left = vec![3.0; vae.program.params.arena_len()];
    oracle.write(vae.gradients, &left).unwrap();
    if let Some(noise) = vae.noise {
        let len = vae.program.tensors.get(noise).len();
        oracle.write(noise, &numbers(len, 3)).unwrap();
    }
    let rows = vae.program.tensors.get(vae.recon).len() as u32;
    let scalars = StepScalars { offset: from as u32, rows, ..StepScalars::default() };
    oracle.dispatch(plan, &scalars.with(wgvae::model::step::BETA, 0.7)).unwrap();
    let of = [vae.recon, vae.kl, vae.gradients];
    of.into_iter().flat_map(|tensor| oracle.read(tensor).unwrap()).map(f64::from).collect()
}

#[test]
fn a_step_of_a_bucket_is_that_of_its_texts() {
    let models = [
        "encoder = [\"embed 5\", \"lstm 4 both\", \"gru 6\", \"last\", \"dense 5\"]\ndecoder = [\"embed 3\", \"lstm 5\", \"gru 4\"]\n\
         condition = \"class\"",
        "encoder = [\"embed 6\", \"attend 2\", \"dense 4\", \"attend 1\", \"last\"]\ndecoder = [\"embed 4\", \"attend 2\", \"dense 5\"]",
        "encoder = [\"embed 5\", \"conv1d 6 k3 d2 tanh\", \"conv1d 4 k5 norm2\", \"mean\"]\n\
         decoder = [\"embed 3\", \"conv1d 4 k2 d3\", \"attend 2\", \"gru 4\"]\nobjective = \"iwae\"\nsamples = 3",
        "encoder = [\"embed 4\", \"gru 5\", \"mean\"]\ndecoder = [\"embed 3\", \"gru 5\"]\nprior = \"mixture\"\nprior_parts = 3",
    ];
    for model in models {
        let config = config(&format!("[model]\n{model}\nlikelihood = \"tokens\"\nlatent = 3\n[train]\nbatch = 5"));
        let extent = Extent::Tokens { steps: TOKENS, vocabulary: VOCABULARY as usize };
        let spec = config.vae_spec(RowSpec { extent, classes: 4, table: None, missing: false, rows: ROWS }).unwrap();
        let data = DataSpec { train_rows: ROWS, test_rows: 1, bytes: false };
        let buckets = vec![
            Bucket { tokens: 1, rows: 0..5 },
            Bucket { tokens: 4, rows: 5..12 },
            Bucket { tokens: TOKENS, rows: 12..ROWS },
        ];
        let words = texts(|row| match row {
            0..5 => 1,
            5..12 => 4,
            _ => TOKENS,
        });
        for fuse in [false, true] {
            let train = TrainSpec { fuse, ..config.train_spec() };
            let whole = Vae::with_given_noise(&spec, &train, data).unwrap();
            let in_buckets = TrainSpec { buckets: buckets.clone(), ..train };
            let vae = Vae::with_given_noise(&spec, &in_buckets, data).unwrap();
            assert_eq!((vae.plans.shorter.len(), &vae.buckets), (2, &buckets), "{model}");
            // The second row of each bucket on; the first bucket begins again.
            for (bucket, from) in [(0, 0), (1, 1), (2, 3)] {
                let start = buckets[bucket].rows.start;
                let found = step(&vae, vae.plans.of_bucket(bucket), from, &words);
                let expected = step(&whole, whole.plans.train, start + from, &words);
                let size = found.len() - vae.program.params.arena_len();
                same(&format!("losses of {model}, bucket {bucket}"), &found[..size], &expected[..size], 1e-7);
                same(&format!("gradients of {model}, bucket {bucket}"), &found[size..], &expected[size..], 1e-6);
            }
        }
    }
}

/// Batches that must have texts of all lengths, and layers that take all tokens at once, have no buckets.
#[test]
fn networks_without_buckets_have_none() {
    let model = "encoder = [\"embed 4\", \"gru 5\", \"last\"]";
    for (more, is_possible) in [
        ("", true),
        ("kl_at_most = 3.0", true),
        ("objective = \"ae\"", true),
        ("capacity = 3.0", false),
        ("objective = \"beta-tc\"", false),
        ("objective = \"dip-i\"", false),
        ("objective = \"info\"", false),
        ("prior = \"vamp\"\nprior_parts = 3", false),
        ("prior = \"mixture\"\nprior_parts = 3", true),
    ] {
        let config = config(&format!("[model]\n{model}\n{more}\nlikelihood = \"tokens\"\nlatent = 3"));
        let extent = Extent::Tokens { steps: TOKENS, vocabulary: VOCABULARY as usize };
        let spec = config.vae_spec(RowSpec { extent, classes: 4, table: None, missing: false, rows: ROWS }).unwrap();
        assert_eq!(spec.of_tokens(4).is_some(), is_possible, "{more}");
    }
}
