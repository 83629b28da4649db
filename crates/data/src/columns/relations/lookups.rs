//! Columns of which each value goes with one value of another.

use std::collections::HashMap;

use super::Relation;
use super::found::{FoundRelations, TableNumbers};

/// Different values up to which a column may be one that others follow from, and one that follows.
const MAX_KEYS: usize = 1024;
const MAX_VALUES: usize = 256;
/// Rows of each value on average.
const OF_EACH: f64 = 4.0;
/// The logarithm of the probability that values which have nothing to do with each other go together in all rows.
const BY_CHANCE: f64 = -30.0;

pub(super) fn find(numbers: &TableNumbers<'_>, found: &mut FoundRelations) {
    let count = numbers.of.len();
    let distinct = &numbers.distinct;
    for column in 0..count {
        if found.follows(column) || !(2..=MAX_VALUES).contains(&distinct[column]) {
            continue;
        }
        // From the one with the fewest values: what follows from the town follows from the street as well.
        let mut keys: Vec<usize> = (0..count).filter(|by| distinct[*by] >= distinct[column]).collect();
        keys.sort_by_key(|by| distinct[*by]);
        let lookup =
            keys.into_iter().filter(|by| distinct[*by] <= MAX_KEYS && found.may_follow(column, [*by])).find_map(|by| {
                lookup(&numbers.of[by], &numbers.of[column]).map(|(keys, values)| Relation::Lookup {
                    column,
                    by,
                    keys,
                    values,
                })
            });
        found.relations.extend(lookup);
    }
}

/// How many rows have each value.
pub(super) fn counts(values: &[f64]) -> HashMap<u64, f64> {
    let mut counts = HashMap::new();
    for value in values.iter().filter(|value| !value.is_nan()) {
        *counts.entry((value + 0.0).to_bits()).or_insert(0.0) += 1.0;
    }
    counts
}

/// The keys, and the one value that goes with each, if it is one in all rows and that is no chance.
fn lookup(keys: &[f64], values: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let mut of_key: HashMap<u64, (f64, f64)> = HashMap::new();
    let pairs = || keys.iter().zip(values).filter(|(key, value)| !key.is_nan() && !value.is_nan());
    for (key, value) in pairs() {
        let (known, rows) = of_key.entry((key + 0.0).to_bits()).or_insert((*value, 0.0));
        if known != value {
            return None;
        }
        *rows += 1.0;
    }
    let all = pairs().count() as f64;
    if all < OF_EACH * of_key.len() as f64 {
        return None;
    }
    let counts = counts(values);
    let together = |rows: f64| counts.values().map(|count| (count / all).powf(rows)).sum::<f64>().min(1.0).ln();
    let by_chance: f64 = of_key.values().map(|(_, rows)| together(*rows)).sum();
    if by_chance > BY_CHANCE {
        return None;
    }
    let mut pairs: Vec<(f64, f64)> = of_key.into_iter().map(|(key, (value, _))| (f64::from_bits(key), value)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some(pairs.into_iter().unzip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_together_by_chance_is_no_relation() {
        let towns: Vec<f64> = (0..200).map(|i| f64::from(i * 7 % 10)).collect();
        let lands: Vec<f64> = towns.iter().map(|town| (town / 4.0).floor()).collect();
        let (keys, values) = lookup(&towns, &lands).unwrap();
        assert_eq!((keys.len(), values[9]), (10, 2.0));
        assert!(lookup(&lands, &towns).is_none());
        // Nearly all rows have the same value.
        let rare: Vec<f64> = (0..200).map(|i| f64::from(u8::from(i == 3))).collect();
        let rows: Vec<f64> = (0..200).map(|i| f64::from(i / 5)).collect();
        assert!(lookup(&rows, &rare.iter().map(|_| 0.0).collect::<Vec<_>>()).is_none());
        assert!(lookup(&towns, &rare).is_none());
    }
}
