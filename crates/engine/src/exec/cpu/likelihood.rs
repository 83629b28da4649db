//! Reconstruction losses and their slopes, over arrays. `y` has the loss, the slope by the output, and the slopes by what else is
//! learned.

use super::activation::softplus;
use super::math::{exp, exp_m1_negative, exp_negative, ln, ln_1p_of_ratio, ln_1p_unit, sigmoid};
use super::vector::each;
use crate::plan::{
    ColumnKind, HALF_LEVEL, LOG_COUNT_RANGE, LOG_FAILURES_RANGE, LOG_FREEDOM_RANGE, LOG_SCALE_RANGE, Loss,
    MIN_LOG_SIGMA, is_missing,
};

const HALF_LN_PI: f32 = 0.572_364_9;
const HALF_LN_TAU: f32 = 0.918_938_5;
const YES_NO: f32 = ColumnKind::YesNo as u32 as f32;
const CATEGORY: f32 = ColumnKind::Category as u32 as f32;
const COUNT: f32 = ColumnKind::Count as u32 as f32;

/// The losses of outputs `x[0]` for the data `x[1]`.
pub(super) fn losses(loss: Loss, x: [&[f32]; 5], y: [&mut [f32]; 4]) {
    let [output, x, a, b, c] = x;
    let [value, slope, of_other, of_last] = y;
    match loss {
        Loss::Bernoulli => each!([output, x], [value, slope], bernoulli),
        Loss::Gaussian => each!([output, x, a, b], [value, slope], gaussian),
        Loss::GaussianLearned => each!([output, x, a], [value, slope, of_other], gaussian_learned),
        Loss::Laplace => each!([output, x, a], [value, slope, of_other], laplace),
        Loss::StudentT => each!([output, x, a, b], [value, slope, of_other, of_last], student_t),
        Loss::Logistic => each!([output, x, a], [value, slope, of_other], logistic),
        Loss::Interval => each!([output, x, a, b], [value, slope, of_other], interval),
        Loss::Column => each!([output, x, a, b, c], [value, slope, of_other], column),
        Loss::ColumnOrCount => columns_and_counts([output, x, a, b, c], [value, slope, of_other]),
        Loss::ZeroInflated => each!([output, x, a, b], [value, slope, of_other, of_last], zero_inflated),
    }
}

#[inline(always)]
fn bernoulli([logit, x]: [f32; 2]) -> [f32; 2] {
    // One exponential and one division serve the loss and the slope.
    let e = exp_negative(-logit.abs());
    let (one, two) = (1.0 + e, 2.0 + e);
    let inverse = 1.0 / (one * two);
    // The terms that cancel where an element is certain are added first.
    let loss = (-logit).mul_add(x, if logit > 0.0 { logit } else { 0.0 }) + ln_1p_of_ratio(e, e * one * inverse);
    [loss, (if logit >= 0.0 { two } else { e * two }).mul_add(inverse, -x)]
}

#[inline(always)]
fn gaussian([mean, x, inv_var, log_norm]: [f32; 4]) -> [f32; 2] {
    let error = mean - x;
    [0.5 * inv_var * error * error + log_norm, inv_var * error]
}

/// `f32::clamp` is no vector instruction: it may panic.
#[inline(always)]
fn within(value: f32, (least, most): (f32, f32)) -> f32 {
    let value = if value < least { least } else { value };
    if value > most { most } else { value }
}

/// The slope of a parameter that is kept within bounds: none that would take it further out.
#[inline(always)]
fn inward(slope: f32, value: f32, least: f32, most: f32) -> f32 {
    let slope = if value >= most && slope < 0.0 { 0.0 } else { slope };
    if value <= least && slope > 0.0 { 0.0 } else { slope }
}

#[inline(always)]
fn gaussian_learned([mean, x, log_sigma]: [f32; 3]) -> [f32; 3] {
    let kept = if log_sigma < MIN_LOG_SIGMA { MIN_LOG_SIGMA } else { log_sigma };
    let inv_var = exp(-2.0 * kept);
    let error = mean - x;
    let square = inv_var * error * error;
    let slope = inward(1.0 - square, log_sigma, MIN_LOG_SIGMA, f32::MAX);
    [0.5 * square + kept + HALF_LN_TAU, inv_var * error, slope]
}

