//! The rectangle that marks are drawn in, with its axes.

use super::super::markup::escape;
use super::px;
use super::scale::Scale;

/// Width reserved per character of a tick label.
const CHARACTER: f64 = 7.5;

/// The plot area of a chart, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Top edge.
    pub top: f64,
    /// Bottom edge.
    pub bottom: f64,
}

impl Frame {
    /// A frame with room for tick labels on the left and below.
    pub fn new((width, height): (f64, f64), y: &Scale) -> Self {
        let left = y.widest_caption() as f64 * CHARACTER + 12.0;
        Self { left, right: width - 14.0, top: 12.0, bottom: height - 46.0 }
    }

    /// The frame with room for the left axis's name.
    pub fn with_left_name(self) -> Self {
        Self { left: self.left + 26.0, ..self }
    }

    /// The x coordinate of a place, 0 to 1, on the lower axis.
    pub fn x(&self, place: f64) -> f64 {
        self.left + place * (self.right - self.left)
    }

    /// The y coordinate of a place, 0 to 1, on the left axis.
    pub fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }

    /// Horizontal grid lines at the left axis's ticks, and the tick labels.
    pub fn left_axis(&self, scale: &Scale) -> String {
        let mut out = String::new();
        for (value, caption) in &scale.ticks {
            if let Some(y) = scale.place(*value).map(|p| px(self.y(p))) {
                let (left, right) = (px(self.left), px(self.right));
                out += &format!("<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y}\" y2=\"{y}\"/>\n");
                out += &format!(
                    "<text class=\"left\" x=\"{}\" y=\"{}\">{}</text>\n",
                    px(self.left - 9.0),
                    px(y + 4.0),
                    escape(caption)
                );
            }
        }
        out
    }

    /// Vertical grid lines at the lower axis's ticks.
    pub fn lines_up(&self, scale: &Scale) -> String {
        let (top, bottom) = (px(self.top), px(self.bottom));
        let places = scale.ticks.iter().filter_map(|(value, _)| scale.place(*value)).map(|p| px(self.x(p)));
        places.map(|x| format!("<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{top}\" y2=\"{bottom}\"/>\n")).collect()
    }

    /// The lower axis: its line, its tick labels and its name.
    pub fn lower_axis(&self, scale: Option<&Scale>, name: &str) -> String {
        let (left, right, bottom) = (px(self.left), px(self.right), px(self.bottom));
        let mut out = format!("<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\n");
        for (value, caption) in scale.iter().flat_map(|scale| &scale.ticks) {
            if let Some(x) = scale.and_then(|s| s.place(*value)).map(|p| px(self.x(p))) {
                let y = px(self.bottom + 18.0);
                out += &format!("<text class=\"below\" x=\"{x}\" y=\"{y}\">{}</text>\n", escape(caption));
            }
        }
        let middle = px((self.left + self.right) / 2.0);
        out +=
            &format!("<text class=\"name\" x=\"{middle}\" y=\"{}\">{}</text>\n", px(self.bottom + 40.0), escape(name));
        out
    }
}
