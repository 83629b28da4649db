//! Reconstruction losses and their slopes.

use super::activation::{activate, sigmoid};
use super::{Real, Results};
use crate::plan::{
    Activation, ColumnKind, HALF_LEVEL, LOG_COUNT_RANGE, LOG_FAILURES_RANGE, LOG_FREEDOM_RANGE, LOG_SCALE_RANGE, Loss,
    MIN_LOG_SIGMA, is_missing,
};

/// The loss of the output `x[0]` for the data `x[1]`, and its slopes; unused results are 0.
pub(super) fn evaluate<T: Real>(loss: Loss, x: &[T]) -> Results<T> {
    let [value, by_output, by_other] = match loss {
        Loss::Bernoulli => bernoulli(x[0], x[1]),
        Loss::Gaussian => gaussian(x[0], x[1], x[2], x[3]),
        Loss::GaussianLearned => gaussian_learned(x[0], x[1], x[2]),
        Loss::Laplace => laplace(x[0], x[1], x[2]),
        Loss::StudentT => return student_t(x[0], x[1], x[2], x[3]),
        Loss::Logistic => logistic(x[0], x[1], x[2]),
        Loss::Interval => interval(x[0], x[1], x[2], x[3]),
        Loss::Column => column(x, false),
        Loss::ColumnOrCount => column(x, true),
        Loss::ZeroInflated => return zero_inflated(x[0], x[1], x[2], x[3]),
    };
    [value, by_output, by_other, T::zero()]
}

fn bernoulli<T: Real>(logit: T, x: T) -> [T; 3] {
    let loss = logit.max(T::zero()) - logit * x + (-logit.abs()).exp().ln_1p();
    [loss, sigmoid(logit) - x, T::zero()]
}

fn gaussian<T: Real>(mean: T, x: T, inv_var: T, log_norm: T) -> [T; 3] {
    let error = mean - x;
    [T::of(0.5) * inv_var * error * error + log_norm, inv_var * error, T::zero()]
}

fn gaussian_learned<T: Real>(mean: T, x: T, log_sigma: T) -> [T; 3] {
    let kept = log_sigma.max(T::of(MIN_LOG_SIGMA.into()));
    let error = (mean - x) / kept.exp();
    let log_norm = kept + T::of(0.5 * (2.0 * std::f64::consts::PI).ln());
    let slope = inward(T::one() - error * error, log_sigma, (MIN_LOG_SIGMA, f32::MAX));
    [T::of(0.5) * error * error + log_norm, error / kept.exp(), slope]
}

fn laplace<T: Real>(location: T, x: T, log_scale: T) -> [T; 3] {
    let kept = log_scale.max(T::of(MIN_LOG_SIGMA.into()));
    let (error, scale) = (location - x, kept.exp());
    let sign = match () {
        () if error > T::zero() => T::one(),
        () if error < T::zero() => -T::one(),
        () => error,
    };
    let slope = inward(T::one() - error.abs() / scale, log_scale, (MIN_LOG_SIGMA, f32::MAX));
    [error.abs() / scale + kept + T::of(std::f64::consts::LN_2), sign / scale, slope]
}

/// Student's t: of nu degrees of freedom, `G((nu + 1) / 2) / (G(nu / 2) sqrt(nu pi) b) (1 + t^2 / nu)^(-(nu + 1) / 2)`.
fn student_t<T: Real>(location: T, x: T, log_scale: T, log_freedom: T) -> Results<T> {
    let kept = log_scale.max(T::of(MIN_LOG_SIGMA.into()));
    let scale = kept.exp().wide();
    let freedom = bounded(log_freedom, LOG_FREEDOM_RANGE).exp().wide();
    let t = (location - x).wide() / scale;
    let ((above, slope_above), (below, slope_below)) = (log_gamma(0.5 * freedom + 0.5), log_gamma(0.5 * freedom));
    let spread = (t * t / freedom).ln_1p();
    let log_norm = below - above + 0.5 * (freedom * std::f64::consts::PI).ln() + kept.wide();
    let share = t * t / (freedom + t * t);
    let by_freedom = 0.5 * (slope_below - slope_above + 1.0 / freedom + spread - (freedom + 1.0) / freedom * share);
    [
        T::of(log_norm + 0.5 * (freedom + 1.0) * spread),
        T::of((freedom + 1.0) * t / (freedom + t * t) / scale),
        inward(T::of(1.0 - (freedom + 1.0) * share), log_scale, (MIN_LOG_SIGMA, f32::MAX)),
        inward(T::of(freedom * by_freedom), log_freedom, LOG_FREEDOM_RANGE),
    ]
}

