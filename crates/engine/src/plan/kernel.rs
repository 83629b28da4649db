//! Kernels: everything that a kernel's text depends on, but for the adapter.

use serde::{Deserialize, Serialize};

use super::{AttentionKernel, Cell, Function, Pointwise, RecurrentKernel, Windows};

/// A shader file and its host side: the same stem in `shaders/`, `kernels/` and `exec/oracle/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Activations and their slopes.
    Activation,
    /// Attention between the times of sequences.
    Attention,
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
    pub const ALL: [Family; 18] = [
        Family::Activation,
        Family::Attention,
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
            Family::Attention => "attention",
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

/// The way in which grey levels in [0, 1] become binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
pub enum Binarise {
    /// Left as they are.
    #[default]
    None = 0,
    /// 1 from one half up, else 0.
    Threshold = 1,
    /// 1 with the level as its probability, drawn anew each step.
    Draw = 2,
}

impl Binarise {
    /// Every way.
    pub const ALL: [Binarise; 3] = [Binarise::None, Binarise::Threshold, Binarise::Draw];

    /// The user-visible name, and what it does.
    pub fn described(self) -> [&'static str; 2] {
        match self {
            Binarise::None => ["none", "Left as they are"],
            Binarise::Threshold => ["threshold", "1 from one half up, else 0"],
            Binarise::Draw => ["draw", "1 with the level as its probability, drawn anew each step"],
        }
    }
}

/// How a batch is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gather {
    /// Grey levels, four to a word.
    Levels,
    /// Floats.
    Floats,
    /// Numbers of classes, to a column for each class.
    Classes,
    /// Grey levels of images, each changed a little.
    Augmented {
        /// Whether half of them are mirrored.
        flip: bool,
        /// Whether noise is added.
        noise: bool,
    },
}

/// How the operands of a product lie: which of their extents is summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// `A (M, K) B (N, K)^T`: a layer forward, weights `[out, in]`.
    Nt,
    /// `A (M, K) B (K, N)`: its `d_input`.
    Nn,
    /// `A (K, M)^T B (K, N)`: its `d_weight`.
    Tn,
}

impl Orientation {
    /// The word for it in names and listings.
    pub fn name(self) -> &'static str {
        match self {
            Orientation::Nt => "nt",
            Orientation::Nn => "nn",
            Orientation::Tn => "tn",
        }
    }
}

/// A matrix product and its epilogue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gemm {
    /// How the operands lie.
    pub orientation: Orientation,
    /// A is grey levels, four to a word.
    pub a_levels: bool,
    /// B is.
    pub b_levels: bool,
    /// A number for each column is added.
    pub bias: bool,
    /// The column sums of A are kept too, for [`Orientation::Tn`].
    pub row_sum: bool,
    /// One operand, or the result, is windows of images: A of a convolution forward ([`Orientation::Nt`]), B of its
    /// `d_weight` (`Tn`); of its `d_input` (`Nn`) the result, which is summed where windows overlap.
    pub windows: Option<Windows>,
    /// Columns `j` and `j + N / 2` of an [`Orientation::Nt`] are computed side by side, so that the epilogue has both: its space is
    /// `(M, N / 2)`.
    pub pairs: bool,
    /// The program that is run on each element of the product.
    pub epilogue: Pointwise,
}

/// The direction in which a layer is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// The result is computed from the input.
    Forward,
    /// The gradient of the input is computed from the gradient of the result.
    Backward,
}

/// Cross-entropies of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CrossEntropy {
    /// The direction.
    pub pass: Pass,
    /// Whether a row has a workgroup; else it has an invocation, and its gradient an invocation an element.
    pub wide: bool,
    /// The gradient of every loss, as the bits of an f32, where it is a constant.
    d: Option<u32>,
}

impl CrossEntropy {
    /// A pass; that of the gradient may take one number for the gradients of all losses.
    pub fn new(pass: Pass, wide: bool, d: Option<f32>) -> Self {
        Self { pass, wide, d: d.map(f32::to_bits) }
    }

    /// The gradient of every loss, where it is a constant.
    pub fn d(self) -> Option<f32> {
        self.d.map(f32::from_bits)
    }
}

/// Sums over the windows of images, channel by channel, times a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool {
    /// The direction: from pixels to windows, or back to the pixels.
    pub pass: Pass,
    /// The windows.
    pub windows: Windows,
    /// The factor, as the bits of an f32.
    factor: u32,
}

impl Pool {
    /// Sums over windows, or back.
    pub fn new(pass: Pass, windows: Windows, factor: f32) -> Self {
        Self { pass, windows, factor: factor.to_bits() }
    }

    /// The factor that the sums are multiplied by.
    pub fn factor(&self) -> f32 {
        f32::from_bits(self.factor)
    }

