//! Data sets from rows in memory.

use super::load::check_numbers;
use super::options::LONGEST;
use super::raw::{Raw, RawColumns};
use super::{DataError, Dataset, Kind, Options, Shape, Split, Values, natural};

/// A builder of a [`Dataset`] from rows in memory.
///
/// ```
/// use wgvae::InMemory;
///
/// let levels: Vec<u8> = (0..100 * 8 * 8).map(|i| (i % 256) as u8).collect();
/// let data = InMemory::images("ramps", [8, 8, 1], levels).test_share(0.2).dataset()?;
/// assert_eq!((data.train.rows, data.test.rows), (80, 20));
/// # Ok::<(), wgvae::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InMemory {
    shape: Shape,
    columns: Option<RawColumns>,
    values: Values,
    labels: Option<Vec<String>>,
    options: Options,
}

impl InMemory {
    fn of(name: &str, shape: Shape, columns: Option<RawColumns>, values: Values) -> Self {
        Self { shape, columns, values, labels: None, options: Options::from(name) }
    }

    /// Images of `[height, width, channels]` with levels from 0 to 255: `(N, height, width, channels)` in row-major
    /// order, with 1 channel for grey or 3 for red, green and blue.
    pub fn images(name: &str, [height, width, channels]: [usize; 3], levels: Vec<u8>) -> Self {
        Self::of(name, Shape::Image { height, width, channels }, None, Values::Bytes(levels))
    }

    /// A table `(N, columns)`, NaN where a value is missing. Each column has the kind that suits its values; results come back in
    /// its own units.
    pub fn table<S: Into<String>>(name: &str, columns: impl IntoIterator<Item = S>, numbers: Vec<f32>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        Self::of(name, Shape::Table(columns.len()), Some(RawColumns::numbers(columns)), Values::Floats(numbers))
    }

    /// Points `(N, coordinates)`, which are not standardised.
    pub fn points(name: &str, coordinates: usize, numbers: Vec<f32>) -> Self {
        Self::of(name, Shape::Point(coordinates), None, Values::Floats(numbers))
    }

    /// Sets the class of each row.
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the kind of all columns of a table, instead of that which suits the values of each.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.options.kind = Some(kind);
        self
    }

    /// Sets the share of the rows that is held out for testing; 0.1 by default.
    pub fn test_share(mut self, share: f64) -> Self {
        self.options.test_share = share;
        self
    }

    /// Sets the seed that chooses the test rows.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Checks the rows, splits them into training and test rows, and standardises a table's columns.
    pub fn dataset(self) -> Result<Dataset, DataError> {
        check_numbers(&self.options)?;
        let unusable = |reason: String| Err(DataError::unusable(&self.options.source, reason));
        let has_size = match self.shape {
            Shape::Image { height, width, channels } => {
                let sides = 1..=LONGEST;
                sides.contains(&height) && sides.contains(&width) && [1, 3].contains(&channels)
            }
            Shape::Point(width) | Shape::Table(width) => width > 0,
        };
        if !has_size {
            return unusable(format!(
                "{} cannot be learned from: images need sides from 1 to {LONGEST} and 1 or 3 channels, rows at least one number",
                self.shape
            ));
        }
        let width = self.shape.len();
        if !self.values.len().is_multiple_of(width) {
            return unusable(format!("{} numbers do not make a whole number of {}", self.values.len(), self.shape));
        }
        // Of points every coordinate is needed.
        let may_have_gaps = self.columns.is_some() || matches!(self.shape, Shape::Image { .. });
        if let Values::Floats(values) = &self.values
            && let Some(place) = values.iter().position(|value| !(value.is_finite() || value.is_nan() && may_have_gaps))
        {
            return unusable(format!("{} in row {} cannot be learned from", values[place], place / width));
        }
        let mut rows = Split::of(self.values.len() / width, self.values);
        let mut classes = Vec::new();
        if let Some(labels) = self.labels {
            if labels.len() != rows.rows {
                return unusable(format!("there are {} rows and {} labels", rows.rows, labels.len()));
            }
            classes.clone_from(&labels);
            classes.sort_by(|a, b| natural::compare(a, b));
            classes.dedup();
            let place = |label: &String| classes.binary_search_by(|class| natural::compare(class, label)).unwrap_or(0);
            rows.labels = Some(labels.iter().map(|label| place(label) as u32).collect());
        }
        let mut raw = Raw { classes, columns: self.columns, ..Raw::of(&self.options.source, self.shape, rows) };
        raw.ask(&[], self.options.kind).map_err(|reason| DataError::unusable(&self.options.source, reason))?;
        Dataset::split(raw, &self.options, None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Provenance;
    use super::*;

    #[test]
    fn rows_in_memory_are_split_labelled_and_standardised() {
        let numbers: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let labels = (0..20).map(|row| ["c10", "c2"][row % 2]);
        let data = InMemory::table("rows", ["a", "b", "c"], numbers).labels(labels).test_share(0.25).seed(3);
        let data = data.dataset().unwrap();
        assert_eq!((data.name.as_str(), data.train.rows, data.test.rows), ("rows", 15, 5));
        assert_eq!(data.classes, ["c2", "c10"]);
        let mean: f32 = data.train.numbers(0..15, 3).iter().step_by(3).sum::<f32>() / 15.0;
        assert!(mean.abs() < 1e-5);
        // Rows and classes still belong together after the split.
        let mut first = data.train.numbers(0..1, 3);
        first = data.columns.unwrap().cell_numbers(&first, Provenance::Kept);
        let row = (first[0] / 3.0).round() as usize;
        assert_eq!(data.train.labels.unwrap()[0], [1, 0][row % 2]);
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let reason = |rows: InMemory| rows.dataset().unwrap_err().to_string();
        for (rows, told) in [
            (
                InMemory::images("x", [2, 2, 1], vec![0; 9]),
                "9 numbers do not make a whole number of grey images of 2x2",
            ),
            (InMemory::images("x", [0, 2, 1], vec![]), "cannot be learned from"),
            (InMemory::images("x", [2, 2, 2], vec![0; 80]), "1 or 3 channels"),
            (InMemory::images("x", [1 << 40, 1 << 40, 1], vec![0; 80]), "sides from 1 to 4096"),
            (InMemory::images("x", [2, 2, 1], vec![0; 4]), "1 row is too few"),
            (InMemory::images("x", [2, 2, 1], vec![]), "0 row is too few"),
            (InMemory::points("x", 2, vec![0.0, 1.0, f32::NAN, 2.0]), "NaN in row 1"),
            (InMemory::points("x", 2, vec![0.0; 8]).labels(["a"]), "4 rows and 1 labels"),
            (InMemory::points("x", 2, vec![0.0; 8]).test_share(1.0), "test_share must be a share"),
            (InMemory::table("x", Vec::<String>::new(), vec![]), "rows at least one number"),
        ] {
            let found = reason(rows);
            assert!(found.contains(told), "{found}");
        }
    }
}
