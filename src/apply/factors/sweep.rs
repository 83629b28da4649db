//! What a model does as one factor after the other goes through its values and the others stay.

use wgvae_data::{Examples, Factors, Options, Rows};

use super::expect;
use crate::apply::statistics::mean_variances;
use crate::apply::{Codes, Run, RunError};

/// Rows in which one factor after the other goes through its values, from each of several rows on.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Factors that vary, and the values that each of them takes.
    pub factors: Vec<(String, Vec<u16>)>,
    /// The rows: for each row that is started from, for each factor, for each value.
    pub rows: Examples,
    /// How many of them have other factors that are not as in the row that was started from: where a source cannot make rows, the
    /// nearest ones there are are taken.
    pub strayed: usize,
}

impl Sweep {
    /// From some of these rows on, through at most so many values of each factor. `options` are those of the rows' source.
    pub fn of(
        run: &Run,
        rows: &Examples,
        options: &Options,
        class: Option<&str>,
        starts: &[usize],
        steps: usize,
    ) -> Result<Self, RunError> {
        let known = expect(rows)?;
        let width = known.names.len();
        let mut wanted: Vec<u16> = Vec::new();
        let factors = varying(known, steps);
        if factors.is_empty() {
            return Err(RunError::Unfit(
                "all of these rows have the same factors, so none can be shown to vary".into(),
            ));
        }
        for start in starts {
            let own = known.values.get(start * width..(start + 1) * width).ok_or_else(|| {
                RunError::Unfit(format!("there is no row {start}: there are {} rows, counted from 0", rows.rows))
            })?;
            for (place, values) in &factors {
                for value in values {
                    wanted.extend(own.iter().enumerate().map(|(i, own)| if i == *place { *value } else { *own }));
                }
            }
        }
        let named = factors.iter().map(|(place, values)| (known.names[*place].clone(), values.clone())).collect();
        if let Some(made) = wgvae_data::rows_of_factors(options, &wanted, &run.data)? {
            let Rows { split, .. } = run.with_classes(made, class)?;
            return Ok(Self { factors: named, rows: split, strayed: 0 });
        }
        let of_value = factors.iter().flat_map(|(place, values)| std::iter::repeat_n(*place, values.len()));
        let places: Vec<usize> = std::iter::repeat_n(of_value, starts.len()).flatten().collect();
        let found: Vec<usize> =
            wanted.chunks_exact(width).zip(places).map(|(wanted, place)| nearest(known, wanted, place)).collect();
        let has = |row: usize| &known.values[row * width..(row + 1) * width];
        let strayed =
            found.iter().zip(wanted.chunks_exact(width)).filter(|(row, wanted)| has(**row) != *wanted).count();
        Ok(Self { factors: named, rows: picked(rows, &found), strayed })
    }

    /// How many rows there are for each row that was started from.
    pub fn of_start(&self) -> usize {
        self.factors.iter().map(|(_, values)| values.len()).sum()
    }

    /// `(factors, Z)`: how far each dimension of the sweep's codes moves with a factor, the root of the mean variance, in deviations
    /// of the dimension over all rows.
    pub fn moved(&self, codes: &Codes, all: &Codes) -> Vec<Vec<f64>> {
        let deviations: Vec<f64> = mean_variances(all).into_iter().map(f64::sqrt).collect();
        let starts = self.rows.rows / self.of_start().max(1);
        let mut first = 0;
        let of_factor = |(_, values): &(String, Vec<u16>)| {
            let mut sums = vec![0.0; codes.latent];
            for start in 0..starts {
                let from = start * self.of_start() + first;
                let strip = codes.of(from..from + values.len());
                sums.iter_mut()
                    .zip(mean_variances(&strip))
                    .for_each(|(sum, variance)| *sum += variance / starts as f64);
            }
            first += values.len();
            let share = |(sum, deviation): (f64, &f64)| if *deviation > 0.0 { sum.sqrt() / deviation } else { 0.0 };
            sums.into_iter().zip(&deviations).map(share).collect()
        };
        self.factors.iter().map(of_factor).collect()
    }
}