    /// How many rows each row is copied to, if the pool does nothing else.
    pub fn repeats(&self) -> Option<u32> {
        let Windows { image: [height, width, _], positions, kernel, padding, .. } = self.windows;
        let is_copy = self.pass == Pass::Backward && self.factor() == 1.0 && positions == [1; 2] && padding == [0; 2];
        (is_copy && kernel == [height, width]).then_some(height * width)
    }

    /// Returns the pool in the other direction, which is the gradient of this one.
    pub fn gradient(self) -> Self {
        let pass = if self.pass == Pass::Forward { Pass::Backward } else { Pass::Forward };
        Self { pass, ..self }
    }

    /// Rows of an image that go in, and that come out.
    pub fn rows(&self) -> [usize; 2] {
        let (pixels, places) = (self.windows.pixels(), self.windows.rows());
        if self.pass == Pass::Forward { [pixels, places] } else { [places, pixels] }
    }
}

/// Group norm: each image's channels, in groups of neighbours, are brought to a mean of 0 and a variance of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Norm {
    /// Pixels of an image; 1 for numbers.
    pub pixels: u32,
    /// Channels of a pixel.
    pub channels: u32,
    /// Groups that the channels are in.
    pub groups: u32,
}

impl Norm {
    /// Groups of all images in so many rows.
    pub fn count(&self, rows: usize) -> usize {
        rows / self.pixels as usize * self.groups as usize
    }
}

/// Logarithms of sums of exponentials, of groups of neighbouring rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogSumExp {
    /// The sums of each column of the groups.
    Forward,
    /// The gradient of the values that are summed.
    Back,
    /// One more value for each of some sums.
    Stream,
}

/// A step of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Update {
    /// Stochastic gradient descent.
    Sgd {
        /// Look ahead along the momentum.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// Weight decay acts on the weights (AdamW), not on the gradient.
        decoupled: bool,
    },
    /// A step of the KL's weight, which holds the KL at or under a limit.
    Multiplier,
}

/// Sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// The step's means of so many values into the metrics ring.
    Report(usize),
    /// All of a vector.
    Sum,
    /// Each column of a matrix.
    Columns,
    /// Each row of this many matrices.
    Rows(usize),
    /// Squares of stripes of a vector.
    Squares,
    /// The factor that brings the gradient's norm down to its limit.
    Clip,
}

/// Yardsticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Roof {
    /// Arithmetic.
    MultiplyAdd,
    /// Memory.
    Copy,
}

/// The kernel that an op runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Attention.
    Attention(AttentionKernel),
    /// A batch is gathered.
    Batch(Gather, Binarise),
    /// Cross-entropies of tokens.
    CrossEntropy(CrossEntropy),
    /// Rows of a table that tokens choose.
    Embed(Pass),
    /// A matrix product.
    Gemm(Gemm),
    /// Logarithms of sums of exponentials.
    LogSumExp(LogSumExp),
    /// Functions, element by element.
    Map(Pointwise),
    /// Group norm.
    Norm(Norm, Pass),
    /// Sums over windows.
    Pool(Pool),
    /// A recurrent layer.
    Recurrent(RecurrentKernel),
    /// Logarithms of probabilities.
    Softmax(Pass),
    /// The optimiser.
    Update(Update),
    /// Sums.
    Reduce(Reduce),
    /// Random bits.
    RandomBits,
    /// A yardstick.
    Roof(Roof),
}

