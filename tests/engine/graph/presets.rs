//! Whole models of configurations: fused, they compute what their graphs say.

use wgvae::config::{Config, PRESETS, RowSpec};
use wgvae::model::{DataSpec, Extent, Likelihood, Vae};
use wgvae::train::{StepSchedule, initial_weights};
use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::exec::oracle::Oracle;
use wgvae_engine::exec::{Executor, OpenDevice};
use wgvae_engine::kernels::rng::threefry2x32;
use wgvae_engine::plan::{MISSING, Program};

use crate::common;
use crate::graph::harness::{numbers, same};

pub fn config(toml: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    Config::resolve(None, Some(file.path()), toml::Table::new()).unwrap()
}

/// Every preset, and what presets leave out.
fn configs() -> Vec<(String, Config)> {
    let mut all: Vec<(String, Config)> = PRESETS
        .iter()
        .map(|(name, _)| (name.to_string(), Config::resolve(Some(name), None, toml::Table::new()).unwrap()))
        .collect();
    for (name, toml) in [
        ("tied", "[model]\nhidden = [12, 9]\ntied = true\nactivation = \"gelu\"\n[train]\nclip = 1.0"),
        ("tied autoencoder", "[model]\nhidden = [12]\nobjective = \"ae\"\ntied = true\nlatent_activation = \"tanh\""),
        ("conditional", "[model]\nhidden = [12]\ncondition = \"class\""),
        ("conditional images", "[model]\nencoder = [\"conv 4 k3 norm\", \"dense 9\"]\ncondition = \"class\""),
        // Adam would divide by the size of gradients that a norm leaves next to nothing of.
        ("residual first", "[model]\nencoder = [\"res 4\", \"dense 9\"]\n[train]\noptimizer = \"sgd\"\nlr = 0.01"),
        ("transposed first", "[model]\nencoder = [\"conv-t 4 k3 s1\", \"dense 9\"]"),
        ("larger first", "[model]\nencoder = [\"up 2\", \"conv 4 k3 s2\"]\ndecoder = [\"dense 9\"]"),
        ("smaller first", "[model]\nencoder = [\"pool 3\", \"dense 9\"]\ndecoder = [\"dense 9\"]"),
        ("levels of images", "[model]\nencoder = [\"conv 4 k3 norm\", \"dense 9\"]\nlikelihood = \"logistic\""),
        ("linear", "[model]\nhidden = []\nlatent = 5\nlikelihood = \"gaussian-learned\""),
        ("free bits", "[model]\nhidden = [12]\nfree_bits = 0.05"),
        ("capacity", "[model]\nhidden = [12]\ncapacity = 2.0\nbeta = 9.0"),
        ("at most", "[model]\nhidden = [12]\nkl_at_most = 0.3"),
        ("beta-tc", "[model]\nhidden = [12]\nobjective = \"beta-tc\"\ntc_stratified = true\nlatent = 5"),
        ("dip-ii", "[model]\nhidden = [12]\nobjective = \"dip-ii\"\nlatent = 5"),
        ("info", "[model]\nhidden = [12]\nobjective = \"info\"\nlatent = 5"),
        ("iwae", "[model]\nhidden = [12]\nobjective = \"iwae\"\nsamples = 5\ncondition = \"class\""),
        (
            "miwae of images",
            "[model]\nencoder = [\"conv 4 k3 norm\"]\nobjective = \"iwae\"\nsamples = 4\nsample_groups = 2\nelbo_share = 0.2",
        ),
        ("mixture", "[model]\nhidden = [12]\nlatent = 5\nprior = \"mixture\"\nprior_parts = 6\ncondition = \"class\""),
        (
            "vamp of images",
            "[model]\nencoder = [\"conv 4 k3 norm\"]\nprior = \"vamp\"\nprior_parts = 11\nobjective = \"iwae\"\nsamples = 3",
        ),
        ("doubly", "[model]\nhidden = [12]\nobjective = \"iwae\"\nsamples = 3\ndoubly_reparameterised = true"),
    ] {
        all.push((name.to_string(), config(toml)));
    }
    let tokens = "likelihood = \"tokens\"";
    for (name, toml) in [
        ("text", format!("[model]\nencoder = [\"embed 5\", \"gru 6\", \"last\"]\n{tokens}")),
        // The bias of all keys shifts all scores of a query alike, so its gradient is rounding, and Adam would divide by its size.
        (
            "text with attention",
            format!(
                "[model]\nencoder = [\"embed 6\", \"attend 2\", \"dense 4\", \"attend 1\", \"last\"]\n{tokens}\n\
                 [train]\noptimizer = \"sgd\"\nlr = 0.01"
            ),
        ),
        (
            "text with convolutions over times",
            format!(
                "[model]\nencoder = [\"embed 5\", \"conv1d 6 k3 d2 tanh\", \"conv1d 4 k5 norm2\", \"mean\"]\n\
                 decoder = [\"embed 3\", \"conv1d 4 k2 d3\", \"attend 2\", \"gru 4\"]\ncondition = \"class\"\n{tokens}\n\
                 [train]\noptimizer = \"sgd\"\nlr = 0.01"
            ),
        ),
        ("text of lstm", format!("[model]\nencoder = [\"embed 5\", \"lstm 4\", \"lstm 5\", \"last\"]\n{tokens}")),
        (
            "text in both directions",
            format!(
                "[model]\nencoder = [\"embed 5\", \"lstm 4 both\", \"gru 3 both\", \"last\", \"dense 4\"]\n\
                 decoder = [\"embed 3\", \"lstm 5\", \"gru 4\", \"dense 6\"]\ncondition = \"class\"\nword_dropout = 0.3\n{tokens}"
            ),
        ),
        (
            "text by its mean",
            format!(
                "[model]\nencoder = [\"embed 4\", \"dense 5 tanh\", \"gru 5\", \"mean\"]\ndecoder = [\"embed 3\", \"gru 5\"]\n\
                 objective = \"iwae\"\nsamples = 3\n{tokens}"
            ),
        ),
    ] {
        all.push((name.to_string(), config(&toml)));
    }
    for (name, model) in [
        ("series", "encoder = [\"gru 5 both\", \"last\"]\ndecoder = [\"gru 4\"]\nlikelihood = \"gaussian-learned\""),
        (
            "series of two layers",
            "encoder = [\"lstm 4\", \"dense 6 tanh\", \"gru 5\", \"mean\", \"dense 4\"]\ndecoder = [\"dense 5 silu\", \"lstm 3 both\", \"gru 4\"]\n\
             likelihood = \"student-t\"\ncondition = \"class\"\nobjective = \"iwae\"\nsamples = 3",
        ),
        (
            "series by their mirror",
            "encoder = [\"gru 5\", \"gru 4\", \"last\"]\nlikelihood = \"gaussian\"\nprior = \"vamp\"\nprior_parts = 4",
        ),
    ] {
        all.push((name.to_string(), config(&format!("[model]\n{model}\nlatent = 3"))));
    }
    for likelihood in Likelihood::ALL.into_iter().filter(|likelihood| *likelihood != Likelihood::Tokens) {
        let name = likelihood.name();
        let sigma = if likelihood.takes_sigma() { "sigma = 0.4" } else { "" };
        let text = format!("[model]\nhidden = [13]\nlatent = 3\nlikelihood = \"{name}\"\n{sigma}");
        all.push((name.to_string(), config(&text)));
    }
    for (_, config) in &mut all {
        // Small, so that the plan as it was lowered does not take long; no multiple of anything.
        config.train.batch = 9;
    }
    all
}

