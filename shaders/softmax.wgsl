// Logarithms of probabilities, of groups of neighbouring columns of x (B, D): the words of a category, or the parts of a mixture.
// One invocation a group of a row.
//
//   log_softmax       y = x - ln(sum of exp(x) over the group)
//   log_softmax_back  d_x = d_y - exp(y) (sum of d_y over the group)
//
// `groups` (2, G) has the first column of each group, and how many there are: 0 for a column that is in no group, where y = x.

override WG: u32 = 64u;

struct Params {
    count: u32,   // B G
    cols: u32,    // D
    groups: u32,  // G
}

@group(0) @binding(0) var<storage, read> groups: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> d_y: array<f32>;
@group(0) @binding(4) var<storage, read> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// The elements of a group of a row: the first, and the one behind the last.
fn span_of(i: u32) -> vec2<u32> {
    let number = i % params.groups;
    let first = (i / params.groups) * params.cols + u32(groups[number]);
    return vec2<u32>(first, first + u32(groups[params.groups + number]));
}

// Less than 1e-17 is nothing: products of such numbers are too small for floats to be normal, and processors take four times as
// long for them.
fn probability(log_p: f32) -> f32 {
    return select(0.0, exp(min(log_p, 0.0)), log_p > -39.0);
}

@compute @workgroup_size(WG)
fn log_softmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
               @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let span = span_of(i);
    if span.y == span.x {
        y[span.x] = x[span.x];
        return;
    }
    var most = x[span.x];
    for (var j = span.x + 1u; j < span.y; j++) { most = max(most, x[j]); }
    var sum = 0.0;
    for (var j = span.x; j < span.y; j++) { sum += exp(x[j] - most); }
    let log_sum = most + log(sum);
    for (var j = span.x; j < span.y; j++) { y[j] = x[j] - log_sum; }
}

@compute @workgroup_size(WG)
fn log_softmax_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
                    @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let span = span_of(i);
    if span.y == span.x {
        d_x[span.x] = d_y[span.x];
        return;
    }
    var sum = 0.0;
    for (var j = span.x; j < span.y; j++) { sum += d_y[j]; }
    for (var j = span.x; j < span.y; j++) { d_x[j] = d_y[j] - probability(log_p[j]) * sum; }
}
