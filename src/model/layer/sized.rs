//! Layers whose sizes are known: what each makes of what comes in.

use wgvae_engine::plan::{Activation, Cell, Windows};

use super::{ConvKernel, Extent, LARGEST, Layer, Operation, Padding, TimesKernel};

/// A layer whose sizes are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizedLayer {
    /// The extent of the input.
    pub from: Extent,
    /// The extent of the output.
    pub to: Extent,
    /// The operation of the layer.
    pub operation: SizedOperation,
    /// Groups of the norm behind it.
    pub norm: Option<usize>,
    /// The activation behind that; in a residual block, those inside.
    pub activation: Activation,
}

/// The operation of a layer, with all sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SizedOperation {
    /// Every output sees every input; of a sequence, those of its time.
    Dense,
    /// Windows of the input are summed to an output each.
    Conv(Windows),
    /// Each input adds to a window of the output, whose images these are.
    ConvT(Windows),
    /// Windows are averaged.
    Pool(Windows),
    /// Each input fills a window of the output.
    Up(Windows),
    /// A residual block.
    Residual {
        /// Windows of the first convolution, and of the second.
        windows: [Windows; 2],
        /// Groups of the norm before each.
        groups: [usize; 2],
    },
    /// The row of a table for each token.
    Embed,
    /// A recurrent layer.
    Recurrent {
        /// What its units do.
        cell: Cell,
        /// H
        units: usize,
        /// Whether another one goes from the end back.
        both: bool,
    },
    /// Attention with so many heads.
    Attend(usize),
    /// A convolution over times.
    Conv1d(TimesKernel),
    /// The state behind the last token.
    Last,
    /// The mean over all times.
    Mean,
}

impl SizedLayer {
    /// The layer over another number of times.
    pub(in crate::model) fn over(&self, times: usize) -> Self {
        let over = |extent: Extent| match extent {
            Extent::Tokens { vocabulary, .. } => Extent::Tokens { steps: times, vocabulary },
            Extent::Series { channels, both, .. } => Extent::Series { steps: times, channels, both },
            other => other,
        };
        Self { from: over(self.from), to: over(self.to), ..*self }
    }
}

impl SizedOperation {
    /// Whether an activation follows it where its layer names none.
    pub fn takes_activation(self) -> bool {
        matches!(
            self,
            SizedOperation::Dense
                | SizedOperation::Conv(_)
                | SizedOperation::ConvT(_)
                | SizedOperation::Conv1d(_)
                | SizedOperation::Residual { .. }
        )
    }

    /// Whether it is one of sequences alone.
    pub fn is_of_sequences(self) -> bool {
        matches!(
            self,
            SizedOperation::Embed
                | SizedOperation::Recurrent { .. }
                | SizedOperation::Attend(_)
                | SizedOperation::Conv1d(_)
                | SizedOperation::Last
                | SizedOperation::Mean
        )
    }

    /// Whether it can take the marks of which inputs are missing.
    pub fn takes_missing(self) -> bool {
        matches!(self, SizedOperation::Dense | SizedOperation::Conv(_) | SizedOperation::Recurrent { .. })
    }
}

/// Groups that a residual block's norm has by default.
const RESIDUAL_GROUPS: usize = 8;

