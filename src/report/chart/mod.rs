//! Charts as inline SVG. Colours are the stylesheet's, so that one chart serves light and dark.

mod bars;
mod cloud;
mod frame;
mod lines;
mod scale;

pub use bars::{Bar, Bars};
pub use cloud::{Cloud, Group};
pub use lines::{Heights, Lines, Series};

use super::markup::escape;

/// How many colours the stylesheet has for classes and curves; after them they start again.
const COLOURS: usize = 12;

/// A legend has at most so many lines.
const MOST_KEYS: usize = 40;

/// How large a chart is at its natural scale; the page scales it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Half the width of a page.
    Half,
    /// A third of it.
    Third,
    /// As wide as half a page, and nearly square.
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

/// One line of a legend: the name, the place in the palette and the last value, if it says something.
struct Key {
    name: String,
    colour: Option<usize>,
    value: Option<String>,
}

/// A chart as a figure with its title, a note in small print, a legend and a description for those who do not see it.
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

/// The class of a filled mark.
fn fill(colour: Option<usize>) -> String {
    colour.map_or("f-none".to_string(), |c| format!("f{}", c % COLOURS))
}

/// The class of a stroked mark.
fn stroke(colour: Option<usize>) -> String {
    colour.map_or("s-none".to_string(), |c| format!("s{}", c % COLOURS))
}

/// A coordinate, to a tenth of a pixel.
fn px(position: f64) -> f64 {
    // Adding 0 makes a negative zero positive.
    (position * 10.0).round() / 10.0 + 0.0
}

/// What stands in place of the marks where there is nothing to draw.
fn nothing((width, height): (f64, f64)) -> String {
    format!("<text class=\"nothing\" x=\"{}\" y=\"{}\">nothing to draw</text>\n", px(width / 2.0), px(height / 2.0))
}

#[cfg(test)]
pub mod tests {
    /// Tags that HTML never closes.
    const EMPTY: [&str; 1] = ["img"];

    /// Whether every opened tag is closed in order, every attribute quoted, and no coordinate is no number.
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
