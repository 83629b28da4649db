// The reconstruction loss of each row, in nats, and its gradient, in one pass over the decoder's output.
//
//   output (B, D): logits, or means      x, d_output (B, D)      recon (B)
//   bernoulli         recon[b] = sum_d max(l, 0) - l x + log1p(exp(-|l|))       d_output = (sigmoid(l) - x) / B
//   gaussian          recon[b] = sum_d (m - x)^2 inv_var / 2 + log_norm         d_output = (m - x) inv_var / B
//   gaussian_learned  the same, inv_var = exp(-2 log_sigma), log_norm = log_sigma + ln(2 pi) / 2, and
//                     d_log_sigma[b] = sum_d (1 - (m - x)^2 inv_var) / B, summed over b by reduce.sum
// One workgroup a row.

const HALF_LN_2PI: f32 = 0.9189385332;

struct Params {
    batch: u32,     // B
    width: u32,     // D
    inv_var: f32,   // 1 / sigma^2, for gaussian
    log_norm: f32,  // ln(sigma sqrt(2 pi)), or 0 for a plain squared error
}

@group(0) @binding(0) var<storage, read> output: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> recon: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_output: array<f32>;
@group(0) @binding(4) var<storage, read> log_sigma: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_log_sigma: array<f32>;
@group(0) @binding(6) var<storage, read_write> mean: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn bernoulli(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.width;
    let scale = 1.0 / f32(params.batch);
    var loss = 0.0;
    for (var d = lane; d < params.width; d += WG) {
        let logit = output[start + d];
        let target_level = x[start + d];
        // One exponential serves the loss and the gradient.
        let e = exp(-abs(logit));
        loss += max(logit, 0.0) - logit * target_level + log1p_unit(e);
        d_output[start + d] = (select(e, 1.0, logit >= 0.0) / (1.0 + e) - target_level) * scale;
    }
    let total = sum_over_workgroup(lane, vec2<f32>(loss, 0.0)).x;
    if lane == 0u { recon[group.x] = total; }
}

@compute @workgroup_size(WG)
fn gaussian(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.width;
    let scale = params.inv_var / f32(params.batch);
    var loss = 0.0;
    for (var d = lane; d < params.width; d += WG) {
        let error = output[start + d] - x[start + d];
        loss += 0.5 * params.inv_var * error * error + params.log_norm;
        d_output[start + d] = error * scale;
    }
    let total = sum_over_workgroup(lane, vec2<f32>(loss, 0.0)).x;
    if lane == 0u { recon[group.x] = total; }
}

@compute @workgroup_size(WG)
fn gaussian_learned(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * params.width;
    let inv_var = exp(-2.0 * log_sigma[0]);
    let scale = inv_var / f32(params.batch);
    var squares = 0.0;
    for (var d = lane; d < params.width; d += WG) {
        let error = output[start + d] - x[start + d];
        squares += error * error;
        d_output[start + d] = error * scale;
    }
    let total = sum_over_workgroup(lane, vec2<f32>(squares, 0.0)).x;
    if lane == 0u {
        let width = f32(params.width);
        recon[group.x] = 0.5 * inv_var * total + width * (log_sigma[0] + HALF_LN_2PI);
        d_log_sigma[group.x] = (width - inv_var * total) / f32(params.batch);
    }
}

// mean = sigmoid(output), what a bernoulli decoder shows. One invocation an element.
@compute @workgroup_size(WG)
fn bernoulli_mean(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.batch * params.width { return; }
    let logit = output[i];
    let e = exp(-abs(logit));
    mean[i] = select(e, 1.0, logit >= 0.0) / (1.0 + e);
}
