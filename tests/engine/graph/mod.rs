//! Graphs: models that no configuration has, and what fusing and ordering make of plans: the same numbers in fewer ops.

mod buckets;
mod convolutions;
mod fusing;
mod harness;
mod models;
mod parts;
mod presets;
mod sequences;
mod tokens;
