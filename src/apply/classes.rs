//! Rows by their classes: the members of a class, codes to draw around, and rows to draw around so that classes become equal.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgvae_data::{Rows, list};

use super::{Codes, RunError, statistics};

/// The rows of a class; `source` names the rows in an error.
pub fn members(rows: &Rows, class: &str, source: &str) -> Result<Vec<usize>, RunError> {
    let Some(labels) = &rows.split.labels else {
        return Err(RunError::Unfit(format!("there is no class `{class}`: the rows have no labels")));
    };
    let Some(number) = number(rows, class) else {
        return Err(RunError::Unfit(format!("there is no class `{class}`; there are {}", list(&rows.classes))));
    };
    let members: Vec<usize> = (0..labels.len()).filter(|row| labels[*row] == number).collect();
    match members.is_empty() {
        true => Err(RunError::Unfit(format!("no row of {source} is of class `{class}`"))),
        false => Ok(members),
    }
}

fn number(rows: &Rows, class: &str) -> Option<u32> {
    rows.classes.iter().position(|name| name == class).map(|number| number as u32)
}

/// What codes are drawn around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre<'a> {
    /// The mean code of the rows of a class, with their mean variance.
    Class(&'a str),
    /// The code of a row, counted from 0.
    Row(usize),
}

impl Centre<'_> {
    /// The number of its class among those of the rows; none if it has none.
    pub fn class(self, rows: &Rows) -> Option<u32> {
        match self {
            Centre::Class(class) => number(rows, class),
            Centre::Row(row) => rows.split.labels.as_ref().and_then(|labels| labels.get(row).copied()),
        }
    }

    /// Its code, of the codes of the rows; `source` names the rows in an error.
    pub fn code(self, codes: &Codes, rows: &Rows, source: &str) -> Result<Codes, RunError> {
        match self {
            Centre::Class(class) => Ok(codes.of(members(rows, class, source)?.into_iter()).mean()),
            Centre::Row(row) => codes.row(row),
        }
    }
}

/// Why classes cannot be balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BalanceError {
    /// The rows have no classes.
    #[error("the rows have no labels, so there are no classes to balance")]
    NoLabels,
    /// No class lacks rows, and no number of new ones was given.
    #[error("every class has {rows} rows already")]
    Balanced {
        /// Rows of each class.
        rows: usize,
    },
}

/// Rows that new examples are drawn around: `count` of them, each of any class.
pub fn any(rows: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(0..rows)).collect()
}

/// Rows that new examples are drawn around, so that the smallest classes get theirs first, until all have as many as the largest.
/// Without a `count` there are as many as the classes lack.
pub fn balanced(rows: &Rows, count: Option<usize>, seed: u64) -> Result<Vec<usize>, BalanceError> {
    let labels = rows.split.labels.as_ref().ok_or(BalanceError::NoLabels)?;
    let of = |class: usize| -> Vec<usize> { (0..labels.len()).filter(|row| labels[*row] as usize == class).collect() };
    let members: Vec<Vec<usize>> = (0..rows.classes.len()).map(of).filter(|rows| !rows.is_empty()).collect();
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let most = sizes.iter().copied().max().unwrap_or(0);
    let lacking: usize = sizes.iter().map(|size| most - size).sum();
    let count = match count {
        Some(count) => count,
        None if lacking == 0 => return Err(BalanceError::Balanced { rows: most }),
        None => lacking,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let added = statistics::levelled(&sizes, count);
    let classes = members.iter().zip(added).flat_map(|(class, added)| std::iter::repeat_n(class, added));
    Ok(classes.map(|class| class[rng.random_range(0..class.len())]).collect())
}

#[cfg(test)]
mod tests {
    use wgvae_data::{Examples, Values};

    use super::*;

    fn rows(labels: Option<Vec<u32>>) -> Rows {
        let split = Examples { labels, ..Examples::of(6, Values::Floats(vec![0.0; 6])) };
        Rows { split, classes: ["a", "b", "c"].map(String::from).to_vec(), notes: Vec::new() }
    }

    #[test]
    fn new_rows_make_classes_equal() {
        let rows = rows(Some(vec![0, 1, 0, 0, 1, 2]));
        let of_class = |drawn: &[usize], class: u32| {
            drawn.iter().filter(|row| rows.split.labels.as_ref().is_some_and(|labels| labels[**row] == class)).count()
        };
        let lacking = balanced(&rows, None, 7).unwrap();
        assert_eq!([0, 1, 2].map(|class| of_class(&lacking, class)), [0, 1, 2]);
        let more = balanced(&rows, Some(9), 7).unwrap();
        assert_eq!([0, 1, 2].map(|class| of_class(&more, class)), [2, 3, 4]);
        assert_eq!(more, balanced(&rows, Some(9), 7).unwrap());
        assert_eq!(any(6, 4, 7).len(), 4);
    }

    #[test]
    fn classes_that_cannot_be_balanced_are_an_error() {
        assert_eq!(balanced(&rows(None), None, 0), Err(BalanceError::NoLabels));
        let equal = rows(Some(vec![0, 1, 2, 0, 1, 2]));
        assert_eq!(balanced(&equal, None, 0), Err(BalanceError::Balanced { rows: 2 }));
        assert_eq!(balanced(&equal, Some(3), 0).map(|rows| rows.len()), Ok(3));
    }

    #[test]
    fn a_centre_is_a_row_or_the_mean_of_a_class() {
        let rows = rows(Some(vec![0, 1, 0, 0, 1, 0]));
        let codes =
            Codes { latent: 1, mu: vec![0.0, 2.0, 9.0, 9.0, 5.0, 9.0], logvar: vec![0.0, -1.0, 0.0, 0.0, -3.0, 0.0] };
        let class = Centre::Class("b");
        assert_eq!(class.class(&rows), Some(1));
        assert_eq!(class.code(&codes, &rows, "x").unwrap(), Codes { latent: 1, mu: vec![3.5], logvar: vec![-2.0] });
        let certain = Codes { logvar: Vec::new(), ..codes.clone() };
        assert_eq!(class.code(&certain, &rows, "x").unwrap(), Codes { mu: vec![3.5], ..certain }, "an autoencoder's");
        assert_eq!((Centre::Row(4).class(&rows), Centre::Row(6).class(&rows)), (Some(1), None));
        assert_eq!(Centre::Row(4).code(&codes, &rows, "x").unwrap().mu, [5.0]);
        for (centre, why) in [
            (Centre::Class("d"), "there is no class `d`; there are"),
            (Centre::Class("c"), "no row of x is of class `c`"),
            (Centre::Row(6), "there is no row 6"),
        ] {
            assert!(centre.code(&codes, &rows, "x").unwrap_err().to_string().starts_with(why), "{centre:?}");
        }
    }
}
