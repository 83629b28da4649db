//! Charts as inline SVG. Colours come from the stylesheet, so that a chart works in light and dark mode.

mod bars;
mod cloud;
mod frame;
mod lines;
mod scale;

pub use bars::{Bar, Bars};
pub use cloud::{Cloud, Group};
pub use lines::{Heights, Lines, Series};

use super::markup::escape;

/// How many colours the stylesheet has for classes and curves; further ones repeat them.
const COLOURS: usize = 12;

/// Largest number of lines in a legend.
const MOST_KEYS: usize = 40;

/// Size of a chart before the page scales it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Half the width of the page.
    Half,
    /// A third of the width of the page.
    Third,
    /// Half the width of the page, nearly square.
    Square,
}

impl Size {
    fn extent(self) -> (f64, f64) {
        match self {
            Size::Half => (520.0, 280.0),
            Size::Third => (336.0, 220.0),
            Size::Square => (520.0, 440.0),
        }
    }
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
    (width, height): (f64, f64),
    marks: &str,
) -> String {
    let note = if note.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(note)) };
    let legend = if keys.is_empty() { String::new() } else { legend(keys) };
    format!(
        "<figure class=\"chart\">\n<figcaption><b>{title}</b>{note}{legend}</figcaption>\n\
         <svg viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<desc>{}</desc>\n{marks}</svg>\n</figure>\n",
        escape(description),
        title = escape(title),
    )
}

fn legend(keys: &[Key]) -> String {
    let items: String = keys
        .iter()
        .take(MOST_KEYS)
        .map(|key| {
            let value = key.value.as_ref().map(|v| format!(" <span>{}</span>", escape(v))).unwrap_or_default();
            format!("<li><i class=\"{}\"></i>{}{value}</li>", fill(key.colour), escape(&key.name))
        })
        .collect();
    let more = match keys.len().saturating_sub(MOST_KEYS) {
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
