//! How layers are written and read.

use std::fmt;
use std::str::FromStr;

use wgvae_engine::plan::{Activation, Cell};

use super::{ConvKernel, Extent, LARGEST, Layer, Operation, Padding, TimesKernel};

const GRAMMAR: &str = "write a layer as `dense 128`, `dense 7x7x64`, `conv 32 k3 s2` or `conv-t 32 k3 s2`, with k for the \
                       kernel, s for the stride, p for the padding or `same`, op for the output padding of conv-t; as `pool 2`, \
                       `up 2` or `res 64 k3`; of sequences as `embed 64`, `gru 256`, `lstm 256 both`, `attend 4`, \
                       `conv1d 64 k3 d2` with d for the dilation, `last` or `mean`; perhaps with `norm`, or `norm8` for a norm \
                       of 8 groups, and an activation";

/// Most pixels of a kernel and of a stride.
const LARGEST_KERNEL: usize = 64;

/// The text of a layer while it is read.
struct Reader<'a> {
    text: &'a str,
    norm: Option<usize>,
    activation: Option<Activation>,
}

impl Reader<'_> {
    fn wrong(&self, word: &str) -> String {
        format!("`{}` is not a layer, because of `{word}`: {GRAMMAR}", self.text)
    }

    fn number(&self, digits: &str, word: &str) -> Result<usize, String> {
        match digits.parse::<usize>() {
            Ok(n) if n <= LARGEST && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(n),
            _ => Err(self.wrong(word)),
        }
    }

    fn positive(&self, digits: &str, word: &str) -> Result<usize, String> {
        self.number(digits, word).and_then(|n| if n > 0 { Ok(n) } else { Err(self.wrong(word)) })
    }

    /// A norm or an activation.
    fn behind(&mut self, word: &str) -> Result<(), String> {
        let taken = match word.strip_prefix("norm") {
            Some("") => self.norm.replace(1).is_some(),
            Some(groups) => {
                let groups = self.positive(groups, word)?;
                self.norm.replace(groups).is_some()
            }
            None => {
                let found = Activation::ALL.into_iter().find(|known| known.name() == word);
                self.activation.replace(found.ok_or_else(|| self.wrong(word))?).is_some()
            }
        };
        if taken { Err(self.wrong(word)) } else { Ok(()) }
    }

    /// The kernel of a convolution or a transposed one, and the latter's output padding.
    fn kernel<'b>(
        &mut self,
        channels: usize,
        is_transposed: bool,
        words: impl Iterator<Item = &'b str>,
    ) -> Result<(ConvKernel, Option<usize>), String> {
        let mut kernel = ConvKernel { channels, size: [3; 2], stride: 1, padding: Padding::Half };
        let mut output_padding = None;
        for word in words {
            if let Some(size) = after(word, "k") {
                kernel.size = match size.split_once('x') {
                    Some((height, width)) => [self.positive(height, word)?, self.positive(width, word)?],
                    None => [self.positive(size, word)?; 2],
                };
            } else if let Some(stride) = after(word, "s") {
                kernel.stride = self.positive(stride, word)?;
            } else if let Some(padding) = after(word, "p") {
                kernel.padding = Padding::Each(self.number(padding, word)?);
            } else if let Some(more) = after(word, "op").filter(|_| is_transposed) {
                output_padding = Some(self.number(more, word)?);
            } else if word == "same" {
                kernel.padding = Padding::Same;
            } else {
                self.behind(word)?;
            }
        }
        if kernel.size.iter().chain([&kernel.stride]).any(|n| *n > LARGEST_KERNEL) {
            let text = self.text;
            return Err(format!("`{text}`: a kernel and its stride may be at most {LARGEST_KERNEL} pixels"));
        }
        Ok((kernel, output_padding))
    }

    /// The kernel of a convolution over times.
    fn times_kernel<'b>(
        &mut self,
        channels: usize,
        words: impl Iterator<Item = &'b str>,
    ) -> Result<TimesKernel, String> {
        let mut kernel = TimesKernel { channels, size: 3, dilation: 1 };
        for word in words {
            if let Some(size) = after(word, "k") {
                kernel.size = self.positive(size, word)?;
            } else if let Some(dilation) = after(word, "d") {
                kernel.dilation = self.positive(dilation, word)?;
            } else {
                self.behind(word)?;
            }
        }
        if kernel.size > LARGEST_KERNEL {
            return Err(format!("`{}`: a kernel may have at most {LARGEST_KERNEL} taps", self.text));
        }
        Ok(kernel)
    }

    /// An operation that has neither a norm nor an activation of its own.
    fn alone<'b>(&self, operation: Operation, mut words: impl Iterator<Item = &'b str>) -> Result<Layer, String> {
        match words.next() {
            None => Ok(Layer { operation, norm: None, activation: None }),
            Some(word) => Err(self.wrong(word)),
        }
    }

    fn residual<'b>(&mut self, channels: usize, words: impl Iterator<Item = &'b str>) -> Result<Operation, String> {
        let mut size = 3;
        for word in words {
            match after(word, "k") {
                Some(digits) => size = self.positive(digits, word)?,
                None => self.behind(word)?,
            }
        }
        if size % 2 == 0 || size > LARGEST_KERNEL {
            let text = self.text;
            return Err(format!(
                "`{text}`: the kernel of a residual block has an odd number of pixels, at most {LARGEST_KERNEL}, so that what \
                 comes out is as large as what comes in"
            ));
        }
        Ok(Operation::Residual { channels, size })
    }
}

