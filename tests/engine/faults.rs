//! Planted faults: for each kernel family, faults in its shader must make its cases fail. This proves that the cases
//! can fail.

use wgvae_engine::conformance;
use wgvae_engine::conformance::{Case, cases};
use wgvae_engine::exec::OpenDevice;
use wgvae_engine::exec::gpu::{Gpu, GpuOptions, Patch};
use wgvae_engine::plan::Family;
use wgvae_engine::wgsl::{GemmVariant, Target, TuningTable};

use crate::common;

/// `(family, prefix of the cases' names, original text, faulty text, targets)`.
type Fault = (Family, &'static str, &'static str, &'static str, &'static [Target]);

const BOTH: &[Target] = &[Target::Simd, Target::Gpu];
const LANES: &[Target] = &[Target::Simd];
const TILES: &[Target] = &[Target::Gpu];
const SPREAD: &[Target] = &[Target::Subgroup];

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    // attention: who sees whom, lengths, what was summed before, the sums, both slopes, the last columns, parts of columns
    (Family::Attention, "attention/3x10", "others <= vec4<u32>(time)", "others < vec4<u32>(time)", BOTH),
    (Family::Attention, "attention/3x10", "(others >= vec4<u32>(time))", "(others > vec4<u32>(time))", BOTH),
    (Family::Attention, "attention/6x21x2", "let seen = others < vec4<u32>(behind)", "let seen = others <= vec4<u32>(behind)", BOTH),
    (Family::Attention, "attention/6x21", "if time >= length {", "if time > length {", BOTH),
    (Family::Attention, "attention/6x21", "lengths[row]", "lengths[0]", BOTH),
    (Family::Attention, "attention/3x10", "let keep = exp(most - above);", "let keep = 1.0;", BOTH),
    (Family::Attention, "attention/3x10", " + shares.w;", ";", BOTH),
    (Family::Attention, "attention/3x10", "= most + log(total)", "= log(total)", BOTH),
    (Family::Attention, "attention/3x10", "other += 4u", "other += 5u", BOTH),
    (Family::Attention, "attention/3x10", "(slopes - vec4<f32>(product))", "slopes", BOTH),
    (Family::Attention, "attention/3x10", "(slopes - products4)", "slopes", BOTH),
    (Family::Attention, "attention/3x10", "= product;", "= product + 1.0;", BOTH),
    (Family::Attention, "attention/6x21x3x7", "2u <= last", "3u <= last", BOTH),
    (Family::Attention, "attention/6x21x3x7", "if last >= 2u {", "if last >= 3u {", BOTH),
    (Family::Attention, "attention/1x9", "part * 7u + 1u", "part * 7u", LANES),
    (Family::Attention, "attention/1x9", "part * 12u + 1u", "part * 12u", TILES),
    // batch: a scale, a byte's position, a bound, the end of the epoch, the next epoch's key, the draw
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
    (Family::Batch, "batch/classes", "d == class_of_row", "d == class_of_row + 1u", BOTH),
    (Family::Batch, "batch/classes", "bytes[row_of(row)]", "bytes[row]", BOTH),
    // augmented: the shift in each direction, the mirror, the bytes of the noise
    (Family::Batch, "batch/augmented", "pixel / params.image_width) - down", "pixel / params.image_width) + down", BOTH),
    (Family::Batch, "batch/augmented", "pixel % params.image_width) - right", "pixel % params.image_width) + right", BOTH),
    (Family::Batch, "batch/augmented", "params.image_width - 1u - u32(x), mirrored", "params.image_width - 1u - u32(x), !mirrored", BOTH),
    (Family::Batch, "batch/augmented", "x >= i32(params.image_width)", "x > i32(params.image_width)", BOTH),
    (Family::Batch, "batch/augmented", "y >= i32(params.height)", "y > i32(params.height)", BOTH),
    (Family::Batch, "batch/augmented", "(both >> 16u)", "(both >> 15u)", BOTH),
    (Family::Batch, "batch/augmented", "+ 32768) >> 16u", ") >> 16u", BOTH),
    // gemm: the bias, edges, the tail of k, the row sums
    (Family::Gemm, "gemm/forward", "let p0 = product + bias", "let p0 = product - bias", TILES),
    (Family::Gemm, "gemm/forward", "bias[min(col + 1u, p.n - 1u)]", "bias[min(col + 0u, p.n - 1u)]", LANES),
    (Family::Gemm, "gemm/forward 9x12x17 relu", "{ return max(u, 0.0); }", "{ return max(u, 0.1); }", BOTH),
    (Family::Gemm, "gemm/d_weight 7x13x11 added", "+ out0[", "- out0[", BOTH),
    (Family::Gemm, "gemm/d_weight", "var k = 0u; k < depth; k++", "var k = 1u; k < depth; k++", LANES),
    (Family::Gemm, "gemm/forward", "row >= p.m", "row + 1u >= p.m", BOTH),
    (Family::Gemm, "gemm/d_weight", "row >= p.m", "row > p.m", BOTH),
    (Family::Gemm, "gemm/d_input 6x10x14", "if j + 1u < cols", "if j + 2u < cols", BOTH),
    (Family::Gemm, "gemm/forward", "var k = fours * 4u; k < depth", "var k = fours * 4u; k + 1u < depth", LANES),
    (Family::Gemm, "gemm/", "step4 < fours", "step4 + 1u < fours", LANES),
    (Family::Gemm, "gemm/", "k0 + kk < until", "k0 + kk + 1u < until", TILES),
    (Family::Gemm, "gemm/", "kk < 16u; kk++", "kk < 15u; kk++", TILES),
    (Family::Gemm, "gemm/d_weight", "sum += a_tile", "sum -= a_tile", TILES),
    (Family::Gemm, "gemm/", "k0 += 16u", "k0 += 17u", TILES),
    (Family::Gemm, "gemm/", "subgroupBroadcast(mine0, 1u)", "subgroupBroadcast(mine0, 0u)", SPREAD),
    (Family::Gemm, "gemm/", "row + 8u + lane", "row + 9u + lane", SPREAD),
    (Family::Gemm, "gemm/d_weight", "sum0 += mine0_0", "sum0 += mine1_0", SPREAD),
    (Family::Gemm, "gemm/", "step4 < fours", "step4 + 1u < fours", SPREAD),
    (Family::Gemm, "gemm/forward 7x13x11", "if j + 3u < cols", "if j + 2u < cols", SPREAD),
    // grey levels from words
    (Family::Gemm, "gemm/levels", "(word >> 8u) & 255u", "(word >> 16u) & 255u", BOTH),
    (Family::Gemm, "gemm/levels", "1.0 / 255.0", "1.0 / 256.0", BOTH),
    (Family::Gemm, "gemm/levels 3x5x7", "[col % 4u];", "[(col + 1u) % 4u];", LANES),
    (Family::Gemm, "gemm/levels 3x5x7", "((p.n + 3u) / 4u) + col / 4u])", "(p.n / 4u) + col / 4u])", BOTH),
    // pairs of columns, sums over four columns, the spill
    (Family::Gemm, "gemm/latent ", "let p1 = product.yw", "let p1 = product.zw", BOTH),
    (Family::Gemm, "gemm/latent ", "(col & 1u) * (p.n / 2u)", "(col & 1u) * (p.n / 2u + 1u)", BOTH),
    (Family::Gemm, "gemm/latent 3x5x7", "select(0.0, r1.y, j + 1u < cols)", "r1.y", BOTH),
    (Family::Gemm, "gemm/bernoulli 3x2x5", "+ select(0.0, r0.y, j + 1u < cols)", "", BOTH),
    (Family::Gemm, "gemm/latent ", "let product = vec4<f32>(out0[", "let product = 1.1 * vec4<f32>(out0[", LANES),
    (Family::Gemm, "gemm/latent backward 3x5x7", "row * 14u + 7u + j", "row * 14u + 6u + j", BOTH),
    // cross_entropy: the greatest and the sum, in turn and in a tree, the token, none, a row behind a row
    (Family::CrossEntropy, "cross_entropy/", "let most = max(before.x, value)", "let most = before.x", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "before.y * other + 1.0", "before.y + 1.0", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "select(before.y + other", "select(before.y", BOTH),
    (Family::CrossEntropy, "cross_entropy/33x128", "+ b.y * share(b.x - most)", "", BOTH),
    (Family::CrossEntropy, "cross_entropy/33x128", "a.y * share(a.x - most)", "a.y", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "- x[row * params.cols + token_of(row)]", "- x[row * params.cols]", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "token_of(row)]) + log_of_rest", "token_of(row)])", BOTH),
    (Family::CrossEntropy, "cross_entropy/beyond", ", params.cols - 1u);", ", params.cols);", BOTH),
    (Family::CrossEntropy, "cross_entropy/without", "if !is_token(row) {", "if false {", BOTH),
    (Family::CrossEntropy, "cross_entropy/without", "return select(0.0, d, row.is_token)", "return d", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "ids[row] >= 0.0", "ids[row] > 0.0", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "- row.most - row.log_of_rest", "- row.most", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "select(0.0, 1.0, col == row.token)", "0.0", BOTH),
    (Family::CrossEntropy, "cross_entropy/130x11", "number++", "number += 2u", LANES),
    (Family::CrossEntropy, "cross_entropy/130x11", "if row >= params.rows { return; }", "if row + 1u >= params.rows { return; }", BOTH),
    (Family::CrossEntropy, "cross_entropy/", "Row(-0.3f, ", "Row(-0.2f, ", BOTH),
    (Family::CrossEntropy, "cross_entropy/33x128", "col += WG", "col += WG + 1u", BOTH),
    // embed: the token's place, where there is none, the sums of a table's columns, and of its tokens
    (Family::Embed, "embed/shifted", "row_of(ids[i - params.shift]); }\n    let chosen", "row_of(ids[i]); }\n    let chosen", BOTH),
    (Family::Embed, "embed/shifted", "if i % params.length >= params.shift { row", "if i >= params.shift { row", BOTH),
    (Family::Embed, "embed/", "id >= 0.0", "id > 0.0", BOTH),
    (Family::Embed, "embed/beyond", "params.tokens - 1u)", "params.tokens)", BOTH),
    (Family::Embed, "embed/without", "select(table[chosen + e], 0.0, row == NONE)", "table[chosen + e]", BOTH),
    (Family::Embed, "embed/shifted 3x33", "min(part + ELEMENTS, params.width)", "min(part + ELEMENTS, params.width - 1u)", BOTH),
    (Family::Embed, "embed/without", "d_table[at] = 0.0", "d_table[at] = 1.0", LANES),
    (Family::Embed, "embed/shifted", "if row != NONE {", "if row == NONE {", LANES),
    (Family::Embed, "embed/shifted", "t + 1u == params.length", "false", LANES),
    (Family::Embed, "embed/shifted", "if t >= params.shift {", "if i >= params.shift {", LANES),
    (Family::Embed, "embed/", "1u << bit", "1u << 0u", TILES),
    (Family::Embed, "embed/", "left &= left - 1u", "left = 0u", TILES),
    (Family::Embed, "embed/long", "first += 32u * WG", "first += 64u * WG", TILES),
    (Family::Embed, "embed/shifted", "return i % params.length >= params.shift", "return true", TILES),
    (Family::Embed, "embed/shifted 3x33", "number % chunks * WG + lane", "lane", TILES),
    // functions, alone and in an epilogue
    (Family::Activation, "activation/elu_slope", "select(y + 1.0, 1.0", "select(y - 1.0, 1.0", BOTH),
    (Family::Activation, "activation/leaky_relu_slope", "select(LEAKY_SLOPE, 1.0, y > 0.0)", "select(LEAKY_SLOPE, 1.0, y >= 0.0)", BOTH),
    (Family::Activation, "activation/gelu", "0.70710678", "0.70510678", BOTH),
    (Family::Latent, "latent/reparameterise ", "return mu + exp", "return mu - exp", BOTH),
    (Family::Latent, "latent/kl ", "- 1.0 - l)", "- 1.0 + l)", BOTH),
    (Family::Latent, "latent/kl_logvar", "logvar <= LOGVAR_MAX", "logvar < LOGVAR_MAX", BOTH),
    (Family::Latent, "latent/reparameterise_logvar", "d_z * noise * exp", "d_z * noise / exp", BOTH),
    (Family::Latent, "latent/kl_logvar", "select(0.0, 0.5 * (d_kl", "select(0.5, 0.5 * (d_kl", BOTH),
    (Family::Latent, "latent/log_draw ", "noise * noise + bounded", "noise + bounded", BOTH),
    (Family::Latent, "latent/log_draw_slope", "select(0.0, -0.5, is_bounded", "select(-0.5, -0.5, is_bounded", BOTH),
    (Family::Latent, "latent/log_normal ", "far * far + l + LOG_TWO_PI", "far * far + l", BOTH),
    (Family::Latent, "latent/log_normal_x", "(mu - x) * exp(-bounded", "(x - mu) * exp(-bounded", BOTH),
    (Family::Latent, "latent/log_normal_mu", "(x - mu) * exp(-bounded", "(x - mu) * exp(-0.5 * bounded", BOTH),
    (Family::Latent, "latent/log_normal_logvar", "0.5 * (d * (far * far - 1.0))", "0.5 * (d * (far - 1.0))", BOTH),
    // log_sum_exp: the greatest, the sum, where a group lies, whose slope it is, what is kept of the state
    (Family::LogSumExp, "log_sum_exp/", "most + log(sum)", "log(sum)", BOTH),
    (Family::LogSumExp, "log_sum_exp/", "most = max(most, x[first", "most = min(most, x[first", BOTH),
    (Family::LogSumExp, "log_sum_exp/", "var g = 0u; g < each", "var g = 1u; g < each", BOTH),
    (Family::LogSumExp, "log_sum_exp/", "each * params.cols + i % params.cols;", "each * params.cols;", BOTH),
    (Family::LogSumExp, "log_sum_exp/", "(params.cols * params.each)) * params.cols + i % params.cols", "(params.cols * params.each)) * params.cols", BOTH),
    (Family::LogSumExp, "log_sum_exp/", "share(x[i] - sums[whole])", "share(x[i])", BOTH),
    (Family::LogSumExp, "log_sum_exp/stream", "max(before, x[i])", "x[i]", BOTH),
    (Family::LogSumExp, "log_sum_exp/stream", "* kept * kept + added * added", "* kept + added * added", BOTH),
    (Family::LogSumExp, "log_sum_exp/stream", "+ 1u] * kept + added", "+ 1u] + added", BOTH),
    (Family::Likelihood, "likelihood/bernoulli ", "- logit * x", "+ logit * x", BOTH),
    (Family::Likelihood, "likelihood/bernoulli ", "0.14285714 + q * (0.11111111", "0.14285714 - q * (0.11111111", BOTH),
    (Family::Likelihood, "likelihood/gaussian ", "0.5 * inv_var * error", "inv_var * error", BOTH),
    (Family::Likelihood, "likelihood/gaussian_learned", "let inv_var = exp(-2.0 * kept)", "let inv_var = exp(2.0 * kept)", BOTH),
    (Family::Likelihood, "likelihood/gaussian_learned", "max(log_sigma, MIN_LOG_SIGMA)", "log_sigma", BOTH),
    (Family::Likelihood, "likelihood/laplace ", "sign(error) * inv_scale", "error * inv_scale", BOTH),
    (Family::Likelihood, "likelihood/laplace ", "far + kept + LN_2", "far + log_scale + LN_2", BOTH),
    (Family::Likelihood, "likelihood/laplace ", "inward(1.0 - far", "inward(1.0 + far", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "(0.5 * log_nu - ratio.x)", "(0.5 * log_nu + ratio.x)", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "(nu * (1.0 + s)) * inv_scale", "(nu * (1.0 + s))", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "1.0 - (nu + 1.0) * share", "1.0 - nu * share", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "spread - share - ratio.y", "spread - share + ratio.y", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "clamp(log_freedom, 0.0, MAX_LOG_FREEDOM)", "max(log_freedom, 0.0)", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "inward(by_freedom, log_freedom, 0.0,", "inward(by_freedom, log_freedom, -9.0,", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "log(high) - 1.0", "log(high)", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "if x < 1.0 - HALF_LEVEL {", "if x < 2.0 {", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "if x > HALF_LEVEL {", "if x > -1.0 {", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "loss -= log(inside)", "loss += log(inside)", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "by_scale += 2.0 * w *", "by_scale += w *", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "by_location -= below", "by_location += below", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "by_scale -= t * below", "by_scale -= below", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "inward(by_scale, log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE)", "by_scale", BOTH),
    (Family::Likelihood, "likelihood/logistic ", "exp(-clamp(log_scale, MIN_LOG_SIGMA, MAX_LOG_SCALE))", "exp(-log_scale)", BOTH),
    (Family::Likelihood, "likelihood/logistic_mean", "let b = (location - 1.0)", "let b = (location + 1.0)", BOTH),
    (Family::Likelihood, "likelihood/logistic_mean", "abs(u) * e / (1.0 + e)", "abs(u) * e", BOTH),
    (Family::Likelihood, "likelihood/logistic_mean", "share_entropy(b)), kept == log_scale)", "share_entropy(b)), true)", BOTH),
    (Family::Likelihood, "likelihood/logistic_mean", "sigmoid(-b) - sigmoid(-a), b > 0.0", "sigmoid(b) - sigmoid(a), b > 0.0", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "min(slope, 0.0), value <= least", "slope, value <= least", BOTH),
    (Family::Likelihood, "likelihood/interval ", "+ width.x + kept", "+ kept", BOTH),
    (Family::Likelihood, "likelihood/interval ", "+ w * (under + over) - width.y", "+ w * (under + over)", BOTH),
    (Family::Likelihood, "likelihood/interval ", "(over - under) * inv_scale", "(over - under)", BOTH),
    (Family::Likelihood, "likelihood/interval ", "w - s * (0.16666667", "w + s * (0.16666667", BOTH),
    (Family::Likelihood, "likelihood/interval ", "1.0 - 2.0 * w * e / (1.0 - e)", "1.0 - 2.0 * w * e", BOTH),
    (Family::Likelihood, "likelihood/interval ", "vec3<f32>(0.0), is_missing(x))", "vec3<f32>(0.0), false)", BOTH),
    (Family::Likelihood, "likelihood/column ", "if is_missing(x) { return", "if !is_missing(x) { return", BOTH),
    (Family::Likelihood, "likelihood/column ", "vec3<f32>(-x * output, -x, 0.0)", "vec3<f32>(-x * output, -output, 0.0)", BOTH),
    (Family::Likelihood, "likelihood/column ", "kind == YES_NO", "kind == COUNT", BOTH),
    (Family::Likelihood, "likelihood/column_mean", "return exp(output)", "return output", BOTH),
    (Family::Likelihood, "likelihood/present", "select(x, 0.0, is_missing(x))", "x", BOTH),
    (Family::Likelihood, "likelihood/absent", "1.0, is_missing(x)", "0.0, is_missing(x)", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "(low - 0.5) * growth", "low * growth", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "half < 6.0", "half < 3.0", BOTH),
    (Family::Likelihood, "likelihood/student_t ", "slope += k / ((r + i)", "slope -= k / ((r + i)", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "if x < 6.0 {", "if x < 0.0 {", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "var i = 1.0; i < 6.0", "var i = 1.0; i < 5.0", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "slope = slope * (x + i) + product", "slope = slope * (x + i)", BOTH),
    (Family::Likelihood, "likelihood/column_or_count large", "inv * (0.5 + inv", "inv * (0.5 - inv", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "log_gap(-apart, both / expected)", "log_gap(apart, both / expected)", BOTH),
    (Family::Likelihood, "likelihood/column_or_count large", "abs(t) > 0.25", "abs(t) > 0.0", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "if k > 0.0 {", "if k > 2.0 {", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "r * (of_failure - left.y)", "r * (of_failure + left.y)", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "return vec3<f32>(loss, r * apart", "return vec3<f32>(loss, apart", BOTH),
    (Family::Likelihood, "likelihood/column_or_count ", "max(slope, 0.0), value >= most", "slope, value >= most", BOTH),
    (Family::Likelihood, "likelihood/column_or_count_mean", "log1p_positive(exp(log_mean)) - shift", "log_mean - shift", BOTH),
    (Family::Likelihood, "likelihood/gaussian_learned", "1.0 - square", "1.0 + square", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "if count_of(log_count) > 0.0", "if count_of(log_count) > 2.0", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "counted.x + none_extra, counted.y, sigmoid(logit)", "counted.x, counted.y, sigmoid(logit)", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "most - log1p_unit(exp(-abs(either)))", "most + log1p_unit(exp(-abs(either)))", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "own * counted.y, sigmoid(logit) - sigmoid(either)", "counted.y, sigmoid(logit) - sigmoid(either)", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "sigmoid(logit) - sigmoid(either), own * counted.z", "sigmoid(logit) - own, own * counted.z", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated ", "if is_missing(log_count)", "if is_missing(logit)", BOTH),
    (Family::Likelihood, "likelihood/zero_inflated_mean", "sigmoid(-logit) * exp(log_mean)", "sigmoid(logit) * exp(log_mean)", BOTH),
    (Family::Rng, "rng/normal", "parity + 4u", "parity + 3u", BOTH),
    (Family::Rng, "rng/normal", "((quadrant + 1u) & 2u) == 2u", "(quadrant & 2u) == 2u", BOTH),
    (Family::Rng, "rng/normal", "-1.9841270e-4", "1.9841270e-4", BOTH),
    // map: the offsets of an input, of a part of one and of a sum
    (Family::Map, "map/program 3x5", "i % quads * 4u", "i % quads * 4u + 1u", BOTH),
    (Family::Map, "map/program 3x5", "(p.n + 3u) / 4u;", "p.n / 4u;", BOTH),
    (Family::Map, "map/program 3x5", "row * 10u + 5u", "row * 10u + 4u", BOTH),
    (Family::Map, "map/program 3x5", "(step.values[1].y / 3.0)", "(step.values[1].y * 3.0)", BOTH),
    (Family::Map, "map/repeated 3x4x8", "row / 4u * cols", "row / 2u * cols", BOTH),
    (Family::Map, "map/repeated 2x3x5", "row / 3u * cols", "row * cols", BOTH),
    (Family::Map, "map/add 9x12 form 1", "in1[j / 4u]", "in1[0]", BOTH),
    (Family::Map, "map/add 5x7 form 2", "let i1 = in1[row];", "let i1 = in1[0];", BOTH),
    (Family::Reduce, "reduce/rows ", "j < params.cols0", "j + 1u < params.cols0", BOTH),
    (Family::Reduce, "reduce/rows ", "total0[row] = totals0.x", "total0[row] = totals0.y", BOTH),
    (Family::Reduce, "reduce/rows 65", "total2[row] = totals1.x", "total2[row] = totals0.x", BOTH),
    (Family::Reduce, "reduce/rows ", "half > 0u; half /= 2u", "half > 1u; half /= 2u", BOTH),
    (Family::Batch, "batch/floats", "d < params.width; d", "d <= params.width; d", BOTH),
    // optimizer
    (Family::Optimizer, "optimizer/", "w - lr * direction", "w + lr * direction", BOTH),
    (Family::Optimizer, "optimizer/adam", "+ epsilon", "", BOTH),
    (Family::Optimizer, "optimizer/momentum decayed", "abs(moment) < vec4<f32>(SMALLEST_MOMENT)", "abs(moment) < vec4<f32>(0.0)", BOTH),
    (Family::Optimizer, "optimizer/adam decayed", "let v = flushed(", "let v = (", BOTH),
    (Family::Optimizer, "optimizer/adamw", "w *= 1.0 - lr * decay", "w *= 1.0 + lr * decay", BOTH),
    (Family::Optimizer, "optimizer/nesterov", "g + momentum * velocity, NESTEROV", "g - momentum * velocity, NESTEROV", BOTH),
    (Family::Optimizer, "optimizer/", "start + WG * ELEMENTS, params.quads", "start + WG * ELEMENTS, params.quads - 1u", BOTH),
    (Family::Optimizer, "optimizer/multiplier", "params.limit - 1.0", "params.limit", BOTH),
    (Family::Optimizer, "optimizer/multiplier far above", "- 1.0, -1.0, 1.0)", "- 1.0, -1.0, 2.0)", BOTH),
    (Family::Optimizer, "optimizer/multiplier of a negative KL", "- 1.0, -1.0, 1.0)", "- 1.0, -9.0, 1.0)", BOTH),
    (Family::Optimizer, "optimizer/multiplier", "step.slot * params.width + params.column", "step.slot * params.width", BOTH),
    (Family::Optimizer, "optimizer/multiplier at its least", "grown, MIN_MULTIPLIER", "grown, 0.0", BOTH),
    (Family::Optimizer, "optimizer/multiplier at its most", "MIN_MULTIPLIER, MAX_MULTIPLIER", "MIN_MULTIPLIER, 2e6", BOTH),
    // floats in 64-bit words
    (Family::Optimizer, "optimizer/", "u32(quad.y >> 32u)", "u32(quad.x >> 32u)", SPREAD),
    (Family::Optimizer, "optimizer/", "u64(bits.z) | (u64(bits.w)", "u64(bits.w) | (u64(bits.w)", SPREAD),
    // windows: edges, taps, phases
    (Family::Gemm, "gemm/windows", "origin.y + at.y < ", "origin.y + at.y <= ", BOTH),
    (Family::Gemm, "gemm/windows", "origin.x - at.x < ", "origin.x - at.x <= ", BOTH),
    (Family::Gemm, "gemm/windows", "Tap(number / 3u, number % 3u", "Tap(number % 3u, number / 3u", BOTH),
    (Family::Gemm, "gemm/windows", "2u + phase % 2u;", "2u + phase / 2u;", BOTH),
    (Family::Gemm, "gemm/windows", "first_tap_x(phase) + 2u * at.x", "first_tap_x(phase) + at.x", BOTH),
    (Family::Gemm, "gemm/windows", "- 1u,\n        within % ", "- 0u,\n        within % ", BOTH),
    (Family::Gemm, "gemm/", "+= dot(a0, b0)", "-= dot(a0, b0)", LANES),
    (Family::Reduce, "reduce/columns 5000x33", "partial[s * params.cols + j]", "partial[j]", BOTH),
    (Family::Reduce, "reduce/columns 5000x33", "min(begin + length, params.rows)", "begin + length", BOTH),
    (Family::Gemm, "gemm/", "u32(quad.x), u32(quad.x >> 32u)", "u32(quad.x >> 32u), u32(quad.x)", SPREAD),
    // reduce
    (Family::Reduce, "reduce/report 3 of", "= means1.x", "= means0.x", BOTH),
    (Family::Reduce, "reduce/report 3 of", "params.width + params.column", "params.width", BOTH),
    (Family::Batch, "batch/bytes 65", "let index = number * params.width + w", "let index = row * params.width + w", BOTH),
    (Family::Batch, "batch/floats 65", "number * params.width + d);", "row * params.width + d);", BOTH),
    (Family::Batch, "batch/augmented 4x3x3", "vec2<u32>(number, 1u)", "vec2<u32>(row, 1u)", BOTH),
    // batch: the first of the rows, with and without an order, and where a row begins
    (Family::Batch, "batch/rows", "params.first + permute", "permute", BOTH),
    (Family::Batch, "batch/rows", "return params.first + position", "return position", BOTH),
    (Family::Batch, "batch/rows", "* params.stride", "* params.width", BOTH),
    (Family::Reduce, "reduce/report", "/ f32(step.rows)", "/ f32(params.rows)", BOTH),
    (Family::Reduce, "reduce/report", "r < step.rows", "r + 1u < step.rows", BOTH),
    (Family::Reduce, "reduce/sum", "r < params.rows", "r + 1u < params.rows", BOTH),
    (Family::Reduce, "reduce/columns", "var r = 0u; r < rows", "var r = 1u; r < rows", BOTH),
    (Family::Reduce, "reduce/squares", "(group.x + 1u) * stripe", "(group.x + 1u) * stripe - 1u", BOTH),
    (Family::Reduce, "reduce/clip", "min(1.0, params.max_norm", "max(1.0, params.max_norm", BOTH),
    (Family::Reduce, "reduce/clip", "step.slot * params.width + params.column", "step.slot * params.width", BOTH),
    // norm: the mean, the variance, what is added to it, where a group lies, both means of the gradient
    (Family::Norm, "norm/", "x[place(i, number)] - mean;", "x[place(i, number)];", BOTH),
    (Family::Norm, "norm/", "(x[place(i, number)] - mean) * factor", "x[place(i, number)] * factor", BOTH),
    (Family::Norm, "norm/a constant", "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-6", BOTH),
    (Family::Norm, "norm/", "number % groups * EACH", "(number + 1u) % groups * EACH", BOTH),
    (Family::Norm, "norm/", "number / groups * PIXELS", "number * PIXELS", BOTH),
    (Family::Norm, "norm/", "d_y[at] - means.x", "d_y[at]", BOTH),
    (Family::Norm, "norm/", "normalised[at] * means.y", "normalised[at] * means.x", BOTH),
    // recurrent: the bias, the state before, both halves of the start, gates, lengths and their marks, the order of times
    (Family::Recurrent, "recurrent/gru", "var u2_0 = bias2;", "var u2_0 = bias1;", BOTH),
    (Family::Recurrent, "recurrent/gru", "let time = time_of(params.turn - 1u);", "let time = time_of(params.turn);", BOTH),
    (Family::Recurrent, "recurrent/gru 5x9x8", "params.steps - 1u - turn", "turn", BOTH),
    (Family::Recurrent, "recurrent/gru", "u1_0 += vec4<f32>(dot(w1_0", "u1_0 += vec4<f32>(dot(w1_1", BOTH),
    (Family::Recurrent, "recurrent/gru 5x9x7", "return load_start(row, 0u", "return 2.0 * load_start(row, 0u", BOTH),
    (Family::Recurrent, "recurrent/lstm 5x9x7", "return load_start(row, 1u", "return load_start(row, 0u", BOTH),
    (Family::Recurrent, "recurrent/gru 5x9", "f32(time) >= lengths[row]", "f32(time) > lengths[row]", BOTH),
    (Family::Recurrent, "recurrent/gru", "let n = tanh4(x2 + r * u2);", "let n = tanh4(x2 + u2);", BOTH),
    (Family::Recurrent, "recurrent/gru", "n + z * (before", "n - z * (before", BOTH),
    (Family::Recurrent, "recurrent/lstm", "f * cell_before(row, params.turn, quad) + i * g", "f * cell_before(row, params.turn, quad) + i", BOTH),
    (Family::Recurrent, "recurrent/lstm", "quad, 1u, o * tanh4(c)", "quad, 1u, o * c", BOTH),
    (Family::Recurrent, "recurrent/gru", "let after = time_of(turn + 1u);", "let after = time_of(turn);", BOTH),
    (Family::Recurrent, "recurrent/gru", "d_h += load_carry(row, 0u, quad, 1u);", "d_h -= load_carry(row, 0u, quad, 1u);", BOTH),
    (Family::Recurrent, "recurrent/gru", "(before(row, turn, quad) - n)", "(before(row, turn, quad) + n)", BOTH),
    (Family::Recurrent, "recurrent/gru", "let d_r = d_n * q", "let d_r = d_n * r", BOTH),
    (Family::Recurrent, "recurrent/gru", "quad, 3u, d_n * r)", "quad, 3u, d_n)", BOTH),
    (Family::Recurrent, "recurrent/gru", "quad, 1u, d_h * z)", "quad, 1u, d_h)", BOTH),
    (Family::Recurrent, "recurrent/lstm", "d_c += d_h * o * (1.0 - c * c)", "d_c += d_h * o", BOTH),
    (Family::Recurrent, "recurrent/lstm", "quad, 2u, d_c * f)", "quad, 2u, d_c)", BOTH),
    (Family::Recurrent, "recurrent/lstm 5x9", "if i.x < 0.0 {", "if i.x < -2.0 {", BOTH),
    (Family::Recurrent, "recurrent/gru 5x9", "subgroupBroadcast(mine0, 1u)", "subgroupBroadcast(mine0, 0u)", SPREAD),
    (Family::Recurrent, "recurrent/lstm 3x4", "+ 0u + lane, last)", "+ 1u + lane, last)", SPREAD),
    (Family::Recurrent, "recurrent/gru 5x9", "if params.turn == 0u { d_h +=", "if params.turn == 1u { d_h +=", BOTH),
    (Family::Recurrent, "recurrent/lstm 5x9", "if params.turn == 0u { d_h +=", "{ d_h +=", BOTH),
    (Family::Recurrent, "recurrent/lstm", "d_h * c * o * (1.0 - o)", "d_h * o * (1.0 - o)", BOTH),
    // softmax: the group, its greatest and its sum, where there is none
    (Family::Softmax, "softmax/", "params.cols + u32(groups[number])", "params.cols + number", BOTH),
    (Family::Softmax, "softmax/", "most = max(most, x[j])", "most = min(most, x[j])", BOTH),
    (Family::Softmax, "softmax/", "log_sum = most + log(sum)", "log_sum = log(sum)", BOTH),
    (Family::Softmax, "softmax/", "x[j] - log_sum", "x[j] + log_sum", BOTH),
    (Family::Softmax, "softmax/", "if span.y == span.x {", "if false {", BOTH),
    (Family::Softmax, "softmax/", "probability(log_p[j]) * sum", "sum", BOTH),
    (Family::Softmax, "softmax/", "if i >= params.count { return; }", "if i + 1u >= params.count { return; }", BOTH),
    // pool: the taps, the edges, the factor, which windows lie above a pixel
    (Family::Pool, "pool/pool", "down++", "down += 2u", BOTH),
    (Family::Pool, "pool/pool 2 of 7x8x4", "y >= 7u", "y > 7u", BOTH),
    (Family::Pool, "pool/pool 2 of 7x8x4", "across - 1u", "across - 0u", BOTH),
    (Family::Pool, "pool/pool 2 of 6x4x3", "= 0.25f * sum", "= 0.5f * sum", BOTH),
    (Family::Pool, "pool/spread 3 of 7x5x8", "+ 1u, 3u); end_y", "+ 1u, 4u); end_y", BOTH),
    (Family::Pool, "pool/spread 2 of 7x8x4", "(max(top + 1u", "(max(top + 3u", BOTH),
    (Family::Pool, "pool/spread 1 of 5x9x2", "min(left / 1u + 1u", "min(left / 1u + 2u", BOTH),
    (Family::Pool, "pool/spread", "i >= params.count", "i > params.count", BOTH),
    // rng
    (Family::Rng, "rng/", "parity, key.x + 5u", "parity, key.x + 4u", BOTH),
    (Family::Rng, "rng/drop_token", "draw | 0x80000000u", "draw", BOTH),
    (Family::Rng, "rng/drop_token", "select(token, 1.0,", "select(token, 0.0,", BOTH),
    (Family::Rng, "rng/drop_token", "token >= 0.0 && unit", "unit", BOTH),
    (Family::Rng, "rng/drop_token", "unit(bits.x) < probability", "unit(bits.y) < probability", BOTH),
    (Family::Rng, "rng/", "i >= draws.count", "i > draws.count", BOTH),
    // roof
    (Family::Roof, "roof/copy", "result[i] = source[i]", "result[i] = source[i / 2u]", BOTH),
    (Family::Roof, "roof/", "+ WG * ELEMENTS, params.quads", "+ WG * ELEMENTS, params.quads - 1u", BOTH),
    (Family::Roof, "roof/multiply_add", "start + 1.0", "start - 1.0", BOTH),
];

