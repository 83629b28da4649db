//! What a finished run says of itself: posterior collapse, overfitting, an end before its time, and what to try.

use super::diagnosis::COLLAPSED;
use super::event::EpochReport;
use crate::config::Config;
use crate::model::{Likelihood, Objective};

/// The share of the test loss of texts, in nats per example, below which a KL tells next to nothing.
const COLLAPSED_SHARE: f64 = 0.02;

/// A rise of the test loss, as a share of it, that is more than chance.
const RISE: f64 = 0.02;

/// The share of the whole fall of the test loss that the last quarter of the epochs has in a run that should go on.
const STILL_FALLING: f64 = 0.08;

/// Whether the KL of test rows is so small that the latent tells next to nothing; of a text, next to what its tokens cost.
pub(super) fn is_collapsed(config: &Config, test: &EpochReport) -> bool {
    let of_text = if is_of_texts(config) { COLLAPSED_SHARE * test.test_loss } else { 0.0 };
    config.model.objective != Objective::Ae && config.model.beta > 0.0 && test.test_kl < COLLAPSED.max(of_text)
}

fn is_of_texts(config: &Config) -> bool {
    config.model.likelihood == Likelihood::Tokens
}

/// What to try against a collapse.
pub(super) fn remedy(config: &Config) -> &'static str {
    match config.model.objective {
        // The objective iwae has no beta to lower.
        Objective::Iwae => "more epochs",
        // A decoder of texts that sees the tokens before needs a reason to look at the code.
        Objective::Elbo if is_of_texts(config) => {
            "`model.free_bits = 0.1`, `model.kl_at_most = 5`, `model.word_dropout = 0.3`, `model.beta_schedule = \"cyclical\"`"
        }
        _ if is_of_texts(config) => "`model.word_dropout = 0.3`",
        _ if config.model.beta > 1.0 => "a smaller `model.beta`, `model.beta_warmup_epochs = 10`",
        _ => "`model.beta = 0.1`, `model.beta_warmup_epochs = 10`",
    }
}

/// A problem that a finished run seems to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The problem in a few words.
    pub headline: String,
    /// The problem in a sentence, with what to try.
    pub sentence: String,
}

