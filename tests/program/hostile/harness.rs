//! Runs the program while its memory and its time are watched; makes and damages files.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use wgvae::train::FileRecord;

use crate::common::folder::copy;

/// What a command may take beside the memory of its file: 64 MiB and twice the file.
pub fn allowed(file: u64) -> u64 {
    2 * file + (64 << 20)
}

/// How long anything may take on a busy machine; alone, all of it takes less than two seconds.
pub const SOON: Duration = Duration::from_secs(8);

/// How a command has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The most memory it had, where the system tells.
    pub peak: u64,
    pub time: Duration,
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE"] {
        command.env_remove(variable);
    }
    command.env("WGVAE_TUNE", "off").args(args).stdin(Stdio::null());
    command
}

/// Runs the program, and ends it where it takes too long.
pub fn wgvae(args: &[&str]) -> Ended {
    ended(command(args))
}

/// Runs a command, and ends it where it takes too long.
pub fn ended(mut command: Command) -> Ended {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = from.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory(&child));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > 4 * SOON {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let time = start.elapsed();
    let ended =
        Ended { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), peak, time };
    let args: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    eprintln!("{:>7.2} s {:>6} MiB  {}", time.as_secs_f64(), peak >> 20, args.join(" "));
    ended
}

/// The most memory that a process has had so far.
fn memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    // Until it has its own name, the memory is still that of this process.
    if !status.starts_with("Name:\twgvae\n") {
        return 0;
    }
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    1024 * peak.unwrap_or(0_u64)
}

impl Ended {
    /// It ended in time, without a panic, and printed at most one sentence of an error.
    pub fn expect(&self, code: i32, reason: &str) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(reason), "no {reason:?} in {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(self.time < SOON, "it took {:?}", self.time);
        let errors = self.stderr.lines().filter(|line| line.starts_with("wgvae: ")).count();
        assert!(errors <= 1 && self.stderr.len() < 2000, "{}", self.stderr);
    }
}

pub fn path(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}

/// `wgvae data` on a file, which takes no more memory than its size allows.
pub fn described(file: &Path, more: &[&str], code: i32, reason: &str) -> Ended {
    let ended = wgvae(&[&["data", &path(file), "--no-preview"], more].concat());
    ended.expect(code, reason);
    let size = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    assert!(ended.peak < allowed(size), "{} of {size} bytes took {} MiB", file.display(), ended.peak >> 20);
    ended
}

/// A Parquet file of the columns `a` and `b` of whole numbers and `c` of two words, in groups of a million rows.
#[cfg(feature = "parquet")]
pub fn parquet(rows: usize, packing: parquet::basic::Compression, of_row: impl Fn(usize) -> [i64; 2]) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    let message = "message schema { required int64 a; required int64 b; optional binary c (STRING); }";
    let schema = parquet::schema::parser::parse_message_type(message).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder().set_compression(packing).build();
    let mut file =
        parquet::file::writer::SerializedFileWriter::new(Vec::new(), schema.into(), properties.into()).unwrap();
    for first in (0..rows).step_by(1 << 20) {
        let rows = first..rows.min(first + (1 << 20));
        let mut group = file.next_row_group().unwrap();
        for place in 0..2 {
            let mut column = group.next_column().unwrap().unwrap();
            let numbers: Vec<i64> = rows.clone().map(|row| of_row(row)[place]).collect();
            column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
            column.close().unwrap();
        }
        let mut column = group.next_column().unwrap().unwrap();
        let words: Vec<ByteArray> = rows.clone().map(|row| ByteArray::from(["yes", "no"][row % 2])).collect();
        column.typed::<ByteArrayType>().write_batch(&words, Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    file.into_inner().unwrap()
}

/// A gzip stream of a start and `times` times the same part.
pub fn gzip(start: &[u8], part: &[u8], times: usize) -> Vec<u8> {
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (mut all, part) = (packed(start), packed(part));
    (0..times).for_each(|_| all.extend(&part));
    all
}

pub fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
}

pub fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A chunk of a PNG file.
pub fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(content);
    [&(content.len() as u32).to_be_bytes(), kind.as_slice(), content, &crc.sum().to_be_bytes()].concat()
}

pub fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A small picture with some structure.
pub fn picture(height: u32, width: u32, format: image::ImageFormat) -> Vec<u8> {
    let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 9) as u8, (y * 7 + x) as u8, 128]));
    let mut file = std::io::Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A run of a small model of 2-D points, trained for two steps on the CPU; its latent space has two dimensions.
pub fn run_of_points() -> &'static Path {
    static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let out = path(&folder.path().join("run"));
        let args = ["train", "--preset", "points", "--data", "points:count=100", "--hidden", "8", "--batch", "16"];
        wgvae(&[&args[..], &["--steps", "2", "--device", "cpu", "--out", &out]].concat()).expect(0, "");
        folder
    });
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder.path().join("run"))
}

/// A copy of that run.
pub fn copied_run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(run_of_points(), folder.path());
    folder
}

/// Lets the record of a run say that its files are as they are now: what is in them is read, which a wrong checksum would prevent.
pub fn record_anew(run: &Path) {
    let record = run.join("run.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    for (key, file) in [("config", "config.toml"), ("data", "data.json")] {
        json[key] = serde_json::to_value(FileRecord::of(&std::fs::read(run.join(file)).unwrap())).unwrap();
    }
    std::fs::write(&record, json.to_string()).unwrap();
}

/// Draws from a seed.
pub struct Draws(pub u64);

impl Draws {
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

/// A file with damage that the seed decides: cut short, bits flipped, numbers set to extremes, parts repeated.
pub fn damaged(file: &[u8], seed: u64) -> Vec<u8> {
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1);
    let mut bytes = file.to_vec();
    // Half of the damage hits the header, which is where lengths stand.
    let place = |draws: &mut Draws, length: usize| {
        if draws.below(2) == 0 { draws.below(length.min(64)) } else { draws.below(length) }
    };
    match seed % 4 {
        0 => bytes.truncate(draws.below(file.len())),
        1 => {
            for _ in 0..=draws.below(8) {
                let at = place(&mut draws, bytes.len());
                bytes[at] ^= 1 << draws.below(8);
            }
        }
        2 => {
            let extremes =
                [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 1 << 24, 0x7fff_ffff, 0x8000_0000, u32::MAX, 65_536];
            let value = extremes[draws.below(extremes.len())];
            let number = if draws.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
            let width = [1, 2, 4][draws.below(3)];
            let at = place(&mut draws, bytes.len());
            for (slot, byte) in bytes[at..].iter_mut().zip(&number[..width]) {
                *slot = *byte;
            }
        }
        _ => {
            let (from, to) = (draws.below(bytes.len()), draws.below(bytes.len()));
            let part = bytes[from..(from + draws.below(64)).min(bytes.len())].to_vec();
            bytes.splice(to..to, part);
        }
    }
    bytes
}
