// Sums in a fixed order: strided partial sums, then a tree over the workgroup. No atomics, so the same adapter
// gives the same bits each time.
//
//   sum       total[0] = sum of values
//   columns   totals[j] = sum over rows of matrix[i, j]
//   squares   partials[p] = sum of squares of the p-th stripe of values
//   clip      norm = sqrt(sum of partials); scale[0] = min(1, max_norm / (norm + 1e-6)); metrics[slot, column] = norm

struct Params {
    rows: u32,      // values, rows of the matrix, or partials
    cols: u32,      // columns of the matrix
    max_norm: f32,  // for clip
    width: u32,     // metrics of a step
    column: u32,    // of the norm
}

@group(0) @binding(2) var<storage, read_write> metrics: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> total: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;
@group(0) @binding(6) var<uniform> step: Step;

@compute @workgroup_size(WG)
fn sum(@builtin(local_invocation_index) lane: u32) {
    var sums = vec2<f32>(0.0);
    for (var r = lane; r < params.rows; r += WG) { sums.x += values[r]; }
    let result = sum_over_workgroup(lane, sums).x;
    if lane == 0u { total[0] = result; }
}

// One invocation per column.
@compute @workgroup_size(WG)
fn columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) lane: u32) {
    let j = (group.y * groups.x + group.x) * WG + lane;
    if j >= params.cols { return; }
    var column = 0.0;
    // group.z is 0, but not a uniform: lavapipe compiles a loop bounded by uniforms alone anew at dispatches
    // (gemm.wgsl.jinja).
    let rows = params.rows + group.z;
    for (var r = 0u; r < rows; r++) { column += values[r * params.cols + j]; }
    total[j] = column;
}

// One workgroup per stripe.
@compute @workgroup_size(WG)
fn squares(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) lane: u32) {
    var sums = vec2<f32>(0.0);
    let stripe = (params.rows + groups.x - 1u) / groups.x;
    let end = min((group.x + 1u) * stripe, params.rows);
    for (var i = group.x * stripe + lane; i < end; i += WG) { sums.x += values[i] * values[i]; }
    let result = sum_over_workgroup(lane, sums).x;
    if lane == 0u { total[group.x] = result; }
}

@compute @workgroup_size(WG)
fn clip(@builtin(local_invocation_index) lane: u32) {
    var sums = vec2<f32>(0.0);
    for (var r = lane; r < params.rows; r += WG) { sums.x += values[r]; }
    let norm = sqrt(sum_over_workgroup(lane, sums).x);
    if lane == 0u {
        // PyTorch's clip_grad_norm_ adds the same 1e-6.
        total[0] = min(1.0, params.max_norm / (norm + 1e-6));
        metrics[step.slot * params.width + params.column] = norm;
    }
}
