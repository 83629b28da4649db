//! What a run's page shows of texts.

use wgvae_data::write::decoded;
use wgvae_data::{Examples, spread};

use crate::apply::{Mixture, Run, RunError, TokenChoice, TrainedModel, draws};
use crate::report::page::Texts;

/// Texts of each kind.
const SHOWN: usize = 12;
/// Texts from one to another, both included.
const STEPS: usize = 8;

/// Some rows and their reconstructions, samples, and texts between two rows; nothing where the run is not on texts.
pub fn texts(
    run: &Run,
    rows: &Examples,
    mixture: Option<&Mixture>,
    model: &mut TrainedModel,
) -> Result<Texts, RunError> {
    let Some(vocabulary) = &run.data.vocabulary else { return Ok(Texts::default()) };
    let width = run.data.shape.len();
    let text = |tokens: &[f32]| decoded(tokens, width, vocabulary);
    let some = rows.of_rows(&spread(rows.rows, SHOWN), width);
    let codes = model.encode(&some)?;
    let rebuilt = model.reconstruct(&some)?;
    let originals = run.texts(&some).unwrap_or_default();
    let samples = match run.has_prior() || mixture.is_some() {
        true => text(&model.sample_texts(mixture, SHOWN, 0)?),
        false => Vec::new(),
    };
    let between = match some.rows {
        0 | 1 => Vec::new(),
        count => {
            let ends = [0, count / 2].map(|row| &codes.mu[row * codes.latent..][..codes.latent]);
            let z = draws::arc(ends[0], ends[1], STEPS);
            let class = some.labels.as_ref().map_or(0, |labels| labels[0]);
            text(&model.decode_tokens(&z, &[class; STEPS], TokenChoice::Likeliest, &[])?)
        }
    };
    Ok(Texts {
        reconstructions: originals.into_iter().zip(text(&rebuilt)).map(|(a, b)| [a, b]).collect(),
        samples,
        between,
    })
}
