//! The contents of a run's page, from the run's folder and from its model applied to rows.

use wgvae_data::quote::shell_quote;
use wgvae_data::{Examples, Rows, Shape};

use super::{evaluated, series, tables};
use crate::apply::record::{Metrics, Record};
use crate::apply::{
    Codes, DecoderOutput, Evaluation, Mixture, Run, RunError, TrainedModel, bits_per_dimension, draws,
    evaluated as kept,
};
use crate::config::{Config, PriorKind, RowSpec};
use crate::model::{self, Extent, Objective};
use crate::report::page::{
    self, Command, Diagnosed, Dimension, EpochMetrics, Facts, Headline, Latent, Notice, Page, Picture, Points, Step,
    Strips,
};
use crate::report::{self, latent};
use crate::train::{Diagnosis, advice, mutual_information};

/// Largest number of rows in a scatter plot.
const PLOTTED: usize = 2000;
/// Latent dimensions in the picture of the traversal: those with the highest KL.
const TRAVERSED: usize = 20;
const TRAVERSAL_STEPS: usize = 11;

/// One line about the network and its loss.
pub fn model_line(config: &Config, rows: impl Into<RowSpec>, parameters: usize) -> String {
    let (m, rows) = (&config.model, rows.into());
    let data = rows.extent;
    // A run's configuration fits its data.
    let (encoder, decoder) =
        config.vae_spec(rows.clone()).map_or_else(|_| Default::default(), |spec| (spec.encoder, spec.decoder));
    let has_form = |extent: Extent| matches!(extent, Extent::Image(_) | Extent::Tokens { .. });
    let input = match encoder.first() {
        Some(layer) if has_form(layer.from) => data,
        _ => Extent::Flat(data.len()),
    };
    let to = |layers: Vec<model::SizedLayer>| layers.into_iter().map(|layer| layer.to);
    let extents = std::iter::once(input).chain(to(encoder)).chain([Extent::Flat(m.latent)]).chain(to(decoder));
    let widths: Vec<String> = extents.map(|extent| extent.to_string()).collect();
    let mut objective = m.loss_in_words();
    match m.prior {
        PriorKind::Standard => {}
        PriorKind::Mixture => objective += &format!(", a prior of {} normals", m.prior_parts),
        PriorKind::Vamp => objective += &format!(", a VampPrior of {} rows", m.prior_parts),
    }
    if config.is_conditional() {
        objective += &format!(", told which of {} classes", rows.classes);
    }
    let (activation, likelihood) = (m.activation.name(), m.likelihood.name());
    format!("{} {activation}, {likelihood}, {objective}: {parameters} parameters", widths.join("-"))
}

/// The facts of a run: model, data, adapter, times.
pub fn facts(run: &Run, record: &Record, metrics: &Metrics) -> Facts {
    let device = &record.device;
    let last = metrics.epochs.last();
    Facts {
        model: model_line(&run.config, &run.data, record.parameters),
        data: format!("{}: {} training and {} test rows", run.data.name, record.train_rows, record.test_rows),
        adapter: format!("{} ({}, {}), {}", device.name, device.kind, device.backend, device.driver),
        command: record.command.clone(),
        date: Some(record.date.replace('T', " ").replace('Z', " UTC")),
        seed: Some(record.seed),
        parameters: Some(record.parameters as u64),
        steps: last.map(|e| e.step),
        seconds: last.map(|e| e.seconds),
        steps_per_second: last.filter(|e| e.seconds > 0.0).map(|e| e.step as f64 / e.seconds),
        more: last.map_or(Vec::new(), |e| {
            let each = |name: &str, count: f64| (name.to_string(), report::duration(e.seconds / count));
            let version = ("Version".into(), format!("wgvae {}", record.wgvae));
            vec![each("A step", e.step.max(1) as f64), each("An epoch", e.epoch.max(1) as f64), version]
        }),
    }
}

