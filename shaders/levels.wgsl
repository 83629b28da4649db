// Four grey levels from the bytes of a word. Multiplied by 1/255 instead of divided: division is not exactly rounded,
// so adapters may differ.
fn levels(word: u32) -> vec4<f32> {
    let bytes = vec4<u32>(word & 255u, (word >> 8u) & 255u, (word >> 16u) & 255u, word >> 24u);
    return vec4<f32>(bytes) * (1.0 / 255.0);
}
