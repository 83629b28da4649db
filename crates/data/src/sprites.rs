//! White shapes on black with known factors of variation: each image is one combination of shape, scale, rotation, x
//! and y.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::raw::Raw;
use super::spec::Counted;
use super::{DataError, Examples, Factors, Shape, Values};

/// Side of an image in pixels.
const SIDE: usize = 64;

const SHAPES: [&str; 3] = ["square", "ellipse", "heart"];
const FACTORS: [&str; 5] = ["shape", "scale", "rotation", "x", "y"];
const COUNTS: [usize; 5] = [SHAPES.len(), 6, 40, 32, 32];
/// Angles are, too, but for the last and the first.
const ORDERED: [bool; 5] = [false, true, true, true, true];

/// The number of distinct images: 737,280.
const ALL: usize = COUNTS[0] * COUNTS[1] * COUNTS[2] * COUNTS[3] * COUNTS[4];

/// Half the side of the largest shape, and the range of the shapes' centres, so that no shape is cut off.
const LARGEST: f32 = 8.4;
const CENTRES: (f32, f32) = (12.5, 51.5);

/// `sprites[:count=20000][,seed=0]`
pub fn parse(spec: &str, text: &str) -> Result<Counted, DataError> {
    // Test images, a fifth as many, are drawn in addition.
    Counted::parse(spec, text, 20_000, ALL / 6 * 5)
}

/// `count` training images and a fifth as many test images, all with distinct factors.
pub fn rows(options: &Counted) -> Raw {
    let tests = (options.count / 5).max(1);
    let drawn = draw(options.seed, options.count + tests);
    let (train, test) = drawn.split_at(options.count);
    let shape = Shape::Image { height: SIDE, width: SIDE, channels: 1 };
    Raw { classes: SHAPES.map(String::from).into(), test: Some(split(test)), ..Raw::of("sprites", shape, split(train)) }
}

/// Images with these factors, `(N, 5)`.
pub fn of_factors(values: &[u16]) -> Result<Raw, String> {
    let places: Vec<[u16; 5]> = values.chunks_exact(5).filter_map(|place| place.try_into().ok()).collect();
    let is_known = |place: &[u16; 5]| place.iter().zip(COUNTS).all(|(value, count)| usize::from(*value) < count);
    if places.len() * 5 != values.len() || !places.iter().all(is_known) {
        return Err(format!("images have five factors, which have fewer values than {COUNTS:?}"));
    }
    let shape = Shape::Image { height: SIDE, width: SIDE, channels: 1 };
    Ok(Raw { classes: SHAPES.map(String::from).into(), ..Raw::of("sprites", shape, painted(&places)) })
}

/// Distinct numbers below [`ALL`], by a partial Fisher-Yates shuffle that stores only the moved entries.
fn draw(seed: u64, count: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut moved: HashMap<u32, u32> = HashMap::new();
    (0..count as u32)
        .map(|place| {
            let other = rng.random_range(place..ALL as u32);
            let here = moved.get(&place).copied().unwrap_or(place);
            moved.insert(other, here).unwrap_or(other)
        })
        .collect()
}

fn split(drawn: &[u32]) -> Examples {
    painted(&drawn.iter().map(|number| place(*number as usize)).collect::<Vec<_>>())
}

fn painted(places: &[[u16; 5]]) -> Examples {
    let mut pixels = vec![0; places.len() * SIDE * SIDE];
    pixels.par_chunks_mut(SIDE * SIDE).zip(places).for_each(|(image, place)| paint(*place, image));
    Examples {
        labels: Some(places.iter().map(|place| u32::from(place[0])).collect()),
        factors: Some(Factors {
            names: FACTORS.map(String::from).into(),
            counts: COUNTS.into(),
            ordered: ORDERED.into(),
            values: places.concat(),
        }),
        ..Examples::of(places.len(), Values::Bytes(pixels))
    }
}

/// The factors of the image with a given number; y changes fastest.
fn place(mut number: usize) -> [u16; 5] {
    let mut place = [0; 5];
    for (factor, count) in place.iter_mut().zip(COUNTS).rev() {
        *factor = (number % count) as u16;
        number /= count;
    }
    place
}

