//! Layers as they are written, such as `conv 32 k3 s2`, and what they make of images and rows.

mod sized;
mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use sized::{SizedLayer, SizedOperation};
use wgvae_engine::plan::{Activation, Cell};

/// The largest extent of anything in a layer.
const LARGEST: usize = 1 << 20;

/// The extent of a layer's input or output, for each row of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Numbers.
    Flat(usize),
    /// An image: height, width, channels.
    Image([usize; 3]),
    /// Tokens of a text: how many there are at most, and how many the vocabulary has.
    Tokens {
        /// T
        steps: usize,
        /// V
        vocabulary: usize,
    },
    /// Numbers at each time of a sequence.
    Series {
        /// T
        steps: usize,
        /// C
        channels: usize,
        /// Whether a layer made it that goes in both directions: the second half of the channels is that of the way back.
        both: bool,
    },
}

impl Extent {
    /// How many numbers there are.
    pub fn len(self) -> usize {
        match self {
            Extent::Flat(n) => n,
            Extent::Image(image) => image.iter().product(),
            Extent::Tokens { steps, .. } => steps,
            Extent::Series { steps, channels, .. } => steps * channels,
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The shape of the matrix that holds them for a batch: each row is a pixel of an image, or a time of a sequence.
    pub fn matrix(self, batch: usize) -> [usize; 2] {
        match self {
            Extent::Flat(n) => [batch, n],
            Extent::Image([height, width, channels]) => [batch * height * width, channels],
            Extent::Tokens { steps, .. } => [batch, steps],
            Extent::Series { steps, channels, .. } => [batch * steps, channels],
        }
    }

    /// Channels and pixels as files have them; of numbers there is a pixel each.
    pub fn channels(self) -> (usize, usize) {
        match self {
            Extent::Image([height, width, channels]) => (channels, height * width),
            // Sequences lie in files as they do here.
            _ => (1, self.len()),
        }
    }

    /// Rows of the matrix for a row of the batch, and its columns: each row of numbers is one pixel.
    pub fn pixels(self) -> (usize, usize) {
        match self {
            Extent::Image([height, width, channels]) => (height * width, channels),
            Extent::Series { steps, channels, .. } => (steps, channels),
            Extent::Flat(_) | Extent::Tokens { .. } => (1, self.len()),
        }
    }
}

impl From<usize> for Extent {
    fn from(numbers: usize) -> Self {
        Extent::Flat(numbers)
    }
}

/// `7x7x64`, `128`, `40 tokens of 64`, or `40 times 256`.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extent::Flat(n) => write!(f, "{n}"),
            Extent::Image([height, width, channels]) => write!(f, "{height}x{width}x{channels}"),
            Extent::Tokens { steps, vocabulary } => write!(f, "{steps} tokens of {vocabulary}"),
            Extent::Series { steps, channels, .. } => write!(f, "{steps} times {channels}"),
        }
    }
}

/// The zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Half of the kernel on each side, rounded down.
    Half,
    /// As many zeros as make the output the size of the input, divided by the stride; where their number is odd, one
    /// more behind.
    Same,
    /// This many zeros on each side.
    Each(usize),
}

/// The operation of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A dense layer to numbers or to an image; of a sequence, at each time.
    Dense(Extent),
    /// A convolution.
    Conv(ConvKernel),
    /// A transposed convolution.
    ConvT {
        /// The kernel of the convolution.
        kernel: ConvKernel,
        /// Pixels at the end that are added to the output's size; by default, as many as make it the input's times the
        /// stride.
        output_padding: Option<usize>,
    },
    /// The averages of squares of so many pixels; pixels behind the last whole square are left out.
    Pool(usize),
    /// Each pixel, so many times down and across.
    Up(usize),
    /// A residual block: what comes in, and added to it twice a norm, an activation and a convolution with a stride of 1.
    Residual {
        /// Channels that come out. Where others come in, they go through a convolution of single pixels.
        channels: usize,
        /// Height and width of both kernels.
        size: usize,
    },
    /// The row of a table for each token, with so many numbers.
    Embed(usize),
    /// A recurrent layer.
    Recurrent {
        /// What its units do.
        cell: Cell,
        /// H
        units: usize,
        /// Whether another one goes from the end back.
        both: bool,
    },
    /// Attention with so many heads, added to what comes in: in an encoder each time looks at all times of its row, in a
    /// decoder at itself and those before.
    Attend(usize),
    /// A convolution over the times of a sequence: in an encoder the time is the middle of the kernel, in a decoder its end.
    Conv1d(TimesKernel),
    /// The state of a recurrent layer behind the last token; of one in both directions, that of each at its end.
    Last,
    /// The mean over the times of a sequence.
    Mean,
}

/// The kernel of a convolution over times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimesKernel {
    /// Channels that come out.
    pub channels: usize,
    /// Taps.
    pub size: usize,
    /// Times from one tap to the next.
    pub dilation: usize,
}

/// The kernel of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvKernel {
    /// Channels that come out.
    pub channels: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// The stride.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: Padding,
}

/// A layer as it is written: an operation, and perhaps a norm and an activation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layer {
    /// The operation of the layer.
    pub operation: Operation,
    /// Groups of the group norm between the operation and the activation; in a residual block, of its norms, which by default
    /// have as many of 8 as divide the channels.
    pub norm: Option<usize>,
    /// The activation of the layer; by default the model's.
    pub activation: Option<Activation>,
}

impl Layer {
    /// A dense layer.
    pub fn dense(outputs: usize) -> Self {
        Self { operation: Operation::Dense(Extent::Flat(outputs)), norm: None, activation: None }
    }
}
