//! Rows in few bytes, and back.

use serde_json::Value;

use super::place::{Place, number};
use crate::common;

/// The levels of an IDX file of images.
fn levels(place: &Place, file: &str) -> Vec<u8> {
    std::fs::read(place.path(file)).unwrap()[16..].to_vec()
}

/// Compresses the images of a folder of IDX files, restores them, and returns the figures and the levels that came back.
fn there_and_back(place: &Place, run: &str, device: &str) -> (Value, Vec<u8>) {
    let figures =
        place.json(&format!("compress {run} idx/t10k-images-idx3-ubyte --device {device} --to {run}.wgz --json"));
    let bytes = std::fs::metadata(place.path(&format!("{run}.wgz"))).unwrap().len();
    assert_eq!(number(&figures, "bytes"), bytes as f64);
    assert!((number(&figures, "bits_per_dimension") - 8.0 * bytes as f64 / (400.0 * 784.0)).abs() < 1e-12, "{figures}");
    place.done(&format!("decompress {run} {run}.wgz --device {device} --to {run}/back-ubyte"));
    (figures, levels(place, &format!("{run}/back-ubyte")))
}

#[test]
fn images_come_back_bit_for_bit_at_their_elbo() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    place.done("data export strokes:count=2000 --to idx");
    let images = levels(&place, "idx/t10k-images-idx3-ubyte");
    assert_eq!(images.len(), 400 * 784);
    let bits: Vec<u8> = images.iter().map(|level| if *level >= 128 { 255 } else { 0 }).collect();
    let train = "train --data idx --epochs 2 --hidden 48";
    place.done(&format!("{train} --latent 5 --binarise threshold --out bits"));
    for device in ["cpu", "adapter"] {
        let (figures, back) = there_and_back(&place, "bits", device);
        assert!(back == bits, "{device}");
        let (rate, elbo) = (number(&figures, "bits_per_dimension"), number(&figures, "elbo_bits_per_dimension"));
        // The file's head and the first rows cost what later ones do not.
        assert!((rate / elbo - 1.0).abs() < 0.02, "{device}: {figures}");
        assert_eq!(number(&figures, "raw_bytes"), 400.0 * 98.0);
        // What zeros and ones cost is what training says they do.
        let eval = place.json(&format!("eval bits --draws 50 --device {device} --json"));
        assert!((number(&eval, "bits_per_dimension") - elbo).abs() < 2e-4, "{device}: {elbo} {eval}");
    }
    // Levels, under a prior of parts and with classes.
    for (run, flags) in [
        ("levels", "--latent 5 --condition class"),
        ("mixture", "--latent 4 --prior mixture --prior-parts 7 --condition class"),
        ("heavy", "--latent 5 --likelihood student-t"),
        ("sharp", "--latent 5 --likelihood laplace"),
        ("logistic", "--latent 5 --likelihood logistic --condition class"),
        ("vamp", "--latent 4 --prior vamp --prior-parts 5"),
    ] {
        let likelihood = if flags.contains("likelihood") { "" } else { "--likelihood gaussian-learned" };
        place.done(&format!("{train} {flags} {likelihood} --sigma 0.3 --out {run}"));
        let class = if flags.contains("class") { "--class 3" } else { "" };
        let line = format!("compress {run} idx/t10k-images-idx3-ubyte {class} --to {run}.wgz --json");
        let figures = place.json(&line);
        place.done(&format!("decompress {run} {run}.wgz --to {run}/back-ubyte"));
        assert!(levels(&place, &format!("{run}/back-ubyte")) == images, "{run}");
        let (rate, elbo) = (number(&figures, "bits_per_dimension"), number(&figures, "elbo_bits_per_dimension"));
        assert!((rate / elbo - 1.0).abs() < 0.02, "{run}: {figures}");
    }
    // Other formats have the same levels, and the rows of a file are in the order they came in.
    place.done("decompress levels levels.wgz --to pictures");
    place.done("data export idx --to floats --format npy");
    place.done("decompress vamp vamp.wgz --to back.npy");
    let [back, exported] = ["back.npy", "floats/test.npy"].map(|name| std::fs::read(place.path(name)).unwrap());
    assert!(back == exported);
    let first = image::open(place.path("pictures/3/000.png")).unwrap().to_luma8().into_raw();
    assert!(first == images[..784], "all were told to be threes");
    // Fewer rows than a batch, and one.
    for limit in [1, 3, 130] {
        place.done(&format!("compress bits --limit {limit} --to some.wgz"));
        let back = place.done("decompress bits some.wgz --to -");
        assert_eq!(back.lines().count(), limit + 1);
    }
}

/// A model whose codes do not fill the prior: draws that followed what lies on top of the stack would cost 4 % more.
#[test]
fn codes_that_do_not_fill_the_prior_cost_no_more() {
    let place = Place::new();
    let train = "train --data strokes:count=10000 --device cpu --steps 150 --latent 4 --binarise draw";
    for (run, flags) in [("linear", "--hidden none"), ("weighted", "--hidden 64 --objective iwae --samples 5")] {
        place.done(&format!("{train} {flags} --out {run}"));
        let figures = place.json(&format!("compress {run} --to {run}.wgz --json"));
        let (rate, elbo) = (number(&figures, "bits_per_dimension"), number(&figures, "elbo_bits_per_dimension"));
        assert!((rate / elbo - 1.0).abs() < 0.01, "{run}: {figures}");
    }
}

