//! What `wgvae restore` does of texts: missing tokens filled in.

use std::io::Write;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgvae::apply::restore::{Restored, Wanted};
use wgvae::apply::{Run, RunError};
use wgvae_data::Vocabulary;
use wgvae_engine::plan::{MISSING, is_missing};

use crate::cli::args::run::{RowsArgs, RunArgs, print_written};
use crate::cli::commands::restore_gaps::HIDDEN;
use crate::cli::output::sheet::{Sheet, write_rows};
use crate::cli::output::terminal;

/// The column that says which tokens were filled in.
const FILLED: &str = "filled";

/// What is asked for.
pub struct Gaps<'a> {
    /// The mark that stands for a missing token.
    pub hole: &'a [String],
    /// Whether there is to be damage that texts do not have.
    pub is_other: bool,
    /// Whether tokens are hidden, to measure how well they are restored.
    pub damage: bool,
    /// How many completions of each text are written.
    pub draws: u64,
    /// The seed of what is hidden and drawn.
    pub seed: u64,
    /// Whether a column says which tokens were filled in.
    pub mark: bool,
    /// How many texts there are at most.
    pub count: Option<u64>,
    /// The file.
    pub to: Option<&'a Path>,
}

/// What is done, as it is printed.
#[derive(serde::Serialize)]
struct Done {
    rows: usize,
    /// Tokens that are missing in all rows together.
    missing: usize,
    /// The share of the hidden tokens that came back, and that of the most frequent token among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_right: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_most_frequent: Option<f64>,
}

/// Fills in missing tokens: those that a mark stands for, that the vocabulary does not have, or that were hidden.
pub fn run(
    of_run: &RunArgs,
    of_rows: &RowsArgs,
    asked: Gaps<'_>,
    run: &Run,
    vocabulary: &Vocabulary,
) -> anyhow::Result<()> {
    if asked.is_other {
        let what = "texts have no noise and no mask: name the mark that stands for a missing token with --hole, as in --hole _";
        return Err(RunError::Unfit(what.into()).into());
    }
    let mark = mark(asked.hole, vocabulary)?;
    let mut rows = of_rows.rows(run)?;
    let count = (asked.count.unwrap_or(u64::MAX) as usize).min(rows.split.rows);
    rows.split.retain(&(0..rows.split.rows).map(|row| row < count).collect::<Vec<bool>>());
    let whole = rows.split.numbers(0..count, run.data.shape.len());
    let is_gap = |token: f32| token == mark as f32 || token == Vocabulary::UNKNOWN as f32;
    let mut before: Vec<f32> = whole.iter().map(|token| if is_gap(*token) { MISSING } else { *token }).collect();
    if asked.damage && asked.hole.is_empty() {
        hide(&mut before, asked.seed);
    }
    let missing = before.iter().filter(|token| is_missing(**token)).count();
    if missing == 0 {
        let what = "no token of these texts is missing: say with --hole MARK what stands where one is, or hide some with --damage";
        return Err(RunError::Unfit(what.into()).into());
    }
    let mut model = of_run.model(run, count)?;
    let wanted = Wanted { draws: asked.draws as usize, noisy: true, seed: asked.seed };
    let bar = of_run.counting("restore", count);
    let restored = model.complete_texts(&before, rows.split.labels.as_deref(), wanted, &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let done = done(count, asked.damage, [&before, &restored.rows, &whole]);
    let sheet = || sheet(&asked, run, &before, &restored);
    let to = write_rows(run, asked.to, "restored", sheet, None)?;
    if to != Path::new("-") {
        print(&done, of_run.json)?;
    }
    if !of_run.json {
        print_written(&to)?;
    }
    Ok(())
}

/// The token that stands for a missing one: the unknown one, where no mark is named.
fn mark(hole: &[String], vocabulary: &Vocabulary) -> Result<u32, RunError> {
    match hole {
        [] => Ok(Vocabulary::UNKNOWN),
        [mark] => match &vocabulary.encode(mark)[..] {
            [token] => Ok(*token),
            tokens => Err(RunError::Unfit(format!(
                "--hole `{mark}` has {} tokens, and a mark is one of the {} that stands for each missing one, such as _",
                tokens.len(),
                vocabulary.unit.name()
            ))),
        },
        _ => Err(RunError::Unfit("texts have one mark for missing tokens: give --hole once, as in --hole _".into())),
    }
}

/// Hides a share of the tokens, but never the end of a text.
fn hide(tokens: &mut [f32], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for token in tokens.iter_mut().filter(|token| **token > Vocabulary::END as f32) {
        if rng.random::<f64>() < HIDDEN {
            *token = MISSING;
        }
    }
}

fn done(rows: usize, is_damaged: bool, [before, after, whole]: [&[f32]; 3]) -> Done {
    let missing: Vec<usize> = (0..before.len()).filter(|i| is_missing(before[*i])).collect();
    let known: Vec<usize> = missing.iter().copied().filter(|i| whole[*i] != Vocabulary::UNKNOWN as f32).collect();
    let share = |count: usize| (is_damaged && !known.is_empty()).then(|| count as f64 / known.len() as f64);
    let mut counts = std::collections::HashMap::new();
    known.iter().for_each(|i| *counts.entry(whole[*i] as u32).or_insert(0) += 1);
    Done {
        rows,
        missing: missing.len(),
        share_right: share(known.iter().filter(|i| after[**i] == whole[**i]).count()),
        share_of_most_frequent: share(counts.into_values().max().unwrap_or(0)),
    }
}

fn print(done: &Done, json: bool) -> anyhow::Result<()> {
    let mut out = terminal::out();
    if json {
        writeln!(out, "{}", serde_json::to_string(done)?)?;
        return Ok(());
    }
    writeln!(out, "rows     {} with {} missing tokens", done.rows, done.missing)?;
    if let (Some(right), Some(most)) = (done.share_right, done.share_of_most_frequent) {
        let (right, most) = (100.0 * right, 100.0 * most);
        writeln!(out, "restored {right:.1} % of them as they were; {most:.1} % with the most frequent token")?;
    }
    Ok(())
}

/// The texts, or the completions of each one after the other.
fn sheet(asked: &Gaps<'_>, run: &Run, before: &[f32], restored: &Restored) -> anyhow::Result<Sheet> {
    let width = run.data.shape.len();
    let filled = |row: &[f32]| {
        let places = row.iter().enumerate().filter(|(_, token)| is_missing(**token));
        places.map(|(place, _)| place.to_string()).collect::<Vec<_>>().join(" ")
    };
    let of = |tokens: &[f32]| {
        let sheet = Sheet::of_texts(run, tokens).unwrap_or_default();
        match asked.mark {
            true => sheet.with(FILLED, before.chunks(width).map(filled).collect()),
            false => sheet,
        }
    };
    match restored.draws.is_empty() {
        true => Ok(of(&restored.rows)),
        false => Ok(Sheet::in_turn("draw", restored.draws.iter().map(|drawn| of(drawn)).collect())),
    }
}
