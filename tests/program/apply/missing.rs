//! Images of which pixels are missing.

use safetensors::SafeTensors;
use wgvae::data::{Dataset, Examples, Options, write};
use wgvae::{DeviceChoice, DeviceOptions, Run, TrainedModel};

use super::place::Place;

const WIDTH: usize = 28 * 28;

/// Images of strokes, and the same with a hole each and one pixel in five missing.
fn images(rows: usize) -> [Vec<f32>; 2] {
    let options = Options { test_share: 1.0 / rows as f64, ..format!("strokes:count={rows}").as_str().into() };
    let data = Dataset::load(options).unwrap();
    let whole = data.train.numbers(0..data.train.rows, WIDTH);
    let is_gone = |place: usize| {
        let (row, pixel) = (place / WIDTH, place % WIDTH);
        let (y, x) = (pixel / 28, pixel % 28);
        let (top, left) = (row * 7 % 20, row * 11 % 20);
        let hash = (place as u32).wrapping_mul(0x9e37_79b9);
        (top..top + 8).contains(&y) && (left..left + 8).contains(&x)
            || (hash ^ hash >> 15).wrapping_mul(0x2c1b_3c6d) >> 24 < 51
    };
    let holes = whole.iter().enumerate().map(|(place, value)| if is_gone(place) { f32::NAN } else { *value }).collect();
    [whole, holes]
}

fn put(place: &Place, name: &str, values: &[f32]) {
    write::write_npy(&place.path(name), &[values.len() / WIDTH, 28, 28], values).unwrap();
}

/// The numbers of an NPY file.
fn numbers(place: &Place, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(place.path(name)).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// The root mean square error of what is missing.
fn rmse(holes: &[f32], whole: &[f32], of: impl Fn(usize) -> f32) -> f64 {
    let gone: Vec<usize> = (0..holes.len()).filter(|i| holes[*i].is_nan()).collect();
    let squares: f64 = gone.iter().map(|i| f64::from(of(*i) - whole[*i]).powi(2)).sum();
    (squares / gone.len() as f64).sqrt()
}

#[test]
fn missing_pixels_are_learned_around_and_filled_in() {
    let Some(place) = Place::with_adapter() else { return };
    let [whole, holes] = images(1601);
    let split = 1500 * WIDTH;
    put(&place, "holes.npy", &holes[..split]);
    put(&place, "new.npy", &holes[split..]);
    put(&place, "whole.npy", &whole[split..]);
    let data = place.json("data holes.npy --json --no-preview");
    assert!(data["notes"][0].as_str().unwrap().contains("pixels are missing"), "{data}");
    assert_eq!(data["range"]["max"].as_f64(), Some(1.0), "{data}");

    place.done("train --data holes.npy --hidden 128 --epochs 40 --batch 64 --device cpu --out dense");
    let eval = place.json("eval dense --data new.npy --json");
    assert!((40.0..120.0).contains(&eval["loss"].as_f64().unwrap()), "{eval}");
    place.done("restore dense --data new.npy --to filled.npy");
    let filled = numbers(&place, "filled.npy");
    let (holes, whole) = (&holes[split..], &whole[split..]);
    assert!(holes.iter().zip(&filled).all(|(seen, filled)| seen.is_nan() || seen == filled), "what is seen stays");
    let (restored, black) = (rmse(holes, whole, |i| filled[i]), rmse(holes, whole, |_| 0.0));
    eprintln!("{restored:.4} by the model, {black:.4} in black");
    assert!(restored < 0.62 * black, "{restored}, and {black} in black");
    // Whole images are no others; and a model of whole images fills in what is missing.
    assert!(place.json("eval dense --data whole.npy --json")["loss"].as_f64().unwrap() > 40.0);
    place.done("train --data strokes:count=1500 --hidden 128 --epochs 20 --device cpu --out of-whole");
    let done = place.json("restore of-whole --data new.npy --to by-whole.npy --json");
    assert_eq!(done["missing"].as_u64().unwrap(), holes.iter().filter(|value| value.is_nan()).count() as u64);
    assert!(rmse(holes, whole, |i| numbers(&place, "by-whole.npy")[i]) < 0.7 * black);

    // What is written is what was given.
    place.done("data export new.npy --format npy --to again");
    assert!(numbers(&place, "again/train.npy").iter().any(|value| value.is_nan()));
    for line in ["reconstruct dense", "anomaly dense --draws 1", "encode dense", "report dense", "sample dense"] {
        place.done(line);
    }
}

#[test]
fn convolutions_know_which_pixels_are_missing() {
    let Some(place) = Place::with_adapter() else { return };
    let [_, holes] = images(401);
    put(&place, "holes.npy", &holes);
    place.done("train --preset conv --data holes.npy --steps 60 --batch 32 --out conv");
    let loss = place.json("eval conv --json")["loss"].as_f64().unwrap();
    assert!((50.0..250.0).contains(&loss), "{loss}");
    std::fs::write(place.path("res.toml"), "[model]\nencoder = [\"res 8\", \"dense 16\"]\n").unwrap();
    // What is said of the pixels comes before it.
    let refused = place.wgvae("train --config res.toml --data holes.npy --out none");
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("the first layer of the encoder must be dense or conv"), "{message}");
    assert_eq!(refused.status.code(), Some(2));
    let (code, message) = place.refused("train --data holes.npy --missing drop --out none");
    assert!(code == 3 && message.contains("every row has a missing value"), "{message}");
}

/// The rows that are learned for a VampPrior have no missing values: its parts are the codes of these rows as any others are encoded.
#[test]
fn nothing_is_missing_in_rows_of_a_prior() {
    let place = Place::new();
    let [_, holes] = images(401);
    put(&place, "holes.npy", &holes);
    for (run, layers) in [("dense", "--hidden 24"), ("conv", "--preset conv")] {
        let train = format!("train --data holes.npy {layers} --latent 3 --prior vamp --prior-parts 5");
        place.done(&format!("{train} --steps 40 --batch 32 --device cpu --out {run}"));
        let bytes = std::fs::read(place.path(run).join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let inputs = tensors.tensor("prior.inputs").unwrap().data().chunks_exact(4);
        let inputs: Vec<f32> = inputs.map(|w| f32::from_le_bytes(w.try_into().unwrap())).collect();
        let on = DeviceOptions { device: DeviceChoice::Cpu, ..DeviceOptions::default() };
        let opened = Run::open(&place.path(run)).unwrap();
        let mut model = TrainedModel::open(&opened, 5, &on, &mut |_| {}).unwrap();
        let codes = model.encode(&Examples::of_numbers(&inputs, false, WIDTH)).unwrap();
        let (mean, _) = model.prior().moments();
        for (z, mean) in mean.into_iter().enumerate() {
            let of_rows = (0..5).map(|row| f64::from(codes.mu[3 * row + z])).sum::<f64>() / 5.0;
            assert!((mean - of_rows).abs() < 1e-5, "{run}: {mean} {of_rows}");
        }
        let eval = place.json(&format!("eval {run} --nll 20 --device cpu --json"));
        assert!(eval["nll"].as_f64().unwrap() < eval["loss"].as_f64().unwrap(), "{eval}");
    }
}
