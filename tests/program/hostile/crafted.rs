//! Files that were made to exhaust memory or time.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use image::ImageFormat;
use wgvae::data::{Dataset, Options};

use super::harness::{SOON, chunk, command, described, gzip, idx, npy, path, picture, wgvae, zlib};

const MIB: usize = 1 << 20;

fn written(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> std::path::PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[test]
fn packed_zeros_are_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 10 * MIB];
    // Ten gigabytes in ten megabytes.
    let all = gzip(&[], &zeros, 1024);
    for name in ["zeros.gz", "zeros.csv.gz", "zeros.npy.gz", "train-images-idx3-ubyte.gz"] {
        described(&written(&folder, name, &all), &[], 3, "");
    }
    for (name, start, reason) in [
        ("small.npy.gz", npy("|u1", "(2, 2)", &[]), "too long: the header promises 4 bytes"),
        ("large.npy.gz", npy("|u1", "(10485760, 1024)", &[]), "unpack it first"),
        ("images-idx3.gz", idx(&[2, 1, 2], &[]), "too long: the header promises 4 bytes"),
        ("more-images-idx3.gz", idx(&[10_000_000, 32, 32], &[]), "unpack it first"),
        ("more.csv.gz", b"a,b\n".to_vec(), "unpack"),
    ] {
        let part = if name.ends_with("csv.gz") { b"0,0\n".repeat(5 * MIB / 2) } else { zeros.clone() };
        described(&written(&folder, name, &gzip(&start, &part, 1024)), &[], 3, reason);
    }
}

#[test]
fn packed_zeros_in_an_archive_are_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let archive = |array: &[u8], name: &str| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file(name, zip::write::SimpleFileOptions::default().compression_level(Some(1))).unwrap();
        archive.write_all(array).unwrap();
        let zeros = vec![0; 16 * MIB];
        (0..16).for_each(|_| archive.write_all(&zeros).unwrap());
        archive.finish().unwrap().into_inner()
    };
    for (name, array, reason) in [
        ("x.npy", npy("|u1", "(2, 2)", &[]), "too long"),
        ("odd.npy", npy("|u1", "(2, 2)", &[]), "too long"),
        ("x.npy", npy("|u1", "(262144, 1024)", &[]), "unpack it first"),
        ("x.npy", Vec::new(), "does not begin with the NPY magic number"),
    ] {
        described(&written(&folder, "x.npz", &archive(&array, name)), &[], 3, reason);
    }
}

/// A few bytes of Parquet may stand for a billion rows, and a page may say that it unpacks to anything.
#[cfg(feature = "parquet")]
#[test]
fn packed_tables_are_not_unpacked() {
    use super::harness::parquet;
    let folder = tempfile::tempdir().unwrap();
    let packing = "ZSTD(3)".parse().unwrap();
    let constant = parquet(8 * MIB, packing, |_| [7, 7]);
    assert!(constant.len() < 128 << 10, "{}", constant.len());
    described(&written(&folder, "constant.parquet", &constant), &[], 3, "it unpacks to more than");
    let good = parquet(2000, packing, |row| [row as i64, row as i64 % 7]);
    described(&written(&folder, "good.parquet", &good), &["--label", "c"], 0, "");
    // Type 0 or 2, and then the size of the page when it is unpacked, as a number of two or three bytes.
    let pages = good.windows(3).enumerate().filter(|(_, bytes)| matches!(bytes, [0x15, 0 | 4, 0x15]));
    let places: Vec<usize> = pages.map(|(place, _)| place + 3).collect();
    // Some of them are other numbers, with a size that is no page's.
    let mut refused = 0;
    for place in places {
        let length = good[place..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let huge = [0xfe, 0xff, 0xff, 0xff, 0x0f];
        let file = [&good[..place], &huge, &good[place + length..]].concat();
        let ended = described(&written(&folder, "huge.parquet", &file), &[], 3, "is not a valid Parquet file: ");
        refused += usize::from(ended.stderr.contains("it unpacks to more than"));
    }
    assert!(refused >= 3, "{refused}");
    for (name, content) in
        [("short.parquet", &good[..good.len() / 2]), ("magic.parquet", b"PAR1PAR1"), ("start.parquet", b"PAR1")]
    {
        described(&written(&folder, name, content), &[], 3, "is not a valid Parquet file");
    }
}

/// A BMP file with run lengths, which ends before its first pixel.
fn bmp(width: u32, height: u32) -> Vec<u8> {
    let palette = [0; 1024];
    let offset = 14 + 40 + palette.len() as u32;
    let mut file = b"BM".to_vec();
    file.extend([(offset + 2).to_le_bytes(), [0; 4], offset.to_le_bytes(), 40_u32.to_le_bytes()].concat());
    file.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    file.extend([1, 0, 8, 0, 1, 0, 0, 0]);
    file.extend([0; 20]);
    file.extend(palette);
    file.extend([0, 1]);
    file
}

/// A PNG file of one bit per pixel; `rows` of its rows are there.
fn bits(width: u32, height: u32, rows: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    let content = zlib(&vec![0; (1 + width as usize / 8) * rows as usize]);
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &content), chunk(b"IEND", &[])].concat()
}

