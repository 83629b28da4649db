// Losses of one element and their slopes with respect to the decoder's output, as (loss, slope, ...).
//
//   bernoulli         max(l, 0) - l x + log1p(exp(-|l|))                   sigmoid(l) - x
//   gaussian          (m - x)^2 inv_var / 2 + log_norm                     (m - x) inv_var
//   gaussian_learned  (m - x)^2 inv_var / 2 + log_sigma + ln(2 pi) / 2     (m - x) inv_var
//                     with inv_var = exp(-2 log_sigma); the slope by log_sigma is 1 - (m - x)^2 inv_var

const HALF_LN_2PI: f32 = 0.9189385332;

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

fn gaussian_learned(mean: f32, x: f32, log_sigma: f32) -> vec3<f32> {
    let inv_var = exp(-2.0 * log_sigma);
    let error = mean - x;
    let square = inv_var * error * error;
    return vec3<f32>(0.5 * square + log_sigma + HALF_LN_2PI, inv_var * error, 1.0 - square);
}
