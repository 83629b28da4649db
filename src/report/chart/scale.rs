//! Axes: the places of values, and round numbers as ticks.

use super::super::numbers::{fixed, is_plottable, rounded};

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Linear, from the lowest to the highest value.
    Even,
    /// Linear, between round numbers.
    EvenRound,
    /// Linear, between 0 and a round number.
    FromZero,
    /// Linear, with ticks at whole numbers only.
    Whole,
    /// Logarithmic; only positive values have a place.
    Logarithm,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    spread: Spread,
    /// Values of the ticks and their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Scale {
    /// An axis over all values that have a place on it; none if no value has one.
    pub fn over(values: impl Iterator<Item = f64>, spread: Spread, ticks: usize) -> Option<Self> {
        let fits = |v: &f64| is_plottable(*v) && (spread != Spread::Logarithm || *v > 0.0);
        let (low, high) =
            values.filter(fits).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        (low <= high).then(|| Self::between(low, high, spread, ticks))
    }

    /// An axis between two values.
    pub fn between(low: f64, high: f64, spread: Spread, ticks: usize) -> Self {
        if spread == Spread::Logarithm {
            return Self::logarithmic(low / 1.06, high * 1.06, ticks);
        }
        let (low, high) = if spread == Spread::FromZero { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        let (low, high) = apart(low, high);
        let step = match round_step((high - low) / ticks as f64) {
            step if spread == Spread::Whole => step.max(1.0),
            step => step,
        };
        let (low, high) = match spread {
            Spread::EvenRound | Spread::FromZero => ((low / step).floor() * step, (high / step).ceil() * step),
            _ => (low, high),
        };
        Self { low, high, spread, ticks: even_ticks(low, high, step) }
    }

    fn logarithmic(low: f64, high: f64, ticks: usize) -> Self {
        let decades = high.log10() - low.log10();
        let factors: &[f64] = if decades < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let first = low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        // With many decades, only every second, third, ... gets a tick.
        let every = ((last - first) as usize).div_ceil(ticks + 3).max(1);
        let mut found: Vec<(f64, String)> = (first..=last)
            .step_by(every)
            .flat_map(|power| factors.iter().map(move |factor| (factor * 10_f64.powi(power), power)))
            .filter(|(value, _)| (low..=high).contains(value))
            .map(|(value, power)| (value, caption(value, usize::try_from(-power).unwrap_or(0))))
            .collect();
        if found.len() < 3 {
            found = even_ticks(low, high, round_step((high - low) / ticks as f64));
        }
        Self { low, high, spread: Spread::Logarithm, ticks: found }
    }

    /// This axis with other ticks.
    pub fn with_ticks(self, ticks: Vec<(f64, String)>) -> Self {
        Self { ticks, ..self }
    }

    /// The place of a value, from 0 to 1 between the axis's ends.
    pub fn place(&self, value: f64) -> Option<f64> {
        if !is_plottable(value) {
            return None;
        }
        let place = match self.spread {
            Spread::Logarithm if value <= 0.0 => return None,
            Spread::Logarithm => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
            _ => (value - self.low) / (self.high - self.low),
        };
        Some(place)
    }

    /// The length of the longest tick label, in characters.
    pub fn widest_caption(&self) -> usize {
        self.ticks.iter().map(|(_, caption)| caption.chars().count()).max().unwrap_or(0)
    }
}

/// Moves ends apart that are too close for a chart.
fn apart(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-9 {
        return (low, high);
    }
    let by = if size == 0.0 { 0.5 } else { (size * 0.1).min(0.5).max(size * 1e-6) };
    (low - by, high + by)
}

/// The smallest step of 1, 2 or 5 times a power of ten that is not below the given one.
fn round_step(at_least: f64) -> f64 {
    let power = 10_f64.powf(at_least.log10().floor());
    // The tolerance keeps a step that is round already.
    let factor = at_least / power * (1.0 - 1e-9);
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| factor <= *round).unwrap_or(10.0);
    round * power
}

fn even_ticks(low: f64, high: f64, step: f64) -> Vec<(f64, String)> {
    let decimals = (-(step * (1.0 + 1e-9)).log10().floor()).max(0.0) as usize;
    let first = (low / step - 1e-6).ceil();
    let count = ((high / step + 1e-6).floor() - first).clamp(-1.0, 20.0) + 1.0;
    (0..count as usize)
        .map(|i| {
            let value = (first + i as f64) * step;
            (value, caption(value, decimals))
        })
        .collect()
}

fn caption(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        "0".to_string()
    } else if decimals == 0 {
        rounded(value)
    } else {
        fixed(value, decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(low: f64, high: f64, spread: Spread) -> Vec<String> {
        Scale::between(low, high, spread, 5).ticks.into_iter().map(|(_, caption)| caption).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(captions(0.0, 0.93, Spread::EvenRound), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(captions(104.0, 158.0, Spread::EvenRound), ["100", "120", "140", "160"]);
        assert_eq!(captions(0.0, 100_000.0, Spread::Even), ["0", "20k", "40k", "60k", "80k", "100k"]);
        assert_eq!(captions(1.0, 4.0, Spread::Whole), ["1", "2", "3", "4"]);
        assert_eq!(captions(0.3, 1.9, Spread::FromZero), ["0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(captions(-3.0, 3.0, Spread::EvenRound), ["−4", "−2", "0", "2", "4"]);
        assert_eq!(captions(0.0, 0.001, Spread::Even), ["0", "0.0002", "0.0004", "0.0006", "0.0008", "0.0010"]);
        assert_eq!(captions(105.0, 540.0, Spread::Logarithm), ["100", "200", "500"]);
        assert_eq!(captions(0.01, 100.0, Spread::Logarithm), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(captions(110.0, 480.0, Spread::Logarithm), ["200", "300", "400", "500"]);
    }

    #[test]
    fn places_go_from_end_to_end() {
        let scale = Scale::between(10.0, 1000.0, Spread::Even, 5);
        assert_eq!((scale.place(10.0), scale.place(1000.0), scale.place(505.0)), (Some(0.0), Some(1.0), Some(0.5)));
        let scale = Scale::between(1.0, 100.0, Spread::Logarithm, 5);
        assert!((scale.place(10.0).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!((scale.place(0.0), scale.place(f64::NAN)), (None, None));
    }

    #[test]
    fn odd_values_do_no_harm() {
        let spreads = [Spread::Even, Spread::EvenRound, Spread::FromZero, Spread::Whole, Spread::Logarithm];
        let odd = [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN];
        for spread in spreads {
            assert_eq!(Scale::over(odd.into_iter(), spread, 5), None);
            for values in [[5.0, 5.0], [1e17, 1e17 + 16.0], [1e-300, 1e99], [1e-12, 1.0], [3.0, f64::NAN]] {
                let scale = Scale::over(values.into_iter(), spread, 5).unwrap();
                assert!(scale.ticks.len() <= 21, "{spread:?} {values:?}: {:?}", scale.ticks);
                for value in values.into_iter().filter(|v| v.is_finite()) {
                    let place = scale.place(value).unwrap();
                    assert!((-1e-9..=1.0 + 1e-9).contains(&place), "{spread:?} {values:?}: {place}");
                }
            }
        }
        let zero = Scale::over([0.0, 0.0].into_iter(), Spread::EvenRound, 5).unwrap();
        assert_eq!(zero.place(0.0), Some(0.5));
    }
}
