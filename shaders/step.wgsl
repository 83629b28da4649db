// The scalars of one step, selected by a dynamic offset. The same struct on the host is StepScalars in
// src/plan/scalars.rs; names and offsets are compared when a plan is compiled.

struct Step {
    noise_key: vec2<u32>,
    binarise_key: vec2<u32>,
    shuffle_key: vec2<u32>,
    next_shuffle_key: vec2<u32>,
    shuffle: u32,
    offset: u32,
    rows: u32,
    slot: u32,
    beta: f32,
    lr: f32,
    correction1: f32,
    correction2: f32,
    capacity: f32,
    padding: u32,
}
