//! Scatter plots of groups of 2-D points.

use super::super::markup::escape;
use super::super::numbers::{grouped, is_plottable};
use super::frame::Frame;
use super::scale::{Scale, Spread};
use super::{ChartSize, Key, Room, figure, nothing, px, stroke};

/// More points than this are thinned, so that the page stays small.
const MAX_POINTS: usize = 5000;
/// And for a narrow screen.
const MAX_NARROW_POINTS: usize = 1000;
/// Groups are drawn in this many alternating parts, so that the last group does not hide the first.
const TURNS: usize = 8;
/// The share of the points at each end of an axis that may lie outside the frame.
const OUTLIERS: f64 = 0.002;
/// Largest number of groups that are named inside the chart.
const MAX_NAMES: usize = 20;

/// A group of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Their colour as an index into the palette; grey if none.
    pub colour: Option<usize>,
    /// The points.
    pub points: Vec<[f32; 2]>,
}

/// A scatter plot with the same scale on both axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// Title of the chart.
    pub title: String,
    /// Names of the axes.
    pub axes: [String; 2],
    /// Whether each group's name is written at its centre.
    pub is_named_inside: bool,
    /// The groups.
    pub groups: Vec<Group>,
}

impl Cloud {
    /// The chart as a figure.
    pub fn figure(&self) -> String {
        let points: Vec<[f32; 2]> = self.groups.iter().flat_map(|g| &g.points).copied().filter(has_place).collect();
        let kept_every = points.len().div_ceil(MAX_POINTS).max(1);
        let ends = [0, 1].map(|axis| ends(points.iter().map(|p| f64::from(p[axis])).collect()));
        let marks = |room: Room| match ends {
            [Some(x), Some(y)] => {
                let most = if room.is_narrow { MAX_NARROW_POINTS } else { MAX_POINTS };
                self.marks(x, y, room, points.len().div_ceil(most).max(1))
            }
            _ => (nothing(room.extent), 0),
        };
        let outside = marks(Room { extent: ChartSize::Square.extent(), is_narrow: false }).1;
        let keys: Vec<Key> = self
            .groups
            .iter()
            .filter(|g| !g.name.is_empty())
            .map(|g| Key { name: g.name.clone(), colour: g.colour, value: None })
            .collect();
        let placed = |group: &Group| group.points.iter().filter(|p| has_place(p)).count();
        let drawn: usize = self.groups.iter().map(|g| placed(g).div_ceil(kept_every)).sum();
        let of = if kept_every > 1 { format!(" of {}", grouped(points.len() as u64)) } else { String::new() };
        let far = if outside > 0 { format!(", {} outside the frame", grouped(outside as u64)) } else { String::new() };
        let note = format!("{}{of} points{far}", grouped(drawn as u64));
        let names: Vec<&str> = self.groups.iter().map(|g| g.name.as_str()).filter(|n| !n.is_empty()).collect();
        let groups = if names.is_empty() { String::new() } else { format!(" in groups: {}", names.join(", ")) };
        let description = format!("{note} over {} and {}{groups}.", self.axes[0], self.axes[1]);
        figure(&self.title, &note, &keys, &description, ChartSize::Square, |room| marks(room).0)
    }

    /// The marks, and the number of points outside the frame.
    fn marks(&self, x: (f64, f64), y: (f64, f64), room: Room, kept_every: usize) -> (String, usize) {
        let extent = room.extent;
        let ticks = if room.is_narrow { [4, 4] } else { [6, 5] };
        // Tick labels determine the frame, and the frame the scale: an approximate scale is enough for the first frame.
        let frame = Frame::new(extent, &Scale::between(y.0, y.1, Spread::Even, ticks[1])).with_left_name();
        let (x, y) = same_scale(x, y, (frame.right - frame.left) / (frame.bottom - frame.top));
        let (x, y) =
            (Scale::between(x.0, x.1, Spread::Even, ticks[0]), Scale::between(y.0, y.1, Spread::Even, ticks[1]));
        let frame = Frame::new(extent, &y).with_left_name();
        let place = |p: &[f32; 2]| {
            let (x, y) = (x.place(f64::from(p[0]))?, y.place(f64::from(p[1]))?);
            let is_inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            is_inside.then(|| (px(frame.x(x)), px(frame.y(y))))
        };
        let mut out = frame.lines_up(&x) + &frame.left_axis(&y) + &frame.lower_axis(Some(&x), &self.axes[0]);
        let middle = px((frame.top + frame.bottom) / 2.0);
        out += &format!(
            "<text class=\"name\" transform=\"translate(12 {middle}) rotate(-90)\">{}</text>\n",
            escape(&self.axes[1])
        );
        let kept = |group: &Group| group.points.iter().filter(|p| has_place(p)).step_by(kept_every).copied().collect();
        let kept: Vec<Vec<[f32; 2]>> = self.groups.iter().map(kept).collect();
        let places: Vec<Vec<(f64, f64)>> =
            kept.iter().map(|points| points.iter().filter_map(place).collect()).collect();
        let outside = kept.iter().flatten().count() - places.iter().flatten().count();
        for turn in 0..TURNS {
            for (group, places) in self.groups.iter().zip(&places) {
                let dots: String =
                    places.iter().skip(turn).step_by(TURNS).map(|(x, y)| format!("M{x} {y}h0")).collect();
                if !dots.is_empty() {
                    let title = format!("<title>{}</title>", escape(&group.name));
                    let title = if group.name.is_empty() { "" } else { &title };
                    out += &format!("<path class=\"dots {}\" d=\"{dots}\">{title}</path>\n", stroke(group.colour));
                }
            }
        }
        if self.is_named_inside && self.groups.len() <= MAX_NAMES {
            for (group, places) in self.groups.iter().zip(&places) {
                if let Some((x, y)) = middle_of(places) {
                    let (y, name) = (px(y + 5.0), escape(&shortened(&group.name)));
                    out += &format!("<text class=\"inside\" x=\"{x}\" y=\"{y}\">{name}</text>\n");
                }
            }
        }
        (out, outside)
    }
}

