//! MIDI files: the notes of all channels but that of drums, on a grid of steps; and back.

use std::io;
use std::path::Path;

use midly::num::{u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind};

use super::super::bytes;
use super::super::caught::catch_panic;
use super::super::error::on_one_line;
use super::{KEYS, LOWEST, SLOWEST};

/// The most bytes of a file.
const MOST_BYTES: u64 = 16 << 20;
/// The most steps of a piece: nine hours at 60 beats a minute and 4 steps a beat.
pub const MOST_STEPS: usize = 1 << 17;
/// The channel of drums, whose numbers are no pitches.
const DRUMS: u8 = 9;
/// How hard keys are struck in files that are written.
const VELOCITY: u8 = 80;
/// Ticks of a beat in such files, or as many more as make steps whole.
const TICKS: usize = 480;
/// Beats of silence between pieces in one file.
const PAUSE: usize = 4;

/// A piece of music on a grid.
pub struct Piece {
    /// `(steps, KEYS)`: 1 where a key is down.
    pub roll: Vec<u8>,
    /// Microseconds of a beat where it begins.
    pub tempo: Option<u32>,
    /// Notes that a piano does not have.
    pub outside: usize,
    /// Notes of drums.
    pub drums: usize,
}

/// A note, in ticks.
struct Note {
    key: u8,
    start: u64,
    end: u64,
}

/// Reads a file on a grid of so many steps a beat.
pub fn piece(path: &Path, steps_per_beat: usize) -> Result<Piece, String> {
    let content = bytes::content(path, MOST_BYTES).map_err(on_one_line)?;
    let damaged = || "it is damaged".to_string();
    catch_panic(|| parsed(&content, steps_per_beat)).unwrap_or_else(|| Err(damaged()))
}

fn parsed(content: &[u8], steps_per_beat: usize) -> Result<Piece, String> {
    let smf = Smf::parse(content).map_err(|error| on_one_line(error.to_string()))?;
    let ticks = match smf.header.timing {
        Timing::Metrical(ticks) if ticks.as_int() > 0 => u64::from(ticks.as_int()),
        Timing::Metrical(_) => return Err("its beats have no ticks".into()),
        Timing::Timecode(..) => return Err("its times are those of film frames (SMPTE), which have no beats".into()),
    };
    if smf.header.format == Format::Sequential && smf.tracks.len() > 1 {
        return Err("its tracks are pieces of their own (format 2): write each into a file of its own".into());
    }
    let (mut notes, mut drums, mut tempo) = (Vec::new(), 0, None);
    for track in &smf.tracks {
        drums += notes_of(track, &mut notes);
        tempo = tempo.or_else(|| tempo_of(track));
    }
    let step = |tick: u64| (2 * tick * steps_per_beat as u64 + ticks) / (2 * ticks);
    let is_inside = |note: &Note| (LOWEST..LOWEST + KEYS as u8).contains(&note.key);
    let outside = notes.iter().filter(|note| !is_inside(note)).count();
    notes.retain(is_inside);
    // A note that is shorter than half a step still has one.
    let span = |note: &Note| (step(note.start), step(note.end).max(step(note.start) + 1));
    let Some(last) = notes.iter().map(|note| span(note).1).max() else {
        return Err(match (outside, drums) {
            (0, 0) => "it has no notes".into(),
            _ => "it has no notes that a piano has".into(),
        });
    };
    if last > MOST_STEPS as u64 {
        return Err(format!("it has {last} steps, and up to {MOST_STEPS} can be read"));
    }
    // How many more notes there are from a step on; then how many there are at each.
    let mut changes = vec![0_i32; (last as usize + 1) * KEYS];
    for note in &notes {
        let (start, end) = span(note);
        let key = usize::from(note.key - LOWEST);
        changes[start as usize * KEYS + key] += 1;
        changes[end as usize * KEYS + key] -= 1;
    }
    let mut down = [0; KEYS];
    let mut roll = Vec::with_capacity(last as usize * KEYS);
    for changes in changes.chunks(KEYS).take(last as usize) {
        down.iter_mut().zip(changes).for_each(|(down, change)| *down += change);
        roll.extend(down.iter().map(|down| u8::from(*down > 0)));
    }
    Ok(Piece { roll, tempo, outside, drums })
}

