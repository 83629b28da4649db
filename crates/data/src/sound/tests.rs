//! Tests of sounds and music: what is read, and what comes back.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use super::*;
use crate::{Dataset, Examples, Options, Origins, RowFormat, Values, rows};

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
            write(
                &folder.path().join(format!("{class}/{i}.wav")),
                16_000,
                &tone(hz + 10.0 * i as f64, seconds, 16_000),
            );
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
    for (from, to, hz) in
        [(44_100, 16_000, 1000.0), (16_000, 22_050, 5000.0), (48_000, 8000, 3500.0), (11_025, 44_101, 200.0)]
    {
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

/// A picture, the sound that is made of it, and the picture of that sound: of 80 dB, they differ by 2.6 dB where it is loud.
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
    assert!(apart < 3.5, "{apart} dB");
    let file = sound.file(&data.train.numbers(0..2, data.shape.len()), data.shape).unwrap();
    let pause = 4000;
    assert_eq!(file.len(), 44 + 2 * (2 * width * window / 4 + pause));
}

#[test]
fn folders_of_sounds_are_classes_of_pictures() {
    let folder = tones(10);
    let data = Dataset::load(options(&folder)).unwrap();
    assert_eq!(data.shape, Shape::Image { height: 64, width: 24, channels: 1 });
    assert_eq!((data.classes.join(","), data.train.rows, data.test.rows), ("high,low".into(), 18, 2));
    assert!(data.is_bytes() && data.series.is_none());
    let said = data.notes.join("\n");
    assert!(said.contains("64 bands (`data.mel_bands`) and 24 frames of 16 ms"), "{said}");
    assert!(said.contains("rows are 0.384 s long: 20 of 20 sounds end in silence"), "{said}");
    let described = data.sound.unwrap().described(data.shape);
    assert_eq!(described, "log-mel pictures of 64 bands and 24 frames, 0.384 s at 16000 Hz");
    // The loudest of all is level 1.
    let Values::Bytes(levels) = &data.train.values else { panic!() };
    assert!(levels.iter().max().unwrap() > &250);
    // What a model keeps is enough to read other files, of another rate and length.
    let model = data.description();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<crate::Description>(&text).unwrap(), model);
    let other = tempfile::tempdir().unwrap();
    write(&other.path().join("a.wav"), 44_100, &tone(500.0, 1.0, 44_100));
    let read = rows(&options(&other), &model).unwrap();
    // 1 s is two rows of 0.384 s and the larger half of a third.
    assert_eq!(read.split.rows, 3);
    let Some(Origins::Files(origins)) = &read.split.origins else { panic!() };
    assert_eq!(origins[..2], ["a.wav, from 0 s", "a.wav, from 0.384 s"]);
    // A single file, and files of another kind.
    let one = Options::from(other.path().join("a.wav").to_str().unwrap());
    assert_eq!(
        rows(&one, &model).unwrap().split,
        Examples { origins: read.split.origins.clone(), ..read.split.clone() }
    );
    let images = Dataset::load("strokes:count=20").unwrap().description();
    let error = rows(&options(&other), &images).unwrap_err().to_string();
    assert!(error.contains("but") && error.contains("log-mel pictures"), "{error}");
}

#[test]
fn samples_are_series() {
    let folder = tones(6);
    let chosen = Options { format: RowFormat::Series, ..options(&folder) };
    let data = Dataset::load(chosen.clone()).unwrap();
    assert_eq!(data.shape, Shape::Series { length: 3040, channels: 1 });
    assert_eq!(data.sound, Some(Sound::Waveform { rate: 8000 }));
    let series = data.series.as_ref().unwrap();
    assert_eq!(series.step, Some(1.0 / 8000.0));
    let said = data.notes.join("\n");
    assert!(said.contains("12 of 12 sounds were brought from 16000 Hz to 8000 Hz"), "{said}");
    let file = data.sound.unwrap().file(&series.decode(&data.train.numbers(0..1, 3040)), data.shape).unwrap();
    let path = folder.path().join("again.wav");
    fs::write(&path, file).unwrap();
    let again = rows(&path.to_str().unwrap().into(), &data.description()).unwrap();
    let apart =
        again.split.numbers(0..1, 3040).into_iter().zip(data.train.numbers(0..1, 3040)).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-3);
    let error = Dataset::load(Options { seconds: Some(10.0), ..chosen }).unwrap_err().to_string();
    assert!(error.contains("a row would have 80000 samples") && error.contains("`data.seconds`"), "{error}");
}

