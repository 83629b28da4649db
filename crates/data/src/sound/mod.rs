//! Sounds and music: WAV files as log-mel pictures or as their samples, MIDI files as piano rolls; and back.
//!
//! | form | a row | read from |
//! |---|---|---|
//! | [`Sound::LogMel`] | an image: bands from high to low, frames from left to right, levels of loudness | `.wav` |
//! | [`Sound::Waveform`] | a series of one channel: the samples | `.wav` |
//! | [`Sound::PianoRoll`] | a series of 88 channels, one for each key of a piano: 1 while a note sounds, else 0 | `.mid` |
//!
//! All files are opened by [`bytes`](super::bytes). What is computed on the way is in f64 with sines of `libm`, so that every machine
//! reads the same rows.

mod cut;
mod fft;
mod griffin_lim;
mod mel;
mod midi;
mod resample;
mod roll;
mod rows;
#[cfg(test)]
mod tests;
mod wave;
mod waves;

use std::io;

use serde::{Deserialize, Serialize};

pub(super) use roll::read as midi;
pub(super) use waves::read as wav;

use super::{DataError, Options, Shape};
use mel::Mel;

/// The rates of samples that can be chosen, in Hz.
pub const SAMPLE_RATES: [u32; 2] = [1000, 96_000];

/// The numbers of bands that can be chosen.
pub const MEL_BANDS: [usize; 2] = [8, 256];

/// The steps of a beat that can be chosen.
pub const STEPS_PER_BEAT: [usize; 2] = [1, 96];

/// The longest sounds that can be chosen, in seconds.
pub const SECONDS: [f64; 2] = [0.01, 600.0];

/// The keys of a piano: MIDI's numbers 21 (A0) to 108 (C8).
pub const KEYS: usize = 88;

/// MIDI's number of the lowest key.
const LOWEST: u8 = 21;

/// The slowest tempo of a MIDI file, in microseconds a beat.
const SLOWEST: u32 = (1 << 24) - 1;

/// How rows stand for sounds: all that is needed to read other files, and to write rows as files, beside the shape of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    /// Images `(bands, frames)` of logarithms of loudness in bands of the mel scale.
    LogMel {
        /// Samples a second.
        rate: u32,
        /// Samples of a frame's window, four times as many as from one frame to the next.
        window: usize,
        /// The loudness of level 1, in dB of a full sine; level 0 is 80 dB below it.
        top: f64,
    },
    /// Series of samples.
    Waveform {
        /// Samples a second.
        rate: u32,
    },
    /// Series of zeros and ones: the keys of a piano.
    PianoRoll {
        /// Steps of a beat.
        steps_per_beat: usize,
        /// Microseconds of a beat, for files that are written.
        tempo: u32,
    },
}

impl Sound {
    /// The extension of the files that rows are written to.
    pub fn extension(self) -> &'static str {
        match self {
            Sound::LogMel { .. } | Sound::Waveform { .. } => "wav",
            Sound::PianoRoll { .. } => "mid",
        }
    }

    /// A row in a few words, such as `log-mel pictures of 64 bands and 64 frames, 1.024 s at 16000 Hz`.
    pub fn described(self, shape: Shape) -> String {
        match (self, shape) {
            (Sound::LogMel { rate, window, .. }, Shape::Image { height, width, .. }) => {
                let seconds = (width * (window / 4)) as f64 / f64::from(rate);
                format!("log-mel pictures of {height} bands and {width} frames, {} s at {rate} Hz", short(seconds))
            }
            (Sound::Waveform { rate }, shape) => {
                let seconds = shape.len() as f64 / f64::from(rate);
                format!("sounds of {} samples, {} s at {rate} Hz", shape.len(), short(seconds))
            }
            (Sound::PianoRoll { steps_per_beat, .. }, Shape::Series { length, .. }) => {
                format!("piano rolls of {length} steps, {steps_per_beat} a beat")
            }
            (_, shape) => shape.to_string(),
        }
    }

    /// A file with these rows `(N, ...)`, in the units of the data, one after another with a pause between them.
    ///
    /// A log-mel picture says nothing of phases: Griffin and Lim's method finds some that belong together.
    pub fn file(self, rows: &[f32], shape: Shape) -> io::Result<Vec<u8>> {
        match (self, shape) {
            (Sound::LogMel { rate, window, top }, Shape::Image { height, width, .. }) => {
                let mel = Mel::new(rate, window, height);
                let each = |row: &[f32]| griffin_lim::samples(&mel, row, width, top);
                wave::file(rate, rows.chunks(shape.len().max(1)).map(each))
            }
            (Sound::Waveform { rate }, _) => wave::file(rate, rows.chunks(shape.len().max(1)).map(<[f32]>::to_vec)),
            (Sound::PianoRoll { steps_per_beat, tempo }, _) => {
                midi::file(rows.chunks(shape.len().max(1)), steps_per_beat, tempo)
            }
            _ => Err(io::Error::other("these rows are no sounds")),
        }
    }

    /// Whether rows of this shape can be such sounds.
    pub(super) fn fits(self, shape: Shape) -> bool {
        let is_rate = |rate: u32| (SAMPLE_RATES[0]..=SAMPLE_RATES[1]).contains(&rate);
        match (self, shape) {
            (Sound::LogMel { rate, window, top }, Shape::Image { height, width: _, channels: 1 }) => {
                is_rate(rate)
                    && (mel::WINDOWS[0]..=mel::WINDOWS[1]).contains(&window)
                    && window.is_power_of_two()
                    && (MEL_BANDS[0]..=MEL_BANDS[1]).contains(&height)
                    && top.abs() < 1000.0
            }
            (Sound::Waveform { rate }, Shape::Series { channels: 1, .. }) => is_rate(rate),
            (Sound::PianoRoll { steps_per_beat, tempo }, Shape::Series { channels: KEYS, .. }) => {
                (STEPS_PER_BEAT[0]..=STEPS_PER_BEAT[1]).contains(&steps_per_beat) && (1..=SLOWEST).contains(&tempo)
            }
            _ => false,
        }
    }
}

