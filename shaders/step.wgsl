// What changes from step to step, selected by a dynamic offset. The same struct on the host is StepScalars in
// crates/engine/src/plan/scalars.rs; names and offsets are compared when a plan is compiled.

struct Step {
    noise_key: vec2<u32>,
    binarise_key: vec2<u32>,
    shuffle_key: vec2<u32>,
    next_shuffle_key: vec2<u32>,
    shuffle: u32,
    offset: u32,
    rows: u32,
    slot: u32,
    values: array<vec4<f32>, 8>,  // the scalars that a program names
}
