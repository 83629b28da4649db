//! Pointwise functions: their names, what they take and give, and how a gradient goes back through each. The formulas are
//! in `shaders/` (WGSL) and `src/oracle/` (their twins); here there are none.

use serde::{Deserialize, Serialize};

/// An activation, in PyTorch's default form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `u`
    #[default]
    Identity,
    /// `max(u, 0)`
    Relu,
    /// `u`, or `0.01 u` where negative
    LeakyRelu,
    /// `u`, or `exp(u) - 1` where negative
    Elu,
    /// `ln(1 + exp(u))`
    Softplus,
    /// `1 / (1 + exp(-u))`
    Sigmoid,
    /// hyperbolic tangent
    Tanh,
    /// `u sigmoid(u)`
    Silu,
    /// `u Phi(u)`, with the exact normal distribution function
    Gelu,
}

impl Activation {
    /// Every activation, the name a user writes, and in `shaders/activation.wgsl` the function and its slope.
    pub const ALL: [(Activation, &str, [&str; 2]); 9] = [
        (Activation::Identity, "identity", ["", ""]),
        (Activation::Relu, "relu", ["relu", "relu_slope"]),
        (Activation::LeakyRelu, "leaky-relu", ["leaky_relu", "leaky_relu_slope"]),
        (Activation::Elu, "elu", ["elu", "elu_slope"]),
        (Activation::Softplus, "softplus", ["softplus", "softplus_slope"]),
        (Activation::Sigmoid, "sigmoid", ["sigmoid", "sigmoid_slope"]),
        (Activation::Tanh, "tanh", ["stable_tanh", "stable_tanh_slope"]),
        (Activation::Silu, "silu", ["silu", "silu_slope"]),
        (Activation::Gelu, "gelu", ["gelu", "gelu_slope"]),
    ];

    /// Whether the slope is a function of the input; for the others it is one of the output.
    pub fn keeps_input(self) -> bool {
        matches!(self, Activation::Silu | Activation::Gelu)
    }

    /// The name a user writes.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn functions(self) -> [&'static str; 2] {
        Self::ALL[self as usize].2
    }
}

/// `logvar` is clamped to this range, where `exp` neither vanishes nor overflows.
pub const LOGVAR_RANGE: (f32, f32) = (-30.0, 20.0);

/// A pointwise function of `shaders/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `a`; a smaller input is repeated.
    Copy,
    /// `a + b`
    Add,
    /// `a b`
    Multiply,
    /// An activation.
    Activate(Activation),
    /// An activation's slope, from its output or (see [`Activation::keeps_input`]) its input.
    Slope(Activation),
    /// A standard normal draw for each element, from the step's noise key; draws of other numbers are independent.
    Normal(u32),
    /// `z` from `mu`, `logvar` and noise.
    Reparameterise,
    /// `d_logvar` from `d_z`, `logvar` and noise.
    ReparameteriseLogvar,
    /// The KL divergence of a normal (`mu`, `logvar`) from the standard normal.
    Kl,
    /// `d_logvar` of [`Function::Kl`], from `d_kl` and `logvar`.
    KlLogvar,
    /// Cross-entropy of a logit and a level; and its slope.
    Bernoulli,
    /// Negative log-likelihood of a normal: `mean`, `x`, `1 / sigma^2`, and what is added to it; and its slope.
    Gaussian,
    /// The same with `log_sigma`: `mean`, `x`, `log_sigma`; and its slopes with respect to `mean` and `log_sigma`.
    GaussianLearned,
}

/// The file in `shaders/` that a function is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Library {
    /// WGSL itself has it.
    Arithmetic,
    /// `activation.wgsl`
    Activation,
    /// `rng.wgsl`
    Rng,
    /// `latent.wgsl`
    Latent,
    /// `likelihood.wgsl`
    Likelihood,
}

/// What a function is, but for its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its name in WGSL.
    pub name: &'static str,
    /// Where it is.
    pub library: Library,
    /// How many numbers it takes.
    pub inputs: usize,
    /// How many numbers it gives.
    pub results: usize,
    /// Floating-point operations, transcendental functions counted as one.
    pub flops: usize,
}