#[test]
fn what_would_come_back_wrong_is_refused() {
    let place = Place::new().with_table();
    let train = "train --data strokes:count=300 --epochs 1 --hidden 16 --latent 3";
    place.done(&format!("{train} --binarise draw --out bits"));
    place.done(&format!("{train} --binarise draw --seed 5 --out others"));
    place.done(&format!("{train} --out grey"));
    place.done(&format!("{train} --likelihood mse --out squares"));
    place.done(&format!("{train} --objective ae --out plain"));
    place.done("compress bits --to bits.wgz");
    place.done("compress bits --to oracle.wgz --device oracle");
    let whole = std::fs::read(place.path("bits.wgz")).unwrap();
    std::fs::write(place.path("cut.wgz"), &whole[..whole.len() - 3]).unwrap();
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 1;
    std::fs::write(place.path("bent.wgz"), bent).unwrap();
    std::fs::write(place.path("empty.wgz"), "").unwrap();
    // More rows than what is on the stack gives, with a right checksum.
    let mut forged = whole[..whole.len() - 8].to_vec();
    let rows = 5 + usize::from(whole[4]) + 3 * 8;
    forged[rows..rows + 8].copy_from_slice(&20_000_000_u64.to_le_bytes());
    forged.extend(xxhash_rust::xxh3::xxh3_64(&forged).to_le_bytes());
    std::fs::write(place.path("forged.wgz"), forged).unwrap();
    place.done(&format!("{train} --likelihood laplace --binarise threshold --out dense"));
    #[cfg(unix)]
    {
        let (code, message) = place.refused("decompress bits /dev/zero");
        assert!(code == 3 && message.contains("only regular files can be read"), "{message}");
    }
    for (line, code, reason) in [
        ("compress grey", 2, "the likelihood bernoulli is one of zeros and ones"),
        ("compress squares", 2, "mse is no likelihood"),
        ("compress plain", 2, "plain is a plain autoencoder"),
        ("compress table", 2, "table has the likelihood of a table"),
        ("decompress others bits.wgz", 2, "made with another model than that of others"),
        ("decompress bits oracle.wgz", 2, "computes other numbers with"),
        ("decompress bits cut.wgz", 3, "it is damaged"),
        ("decompress bits bent.wgz", 3, "it is damaged"),
        ("decompress bits empty.wgz", 3, "it is too short"),
        ("decompress bits rows.csv", 3, "was not written by `wgvae compress`"),
        ("decompress bits gone.wgz", 3, "gone.wgz"),
        ("decompress bits bits.wgz --to back.xls", 2, "does not say which format"),
        ("decompress bits forged.wgz", 3, "it is made up"),
        ("compress dense", 2, "zeros and ones with a density (laplace)"),
        ("compress bits --strict", 2, "name another source of rows"),
        ("encode bits --to codes.wgc", 2, "say how many with --bits"),
        ("encode bits --bits 4 --only z", 2, "leave --only out"),
        ("encode plain --bits 4", 2, "plain is a plain autoencoder"),
        ("decode bits bits.wgc", 3, "bits.wgc"),
    ] {
        let (found, message) = place.refused(line);
        assert_eq!(found, code, "{line}: {message}");
        assert!(message.contains(reason), "{line}: {message}");
    }
    place.done("decompress bits oracle.wgz --device oracle");
    assert!(place.path("bits/decompressed.npy").is_file());
}

#[test]
fn codes_of_few_bits_are_near_the_codes() {
    let Some(place) = Place::with_adapter() else { return };
    place.done("train --data strokes:count=600 --epochs 4 --hidden 32 --latent 4 --out run");
    place.done("encode run --only mu --to mu.csv");
    let numbers = |csv: &str| -> Vec<f64> {
        let cells = csv.lines().skip(1).flat_map(|line| line.split(',').rev().take(4));
        cells.map(|cell| cell.parse().unwrap()).collect()
    };
    let exact = numbers(&std::fs::read_to_string(place.path("mu.csv")).unwrap());
    assert_eq!(exact.len(), 4 * 120);
    let mut last = f64::INFINITY;
    for bits in [1, 4, 9] {
        let rounded = numbers(&place.done(&format!("encode run --bits {bits} --to -")));
        let mut values: Vec<String> = rounded.iter().map(f64::to_string).collect();
        values.sort_unstable();
        values.dedup();
        assert!(values.len() <= 1 << bits, "{values:?}");
        let far = rounded.iter().zip(&exact).map(|(a, b)| (a - b).abs()).sum::<f64>() / exact.len() as f64;
        assert!(far < last / 3.0, "{bits} bits: {far} after {last}");
        last = far;
        // A file of nothing else has the bits, and is decoded to the same rows.
        place.done(&format!("encode run --bits {bits} --to codes.wgc"));
        let size = std::fs::metadata(place.path("codes.wgc")).unwrap().len();
        assert_eq!(size, 33 + 60 * bits);
        place.done(&format!("encode run --bits {bits} --to codes.csv"));
        place.done("decode run codes.csv --to a.npy");
        place.done("decode run codes.wgc --to b.npy");
        assert!(std::fs::read(place.path("a.npy")).unwrap() == std::fs::read(place.path("b.npy")).unwrap());
    }
}