/// The places of factors that vary, and at most so many of the values that occur, from the least to the largest.
fn varying(known: &Factors, steps: usize) -> Vec<(usize, Vec<u16>)> {
    let width = known.names.len();
    let of = |place: usize| {
        let mut occur: Vec<u16> = known.values.iter().skip(place).step_by(width).copied().collect();
        occur.sort_unstable();
        occur.dedup();
        let count = steps.clamp(2, occur.len().max(2));
        let chosen = (0..count).filter_map(|i| occur.get(i * (occur.len() - 1) / (count - 1)).copied()).collect();
        (occur.len() > 1).then_some((place, chosen))
    };
    (0..width).filter_map(of).collect()
}

/// The row with the wanted value of one factor whose other factors are nearest to what is wanted: each counts as the share of its range
/// that it is off, one without an order as 1.
fn nearest(known: &Factors, wanted: &[u16], place: usize) -> usize {
    let width = wanted.len();
    let off = |(i, (has, wanted)): (usize, (&u16, &u16))| match known.ordered[i] {
        _ if has == wanted => 0.0,
        true => f64::from(has.abs_diff(*wanted)) / (known.counts[i].max(2) - 1) as f64,
        false => 1.0,
    };
    let far = |row: &[u16]| -> f64 { row.iter().zip(wanted).enumerate().map(off).sum() };
    let candidates = known.values.chunks_exact(width).enumerate().filter(|(_, row)| row[place] == wanted[place]);
    candidates.map(|(row, has)| (row, far(has))).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(row, _)| row)
}

/// Some rows in this order, which may have one several times.
fn picked(rows: &Examples, which: &[usize]) -> Examples {
    let width = rows.values.len() / rows.rows.max(1);
    let numbers: Vec<f32> = which.iter().flat_map(|row| rows.numbers(*row..row + 1, width)).collect();
    let bytes = matches!(rows.values, wgvae_data::Values::Bytes(_));
    let labels = rows.labels.as_ref().map(|labels| which.iter().map(|row| labels[*row]).collect());
    Examples { labels, ..Examples::of_numbers(&numbers, bytes, width) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors() -> Factors {
        Factors {
            names: ["kind", "place", "same"].map(String::from).into(),
            counts: vec![3, 11, 2],
            ordered: vec![false, true, true],
            values: vec![0, 5, 1, 1, 5, 1, 2, 9, 1, 0, 7, 1, 1, 10, 1, 2, 4, 1],
        }
    }

    #[test]
    fn values_are_those_that_occur_from_end_to_end() {
        assert_eq!(varying(&factors(), 3), [(0, vec![0, 1, 2]), (1, vec![4, 7, 10])]);
        assert_eq!(varying(&factors(), 100)[1], (1, vec![4, 5, 7, 9, 10]));
    }

    #[test]
    fn the_nearest_row_has_the_value_and_differs_least() {
        let known = factors();
        // The kind must be right; of the two rows of the third kind, the nearer one.
        assert_eq!(nearest(&known, &[2, 5, 1], 0), 5);
        assert_eq!(nearest(&known, &[2, 8, 1], 0), 2);
        assert_eq!(nearest(&known, &[1, 5, 1], 0), 1);
        // The place must be right, even if the kind is not.
        assert_eq!(nearest(&known, &[0, 10, 1], 1), 4);
    }

    #[test]
    fn dimensions_move_as_far_as_they_do() {
        let sweep = Sweep {
            factors: vec![("kind".into(), vec![0, 1]), ("place".into(), vec![0, 1, 2])],
            rows: Examples::of(10, wgvae_data::Values::Floats(vec![0.0; 10])),
            strayed: 0,
        };
        // From two rows on; the first dimension moves with the kind alone, the second with the place, from the second row twice as far.
        let mu = vec![0., 0., 2., 0., 1., 0., 1., 1., 1., 2., 5., 5., 7., 5., 6., 0., 6., 2., 6., 4.];
        let codes = Codes { latent: 2, mu, logvar: Vec::new() };
        let all = Codes { latent: 2, mu: vec![-2., 0., 2., 0., -2., 1., 2., 1.], logvar: Vec::new() };
        let moved = sweep.moved(&codes, &all);
        assert!((moved[0][0] - 0.5).abs() < 1e-12 && moved[0][1] == 0.0, "{moved:?}");
        let place = ((2.0_f64 / 3.0 + 8.0 / 3.0) / 2.0).sqrt() / 0.5;
        assert!((moved[1][1] - place).abs() < 1e-12 && moved[1][0] == 0.0, "{moved:?}");
    }
}
