// The gradient of embed.wgsl's table for software adapters, where a barrier costs more than a read: an invocation has a column of the
// table, and adds the column of each position in turn.

@compute @workgroup_size(WG)
fn embed_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) lane: u32) {
    let e = (group.y * groups.x + group.x) * WG + lane;
    if e >= params.width { return; }
    // group.z is 0, but not a uniform: lavapipe compiles a loop bounded by uniforms alone anew at dispatches.
    let end = params.tokens * params.width + group.z;
    for (var at = e; at < end; at += params.width) { d_table[at] = 0.0; }
    let count = params.count + group.z;
    var t = 0u;
    for (var i = 0u; i < count; i++) {
        if t >= params.shift {
            let row = row_of(ids[i - params.shift]);
            if row != NONE { d_table[row * params.width + e] += d_y[i * params.width + e]; }
        }
        // The remainder of i by T takes a software adapter longer than a comparison.
        t = select(t + 1u, 0u, t + 1u == params.length);
    }
}
