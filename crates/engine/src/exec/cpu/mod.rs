//! The fast executor on the processor: runs the same plans in f32 on all cores. It is compared with the oracle, which is
//! slow and plain.
//!
//! Every op becomes a job: tasks that threads take in any order. The order of sums depends on the op alone, so the same bytes come
//! out with any number of threads. The number of threads decides only how a product is divided into tiles.

mod activation;
mod attention;
mod batch;
mod cross_entropy;
mod embed;
mod executor;
mod gemm;
mod job;
mod latent;
mod likelihood;
mod log_sum_exp;
mod math;
mod memory;
mod norm;
mod optimizer;
mod pointwise;
mod pool;
mod recurrent;
mod reduce;
mod rng;
mod roof;
mod softmax;
mod threads;
mod vector;

pub use executor::Cpu;

use crate::plan::{Kernel, Op, Pass, TensorTable, Update};
use job::Job;
use memory::{Memory, Region};

/// Makes jobs of the ops of a stage.
struct Builder<'a> {
    tensors: &'a TensorTable,
    /// Threads that there are.
    threads: usize,
    /// Elements that the jobs of this stage keep from phase to phase.
    kept: usize,
}

impl Builder<'_> {
    /// Room that a job's phases share. Other stages use it for something else.
    fn scratch(&mut self, len: usize) -> Region {
        let start = self.kept;
        // Each region has cache lines of its own, so that threads do not wait for each other's writes.
        self.kept += len.next_multiple_of(32);
        Memory::scratch(self.tensors, start..start + len)
    }

    fn job(&mut self, op: &Op) -> Box<dyn Job> {
        let tensors = self.tensors;
        match &op.kernel {
            Kernel::Attention(kernel) => Box::new(attention::Heads::new(op, tensors, *kernel)),
            Kernel::Batch(gather, binarise) => Box::new(batch::Rows::new(op, tensors, *gather, *binarise)),
            Kernel::CrossEntropy(kernel) => Box::new(cross_entropy::Rows::new(op, tensors, *kernel)),
            Kernel::Embed(Pass::Forward) => Box::new(embed::Positions::new(op, tensors)),
            Kernel::Embed(Pass::Backward) => Box::new(embed::Table::new(op, tensors)),
            Kernel::Gemm(product) => gemm::job(self, op, product),
            Kernel::LogSumExp(kernel) => Box::new(log_sum_exp::Groups::new(op, tensors, *kernel)),
            Kernel::Map(program) => Box::new(pointwise::Map::new(op, tensors, program)),
            Kernel::Norm(norm, pass) => Box::new(norm::Groups::new(op, tensors, *norm, *pass)),
            Kernel::Pool(pool) => Box::new(pool::Images::new(op, tensors, pool)),
            Kernel::Recurrent(kernel) => recurrent::job(self, op, *kernel),
            Kernel::Softmax(pass) => Box::new(softmax::Rows::new(op, tensors, *pass)),
            Kernel::Update(Update::Multiplier) => Box::new(optimizer::Multiplier::new(op, tensors)),
            Kernel::Update(update) => Box::new(optimizer::Arena::new(op, tensors, *update)),
            Kernel::Reduce(kind) => reduce::job(self, op, *kind),
            Kernel::RandomBits => Box::new(rng::Bits::new(op, tensors)),
            Kernel::Roof(kind) => Box::new(roof::Yardstick::new(op, tensors, *kind)),
        }
    }
}
