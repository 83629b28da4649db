// The gradient of cross_entropy.wgsl's logits in narrow rows: an invocation has ELEMENTS neighbouring numbers, of one row or several.

override ELEMENTS: u32 = 1u;

@compute @workgroup_size(WG)
fn cross_entropy_back(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                      @builtin(local_invocation_index) lane: u32) {
    let first = ((group.y * groups.x + group.x) * WG + lane) * ELEMENTS;
    let end = min(first + ELEMENTS, params.rows * params.cols);
    var number = first / params.cols;
    var col = first % params.cols;
    if first >= end { return; }
    var row = row_of(number);
    for (var i = first; i < end; i++) {
        d_x[i] = slope(row, x[i], col);
        col++;
        if col == params.cols && i + 1u < end {
            col = 0u;
            number++;
            row = row_of(number);
        }
    }
}
