// Logarithms of probabilities, of groups of neighbouring columns of x (B, D): the words of a category. One invocation an element.
//
//   log_softmax       y = x - ln(sum of exp(x) over the group)
//   log_softmax_back  d_x = d_y - exp(y) (sum of d_y over the group)
//
// `groups` (2, D) has the first column of each column's group, and how many there are; where there are none, y = x.

override WG: u32 = 64u;

struct Params {
    count: u32,  // B D
    cols: u32,   // D
}

@group(0) @binding(0) var<storage, read> groups: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> d_y: array<f32>;
@group(0) @binding(4) var<storage, read> log_p: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_x: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// The elements of the group that element i is in: the first, and the one behind the last.
fn group_of(i: u32) -> vec2<u32> {
    let col = i % params.cols;
    let first = i - col + u32(groups[col]);
    return vec2<u32>(first, first + u32(groups[params.cols + col]));
}

@compute @workgroup_size(WG)
fn log_softmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
               @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let span = group_of(i);
    var log_sum = 0.0;
    if span.y > span.x {
        var most = x[span.x];
        for (var j = span.x + 1u; j < span.y; j++) { most = max(most, x[j]); }
        var sum = 0.0;
        for (var j = span.x; j < span.y; j++) { sum += exp(x[j] - most); }
        log_sum = most + log(sum);
    }
    y[i] = x[i] - log_sum;
}

@compute @workgroup_size(WG)
fn log_softmax_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
                    @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let span = group_of(i);
    var sum = 0.0;
    for (var j = span.x; j < span.y; j++) { sum += d_y[j]; }
    d_x[i] = d_y[i] - exp(min(log_p[i], 0.0)) * sum;
}