#[inline(always)]
fn laplace([location, x, log_scale]: [f32; 3]) -> [f32; 3] {
    let kept = if log_scale < MIN_LOG_SIGMA { MIN_LOG_SIGMA } else { log_scale };
    let inverse = exp(-kept);
    let error = location - x;
    let far = error.abs() * inverse;
    let slope = inward(1.0 - far, log_scale, MIN_LOG_SIGMA, f32::MAX);
    [far + kept + std::f32::consts::LN_2, if error == 0.0 { 0.0 } else { inverse.copysign(error) }, slope]
}

#[inline(always)]
fn student_t([location, x, log_scale, log_freedom]: [f32; 4]) -> [f32; 4] {
    let kept = if log_scale < MIN_LOG_SIGMA { MIN_LOG_SIGMA } else { log_scale };
    let inverse = exp(-kept);
    let log_nu = within(log_freedom, LOG_FREEDOM_RANGE);
    let nu = exp(log_nu);
    let t = (location - x) * inverse;
    let s = t * t / nu;
    let (ratio, ratio_slope) = log_gamma_ratio(0.5 * nu, 0.5);
    let spread = ln_1p(s);
    let share = s / (1.0 + s);
    let loss = 0.5 * (nu + 1.0) * spread + (0.5 * log_nu - ratio) + (kept + HALF_LN_PI);
    let by_output = (nu + 1.0) * t / (nu * (1.0 + s)) * inverse;
    let by_scale = inward(1.0 - (nu + 1.0) * share, log_scale, MIN_LOG_SIGMA, f32::MAX);
    // The terms that cancel where there are many degrees of freedom are added first.
    let by_freedom = 0.5 * (nu * (spread - share - ratio_slope) + (1.0 - share));
    [loss, by_output, by_scale, inward(by_freedom, log_freedom, LOG_FREEDOM_RANGE.0, LOG_FREEDOM_RANGE.1)]
}

/// The loss of a level of 256 under a logistic distribution, and its slopes by the location and the logarithm of the
/// scale.
#[inline(always)]
fn logistic([location, x, log_scale]: [f32; 3]) -> [f32; 3] {
    let inverse = exp(-within(log_scale, LOG_SCALE_RANGE));
    let w = HALF_LEVEL * inverse;
    let u = (x - location) * inverse;
    let (v, t) = (u + w, u - w);
    // All parts, times 0 where it has an open end: that is faster than branches.
    let (has_above, has_below) = (if x < 1.0 - HALF_LEVEL { 1.0 } else { 0.0 }, if x > HALF_LEVEL { 1.0 } else { 0.0 });
    let (above, below) = (has_above * sigmoid(-v), has_below * sigmoid(t));
    let (both, inside) = (has_above * has_below, -exp_m1_negative(-2.0 * w));
    let ([to_v], [to_t]) = (softplus([-v]), softplus([t]));
    let loss = has_above * to_v + has_below * to_t - both * ln(inside);
    let by_scale = v * above - t * below + both * (2.0 * w * (1.0 - inside) / inside);
    let by_scale = inward(by_scale, log_scale, LOG_SCALE_RANGE.0, LOG_SCALE_RANGE.1);
    [loss, (above - below) * inverse, by_scale]
}

/// `softplus(u) - u sigmoid(u)`: the entropy of the probability `sigmoid(u)`.
#[inline(always)]
fn share_entropy(u: f32) -> f32 {
    let e = exp_negative(-u.abs());
    ln_1p_unit(e) + u.abs() * e / (1.0 + e)
}

