//! `wgvae eval --quality`: how good a model's samples are.

use std::io::Write;

use wgvae::apply::quality::told_apart::ToldApart;
use wgvae::apply::quality::{Comparison, Likeness, Quality, ROWS};
use wgvae::apply::{Run, TrainedModel};
use wgvae_data::Examples;

use crate::cli::args::run::{RunArgs, counting, own_data};
use crate::cli::commands::sample::mixture;

/// Compares samples of a run's model with at most `most` test rows, and shows how far it is.
pub fn quality(
    args: &RunArgs,
    run: &Run,
    model: &mut TrainedModel,
    test: &Examples,
    most: Option<u64>,
) -> anyhow::Result<Quality> {
    let bar = counting("features", 1000);
    let watch = &mut |share: f64| bar.set_position((1000.0 * share) as u64);
    let mut comparison = Comparison::with(
        test,
        own_data(run)?,
        most.map_or(ROWS, |most| most as usize),
        &args.adapter.options(),
        watch,
    )?;
    bar.finish_and_clear();
    let mixture = mixture(args, run, model)?;
    Ok(comparison.quality(run, model, &mixture)?)
}

/// Prints the figures.
pub fn print(out: &mut impl Write, quality: &Quality) -> std::io::Result<()> {
    let Quality { features, samples, codes, prior, reference, noise, told_apart, .. } = quality;
    let kind = if *noise { "drawn" } else { "means" };
    writeln!(out, "quality         {samples} samples ({kind}) beside as many test rows; features: {features}")?;
    let mut line = |of: &str, likeness: &Likeness| {
        let Likeness { frechet_distance, precision, recall } = likeness;
        writeln!(
            out,
            "                {of:16} Frechet distance {frechet_distance:<9.4} precision {precision:.3}  recall {recall:.3}"
        )
    };
    line("from the codes", codes)?;
    if let Some(prior) = prior {
        line("from the prior", prior)?;
    }
    line("training rows", reference)?;
    if let Some(ToldApart { auc, rows, by }) = told_apart {
        let by: Vec<String> = by.iter().take(2).map(|(name, share)| format!("{name} {:.0} %", 100.0 * share)).collect();
        let by = if by.is_empty() { String::new() } else { format!(", by {}", by.join(", ")) };
        writeln!(out, "                told apart       ROC-AUC {auc:.3} of a forest, {rows} of each{by}")?;
    }
    Ok(())
}
