// Rows of a table (V, E) that tokens choose. Tokens are whole numbers in floats, ids (B, T); a number below 0 is no token. Position
// b T + t has the token ids[b, t - shift], and none where t < shift.
//
//   embed       y (B T, E) = table[token of the position], zeros where there is none
//   embed_back  d_table (V, E) = sum of d_y over the positions of each token, in their order: embed_back_columns.wgsl for software
//               adapters, embed_back_tokens.wgsl for GPUs
//
// embed has an invocation for ELEMENTS columns of a position.

override WG: u32 = 64u;
override ELEMENTS: u32 = 1u;

struct Params {
    count: u32,   // B T
    width: u32,   // E
    tokens: u32,  // V
    length: u32,  // T
    shift: u32,
}

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> d_y: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_table: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

const NONE: u32 = 0xFFFFFFFFu;

// The row of the table for a number. The host refuses numbers from V on; this keeps the read inside of the table.
fn row_of(id: f32) -> u32 {
    return select(NONE, min(u32(max(id, 0.0)), params.tokens - 1u), id >= 0.0);
}

@compute @workgroup_size(WG)
fn embed(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) lane: u32) {
    let number = (group.y * groups.x + group.x) * WG + lane;
    let parts = (params.width + ELEMENTS - 1u) / ELEMENTS;
    let i = number / parts;
    if i >= params.count { return; }
    var row = NONE;
    if i % params.length >= params.shift { row = row_of(ids[i - params.shift]); }
    let chosen = select(row, 0u, row == NONE) * params.width;
    let part = number % parts * ELEMENTS;
    for (var e = part; e < min(part + ELEMENTS, params.width); e++) {
        y[i * params.width + e] = select(table[chosen + e], 0.0, row == NONE);
    }
}
