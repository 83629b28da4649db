// The latent variable, element by element, and its gradients.
//
//   z = mu + exp(logvar / 2) noise      kl = 1/2 (mu^2 + exp(logvar) - 1 - logvar)
//   ln q = -1/2 (noise^2 + logvar + ln 2 pi)  of the draw z
//   ln p = -1/2 ((x - mu)^2 exp(-logvar) + logvar + ln 2 pi)  of any x
// logvar is clamped to [-30, 20], where exp neither vanishes nor overflows; outside, its gradient is 0.

const LOGVAR_MIN: f32 = -30.0;
const LOGVAR_MAX: f32 = 20.0;

fn bounded(logvar: f32) -> f32 {
    return clamp(logvar, LOGVAR_MIN, LOGVAR_MAX);
}

fn is_bounded(logvar: f32) -> bool {
    return logvar >= LOGVAR_MIN && logvar <= LOGVAR_MAX;
}

fn reparameterise(mu: f32, logvar: f32, noise: f32) -> f32 {
    return mu + exp(0.5 * bounded(logvar)) * noise;
}

fn reparameterise_logvar(d_z: f32, logvar: f32, noise: f32) -> f32 {
    return select(0.0, 0.5 * (d_z * noise * exp(0.5 * bounded(logvar))), is_bounded(logvar));
}

fn kl(mu: f32, logvar: f32) -> f32 {
    let l = bounded(logvar);
    return 0.5 * (mu * mu + exp(l) - 1.0 - l);
}

fn kl_logvar(d_kl: f32, logvar: f32) -> f32 {
    let sigma = exp(0.5 * bounded(logvar));
    return select(0.0, 0.5 * (d_kl * (sigma * sigma - 1.0)), is_bounded(logvar));
}

const LOG_TWO_PI: f32 = 1.8378770664093453;

fn exponential(x: f32) -> f32 {
    return exp(x);
}

fn log_draw(noise: f32, logvar: f32) -> f32 {
    return -0.5 * (noise * noise + bounded(logvar) + LOG_TWO_PI);
}

fn log_draw_slope(logvar: f32) -> f32 {
    return select(0.0, -0.5, is_bounded(logvar));
}

fn log_normal(x: f32, mu: f32, logvar: f32) -> f32 {
    let l = bounded(logvar);
    let far = (x - mu) * exp(-0.5 * l);
    return -0.5 * (far * far + l + LOG_TWO_PI);
}

fn log_normal_x(d: f32, x: f32, mu: f32, logvar: f32) -> f32 {
    return d * ((mu - x) * exp(-bounded(logvar)));
}

fn log_normal_mu(d: f32, x: f32, mu: f32, logvar: f32) -> f32 {
    return d * ((x - mu) * exp(-bounded(logvar)));
}

fn log_normal_logvar(d: f32, x: f32, mu: f32, logvar: f32) -> f32 {
    let far = (x - mu) * exp(-0.5 * bounded(logvar));
    return select(0.0, 0.5 * (d * (far * far - 1.0)), is_bounded(logvar));
}
