//! Likelihoods: the distribution of the data given the decoder's output.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1, Open01, StandardNormal, StudentT};
use wgvae_data::{described, normal_quantile};
use wgvae_engine::graph::{Graph, Node};
use wgvae_engine::plan::{Activation, ColumnKind, Function, Init, Loss};

use super::VaeSpec;

described! {
    /// The distribution of the data given the decoder's output.
    pub enum Likelihood {
        Bernoulli = "bernoulli": "Cross-entropy on logits, for levels in [0, 1]",
        Gaussian = "gaussian": "Normal with a fixed sigma",
        Mse = "mse": "Squared error: normal with sigma = sqrt(1/2), without its constant",
        GaussianLearned = "gaussian-learned": "Normal with one sigma, which is learned",
        Laplace = "laplace": "Laplace with one scale, which is learned: the absolute error",
        StudentT = "student-t": "Student's t with one scale and one number of degrees of freedom, which are learned",
        Logistic = "logistic": "Each level of 256 logistic, with a scale that the decoder says of each",
        Columns = "columns": "Each column of a table by its kind, numbers logistic with a scale that the decoder says of each",
        NegativeBinomial = "negative-binomial": "Columns of counts, each negative binomial with a number of failures that is learned",
        Tokens = "tokens": "Each token of a text categorical, given the tokens before it",
        ZeroInflated = "zero-inflated": "Columns of counts, each negative binomial or an extra zero, whose probability the decoder says of each",
    }
}

impl Likelihood {
    /// Whether it uses the configuration's sigma.
    pub fn takes_sigma(self) -> bool {
        match self {
            Likelihood::Gaussian
            | Likelihood::GaussianLearned
            | Likelihood::Laplace
            | Likelihood::StudentT
            | Likelihood::Logistic
            | Likelihood::Columns => true,
            Likelihood::Bernoulli | Likelihood::Mse | Likelihood::Tokens => false,
            Likelihood::NegativeBinomial | Likelihood::ZeroInflated => false,
        }
    }

    /// Whether it gets the kinds of a table's columns, and knows missing values itself.
    pub fn is_of_columns(self) -> bool {
        self == Likelihood::Columns || self.is_of_counts()
    }

    /// Whether it is a density of each number around the output.
    pub fn is_density(self) -> bool {
        use Likelihood::{Gaussian, GaussianLearned, Laplace, StudentT};
        matches!(self, Gaussian | GaussianLearned | Laplace | StudentT)
    }

    /// Whether all columns of a table must be counts.
    pub fn is_of_counts(self) -> bool {
        matches!(self, Likelihood::NegativeBinomial | Likelihood::ZeroInflated)
    }

    /// How many numbers the decoder makes of each value; of columns, see [`VaeSpec::outputs`](super::VaeSpec::outputs).
    pub fn outputs(self) -> usize {
        if matches!(self, Likelihood::ZeroInflated | Likelihood::Logistic) { 2 } else { 1 }
    }

