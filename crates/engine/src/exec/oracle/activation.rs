//! Activations, in their textbook forms.

use super::Real;
use crate::kernels::Activation;

pub(super) fn sigmoid<T: Real>(u: T) -> T {
    if u >= T::zero() { T::one() / (T::one() + (-u).exp()) } else { u.exp() / (T::one() + u.exp()) }
}

fn erf<T: Real>(u: T) -> T {
    T::of(libm::erf(u.wide()))
}

/// `f(u)`.
pub(super) fn activate<T: Real>(activation: Activation, u: T) -> T {
    match activation {
        Activation::Identity => u,
        Activation::Relu => u.max(T::zero()),
        Activation::LeakyRelu => {
            if u >= T::zero() {
                u
            } else {
                T::of(0.01) * u
            }
        }
        Activation::Elu => {
            if u > T::zero() {
                u
            } else {
                u.exp_m1()
            }
        }
        Activation::Softplus => u.max(T::zero()) + (-u.abs()).exp().ln_1p(),
        Activation::Sigmoid => sigmoid(u),
        Activation::Tanh => u.tanh(),
        Activation::Silu => u * sigmoid(u),
        Activation::Gelu => T::of(0.5) * u * (T::one() + erf(u * T::of(0.5_f64.sqrt()))),
    }
}

/// `f'(u)` from what the forward pass saved: `f(u)`, or `u` where [`Activation::keeps_input`].
pub(super) fn gradient<T: Real>(activation: Activation, saved: T) -> T {
    let (zero, one) = (T::zero(), T::one());
    match activation {
        Activation::Identity => one,
        Activation::Relu => {
            if saved > zero {
                one
            } else {
                zero
            }
        }
        Activation::LeakyRelu => {
            if saved > zero {
                one
            } else {
                T::of(0.01)
            }
        }
        Activation::Elu => {
            if saved > zero {
                one
            } else {
                saved + one
            }
        }
        Activation::Softplus => -(-saved).exp_m1(),
        Activation::Sigmoid => saved * (one - saved),
        Activation::Tanh => one - saved * saved,
        Activation::Silu => {
            let s = sigmoid(saved);
            s * (one + saved * (one - s))
        }
        Activation::Gelu => {
            let phi = T::of((2.0 * std::f64::consts::PI).sqrt().recip()) * (-T::of(0.5) * saved * saved).exp();
            T::of(0.5) * (one + erf(saved * T::of(0.5_f64.sqrt()))) + saved * phi
        }
    }
}
