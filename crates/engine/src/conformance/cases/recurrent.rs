//! Cases of `recurrent`.

use crate::conformance::case::{Case, Fill, Tolerance};
use crate::kernels::recurrent::{Back, Forward, back, forward};
use crate::plan::{Cell, Dtype, Recurrent, StepScalars};

/// A layer's sizes, and what it has.
struct Sizes {
    rows: usize,
    steps: usize,
    units: usize,
    reverse: bool,
    has_start: bool,
    /// The times of each row in turn.
    lengths: Option<&'static [f32]>,
}

/// One long row and many short ones, one of them empty.
const LENGTHS: &[f32] = &[9.0, 1.0, 2.0, 0.0, 5.0];

const SIZES: [Sizes; 6] = [
    Sizes { rows: 1, steps: 1, units: 1, reverse: false, has_start: false, lengths: None },
    Sizes { rows: 5, steps: 9, units: 7, reverse: false, has_start: true, lengths: Some(LENGTHS) },
    Sizes { rows: 5, steps: 9, units: 8, reverse: true, has_start: true, lengths: Some(LENGTHS) },
    Sizes { rows: 3, steps: 4, units: 36, reverse: false, has_start: true, lengths: None },
    Sizes { rows: 9, steps: 6, units: 70, reverse: true, has_start: false, lengths: None },
    Sizes { rows: 40, steps: 5, units: 132, reverse: false, has_start: true, lengths: None },
];

/// The family's cases.
pub(super) fn cases() -> Vec<Case> {
    Cell::ALL.into_iter().flat_map(|cell| SIZES.iter().map(move |sizes| case(cell, sizes))).collect()
}

fn case(cell: Cell, of: &Sizes) -> Case {
    let Sizes { rows, steps, units, reverse, has_start, lengths } = *of;
    let marks = [(reverse, " reverse"), (has_start, " start"), (lengths.is_some(), " lengths")];
    let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    let mut case =
        Case::new(format!("recurrent/{} {rows}x{steps}x{units}{marks}", cell.name()), StepScalars::default());
    let spread = |spread: f32| Fill::Spread(spread);
    let (gates, all) = (cell.gates() * units, rows * steps);
    let bound = 1.0 / (units as f32).sqrt();
    let layer = Recurrent { cell, reverse, steps: steps as u32 };
    let x = case.input("gates", &[all, gates], Dtype::F32, Fill::Heavy { common: 1.0, rare: 20.0 });
    let weight = case.input("weight", &[gates, units], Dtype::F32, spread(2.0 * bound));
    let bias = case.input("bias", &[gates], Dtype::F32, spread(1.0));
    let start = has_start.then(|| case.input("start", &[rows, cell.state() * units], Dtype::F32, spread(1.0)));
    let lengths = lengths.map(|lengths| case.input("lengths", &[rows], Dtype::F32, Fill::Exactly(lengths)));
    let d_states = case.input("d_states", &[all, units], Dtype::F32, spread(1.0));
    // A turn adds the rounding of some hundred terms to that of the turns before.
    let tolerance = Tolerance::Relative(5e-5);
    let states = case.output("states", &[all, units], tolerance);
    let kept = case.output("kept", &[all, cell.kept() * units], tolerance);
    let d_gates = case.output("d_gates", &[all, gates], tolerance);
    let d_hidden = (cell == Cell::Gru).then(|| case.output("d_hidden", &[all, gates], tolerance));
    let carry = case.output("carry", &[rows, cell.state() * units], tolerance);
    case.op(|t| forward(t, cell.name(), layer, Forward { gates: x, weight, bias, start, lengths, states, kept }));
    let of_all = Back { d_states, of_end: false, weight, start, states, kept, d_gates, d_hidden, carry };
    case.op(|t| back(t, "back", layer, of_all));
    // The gradient of the last turn's states alone.
    let d_states = case.input("d_last", &[rows, units], Dtype::F32, spread(1.0));
    let d_gates = case.output("d_gates by the last", &[all, gates], tolerance);
    let d_hidden = (cell == Cell::Gru).then(|| case.output("d_hidden by the last", &[all, gates], tolerance));
    let carry = case.output("carry by the last", &[rows, cell.state() * units], tolerance);
    let of_last = Back { d_states, of_end: true, d_gates, d_hidden, carry, ..of_all };
    case.op(|t| back(t, "back by the last", layer, of_last));
    case.timed(units == 132)
}
