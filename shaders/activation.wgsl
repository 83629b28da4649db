// y = f(u), and `f_slope` = dy/du from what the forward pass saved: its output y, or for silu and gelu, which y does not
// determine, u. The likelihoods take log1p_unit from here.
// Slopes and forms are PyTorch's defaults.

const LEAKY_SLOPE: f32 = 0.01;

// No branch overflows: exp is only taken of -|u|.
fn sigmoid(u: f32) -> f32 {
    let e = exp(-abs(u));
    return select(e, 1.0, u >= 0.0) / (1.0 + e);
}

// ln(1 + x) for x in [0, 1], to 2e-8 of itself: 2 artanh(s) with s = x / (2 + x) <= 1/3. log(1 + x) would lose x below
// 2^-24, and a term that restores what rounding 1 + x took away is simplified to 0 by some drivers.
fn log1p_unit(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let q = s * s;
    let tail = 0.14285714 + q * (0.11111111 + q * (0.090909091 + q * 0.076923077));
    return 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * tail)));
}

fn softplus(u: f32) -> f32 {
    return max(u, 0.0) + log1p_unit(exp(-abs(u)));
}

// exp(u) - 1 for u <= 0; the series takes over where the difference would cancel.
fn expm1_negative(u: f32) -> f32 {
    let series = u * (1.0 + u * (0.5 + u * (0.16666667 + u * (0.041666667 + u * 0.0083333333))));
    return select(exp(u) - 1.0, series, u > -0.1);
}

// The built-in overflows to NaN on some drivers when its argument is large.
fn stable_tanh(u: f32) -> f32 {
    let e = expm1_negative(-2.0 * abs(u));
    return select(e, -e, u >= 0.0) / (2.0 + e);
}

// The error function, to 1.5e-7: Abramowitz and Stegun, 7.1.26.
fn erf(x: f32) -> f32 {
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let value = 1.0 - poly * exp(-a * a);
    return select(-value, value, x >= 0.0);
}

fn relu(u: f32) -> f32 { return max(u, 0.0); }
fn relu_slope(y: f32) -> f32 { return select(0.0, 1.0, y > 0.0); }

fn leaky_relu(u: f32) -> f32 { return select(LEAKY_SLOPE * u, u, u >= 0.0); }
fn leaky_relu_slope(y: f32) -> f32 { return select(LEAKY_SLOPE, 1.0, y > 0.0); }

fn elu(u: f32) -> f32 { return select(expm1_negative(min(u, 0.0)), u, u > 0.0); }
fn elu_slope(y: f32) -> f32 { return select(y + 1.0, 1.0, y > 0.0); }

fn softplus_slope(y: f32) -> f32 { return -expm1_negative(-y); }

fn sigmoid_slope(y: f32) -> f32 { return y * (1.0 - y); }

fn stable_tanh_slope(y: f32) -> f32 { return 1.0 - y * y; }

fn silu(u: f32) -> f32 { return u * sigmoid(u); }
fn silu_slope(u: f32) -> f32 { let s = sigmoid(u); return s * (1.0 + u * (1.0 - s)); }

fn gelu(u: f32) -> f32 { return 0.5 * u * (1.0 + erf(u * 0.70710678)); }
fn gelu_slope(u: f32) -> f32 {
    return 0.5 * (1.0 + erf(u * 0.70710678)) + u * 0.39894228 * exp(-0.5 * u * u);
}
