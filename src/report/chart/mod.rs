//! Charts as inline SVG. Colours come from the stylesheet, so that a chart works in light and dark mode.

mod bars;
mod cloud;
mod frame;
mod histogram;
mod lines;
mod matrix;
mod scale;

pub use bars::{Bar, Bars};
pub use cloud::{Cloud, Group};
pub use histogram::{Histogram, Steps};
pub use lines::{Heights, LineChart, Series};
pub use matrix::Matrix;

use super::markup::escape;

/// How many colours the stylesheet has for classes and curves; further ones repeat them.
const COLOURS: usize = 12;

/// Largest number of lines in a legend.
const MAX_KEYS: usize = 40;

/// Size of a chart. The page never scales it by much, so that its text has one size: where the screen is narrow, it shows a chart that
/// was drawn for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChartSize {
    /// Half the width of the page.
    #[default]
    Half,
    /// A third of the width of the page.
    Third,
    /// Half the width of the page, nearly square.
    Square,
}

impl ChartSize {
    fn extent(self) -> (f64, f64) {
        match self {
            ChartSize::Half => (520.0, 280.0),
            ChartSize::Third => (336.0, 220.0),
            ChartSize::Square => (520.0, 440.0),
        }
    }

    /// Width and height where the screen is narrow; none if the chart is narrow anyway.
    fn narrow(self) -> Option<(f64, f64)> {
        match self {
            ChartSize::Half => Some((340.0, 240.0)),
            ChartSize::Third => None,
            ChartSize::Square => Some((340.0, 360.0)),
        }
    }
}

/// What a chart is drawn for.
#[derive(Debug, Clone, Copy)]
struct Room {
    extent: (f64, f64),
    is_narrow: bool,
}

/// One line of a legend: the name, the colour's index in the palette, and the last value if it is of interest.
struct Key {
    name: String,
    colour: Option<usize>,
    value: Option<String>,
}

/// A chart as a figure with a title, a note in small print, a legend and a description for screen readers.
fn figure(
    title: &str,
    note: &str,
    keys: &[Key],
    description: &str,
    size: ChartSize,
    marks: impl Fn(Room) -> String,
) -> String {
    let note = if note.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(note)) };
    let legend = if keys.is_empty() { String::new() } else { legend(keys) };
    let (title, description) = (escape(title), escape(description));
    let svg = |class: &str, room: Room| {
        let ((width, height), marks) = (room.extent, marks(room));
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n{marks}</svg>\n"
        )
    };
    let class = if size.narrow().is_some() { "broad" } else { "any" };
    let broad = svg(class, Room { extent: size.extent(), is_narrow: false });
    let narrow = size.narrow().map(|extent| svg("narrow", Room { extent, is_narrow: true })).unwrap_or_default();
    format!(
        "<figure class=\"chart\">\n<figcaption><b>{title}</b>{note}{legend}</figcaption>\n{broad}{narrow}</figure>\n"
    )
}

fn legend(keys: &[Key]) -> String {
    let items: String = keys
        .iter()
        .take(MAX_KEYS)
        .map(|key| {
            let value = key.value.as_ref().map(|v| format!(" <span>{}</span>", escape(v))).unwrap_or_default();
            format!("<li><i class=\"{}\"></i>{}{value}</li>", fill(key.colour), escape(&key.name))
        })
        .collect();
    let more = match keys.len().saturating_sub(MAX_KEYS) {
        0 => String::new(),
        more => format!("<li>and {more} more</li>"),
    };
    format!("\n<ul class=\"legend\">{items}{more}</ul>")
}

/// The CSS class of a filled mark.
fn fill(colour: Option<usize>) -> String {
    colour.map_or("f-none".to_string(), |c| format!("f{}", c % COLOURS))
}

/// The CSS class of a stroked mark.
fn stroke(colour: Option<usize>) -> String {
    colour.map_or("s-none".to_string(), |c| format!("s{}", c % COLOURS))
}

/// A coordinate rounded to a tenth of a pixel.
fn px(position: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    (position * 10.0).round() / 10.0 + 0.0
}

/// A text in place of the marks if there is nothing to draw.
fn nothing((width, height): (f64, f64)) -> String {
    format!("<text class=\"nothing\" x=\"{}\" y=\"{}\">nothing to draw</text>\n", px(width / 2.0), px(height / 2.0))
}

#[cfg(test)]
pub mod tests {
    /// Tags that HTML never closes.
    const EMPTY: [&str; 1] = ["img"];

    /// Checks that tags are closed in order, attributes are quoted, and coordinates are finite.
    pub fn check(markup: &str) {
        for word in ["NaN", "inf\"", "-inf", "inf "] {
            assert!(!markup.contains(word), "{word} in {markup}");
        }
        let mut open = Vec::new();
        for part in markup.split('<').skip(1) {
            let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("no end of <{part}"));
            assert!(tag.matches('"').count() % 2 == 0, "<{tag}>");
            let name = tag.split_whitespace().next().unwrap().trim_matches('/');
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "in {markup}");
            } else if !tag.ends_with('/') && !EMPTY.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} still open in {markup}");
    }
}
