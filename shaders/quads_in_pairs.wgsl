// Four neighbouring floats as two 64-bit words. lavapipe loads and stores lane by lane and component by component: with
// half the components, Adam over 652,032 weights takes 1.75 ms in place of 2.0, and products up to a tenth less. Mesa 25 loads
// neighbouring quads as vectors, so there Adam takes quads.wgsl (0.8 ms in place of 1.7); products are as fast with pairs.

alias Quad = vec2<u64>;

fn floats(quad: Quad) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(u32(quad.x), u32(quad.x >> 32u), u32(quad.y), u32(quad.y >> 32u)));
}

fn quad(floats: vec4<f32>) -> Quad {
    let bits = bitcast<vec4<u32>>(floats);
    return vec2<u64>(u64(bits.x) | (u64(bits.y) << 32u), u64(bits.z) | (u64(bits.w) << 32u));
}
