//! Samples of a log-mel picture: phases are found that belong to its amplitudes.
//!
//! Griffin and Lim's method begins with random phases. Again and again it makes samples of amplitudes and phases, transforms these,
//! and keeps the phases. Perraudin, Balazs and Sondergaard's step goes on in the direction of the last change, and needs fewer turns.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::num_complex::Complex;

use super::mel::Mel;

/// Turns, after which more change the error little.
const TURNS: usize = 40;
/// How far each turn goes on in the direction of the last one.
const MOMENTUM: f64 = 0.99;

/// The samples of an image of levels, a hop for each frame.
pub fn samples(mel: &Mel, levels: &[f32], frames: usize, top: f64) -> Vec<f32> {
    let amplitudes = mel.amplitudes(levels, frames, top);
    // The same picture always makes the same sound.
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let turn = |_| {
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        Complex::new(libm::cos(angle), libm::sin(angle))
    };
    let mut phases: Vec<Complex<f64>> = (0..amplitudes.len()).map(turn).collect();
    let mut last = vec![Complex::new(0.0, 0.0); amplitudes.len()];
    for _ in 0..TURNS {
        let rebuilt = mel.windows.transform(&joined(mel, &amplitudes, &phases), frames);
        for ((phase, last), rebuilt) in phases.iter_mut().zip(&mut last).zip(rebuilt) {
            let ahead = rebuilt - *last * (MOMENTUM / (1.0 + MOMENTUM));
            let size = ahead.norm();
            *phase = if size > 0.0 { ahead / size } else { Complex::new(1.0, 0.0) };
            *last = rebuilt;
        }
    }
    joined(mel, &amplitudes, &phases).into_iter().map(|sample| sample as f32).collect()
}

/// The samples of amplitudes with phases.
fn joined(mel: &Mel, amplitudes: &[f64], phases: &[Complex<f64>]) -> Vec<f64> {
    let mut all: Vec<Complex<f64>> = amplitudes.iter().zip(phases).map(|(size, phase)| phase * size).collect();
    mel.windows.samples(&mut all)
}