/// Faults of variants that no case here is large enough to get: `(variant, prefix, original text, faulty text)`.
#[rustfmt::skip]
const FAULTS_OF_VARIANTS: &[(&str, &str, &str, &str)] = &[
    ("subgroup-32x32", "gemm/d_weight 515x21x520", "row + 0u + lane * 4u", "row + 4u + lane * 4u"),
    // narrow: the end of a part, the columns, the row sums, the parts
    ("narrow-32x32-split8", "gemm/windows 3 of 13x11x1", ", k + lane < until)", ", true)"),
    ("narrow-32x32-split8", "gemm/windows 2 of 13x11x3", "subgroupBroadcast(b26, 7u)", "subgroupBroadcast(b25, 7u)"),
    ("narrow-32x32-split8", "gemm/windows 2 of 13x11x3", "let at = min(k + 5u", "let at = min(k + 4u"),
    ("narrow-32x32-split8", "gemm/windows 3 of 13x11x1", "av, k + 5u < until", "av, k + 5u <= until"),
    ("narrow-32x32-split8", "gemm/d_weight 517x30x33", "group.z * length", "group.z * (length - 1u)"),
    ("narrow-32x32-split8", "gemm/d_weight 517x30x33", "partial[8u * p.m * p.n + s", "partial[7u * p.m * p.n + s"),
    // taps: the edges of the places, the taps of a phase, the sizes of the first pass
    ("taps-128x16", "gemm/windows 3 of 13x11x1", "x >= 11u", "x > 11u"),
    ("taps-128x16", "gemm/windows 5 of 18x16x1", "var down = top % 2u", "var down = 0u"),
    ("taps-128x16", "gemm/windows 5 of 18x16x1", "down * 4u + across", "across * 4u + down"),
    ("taps-128x16", "gemm/windows 3 of 13x11x1", "/ 143u * 143u", "/ 143u * 142u"),
];

