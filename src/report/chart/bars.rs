//! Bar charts.

use super::super::markup::escape;
use super::super::numbers::measured;
use super::frame::Frame;
use super::scale::{Scale, Spread};
use super::{ChartSize, Key, Room, figure, fill, nothing, px};

/// Bars that are closer to each other than this have no names.
const ROOM_FOR_CAPTION: f64 = 18.0;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Name of the bar.
    pub name: String,
    /// Height of the bar.
    pub value: f64,
    /// Whether it is highlighted in colour.
    pub is_marked: bool,
}

/// A bar chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// Title of the chart.
    pub title: String,
    /// Name of the lower axis.
    pub x: String,
    /// Names of the highlighted bars and of the others, for the legend.
    pub kinds: [String; 2],
    /// The bars from left to right.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let marks = |room: Room| {
            let scale = Scale::over(self.bars.iter().map(|b| b.value), Spread::FromZero, 5);
            scale.map_or_else(|| nothing(room.extent), |y| self.marks(&y, &Frame::new(room.extent, &y)))
        };
        let count = |marked: bool| self.bars.iter().filter(|b| b.is_marked == marked).count();
        let keys: Vec<Key> = [(true, Some(0)), (false, None)]
            .into_iter()
            .zip(&self.kinds)
            .filter(|((marked, _), _)| count(*marked) > 0)
            .map(|((marked, colour), name)| Key { name: name.clone(), colour, value: Some(count(marked).to_string()) })
            .collect();
        let highest = self.bars.iter().filter(|b| b.value.is_finite()).max_by(|a, b| a.value.total_cmp(&b.value));
        let highest = highest.map(|b| format!(" The highest is {} with {}.", b.name, measured(b.value)));
        let description = format!("{} bars, {} of them {}.", self.bars.len(), count(true), self.kinds[0]);
        figure(&self.title, "", &keys, &(description + &highest.unwrap_or_default()), ChartSize::Square, marks)
    }

    fn marks(&self, y: &Scale, frame: &Frame) -> String {
        let mut out = frame.left_axis(y);
        let pitch = (frame.right - frame.left) / self.bars.len() as f64;
        let width = (pitch * 0.78).min(56.0);
        let zero = y.place(0.0).unwrap_or(0.0);
        for (i, bar) in self.bars.iter().enumerate() {
            let centre = frame.left + (i as f64 + 0.5) * pitch;
            let end = y.place(bar.value).unwrap_or(zero);
            let (top, bottom) = (frame.y(end.max(zero)), frame.y(end.min(zero)));
            let class = fill(bar.is_marked.then_some(0));
            // An invisible strip of full height, so that a low bar can be hovered too.
            out += &format!(
                "<g class=\"bar\"><title>{} {}: {}</title>\
                 <rect class=\"strip\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\
                 <rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/></g>\n",
                escape(&self.x),
                escape(&bar.name),
                measured(bar.value),
                px(centre - pitch / 2.0),
                px(frame.top),
                px(pitch),
                px(frame.bottom - frame.top),
                px(centre - width / 2.0),
                px(top),
                // Bars stay visible even if they are thinner than a tenth of a pixel.
                px(width).max(0.2),
                px(bottom - top).max(0.5),
                if width > 8.0 { 2 } else { 0 },
            );
            if pitch >= ROOM_FOR_CAPTION {
                let (x, y) = (px(centre), px(frame.bottom + 18.0));
                out += &format!("<text class=\"below\" x=\"{x}\" y=\"{y}\">{}</text>\n", escape(&bar.name));
            }
        }
        out + &frame.lower_axis(None, &self.x)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn chart(values: &[f64]) -> Bars {
        let bar = |(i, value): (usize, &f64)| Bar { name: i.to_string(), value: *value, is_marked: *value > 0.1 };
        Bars {
            title: "KL".into(),
            x: "dimension".into(),
            kinds: ["active".into(), "asleep".into()],
            bars: values.iter().enumerate().map(bar).collect(),
        }
    }

    #[test]
    fn any_values_make_a_sound_chart() {
        for values in [&[][..], &[0.0], &[2.0, f64::NAN, 0.0, -1.0, f64::INFINITY], &[f64::NAN], &[1.0; 700]] {
            check(&chart(values).figure());
        }
    }

    #[test]
    fn both_kinds_are_counted() {
        let figure = chart(&[3.0, 2.0, 0.0]).figure();
        assert!(figure.contains("active <span>2</span>") && figure.contains("asleep <span>1</span>"), "{figure}");
        assert!(!chart(&[3.0]).figure().contains("asleep"));
    }
}
