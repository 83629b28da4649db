//! Pictures of what a model does. Knows no GPU.

mod grid;
mod scatter;

pub use grid::{Size, grid, reconstructions};
pub use scatter::scatter;
