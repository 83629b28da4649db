//! Synthetic handwritten digits: pen strokes with random slant, size, position, thickness and wobble, drawn
//! anti-aliased in 28x28 grey. They are generated from a seed, so that the program can be tried without any files.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::glyphs::{DIGITS, Stroke};
use super::points::normal;
use super::raw::Raw;
use super::spec::Counted;
use super::{DataError, Examples, Shape, Values};

/// Side of an image in pixels.
const SIDE: usize = 28;

/// `strokes[:count=20000][,seed=0]`
pub fn parse(spec: &str, text: &str) -> Result<Counted, DataError> {
    Counted::parse(spec, text, 20_000, 1_000_000)
}

/// `count` training images and a fifth as many test images.
pub fn rows(options: &Counted) -> Raw {
    let shape = Shape::Image { height: SIDE, width: SIDE, channels: 1 };
    Raw {
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        test: Some(split(options.seed, (options.count / 5).max(1), 1 << 32)),
        ..Raw::of("strokes", shape, split(options.seed, options.count, 0))
    }
}

fn split(seed: u64, rows: usize, first_stream: u64) -> Examples {
    let mut pixels = vec![0; rows * SIDE * SIDE];
    let labels = pixels
        .par_chunks_mut(SIDE * SIDE)
        .enumerate()
        .map(|(row, image)| {
            // One random stream per image, so that the result does not depend on the order or the number of threads.
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(first_stream + row as u64);
            let digit = rng.random_range(0..10_usize);
            let ways = DIGITS[digit];
            let glyph = ways[rng.random_range(0..ways.len())];
            Hand::new(&mut rng).write(glyph, &mut rng, image);
            digit as u32
        })
        .collect();
    Examples { labels: Some(labels), ..Examples::of(rows, Values::Bytes(pixels)) }
}

/// The handwriting of one image.
struct Hand {
    /// Maps glyph coordinates, centred on 0, to pixels.
    matrix: [[f32; 2]; 2],
    centre: (f32, f32),
    /// Half the pen's width in pixels.
    radius: f32,
    /// Slow sideways sway: amplitude, and frequency and phase for x and y.
    sway: f32,
    frequency: [f32; 2],
    phase: [f32; 2],
    /// How much the pen's pressure varies along a stroke.
    pressure: f32,
}

impl Hand {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut between = |low: f32, high: f32| low + (high - low) * rng.random::<f32>();
        let height = between(16.5, 21.5);
        let width = height * between(0.72, 1.08);
        let slant = between(-0.10, 0.42);
        let angle = between(-0.16, 0.16);
        let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
        let centre = (14.0 + between(-1.6, 1.6), 14.0 + between(-1.6, 1.6));
        Self {
            // Rotation times shear times scale; y points down, so a slant to the right is negative.
            matrix: [
                [cosine * width, -cosine * slant * height - sine * height],
                [sine * width, -sine * slant * height + cosine * height],
            ],
            centre,
            radius: between(0.75, 1.55),
            sway: between(0.0, 0.55),
            frequency: [between(2.0, 5.0), between(2.0, 5.0)],
            phase: [between(0.0, 6.3), between(0.0, 6.3)],
            pressure: between(0.0, 0.25),
        }
    }

    fn place(&self, (x, y): (f32, f32)) -> (f32, f32) {
        let (x, y) = (x - 0.5, y - 0.5);
        let [[a, b], [c, d]] = self.matrix;
        let sway = |i: usize, t: f32| self.sway * libm::sinf(self.frequency[i] * t + self.phase[i]);
        (self.centre.0 + a * x + b * y + sway(0, 2.0 * y + x), self.centre.1 + c * x + d * y + sway(1, 2.0 * x - y))
    }

    fn write(&self, glyph: &[Stroke], rng: &mut ChaCha8Rng, image: &mut [u8]) {
        // One shift per distinct point, so that strokes that share a point still share it afterwards.
        let mut shaken: Vec<((f32, f32), (f32, f32))> = Vec::new();
        let mut shake = |point: (f32, f32), rng: &mut ChaCha8Rng| {
            if let Some((_, moved)) = shaken.iter().find(|(p, _)| *p == point) {
                return *moved;
            }
            let moved = (point.0 + 0.028 * normal(rng), point.1 + 0.028 * normal(rng));
            shaken.push((point, moved));
            moved
        };
        let mut coverage = [0.0_f32; SIDE * SIDE];
        for stroke in glyph {
            let points: Vec<(f32, f32)> = stroke.iter().map(|p| self.place(shake(*p, rng))).collect();
            let wave = rng.next_u32() as f32 / u32::MAX as f32 * 6.3;
            let path = spline(&points);
            for (i, pair) in path.windows(2).enumerate() {
                let along = i as f32 / path.len() as f32;
                let radius = self.radius * (1.0 + self.pressure * libm::sinf(4.0 * along + wave));
                draw(&mut coverage, pair[0], pair[1], radius);
            }
        }
        for (pixel, covered) in image.iter_mut().zip(coverage) {
            *pixel = (covered * 255.0).round() as u8;
        }
    }
}

