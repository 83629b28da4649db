//! Finds the fastest variant of each product by measuring on the adapter.

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{AdapterKind, Gpu, GpuError, GpuExecutor, GpuOptions};
use crate::exec::Execute;
use crate::kernels::batch::words_per_row;
use crate::kernels::gemm::GemmParams;
use crate::plan::{
    Gemm, Index, MAX_SCALARS, Op, Orientation, PlanId, Pointwise, Program, StepPlan, StepScalars, TensorTable, Windows,
};
use crate::platform::Instant;
use crate::wgsl::{GemmVariant, TuningTable};

/// The tuner's result for one variant of a product.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The product, as [`TuningTable::key`] names it.
    pub product: String,
    /// The variant.
    pub variant: GemmVariant,
    /// Seconds of the whole op; an error where the variant does not agree with the reference.
    pub outcome: Result<f64, String>,
}

/// Progress of a tuning.
#[derive(Debug, Clone, Copy)]
pub struct Tuning<'a> {
    /// The product that is being tried.
    pub product: &'a str,
    /// Products done.
    pub done: usize,
    /// Products in all.
    pub total: usize,
    /// The latest result.
    pub trial: Option<&'a Trial>,
}

/// How long a tuning may take on an adapter.
pub fn budget(kind: AdapterKind) -> Duration {
    match kind {
        AdapterKind::Software => Duration::from_secs(9),
        _ => Duration::from_millis(1900),
    }
}