/// A fault in a family's shaders, and where they are rendered.
struct Planted<'a> {
    family: Family,
    prefix: &'a str,
    find: &'a str,
    replace: &'a str,
    target: Target,
    variant: Option<GemmVariant>,
}

impl Planted<'_> {
    /// Whether a case fails that does not fail without the fault.
    fn is_found(&self, gpu: &std::sync::Arc<Gpu>, all: &[Case]) -> bool {
        let tuning = |case: &Case| match self.variant {
            Some(variant) => TuningTable::all_of(&case.program.plans[0].ops, variant),
            None => TuningTable::default(),
        };
        let (find, replace) = (self.find.to_string(), self.replace.to_string());
        let device = OpenDevice::Adapter(gpu.clone());
        let patch = Patch { family: self.family, find, replace };
        // Large cases take long and find no additional faults.
        let chosen: Vec<_> = all.iter().filter(|c| c.name.starts_with(self.prefix) && !c.timed).collect();
        assert!(!chosen.is_empty(), "no case starts with {}", self.prefix);
        let has = |case: &&&Case| {
            let sources = |op| wgvae_engine::wgsl::sources(op, self.target, &tuning(case));
            case.program.plans[0].ops.iter().any(|op| sources(op).iter().any(|source| source.text.contains(self.find)))
        };
        let options = |case: &Case, patch| {
            let tuning = tuning(case);
            GpuOptions { checked: true, target: Some(self.target), tuning, patch, ..GpuOptions::default() }
        };
        let mut applied = false;
        for case in chosen.iter().filter(has) {
            applied = true;
            if conformance::check_case(&device, case, &options(case, Some(patch.clone()))).is_err() {
                let healthy = conformance::check_case(&device, case, &options(case, None));
                assert!(healthy.is_ok(), "{} fails without a fault", case.name);
                return true;
            }
        }
        assert!(applied, "`{}` is nowhere in {:?} for {:?}", self.find, self.family, self.target);
        false
    }
}

