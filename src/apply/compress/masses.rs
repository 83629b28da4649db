//! Integer probabilities. Both ends must have the same, so they come from additions, multiplications, roots and `libm` in f64, which
//! are the same on every machine.

/// Bits of a probability. What every number has for itself ([`spread`]) is taken from the others, and a latent that is drawn from that
/// share is one that the encoder did not mean: with 24 bits and 2^14 places that happened to 8 % of rows with 40 latents, and MNIST took
/// 2.9 % more than its ELBO.
pub const PRECISION: usize = 28;
const TOTAL: u32 = 1 << PRECISION;

/// A distribution of some numbers from 0.
pub trait Masses {
    /// How many numbers there are.
    fn symbols(&self) -> u32;

    /// The probability of all below a number, in units of `2^-PRECISION`: 0 for 0, rising with each, and 1 for [`Self::symbols`].
    fn below(&self, symbol: u32) -> u32;

    /// The number whose part of the whole contains this one.
    fn at(&self, quantile: u32) -> u32 {
        let (mut low, mut high) = (0, self.symbols());
        while high - low > 1 {
            let middle = low.midpoint(high);
            match self.below(middle) <= quantile {
                true => low = middle,
                false => high = middle,
            }
        }
        low
    }
}

/// A share of the whole, of which each number below has two parts for itself: one would be enough for a number that has no share,
/// and the other is for a distribution function that falls by a rounding error.
fn spread(share: f64, below: u32, symbols: u32) -> u32 {
    (share * f64::from(TOTAL - 2 * symbols)) as u32 + 2 * below
}

/// Numbers of equal probability; at most `2^22` of them.
pub struct Uniform(pub u32);

impl Masses for Uniform {
    fn symbols(&self) -> u32 {
        self.0
    }

    fn below(&self, symbol: u32) -> u32 {
        (u64::from(symbol) * u64::from(TOTAL) / u64::from(self.0.max(1))) as u32
    }
}

/// 0 or 1.
pub struct Bit {
    one: u32,
}

impl Bit {
    /// With this probability of 1.
    pub fn new(one: f32) -> Self {
        Self { one: ((f64::from(one) * f64::from(TOTAL)) as u32).clamp(1, TOTAL - 1) }
    }
}

impl Masses for Bit {
    fn symbols(&self) -> u32 {
        2
    }

    fn below(&self, symbol: u32) -> u32 {
        [0, TOTAL - self.one, TOTAL][symbol.min(2) as usize]
    }
}

/// Numbers with weights.
pub struct Weighted {
    /// Sums of the weights before each, and of all.
    sums: Vec<f64>,
}

impl Weighted {
    /// With weights whose logarithms these are.
    pub fn of_logarithms(logarithms: &[f64]) -> Self {
        let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for logarithm in logarithms {
            sum += libm::exp(logarithm - most);
            sums.push(sum);
        }
        Self { sums }
    }
}

impl Masses for Weighted {
    fn symbols(&self) -> u32 {
        self.sums.len() as u32 - 1
    }

    fn below(&self, symbol: u32) -> u32 {
        let all = self.sums[self.sums.len() - 1];
        spread(self.sums[symbol as usize] / all, symbol, self.symbols())
    }
}

/// A number of others, of which nothing else is kept.
pub struct Known {
    /// The number.
    symbol: u32,
    /// What lies below it, and below the next one.
    ends: [u32; 2],
}

impl Known {
    /// A number of these.
    pub fn of(masses: &impl Masses, symbol: u32) -> Self {
        Self { symbol, ends: [masses.below(symbol), masses.below(symbol + 1)] }
    }
}

impl Masses for Known {
    fn symbols(&self) -> u32 {
        self.symbol + 1
    }

    fn below(&self, symbol: u32) -> u32 {
        self.ends[usize::from(symbol > self.symbol)]
    }
}

/// The distribution function of the standard normal.
pub fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The places that a number has: intervals that are equally probable under a standard normal, and a number that stands for each.
pub struct NormalGrid {
    /// Quantiles of the standard normal at `i / (2 places)`: at even i where intervals end, between them their medians.
    quantiles: Vec<f64>,
}

impl NormalGrid {
    /// With `2^bits` places.
    pub fn new(bits: u32) -> Self {
        let places = 1_usize << bits;
        let mut upper = vec![0.0];
        for i in 1..places {
            let wanted = 0.5 - i as f64 / (2 * places) as f64;
            // As many halvings as a double has bits.
            let (mut low, mut high) = (upper[i - 1], 10.0);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                match normal_below(-middle) > wanted {
                    true => low = middle,
                    false => high = middle,
                }
            }
            upper.push(low);
        }
        upper.push(f64::INFINITY);
        let quantiles = upper.iter().rev().map(|x| -x).chain(upper[1..].iter().copied()).collect();
        Self { quantiles }
    }

    /// How many places there are.
    fn places(&self) -> u32 {
        (self.quantiles.len() / 2) as u32
    }

    /// The number that stands for an interval.
    pub fn value(&self, place: u32) -> f64 {
        self.quantiles[2 * place as usize + 1]
    }

    /// The interval that a number lies in.
    pub fn place(&self, x: f64) -> u32 {
        let behind = self.quantiles.partition_point(|quantile| *quantile <= x);
        (behind.saturating_sub(1) / 2).min(self.places() as usize - 1) as u32
    }
}

