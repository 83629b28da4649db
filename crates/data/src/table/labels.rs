//! The classes of a table's rows.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::super::natural;
use super::field::bare;

/// The labels so far, in the order of their first rows.
#[derive(Default)]
pub struct LabelReader {
    names: Vec<String>,
    known: HashMap<String, u32>,
    rows: Vec<Option<u32>>,
}

/// The labels of all rows.
pub struct LabelColumn {
    /// Sorted: numbers by value, words alphabetically.
    pub names: Vec<String>,
    /// 0 where the row has none.
    pub classes: Vec<u32>,
    pub known: Vec<bool>,
}

impl LabelReader {
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

    pub fn finish(self) -> LabelColumn {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|a, b| in_order(&self.names[*a], &self.names[*b]));
        let mut places = vec![0; self.names.len()];
        order.iter().zip(0..).for_each(|(name, place)| places[*name] = place);
        let class = |class: &Option<u32>| class.map_or(0, |class| places[class as usize]);
        LabelColumn {
            classes: self.rows.iter().map(class).collect(),
            known: self.rows.iter().map(Option::is_some).collect(),
            names: order.into_iter().map(|name| self.names[name].clone()).collect(),
        }
    }
}

/// Numbers by value before words. What is written otherwise is another class, whatever its value: `7` and `007`, `1000` and `1e3`.
fn in_order(a: &str, b: &str) -> Ordering {
    let number = |name: &str| name.parse::<f64>().ok().filter(|number| number.is_finite());
    let by_value = match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_value.then_with(|| natural::compare(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[&str]) -> (Vec<String>, Vec<u32>) {
        let mut all = LabelReader::default();
        for label in labels {
            assert!(all.add(label));
        }
        let finished = all.finish();
        (finished.names, finished.classes)
    }

    #[test]
    fn classes_are_in_order_whatever_order_they_come_in() {
        assert_eq!(classes(&["M", " B", "M"]), (vec!["B".into(), "M".into()], vec![1, 0, 1]));
        assert_eq!(classes(&["10", "2", "-1", "2"]), (vec!["-1".into(), "2".into(), "10".into()], vec![2, 1, 0, 1]));
        // Each as it is written, and none with another.
        let apart = ["7", "007", "1e3", "1000", "9007199254740993", "9007199254740992", "2", "2.0", "inf", "a2", "-1"];
        let (names, numbers) = classes(&apart);
        assert_eq!(names[..5], ["-1", "2", "2.0", "007", "7"]);
        assert_eq!(numbers.iter().map(|number| names[*number as usize].as_str()).collect::<Vec<_>>(), apart);
        assert!(
            !LabelReader::default().add(" NA ")
                && !LabelReader::default().add("-")
                && LabelReader::default().add("none")
        );
    }
}
