//! Figures and pictures of models by the factors that rows are known to be made of.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use wgvae::apply::factors::{self, Sweep};
use wgvae::apply::{FactorScores, Run, statistics};
use wgvae::report;
use wgvae_data::{Options, Provenance, Shape};

use crate::cli::args::run::{RowsArgs, RunArgs, print_written};
use crate::cli::output::sheet::{Sheet, write_rows};
use crate::cli::output::terminal;
use crate::cli::stdin;

/// Rows that a sweep starts from, the one that is shown among them.
const STARTS: usize = 16;

/// Writes scores as lines of `eval`.
pub fn write(out: &mut impl Write, scores: &FactorScores) -> std::io::Result<()> {
    let s = scores;
    let of_each = |numbers: &[f64]| -> String {
        let each: Vec<String> = s.names.iter().zip(numbers).map(|(name, n)| format!("{name} {n:.3}")).collect();
        each.join("  ")
    };
    writeln!(out, "factors         {} of {} rows", s.names.join(", "), s.rows)?;
    if !s.constant.is_empty() {
        writeln!(out, "                left out, for they are always the same: {}", s.constant.join(", "))?;
    }
    writeln!(out, "MIG             {:.3}: gap of the mutual information with single dimensions", s.mig.score)?;
    writeln!(out, "                {}", of_each(&s.mig.per_factor))?;
    writeln!(out, "SAP             {:.3}: gap of predictions from single dimensions, of held-out rows", s.sap.score)?;
    writeln!(out, "                {}", of_each(&s.sap.per_factor))?;
    let d = &s.dci;
    writeln!(
        out,
        "DCI             {:.3} disentanglement, {:.3} completeness, {:.3} informativeness, by random forests",
        d.disentanglement, d.completeness, d.informativeness
    )?;
    writeln!(out, "                completeness     {}", of_each(&d.completeness_per_factor))?;
    writeln!(out, "                informativeness  {}", of_each(&d.informativeness_per_factor))?;
    for (name, votes) in [("beta-VAE", &s.beta_vae), ("FactorVAE", &s.factor_vae)] {
        let (score, chance) = (votes.score, votes.chance);
        writeln!(
            out,
            "{name:<15} {score:.3} of the factors that rows have in common are found; by chance {chance:.3}"
        )?;
    }
    Ok(())
}

/// Draws rows in which one factor goes through its values, above what the model makes of them, factor by factor, and says which
/// dimensions move with it.
pub fn traverse(
    run: &Run,
    (args, rows): (&RunArgs, &RowsArgs),
    row: usize,
    steps: usize,
    to: Option<&Path>,
) -> anyhow::Result<()> {
    let all = rows.rows(run)?;
    factors::expect(&all.split)?;
    let options = rows.data.as_deref().map_or_else(|| run.source(), |source| Options::from(stdin::place(source)));
    let mut starts = vec![row];
    starts.extend(wgvae_data::spread(all.split.rows, STARTS - 1));
    let sweep = Sweep::of(run, &all.split, &options, rows.class.as_deref(), &starts, steps)?;
    let mut model = args.model(run, all.split.rows.max(sweep.rows.rows))?;
    let codes = model.encode(&all.split)?;
    let moved = sweep.moved(&model.encode(&sweep.rows)?, &codes);
    let active = statistics::active(&codes, model.prior());
    let (width, shown) = (model.width(), sweep.of_start());
    let x = sweep.rows.numbers(0..shown, width);
    let mut mean = model.reconstruct(&sweep.rows)?;
    mean.truncate(shown * width);
    let picture = match run.data.shape {
        Shape::Image { height, width, channels } => {
            let lengths: Vec<usize> = sweep.factors.iter().map(|(_, values)| values.len()).collect();
            Some(report::strips(&[&x, &mean], &lengths, (height, width, channels)))
        }
        _ => None,
    };
    let each = || sweep.factors.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let sheet = || {
        Ok(Sheet::of(run, mean.clone(), Provenance::Mean)
            .with("factor", each().map(|(name, _)| name.clone()).collect())
            .with("value", each().map(|(_, value)| value.to_string()).collect()))
    };
    let to = write_rows(run, to, "factors", sheet, picture)?;
    if sweep.strayed > 0 {
        warning!(
            "{} of {} rows are the nearest there are: other factors than the one that is shown vary, too",
            sweep.strayed,
            sweep.rows.rows
        );
    }
    let to_stdout = to == Path::new("-");
    if args.json && !to_stdout {
        let moves = sweep.factors.iter().map(|(name, _)| name.clone()).zip(moved).collect();
        let moves = Moves { moves, active, written: vec![to.display().to_string()] };
        writeln!(terminal::out(), "{}", serde_json::to_string(&moves)?)?;
        return Ok(());
    }
    if !to_stdout {
        let mut out = terminal::out();
        let widest = sweep.factors.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for ((name, _), moved) in sweep.factors.iter().zip(&moved) {
            // What is left of dimensions that say nothing is noise.
            let mut order: Vec<usize> = (0..moved.len()).filter(|i| active[*i]).collect();
            order.sort_by(|a, b| moved[*b].total_cmp(&moved[*a]));
            let far: Vec<String> = order.iter().take(3).map(|i| format!("{i} by {:.2}", moved[*i])).collect();
            match far.is_empty() {
                true => writeln!(out, "{name:<widest$}  moves no dimension: none is active")?,
                false => writeln!(out, "{name:<widest$}  moves dimension {} deviations of it", far.join(", "))?,
            }
        }
    }
    print_written(&to)?;
    Ok(())
}

/// What `--json` says of a traversal.
#[derive(Serialize)]
struct Moves {
    /// How far each dimension moves with each factor, in its deviations.
    moves: BTreeMap<String, Vec<f64>>,
    /// Which dimensions say something.
    active: Vec<bool>,
    written: Vec<String>,
}
