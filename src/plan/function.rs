//! Pointwise functions: their names, what they take and give, and how a gradient goes back through each. The formulas are
//! in `shaders/` (WGSL) and `src/oracle/` (their twins); here there are none.

use serde::{Deserialize, Serialize};

use super::Family;

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

    /// Whether the slope is a function of the input; for the others it is one of the output.
    pub fn keeps_input(self) -> bool {
        matches!(self, Activation::Silu | Activation::Gelu)
    }

    /// The name a user writes, and in `shaders/activation.wgsl` the function and its slope; the identity has none.
    fn names(self) -> [&'static str; 3] {
        match self {
            Activation::Identity => ["identity", "", ""],
            Activation::Relu => ["relu", "relu", "relu_slope"],
            Activation::LeakyRelu => ["leaky-relu", "leaky_relu", "leaky_relu_slope"],
            Activation::Elu => ["elu", "elu", "elu_slope"],
            Activation::Softplus => ["softplus", "softplus", "softplus_slope"],
            Activation::Sigmoid => ["sigmoid", "sigmoid", "sigmoid_slope"],
            Activation::Tanh => ["tanh", "stable_tanh", "stable_tanh_slope"],
            Activation::Silu => ["silu", "silu", "silu_slope"],
            Activation::Gelu => ["gelu", "gelu", "gelu_slope"],
        }
    }

    /// The name a user writes.
    pub fn name(self) -> &'static str {
        self.names()[0]
    }
}

/// The loss of one element of an output, for `x`, and what else it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Cross-entropy of a logit and a level.
    Bernoulli,
    /// Negative log-likelihood of a normal: by `1 / sigma^2`, and what is added to it.
    Gaussian,
    /// The same by `log_sigma`, which gets a gradient too.
    GaussianLearned,
}

impl Loss {
    /// Every loss.
    pub const ALL: [Loss; 3] = [Loss::Bernoulli, Loss::Gaussian, Loss::GaussianLearned];

    /// In `shaders/likelihood.wgsl`: its function; what it takes behind the output and `x`, as examples for tests; how many
    /// numbers it gives: the loss, its slope by the output, its slopes by the first of the others; and operations.
    fn row(self) -> (&'static str, &'static [f32], usize, usize) {
        match self {
            Loss::Bernoulli => ("bernoulli", &[], 2, 14),
            Loss::Gaussian => ("gaussian", &[11.1, -0.28], 2, 6),
            Loss::GaussianLearned => ("gaussian_learned", &[-0.4], 3, 10),
        }
    }

    /// Examples of what it takes behind the output and `x`.
    pub fn parameters(self) -> &'static [f32] {
        self.row().1
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
    /// A loss, and its slopes: see [`Loss`].
    Loss(Loss),
}

/// What a function is, but for its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its name in WGSL.
    pub name: &'static str,
    /// The file of `shaders/` it is in; [`Family::Map`] where WGSL itself has it.
    pub family: Family,
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
        let activations = Activation::ALL.into_iter().filter(|a| *a != Activation::Identity);
        let of_activations = activations.flat_map(|a| [Activate(a), Slope(a)]);
        let others = [Copy, Add, Multiply, Normal(0), Reparameterise, ReparameteriseLogvar, Kl, KlLogvar];
        of_activations.chain(others).chain(self::Loss::ALL.map(Loss)).collect()
    }

    /// Its name and what it takes and gives.
    pub fn signature(self) -> Signature {
        let (name, family, inputs, results, flops) = match self {
            Function::Copy => ("copy", Family::Map, 1, 1, 0),
            Function::Add => ("add", Family::Map, 2, 1, 1),
            Function::Multiply => ("multiply", Family::Map, 2, 1, 1),
            Function::Activate(a) => (a.names()[1], Family::Activation, 1, 1, 4),
            Function::Slope(a) => (a.names()[2], Family::Activation, 1, 1, 3),
            Function::Normal(_) => ("normal", Family::Rng, 0, 1, 20),
            Function::Reparameterise => ("reparameterise", Family::Latent, 3, 1, 5),
            Function::ReparameteriseLogvar => ("reparameterise_logvar", Family::Latent, 3, 1, 6),
            Function::Kl => ("kl", Family::Latent, 2, 1, 7),
            Function::KlLogvar => ("kl_logvar", Family::Latent, 2, 1, 6),
            Function::Loss(loss) => {
                let (name, parameters, results, flops) = loss.row();
                (name, Family::Likelihood, 2 + parameters.len(), results, flops)
            }
        };
        Signature { name, family, inputs, results, flops }
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
            (Function::Loss(_), 0) => Gradient::Times(Result(1)),
            // The data, and what a loss gives no slope by.
            (Function::Loss(loss), i) if i > 1 && i < loss.row().2 => Gradient::Times(Result(i)),
            (Function::Loss(_), _) => Gradient::None,
            // The noise.
            (Function::Reparameterise, _) => Gradient::None,
            // What only the tape adds, and what takes nothing.
            (Function::Slope(_) | Function::Normal(_), _) => Gradient::None,
            (Function::ReparameteriseLogvar | Function::KlLogvar, _) => Gradient::None,
        }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_activation_is_listed() {
        assert_eq!(Activation::value_variants(), Activation::ALL);
    }
}
