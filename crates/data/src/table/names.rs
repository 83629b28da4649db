//! Columns of numbers that name rows: they count them, or are called what names are called.

use super::super::Column;

/// Rows that say that a column names rows, at least.
const FEWEST: usize = 20;
/// What the names of columns that name rows end in.
const ENDINGS: [&str; 12] =
    ["id", "ids", "uid", "guid", "nr", "no", "num", "number", "index", "idx", "key", "rownames"];

/// Why the numbers of a column name rows, if they do: raw cells, all of them filled.
pub fn why<I: Iterator<Item = f32>>(column: &Column, cells: impl Fn() -> I) -> Option<String> {
    let number = |cell: f32| column.number_of_raw(cell);
    let first = cells().next().map(number)?;
    let counts = || cells().enumerate().all(|(row, cell)| number(cell) == first + row as f64);
    let rows = cells().count();
    // What has a unit or is a time was measured, as a year is that does not begin at 1.
    if rows < FEWEST || !column.form.is_plain() {
        return None;
    }
    if (first == 0.0 || first == 1.0) && counts() {
        return Some(format!("it has the numbers from {first} to {}", first + (rows - 1) as f64));
    }
    if !is_name(&column.name) || cells().any(|cell| number(cell).fract() != 0.0) {
        return None;
    }
    let mut sorted: Vec<f32> = cells().collect();
    sorted.sort_by(f32::total_cmp);
    sorted.dedup();
    (sorted.len() == rows)
        .then(|| format!("it has {rows} different whole numbers in {rows} rows, and its name is that of one"))
}

/// Whether a column is called what names of rows are called: `id`, `order_no`, `customerId`.
fn is_name(name: &str) -> bool {
    let mut word = String::new();
    let mut was_small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && was_small {
            word.clear();
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_small = letter.is_lowercase();
    }
    ENDINGS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_name_rows_are_known() {
        let why = |name: &str, cells: &[f32]| {
            let column = Column { name: name.into(), ..Column::default() };
            super::why(&column, || cells.iter().copied())
        };
        let counted: Vec<f32> = (1..=30).map(|row| row as f32).collect();
        assert_eq!(why("x", &counted).unwrap(), "it has the numbers from 1 to 30");
        assert!(why("x", &counted[..19]).is_none(), "few rows");
        assert!(why("x", &counted[1..]).is_none(), "neither from 0 nor from 1");
        assert!(why("order id", &counted[1..]).unwrap().contains("29 different whole numbers in 29 rows"));
        let years: Vec<f32> = (1960..2020).map(|year| year as f32).collect();
        assert!(why("year", &years).is_none());
        let drawn: Vec<f32> = (0..50_u32).map(|row| (row * 7919 % 10_007) as f32).collect();
        assert!(why("customerId", &drawn).is_some() && why("steps", &drawn).is_none());
        let twice = [drawn.clone(), drawn.clone()].concat();
        assert!(why("customerId", &twice).is_none(), "not one of each");
        assert!(why("id", &drawn.iter().map(|x| x + 0.5).collect::<Vec<_>>()).is_none(), "measured");
    }

    #[test]
    fn names_of_names_are_known() {
        for name in ["id", "ID", "customerId", "CustomerID", "order_no", "Order Nr", "EmployeeNumber", "idx"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["paid", "kidno1", "number of rooms", "Id of what", "", "köder"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
