//! The oracle: runs the same plans in plain Rust loops, in f32 or f64. Every kernel, and the processor's every job, is compared
//! with it.

mod activation;
mod attention;
mod batch;
mod cross_entropy;
mod embed;
mod executor;
mod gemm;
mod latent;
mod likelihood;
mod log_sum_exp;
mod norm;
mod optimizer;
mod pointwise;
mod pool;
mod recurrent;
mod reduce;
mod rng;
mod roof;
mod softmax;
mod windows;

pub use executor::Oracle;
pub use pointwise::evaluate;
pub use rng::{normal, uniform};

use std::borrow::Cow;
use std::iter::Sum;
use std::ops::{AddAssign, MulAssign};

use crate::kernels::batch::words_per_row;
use crate::plan::{Dtype, Op, StepScalars, TensorId, TensorTable};

/// The number type of the oracle: f32 or f64.
pub trait Real: num_traits::Float + AddAssign + MulAssign + Sum + Default + Send + Sync + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// The number as f64.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// The results of a function, at most this many; unused ones are 0.
pub type Results<T> = [T; 4];

/// Numbers that are worth another thread: fewer are computed faster than it is woken.
const WORTH_A_THREAD: usize = 1 << 13;

/// How many rows to give a thread at least, where each takes so much.
fn rows_a_thread(each: usize) -> usize {
    WORTH_A_THREAD / each.max(1) + 1
}

/// The content of a buffer.
enum BufferContent<T> {
    Floats(Vec<T>),
    Words(Vec<u32>),
}

/// Every buffer of a program.
struct Memory<T> {
    stores: Vec<BufferContent<T>>,
}

/// One op's view of the memory; tensors are looked up by the names its shader uses.
struct Call<'a, T> {
    op: &'a Op,
    tensors: &'a TensorTable,
    memory: &'a mut Memory<T>,
    step: &'a StepScalars,
}

impl<T: Real> Call<'_, T> {
    fn id(&self, name: &str) -> TensorId {
        match self.op.tensor(name) {
            Some(id) => id,
            // Cannot fail: op constructors bind all that their kernels need, and every constructor is tested.
            None => panic!("{} has no tensor `{name}`", self.op.kernel.name()),
        }
    }

    /// A bound float tensor.
    fn read(&self, name: &str) -> &[T] {
        let tensor = self.tensors.get(self.id(name));
        match &self.memory.stores[tensor.buffer.0] {
            BufferContent::Floats(values) => &values[tensor.offset..tensor.offset + tensor.len()],
            BufferContent::Words(_) => panic!("{} holds words", tensor.name),
        }
    }

    /// A bound word tensor.
    fn words(&self, name: &str) -> &[u32] {
        let tensor = self.tensors.get(self.id(name));
        match &self.memory.stores[tensor.buffer.0] {
            BufferContent::Words(words) => &words[tensor.offset..tensor.offset + tensor.len()],
            BufferContent::Floats(_) => panic!("{} holds floats", tensor.name),
        }
    }

    /// A bound matrix with `width` columns, of floats or of grey levels packed in words.
    fn levels(&self, name: &str, cols: usize) -> Cow<'_, [T]> {
        if self.tensors.dtype(self.id(name)) == Dtype::F32 {
            return Cow::Borrowed(self.read(name));
        }
        let rows = self.words(name).chunks(words_per_row(cols));
        let bytes = rows.flat_map(|row| (0..cols).map(|d| row[d / 4].to_le_bytes()[d % 4]));
        Cow::Owned(bytes.map(|byte| T::of(f64::from(byte)) / T::of(255.0)).collect())
    }

    /// Overwrites a bound word tensor.
    fn write_words(&mut self, name: &str, changed: &[u32]) {
        let tensor = self.tensors.get(self.id(name));
        if let BufferContent::Words(words) = &mut self.memory.stores[tensor.buffer.0] {
            words[tensor.offset..tensor.offset + changed.len()].copy_from_slice(changed);
        }
    }

    /// Takes a bound float tensor out of the memory to change it; [`Call::write_back`] brings it back. A tensor that is
    /// its whole buffer is moved, one that is a part of an arena is copied.
    fn take(&mut self, name: &str) -> Vec<T> {
        let tensor = self.tensors.get(self.id(name));
        match &mut self.memory.stores[tensor.buffer.0] {
            BufferContent::Floats(values) if values.len() == tensor.len() => std::mem::take(values),
            BufferContent::Floats(values) => values[tensor.offset..tensor.offset + tensor.len()].to_vec(),
            BufferContent::Words(_) => panic!("{} holds words", tensor.name),
        }
    }

    /// Writes the values of a bound float tensor, which may have been taken out before.
    fn write_back(&mut self, name: &str, changed: Vec<T>) {
        let tensor = self.tensors.get(self.id(name));
        if let BufferContent::Floats(values) = &mut self.memory.stores[tensor.buffer.0] {
            if values.is_empty() {
                *values = changed;
            } else {
                values[tensor.offset..tensor.offset + changed.len()].copy_from_slice(&changed);
            }
        }
    }
}