#[test]
fn long_recordings_make_several_rows_and_are_held_out_whole() {
    assert_eq!(cut::cut(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
    assert_eq!(cut::cut(9, 4).collect::<Vec<_>>(), [0..4, 4..8]);
    assert!(cut::cut(1, 4).eq(std::iter::once(0..1)));
    for length in 1..40 {
        assert_eq!(cut::count(length, 7), cut::cut(length, 7).count(), "{length}");
    }
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        write(&folder.path().join(format!("{i}.wav")), 8000, &tone(200.0 + 50.0 * f64::from(i), 1.0, 8000));
    }
    let data = Dataset::load(Options { seconds: Some(0.3), mel_bands: Some(16), test_share: 0.2, ..options(&folder) })
        .unwrap();
    let files = |split: &Examples| -> std::collections::BTreeSet<String> {
        let Some(Origins::Files(origins)) = &split.origins else { panic!() };
        origins.iter().map(|origin| origin.split(',').next().unwrap().to_string()).collect()
    };
    let (train, test) = (files(&data.train), files(&data.test));
    assert_eq!((train.len(), test.len()), (8, 2));
    assert!(train.is_disjoint(&test));
    assert!(data.notes.iter().any(|note| note.starts_with("2 of 10 files are held out")), "{:?}", data.notes);
}

/// All kinds of samples that hound reads, and what is wrong with others.
#[test]
fn samples_of_every_width_are_read_and_damaged_files_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let spec = |channels, bits_per_sample, sample_format| hound::WavSpec {
        channels,
        sample_rate: 8000,
        bits_per_sample,
        sample_format,
    };
    let wanted = tone(440.0, 0.2, 8000);
    for (channels, bits) in [(1, 8), (2, 16), (5, 24), (1, 32)] {
        let path = folder.path().join(format!("{bits}.wav"));
        let mut writer = hound::WavWriter::create(&path, spec(channels, bits, hound::SampleFormat::Int)).unwrap();
        for sample in &wanted {
            let full = (1_i64 << (bits - 1)) as f64;
            let whole = (f64::from(*sample) * full).round().clamp(-full, full - 1.0) as i32;
            (0..channels).for_each(|_| writer.write_sample(whole).unwrap());
        }
        writer.finalize().unwrap();
        let read = wave::samples(&path).unwrap();
        assert!(!read.is_short && read.mono.len() == wanted.len());
        let error = read.mono.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 0.01, "{bits} bits: {error}");
    }
    let mut writer =
        hound::WavWriter::create(folder.path().join("float.wav"), spec(2, 32, hound::SampleFormat::Float)).unwrap();
    wanted.iter().for_each(|sample| (0..2).for_each(|_| writer.write_sample(*sample).unwrap()));
    writer.finalize().unwrap();
    assert_eq!(wave::samples(&folder.path().join("float.wav")).unwrap().mono, wanted);
    let whole = fs::read(folder.path().join("16.wav")).unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[place..place + bytes.len()].copy_from_slice(bytes);
        file
    };
    let bad: [(&str, Vec<u8>, &str); 8] = [
        ("text", b"no sound at all".to_vec(), "it does not begin as one"),
        ("empty", Vec::new(), "it is cut short"),
        ("silent", with(40, &[0; 4]), "it has no samples"),
        ("fast", with(24, &2_000_000_u32.to_le_bytes()), "inconsistent fmt chunk"),
        ("packed", with(20, &[2, 0]), "its samples are packed"),
        ("channels", with(22, &[0, 0]), "zero channels"),
        ("header", whole[..30].to_vec(), "it is cut short"),
        (
            "nan",
            {
                let mut file = fs::read(folder.path().join("float.wav")).unwrap();
                let end = file.len();
                file[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
                file
            },
            "is NaN",
        ),
    ];
    for (name, bytes, why) in &bad {
        let path = folder.path().join(format!("{name}.wav"));
        fs::write(&path, bytes).unwrap();
        let error = Dataset::load(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("is not a valid WAV file") && error.contains(why), "{name}: {error}");
    }
    // A header that promises 4 GiB: what is there is read.
    fs::write(folder.path().join("piped.wav"), with(40, &[0xff, 0xff, 0xff, 0x7f])).unwrap();
    fs::write(folder.path().join("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    let data = Dataset::load(options(&folder)).unwrap();
    assert_eq!(data.train.rows + data.test.rows, 7);
    let said = data.notes.join("\n");
    assert!(said.contains("8 of 15 files could not be read and were skipped"), "{said}");
    assert!(
        said.contains("2 of 7 sounds end before their headers say, and what is there was read: cut.wav, piped.wav"),
        "{said}"
    );
    assert!(said.contains("the channels of 5 of 7 sounds were mixed to one"), "{said}");
    for chosen in [Options { strict: true, ..options(&folder) }, Options { mel_bands: Some(2), ..options(&folder) }] {
        assert!(Dataset::load(chosen).is_err());
    }
    let refused = [
        (Options { max_length: Some(9), ..options(&folder) }, "`data.seconds`"),
        (Options { steps_per_beat: Some(4), ..options(&folder) }, "applies only to MIDI files"),
        (Options { sample_rate: Some(8000), ..Options::from("strokes:count=20") }, "apply only to WAV files"),
        (Options { image_size: "8".parse().ok(), ..options(&folder) }, "are for other pictures"),
    ];
    for (chosen, why) in refused {
        let error = Dataset::load(chosen).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let mp3 = tempfile::tempdir().unwrap();
    fs::write(mp3.path().join("a.mp3"), "ID3").unwrap();
    let error = Dataset::load(options(&mp3)).unwrap_err().to_string();
    assert!(error.contains("MP3 cannot be read: make WAV files of a.mp3"), "{error}");
}

/// A piece of so many steps, in which a scale goes up, with a chord below.
fn piece(steps: usize) -> Vec<f32> {
    let is_down = |step: usize, key: usize| key == 40 + step / 2 % 12 || [20, 27].contains(&key);
    (0..steps).flat_map(|step| (0..KEYS).map(move |key| f32::from(u8::from(is_down(step, key))))).collect()
}

fn write_piece(path: &Path, steps: usize) {
    fs::write(path, midi::file(std::iter::once(&piece(steps)[..]), 4, 600_000).unwrap()).unwrap();
}

#[test]
fn pieces_of_music_are_rows_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..6 {
        write_piece(&folder.path().join(format!("{i}.mid")), 100 + 10 * i);
    }
    let data = Dataset::load(options(&folder)).unwrap();
    assert_eq!(data.shape, Shape::Series { length: 64, channels: KEYS });
    assert_eq!(data.sound, Some(Sound::PianoRoll { steps_per_beat: 4, tempo: 600_000 }));
    assert_eq!(data.sound.unwrap().described(data.shape), "piano rolls of 64 steps, 4 a beat");
    let series = data.series.as_ref().unwrap();
    assert_eq!(
        (series.channels[39].name.as_str(), series.channels[0].name.as_str(), series.missing),
        ("C4", "A0", false)
    );
    // 100 to 150 steps are a row and the larger half of another, 150 and 140 two rows and less than half of one.
    assert_eq!(data.train.rows + data.test.rows, 12);
    let said = data.notes.join("\n");
    assert!(said.contains("6 pieces make 12 rows of 64 steps") && said.contains("1 of 6 files are held out"), "{said}");
    // Rows are as they were written.
    let Some(Origins::Files(origins)) = &data.train.origins else { panic!() };
    assert!(origins[0].ends_with(".mid, from beat 0") && origins[1].ends_with("from beat 16"), "{origins:?}");
    let row = data.train.numbers(0..1, 64 * KEYS);
    assert_eq!(series.decode(&row), piece(64));
    let path = folder.path().join("again.mid");
    fs::write(&path, data.sound.unwrap().file(&row, data.shape).unwrap()).unwrap();
    assert_eq!(rows(&path.to_str().unwrap().into(), &data.description()).unwrap().split.numbers(0..1, 64 * KEYS), row);
    // On another grid.
    let coarse = Options { steps_per_beat: Some(1), max_length: Some(8), ..options(&folder) };
    assert_eq!(Dataset::load(coarse).unwrap().shape, Shape::Series { length: 8, channels: KEYS });
    let wav = tempfile::tempdir().unwrap();
    write(&wav.path().join("a.wav"), 8000, &tone(300.0, 0.2, 8000));
    assert!(rows(&options(&wav), &data.description()).unwrap_err().to_string().contains("the model takes MIDI files"));
}

/// Notes as files have them: running status, a note that never ends, drums, notes outside of a piano; and what is wrong with others.
#[test]
fn midi_files_of_every_kind_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |format: u8, timing: [u8; 2], track: &[u8]| {
        let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
        bytes.extend([format, 0, 1, timing[0], timing[1]]);
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(track);
        bytes
    };
    let read = |bytes: &[u8]| {
        let path = folder.path().join("a.mid");
        fs::write(&path, bytes).unwrap();
        midi::piece(&path, 4)
    };
    let end = [0, 0xff, 0x2f, 0];
    // C4 for a beat, by running status ended with a velocity of 0; then E4, which never ends; a drum; and one below a piano.
    let track =
        [&[0, 0x90, 60, 64, 96, 60, 0, 0, 64, 64, 0, 0x99, 40, 64, 0, 0x90, 5, 64, 96, 5, 0][..], &end].concat();
    let found = read(&file(0, [0, 96], &track)).unwrap();
    assert_eq!((found.roll.len(), found.drums, found.outside), (8 * KEYS, 1, 1));
    let down: Vec<usize> = (0..8 * KEYS).filter(|place| found.roll[*place] == 1).collect();
    let wanted: Vec<usize> = (0..4).map(|step| step * KEYS + 39).chain((4..8).map(|step| step * KEYS + 43)).collect();
    assert_eq!(down, wanted);
    let note = [&[0, 0x90, 60, 64, 96, 60, 0][..], &end].concat();
    let late = [&[0xff, 0xff, 0xff, 0x7f, 0x90, 60, 64, 96, 60, 0][..], &end].concat();
    let two = |format: u8| {
        let mut bytes = file(format, [0, 96], &note);
        bytes[11] = 2;
        let track = bytes[14..].to_vec();
        [bytes, track].concat()
    };
    assert!(read(&two(1)).is_ok());
    for (bytes, why) in [
        (b"MThd".to_vec(), ""),
        (b"no music".to_vec(), ""),
        (file(0, [0, 96], &end), "it has no notes"),
        (file(0, [0, 0], &note), "its beats have no ticks"),
        (file(0, [0xe7, 40], &note), "film frames (SMPTE)"),
        (two(2), "format 2"),
        (file(0, [0, 1], &late), "can be read"),
    ] {
        let error = read(&bytes).err().unwrap_or_else(|| panic!("{why}"));
        assert!(error.contains(why), "{error}");
        let error = Dataset::load(folder.path().join("a.mid").to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("is not a valid MIDI file"), "{error}");
    }
    // Cut anywhere, and with any byte changed, a file is read or refused.
    let whole = two(1);
    for place in 0..whole.len() {
        let _ = read(&whole[..place]);
        for value in [0, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            let _ = read(&bytes);
        }
    }
}