    /// The loss `(B, D)` of each element of an output `(B, outputs D)` for `x`. Beside values of columns stands half of the width of the
    /// interval around a number, and the mean of the logarithms of counts.
    pub(super) fn loss(
        self,
        g: &mut Graph,
        output: Node,
        x: Node,
        loss_inputs: Option<Node>,
        sigma: f32,
        table: Option<TableNodes>,
    ) -> Node {
        match self {
            Likelihood::Bernoulli => g.map("loss", Function::Loss(Loss::Bernoulli), &[output, x]),
            Likelihood::Tokens => g.cross_entropy("loss", output, x),
            Likelihood::Gaussian => {
                let log_norm = sigma.ln() + 0.5 * (2.0 * std::f32::consts::PI).ln();
                gaussian(g, [output, x], 1.0 / (sigma * sigma), log_norm)
            }
            Likelihood::Mse => {
                let sigma = 0.5_f32.sqrt();
                gaussian(g, [output, x], 1.0 / (sigma * sigma), 0.0)
            }
            Likelihood::GaussianLearned => {
                let log_sigma = g.param(LOG_SIGMA, &[1], Init::Constant(sigma.ln()));
                g.map("loss", Function::Loss(Loss::GaussianLearned), &[output, x, log_sigma])
            }
            Likelihood::Laplace => {
                let log_scale = g.param(LOG_SCALE, &[1], Init::Constant(sigma.ln()));
                g.map("loss", Function::Loss(Loss::Laplace), &[output, x, log_scale])
            }
            Likelihood::StudentT => {
                let log_scale = g.param(LOG_SCALE, &[1], Init::Constant(sigma.ln()));
                let log_freedom = g.param(LOG_FREEDOM, &[1], Init::Constant(FIRST_FREEDOM.ln()));
                g.map("loss", Function::Loss(Loss::StudentT), &[output, x, log_scale, log_freedom])
            }
            Likelihood::Logistic => {
                let [location, log_scale] = located(g, output, sigma);
                g.map("loss", Function::Loss(Loss::Logistic), &[location, x, log_scale])
            }
            Likelihood::Columns => {
                let width = g.shape(x)[1];
                let [output, dispersion] = dispersed(g, output, width, sigma);
                let log_means = table.and_then(|table| table.log_means);
                let loss_inputs = loss_inputs.or(log_means).unwrap_or_else(|| g.constant(0.0));
                let Some(table) = table else {
                    return g.map("loss", Function::Loss(Loss::Interval), &[output, x, dispersion, loss_inputs]);
                };
                let output = table.log_probabilities(g, output);
                let loss = if log_means.is_some() { Loss::ColumnOrCount } else { Loss::Column };
                g.map("loss", Function::Loss(loss), &[output, x, dispersion, loss_inputs, table.kinds])
            }
            Likelihood::NegativeBinomial => {
                let width = g.shape(output)[1];
                let dispersion = g.param(DISPERSION, &[width], Init::Constant(0.0));
                let [kind, log_means] = counts(g, table);
                g.map("loss", Function::Loss(Loss::ColumnOrCount), &[output, x, dispersion, log_means, kind])
            }
            Likelihood::ZeroInflated => {
                let [output, logit] = halves(g, output, ["output", "logit"]);
                let width = g.shape(output)[1];
                let dispersion = g.param(DISPERSION, &[width], Init::Constant(0.0));
                // The means are added before the loss: as an input of it, they would need more bindings than a shader
                // may have.
                let log_means = table.and_then(|table| table.log_means);
                let [log_mean, log_count] =
                    [("log_mean", output), ("log_count", x)].map(|(name, of)| match log_means {
                        Some(log_means) => g.map(name, Function::Add, &[of, log_means]),
                        None => of,
                    });
                g.map("loss", Function::Loss(Loss::ZeroInflated), &[log_mean, log_count, logit, dispersion])
            }
        }
    }