/// A normal, over the places of a grid.
pub struct NormalMasses<'a> {
    /// The grid.
    pub grid: &'a NormalGrid,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Masses for NormalMasses<'_> {
    fn symbols(&self) -> u32 {
        self.grid.places()
    }

    fn below(&self, symbol: u32) -> u32 {
        let end = self.grid.quantiles[2 * symbol as usize];
        spread(normal_below((end - self.mean) / self.deviation), symbol, self.symbols())
    }
}

/// How many levels a byte has.
const LEVELS: u32 = 256;

/// A density around 0, in units of its scale.
pub enum Density {
    /// The standard normal.
    Normal,
    /// The Laplace distribution.
    Laplace,
    /// The logistic distribution.
    Logistic,
    /// Student's t: its distribution function at places that are equally far from each other in `t / (1 + |t|)`.
    StudentT(Vec<f64>),
}

/// How many places its distribution function is known at, less one.
const STUDENT_PLACES: usize = 1 << 14;

impl Density {
    /// Student's t with so many degrees of freedom.
    pub fn student_t(freedom: f64) -> Self {
        // Sums of trapezoids. The density has no constant: the last sum is 1.
        let slope = |i: usize| {
            let x = 2.0 * i as f64 / STUDENT_PLACES as f64 - 1.0;
            let rest = (1.0 - x.abs()).max(1e-9);
            let t = x / rest;
            libm::exp(-0.5 * (freedom + 1.0) * libm::log1p(t * t / freedom)) / (rest * rest)
        };
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for i in 0..STUDENT_PLACES {
            sum += slope(i) + slope(i + 1);
            sums.push(sum);
        }
        sums.iter_mut().for_each(|part| *part /= sum);
        Density::StudentT(sums)
    }

    /// The distribution function.
    fn below(&self, t: f64) -> f64 {
        match self {
            Density::Normal => normal_below(t),
            Density::Laplace if t < 0.0 => 0.5 * libm::exp(t),
            Density::Laplace => 1.0 - 0.5 * libm::exp(-t),
            Density::Logistic => 1.0 / (1.0 + libm::exp(-t)),
            Density::StudentT(sums) => {
                let place = 0.5 * (1.0 + t / (1.0 + t.abs())) * STUDENT_PLACES as f64;
                let i = (place as usize).min(STUDENT_PLACES - 1);
                sums[i] + (place - i as f64) * (sums[i + 1] - sums[i])
            }
        }
    }
}

/// A level of an image under a density: what of it lies within half a level, or beyond the last one.
pub struct Level<'a> {
    /// The density.
    pub shape: &'a Density,
    /// Its middle, in levels.
    pub mean: f64,
    /// Its scale, in levels.
    pub scale: f64,
}

impl Level<'_> {
    /// The share of the density that lies below a level.
    fn share_below(&self, level: u32) -> f64 {
        match level {
            0 => 0.0,
            LEVELS => 1.0,
            _ => self.shape.below((f64::from(level) - 0.5 - self.mean) / self.scale),
        }
    }
}

impl Masses for Level<'_> {
    fn symbols(&self) -> u32 {
        LEVELS
    }

    fn below(&self, symbol: u32) -> u32 {
        spread(self.share_below(symbol), symbol, LEVELS)
    }
}