fn softplus<T: Real>(x: T) -> T {
    activate(Activation::Softplus, x)
}

/// The share of a logistic distribution within half a level w of a level, u from the location, both in scales: `sinh(w)
/// / (cosh(u) + cosh(w))`. The first level has everything below it, too, and the last level everything above it.
fn logistic<T: Real>(location: T, x: T, log_scale: T) -> [T; 3] {
    let scale = bounded(log_scale, LOG_SCALE_RANGE).exp().wide();
    let half = f64::from(HALF_LEVEL);
    let [u, w] = [(x - location).wide() / scale, half / scale];
    let (loss, by_u, by_w) = match x.wide() {
        x if x <= half => (softplus(-u - w), -sigmoid(-u - w), -sigmoid(-u - w)),
        x if x >= 1.0 - half => (softplus(u - w), sigmoid(u - w), -sigmoid(u - w)),
        _ => {
            let [above, below] = [(0.5 * (w + u)).tanh(), (0.5 * (w - u)).tanh()];
            let loss = softplus(u.abs() - w) + softplus(-u.abs() - w) - (-(-2.0 * w).exp_m1()).ln();
            (loss, 0.5 * (above - below), 0.5 * (above + below) - 1.0 / w.tanh())
        }
    };
    let by_scale = T::of(-by_u * u - by_w * w);
    [T::of(loss), T::of(-by_u / scale), inward(by_scale, log_scale, LOG_SCALE_RANGE)]
}

/// The mean density of a logistic distribution from `x - half` to `x + half`: `sinh(w) / (cosh(u) + cosh(w)) / (2 half)`, with `u` and
/// `w` the distance and the half in scales.
fn interval<T: Real>(location: T, x: T, log_scale: T, half: T) -> [T; 3] {
    if is_missing(x.wide() as f32) {
        return [T::zero(); 3];
    }
    let scale = bounded(log_scale, LOG_SCALE_RANGE).exp().wide();
    let [u, w] = [(x - location).wide() / scale, half.wide() / scale];
    let [above, below] = [(0.5 * (w + u)).tanh(), (0.5 * (w - u)).tanh()];
    // Without a width it is the density; next to it, the terms cancel even in twice the precision.
    let (log_share, by_w) = match w < 1e-3 {
        true => (w - w * w / 6.0, 1.0 - w / 3.0),
        false => ((2.0 * w).ln() - (-(-2.0 * w).exp_m1()).ln(), 1.0 + 1.0 / w - 1.0 / w.tanh()),
    };
    let loss = softplus(u.abs() - w) + softplus(-u.abs() - w) + log_share + scale.ln();
    let by_u = 0.5 * (above - below);
    let by_scale = 1.0 - u * by_u - w * (0.5 * (above + below) - 1.0 + by_w);
    [T::of(loss), T::of(-by_u / scale), inward(T::of(by_scale), log_scale, LOG_SCALE_RANGE)]
}

/// The mean of a level, and its slopes: the integral of `1 - F` from 0 to 1.
pub(super) fn logistic_mean<T: Real>(location: T, log_scale: T) -> [T; 3] {
    let kept = bounded(log_scale, LOG_SCALE_RANGE);
    let scale = kept.exp();
    let [a, b] = [location, location - T::one()].map(|x| x / scale);
    let mean = scale * (softplus(a) - softplus(b));
    // The smaller of the shares above and below is used: the difference of two shares next to 1 would be lost in
    // rounding.
    let by_location = if b > T::zero() { sigmoid(-b) - sigmoid(-a) } else { sigmoid(a) - sigmoid(b) };
    let entropy = |x: T| softplus(-x.abs()) + x.abs() * sigmoid(-x.abs());
    let by_scale = scale * (entropy(a) - entropy(b));
    [mean, by_location, if kept == log_scale { by_scale } else { T::zero() }]
}

/// The slope of a parameter that is kept within bounds: none that would take it further out.
fn inward<T: Real>(slope: T, value: T, (least, most): (f32, f32)) -> T {
    match () {
        () if value <= T::of(least.into()) => slope.min(T::zero()),
        () if value >= T::of(most.into()) => slope.max(T::zero()),
        () => slope,
    }
}

fn bounded<T: Real>(value: T, (least, most): (f32, f32)) -> T {
    value.max(T::of(least.into())).min(T::of(most.into()))
}

