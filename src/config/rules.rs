//! Which keys contradict each other. What a key may be by itself, and the choice that it belongs to, stands in its
//! entry in `keys`.

use super::{BetaSchedule, Binarise, Config, Likelihood, Objective, Optimizer, PriorKind, Schedule};

/// The most comparisons of two numbers in a step.
const MAX_COMPARISONS: usize = 1 << 27;
/// The most draws of the latent in a step.
const MAX_DRAWS: usize = 1 << 20;
/// The most layers of an encoder or a decoder.
const MAX_LAYERS: usize = 100;

/// Something that no configuration may be.
pub(super) struct Rule {
    /// The keys that it is about.
    pub keys: &'static [&'static str],
    /// Whether a configuration breaks it.
    pub is_broken: fn(&Config) -> bool,
    /// Why, and what to do.
    pub sentence: &'static str,
}

fn product(factors: &[usize]) -> usize {
    factors.iter().fold(1, |product: usize, factor| product.saturating_mul(*factor))
}

/// How many keys say what becomes of the KL.
fn penalties(config: &Config) -> usize {
    let m = &config.model;
    [m.free_bits, m.capacity, m.kl_at_most].into_iter().flatten().count()
}

fn has_parts(config: &Config) -> bool {
    config.model.prior != PriorKind::Standard
}

fn is(config: &Config, objectives: &[Objective]) -> bool {
    objectives.contains(&config.model.objective)
}

