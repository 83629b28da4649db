// Gathers a batch from the resident data set: x[r, d] = data[row(r), d], binarised if asked. It may be of N rows from
// one on, and of their first D numbers.
//
//   data (N, W) to x (B, W): words of four grey levels each, W = ceil(D / 4), bytes past D set to 0; bytes stay
//   bytes, and the matrix products that read them convert them to levels
//   data (N, S) to x (B, D): floats
//   classes: numbers of classes, data (N, 1) words to x (B, D): 1 in the column of the row's class, 0 in the others
//   augmented: images of grey levels. Each is moved by up to `shift` pixels either way, the uncovered pixels black; if
//   FLIP, half of them are mirrored; noise is added to every level: the sum of eight random bytes, of which 1020 is the
//   mean and 209 the deviation, times noise / 65536. Integers only, so that every adapter makes the same bytes.
// One workgroup per row. Position p = step.offset + r counts rows within the epoch; a batch that reaches the end
// continues in the next epoch, so every row is used once per epoch and every batch is full.

override WG: u32 = 64u;
// 0: grey levels; 1: x = level >= 1/2; 2: x = 1 with probability level, drawn anew each step.
override BINARISE: u32 = 0u;
override FLIP: u32 = 0u;
// Whether params.noise is not 0: an override, because lavapipe may compile a branch on a uniform anew at every dispatch
// (see gemm.wgsl.jinja).
override NOISE: u32 = 0u;

struct Params {
    count: u32,      // N
    width: u32,      // D
    words: u32,      // W
    half_bits: u32,  // the permutation works on 2 * half_bits bits, the smallest that hold N
    height: u32,     // of an image, for augmented
    image_width: u32,  // pixels of its row
    channels: u32,
    shift: u32,
    noise: u32,
    batch: u32,      // B
    samples: u32,    // neighbouring rows of the batch that are one row of the data set, with the same draws
    first: u32,      // the first of the N rows
    stride: u32,     // S, floats from one row to the next
}

@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<storage, read> floats: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> x_bytes: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;
@group(0) @binding(5) var<uniform> step: Step;

fn scramble(value: u32) -> u32 {
    var h = value;
    h = (h ^ (h >> 16u)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13u)) * 0xC2B2AE35u;
    return h ^ (h >> 16u);
}

// A keyed permutation of 0..count. A Feistel network permutes 2 * half_bits bits for any function `scramble`; applying
// it again until the value is below count restricts it to a permutation of 0..count. Fewer than 4 rounds on average.
fn permute(position: u32, key: vec2<u32>) -> u32 {
    let mask = (1u << params.half_bits) - 1u;
    var value = position;
    loop {
        var left = value >> params.half_bits;
        var right = value & mask;
        for (var round = 0u; round < 6u; round++) {
            let salt = select(key.x, key.y, (round & 1u) == 1u) + round * 0x9E3779B9u;
            let next = left ^ (scramble(right ^ salt) & mask);
            left = right;
            right = next;
        }
        value = (left << params.half_bits) | right;
        if value < params.count { break; }
    }
    return value;
}

fn row_of(r: u32) -> u32 {
    var position = step.offset + r;
    var key = step.shuffle_key;
    if position >= params.count {
        position = (position - params.count) % params.count;
        key = step.next_shuffle_key;
    }
    if step.shuffle == 0u { return params.first + position; }
    return params.first + permute(position, key);
}

fn binarise(level: f32, index: u32) -> f32 {
    switch BINARISE {
        case 1u: { return select(0.0, 1.0, level >= 0.5); }
        case 2u: { return select(0.0, 1.0, unit(threefry2x32(step.binarise_key, vec2<u32>(index, 0u)).x) < level); }
        default: { return level; }
    }
}

@compute @workgroup_size(WG)
fn gather_levels(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= params.batch { return; }
    let number = row / params.samples;
    let source = row_of(number) * params.words;
    let target_row = row * params.words;
    for (var w = lane; w < params.words; w += WG) {
        let word = bytes[source + w];
        // Bytes of the row in this word: 4, or fewer in the last.
        let inside = min(params.width - w * 4u, 4u);
        var result = word & (0xFFFFFFFFu >> (32u - 8u * inside));
        if BINARISE != 0u {
            result = 0u;
            for (var b = 0u; b < inside; b++) {
                let level = f32((word >> (8u * b)) & 255u) / 255.0;
                let index = number * params.width + w * 4u + b;
                if binarise(level, index) == 1.0 { result |= 255u << (8u * b); }
            }
        }
        x_bytes[target_row + w] = result;
    }
}

@compute @workgroup_size(WG)
fn gather_floats(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= params.batch { return; }
    let number = row / params.samples;
    let source = row_of(number) * params.stride;
    for (var d = lane; d < params.width; d += WG) {
        x[row * params.width + d] = binarise(floats[source + d], number * params.width + d);
    }
}

@compute @workgroup_size(WG)
fn gather_classes(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= params.batch { return; }
    let class_of_row = bytes[row_of(row)];
    for (var d = lane; d < params.width; d += WG) {
        x[row * params.width + d] = select(0.0, 1.0, d == class_of_row);
    }
}

// Level i of the moved and mirrored image that starts at word `bytes`.
fn moved(start: u32, i: u32, down: i32, right: i32, mirrored: bool) -> u32 {
    let pixel = i / params.channels;
    let y = i32(pixel / params.image_width) - down;
    let x = i32(pixel % params.image_width) - right;
    if y < 0 || x < 0 || y >= i32(params.height) || x >= i32(params.image_width) { return 0u; }
    let column = select(u32(x), params.image_width - 1u - u32(x), mirrored);
    let at = (u32(y) * params.image_width + column) * params.channels + i % params.channels;
    return (bytes[start + at / 4u] >> (8u * (at % 4u))) & 255u;
}

fn noisy(level: u32, index: u32) -> u32 {
    let bits = threefry2x32(step.binarise_key, vec2<u32>(index, 2u));
    let pairs = (bits & vec2<u32>(0x00FF00FFu)) + ((bits >> vec2<u32>(8u)) & vec2<u32>(0x00FF00FFu));
    let both = pairs.x + pairs.y;
    let sum = (both & 0xFFFFu) + (both >> 16u);
    let change = ((i32(sum) - 1020) * i32(params.noise) + 32768) >> 16u;
    return u32(clamp(i32(level) + change, 0, 255));
}

@compute @workgroup_size(WG)
fn augmented(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    if row >= params.batch { return; }
    let number = row / params.samples;
    let source = row_of(number) * params.words;
    let draw = threefry2x32(step.binarise_key, vec2<u32>(number, 1u));
    let places = 2u * params.shift + 1u;
    let down = i32((draw.x & 0xFFFFu) % places) - i32(params.shift);
    let right = i32((draw.x >> 16u) % places) - i32(params.shift);
    let mirrored = FLIP == 1u && (draw.y & 1u) == 1u;
    for (var w = lane; w < params.words; w += WG) {
        let inside = min(params.width - w * 4u, 4u);
        var result = 0u;
        for (var b = 0u; b < inside; b++) {
            let i = w * 4u + b;
            let index = number * params.width + i;
            var level = moved(source, i, down, right, mirrored);
            if NOISE == 1u { level = noisy(level, index); }
            if BINARISE != 0u { level = u32(255.0 * binarise(f32(level) / 255.0, index)); }
            result |= level << (8u * b);
        }
        x_bytes[row * params.words + w] = result;
    }
}
