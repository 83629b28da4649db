//! WAV files: their headers, their samples as one channel, and back.

use std::io::{self, Cursor, Read};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::super::bytes::{self, Content};
use super::super::error::on_one_line;

/// The most samples of a file: 46 minutes at 48 kHz.
const MOST_SAMPLES: usize = 1 << 27;

/// The rates that files may have, in Hz.
const RATES: [u32; 2] = [500, 768_000];

/// The first bytes of a file, in which the samples begin.
const START: usize = 64 << 10;

/// Seconds of silence between sounds in one file.
const PAUSE: f64 = 0.25;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    pub rate: u32,
    pub channels: u16,
    /// Samples of each channel, which may be a few more than follow.
    pub promised: usize,
}

/// The samples of a file.
pub struct Samples {
    /// The mean of all channels, in -1 to 1 where the file has whole numbers.
    pub mono: Vec<f32>,
    /// Whether fewer follow than the header says.
    pub is_short: bool,
}

/// Opens a file behind its header.
fn open(path: &Path) -> Result<(WavReader<impl Read>, Header), String> {
    let mut content = Content::open(path).map_err(on_one_line)?;
    let mut start = content.next(START)?;
    whole_samples(&mut start);
    let reader = WavReader::new(Cursor::new(start).chain(content.stream())).map_err(why)?;
    let WavSpec { channels, sample_rate: rate, .. } = reader.spec();
    let [slowest, fastest] = RATES;
    if !(slowest..=fastest).contains(&rate) {
        return Err(format!("its header says {rate} samples a second, and {slowest} to {fastest} can be read"));
    }
    let promised = reader.duration() as usize;
    Ok((reader, Header { rate, channels, promised }))
}

/// Makes the length of the samples in the first bytes of a file a multiple of a sample of all channels, which the crate insists on: a
/// program that writes into a pipe promises 0xffffffff.
fn whole_samples(start: &mut [u8]) {
    let number = |bytes: &[u8], at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (mut at, mut of_all) = (12, 1);
    while let (Some(name), Some(length)) = (start.get(at..at + 4), number(start, at + 4)) {
        match name {
            b"fmt " => of_all = number(start, at + 20).map_or(1, |block| block & 0xffff).max(1),
            b"data" => {
                start[at + 4..at + 8].copy_from_slice(&(length - length % of_all).to_le_bytes());
                return;
            }
            _ => {}
        }
        // Chunks begin at even places.
        at = at.saturating_add(8).saturating_add(length as usize).saturating_add(length as usize % 2);
    }
}

/// What went wrong, in words that need no WAV standard.
fn why(error: hound::Error) -> String {
    match error {
        hound::Error::FormatError("no RIFF tag found" | "no WAVE tag found") => "it does not begin as one".into(),
        hound::Error::FormatError(reason) => reason.into(),
        hound::Error::Unsupported => "its samples are packed or of an unusual kind: convert it to 16-bit PCM".into(),
        hound::Error::IoError(_) => "it is cut short".into(),
        other => on_one_line(other),
    }
}

/// The header of a file.
pub fn header(path: &Path) -> Result<Header, String> {
    let (reader, header) = open(path)?;
    // A header may promise 4 GiB where nobody knew how much would follow.
    let (_, length) = bytes::open(path).map_err(on_one_line)?;
    let bytes = usize::from(header.channels) * usize::from(reader.spec().bits_per_sample.div_ceil(8)).max(1);
    let most = bytes::unpacked_limit(length) as usize / bytes;
    let most = if bytes::is_gzip(path).map_err(on_one_line)? { most } else { length as usize / bytes };
    match header.promised.min(most) {
        0 => Err("it has no samples".into()),
        promised => Ok(Header { promised, ..header }),
    }
}

/// The samples of a file.
pub fn samples(path: &Path) -> Result<Samples, String> {
    let (mut reader, header) = open(path)?;
    let spec = reader.spec();
    let mono = match spec.sample_format {
        SampleFormat::Float => mixed(reader.samples::<f32>(), header.channels, 1.0)?,
        SampleFormat::Int => {
            let full = (1_u64 << (u64::from(spec.bits_per_sample.clamp(8, 32)) - 1)) as f32;
            mixed(reader.samples::<i32>().map(|value| value.map(|value| value as f32)), header.channels, full)?
        }
    };
    if mono.is_empty() {
        return Err("it has no samples".into());
    }
    Ok(Samples { is_short: mono.len() < header.promised, mono })
}

/// The mean of the channels of each sample, up to where the file ends.
fn mixed(mut values: impl Iterator<Item = hound::Result<f32>>, channels: u16, full: f32) -> Result<Vec<f32>, String> {
    let mut mono = Vec::new();
    let scale = 1.0 / (full * f32::from(channels));
    loop {
        let mut sum = 0.0;
        for _ in 0..channels {
            match values.next() {
                Some(Ok(value)) if value.is_finite() => sum += value,
                Some(Ok(value)) => return Err(format!("its sample {} is {value}", mono.len())),
                // Others of the same sample may be there: half a sample is none.
                Some(Err(hound::Error::IoError(_))) | None => return Ok(mono),
                Some(Err(error)) => return Err(why(error)),
            }
        }
        if mono.len() == MOST_SAMPLES {
            return Err(format!("it has more than {MOST_SAMPLES} samples: cut it into several files"));
        }
        mono.push(sum * scale);
    }
}

/// A file of one channel with these sounds, one after another.
pub fn file(rate: u32, sounds: impl Iterator<Item = Vec<f32>>) -> io::Result<Vec<u8>> {
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(io::Error::other)?;
    let pause = (PAUSE * f64::from(rate)) as usize;
    for (place, sound) in sounds.enumerate() {
        let silence = if place == 0 { 0 } else { pause };
        let whole = |sample: &f32| (32_767.0 * sample.clamp(-1.0, 1.0)).round() as i16;
        for sample in std::iter::repeat_n(0, silence).chain(sound.iter().map(whole)) {
            writer.write_sample(sample).map_err(io::Error::other)?;
        }
    }
    writer.finalize().map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}
