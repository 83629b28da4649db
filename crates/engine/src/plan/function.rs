//! Pointwise functions: their names, signatures and gradient rules. Their formulas are in `shaders/` (WGSL) and
//! `exec/oracle/` (Rust).

use serde::{Deserialize, Serialize};

use super::Family;

/// An activation, in PyTorch's default form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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

    /// Whether the slope is computed from the input; for other activations it is computed from the output.
    pub fn keeps_input(self) -> bool {
        matches!(self, Activation::Silu | Activation::Gelu)
    }

    /// The user-visible name, the formula, and the function and its slope in `shaders/activation.wgsl`; the identity has none.
    fn names(self) -> [&'static str; 4] {
        match self {
            Activation::Identity => ["identity", "`u`", "", ""],
            Activation::Relu => ["relu", "`max(u, 0)`", "relu", "relu_slope"],
            Activation::LeakyRelu => {
                ["leaky-relu", "`u`, or `0.01 u` where negative", "leaky_relu", "leaky_relu_slope"]
            }
            Activation::Elu => ["elu", "`u`, or `exp(u) - 1` where negative", "elu", "elu_slope"],
            Activation::Softplus => ["softplus", "`ln(1 + exp(u))`", "softplus", "softplus_slope"],
            Activation::Sigmoid => ["sigmoid", "`1 / (1 + exp(-u))`", "sigmoid", "sigmoid_slope"],
            Activation::Tanh => ["tanh", "hyperbolic tangent", "stable_tanh", "stable_tanh_slope"],
            Activation::Silu => ["silu", "`u sigmoid(u)`", "silu", "silu_slope"],
            Activation::Gelu => {
                ["gelu", "`u Phi(u)`, with the exact normal distribution function", "gelu", "gelu_slope"]
            }
        }
    }

    /// The user-visible name.
    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    /// The formula, for users.
    pub fn formula(self) -> &'static str {
        self.names()[1]
    }
}

/// The loss of one element of an output for the data `x`, and its further inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Cross-entropy of a logit and a level.
    Bernoulli,
    /// Negative log-likelihood of a normal, from `1 / sigma^2` and the normalising constant.
    Gaussian,
    /// Negative log-likelihood of a normal, from `log_sigma`, which gets a gradient.
    GaussianLearned,
    /// Negative log-likelihood of a Laplace distribution, from the logarithm of its scale, which gets a gradient.
    Laplace,
    /// Negative log-likelihood of Student's t, from the logarithms of its scale and of its degrees of freedom, which both get a
    /// gradient.
    StudentT,
    /// Negative log-likelihood of a level of 256 under a logistic distribution, from the logarithm of its scale, which
    /// gets a gradient. The level has the share of the distribution that is nearer to it than to the next level, or
    /// beyond the last one.
    Logistic,
    /// Negative logarithm of the mean density of a logistic distribution over an interval around `x`, from the logarithm of its scale,
    /// which gets a gradient, and half of the interval's width, which may be 0.
    Interval,
    /// Negative log-likelihood of a column of a table without counts, from its dispersion, which gets a gradient, half
    /// of the width of a number's interval, and its kind: see [`ColumnKind`]. Where the column is of a category, the
    /// output is the logarithm of its probability.
    Column,
    /// Negative log-likelihood of a column of a table with counts: the inputs of [`Loss::Column`], where a count has
    /// the mean of its column's logarithms in place of the half.
    ColumnOrCount,
    /// Negative log-likelihood of a count that may be an extra zero; 0 where a value is missing. Its inputs are the
    /// logarithms of the mean and of one more than the count, the logit of an extra zero and the dispersion, of which
    /// the last two get a gradient.
    ZeroInflated,
}

/// Where functions of a table's columns are tried: dispersions, halves of intervals, kinds; and means of logarithms of counts.
const COLUMN: [&[f32]; 4] =
    [&[-0.4, -1.2, 1.5, -8.0, 11.0], &[0.0, 0.4, 0.03, 1.7, 0.002, 0.9, 0.0], &[0.0, 1.0, 2.0, 3.0], &[0.0, 0.8, 2.1]];

/// Where counts with extra zeros are tried: logits, dispersions.
const ZEROS: [&[f32]; 2] = [&[-0.6, 1.1, 0.3, -9.0, 14.0], COLUMN[0]];

/// Where Student's t is tried: logarithms of degrees of freedom.
const FREEDOMS: &[f32] = &[1.4, 0.3, 3.2, -0.5, 8.0];

/// Where levels are tried: logarithms of scales.
const SCALES: &[f32] = &[-1.6, -0.4, -4.2, -7.5, 2.5];

