//! Planted faults: for each kernel family, faults in its shader must turn its cases red. A test that could not fail
//! would be found here.

mod common;

use wgvae::check;
use wgvae::gpu::{GpuOptions, Patch};
use wgvae::kernels::{Choices, Target, cases};
use wgvae::plan::Family;

/// `family, cases by the start of their name, what is there, what is planted, for these targets`.
type Fault = (Family, &'static str, &'static str, &'static str, &'static [Target]);

const BOTH: &[Target] = &[Target::Lanes, Target::Tiles];
const LANES: &[Target] = &[Target::Lanes];
const TILES: &[Target] = &[Target::Tiles];
const SPREAD: &[Target] = &[Target::Spread];

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    // batch: a scale, a byte's place, a bound, the epoch's end, the next epoch's key, the draw.
    (Family::Batch, "batch/bytes", "/ 255.0", "/ 200.0", BOTH),
    (Family::Batch, "batch/bytes", "8u * b", "8u * (3u - b)", BOTH),
    (Family::Batch, "batch/bytes", "params.width - w * 4u, 4u", "params.width - w * 4u, 3u", BOTH),
    (Family::Batch, "batch/bytes", "result |= 255u", "result |= 254u", BOTH),
    (Family::Batch, "batch/floats", "d < params.width; d", "d + 1u < params.width; d", BOTH),
    (Family::Batch, "batch/", "position >= params.count", "position > params.count", BOTH),
    (Family::Batch, "batch/", "key = step.next_shuffle_key;", "key = step.shuffle_key;", BOTH),
    (Family::Batch, "batch/", "round < 6u", "round < 5u", BOTH),
    (Family::Batch, "batch/", "level >= 0.5", "level > 0.6", BOTH),
    (Family::Batch, "batch/", "step.binarise_key, vec2", "step.shuffle_key, vec2", BOTH),
    // augmented: each way it may move, the mirror, the bytes of the noise.
    (Family::Batch, "batch/augmented", "pixel / params.across) - down", "pixel / params.across) + down", BOTH),
    (Family::Batch, "batch/augmented", "pixel % params.across) - right", "pixel % params.across) + right", BOTH),
    (Family::Batch, "batch/augmented", "params.across - 1u - u32(x), mirrored", "params.across - 1u - u32(x), !mirrored", BOTH),
    (Family::Batch, "batch/augmented", "x >= i32(params.across)", "x > i32(params.across)", BOTH),
    (Family::Batch, "batch/augmented", "y >= i32(params.height)", "y > i32(params.height)", BOTH),
    (Family::Batch, "batch/augmented", "(both >> 16u)", "(both >> 15u)", BOTH),
    (Family::Batch, "batch/augmented", "+ 32768) >> 16u", ") >> 16u", BOTH),
    // dense: epilogue signs, edges, the tail of k, accumulation, the bias's sum.
    (Family::Dense, "dense/forward", "value += bias", "value -= bias", TILES),
    (Family::Dense, "dense/forward", "bias[min(col + 1u, p.n - 1u)]", "bias[min(col + 0u, p.n - 1u)]", LANES),
    (Family::Dense, "dense/forward 9x12x17 relu", "{ return max(u, 0.0); }", "{ return max(u, 0.1); }", BOTH),
    (Family::Dense, "dense/d_input 9x12x17 elu", "select(y + 1.0, 1.0", "select(y - 1.0, 1.0", BOTH),
    (Family::Dense, "dense/d_input 9x12x17 leaky", "select(LEAKY_SLOPE, 1.0, y > 0.0)", "select(LEAKY_SLOPE, 1.0, y >= 0.0)", BOTH),
    (Family::Dense, "dense/d_weight", "row < p.kept_rows", "row <= p.kept_rows", BOTH),
    (Family::Dense, "dense/d_weight", "var k = 0u; k < depth; k++", "var k = 1u; k < depth; k++", LANES),
    (Family::Dense, "dense/forward", "row >= p.m", "row + 1u >= p.m", BOTH),
    (Family::Dense, "dense/d_weight", "row >= p.m", "row > p.m", BOTH),
    (Family::Dense, "dense/d_input 6x10x14", "col + 1u < p.n", "col + 2u < p.n", BOTH),
    (Family::Dense, "dense/forward", "var k = fours * 4u; k < depth", "var k = fours * 4u; k + 1u < depth", LANES),
    (Family::Dense, "dense/", "step4 < fours", "step4 + 1u < fours", LANES),
    (Family::Dense, "dense/", "k0 + kk < until", "k0 + kk + 1u < until", TILES),
    (Family::Dense, "dense/", "kk < 16u; kk++", "kk < 15u; kk++", TILES),
    (Family::Dense, "dense/d_weight", "sum += a_tile", "sum -= a_tile", TILES),
    (Family::Dense, "dense/", "k0 += 16u", "k0 += 17u", TILES),
    (Family::Dense, "dense/", "subgroupBroadcast(mine0, 1u)", "subgroupBroadcast(mine0, 0u)", SPREAD),
    (Family::Dense, "dense/", "row + 8u + lane", "row + 9u + lane", SPREAD),
    (Family::Dense, "dense/d_weight", "row + 0u + lane * 4u", "row + 4u + lane * 4u", SPREAD),
    (Family::Dense, "dense/d_weight", "sum0 += mine0_0", "sum0 += mine1_0", SPREAD),
    (Family::Dense, "dense/", "step4 < fours", "step4 + 1u < fours", SPREAD),
    (Family::Dense, "dense/forward 7x13x11", "col + 3u < p.n", "col + 2u < p.n", SPREAD),
    // grey levels from words
    (Family::Dense, "dense/bytes", "(word >> 8u) & 255u", "(word >> 16u) & 255u", BOTH),
    (Family::Dense, "dense/bytes", "1.0 / 255.0", "1.0 / 256.0", BOTH),
    (Family::Dense, "dense/bytes 3x5x7", "[col % 4u];", "[(col + 1u) % 4u];", LANES),
    // the latent variable, as it rides along
    (Family::Dense, "dense/sample ", "z[i] = mu + ", "z[i] = mu - ", BOTH),
    (Family::Dense, "dense/sample ", "- 1.0 - l)", "- 1.0 + l)", BOTH),
    (Family::Dense, "dense/sample ", "c[at + latent] = logvar", "c[at + latent] = mu", BOTH),
    (Family::Dense, "dense/sample ", "if col + 2u < p.n { kl +=", "if col + 4u < p.n { kl +=", BOTH),
    (Family::Dense, "dense/sample ", "let draw = normal(step.noise_key, i);", "let draw = normal(step.noise_key, i + 1u);", BOTH),
    (Family::Dense, "dense/sample ", "p.parts_from + col / 4u", "p.parts_from + col / 4u + 1u", BOTH),
    (Family::Dense, "dense/backward", "d_z + weight * heads", "d_z - weight * heads", BOTH),
    (Family::Dense, "dense/backward", "d_z * noise * sigma", "d_z * noise / sigma", BOTH),
    (Family::Dense, "dense/backward", "logvar <= LOGVAR_MAX", "logvar < LOGVAR_MAX", BOTH),
    (Family::Dense, "dense/backward", "select(0.0, 0.5 * (d_z", "select(0.5, 0.5 * (d_z", BOTH),
    (Family::Latent, "latent/prior", "i >= params.count", "i + 1u >= params.count", BOTH),
    (Family::Latent, "latent/prior", "i >= params.count", "i > params.count", BOTH),
    (Family::Latent, "latent/prior", "parity + 4u", "parity + 3u", BOTH),
    (Family::Latent, "latent/prior", "((quadrant + 1u) & 2u) == 2u", "(quadrant & 2u) == 2u", BOTH),
    (Family::Latent, "latent/prior", "-1.9841270e-4", "1.9841270e-4", BOTH),
    // likelihood, as it rides along, and what is left of it
    (Family::Dense, "dense/bernoulli ", "- logit * x", "+ logit * x", BOTH),
    (Family::Dense, "dense/gaussian ", "0.5 * inv_var * error", "inv_var * error", BOTH),
    (Family::Dense, "dense/bernoulli ", "0.14285714 + q * (0.11111111", "0.14285714 - q * (0.11111111", BOTH),
    (Family::Dense, "dense/bernoulli 3x2x5", "if col + 0u < p.n {", "if col + 1u < p.n {", BOTH),
    (Family::Dense, "dense/bernoulli", "let scale = 1.0 / f32(p.m)", "let scale = 1.0", BOTH),
    (Family::Dense, "dense/squares", "let inv_var = exp(-2.0 * log_sigma[0])", "let inv_var = exp(2.0 * log_sigma[0])", BOTH),
    (Family::Dense, "dense/squares", "return vec2<f32>(error * error", "return vec2<f32>(error", BOTH),
    (Family::Likelihood, "likelihood/rows ", "p < params.kl_parts", "p + 1u < params.kl_parts", BOTH),
    (Family::Likelihood, "likelihood/rows ", "p < params.parts;", "p + 1u < params.parts;", BOTH),
    (Family::Likelihood, "likelihood/rows ", "p = params.kl_parts + lane", "p = lane", BOTH),
    (Family::Likelihood, "likelihood/rows ", "half > 0u; half /= 2u", "half > 1u; half /= 2u", BOTH),
    (Family::Likelihood, "likelihood/rows_learned", "width - inv_var * sums.x", "width + inv_var * sums.x", BOTH),
    (Family::Likelihood, "likelihood/bernoulli_mean", "i >= params.batch * params.width", "i + 1u >= params.batch * params.width", BOTH),
    (Family::Likelihood, "likelihood/bernoulli_mean", "i >= params.batch * params.width", "i > params.batch * params.width", BOTH),
    (Family::Batch, "batch/floats", "d < params.width; d", "d <= params.width; d", BOTH),
    // optimizer
    (Family::Optimizer, "optimizer/", "w - lr * direction", "w + lr * direction", BOTH),
    (Family::Optimizer, "optimizer/adam", "+ epsilon", "", BOTH),
    (Family::Optimizer, "optimizer/momentum decayed", "abs(moment) < vec4<f32>(LEAST)", "abs(moment) < vec4<f32>(0.0)", BOTH),
    (Family::Optimizer, "optimizer/adam decayed", "let v = settled(", "let v = (", BOTH),
    (Family::Optimizer, "optimizer/adamw", "w *= 1.0 - lr * decay", "w *= 1.0 + lr * decay", BOTH),
    (Family::Optimizer, "optimizer/nesterov", "g + momentum * velocity, NESTEROV", "g - momentum * velocity, NESTEROV", BOTH),
    (Family::Optimizer, "optimizer/", "start + WG * EACH, params.quads", "start + WG * EACH, params.quads - 1u", BOTH),
    // floats in pairs
    (Family::Optimizer, "optimizer/", "u32(quad.y >> 32u)", "u32(quad.x >> 32u)", SPREAD),
    (Family::Optimizer, "optimizer/", "u64(bits.z) | (u64(bits.w)", "u64(bits.w) | (u64(bits.w)", SPREAD),
    (Family::Dense, "dense/", "u32(quad.x), u32(quad.x >> 32u)", "u32(quad.x >> 32u), u32(quad.x)", SPREAD),
    // reduce
    (Family::Reduce, "reduce/report", "means.x + step.beta", "means.x - step.beta", BOTH),
    (Family::Reduce, "reduce/report", "r < step.rows", "r + 1u < step.rows", BOTH),
    (Family::Reduce, "reduce/sum", "r < params.rows", "r + 1u < params.rows", BOTH),
    (Family::Reduce, "reduce/columns", "var r = 0u; r < rows", "var r = 1u; r < rows", BOTH),
    (Family::Reduce, "reduce/squares", "(group.x + 1u) * stripe", "(group.x + 1u) * stripe - 1u", BOTH),
    (Family::Reduce, "reduce/clip", "min(1.0, params.max_norm", "max(1.0, params.max_norm", BOTH),
    (Family::Reduce, "reduce/clip", "step.slot * 4u + 3u", "step.slot * 4u + 2u", BOTH),
    // rng
    (Family::Rng, "rng/", "parity, key.x + 5u", "parity, key.x + 4u", BOTH),
    (Family::Rng, "rng/", "i >= draws.count", "i > draws.count", BOTH),
    // roof
    (Family::Roof, "roof/copy", "result[i] = source[i]", "result[i] = source[i / 2u]", BOTH),
    (Family::Roof, "roof/", "+ WG * EACH, params.quads", "+ WG * EACH, params.quads - 1u", BOTH),
    (Family::Roof, "roof/multiply_add", "start + 1.0", "start - 1.0", BOTH),
];