    /// The parameters beside the mean that the decoder gives the distribution of each value, `(B, D)` each. A count has
    /// the probability of an extra zero, a level the location and the logarithm of the scale, a column's number the
    /// logarithm of its scale. `width` is D.
    pub(super) fn parameters(self, g: &mut Graph, output: Node, width: usize, sigma: f32) -> Vec<Node> {
        match self {
            Likelihood::Columns if g.shape(output)[1] > width => {
                let [_, dispersion] = dispersed(g, output, width, sigma);
                vec![g.map("parameter", Function::Copy, &[dispersion])]
            }
            Likelihood::ZeroInflated => {
                let [_, logit] = halves(g, output, ["output", "logit"]);
                vec![g.map("zeros", Function::Activate(Activation::Sigmoid), &[logit])]
            }
            Likelihood::Logistic => {
                located(g, output, sigma).into_iter().map(|node| g.map("parameter", Function::Copy, &[node])).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Converts an output to the mean of the data, in the units of the data.
    pub(super) fn mean(self, g: &mut Graph, output: Node, width: usize, sigma: f32, table: Option<TableNodes>) -> Node {
        match (self, table) {
            (Likelihood::Bernoulli, _) => g.map("mean", Function::Activate(Activation::Sigmoid), &[output]),
            (Likelihood::Columns, table) => {
                let is_wider = g.shape(output)[1] > width;
                let output = if is_wider { g.columns("output", output, 0..width) } else { output };
                let Some(table) = table else {
                    // The mean must lie in a matrix of its own.
                    return if is_wider { g.map("mean", Function::Copy, &[output]) } else { output };
                };
                let output = table.log_probabilities(g, output);
                match table.log_means {
                    Some(log_means) => g.map("mean", Function::ColumnOrCountMean, &[output, table.kinds, log_means]),
                    None => g.map("mean", Function::ColumnMean, &[output, table.kinds]),
                }
            }
            (Likelihood::NegativeBinomial, table) => {
                let [kind, log_means] = counts(g, table);
                g.map("mean", Function::ColumnOrCountMean, &[output, kind, log_means])
            }
            (Likelihood::ZeroInflated, table) => {
                let [output, logit] = halves(g, output, ["output", "logit"]);
                let [_, log_means] = counts(g, table);
                g.map("mean", Function::ZeroInflatedMean, &[output, logit, log_means])
            }
            (Likelihood::Logistic, _) => {
                let [location, log_scale] = located(g, output, sigma);
                g.map("mean", Function::LogisticMean, &[location, log_scale])
            }
            // What is shown of tokens are the tokens that are drawn, one after the other.
            (Likelihood::Tokens, _) => output,
            (Likelihood::Gaussian | Likelihood::Mse | Likelihood::GaussianLearned, _) => output,
            (Likelihood::Laplace | Likelihood::StudentT, _) => output,
        }
    }
}

/// The host's side: the distribution of single values around what is shown of them.
impl Likelihood {
    /// The logarithms of the scales, or of a count's failures, that a trained model has: one for all values, or one for each. There are
    /// none where the distribution has no scale, or the decoder says one of each value. `learned` has a parameter's values by its name.
    pub(crate) fn dispersion(self, spec: &VaeSpec, learned: impl Fn(&str) -> Vec<f32>) -> Vec<f32> {
        match self {
            Likelihood::Bernoulli | Likelihood::Logistic | Likelihood::Tokens => Vec::new(),
            Likelihood::Gaussian => vec![spec.sigma.ln()],
            Likelihood::Mse => vec![0.5 * 0.5_f32.ln()],
            Likelihood::GaussianLearned => learned(LOG_SIGMA),
            Likelihood::Laplace | Likelihood::StudentT => learned(LOG_SCALE),
            Likelihood::Columns if spec.outputs() > 1 => Vec::new(),
            Likelihood::Columns | Likelihood::NegativeBinomial | Likelihood::ZeroInflated => learned(DISPERSION),
        }
    }

    /// The loss of a value, and its inputs after the output and the value. None where it needs more than a scale and degrees of freedom.
    pub(crate) fn loss_of_value(self, dispersion: f64, log_freedom: f64) -> Option<(Loss, Vec<f64>)> {
        match self {
            Likelihood::Bernoulli => Some((Loss::Bernoulli, Vec::new())),
            Likelihood::Gaussian | Likelihood::Mse | Likelihood::GaussianLearned => {
                Some((Loss::GaussianLearned, vec![dispersion]))
            }
            Likelihood::Laplace => Some((Loss::Laplace, vec![dispersion])),
            Likelihood::StudentT => Some((Loss::StudentT, vec![dispersion, log_freedom])),
            Likelihood::Logistic | Likelihood::Columns | Likelihood::NegativeBinomial | Likelihood::ZeroInflated => {
                None
            }
            Likelihood::Tokens => None,
        }
    }

    /// A draw of a number's distance from what is shown of it, in scales.
    pub(crate) fn draw(self, freedom: f64, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Likelihood::Columns => logit(Open01.sample(rng)),
            Likelihood::Laplace => {
                let [above, below]: [f64; 2] = [Exp1.sample(rng), Exp1.sample(rng)];
                above - below
            }
            Likelihood::StudentT => StudentT::new(freedom).map_or(0.0, |t| t.sample(rng)),
            _ => StandardNormal.sample(rng),
        }
    }

    /// How far from what is shown of a number the value lies, in scales, below which this share of its distribution is. It is 0 where
    /// tails are so long that their exponentials have no mean.
    pub(crate) fn quantile(self, share: f64) -> f64 {
        match self {
            Likelihood::Columns => logit(share),
            Likelihood::Laplace | Likelihood::StudentT | Likelihood::Logistic => 0.0,
            _ => normal_quantile(share),
        }
    }
}

/// How many scales from the location of a logistic distribution the value lies below which this share of it is; the same on every
/// machine.
fn logit(share: f64) -> f64 {
    libm::log(share / (1.0 - share))
}

/// The name of the logarithm of the sigma that `gaussian-learned` learns.
const LOG_SIGMA: &str = "log_sigma";

/// The name of the logarithm of the scale that `laplace` and `student-t` learn.
pub const LOG_SCALE: &str = "log_scale";

/// The name of the logarithm of the degrees of freedom that `student-t` learns.
pub const LOG_FREEDOM: &str = "log_freedom";

/// The degrees of freedom that `student-t` starts with: tails that outliers change, and that a normal distribution is near to.
const FIRST_FREEDOM: f32 = 10.0;

/// The name of what is learned of each column: the logarithm of a number's sigma, or of a count's failures.
pub const DISPERSION: &str = "dispersion";

/// The facts about columns that a likelihood takes as inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableNodes {
    /// `(1, D)`: kinds.
    pub kinds: Node,
    /// `(2, G)`: see [`groups`](wgvae_engine::kernels::softmax::groups); none without categories.
    pub groups: Option<Node>,
    /// `(1, D)`: means of the logarithms of counts; none without counts.
    pub log_means: Option<Node>,
}

impl TableNodes {
    /// The output, that of a category's words as logarithms of their probabilities.
    fn log_probabilities(self, g: &mut Graph, output: Node) -> Node {
        match self.groups {
            Some(groups) => g.log_softmax("log_probabilities", output, groups),
            None => output,
        }
    }
}

/// The two halves of an output `(B, 2 D)`, or of images `(B H W, 2 C)`.
fn halves(g: &mut Graph, output: Node, names: [&str; 2]) -> [Node; 2] {
    let width = g.shape(output)[1] / 2;
    [g.columns(names[0], output, 0..width), g.columns(names[1], output, width..2 * width)]
}

/// The output `(B, D)` of columns, and their dispersions: `(D)`, or `(B, D)` where the decoder says one of each value.
fn dispersed(g: &mut Graph, output: Node, width: usize, sigma: f32) -> [Node; 2] {
    let of_column = g.param(DISPERSION, &[width], Init::Constant(sigma.ln()));
    if g.shape(output)[1] == width {
        return [output, of_column];
    }
    let [output, of_value] = halves(g, output, ["output", "of value"]);
    [output, g.map("dispersion", Function::Add, &[of_value, of_column])]
}

/// The locations of levels, and the logarithms of their scales: with outputs of 0, sigma.
fn located(g: &mut Graph, output: Node, sigma: f32) -> [Node; 2] {
    let [location, of_scale] = halves(g, output, ["location", "of scale"]);
    let first = g.constant(sigma.ln());
    [location, g.map("log_scale", Function::Add, &[of_scale, first])]
}

/// The kind of columns that are all counts, and the means of their logarithms: without a table, values are logarithms of one more than
/// the count.
fn counts(g: &mut Graph, table: Option<TableNodes>) -> [Node; 2] {
    let log_means = table.and_then(|table| table.log_means).unwrap_or_else(|| g.constant(0.0));
    [g.constant(ColumnKind::Count as u32 as f32), log_means]
}

fn gaussian(g: &mut Graph, [output, x]: [Node; 2], inv_var: f32, log_norm: f32) -> Node {
    let (inv_var, log_norm) = (g.constant(inv_var), g.constant(log_norm));
    g.map("loss", Function::Loss(Loss::Gaussian), &[output, x, inv_var, log_norm])
}
