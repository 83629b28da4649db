// Four neighbouring floats as an adapter loads and stores them best: here, as what they are. For the other way see
// quads_in_pairs.wgsl.

alias Quad = vec4<f32>;

fn floats(quad: Quad) -> vec4<f32> {
    return quad;
}

fn quad(floats: vec4<f32>) -> Quad {
    return floats;
}