#[test]
fn pictures_are_no_larger_than_their_files_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let gif =
        [b"GIF89a\xff\xff\xff\xff\x80\0\0".as_slice(), &[0; 6], b",\0\0\0\0\xff\xff\xff\xff\0\x02\x01D\0;"].concat();
    for (name, content, reason) in [
        ("x.gif", gif, "more than can be read"),
        ("x.bmp", bmp(30_000, 30_000), "more than can be read"),
        ("y.bmp", bmp(11_000, 11_000), "cannot hold the 11000x11000 pixels"),
        ("x.png", bits(50_000, 50_000, 3000), "more than can be read"),
        ("y.png", bits(11_000, 11_000, 11_000), "cannot hold the 11000x11000 pixels"),
    ] {
        let file = written(&folder, name, &content);
        described(&file, &["--image-size", "64x64"], 3, reason);
        described(&file, &[], 3, "not a valid image");
    }
    // A profile that unpacks to 200 MiB beside a picture that is read.
    let small = picture(8, 8, ImageFormat::Png);
    let profile = chunk(b"iCCP", &[b"profile\0\0".as_slice(), &zlib(&vec![0; 200 * MIB])].concat());
    let photos = tempfile::tempdir().unwrap();
    written(&photos, "1.png", &small);
    written(&photos, "2.png", &[&small[..33], &profile, &small[33..]].concat());
    let ended = described(photos.path(), &[], 0, "");
    assert!(ended.stdout.contains("1 training and 1 test"), "{}", ended.stdout);
}

#[test]
fn narrow_pictures_are_resized_in_time() {
    let folder = tempfile::tempdir().unwrap();
    written(&folder, "1.png", &picture(1, 60_000, ImageFormat::Png));
    written(&folder, "2.png", &picture(60_000, 1, ImageFormat::Png));
    for fit in ["crop", "fit", "stretch"] {
        // The resizer takes 16 bytes for each pixel of the size that was asked for, once for each thread.
        for size in ["64x64", "512x512"] {
            described(folder.path(), &["--image-size", size, "--fit", fit], 0, "");
        }
    }
}

/// What people have is still read: a photo of 108 million pixels, without much in it.
#[test]
fn large_photos_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let photo = image::GrayImage::from_pixel(12_000, 9000, image::Luma([99]));
    photo.save(folder.path().join("1.jpg")).unwrap();
    std::fs::copy(folder.path().join("1.jpg"), folder.path().join("2.jpg")).unwrap();
    let ended = wgvae(&["data", &path(folder.path()), "--no-preview", "--image-size", "64x64", "--strict"]);
    ended.expect(0, "");
    assert!(ended.peak < 600 << 20, "{} MiB", ended.peak >> 20);
}

