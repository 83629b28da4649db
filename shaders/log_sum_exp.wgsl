// Logarithms of sums of exponentials, of groups of neighbouring rows of x (R G, C): the samples of a row of data, or the parts of a
// mixture.
//
//   log_sum_exp       y[r, c] = ln(sum over g of exp(x[r G + g, c]))
//   log_sum_exp_back  d_x[r G + g, c] = d_y[r, c] exp(x[r G + g, c] - y[r, c])
//   stream            state (R, 3) takes one more value of each row of x (R, 1): the greatest so far, and the sums of exp(x - greatest)
//                     and of its square, from which ln(sum of exp(x)) follows whatever the number of values
//
// One invocation a result.

override WG: u32 = 64u;

struct Params {
    count: u32,  // results
    cols: u32,   // C
    each: u32,   // G
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> d_y: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_x: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Less than 1e-17 is nothing: floats that are too small to be normal are slow on processors.
fn share(log_share: f32) -> f32 {
    return select(0.0, exp(log_share), log_share > -39.0);
}

@compute @workgroup_size(WG)
fn log_sum_exp(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
               @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    // group.z is 0, but not a uniform: lavapipe compiles a loop bounded by uniforms alone anew at dispatches.
    let each = params.each + group.z;
    let first = (i / params.cols) * each * params.cols + i % params.cols;
    var most = x[first];
    for (var g = 1u; g < each; g++) { most = max(most, x[first + g * params.cols]); }
    var sum = 0.0;
    for (var g = 0u; g < each; g++) { sum += exp(x[first + g * params.cols] - most); }
    y[i] = most + log(sum);
}

@compute @workgroup_size(WG)
fn log_sum_exp_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
                    @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let whole = (i / (params.cols * params.each)) * params.cols + i % params.cols;
    d_x[i] = d_y[whole] * share(x[i] - sums[whole]);
}

@compute @workgroup_size(WG)
fn stream(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>,
          @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * all.x + group.x) * WG + lane;
    if i >= params.count { return; }
    let before = state[3u * i];
    let most = max(before, x[i]);
    let kept = exp(before - most);
    let added = exp(x[i] - most);
    state[3u * i] = most;
    state[3u * i + 1u] = state[3u * i + 1u] * kept + added;
    state[3u * i + 2u] = state[3u * i + 2u] * kept * kept + added * added;
}