impl Loss {
    /// Every loss.
    pub const ALL: [Loss; 10] = [
        Loss::Bernoulli,
        Loss::Gaussian,
        Loss::GaussianLearned,
        Loss::Laplace,
        Loss::StudentT,
        Loss::Logistic,
        Loss::Interval,
        Loss::Column,
        Loss::ColumnOrCount,
        Loss::ZeroInflated,
    ];

    /// The description of a loss: its function in `shaders/likelihood.wgsl`; examples of its inputs after the output
    /// and `x`; the number of its results; its operations. The results are the loss, the slope by the output, and
    /// slopes by the first further inputs.
    fn row(self) -> (&'static str, &'static [&'static [f32]], usize, usize) {
        match self {
            Loss::Bernoulli => ("bernoulli", &[], 2, 14),
            Loss::Gaussian => ("gaussian", &[&[11.1], &[-0.28]], 2, 6),
            Loss::GaussianLearned => ("gaussian_learned", &[COLUMN[0]], 3, 10),
            Loss::Laplace => ("laplace", &[COLUMN[0]], 3, 8),
            Loss::StudentT => ("student_t", &[COLUMN[0], FREEDOMS], 4, 70),
            Loss::Logistic => ("logistic", &[SCALES], 3, 34),
            Loss::Interval => ("interval", &[COLUMN[0], COLUMN[1]], 3, 40),
            Loss::Column => ("column", &[COLUMN[0], COLUMN[1], COLUMN[2]], 3, 54),
            Loss::ColumnOrCount => ("column_or_count", &[COLUMN[0], COLUMN[3], COLUMN[2]], 3, 120),
            Loss::ZeroInflated => ("zero_inflated", &ZEROS, 4, 100),
        }
    }

    /// Examples of its inputs after the output and `x`.
    pub fn parameters(self) -> &'static [&'static [f32]] {
        self.row().1
    }

    /// Whether it is of a table's columns, whose values may be missing.
    pub fn is_of_columns(self) -> bool {
        matches!(self, Loss::Interval | Loss::Column | Loss::ColumnOrCount | Loss::ZeroInflated)
    }
}

/// The distribution of a column of a table. In a category, each of its words has a value: 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ColumnKind {
    /// Logistic around the output; the dispersion is the logarithm of its scale.
    Number = 0,
    /// Bernoulli; the output is its logit.
    YesNo = 1,
    /// Categorical; the output is the logarithm of a word's probability.
    Category = 2,
    /// Negative binomial; the output is the logarithm of its mean, less the mean of the counts' logarithms, and the dispersion
    /// the logarithm of its number of failures.
    Count = 3,
}

/// The value that stands for one that is missing: the largest float.
pub const MISSING: f32 = f32::MAX;

/// The token that stands for one that is not told: a dropped one, or one that the vocabulary does not have.
pub const UNKNOWN: f32 = 1.0;

/// Whether a value stands for one that is missing.
#[inline(always)]
pub fn is_missing(value: f32) -> bool {
    value >= 3e38
}

/// `log_sigma` and `log_scale` are kept above this: what never differs would have no density.
pub const MIN_LOG_SIGMA: f32 = -7.0;

/// Half of the distance between two of 256 levels in [0, 1].
pub const HALF_LEVEL: f32 = 0.5 / 255.0;

/// The range of the logarithm of the scale of levels. At the lower end, most of the distribution lies within one level.
/// At the upper end, all levels but the first and the last have next to nothing of it.
pub const LOG_SCALE_RANGE: (f32, f32) = (MIN_LOG_SIGMA, 2.0);

/// The logarithm of Student's t's degrees of freedom is kept within this range: with 1 it is a Cauchy distribution, and with 1000 next
/// to normal.
pub const LOG_FREEDOM_RANGE: (f32, f32) = (0.0, 6.907_755_4);

/// The logarithm of a negative binomial's number of failures is kept within this range: beyond it, it is a Poisson distribution.
pub const LOG_FAILURES_RANGE: (f32, f32) = (-5.0, 10.0);

