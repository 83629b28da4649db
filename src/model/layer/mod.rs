//! Layers as they are written, such as `conv 32 k3 s2`, and what they make of images and rows.

mod sized;
mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use sized::{SizedLayer, SizedOperation};
use wgvae_engine::plan::Activation;

/// The largest extent of anything in a layer.
const LARGEST: usize = 1 << 20;

/// The extent of a layer's input or output, for each row of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Numbers.
    Flat(usize),
    /// An image: height, width, channels.
    Image([usize; 3]),
}

impl Extent {
    /// How many numbers there are.
    pub fn len(self) -> usize {
        match self {
            Extent::Flat(n) => n,
            Extent::Image(image) => image.iter().product(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The shape of the matrix that holds them for a batch: of images, each row is a pixel.
    pub fn matrix(self, batch: usize) -> [usize; 2] {
        match self {
            Extent::Flat(n) => [batch, n],
            Extent::Image([height, width, channels]) => [batch * height * width, channels],
        }
    }

    /// Channels and pixels as files have them; of numbers there is a pixel each.
    pub fn channels(self) -> (usize, usize) {
        match self {
            Extent::Flat(n) => (1, n),
            Extent::Image([height, width, channels]) => (channels, height * width),
        }
    }

    /// Pixels, and columns of the matrix: each row of numbers is one pixel.
    pub fn pixels(self) -> (usize, usize) {
        match self {
            Extent::Flat(n) => (1, n),
            Extent::Image([height, width, channels]) => (height * width, channels),
        }
    }
}

impl From<usize> for Extent {
    fn from(numbers: usize) -> Self {
        Extent::Flat(numbers)
    }
}

/// `7x7x64`, or `128`.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extent::Flat(n) => write!(f, "{n}"),
            Extent::Image([height, width, channels]) => write!(f, "{height}x{width}x{channels}"),
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
    /// A dense layer to numbers or to an image.
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
