// Losses of one element and their slopes with respect to the decoder's output, as (loss, slope, ...).
//
//   bernoulli         max(l, 0) - l x + log1p(exp(-|l|))                   sigmoid(l) - x
//   gaussian          (m - x)^2 inv_var / 2 + log_norm                     (m - x) inv_var
//   gaussian_learned  (m - x)^2 inv_var / 2 + log_sigma + ln(2 pi) / 2     (m - x) inv_var
//                     with inv_var = exp(-2 log_sigma); the slope by log_sigma is 1 - (m - x)^2 inv_var
//   laplace           |m - x| / b + log_scale + ln 2                       sign(m - x) / b
//                     with b = exp(log_scale); the slope by log_scale is 1 - |m - x| / b
//   student_t         lnG(nu / 2) - lnG((nu + 1) / 2) + ln(nu pi) / 2 + log_scale + (nu + 1) / 2 ln(1 + s)
//                     with t = (m - x) / exp(log_scale), nu = exp(log_freedom), s = t^2 / nu; also the slopes by both logarithms
//   logistic          softplus(-v) + softplus(t) - ln(1 - exp(-2 w)) = -ln(sigmoid(v) - sigmoid(t)), with w = half a level / s,
//                     v, t = (x - m) / s +- w and s = exp(log_scale); the first or the last level without its open end
//   interval          softplus(-v) + softplus(t) - ln((1 - exp(-2 w)) / (2 w)) + log_scale = -ln((sigmoid(v) - sigmoid(t)) / (2 half)), with
//                     w = half / s, v, t = (x - m) / s +- w and s = exp(log_scale): the mean density of x - half to x + half
//   column            one of these by the column's kind, or -x l of a category's word whose log-probability is l; 0 where a
//                     value is missing
//   column_or_count   also a negative binomial, of mean m = exp(shift + l) and r = exp(dispersion) failures:
//                     lnG(k + 1) - lnG(k + r) + lnG(r) + r ln(1 + m / r) + k ln((r + m) / m)      r (m - k) / (r + m)
//                     of the count k = exp(shift + x) - 1; see count for how, since these terms cancel
//   zero_inflated     softplus(l) + that of k > 0, or softplus(l) - ln(exp(l) + exp(-a)) of k = 0, where a = r ln(1 + m / r) is that
//                     of a zero; l is the logit of an extra zero. The slopes are those by ln m, l and the dispersion

const HALF_LN_2PI: f32 = 0.9189385332;
const LN_2: f32 = 0.69314718;
const HALF_LN_PI: f32 = 0.57236494;
const MIN_LOG_SIGMA: f32 = -7.0;
const MAX_LOG_SCALE: f32 = 2.0;
const HALF_LEVEL: f32 = 0.0019607843;
const MAX_LOG_FREEDOM: f32 = 6.9077554;
const MIN_LOG_FAILURES: f32 = -5.0;
const MAX_LOG_FAILURES: f32 = 10.0;
const MAX_LOG_COUNT: f32 = 20.0;

const YES_NO: f32 = 1.0;
const CATEGORY: f32 = 2.0;
const COUNT: f32 = 3.0;

fn bernoulli(logit: f32, x: f32) -> vec2<f32> {
    // One exponential serves the loss and the slope.
    let e = exp(-abs(logit));
    let loss = max(logit, 0.0) - logit * x + log1p_unit(e);
    return vec2<f32>(loss, select(e, 1.0, logit >= 0.0) / (1.0 + e) - x);
}

fn gaussian(mean: f32, x: f32, inv_var: f32, log_norm: f32) -> vec2<f32> {
    let error = mean - x;
    return vec2<f32>(0.5 * inv_var * error * error + log_norm, inv_var * error);
}

// The slope of a parameter that is kept within bounds: none that would take it further out.
fn inward(slope: f32, value: f32, least: f32, most: f32) -> f32 {
    return select(select(slope, max(slope, 0.0), value >= most), min(slope, 0.0), value <= least);
}

