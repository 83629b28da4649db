//! WAV files as rows: brought to one rate and one length, as log-mel pictures or as samples.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::folder::{self, FileType, FolderFile, FolderFiles};
use super::super::options::LONGEST;
use super::super::problems::Problems;
use super::super::raw::{Raw, Request};
use super::super::series::{self, LONGEST_SERIES, MOST_NUMBERS, RawSeries};
use super::super::{DataError, Options, RowFormat, Shape, Values};
use super::mel::{self, Mel};
use super::resample::{resampled, resampled_length};
use super::rows::{Recording, rows};
use super::wave::{self, Header};
use super::{Sound, cut, short};

/// The highest rates that nobody asks for: speech needs no more, and a series has a step for each sample.
const MOST_OF_MEL: u32 = 16_000;
const MOST_OF_WAVEFORM: u32 = 8000;

/// The longest row that nobody asks for, in seconds.
const SECONDS: f64 = 4.0;

/// Bands that nobody asks for, and what frames are a multiple of: convolutions halve both.
const BANDS: usize = 64;
const FRAMES: usize = 8;

/// How files are brought to rows.
struct Form {
    rate: u32,
    /// Samples of a row.
    length: usize,
    /// Bands, frames and the window of a log-mel picture; none where rows are samples.
    mel: Option<(usize, usize, usize)>,
    /// The loudness of level 1, if it is known.
    top: Option<f64>,
}

impl Form {
    /// The form of a model's rows.
    fn known((sound, shape): (Sound, Shape)) -> Result<Self, String> {
        match (sound, shape) {
            (Sound::LogMel { rate, window, top }, Shape::Image { height, width, .. }) => {
                Ok(Self { rate, length: width * (window / 4), mel: Some((height, width, window)), top: Some(top) })
            }
            (Sound::Waveform { rate }, shape) => Ok(Self { rate, length: shape.len(), mel: None, top: None }),
            _ => Err("it holds WAV files, and the model takes MIDI files".into()),
        }
    }

    /// The form that suits files with these headers, where nobody chooses another.
    fn suited(headers: &[Header], options: &Options) -> Result<Self, String> {
        let is_mel = options.format != RowFormat::Series;
        let mut rates: BTreeMap<u32, usize> = BTreeMap::new();
        headers.iter().for_each(|header| *rates.entry(header.rate).or_default() += 1);
        let usual = rates.iter().max_by_key(|(rate, count)| (**count, **rate)).map_or(MOST_OF_MEL, |(rate, _)| *rate);
        let most = if is_mel { MOST_OF_MEL } else { MOST_OF_WAVEFORM };
        let rate = options.sample_rate.unwrap_or(usual.clamp(super::SAMPLE_RATES[0], most));
        let longest =
            headers.iter().map(|header| resampled_length(header.promised, header.rate, rate)).max().unwrap_or(0);
        let wanted = options.seconds.map(|seconds| (seconds * f64::from(rate)).round() as usize);
        let suited = longest.min((SECONDS * f64::from(rate)) as usize);
        let length = wanted.unwrap_or(suited).max(2);
        let seconds = |samples: usize| short((samples as f64 / f64::from(rate) * 1000.0).floor() / 1000.0);
        if !is_mel {
            let length = if wanted.is_some() { length } else { length.min(LONGEST_SERIES) };
            return match length > LONGEST_SERIES {
                true => Err(format!(
                    "a row would have {length} samples, and up to {LONGEST_SERIES} can be learned from, which are {} s at {rate} Hz: \
                     choose a lower `data.seconds` or `data.sample_rate`",
                    seconds(LONGEST_SERIES)
                )),
                false => Ok(Self { rate, length, mel: None, top: None }),
            };
        }
        let window = mel::window_of(rate);
        let hop = window / 4;
        let frames = length.div_ceil(hop).next_multiple_of(FRAMES);
        match frames > LONGEST {
            true => Err(format!(
                "a row would have {frames} frames, and up to {LONGEST} can be learned from, which are {} s at {rate} Hz: \
                 choose a lower `data.seconds`",
                seconds(LONGEST * hop)
            )),
            false => {
                let mel = Some((options.mel_bands.unwrap_or(BANDS), frames, window));
                Ok(Self { rate, length: frames * hop, mel, top: None })
            }
        }
    }

