//! Numbers that are sums of others, their products and ratios, or their logarithms.

use super::super::float::{mean_and_deviation, with_digits};
use super::found::{FLOAT_DIGIT, FoundRelations, TableNumbers};
use super::{Relation, Term};

/// Rows that factors are computed from; all rows are checked.
const LOOKED_AT: usize = 1000;
/// Terms of a sum.
const MAX_TERMS: usize = 8;
/// Halves of a digit that a number's deviation has at least: what is rounded to a few steps follows from much.
const MIN_STEPS: f64 = 8.0;
/// The share of missing cells up to which a column is looked at.
const MAX_MISSING: f64 = 0.2;
/// The share of a variance that may be left where a sum is exact: that of rounding while it is computed.
const LEFT: f64 = 1e-9;
/// Significant digits of factors.
const MAX_DIGITS: usize = 9;

/// Numbers of the columns that are looked at.
struct Search<'a> {
    numbers: &'a TableNumbers<'a>,
    /// Columns of numbers.
    usable: Vec<usize>,
    deviation: Vec<f64>,
    half: Vec<f64>,
}

pub(super) fn find(numbers: &TableNumbers<'_>, found: &mut FoundRelations) {
    let search = Search::of(numbers);
    search.sums(found);
    search.logarithms(found);
    search.products(found);
}

/// The weights by which some columns add up to another, of the matrix of all correlations; by Cholesky's decomposition, whose terms next
/// to 0 are those of columns that add up to others.
fn solve(correlations: &[Vec<f64>], from: &[usize], to: usize) -> Vec<f64> {
    let count = from.len();
    let mut lower = vec![vec![0.0; count]; count];
    for i in 0..count {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = correlations[from[i]][from[j]] - sum;
            lower[i][j] = match i == j {
                true => rest.max(1e-14).sqrt(),
                false => rest / lower[j][j],
            };
        }
    }
    let mut weights: Vec<f64> = from.iter().map(|column| correlations[*column][to]).collect();
    for i in 0..count {
        let sum: f64 = (0..i).map(|k| lower[i][k] * weights[k]).sum();
        weights[i] = (weights[i] - sum) / lower[i][i];
    }
    for i in (0..count).rev() {
        let sum: f64 = (i + 1..count).map(|k| lower[k][i] * weights[k]).sum();
        weights[i] = (weights[i] - sum) / lower[i][i];
    }
    weights
}

impl<'a> Search<'a> {
    fn of(numbers: &'a TableNumbers<'a>) -> Self {
        let is_usable = |column: &usize| {
            let (of, values) = (&numbers.columns[*column], &numbers.of[*column]);
            let is_number = !of.kind.is_of_words() || of.words.iter().all(|word| word.parse::<f64>().is_ok());
            let missing = values.iter().filter(|value| value.is_nan()).count();
            is_number && missing as f64 <= MAX_MISSING * values.len() as f64
        };
        let count = numbers.of.len();
        let deviation: Vec<f64> = (0..count).map(|column| mean_and_deviation(numbers.usual(column)).1).collect();
        let half = (0..count).map(|column| numbers.half_digit(column)).collect();
        let usable = (0..count).filter(|column| is_usable(column) && deviation[*column] > 0.0).collect();
        Self { numbers, usable, deviation, half }
    }

    /// Whether a number has enough steps for a relation to mean something.
    fn may_follow(&self, column: usize) -> bool {
        self.deviation[column] >= MIN_STEPS * self.half[column] && !self.numbers.columns[column].kind.is_of_words()
    }

