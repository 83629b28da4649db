//! What floats can hold, and numbers with as many digits as they have.

/// The largest raw cell; what is missing is marked by a larger float.
pub(crate) const MAX_RAW: f64 = 3e38;

/// Significant digits that a float of 32 bits always has, and one more, which tells neighbours apart.
pub(super) const FLOAT_DIGITS: usize = 8;

/// The largest power of two that a number is not below, or the smallest that is a normal float.
pub(crate) fn power_of_two(number: f64) -> f64 {
    f64::from_bits(number.to_bits() & f64::INFINITY.to_bits()).clamp(f64::MIN_POSITIVE, f64::MAX)
}

/// A number with so many significant digits, at least one.
pub(super) fn with_digits(number: f64, digits: usize) -> f64 {
    if number == 0.0 {
        return 0.0;
    }
    // The number as text has it: a power of ten times a whole number is off by a digit of a float.
    format!("{number:.*e}", digits - 1).parse().unwrap_or(number)
}

/// A number as a sentence shows it: with six digits behind the point at most, or an exponent.
pub(super) fn short(number: f64) -> String {
    let rounded = format!("{number:.6}");
    let trimmed = rounded.trim_end_matches('0').trim_end_matches('.');
    if number != 0.0 && !(1e-4..1e15).contains(&number.abs()) { format!("{number:e}") } else { trimmed.to_string() }
}

/// The mean and the standard deviation of numbers, however large or small they are.
pub fn mean_and_deviation(numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (count, largest) = numbers.clone().fold((0.0, 0.0_f64), |(n, most), number| (n + 1.0, most.max(number.abs())));
    // The squares of very large numbers, and of very small ones, are no floats. Dividing by a power of two rounds nothing.
    let (count, unit) = (f64::max(count, 1.0), power_of_two(largest));
    let mean = numbers.clone().map(|number| number / unit).sum::<f64>() / count;
    let variance = numbers.map(|number| (number / unit - mean).powi(2)).sum::<f64>() / count;
    (mean * unit, variance.sqrt() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_numbers_of_any_size_are_finite() {
        let (mean, deviation) = mean_and_deviation([1.0, 2.0, 6.0].into_iter());
        assert!(mean == 3.0 && (deviation - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        for unit in [1e307, 1e-300] {
            let (mean, deviation) = mean_and_deviation([1.0, 2.0, 6.0].map(|number| number * unit).into_iter());
            assert!((mean / unit - 3.0).abs() < 1e-14 && (deviation / unit - (14.0_f64 / 3.0).sqrt()).abs() < 1e-14);
        }
        assert_eq!(mean_and_deviation(std::iter::empty()), (0.0, 0.0));
    }

    #[test]
    fn digits_are_those_of_the_text() {
        assert_eq!([1.0 / 3.0, -12_345.678, 0.0].map(|number| with_digits(number, 3)), [0.333, -12_300.0, 0.0]);
    }
}