/// All rules; the first that is broken is told.
pub(super) const RULES: &[Rule] = &[
    Rule {
        keys: &["epochs", "steps"],
        is_broken: |c| c.train.epochs == 0 && c.train.steps.is_none(),
        sentence: "epochs is 0, so there is nothing to do: set epochs or steps to at least 1",
    },
    Rule {
        keys: &["encoder", "hidden"],
        is_broken: |c| c.model.encoder.is_some() && !c.model.hidden.is_empty(),
        sentence: "encoder and hidden both say what the encoder is: leave one of them out",
    },
    Rule {
        keys: &["decoder", "decoder_hidden"],
        is_broken: |c| c.model.decoder.is_some() && c.model.decoder_hidden.is_some(),
        sentence: "decoder and decoder_hidden both say what the decoder is: leave one of them out",
    },
    Rule {
        keys: &["encoder", "decoder"],
        is_broken: |c| [&c.model.encoder, &c.model.decoder].into_iter().flatten().any(|all| all.len() > MAX_LAYERS),
        sentence: "encoder and decoder may have at most 100 layers each",
    },
    Rule {
        keys: &["tied", "likelihood"],
        is_broken: |c| c.model.tied && c.model.likelihood.outputs() > 1,
        sentence: "with the likelihoods logistic and zero-inflated the decoder makes two numbers of each value, for \
                   which the encoder has no weights: leave tied out",
    },
    Rule {
        keys: &["likelihood", "binarise"],
        is_broken: |c| c.model.likelihood == Likelihood::Logistic && c.data.binarise != Binarise::None,
        sentence: "the likelihood logistic is of 256 levels, and binarise makes zeros and ones of them: choose \
                   bernoulli, or leave binarise out",
    },
    Rule {
        keys: &["free_bits", "capacity", "kl_at_most"],
        is_broken: |c| penalties(c) > 1,
        sentence: "free_bits, capacity and kl_at_most each say what becomes of the KL: choose one of them",
    },
    Rule {
        keys: &["kl_at_most", "beta", "beta_warmup_epochs", "beta_schedule"],
        is_broken: |c| {
            let m = &c.model;
            let has_beta = m.beta != 1.0 || m.beta_warmup_epochs > 0.0 || m.beta_schedule != BetaSchedule::Linear;
            m.kl_at_most.is_some() && has_beta
        },
        sentence: "kl_at_most has a multiplier in place of beta: leave beta and its schedule out",
    },
    Rule {
        keys: &["capacity_epochs", "capacity"],
        is_broken: |c| c.model.capacity_epochs > 0.0 && c.model.capacity.is_none(),
        sentence: "capacity_epochs needs a capacity: set both",
    },
    Rule {
        keys: &["beta_schedule", "beta_warmup_epochs"],
        is_broken: |c| c.model.beta_schedule == BetaSchedule::Sigmoid && c.model.beta_warmup_epochs == 0.0,
        sentence: "beta_schedule sigmoid needs the epochs over which beta rises: set beta_warmup_epochs",
    },
    Rule {
        keys: &["beta_schedule", "beta_warmup_epochs", "beta_cycles"],
        is_broken: |c| c.model.beta_schedule == BetaSchedule::Cyclical && c.model.beta_warmup_epochs > 0.0,
        sentence: "beta_schedule cyclical goes over the whole run: leave beta_warmup_epochs out, and set beta_cycles",
    },
    Rule {
        keys: &["prior", "objective"],
        is_broken: |c| has_parts(c) && is(c, &[Objective::Ae]),
        sentence: "an autoencoder (objective ae) has no prior: leave prior out, or choose elbo",
    },
    Rule {
        keys: &["prior", "free_bits"],
        is_broken: |c| has_parts(c) && c.model.free_bits.is_some(),
        sentence: "free_bits is of the KL of each dimension, which only the standard prior has: choose it, or leave \
                   free_bits out",
    },
    Rule {
        keys: &["prior", "objective"],
        is_broken: |c| has_parts(c) && is(c, &[Objective::DipI, Objective::DipIi, Objective::Info]),
        sentence: "the objectives dip-i, dip-ii and info compare codes with a standard normal: leave prior out, or \
                   choose another objective",
    },
    Rule {
        keys: &["prior", "condition"],
        is_broken: |c| c.model.prior == PriorKind::Vamp && c.is_conditional(),
        sentence: "the prior vamp has rows without classes, which a conditional model cannot encode: choose prior \
                   mixture, or leave condition out",
    },
    Rule {
        keys: &["prior", "doubly_reparameterised"],
        is_broken: |c| c.model.prior == PriorKind::Vamp && c.model.doubly_reparameterised,
        sentence: "the prior vamp learns through the encoder, whose gradient doubly_reparameterised replaces: leave \
                   one of them out",
    },
    Rule {
        keys: &["prior_parts", "batch", "prior", "latent", "samples"],
        is_broken: |c| {
            let m = &c.model;
            has_parts(c) && product(&[m.samples, c.train.batch, m.prior_parts, m.latent]) > MAX_COMPARISONS
        },
        sentence: "a prior of parts compares each draw of a batch with each part: choose fewer prior_parts or a \
                   smaller batch",
    },
    Rule {
        keys: &["batch", "objective"],
        is_broken: |c| is(c, &[Objective::BetaTc, Objective::DipI, Objective::DipIi]) && c.train.batch < 2,
        sentence: "the objectives beta-tc, dip-i and dip-ii compare the rows of a batch: choose a batch of 2 or more",
    },
    Rule {
        keys: &["batch", "objective"],
        is_broken: |c| {
            let comparisons = product(&[c.train.batch, c.train.batch, c.model.latent]);
            is(c, &[Objective::BetaTc, Objective::Info]) && comparisons > MAX_COMPARISONS
        },
        sentence: "the objectives beta-tc and info compare each row of a batch with each: choose a smaller batch",
    },
    Rule {
        keys: &["samples", "objective"],
        is_broken: |c| is(c, &[Objective::Iwae]) && c.model.samples == 1,
        sentence: "the objective iwae needs several draws of the latent for each row: set samples, to 5 for instance",
    },
    Rule {
        keys: &["samples", "sample_groups"],
        is_broken: |c| c.model.samples % c.model.sample_groups.max(1) != 0,
        sentence: "samples must be a multiple of sample_groups",
    },
    Rule {
        keys: &["samples", "batch"],
        is_broken: |c| product(&[c.model.samples, c.train.batch]) > MAX_DRAWS,
        sentence: "samples times batch may be at most 1048576: choose fewer of either",
    },
    Rule {
        keys: &["doubly_reparameterised", "tied", "elbo_share"],
        is_broken: |c| c.model.doubly_reparameterised && (c.model.tied || c.model.elbo_share > 0.0),
        sentence: "doubly_reparameterised needs an encoder without shares in the decoder or in the ELBO: leave tied \
                   and elbo_share out",
    },
    Rule {
        keys: &["nesterov", "momentum"],
        is_broken: |c| c.train.nesterov && !(c.train.optimizer == Optimizer::Sgd && c.train.momentum > 0.0),
        sentence: "nesterov needs sgd with a momentum above 0: set both, or leave nesterov out",
    },
    Rule {
        keys: &["buckets", "likelihood"],
        is_broken: |c| c.train.buckets > 1 && c.model.likelihood != Likelihood::Tokens,
        sentence: "buckets are of texts by their lengths, and the likelihood of texts is tokens: leave buckets out",
    },
    Rule {
        keys: &["schedule", "lr_step_epochs"],
        is_broken: |c| c.train.schedule == Schedule::Step && c.train.lr_step_epochs.is_none(),
        sentence: "schedule step and lr_step_epochs (epochs between drops) go together: set both or neither",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// For each rule, in their order, a configuration that breaks it first.
    const BROKEN: &[&str] = &[
        "[train]\nepochs = 0",
        "[model]\nhidden = [3]\nencoder = [\"conv 4\"]",
        "[model]\ndecoder_hidden = [3]\ndecoder = [\"conv 4\"]",
        "[model]\ndecoder = [LAYERS]",
        "[model]\ntied = true\nlikelihood = \"logistic\"",
        "[model]\nlikelihood = \"logistic\"\n[data]\nbinarise = \"draw\"",
        "[model]\nfree_bits = 0.1\ncapacity = 3.0",
        "[model]\nkl_at_most = 3.0\nbeta = 2.0",
        "[model]\ncapacity_epochs = 3.0",
        "[model]\nbeta_schedule = \"sigmoid\"",
        "[model]\nbeta_schedule = \"cyclical\"\nbeta_warmup_epochs = 3",
        "[model]\nprior = \"vamp\"\nobjective = \"ae\"",
        "[model]\nprior = \"mixture\"\nfree_bits = 0.1",
        "[model]\nprior = \"mixture\"\nobjective = \"info\"",
        "[model]\nprior = \"vamp\"\ncondition = \"class\"",
        "[model]\nprior = \"vamp\"\nobjective = \"iwae\"\nsamples = 5\ndoubly_reparameterised = true",
        "[model]\nprior = \"mixture\"\nprior_parts = 60000",
        "[model]\nobjective = \"dip-i\"\n[train]\nbatch = 1",
        "[model]\nobjective = \"info\"\n[train]\nbatch = 60000",
        "[model]\nobjective = \"iwae\"",
        "[model]\nobjective = \"iwae\"\nsamples = 5\nsample_groups = 2",
        "[model]\nobjective = \"iwae\"\nsamples = 60000",
        "[model]\nobjective = \"iwae\"\nsamples = 2\ntied = true\ndoubly_reparameterised = true",
        "[train]\nnesterov = true",
        "[train]\nbuckets = 2",
        "[train]\nschedule = \"step\"",
    ];

    #[test]
    fn each_rule_is_broken_by_a_configuration_and_told_with_its_keys() {
        assert_eq!(BROKEN.len(), RULES.len());
        for (text, rule) in BROKEN.iter().zip(RULES) {
            let text = text.replace("LAYERS", &["\"dense 4\""; 101].join(","));
            let error = Config::resolve_text("example", &text).unwrap_err();
            let super::super::ConfigError::Refused { keys, reason } = error else { panic!("{text}: {error}") };
            assert_eq!((&keys[..], &reason[..]), (rule.keys, rule.sentence), "{text}");
            assert!(keys.iter().all(|name| super::super::keys::find(name).is_some()), "{text}");
        }
    }
}
