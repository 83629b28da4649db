//! Data sets from rows in memory.

use super::load::check_numbers;
use super::options::LONGEST;
use super::raw::{Raw, ReadProgress, Request};
use super::{
    DataError, Dataset, Examples, NamedKind, Options, Origins, Shape, Table, TextUnit, Unit, ValueKind, Values,
    natural, series, table, text,
};

/// A builder of a [`Dataset`] from rows in memory.
///
/// ```
/// use wgvae_data::InMemory;
///
/// let levels: Vec<u8> = (0..100 * 8 * 8).map(|i| (i % 256) as u8).collect();
/// let data = InMemory::images("ramps", [8, 8, 1], levels).test_share(0.2).dataset()?;
/// assert_eq!((data.train.rows, data.test.rows), (80, 20));
/// # Ok::<(), wgvae_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InMemory {
    content: Content,
    labels: Option<Vec<String>>,
    options: Options,
}

#[derive(Debug, Clone)]
enum Content {
    Rows(Shape, Values),
    Table(Table),
    Texts(Vec<String>),
    /// `(T, D)` of each, and the numbers of all, NaN where one is missing.
    Series([usize; 2], Vec<f32>),
}

impl InMemory {
    fn of(name: &str, content: Content) -> Self {
        Self { content, labels: None, options: Options::from(name) }
    }

    /// Images of `[height, width, channels]` with levels from 0 to 255: `(N, height, width, channels)` in row-major
    /// order, with 1 channel for grey or 3 for red, green and blue.
    pub fn images(name: &str, [height, width, channels]: [usize; 3], levels: Vec<u8>) -> Self {
        Self::of(name, Content::Rows(Shape::Image { height, width, channels }, Values::Bytes(levels)))
    }

    /// A table with typed columns. Each has the kind that suits its values, as in a file of a table: words are categories, numbers are
    /// counts, codes or measured. What is drawn or restored is such a table again: see `wgvae::TrainedModel::sample_table`.
    pub fn table(name: &str, table: Table) -> Self {
        Self::of(name, Content::Table(table))
    }

    /// Texts, whose characters are their tokens unless others are asked for. Those that are empty or too long are left out.
    pub fn texts<S: Into<String>>(name: &str, texts: impl IntoIterator<Item = S>) -> Self {
        Self::of(name, Content::Texts(texts.into_iter().map(Into::into).collect()))
    }

    /// Time series `(N, T, D)` of `[steps, channels]`: the channels of a step next to each other, NaN where a value is missing, and
    /// behind the end of a series that is shorter than others.
    pub fn series(name: &str, extent: [usize; 2], numbers: Vec<f32>) -> Self {
        Self::of(name, Content::Series(extent, numbers))
    }

    /// Sets what the tokens of texts are.
    pub fn tokens(mut self, unit: TextUnit) -> Self {
        self.options.tokens = unit;
        self
    }

    /// Points `(N, coordinates)`, which are not standardised.
    pub fn points(name: &str, coordinates: usize, numbers: Vec<f32>) -> Self {
        Self::of(name, Content::Rows(Shape::Point(coordinates), Values::Floats(numbers)))
    }

    /// Sets the class of each row.
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the kind of all columns of a table, instead of that which suits the values of each.
    pub fn kind(mut self, kind: ValueKind) -> Self {
        self.options.kind = Some(kind);
        self
    }

    /// Sets the kind of one column of a table.
    pub fn column(mut self, name: &str, kind: ValueKind) -> Self {
        self.options.kinds.push(NamedKind { name: name.into(), kind: Some(kind) });
        self
    }

