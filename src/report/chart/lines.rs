//! Line charts.

use std::collections::BTreeSet;

use super::super::markup::escape;
use super::super::numbers::{is_plottable, measured, rounded};
use super::frame::Frame;
use super::scale::{Scale, Spread};
use super::{ChartSize, Key, Room, figure, fill, nothing, px, stroke};

/// Curves with more points are thinned.
const MAX_POINTS: usize = 500;
/// Curves with at most this many points have a dot at each.
const MAX_DOTS: usize = 20;
/// Largest number of strips that show the values under the pointer.
const MAX_STRIPS: usize = 64;
/// From this ratio of highest to lowest value on, the axis is logarithmic, so that small values stay readable.
const WIDE: f64 = 4.0;

/// A curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the curve.
    pub name: String,
    /// Points `(x, y)` from left to right; a value that is not finite makes a gap.
    pub points: Vec<(f64, f64)>,
}

/// The range of the left axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heights {
    /// The range of the curves, on a logarithmic axis if it is wide.
    #[default]
    Curves,
    /// From 0 to the top of the curves.
    FromZero,
    /// The range of the curves, on a plain axis.
    Linear,
}

/// A line chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineChart {
    /// Title of the chart.
    pub title: String,
    /// Name of the lower axis.
    pub x: String,
    /// Size of the chart.
    pub size: ChartSize,
    /// What its left axis covers.
    pub heights: Heights,
    /// The curves.
    pub series: Vec<Series>,
    /// A band behind the curves, as points `(x, low, high)`.
    pub band: Vec<(f64, f64, f64)>,
}

impl LineChart {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let of_band = || self.band.iter().flat_map(|(_, low, high)| [*low, *high]);
        let values = || {
            let of_curves = self.series.iter().flat_map(|s| &s.points).map(|p| p.1);
            of_curves.chain(of_band()).filter(|v| is_plottable(*v))
        };
        let (low, high) = values().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
        let spread = match self.heights {
            Heights::FromZero => Spread::FromZero,
            Heights::Curves if low > 0.0 && high / low > WIDE => Spread::Logarithm,
            Heights::Curves | Heights::Linear => Spread::EvenRound,
        };
        let across = || self.series.iter().flat_map(|s| &s.points).map(|p| p.0);
        let marks = |room: Room| {
            let ticks = if room.is_narrow || self.size == ChartSize::Third { 4 } else { 5 };
            let scales = Scale::over(across(), Spread::Whole, ticks).zip(Scale::over(values(), spread, ticks));
            let marks = |(x, y): (Scale, Scale)| self.marks(&x, &y, &Frame::new(room.extent, &y), room);
            scales.map_or_else(|| nothing(room.extent), marks)
        };
        let keys: Vec<Key> = if self.series.len() < 2 {
            Vec::new()
        } else {
            let key = |(i, s): (usize, &Series)| Key {
                name: s.name.clone(),
                colour: Some(i),
                // The end of a curve is what a run has come to; that of a distribution is nothing.
                value: last(s).filter(|_| self.heights == Heights::Curves).map(|(_, v)| measured(v)),
            };
            self.series.iter().enumerate().filter(|(_, series)| !series.points.is_empty()).map(key).collect()
        };
        let note = if spread == Spread::Logarithm { "logarithmic" } else { "" };
        figure(&self.title, note, &keys, &self.description(), self.size, marks)
    }

    fn marks(&self, x: &Scale, y: &Scale, frame: &Frame, room: Room) -> String {
        let mut out = frame.left_axis(y) + &frame.lower_axis(Some(x), &self.x);
        let place = |(a, b): (f64, f64)| Some((px(frame.x(x.place(a)?)), px(frame.y(y.place(b)?))));
        out += &self.band_between(&place);
        let has_dots = self.series.iter().all(|s| s.points.len() <= MAX_DOTS);
        for (i, series) in self.series.iter().enumerate() {
            let colour = Some(i);
            let places: Vec<Option<(f64, f64)>> =
                thinned(&series.points, if room.is_narrow { MAX_POINTS / 2 } else { MAX_POINTS })
                    .into_iter()
                    .map(place)
                    .collect();
            if places.is_empty() {
                continue;
            }
            out += &format!("<path class=\"line {}\" d=\"{}\"/>\n", stroke(colour), path(&places));
            if has_dots {
                for (x, y) in places.into_iter().flatten() {
                    out += &format!("<circle class=\"dot {}\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>\n", fill(colour));
                }
            }
        }
        // No pointer hovers over a phone.
        if room.is_narrow { out } else { out + &self.strips(x, frame) }
    }

    /// The band as a filled shape.
    fn band_between(&self, place: &impl Fn((f64, f64)) -> Option<(f64, f64)>) -> String {
        let above = self.band.iter().map(|(x, _, high)| (*x, *high));
        let below = self.band.iter().rev().map(|(x, low, _)| (*x, *low));
        let places: Vec<Option<(f64, f64)>> = above.chain(below).map(place).filter(Option::is_some).collect();
        match places.is_empty() {
            true => String::new(),
            false => format!("<path class=\"band\" d=\"{}Z\"/>\n", path(&places)),
        }
    }

    /// Invisible strips over the chart that name the values under the pointer.
    fn strips(&self, x: &Scale, frame: &Frame) -> String {
        let longest = self.series.iter().max_by_key(|s| s.points.len());
        let mut stops: Vec<f64> = longest.iter().flat_map(|s| &s.points).map(|p| p.0).collect();
        let every = stops.len().div_ceil(MAX_STRIPS).max(1);
        stops = stops.into_iter().rev().step_by(every).filter(|v| x.place(*v).is_some()).collect();
        stops.sort_by(f64::total_cmp);
        stops.dedup();
        let centre = |stop: f64| x.place(stop).map_or(frame.left, |place| frame.x(place));
        let mut out = String::new();
        for (i, stop) in stops.iter().enumerate() {
            let from = if i == 0 { frame.left } else { (centre(stops[i - 1]) + centre(*stop)) / 2.0 };
            let to = stops.get(i + 1).map_or(frame.right, |next| (centre(*stop) + centre(*next)) / 2.0);
            let mut text = format!("{} {}", self.x, rounded(*stop));
            for series in &self.series {
                if let Some((_, value)) = series.points.iter().find(|p| p.0 == *stop) {
                    text += &format!("\n{} {}", series.name, measured(*value));
                }
            }
            out += &format!(
                "<rect class=\"strip\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>\n",
                px(from),
                px(frame.top),
                px((to - from).max(0.0)),
                px(frame.bottom - frame.top),
                escape(&text)
            );
        }
        out
    }

    fn description(&self) -> String {
        let curve = |s: &Series| match (s.points.iter().find(|p| is_plottable(p.1)), last(s)) {
            (Some(first), Some(last)) => {
                let (from, to) = (rounded(first.0), rounded(last.0));
                let (first, last) = (measured(first.1), measured(last.1));
                format!("{}: {first} at {x} {from}, {last} at {x} {to}.", s.name, x = self.x)
            }
            _ => format!("{}: no finite values.", s.name),
        };
        self.series.iter().filter(|series| !series.points.is_empty()).map(curve).collect::<Vec<_>>().join(" ")
    }
}

