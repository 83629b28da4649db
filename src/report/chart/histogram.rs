//! Histograms of the data and of samples, in steps.

use super::super::markup::escape;
use super::super::numbers::{is_plottable, rounded};
use super::frame::Frame;
use super::scale::{Scale, Spread};
use super::{ChartSize, Key, Room, figure, nothing, px};

/// Width of the steps beyond the ends, and the space before them.
const BEYOND: f64 = 24.0;
const SPACE: f64 = 16.0;
/// How far a tick must be from the end of an axis where there are rows beyond it, so that it does not run into what that is called.
const ROOM: f64 = 30.0;

/// Shares of the rows in steps: of the data and of samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// The ends of the steps, one more than there are.
    pub edges: Vec<f64>,
    /// Shares of the rows in each step.
    pub shares: Vec<[f64; 2]>,
    /// Shares of the rows below the first step and above the last.
    pub beyond: [[f64; 2]; 2],
    /// Whether the steps are as long as each other on a logarithmic axis.
    pub is_logarithmic: bool,
    /// Values on the axis and what they are called; empty if they are numbers.
    pub ticks: Vec<(f64, String)>,
}

/// A histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Title of the chart.
    pub title: String,
    /// The steps.
    pub steps: Steps,
}

impl Histogram {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let steps = &self.steps;
        let all = || steps.shares.iter().chain(&steps.beyond).flatten().copied();
        let spread = if steps.is_logarithmic { Spread::Logarithm } else { Spread::Even };
        let is_sound = steps.edges.len() > 1 && steps.edges.iter().all(|edge| is_plottable(*edge));
        let marks = |room: Room| {
            let y = Scale::over(all(), Spread::FromZero, 4).filter(|_| is_sound);
            let x = Scale::over(steps.edges.iter().copied(), spread, 3);
            y.zip(x).map_or_else(|| nothing(room.extent), |(y, x)| self.marks(&x, &y, room))
        };
        let keys: Vec<Key> = ["data", "samples"]
            .into_iter()
            .enumerate()
            .map(|(colour, name)| Key { name: name.into(), colour: Some(colour), value: None })
            .collect();
        let note = if steps.is_logarithmic { "logarithmic" } else { "" };
        let ends =
            [steps.edges.first(), steps.edges.last()].map(|end| end.map_or(String::new(), |end| self.called(*end)));
        let description = match is_sound {
            true => format!("Shares of the rows in {} steps from {} to {}.", steps.shares.len(), ends[0], ends[1]),
            false => "No rows.".into(),
        };
        figure(&self.title, note, &keys, &description, ChartSize::Third, marks)
    }

    /// What a value is called.
    fn called(&self, value: f64) -> String {
        let known = self.steps.ticks.iter().find(|(of, _)| *of == value);
        known.map_or_else(|| rounded(value), |(_, name)| name.clone())
    }

    /// The value in few letters.
    fn short(&self, value: f64) -> String {
        let size = value.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
        let scale = 10_f64.powi((2 - size).clamp(-300, 300));
        let known = self.steps.ticks.iter().find(|(of, _)| *of == value);
        known.map_or_else(|| rounded((value * scale).round() / scale), |(_, name)| name.clone())
    }

    fn marks(&self, x: &Scale, y: &Scale, room: Room) -> String {
        let steps = &self.steps;
        let outer = Frame::new(room.extent, y);
        let has = steps.beyond.map(|shares| shares.iter().any(|share| *share > 0.0));
        let inset = |has: bool| if has { BEYOND + SPACE } else { 0.0 };
        let frame = Frame { left: outer.left + inset(has[0]), right: outer.right - inset(has[1]), ..outer.clone() };
        let ticks = if steps.ticks.is_empty() { &x.ticks } else { &steps.ticks };
        let at = |value: &f64| x.place(*value).map(|place| frame.x(place));
        let has_room = |(value, _): &&(f64, String)| {
            at(value).is_some_and(|at| !(has[0] && at - frame.left < ROOM || has[1] && frame.right - at < ROOM))
        };
        let axis = x.clone().with_ticks(ticks.iter().filter(has_room).cloned().collect());
        let mut out = outer.left_axis(y) + &frame.lower_axis(Some(&axis), "share of the rows by value");
        let place = |value: f64| x.place(value).map_or(frame.left, |place| frame.x(place));
        let height = |share: f64| px(frame.y(y.place(share).unwrap_or(0.0)));
        let inner: Vec<(f64, f64, [f64; 2], String)> = steps
            .edges
            .windows(2)
            .zip(&steps.shares)
            .map(|(ends, shares)| {
                let name = format!("{} to {}", self.called(ends[0]), self.called(ends[1]));
                (place(ends[0]), place(ends[1]), *shares, name)
            })
            .collect();
        let (first, last) = (steps.edges[0], steps.edges[steps.edges.len() - 1]);
        let below = (outer.left, outer.left + BEYOND, steps.beyond[0], format!("below {}", self.called(first)));
        let above = (outer.right - BEYOND, outer.right, steps.beyond[1], format!("above {}", self.called(last)));
        let beyond =
            [(has[0], below, format!("< {}", self.short(first))), (has[1], above, format!("> {}", self.short(last)))];
        let groups =
            [inner].into_iter().chain(beyond.iter().filter(|(has, ..)| *has).map(|(_, step, _)| vec![step.clone()]));
        let groups: Vec<_> = groups.collect();
        let bottom = px(frame.bottom);
        for group in &groups {
            let bars: String = group
                .iter()
                .filter(|(.., shares, _)| shares[0] > 0.0)
                .map(|(from, to, shares, _)| {
                    format!("M{} {bottom}V{}H{}V{bottom}z", px(*from), height(shares[0]), px(*to))
                })
                .collect();
            out += &format!("<path class=\"step f0\" d=\"{bars}\"/>\n");
            let line: String = group
                .iter()
                .map(|(from, to, shares, _)| format!("L{} {}H{}", px(*from), height(shares[1]), px(*to)))
                .collect();
            let start = group.first().map_or(0.0, |step| step.0);
            out += &format!("<path class=\"line s1\" d=\"M{} {bottom}{line}V{bottom}\"/>\n", px(start));
        }
        for (_, (from, to, ..), sign) in beyond.iter().filter(|(has, ..)| *has) {
            let (x, y) = (px((from + to) / 2.0), px(frame.bottom + 18.0));
            out += &format!("<text class=\"below\" x=\"{x}\" y=\"{y}\">{}</text>\n", escape(sign));
        }
        for (from, to, shares, name) in groups.iter().flatten() {
            let percent = |share: f64| if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "–".into() };
            out += &format!(
                "<rect class=\"strip\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}\ndata {}\nsamples {}</title></rect>\n",
                px(*from),
                px(frame.top),
                px((to - from).max(0.0)),
                px(frame.bottom - frame.top),
                escape(name),
                percent(shares[0]),
                percent(shares[1])
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn any_steps_make_a_sound_chart() {
        let chart = |steps: Steps| {
            let figure = Histogram { title: "<x>".into(), steps }.figure();
            check(&figure);
            figure
        };
        assert!(chart(Steps::default()).contains("nothing to draw"));
        let steps = Steps {
            edges: vec![1.0, 10.0, 100.0],
            shares: vec![[0.5, 0.25], [0.4, 0.75]],
            beyond: [[0.0, 0.0], [0.1, 0.0]],
            is_logarithmic: true,
            ticks: Vec::new(),
        };
        let figure = chart(steps.clone());
        // One end has rows beyond it, and is named; the other has not.
        assert!(figure.contains("above 100\ndata 10.0 %\nsamples 0.0 %") && !figure.contains("below 1\n"), "{figure}");
        assert!(figure.contains("<small>logarithmic</small>") && figure.contains("10 to 100\ndata 40.0 %"));
        let named = Steps { ticks: vec![(1.0, "Mon".into()), (100.0, "Tue".into())], ..steps.clone() };
        assert!(chart(named).contains("above Tue"));
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            chart(Steps { edges: vec![odd, 1.0, 2.0], ..steps.clone() });
            chart(Steps { shares: vec![[odd, 0.0]; 2], ..steps.clone() });
        }
    }
}
