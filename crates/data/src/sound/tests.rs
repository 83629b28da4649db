//! Tests of sounds and music: what is read, and what comes back.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use super::*;
use crate::{Dataset, Options, Origins, RowFormat, Values, rows};

/// A tone that fades in and out.
fn tone(hz: f64, seconds: f64, rate: u32) -> Vec<f32> {
    let count = (seconds * f64::from(rate)) as usize;
    let at = |place: usize| {
        let t = place as f64 / f64::from(rate);
        (0.5 * (TAU * hz * t).sin() * (std::f64::consts::PI * t / seconds).sin()) as f32
    };
    (0..count).map(at).collect()
}

/// Writes a sound of one channel in 16 bits.
fn write(path: &Path, rate: u32, samples: &[f32]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, wave::file(rate, std::iter::once(samples.to_vec())).unwrap()).unwrap();
}

/// A folder of two classes of tones.
fn tones(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..count {
        let of_class = |class: &str, hz: f64| {
            let seconds = 0.3 + 0.02 * (i % 5) as f64;
            write(&folder.path().join(format!("{class}/{i}.wav")), 16_000, &tone(hz + 10.0 * i as f64, seconds, 16_000));
        };
        of_class("low", 300.0);
        of_class("high", 2000.0);
    }
    folder
}

fn options(folder: &tempfile::TempDir) -> Options {
    folder.path().to_str().unwrap().into()
}

/// A resampled tone is the tone at the other rate, and what the lower rate cannot have is gone.
#[test]
fn tones_keep_their_pitch_at_another_rate() {
    for (from, to, hz) in [(44_100, 16_000, 1000.0), (16_000, 22_050, 5000.0), (48_000, 8000, 3500.0), (11_025, 44_101, 200.0)] {
        let there = resample::resampled(tone(hz, 0.3, from), from, to);
        let wanted = tone(hz, 0.3, to);
        let error = there.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(there.len().abs_diff(wanted.len()) <= 2 && error < 2e-3, "{from} to {to}: {error}");
    }
    let folded = resample::resampled(tone(6000.0, 0.3, 48_000), 48_000, 8000);
    assert!(folded.iter().all(|sample| sample.abs() < 1e-3));
}

/// A full sine has 0 dB in the band of its frequency.
#[test]
fn a_sine_is_loud_in_its_band() {
    let mel = Mel::new(16_000, 1024, 64);
    let samples: Vec<f32> = (0..16_384).map(|i| (TAU * 1000.0 * f64::from(i) / 16_000.0).sin() as f32).collect();
    let image = mel.loudness(&samples, 64);
    let column: Vec<f32> = (0..64).map(|band| image[band * 64 + 32]).collect();
    let loudest = (0..64).max_by(|a, b| column[*a].total_cmp(&column[*b])).unwrap();
    // 1000 Hz are 1000 mel, and the bands begin 43.7 mel apart. The first row is the highest band.
    assert_eq!(63 - loudest, 22);
    assert!(column[loudest].abs() < 2.0 && column[loudest + 8] < -60.0, "{column:?}");
    // Every band has a weight, also where frequencies are farther apart than bands.
    let silent = Mel::new(8000, 32, 256).loudness(&samples, 4);
    assert!(silent.iter().all(|loudness| loudness.is_finite()));
}

/// A picture, the sound that is made of it, and the picture of that sound: of 80 dB, they differ by less than 2 dB where it is loud.
#[test]
fn pictures_become_sounds_and_pictures_again() {
    let folder = tones(8);
    let data = Dataset::load(options(&folder)).unwrap();
    let Some(sound @ Sound::LogMel { rate, window, top }) = data.sound else { panic!("{:?}", data.sound) };
    let Shape::Image { height, width, .. } = data.shape else { panic!() };
    let mel = Mel::new(rate, window, height);
    let (mut apart, mut count) = (0.0, 0);
    for row in 0..data.train.rows {
        let before = data.train.numbers(row..row + 1, data.shape.len());
        let samples = griffin_lim::samples(&mel, &before, width, top);
        assert_eq!(samples.len(), width * window / 4);
        for (before, after) in before.iter().zip(mel.loudness(&samples, width)) {
            // Within 40 dB of the loudest.
            if *before > 0.5 {
                apart += (before - f32::from(mel::level(after, top)) / 255.0).abs();
                count += 1;
            }
        }
    }
    let apart = apart / count as f32 * mel::RANGE as f32;
    println!("{apart} dB of {count}");
    assert!(apart < 2.0, "{apart} dB");
    let file = sound.file(&data.train.numbers(0..2, data.shape.len()), data.shape).unwrap();
    let pause = 4000;
    assert_eq!(file.len(), 44 + 2 * (2 * width * window / 4 + pause));
}
