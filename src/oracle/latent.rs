//! The latent variable: reparameterisation, KL and their gradients.

use super::Real;
use crate::plan::LOGVAR_RANGE;

fn bounded<T: Real>(logvar: T) -> T {
    logvar.max(T::of(LOGVAR_RANGE.0.into())).min(T::of(LOGVAR_RANGE.1.into()))
}

fn deviation<T: Real>(logvar: T) -> T {
    (T::of(0.5) * bounded(logvar)).exp()
}

pub(super) fn reparameterise<T: Real>(mu: T, logvar: T, noise: T) -> T {
    mu + deviation(logvar) * noise
}

pub(super) fn reparameterise_logvar<T: Real>(d_z: T, logvar: T, noise: T) -> T {
    if bounded(logvar) != logvar {
        return T::zero();
    }
    T::of(0.5) * d_z * noise * deviation(logvar)
}

pub(super) fn kl<T: Real>(mu: T, logvar: T) -> T {
    let logvar = bounded(logvar);
    T::of(0.5) * (mu * mu + logvar.exp() - T::one() - logvar)
}

pub(super) fn kl_logvar<T: Real>(d_kl: T, logvar: T) -> T {
    if bounded(logvar) != logvar {
        return T::zero();
    }
    T::of(0.5) * d_kl * (logvar.exp() - T::one())
}
