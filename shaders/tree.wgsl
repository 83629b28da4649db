// Sums over a workgroup, two at once, in a fixed order: a tree over shared memory. WG is a power of two.

override WG: u32 = 64u;

var<workgroup> lane_sums: array<vec2<f32>, WG>;

fn sum_over_workgroup(lane: u32, value: vec2<f32>) -> vec2<f32> {
    lane_sums[lane] = value;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half { lane_sums[lane] += lane_sums[lane + half]; }
        workgroupBarrier();
    }
    return lane_sums[0];
}