fn gaussian_learned(mean: f32, x: f32, log_sigma: f32) -> vec3<f32> {
    let kept = max(log_sigma, MIN_LOG_SIGMA);
    let inv_var = exp(-2.0 * kept);
    let error = mean - x;
    let square = inv_var * error * error;
    let slope = inward(1.0 - square, log_sigma, MIN_LOG_SIGMA, 3e38);
    return vec3<f32>(0.5 * square + kept + HALF_LN_2PI, inv_var * error, slope);
}

fn laplace(location: f32, x: f32, log_scale: f32) -> vec3<f32> {
    let kept = max(log_scale, MIN_LOG_SIGMA);
    let inv_scale = exp(-kept);
    let error = location - x;
    let far = abs(error) * inv_scale;
    let slope = inward(1.0 - far, log_scale, MIN_LOG_SIGMA, 3e38);
    return vec3<f32>(far + kept + LN_2, sign(error) * inv_scale, slope);
}

fn student_t(location: f32, x: f32, log_scale: f32, log_freedom: f32) -> vec4<f32> {
    let kept = max(log_scale, MIN_LOG_SIGMA);
    let inv_scale = exp(-kept);
    let log_nu = clamp(log_freedom, 0.0, MAX_LOG_FREEDOM);
    let nu = exp(log_nu);
    let t = (location - x) * inv_scale;
    let s = t * t / nu;
    let ratio = log_gamma_ratio(0.5 * nu, 0.5);
    let spread = log1p_positive(s);
    let share = s / (1.0 + s);
    let loss = 0.5 * (nu + 1.0) * spread + (0.5 * log_nu - ratio.x) + (kept + HALF_LN_PI);
    let by_output = (nu + 1.0) * t / (nu * (1.0 + s)) * inv_scale;
    let by_scale = inward(1.0 - (nu + 1.0) * share, log_scale, MIN_LOG_SIGMA, 3e38);
    // What cancels where there is much freedom is taken first.
    let by_freedom = 0.5 * (nu * (spread - share - ratio.y) + (1.0 - share));
    return vec4<f32>(loss, by_output, by_scale, inward(by_freedom, log_freedom, 0.0, MAX_LOG_FREEDOM));
}

fn logistic(location: f32, x: f32, log_scale: f32) -> vec3<f32> {
    let inv_scale = exp(-clamp(log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE));
    let w = HALF_LEVEL * inv_scale;
    let u = (x - location) * inv_scale;
    var loss = 0.0;
    var by_location = 0.0;
    var by_scale = 0.0;
    if x < 1.0 - HALF_LEVEL {
        let v = u + w;
        let above = sigmoid(-v);
        loss += softplus(-v);
        by_location += above;
        by_scale += v * above;
    }
    if x > HALF_LEVEL {
        let t = u - w;
        let below = sigmoid(t);
        loss += softplus(t);
        by_location -= below;
        by_scale -= t * below;
    }
    if x > HALF_LEVEL && x < 1.0 - HALF_LEVEL {
        let inside = -expm1_negative(-2.0 * w);
        loss -= log(inside);
        by_scale += 2.0 * w * (1.0 - inside) / inside;
    }
    return vec3<f32>(loss, by_location * inv_scale, inward(by_scale, log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE));
}

// softplus(u) - u sigmoid(u): the entropy of the probability sigmoid(u).
fn share_entropy(u: f32) -> f32 {
    let e = exp(-abs(u));
    return log1p_unit(e) + abs(u) * e / (1.0 + e);
}

// What lies beyond 0 or 1 counts as 0 or 1.
fn logistic_mean(location: f32, log_scale: f32) -> vec3<f32> {
    let kept = clamp(log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE);
    let scale = exp(kept);
    let inv_scale = exp(-kept);
    let a = location * inv_scale;
    let b = (location - 1.0) * inv_scale;
    // The smaller of two shares, the one above or the one below, is the exacter one.
    let by_location = select(sigmoid(a) - sigmoid(b), sigmoid(-b) - sigmoid(-a), b > 0.0);
    let by_scale = select(0.0, scale * (share_entropy(a) - share_entropy(b)), kept == log_scale);
    return vec3<f32>(scale * (softplus(a) - softplus(b)), by_location, by_scale);
}

// The largest float stands for a value that is missing.
fn is_missing(x: f32) -> bool {
    return x >= 3e38;
}

fn present(x: f32) -> f32 {
    return select(x, 0.0, is_missing(x));
}