/// Finds problems from the epoch that the model is of, the last epoch, and the test losses of all epochs in their
/// order.
pub fn advice(config: &Config, best: &EpochReport, last: &EpochReport, test_losses: &[f64]) -> Vec<Advice> {
    let mut all = Vec::new();
    if is_collapsed(config, best) {
        all.push(Advice {
            headline: "Collapsed: the latent says next to nothing".into(),
            sentence: format!(
                "posterior collapse: the KL is {:.2} nats, so the latent says next to nothing of the data; try {}, or another `train.seed`",
                best.test_kl,
                remedy(config)
            ),
        });
    }
    let rise = last.test_loss - best.test_loss;
    if rise > RISE * best.test_loss.abs() && last.train_loss < best.train_loss {
        all.push(Advice {
            headline: format!("Overfits after epoch {}", best.epoch),
            sentence: format!(
                "overfitting: the test loss has risen from {:.2} after epoch {epoch} to {:.2}, while the training loss fell; the \
                 model is that of epoch {epoch}; try `train.patience = {}`, fewer `model.hidden` units, or `train.weight_decay` \
                 with `train.optimizer = \"adamw\"`",
                best.test_loss,
                last.test_loss,
                (best.epoch / 2).clamp(5, 50),
                epoch = best.epoch
            ),
        });
    }
    if best.epoch == last.epoch
        && let [first, .., end] = test_losses
    {
        let quarter = (test_losses.len() / 4).max(1);
        let before = test_losses[test_losses.len() - 1 - quarter];
        if before - end > STILL_FALLING * (first - end) {
            all.push(Advice {
                headline: "Under-trained".into(),
                sentence: format!(
                    "under-trained: the test loss was still falling, from {before:.2} to {end:.2} in the last {}; resume the \
                     run with `train.epochs = {}`",
                    if quarter == 1 { "epoch".into() } else { format!("{quarter} epochs") },
                    2 * last.epoch
                ),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(all: Vec<Advice>) -> Vec<String> {
        all.into_iter().map(|advice| advice.sentence).collect()
    }

    fn report(epoch: usize, train_loss: f64, test_loss: f64, test_kl: f64) -> EpochReport {
        let (test_recon, seconds, steps_per_second) = (test_loss - test_kl, 1.0, 1.0);
        EpochReport { epoch, step: 1, train_loss, test_loss, test_recon, test_kl, seconds, steps_per_second }
    }

    #[test]
    fn there_is_advice_on_collapse_and_overfitting_and_on_nothing_else() {
        let config = Config::default();
        let of = |best, last| sentences(advice(&config, &best, &last, &[]));
        assert!(of(report(9, 10.0, 11.0, 5.0), report(10, 9.9, 11.1, 5.0)).is_empty());
        let found = of(report(9, 10.0, 11.0, 0.004), report(9, 10.0, 11.0, 0.004));
        assert!(found.len() == 1 && found[0].starts_with("posterior collapse: the KL is 0.00 nats"), "{found:?}");
        let found = of(report(9, 12.0, 13.0, 5.0), report(80, 9.8, 20.1, 6.0));
        assert!(found.len() == 1 && found[0].contains("from 13.00 after epoch 9 to 20.10"), "{found:?}");
        assert!(found[0].contains("that of epoch 9;"), "{found:?}");
        let headlines = advice(&config, &report(32, 12.0, 13.0, 0.01), &report(80, 9.8, 20.1, 6.0), &[]);
        let headlines: Vec<&str> = headlines.iter().map(|advice| advice.headline.as_str()).collect();
        assert_eq!(headlines, ["Collapsed: the latent says next to nothing", "Overfits after epoch 32"]);
        // Both losses rise: that is not overfitting.
        assert!(of(report(9, 12.0, 13.0, 5.0), report(80, 15.0, 20.1, 6.0)).is_empty());
    }

    #[test]
    fn texts_collapse_next_to_what_their_tokens_cost() {
        let mut config = Config::default();
        let end = report(9, 40.0, 40.0, 0.5);
        assert!(sentences(advice(&config, &end, &end, &[])).is_empty());
        config.model.likelihood = Likelihood::Tokens;
        let found = sentences(advice(&config, &end, &end, &[]));
        assert!(found.len() == 1 && found[0].contains("try `model.free_bits = 0.1`, "), "{found:?}");
        let end = report(9, 40.0, 40.0, 0.9);
        assert!(sentences(advice(&config, &end, &end, &[])).is_empty());
        config.model.objective = Objective::Iwae;
        let end = report(9, 40.0, 40.0, 0.05);
        assert!(sentences(advice(&config, &end, &end, &[]))[0].contains("try more epochs, or another"));
    }

    #[test]
    fn a_run_that_ends_too_soon_says_so() {
        let of = |best: usize, losses: &[f64]| {
            let end = report(losses.len(), 10.0, losses[losses.len() - 1], 5.0);
            let best = EpochReport { epoch: best, ..end };
            sentences(advice(&Config::default(), &best, &end, losses))
        };
        let found = of(4, &[127.0, 116.0, 111.5, 109.0]);
        assert!(
            found.len() == 1 && found[0].contains("from 111.50 to 109.00 in the last epoch; resume the run with"),
            "{found:?}"
        );
        assert!(found[0].ends_with("`train.epochs = 8`"), "{found:?}");
        // The default run on MNIST.
        let whole = [127.0, 116.2, 111.9, 109.7, 108.3, 107.4, 106.7, 106.1, 105.7, 105.4];
        assert!(of(10, &whole).is_empty());
        assert!(of(9, &[127.0, 116.0, 111.5, 112.0]).is_empty());
        assert!(of(1, &[127.0]).is_empty());
    }
}
