//! How close drawn rows of a table come to the rows that a model was trained on: whether it gives away what it should not.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;

use super::records::Records;

/// Rows whose closest training row is looked for, at most and at least, and cells that are compared at most, as far as the least allows.
const MAX_ROWS: usize = 1000;
const MIN_ROWS: usize = 100;
const MAX_CELLS: usize = 2_000_000_000;
/// The share of held-out rows that are the nearest to training rows: what is nearer is a near copy.
const NEAR: f64 = 0.05;
/// Held-out rows that make it known what is near, at least.
const MIN_HELD_OUT: usize = 40;
/// Standard errors by which drawn rows must be ahead of held-out ones, and how many times as often, before it is said.
const BEYOND: f64 = 3.0;
const TIMES: f64 = 2.0;

/// How close rows come to training rows. A distance is the mean over the columns: 0 between equal cells, 1 between different words,
/// between numbers the share of four deviations that they are apart, and no more than 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distances {
    /// How many rows there are.
    pub rows: usize,
    /// How many of them are the same as a training row in every cell.
    pub copies: usize,
    /// How many of them were compared with all training rows.
    pub compared: usize,
    /// The share of those that are nearer to a training row than nineteen in twenty held-out rows are; none if there are too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_copies: Option<f64>,
    /// The median distance to the closest training row.
    pub distance: f64,
    /// The median of that distance over the one to the second closest: near 0 where rows sit on single training rows.
    pub ratio: f64,
}

/// Drawn rows beside held-out rows, which a model has not seen either.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Closeness {
    /// How close drawn rows come.
    pub drawn: Distances,
    /// How close held-out rows come; none if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Distances>,
}

impl Closeness {
    /// Compares drawn rows and held-out rows with the training rows.
    pub fn of(drawn: &Records, held_out: &Records, train: &Records) -> Self {
        let known: HashSet<u64> = (0..train.rows).map(|row| train.key(row)).collect();
        let held = Nearest::of(held_out, train);
        let near = held.nearest(NEAR).filter(|_| held.all.len() >= MIN_HELD_OUT);
        let distances = |records: &Records, found: &Nearest| Distances {
            rows: records.rows,
            copies: (0..records.rows).filter(|row| known.contains(&records.key(*row))).count(),
            compared: found.all.len(),
            near_copies: near.map(|near| found.share_below(near)),
            distance: found.median(|[first, _]| first),
            ratio: found.median(|[first, second]| if second > 0.0 { first / second } else { 1.0 }),
        };
        Self {
            drawn: distances(drawn, &Nearest::of(drawn, train)),
            held_out: (held_out.rows > 0).then(|| distances(held_out, &held)),
        }
    }

    /// Says in words what drawn rows give away; none if they are no closer to training rows than held-out rows are.
    pub fn gives_away(&self) -> Option<String> {
        let (drawn, held_out) = (&self.drawn, self.held_out.as_ref()?);
        let share = |of: &Distances| of.copies as f64 / of.rows.max(1) as f64;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        if is_ahead([share(drawn), share(held_out)], [drawn.rows, held_out.rows]) {
            return Some(format!(
                "{} of the drawn rows are copies of training rows, and {} of the held-out rows",
                percent(share(drawn)),
                percent(share(held_out))
            ));
        }
        let near = [drawn.near_copies?, held_out.near_copies?];
        is_ahead(near, [drawn.compared, held_out.compared]).then(|| {
            format!(
                "{} of the drawn rows are nearly copies of training rows, and {} of the held-out rows",
                percent(near[0]),
                percent(near[1])
            )
        })
    }
}

/// Whether the first of two shares of so many rows is larger than the second by more than chance, and so much that it matters.
fn is_ahead([first, second]: [f64; 2], [firsts, seconds]: [usize; 2]) -> bool {
    let (n, m) = (firsts.max(1) as f64, seconds.max(1) as f64);
    let both = (first * n + second * m) / (n + m);
    let error = (both * (1.0 - both) * (1.0 / n + 1.0 / m)).sqrt();
    first > TIMES * second && first - second > BEYOND * error
}

/// Distances of rows to the closest and the second closest training row.
struct Nearest {
    /// `(M, 2)`
    all: Vec<[f64; 2]>,
}

impl Nearest {
    /// Looks for the closest training rows of some of the rows, from all over them.
    fn of(records: &Records, train: &Records) -> Self {
        let cells = (train.rows * train.columns()).max(1);
        let most = (MAX_CELLS / cells).clamp(MIN_ROWS, MAX_ROWS);
        let rows = if train.rows == 0 { Vec::new() } else { wgvae_data::spread(records.rows, most) };
        let is_words: Vec<bool> = (0..train.columns()).map(|column| train.words(column).is_some()).collect();
        let all = rows.par_iter().map(|row| nearest(records.row(*row), train, &is_words)).collect();
        Self { all }
    }