fn absent(x: f32) -> f32 {
    return select(0.0, 1.0, is_missing(x));
}

// ln(2 w / (1 - exp(-2 w))) of an interval whose half is w scales wide, and its slope times w; by series where terms would cancel.
fn log_width(w: f32) -> vec2<f32> {
    if w < 0.5 {
        let s = w * w;
        return vec2<f32>(w - s * (0.16666667 - s * (0.0055555556 - s * 0.00035273369)),
                         w - s * (0.33333333 - s * (0.022222222 - s * 0.0021164021)));
    }
    let e = exp(-2.0 * w);
    return vec2<f32>(log(2.0 * w) - log1p_unit(-e), 1.0 - 2.0 * w * e / (1.0 - e));
}

fn interval(location: f32, x: f32, log_scale: f32, half: f32) -> vec3<f32> {
    let kept = clamp(log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE);
    let inv_scale = exp(-kept);
    let w = half * inv_scale;
    let u = (x - location) * inv_scale;
    let over = sigmoid(-u - w);
    let under = sigmoid(u - w);
    let width = log_width(w);
    let loss = softplus(-u - w) + softplus(u - w) + width.x + kept;
    let slope = inward(1.0 - u * (under - over) + w * (under + over) - width.y, log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE);
    return select(vec3<f32>(loss, (over - under) * inv_scale, slope), vec3<f32>(0.0), is_missing(x));
}

fn column(output: f32, x: f32, dispersion: f32, half: f32, kind: f32) -> vec3<f32> {
    if is_missing(x) { return vec3<f32>(0.0); }
    if kind == YES_NO { return vec3<f32>(bernoulli(output, x), 0.0); }
    if kind == CATEGORY { return vec3<f32>(-x * output, -x, 0.0); }
    return interval(output, x, dispersion, half);
}

fn column_mean(output: f32, kind: f32) -> f32 {
    if kind == YES_NO { return sigmoid(output); }
    if kind == CATEGORY { return exp(output); }
    return output;
}

// ln(1 + x) for x >= 0.
fn log1p_positive(x: f32) -> f32 {
    return select(log(1.0 + x), log1p_unit(min(x, 1.0)), x <= 1.0);
}

// lnG(r + k) - lnG(r) and its slope by r, for r > 0 and small k >= 0. Stirling's series from r + 6 on, where three terms are
// enough; with a large k, k ln(high) would be too large to take differences of.
fn log_gamma_ratio(r: f32, k: f32) -> vec2<f32> {
    let low = r + 6.0;
    let high = low + k;
    let growth = log1p_positive(k / low);
    let low_2 = 1.0 / (low * low);
    let high_2 = 1.0 / (high * high);
    var value = (low - 0.5) * growth + k * (log(high) - 1.0);
    value += (0.083333333 - 0.0027777778 * high_2) / high - (0.083333333 - 0.0027777778 * low_2) / low;
    var slope = growth + 0.5 * (1.0 / low - 1.0 / high);
    slope += low_2 * (0.083333333 - 0.0083333333 * low_2) - high_2 * (0.083333333 - 0.0083333333 * high_2);
    // And back by six steps; half of the factors at a time, since all would be too small for a float.
    for (var half = 0.0; half < 6.0; half += 3.0) {
        var product = 1.0;
        for (var i = half; i < half + 3.0; i += 1.0) {
            product *= (r + i) / (r + k + i);
            slope += k / ((r + i) * (r + k + i));
        }
        value += log(product);
    }
    return vec2<f32>(value, slope);
}

fn count_of(log_count: f32) -> f32 {
    return max(round(exp(log_count) - 1.0), 0.0);
}

