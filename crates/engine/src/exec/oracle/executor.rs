//! Runs plans over the oracle's memory.

use std::collections::VecDeque;

use super::{
    BufferContent, Call, Memory, Real, attention, batch, cross_entropy, embed, gemm, log_sum_exp, norm, optimizer,
    pointwise, pool, recurrent, reduce, rng, roof, softmax,
};
use crate::kernels::map::MapParams;
use crate::plan::{BufferId, Dtype, Kernel, MetricRows, Op, PlanId, Program, Step, StepScalars, TensorId};

/// A program and its memory on the CPU.
pub struct Oracle<T> {
    program: Program,
    memory: Memory<T>,
    finished: VecDeque<MetricRows>,
}

impl<T: Real> Oracle<T> {
    /// Allocates every buffer, filled with zeros.
    pub fn new(program: Program) -> Self {
        let stores = program
            .tensors
            .buffers()
            .iter()
            .map(|b| match b.dtype {
                Dtype::F32 => BufferContent::Floats(vec![T::zero(); b.len]),
                Dtype::U32 => BufferContent::Words(vec![0; b.len]),
            })
            .collect();
        Self { program, memory: Memory { stores }, finished: VecDeque::new() }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Overwrites part of a buffer; floats are given as their bits.
    pub fn write_at(&mut self, buffer: BufferId, offset: usize, words: &[u32]) {
        match &mut self.memory.stores[buffer.0] {
            BufferContent::Floats(values) => {
                for (value, word) in values[offset..].iter_mut().zip(words) {
                    *value = T::of(f64::from(f32::from_bits(*word)));
                }
            }
            BufferContent::Words(all) => all[offset..offset + words.len()].copy_from_slice(words),
        }
    }

    /// Reads part of a buffer; floats are returned as the bits of an f32.
    pub fn read_at(&self, buffer: BufferId, offset: usize, len: usize) -> Vec<u32> {
        match &self.memory.stores[buffer.0] {
            BufferContent::Floats(values) => {
                values[offset..offset + len].iter().map(|v| (v.wide() as f32).to_bits()).collect()
            }
            BufferContent::Words(words) => words[offset..offset + len].to_vec(),
        }
    }

    /// A float tensor in full precision; empty for a tensor of words.
    pub fn values(&self, tensor: TensorId) -> &[T] {
        let tensor = self.program.tensors.get(tensor);
        match &self.memory.stores[tensor.buffer.0] {
            BufferContent::Floats(values) => &values[tensor.offset..tensor.offset + tensor.len()],
            BufferContent::Words(_) => &[],
        }
    }

    /// A float tensor in full precision, mutable; empty for a tensor of words.
    pub fn values_mut(&mut self, tensor: TensorId) -> &mut [T] {
        let tensor = self.program.tensors.get(tensor);
        let range = tensor.offset..tensor.offset + tensor.len();
        match &mut self.memory.stores[tensor.buffer.0] {
            BufferContent::Floats(values) => &mut values[range],
            BufferContent::Words(_) => &mut [],
        }
    }

    /// Runs one step with the given scalars.
    pub fn dispatch(&mut self, plan: PlanId, step: &StepScalars) {
        for op in &self.program.plans[plan.0].ops {
            run(&mut Call { op, tensors: &self.program.tensors, memory: &mut self.memory, step });
        }
    }

    /// Runs steps and keeps their metrics for [`Oracle::collect`].
    pub(in crate::exec) fn submit(&mut self, steps: &[Step]) {
        let mut rows = MetricRows::default();
        let metrics = self.program.metrics.as_ref().map(|metrics| (metrics.ring, metrics.names.len()));
        for Step { plan, scalars } in steps {
            self.dispatch(*plan, &StepScalars { slot: 0, ..*scalars });
            let row = metrics.map_or(&[][..], |(ring, width)| &self.values(ring)[..width]);
            rows.push(row.iter().map(|value| value.wide()));
        }
        self.finished.push_back(rows);
    }

    /// How many submits are not collected.
    pub fn uncollected(&self) -> usize {
        self.finished.len()
    }

    /// The metrics of the oldest submit not yet collected.
    pub fn collect(&mut self) -> Option<MetricRows> {
        self.finished.pop_front()
    }
}

fn run<T: Real>(call: &mut Call<'_, T>) {
    let op: &Op = call.op;
    match &op.kernel {
        Kernel::Batch(gather, binarise) => batch::run(call, *gather, *binarise),
        Kernel::CrossEntropy(kernel) => cross_entropy::run(call, *kernel),
        Kernel::Embed(pass) => embed::run(call, *pass),
        Kernel::Gemm(product) => gemm::run(call, product),
        Kernel::LogSumExp(kernel) => log_sum_exp::run(call, *kernel),
        Kernel::Map(program) => {
            let p = MapParams::of(op);
            pointwise::run(call, program, p.m as usize, None, p.n as usize);
        }
        Kernel::Norm(norm, pass) => norm::run(call, *norm, *pass),
        Kernel::Pool(kind) => pool::run(call, kind),
        Kernel::Attention(kernel) => attention::run(call, *kernel),
        Kernel::Recurrent(kernel) => recurrent::run(call, *kernel),
        Kernel::Softmax(pass) => softmax::run(call, *pass),
        Kernel::Update(update) => optimizer::run(call, *update),
        Kernel::Reduce(kind) => reduce::run(call, *kind),
        Kernel::RandomBits => rng::run(call),
        Kernel::Roof(kind) => roof::run(call, *kind),
    }
}
