//! Pictures of a model's results, and the page of a run. Does not depend on the GPU.

mod chart;
pub mod compare;
mod contents;
mod grid;
pub mod latent;
mod letters;
mod markup;
mod numbers;
pub mod page;
mod samples;
mod scatter;
mod sections;
mod sparkline;
mod texts;

pub use grid::{PictureSides, columns, grid, labelled, reconstructions, stacked, strips};
pub use numbers::{duration, measured};
pub use scatter::scatter;
pub use sections::with_error;
pub use sparkline::sparkline;
