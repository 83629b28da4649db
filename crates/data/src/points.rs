//! Noisy 2-D points along a curve, two rings or two moons.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::raw::Raw;
use super::spec::{number, pairs, unknown};
use super::{DataError, Examples, Shape, Values};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Curve,
    Rings,
    Moons,
}

impl Kind {
    /// The classes of the points.
    fn classes(self) -> Vec<String> {
        let names: &[&str] = match self {
            Kind::Curve => &["curve"],
            Kind::Rings => &["inner", "outer"],
            Kind::Moons => &["upper", "lower"],
        };
        names.iter().map(|name| name.to_string()).collect()
    }
}

/// `points[:curve|rings|moons][,noise=0.05][,count=10000][,seed=0]`
pub struct PointOptions {
    kind: Kind,
    noise: f32,
    count: usize,
    seed: u64,
}

impl PointOptions {
    pub fn parse(spec: &str, text: &str) -> Result<Self, DataError> {
        let mut parsed = Self { kind: Kind::Curve, noise: 0.05, count: 10_000, seed: 0 };
        for (name, value) in pairs(text) {
            match (name, value) {
                ("curve", None) => parsed.kind = Kind::Curve,
                ("rings", None) => parsed.kind = Kind::Rings,
                ("moons", None) => parsed.kind = Kind::Moons,
                ("noise", _) => parsed.noise = number(spec, name, value, 0.0..=10.0)?,
                ("count", _) => parsed.count = number(spec, name, value, 1..=10_000_000)?,
                ("seed", _) => parsed.seed = number(spec, name, value, 0..=u64::MAX)?,
                _ => return Err(unknown(spec, name, "curve, rings, moons, noise=, count=, seed=")),
            }
        }
        Ok(parsed)
    }
}

/// `count` training points and a fifth as many test points.
pub fn rows(options: &PointOptions) -> Raw {
    let name = match options.kind {
        Kind::Curve => "points",
        Kind::Rings => "points-rings",
        Kind::Moons => "points-moons",
    };
    Raw {
        classes: options.kind.classes(),
        test: Some(split(options, (options.count / 5).max(1), 1)),
        ..Raw::of(name, Shape::Point(2), split(options, options.count, 0))
    }
}

fn split(options: &PointOptions, rows: usize, stream: u64) -> Examples {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    rng.set_stream(stream);
    let mut values = Vec::with_capacity(2 * rows);
    let mut labels = Vec::with_capacity(rows);
    for _ in 0..rows {
        let (x, y, label) = point(options.kind, &mut rng);
        values.push(x + options.noise * normal(&mut rng));
        values.push(y + options.noise * normal(&mut rng));
        labels.push(label.into());
    }
    Examples { labels: Some(labels), ..Examples::of(rows, Values::Floats(values)) }
}

/// A point of the shape without noise, within about [-1, 1] x [-1, 1], and its class.
fn point(kind: Kind, rng: &mut ChaCha8Rng) -> (f32, f32, u8) {
    let t: f32 = rng.random();
    match kind {
        Kind::Curve => {
            let x = 2.0 * t - 1.0;
            (x, 2.0 * x * x - 1.0, 0)
        }
        Kind::Rings => {
            let outer = rng.random_range(0..2_u8);
            let radius = if outer == 1 { 1.0 } else { 0.5 };
            let angle = std::f32::consts::TAU * t;
            (radius * libm::cosf(angle), radius * libm::sinf(angle), outer)
        }
        Kind::Moons => {
            let lower = rng.random_range(0..2_u8);
            let angle = std::f32::consts::PI * t;
            let (x, y) = (libm::cosf(angle), libm::sinf(angle));
            match lower {
                0 => ((x - 0.5) / 1.5, (y - 0.25) / 0.75, 0),
                _ => ((0.5 - x) / 1.5, (0.25 - y) / 0.75, 1),
            }
        }
    }
}

/// A standard normal draw.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let u: f32 = 1.0 - rng.random::<f32>();
    let turns: f32 = rng.random();
    libm::sqrtf(-2.0 * libm::logf(u)) * libm::cosf(std::f32::consts::TAU * turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_options_give_the_same_points_and_other_seeds_others() {
        let make = |text: &str| rows(&PointOptions::parse("points", text).unwrap());
        for kind in ["curve", "rings", "moons"] {
            let data = make(kind);
            assert_eq!(data, make(kind));
            assert_ne!(data.rows, make(&format!("{kind},seed=1")).rows);
            let Values::Floats(values) = &data.rows.values else { panic!("points are floats") };
            assert_eq!(values.len(), 20_000);
            assert!(values.iter().all(|v| v.abs() < 1.8), "{kind} leaves its box");
        }
    }

    #[test]
    fn wrong_options_are_refused() {
        for (text, reason) in [
            ("spiral", "no option `spiral`"),
            ("noise=x", "noise takes a number from 0 to 10"),
            ("noise=-1", "noise takes a number"),
            ("count=0", "count takes a number"),
            ("count", "count takes a number"),
        ] {
            let error = PointOptions::parse(&format!("points:{text}"), text).err().unwrap();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
