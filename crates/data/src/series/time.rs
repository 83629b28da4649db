//! Times of a table's rows: numbers or dates, and the regular step between them.

use super::super::columns::{Times, parse};

/// How far a time may lie beside the regular one, as a share of a step: months are of 28 to 31 days.
const TOLERANCE: f64 = 0.15;

/// The times of a column, in the order of its rows.
#[derive(Default)]
pub struct TimeColumn {
    numbers: Vec<f64>,
    texts: Vec<String>,
    dates: Option<Times>,
}

impl TimeColumn {
    /// Adds a time; whether it is one, written as those before it.
    pub fn add(&mut self, text: &str) -> bool {
        let text = text.trim();
        if self.texts.is_empty()
            && let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite())
        {
            self.numbers.push(number);
            return true;
        }
        let Some(parsed) = parse(text).filter(|_| self.numbers.is_empty()) else { return false };
        let fits = match &mut self.dates {
            Some(dates) => dates.add(parsed),
            none => {
                *none = Some(Times::of(parsed));
                true
            }
        };
        self.texts.push(text.to_string());
        fits
    }

    /// The times as numbers, and whether day and month could be the other way round; or the row that holds no time.
    pub fn finish(self) -> Result<(Vec<f64>, bool), usize> {
        let Some(dates) = self.dates else { return Ok((self.numbers, false)) };
        let (form, is_ambiguous) = dates.finish();
        let numbers: Result<Vec<f64>, usize> =
            self.texts.iter().enumerate().map(|(row, text)| form.read(text).ok_or(row)).collect();
        Ok((numbers?, is_ambiguous))
    }
}

/// The step from time to time in some series: the most frequent one, as exact as their spans tell. None without two times.
pub fn usual_step<'a>(series: impl Iterator<Item = &'a [f64]> + Clone) -> Option<f64> {
    let between = |times: &'a [f64]| times.windows(2).map(|pair| pair[1] - pair[0]);
    let mut steps: Vec<f64> = series.clone().flat_map(between).collect();
    steps.sort_by(f64::total_cmp);
    let mut best: Option<(usize, f64)> = None;
    let mut start = 0;
    while start < steps.len() {
        let most = steps[start] * (1.0 + TOLERANCE);
        let count = steps[start..].iter().take_while(|step| **step <= most).count().max(1);
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, steps[start + count / 2]));
        }
        start += count;
    }
    let (_, usual) = best?;
    // Times may be rounded, or months: the mean of single steps is the step.
    let single = steps.iter().filter(|step| (**step / usual - 1.0).abs() < TOLERANCE);
    let (sum, count) = single.fold((0.0, 0.0), |(sum, count), step| (sum + step, count + 1.0));
    Some(sum / count).filter(|step: &f64| step.is_finite() && *step > 0.0)
}

/// The number of steps from the first time to each, where all lie a whole number of them apart.
pub fn on_grid(times: &[f64], step: f64) -> Option<Vec<usize>> {
    let mut places = vec![0];
    for pair in times.windows(2) {
        let steps = (pair[1] - pair[0]) / step;
        let whole = steps.round();
        if (steps - whole).abs() >= TOLERANCE || !(1.0..1e9).contains(&whole) {
            return None;
        }
        places.push(places.last()? + whole as usize);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_behind_rounding_and_gaps() {
        let hertz: Vec<f64> = (0..300).map(|i| (f64::from(i) / 30.0 * 1000.0).round() / 1000.0).collect();
        let step = usual_step(std::iter::once(hertz.as_slice())).unwrap();
        assert!((step - 1.0 / 30.0).abs() < 1e-4, "{step}");
        assert_eq!(on_grid(&hertz, step).unwrap(), (0..300).collect::<Vec<_>>());
        let gaps = [0.0, 1.0, 2.0, 5.0, 6.0];
        assert_eq!(usual_step(std::iter::once(&gaps[..])), Some(1.0));
        assert_eq!(on_grid(&gaps, 1.0).unwrap(), [0, 1, 2, 5, 6]);
        assert_eq!(on_grid(&[0.0, 1.0, 2.4], 1.0), None);
        // Days of the months of 2024.
        let months = [0.0, 31.0, 60.0, 91.0, 121.0, 152.0, 182.0, 213.0];
        let step = usual_step(std::iter::once(&months[..])).unwrap();
        assert_eq!(on_grid(&months, step).unwrap(), (0..8).collect::<Vec<_>>());
        assert_eq!(usual_step(std::iter::once(&[3.0][..])), None);
    }

    #[test]
    fn times_are_numbers_or_dates() {
        let column = |texts: &[&str]| {
            let mut times = TimeColumn::default();
            texts.iter().all(|text| times.add(text)).then(|| times.finish().unwrap().0)
        };
        assert_eq!(column(&["0", "0.5", "1e1"]), Some(vec![0.0, 0.5, 10.0]));
        assert_eq!(column(&["1970-01-02", "1970-01-04"]), Some(vec![1.0, 3.0]));
        assert_eq!(column(&["1970-01-01 00:00", "1970-01-01 01:00"]), Some(vec![0.0, 3600.0]));
        for wrong in [&["x"][..], &["1", "1970-01-02"], &["1970-01-02", "1"], &["inf"], &[""]] {
            assert_eq!(column(wrong), None, "{wrong:?}");
        }
    }
}
