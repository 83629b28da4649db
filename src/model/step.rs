//! The scalars that a step of a model sets and the metrics that it reports, by their places in the program.

use wgvae_engine::plan::{Metrics, ScalarId};

/// The group of all parameters.
pub(super) const GROUP: &str = "all";
/// The group's learning rate; Adam's corrections are the two scalars behind it.
pub const RATE: ScalarId = ScalarId(0);
/// Adam's corrections.
pub const CORRECTIONS: [ScalarId; 2] = [ScalarId(1), ScalarId(2)];
/// The weight of the KL.
pub const BETA: ScalarId = ScalarId(3);
/// The nats that the KL is held at; 0 where it is not held.
pub const CAPACITY: ScalarId = ScalarId(4);

/// The names of beta and the capacity, in the order of their places behind the scalars of the group.
pub(super) const NAMES: [(&str, ScalarId); 2] = [("beta", BETA), ("capacity", CAPACITY)];

/// The negative log-likelihood of a row.
pub(super) const RECON: &str = "recon";
/// The KL divergence of a row from the prior.
pub(super) const KL: &str = "kl";
/// The loss of a row, where it is not the reconstruction and a multiple of the KL.
pub(super) const LOSS: &str = "loss";

/// The columns of a program's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricColumns {
    /// The negative log-likelihood.
    pub recon: usize,
    /// The KL divergence from the prior.
    pub kl: usize,
    /// The loss, where it is not made of these two.
    pub loss: Option<usize>,
    /// The norm of the gradient before it is clipped, where it is.
    pub gradient_norm: Option<usize>,
}

impl MetricColumns {
    pub(super) fn of(metrics: &Metrics, norm: &str) -> Self {
        let column = |name: &str| metrics.find(name);
        Self {
            recon: column(RECON).unwrap_or_default(),
            kl: column(KL).unwrap_or_default(),
            loss: column(LOSS),
            gradient_norm: column(norm),
        }
    }
}
