// Losses of one element and their slopes with respect to the decoder's output, as (loss, slope).
//
//   bernoulli  max(l, 0) - l x + log1p(exp(-|l|))       sigmoid(l) - x
//   gaussian   (m - x)^2 inv_var / 2 + log_norm         (m - x) inv_var

fn bernoulli_term(logit: f32, x: f32) -> vec2<f32> {
    // One exponential serves the loss and the slope.
    let e = exp(-abs(logit));
    let loss = max(logit, 0.0) - logit * x + log1p_unit(e);
    return vec2<f32>(loss, select(e, 1.0, logit >= 0.0) / (1.0 + e) - x);
}

fn gaussian_term(mean: f32, x: f32, inv_var: f32, log_norm: f32) -> vec2<f32> {
    let error = mean - x;
    return vec2<f32>(0.5 * inv_var * error * error + log_norm, inv_var * error);
}

// For a sigma that is learned: the square alone, from which the row's sums are made.
fn square_term(mean: f32, x: f32, inv_var: f32) -> vec2<f32> {
    let error = mean - x;
    return vec2<f32>(error * error, inv_var * error);
}