#[test]
fn every_planted_fault_is_found() {
    let Some(gpu) = common::gpu() else { return };
    let all = cases();
    for family in Family::ALL {
        assert!(FAULTS.iter().any(|f| f.0 == family), "no fault for {family:?}");
    }
    let of_families = FAULTS.iter().enumerate().flat_map(|(number, (family, prefix, find, replace, targets))| {
        let planted = |target| Planted { family: *family, prefix, find, replace, target, variant: None };
        // Where targets share a text, one case is to find the fault on either.
        let one = number % targets.len();
        let targets = if common::every_shader() { *targets } else { &targets[one..=one] };
        targets.iter().map(move |target| planted(*target))
    });
    let of_variants = FAULTS_OF_VARIANTS.iter().map(|(variant, prefix, find, replace)| {
        let variant = GemmVariant::try_from(variant.to_string()).unwrap();
        let target = if variant.runs_on(Target::Simd) { Target::Simd } else { Target::Subgroup };
        Planted { family: Family::Gemm, prefix, find, replace, target, variant: Some(variant) }
    });
    let runs = |fault: &Planted| fault.target != Target::Subgroup || gpu.target == Target::Subgroup;
    let unnoticed: Vec<String> = (of_families.chain(of_variants))
        .filter(|fault| runs(fault) && !fault.is_found(&gpu, &all))
        .map(|fault| format!("{:?}: `{}` -> `{}` in {:?}", fault.target, fault.find, fault.replace, fault.family))
        .collect();
    assert!(unnoticed.is_empty(), "went unnoticed:\n{}", unnoticed.join("\n"));
}