/// Sizes of sequences.
#[derive(Clone, Copy)]
struct Sizes {
    /// T
    times: usize,
    /// Tokens of the vocabulary of texts.
    vocabulary: u32,
    /// Channels of series.
    channels: usize,
    /// Whether each third row is whole and the others end soon; else rows are of all lengths.
    are_short: bool,
}

impl Sizes {
    const USUAL: Self = Self { times: 7, vocabulary: 6, channels: 3, are_short: false };

    /// The number of the last time of a row.
    fn end(self, row: usize) -> usize {
        match (self.are_short, row % 3) {
            (true, 0) => self.times - 1,
            (true, other) => (other - 1).min(self.times - 1),
            (false, _) => row * 5 % self.times,
        }
    }
}

/// Whether an encoder begins with a recurrent layer, which takes series.
fn is_of_series(config: &Config) -> bool {
    let first = config.model.encoder.iter().flatten().next().map(ToString::to_string);
    first.is_some_and(|layer| layer.starts_with("gru") || layer.starts_with("lstm"))
}

/// Series of all lengths, as the device has them, with gaps in them.
fn series(len: usize, of: Sizes) -> Vec<u32> {
    let values = numbers(len, 8);
    let value = |i: usize| {
        let (row, time) = (i / (of.times * of.channels), i / of.channels % of.times);
        if time > 1 + of.end(row) || i % 11 == 3 { MISSING } else { values[i] }
    };
    (0..len).map(|i| value(i).to_bits()).collect()
}

