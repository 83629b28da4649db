// Peak rates of the adapter: benchmarks and profiles compare every other kernel with these two.
//
//   multiply_add  8 independent sums of ROUNDS multiply-adds (more would not fit a CPU's 16 registers), nothing
//                 read: floating-point roof
//   copy          result = source, ELEMENTS times four floats an invocation: memory roof

override WG: u32 = 64u;
override ELEMENTS: u32 = 1u;

const ROUNDS: u32 = 1024u;

struct Params {
    quads: u32,
    scale: f32,
    shift: f32,
}

@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn multiply_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * groups.x + group.x) * (WG * ELEMENTS) + lane;
    let end = min(first + WG * ELEMENTS, params.quads);
    let scale = vec4<f32>(params.scale);
    let shift = vec4<f32>(params.shift);
    let start = vec4<f32>(0.0, 0.25, 0.5, 0.75);
    for (var i = first; i < end; i += WG) {
        var a = start;
        var b = start + 1.0;
        for (var round = 0u; round < ROUNDS / 8u; round++) {
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
            a = a * scale + shift; b = b * scale + shift;
        }
        result[i] = a + b;
    }
}

@compute @workgroup_size(WG)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let start = (group.y * groups.x + group.x) * (WG * ELEMENTS) + lane;
    let end = min(start + WG * ELEMENTS, params.quads);
    for (var i = start; i < end; i += WG) { result[i] = source[i]; }
}