/// The metrics of each epoch.
pub fn epochs(metrics: &Metrics) -> Vec<EpochMetrics> {
    let epoch = |e: &crate::train::EpochReport| EpochMetrics {
        epoch: e.epoch,
        train_loss: e.train_loss,
        test_loss: e.test_loss,
        reconstruction: e.test_recon,
        kl: e.test_kl,
    };
    metrics.epochs.iter().map(epoch).collect()
}

/// The page of a run as HTML; figures and pictures are of the given rows; samples of a table are compared with training rows, too.
pub fn page(run: &Run, rows: &Rows, train: &Examples, model: &mut TrainedModel) -> Result<String, RunError> {
    let (record, metrics) = (Record::of(run)?, Metrics::of(run)?);
    Ok(page::html(&contents(run, &record, &metrics, rows, train, model)?))
}

fn diagnosed(of: &Diagnosis) -> Diagnosed {
    let layers = of.gradient_norms.iter().map(|(layer, norm)| (layer.clone(), *norm)).collect();
    Diagnosed { epoch: of.epoch, dimensions: of.kl_per_dimension.clone(), layers }
}

/// What `wgvae eval --nll K --checkpoints` found and kept in the run's folder: epochs, and `-ln p(x)` of the rows after them.
fn likelihoods(run: &Run) -> Vec<(f64, f64)> {
    let figures = kept::kept(&run.files).unwrap_or_default();
    let at = |checkpoint: &serde_json::Value| Some((checkpoint["epochs"].as_f64()?, checkpoint["nll"].as_f64()?));
    figures.get("checkpoints").and_then(|all| all.as_array()).into_iter().flatten().filter_map(at).collect()
}

/// What a reader must know of a run before anything else: what went wrong while it trained.
pub fn notices(run: &Run, metrics: &Metrics) -> Vec<Notice> {
    let losses: Vec<f64> = metrics.epochs.iter().map(|e| e.test_loss).collect();
    let ends = metrics.of_model().zip(metrics.epochs.last());
    let advice = ends.map_or_else(Vec::new, |(best, last)| advice(&run.config, best, last, &losses));
    let mut notices: Vec<Notice> = advice
        .into_iter()
        .map(|advice| {
            // The headline says already what it is.
            let sentence = advice.sentence.split_once(": ").map_or(advice.sentence.as_str(), |(_, rest)| rest);
            let mut letters = sentence.chars();
            let first: String = letters.next().iter().flat_map(|c| c.to_uppercase()).collect();
            Notice { headline: advice.headline, sentence: format!("{first}{}.", letters.as_str()) }
        })
        .collect();
    if metrics.rollbacks > 0 {
        notices.push(Notice {
            headline: format!(
                "Diverged {}",
                if metrics.rollbacks == 1 { "once".into() } else { format!("{} times", metrics.rollbacks) }
            ),
            sentence:
                "Training went back to a checkpoint and on from there with half the learning rate; try a smaller `train.lr`."
                    .into(),
        });
    }
    notices
}

