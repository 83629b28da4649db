//! What each value of a row is as a symbol.

use wgvae_data::{Examples, NOTHING, Values, Vocabulary};
use wgvae_engine::kernels::batch::Binarise;

use crate::apply::{Run, RunError, draws};
use crate::model::Likelihood;

/// The most tokens of a vocabulary.
const MAX_TOKENS: usize = 1 << 16;

/// What each value of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// 0 or 1.
    Bits,
    /// A level from 0 to 255.
    Levels,
    /// A token of a text, given those before it.
    Tokens,
}

/// The number of a value.
pub(super) type Symbol = u16;

impl Alphabet {
    /// The alphabet of a run's likelihood.
    pub fn of(run: &Run) -> Result<Self, RunError> {
        run.expect_prior("compression")?;
        let is_levels = run.data.bytes && !run.data.missing;
        match run.config.model.likelihood {
            Likelihood::Bernoulli => Ok(Alphabet::Bits),
            Likelihood::Tokens if run.data.vocabulary.as_ref().is_some_and(|known| known.len() <= MAX_TOKENS) => {
                Ok(Alphabet::Tokens)
            }
            Likelihood::Tokens => Err(RunError::Unfit(format!(
                "the vocabulary of {} has more than {MAX_TOKENS} tokens, which compression has no numbers for: train with a smaller \
                 `data.vocabulary`",
                run.files
            ))),
            likelihood if likelihood.is_density() && run.config.data.binarise != Binarise::None => {
                Err(RunError::Unfit(format!(
                    "{} was trained on zeros and ones with a density ({}), under which they have no probabilities: train with bernoulli",
                    run.files,
                    likelihood.name()
                )))
            }
            likelihood if likelihood.is_density() || likelihood == Likelihood::Logistic => match is_levels {
                true => Ok(Alphabet::Levels),
                false => Err(RunError::Unfit(format!(
                    "{} was trained on numbers that have no finite set of values: compression is for images of levels, for zeros and ones, \
                     and for texts",
                    run.files
                ))),
            },
            Likelihood::Mse => Err(RunError::Unfit(format!(
                "mse is no likelihood, so rows have no probabilities under {}: train with gaussian-learned, or with bernoulli and \
                 `data.binarise`",
                run.files
            ))),
            _ => Err(RunError::Unfit(format!(
                "{} has the likelihood of a table: compression is for images of levels, for zeros and ones, and for texts",
                run.files
            ))),
        }
    }
}

/// The rows that are compressed: those given; where training binarises them, the zeros and ones that it evaluates with.
pub fn prepared(run: &Run, rows: &Examples) -> Examples {
    match run.config.data.binarise {
        Binarise::None => rows.clone(),
        Binarise::Draw => draws::binarised_as_evaluated(rows, run.config.train.batch, run.config.train.seed),
        Binarise::Threshold => {
            let width = run.data.shape.len();
            let is_one = |x: f32| if x >= 0.5 { 1.0 } else { 0.0 };
            let numbers: Vec<f32> = rows.numbers(0..rows.rows, width).into_iter().map(is_one).collect();
            Examples { labels: rows.labels.clone(), ..Examples::of_numbers(&numbers, run.data.bytes, width) }
        }
    }
}

/// The values of rows `(N, D)` as symbols; places behind the end of a text have that of the end.
pub(super) fn symbols(alphabet: Alphabet, rows: &Examples, width: usize) -> Result<Vec<Symbol>, RunError> {
    if let (Alphabet::Levels, Values::Bytes(levels)) = (alphabet, &rows.values) {
        return Ok(levels.iter().map(|level| Symbol::from(*level)).collect());
    }
    let values = rows.numbers(0..rows.rows, width);
    if alphabet == Alphabet::Tokens {
        let unknown = values.chunks(width).filter(|row| row.contains(&(Vocabulary::UNKNOWN as f32))).count();
        return match unknown {
            0 => Ok(values.into_iter().map(|token| token.max(Vocabulary::END as f32) as Symbol).collect()),
            _ => Err(RunError::Unfit(format!(
                "{unknown} of {} texts have tokens that the vocabulary does not have, so they would not come back: leave them out, or \
                 train with a larger `data.vocabulary` or with bytes as tokens",
                rows.rows
            ))),
        };
    }
    let between = "the likelihood bernoulli is one of zeros and ones, and these rows have values between: train with `data.binarise`, \
                   or with gaussian-learned";
    let bit = |x: f32| match x {
        0.0 => Ok(0),
        1.0 => Ok(1),
        _ => Err(RunError::Unfit(between.into())),
    };
    values.into_iter().map(bit).collect()
}

/// Rows of symbols, with their classes, as a model takes them.
pub(super) fn rows_of(alphabet: Alphabet, symbols: &[Symbol], classes: &[u32], bytes: bool, width: usize) -> Examples {
    let values = match (alphabet, bytes) {
        (Alphabet::Levels, _) => Values::Bytes(symbols.iter().map(|level| *level as u8).collect()),
        (Alphabet::Bits, true) => Values::Bytes(symbols.iter().map(|bit| *bit as u8 * 255).collect()),
        (Alphabet::Bits, false) => Values::Floats(symbols.iter().map(|bit| f32::from(*bit)).collect()),
        (Alphabet::Tokens, _) => Values::Floats(symbols.chunks(width).flat_map(tokens_of).collect()),
    };
    let rows = symbols.len() / width;
    Examples { labels: (!classes.is_empty()).then(|| classes.to_vec()), ..Examples::of(rows, values) }
}

/// The tokens of a row, with nothing behind the first end.
fn tokens_of(row: &[Symbol]) -> impl Iterator<Item = f32> {
    let length = tokens_in(row);
    row.iter().enumerate().map(move |(i, token)| if i < length { f32::from(*token) } else { NOTHING })
}

/// How many tokens a row has, up to its end.
pub(super) fn tokens_in(row: &[Symbol]) -> usize {
    row.iter().position(|token| u32::from(*token) == Vocabulary::END).map_or(row.len(), |end| end + 1)
}
