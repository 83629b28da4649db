//! The latent variable and its gradients, element by element.

use super::math::exp;
use crate::plan::LOGVAR_RANGE;

#[inline(always)]
fn bounded(logvar: f32) -> f32 {
    let above = if logvar < LOGVAR_RANGE.0 { LOGVAR_RANGE.0 } else { logvar };
    if above > LOGVAR_RANGE.1 { LOGVAR_RANGE.1 } else { above }
}

/// `value` where `logvar` is within its range; it has no slope elsewhere.
#[inline(always)]
fn where_bounded(logvar: f32, value: f32) -> f32 {
    if logvar >= LOGVAR_RANGE.0 && logvar <= LOGVAR_RANGE.1 { value } else { 0.0 }
}

/// `z`
#[inline(always)]
pub(super) fn reparameterise([mu, logvar, noise]: [f32; 3]) -> [f32; 1] {
    [mu + exp(0.5 * bounded(logvar)) * noise]
}

/// `d_logvar`
#[inline(always)]
pub(super) fn reparameterise_logvar([d_z, logvar, noise]: [f32; 3]) -> [f32; 1] {
    [where_bounded(logvar, 0.5 * (d_z * noise * exp(0.5 * bounded(logvar))))]
}

/// The KL divergence from the standard normal.
#[inline(always)]
pub(super) fn kl([mu, logvar]: [f32; 2]) -> [f32; 1] {
    let logvar = bounded(logvar);
    [0.5 * (mu * mu + exp(logvar) - 1.0 - logvar)]
}

/// The slope of the KL divergence by logvar, times `d_kl`.
#[inline(always)]
pub(super) fn kl_logvar([d_kl, logvar]: [f32; 2]) -> [f32; 1] {
    [where_bounded(logvar, 0.5 * d_kl * (exp(bounded(logvar)) - 1.0))]
}

const LOG_TWO_PI: f32 = 1.837_877_1;

/// `ln q` of a draw with this noise.
#[inline(always)]
pub(super) fn log_draw([noise, logvar]: [f32; 2]) -> [f32; 1] {
    [-0.5 * (noise * noise + bounded(logvar) + LOG_TWO_PI)]
}

/// The slope of [`log_draw`] by logvar.
#[inline(always)]
pub(super) fn log_draw_slope([logvar]: [f32; 1]) -> [f32; 1] {
    [where_bounded(logvar, -0.5)]
}

/// `ln p` of x under a normal.
#[inline(always)]
pub(super) fn log_normal([x, mu, logvar]: [f32; 3]) -> [f32; 1] {
    let logvar = bounded(logvar);
    let far = (x - mu) * exp(-0.5 * logvar);
    [-0.5 * (far * far + logvar + LOG_TWO_PI)]
}

/// The slope of [`log_normal`] by x, times `d`.
#[inline(always)]
pub(super) fn log_normal_x([d, x, mu, logvar]: [f32; 4]) -> [f32; 1] {
    [d * ((mu - x) * exp(-bounded(logvar)))]
}

/// The slope of [`log_normal`] by mu, times `d`.
#[inline(always)]
pub(super) fn log_normal_mu([d, x, mu, logvar]: [f32; 4]) -> [f32; 1] {
    [d * ((x - mu) * exp(-bounded(logvar)))]
}

/// The slope of [`log_normal`] by logvar, times `d`.
#[inline(always)]
pub(super) fn log_normal_logvar([d, x, mu, logvar]: [f32; 4]) -> [f32; 1] {
    let far = (x - mu) * exp(-0.5 * bounded(logvar));
    [where_bounded(logvar, 0.5 * d * (far * far - 1.0))]
}

/// `exp(x)`
#[inline(always)]
pub(super) fn exponential([x]: [f32; 1]) -> [f32; 1] {
    [exp(x)]
}