#[test]
fn a_picture_that_is_cut_short_is_left_out() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Bmp] {
        let whole = picture(40, 40, format);
        for place in 1..120 {
            let folder = tempfile::tempdir().unwrap();
            (1..=2).for_each(|i| drop(written(&folder, &format!("{i}.x.png"), &whole)));
            let cut = whole.len() * place / 120;
            // The end of a GIF is a byte that says nothing but that, and a PNG's last chunk is empty.
            let cut =
                if matches!(format, ImageFormat::Gif | ImageFormat::Png) { cut.min(whole.len() - 24) } else { cut };
            written(&folder, "3.png", &whole[..cut]);
            let data = Dataset::load(path(folder.path()).as_str()).unwrap();
            let read = data.train.rows + data.test.rows;
            assert_eq!(read, 2, "{format:?} cut to {cut} of {} bytes", whole.len());
            assert!(
                data.notes[0].starts_with("1 of 3 files could not be read and were skipped: 3.png"),
                "{:?}",
                data.notes
            );
            let strict = Options { strict: true, ..Options::from(path(folder.path()).as_str()) };
            assert!(Dataset::load(strict).unwrap_err().to_string().contains("3.png is not a valid image"));
        }
    }
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1.png", "2.png"] {
        written(&folder, name, &picture(8, 8, ImageFormat::Png));
    }
    let pipe = folder.path().join("3.png");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = folder.path().join("4.png");
    let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let ended = described(folder.path(), &[], 0, "");
    assert!(ended.stdout.contains("2 of 4 files could not be read and were skipped: 3.png, 4.png"), "{}", ended.stdout);
    wgvae(&["data", &path(folder.path()), "--strict", "--no-preview"]).expect(3, "it is a pipe, not a regular file");
    for (file, what) in [(pipe.as_path(), "a pipe"), (&socket, "a socket"), (Path::new("/dev/zero"), "a device")] {
        described(file, &[], 3, &format!("is {what}, and only regular files can be read"));
    }
    wgvae(&["data", "-"]).expect(3, "stdin is empty");
    let child = command(&["data", "/dev/stdin"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/stdin is a pipe"));
}

#[test]
fn names_may_be_long_and_many() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(65_536);
    let file = written(&folder, "long.csv", format!("{long},c\n1,{long}\n2,b\n3,{long}\n").as_bytes());
    described(&file, &["--label", "c"], 0, "");
    described(&file, &["--label", "c", "--keep-label", "nothing"], 3, "there is no class `nothing`");
    let row = "1,".repeat(59_999) + "1\n";
    let distinct: Vec<String> = (0..60_000).map(|i| format!("c{i}")).collect();
    for header in [distinct.join(","), "a,".repeat(59_999) + "a"] {
        let file = written(&folder, "many.csv", format!("{header}\n{row}{row}{row}").as_bytes());
        let ended = described(&file, &[], 0, "");
        // Well below what is allowed: how much an allocator keeps varies.
        assert!(ended.peak < 60 << 20, "{} MiB", ended.peak >> 20);
    }
    // A field takes more memory than its comma.
    let commas = [",".repeat(20 * MIB), "\n".into(), ",".repeat(20 * MIB)].concat();
    described(&written(&folder, "commas.csv", commas.as_bytes()), &[], 3, "no more than 65536 can be read");
    let empty = ["a,b\n", &"\n".repeat(20 * MIB), "1,2\n3,4\n"].concat();
    described(&written(&folder, "empty.csv", empty.as_bytes()), &[], 0, "");
    // More than one row of an array's axes.
    let axes = format!("({})", "1, ".repeat(20_000));
    described(&written(&folder, "axes.npy", &npy("|u1", &axes, &[1])), &[], 3, "more than 64 axes");
}