/// The largest number that divides two.
fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl Layer {
    /// The layer on what comes into it, with an activation where it has none of its own.
    pub fn on(&self, from: Extent, activation: Activation) -> Result<SizedLayer, String> {
        let (to, operation) = match self.operation {
            Operation::Dense(to) => (dense_on(from, to)?, SizedOperation::Dense),
            Operation::Embed(channels) => {
                let Extent::Tokens { steps, .. } = from else {
                    return Err(format!(
                        "it takes the tokens of a text, but {from} come in: put it first, and give it a text"
                    ));
                };
                (Extent::Series { steps, channels, both: false }, SizedOperation::Embed)
            }
            Operation::Recurrent { cell, units, both } => {
                let (steps, _) = series_of(from)?;
                let channels = if both { 2 * units } else { units };
                (Extent::Series { steps, channels, both }, SizedOperation::Recurrent { cell, units, both })
            }
            Operation::Attend(heads) => {
                let (steps, channels) = series_of(from)?;
                if !channels.is_multiple_of(heads) {
                    return Err(format!(
                        "its {heads} heads do not divide the {channels} numbers of each time: choose a number that does"
                    ));
                }
                (Extent::Series { steps, channels, both: false }, SizedOperation::Attend(heads))
            }
            Operation::Conv1d(kernel) => {
                let (steps, _) = series_of(from)?;
                (Extent::Series { steps, channels: kernel.channels, both: false }, SizedOperation::Conv1d(kernel))
            }
            Operation::Last => (Extent::Flat(series_of(from)?.1), SizedOperation::Last),
            Operation::Mean => (Extent::Flat(series_of(from)?.1), SizedOperation::Mean),
            Operation::Conv(kernel) => {
                let (to, windows) = kernel.forward(from)?;
                (to, SizedOperation::Conv(windows))
            }
            Operation::ConvT { kernel, output_padding } => {
                let (to, windows) = kernel.back(output_padding, from)?;
                (to, SizedOperation::ConvT(windows))
            }
            Operation::Pool(size) => {
                let (to, windows) = pooled(size, from)?;
                (to, SizedOperation::Pool(windows))
            }
            Operation::Up(size) => {
                let [height, width, channels] = image_of(from)?;
                let to = Extent::Image([height * size, width * size, channels]);
                (to, SizedOperation::Up(pooled(size, to)?.1))
            }
            Operation::Residual { channels, size } => self.residual(from, channels, size)?,
        };
        if to.len() > LARGEST {
            return Err(format!(
                "it makes {to}, which is {} numbers, and no more than {LARGEST} are possible",
                to.len()
            ));
        }
        // A residual block has its norms inside.
        let norm = self.norm.filter(|_| !matches!(operation, SizedOperation::Residual { .. }));
        if let Some(groups) = norm {
            divides(groups, to.pixels().1)?;
        }
        let activation = if operation.takes_activation() { activation } else { Activation::Identity };
        Ok(SizedLayer { from, to, operation, norm, activation: self.activation.unwrap_or(activation) })
    }

    fn residual(&self, from: Extent, channels: usize, size: usize) -> Result<(Extent, SizedOperation), String> {
        let inputs = image_of(from)?[2];
        let kernel = ConvKernel { channels, size: [size; 2], stride: 1, padding: Padding::Half };
        let (to, first) = kernel.forward(from)?;
        let (to, second) = kernel.forward(to)?;
        let mut groups = [inputs, channels].map(|n| common_divisor(RESIDUAL_GROUPS, n));
        if let Some(own) = self.norm {
            divides(own, inputs)?;
            divides(own, channels)?;
            groups = [own; 2];
        }
        Ok((to, SizedOperation::Residual { windows: [first, second], groups }))
    }
}

/// Whether groups of a norm divide its channels.
fn divides(groups: usize, channels: usize) -> Result<(), String> {
    if channels.is_multiple_of(groups) {
        return Ok(());
    }
    Err(format!("its norm has {groups} groups, which do not divide {channels} channels: choose a number that does"))
}

/// Squares of pixels side by side.
fn pooled(size: usize, from: Extent) -> Result<(Extent, Windows), String> {
    let [height, width, channels] = image_of(from)?;
    if size > height.min(width) {
        return Err(format!("squares of {size}x{size} do not fit into {from}"));
    }
    let kernel = ConvKernel { channels, size: [size; 2], stride: size, padding: Padding::Each(0) };
    kernel.forward(from)
}

impl ConvKernel {
    /// Zeros on each side along an axis.
    fn each(self, axis: usize) -> usize {
        match self.padding {
            Padding::Each(each) => each,
            Padding::Half | Padding::Same => (self.size[axis] - 1) / 2,
        }
    }

