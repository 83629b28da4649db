//! Layers as they are written, such as `conv 32 k3 s2`, and what they make of images and rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::plan::{Activation, Windows};

/// The largest extent of anything in a layer.
const LARGEST: usize = 1 << 20;

/// What goes into a layer, or comes out of it: for each row of the batch.
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

    /// Channels and pixels; of numbers there is a pixel each.
    pub fn channels(self) -> (usize, usize) {
        match self {
            Extent::Flat(n) => (1, n),
            Extent::Image([height, width, channels]) => (channels, height * width),
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
    /// As many as make the output the size of the input, divided by the stride; where they are odd, one more behind.
    Same,
    /// So many on each side.
    Each(usize),
}

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A dense layer to numbers or to an image.
    Dense(Extent),
    /// A convolution.
    Conv(Kernel),
    /// A transposed convolution.
    ConvT {
        /// Its kernel.
        kernel: Kernel,
        /// Pixels at the end that are added to the output's size; by default, as many as make it the input's times the
        /// stride.
        output_padding: Option<usize>,
    },
}

/// The kernel of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Channels that come out.
    pub channels: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// The stride.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: Padding,
}

/// A layer as it is written: an operation and perhaps an activation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layer {
    /// What it does.
    pub operation: Operation,
    /// Its activation; by default the model's.
    pub activation: Option<Activation>,
}

/// A layer whose sizes are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizedLayer {
    /// What goes in.
    pub from: Extent,
    /// What comes out.
    pub to: Extent,
    /// The windows of a convolution, or of a transposed one, whose images are those that come out.
    pub windows: Option<(Direction, Windows)>,
    /// Its activation.
    pub activation: Activation,
}

/// Which way a convolution goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Windows of the input are summed to an output each.
    Forward,
    /// Transposed: each input adds to a window of the output.
    Back,
}

impl Layer {
    /// A dense layer.
    pub fn dense(outputs: usize) -> Self {
        Self { operation: Operation::Dense(Extent::Flat(outputs)), activation: None }
    }

    /// The layer on what comes into it, with an activation where it has none of its own.
    pub fn on(&self, from: Extent, activation: Activation) -> Result<SizedLayer, String> {
        let (to, windows) = match self.operation {
            Operation::Dense(to) => (to, None),
            Operation::Conv(kernel) => {
                let (to, windows) = kernel.forward(from)?;
                (to, Some((Direction::Forward, windows)))
            }
            Operation::ConvT { kernel, output_padding } => {
                let (to, windows) = kernel.back(output_padding, from)?;
                (to, Some((Direction::Back, windows)))
            }
        };
        if to.len() > LARGEST {
            return Err(format!(
                "it makes {to}, which is {} numbers, and no more than {LARGEST} are possible",
                to.len()
            ));
        }
        Ok(SizedLayer { from, to, windows, activation: self.activation.unwrap_or(activation) })
    }
}

impl Kernel {
    /// Zeros on each side along an axis.
    fn each(self, axis: usize) -> usize {
        match self.padding {
            Padding::Each(each) => each,
            Padding::Half | Padding::Same => (self.size[axis] - 1) / 2,
        }
    }

    /// What a convolution makes of images, and its windows.
    pub(super) fn forward(self, from: Extent) -> Result<(Extent, Windows), String> {
        let image = image_of(from)?;
        let stride = self.stride;
        let mut positions = [0; 2];
        let mut padding = [0; 2];
        for i in 0..2 {
            let (extent, taps) = (image[i], self.size[i]);
            (padding[i], positions[i]) = match self.padding {
                Padding::Same => {
                    let positions = extent.div_ceil(stride);
                    (((positions - 1) * stride + taps).saturating_sub(extent) / 2, positions)
                }
                Padding::Half | Padding::Each(_) => {
                    let each = self.each(i);
                    if extent + 2 * each < taps {
                        let size = format!("{}x{}", self.size[0], self.size[1]);
                        return Err(format!(
                            "a kernel of {size} does not fit into {from} with {each} zeros on each side"
                        ));
                    }
                    (each, (extent + 2 * each - taps) / stride + 1)
                }
            };
        }
        let to = Extent::Image([positions[0], positions[1], self.channels]);
        Ok((to, windows(image, positions, self, padding)))
    }