    /// Sets the column of a table that holds the class of each row, and is not learned from.
    pub fn label(mut self, name: &str) -> Self {
        self.options.label = Some(name.into());
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
        let Self { content, labels, options } = self;
        let unusable = |reason: String| DataError::unusable(&options.source, reason);
        let (mut raw, given) = match content {
            Content::Table(table) => {
                if let Some(reason) = table.refusal() {
                    return Err(unusable(reason));
                }
                let (progress, like): (ReadProgress<'_>, _) = (&|_, _| {}, None);
                let request = Request {
                    options: &options,
                    progress,
                    label_needed: true,
                    like,
                    texts: None,
                    series: None,
                    sound: None,
                    is_own: true,
                };
                let raw = table::in_memory(&options.source, &table, &request)?;
                (Raw { name: options.source.clone(), ..raw }, table.rows())
            }
            Content::Texts(texts) => {
                let raw = text::in_memory(&options, &texts)?;
                (Raw { name: options.source.clone(), ..raw }, texts.len())
            }
            Content::Series([length, channels], numbers) => {
                let shape = Shape::Series { length, channels };
                if numbers.is_empty() || !numbers.len().is_multiple_of(shape.len().max(1)) {
                    return Err(unusable(format!("{} numbers do not make a whole number of {shape}", numbers.len())));
                }
                let rows = numbers.len() / shape.len();
                let mut raw = series::of_array(rows, &[length, channels], numbers, None).map_err(unusable)?;
                raw.rows.origins = Some(Origins::Numbered(Unit::Row, (1..=rows as u64).collect()));
                series::tidy(&mut raw, &options, None)?;
                (Raw { name: options.source.clone(), ..raw }, rows)
            }
            Content::Rows(shape, values) => {
                check(shape, &values).map_err(unusable)?;
                let rows = values.len() / shape.len();
                (Raw::of(&options.source, shape, Examples::of(rows, values)), rows)
            }
        };
        if let Some(labels) = labels {
            if labels.len() != given {
                return Err(unusable(format!("there are {given} rows and {} labels", labels.len())));
            }
            raw.classes.clone_from(&labels);
            raw.classes.sort_by(|a, b| natural::compare(a, b));
            raw.classes.dedup();
            let place =
                |label: &String| raw.classes.binary_search_by(|class| natural::compare(class, label)).unwrap_or(0);
            // Rows without any value, or without a text that is taken, were left out.
            let kept: Vec<usize> = match &raw.rows.origins {
                Some(Origins::Numbered(_, numbers)) => numbers.iter().map(|number| *number as usize - 1).collect(),
                _ => (0..given).collect(),
            };
            raw.rows.labels = Some(kept.into_iter().map(|row| place(&labels[row]) as u32).collect());
        }
        raw.ask(&[], options.kind).map_err(unusable)?;
        Dataset::split(raw, &options, None)
    }
}

/// Refuses rows that nothing can be learned from.
fn check(shape: Shape, values: &Values) -> Result<(), String> {
    let has_size = match shape {
        Shape::Image { height, width, channels } => {
            let sides = 1..=LONGEST;
            sides.contains(&height) && sides.contains(&width) && [1, 3].contains(&channels)
        }
        Shape::Point(width) | Shape::Table(width) => width > 0,
        Shape::Text { length, .. } | Shape::Series { length, .. } => length > 1,
    };
    if !has_size {
        return Err(format!(
            "{shape} cannot be learned from: images need sides from 1 to {LONGEST} and 1 or 3 channels, rows at least one number"
        ));
    }
    if !values.len().is_multiple_of(shape.len()) {
        return Err(format!("{} numbers do not make a whole number of {shape}", values.len()));
    }
    match values {
        Values::Floats(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(place) => Err(format!("{} in row {} cannot be learned from", values[place], place / shape.len())),
            None => Ok(()),
        },
        Values::Bytes(_) => Ok(()),
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
        let data = InMemory::table("rows", Table::of_numbers(["a", "b", "c"], &numbers))
            .labels(labels)
            .test_share(0.25)
            .seed(3);
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
        for (rows, message) in [
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
            (InMemory::table("x", Table::new()), "rows need at least one number"),
            (InMemory::table("x", Table::new().with("a", [1.0, f64::INFINITY])), "inf in row 1 of the column `a`"),
            (InMemory::table("x", Table::new().with("a", [1, 2]).with("b", [1])), "`b` has 1 cells, and another one 2"),
            (InMemory::table("x", Table::new().with("a", [1]).with("a", [2])), "two columns `a`"),
        ] {
            let found = reason(rows);
            assert!(found.contains(message), "{found}");
        }
    }
}
