//! Activations and their slopes, over arrays.

use super::math::{erf, exp_m1_negative, exp_negative, ln_1p_unit, sigmoid, tanh};
use super::vector::each;
use crate::plan::Activation;

const LEAKY_SLOPE: f32 = 0.01;

#[inline(always)]
fn relu([u]: [f32; 1]) -> [f32; 1] {
    // NaN stays NaN.
    [if u <= 0.0 { 0.0 } else { u }]
}

#[inline(always)]
fn relu_slope([y]: [f32; 1]) -> [f32; 1] {
    [if y > 0.0 { 1.0 } else { 0.0 }]
}

#[inline(always)]
fn leaky_relu([u]: [f32; 1]) -> [f32; 1] {
    [if u >= 0.0 { u } else { LEAKY_SLOPE * u }]
}

#[inline(always)]
fn leaky_relu_slope([y]: [f32; 1]) -> [f32; 1] {
    [if y > 0.0 { 1.0 } else { LEAKY_SLOPE }]
}

#[inline(always)]
fn elu([u]: [f32; 1]) -> [f32; 1] {
    let below = exp_m1_negative(if u > 0.0 { 0.0 } else { u });
    [if u > 0.0 { u } else { below }]
}

#[inline(always)]
fn elu_slope([y]: [f32; 1]) -> [f32; 1] {
    [if y > 0.0 { 1.0 } else { y + 1.0 }]
}

#[inline(always)]
pub(super) fn softplus([u]: [f32; 1]) -> [f32; 1] {
    [(if u > 0.0 { u } else { 0.0 }) + ln_1p_unit(exp_negative(-u.abs()))]
}

#[inline(always)]
fn softplus_slope([y]: [f32; 1]) -> [f32; 1] {
    [-exp_m1_negative(-y)]
}

#[inline(always)]
fn logistic([u]: [f32; 1]) -> [f32; 1] {
    [sigmoid(u)]
}

#[inline(always)]
fn logistic_slope([y]: [f32; 1]) -> [f32; 1] {
    [y * (1.0 - y)]
}

#[inline(always)]
fn hyperbolic_tangent([u]: [f32; 1]) -> [f32; 1] {
    [tanh(u)]
}

#[inline(always)]
fn hyperbolic_tangent_slope([y]: [f32; 1]) -> [f32; 1] {
    [1.0 - y * y]
}

#[inline(always)]
fn silu([u]: [f32; 1]) -> [f32; 1] {
    [u * sigmoid(u)]
}

#[inline(always)]
fn silu_slope([u]: [f32; 1]) -> [f32; 1] {
    let s = sigmoid(u);
    [s * (1.0 + u * (1.0 - s))]
}

#[inline(always)]
fn gelu([u]: [f32; 1]) -> [f32; 1] {
    [0.5 * u * (1.0 + erf(u * std::f32::consts::FRAC_1_SQRT_2))]
}

#[inline(always)]
fn gelu_slope([u]: [f32; 1]) -> [f32; 1] {
    let density = 0.398_942_3 * exp_negative(-0.5 * u * u);
    [0.5 * (1.0 + erf(u * std::f32::consts::FRAC_1_SQRT_2)) + u * density]
}

/// `y = f(u)`
pub(super) fn activate(activation: Activation, u: &[f32], y: &mut [f32]) {
    match activation {
        Activation::Identity => y.copy_from_slice(u),
        Activation::Relu => each!([u], [y], relu),
        Activation::LeakyRelu => each!([u], [y], leaky_relu),
        Activation::Elu => each!([u], [y], elu),
        Activation::Softplus => each!([u], [y], softplus),
        Activation::Sigmoid => each!([u], [y], logistic),
        Activation::Tanh => each!([u], [y], hyperbolic_tangent),
        Activation::Silu => each!([u], [y], silu),
        Activation::Gelu => each!([u], [y], gelu),
    }
}

/// The slope, from the output or (see [`Activation::keeps_input`]) the input.
pub(super) fn slope(activation: Activation, saved: &[f32], y: &mut [f32]) {
    match activation {
        Activation::Identity => y.fill(1.0),
        Activation::Relu => each!([saved], [y], relu_slope),
        Activation::LeakyRelu => each!([saved], [y], leaky_relu_slope),
        Activation::Elu => each!([saved], [y], elu_slope),
        Activation::Softplus => each!([saved], [y], softplus_slope),
        Activation::Sigmoid => each!([saved], [y], logistic_slope),
        Activation::Tanh => each!([saved], [y], hyperbolic_tangent_slope),
        Activation::Silu => each!([saved], [y], silu_slope),
        Activation::Gelu => each!([saved], [y], gelu_slope),
    }
}