#[test]
fn every_planted_fault_is_found() {
    let Some(gpu) = common::gpu() else { return };
    let all = cases();
    for family in Family::ALL {
        assert!(FAULTS.iter().any(|f| f.0 == family), "no fault for {family:?}");
    }
    let mut unnoticed = Vec::new();
    for (family, prefix, find, replace, targets) in FAULTS {
        for target in targets.iter().filter(|t| **t != Target::Spread || gpu.target == Target::Spread) {
            let options = |patch| GpuOptions { checked: true, target: Some(*target), patch, ..GpuOptions::default() };
            let patch = Patch { family: *family, find: find.to_string(), replace: replace.to_string() };
            // Large cases add nothing but time here.
            let chosen: Vec<_> = all.iter().filter(|c| c.name.starts_with(prefix) && !c.timed).collect();
            assert!(!chosen.is_empty(), "no case starts with {prefix}");
            let mut applied = false;
            let mut found = false;
            for case in chosen {
                let sources = |op| wgvae::kernels::sources(op, *target, &Choices::default());
                let has = |op| sources(op).iter().any(|source| source.text.contains(find));
                let fits = case.program.plans[0].ops.iter().any(has);
                if !fits {
                    continue;
                }
                applied = true;
                if check::check_case(&gpu, case, &options(Some(patch.clone()))).is_err() {
                    let healthy = check::check_case(&gpu, case, &options(None));
                    assert!(healthy.is_ok(), "{} fails without a fault", case.name);
                    found = true;
                    break;
                }
            }
            assert!(applied, "`{find}` is nowhere in {family:?} for {target:?}");
            if !found {
                unnoticed.push(format!("{target:?}: `{find}` -> `{replace}` in {family:?}"));
            }
        }
    }
    assert!(unnoticed.is_empty(), "went unnoticed:\n{}", unnoticed.join("\n"));
}
