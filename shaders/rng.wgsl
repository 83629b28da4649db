// Counter-based random numbers: draw i of a stream is threefry2x32(key, (i, 0)), so there is no state, any
// draw can be computed alone, and the CPU oracle draws the same bits. The key of a stream and step is made on the
// host (src/kernels/rng.rs).
//
// Threefry-2x32 with 20 rounds: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

fn threefry_rounds(x: vec2<u32>, rotations: vec4<u32>) -> vec2<u32> {
    var v = x;
    v.x += v.y; v.y = ((v.y << rotations.x) | (v.y >> (32u - rotations.x))) ^ v.x;
    v.x += v.y; v.y = ((v.y << rotations.y) | (v.y >> (32u - rotations.y))) ^ v.x;
    v.x += v.y; v.y = ((v.y << rotations.z) | (v.y >> (32u - rotations.z))) ^ v.x;
    v.x += v.y; v.y = ((v.y << rotations.w) | (v.y >> (32u - rotations.w))) ^ v.x;
    return v;
}

fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let even = vec4<u32>(13u, 15u, 26u, 6u);
    let odd = vec4<u32>(17u, 29u, 16u, 24u);
    let parity = 0x1BD11BDAu ^ key.x ^ key.y;
    var v = counter + key;
    v = threefry_rounds(v, even) + vec2<u32>(key.y, parity + 1u);
    v = threefry_rounds(v, odd) + vec2<u32>(parity, key.x + 2u);
    v = threefry_rounds(v, even) + vec2<u32>(key.x, key.y + 3u);
    v = threefry_rounds(v, odd) + vec2<u32>(key.y, parity + 4u);
    v = threefry_rounds(v, even) + vec2<u32>(parity, key.x + 5u);
    return v;
}

// Uniform in [0, 1), a multiple of 2^-24.
fn unit(bits: u32) -> f32 {
    return f32(bits >> 8u) * 5.9604645e-8;
}

// ln(u) for u in (0, 1]. The built-in may be off by 2^-21 near 1, where the square root below would magnify it,
// and may differ between adapters; this is additions and multiplications only.
// u = m 2^e with m in [1/sqrt(2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
fn ln_unit(u: f32) -> f32 {
    let shifted = bitcast<u32>(u) - 0x3F3504F3u;
    let e = bitcast<i32>(shifted) >> 23u;
    let m = bitcast<f32>((shifted & 0x007FFFFFu) + 0x3F3504F3u);
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let series = 1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * 0.11111111)));
    return f32(e) * 0.69314718 + 2.0 * s * series;
}

// cos(2 pi u) for u in [0, 1); for the same reasons not the built-in, which may be off by 2^-11.
fn cos_turns(u: f32) -> f32 {
    let eighths = u * 8.0;
    let octant = u32(eighths);
    // Quadrant nearest to u, and the angle from its axis, in [-pi/4, pi/4].
    let quadrant = (octant + 1u) >> 1u;
    let a = (eighths - f32(quadrant * 2u)) * 0.78539816;
    let q = a * a;
    let cosine = 1.0 + q * (-0.5 + q * (0.041666667 + q * (-0.0013888889 + q * 2.4801587e-5)));
    let sine = a * (1.0 + q * (-0.16666667 + q * (0.0083333333 + q * (-1.9841270e-4 + q * 2.7557319e-6))));
    let value = select(cosine, sine, (quadrant & 1u) == 1u);
    // cos(q pi/2 + a): cos a, -sin a, -cos a, sin a.
    let flipped = ((quadrant + 1u) & 2u) == 2u;
    return select(value, -value, flipped);
}

// Standard normal draw `index` of number `draw` (Box-Muller); u in (0, 1] keeps the logarithm finite: |result| <= 5.77.
fn normal(key: vec2<u32>, index: u32, draw: u32) -> f32 {
    let bits = threefry2x32(key, vec2<u32>(index, draw));
    let u = f32((bits.x >> 8u) + 1u) * 5.9604645e-8;
    return sqrt(max(-2.0 * ln_unit(u), 0.0)) * cos_turns(unit(bits.y));
}

// UNKNOWN, which is 1, in place of a token with a probability; numbers below 0 are no tokens and stay. The highest bit of the counter
// keeps these draws apart from those of `normal`.
fn drop_token(token: f32, probability: f32, key: vec2<u32>, index: u32, draw: u32) -> f32 {
    let bits = threefry2x32(key, vec2<u32>(index, draw | 0x80000000u));
    return select(token, 1.0, token >= 0.0 && unit(bits.x) < probability);
}

struct Draws {
    count: u32,
    key_low: u32,
    key_high: u32,
}

@group(0) @binding(14) var<storage, read_write> random_words: array<u32>;
@group(0) @binding(15) var<uniform> draws: Draws;

// The raw bits of draws 0, 1, ..., which the tests compare with published values.
@compute @workgroup_size(64)
fn bits(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 64u + lane;
    if i >= draws.count { return; }
    let words = threefry2x32(vec2<u32>(draws.key_low, draws.key_high), vec2<u32>(i, 0u));
    random_words[2u * i] = words.x;
    random_words[2u * i + 1u] = words.y;
}
