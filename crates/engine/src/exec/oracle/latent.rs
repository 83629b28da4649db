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

fn log_two_pi<T: Real>() -> T {
    T::of((2.0 * std::f64::consts::PI).ln())
}

/// The logarithm of the density of a draw with this noise.
pub(super) fn log_draw<T: Real>(noise: T, logvar: T) -> T {
    T::of(-0.5) * (noise * noise + bounded(logvar) + log_two_pi())
}

pub(super) fn log_draw_slope<T: Real>(logvar: T) -> T {
    if bounded(logvar) == logvar { T::of(-0.5) } else { T::zero() }
}

pub(super) fn log_normal<T: Real>(x: T, mu: T, logvar: T) -> T {
    let far = (x - mu) / deviation(logvar);
    T::of(-0.5) * (far * far + bounded(logvar) + log_two_pi())
}

/// The slope of [`log_normal`] by mu, times `d`; the slope by x is its negative.
pub(super) fn log_normal_mu<T: Real>(d: T, x: T, mu: T, logvar: T) -> T {
    d * (x - mu) / bounded(logvar).exp()
}

pub(super) fn log_normal_logvar<T: Real>(d: T, x: T, mu: T, logvar: T) -> T {
    if bounded(logvar) != logvar {
        return T::zero();
    }
    let far = (x - mu) / deviation(logvar);
    T::of(0.5) * d * (far * far - T::one())
}
