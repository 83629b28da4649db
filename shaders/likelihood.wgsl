// What is left of a likelihood once the last product has written d_output and a loss for every four columns (parts):
//
//   rows            recon[b] = sum of the row's parts from kl_parts on      kl[b] = sum of its first kl_parts
//   rows_learned    the parts from kl_parts on are sums of squared errors; with inv_var = exp(-2 log_sigma)
//                   recon[b] = inv_var / 2 squares + D (log_sigma + ln(2 pi) / 2)
//                   d_log_sigma[b] = (D - inv_var squares) / B, summed over b by reduce.sum
//   bernoulli_mean  mean = sigmoid(output), what a bernoulli decoder shows
// parts (B, P)    output, mean (B, D)    recon, kl, d_log_sigma (B)

const HALF_LN_2PI: f32 = 0.9189385332;

struct Params {
    batch: u32,     // B
    width: u32,     // D
    kl_parts: u32,
    parts: u32,     // P
}

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> recon: array<f32>;
@group(0) @binding(2) var<storage, read_write> kl: array<f32>;
@group(0) @binding(3) var<storage, read> log_sigma: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_log_sigma: array<f32>;
@group(0) @binding(5) var<storage, read> output: array<f32>;
@group(0) @binding(6) var<storage, read_write> mean: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

// (reconstruction, KL) of a row.
fn row_sums(row: u32, lane: u32) -> vec2<f32> {
    let start = row * params.parts;
    var sums = vec2<f32>(0.0);
    for (var p = lane; p < params.kl_parts; p += WG) { sums.y += parts[start + p]; }
    for (var p = params.kl_parts + lane; p < params.parts; p += WG) { sums.x += parts[start + p]; }
    return sum_over_workgroup(lane, sums);
}

// One workgroup a row.
@compute @workgroup_size(WG)
fn rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let sums = row_sums(group.x, lane);
    if lane == 0u {
        recon[group.x] = sums.x;
        kl[group.x] = sums.y;
    }
}

// One workgroup a row.
@compute @workgroup_size(WG)
fn rows_learned(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let sums = row_sums(group.x, lane);
    if lane == 0u {
        let inv_var = exp(-2.0 * log_sigma[0]);
        let width = f32(params.width);
        recon[group.x] = 0.5 * inv_var * sums.x + width * (log_sigma[0] + HALF_LN_2PI);
        kl[group.x] = sums.y;
        d_log_sigma[group.x] = (width - inv_var * sums.x) / f32(params.batch);
    }
}

// One invocation an element.
@compute @workgroup_size(WG)
fn bernoulli_mean(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.batch * params.width { return; }
    mean[i] = sigmoid(output[i]);
}
