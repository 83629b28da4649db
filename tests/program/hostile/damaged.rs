//! Five hundred damaged variants of a file for each reader: read or refused, never a panic.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::ImageFormat;
use wgvae::apply::compress::{self, RoundedCodes};
use wgvae::apply::{Run, TrainedModel};
use wgvae::data::{self, Dataset, Options};
use wgvae::{DeviceChoice, DeviceOptions, Resume};

use super::harness::{Draws, command, copied_run, damaged, gzip, idx, npy, picture, record_anew, run_of_points};
use crate::common::folder::copy;

/// Variants of each file; `WGVAE_VARIANTS` asks for more.
fn variants() -> u64 {
    std::env::var("WGVAE_VARIANTS").ok().and_then(|number| number.parse().ok()).unwrap_or(500)
}

/// Damages a file again and again, and reads it each time. `WGVAE_CORPUS` asks for the file as it was, to fuzz from.
fn each(name: &str, file: &Path, good: &[u8], read: impl Fn() -> Result<(), String>) {
    std::fs::write(file, good).unwrap();
    if let Some(corpus) = std::env::var_os("WGVAE_CORPUS") {
        std::fs::write(Path::new(&corpus).join(name), good).unwrap();
    }
    read().unwrap_or_else(|error| panic!("{name} as it was: {error}"));
    let start = std::time::Instant::now();
    let mut refused = 0;
    let variants = variants();
    for seed in 0..variants {
        std::fs::write(file, damaged(good, seed)).unwrap();
        match catch_unwind(AssertUnwindSafe(&read)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                refused += 1;
                assert!(!error.is_empty() && !error.contains('\n') && error.len() < 1500, "{name}, {seed}: {error}");
            }
            Err(_) => panic!("{name}, variant {seed}: a panic"),
        }
    }
    assert!(refused * 25 > variants, "{name}: only {refused} of {variants} variants were refused");
    eprintln!("{:>7.2} s {refused:>4} of {variants} refused  {name}", start.elapsed().as_secs_f64());
}

/// Loads a source as training would.
fn load(source: &Path, change: impl Fn(&mut Options)) -> Result<(), String> {
    let mut options = Options::from(source.to_str().unwrap());
    change(&mut options);
    let data = Dataset::load(options).map_err(|error| error.to_string())?;
    data.check().map_err(|error| error.to_string())
}

fn one(name: &str, good: &[u8], change: impl Fn(&mut Options)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    each(name, &file, good, || load(&file, &change));
}

#[test]
fn tables() {
    let mut draws = Draws(1);
    let rows: String = (0..40).map(|i| format!("{},{}.5,{}\n", i, draws.below(99), ["yes", "no"][i % 2])).collect();
    let text = format!("a,\"b b\",c\n{rows}");
    let label = |o: &mut Options| o.label = Some("c".into());
    one("table.csv", text.as_bytes(), label);
    one("table.tsv", text.replace(',', "\t").as_bytes(), label);
    one("table.csv.gz", &gzip(text.as_bytes(), b"7,8,no\n", 3), label);
}

#[test]
fn texts() {
    let mut draws = Draws(2);
    let mut word = || ["caf\u{e9}", "na\u{ef}ve", "b", "\u{6f22}\u{5b57}"][draws.below(4)];
    let lines: String = (0..40).map(|_| format!("{} {}\n", word(), word())).collect();
    one("lines.txt", lines.as_bytes(), |_| ());
    one("words.txt.gz", &gzip(lines.as_bytes(), "b b\n".as_bytes(), 3), |o| o.tokens = data::TextUnit::Words);
    let objects: String = lines.lines().map(|line| format!("{{\"text\": \"{line}\", \"kind\": 1}}\n")).collect();
    one("lines.jsonl", objects.as_bytes(), |o| o.label = Some("kind".into()));
    let table: String = lines.lines().map(|line| format!("\"{line}\",a\n")).collect();
    one("texts.csv", format!("text,kind\n{table}").as_bytes(), |o| o.text = Some("text".into()));
}

#[cfg(feature = "parquet")]
#[test]
fn packed_tables() {
    use parquet::basic::Compression;
    let label = |o: &mut Options| o.label = Some("c".into());
    for packing in ["UNCOMPRESSED", "SNAPPY", "GZIP(6)", "ZSTD(3)", "LZ4_RAW"] {
        let packing: Compression = packing.parse().unwrap();
        let file = super::harness::parquet(40, packing, |row| [row as i64, 7 * row as i64 % 13]);
        let name = packing.to_string().replace('/', "");
        one(&format!("{}.parquet", name.split('(').next().unwrap()), &file, label);
    }
}