/// The mean of a level; what lies beyond 0 or 1 counts as 0 or 1.
#[inline(always)]
pub(super) fn logistic_mean([location, log_scale]: [f32; 2]) -> [f32; 3] {
    let kept = within(log_scale, LOG_SCALE_RANGE);
    let inverse = exp(-kept);
    let (a, b) = (location * inverse, (location - 1.0) * inverse);
    let ([to_a], [to_b]) = (softplus([a]), softplus([b]));
    // The smaller of two shares, the one above or the one below, is the exacter one.
    let (above, below) = (sigmoid(a) - sigmoid(b), sigmoid(-b) - sigmoid(-a));
    let by_scale = exp(kept) * (share_entropy(a) - share_entropy(b));
    [exp(kept) * (to_a - to_b), if b > 0.0 { below } else { above }, if kept == log_scale { by_scale } else { 0.0 }]
}

/// `ln(2 w / (1 - exp(-2 w)))` of an interval whose half is w scales wide, and its slope times w; by series where terms would cancel.
#[inline(always)]
fn log_width(w: f32) -> [f32; 2] {
    let s = if w < 0.5 { w * w } else { 0.0 };
    let near = [
        w - s * (0.166_666_67 - s * (0.005_555_555_6 - s * 0.000_352_733_69)),
        w - s * (0.333_333_33 - s * (0.022_222_222 - s * 0.002_116_402_1)),
    ];
    let wide = if w < 0.5 { 0.5 } else { w };
    let inside = -exp_m1_negative(-2.0 * wide);
    let far = [ln(2.0 * wide) - ln(inside), 1.0 - 2.0 * wide * (1.0 - inside) / inside];
    if w < 0.5 { near } else { far }
}

/// The mean density of an interval.
#[inline(always)]
fn interval([location, x, log_scale, half]: [f32; 4]) -> [f32; 3] {
    let kept = within(log_scale, LOG_SCALE_RANGE);
    let inverse = exp(-kept);
    let (u, w) = ((x - location) * inverse, half * inverse);
    let (over, under) = (sigmoid(-u - w), sigmoid(u - w));
    let ([to_over], [to_under]) = (softplus([-u - w]), softplus([u - w]));
    let [width, width_slope] = log_width(w);
    let slope = 1.0 - u * (under - over) + w * (under + over) - width_slope;
    let slope = inward(slope, log_scale, LOG_SCALE_RANGE.0, LOG_SCALE_RANGE.1);
    let all = [to_over + to_under + width + kept, (over - under) * inverse, slope];
    if is_missing(x) { [0.0; 3] } else { all }
}

#[inline(always)]
fn column([output, x, dispersion, half, kind]: [f32; 5]) -> [f32; 3] {
    // All of them, then the one that it is: that is faster than branches.
    let number = interval([output, x, dispersion, half]);
    let [loss, slope] = bernoulli([output, x]);
    let (yes_no, category) = ([loss, slope, 0.0], [-x * output, -x, 0.0]);
    std::array::from_fn(|i| {
        let value = if kind == CATEGORY { category[i] } else { number[i] };
        let value = if kind == YES_NO { yes_no[i] } else { value };
        if is_missing(x) { 0.0 } else { value }
    })
}

/// Counts that are computed at a time.
const COUNTS: usize = 64;

/// Values of all kinds, and then those of the counts among them, side by side: with a branch for counts, a loop over all of them would be one
/// of single numbers, not of vectors.
fn columns_and_counts(x: [&[f32]; 5], y: [&mut [f32]; 3]) {
    let [output, of_data, dispersion, beside, kind] = x;
    let [value, slope, of_other] = y;
    if kind.iter().any(|kind| *kind != COUNT) {
        let y = [&mut *value, &mut *slope, &mut *of_other];
        let [a, b, c] = y;
        each!([output, of_data, dispersion, beside, kind], [a, b, c], column);
    }
    let mut places = (0..value.len()).filter(|i| kind[*i] == COUNT).peekable();
    while places.peek().is_some() {
        let (mut at, mut len) = ([0; COUNTS], 0);
        let mut gathered = [[0.0; COUNTS]; 4];
        for place in places.by_ref().take(COUNTS) {
            at[len] = place;
            for (to, from) in gathered.iter_mut().zip([output, of_data, dispersion, beside]) {
                to[len] = from[place];
            }
            len += 1;
        }
        let mut results = [[0.0; COUNTS]; 3];
        let ([output, x, dispersion, shift], [a, b, c]) = (&gathered, &mut results);
        each!(
            [&output[..len], &x[..len], &dispersion[..len], &shift[..len]],
            [&mut a[..len], &mut b[..len], &mut c[..len]],
            known_count
        );
        for (place, i) in at[..len].iter().zip(0..) {
            [value[*place], slope[*place], of_other[*place]] = results.map(|of| of[i]);
        }
    }
}

