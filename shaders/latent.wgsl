// The latent variable: z = mu + exp(logvar / 2) noise, its KL divergence from N(0, I), and their gradients.
//
//   heads (B, 2Z): mu | logvar      noise, z, d_z (B, Z)      kl (B)
//   kl[b]    = 1/2 sum_j (mu^2 + exp(logvar) - 1 - logvar)
//   d_mu     = d_z + beta / B mu
//   d_logvar = d_z noise exp(logvar / 2) / 2 + beta / B (exp(logvar) - 1) / 2
// logvar is clamped to [-30, 20], where exp neither vanishes nor overflows; outside, its gradient is 0.

// 0: z = mu; 1: noise is drawn and kept; 2: the noise given in `noise` is used.
override NOISE: u32 = 1u;

const LOGVAR_MIN: f32 = -30.0;
const LOGVAR_MAX: f32 = 20.0;

struct Params {
    batch: u32,   // B
    latent: u32,  // Z
}

@group(0) @binding(0) var<storage, read> heads: array<f32>;
@group(0) @binding(1) var<storage, read_write> noise: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> kl: array<f32>;
@group(0) @binding(4) var<storage, read> d_z: array<f32>;
@group(0) @binding(5) var<storage, read> drawn: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_heads: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;
@group(0) @binding(8) var<uniform> step: Step;

// One workgroup a row.
@compute @workgroup_size(WG)
fn sample(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    var sum = 0.0;
    for (var j = lane; j < params.latent; j += WG) {
        let i = row * params.latent + j;
        let mu = heads[row * 2u * params.latent + j];
        let logvar = clamp(heads[(row * 2u + 1u) * params.latent + j], LOGVAR_MIN, LOGVAR_MAX);
        var draw = 0.0;
        if NOISE == 1u {
            draw = normal(step.noise_key, i);
            noise[i] = draw;
        } else if NOISE == 2u {
            draw = noise[i];
        }
        z[i] = mu + exp(0.5 * logvar) * draw;
        sum += 0.5 * (mu * mu + exp(logvar) - 1.0 - logvar);
    }
    let row_kl = sum_over_workgroup(lane, vec2<f32>(sum, 0.0)).x;
    if lane == 0u { kl[row] = row_kl; }
}

// One invocation an element of z.
@compute @workgroup_size(WG)
fn sample_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                   @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.batch * params.latent { return; }
    let row = i / params.latent;
    let at_mu = row * 2u * params.latent + i % params.latent;
    let at_logvar = at_mu + params.latent;
    let weight = step.beta / f32(params.batch);
    let mu = heads[at_mu];
    let logvar = heads[at_logvar];
    d_heads[at_mu] = d_z[i] + weight * mu;
    let inside = logvar >= LOGVAR_MIN && logvar <= LOGVAR_MAX;
    let sigma = exp(0.5 * clamp(logvar, LOGVAR_MIN, LOGVAR_MAX));
    let slope = 0.5 * (d_z[i] * drawn[i] * sigma + weight * (sigma * sigma - 1.0));
    d_heads[at_logvar] = select(0.0, slope, inside);
}

// z ~ N(0, I). One invocation an element.
@compute @workgroup_size(WG)
fn prior(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.batch * params.latent { return; }
    z[i] = normal(step.noise_key, i);
}
