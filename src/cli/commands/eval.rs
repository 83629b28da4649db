//! `wgvae eval`: loss, KL and other figures of a model on given rows.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wgvae::apply::importance::{self, MeanLikelihood, Sampled};
use wgvae::apply::mixture;
use wgvae::apply::quality::Quality;
use wgvae::apply::record::Record;
use wgvae::apply::{Aggregate, Evaluation, FactorScores, Run, RunError, TrainedModel, evaluated, factors, test_loss};
use wgvae::config::ModelConfig;
use wgvae::model::Objective;
use wgvae::train::{EVALUATION, PAGE, is_training};
use wgvae_data::{Examples, Rows};

use crate::cli::args::run::{RowsArgs, RunArgs, counting, own_data, print_written};
use crate::cli::commands::quality;
use crate::cli::output::flags::with_flags;
use crate::cli::output::place::place_in;
use crate::cli::output::sheet::write_file;
use crate::cli::output::terminal;
use crate::cli::sentence;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("wgvae eval runs/dense-strokes", "of the test rows"),
    ("wgvae eval runs/dense-strokes --data strokes:count=500 --draws 16", "of other rows"),
    ("wgvae eval runs/dense-strokes --nll 100 --limit 100", "with the likelihood"),
    ("wgvae eval runs/burgess-sprites --factors", "how far dimensions stand for known factors"),
    ("wgvae eval runs/dense-strokes --quality --device cpu", "with precision and recall of samples"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Latent draws per row
    ///
    /// The first is the one that training evaluates with.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    draws: u64,
    /// Estimate the likelihood p(x) of each row by importance sampling, from K draws of the latent
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    nll: Option<u64>,
    /// Estimate p(x) for each of the run's checkpoints
    ///
    /// `train --keep N` keeps more of them.
    #[arg(long, requires = "nll")]
    checkpoints: bool,
    /// Take the KL apart over all of these rows: mutual information, total correlation, the dimensions' KL
    #[arg(long)]
    aggregate: bool,
    /// Score the codes by the known factors of the rows
    ///
    /// The scores are MIG, SAP, DCI, and those of beta-VAE and FactorVAE.
    #[arg(long)]
    factors: bool,
    /// Compare samples with at most N test rows: precision, recall and a Frechet distance
    ///
    /// They are computed in features of a classifier that is trained on the data's classes, or of a random network where
    /// there are none.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, conflicts_with = "train", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    quality: Option<Option<u64>>,
    /// Use the run's training rows instead of its test rows
    #[arg(long, conflicts_with = "data")]
    train: bool,
    /// Where to write the figures [default: eval.json in the run's folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// What was found of the rows.
#[derive(Serialize)]
struct Figures {
    run: String,
    #[serde(flatten)]
    evaluation: Evaluation,
    #[serde(flatten)]
    likelihood: Option<MeanLikelihood>,
    #[serde(flatten)]
    aggregate: Option<Aggregate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factors: Option<FactorScores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<Quality>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checkpoints: Vec<AtCheckpoint>,
    #[serde(skip)]
    model: ModelConfig,
}

/// A mean with its standard error, if there is one.
fn give_or_take((mean, error): (f64, f64)) -> String {
    if error.is_nan() { format!("{mean:.3}") } else { format!("{mean:.3} +- {error:.3}") }
}

/// The likelihood of rows after so many steps.
#[derive(Serialize)]
struct AtCheckpoint {
    step: u64,
    epochs: f64,
    #[serde(flatten)]
    likelihood: MeanLikelihood,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    args.expect(&run)?;
    let rows = if args.train { args.rows.train_rows(&run)? } else { args.rows.rows(&run)? };
    if args.factors {
        factors::expect(&rows.split)?;
    }
    let found = figures(args, &run, &rows.split)?;
    let to = place_in(&run, args.to.as_deref(), EVALUATION)?;
    let is_written = write(args, &run, &found, &to)?;
    if to == Path::new("-") {
        return Ok(());
    }
    // The page has more to show now. It can be made again, so that what hinders it is no error of this command.
    let page = (is_written && args.changes_page() && !run.folder().is_some_and(is_training)).then(|| page(args, &run));
    let page =
        page.and_then(|page| page.map_err(|error| warning!("the page was not made anew: {}", sentence(&error))).ok());
    if args.run.json {
        writeln!(terminal::out(), "{}", serde_json::to_string(&found)?)?;
        return Ok(());
    }
    print(&mut terminal::out(), &found)?;
    if is_written {
        print_written(&to)?;
    }
    page.map_or(Ok(()), |page| Ok(print_written(&page)?))
}

/// All figures that are asked for, of these rows.
fn figures(args: &Args, run: &Run, rows: &Examples) -> anyhow::Result<Figures> {
    let mut model = match args.nll {
        Some(_) => args.run.adapter.weighing_model(run, rows.rows)?,
        None => args.run.model(run, rows.rows)?,
    };
    let (draws, seed) = (args.draws as usize, run.config.train.seed);
    let codes = model.encode(rows)?;
    let scores = model.score(rows, draws)?;
    let evaluation = Evaluation::of(run, model.prior(), rows, &codes, &scores, draws);
    let samples = args.nll.map(|samples| samples as usize);
    let likelihood = samples.map(|samples| likelihood(run, &mut model, rows, samples)).transpose()?;
    let checkpoints = match samples.filter(|_| args.checkpoints) {
        Some(samples) => at_checkpoints(run, &mut model, rows, samples)?,
        None => Vec::new(),
    };
    // A decoder of texts may do without the code, so what codes tell stands beside its figures.
    let is_apart = args.aggregate || run.data.vocabulary.is_some() && run.has_prior();
    let aggregate = is_apart.then(|| Aggregate::of(&codes, model.prior(), &args.run.adapter.options(), seed));
    let known = rows.factors.as_ref().filter(|_| args.factors);
    let factors = known.map(|known| FactorScores::of(&codes, model.prior(), known, seed));
    let aggregate = aggregate.transpose()?;
    let factors = factors.transpose()?;
    let quality = args.quality.map(|most| quality::quality(&args.run, run, &mut model, rows, most)).transpose()?;
    let (run, model) = (run.files.to_string(), run.config.model.clone());
    Ok(Figures { run, evaluation, likelihood, aggregate, factors, quality, checkpoints, model })
}

/// The likelihood of rows at each checkpoint of the run; the model is the last one's afterwards.
fn at_checkpoints(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    samples: usize,
) -> anyhow::Result<Vec<AtCheckpoint>> {
    let epochs_a_step = run.config.train.batch as f64 / Record::of(run)?.train_rows as f64;
    let at = |checkpoint| {
        let step = model.go_to(&checkpoint)?.step;
        let likelihood = likelihood(run, model, rows, samples)?;
        Ok(AtCheckpoint { step, epochs: step as f64 * epochs_a_step, likelihood })
    };
    run.checkpoints().into_iter().map(at).collect()
}

/// Writes the figures; those that are kept in the run's folder beside what was found of the same rows before. Whether they were written:
/// they are printed in any case, and the file in the folder can be written again.
fn write(args: &Args, run: &Run, found: &Figures, to: &Path) -> anyhow::Result<bool> {
    let write = |text: String| write_file(to, (text + "\n").as_bytes());
    if args.to.is_some() {
        write(serde_json::to_string_pretty(found)?)?;
        return Ok(true);
    }
    let written = evaluated::joined(&run.files, &args.source(), as_map(found)?)
        .map_err(Into::into)
        .and_then(|all| write(serde_json::to_string_pretty(&all)?));
    if let Err(error) = &written {
        warning!("{}", sentence(error));
    }
    Ok(written.is_ok())
}

/// Prints all figures.
fn print(out: &mut impl Write, found: &Figures) -> std::io::Result<()> {
    let f = &found.evaluation;
    writeln!(out, "rows            {} with {} each", f.rows, draws(f.draws))?;
    print_losses(out, f, &found.model)?;
    if let Some(likelihood) = &found.likelihood {
        print_likelihood(out, likelihood)?;
    }
    for AtCheckpoint { step, epochs, likelihood } in &found.checkpoints {
        let nll = give_or_take((likelihood.nll, likelihood.nll_standard_error));
        writeln!(out, "                {nll} after step {step} ({epochs:.2} epochs)")?;
    }
    if let Some(aggregate) = &found.aggregate {
        print_aggregate(out, aggregate)?;
    }
    if let Some(scores) = &found.factors {
        super::factors::write(out, scores)?;
    }
    if let Some(quality) = &found.quality {
        quality::print(out, quality)?;
    }
    writeln!(out, "active units    {} of {}", f.active_units, found.model.latent)?;
    if let (Some(nats), Some(bits)) = (f.nats_per_token, f.bits_per_character) {
        return writeln!(out, "nats per token  {nats:.4}, the end of a text among them; {bits:.4} bits per character");
    }
    match (f.bits_per_dimension, f.no_bits) {
        (Some(bits), _) => writeln!(out, "bits per value  {bits:.4}"),
        (None, why) => writeln!(out, "bits per value  none: {}", with_flags(why.unwrap_or_default())),
    }
}

/// Prints the losses and the KL; of an autoencoder the loss alone.
fn print_losses(out: &mut impl Write, f: &Evaluation, model: &ModelConfig) -> std::io::Result<()> {
    let [loss, recon, kl] = [
        (f.loss, f.loss_standard_error),
        (f.reconstruction, f.reconstruction_standard_error),
        (f.kl, f.kl_standard_error),
    ]
    .map(give_or_take);
    let Some(elbo) = f.elbo.zip(f.elbo_standard_error).map(give_or_take) else {
        return writeln!(
            out,
            "loss            {loss} per row, the reconstruction alone, and the standard error of the mean"
        );
    };
    writeln!(out, "elbo            {elbo} nats per row, and the standard error of the mean")?;
    let of_training = test_loss(model);
    match model.objective {
        Objective::Iwae => {
            writeln!(out, "loss            {loss}: reconstruction + KL; that of training is {of_training}")?
        }
        _ => writeln!(out, "loss            {loss}: {of_training}, as in training")?,
    }
    writeln!(out, "reconstruction  {recon}")?;
    writeln!(out, "KL              {kl}")?;
    let mut sorted: Vec<(usize, f64)> = f.kl_per_dimension.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let listed: Vec<String> = sorted.iter().map(|(i, kl)| format!("{i}: {kl:.3}")).collect();
    writeln!(out, "KL by dimension {}", listed.join("  "))
}

/// Prints the likelihood by importance sampling, and how far off it is.
fn print_likelihood(out: &mut impl Write, l: &MeanLikelihood) -> std::io::Result<()> {
    let nll = give_or_take((l.nll, l.nll_standard_error));
    writeln!(out, "nll             {nll}: -ln p(x), from {} of each row", draws(l.samples))?;
    if let Some(deviation) = l.nll_deviation_of_draws {
        writeln!(out, "                +- {deviation:.3} from one set of draws to the next")?;
    }
    if let Some(fall) = l.nll_fall_of_last_doubling {
        let effective = l.effective_samples;
        writeln!(
            out,
            "                {fall:.3} less than half of the draws say, so it is about as much too high, or more;"
        )?;
        writeln!(out, "                the draws are worth {effective:.1} of equal weight")?;
    }
    Ok(())
}

/// Prints the parts of the KL over all rows.
fn print_aggregate(out: &mut impl Write, a: &Aggregate) -> std::io::Result<()> {
    let information = give_or_take((a.mutual_information, a.mutual_information_standard_error));
    writeln!(out, "KL by parts     {information}: mutual information of rows and codes")?;
    let correlation = give_or_take((a.total_correlation, a.total_correlation_standard_error));
    writeln!(out, "                {correlation}: total correlation of the dimensions")?;
    match a.dimension_wise_kl.zip(a.dimension_wise_kl_standard_error) {
        Some(kl) => {
            let kl = give_or_take(kl);
            writeln!(out, "                {kl}: the dimensions' KL from the prior")
        }
        None => {
            let kl = give_or_take((a.aggregate_kl, a.aggregate_kl_standard_error));
            writeln!(out, "                {kl}: all codes' KL from the prior, with that correlation")
        }
    }
}

impl Args {
    /// An error if the run's model has not what the figures need.
    fn expect(&self, run: &Run) -> Result<(), RunError> {
        if self.nll.is_some() {
            importance::expect_likelihood(run)?;
        }
        if self.aggregate {
            run.expect_prior("taking the KL apart")?;
        }
        Ok(())
    }

    /// Whether the run's page shows something of the figures, which are kept.
    fn changes_page(&self) -> bool {
        self.to.is_none() && (self.nll.is_some() || self.aggregate || self.quality.is_some())
    }

    /// Which rows these are.
    fn source(&self) -> String {
        match (self.train, &self.rows.data) {
            (true, _) => "training rows".into(),
            (false, None) => "test rows".into(),
            (false, Some(source)) => format!("rows of {source}"),
        }
    }
}

/// The page of the run, of its own test rows, with what was found.
fn page(args: &Args, run: &Run) -> anyhow::Result<PathBuf> {
    let data = own_data(run)?;
    let rows = run.with_classes(Rows { split: data.test, classes: data.classes, notes: Vec::new() }, None)?;
    let mut model = args.run.model(run, rows.split.rows)?;
    let to = run.files.path(PAGE);
    let train = data.train.some(mixture::MAX_ROWS, run.config.train.seed);
    write_file(&to, wgvae::run::page(run, &rows, &train, &mut model)?.as_bytes())?;
    Ok(to)
}

fn as_map(record: &impl Serialize) -> anyhow::Result<evaluated::Figures> {
    match serde_json::to_value(record)? {
        serde_json::Value::Object(map) => Ok(map),
        _ => Ok(evaluated::Figures::new()),
    }
}

/// Estimates the likelihood of rows, and shows how far it is.
fn likelihood(
    run: &Run,
    model: &mut TrainedModel,
    rows: &Examples,
    samples: usize,
) -> Result<MeanLikelihood, RunError> {
    let bar = counting("nll", 1000);
    let known = importance::likelihoods(run, model, rows, samples, &mut |Sampled { done, share }| {
        bar.set_position((1000.0 * share) as u64);
        if !done.is_empty() && !bar.is_hidden() {
            let MeanLikelihood { nll, nll_standard_error, .. } = MeanLikelihood::of(run, rows, done, samples);
            bar.set_message(format!("{} of {} rows", give_or_take((nll, nll_standard_error)), done.len()));
        }
    })?;
    bar.finish_and_clear();
    Ok(MeanLikelihood::of(run, rows, &known, samples))
}

fn draws(count: usize) -> String {
    if count == 1 { "one latent draw".into() } else { format!("{count} latent draws") }
}
