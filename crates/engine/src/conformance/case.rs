//! Cases: ops on synthetic tensors, with tolerances for their results. One registry serves the comparison of GPU and
//! oracle, the gradient checks of the oracle and the benchmarks.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::plan::{Dtype, Op, PlanError, Program, StepPlan, StepScalars, TensorId, TensorTable};

/// The values that an input is filled with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    /// Random words.
    Bits,
    /// Random words below this one.
    Below(u32),
    /// Uniform in [0, 1).
    Levels,
    /// Whole numbers below this one, and one in eight -1: no token.
    Tokens(u32),
    /// Random picks from these values, to hit bounds and branches.
    Among(&'static [f32]),
    /// The values of this list, one after the other.
    Exactly(&'static [f32]),
    /// This value in every element.
    Each(f32),
    /// Uniform in (-spread, spread).
    Spread(f32),
    /// Uniform in (-common, common), one in eight in (-rare, rare).
    Heavy {
        /// The usual spread.
        common: f32,
        /// The spread of one in eight.
        rare: f32,
    },
}

/// How far an output may be from the oracle's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// `|a - b| <= t (|b| + min(rms(b), 1))`; 0 requires equality.
    Relative(f64),
}

/// Ops on synthetic tensors.
#[derive(Debug, Clone)]
pub struct Case {
    /// `family/what sizes`.
    pub name: String,
    /// The tensors and one plan, named `case`.
    pub program: Program,
    /// The inputs and their values.
    pub inputs: Vec<(TensorId, Fill)>,
    /// The compared outputs and their tolerances.
    pub outputs: Vec<(TensorId, Tolerance)>,
    /// The step's scalars.
    pub step: StepScalars,
    /// Whether the benchmarks run it.
    pub timed: bool,
}

/// Guard elements after every tensor of a case, which detect writes past its end.
pub const GUARD: usize = 64;

impl Case {
    /// A case without ops.
    pub fn new(name: impl Into<String>, step: StepScalars) -> Self {
        Self {
            name: name.into(),
            program: Program { plans: vec![StepPlan { name: "case".into(), ops: Vec::new() }], ..Program::default() },
            inputs: Vec::new(),
            outputs: Vec::new(),
            step,
            timed: false,
        }
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, shape: &[usize], dtype: Dtype, fill: Fill) -> TensorId {
        let id = self.program.tensors.guarded(name, shape, dtype, GUARD);
        self.inputs.push((id, fill));
        id
    }

    /// Adds a float output.
    pub fn output(&mut self, name: &str, shape: &[usize], tolerance: Tolerance) -> TensorId {
        let id = self.program.tensors.guarded(name, shape, Dtype::F32, GUARD);
        self.outputs.push((id, tolerance));
        id
    }

    /// Adds an output of words, which must be equal.
    pub fn word_output(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let id = self.program.tensors.guarded(name, shape, Dtype::U32, GUARD);
        self.outputs.push((id, Tolerance::Relative(0.0)));
        id
    }

    /// Adds a float tensor that is read, written and compared.
    pub fn updated(&mut self, name: &str, shape: &[usize], fill: Fill, tolerance: Tolerance) -> TensorId {
        let id = self.input(name, shape, Dtype::F32, fill);
        self.outputs.push((id, tolerance));
        id
    }

    /// Adds a metrics ring `(slots, M)`; slots that the step does not write must keep their values.
    pub fn ring(&mut self, name: &str, shape: [usize; 2], tolerance: Tolerance) -> TensorId {
        self.updated(name, &shape, Fill::Levels, tolerance)
    }

    /// Adds an op.
    ///
    /// # Panics
    /// If the shapes do not fit: the registry is fixed, and every case of it is built in a test.
    pub fn op(&mut self, build: impl FnOnce(&TensorTable) -> Result<Op, PlanError>) {
        match build(&self.program.tensors) {
            Ok(op) => self.program.plans[0].ops.push(op),
            Err(error) => panic!("case {}: {error}", self.name),
        }
    }

    /// Says whether the benchmarks run it.
    pub fn timed(mut self, timed: bool) -> Self {
        self.timed = timed;
        self
    }

    /// The words of every input, the same at each call.
    pub fn input_words(&self) -> Vec<(TensorId, Vec<u32>)> {
        let mut rng = ChaCha8Rng::seed_from_u64(0x7767_7661_6521);
        self.inputs
            .iter()
            .map(|&(id, fill)| {
                let words = (0..self.program.tensors.get(id).len())
                    .map(|place| match fill {
                        Fill::Bits => rng.next_u32(),
                        Fill::Below(end) => rng.random_range(0..end),
                        Fill::Tokens(_) if rng.random_range(0..8) == 0 => (-1.0f32).to_bits(),
                        Fill::Tokens(end) => (rng.random_range(0..end) as f32).to_bits(),
                        Fill::Levels => rng.random::<f32>().to_bits(),
                        Fill::Among(values) => values[rng.random_range(0..values.len())].to_bits(),
                        Fill::Exactly(values) => values[place % values.len()].to_bits(),
                        Fill::Each(value) => value.to_bits(),
                        Fill::Spread(s) => symmetric(&mut rng, s).to_bits(),
                        Fill::Heavy { common, rare } => {
                            let spread = if rng.random_range(0..8) == 0 { rare } else { common };
                            symmetric(&mut rng, spread).to_bits()
                        }
                    })
                    .collect();
                (id, words)
            })
            .collect()
    }
}

fn symmetric(rng: &mut ChaCha8Rng, spread: f32) -> f32 {
    (rng.random::<f32>() * 2.0 - 1.0) * spread
}