#[inline(always)]
fn known_count([output, x, dispersion, shift]: [f32; 4]) -> [f32; 3] {
    let found = count(output, if is_missing(x) { 0.0 } else { x }, dispersion, shift);
    if is_missing(x) { [0.0; 3] } else { found }
}

/// Decodes an output to the mean in the units of its column, from the output, the kind and, with counts, the mean of
/// their logarithms.
pub(super) fn means(x: &[&[f32]], y: &mut [f32]) {
    match *x {
        [output, kind, shift] => each!([output, kind, shift], [y], mean_or_count),
        _ => each!([x[0], x[1]], [y], mean),
    }
}

#[inline(always)]
fn mean([output, kind]: [f32; 2]) -> [f32; 1] {
    let (yes_no, category) = (sigmoid(output), exp(output));
    let value = if kind == CATEGORY { category } else { output };
    [if kind == YES_NO { yes_no } else { value }]
}

#[inline(always)]
fn mean_or_count([output, kind, shift]: [f32; 3]) -> [f32; 1] {
    if kind == COUNT {
        let log_mean = within(shift + output, LOG_COUNT_RANGE);
        [ln_1p(exp(log_mean)) - shift]
    } else {
        mean([output, kind])
    }
}

/// `ln(1 + x)` for x >= 0.
#[inline(always)]
fn ln_1p(x: f32) -> f32 {
    if x <= 1.0 { ln_1p_unit(x) } else { ln(1.0 + x) }
}

/// `ln(gamma(r + k)) - ln(gamma(r))` and its slope by r, for r > 0 and small k >= 0. Stirling's series from r + 6 on, where three
/// terms are enough; with a large k, `k ln(high)` would be too large to take differences of.
#[inline(always)]
fn log_gamma_ratio(r: f32, k: f32) -> (f32, f32) {
    let low = r + 6.0;
    let high = low + k;
    let growth = ln_1p(k / low);
    let (low_2, high_2) = (1.0 / (low * low), 1.0 / (high * high));
    let mut value = (low - 0.5) * growth + k * (ln(high) - 1.0);
    value += (0.083_333_336 - 0.002_777_777_8 * high_2) / high - (0.083_333_336 - 0.002_777_777_8 * low_2) / low;
    let mut slope = growth + 0.5 * (1.0 / low - 1.0 / high);
    slope += low_2 * (0.083_333_336 - 0.008_333_334 * low_2) - high_2 * (0.083_333_336 - 0.008_333_334 * high_2);
    // The recurrence goes back six steps, over half of the factors at a time: the product of all would be too small for
    // a float.
    for half in [0.0, 3.0] {
        let mut product = 1.0;
        for i in [half, half + 1.0, half + 2.0] {
            product *= (r + i) / (r + k + i);
            slope += k / ((r + i) * (r + k + i));
        }
        value += ln(product);
    }
    (value, slope)
}

#[inline(always)]
fn count_of(log_count: f32) -> f32 {
    (exp(log_count) - 1.0).round().max(0.0)
}

/// The remainder of Stirling's formula, `ln(gamma(x + 1)) - (x + 1/2) ln(x) + x - ln(2 pi) / 2`, and `ln(x)` less the
/// slope of `ln(gamma(x))`, for x > 0. Below 6, the recurrence is taken six steps.
#[inline(always)]
fn beyond_stirling(x: f32) -> (f32, f32) {
    let is_small = x < 6.0;
    let at = if is_small { x + 6.0 } else { x };
    let inv = 1.0 / at;
    let inv_2 = inv * inv;
    let value = inv * (0.083_333_336 - inv_2 * (0.002_777_777_8 - inv_2 * 0.000_793_650_8));
    let slope = inv * (0.5 + inv * (0.083_333_336 - inv_2 * (0.008_333_334 - inv_2 * 0.003_968_254)));
    // Made of all x, so of none that overflows: that is faster than a branch.
    let low = if is_small { x } else { 6.0 };
    let (mut product, mut product_slope) = (1.0, 0.0);
    for i in [1.0, 2.0, 3.0, 4.0, 5.0] {
        product_slope = product_slope * (low + i) + product;
        product *= low + i;
    }
    let growth = ln(1.0 + 6.0 / low);
    let steps = (low + 0.5) * growth - 6.0 - ln(product * inv_2 * inv_2 * inv);
    let steps_slope = 1.0 / low + product_slope / product - growth;
    if is_small { (value + steps, slope + steps_slope) } else { (value, slope) }
}

