// The optimiser, once over the whole parameter arena; forms and order of operations are PyTorch's.
//
//   weights, gradients, first, second: one layout, (L), L a multiple of 64; the gaps between parameters have
//   zero gradients and stay zero. clip[0] scales every gradient; it is 1 where nothing clips.
//   sgd    g += decay w;  first = momentum first + g;  w -= lr (nesterov ? g + momentum first : first)
//   adam   first = b1 first + (1 - b1) g;  second = b2 second + (1 - b2) g^2
//          w -= lr correction1 first / (sqrt(second) correction2 + eps)
//          adam: g += decay w before; adamw (DECOUPLED): w *= 1 - lr decay before
//   A moment below 1e-36 becomes 0. Where the gradient is always 0, as at a pixel that is always black, it would decay
//   into subnormal numbers, with which CPUs compute about a hundred times slower.
// Each invocation updates ELEMENTS times four elements.
//
//   multiplier  what the KL is weighed by, so that it stays at or under limit: the column of the metrics is the step's mean KL,
//               m = clamp(m exp(RATE clamp(KL / limit - 1, -1, 1)), MIN, MAX)

override WG: u32 = 64u;
override ELEMENTS: u32 = 1u;
override DECOUPLED: u32 = 0u;
override NESTEROV: u32 = 0u;

struct Params {
    quads: u32,  // L / 4
    decay: f32,
    momentum: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    limit: f32,   // nats, for multiplier
    scalar: u32,  // the first of three scalars of the step: learning rate, correction1, correction2
    column: u32,  // of the KL in the metrics, for multiplier
    width: u32,   // metrics of a step
}

@group(0) @binding(0) var<storage, read_write> weights: array<Quad>;
@group(0) @binding(1) var<storage, read> gradients: array<Quad>;
@group(0) @binding(2) var<storage, read_write> first: array<Quad>;
@group(0) @binding(3) var<storage, read_write> second: array<Quad>;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<storage, read_write> multiplier_value: array<f32>;
@group(0) @binding(8) var<storage, read> metrics: array<f32>;

const SMALLEST_MOMENT: f32 = 1e-36;
const MULTIPLIER_RATE: f32 = 0.05;
const MIN_MULTIPLIER: f32 = 1e-3;
const MAX_MULTIPLIER: f32 = 1e6;

fn scalar(number: u32) -> f32 {
    let place = params.scalar + number;
    return step.values[place / 4u][place % 4u];
}

fn flushed(moment: vec4<f32>) -> vec4<f32> {
    return select(moment, vec4<f32>(0.0), abs(moment) < vec4<f32>(SMALLEST_MOMENT));
}

@compute @workgroup_size(WG)
fn sgd(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) lane: u32) {
    let start = (group.y * groups.x + group.x) * (WG * ELEMENTS) + lane;
    let end = min(start + WG * ELEMENTS, params.quads);
    let scale = clip[0];
    let lr = scalar(0u);
    let decay = params.decay;
    let momentum = params.momentum;
    for (var i = start; i < end; i += WG) {
        let w = floats(weights[i]);
        let g = floats(gradients[i]) * scale + decay * w;
        let velocity = flushed(momentum * floats(first[i]) + g);
        first[i] = quad(velocity);
        let direction = select(velocity, g + momentum * velocity, NESTEROV == 1u);
        weights[i] = quad(w - lr * direction);
    }
}

@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let start = (group.y * groups.x + group.x) * (WG * ELEMENTS) + lane;
    let end = min(start + WG * ELEMENTS, params.quads);
    let scale = clip[0];
    let lr = scalar(0u);
    let rate = lr * scalar(1u);
    let correction2 = scalar(2u);
    let decay = params.decay;
    let beta1 = params.beta1;
    let beta2 = params.beta2;
    let epsilon = params.epsilon;
    for (var i = start; i < end; i += WG) {
        var w = floats(weights[i]);
        var g = floats(gradients[i]) * scale;
        if DECOUPLED == 1u {
            w *= 1.0 - lr * decay;
        } else {
            g += decay * w;
        }
        let m = flushed(beta1 * floats(first[i]) + (1.0 - beta1) * g);
        let v = flushed(beta2 * floats(second[i]) + (1.0 - beta2) * g * g);
        first[i] = quad(m);
        second[i] = quad(v);
        weights[i] = quad(w - rate * m / (sqrt(v) * correction2 + epsilon));
    }
}

@compute @workgroup_size(WG)
fn multiplier(@builtin(local_invocation_index) lane: u32) {
    if lane == 0u {
        let excess = clamp(metrics[step.slot * params.width + params.column] / params.limit - 1.0, -1.0, 1.0);
        let grown = multiplier_value[0] * exp(MULTIPLIER_RATE * excess);
        multiplier_value[0] = clamp(grown, MIN_MULTIPLIER, MAX_MULTIPLIER);
    }
}
