// Four neighbouring floats as one vec4<f32>. quads_in_pairs.wgsl is the alternative for adapters that load and store
// two 64-bit words faster than four floats.

alias Quad = vec4<f32>;

fn floats(quad: Quad) -> vec4<f32> {
    return quad;
}

fn quad(floats: vec4<f32>) -> Quad {
    return floats;
}