/// The logarithm of a mean count is kept within this range.
pub const LOG_COUNT_RANGE: (f32, f32) = (-20.0, 20.0);

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
    /// A standard normal draw for each element, from the step's noise key; draws with different numbers are
    /// independent.
    Normal(u32),
    /// A token, or [`UNKNOWN`] in its place with a probability: from the token and the probability. Numbers below 0 are no tokens and
    /// stay. Draws come from the step's noise key; those with different numbers are independent.
    DropToken(u32),
    /// `z` from `mu`, `logvar` and noise.
    Reparameterise,
    /// `d_logvar` from `d_z`, `logvar` and noise.
    ReparameteriseLogvar,
    /// The KL divergence of a normal (`mu`, `logvar`) from the standard normal.
    Kl,
    /// `d_logvar` of [`Function::Kl`], from `d_kl` and `logvar`.
    KlLogvar,
    /// `exp(x)`
    Exp,
    /// `ln q` of a draw from a normal, from its noise and `logvar`.
    LogDraw,
    /// The slope of [`Function::LogDraw`] by `logvar`.
    LogDrawSlope,
    /// `ln p` of `x` under a normal, from `x`, `mu` and `logvar`.
    LogNormal,
    /// `d_x` of [`Function::LogNormal`], from its gradient and its inputs.
    LogNormalX,
    /// `d_mu` of [`Function::LogNormal`], from its gradient and its inputs.
    LogNormalMu,
    /// `d_logvar` of [`Function::LogNormal`], from its gradient and its inputs.
    LogNormalLogvar,
    /// A loss, and its slopes: see [`Loss`].
    Loss(Loss),
    /// A column's mean in the units of its values, from the output and the kind.
    ColumnMean,
    /// A column's mean in the units of its values, where there are counts: from the output, the kind, and the mean of
    /// the counts' logarithms.
    ColumnOrCountMean,
    /// The mean of a count that may be an extra zero: from the output, the logit of an extra zero, and the mean of the
    /// counts' logarithms.
    ZeroInflatedMean,
    /// The mean of a logistic distribution whose tails lie at 0 and 1, from its location and the logarithm of its scale, and its slopes
    /// by both.
    LogisticMean,
    /// A value, or 0 where it is missing.
    Present,
    /// 1 where a value is missing, else 0.
    Absent,
}

/// The description of a function, without its formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The name of the function in WGSL.
    pub name: &'static str,
    /// The file in `shaders/` that it is in; [`Family::Map`] if it is built into WGSL.
    pub family: Family,
    /// How many inputs it has.
    pub inputs: usize,
    /// How many results it has.
    pub results: usize,
    /// Floating-point operations, transcendental functions counted as one.
    pub flops: usize,
}

/// An input or result of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The input of this number.
    Input(usize),
    /// The result of this number.
    Result(usize),
}

/// How the gradient `d` of a function's first result gives the gradient of one of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradient {
    /// The input has no gradient.
    None,
    /// `d`
    Pass,
    /// `d` times a saved value.
    Times(Saved),
    /// `d` times a function of a saved value.
    TimesSlope(Function, Saved),
    /// A function of `d` and saved values.
    Through(Function, &'static [Saved]),
}

impl Function {
    /// Every function.
    pub fn all() -> Vec<Function> {
        use Function::*;
        let activations = Activation::ALL.into_iter().filter(|a| *a != Activation::Identity);
        let of_activations = activations.flat_map(|a| [Activate(a), Slope(a)]);
        let others = [Copy, Add, Multiply, Normal(0), DropToken(0), Reparameterise, ReparameteriseLogvar, Kl, KlLogvar];
        let densities = [Exp, LogDraw, LogDrawSlope, LogNormal, LogNormalX, LogNormalMu, LogNormalLogvar];
        let shown = [ColumnMean, ColumnOrCountMean, ZeroInflatedMean, LogisticMean, Present, Absent];
        of_activations.chain(others).chain(densities).chain(self::Loss::ALL.map(Loss)).chain(shown).collect()
    }

    /// The number of its draws, if it draws random numbers: then its results depend on the step and on the place of the element, too.
    pub fn draw(self) -> Option<u32> {
        match self {
            Function::Normal(draw) | Function::DropToken(draw) => Some(draw),
            _ => None,
        }
    }

