//! The windows of a convolution: how the elements of an image lie as a matrix that a product takes.

use std::fmt;

/// The windows of images `(B H W, C)`, channels last, as a matrix `(B OH OW, KH KW C)`: a row for each position of the
/// window, the taps of the kernel side by side. Nothing stores that matrix: products compute where an element lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Height, width and channels of an image.
    pub image: [u32; 3],
    /// Positions of the window, down and across.
    pub positions: [u32; 2],
    /// Taps of the kernel, down and across.
    pub kernel: [u32; 2],
    /// Pixels from one position to the next, down and across.
    pub stride: u32,
    /// Rows above and columns left of the image that the first window covers; there are zeros.
    pub padding: [u32; 2],
}

impl Windows {
    /// The windows of a kernel with as many zeros behind an image as before it.
    pub fn padded(image: [u32; 3], kernel: [u32; 2], stride: u32, padding: [u32; 2]) -> Self {
        let place = |i: usize| (image[i] + 2 * padding[i] - kernel[i]) / stride + 1;
        Self { image, positions: [place(0), place(1)], kernel, stride, padding }
    }

    /// Rows of the matrix for one image.
    pub fn rows(&self) -> usize {
        self.positions.iter().map(|n| *n as usize).product()
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.kernel.iter().chain(&self.image[2..]).map(|n| *n as usize).product()
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.image[..2].iter().map(|n| *n as usize).product()
    }

    /// Channels of an image.
    pub fn channels(&self) -> usize {
        self.image[2] as usize
    }

    /// Numbers of an image.
    pub fn image_len(&self) -> usize {
        self.pixels() * self.channels()
    }
}

/// Writes windows as they stand in names of products: `28x28x1 to 14x14 k3x3 s2 p1x1`.
impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([h, w, c], [oh, ow], [kh, kw], [ph, pw]) = (self.image, self.positions, self.kernel, self.padding);
        write!(f, "{h}x{w}x{c} to {oh}x{ow} k{kh}x{kw} s{} p{ph}x{pw}", self.stride)
    }
}
