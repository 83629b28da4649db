// Cross-entropies of tokens: of each row of logits x (R, V), the negative logarithm of the probability of the row's token. Tokens are
// whole numbers in floats, ids (R); a number below 0 is no token, and its row counts for nothing.
//
//   cross_entropy       loss = ln(sum of exp(x)) - x[token], and sums (R, 2) = the greatest x, and ln(sum of exp(x - greatest)), whose sum
//                       would be less exact; all are 0 where there is no token
//
// A row is read once: the greatest number so far and the sum of the exponentials less it go along. A narrow row has an
// invocation. A wide row has a workgroup (`_wide`), whose lanes are added by a tree. The gradient is in cross_entropy_back.wgsl.jinja.

override WG: u32 = 64u;

// The greatest number of none: below all that there are.
const NOTHING: f32 = -3e38;

struct Params {
    rows: u32,  // R
    cols: u32,  // V
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

var<workgroup> lane_sums: array<vec2<f32>, WG>;

fn is_token(row: u32) -> bool {
    return ids[row] >= 0.0;
}

// The host refuses numbers from V on; this keeps the read inside of the row.
fn token_of(row: u32) -> u32 {
    return min(u32(max(ids[row], 0.0)), params.cols - 1u);
}

// Less than 1e-17 is nothing: floats that are too small to be normal are slow on processors.
fn share(log_share: f32) -> f32 {
    return select(0.0, exp(log_share), log_share > -39.0);
}

// The greatest number so far, and the sum of the exponentials less it, with one number more.
fn with_one(before: vec2<f32>, value: f32) -> vec2<f32> {
    let most = max(before.x, value);
    let other = share(min(before.x, value) - most);
    return vec2<f32>(most, select(before.y + other, before.y * other + 1.0, value > before.x));
}

fn with_all(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let most = max(a.x, b.x);
    return vec2<f32>(most, a.y * share(a.x - most) + b.y * share(b.x - most));
}

fn finish(row: u32, sum: vec2<f32>) {
    if !is_token(row) {
        loss[row] = 0.0;
        sums[2u * row] = 0.0;
        sums[2u * row + 1u] = 0.0;
        return;
    }
    let log_of_rest = log(sum.y);
    // The difference first: it is exact where both are near each other.
    loss[row] = (sum.x - x[row * params.cols + token_of(row)]) + log_of_rest;
    sums[2u * row] = sum.x;
    sums[2u * row + 1u] = log_of_rest;
}

@compute @workgroup_size(WG)
fn cross_entropy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) lane: u32) {
    let row = (group.y * groups.x + group.x) * WG + lane;
    if row >= params.rows { return; }
    var sum = vec2<f32>(NOTHING, 0.0);
    let first = row * params.cols;
    let end = first + select(0u, params.cols, is_token(row));
    for (var at = first; at < end; at++) { sum = with_one(sum, x[at]); }
    finish(row, sum);
}

@compute @workgroup_size(WG)
fn cross_entropy_wide(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                      @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= params.rows { return; }
    var sum = vec2<f32>(NOTHING, 0.0);
    let first = row * params.cols;
    let end = first + select(0u, params.cols, is_token(row));
    for (var at = first + lane; at < end; at += WG) { sum = with_one(sum, x[at]); }
    lane_sums[lane] = sum;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half { lane_sums[lane] = with_all(lane_sums[lane], lane_sums[lane + half]); }
        workgroupBarrier();
    }
    if lane == 0u { finish(row, lane_sums[0]); }
}