/// Texts of all lengths, as the device has them: token 0 ends each, and behind it there is none.
fn tokens(len: usize, of: Sizes) -> Vec<u32> {
    let token = |i: usize| {
        let (row, time) = (i / of.times, i % of.times);
        match of.end(row).cmp(&time) {
            std::cmp::Ordering::Less => -1.0_f32,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => (1 + threefry2x32([7, 7], [i as u32, 0])[0] % (of.vocabulary - 1)) as f32,
        }
    };
    (0..len).map(|i| token(i).to_bits()).collect()
}

/// Three steps of a model: its losses and where its weights are.
fn steps(config: &Config, sizes: Sizes, [fuse, bytes]: [bool; 2], run: impl FnOnce(Program) -> Executor) -> Vec<f64> {
    // As small as the model's layers allow.
    let of = |image| {
        config.vae_spec(RowSpec { extent: Extent::Image(image), classes: 4, table: None, missing: false, rows: 20 })
    };
    let is_text = config.model.likelihood == Likelihood::Tokens;
    let is_series = is_of_series(config);
    let spec = match is_text || is_series {
        true => {
            let extent = match is_text {
                true => Extent::Tokens { steps: sizes.times, vocabulary: sizes.vocabulary as usize },
                false => Extent::Series { steps: sizes.times, channels: sizes.channels, both: false },
            };
            config.vae_spec(RowSpec { extent, classes: 4, table: None, missing: is_series, rows: 20 }).unwrap()
        }
        false => of([3, 3, 3]).or_else(|_| of([28, 28, 1])).unwrap(),
    };
    let data = DataSpec { train_rows: 20, test_rows: 20, bytes };
    let mut train = config.train_spec();
    train.fuse = fuse;
    let vae = Vae::new(&spec, &train, data).unwrap();
    let mut executor = run(vae.program.clone());
    let tensor = vae.program.tensors.get(vae.train_data).clone();
    let words: Vec<u32> = match bytes {
        true => (0..tensor.len() as u32).map(|i| threefry2x32([9, 9], [i, 0])[0]).collect(),
        false if is_text => tokens(tensor.len(), sizes),
        false if is_series => series(tensor.len(), sizes),
        false => numbers(tensor.len(), 8).into_iter().map(|v| (0.5 + 0.5 * v).to_bits()).collect(),
    };
    for data in [vae.train_data, vae.test_data] {
        executor.write_words(data, &words).unwrap();
    }
    if let Some(labels) = vae.labels {
        let classes: Vec<u32> = (0..20).map(|row| row * 7 % 4).collect();
        executor.write_words(labels.train, &classes).unwrap();
        executor.write_words(labels.test, &classes).unwrap();
    }
    executor.write(vae.clip, &[1.0]).unwrap();
    executor.write(vae.weights, &initial_weights(&vae.program.params, 5)).unwrap();
    let schedule = StepSchedule::new(config, 20, 20);
    let mut found = Vec::new();
    for step in 0..3 {
        executor.dispatch(vae.plans.train, &schedule.train(step)).unwrap();
        let metrics = common::reported(&mut executor, &vae, &schedule, step);
        found.extend([metrics.loss, metrics.recon, metrics.kl]);
    }
    let plans =
        [(Some(vae.plans.evaluate), vae.recon), (Some(vae.plans.reconstruct), vae.mean), (vae.plans.sample, vae.mean)];
    for (plan, result) in plans {
        if let Some(plan) = plan {
            executor.dispatch(plan, &schedule.evaluate(0)).unwrap();
            found.extend(executor.read(result).unwrap().into_iter().map(f64::from));
        }
    }
    found.extend(executor.read(vae.weights).unwrap().into_iter().map(f64::from));
    found
}

