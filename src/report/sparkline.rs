//! Sparklines: a curve in one line of a terminal.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// At most `width` block characters, each the mean of its segment of the values; blank if no value in it is finite.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let columns = values.len().min(width);
    let means: Vec<f64> = (0..columns).map(|i| mean(&values[share(i, columns, values.len())])).collect();
    let finite = means.iter().copied().filter(|m| m.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), m| (low.min(m), high.max(m)));
    // Halves, because the difference of two finite numbers may overflow.
    let span = high / 2.0 - low / 2.0;
    means
        .iter()
        .map(|m| match m {
            m if !m.is_finite() => ' ',
            _ if span <= 0.0 => BLOCKS[3],
            m => {
                let level = (m / 2.0 - low / 2.0) / span * BLOCKS.len() as f64;
                BLOCKS[(level as usize).min(BLOCKS.len() - 1)]
            }
        })
        .collect()
}

/// The `i`th of `columns` equal segments of `len` values.
pub(super) fn share(i: usize, columns: usize, len: usize) -> std::ops::Range<usize> {
    i * len / columns..(i + 1) * len / columns
}

fn mean(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if finite.is_empty() {
        return f64::NAN;
    }
    finite.iter().map(|v| v / finite.len() as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_goes_through_all_blocks() {
        let ramp: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(sparkline(&ramp, 20), "▁▂▃▄▅▆▇█");
        let falling: Vec<f64> = ramp.iter().rev().flat_map(|v| [*v; 100]).collect();
        assert_eq!(sparkline(&falling, 8), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&falling, 24).chars().count(), 24);
    }

    #[test]
    fn odd_values_do_no_harm() {
        assert_eq!(sparkline(&[], 10), "");
        assert_eq!(sparkline(&[1.0, 2.0], 0), "");
        assert_eq!(sparkline(&[5.0], 10), "▄");
        assert_eq!(sparkline(&[2.0; 3], 10), "▄▄▄");
        assert_eq!(sparkline(&[0.0, f64::NAN, 1.0, f64::INFINITY], 10), "▁ █ ");
        assert_eq!(sparkline(&[f64::NAN; 2], 10), "  ");
        assert_eq!(sparkline(&[f64::MIN, f64::MAX], 10), "▁█");
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, f64::NAN, 7.0], 40), "▁▂▃▄ █");
        assert_eq!(sparkline(&[0.0, 0.0, 1.0, 1.0], 2), "▁█");
    }
}