/// A number that a function took or gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Its input of this number.
    Input(usize),
    /// Its result of this number.
    Result(usize),
}

/// What becomes of `d`, the gradient of a function's first result, on the way to one of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradient {
    /// The input gets none.
    None,
    /// `d`
    Pass,
    /// `d` times something that was saved.
    Times(Saved),
    /// `d` times a function of something that was saved.
    TimesSlope(Function, Saved),
    /// A function of `d` and of what was saved.
    Through(Function, &'static [Saved]),
}

impl Function {
    /// Every function.
    pub fn all() -> Vec<Function> {
        use Function::*;
        let activations = Activation::ALL.iter().map(|(a, ..)| *a).filter(|a| *a != Activation::Identity);
        let of_activations = activations.flat_map(|a| [Activate(a), Slope(a)]);
        let others = [
            Copy,
            Add,
            Multiply,
            Normal(0),
            Reparameterise,
            ReparameteriseLogvar,
            Kl,
            KlLogvar,
            Bernoulli,
            Gaussian,
            GaussianLearned,
        ];
        of_activations.chain(others).collect()
    }

    /// Its name and what it takes and gives.
    pub fn signature(self) -> Signature {
        let (name, library, inputs, results, flops) = match self {
            Function::Copy => ("copy", Library::Arithmetic, 1, 1, 0),
            Function::Add => ("add", Library::Arithmetic, 2, 1, 1),
            Function::Multiply => ("multiply", Library::Arithmetic, 2, 1, 1),
            Function::Activate(a) => (a.functions()[0], Library::Activation, 1, 1, 4),
            Function::Slope(a) => (a.functions()[1], Library::Activation, 1, 1, 3),
            Function::Normal(_) => ("normal", Library::Rng, 0, 1, 20),
            Function::Reparameterise => ("reparameterise", Library::Latent, 3, 1, 5),
            Function::ReparameteriseLogvar => ("reparameterise_logvar", Library::Latent, 3, 1, 6),
            Function::Kl => ("kl", Library::Latent, 2, 1, 7),
            Function::KlLogvar => ("kl_logvar", Library::Latent, 2, 1, 6),
            Function::Bernoulli => ("bernoulli", Library::Likelihood, 2, 2, 14),
            Function::Gaussian => ("gaussian", Library::Likelihood, 4, 2, 6),
            Function::GaussianLearned => ("gaussian_learned", Library::Likelihood, 3, 3, 10),
        };
        Signature { name, library, inputs, results, flops }
    }

    /// How the gradient of its first result goes back to one of its inputs.
    pub fn gradient(self, input: usize) -> Gradient {
        use Saved::{Input, Result};
        match (self, input) {
            (Function::Copy | Function::Add, _) => Gradient::Pass,
            (Function::Multiply, 0) => Gradient::Times(Input(1)),
            (Function::Multiply, _) => Gradient::Times(Input(0)),
            (Function::Activate(a), _) => {
                let saved = if a.keeps_input() { Input(0) } else { Result(0) };
                Gradient::TimesSlope(Function::Slope(a), saved)
            }
            (Function::Reparameterise, 0) => Gradient::Pass,
            (Function::Reparameterise, 1) => Gradient::Through(Function::ReparameteriseLogvar, &[Input(1), Input(2)]),
            (Function::Kl, 0) => Gradient::Times(Input(0)),
            (Function::Kl, _) => Gradient::Through(Function::KlLogvar, &[Input(1)]),
            (Function::Bernoulli | Function::Gaussian | Function::GaussianLearned, 0) => Gradient::Times(Result(1)),
            (Function::GaussianLearned, 2) => Gradient::Times(Result(2)),
            // Data and noise; and slopes, which no gradient is taken of.
            _ => Gradient::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_listed_in_their_order() {
        for (i, (activation, ..)) in Activation::ALL.iter().enumerate() {
            assert_eq!(*activation as usize, i);
        }
    }
}