/// The contents of the page.
fn contents(
    run: &Run,
    record: &Record,
    metrics: &Metrics,
    rows: &Rows,
    train: &Examples,
    model: &mut TrainedModel,
) -> Result<Page, RunError> {
    let split = &rows.split;
    let codes = model.encode(split)?;
    let scores = model.score(split, 1)?;
    let figures = Evaluation::of(run, model.prior(), split, &codes, &scores, 1);
    // The test loss of the objective iwae is a bound of several draws.
    let test_loss = match run.config.model.objective {
        Objective::Iwae => metrics.epochs.iter().map(|e| e.test_loss).min_by(f64::total_cmp),
        _ => Some(figures.loss),
    };
    let is_of_texts = run.data.vocabulary.is_some();
    // Some texts are enough: their tokens come one after the other.
    let shown = if is_of_texts { Vec::new() } else { model.reconstruct(split)? };
    let mixture = Mixture::of(run)?;
    let samples = match run.has_prior() || mixture.is_some() {
        true if run.data.columns.is_none() && !is_of_texts => {
            model.sample_from(mixture.as_ref(), PLOTTED.min(split.rows.max(100)), 0)?.1
        }
        _ => DecoderOutput::default(),
    };
    let (of_table, unlike) = super::samples::samples(run, [split, train], mixture.as_ref(), model)?;
    let dimension = |(i, kl): (usize, &f64)| Dimension { kl: *kl, is_active: figures.is_active[i] };
    let step = |s: &crate::train::StepReport| Step { step: s.step, loss: s.loss, lr: s.lr, beta: s.beta };
    Ok(Page {
        title: run.name(),
        facts: facts(run, record, metrics),
        notices: notices(run, metrics).into_iter().chain(unlike).collect(),
        evaluated: evaluated::found(run),
        headline: Headline {
            test_loss,
            reconstruction: Some(figures.reconstruction),
            kl: run.has_prior().then_some(figures.kl),
            active: Some((figures.active_units, codes.latent)),
            bits_per_dimension: match run.config.model.objective {
                Objective::Iwae => test_loss.and_then(|nats| bits_per_dimension(run, split, nats).ok()),
                _ => figures.bits_per_dimension.filter(|_| !is_of_texts),
            },
            of_texts: figures.nats_per_token.zip(figures.bits_per_character).map(<[f64; 2]>::from),
            mutual_information: (is_of_texts && run.has_prior())
                .then(|| mutual_information(&codes.mu, &codes.logvar, codes.latent)),
        },
        epochs: epochs(metrics),
        diagnoses: metrics.diagnoses.iter().map(diagnosed).collect(),
        steps: metrics.steps.iter().map(step).collect(),
        likelihoods: likelihoods(run),
        dimensions: figures.kl_per_dimension.iter().enumerate().map(dimension).collect(),
        pictures: pictures(run, split, [&shown, &samples.means], mixture.as_ref(), model)?,
        strips: traversal(run, &figures.kl_per_dimension, model)?,
        latent: Some(latent_plot(rows, &codes)),
        points: (run.data.shape == Shape::Point(2) && !samples.means.is_empty()).then(|| Points {
            data: plane(&split.numbers(0..split.rows.min(PLOTTED), 2)),
            samples: plane(&samples.means),
        }),
        columns: tables::columns(run, split, &shown),
        series: series::charts(run, split, [&shown, &samples.means], model.distribution()),
        samples: of_table,
        texts: super::texts::texts(run, split, mixture.as_ref(), model)?,
        config: run.config.to_toml()?,
        next: next(run),
    })
}

/// Encodes a picture as PNG.
pub fn png(picture: &image::DynamicImage) -> Result<Vec<u8>, RunError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| RunError::Unfit(format!("a picture could not be encoded: {e}")))?;
    Ok(bytes.into_inner())
}

/// At most `most` rows from all over a split, and what is shown of them: `(rows, D)` each, of `shown (N, D)`.
pub fn pictured(split: &Examples, shown: &[f32], most: usize) -> (Vec<f32>, Vec<f32>) {
    let width = shown.len() / split.rows.max(1);
    let picked = wgvae_data::spread(split.rows, most);
    let rows = picked.iter().flat_map(|i| split.numbers(*i..i + 1, width)).collect();
    (rows, picked.iter().flat_map(|i| &shown[i * width..(i + 1) * width]).copied().collect())
}

fn plane(values: &[f32]) -> Vec<[f32; 2]> {
    values.chunks_exact(2).map(|p| [p[0], p[1]]).collect()
}

fn latent_plot(rows: &Rows, codes: &Codes) -> Latent {
    let count = codes.rows().min(PLOTTED);
    let values = &codes.mu[..count * codes.latent];
    let projection = latent::principal(values, codes.latent);
    let labels = rows.split.labels.as_ref().map_or(Vec::new(), |labels| labels[..count].to_vec());
    // Two dimensions need no map.
    let map = if projection.is_principal { latent::map(values, codes.latent, &projection.points) } else { None };
    Latent {
        axes: projection.captions(),
        map: map.unwrap_or_default(),
        points: projection.points,
        labels,
        classes: rows.classes.clone(),
    }
}

