//! Families of kernels and functions.

/// A shader file and its host side: the same stem in `shaders/`, `kernels/` and `exec/oracle/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Activations and their slopes.
    Activation,
    /// Gather, scale and binarise a batch.
    Batch,
    /// Cross-entropies of tokens.
    CrossEntropy,
    /// Rows of a table that tokens choose.
    Embed,
    /// Matrix products with their epilogues.
    Gemm,
    /// The latent variable: reparameterisation and KL.
    Latent,
    /// Reconstruction losses.
    Likelihood,
    /// Logarithms of sums of exponentials.
    LogSumExp,
    /// Functions of several kinds, element by element.
    Map,
    /// Group norm.
    Norm,
    /// SGD and Adam over the parameter arena.
    Optimizer,
    /// Sums over windows of images: pooling and upsampling.
    Pool,
    /// Recurrent layers.
    Recurrent,
    /// Sums in a fixed order.
    Reduce,
    /// Counter-based random numbers.
    Rng,
    /// Measurements of what the adapter can do at best, for the benchmarks.
    Roof,
    /// Logarithms of the probabilities of a category's words.
    Softmax,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 17] = [
        Family::Activation,
        Family::Batch,
        Family::CrossEntropy,
        Family::Embed,
        Family::Gemm,
        Family::Latent,
        Family::Likelihood,
        Family::LogSumExp,
        Family::Map,
        Family::Norm,
        Family::Optimizer,
        Family::Pool,
        Family::Recurrent,
        Family::Reduce,
        Family::Rng,
        Family::Roof,
        Family::Softmax,
    ];

    /// The stem of the family's files.
    pub fn name(self) -> &'static str {
        match self {
            Family::Activation => "activation",
            Family::Batch => "batch",
            Family::CrossEntropy => "cross_entropy",
            Family::Embed => "embed",
            Family::Gemm => "gemm",
            Family::Latent => "latent",
            Family::Likelihood => "likelihood",
            Family::LogSumExp => "log_sum_exp",
            Family::Map => "map",
            Family::Norm => "norm",
            Family::Optimizer => "optimizer",
            Family::Pool => "pool",
            Family::Recurrent => "recurrent",
            Family::Reduce => "reduce",
            Family::Rng => "rng",
            Family::Roof => "roof",
            Family::Softmax => "softmax",
        }
    }
}