    /// What a transposed convolution makes of images, and the windows that it transposes.
    fn back(self, more: Option<usize>, from: Extent) -> Result<(Extent, Windows), String> {
        let positions = image_of(from)?;
        let stride = self.stride;
        let mut image = [0, 0, self.channels];
        let mut padding = [0; 2];
        for i in 0..2 {
            let whole = (positions[i] - 1) * stride + self.size[i];
            (padding[i], image[i]) = match self.padding {
                Padding::Same => (whole.saturating_sub(positions[i] * stride) / 2, positions[i] * stride),
                Padding::Half | Padding::Each(_) => {
                    let each = self.each(i);
                    let Some(least) = whole.checked_sub(2 * each).filter(|least| *least > 0) else {
                        return Err(format!(
                            "{each} zeros on each side leave nothing of the {whole} pixels it makes of {from}"
                        ));
                    };
                    let more = more.unwrap_or_else(|| (positions[i] * stride).saturating_sub(least).min(stride - 1));
                    if more >= stride {
                        return Err(format!(
                            "an output padding of {more} needs a stride above that, and it is {stride}"
                        ));
                    }
                    (each, least + more)
                }
            };
        }
        let positions = [positions[0], positions[1]];
        Ok((Extent::Image(image), windows(image, positions, self, padding)))
    }
}

/// The image that comes in.
fn image_of(from: Extent) -> Result<[usize; 3], String> {
    match from {
        Extent::Image(image) => Ok(image),
        Extent::Flat(n) => Err(format!(
            "it takes images, but {n} numbers come in: put a dense layer to an image before it, such as `dense 7x7x64`"
        )),
    }
}

/// The sizes of layers are below 2^20, so they fit.
fn windows(image: [usize; 3], positions: [usize; 2], kernel: Kernel, padding: [usize; 2]) -> Windows {
    Windows {
        image: image.map(|n| n as u32),
        positions: positions.map(|n| n as u32),
        kernel: kernel.size.map(|n| n as u32),
        stride: kernel.stride as u32,
        padding: padding.map(|n| n as u32),
    }
}

const GRAMMAR: &str = "write a layer as `dense 128`, `dense 7x7x64`, `conv 32 k3 s2` or `conv-t 32 k3 s2`, with k for the \
                       kernel, s for the stride, p for the padding or `same`, op for the output padding of conv-t, and \
                       perhaps an activation";

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |word: &str| format!("`{text}` is not a layer, because of `{word}`: {GRAMMAR}");
        let number = |digits: &str, word: &str| match digits.parse::<usize>() {
            Ok(n) if n <= LARGEST && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(n),
            _ => Err(wrong(word)),
        };
        let positive =
            |digits: &str, word: &str| number(digits, word).and_then(|n| if n > 0 { Ok(n) } else { Err(wrong(word)) });
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let size = words.next().ok_or_else(|| wrong(name))?;
        let extents = size.split('x').map(|part| positive(part, size)).collect::<Result<Vec<_>, _>>()?;
        let mut activation = None;
        let mut taken = |word: &str| -> Result<(), String> {
            let found = Activation::ALL.into_iter().find(|known| known.name() == word).ok_or_else(|| wrong(word))?;
            match activation.replace(found) {
                None => Ok(()),
                Some(_) => Err(wrong(word)),
            }
        };
        let operation = match (name, extents.as_slice()) {
            ("dense", &[outputs]) => {
                words.try_for_each(&mut taken)?;
                Operation::Dense(Extent::Flat(outputs))
            }
            ("dense", &[height, width, channels]) => {
                words.try_for_each(&mut taken)?;
                Operation::Dense(Extent::Image([height, width, channels]))
            }
            ("conv" | "conv-t", &[channels]) => {
                let mut kernel = Kernel { channels, size: [3; 2], stride: 1, padding: Padding::Half };
                let mut output_padding = None;
                for word in words {
                    let after = |start: &str| {
                        word.strip_prefix(start).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                    };
                    if let Some(size) = after("k") {
                        kernel.size = match size.split_once('x') {
                            Some((height, width)) => [positive(height, word)?, positive(width, word)?],
                            None => [positive(size, word)?; 2],
                        };
                    } else if let Some(stride) = after("s") {
                        kernel.stride = positive(stride, word)?;
                    } else if let Some(padding) = after("p") {
                        kernel.padding = Padding::Each(number(padding, word)?);
                    } else if let Some(more) = after("op").filter(|_| name == "conv-t") {
                        output_padding = Some(number(more, word)?);
                    } else if word == "same" {
                        kernel.padding = Padding::Same;
                    } else {
                        taken(word)?;
                    }
                }
                if kernel.size.iter().chain([&kernel.stride]).any(|n| *n > 64) {
                    return Err(format!("`{text}`: a kernel and its stride may be at most 64 pixels"));
                }
                match name {
                    "conv" => Operation::Conv(kernel),
                    _ => Operation::ConvT { kernel, output_padding },
                }
            }
            _ => return Err(wrong(if ["dense", "conv", "conv-t"].contains(&name) { size } else { name })),
        };
        Ok(Self { operation, activation })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = |f: &mut fmt::Formatter<'_>, name: &str, kernel: &Kernel| {
            let [height, width] = kernel.size;
            write!(f, "{name} {} k{height}", kernel.channels)?;
            if width != height {
                write!(f, "x{width}")?;
            }
            write!(f, " s{}", kernel.stride)?;
            match kernel.padding {
                Padding::Half => Ok(()),
                Padding::Same => write!(f, " same"),
                Padding::Each(each) => write!(f, " p{each}"),
            }
        };
        match &self.operation {
            Operation::Dense(to) => write!(f, "dense {to}")?,
            Operation::Conv(of) => kernel(f, "conv", of)?,
            Operation::ConvT { kernel: of, output_padding } => {
                kernel(f, "conv-t", of)?;
                if let Some(more) = output_padding {
                    write!(f, " op{more}")?;
                }
            }
        }
        match self.activation {
            Some(activation) => write!(f, " {}", activation.name()),
            None => Ok(()),
        }
    }
}

