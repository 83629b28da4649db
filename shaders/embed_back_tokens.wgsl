// The gradient of embed.wgsl's table for GPUs: a workgroup has a token and WG columns. Each lane compares 32 neighbouring positions and
// keeps them as the bits of a word, so that 32 WG positions without the token cost two barriers.

var<workgroup> found: array<u32, WG>;

fn has(i: u32, row: u32) -> bool {
    if i >= params.count || i < params.shift || row_of(ids[i - params.shift]) != row { return false; }
    return i % params.length >= params.shift;
}

@compute @workgroup_size(WG)
fn embed_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) lane: u32) {
    let number = group.y * groups.x + group.x;
    let chunks = (params.width + WG - 1u) / WG;
    let row = number / chunks;
    if row >= params.tokens { return; }
    let e = number % chunks * WG + lane;
    var sum = 0.0;
    // group.z is 0, but not a uniform: lavapipe compiles a loop bounded by uniforms alone anew at dispatches.
    for (var first = 0u; first < params.count + group.z; first += 32u * WG) {
        var word = 0u;
        for (var bit = 0u; bit < 32u; bit++) {
            word |= select(0u, 1u << bit, has(first + 32u * lane + bit, row));
        }
        found[lane] = word;
        workgroupBarrier();
        for (var other = 0u; other < WG; other++) {
            for (var left = found[other]; left != 0u; left &= left - 1u) {
                let i = first + 32u * other + firstTrailingBit(left);
                if e < params.width { sum += d_y[i * params.width + e]; }
            }
        }
        workgroupBarrier();
    }
    if e < params.width { d_table[row * params.width + e] = sum; }
}
