// Draws of the latent variable from its prior: z (B, Z) ~ N(0, I). One invocation an element.
// What happens to it on the way through the model is in latent_terms.wgsl and dense.wgsl.jinja.

override WG: u32 = 64u;

struct Params {
    count: u32,  // B Z
}

@group(0) @binding(0) var<storage, read_write> z: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<uniform> step: Step;

@compute @workgroup_size(WG)
fn prior(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.count { return; }
    z[i] = normal(step.noise_key, i);
}