    /// Returns the extent of a convolution's output, and its windows.
    pub(in crate::model) fn forward(self, from: Extent) -> Result<(Extent, Windows), String> {
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

    /// Returns the extent of a transposed convolution's output, and the windows that it transposes.
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

/// What a dense layer makes: of a sequence, so many numbers at each time.
fn dense_on(from: Extent, to: Extent) -> Result<Extent, String> {
    match (from, to) {
        (Extent::Tokens { .. }, _) => Err(format!(
            "it takes numbers, but {from} come in: put `embed 64` before it, which makes numbers of tokens"
        )),
        (Extent::Series { steps, .. }, Extent::Flat(channels)) => Ok(Extent::Series { steps, channels, both: false }),
        (Extent::Series { .. }, _) => Err(format!(
            "it makes {to} of each time of a sequence: put `last` or `mean` before it, which end the sequence"
        )),
        _ => Ok(to),
    }
}

/// Times and channels of the sequence that comes in.
fn series_of(from: Extent) -> Result<(usize, usize), String> {
    match from {
        Extent::Series { steps, channels, .. } => Ok((steps, channels)),
        Extent::Tokens { .. } => Err(format!(
            "it takes numbers, but {from} come in: put `embed 64` before it, which makes numbers of tokens"
        )),
        Extent::Flat(_) | Extent::Image(_) => Err(format!("it takes a sequence, but {from} come in")),
    }
}

/// The image that comes in.
fn image_of(from: Extent) -> Result<[usize; 3], String> {
    match from {
        Extent::Image(image) => Ok(image),
        Extent::Flat(n) => Err(format!(
            "it takes images, but {n} numbers come in: put a dense layer to an image before it, such as `dense 7x7x64`"
        )),
        Extent::Tokens { .. } | Extent::Series { .. } => Err(format!("it takes images, but {from} come in")),
    }
}

/// The sizes of layers are below 2^20, so they fit.
fn windows(image: [usize; 3], positions: [usize; 2], kernel: ConvKernel, padding: [usize; 2]) -> Windows {
    Windows {
        image: image.map(|n| n as u32),
        positions: positions.map(|n| n as u32),
        kernel: kernel.size.map(|n| n as u32),
        stride: kernel.stride as u32,
        padding: padding.map(|n| n as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str, from: Extent) -> Result<SizedLayer, String> {
        text.parse::<Layer>()?.on(from, Activation::Relu)
    }

    #[test]
    fn sizes_follow_from_kernels() {
        let image = |h, w, c| Extent::Image([h, w, c]);
        let series = |steps, channels| Extent::Series { steps, channels, both: false };
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
            ("pool 2", image(7, 6, 8), image(3, 3, 8)),
            ("up 3", image(7, 6, 8), image(21, 18, 8)),
            ("res 12 k5", image(7, 6, 8), image(7, 6, 12)),
            ("attend 4", series(12, 8), series(12, 8)),
            ("conv1d 16 k5 d4", series(12, 8), series(12, 16)),
            ("dense 10", image(7, 7, 8), Extent::Flat(10)),
            ("dense 7x7x8", Extent::Flat(3), image(7, 7, 8)),
        ] {
            assert_eq!(on(text, from).unwrap().to, to, "{text} on {from}");
        }
        for (text, from, reason) in [
            ("conv 8 k9 p0", image(7, 7, 3), "a kernel of 9x9 does not fit into 7x7x3"),
            ("attend 3", series(12, 8), "3 heads do not divide the 8 numbers"),
            ("attend 3", Extent::Flat(12), "it takes a sequence"),
            ("conv 8", Extent::Flat(12), "12 numbers come in"),
            ("conv-t 8 s2 op2", image(7, 7, 3), "an output padding of 2"),
            ("conv-t 8 k1 p3", image(2, 2, 3), "leave nothing"),
            ("pool 8", image(9, 7, 3), "8x8 do not fit into 9x7x3"),
            ("up 2", Extent::Flat(12), "12 numbers come in"),
            ("conv 6 norm4", image(7, 7, 3), "4 groups, which do not divide 6 channels"),
            ("dense 4x4x6 norm4", Extent::Flat(3), "do not divide 6"),
            ("res 8 norm4", image(7, 7, 6), "do not divide 6"),
            ("dense 1000x1000x3", Extent::Flat(2), "3000000 numbers"),
        ] {
            let error = on(text, from).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn norms_of_residual_blocks_divide_their_channels() {
        let image = |channels| Extent::Image([4, 4, channels]);
        for (text, from, expected) in [("res 12", 6, [2, 4]), ("res 8 norm2", 6, [2, 2]), ("res 7", 16, [8, 1])] {
            let SizedOperation::Residual { groups, .. } = on(text, image(from)).unwrap().operation else { panic!() };
            assert_eq!(groups, expected, "{text}");
        }
    }
}
