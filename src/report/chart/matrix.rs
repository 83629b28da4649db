//! Square matrices of shares as tiles.

use super::super::markup::escape;
use super::{ChartSize, Room, figure, nothing, px};

/// Width of a letter of a name, letters of a name at most, and the least height of a tile that has a name beside it.
const CHARACTER: f64 = 6.6;
const MAX_LETTERS: usize = 14;
const MIN_NAMED: f64 = 11.0;

/// A matrix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// Title of the chart.
    pub title: String,
    /// Names of its rows, and of its columns.
    pub names: Vec<String>,
    /// Row by row, from 0 to 1; NaN where nothing is known.
    pub shares: Vec<f64>,
}

impl Matrix {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let count = self.names.len();
        let marks = |room: Room| match count > 0 && self.shares.len() == count * count {
            true => self.marks(room),
            false => nothing(room.extent),
        };
        let description = format!("{count} columns beside each other, darker where they tell more of each other.");
        figure(&self.title, "0 to 1", &[], &description, ChartSize::Square, marks)
    }

    fn marks(&self, room: Room) -> String {
        let count = self.names.len();
        let short = |name: &str| -> String {
            match name.chars().count() > MAX_LETTERS {
                true => name.chars().take(MAX_LETTERS - 1).chain(['…']).collect(),
                false => name.into(),
            }
        };
        let names: Vec<String> = self.names.iter().map(|name| short(name)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let (width, height) = room.extent;
        let left = longest as f64 * CHARACTER + 8.0;
        let side = (width - left - 4.0).min(height - 8.0).max(1.0) / count as f64;
        let top = 4.0;
        let mut out = String::new();
        for (row, name) in names.iter().enumerate() {
            let y = top + row as f64 * side;
            if side >= MIN_NAMED {
                let at = px(y + side / 2.0 + 4.0);
                out += &format!("<text class=\"left\" x=\"{}\" y=\"{at}\">{}</text>\n", px(left - 6.0), escape(name));
            }
            for column in 0..count {
                let share = self.shares[row * count + column];
                let (class, opacity) = match share.is_finite() {
                    true => ("tile f0", share.clamp(0.0, 1.0)),
                    false => ("tile f-none", 0.3),
                };
                let value = if share.is_finite() { format!("{share:.2}") } else { "not known".into() };
                out += &format!(
                    "<rect class=\"{class}\" fill-opacity=\"{:.2}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} and {}: {value}</title></rect>\n",
                    opacity,
                    px(left + column as f64 * side),
                    px(y),
                    px(side),
                    px(side),
                    escape(&self.names[row]),
                    escape(&self.names[column]),
                );
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn any_matrix_makes_a_sound_chart() {
        let of = |count: usize, share: f64| {
            let names = (0..count).map(|i| format!("<a column with a long name {i}>")).collect();
            Matrix { title: "data".into(), names, shares: vec![share; count * count] }.figure()
        };
        for count in [0, 1, 3, 40] {
            for share in [0.0, 0.5, 1.0, f64::NAN, f64::INFINITY, -3.0] {
                check(&of(count, share));
            }
        }
        assert!(of(2, 0.25).contains("name 1&gt;: 0.25") && of(2, f64::NAN).contains("not known"));
        check(&Matrix { names: vec!["a".into()], ..Matrix::default() }.figure());
    }
}