#[test]
fn arrays() {
    let numbers: Vec<u8> = (0..24).flat_map(|i| (i as f32).to_le_bytes()).collect();
    one("x.npy", &npy("<f4", "(6, 4)", &numbers), |_| ());
    one("columns.npy", &[&npy("<f4", "(6, 2, 2)", &numbers)[..]].concat().replace_order(), |_| ());
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in [("x.npy", npy("|u1", "(6, 2, 2)", &numbers[..24])), ("y.npy", npy("|u1", "(6,)", &[1; 6]))] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, &array).unwrap();
    }
    one("x.npz", &archive.finish().unwrap().into_inner(), |_| ());
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in
        [("imgs.npy", npy("|u1", "(6, 2, 2)", &numbers[..24])), ("latents_classes.npy", npy("|u1", "(6, 2)", &[1; 12]))]
    {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, &array).unwrap();
    }
    one("factors.npz", &archive.finish().unwrap().into_inner(), |_| ());
    let images = idx(&[6, 2, 2], &numbers[..24]);
    one("a-images-idx3-ubyte", &images, |_| ());
    one("a-images-idx3-ubyte.gz", &gzip(&images, &[], 0), |_| ());
}

#[test]
fn sounds_and_music() {
    // A sound of 60 samples, which are three rows, and a piece of three notes.
    let header: [&[u8]; 5] = [b"RIFF", &156_u32.to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]];
    let rates = [&1000_u32.to_le_bytes()[..], &2000_u32.to_le_bytes(), &[2, 0, 16, 0], b"data", &120_u32.to_le_bytes()];
    let samples: Vec<u8> = (0..120).map(|byte| (byte * 37) as u8).collect();
    let wav = [&header.concat()[..], &rates.concat(), &samples].concat();
    let rows = |o: &mut Options| (o.format, o.seconds) = (data::RowFormat::Series, Some(0.02));
    one("x.wav", &wav, rows);
    let notes = [0, 0x90, 60, 64, 96, 60, 0, 0, 64, 64, 96, 64, 0, 0, 67, 64, 96, 67, 0, 0, 0xff, 0x2f, 0];
    let midi = [&b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0"[..], &[notes.len() as u8], &notes].concat();
    one("x.mid", &midi, |o| o.max_length = Some(4));
}

trait ReplaceOrder {
    fn replace_order(self) -> Vec<u8>;
}

impl ReplaceOrder for Vec<u8> {
    /// Columns first: `False` and the space before it become ` True`.
    fn replace_order(mut self) -> Vec<u8> {
        let place = self.windows(5).position(|part| part == b"False").unwrap();
        self[place..place + 5].copy_from_slice(b"True ");
        self
    }
}

#[test]
fn pictures() {
    for (name, format) in [
        ("x.png", ImageFormat::Png),
        ("x.jpg", ImageFormat::Jpeg),
        ("x.bmp", ImageFormat::Bmp),
        ("x.gif", ImageFormat::Gif),
        ("x.webp", ImageFormat::WebP),
    ] {
        let good = picture(24, 17, format);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("good.png"), picture(12, 12, ImageFormat::Png)).unwrap();
        std::fs::write(folder.path().join("other.png"), picture(12, 12, ImageFormat::Png)).unwrap();
        let size = |o: &mut Options| (o.image_size, o.strict) = ("8x8".parse().ok(), true);
        each(name, &folder.path().join(name), &good, || load(folder.path(), size));
    }
}

/// Each file of a run that a model is made of, from the file to scores on a device; and its measurements, up to the page.
#[test]
fn models() {
    let run = copied_run();
    for name in ["data.json", "config.toml", "run.json", "model.safetensors", "metrics.jsonl"] {
        let file = run.path().join(name);
        let good = std::fs::read(&file).unwrap();
        each(name, &file, &good, || {
            if ["data.json", "config.toml"].contains(&name) {
                record_anew(run.path());
            }
            let run = Run::open(run.path()).map_err(|error| error.to_string())?;
            let source = Options::from("points:count=20");
            let rows = data::rows(&source, &run.data).map_err(|error| error.to_string())?;
            let device = DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() };
            let mut model =
                TrainedModel::open(&run, rows.split.rows, &device, &mut |_| {}).map_err(|error| error.to_string())?;
            let done = match name {
                "metrics.jsonl" | "run.json" => wgvae::run::page(&run, &rows, &rows.split, &mut model).map(|_| ()),
                _ => model.score(&rows.split, 1).map(|_| ()),
            };
            done.map_err(|error| error.to_string())
        });
        std::fs::write(&file, good).unwrap();
        if name != "run.json" {
            record_anew(run.path());
        }
    }
}

