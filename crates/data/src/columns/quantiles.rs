//! Normal scores: the numbers of a column by their quantiles, so that each column looks normal to a model, whatever its modes, bounds,
//! tails and values that many rows share.

use serde::{Deserialize, Serialize};

/// Values at which the map between numbers and scores bends: a column of fewer different values has all of them.
const MAX_KNOTS: usize = 1024;
/// The share of the rows from which on a value that they share is drawn as such.
const SHARED: f64 = 0.01;

/// Rows of each value on average, where values are all there are.
const OF_EACH: usize = 4;

/// A map from numbers to normal scores, and back. Values that many rows share stand for an interval of scores.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// In ascending order.
    values: Vec<f64>,
    /// The scores at which each value begins, and at which it ends; the ends of the first and the last are where draws of as many rows
    /// as were seen would lie.
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Quantiles {
    /// Quantiles where there is no number.
    pub(super) const NONE: Self = Self { values: Vec::new(), low: Vec::new(), high: Vec::new() };

    /// Quantiles of numbers in ascending order.
    pub fn of(sorted: &[f64]) -> Self {
        let count = sorted.len();
        let mut all = Self::default();
        if count == 0 {
            return all;
        }
        // The places at which each different value begins and ends.
        let mut runs: Vec<(f64, usize, usize)> = Vec::new();
        for (place, value) in sorted.iter().enumerate() {
            match runs.last_mut() {
                Some((last, _, end)) if last == value => *end = place + 1,
                _ => runs.push((*value, place, place + 1)),
            }
        }
        let score =
            |place: f64| normal_quantile((place / count as f64).clamp(0.25 / count as f64, 1.0 - 0.25 / count as f64));
        // Values of which each is met again and again are all there are; between others lie more.
        let are_all = runs.len() <= MAX_KNOTS && count >= OF_EACH * runs.len();
        let least = SHARED * count as f64;
        let step = count as f64 / MAX_KNOTS as f64;
        let mut next = 0.0;
        for (number, (value, start, end)) in runs.iter().enumerate() {
            let is_shared = are_all || end - start > 1 && (end - start) as f64 >= least;
            let is_last = number + 1 == runs.len();
            if runs.len() > MAX_KNOTS && !is_shared && !is_last && (*end as f64) <= next {
                continue;
            }
            next = *end as f64 + step;
            let middle = (start + end) as f64 / 2.0;
            let (low, high) = if is_shared { (*start as f64, *end as f64) } else { (middle, middle) };
            all.values.push(*value);
            all.low.push(score(low));
            all.high.push(score(high));
        }
        all
    }

    /// How much the number grows with the score at a score; none at a value that many rows share.
    pub fn growth(&self, score: f64) -> Option<f64> {
        let place = self.high.partition_point(|high| *high < score);
        if place == self.values.len() || place == 0 && score < self.low[0] {
            return Some(1.0 / self.slope());
        }
        if place == 0 {
            return (self.low[0] == self.high[0]).then(|| 1.0 / self.slope());
        }
        let (from, to) = (self.high[place - 1], self.low[place]);
        (to > from && score <= to).then(|| (self.values[place] - self.values[place - 1]) / (to - from))
    }

    /// Half of the scores that a value stands for: of one that many rows share those that it has; of others as many as its digits leave
    /// open, of which `digit` is half of the last one.
    pub fn half(&self, score: f64, digit: f64) -> f64 {
        match self.growth(score) {
            Some(growth) if growth > 0.0 => digit / growth,
            Some(_) => 0.0,
            None => {
                let place = self.high.partition_point(|high| *high < score);
                (self.high[place] - self.low[place]) / 2.0
            }
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether it can map numbers: as many scores as values, all in order.
    pub fn is_whole(&self) -> bool {
        let count = self.values.len();
        let finite = |all: &[f64]| all.iter().all(|value| value.is_finite());
        let ordered = |all: &[f64]| all.windows(2).all(|pair| pair[0] <= pair[1]);
        self.low.len() == count
            && self.high.len() == count
            && [&self.values, &self.low, &self.high].iter().all(|all| finite(all) && ordered(all))
            && self.low.iter().zip(&self.high).all(|(low, high)| low <= high)
    }

    /// The scores from the first to the last value, by what lies between them.
    fn slope(&self) -> f64 {
        match (self.values.first().zip(self.low.first()), self.values.last().zip(self.high.last())) {
            (Some((first, low)), Some((last, high))) if last > first => (high - low) / (last - first),
            _ => 1.0,
        }
    }

    /// The score of a number; beyond the values that were seen, it goes on evenly.
    pub fn score(&self, number: f64) -> f64 {
        let count = self.values.len();
        let place = self.values.partition_point(|value| *value < number);
        if self.values.get(place) == Some(&number) {
            return (self.low[place] + self.high[place]) / 2.0;
        }
        match place {
            _ if count == 0 => 0.0,
            0 => self.low[0] + (number - self.values[0]) * self.slope(),
            place if place == count => self.high[count - 1] + (number - self.values[count - 1]) * self.slope(),
            place => {
                let (below, above) = (self.values[place - 1], self.values[place]);
                let (from, to) = (self.high[place - 1], self.low[place]);
                // Where no score lies between two values, a number there is the nearer one.
                match to > from {
                    true => from + (to - from) * (number - below) / (above - below),
                    false if number - below < above - number => (self.low[place - 1] + self.high[place - 1]) / 2.0,
                    false => (self.low[place] + self.high[place]) / 2.0,
                }
            }
        }
    }

    /// The number at a score.
    pub fn number(&self, score: f64) -> f64 {
        let place = self.high.partition_point(|high| *high < score);
        match place {
            _ if self.values.is_empty() => 0.0,
            place if place == self.values.len() => {
                self.values[place - 1] + (score - self.high[place - 1]) / self.slope()
            }
            0 if score < self.low[0] => self.values[0] + (score - self.low[0]) / self.slope(),
            place if place == 0 || score >= self.low[place] => self.values[place],
            place => {
                let (from, to) = (self.high[place - 1], self.low[place]);
                let (below, above) = (self.values[place - 1], self.values[place]);
                // Neighbours without a score between them meet in their middle.
                if to > from { below + (above - below) * (score - from) / (to - from) } else { above }
            }
        }
    }
}

/// The share of a standard normal distribution below `x`.
fn normal_share(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The score below which a share of a standard normal distribution lies, by halving an interval: it is needed a few times a column.
pub fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if normal_share(middle) < share { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_shares_are_those_of_tables() {
        for (share, score) in
            [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_813), (1e-7, -5.199_337_582_187_7)]
        {
            assert!((normal_quantile(share) - score).abs() < 1e-9, "{share}: {}", normal_quantile(share));
        }
    }

    #[test]
    fn numbers_come_back_from_their_scores() {
        let mut numbers: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.37).sin().powi(3) * 100.0).collect();
        numbers.extend([0.0; 300]);
        numbers.sort_by(f64::total_cmp);
        let map = Quantiles::of(&numbers);
        assert!(map.is_whole() && map.len() <= 2 * MAX_KNOTS, "{}", map.len());
        for number in &numbers {
            assert!((map.number(map.score(*number)) - number).abs() < 1e-6 * number.abs().max(1.0), "{number}");
        }
        // Draws of scores have the shared value as often as the rows have it, and nothing beyond what was seen.
        let within = |number: f64| number.clamp(numbers[0], numbers[1299]);
        let draws: Vec<f64> =
            (0..10_000).map(|i| within(map.number(normal_quantile((f64::from(i) + 0.5) / 1e4)))).collect();
        let zeros = draws.iter().filter(|draw| **draw == 0.0).count() as f64 / 1e4;
        assert!((zeros - 300.0 / 1300.0).abs() < 0.01, "{zeros}");
        for far in [1e6, -150.0] {
            assert!((map.number(map.score(far)) / far - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn few_values_are_drawn_as_they_are() {
        let numbers: Vec<f64> = (0..400).map(|i| f64::from(i * i % 24)).collect();
        let mut sorted = numbers.clone();
        sorted.sort_by(f64::total_cmp);
        let map = Quantiles::of(&sorted);
        let draws: Vec<f64> = (0..4000).map(|i| map.number(normal_quantile((f64::from(i) + 0.5) / 4e3))).collect();
        let draws: Vec<f64> = draws.into_iter().map(|draw| draw.clamp(sorted[0], sorted[399])).collect();
        for value in 0..24 {
            let of = |all: &[f64]| all.iter().filter(|x| **x == f64::from(value)).count() as f64 / all.len() as f64;
            assert!((of(&draws) - of(&numbers)).abs() < 0.005, "{value}");
        }
        assert!(Quantiles::of(&[]).is_whole() && Quantiles::of(&[3.0]).number(0.0) == 3.0);
    }
}