    /// The distance that a share of the rows is nearer than; none of no rows.
    fn nearest(&self, share: f64) -> Option<f64> {
        let mut all: Vec<f64> = self.all.iter().map(|[first, _]| *first).collect();
        all.sort_by(f64::total_cmp);
        all.get((share * all.len() as f64) as usize).copied()
    }

    fn share_below(&self, near: f64) -> f64 {
        self.all.iter().filter(|[first, _]| *first < near).count() as f64 / self.all.len().max(1) as f64
    }

    fn median(&self, of: impl Fn([f64; 2]) -> f64) -> f64 {
        let mut all: Vec<f64> = self.all.iter().map(|both| of(*both)).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }
}

/// The distances of a row to the closest and the second closest training row.
fn nearest(row: &[f32], train: &Records, is_words: &[bool]) -> [f64; 2] {
    let mut found = [f32::INFINITY; 2];
    for other in 0..train.rows {
        let mut sum = 0.0;
        // Rows that are farther than the second closest are left soon.
        let mut cells = row.iter().zip(train.row(other)).zip(is_words);
        let is_near = cells.all(|((a, b), is_word)| {
            sum += apart(*a, *b, *is_word);
            sum < found[1]
        });
        if is_near {
            found = if sum < found[0] { [sum, found[0]] } else { [found[0], sum] };
        }
    }
    // With a single training row, the closest one stands for the second closest, too.
    found.map(|sum| f64::from(if sum.is_finite() { sum } else { found[0] }) / row.len().max(1) as f64)
}

/// How far two cells are apart, from 0 to 1.
fn apart(a: f32, b: f32, is_word: bool) -> f32 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        (false, false) if is_word => f32::from(a != b),
        (false, false) => (a - b).abs().min(1.0),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::{Cell, Column, Columns, ValueKind};

    fn columns() -> Columns {
        let number = Column { name: "x".into(), decimals: Some(2), ..Column::default() };
        let words = ["a", "b"].map(String::from).to_vec();
        let word = Column { name: "w".into(), kind: ValueKind::Category, words, ..Column::default() };
        Columns { all: vec![number, word], ..Columns::numbers(Vec::new(), Vec::new(), Vec::new()) }
    }

    fn cells(rows: impl Iterator<Item = (f64, &'static str)>) -> Vec<Cell> {
        rows.flat_map(|(x, w)| [Cell::Exact(x), if w.is_empty() { Cell::Missing } else { Cell::Word(w.into()) }])
            .collect()
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let columns = columns();
        let train = cells([(0.0, "a"), (2.0, "b"), (0.4, "")].into_iter());
        let train = Records::of(&columns, &train);
        let drawn = cells([(0.0, "a"), (0.0, "b"), (1.0, ""), (99.0, "b")].into_iter());
        let drawn = Records::of(&columns, &drawn);
        let of = |row: usize| nearest(drawn.row(row), &train, &[false, true]);
        // A number is a share of four deviations, a word or a missing cell is all or nothing, and the mean is taken over both columns.
        let close = |found: [f64; 2], expected: [f64; 2]| {
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
                "{found:?} in place of {expected:?}"
            );
        };
        close(of(0), [0.0, 0.55]);
        close(of(1), [0.25, 0.5]);
        close(of(2), [0.075, 0.625]);
        close(of(3), [0.5, 1.0]);
        let none = Records::of(&columns, &[]);
        let found = Closeness::of(&drawn, &none, &train);
        assert_eq!((found.drawn.copies, found.drawn.rows, found.held_out), (1, 4, None));
        assert_eq!((found.drawn.near_copies, found.gives_away()), (None, None));
        close(
            nearest(train.row(0), &Records::of(&columns, &cells([(0.0, "b")].into_iter())), &[false, true]),
            [0.5; 2],
        );
    }

    #[test]
    fn rows_learned_by_heart_are_told() {
        let columns = columns();
        let word = |i: usize| if i.is_multiple_of(3) { "a" } else { "b" };
        let row = |i: usize| ((i * i % 997) as f64 / 100.0, word(i));
        let records = |rows: std::ops::Range<usize>, off: f64| {
            cells(rows.map(|i| (row(i).0 + off, row(i).1))).leak() as &[Cell]
        };
        let train = Records::of(&columns, records(0..300, 0.0));
        let held_out = Records::of(&columns, records(400..480, 0.04));
        let like = Records::of(&columns, records(500..700, 0.04));
        let found = Closeness::of(&like, &held_out, &train);
        assert_eq!(found.gives_away(), None, "{found:?}");
        let copied = Closeness::of(&Records::of(&columns, records(0..200, 0.0)), &held_out, &train);
        assert_eq!((copied.drawn.copies, copied.drawn.ratio), (200, 0.0));
        assert!(copied.gives_away().unwrap().contains("100.0 % of the drawn rows are copies"), "{copied:?}");
        let nearly = Closeness::of(&Records::of(&columns, records(0..200, 0.06)), &held_out, &train);
        assert!(nearly.drawn.copies < 200);
    }
}
