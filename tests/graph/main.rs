//! Graphs: models that no configuration has, and what fusing and ordering make of plans: the same numbers in fewer ops.

#[path = "../common/mod.rs"]
mod common;

mod convolutions;
mod fusing;
mod harness;
mod models;
mod parts;
mod presets;
