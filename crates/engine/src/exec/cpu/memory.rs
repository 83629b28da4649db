//! The buffers of a program, which threads read and write side by side.
//!
//! This is one of three places with `unsafe`. It is sound for two reasons that are checked elsewhere. Ops of a
//! stage do not use what another of them writes: `executor.rs` checks this from the plan's bindings. The tasks of an op write
//! disjoint elements and read none that another task writes: each family divides its result into tiles. Ranges are always
//! checked here.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::Range;

use crate::plan::{BufferId, Op, Tensor, TensorId, TensorTable};

/// Words of a buffer, on a cache line of their own: vectors that lie across two lines are slow to load, and slower to store.
#[repr(C, align(64))]
struct Line(UnsafeCell<[u32; WORDS]>);

/// Words of a cache line.
const WORDS: usize = 16;

/// The words of a buffer; floats are kept as their bits.
struct Buffer {
    lines: Box<[Line]>,
    len: usize,
}

// SAFETY: tasks that run side by side do not touch an element that one of them writes; see above.
unsafe impl Sync for Buffer {}

/// Elements of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    buffer: usize,
    offset: usize,
    /// The number of elements.
    pub len: usize,
}

impl Region {
    /// The elements of a tensor.
    pub fn of(tensor: &Tensor) -> Self {
        Self { buffer: tensor.buffer.0, offset: tensor.offset, len: tensor.len() }
    }

    /// The elements of the tensor that an op binds under a name.
    pub fn bound(tensors: &TensorTable, op: &Op, name: &str) -> Self {
        match op.tensor(name) {
            Some(id) => Self::of(tensors.get(id)),
            // Cannot fail: op constructors bind all that their kernels need, and every constructor is tested.
            None => panic!("{} has no tensor `{name}`", op.kernel.name()),
        }
    }

    /// Some of them.
    pub fn part(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} elements", self.len);
        Self { offset: self.offset + range.start, len: range.len(), ..self }
    }
}

/// Every buffer of a program, and one for what ops keep from phase to phase.
pub(super) struct Memory {
    buffers: Vec<Buffer>,
}

fn zeros(len: usize) -> Buffer {
    let lines = (0..len.div_ceil(WORDS)).map(|_| Line(UnsafeCell::new([0; WORDS]))).collect();
    Buffer { lines, len }
}

impl Memory {
    /// The buffers of the tensors, filled with zeros, and behind them one of `scratch` elements.
    pub fn new(tensors: &TensorTable, scratch: usize) -> Self {
        let lengths = tensors.buffers().iter().map(|buffer| buffer.len).chain([scratch]);
        Self { buffers: lengths.map(zeros).collect() }
    }

    /// Elements of the buffer behind those of the tensors.
    pub fn scratch(tensors: &TensorTable, range: Range<usize>) -> Region {
        Region { buffer: tensors.buffers().len(), offset: range.start, len: range.len() }
    }

    fn at(&self, region: Region) -> *mut u32 {
        let buffer = &self.buffers[region.buffer];
        let end = region.offset.checked_add(region.len);
        assert!(end.is_some_and(|end| end <= buffer.len), "{region:?} of {} elements", buffer.len);
        // Lines lie behind each other, and have nothing but their words.
        buffer.lines.as_ptr().cast::<u32>().cast_mut().wrapping_add(region.offset)
    }

    /// Words that no other task writes.
    pub fn words(&self, region: Region) -> &[u32] {
        // SAFETY: the range is inside of the buffer, and nobody writes it meanwhile; see above.
        unsafe { std::slice::from_raw_parts(self.at(region), region.len) }
    }

    /// Floats that no other task writes.
    pub fn floats(&self, region: Region) -> &[f32] {
        bytemuck::cast_slice(self.words(region))
    }

    /// Words that only this task uses.
    #[allow(clippy::mut_from_ref)]
    pub fn words_mut(&self, region: Region) -> &mut [u32] {
        // SAFETY: the range is inside of the buffer, and nobody else uses it meanwhile; see above.
        unsafe { std::slice::from_raw_parts_mut(self.at(region), region.len) }
    }

    /// Floats that only this task uses.
    #[allow(clippy::mut_from_ref)]
    pub fn floats_mut(&self, region: Region) -> &mut [f32] {
        bytemuck::cast_slice_mut(self.words_mut(region))
    }

    /// Words of a buffer, while nothing runs.
    pub fn part(&mut self, BufferId(buffer): BufferId, range: Range<usize>) -> &mut [u32] {
        self.words_mut(Region { buffer, offset: range.start, len: range.len() })
    }

    /// The floats of a tensor, while nothing runs.
    pub fn tensor(&mut self, tensors: &TensorTable, id: TensorId) -> &[f32] {
        self.floats(Region::of(tensors.get(id)))
    }
}
