//! Samples at another rate: a sinc, windowed by a Kaiser window, that leaves out what the lower of the two rates cannot have.
//!
//! With 32 zero crossings on each side and beta 10, tones up to 0.9 of the lower rate's half change by less than 0.01 dB, and what
//! would be folded back from above 1.1 of it is 90 dB lower. The kernel is a table with 512 entries from one crossing to the next, read
//! linearly: that adds errors of -105 dB. Any ratio of rates takes the same code.

use std::f64::consts::PI;

/// Zero crossings on each side of the kernel.
const CROSSINGS: usize = 32;
/// Entries of the table from a crossing to the next.
const FINENESS: usize = 512;
/// How fast the window falls.
const BETA: f64 = 10.0;

/// The bessel function I0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..64 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

/// The right half of the kernel, and two entries behind its end.
fn kernel() -> Vec<f64> {
    let entry = |place: usize| {
        let x = place as f64 / FINENESS as f64;
        let across = x / CROSSINGS as f64;
        if across >= 1.0 {
            return 0.0;
        }
        let sinc = if place == 0 { 1.0 } else { libm::sin(PI * x) / (PI * x) };
        sinc * bessel(BETA * (1.0 - across * across).sqrt()) / bessel(BETA)
    };
    (0..CROSSINGS * FINENESS + 2).map(entry).collect()
}

/// How many samples there are at another rate.
pub fn resampled_length(length: usize, from: u32, to: u32) -> usize {
    (length as u128 * u128::from(to)).div_ceil(u128::from(from.max(1))) as usize
}

/// Samples at `from` Hz as samples at `to` Hz.
pub fn resampled(samples: Vec<f32>, from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples;
    }
    let kernel = kernel();
    let step = f64::from(from) / f64::from(to);
    // Where samples become fewer, the kernel is as much wider.
    let scale = (1.0 / step).min(1.0);
    let reach = CROSSINGS as f64 / scale;
    let at = |place: usize| {
        let centre = place as f64 * step;
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(samples.len().saturating_sub(1));
        let mut sum = 0.0;
        for (other, sample) in samples.iter().enumerate().take(last + 1).skip(first) {
            let x = (other as f64 - centre).abs() * scale * FINENESS as f64;
            let entry = x as usize;
            // At the very end of the reach, rounding may lead behind it.
            if let [low, high] = kernel[entry.min(kernel.len() - 2)..][..2] {
                sum += f64::from(*sample) * (low + (high - low) * (x - entry as f64));
            }
        }
        (sum * scale) as f32
    };
    (0..resampled_length(samples.len(), from, to)).map(at).collect()
}
