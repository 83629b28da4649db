//! What is refused: values out of range, and values that contradict each other or the data.

use wgvae_data::{Dataset, Shape, ValueKind};

use super::sections::PRIOR_PARTS;
use super::{
    Activation, BetaSchedule, Binarise, Config, ConfigError, Likelihood, Objective, Optimizer, PriorKind, Schedule,
};

/// Limit on steps, so that steps times rows fits in 64 bits with room to spare.
const MAX_STEPS: u64 = 1 << 40;

impl Config {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let (m, t) = (&self.model, &self.train);
        let decoder = m.decoder_hidden.as_deref().unwrap_or_default();
        // Shaders compute with these values and their squares in f32: neither may underflow or overflow.
        let positive = |x: f64| (1e-15..=1e15).contains(&x);
        let fraction = |x: f32| (0.0..1.0).contains(&x);
        let sgd = t.optimizer == Optimizer::Sgd;
        let ae = m.objective == Objective::Ae;
        let iwae = m.objective == Objective::Iwae;
        let penalties = [m.free_bits, m.capacity, m.kl_at_most].into_iter().flatten().count();
        let largest = 1 << 20;
        for (wrong, message) in [
            (m.latent == 0, "latent is 0, but the latent space needs at least one dimension"),
            (
                m.hidden.contains(&0) || decoder.contains(&0),
                "a hidden layer has width 0, so no data can pass through it: remove that layer",
            ),
            (
                m.latent > largest || m.hidden.iter().chain(decoder).any(|w| *w > largest),
                "a layer may be at most 1048576 wide: choose smaller widths",
            ),
            (
                !(self.data.test_share > 0.0 && self.data.test_share < 1.0),
                "test_share must be a share of the rows, above 0 and below 1",
            ),
            (
                !(self.data.noise >= 0.0 && self.data.noise <= 1.0),
                "noise must be from 0 to 1: it is the standard deviation of noise added to levels in [0, 1]",
            ),
            (self.data.shift > 4096, "shift may be at most 4096 pixels"),
            (self.data.limit == Some(0), "limit must be at least one row"),
            (t.batch == 0, "batch is 0, but a batch needs at least one row"),
            (
                t.batch > 65_535,
                "batch may be at most 65535, because each row needs one of the 65535 workgroups of a dispatch",
            ),
            (
                t.epochs == 0 && t.steps.is_none(),
                "epochs is 0, so there is nothing to do: set epochs or steps to at least 1",
            ),
            (t.epochs > 1_000_000, "epochs may be at most 1000000"),
            (t.steps.is_some_and(|s| s > MAX_STEPS), "steps may be at most 1099511627776"),
            (t.warmup_steps > MAX_STEPS, "warmup_steps may be at most 1099511627776 steps"),
            (t.steps == Some(0), "steps is 0, so there is nothing to do: set it to at least 1, or leave it out"),
            (t.patience == Some(0), "patience must be at least one epoch; leave it out to train to the end"),
            (!positive(t.lr), "the learning rate must be a positive number, from 1e-15 to 1e15"),
            (!(m.beta >= 0.0 && m.beta.is_finite()), "beta must be 0 or a positive number"),
            (
                !(m.beta_warmup_epochs >= 0.0 && m.beta_warmup_epochs.is_finite()),
                "beta_warmup_epochs must be 0 or a positive number of epochs",
            ),
            (!positive(m.sigma.into()), "sigma must be a positive number, from 1e-15 to 1e15"),
            (
                m.sigma != 1.0 && !m.likelihood.takes_sigma(),
                "sigma applies only to likelihoods with a scale: choose gaussian, gaussian-learned, laplace, student-t, logistic or columns, or leave sigma out",
            ),
            (
                m.tied && m.likelihood.outputs() > 1,
                "with the likelihoods logistic and zero-inflated the decoder makes two numbers of each value, for which the encoder has no weights: leave tied out",
            ),
            (
                ae && (m.beta != 1.0 || m.beta_warmup_epochs > 0.0),
                "an autoencoder (objective ae) has no KL term, so beta has no effect: leave beta out, or choose elbo",
            ),
            (
                iwae && (m.beta != 1.0 || m.beta_warmup_epochs > 0.0),
                "the importance-weighted bound (objective iwae) has no KL term, so beta has no effect: leave beta out, or choose elbo",
            ),
            (
                m.objective != Objective::Elbo && penalties > 0,
                "free_bits, capacity and kl_at_most are of the objective elbo: choose it, or leave them out",
            ),
            (
                (ae || iwae) && m.beta_schedule != BetaSchedule::Linear,
                "beta_schedule is of objectives with a KL term: choose elbo, or leave it out",
            ),
            (
                m.objective != Objective::BetaTc && (m.tc_weight != 6.0 || m.tc_stratified),
                "tc_weight and tc_stratified are of the objective beta-tc: choose it, or leave them out",
            ),
            (
                !matches!(m.objective, Objective::DipI | Objective::DipIi)
                    && (m.dip_off_diagonal != 10.0 || m.dip_diagonal.is_some()),
                "dip_off_diagonal and dip_diagonal are of the objectives dip-i and dip-ii: choose one, or leave them out",
            ),
            (
                m.objective != Objective::Info && m.mmd_weight != 100.0,
                "mmd_weight is of the objective info: choose it, or leave mmd_weight out",
            ),
            (
                [m.tc_weight, m.dip_off_diagonal, m.dip_diagonal.unwrap_or(0.0), m.mmd_weight]
                    .into_iter()
                    .any(|weight| !(weight >= 0.0 && weight.is_finite())),
                "tc_weight, dip_off_diagonal, dip_diagonal and mmd_weight must be 0 or positive numbers",
            ),
            (
                matches!(m.objective, Objective::BetaTc | Objective::DipI | Objective::DipIi) && t.batch < 2,
                "the objectives beta-tc, dip-i and dip-ii compare the rows of a batch: choose a batch of 2 or more",
            ),
            (
                m.likelihood == Likelihood::Logistic && self.data.binarise != Binarise::None,
                "the likelihood logistic is of 256 levels, and binarise makes zeros and ones of them: choose bernoulli, or leave binarise out",
            ),
            (
                matches!(m.objective, Objective::BetaTc | Objective::Info)
                    && t.batch.saturating_mul(t.batch).saturating_mul(m.latent) > 1 << 27,
                "the objectives beta-tc and info compare each row of a batch with each: choose a smaller batch",
            ),
            (penalties > 1, "free_bits, capacity and kl_at_most each say what becomes of the KL: choose one of them"),
            (m.free_bits.is_some_and(|x| !positive(x.into())), "free_bits must be a positive number of nats"),
            (m.capacity.is_some_and(|x| !positive(x.into())), "capacity must be a positive number of nats"),
            (m.kl_at_most.is_some_and(|x| !positive(x.into())), "kl_at_most must be a positive number of nats"),
            (
                m.kl_at_most.is_some()
                    && (m.beta != 1.0 || m.beta_warmup_epochs > 0.0 || m.beta_schedule != BetaSchedule::Linear),
                "kl_at_most has a multiplier in place of beta: leave beta and its schedule out",
            ),
            (
                !(m.capacity_epochs >= 0.0 && m.capacity_epochs.is_finite()),
                "capacity_epochs must be 0 or a positive number of epochs",
            ),
            (m.capacity_epochs > 0.0 && m.capacity.is_none(), "capacity_epochs needs a capacity: set both"),
            (
                m.beta_schedule == BetaSchedule::Sigmoid && m.beta_warmup_epochs == 0.0,
                "beta_schedule sigmoid needs the epochs over which beta rises: set beta_warmup_epochs",
            ),
            (
                m.beta_schedule == BetaSchedule::Cyclical && m.beta_warmup_epochs > 0.0,
                "beta_schedule cyclical goes over the whole run: leave beta_warmup_epochs out, and set beta_cycles",
            ),
            (m.beta_cycles == 0, "beta_cycles must be at least 1"),
            (
                m.beta_cycles != 4 && m.beta_schedule != BetaSchedule::Cyclical,
                "beta_cycles is of beta_schedule cyclical: choose it, or leave beta_cycles out",
            ),
            (
                ae && m.prior != PriorKind::Standard,
                "an autoencoder (objective ae) has no prior: leave prior out, or choose elbo",
            ),
            (
                m.prior == PriorKind::Standard && m.prior_parts != PRIOR_PARTS,
                "prior_parts is of the priors mixture and vamp: choose one, or leave prior_parts out",
            ),
            (!(1..=65_535).contains(&m.prior_parts), "prior_parts must be from 1 to 65535"),
            (
                m.prior != PriorKind::Standard && m.free_bits.is_some(),
                "free_bits is of the KL of each dimension, which only the standard prior has: choose it, or leave free_bits out",
            ),
            (
                m.prior != PriorKind::Standard
                    && matches!(m.objective, Objective::DipI | Objective::DipIi | Objective::Info),
                "the objectives dip-i, dip-ii and info compare codes with a standard normal: leave prior out, or choose another objective",
            ),
            (
                m.prior == PriorKind::Vamp && self.is_conditional(),
                "the prior vamp has rows without classes, which a conditional model cannot encode: choose prior mixture, or leave condition out",
            ),
            (
                m.prior == PriorKind::Vamp && m.doubly_reparameterised,
                "the prior vamp learns through the encoder, whose gradient doubly_reparameterised replaces: leave one of them out",
            ),
            (
                m.prior != PriorKind::Standard
                    && m.samples.saturating_mul(t.batch).saturating_mul(m.prior_parts).saturating_mul(m.latent)
                        > 1 << 27,
                "a prior of parts compares each draw of a batch with each part: choose fewer prior_parts or a smaller batch",
            ),
            (m.samples == 0 || m.sample_groups == 0, "samples and sample_groups must be at least 1"),
            (
                iwae && m.samples == 1,
                "the objective iwae needs several draws of the latent for each row: set samples, to 5 for instance",
            ),
            (m.samples > 65_535, "samples may be at most 65535"),
            (
                !iwae && (m.samples > 1 || m.sample_groups > 1 || m.elbo_share != 0.0 || m.doubly_reparameterised),
                "samples, sample_groups, elbo_share and doubly_reparameterised are of the objective iwae: choose it, or leave them out",
            ),
            (m.samples % m.sample_groups.max(1) != 0, "samples must be a multiple of sample_groups"),
            (!fraction(m.elbo_share), "elbo_share must lie in [0, 1)"),
            (
                m.doubly_reparameterised && (m.tied || m.elbo_share > 0.0),
                "doubly_reparameterised needs an encoder without shares in the decoder or in the ELBO: leave tied and elbo_share out",
            ),
            (
                m.samples.saturating_mul(t.batch) > 1 << 20,
                "samples times batch may be at most 1048576: choose fewer of either",
            ),
            (
                !ae && m.latent_activation != Activation::Identity,
                "latent_activation applies only to an autoencoder's code: choose objective ae, or leave latent_activation out",
            ),
            (
                m.encoder.is_some() && !m.hidden.is_empty(),
                "encoder and hidden both say what the encoder is: leave one of them out",
            ),
            (
                m.decoder.is_some() && m.decoder_hidden.is_some(),
                "decoder and decoder_hidden both say what the decoder is: leave one of them out",
            ),
            (
                [&m.encoder, &m.decoder].into_iter().flatten().any(|layers| layers.len() > 100),
                "encoder and decoder may have at most 100 layers each",
            ),
            (!fraction(t.momentum), "momentum must lie in [0, 1)"),
            (!(fraction(t.beta1) && fraction(t.beta2)), "beta1 and beta2 must lie in [0, 1)"),
            (!positive(t.epsilon.into()), "epsilon must be a positive number, from 1e-15 to 1e15"),
            (
                t.momentum > 0.0 && !sgd,
                "momentum applies only to sgd: choose optimizer sgd, or use beta1, which is Adam's equivalent",
            ),
            (
                t.nesterov && !(sgd && t.momentum > 0.0),
                "nesterov needs sgd with a momentum above 0: set both, or leave nesterov out",
            ),
            (!(t.weight_decay >= 0.0 && t.weight_decay.is_finite()), "weight_decay must be 0 or a positive number"),
            (
                t.clip.is_some_and(|c| c != 0.0 && !positive(c.into())),
                "clip must be a positive number from 1e-15 to 1e15, or 0 for no clipping",
            ),
            (
                (t.schedule == Schedule::Step) != t.lr_step_epochs.is_some(),
                "schedule step and lr_step_epochs (epochs between drops) go together: set both or neither",
            ),
            (t.lr_step_epochs == Some(0), "lr_step_epochs must be at least 1 epoch"),
            (!positive(t.lr_gamma), "lr_gamma must be a positive number, from 1e-15 to 1e15"),
        ] {
            if wrong {
                return Err(ConfigError::Value(message.into()));
            }
        }
        Ok(())
    }

    /// Checks the configuration, by itself and against the data it is to be used with.
    pub fn check_data(&self, data: &Dataset) -> Result<(), ConfigError> {
        self.validate()?;
        let refuse = |message: String| Err(ConfigError::Value(message));
        self.vae_spec(data)?;
        if self.is_conditional() {
            for (which, split) in [("training", &data.train), ("test", &data.test)] {
                let known = |labels: &Vec<u32>| labels.iter().all(|label| (*label as usize) < data.classes.len());
                if !split.labels.as_ref().is_some_and(known) {
                    return refuse(format!(
                        "condition class needs the class of every row, and some {which} rows of {} have none: leave those rows or condition out",
                        data.name
                    ));
                }
            }
        }
        if self.model.likelihood.is_of_counts() {
            let name = self.model.likelihood.name();
            let Some(columns) = &data.columns else {
                return refuse(format!(
                    "the likelihood {name} is of tables whose columns are all counts, and {} is no table: choose another likelihood",
                    data.name
                ));
            };
            let other = columns.all.iter().find(|column| column.kind != ValueKind::Count);
            if let Some(column) = other {
                return refuse(format!(
                    "the likelihood {name} is of tables whose columns are all counts, and the column `{}` of {} is {}: choose the likelihood columns, which takes columns of every kind, or leave that column out",
                    column.name,
                    data.name,
                    column.kind.name()
                ));
            }
        }
        // Where pixels are missing, levels are numbers.
        let has_levels = data.is_bytes() || data.missing && data.is_levels();
        let is_of_256 = data.is_bytes() || data.missing && data.is_of_256_levels();
        if self.model.likelihood == Likelihood::Logistic && (!is_of_256 || data.columns.is_some()) {
            return refuse(format!(
                "the likelihood logistic is of images of 256 levels, and {} has other values: choose gaussian-learned, laplace or student-t",
                data.name
            ));
        }
        if self.train.batch > data.train.rows {
            return refuse(format!(
                "a batch of {} rows is larger than the training data, which has {}: choose a smaller batch",
                self.train.batch, data.train.rows
            ));
        }
        let image_of_bytes = matches!(data.shape, Shape::Image { .. }) && data.is_bytes();
        if self.augments() && !image_of_bytes {
            return refuse(format!(
                "shift, flip and noise apply only to images of grey levels or colours, and {} has no such images: leave them out",
                data.name
            ));
        }
        if let Shape::Image { height, width, .. } = data.shape
            && self.data.shift >= height.min(width)
        {
            return refuse(format!(
                "a shift of {} pixels would move images of {height}x{width} out of the frame: choose a smaller shift",
                self.data.shift
            ));
        }
        if !data.is_bytes() {
            if self.model.likelihood == Likelihood::Bernoulli && !has_levels {
                let suits = |likelihood: &Likelihood| match likelihood {
                    Likelihood::Bernoulli | Likelihood::Logistic => false,
                    _ => data.columns.is_some() || !likelihood.is_of_columns() && !likelihood.is_of_counts(),
                };
                let others = Likelihood::ALL.into_iter().filter(suits);
                return refuse(format!(
                    "the bernoulli likelihood needs levels in [0, 1], but the values of {} are not limited to that range: choose another likelihood ({}), or the preset points or table",
                    data.name,
                    others.map(Likelihood::name).collect::<Vec<_>>().join(", ")
                ));
            }
            if self.data.binarise != Binarise::None {
                return refuse(format!(
                    "binarise needs levels in [0, 1], but the values of {} are not limited to that range: leave binarise out",
                    data.name
                ));
            }
        }
        Ok(())
    }
}