// What Stirling's formula leaves: lnG(x + 1) - (x + 1/2) ln x + x - ln(2 pi) / 2, and ln x less the slope of lnG(x), for x > 0.
// Below 6 by six steps of the recurrence.
fn beyond_stirling(x: f32) -> vec2<f32> {
    let at = select(x + 6.0, x, x >= 6.0);
    let inv = 1.0 / at;
    let inv_2 = inv * inv;
    var left = vec2<f32>(inv * (0.083333333 - inv_2 * (0.0027777778 - inv_2 * 0.00079365079)),
                         inv * (0.5 + inv * (0.083333333 - inv_2 * (0.0083333333 - inv_2 * 0.0039682540))));
    if x < 6.0 {
        var product = 1.0;
        var slope = 0.0;
        for (var i = 1.0; i < 6.0; i += 1.0) {
            slope = slope * (x + i) + product;
            product *= x + i;
        }
        let growth = log(1.0 + 6.0 / x);
        left += vec2<f32>((x + 0.5) * growth - 6.0 - log(product * inv_2 * inv_2 * inv), 1.0 / x + slope / product - growth);
    }
    return left;
}

// t - ln(1 + t), never negative, and exact where both are next to each other; one_plus is 1 + t, as exact as it can be had.
fn log_gap(t: f32, one_plus: f32) -> f32 {
    if abs(t) > 0.25 { return t - log(one_plus); }
    let s = t / (2.0 + t);
    let q = s * s;
    return t * s - 2.0 * s * q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * 0.11111111)));
}

// As a binomial of r of r + k at the saddle point (Loader, 2000): parts that are never negative and of the size of the loss, where
// the terms of its formula are k ln k and cancel.
fn count(output: f32, x: f32, dispersion: f32, shift: f32) -> vec3<f32> {
    let k = count_of(shift + x);
    let mean = exp(clamp(shift + output, -MAX_LOG_COUNT, MAX_LOG_COUNT));
    let r = exp(clamp(dispersion, MIN_LOG_FAILURES, MAX_LOG_FAILURES));
    let both = r + k;
    let expected = r + mean;
    let apart = (mean - k) / expected;
    let of_failure = log_gap(-apart, both / expected);
    let left = beyond_stirling(r) - beyond_stirling(both);
    var loss = r * (of_failure + apart);
    if k > 0.0 {
        let of_count = log_gap(r * apart / k, mean * both / (expected * k));
        let around = 0.5 * log(k * both / r) + HALF_LN_2PI + left.x + beyond_stirling(k).x;
        loss = r * of_failure + k * of_count + around;
    }
    let slope = r * (of_failure - left.y);
    return vec3<f32>(loss, r * apart, inward(slope, dispersion, MIN_LOG_FAILURES, MAX_LOG_FAILURES));
}

// Beside a number stands half of the width of its interval, beside a count the shift.
fn column_or_count(output: f32, x: f32, dispersion: f32, beside: f32, kind: f32) -> vec3<f32> {
    if kind == COUNT && !is_missing(x) { return count(output, x, dispersion, beside); }
    return column(output, x, dispersion, beside, kind);
}

// In the units of the values, which are logarithms of one more than the count, less their mean.
fn column_or_count_mean(output: f32, kind: f32, shift: f32) -> f32 {
    if kind == COUNT {
        let log_mean = clamp(shift + output, -MAX_LOG_COUNT, MAX_LOG_COUNT);
        return log1p_positive(exp(log_mean)) - shift;
    }
    return column_mean(output, kind);
}

// Of a zero, it may be the extra one or the distribution's own.
fn zero_inflated(log_mean: f32, log_count: f32, logit: f32, dispersion: f32) -> vec4<f32> {
    if is_missing(log_count) { return vec4<f32>(0.0); }
    let counted = count(log_mean, log_count, dispersion, 0.0);
    let none_extra = softplus(logit);
    if count_of(log_count) > 0.0 { return vec4<f32>(counted.x + none_extra, counted.y, sigmoid(logit), counted.z); }
    let either = logit + counted.x;
    let own = sigmoid(-either);
    // counted.x + softplus(logit) - softplus(either), without what both have.
    let most = select(counted.x + none_extra, softplus(-logit), either > 0.0);
    let loss = most - log1p_unit(exp(-abs(either)));
    return vec4<f32>(loss, own * counted.y, sigmoid(logit) - sigmoid(either), own * counted.z);
}

fn zero_inflated_mean(output: f32, logit: f32, shift: f32) -> f32 {
    let log_mean = clamp(shift + output, -MAX_LOG_COUNT, MAX_LOG_COUNT);
    return log1p_positive(sigmoid(-logit) * exp(log_mean)) - shift;
}
