//! Activations: the functions the shaders know them by.

use serde::{Deserialize, Serialize};

/// The shader library with each activation and its slope.
pub const SHADER: &str = include_str!("../../shaders/activation.wgsl");

/// An element-wise nonlinearity, in PyTorch's default form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
pub enum Activation {
    /// `u`
    #[default]
    Identity = 0,
    /// `max(u, 0)`
    Relu = 1,
    /// `u`, or `0.01 u` where negative
    LeakyRelu = 2,
    /// `u`, or `exp(u) - 1` where negative
    Elu = 3,
    /// `ln(1 + exp(u))`
    Softplus = 4,
    /// `1 / (1 + exp(-u))`
    Sigmoid = 5,
    /// hyperbolic tangent
    Tanh = 6,
    /// `u sigmoid(u)`
    Silu = 7,
    /// `u Phi(u)`, with the exact normal distribution function
    Gelu = 8,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Activation; 9] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Softplus,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Silu,
        Activation::Gelu,
    ];

    /// Whether the gradient needs the input; for the others the output determines it.
    pub fn keeps_input(self) -> bool {
        matches!(self, Activation::Silu | Activation::Gelu)
    }

    /// The activation of this number; identity for any other.
    pub fn from_code(code: u32) -> Self {
        Self::ALL.into_iter().find(|a| *a as u32 == code).unwrap_or(Activation::Identity)
    }

    /// The function in `activation.wgsl`, beside which is its `_slope`; empty for identity, which needs none.
    pub fn shader_name(self) -> &'static str {
        match self {
            Activation::Identity => "",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Elu => "elu",
            Activation::Softplus => "softplus",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "stable_tanh",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
        }
    }

    /// The name a user writes.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Elu => "elu",
            Activation::Softplus => "softplus",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
        }
    }
}
