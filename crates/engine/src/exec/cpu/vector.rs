//! Loops over arrays, compiled for each instruction set that the processor may have.
//!
//! What such a loop calls must be `#[inline(always)]`, or it is compiled for the least of them.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

/// Defines a function whose loops become the vector instructions of this processor.
macro_rules! vectorised {
    ($(#[$doc:meta])* $vis:vis fn $name:ident<'a $(, const $number:ident: usize)?>($($arg:ident: $type:ty),* $(,)?)
     $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<'a $(, const $number: usize)?>($($arg: $type),*) $(-> $result)? {
            struct Work<'a $(, const $number: usize)?> { $($arg: $type),* }
            #[allow(unused_parens)]
            impl<'a $(, const $number: usize)?> pulp::WithSimd for Work<'a $(, $number)?> {
                type Output = ($($result)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
                    let Self { $($arg),* } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Work $(::<$number>)? { $($arg),* })
        }
    };
}
pub(super) use vectorised;

/// The name of these instructions.
pub(super) fn instructions() -> &'static str {
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "avx512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "avx2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        _ => "scalar",
    }
}

/// A function of single numbers.
pub(super) trait Elementwise<const INPUTS: usize, const RESULTS: usize> {
    fn of(x: [f32; INPUTS]) -> [f32; RESULTS];
}

/// `y = f(x[0], ...)`, element by element.
pub(super) struct Each<'a, const INPUTS: usize, const RESULTS: usize, F> {
    pub x: [&'a [f32]; INPUTS],
    pub y: [&'a mut [f32]; RESULTS],
    pub f: PhantomData<F>,
}

impl<const INPUTS: usize, const RESULTS: usize, F: Elementwise<INPUTS, RESULTS>> WithSimd
    for Each<'_, INPUTS, RESULTS, F>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let len = self.y[0].len();
        // All slices have one length, so that no index has to be checked in the loop.
        let x = self.x.map(|x| &x[..len]);
        let mut y = self.y;
        for y in &mut y {
            assert_eq!(y.len(), len);
        }
        for i in 0..len {
            let results = F::of(std::array::from_fn(|input| x[input][i]));
            for (y, result) in y.iter_mut().zip(results) {
                y[i] = result;
            }
        }
    }
}

/// `each!([x, ...], [y, ...], f)`: `y = f(x)`, element by element, of a function that is `#[inline(always)]`. The function goes by name:
/// one that is handed on as a value is called where it is large, and then compiled for the least of the instructions.
macro_rules! each {
    ([$($x:expr),* $(,)?], [$($y:expr),* $(,)?], $f:path) => {{
        struct Of;
        impl $crate::exec::cpu::vector::Elementwise<{ [$(stringify!($x)),*].len() }, { [$(stringify!($y)),*].len() }> for Of {
            #[inline(always)]
            fn of(x: [f32; [$(stringify!($x)),*].len()]) -> [f32; [$(stringify!($y)),*].len()] {
                $f(x)
            }
        }
        pulp::Arch::new().dispatch($crate::exec::cpu::vector::Each { x: [$($x),*], y: [$($y),*], f: std::marker::PhantomData::<Of> })
    }};
}
pub(super) use each;

vectorised! {
    /// `sum += x`
    pub(super) fn add<'a>(sum: &'a mut [f32], x: &'a [f32]) {
        for (sum, x) in sum.iter_mut().zip(x) {
            *sum += *x;
        }
    }
}

vectorised! {
    /// The sum of each column of a matrix, in the order of rows.
    pub(super) fn sums_of_columns<'a>(values: &'a [f32], sums: &'a mut [f32]) {
        sums.fill(0.0);
        for row in values.chunks_exact(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += *value;
            }
        }
    }
}

/// Sums kept side by side, so that a sum of many numbers is vector instructions in a fixed order.
const LANES: usize = 16;

/// The sum of what lies side by side.
#[inline(always)]
fn folded(mut sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The sum of `f(x)` over an array, in an order that depends on its length alone; `f` must be `#[inline(always)]`, too.
#[inline(always)]
pub(super) fn sum_of(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum = f(*x);
    }
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] += f(chunk[i]);
        }
    }
    folded(sums)
}

#[inline(always)]
fn itself(x: f32) -> f32 {
    x
}

#[inline(always)]
fn square(x: f32) -> f32 {
    x * x
}

vectorised! {
    /// The sum of an array.
    pub(super) fn sum<'a>(x: &'a [f32]) -> f32 {
        sum_of(x, itself)
    }
}

vectorised! {
    /// The sum of the squares of an array.
    pub(super) fn sum_of_squares<'a>(x: &'a [f32]) -> f32 {
        sum_of(x, square)
    }
}