#[test]
fn classes_are_not_balanced_beyond_measure() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40_000).map(|i| format!("{i},c{}\n", if i < 20_000 { 0 } else { i })).collect();
    let file = written(&folder, "rare.csv", format!("a,c\n{rows}").as_bytes());
    described(&file, &["--label", "c"], 0, "");
    described(&file, &["--label", "c", "--balance"], 3, "drop the rarest with --drop-label");
}

#[test]
fn a_value_too_far_away_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..20).map(|i| format!("{}.001,{}\n", i % 2, 7 * i % 20)).collect();
    // Whichever row is the test row, it is far from the others.
    let load = |far: usize| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[far] = "-3e38,5";
        let file = written(&folder, "far.csv", format!("a,b\n{}\n", lines.join("\n")).as_bytes());
        Dataset::load(path(&file).as_str())
    };
    for data in (0..20).map(|far| load(far).unwrap()) {
        assert!(data.train.numbers(0..data.train.rows, 2).iter().all(|v| v.is_finite()));
        assert!(data.test.numbers(0..data.test.rows, 2).iter().all(|v| v.is_finite()));
    }
}

/// The page's projection of a large latent space.
#[test]
fn many_latent_dimensions_are_projected_in_time() {
    let (rows, dims) = (2000, 2000);
    let values: Vec<f32> =
        (0..rows * dims).map(|i| ((i * 7919 % 10_007) as f32 / 5003.5 - 1.0) * (1 + i % 7) as f32).collect();
    let start = Instant::now();
    let found = wgvae::report::latent::principal(&values, dims);
    let time = start.elapsed();
    assert!(found.points.len() == rows && found.share[0] > 0.0);
    eprintln!("{:>7.2} s 2000 latent dimensions", time.as_secs_f64());
    assert!(time < SOON, "{time:?}");
}

/// A header may promise 4 GiB of samples, and a few bytes of MIDI a note of a billion steps.
#[test]
fn sounds_are_no_longer_than_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let wav = |rate: u32, promised: u32, samples: usize| {
        let header = [b"RIFF", &[0xff; 4][..], b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
        let rates = [rate.to_le_bytes(), (2 * rate).to_le_bytes(), [2, 0, 16, 0]].concat();
        [&header[..], &rates, b"data", &promised.to_le_bytes(), &vec![7; 2 * samples]].concat()
    };
    let few = ["--seconds", "0.5"];
    described(&written(&folder, "promised.wav", &wav(8000, u32::MAX - 1, 20_000)), &few, 0, "");
    described(&written(&folder, "fast.wav", &wav(2_000_000, 40_000, 20_000)), &few, 3, "2000000 samples a second");
    described(&written(&folder, "slow.wav", &wav(1, 40_000, 20_000)), &few, 3, "1 samples a second");
    described(&written(&folder, "none.wav", &wav(8000, u32::MAX - 1, 0)), &few, 3, "it has no samples");
    // From 500 to 16,000 Hz, each sample becomes 32.
    let up = ["--as", "series", "--sample-rate", "16000", "--seconds", "0.5"];
    described(&written(&folder, "up.wav", &wav(500, 40_000, 20_000)), &up, 0, "");
    let midi = |delta: &[u8]| {
        let track = [&[0, 0x90, 60, 64][..], delta, &[60, 0, 0, 0xff, 0x2f, 0]].concat();
        [&b"MThd\0\0\0\x06\0\0\0\x01\0\x01MTrk\0\0\0"[..], &[track.len() as u8], &track].concat()
    };
    let file = written(&folder, "long.mid", &midi(&[0xff, 0xff, 0xff, 0x7f]));
    described(&file, &["--steps-per-beat", "96"], 3, "steps, and up to 131072 can be read");
    described(&written(&folder, "packed.mid.gz", &gzip(b"MThd", &vec![0; MIB], 100)), &[], 3, "");
}