/// Compares the fused plan with the lowered one, and both with what the processor makes of them; and with what the adapter makes of
/// one or both.
fn compare(name: &str, config: &Config, sizes: Sizes, bytes: bool, devices: &[OpenDevice], on_adapter: &[bool]) {
    let exact = |program| Executor::OracleF64(Box::new(Oracle::new(program)));
    let expected = steps(config, sizes, [false, bytes], exact);
    // Weights and means are read as f32.
    same(name, &steps(config, sizes, [true, bytes], exact), &expected, 1e-7);
    let runs = devices.iter().enumerate().flat_map(|on| [(on, false), (on, true)]);
    for ((number, device), fuse) in
        runs.filter(|((_, device), fuse)| device.gpu().is_none() || on_adapter.contains(fuse))
    {
        let compile = |program| device.compile(program, &GpuOptions::default()).unwrap();
        let on = format!("{name} on device {number}, fused: {fuse}");
        same(&on, &steps(config, sizes, [fuse, bytes], compile), &expected, 1e-5);
    }
}

#[test]
fn fused_is_as_it_was_lowered() {
    let devices: Vec<OpenDevice> = common::devices().collect();
    for (number, (name, config)) in configs().into_iter().enumerate() {
        // Texts are numbers of tokens, and values of series have gaps.
        let is_sequence = config.model.likelihood == Likelihood::Tokens || is_of_series(&config);
        for bytes in [true, false].into_iter().filter(|bytes| !bytes || !is_sequence) {
            // The adapter runs each model as it is trained, on bytes or on floats, and each third as it was lowered.
            let on_adapter: &[bool] = match (bytes == (number % 2 == 0) || is_sequence, number % 3) {
                _ if common::every_shader() => &[false, true],
                (false, _) => &[],
                (true, 0) => &[false, true],
                (true, _) => &[true],
            };
            compare(&name, &config, Sizes::USUAL, bytes, &devices, on_adapter);
        }
    }
}

/// One time, one row, one unit, two tokens; and a long row among short ones.
#[test]
fn sequences_of_odd_sizes_are_as_they_were_lowered() {
    let devices: Vec<OpenDevice> = common::devices().collect();
    let one = Sizes { times: 1, vocabulary: 2, channels: 1, are_short: false };
    let long = Sizes { times: 19, vocabulary: 2, channels: 1, are_short: true };
    for (name, sizes, [batch, units]) in [("one", one, [1, 1]), ("long", long, [3, 5]), ("one unit", long, [3, 1])] {
        let text = format!(
            "encoder = [\"embed {units}\", \"conv1d {units} k3 d4\", \"attend 1\", \"lstm {units} both\", \"last\"]\n\
             decoder = [\"embed {units}\", \"gru {units}\", \"conv1d {units} k2 d30\", \"attend 1\"]\nlikelihood = \"tokens\""
        );
        let series = format!(
            "encoder = [\"gru {units} both\", \"mean\"]\ndecoder = [\"lstm {units}\"]\nlikelihood = \"gaussian-learned\""
        );
        for model in [text, series] {
            // The bias of all keys has a gradient that is rounding, and Adam would divide by its size.
            let train = format!("[train]\nbatch = {batch}\noptimizer = \"sgd\"\nlr = 0.01");
            let config = config(&format!("[model]\n{model}\nlatent = 1\n{train}"));
            // Shaders of one size find what those of the others would.
            let on = if name == "long" { &devices[..] } else { &devices[..1] };
            compare(name, &config, sizes, false, on, &[false, true]);
        }
    }
}

/// Planning takes time in proportion to the layers: of 80 it took 18 s, of 1,000 it would have taken hours.
#[test]
fn a_thousand_layers_are_planned_soon() {
    let widths = vec!["8"; 1000].join(", ");
    let flags = format!("[model]\nhidden = [{widths}]").parse().unwrap();
    let config = Config::resolve(Some("points"), None, flags).unwrap();
    let data = DataSpec { train_rows: 20, test_rows: 20, bytes: false };
    let start = std::time::Instant::now();
    let vae = Vae::new(&config.vae_spec(2).unwrap(), &config.train_spec(), data).unwrap();
    // Alone, it is below two seconds.
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(vae.program.plans[0].ops.len() > 6000);
}
