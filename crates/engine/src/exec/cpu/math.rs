//! Functions of whole arrays, written so that the compiler makes vector instructions of them: no calls, no branches, no
//! tables. Errors are below 2 units in the last place where nothing else is said. NaN stays NaN.
//!
//! They are for `vectorised!` and `each` alone: elsewhere a fused multiply-add is a call.

/// `c[0] + c[1] x + c[2] x^2 + ...`
#[inline(always)]
fn polynomial<const TERMS: usize>(x: f32, c: [f32; TERMS]) -> f32 {
    let mut sum = c[TERMS - 1];
    for c in c[..TERMS - 1].iter().rev() {
        sum = sum.mul_add(x, *c);
    }
    sum
}

/// Returns m and a number whose lowest bits are those of n, so that `exp(x) = m 2^n` with m in [1/sqrt(2), sqrt(2)].
#[inline(always)]
fn exp_parts(x: f32) -> (f32, u32) {
    // x = n ln 2 + r. Adding 1.5 * 2^23 rounds to a whole number, which then lies in the lowest bits.
    let shifted = x.mul_add(std::f32::consts::LOG2_E, 12_582_912.0);
    let n = shifted - 12_582_912.0;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let series = [1.0, 1.0, 0.5, 1.666_666_6e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_199_9e-3, 1.987_569_1e-4];
    (polynomial(r, series), shifted.to_bits())
}

/// `exp(x)`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these the result is infinite, or 0.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (value, bits) = exp_parts(x);
    // 2^n in two factors, because it may be no normal number.
    let whole = (bits as i32).wrapping_sub(0x4B40_0000);
    let half = whole >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    value * power(half) * power(whole.wrapping_sub(half))
}

/// `exp(x)` for x <= 0; 0 below -87, where it is no normal number.
#[inline(always)]
pub(super) fn exp_negative(x: f32) -> f32 {
    let (value, bits) = exp_parts(if x < -87.0 { -87.0 } else { x });
    let value = value * f32::from_bits((bits << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { value }
}

/// `exp(log_share)`: the share of a number in a sum that has it. A share below 1e-17 counts as 0: products of such numbers are too
/// small for floats to be normal, which makes them slow.
#[inline(always)]
pub(super) fn share(log_share: f32) -> f32 {
    if log_share > -39.0 { exp_negative(log_share) } else { 0.0 }
}

/// `ln(x)` of a normal number above 0.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // x = m 2^e with m in [1/sqrt(2), sqrt(2)).
    let shifted = x.to_bits().wrapping_sub(0x3F35_04F3);
    let e = ((shifted as i32) >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(0x3F35_04F3)) - 1.0;
    e.mul_add(std::f32::consts::LN_2, ln_1p_of_ratio(m, m / (2.0 + m)))
}

/// `ln(1 + x)` for x in [-0.3, 1], and for `s = x / (2 + x)`, whose rounding costs little.
#[inline(always)]
pub(super) fn ln_1p_of_ratio(x: f32, s: f32) -> f32 {
    // 2 artanh(s) = 2 s + s series, with the least error for s up to a third; 2 s = x - s x.
    let q = s * s;
    let series = q * polynomial(q, [0.666_663_15, 0.400_249_1, 0.279_606_03, 0.281_783_35]);
    s.mul_add(series - x, x)
}

/// `ln(1 + x)` for x in [0, 1].
#[inline(always)]
pub(super) fn ln_1p_unit(x: f32) -> f32 {
    ln_1p_of_ratio(x, x / (2.0 + x))
}

/// `exp(x) - 1` for x <= 0; the series takes over where the difference would cancel.
#[inline(always)]
pub(super) fn exp_m1_negative(x: f32) -> f32 {
    let series = x * polynomial(x, [1.0, 0.5, 0.166_666_67, 0.041_666_668, 0.008_333_333]);
    if x > -0.1 { series } else { exp_negative(x) - 1.0 }
}

/// `1 / (1 + exp(-x))`. No exponential overflows: it is only taken of -|x|.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// `tanh(x)`.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let e = exp_m1_negative(-2.0 * x.abs());
    (if x >= 0.0 { -e } else { e }) / (2.0 + e)
}

/// The error function: Abramowitz and Stegun, 7.1.26, which is exact to 1.5e-7, and in floats to 6e-7.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / a.mul_add(0.327_591_1, 1.0);
    let p = t * polynomial(t, [0.254_829_6, -0.284_496_74, 1.421_413_8, -1.453_152, 1.061_405_4]);
    let value = (-p).mul_add(exp_negative(-a * a), 1.0);
    if x >= 0.0 { value } else { -value }
}

/// `cos(2 pi x)` for x in [0, 1).
#[inline(always)]
pub(super) fn cos_turns(x: f32) -> f32 {
    // -sin of how far x is from a quarter on either side of one half; both differences are exact.
    let a = 0.25 - (x - 0.5).abs();
    let t = a * std::f32::consts::TAU;
    let series = [1.0, -0.166_666_67, 0.008_333_333, -1.984_127e-4, 2.755_732e-6, -2.505_21e-8];
    -t * polynomial(t * t, series)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error of a function over many points of a range.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, range: (f32, f32), least: f64) -> f64 {
        let error = |i: usize| {
            let x = range.0 + (range.1 - range.0) * (i as f32 / 100_000.0);
            let expected = exact(f64::from(x));
            (f64::from(f(x)) - expected).abs() / expected.abs().max(least)
        };
        (0..100_000).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn functions_are_as_exact_as_they_say() {
        let ulp = f64::from(f32::EPSILON);
        assert!(worst(exp, f64::exp, (-87.0, 88.0), 1e-30) < 2.0 * ulp);
        assert!(worst(exp_negative, f64::exp, (-86.9, 0.0), 1e-30) < 2.0 * ulp);
        assert!(worst(ln, f64::ln, (1e-6, 1.0), 1e-2) < 2.0 * ulp);
        assert!(worst(ln_1p_unit, f64::ln_1p, (0.0, 1.0), 1e-30) < 2.0 * ulp);
        assert!(worst(exp_m1_negative, f64::exp_m1, (-20.0, 0.0), 1e-30) < 10.0 * ulp);
        assert!(worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), (-80.0, 80.0), 1e-30) < 4.0 * ulp);
        assert!(worst(tanh, f64::tanh, (-20.0, 20.0), 1e-30) < 10.0 * ulp);
        assert!(worst(erf, libm::erf, (-5.0, 5.0), 1.0) < 6e-7);
        let turns = |x: f64| (std::f64::consts::TAU * x).cos();
        assert!(worst(cos_turns, turns, (0.0, 0.999_999_9), 1.0) < 4.0 * ulp);
    }

    #[test]
    fn functions_keep_what_is_not_finite() {
        assert_eq!([exp(f32::INFINITY), exp(f32::NEG_INFINITY), exp(1000.0)], [f32::INFINITY, 0.0, f32::INFINITY]);
        assert!(exp(-100.0) > 0.0 && exp(-100.0) < 1e-43);
        for f in [exp, exp_negative, exp_m1_negative, sigmoid, tanh, erf] {
            assert!(f(f32::NAN).is_nan());
        }
        assert_eq!([sigmoid(-1e30), sigmoid(1e30), tanh(1e30), erf(1e30)], [0.0, 1.0, 1.0, 1.0]);
        assert_eq!([exp(-f32::MAX), exp_negative(-f32::MAX), exp_negative(f32::NEG_INFINITY)], [0.0; 3]);
    }
}
