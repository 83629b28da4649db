//! What is printed of how close drawn rows come to training rows.

use std::io::Write;

use wgvae::apply::quality::closeness::{Closeness, Distances};

use crate::cli::output::terminal;

/// Prints on stderr how close drawn rows come to training rows.
pub fn print(closeness: &Closeness) {
    let mut out = terminal::err();
    let mut line = |name: &str, of: &Distances| {
        let near = of.near_copies.map_or(String::new(), |share| format!(", {:.1} % nearly", 100.0 * share));
        let Distances { rows, copies, distance, .. } = of;
        _ = writeln!(
            out,
            "{name:10} {copies} of {rows} rows are copies of training rows{near}; the median is {distance:.3} from the closest"
        );
    };
    line("drawn", &closeness.drawn);
    if let Some(held_out) = &closeness.held_out {
        line("held out", held_out);
    }
    if let Some(what) = closeness.gives_away() {
        warning!(
            "{what}: the model has learned rows by heart; train with fewer epochs or a larger --beta, or leave out columns that name rows"
        );
    }
}
