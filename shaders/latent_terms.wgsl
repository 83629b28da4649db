// Terms of the latent variable, element by element: the kernels that draw it and differentiate it share them.
//
//   z = mu + exp(logvar / 2) noise      kl = 1/2 (mu^2 + exp(logvar) - 1 - logvar)
// logvar is clamped to [-30, 20], where exp neither vanishes nor overflows; outside, its gradient is 0.

const LOGVAR_MIN: f32 = -30.0;
const LOGVAR_MAX: f32 = 20.0;

fn bounded(logvar: f32) -> f32 {
    return clamp(logvar, LOGVAR_MIN, LOGVAR_MAX);
}

fn kl_term(mu: f32, logvar: f32) -> f32 {
    let l = bounded(logvar);
    return 0.5 * (mu * mu + exp(l) - 1.0 - l);
}

// d_logvar of d_z z + weight kl.
fn logvar_slope(logvar: f32, d_z: f32, noise: f32, weight: f32) -> f32 {
    let inside = logvar >= LOGVAR_MIN && logvar <= LOGVAR_MAX;
    let sigma = exp(0.5 * bounded(logvar));
    return select(0.0, 0.5 * (d_z * noise * sigma + weight * (sigma * sigma - 1.0)), inside);
}
