//! Fourier transforms of windows of samples, and the samples that windows belong to.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Transforms of windows of one length, a quarter of it apart. The centre of the first window is the first sample.
pub struct Windows {
    pub length: usize,
    /// Samples from one window to the next.
    pub hop: usize,
    /// A Hann window.
    hann: Vec<f64>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Windows {
    /// Windows of so many samples, which are a power of two.
    pub fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let hann = (0..length).map(|i| 0.5 - 0.5 * libm::cos(2.0 * PI * i as f64 / length as f64)).collect();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        Self { length, hop: length / 4, hann, forward, inverse }
    }

    /// Frequencies of a window.
    pub fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// The amplitude of a full sine.
    pub fn full(&self) -> f64 {
        self.length as f64 / 4.0
    }

    /// Transforms `(frames, bins)` of samples, with silence around them.
    pub fn transform(&self, samples: &[f64], frames: usize) -> Vec<Complex<f64>> {
        let mut all = vec![Complex::new(0.0, 0.0); frames * self.bins()];
        let (mut window, mut scratch) = (self.forward.make_input_vec(), self.forward.make_scratch_vec());
        for (frame, bins) in all.chunks_mut(self.bins()).enumerate() {
            for (place, (value, hann)) in window.iter_mut().zip(&self.hann).enumerate() {
                let sample = (frame * self.hop + place).checked_sub(self.length / 2).and_then(|at| samples.get(at));
                *value = sample.map_or(0.0, |sample| sample * hann);
            }
            // The lengths are those of the plan.
            let _ = self.forward.process_with_scratch(&mut window, bins, &mut scratch);
        }
        all
    }

    /// The samples whose transforms are nearest to these, `frames` times a hop: windows are added up, and the sum is divided by that of
    /// the squared windows.
    pub fn samples(&self, all: &mut [Complex<f64>]) -> Vec<f64> {
        let frames = all.len() / self.bins();
        let mut sum = vec![0.0; (frames + 4) * self.hop];
        let mut weight = sum.clone();
        let (mut window, mut scratch) = (self.inverse.make_output_vec(), self.inverse.make_scratch_vec());
        for (frame, bins) in all.chunks_mut(self.bins()).enumerate() {
            // Of real samples the first and the last value are real.
            if let [first, .., last] = bins {
                (first.im, last.im) = (0.0, 0.0);
            }
            let _ = self.inverse.process_with_scratch(bins, &mut window, &mut scratch);
            for (place, (value, hann)) in window.iter().zip(&self.hann).enumerate() {
                sum[frame * self.hop + place] += value / self.length as f64 * hann;
                weight[frame * self.hop + place] += hann * hann;
            }
        }
        let half = self.length / 2;
        let of = |(sum, weight): (&f64, &f64)| if *weight > 1e-3 { sum / weight } else { 0.0 };
        sum[half..].iter().zip(&weight[half..]).map(of).take(frames * self.hop).collect()
    }
}
