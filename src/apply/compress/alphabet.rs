//! What each value of a row is as a symbol.

use wgvae_data::{Examples, Values};
use wgvae_engine::kernels::batch::Binarise;

use crate::apply::{Run, RunError, draws};
use crate::model::Likelihood;

/// What each value of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// 0 or 1.
    Bits,
    /// A level from 0 to 255.
    Levels,
}

impl Alphabet {
    /// The alphabet of a run's likelihood.
    pub fn of(run: &Run) -> Result<Self, RunError> {
        run.expect_prior("compression")?;
        let is_levels = run.data.bytes && !run.data.missing;
        match run.config.model.likelihood {
            Likelihood::Bernoulli => Ok(Alphabet::Bits),
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
                    "{} was trained on numbers that have no finite set of values: compression is for images of levels and for zeros and ones",
                    run.files
                ))),
            },
            Likelihood::Mse => Err(RunError::Unfit(format!(
                "mse is no likelihood, so rows have no probabilities under {}: train with gaussian-learned, or with bernoulli and \
                 `data.binarise`",
                run.files
            ))),
            _ => Err(RunError::Unfit(format!(
                "{} has the likelihood of a table: compression is for images of levels and for zeros and ones",
                run.files
            ))),
        }
    }

    /// The bits of a value as it is.
    pub fn raw_bits(self) -> usize {
        match self {
            Alphabet::Bits => 1,
            Alphabet::Levels => 8,
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

/// The values of rows `(N, D)` as symbols.
pub(super) fn symbols(alphabet: Alphabet, rows: &Examples, width: usize) -> Result<Vec<u8>, RunError> {
    match (alphabet, &rows.values) {
        (Alphabet::Levels, Values::Bytes(levels)) => Ok(levels.clone()),
        _ => {
            let between = "the likelihood bernoulli is one of zeros and ones, and these rows have values between: train with `data.binarise`, \
                           or with gaussian-learned";
            let bit = |x: f32| match x {
                0.0 => Ok(0),
                1.0 => Ok(1),
                _ => Err(RunError::Unfit(between.into())),
            };
            rows.numbers(0..rows.rows, width).into_iter().map(bit).collect()
        }
    }
}

/// Rows of symbols, with their classes, as a model takes them.
pub(super) fn rows_of(alphabet: Alphabet, symbols: &[u8], classes: &[u32], bytes: bool, width: usize) -> Examples {
    let rows = symbols.len() / width;
    let values = match (alphabet, bytes) {
        (Alphabet::Levels, _) => Values::Bytes(symbols.to_vec()),
        (Alphabet::Bits, true) => Values::Bytes(symbols.iter().map(|bit| bit * 255).collect()),
        (Alphabet::Bits, false) => Values::Floats(symbols.iter().map(|bit| f32::from(*bit)).collect()),
    };
    Examples { labels: (!classes.is_empty()).then(|| classes.to_vec()), ..Examples::of(rows, values) }
}
