// The optimiser, once over the whole parameter arena; forms and order of operations are PyTorch's.
//
//   weights, gradients, first, second: one layout, (L), L a multiple of 64; the gaps between parameters have
//   zero gradients and stay zero. clip[0] scales every gradient; it is 1 where nothing clips.
//   sgd    g += decay w;  first = momentum first + g;  w -= lr (nesterov ? g + momentum first : first)
//   adam   first = b1 first + (1 - b1) g;  second = b2 second + (1 - b2) g^2
//          w -= lr correction1 first / (sqrt(second) correction2 + eps)
//          adam: g += decay w before; adamw (DECOUPLED): w *= 1 - lr decay before
// One invocation four elements.

override WG: u32 = 64u;
override DECOUPLED: u32 = 0u;
override NESTEROV: u32 = 0u;

struct Params {
    quads: u32,  // L / 4
    decay: f32,
    momentum: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> second: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
@group(0) @binding(6) var<uniform> step: Step;

@compute @workgroup_size(WG)
fn sgd(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.quads { return; }
    let w = weights[i];
    let g = gradients[i] * clip[0] + params.decay * w;
    let velocity = params.momentum * first[i] + g;
    first[i] = velocity;
    let direction = select(velocity, g + params.momentum * velocity, NESTEROV == 1u);
    weights[i] = w - step.lr * direction;
}

@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * WG + lane;
    if i >= params.quads { return; }
    var w = weights[i];
    var g = gradients[i] * clip[0];
    if DECOUPLED == 1u {
        w *= 1.0 - step.lr * params.decay;
    } else {
        g += params.decay * w;
    }
    let m = params.beta1 * first[i] + (1.0 - params.beta1) * g;
    let v = params.beta2 * second[i] + (1.0 - params.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    weights[i] = w - (step.lr * step.correction1) * m / (sqrt(v) * step.correction2 + params.epsilon);
}