/// What a run goes on from: its record and its checkpoints, any of which may be damaged while the others are used.
#[test]
fn checkpoints() {
    let run = tempfile::tempdir().unwrap();
    copy(run_of_points(), run.path());
    let checkpoints = std::fs::read_dir(run.path().join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = checkpoints.chain([run.path().join("run.json")]).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let good = std::fs::read(&file).unwrap();
        each(name, &file, &good, || {
            let resumed = Resume::open(run.path()).map_err(|error| error.to_string())?;
            match resumed.damaged.first() {
                Some((_, reason)) => Err(reason.clone()),
                None => Ok(()),
            }
        });
        std::fs::write(&file, good).unwrap();
    }
}

/// Rows and codes in few bytes, from the file to what a model makes of it.
#[test]
fn compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let line = "train --data strokes:count=60 --binarise threshold --hidden 4 --latent 2 --batch 10 --steps 5 --device cpu --out";
    let args: Vec<&str> = line.split(' ').chain([path.to_str().unwrap()]).collect();
    assert!(command(&args).output().unwrap().status.success());
    let run = Run::open(&path).unwrap();
    let rows = data::rows(&Options::from("strokes:count=8"), &run.data).unwrap().split;
    let device = DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() };
    let mut model = TrainedModel::open(&run, rows.rows, &device, &mut |_| {}).unwrap();
    let packed = compress::compress(&run, &mut model, &rows, &mut |_| {}).unwrap().to_bytes();
    let codes = model.encode(&rows).unwrap().mu;
    let rounded = RoundedCodes::of(&mut model, &codes, 4).unwrap().to_bytes();
    let model = RefCell::new(model);
    let file = folder.path().join("rows.wgz");
    each("rows.wgz", &file, &packed, || {
        let packed = compress::CompressedFile::of_bytes(&std::fs::read(&file).unwrap())?;
        let back = compress::decompress(&run, &mut model.borrow_mut(), packed, &mut |_| {});
        back.map(drop).map_err(|error| error.to_string())
    });
    // Made up, with right checksums: rows that nothing in the file stands for. None of them comes back.
    let good = compress::CompressedFile::of_bytes(&packed).unwrap();
    let mut forged = 0;
    for number in 0..300_u32 {
        let bits = |place: u32| wgvae_engine::kernels::rng::threefry2x32([30, number], [place, 0]);
        let words = match number % 4 {
            0 => good.words.clone(),
            1 => vec![u32::MAX; 1000],
            2 => (0..1000).map(|place| bits(place)[0]).collect(),
            _ => {
                good.words.iter().map(|word| word ^ (u32::from(bits(*word)[1] % 9 == 0) << 7)).chain([1 << 9]).collect()
            }
        };
        let rows = [0, 1 << 39, 1 << 20, 1 + bits(1)[0] as usize % 5000][bits(0)[0] as usize % 4];
        let file = compress::CompressedFile { rows, words, ..good.clone() };
        let file = compress::CompressedFile::of_bytes(&file.to_bytes()).unwrap();
        let start = std::time::Instant::now();
        let error = compress::decompress(&run, &mut model.borrow_mut(), file, &mut |_| {}).unwrap_err();
        assert!(matches!(error, wgvae::apply::RunError::Content(_)), "{number}: {error}");
        assert!(start.elapsed() < super::harness::SOON, "{number} took {:?}", start.elapsed());
        forged += 1;
    }
    eprintln!("{forged} archives were made up and refused");
    let file = folder.path().join("codes.wgc");
    each("codes.wgc", &file, &rounded, || {
        let rounded = RoundedCodes::of_bytes(&std::fs::read(&file).unwrap())?;
        rounded.values_for(&mut model.borrow_mut()).map(drop).map_err(|error| error.to_string())
    });
}

/// Files of codes for `decode`.
#[test]
fn codes() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..20).map(|i| format!("{i},{}.25,-1e-3\n", i * 3)).collect();
    let numbers: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
    for (name, good) in
        [("codes.csv", format!("origin,mu_0,mu_1\n{text}").into_bytes()), ("codes.npy", npy("<f4", "(4, 2)", &numbers))]
    {
        let file = folder.path().join(name);
        each(name, &file, &good, || data::numbers(&file, &["mu", "z"]).map(|_| ()).map_err(|error| error.to_string()));
    }
}
