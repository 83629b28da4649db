//! Tensors: named, shaped views of buffers.

use super::PlanError;

/// The element type of a buffer. Both types have four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 32-bit words: packed bytes, or random bits.
    U32,
}

/// Names a [`Buffer`] of a [`TensorTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// Names a [`Tensor`] of a [`TensorTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// One allocation. GPU hazards are tracked per buffer, so two ops that should overlap write different ones.
#[derive(Debug, Clone)]
pub struct Buffer {
    /// A name for messages and debuggers.
    pub name: String,
    /// Elements of four bytes.
    pub len: usize,
    /// The element type.
    pub dtype: Dtype,
}

/// A row-major view of a buffer, contiguous from `offset`.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// A name for plans, messages and checkpoints.
    pub name: String,
    /// Extents, slowest first.
    pub shape: Vec<usize>,
    /// The buffer that holds it.
    pub buffer: BufferId,
    /// First element within the buffer.
    pub offset: usize,
}

impl Tensor {
    /// How many elements the tensor has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Every buffer and tensor of a program.
#[derive(Debug, Clone, Default)]
pub struct TensorTable {
    buffers: Vec<Buffer>,
    tensors: Vec<Tensor>,
}

impl TensorTable {
    /// Bytes of all buffers.
    ///
    /// ```
    /// let mut tensors = wgvae_engine::plan::TensorTable::default();
    /// tensors.floats("x", &[64, 10]);
    /// assert_eq!(tensors.memory(), 2560);
    /// ```
    pub fn memory(&self) -> u64 {
        self.buffers.iter().map(|buffer| 4 * buffer.len as u64).sum()
    }

    /// Adds a buffer of `len` elements without a tensor of its own.
    pub fn buffer(&mut self, name: impl Into<String>, len: usize, dtype: Dtype) -> BufferId {
        self.buffers.push(Buffer { name: name.into(), len, dtype });
        BufferId(self.buffers.len() - 1)
    }

    /// Adds a float tensor in a buffer of its own.
    pub fn floats(&mut self, name: impl Into<String>, shape: &[usize]) -> TensorId {
        self.alone(name.into(), shape, Dtype::F32, 0)
    }

    /// Adds a word tensor in a buffer of its own.
    pub fn words(&mut self, name: impl Into<String>, shape: &[usize]) -> TensorId {
        self.alone(name.into(), shape, Dtype::U32, 0)
    }

    /// Adds a tensor whose buffer is `guard` elements longer than the tensor: tests look there for stray writes.
    pub fn guarded(&mut self, name: impl Into<String>, shape: &[usize], dtype: Dtype, guard: usize) -> TensorId {
        self.alone(name.into(), shape, dtype, guard)
    }

    fn alone(&mut self, name: String, shape: &[usize], dtype: Dtype, guard: usize) -> TensorId {
        let buffer = self.buffer(name.clone(), shape.iter().product::<usize>() + guard, dtype);
        self.view(name, buffer, 0, shape)
    }

    /// Adds a view of an existing buffer.
    pub fn view(&mut self, name: impl Into<String>, buffer: BufferId, offset: usize, shape: &[usize]) -> TensorId {
        let tensor = Tensor { name: name.into(), shape: shape.to_vec(), buffer, offset };
        debug_assert!(offset + tensor.len() <= self.buffers[buffer.0].len);
        self.tensors.push(tensor);
        TensorId(self.tensors.len() - 1)
    }

    /// The tensor of this id.
    pub fn get(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }

    /// The element type of a tensor.
    pub fn dtype(&self, id: TensorId) -> Dtype {
        self.buffers[self.get(id).buffer.0].dtype
    }

    /// Whether two tensors have elements in common.
    pub fn overlap(&self, a: TensorId, b: TensorId) -> bool {
        let [a, b] = [a, b].map(|id| self.get(id));
        a.buffer == b.buffer && a.offset < b.offset + b.len() && b.offset < a.offset + a.len()
    }

    /// Drops all tensors that are not marked, and buffers without tensors. Returns the new id of each tensor.
    pub fn retain(&mut self, wanted: impl Fn(TensorId) -> bool) -> Vec<Option<TensorId>> {
        let old = std::mem::take(self);
        let mut moved: Vec<Option<BufferId>> = vec![None; old.buffers.len()];
        let ids = old.tensors.into_iter().enumerate().map(|(id, tensor)| {
            let kept = wanted(TensorId(id)).then_some(tensor)?;
            let buffer = *moved[kept.buffer.0].get_or_insert_with(|| {
                self.buffers.push(old.buffers[kept.buffer.0].clone());
                BufferId(self.buffers.len() - 1)
            });
            self.tensors.push(Tensor { buffer, ..kept });
            Some(TensorId(self.tensors.len() - 1))
        });
        ids.collect()
    }

    /// All buffers, by [`BufferId`].
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// All tensors, by [`TensorId`].
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Checks that a tensor holds floats and has exactly this shape.
    pub fn expect(&self, op: &str, id: TensorId, shape: &[usize]) -> Result<(), PlanError> {
        self.expect_shape(op, id, shape)?;
        self.expect_dtype(op, id, Dtype::F32)
    }

    /// Checks that a tensor has exactly this shape, with any element type.
    pub fn expect_shape(&self, op: &str, id: TensorId, shape: &[usize]) -> Result<(), PlanError> {
        let tensor = self.get(id);
        if tensor.shape != shape {
            return Err(PlanError::Shape {
                op: op.to_string(),
                tensor: tensor.name.clone(),
                found: tensor.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        Ok(())
    }

    /// Checks how many elements a tensor has.
    pub fn expect_len(&self, id: TensorId, len: usize) -> Result<(), PlanError> {
        let tensor = self.get(id);
        if tensor.len() != len {
            return Err(PlanError::Shape {
                op: "input".into(),
                tensor: tensor.name.clone(),
                found: vec![len],
                expected: tensor.shape.clone(),
            });
        }
        Ok(())
    }

    /// Checks the element type of a tensor.
    pub fn expect_dtype(&self, op: &str, id: TensorId, dtype: Dtype) -> Result<(), PlanError> {
        if self.dtype(id) != dtype {
            return Err(PlanError::Dtype {
                op: op.to_string(),
                tensor: self.get(id).name.clone(),
                found: self.dtype(id),
                expected: dtype,
            });
        }
        Ok(())
    }

    /// The extents of a matrix, with any element type.
    pub fn matrix(&self, op: &str, id: TensorId) -> Result<(usize, usize), PlanError> {
        let tensor = self.get(id);
        match tensor.shape[..] {
            [rows, cols] => Ok((rows, cols)),
            _ => Err(PlanError::Shape {
                op: op.to_string(),
                tensor: tensor.name.clone(),
                found: tensor.shape.clone(),
                expected: vec![0, 0],
            }),
        }
    }
}