/// Times the most promising variants of every product among `ops` that `known` has no choice for, and adds the fastest
/// that agrees with [`GemmVariant::Naive`]. Ends when the budget is spent: the products that matter most come first.
pub fn tune(
    gpu: &Arc<Gpu>,
    ops: &[Op],
    known: &mut TuningTable,
    checked: bool,
    watch: &mut dyn FnMut(Tuning<'_>),
) -> Result<(), GpuError> {
    let started = Instant::now();
    let budget = budget(gpu.kind);
    let mut products: Vec<(String, &Op)> = Vec::new();
    for op in ops.iter().filter(|op| op.kernel.gemm().is_some()) {
        let key = TuningTable::key(op);
        if known.get(&key).is_none() && !products.iter().any(|(k, _)| *k == key) {
            products.push((key, op));
        }
    }
    products.sort_by_key(|(_, op)| std::cmp::Reverse(op.flops));
    let total = products.len();
    for (done, (product, op)) in products.iter().enumerate() {
        watch(Tuning { product, done, total, trial: None });
        let bench = Bench::new(op);
        let mut reference = None;
        let mut trials: Vec<(f64, GemmVariant, GpuExecutor)> = Vec::new();
        let mut refused = Vec::new();
        for variant in GemmVariant::candidates(op, gpu.capabilities()) {
            let left = budget.saturating_sub(started.elapsed());
            if left.is_zero() {
                break;
            }
            let expected = match &reference {
                Some(expected) => expected,
                None => reference.insert(bench.reference(gpu, checked)?),
            };
            let timed = bench.time(gpu, variant, checked, expected, left);
            let outcome = match timed {
                Err(error @ GpuError::Lost(_)) => return Err(error),
                // A variant that the driver refuses or has no memory for is left out, and its error is cleared before
                // the next one.
                Err(error) => match gpu.check() {
                    Err(lost @ GpuError::Lost(_)) => return Err(lost),
                    _ => Err(error.to_string()),
                },
                Ok(Err(why)) => Err(why),
                Ok(Ok((seconds, executor))) => {
                    trials.push((seconds, variant, executor));
                    Ok(seconds)
                }
            };
            if outcome.is_err() {
                refused.push(variant);
            }
            let trial = Trial { product: product.clone(), variant, outcome };
            watch(Tuning { product, done, total, trial: Some(&trial) });
            trials.sort_by(|a, b| a.0.total_cmp(&b.0));
            trials.truncate(2);
        }
        // The two best are timed again in turn, in case other work on the machine slowed one of them down.
        if let [_, _] = trials.as_slice() {
            for _ in 0..2 {
                for (best, _, executor) in &mut trials {
                    *best = best.min(executor.step_seconds(PlanId(0), &Bench::STEP, Duration::from_millis(10))?);
                }
            }
            trials.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        // A product that was not reached is recorded with its default variant, so that repeating the run gives the same
        // bits.
        let variant = match trials.first() {
            Some((_, variant, _)) => *variant,
            None => {
                let rest = GemmVariant::eligible(op, gpu.capabilities())
                    .into_iter()
                    .find(|variant| !refused.contains(variant));
                rest.unwrap_or(GemmVariant::Naive)
            }
        };
        known.set(product.clone(), variant);
    }
    Ok(())
}

/// A program of one op: at its own size for timing (plan 0), and at a smaller size for checking (plan 1), where even a
/// slow reference is fast.
struct Bench {
    program: Program,
}

/// The largest extents of the small size: a few tiles, and enough of K for every split.
const SMALL: [u32; 3] = [160, 160, 512];

impl Bench {
    const STEP: StepScalars = StepScalars {
        noise_key: [1, 2],
        binarise_key: [0; 2],
        shuffle_key: [0; 2],
        next_shuffle_key: [0; 2],
        shuffle: 0,
        offset: 0,
        rows: 1,
        slot: 0,
        values: [1.0; MAX_SCALARS],
    };

    fn new(op: &Op) -> Self {
        let p = GemmParams::of(op);
        let small = op.kernel.gemm().map_or(p, |gemm| small(gemm, &p));
        let mut tensors = TensorTable::default();
        let plans = [p, small].map(|params| {
            let mut op = op.clone();
            op.params = Some(params.block());
            op.grid = crate::plan::Grid::Tiles { rows: params.m as usize, cols: params.n as usize };
            if let Some(gemm) = op.kernel.gemm().cloned() {
                for binding in &mut op.bindings {
                    let (shape, levels) = shape(&gemm, binding.name, &params);
                    binding.tensor = match levels {
                        true => tensors.words(binding.name, &shape),
                        false => tensors.floats(binding.name, &shape),
                    };
                }
            }
            StepPlan { name: "product".into(), ops: vec![op] }
        });
        Self { program: Program { tensors, plans: plans.into(), ..Program::default() } }
    }

    /// The expected output of the small op.
    fn reference(&self, gpu: &Arc<Gpu>, checked: bool) -> Result<Vec<Vec<f32>>, GpuError> {
        // The op is left out at its own size, which may exceed the adapter's limits with the reference variant.
        let mut alone = Self { program: self.program.clone() };
        alone.program.plans[0].ops.clear();
        self.results(&mut alone.compile(gpu, GemmVariant::Naive, checked)?)
    }

    fn compile(&self, gpu: &Arc<Gpu>, variant: GemmVariant, checked: bool) -> Result<GpuExecutor, GpuError> {
        let tuning = TuningTable::all_of(self.program.plans.iter().flat_map(|p| &p.ops), variant);
        let options = GpuOptions { checked, tuning, ..GpuOptions::default() };
        let mut executor = GpuExecutor::new(gpu.clone(), self.program.clone(), &options)?;
        // Sums of numbers like these stay near 1, where exp neither overflows nor magnifies rounding.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let values: Vec<u32> = (0..4099).map(|_| (rng.random::<f32>() * 0.2 - 0.1).to_bits()).collect();
        for tensor in self.program.tensors.tensors() {
            let words: Vec<u32> = values.iter().copied().cycle().take(tensor.len()).collect();
            executor.write_at(tensor.buffer, tensor.offset, &words)?;
        }
        Ok(executor)
    }

    /// Seconds of a variant, and its executor; an error where its results differ from the reference.
    fn time(
        &self,
        gpu: &Arc<Gpu>,
        variant: GemmVariant,
        checked: bool,
        expected: &[Vec<f32>],
        left: Duration,
    ) -> Result<Result<(f64, GpuExecutor), String>, GpuError> {
        let mut executor = self.compile(gpu, variant, checked)?;
        let found = self.results(&mut executor)?;
        if let Err(why) = agree(&found, expected) {
            return Ok(Err(why));
        }
        let patience = Duration::from_millis(20).min(left);
        Ok(Ok((executor.step_seconds(PlanId(0), &Self::STEP, patience)?, executor)))
    }

    /// The output of the small op.
    fn results(&self, executor: &mut GpuExecutor) -> Result<Vec<Vec<f32>>, GpuError> {
        executor.dispatch(PlanId(1), &Self::STEP)?;
        let written = self.program.plans[1].ops[0].bindings.iter().filter(|b| b.access.writes());
        written
            .map(|b| {
                let t = self.program.tensors.get(b.tensor);
                Ok(bytemuck::cast_vec(executor.read_at(t.buffer, t.offset, t.len())?))
            })
            .collect()
    }
}

/// Sizes at which a slow reference is fast; the small op has the same code.
fn small(gemm: &Gemm, p: &GemmParams) -> GemmParams {
    // A smaller extent keeps the remainder by 4, on which the code depends.
    let less = |extent: u32, most: u32| if extent <= most { extent } else { most + extent % 4 };
    let Some(windows) = &gemm.windows else {
        return GemmParams { m: less(p.m, SMALL[0]), n: less(p.n, SMALL[1]), k: less(p.k, SMALL[2]) };
    };
    // A product over windows has the rows of whole images.
    let images = |rows: u32, each: usize, most: u32| rows.min((most.div_ceil(each as u32)) * each as u32);
    match gemm.orientation {
        Orientation::Nt => GemmParams { m: images(p.m, windows.rows(), SMALL[0]), ..*p },
        Orientation::Nn => GemmParams { m: images(p.m, windows.pixels(), SMALL[0]), ..*p },
        Orientation::Tn => GemmParams { k: images(p.k, windows.rows(), SMALL[2]), ..*p },
    }
}

/// The shape of an op's tensor, from the sizes of its product; and whether it is grey levels in words.
fn shape(gemm: &Gemm, name: &str, p: &GemmParams) -> (Vec<usize>, bool) {
    let [m, n, k] = [p.m, p.n, p.k].map(|extent| extent as usize);
    let matrix = |rows: usize, cols: usize, levels: bool| match levels {
        true => (vec![rows, words_per_row(cols)], true),
        false => (vec![rows, cols], false),
    };
    let images =
        |rows: usize, each: usize, w: &Windows| matrix(rows / each, w.image_len(), gemm.a_levels || gemm.b_levels);
    match (name, gemm.orientation, &gemm.windows) {
        ("a", Orientation::Nt, Some(w)) => return images(m, w.rows(), w),
        ("b", Orientation::Tn, Some(w)) => return images(k, w.rows(), w),
        ("a", Orientation::Nn, Some(w)) => {
            return (vec![m / w.pixels() * w.rows(), k / (w.cols() / w.channels())], false);
        }
        ("b", Orientation::Nn, Some(w)) => return (vec![k / (w.cols() / w.channels()), w.cols()], false),
        _ => {}
    }
    match (name, gemm.orientation) {
        ("a", Orientation::Tn) => return matrix(k, m, gemm.a_levels),
        ("a", _) => return matrix(m, k, gemm.a_levels),
        ("b", Orientation::Nt) => return matrix(n, k, gemm.b_levels),
        ("b", _) => return matrix(k, n, gemm.b_levels),
        ("bias", _) => return (vec![n], false),
        ("row_sum", _) => return (vec![m], false),
        _ => {}
    }
    let number = |names: &[&str]| names.iter().position(|known| *known == name);
    let inputs = gemm.epilogue.inputs.iter().map(|input| (input.binding, input.index));
    let stores = gemm.epilogue.stores.iter().map(|store| (store.binding, store.index));
    let index = match (number(&Pointwise::IN), number(&Pointwise::OUT)) {
        (Some(binding), _) => inputs.into_iter().find(|(b, _)| *b == binding).map(|(_, index)| index),
        (_, Some(binding)) => stores.into_iter().find(|(b, _)| *b == binding).map(|(_, index)| index),
        _ => return (vec![m, words_per_row(n)], false),
    };
    let cols = if gemm.pairs { n / 2 } else { n };
    match index {
        Some(Index::Columns { stride, .. }) => (vec![m, stride as usize], false),
        Some(Index::Levels) => matrix(m, cols, true),
        Some(Index::LevelsOf { rows }) => matrix(m / rows as usize, cols * rows as usize, true),
        Some(Index::Repeated { rows }) => (vec![m / rows as usize, cols], false),
        Some(Index::PerRow) => (vec![m], false),
        Some(Index::PerColumn) => (vec![cols], false),
        Some(Index::Once) => (vec![1], false),
        Some(Index::Whole) | None => (vec![m, cols], false),
    }
}

/// Whether two variants' results differ by no more than a different order of summation explains.
fn agree(found: &[Vec<f32>], expected: &[Vec<f32>]) -> Result<(), String> {
    for (found, expected) in found.iter().zip(expected) {
        let squares: f64 = expected.iter().map(|v| f64::from(*v).powi(2)).sum();
        let rms = (squares / expected.len() as f64).sqrt();
        for (f, e) in found.iter().zip(expected) {
            let (f, e) = (f64::from(*f), f64::from(*e));
            // The values also differ where the error is NaN.
            let within = (f - e).abs() <= 1e-4 * (e.abs() + rms);
            if !within {
                return Err(format!("it gave {f} where the reference has {e}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_agree_but_for_rounding() {
        let expected = vec![vec![1.0, -2.0, 0.0]];
        assert!(agree(&[vec![1.00001, -2.0, 0.00001]], &expected).is_ok());
        assert!(agree(&[vec![1.001, -2.0, 0.0]], &expected).is_err());
        assert!(agree(&[vec![1.0, f32::NAN, 0.0]], &expected).is_err());
    }
}