fn last(series: &Series) -> Option<(f64, f64)> {
    series.points.iter().rev().copied().find(|p| is_plottable(p.1))
}

/// Thins a curve to about so many points: the lowest and the highest of each segment, so that peaks stay.
fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let size = points.len().div_ceil(most / 2);
    let kept: BTreeSet<usize> = points
        .chunks(size)
        .enumerate()
        .flat_map(|(i, chunk)| {
            let by_value = |a: &usize, b: &usize| chunk[*a].1.total_cmp(&chunk[*b].1);
            let lowest = (0..chunk.len()).min_by(by_value);
            let highest = (0..chunk.len()).max_by(by_value);
            lowest.into_iter().chain(highest).map(move |at| i * size + at)
        })
        .chain([0, points.len() - 1])
        .collect();
    kept.into_iter().map(|i| points[i]).collect()
}

/// A path through the places, interrupted at gaps.
fn path(places: &[Option<(f64, f64)>]) -> String {
    let mut out = String::new();
    for run in places.split(Option::is_none) {
        for (i, (x, y)) in run.iter().flatten().enumerate() {
            out += &format!("{}{x} {y}", if i == 0 { 'M' } else { 'L' });
        }
        // A single point becomes a line of length 0, which round line caps make visible.
        out += if run.len() == 1 { "h0" } else { "" };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn chart(values: &[&[f64]]) -> LineChart {
        let series = |(i, values): (usize, &&[f64])| Series {
            name: format!("<run> & \"{i}\""),
            points: values.iter().enumerate().map(|(x, y)| (x as f64 + 1.0, *y)).collect(),
        };
        LineChart {
            title: "Loss".into(),
            x: "epoch".into(),
            series: values.iter().enumerate().map(series).collect(),
            ..LineChart::default()
        }
    }

    #[test]
    fn any_values_make_a_sound_chart() {
        let long: Vec<f64> = (0..5000).map(|i| 100.0 + 400.0 / f64::from(i + 1)).collect();
        let cases: &[&[&[f64]]] = &[
            &[],
            &[&[]],
            &[&[3.0]],
            &[&[f64::NAN, f64::INFINITY]],
            &[&[1.0, f64::NAN, 2.0, 3.0, f64::NEG_INFINITY], &[-4.0]],
            &[&[f64::MAX, f64::MIN, 0.0]],
            &[&[0.0; 4]],
            &[&long, &[1.0, 2.0]],
        ];
        for values in cases {
            let figure = chart(values).figure();
            check(&figure);
            assert!(figure.len() < 60_000, "{} bytes", figure.len());
        }
        assert!(chart(&[&[f64::NAN]]).figure().contains("nothing to draw"));
    }

    #[test]
    fn a_band_lies_within_the_axes() {
        let band: Vec<(f64, f64, f64)> = (1..4).map(|x| (f64::from(x), -3.0, 5.0)).collect();
        let figure = LineChart { band, heights: Heights::Linear, ..chart(&[&[1.0, 2.0, 1.0], &[0.5]]) }.figure();
        check(&figure);
        assert!(figure.contains("class=\"band\"") && !figure.contains("NaN"));
    }

    #[test]
    fn gaps_break_a_curve_and_lone_points_stay() {
        let places = [Some((1.0, 2.0)), None, Some((3.0, 4.0)), Some((5.0, 6.5))];
        assert_eq!(path(&places), "M1 2h0M3 4L5 6.5");
    }

    #[test]
    fn thinning_keeps_peaks_and_ends() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        points[7777].1 = 9.0;
        points[7778].1 = -9.0;
        let kept = thinned(&points, MAX_POINTS);
        assert!(kept.len() <= MAX_POINTS + 2, "{}", kept.len());
        for i in [0, 7777, 7778, 9999] {
            assert!(kept.contains(&points[i]), "{i}");
        }
    }

    #[test]
    fn wide_ranges_are_logarithmic() {
        assert!(chart(&[&[540.0, 105.0]]).figure().contains("logarithmic"));
        assert!(!chart(&[&[200.0, 105.0]]).figure().contains("logarithmic"));
        assert!(!chart(&[&[540.0, -105.0]]).figure().contains("logarithmic"));
    }
}