fn has_place(point: &[f32; 2]) -> bool {
    point.iter().all(|v| is_plottable(f64::from(*v)))
}

/// The range of an axis over these values, ignoring a few outliers.
fn ends(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let skipped = (values.len() as f64 * OUTLIERS) as usize;
    let (low, high) = (*values.get(skipped)?, *values.get(values.len() - 1 - skipped)?);
    // A range of 1 if all values are equal, because a scale needs a positive one.
    let room = if high > low { (high - low) * 0.06 } else { 1.0_f64.max(high.abs() * 1e-3) };
    Some((low - room, high + room))
}

/// The two ranges, one of them widened so that both axes have the same scale.
fn same_scale(x: (f64, f64), y: (f64, f64), aspect: f64) -> ((f64, f64), (f64, f64)) {
    let unit = ((x.1 - x.0) / aspect).max(y.1 - y.0);
    let widened = |(low, high): (f64, f64), span: f64| {
        let middle = (low + high) / 2.0;
        (middle - span / 2.0, middle + span / 2.0)
    };
    (widened(x, unit * aspect), widened(y, unit))
}

/// The median of each coordinate.
fn middle_of(places: &[(f64, f64)]) -> Option<(f64, f64)> {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    median(places.iter().map(|p| p.0).collect()).zip(median(places.iter().map(|p| p.1).collect()))
}

fn shortened(name: &str) -> String {
    const LONGEST: usize = 14;
    if name.chars().count() <= LONGEST {
        return name.to_string();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    fn chart(groups: &[&[[f32; 2]]]) -> Cloud {
        let group = |(i, points): (usize, &&[[f32; 2]])| Group {
            name: i.to_string(),
            colour: Some(i),
            points: points.to_vec(),
        };
        Cloud {
            title: "Latent".into(),
            axes: ["mu <1>".into(), "mu 2".into()],
            is_named_inside: true,
            groups: groups.iter().enumerate().map(group).collect(),
        }
    }

    #[test]
    fn any_points_make_a_sound_chart() {
        let many: Vec<[f32; 2]> = (0..20_000).map(|i| [(i as f32).sin(), (i as f32 * 0.7).cos() * 3.0]).collect();
        let cases: &[&[&[[f32; 2]]]] = &[
            &[],
            &[&[]],
            &[&[[1.0, 2.0]]],
            &[&[[f32::NAN, 2.0], [f32::INFINITY, 0.0]]],
            &[&[[0.0, 0.0], [f32::MAX, f32::MIN]], &[[1.0, f32::NAN]]],
            &[&[[5.0, 5.0]; 9]],
            &[&many, &many[..10]],
        ];
        for groups in cases {
            let figure = chart(groups).figure();
            check(&figure);
            assert!(figure.len() < 120_000, "{} bytes", figure.len());
        }
        assert!(chart(&[&many]).figure().contains("5,000 of 20,000 points"));
    }

    #[test]
    fn one_far_point_does_not_squeeze_the_others() {
        let mut points: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        points.push(1e6);
        let far = points.iter().map(|v| [*v as f32, 0.0]).collect::<Vec<_>>();
        assert!(chart(&[&far]).figure().contains("1,001 points, 1 outside the frame"));
        let (low, high) = ends(points).unwrap();
        assert!(low < 0.01 && high < 1.2, "{low} {high}");
    }

    #[test]
    fn both_axes_have_one_scale() {
        let (x, y) = same_scale((0.0, 10.0), (0.0, 1.0), 2.0);
        assert_eq!((x, y), ((0.0, 10.0), (-2.0, 3.0)));
    }
}
