//! How the numbers of a column are counted in steps, for a picture of data and samples.

use wgvae_data::{Column, Form};

use crate::report::page::Steps;

/// Steps of numbers; and of whole numbers, each of which has its own, at most.
const STEPS: usize = 20;
const MAX_WHOLE: f64 = 40.0;
/// The share of the data beyond the first and the last step, on each side: a single large value would leave one step.
const BEYOND: f64 = 0.005;
/// How many times the lowest the highest number must be for a logarithmic axis, and how much nearer to the middle the median must be there.
const WIDE: f64 = 50.0;

/// Shares of numbers of the data and of samples. The steps go over the numbers of the data, nearly all of them.
pub fn steps(column: &Column, both: &[Vec<f64>; 2]) -> Steps {
    let mut sorted = both[0].clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).or(sorted.last()).copied();
    let (Some(low), Some(high), Some(median)) = (at(BEYOND), at(1.0 - BEYOND), at(0.5)) else {
        return Steps::default();
    };
    let is_whole = (column.decimals == Some(0) || !column.levels.is_empty()) && !column.form.is_time();
    // The place of the median, from 0 to 1.
    let place = |change: fn(f64) -> f64| (change(median) - change(low)) / (change(high) - change(low));
    let off = |place: f64| (place - 0.5).abs();
    let is_logarithmic = low > 0.0
        && high / low >= WIDE
        && off(place(f64::ln)) < off(place(|value| value))
        && !(is_whole && high - low < MAX_WHOLE);
    let edges: Vec<f64> = if is_logarithmic {
        (0..=STEPS).map(|i| low * (high / low).powf(i as f64 / STEPS as f64)).collect()
    } else if is_whole {
        // As many whole numbers in each step.
        let numbers = high - low + 1.0;
        let width = if numbers <= MAX_WHOLE { 1.0 } else { (numbers / STEPS as f64).ceil() };
        let count = (numbers / width).ceil() as usize;
        (0..=count).map(|i| low - 0.5 + i as f64 * width).collect()
    } else {
        let width = (high - low).max(f64::MIN_POSITIVE.max(low.abs() * 1e-9)) / STEPS as f64;
        (0..=STEPS).map(|i| low + i as f64 * width).collect()
    };
    let count = edges.len() - 1;
    let mut shares = vec![[0.0; 2]; count];
    let mut beyond = [[0.0; 2]; 2];
    for (of, numbers) in both.iter().enumerate() {
        let each = 1.0 / numbers.len().max(1) as f64;
        for number in numbers {
            // The last step has its upper end, too.
            match edges.partition_point(|edge| edge <= number) {
                0 => beyond[0][of] += each,
                step if step <= count => shares[step - 1][of] += each,
                _ if *number <= edges[count] * (1.0 + 1e-12) => shares[count - 1][of] += each,
                _ => beyond[1][of] += each,
            }
        }
    }
    Steps { ticks: ticks(&column.form, &edges), edges, shares, beyond, is_logarithmic }
}

/// What the ends and the middle of an axis are called, of days and times.
fn ticks(form: &Form, edges: &[f64]) -> Vec<(f64, String)> {
    match (form, edges) {
        (Form::Time(form), [first, .., last]) => {
            // The whole text is too long for an axis: its day.
            let short = |value: f64| form.write(value).chars().take(10).collect::<String>();
            [*first, *last].map(|value| (value, short(value))).to_vec()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(decimals: Option<u8>) -> Column {
        Column { decimals, ..Column::default() }
    }

    /// Every row is in one step, or beyond.
    fn checked(column: &Column, both: &[Vec<f64>; 2]) -> Steps {
        let steps = steps(column, both);
        assert_eq!(steps.edges.len(), steps.shares.len() + 1);
        assert!(steps.edges.windows(2).all(|ends| ends[0] < ends[1]), "{:?}", steps.edges);
        for (of, numbers) in both.iter().enumerate() {
            let sum: f64 = steps.shares.iter().chain(&steps.beyond).map(|shares| shares[of]).sum();
            assert!((sum - f64::from(u8::from(!numbers.is_empty()))).abs() < 1e-9, "{of}: {sum}");
        }
        steps
    }

    #[test]
    fn all_rows_are_counted_once() {
        let data: Vec<f64> = (0..1000).map(f64::from).collect();
        let found = checked(&column(None), &[data.clone(), vec![-5.0, 500.0, 1e9]]);
        assert!((found.beyond[0][1] - 1.0 / 3.0).abs() < 1e-9 && (found.beyond[1][1] - 1.0 / 3.0).abs() < 1e-9);
        assert!((found.beyond[0][0] - 0.005).abs() < 1e-9 && !found.is_logarithmic);
        // A step of whole numbers has as many of them as the others.
        let found = checked(&column(Some(0)), &[data, vec![7.0]]);
        let inner = &found.shares[..found.shares.len() - 1];
        assert!(inner.iter().all(|shares| (shares[0] - inner[0][0]).abs() < 1e-9), "{:?}", found.shares);
        let dice: Vec<f64> = (0..600).map(|i| f64::from(i % 6 + 1)).collect();
        let found = checked(&column(Some(0)), &[dice.clone(), dice]);
        assert_eq!((found.shares.len(), found.beyond), (6, [[0.0; 2]; 2]));
        assert!((found.edges[0] - 0.5).abs() < 1e-9 && (found.edges[6] - 6.5).abs() < 1e-9);
    }

    #[test]
    fn long_tails_have_a_logarithmic_axis() {
        let incomes: Vec<f64> = (1..2000).map(|i| (f64::from(i) / 200.0).exp()).collect();
        assert!(checked(&column(Some(2)), &[incomes.clone(), incomes]).is_logarithmic);
        for odd in [vec![2.0; 9], vec![0.0; 3], vec![-4.0, 1e300], vec![1e-300, 2e-300]] {
            checked(&column(None), &[odd, vec![2.0]]);
        }
        assert_eq!(steps(&column(None), &[Vec::new(), vec![1.0]]), Steps::default());
    }
}
