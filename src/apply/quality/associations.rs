//! How the columns of a table go together, whatever they are.

use rayon::prelude::*;

use super::records::Records;

/// Rows that tell how two columns go together, at least.
const MIN_ROWS: usize = 10;

/// The associations of some columns, `(C, C)`: 0 where two say nothing of each other, 1 where one tells the other, NaN
/// where too few rows have both. Two numbers have the correlation without its sign, two columns of words Cramer's V.
/// Words and numbers have the root of the share of the variance that lies between the words. The last two are less what
/// chance makes them (Bergsma, 2013).
pub fn associations(records: &Records, columns: &[usize]) -> Vec<f64> {
    let values: Vec<Vec<f32>> = columns.iter().map(|column| records.column(*column).collect()).collect();
    let words: Vec<Option<usize>> = columns.iter().map(|column| records.words(*column)).collect();
    let count = columns.len();
    let of = |place: usize| {
        let (a, b) = (place / count, place % count);
        if a == b {
            return 1.0;
        }
        // Each pair once, in one order, so that the matrix is symmetric to the last bit.
        let (a, b) = (a.min(b), a.max(b));
        let pairs: Vec<(f64, f64)> = values[a]
            .iter()
            .zip(&values[b])
            .filter(|(a, b)| !a.is_nan() && !b.is_nan())
            .map(|(a, b)| (f64::from(*a), f64::from(*b)))
            .collect();
        if pairs.len() < MIN_ROWS {
            return f64::NAN;
        }
        match (words[a], words[b]) {
            (None, None) => correlation(&pairs),
            (Some(words), None) => between(words, pairs.into_iter()),
            (None, Some(words)) => between(words, pairs.into_iter().map(|(a, b)| (b, a))),
            (Some(first), Some(second)) => of_words(first, second, &pairs),
        }
    };
    (0..count * count).into_par_iter().map(of).collect()
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0 / count, sum.1 + pair.1 / count));
    let sums = pairs.iter().fold([0.0; 3], |[xx, yy, xy], (x, y)| {
        let (x, y) = (x - a, y - b);
        [xx + x * x, yy + y * y, xy + x * y]
    });
    let both = (sums[0] * sums[1]).sqrt();
    if both > 0.0 { (sums[2] / both).abs().min(1.0) } else { 0.0 }
}

/// The root of the share of a number's variance that lies between words, each pair a word and the number.
fn between(words: usize, pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut of_word = vec![(0.0, 0.0); words];
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (word, number) in pairs {
        let (rows, all) = &mut of_word[word as usize];
        *rows += 1.0;
        *all += number;
        count += 1.0;
        sum += number;
        squares += number * number;
    }
    let whole = squares - sum * sum / count;
    let groups = of_word.iter().filter(|(rows, _)| *rows > 0.0);
    let explained: f64 = groups.clone().map(|(rows, all)| all * all / rows).sum::<f64>() - sum * sum / count;
    let used = groups.count() as f64;
    if whole <= 0.0 || count <= used {
        return 0.0;
    }
    let share = 1.0 - (1.0 - explained / whole) * (count - 1.0) / (count - used);
    share.clamp(0.0, 1.0).sqrt()
}

fn of_words(first: usize, second: usize, pairs: &[(f64, f64)]) -> f64 {
    let mut counts = vec![0.0; first * second];
    let (mut rows, mut columns) = (vec![0.0; first], vec![0.0; second]);
    for (a, b) in pairs {
        let (a, b) = (*a as usize, *b as usize);
        counts[a * second + b] += 1.0;
        rows[a] += 1.0;
        columns[b] += 1.0;
    }
    let count = pairs.len() as f64;
    let mut phi = -1.0;
    for (place, seen) in counts.iter().enumerate().filter(|(_, seen)| **seen > 0.0) {
        phi += seen * seen / (rows[place / second] * columns[place % second]);
    }
    let used = |sums: &[f64]| sums.iter().filter(|sum| **sum > 0.0).count() as f64;
    let (r, k) = (used(&rows), used(&columns));
    let phi = (phi - (r - 1.0) * (k - 1.0) / (count - 1.0)).max(0.0);
    let less = |words: f64| words - (words - 1.0).powi(2) / (count - 1.0);
    let most = less(r).min(less(k)) - 1.0;
    if most > 0.0 { (phi / most).sqrt().min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::{Cell, Column, Columns, ValueKind};

    #[test]
    fn associations_are_those_of_the_formulas() {
        let number = |name: &str| Column { name: name.into(), ..Column::default() };
        let word = |name: &str| {
            let words = ["a", "b"].map(String::from).to_vec();
            Column { words, kind: ValueKind::Category, ..number(name) }
        };
        let columns = vec![number("x"), number("y"), word("sign"), word("other"), number("gone")];
        let columns = Columns { all: columns, ..Columns::numbers(Vec::new(), Vec::new(), Vec::new()) };
        let cells: Vec<Cell> = (0..200)
            .flat_map(|i| {
                let x = (f64::from(i) - 99.5) / 100.0;
                let letter = |is_first: bool| Cell::Word(if is_first { "a" } else { "b" }.into());
                [Cell::Exact(x), Cell::Exact(-2.0 * x), letter(x > 0.0), letter(i % 2 == 0), Cell::Missing]
            })
            .collect();
        let records = Records::of(&columns, &cells);
        let found = associations(&records, &[0, 1, 2, 3, 4]);
        let at = |a: usize, b: usize| found[a * 5 + b];
        assert!((at(0, 1) - 1.0).abs() < 1e-9, "a number and twice its negative");
        // Between two halves of even numbers lie three quarters of the variance.
        assert!((at(0, 2) - 0.75_f64.sqrt()).abs() < 2e-3 && at(2, 0) == at(0, 2), "{}", at(0, 2));
        assert!(at(0, 3) < 0.02 && at(2, 3) < 1e-9, "nothing in common: {} {}", at(0, 3), at(2, 3));
        assert!(at(0, 4).is_nan() && at(4, 4) == 1.0);
        assert!((associations(&records, &[2, 2])[1] - 1.0).abs() < 1e-9, "one word tells the other");
    }
}