/// Adds the notes of a track, and counts those of drums.
fn notes_of(track: &Track<'_>, notes: &mut Vec<Note>) -> usize {
    let mut open = vec![None; 16 * 128];
    let (mut now, mut drums) = (0, 0);
    for event in track {
        now += u64::from(event.delta.as_int());
        let TrackEventKind::Midi { channel, message } = event.kind else { continue };
        let (key, is_on) = match message {
            MidiMessage::NoteOn { key, vel } => (key.as_int(), vel.as_int() > 0),
            MidiMessage::NoteOff { key, .. } => (key.as_int(), false),
            _ => continue,
        };
        if channel.as_int() == DRUMS {
            drums += usize::from(is_on);
            continue;
        }
        let place = usize::from(channel.as_int()) * 128 + usize::from(key);
        if let Some(start) = open[place].take() {
            notes.push(Note { key, start, end: now });
        }
        open[place] = is_on.then_some(now);
    }
    for (place, start) in open.into_iter().enumerate() {
        notes.extend(start.map(|start| Note { key: (place % 128) as u8, start, end: now }));
    }
    drums
}

/// The first tempo of a track.
fn tempo_of(track: &Track<'_>) -> Option<u32> {
    track.iter().find_map(|event| match event.kind {
        TrackEventKind::Meta(MetaMessage::Tempo(tempo)) if tempo.as_int() > 0 => Some(tempo.as_int()),
        _ => None,
    })
}

/// Which keys are down at a step: as many as their probabilities add up to, and the likeliest ones. Of zeros and ones, it is the ones.
fn down(step: &[f32]) -> [bool; KEYS] {
    let probability = |key: &usize| step.get(*key).copied().unwrap_or(0.0).clamp(0.0, 1.0);
    let count = (0..KEYS).map(|key| probability(&key)).filter(|p| !p.is_nan()).sum::<f32>().round() as usize;
    let mut keys: Vec<usize> = (0..KEYS).filter(|key| probability(key) > 0.0).collect();
    keys.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
    let mut down = [false; KEYS];
    keys.into_iter().take(count).for_each(|key| down[key] = true);
    down
}

/// A file of pieces `(steps, KEYS)` of probabilities, one after another. Steps in a row at which a key is down are one note.
pub fn file<'a>(pieces: impl Iterator<Item = &'a [f32]>, steps_per_beat: usize, tempo: u32) -> io::Result<Vec<u8>> {
    let steps_per_beat = steps_per_beat.max(1);
    let of_step = (TICKS / steps_per_beat).max(1);
    // Times, whether a note begins, and keys: where one ends as another begins, the end comes first.
    let mut events: Vec<(usize, bool, u8)> = Vec::new();
    let mut first = 0;
    for piece in pieces {
        let steps = piece.len() / KEYS;
        let all: Vec<[bool; KEYS]> = piece.chunks_exact(KEYS).map(down).collect();
        for key in 0..KEYS {
            let is_down = |step: usize| all.get(step).is_some_and(|down| down[key]);
            for step in 0..=steps {
                let before = step > 0 && is_down(step - 1);
                if is_down(step) != before {
                    events.push((first + step, !before, key as u8 + LOWEST));
                }
            }
        }
        first += steps + PAUSE * steps_per_beat;
    }
    events.sort_unstable();
    let too_long = || io::Error::other("the pieces are too long for a MIDI file: write fewer");
    let delta = |steps: usize| {
        let ticks = u32::try_from(steps * of_step).ok().filter(|ticks| *ticks < 1 << 28);
        ticks.map(u28::new).ok_or_else(too_long)
    };
    let meta = |message| TrackEvent { delta: u28::new(0), kind: TrackEventKind::Meta(message) };
    let mut track = vec![meta(MetaMessage::Tempo(u24::new(tempo.clamp(1, SLOWEST))))];
    let mut now = 0;
    for (step, is_on, key) in events {
        let (key, vel) = (key.into(), VELOCITY.into());
        let message = match is_on {
            true => MidiMessage::NoteOn { key, vel },
            false => MidiMessage::NoteOff { key, vel: 0.into() },
        };
        track.push(TrackEvent { delta: delta(step - now)?, kind: TrackEventKind::Midi { channel: 0.into(), message } });
        now = step;
    }
    track.push(meta(MetaMessage::EndOfTrack));
    let timing = Timing::Metrical(u15::new((of_step * steps_per_beat) as u16));
    let smf = Smf { header: Header::new(Format::SingleTrack, timing), tracks: vec![track] };
    let mut bytes = Vec::new();
    smf.write(&mut bytes).map_err(|error| io::Error::other(format!("{error:?}")))?;
    Ok(bytes)
}