/// `t - ln(1 + t)`, never negative, and exact where both are next to each other; `one_plus` is `1 + t`, as exact as it can be had.
#[inline(always)]
fn log_gap(t: f32, one_plus: f32) -> f32 {
    let s = t / (2.0 + t);
    let q = s * s;
    let near = t * s - 2.0 * s * q * (0.333_333_34 + q * (0.2 + q * (0.142_857_15 + q * 0.111_111_11)));
    if t.abs() > 0.25 { t - ln(one_plus) } else { near }
}

/// The loss of the count `k = exp(shift + x) - 1` under a negative binomial of mean `m = exp(shift + output)` with `r =
/// exp(dispersion)` failures. It is computed as a binomial of r of `r + k` at the saddle point (Loader, 2000): its
/// parts are never negative, and of the size of the loss. The usual formula has terms `k ln(k)`, which cancel.
#[inline(always)]
fn count(output: f32, x: f32, dispersion: f32, shift: f32) -> [f32; 3] {
    let k = count_of(shift + x);
    let mean = exp(within(shift + output, LOG_COUNT_RANGE));
    let r = exp(within(dispersion, LOG_FAILURES_RANGE));
    let (both, expected) = (r + k, r + mean);
    let apart = (mean - k) / expected;
    let of_failure = log_gap(-apart, both / expected);
    let ((of_r, slope_of_r), (of_both, slope_of_both)) = (beyond_stirling(r), beyond_stirling(both));
    let of_zero = r * (of_failure + apart);
    let some = if k > 0.0 { k } else { 1.0 };
    let of_count = log_gap(r * apart / some, mean * both / (expected * some));
    let around = 0.5 * ln(some * both / r) + HALF_LN_TAU + (of_r - of_both) + beyond_stirling(some).0;
    let loss = if k > 0.0 { r * of_failure + some * of_count + around } else { of_zero };
    let slope = r * (of_failure - (slope_of_r - slope_of_both));
    [loss, r * apart, inward(slope, dispersion, LOG_FAILURES_RANGE.0, LOG_FAILURES_RANGE.1)]
}

/// A negative binomial, or an extra zero: a zero may come from either.
#[inline(always)]
fn zero_inflated([log_mean, log_count, logit, dispersion]: [f32; 4]) -> [f32; 4] {
    if is_missing(log_count) {
        return [0.0; 4];
    }
    let [loss, by_mean, by_dispersion] = count(log_mean, log_count, dispersion, 0.0);
    let [none_extra] = softplus([logit]);
    if count_of(log_count) > 0.0 {
        return [loss + none_extra, by_mean, sigmoid(logit), by_dispersion];
    }
    let either = logit + loss;
    let own = sigmoid(-either);
    // loss + softplus(logit) - softplus(either), without what both have.
    let most = if either > 0.0 { softplus([-logit])[0] } else { loss + none_extra };
    let of_zero = most - ln_1p_unit(exp_negative(-either.abs()));
    [of_zero, own * by_mean, sigmoid(logit) - sigmoid(either), own * by_dispersion]
}

/// The mean of a count that may be an extra zero, from the output and the logit of an extra zero.
#[inline(always)]
pub(super) fn zero_inflated_mean([output, logit, shift]: [f32; 3]) -> [f32; 1] {
    let log_mean = within(shift + output, LOG_COUNT_RANGE);
    [ln_1p(sigmoid(-logit) * exp(log_mean)) - shift]
}
