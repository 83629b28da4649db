// y = f(u) and dy/du, for the epilogues of dense.wgsl.jinja; log1p_unit also for likelihood.wgsl. Slopes and forms are
// PyTorch's defaults. The numbers are the discriminants of Activation in src/kernels/activation.rs (a test compares
// them).

const IDENTITY: u32 = 0u;
const RELU: u32 = 1u;
const LEAKY_RELU: u32 = 2u;
const ELU: u32 = 3u;
const SOFTPLUS: u32 = 4u;
const SIGMOID: u32 = 5u;
const TANH: u32 = 6u;
const SILU: u32 = 7u;
const GELU: u32 = 8u;

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

fn activate(kind: u32, u: f32) -> f32 {
    switch kind {
        case RELU: { return max(u, 0.0); }
        case LEAKY_RELU: { return select(LEAKY_SLOPE * u, u, u >= 0.0); }
        case ELU: { return select(expm1_negative(min(u, 0.0)), u, u > 0.0); }
        case SOFTPLUS: { return softplus(u); }
        case SIGMOID: { return sigmoid(u); }
        case TANH: { return stable_tanh(u); }
        case SILU: { return u * sigmoid(u); }
        case GELU: { return 0.5 * u * (1.0 + erf(u * 0.70710678)); }
        default: { return u; }
    }
}

// dy/du from what the forward pass saved: its output y, or for silu and gelu, which y does not determine, u.
fn activation_gradient(kind: u32, saved: f32) -> f32 {
    switch kind {
        case RELU: { return select(0.0, 1.0, saved > 0.0); }
        case LEAKY_RELU: { return select(LEAKY_SLOPE, 1.0, saved > 0.0); }
        case ELU: { return select(saved + 1.0, 1.0, saved > 0.0); }
        case SOFTPLUS: { return -expm1_negative(-saved); }
        case SIGMOID: { return saved * (1.0 - saved); }
        case TANH: { return 1.0 - saved * saved; }
        case SILU: { let s = sigmoid(saved); return s * (1.0 + saved * (1.0 - s)); }
        case GELU: {
            return 0.5 * (1.0 + erf(saved * 0.70710678)) + saved * 0.39894228 * exp(-0.5 * saved * saved);
        }
        default: { return 1.0; }
    }
}