    /// The numbers of a row.
    fn width(&self) -> usize {
        self.mel.map_or(self.length, |(bands, frames, _)| bands * frames)
    }
}

/// The rows of a file, before it is known how loud the loudest is.
struct Read {
    values: Vec<f32>,
    places: Vec<String>,
    is_cut: bool,
    is_short: bool,
    is_filled: bool,
}

/// Reads the sounds of a folder, or one.
pub fn read(source: &Path, files: FolderFiles, request: &Request<'_>) -> Result<Raw, DataError> {
    let options = request.options;
    let FolderFiles { train, test, classes, unread, mut notes } = files;
    if !unread.is_empty() {
        let about = folder::about_unread(&unread, FileType::Sounds);
        if options.strict {
            return Err(DataError::unusable(source.display(), about));
        }
        notes.push(format!("{} sounds were skipped: {about}", unread.len()));
    }
    let unusable = |reason: String| DataError::unusable(source.display(), reason);
    let trained = train.len();
    let all: Vec<FolderFile> = train.into_iter().chain(test).collect();
    let mut problems = Problems::of(source, options, FileType::Sounds, all.len());
    let looks: Vec<Result<Header, String>> = all.par_iter().map(|file| wave::header(&file.path)).collect();
    let (mut headers, mut kept) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
    for (place, (look, file)) in looks.into_iter().zip(all).enumerate() {
        match look {
            Ok(header) => {
                headers.push(header);
                kept.push((file, place >= trained));
            }
            Err(reason) => problems.add(file, reason)?,
        }
    }
    let form = match request.sound {
        Some(known) => Form::known(known),
        None => Form::suited(&headers, options),
    };
    let form = form.map_err(unusable)?;
    let length = |header: &Header| resampled_length(header.promised, header.rate, form.rate);
    let count = headers.iter().map(|header| cut::count(length(header), form.length)).fold(0, usize::saturating_add);
    if count.saturating_mul(form.width()) > MOST_NUMBERS {
        return Err(unusable(format!(
            "its {} files make {count} rows of {} numbers, and at most {MOST_NUMBERS} numbers can be read: read fewer files, or choose \
             a lower `data.sample_rate`",
            headers.len(),
            form.width()
        )));
    }
    let mel = form.mel.map(|(bands, _, window)| Mel::new(form.rate, window, bands));
    let done = AtomicUsize::new(0);
    let found: Vec<Result<Read, String>> = kept
        .par_iter()
        .zip(&headers)
        .map(|((file, _), header)| {
            let found = rows_of(&file.path, header, &form, mel.as_ref());
            (request.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, kept.len());
            found
        })
        .collect();
    let mut said = Said::default();
    let mut recordings = Vec::with_capacity(kept.len());
    let mut values = Vec::new();
    let mut of_training = 0;
    for (found, ((file, is_test), header)) in found.into_iter().zip(kept.into_iter().zip(&headers)) {
        match found {
            Ok(read) => {
                said.add(&read, header, &form, &file);
                values.extend(read.values);
                of_training = if is_test { of_training } else { values.len() };
                recordings.push(Recording { file, is_test, places: read.places });
            }
            Err(reason) => problems.add(file, reason)?,
        }
    }
    if options.strict && !said.short.is_empty() {
        return Err(unusable(format!("{} is shorter than its header says", said.short[0])));
    }
    if of_training == 0 {
        return Err(unusable("none of its training sounds can be read".into()));
    }
    let loudest = values[..of_training].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let top = form.top.unwrap_or(f64::from(loudest));
    if form.mel.is_some() && top <= mel::SILENCE {
        return Err(unusable("every sound is silent".into()));
    }
    said.notes(recordings.len(), &form, top, request.sound.is_some(), &mut notes);
    let values = match form.mel {
        Some(_) => Values::Bytes(values.iter().map(|loudness| mel::level(*loudness, top)).collect()),
        None => Values::Floats(values),
    };
    let (train, test) = rows(recordings, values, &classes, request, &mut notes)?;
    notes.extend(problems.note());
    let rate = form.rate;
    Ok(match form.mel {
        Some((height, width, window)) => {
            let shape = Shape::Image { height, width, channels: 1 };
            let sound = Some(Sound::LogMel { rate, window, top });
            Raw { classes, test, sound, notes, ..Raw::of("", shape, train) }
        }
        None => {
            let step = Some(1.0 / f64::from(rate));
            let channels = RawSeries { channels: vec!["sample".into()], step, ..RawSeries::default() };
            let sound = Some(Sound::Waveform { rate });
            Raw { classes, test, sound, notes, ..series::raw(channels, form.length, train) }
        }
    })
}