impl Kernel {
    /// The entry point in the shader.
    pub fn entry(&self) -> &'static str {
        match self {
            Kernel::Attention(AttentionKernel { pass: Pass::Forward, .. }) => "attention",
            Kernel::Attention(AttentionKernel { pass: Pass::Backward, .. }) => "attention_back",
            Kernel::Batch(Gather::Levels, _) => "gather_levels",
            Kernel::Batch(Gather::Floats, _) => "gather_floats",
            Kernel::Batch(Gather::Classes, _) => "gather_classes",
            Kernel::Batch(Gather::Augmented { .. }, _) => "augmented",
            Kernel::CrossEntropy(CrossEntropy { pass: Pass::Forward, wide: false, .. }) => "cross_entropy",
            Kernel::CrossEntropy(CrossEntropy { pass: Pass::Forward, wide: true, .. }) => "cross_entropy_wide",
            Kernel::CrossEntropy(CrossEntropy { pass: Pass::Backward, wide: false, .. }) => "cross_entropy_back",
            Kernel::CrossEntropy(CrossEntropy { pass: Pass::Backward, wide: true, .. }) => "cross_entropy_back_wide",
            Kernel::Embed(Pass::Forward) => "embed",
            Kernel::Embed(Pass::Backward) => "embed_back",
            Kernel::Gemm(gemm) => gemm.orientation.name(),
            Kernel::LogSumExp(LogSumExp::Forward) => "log_sum_exp",
            Kernel::LogSumExp(LogSumExp::Back) => "log_sum_exp_back",
            Kernel::LogSumExp(LogSumExp::Stream) => "stream",
            Kernel::Map(_) => "map",
            Kernel::Norm(_, Pass::Forward) => "normalise",
            Kernel::Norm(_, Pass::Backward) => "normalise_back",
            Kernel::Pool(Pool { pass: Pass::Forward, .. }) => "pool",
            Kernel::Pool(Pool { pass: Pass::Backward, .. }) => "spread",
            Kernel::Recurrent(RecurrentKernel { layer, pass, .. }) => match (layer.cell, pass) {
                (Cell::Gru, Pass::Forward) => "gru",
                (Cell::Gru, Pass::Backward) => "gru_back",
                (Cell::Lstm, Pass::Forward) => "lstm",
                (Cell::Lstm, Pass::Backward) => "lstm_back",
            },
            Kernel::Softmax(Pass::Forward) => "log_softmax",
            Kernel::Softmax(Pass::Backward) => "log_softmax_back",
            Kernel::Update(Update::Sgd { .. }) => "sgd",
            Kernel::Update(Update::Adam { .. }) => "adam",
            Kernel::Update(Update::Multiplier) => "multiplier",
            Kernel::Reduce(Reduce::Report(_)) => "report",
            Kernel::Reduce(Reduce::Sum) => "sum",
            Kernel::Reduce(Reduce::Columns) => "columns",
            Kernel::Reduce(Reduce::Rows(_)) => "rows",
            Kernel::Reduce(Reduce::Squares) => "squares",
            Kernel::Reduce(Reduce::Clip) => "clip",
            Kernel::RandomBits => "bits",
            Kernel::Roof(Roof::MultiplyAdd) => "multiply_add",
            Kernel::Roof(Roof::Copy) => "copy",
        }
    }

    /// The family it belongs to: of a map of one function, that function's.
    pub fn family(&self) -> Family {
        match self {
            Kernel::Attention(_) => Family::Attention,
            Kernel::Batch(..) => Family::Batch,
            Kernel::CrossEntropy(_) => Family::CrossEntropy,
            Kernel::Embed(_) => Family::Embed,
            Kernel::Gemm(_) => Family::Gemm,
            Kernel::LogSumExp(_) => Family::LogSumExp,
            Kernel::Map(body) => match body.calls.as_slice() {
                [call] => call.function.signature().family,
                _ => Family::Map,
            },
            Kernel::Norm(..) => Family::Norm,
            Kernel::Pool(_) => Family::Pool,
            Kernel::Recurrent(_) => Family::Recurrent,
            Kernel::Softmax(_) => Family::Softmax,
            Kernel::Update(_) => Family::Optimizer,
            Kernel::Reduce(_) => Family::Reduce,
            Kernel::RandomBits => Family::Rng,
            Kernel::Roof(_) => Family::Roof,
        }
    }

    /// The product, if it is one.
    pub fn gemm(&self) -> Option<&Gemm> {
        match self {
            Kernel::Gemm(gemm) => Some(gemm),
            _ => None,
        }
    }

    /// The pointwise part, if there is one.
    pub fn pointwise(&self) -> Option<&Pointwise> {
        match self {
            Kernel::Gemm(gemm) => Some(&gemm.epilogue),
            Kernel::Map(body) => Some(body),
            _ => None,
        }
    }

    /// The pointwise part, to be changed.
    pub fn pointwise_mut(&mut self) -> Option<&mut Pointwise> {
        match self {
            Kernel::Gemm(gemm) => Some(&mut gemm.epilogue),
            Kernel::Map(body) => Some(body),
            _ => None,
        }
    }

    /// `family.what`, as plans and messages show it.
    pub fn name(&self) -> String {
        let what = match self {
            Kernel::Map(body) if !body.calls.is_empty() => body.function_names().collect::<Vec<_>>().join("+"),
            _ => self.entry().to_string(),
        };
        format!("{}.{what}", self.family().name())
    }

    /// The pipeline-overridable constants of a kernel that is not rendered.
    pub fn constants(&self) -> Vec<(&'static str, u32)> {
        match *self {
            Kernel::Batch(gather, binarise) => {
                let mut constants = vec![("BINARISE", binarise as u32)];
                if let Gather::Augmented { flip, noise } = gather {
                    constants.extend([("FLIP", flip.into()), ("NOISE", noise.into())]);
                }
                constants
            }
            Kernel::Norm(Norm { pixels, channels, groups }, _) => {
                vec![("PIXELS", pixels), ("CHANNELS", channels), ("EACH", channels / groups)]
            }
            Kernel::Update(Update::Sgd { nesterov }) => vec![("NESTEROV", nesterov.into())],
            Kernel::Update(Update::Adam { decoupled }) => vec![("DECOUPLED", decoupled.into())],
            _ => Vec::new(),
        }
    }

    /// Every function that is called.
    pub fn functions(&self) -> impl Iterator<Item = Function> + '_ {
        self.pointwise().into_iter().flat_map(|body| &body.calls).map(|call| call.function)
    }
}