/// Seconds with as many digits as matter.
fn short(seconds: f64) -> String {
    let text = format!("{seconds:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// The name of a key of a piano, such as `C4`.
fn key_name(key: usize) -> String {
    const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    let number = key + usize::from(LOWEST);
    format!("{}{}", NAMES[number % 12], number / 12 - 1)
}

/// Refuses option values that no sound accepts.
pub(super) fn check_numbers(options: &Options) -> Result<(), DataError> {
    let refused = |option: &'static str, reason: String| Err(DataError::Option { option, reason });
    let [slowest, fastest] = SAMPLE_RATES;
    if options.sample_rate.is_some_and(|rate| !(slowest..=fastest).contains(&rate)) {
        return refused("sample_rate", format!("must be a number of samples a second from {slowest} to {fastest}"));
    }
    let [least, most] = MEL_BANDS;
    if options.mel_bands.is_some_and(|bands| !(least..=most).contains(&bands)) {
        return refused("mel_bands", format!("must be a number of bands from {least} to {most}"));
    }
    let [least, most] = SECONDS;
    if options.seconds.is_some_and(|seconds| !(least..=most).contains(&seconds)) {
        return refused("seconds", format!("must be a number of seconds from {least} to {most}"));
    }
    let [least, most] = STEPS_PER_BEAT;
    match options.steps_per_beat.is_some_and(|steps| !(least..=most).contains(&steps)) {
        true => refused("steps_per_beat", format!("must be a number of steps from {least} to {most}")),
        false => Ok(()),
    }
}

/// Refuses options of sounds that this form of them, or another source, does not have; what is wrong with them.
pub(super) fn misplaced(options: &Options, sound: Option<Sound>) -> Option<&'static str> {
    let is_wave = matches!(sound, Some(Sound::LogMel { .. } | Sound::Waveform { .. }));
    let is_mel = matches!(sound, Some(Sound::LogMel { .. }));
    let is_roll = matches!(sound, Some(Sound::PianoRoll { .. }));
    if !is_wave && (options.sample_rate.is_some() || options.seconds.is_some()) {
        return Some("`data.sample_rate` and `data.seconds` apply only to WAV files");
    }
    if !is_mel && options.mel_bands.is_some() {
        return Some("`data.mel_bands` applies only to log-mel pictures of WAV files");
    }
    if !is_roll && options.steps_per_beat.is_some() {
        return Some("`data.steps_per_beat` applies only to MIDI files");
    }
    if is_wave && options.max_length.is_some() {
        return Some("`data.max_length` is in steps and tokens: choose how long sounds are with `data.seconds`");
    }
    match is_mel && (options.image_size.is_some() || options.channels.is_some()) {
        true => Some(
            "`data.image_size` and `data.channels` are for other pictures: choose `data.mel_bands` and `data.seconds`",
        ),
        false => None,
    }
}