/// Returns the text behind a letter, if it starts with a digit.
fn after<'a>(word: &'a str, start: &str) -> Option<&'a str> {
    word.strip_prefix(start).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader { text, norm: None, activation: None };
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        match name {
            "last" => return reader.alone(Operation::Last, words),
            "mean" => return reader.alone(Operation::Mean, words),
            _ => {}
        }
        if !["dense", "conv", "conv-t", "pool", "up", "res", "embed", "gru", "lstm", "attend", "conv1d"].contains(&name)
        {
            return Err(reader.wrong(name));
        }
        let size = words.next().ok_or_else(|| reader.wrong(name))?;
        let extents = size.split('x').map(|part| reader.positive(part, size)).collect::<Result<Vec<_>, _>>()?;
        let operation = match (name, extents.as_slice()) {
            ("dense", &[outputs]) => Operation::Dense(Extent::Flat(outputs)),
            ("dense", &[height, width, channels]) => Operation::Dense(Extent::Image([height, width, channels])),
            ("conv", &[channels]) => Operation::Conv(reader.kernel(channels, false, &mut words)?.0),
            ("conv-t", &[channels]) => {
                let (kernel, output_padding) = reader.kernel(channels, true, &mut words)?;
                Operation::ConvT { kernel, output_padding }
            }
            ("pool" | "up", &[pixels]) if pixels > LARGEST_KERNEL => {
                return Err(format!("`{text}`: squares may be at most {LARGEST_KERNEL} pixels wide"));
            }
            ("pool", &[pixels]) => Operation::Pool(pixels),
            ("up", &[pixels]) => Operation::Up(pixels),
            ("res", &[channels]) => reader.residual(channels, &mut words)?,
            ("embed", &[channels]) => return reader.alone(Operation::Embed(channels), words),
            ("attend", &[heads]) => return reader.alone(Operation::Attend(heads), words),
            ("conv1d", &[channels]) => Operation::Conv1d(reader.times_kernel(channels, &mut words)?),
            ("gru" | "lstm", &[units]) => {
                let cell = if name == "gru" { Cell::Gru } else { Cell::Lstm };
                let mut words = words.peekable();
                let both = words.next_if(|word| *word == "both").is_some();
                return reader.alone(Operation::Recurrent { cell, units, both }, words);
            }
            _ => return Err(reader.wrong(size)),
        };
        words.try_for_each(|word| reader.behind(word))?;
        Ok(Self { operation, norm: reader.norm, activation: reader.activation })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = |f: &mut fmt::Formatter<'_>, name: &str, kernel: &ConvKernel| {
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
            Operation::Pool(size) => write!(f, "pool {size}")?,
            Operation::Up(size) => write!(f, "up {size}")?,
            Operation::Residual { channels, size } => write!(f, "res {channels} k{size}")?,
            Operation::Embed(channels) => write!(f, "embed {channels}")?,
            Operation::Recurrent { cell, units, both } => {
                write!(f, "{} {units}{}", cell.name(), if *both { " both" } else { "" })?;
            }
            Operation::Attend(heads) => write!(f, "attend {heads}")?,
            Operation::Conv1d(TimesKernel { channels, size, dilation }) => {
                write!(f, "conv1d {channels} k{size} d{dilation}")?;
            }
            Operation::Last => write!(f, "last")?,
            Operation::Mean => write!(f, "mean")?,
        }
        match self.norm {
            None => {}
            Some(1) => write!(f, " norm")?,
            Some(groups) => write!(f, " norm{groups}")?,
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

    #[test]
    fn layers_are_written_as_they_are_read() {
        for text in [
            "dense 128",
            "dense 7x7x64 tanh",
            "dense 12 norm relu",
            "conv 32 k3 s2",
            "conv 8 k3x5 s1 p0 identity",
            "conv 4 k4 s2 same norm4",
            "pool 2",
            "up 3 norm2 silu",
            "res 64 k3",
            "res 8 k5 norm4 gelu",
            "embed 64",
            "gru 256",
            "lstm 128 both",
            "attend 4",
            "conv1d 64 k3 d2 relu",
            "conv1d 64 k3 d1 norm4",
            "last",
            "mean",
        ] {
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
            ("conv 3 norm norm2", "`norm2`"),
            ("conv 3 norm0", "`norm0`"),
            ("pool 2x2", "`2x2`"),
            ("pool 65", "at most 64"),
            ("up 2 k3", "`k3`"),
            ("res 8 k4", "odd number"),
            ("res 8 s2", "`s2`"),
            ("embed 8 relu", "`relu`"),
            ("gru", "`gru`"),
            ("gru 0", "`0`"),
            ("lstm 4 both both", "`both`"),
            ("last 3", "`3`"),
            ("attend 4 relu", "`relu`"),
            ("attend", "`attend`"),
            ("conv1d 8 s2", "`s2`"),
            ("conv1d 8 d0", "`d0`"),
            ("conv1d 8 k65", "at most 64"),
        ] {
            let error = text.parse::<Layer>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
