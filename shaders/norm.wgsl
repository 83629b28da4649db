// Group norm: of x (B P, C), P pixels of C channels an image, each image's channels in groups of EACH neighbours are brought to a
// mean of 0 and a variance of 1. One workgroup a group of an image.
//
//   normalise       y = (x - mean) / deviation, and scale (B G) = 1 / deviation, the deviation being sqrt(variance + 1e-5)
//   normalise_back  d_x = scale (d_y - mean(d_y) - y mean(d_y y))

override PIXELS: u32 = 1u;
override CHANNELS: u32 = 1u;
override EACH: u32 = 1u;  // channels of a group

const EPSILON: f32 = 1e-5;

struct Params {
    count: u32,  // B G
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<storage, read> d_y: array<f32>;
@group(0) @binding(4) var<storage, read> normalised: array<f32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_x: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

// Where element i of a group lies.
fn place(i: u32, number: u32) -> u32 {
    let groups = CHANNELS / EACH;
    let pixel = number / groups * PIXELS + i / EACH;
    return pixel * CHANNELS + number % groups * EACH + i % EACH;
}

@compute @workgroup_size(WG)
fn normalise(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) lane: u32) {
    let number = group.y * groups.x + group.x;
    if number >= params.count { return; }
    let count = PIXELS * EACH;
    var sums = vec2<f32>(0.0);
    for (var i = lane; i < count; i += WG) { sums.x += x[place(i, number)]; }
    let mean = sum_over_workgroup(lane, sums).x / f32(count);
    // From the mean, and not the mean of squares less the square of the mean, which cancel where the mean is large.
    sums = vec2<f32>(0.0);
    for (var i = lane; i < count; i += WG) {
        let from_mean = x[place(i, number)] - mean;
        sums.x += from_mean * from_mean;
    }
    workgroupBarrier();
    let variance = sum_over_workgroup(lane, sums).x / f32(count);
    let factor = 1.0 / sqrt(variance + EPSILON);
    for (var i = lane; i < count; i += WG) { y[place(i, number)] = (x[place(i, number)] - mean) * factor; }
    if lane == 0u { scale[number] = factor; }
}

@compute @workgroup_size(WG)
fn normalise_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) lane: u32) {
    let number = group.y * groups.x + group.x;
    if number >= params.count { return; }
    let count = PIXELS * EACH;
    var sums = vec2<f32>(0.0);
    for (var i = lane; i < count; i += WG) {
        let at = place(i, number);
        sums += vec2<f32>(d_y[at], d_y[at] * normalised[at]);
    }
    let means = sum_over_workgroup(lane, sums) / f32(count);
    for (var i = lane; i < count; i += WG) {
        let at = place(i, number);
        d_x[at] = scales[number] * (d_y[at] - means.x - normalised[at] * means.y);
    }
}