fn pictures(
    run: &Run,
    split: &Examples,
    [shown, samples]: [&[f32]; 2],
    mixture: Option<&Mixture>,
    model: &mut TrainedModel,
) -> Result<Vec<Picture>, RunError> {
    let Shape::Image { height, width, channels } = run.data.shape else { return Ok(Vec::new()) };
    let size = (height, width, channels);
    let row = height * width * channels;
    let (originals, rebuilt) = pictured(split, shown, 50);
    let count = originals.len() / row;
    let originals = report::reconstructions(&originals, &rebuilt, size);
    let mut pictures = vec![Picture {
        title: "Reconstructions".into(),
        caption: "Test examples, and below each row their reconstructions.".into(),
        alt: format!("{count} test images in rows, each row followed by its reconstructions"),
        png: png(&originals)?,
        is_wide: false,
    }];
    if !samples.is_empty() {
        let grid = report::grid(&samples[..samples.len().min(100 * row)], size, report::columns(size));
        let from = match mixture {
            Some(mixture) if mixture.parts() == 1 => "a normal distribution, fitted to codes of training rows".into(),
            Some(mixture) => {
                format!("a mixture of {} normal distributions, fitted to codes of training rows", mixture.parts())
            }
            None => "the prior".into(),
        };
        let classes = if model.is_conditional() { ", of each class in turn" } else { "" };
        pictures.push(Picture {
            title: "Samples".into(),
            caption: format!("Decoded draws from {from}{classes}."),
            alt: "A grid of images drawn from the model".into(),
            png: png(&grid)?,
            is_wide: false,
        });
    }
    Ok(pictures)
}

/// Images along each of the dimensions with the highest KL, with the dimension's number and its KL.
fn traversal(run: &Run, kl_per_dimension: &[f64], model: &mut TrainedModel) -> Result<Option<Strips>, RunError> {
    let Shape::Image { height, width, channels } = run.data.shape else { return Ok(None) };
    if !run.has_prior() {
        return Ok(None);
    }
    let latent = model.latent();
    let mut order: Vec<usize> = (0..latent).collect();
    order.sort_by(|a, b| kl_per_dimension[*b].total_cmp(&kl_per_dimension[*a]));
    order.truncate(TRAVERSED);
    let (start, spread) = model.prior().middle();
    let z = draws::traversal(&start, &spread, &order, 3.0, TRAVERSAL_STEPS);
    let steps = model.decode_as(&z, &vec![0; z.len() / latent])?;
    let class = match run.data.classes.first() {
        Some(class) if model.is_conditional() => format!(" All are of class {class}."),
        _ => String::new(),
    };
    let each = TRAVERSAL_STEPS * height * width * channels;
    let strip = |(images, dimension): (&[f32], &usize)| {
        let drawn = png(&report::grid(images, (height, width, channels), TRAVERSAL_STEPS))?;
        Ok((format!("dimension {dimension}, KL {:.2} nats", kl_per_dimension[*dimension]), drawn))
    };
    let strips = steps.chunks_exact(each).zip(&order).map(strip).collect::<Result<Vec<_>, RunError>>()?;
    let count = match order.len() {
        count if count == latent => "all dimensions".into(),
        count => format!("the {count} dimensions with the highest KL of {latent}"),
    };
    Ok(Some(Strips {
        title: "Traversal".into(),
        caption: format!(
            "Each row varies one latent dimension from -3 to 3 standard deviations, with the others in the middle of the prior. \
             Shown are {count}.{class}"
        ),
        strips,
    }))
}

fn next(run: &Run) -> Vec<Command> {
    // Only a folder has a name that a command can be given.
    let Some(path) = run.folder().map(shell_quote) else { return Vec::new() };
    let mut commands = vec![
        ("Evaluate other rows", format!("wgvae eval {path} --data SPEC")),
        ("Write latent codes for other tools", format!("wgvae encode {path} --to codes.csv")),
        ("List the most unusual rows", format!("wgvae anomaly {path}")),
    ];
    commands.push(("Draw more samples", format!("wgvae sample {path} --count 1000 --to samples.npy")));
    commands.into_iter().map(|(purpose, line)| Command { purpose: purpose.into(), line }).collect()
}
