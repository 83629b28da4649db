//! The classes of a table's rows.

use std::collections::HashMap;

use super::super::natural;
use super::field::bare;

/// The labels so far, in the order of their first rows.
#[derive(Default)]
pub struct Labels {
    names: Vec<String>,
    known: HashMap<String, u32>,
    rows: Vec<Option<u32>>,
}

/// The labels of all rows.
pub struct Finished {
    /// Sorted: numbers by value, words alphabetically.
    pub names: Vec<String>,
    /// 0 where the row has none.
    pub classes: Vec<u32>,
    pub known: Vec<bool>,
}

impl Labels {
    /// Adds the label of one more row, and returns whether it has one.
    pub fn add(&mut self, text: &str) -> bool {
        let text = bare(text);
        // `none` and `.` can be names of classes.
        let missing = ["", "?", "na", "n/a", "nan", "null", "-", "--", "#n/a", "<na>"];
        let missing = missing.iter().any(|missing| text.eq_ignore_ascii_case(missing));
        let class = (!missing).then(|| match self.known.get(text) {
            Some(class) => *class,
            None => {
                let class = self.names.len() as u32;
                self.names.push(text.to_string());
                self.known.insert(text.to_string(), class);
                class
            }
        });
        self.rows.push(class);
        class.is_some()
    }

    pub fn finish(self) -> Finished {
        let numbers: Option<Vec<f64>> = self.names.iter().map(|name| name.parse().ok()).collect();
        // `1` and `1.0` are one class.
        let names: Vec<String> = match numbers.filter(|numbers| numbers.iter().all(|n| n.is_finite())) {
            Some(numbers) => numbers.iter().map(f64::to_string).collect(),
            None => self.names,
        };
        let mut sorted = names.clone();
        sorted.sort_by(|a, b| {
            let by_value = a.parse::<f64>().ok().zip(b.parse::<f64>().ok()).and_then(|(a, b)| a.partial_cmp(&b));
            by_value.unwrap_or_else(|| natural::compare(a, b))
        });
        sorted.dedup();
        let places: HashMap<&String, u32> = sorted.iter().zip(0..).collect();
        let places: Vec<u32> = names.iter().map(|name| places.get(name).copied().unwrap_or(0)).collect();
        let class = |class: &Option<u32>| class.map_or(0, |class| places[class as usize]);
        Finished {
            classes: self.rows.iter().map(class).collect(),
            known: self.rows.iter().map(Option::is_some).collect(),
            names: sorted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[&str]) -> (Vec<String>, Vec<u32>) {
        let mut all = Labels::default();
        for label in labels {
            assert!(all.add(label));
        }
        let finished = all.finish();
        (finished.names, finished.classes)
    }

    #[test]
    fn classes_are_in_order_whatever_order_they_come_in() {
        assert_eq!(classes(&["M", " B", "M"]), (vec!["B".into(), "M".into()], vec![1, 0, 1]));
        assert_eq!(classes(&["10", "2", "-1", "2.0"]), (vec!["-1".into(), "2".into(), "10".into()], vec![2, 1, 0, 1]));
        assert!(!Labels::default().add(" NA ") && !Labels::default().add("-") && Labels::default().add("none"));
    }
}