    /// Whether a relation holds in all rows.
    fn holds(&self, relation: &Relation) -> bool {
        let (column, from) = (relation.column(), relation.from());
        let of = &self.numbers.of;
        let (mut rows, mut row) = (0, vec![f64::NAN; of.len()]);
        for (place, value) in of[column].iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            from.iter().for_each(|column| row[*column] = of[*column][place]);
            if from.iter().any(|column| row[*column].is_nan()) {
                continue;
            }
            rows += 1;
            let most = 1.02 * self.half[column].max(FLOAT_DIGIT * value.abs());
            if !relation.value(&row).is_some_and(|found| (found - value).abs() <= most) {
                return false;
            }
        }
        2 * rows >= of[column].len()
    }

    /// Looks for sums: each column in turn may follow from those before it.
    fn sums(&self, found: &mut FoundRelations) {
        let is_whole = |row: &usize| self.usable.iter().all(|column| !self.numbers.of[*column][*row].is_nan());
        let rows: Vec<usize> = (0..self.numbers.of[0].len()).filter(is_whole).collect();
        if rows.len() < 3 * self.usable.len() + 30 {
            return;
        }
        let step = rows.len().div_ceil(LOOKED_AT);
        let rows: Vec<usize> = rows.into_iter().step_by(step).collect();
        let mut means = vec![0.0; self.numbers.of.len()];
        let mut deviations = means.clone();
        let mut scaled: Vec<Vec<f64>> = vec![Vec::new(); means.len()];
        for column in self.usable.iter().copied() {
            let values: Vec<f64> = rows.iter().map(|row| self.numbers.of[column][*row]).collect();
            (means[column], deviations[column]) = mean_and_deviation(values.iter().copied());
            scaled[column] =
                values.iter().map(|value| (value - means[column]) / deviations[column].max(1e-300)).collect();
        }
        let usable: Vec<usize> = self.usable.iter().copied().filter(|column| deviations[*column] > 0.0).collect();
        let mut correlations = vec![vec![0.0; means.len()]; means.len()];
        for (i, a) in usable.iter().enumerate() {
            for b in &usable[..=i] {
                let sum: f64 = scaled[*a].iter().zip(&scaled[*b]).map(|(a, b)| a * b).sum();
                correlations[*a][*b] = sum / rows.len() as f64;
                correlations[*b][*a] = correlations[*a][*b];
            }
        }
        let mut free: Vec<usize> = Vec::new();
        for column in usable {
            let relation = self.may_follow(column).then(|| self.sum(column, &free, &correlations, &means, &deviations));
            match relation.flatten() {
                None => free.push(column),
                Some(relation) => {
                    let relation = self.of_most_values(relation, found);
                    free.push(column);
                    free.retain(|free| *free != relation.column());
                    found.relations.push(relation);
                }
            }
        }
    }

    /// The sum that a column is of some others.
    fn sum(
        &self,
        column: usize,
        free: &[usize],
        correlations: &[Vec<f64>],
        means: &[f64],
        deviations: &[f64],
    ) -> Option<Relation> {
        let mut from = free.to_vec();
        for _ in 0..3 {
            let weights = solve(correlations, &from, column);
            let explained: f64 =
                from.iter().zip(&weights).map(|(from, weight)| weight * correlations[*from][column]).sum();
            let digit = self.half[column] / deviations[column];
            if from.is_empty() || 1.0 - explained > LEFT.max(digit * digit) {
                return None;
            }
            let least = (0.2 * digit).max(1e-6);
            let kept: Vec<usize> =
                from.iter().zip(&weights).filter(|(_, weight)| weight.abs() > least).map(|(from, _)| *from).collect();
            if kept.len() == from.len() {
                if from.len() > MAX_TERMS {
                    return None;
                }
                let factors: Vec<f64> = from
                    .iter()
                    .zip(&weights)
                    .map(|(from, weight)| weight * deviations[column] / deviations[*from])
                    .collect();
                return (1..=MAX_DIGITS).find_map(|digits| {
                    let term = |(column, factor): (&usize, &f64)| Term {
                        column: *column,
                        factor: with_digits(*factor, digits),
                        is_log: false,
                    };
                    let terms: Vec<Term> = from.iter().zip(&factors).map(term).collect();
                    let constant =
                        means[column] - terms.iter().map(|term| term.factor * means[term.column]).sum::<f64>();
                    self.with_constant(column, terms, constant)
                });
            }
            from = kept;
        }
        None
    }

    /// The sum with a constant of few digits, if it holds.
    fn with_constant(&self, column: usize, terms: Vec<Term>, constant: f64) -> Option<Relation> {
        let tried = std::iter::once(0.0).chain((1..=MAX_DIGITS).map(|digits| with_digits(constant, digits)));
        let mut near = tried.filter(|tried| (tried - constant).abs() <= 2.0 * self.half[column]);
        near.find_map(|constant| {
            let relation = Relation::Sum { column, terms: terms.clone(), constant };
            self.holds(&relation).then_some(relation)
        })
    }

    /// Solved for the column with the most different values: what many combinations make has the most. Where several have as many, for
    /// one of which all others are added.
    fn of_most_values(&self, relation: Relation, found: &FoundRelations) -> Relation {
        let Relation::Sum { column, terms, constant: 0.0 } = &relation else { return relation };
        if terms.len() < 2 || terms.iter().any(|term| term.factor.abs() != 1.0 || term.is_log) {
            return relation;
        }
        let solved = |of: &Term| {
            let others = terms.iter().filter(|term| term.column != of.column);
            let term = |column: usize, factor: f64| Term { column, factor, is_log: false };
            let terms = others.map(|other| term(other.column, -other.factor / of.factor));
            let terms = terms.chain([term(*column, 1.0 / of.factor)]).collect();
            Relation::Sum { column: of.column, terms, constant: 0.0 }
        };
        let is_possible = |turned: &Relation| {
            let column = turned.column();
            found.may_follow(column, turned.from()) && self.may_follow(column) && self.holds(turned)
        };
        let rank = |relation: &Relation| {
            let all_added =
                matches!(relation, Relation::Sum { terms, .. } if terms.iter().all(|term| term.factor > 0.0));
            (self.numbers.distinct[relation.column()], all_added)
        };
        let mut turned: Vec<Relation> = terms.iter().map(solved).filter(is_possible).collect();
        turned.sort_by_key(rank);
        match turned.pop() {
            Some(turned) if rank(&turned) > rank(&relation) => turned,
            _ => relation,
        }
    }

    fn logarithms(&self, found: &mut FoundRelations) {
        let pairs = self.usable.iter().flat_map(|a| self.usable.iter().map(move |b| (*a, *b)));
        for (column, of) in pairs.filter(|(a, b)| a != b) {
            if !self.may_follow(column) || !found.may_follow(column, [of]) {
                continue;
            }
            found.relations.extend(self.logarithm(column, of));
        }
    }

    /// The sum that a column is of the logarithm of another.
    fn logarithm(&self, column: usize, of: usize) -> Option<Relation> {
        let (y, x) = (&self.numbers.of[column], &self.numbers.of[of]);
        let there = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
        let least = there().min_by(|a, b| a.0.total_cmp(b.0))?;
        let most = there().max_by(|a, b| a.0.total_cmp(b.0))?;
        if *least.0 <= 0.0 || most.0 / least.0 < 1.5 {
            return None;
        }
        let factor = (most.1 - least.1) / (most.0 / least.0).ln();
        // Three rows tell nearly all pairs apart.
        let middle = there().nth(there().count() / 2)?;
        let expected = least.1 + factor * (middle.0 / least.0).ln();
        if factor == 0.0 || (expected - middle.1).abs() > 8.0 * self.half[column] {
            return None;
        }
        (1..=MAX_DIGITS).find_map(|digits| {
            let factor = with_digits(factor, digits);
            let terms = vec![Term { column: of, factor, is_log: true }];
            self.with_constant(column, terms, least.1 - factor * least.0.ln())
        })
    }

    /// Looks for products and ratios. The columns with the most different values come first: what follows from combinations has more
    /// values than its parts.
    fn products(&self, found: &mut FoundRelations) {
        // Nearly as many are as many: some combinations come to the same.
        let about = |column: usize| (10.0 * (self.numbers.distinct[column] as f64).ln()).round() as i64;
        let columns = self.usable.iter().copied().filter(|column| self.may_follow(*column));
        let mut all: Vec<(usize, bool)> = columns.flat_map(|column| [(column, false), (column, true)]).collect();
        all.sort_by_key(|(column, is_ratio)| (-about(*column), *is_ratio));
        for (column, is_ratio) in all {
            let pairs = self.usable.iter().flat_map(|a| self.usable.iter().map(move |b| [*a, *b]));
            let mut pairs = pairs.filter(|[a, b]| (a < b || is_ratio && a != b) && *a != column && *b != column);
            let may = |of: &[usize; 2]| found.may_follow(column, *of);
            let product = pairs.find_map(|of| may(&of).then(|| self.product(column, of, is_ratio)).flatten());
            found.relations.extend(product);
        }
    }

    /// The product or the ratio that a column is of two others.
    fn product(&self, column: usize, of: [usize; 2], is_ratio: bool) -> Option<Relation> {
        let values = &self.numbers.of;
        let one = |row: usize| match is_ratio {
            true => values[of[0]][row] / values[of[1]][row],
            false => values[of[0]][row] * values[of[1]][row],
        };
        // By the first rows, which nearly never have a factor in common.
        let pairs = (0..values[column].len()).map(|row| (one(row), values[column][row]));
        let there = pairs.filter(|(one, value)| one.is_finite() && *one != 0.0 && !value.is_nan());
        let first: Vec<(f64, f64)> = there.take(8).collect();
        let (largest, of_largest) = first.iter().copied().max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
        let factor = of_largest / largest;
        let is_near = |(one, value): &(f64, f64)| (factor * one - value).abs() <= 8.0 * self.half[column];
        if factor == 0.0 || !first.iter().all(is_near) {
            return None;
        }
        let with = |factor: f64| Relation::Product { column, of, is_ratio, factor };
        (1..=MAX_DIGITS).map(|digits| with(with_digits(factor, digits))).find(|relation| self.holds(relation))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Columns, Relation};
    use crate::Column;

    /// Relations in a table whose columns are these functions of the row, in hundredths.
    fn found(of: &[(&str, &dyn Fn(usize) -> f64)]) -> Vec<String> {
        let cells: Vec<f32> = (0..400).flat_map(|row| of.iter().map(move |(_, cell)| cell(row) as f32)).collect();
        let column = |(name, cell): &(&str, &dyn Fn(usize) -> f64)| {
            // As measured: without what is far from all others.
            let usual = || (0..400).map(|row| f64::from(cell(row) as f32)).filter(|value| value.abs() < 1e6);
            let range = [usual().fold(f64::MAX, f64::min), usual().fold(f64::MIN, f64::max)];
            Column { name: name.to_string(), decimals: Some(2), range, ..Column::default() }
        };
        let all: Vec<Column> = of.iter().map(column).collect();
        let columns = Columns { all, relations: Vec::new(), missing: false, dialect: None };
        let relations: Vec<Relation> = columns.relations_in([&cells, &[]]);
        relations.iter().map(|relation| relation.said(&columns.all)).collect()
    }

    fn hundredths(number: f64) -> f64 {
        (100.0 * number).round() / 100.0
    }

    #[test]
    fn sums_products_and_logarithms_are_found_as_they_are() {
        let a = |row: usize| hundredths((row as f64 * 0.618).fract() * 90.0 + 1.0);
        let b = |row: usize| hundredths((row as f64 * 0.414).fract() * 20.0 + 2.0);
        let c = |row: usize| hundredths((row as f64 * 0.732).fract() * 7.0);
        assert_eq!(found(&[("a", &a), ("b", &b), ("c", &c)]), [""; 0]);
        let total = |row: usize| a(row) + b(row) + c(row);
        assert_eq!(found(&[("a", &a), ("b", &b), ("c", &c), ("all", &total)]), ["all = a + b + c"]);
        // The total is what follows, wherever it stands.
        assert_eq!(found(&[("all", &total), ("a", &a), ("b", &b), ("c", &c)]), ["all = a + b + c"]);
        let charge = |row: usize| hundredths(0.17 * a(row) + 3.0);
        assert_eq!(found(&[("a", &a), ("b", &b), ("charge", &charge)]), ["charge = 0.17 x a + 3"]);
        let amount = |row: usize| hundredths(a(row) * b(row));
        assert_eq!(found(&[("amount", &amount), ("a", &a), ("b", &b)]), ["amount = a x b"]);
        let share = |row: usize| hundredths(100.0 * c(row) / a(row));
        assert_eq!(found(&[("a", &a), ("c", &c), ("share", &share)]), ["share = 100 x c / a"]);
        let log = |row: usize| hundredths(10.0 * a(row).ln());
        assert_eq!(found(&[("log", &log), ("a", &a)]), ["log = 10 x ln a"]);
        // One number far from all others hides no rows.
        let far = |of: &dyn Fn(usize) -> f64, row: usize| if row == 5 { 1e9 } else { of(row) };
        assert_eq!(found(&[("a", &|row| far(&a, row)), ("b", &b), ("c", &|row| far(&c, row))]), [""; 0]);
        let of_far = |row: usize| if row == 5 { 1e9 * b(row) } else { hundredths(a(row) * b(row)) };
        assert_eq!(found(&[("amount", &of_far), ("a", &|row| far(&a, row)), ("b", &b)]), ["amount = a x b"]);
        // All but one row.
        let nearly = |row: usize| total(row) + if row == 77 { 0.5 } else { 0.0 };
        assert_eq!(found(&[("a", &a), ("b", &b), ("c", &c), ("all", &nearly)]), [""; 0]);
    }
}