/// The rows of a file.
fn rows_of(path: &Path, header: &Header, form: &Form, mel: Option<&Mel>) -> Result<Read, String> {
    let wave::Samples { mono, is_short } = wave::samples(path)?;
    let samples = resampled(mono, header.rate, form.rate);
    let mut read = Read {
        values: Vec::with_capacity(cut::count(samples.len(), form.length) * form.width()),
        places: Vec::new(),
        is_cut: samples.len() > form.length,
        is_short,
        is_filled: false,
    };
    for part in cut::cut(samples.len(), form.length) {
        read.is_filled |= part.len() < form.length;
        read.places.push(format!("from {} s", short(part.start as f64 / f64::from(form.rate))));
        let samples = &samples[part];
        match (mel, form.mel) {
            (Some(mel), Some((_, frames, _))) => read.values.extend(mel.loudness(samples, frames)),
            _ => {
                let end = read.values.len() + form.length;
                read.values.extend_from_slice(samples);
                read.values.resize(end, 0.0);
            }
        }
    }
    Ok(read)
}

/// What is said of the files that were read.
#[derive(Default)]
struct Said {
    /// Files by the rate that they had.
    rates: BTreeMap<u32, usize>,
    mixed: usize,
    cut: usize,
    filled: usize,
    /// Files that end before their headers say.
    short: Vec<String>,
    rows: usize,
}

impl Said {
    fn add(&mut self, read: &Read, header: &Header, form: &Form, file: &FolderFile) {
        if header.rate != form.rate {
            *self.rates.entry(header.rate).or_default() += 1;
        }
        self.mixed += usize::from(header.channels > 1);
        self.cut += usize::from(read.is_cut);
        self.filled += usize::from(read.is_filled);
        self.rows += read.places.len();
        if read.is_short {
            self.short.push(file.origin.clone());
        }
    }

    /// What is said; the form of a model's rows is known.
    fn notes(&self, files: usize, form: &Form, top: f64, is_known: bool, notes: &mut Vec<String>) {
        let (rate, seconds) = (form.rate, short(form.length as f64 / f64::from(form.rate)));
        let of_form = || match form.mel {
            Some((bands, frames, window)) => format!(
                "sounds are log-mel pictures of {bands} bands (`data.mel_bands`) and {frames} frames of {} ms, from {:.0} to {:.0} dB; \
                 `data.format = \"series\"` learns from their samples",
                short(250.0 * window as f64 / f64::from(rate)),
                top - mel::RANGE,
                top
            ),
            None => format!(
                "sounds are series of {} samples; `data.format = \"images\"` makes log-mel pictures of them, which are learned better",
                form.length
            ),
        };
        notes.extend((!is_known).then(of_form));
        if !self.rates.is_empty() {
            let count: usize = self.rates.values().sum();
            let rates: Vec<String> = self.rates.keys().map(|rate| format!("{rate} Hz")).collect();
            let rates = super::super::error::list(&rates);
            notes.push(format!(
                "{count} of {files} sounds were brought from {rates} to {rate} Hz; `data.sample_rate` chooses another rate"
            ));
        }
        if self.mixed > 0 {
            notes.push(format!("the channels of {} of {files} sounds were mixed to one", self.mixed));
        }
        if self.filled > 0 || self.cut > 0 {
            let cut = match self.cut {
                0 => String::new(),
                cut => format!(", and {cut} longer ones were cut into rows: {} in all", self.rows),
            };
            notes.push(format!(
                "rows are {seconds} s long: {} of {files} sounds end in silence for that{cut}; `data.seconds` chooses another length",
                self.filled
            ));
        }
        if !self.short.is_empty() {
            notes.push(format!(
                "{} of {files} sounds end before their headers say, and what is there was read: {}",
                self.short.len(),
                super::super::error::list(&self.short)
            ));
        }
    }
}