/// A Catmull-Rom curve through the points, as a fine polyline.
fn spline(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    const PIECES: usize = 8;
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut path = vec![at(0)];
    for i in 0..points.len() as isize - 1 {
        let p = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            let blend = |a: f32, b: f32, c: f32, d: f32| {
                0.5 * (2.0 * b
                    + t * (c - a)
                    + t * t * (2.0 * a - 5.0 * b + 4.0 * c - d)
                    + t * t * t * (3.0 * b - a - 3.0 * c + d))
            };
            path.push((blend(p[0].0, p[1].0, p[2].0, p[3].0), blend(p[0].1, p[1].1, p[2].1, p[3].1)));
        }
    }
    path
}

/// Raises the coverage of every pixel that the pen touches between two points.
fn draw(coverage: &mut [f32], from: (f32, f32), to: (f32, f32), radius: f32) {
    let reach = radius + 0.5;
    let span = |a: f32, b: f32| {
        let first = (a.min(b) - reach - 0.5).ceil().max(0.0) as usize;
        let last = (a.max(b) + reach - 0.5).floor().min(SIDE as f32 - 1.0);
        first..(last + 1.0).max(0.0) as usize
    };
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = (dx * dx + dy * dy).max(1e-12);
    for row in span(from.1, to.1) {
        for col in span(from.0, to.0) {
            let (x, y) = (col as f32 + 0.5 - from.0, row as f32 + 0.5 - from.1);
            let along = ((x * dx + y * dy) / length).clamp(0.0, 1.0);
            let (ex, ey) = (x - along * dx, y - along * dy);
            let distance = libm::sqrtf(ex * ex + ey * ey);
            let covered = (reach - distance).clamp(0.0, 1.0);
            let pixel = &mut coverage[row * SIDE + col];
            *pixel = pixel.max(covered);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn make(text: &str) -> Raw {
        rows(&parse("strokes", text).unwrap())
    }

    #[test]
    fn made_from_a_seed_and_no_two_alike() {
        let data = make("count=3000");
        assert_eq!(data, make("count=3000"));
        assert_ne!(data.rows, make("count=3000,seed=1").rows);
        let Values::Bytes(train) = &data.rows.values else { panic!("images are bytes") };
        let Values::Bytes(test) = &data.test.as_ref().unwrap().values else { panic!("images are bytes") };
        let images: HashSet<&[u8]> = train.chunks(784).chain(test.chunks(784)).collect();
        assert_eq!(images.len(), 3600);
    }

    #[test]
    fn every_class_is_there_with_ink_on_a_black_ground() {
        let data = make("count=2000");
        let Values::Bytes(train) = &data.rows.values else { panic!("images are bytes") };
        let labels = data.rows.labels.as_ref().unwrap();
        for digit in 0..10 {
            assert!(labels.iter().filter(|l| **l == digit).count() > 150);
        }
        for image in train.chunks(784) {
            let ink = image.iter().map(|p| f64::from(*p)).sum::<f64>() / 255.0;
            assert!((15.0..260.0).contains(&ink), "{ink} pixels of ink");
            assert!(image.iter().any(|p| *p > 200));
        }
    }
}