/// White where a pixel's centre is inside the shape.
fn paint([shape, scale, rotation, x, y]: [u16; 5], image: &mut [u8]) {
    let along = |factor: usize, value: u16| f32::from(value) / (COUNTS[factor] - 1) as f32;
    let half = LARGEST * (0.5 + 0.5 * along(1, scale));
    let angle = std::f32::consts::TAU * f32::from(rotation) / COUNTS[2] as f32;
    let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
    let centre = |factor: usize, value: u16| CENTRES.0 + (CENTRES.1 - CENTRES.0) * along(factor, value);
    let (left, top) = (centre(3, x), centre(4, y));
    for (i, pixel) in image.iter_mut().enumerate() {
        let (dx, dy) = ((i % SIDE) as f32 + 0.5 - left, (i / SIDE) as f32 + 0.5 - top);
        let (u, v) = ((cosine * dx + sine * dy) / half, (cosine * dy - sine * dx) / half);
        let inside = match shape {
            0 => u.abs() <= 1.0 && v.abs() <= 1.0,
            1 => u * u / 1.69 + v * v / 0.4225 <= 1.0,
            _ => {
                // A heart: an algebraic curve of degree six, point down.
                let (u, v) = (1.15 * u, 0.1 - 1.15 * v);
                let circle = u * u + v * v - 1.0;
                circle * circle * circle <= u * u * v * v * v
            }
        };
        *pixel = if inside { 255 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Dataset, Options as Source};

    fn levels(split: &Examples) -> &[u8] {
        let Values::Bytes(levels) = &split.values else { panic!("images are bytes") };
        levels
    }

    #[test]
    fn no_factors_are_drawn_twice_and_the_same_seed_draws_the_same() {
        let drawn = draw(5, 30_000);
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 30_000);
        assert!(drawn.iter().all(|number| (*number as usize) < ALL));
        assert_eq!(drawn, draw(5, 30_000));
        assert_ne!(drawn, draw(6, 30_000));
        assert_eq!(place(ALL - 1), [2, 5, 39, 31, 31]);
    }

    #[test]
    fn shapes_are_white_or_black_and_whole() {
        for number in (0..ALL).step_by(97) {
            let mut image = vec![0; SIDE * SIDE];
            paint(place(number), &mut image);
            let ink = image.iter().filter(|level| **level == 255).count();
            assert!(image.iter().all(|level| [0, 255].contains(level)));
            assert!((30..300).contains(&ink), "{ink} pixels at {:?}", place(number));
            for edge in 0..SIDE {
                for pixel in [edge, edge * SIDE, edge * SIDE + SIDE - 1, (SIDE - 1) * SIDE + edge] {
                    assert_eq!(image[pixel], 0, "{:?} is cut off", place(number));
                }
            }
        }
    }

    #[test]
    fn each_factor_changes_the_image() {
        let image = |place: [u16; 5]| {
            let mut image = vec![0; SIDE * SIDE];
            paint(place, &mut image);
            image
        };
        let middle = [2, 3, 5, 15, 15];
        for factor in 0..5 {
            let mut other = middle;
            other[factor] -= 1;
            assert_ne!(image(middle), image(other), "{}", FACTORS[factor]);
        }
    }

    #[test]
    fn factors_stay_with_their_rows() {
        let data =
            Dataset::load(Source { keep_label: vec!["heart".into()], ..Source::from("sprites:count=300") }).unwrap();
        let factors = data.train.factors.as_ref().unwrap();
        assert_eq!(factors.values.len(), 5 * data.train.rows);
        for (row, values) in factors.values.chunks(5).enumerate() {
            let mut image = vec![0; SIDE * SIDE];
            paint(values.try_into().unwrap(), &mut image);
            assert_eq!(values[0], 2);
            assert_eq!(image, levels(&data.train)[row * SIDE * SIDE..(row + 1) * SIDE * SIDE]);
        }
    }
}