impl From<Layer> for String {
    fn from(layer: Layer) -> Self {
        layer.to_string()
    }
}

impl TryFrom<String> for Layer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str, from: Extent) -> Result<SizedLayer, String> {
        text.parse::<Layer>()?.on(from, Activation::Relu)
    }

    #[test]
    fn layers_are_written_as_they_are_read() {
        for text in
            ["dense 128", "dense 7x7x64 tanh", "conv 32 k3 s2", "conv 8 k3x5 s1 p0 identity", "conv 4 k4 s2 same"]
        {
            assert_eq!(text.parse::<Layer>().unwrap().to_string(), text);
        }
        assert_eq!("conv-t 32  k3 s2 op1".parse::<Layer>().unwrap().to_string(), "conv-t 32 k3 s2 op1");
        assert_eq!("conv 32".parse::<Layer>().unwrap().to_string(), "conv 32 k3 s1");
        for (text, word) in [
            ("", "``"),
            ("conv", "`conv`"),
            ("cnov 32", "`cnov`"),
            ("conv 0", "`0`"),
            ("conv 32 k0", "`k0`"),
            ("conv 32 k3 q2", "`q2`"),
            ("conv 32 op1", "`op1`"),
            ("conv 32 k-3", "`k-3`"),
            ("dense 7x7", "`7x7`"),
            ("dense 12 relu tanh", "`tanh`"),
            ("conv 9999999999999999999999", "`9999999999999999999999`"),
            ("conv 3 k65", "at most 64"),
        ] {
            let error = text.parse::<Layer>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_follow_from_kernels() {
        let image = |h, w, c| Extent::Image([h, w, c]);
        for (text, from, to) in [
            ("conv 32 k3 s2", image(28, 28, 1), image(14, 14, 32)),
            ("conv 32 k4 s2", image(64, 64, 3), image(32, 32, 32)),
            ("conv 8 k3 s2", image(7, 5, 2), image(4, 3, 8)),
            ("conv 8 k3 s2 same", image(28, 27, 2), image(14, 14, 8)),
            ("conv 8 k5x1 s1 p0", image(9, 9, 2), image(5, 9, 8)),
            ("conv-t 64 k3 s2", image(7, 7, 64), image(14, 14, 64)),
            ("conv-t 64 k4 s2", image(4, 4, 32), image(8, 8, 64)),
            ("conv-t 1 k3 s1", image(28, 28, 32), image(28, 28, 1)),
            ("conv-t 8 k3 s2 p1 op0", image(4, 4, 8), image(7, 7, 8)),
            ("conv-t 8 k3 s2 same", image(7, 7, 8), image(14, 14, 8)),
            ("dense 10", image(7, 7, 8), Extent::Flat(10)),
            ("dense 7x7x8", Extent::Flat(3), image(7, 7, 8)),
        ] {
            assert_eq!(on(text, from).unwrap().to, to, "{text} on {from}");
        }
        for (text, from, reason) in [
            ("conv 8 k9 p0", image(7, 7, 3), "a kernel of 9x9 does not fit into 7x7x3"),
            ("conv 8", Extent::Flat(12), "12 numbers come in"),
            ("conv-t 8 s2 op2", image(7, 7, 3), "an output padding of 2"),
            ("conv-t 8 k1 p3", image(2, 2, 3), "leave nothing"),
            ("dense 1000x1000x3", Extent::Flat(2), "3000000 numbers"),
        ] {
            let error = on(text, from).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