/// The nats that a number costs.
pub fn cost(masses: &impl Masses, symbol: u32) -> f64 {
    let part = masses.below(symbol + 1) - masses.below(symbol);
    -libm::log(f64::from(part) / f64::from(TOTAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, masses: &impl Masses, probability: impl Fn(u32) -> f64) {
        let all = masses.symbols();
        assert_eq!((masses.below(0), masses.below(all)), (0, TOTAL), "{name}");
        for symbol in (0..all).step_by((all as usize / 300).max(1)) {
            let (from, to) = (masses.below(symbol), masses.below(symbol + 1));
            assert!(from < to, "{name}: {symbol} has no part");
            for quantile in [from, from.midpoint(to), to - 1] {
                assert_eq!(masses.at(quantile), symbol, "{name} at {quantile}");
            }
            let (found, wanted) = (f64::from(to - from) / f64::from(TOTAL), probability(symbol));
            assert!(
                (found - wanted).abs() < 4.0 / f64::from(TOTAL) + 0.004 * wanted,
                "{name} {symbol}: {found} {wanted}"
            );
        }
    }

    #[test]
    fn masses_are_probabilities() {
        check("uniform", &Uniform(7), |_| 1.0 / 7.0);
        for p in [0.0, 1e-9, 0.25, 0.999, 1.0_f32] {
            check("bit", &Bit::new(p), |bit| f64::from(if bit == 1 { p } else { 1.0 - p }));
        }
        let weights = [0.1_f64, 0.0, 0.6, 0.3];
        check("weighted", &Weighted::of_logarithms(&weights.map(f64::ln)), |i| weights[i as usize]);
        for (mean, deviation) in [(0.0, 1.0), (100.3, 7.0), (-40.0, 3.0), (400.0, 0.01), (255.0, 30.0), (7.0, 1e-9)] {
            let cdf = |x: f64| normal_below((x - mean) / deviation);
            let level = |l: u32| {
                let [from, to] = [f64::from(l) - 0.5, f64::from(l) + 0.5].map(cdf);
                match l {
                    0 => to,
                    255 => 1.0 - from,
                    _ => to - from,
                }
            };
            check("level", &Level { shape: &Density::Normal, mean, scale: deviation }, level);
        }
        let laplace = |x: f64| if x < 0.0 { 0.5 * x.exp() } else { 1.0 - 0.5 * (-x).exp() };
        let between = |below: &dyn Fn(f64) -> f64, level: u32, mean: f64, scale: f64| {
            let [from, to] = [-0.5, 0.5].map(|half| below((f64::from(level) + half - mean) / scale));
            to * f64::from(u8::from(level < 255)) + f64::from(u8::from(level == 255))
                - from * f64::from(u8::from(level > 0))
        };
        for (mean, scale) in [(3.0, 0.4), (100.0, 20.0)] {
            let probability = |level| between(&laplace, level, mean, scale);
            check("laplace", &Level { shape: &Density::Laplace, mean, scale }, probability);
        }
        let logistic = |x: f64| 0.5 + 0.5 * (0.5 * x).tanh();
        for (mean, scale) in [(3.0, 0.4), (-90.0, 20.0), (400.0, 1e-3)] {
            let probability = |level| between(&logistic, level, mean, scale);
            check("logistic", &Level { shape: &Density::Logistic, mean, scale }, probability);
        }
    }

    #[test]
    fn students_distribution_is_that_of_the_textbook() {
        // One degree of freedom is Cauchy's, two have a closed form, many are normal.
        let cauchy = |t: f64| 0.5 + t.atan() / std::f64::consts::PI;
        let two = |t: f64| 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
        for t in [-900.0, -7.3, -1.0, -0.01, 0.0, 0.4, 2.5, 50.0] {
            for (freedom, expected) in [(1.0, cauchy(t)), (2.0, two(t)), (1e7, normal_below(t))] {
                let found = Density::student_t(freedom).below(t);
                assert!((found - expected).abs() < 2e-6, "{t} of {freedom}: {found}, not {expected}");
            }
        }
        check("student", &Level { shape: &Density::student_t(2.0), mean: 60.0, scale: 9.0 }, |level| {
            let end = |half: f64| two((f64::from(level) + half - 60.0) / 9.0);
            match level {
                0 => end(0.5),
                255 => 1.0 - end(-0.5),
                _ => end(0.5) - end(-0.5),
            }
        });
    }

    #[test]
    fn places_are_equally_probable() {
        let (grid, places) = (NormalGrid::new(14), 1_u32 << 14);
        check("prior", &NormalMasses { grid: &grid, mean: 0.0, deviation: 1.0 }, |_| 1.0 / f64::from(places));
        for (mean, deviation) in [(0.3, 0.05), (-2.0, 0.5), (9.0, 0.1), (0.0, 1e-8)] {
            let masses = NormalMasses { grid: &grid, mean, deviation };
            check("posterior", &masses, |i| {
                let end = |i: u32| normal_below((grid.quantiles[2 * i as usize] - mean) / deviation);
                end(i + 1) - end(i)
            });
        }
        assert_eq!(grid.quantiles.len(), 2 * places as usize + 1);
        assert!(grid.quantiles.is_sorted_by(|a, b| a < b));
        // The quartiles of the standard normal, and its middle.
        for (place, value) in [(1, -0.674_489_750_196_082), (2, 0.0), (3, 0.674_489_750_196_082)] {
            let found = grid.quantiles[place * places as usize / 2];
            assert!((found - value).abs() < 1e-12, "{found}");
        }
        // Medians of the quarters: quantiles at 1/8, 3/8, ...
        let quarters = NormalGrid::new(2);
        for (place, value) in [(0, -1.150_349_380_376_008), (1, -0.318_639_363_964_375_1), (3, 1.150_349_380_376_008)] {
            assert!((quarters.value(place) - value).abs() < 1e-12, "{}", quarters.value(place));
        }
        let at = [f64::NEG_INFINITY, -0.7, -0.6, 0.0, 0.6, 0.7, f64::INFINITY, f64::NAN];
        assert_eq!(at.map(|x| quarters.place(x)), [0, 0, 1, 2, 2, 3, 3, 0]);
    }
}
