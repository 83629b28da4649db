//! MIDI files as piano rolls: pieces of music, cut into rows of one number of steps.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::folder::{FileType, FolderFile, FolderFiles};
use super::super::problems::Problems;
use super::super::raw::{Raw, Request};
use super::super::series::{self, MOST_NUMBERS, RawSeries};
use super::super::{DataError, Values};
use super::midi::{self, Piece};
use super::rows::{Recording, rows};
use super::{KEYS, Sound, cut, key_name};

/// Steps of a beat, and of a row, where nobody chooses them: sixteenths, and four bars of four beats.
const STEPS_PER_BEAT: usize = 4;
const STEPS: usize = 64;

/// Microseconds of a beat where no file says how many.
const TEMPO: u32 = 500_000;

/// Reads the pieces of a folder, or one.
pub fn read(source: &Path, files: FolderFiles, request: &Request<'_>) -> Result<Raw, DataError> {
    let options = request.options;
    let FolderFiles { train, test, classes, mut notes, .. } = files;
    let known = match request.sound {
        Some(known @ (Sound::PianoRoll { .. }, _)) => Some(known),
        Some(_) => {
            return Err(DataError::unusable(source.display(), "it holds MIDI files, and the model takes WAV files"));
        }
        None => None,
    };
    let (steps_per_beat, steps) = match known {
        Some((Sound::PianoRoll { steps_per_beat, .. }, shape)) => (steps_per_beat, shape.len() / KEYS),
        _ => (options.steps_per_beat.unwrap_or(STEPS_PER_BEAT), options.max_length.unwrap_or(STEPS)),
    };
    if steps < 2 {
        return Err(DataError::Option { option: "max_length", reason: "must be 2 steps or more of music".into() });
    }
    let trained = train.len();
    let all: Vec<FolderFile> = train.into_iter().chain(test).collect();
    let mut problems = Problems::of(source, options, FileType::Music, all.len());
    let (done, count) = (AtomicUsize::new(0), all.len());
    let pieces: Vec<Result<Piece, String>> = all
        .par_iter()
        .map(|file| {
            let piece = midi::piece(&file.path, steps_per_beat);
            (request.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, count);
            piece
        })
        .collect();
    let mut found = Found::default();
    let mut recordings = Vec::new();
    for (place, (piece, file)) in pieces.into_iter().zip(all).enumerate() {
        match piece {
            Ok(piece) => {
                let places = found.add(&piece, steps, steps_per_beat);
                recordings.push(Recording { file, is_test: place >= trained, places });
            }
            Err(reason) => problems.add(file, reason)?,
        }
        if found.values.len() > MOST_NUMBERS {
            let reason = format!("its pieces make more than {MOST_NUMBERS} numbers: read fewer of them");
            return Err(DataError::unusable(source.display(), reason));
        }
    }
    found.notes(recordings.len(), steps, steps_per_beat, &mut notes);
    let tempo = found.tempo();
    let (train, test) = rows(recordings, Values::Floats(found.values), &classes, request, &mut notes)?;
    notes.extend(problems.note());
    if train.rows == 0 {
        return Err(DataError::unusable(source.display(), "none of its training pieces can be read"));
    }
    let channels = RawSeries {
        channels: (0..KEYS).map(key_name).collect(),
        step: Some(1.0 / steps_per_beat as f64),
        ..RawSeries::default()
    };
    let sound = Some(Sound::PianoRoll { steps_per_beat, tempo });
    Ok(Raw { classes, test, sound, notes, ..series::raw(channels, steps, train) })
}

/// What was found in pieces.
#[derive(Default)]
struct Found {
    /// Rows `(steps, KEYS)`.
    values: Vec<f32>,
    tempi: Vec<u32>,
    outside: usize,
    drums: usize,
    /// Pieces of several rows, and those that are shorter than one.
    long: usize,
    short: usize,
    /// Ends that are shorter than half a row.
    ends: usize,
    silent: usize,
}

impl Found {
    /// Adds the rows of a piece in which a key is down; where each begins.
    fn add(&mut self, piece: &Piece, steps: usize, steps_per_beat: usize) -> Vec<String> {
        self.tempi.extend(piece.tempo);
        self.outside += piece.outside;
        self.drums += piece.drums;
        let length = piece.roll.len() / KEYS;
        let mut places = Vec::new();
        let (mut last, mut parts) = (0, 0);
        for part in cut::cut(length, steps) {
            (last, parts) = (part.end, parts + 1);
            let row = &piece.roll[part.start * KEYS..part.end * KEYS];
            if !row.contains(&1) {
                self.silent += 1;
                continue;
            }
            let end = self.values.len() + steps * KEYS;
            self.values.extend(row.iter().map(|down| f32::from(*down)));
            self.values.resize(end, 0.0);
            places.push(format!("from beat {}", part.start / steps_per_beat.max(1)));
        }
        self.long += usize::from(parts > 1);
        self.short += usize::from(length < steps);
        self.ends += usize::from(last < length);
        places
    }

    /// The most frequent tempo.
    fn tempo(&self) -> u32 {
        let count = |tempo: &u32| self.tempi.iter().filter(|other| *other == tempo).count();
        // So many are compared at most.
        self.tempi.iter().take(1000).max_by_key(|tempo| (count(tempo), **tempo)).copied().unwrap_or(TEMPO)
    }

    fn notes(&self, pieces: usize, steps: usize, steps_per_beat: usize, notes: &mut Vec<String>) {
        let rows = self.values.len() / (steps * KEYS);
        notes.push(format!(
            "{pieces} pieces make {rows} rows of {steps} steps (`data.max_length`), {steps_per_beat} a beat (`data.steps_per_beat`): \
             {} were cut, and {} filled up with silence",
            self.long, self.short
        ));
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what} were left out"));
            }
        };
        count(self.ends, "ends of pieces that are shorter than half a row");
        count(self.silent, "rows without a note");
        count(self.outside, "notes that a piano does not have");
        count(self.drums, "notes of drums");
    }
}