/// Whether a column is of a kind.
fn is<T: Real>(kind: T, wanted: ColumnKind) -> bool {
    kind == T::of(f64::from(wanted as u32))
}

/// The loss of a column's value, by its kind. `x` has the output, the data, the dispersion, half of an interval or the mean of the
/// counts' logarithms, and the kind.
fn column<T: Real>(x: &[T], has_counts: bool) -> [T; 3] {
    match x[4] {
        _ if is_missing(x[1].wide() as f32) => [T::zero(); 3],
        kind if is(kind, ColumnKind::YesNo) => bernoulli(x[0], x[1]),
        kind if is(kind, ColumnKind::Category) => [-x[1] * x[0], -x[1], T::zero()],
        kind if is(kind, ColumnKind::Count) && has_counts => count(x[0], x[1], x[2], x[3]),
        _ => interval(x[0], x[1], x[2], x[3]),
    }
}

/// The mean of a column in the units of its values, of the output and the kind.
pub(super) fn column_mean<T: Real>(x: &[T]) -> T {
    match x[1] {
        kind if is(kind, ColumnKind::YesNo) => sigmoid(x[0]),
        kind if is(kind, ColumnKind::Category) => x[0].exp(),
        kind if is(kind, ColumnKind::Count) && x.len() > 2 => {
            bounded(x[2] + x[0], LOG_COUNT_RANGE).exp().ln_1p() - x[2]
        }
        _ => x[0],
    }
}

pub(super) fn present<T: Real>(x: T) -> T {
    if is_missing(x.wide() as f32) { T::zero() } else { x }
}

pub(super) fn absent<T: Real>(x: T) -> T {
    if is_missing(x.wide() as f32) { T::one() } else { T::zero() }
}

/// `ln(gamma(x))` and its slope, by the recurrence up to 30 and Stirling's series there.
fn log_gamma(x: f64) -> (f64, f64) {
    let (mut at, mut below, mut slope_below) = (x, 0.0, 0.0);
    while at < 30.0 {
        below += at.ln();
        slope_below += 1.0 / at;
        at += 1.0;
    }
    let square = 1.0 / (at * at);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / at;
    let value = (at - 0.5) * at.ln() - at + 0.5 * (2.0 * std::f64::consts::PI).ln() + series;
    let slope = at.ln() - 0.5 / at - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0));
    (value - below, slope - slope_below)
}

/// A negative binomial: of k, `C(k + r - 1, k) (m / (r + m))^k (r / (r + m))^r`.
fn count<T: Real>(output: T, x: T, dispersion: T, shift: T) -> [T; 3] {
    let k = ((shift + x).exp() - T::one()).round().wide().max(0.0);
    let mean = bounded(shift + output, LOG_COUNT_RANGE).exp().wide();
    let r = bounded(dispersion, LOG_FAILURES_RANGE).exp().wide();
    let (of_both, slope_of_both) = log_gamma(k + r);
    let (of_r, slope_of_r) = log_gamma(r);
    let loss = log_gamma(k + 1.0).0 - of_both + of_r - k * (mean / (r + mean)).ln() - r * (r / (r + mean)).ln();
    let by_r = slope_of_r - slope_of_both - (r / (r + mean)).ln() + (k - mean) / (r + mean);
    let by_output = T::of(r * (mean - k) / (r + mean));
    [T::of(loss), by_output, inward(T::of(r * by_r), dispersion, LOG_FAILURES_RANGE)]
}

/// A negative binomial, or 0 with the probability `sigmoid(logit)`. A zero may come from either, in proportion to their
/// shares in its probability.
fn zero_inflated<T: Real>(log_mean: T, log_count: T, logit: T, dispersion: T) -> Results<T> {
    if is_missing(log_count.wide() as f32) {
        return [T::zero(); 4];
    }
    let [counted, by_mean, by_dispersion] = count(log_mean, log_count, dispersion, T::zero());
    let (extra, none) = (sigmoid(logit), sigmoid(-logit));
    if (log_count.exp() - T::one()).round() > T::zero() {
        return [counted - none.ln(), by_mean, extra, by_dispersion];
    }
    let both = extra + none * (-counted).exp();
    let own = none * (-counted).exp() / both;
    [-both.ln(), own * by_mean, extra - (T::one() - own), own * by_dispersion]
}

/// The mean of a count that may be an extra zero, in the units of the values.
pub(super) fn zero_inflated_mean<T: Real>(output: T, logit: T, shift: T) -> T {
    (bounded(shift + output, LOG_COUNT_RANGE).exp() * sigmoid(-logit)).ln_1p() - shift
}
