//! Ops: a kernel, the tensors bound to it by name, its constants and its grid.

use super::TensorId;

/// A shader file and its host side: the same stem in `shaders/`, `src/kernels/` and `src/oracle/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Gather, scale and binarise a batch.
    Batch,
    /// Matrix products with their epilogues.
    Dense,
    /// Reparameterisation, KL, and their gradients.
    Latent,
    /// Reconstruction losses and their gradients.
    Likelihood,
    /// SGD and Adam over the parameter arena.
    Optimizer,
    /// Sums in a fixed order.
    Reduce,
    /// Counter-based random bits.
    Rng,
    /// What the adapter can do at best, for the benchmarks.
    Roof,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 8] = [
        Family::Batch,
        Family::Dense,
        Family::Latent,
        Family::Likelihood,
        Family::Optimizer,
        Family::Reduce,
        Family::Rng,
        Family::Roof,
    ];

    /// The stem of the family's files.
    pub fn name(self) -> &'static str {
        match self {
            Family::Batch => "batch",
            Family::Dense => "dense",
            Family::Latent => "latent",
            Family::Likelihood => "likelihood",
            Family::Optimizer => "optimizer",
            Family::Reduce => "reduce",
            Family::Rng => "rng",
            Family::Roof => "roof",
        }
    }
}

/// Which entry point of which family, specialised by constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The shader family.
    pub family: Family,
    /// The entry point, for [`Family::Dense`] the orientation.
    pub entry: &'static str,
    /// Pipeline constants (for [`Family::Dense`] template keys), by name.
    pub constants: Vec<(&'static str, u32)>,
}

impl Kernel {
    /// A kernel without constants.
    pub fn new(family: Family, entry: &'static str) -> Self {
        Self { family, entry, constants: Vec::new() }
    }

    /// Adds a constant.
    pub fn with(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// A constant's value; 0 where it was not set.
    pub fn constant(&self, name: &str) -> u32 {
        self.constants.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v)
    }

    /// `family.entry`, as plans and messages show it.
    pub fn name(&self) -> String {
        format!("{}.{}", self.family.name(), self.entry)
    }
}

/// What an op does with a bound tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Only read.
    Read,
    /// Overwritten without being read.
    Write,
    /// Read and written.
    ReadWrite,
}

impl Access {
    /// Whether the op may change the tensor.
    pub fn writes(self) -> bool {
        self != Access::Read
    }
}

/// A tensor under the name the shader has for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The shader's variable.
    pub name: &'static str,
    /// The tensor bound to it.
    pub tensor: TensorId,
    /// What the op does with it.
    pub access: Access,
    /// Elements the op touches, where that is not the whole tensor: a gather reads a batch of the data set.
    pub touched: Option<usize>,
}

/// A member of a uniform struct: its name and byte offset on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The member's name.
    pub name: &'static str,
    /// Its offset in bytes.
    pub offset: usize,
}

impl Field {
    /// A field at an offset.
    pub const fn of(name: &'static str, offset: usize) -> Self {
        Self { name, offset }
    }
}

/// The contents of an op's uniform `params`, with the layout the host gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamsBlock {
    /// Names and offsets, to be checked against the shader's struct.
    pub fields: &'static [Field],
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How many workgroups an op needs, before a workgroup's size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// One workgroup.
    Single,
    /// One workgroup a row.
    Rows(usize),
    /// One invocation an element.
    Elements(usize),
    /// One workgroup an output tile of a `(rows, cols)` matrix; the kernel's variant knows the tile.
    Tiles {
        /// Rows of the output.
        rows: usize,
        /// Columns of the output.
        cols: usize,
    },
}

/// One dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// What it is for, e.g. `encoder.0 forward`.
    pub label: String,
    /// What runs.
    pub kernel: Kernel,
    /// What it runs on.
    pub bindings: Vec<Binding>,
    /// The uniform `params`, where the kernel has one.
    pub params: Option<ParamsBlock>,
    /// How much runs.
    pub grid: Grid,
    /// Floating-point operations, transcendental functions counted as one.
    pub flops: u64,
}

impl Op {
    /// An op without bindings.
    pub fn new(label: impl Into<String>, kernel: Kernel, grid: Grid) -> Self {
        Self { label: label.into(), kernel, bindings: Vec::new(), params: None, grid, flops: 0 }
    }

    fn bind(mut self, name: &'static str, tensor: TensorId, access: Access) -> Self {
        self.bindings.push(Binding { name, tensor, access, touched: None });
        self
    }

    /// Says that the binding added last touches only so many elements.
    pub fn touching(mut self, elements: usize) -> Self {
        if let Some(binding) = self.bindings.last_mut() {
            binding.touched = Some(elements);
        }
        self
    }

    /// Binds a tensor that is only read.
    pub fn read(self, name: &'static str, tensor: TensorId) -> Self {
        self.bind(name, tensor, Access::Read)
    }

    /// Binds a tensor that is overwritten.
    pub fn write(self, name: &'static str, tensor: TensorId) -> Self {
        self.bind(name, tensor, Access::Write)
    }

    /// Binds a tensor that is read and written.
    pub fn update(self, name: &'static str, tensor: TensorId) -> Self {
        self.bind(name, tensor, Access::ReadWrite)
    }

    /// Sets the uniform `params`.
    pub fn params(mut self, params: ParamsBlock) -> Self {
        self.params = Some(params);
        self
    }

    /// Sets the operation count.
    pub fn flops(mut self, flops: usize) -> Self {
        self.flops = flops as u64;
        self
    }

    /// The tensor bound under a name.
    pub fn tensor(&self, name: &str) -> Option<TensorId> {
        self.bindings.iter().find(|b| b.name == name).map(|b| b.tensor)
    }
}