    /// Returns the signature of the function.
    pub fn signature(self) -> Signature {
        let (name, family, inputs, results, flops) = match self {
            Function::Copy => ("copy", Family::Map, 1, 1, 0),
            Function::Add => ("add", Family::Map, 2, 1, 1),
            Function::Multiply => ("multiply", Family::Map, 2, 1, 1),
            Function::Activate(a) => (a.names()[2], Family::Activation, 1, 1, 4),
            Function::Slope(a) => (a.names()[3], Family::Activation, 1, 1, 3),
            Function::Normal(_) => ("normal", Family::Rng, 0, 1, 20),
            Function::DropToken(_) => ("drop_token", Family::Rng, 2, 1, 20),
            Function::Reparameterise => ("reparameterise", Family::Latent, 3, 1, 5),
            Function::ReparameteriseLogvar => ("reparameterise_logvar", Family::Latent, 3, 1, 6),
            Function::Kl => ("kl", Family::Latent, 2, 1, 7),
            Function::KlLogvar => ("kl_logvar", Family::Latent, 2, 1, 6),
            Function::Exp => ("exponential", Family::Latent, 1, 1, 1),
            Function::LogDraw => ("log_draw", Family::Latent, 2, 1, 4),
            Function::LogDrawSlope => ("log_draw_slope", Family::Latent, 1, 1, 1),
            Function::LogNormal => ("log_normal", Family::Latent, 3, 1, 7),
            Function::LogNormalX => ("log_normal_x", Family::Latent, 4, 1, 4),
            Function::LogNormalMu => ("log_normal_mu", Family::Latent, 4, 1, 4),
            Function::LogNormalLogvar => ("log_normal_logvar", Family::Latent, 4, 1, 7),
            Function::Loss(loss) => {
                let (name, parameters, results, flops) = loss.row();
                (name, Family::Likelihood, 2 + parameters.len(), results, flops)
            }
            Function::ColumnMean => ("column_mean", Family::Likelihood, 2, 1, 6),
            Function::ColumnOrCountMean => ("column_or_count_mean", Family::Likelihood, 3, 1, 12),
            Function::ZeroInflatedMean => ("zero_inflated_mean", Family::Likelihood, 3, 1, 14),
            Function::LogisticMean => ("logistic_mean", Family::Likelihood, 2, 3, 30),
            Function::Present => ("present", Family::Likelihood, 1, 1, 1),
            Function::Absent => ("absent", Family::Likelihood, 1, 1, 1),
        };
        Signature { name, family, inputs, results, flops }
    }

    /// The gradient rule of one of its inputs.
    pub fn gradient(self, input: usize) -> Gradient {
        use Saved::{Input, Result};
        match (self, input) {
            (Function::Copy | Function::Add, _) => Gradient::Pass,
            (Function::Multiply, 0) => Gradient::Times(Input(1)),
            (Function::Multiply, _) => Gradient::Times(Input(0)),
            // No shader has a function for the slope, which is 1.
            (Function::Activate(Activation::Identity), _) => Gradient::Pass,
            (Function::Activate(a), _) => {
                let saved = if a.keeps_input() { Input(0) } else { Result(0) };
                Gradient::TimesSlope(Function::Slope(a), saved)
            }
            (Function::Reparameterise, 0) => Gradient::Pass,
            (Function::Reparameterise, 1) => Gradient::Through(Function::ReparameteriseLogvar, &[Input(1), Input(2)]),
            (Function::Kl, 0) => Gradient::Times(Input(0)),
            (Function::Kl, _) => Gradient::Through(Function::KlLogvar, &[Input(1)]),
            (Function::Exp, _) => Gradient::Times(Result(0)),
            (Function::LogDraw, 1) => Gradient::TimesSlope(Function::LogDrawSlope, Input(1)),
            (Function::LogNormal, 0) => Gradient::Through(Function::LogNormalX, &[Input(0), Input(1), Input(2)]),
            (Function::LogNormal, 1) => Gradient::Through(Function::LogNormalMu, &[Input(0), Input(1), Input(2)]),
            (Function::LogNormal, _) => Gradient::Through(Function::LogNormalLogvar, &[Input(0), Input(1), Input(2)]),
            (Function::Loss(_), 0) => Gradient::Times(Result(1)),
            (Function::LogisticMean, i) => Gradient::Times(Result(1 + i)),
            // The data, and inputs that the loss has no slope for.
            (Function::Loss(loss), i) if i > 1 && i < loss.row().2 => Gradient::Times(Result(i)),
            (Function::Loss(_), _) => Gradient::None,
            // The noise.
            (Function::Reparameterise | Function::LogDraw, _) => Gradient::None,
            // Functions that only the tape adds, and draws.
            (Function::Slope(_) | Function::Normal(_) | Function::DropToken(_), _) => Gradient::None,
            (Function::ReparameteriseLogvar | Function::KlLogvar | Function::LogDrawSlope, _) => Gradient::None,
            (Function::LogNormalX | Function::LogNormalMu | Function::LogNormalLogvar, _) => Gradient::None,
            // No gradient goes through decoded means, nor to the data.
            (Function::ColumnMean | Function::ColumnOrCountMean | Function::ZeroInflatedMean, _) => Gradient::None,
            (Function::Present | Function::Absent, _) => Gradient::None,
        }
    }
}
