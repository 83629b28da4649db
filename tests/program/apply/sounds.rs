//! Models of sounds and music: every command, and the files that come out.

use std::f32::consts::TAU;
use std::path::Path;

use wgvae::data::{Shape, Sound, write};

use super::place::{Place, read};

const RATE: u32 = 8000;

/// Tones of two classes, which fade in and out.
fn tones(folder: &Path) {
    for (class, hz) in [("high", 1800.0), ("low", 300.0)] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..40 {
            let hz = hz * (1.0 + 0.01 * number as f32);
            let length = 1600 + 20 * number;
            let at = |place: usize| {
                let across = place as f32 / length as f32;
                0.5 * (TAU * hz * place as f32 / RATE as f32).sin() * (0.5 * TAU * across).sin()
            };
            let samples: Vec<f32> = (0..length).map(at).collect();
            let shape = Shape::Series { length, channels: 1 };
            let path = folder.join(class).join(format!("{number}.wav"));
            write::write_sound(&path, Sound::Waveform { rate: RATE }, shape, &samples).unwrap();
        }
    }
}

/// The samples of a WAV file of one channel in 16 bits, behind its header of 44 bytes.
fn samples(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.starts_with(b"RIFF") && &bytes[8..12] == b"WAVE", "{}", path.display());
    assert_eq!((bytes[22], u32::from_le_bytes(bytes[24..28].try_into().unwrap()), bytes[34]), (1, RATE, 16));
    bytes[44..].chunks(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

/// How loud a frequency is.
fn loudness(samples: &[f32], hz: f32) -> f32 {
    let angle = |place: usize| TAU * hz * place as f32 / RATE as f32;
    let sum = |of: fn(f32) -> f32| samples.iter().enumerate().map(|(at, value)| value * of(angle(at))).sum::<f32>();
    sum(f32::sin).hypot(sum(f32::cos))
}

/// The loudest of frequencies 20 Hz apart.
fn pitch(samples: &[f32]) -> f32 {
    let all = (5..195).map(|place| 20.0 * place as f32);
    all.max_by(|a, b| loudness(samples, *a).total_cmp(&loudness(samples, *b))).unwrap()
}

#[test]
fn every_command_works_on_sounds() {
    let Some(place) = Place::with_adapter() else { return };
    tones(&place.path("tones"));
    let data = place.json("data tones --mel-bands 16 --json --no-preview");
    let (height, width) = (data["shape"]["image"]["height"].as_u64(), data["shape"]["image"]["width"].as_u64());
    assert_eq!((height, width, data["sound"]["log-mel"]["rate"].as_u64()), (Some(16), Some(24), Some(8000)));
    let told = place.done("data tones --mel-bands 16 --no-preview");
    assert!(
        told.contains("72 training and 8 test log-mel pictures of 16 bands and 24 frames, 0.384 s at 8000 Hz"),
        "{told}"
    );
    place.done(
        "train --data tones --mel-bands 16 --condition class --hidden 64 --latent 4 --steps 300 --device cpu --out run",
    );
    place.done("train --data tones --mel-bands 16 --steps 3 --batch 16 --out on-adapter");
    // Each class has its pitch, in a folder of its own.
    place.done("sample run --count 6 --to drawn");
    for (class, hz) in [("high", 1500.0..3000.0), ("low", 200.0..600.0)] {
        for file in std::fs::read_dir(place.path("drawn").join(class)).unwrap() {
            let samples = samples(&file.unwrap().path());
            assert_eq!(samples.len(), 24 * 128);
            let pitch = pitch(&samples);
            assert!(hz.contains(&pitch), "{class}: {pitch} Hz");
        }
    }
    // All in one file, with pauses of a quarter of a second.
    place.done("sample run --count 3");
    assert_eq!(samples(&place.path("run").join("samples.wav")).len(), 3 * 24 * 128 + 2 * 2000);
    for line in [
        "sample run --count 3 --to drawn.npy",
        "sample run --count 3 --to drawn.png",
        "reconstruct run --to rebuilt",
        "interpolate run --to between.wav",
        "traverse run --to traversed.png",
        "encode run --to codes.csv",
        "decode run codes.csv --class low --to decoded.wav",
        "augment run --count 4",
        "augment run --count 4 --to more",
        "restore run --hole 0,8,16,8 --damage --to restored",
        "anomaly run --to strange.csv",
        "compress run --to x.wgc",
        "eval run",
        "report run",
    ] {
        place.done(line);
    }
    assert!(place.path("rebuilt").join("low").is_dir() && place.path("run").join("augmented.wav").is_file());
    assert!(place.path("more").join("high").is_dir() || place.path("more").join("low").is_dir());
    // What is written is read again, and other files as the model takes them.
    let data: serde_json::Value = serde_json::from_str(&read(&place.path("run").join("data.json"))).unwrap();
    assert!(data["sound"]["log-mel"]["top"].as_f64().is_some_and(|top| (-20.0..0.0).contains(&top)), "{data}");
    place.done("encode run --data rebuilt --to again.csv");
    place.done("encode run --data tones/low/3.wav --class low --to one.csv");
    let (code, said) = place.refused("train --data tones --steps-per-beat 4 --steps 3 --out x");
    assert!(code == 3 && said.contains("--steps-per-beat applies only to MIDI files"), "{code} {said}");
    let (code, said) = place.refused("sample run --to tones/low/3.wav");
    assert!(code == 2 && said.contains("no result is written over it"), "{code} {said}");
    // The samples themselves.
    place.done("train --data tones --as series --seconds 0.2 --steps 20 --device cpu --out raw");
    place.done("sample raw --count 2 --to raw.wav");
    assert_eq!(samples(&place.path("raw.wav")).len(), 2 * 1600 + 2000);
}

#[test]
fn every_command_works_on_music() {
    let Some(place) = Place::with_adapter() else { return };
    std::fs::create_dir_all(place.path("music")).unwrap();
    let (steps, keys) = (64, 88);
    let sound = Sound::PianoRoll { steps_per_beat: 4, tempo: 500_000 };
    let shape = Shape::Series { length: steps, channels: keys };
    for number in 0..40 {
        // Two keys, four steps each, in turn, above one that stays.
        let is_down = |step: usize, key: usize| key == 30 + number % 2 || key == 40 + step / 4 % 2 * 7;
        let roll = (0..steps).flat_map(|step| (0..keys).map(move |key| f32::from(u8::from(is_down(step, key)))));
        let path = place.path("music").join(format!("{number}.mid"));
        write::write_sound(&path, sound, shape, &roll.collect::<Vec<f32>>()).unwrap();
    }
    let told = place.done("data music --max-length 16 --no-preview");
    assert!(told.contains("piano rolls of 16 steps, 4 a beat") && told.contains("keys     D#3 to G#4"), "{told}");
    place.done("train --data music --max-length 16 --steps 150 --latent 4 --device cpu --out run");
    let config = read(&place.path("run").join("config.toml"));
    assert!(config.contains("likelihood = \"bernoulli\""), "{config}");
    for line in [
        "sample run --count 3",
        "sample run --count 3 --to drawn",
        "sample run --count 3 --to drawn.npy",
        "reconstruct run --to rebuilt",
        "interpolate run --to between.mid",
        "encode run --to codes.csv",
        "decode run codes.csv --to decoded.mid",
        "restore run --hole 8-15 --damage --to restored.mid",
        "augment run --count 4 --to more.mid",
        "anomaly run --to strange.csv",
        "eval run",
    ] {
        place.done(line);
    }
    assert!(place.path("run").join("samples.mid").is_file());
    // What is made of test rows is what they are.
    let rebuilt = place.json("data rebuilt --max-length 16 --json --no-preview");
    assert_eq!(rebuilt["sound"]["piano-roll"]["tempo"].as_u64(), Some(500_000));
    let done = place.json("restore run --hole 8-15 --damage --json --to x.npy");
    assert!(done["rmse_restored"].as_f64().unwrap() < 0.1, "{done}");
}
