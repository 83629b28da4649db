//! Samples as levels of loudness in bands of the mel scale, and loudness in bands as loudness of frequencies.

use realfft::num_complex::Complex;

use super::fft::Windows;

/// The windows that can be, in samples; powers of two.
pub const WINDOWS: [usize; 2] = [32, 16_384];

/// The loudness from level 0 to level 1, in dB.
pub const RANGE: f64 = 80.0;

/// The least loudness that has a logarithm, in dB of a full sine.
pub const SILENCE: f64 = -200.0;

/// Seconds of a window: the periods of a low voice fit into it, and a quarter of it is short beside a sound of speech.
const WINDOW_SECONDS: f64 = 0.064;

/// Updates of the loudness of frequencies, after which it agrees with that of bands to 0.1 dB.
const UPDATES: usize = 40;

/// A band: its first frequency, and the weight of each from there.
struct Band {
    first: usize,
    weights: Vec<f64>,
}

/// Bands over the frequencies of windows.
pub struct Mel {
    pub windows: Windows,
    /// From low to high.
    bands: Vec<Band>,
}

/// The window that suits a rate, a power of two.
pub fn window_of(rate: u32) -> usize {
    let samples = f64::from(rate) * WINDOW_SECONDS;
    (1 << libm::log2(samples).round() as u32).clamp(WINDOWS[0], WINDOWS[1])
}

/// Hz as mel.
fn mel(hz: f64) -> f64 {
    2595.0 * libm::log10(1.0 + hz / 700.0)
}

/// Mel as Hz.
fn hz(mel: f64) -> f64 {
    700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0)
}

impl Mel {
    /// Triangles that are equally wide on the mel scale, from 0 Hz to half of the rate; each begins at the middle of the one before.
    pub fn new(rate: u32, window: usize, bands: usize) -> Self {
        let windows = Windows::new(window);
        let bin = f64::from(rate) / window as f64;
        let last = windows.bins() - 1;
        let edge = |place: usize| hz(mel(f64::from(rate) / 2.0) * place as f64 / (bands + 1) as f64) / bin;
        let band = |place: usize| {
            let [low, middle, high] = [edge(place), edge(place + 1), edge(place + 2)];
            let weight = |bin: usize| {
                let at = bin as f64;
                ((at - low) / (middle - low)).min((high - at) / (high - middle)).max(0.0)
            };
            let first = (low.ceil() as usize).min(last);
            let weights: Vec<f64> = (first..=(high as usize).min(last)).map(weight).collect();
            // Where bands are narrower than frequencies are apart, a band is the nearest of these.
            match weights.iter().sum::<f64>() > 0.0 {
                true => Band { first, weights },
                false => Band { first: (middle.round() as usize).min(last), weights: vec![1.0] },
            }
        };
        Self { windows, bands: (0..bands).map(band).collect() }
    }

    /// The power in each band of a frame: `power` is that of its frequencies.
    fn of_bands(&self, power: &[f64]) -> Vec<f64> {
        let of =
            |band: &Band| band.weights.iter().zip(&power[band.first..]).map(|(weight, power)| weight * power).sum();
        self.bands.iter().map(of).collect()
    }

    /// What each frequency gets from bands, `(bins)`.
    fn of_bins(&self, bands: &[f64]) -> Vec<f64> {
        let mut bins = vec![0.0; self.windows.bins()];
        for (band, value) in self.bands.iter().zip(bands) {
            for (weight, bin) in band.weights.iter().zip(&mut bins[band.first..]) {
                *bin += weight * value;
            }
        }
        bins
    }

    /// Loudness in dB of a full sine, as an image `(bands, frames)` whose first row is the highest band.
    pub fn loudness(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let samples: Vec<f64> = samples.iter().map(|sample| f64::from(*sample)).collect();
        let count = self.bands.len();
        let mut image = vec![0.0; count * frames];
        let full = self.windows.full().powi(2);
        let power = |bin: &Complex<f64>| bin.norm_sqr() / full;
        for (frame, bins) in self.windows.transform(&samples, frames).chunks(self.windows.bins()).enumerate() {
            let bands = self.of_bands(&bins.iter().map(power).collect::<Vec<f64>>());
            for (band, power) in bands.iter().enumerate() {
                image[(count - 1 - band) * frames + frame] = (10.0 * libm::log10(*power)).max(SILENCE) as f32;
            }
        }
        image
    }

    /// The amplitudes `(frames, bins)` of an image of levels. Many belong to the same bands: the powers are found that are not negative
    /// and change little from one frequency to the next, by Lee and Seung's updates of what is equal at first.
    pub fn amplitudes(&self, levels: &[f32], frames: usize, top: f64) -> Vec<f64> {
        let count = self.bands.len();
        let mut all = Vec::with_capacity(frames * self.windows.bins());
        for frame in 0..frames {
            let power = |band: usize| match f64::from(levels[(count - 1 - band) * frames + frame]) {
                level if level > 0.0 => libm::pow(10.0, (top + RANGE * (level.min(1.0) - 1.0)) / 10.0),
                _ => 0.0,
            };
            let wanted: Vec<f64> = (0..count).map(power).collect();
            let numerators = self.of_bins(&wanted);
            let mut bins = numerators.clone();
            for _ in 0..UPDATES {
                let denominators = self.of_bins(&self.of_bands(&bins));
                for ((bin, numerator), denominator) in bins.iter_mut().zip(&numerators).zip(denominators) {
                    *bin *= if denominator > 0.0 { numerator / denominator } else { 0.0 };
                }
            }
            all.extend(bins.into_iter().map(|power| self.windows.full() * power.sqrt()));
        }
        all
    }
}

/// Loudness in dB as a level of 256.
pub fn level(loudness: f32, top: f64) -> u8 {
    let level = 1.0 + (f64::from(loudness) - top) / RANGE;
    (255.0 * level.clamp(0.0, 1.0)).round() as u8
}
