//! Ops: a kernel, the tensors bound to it by name, its params and its grid.

use super::{Kernel, TensorId, TensorTable};

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

/// A rule by which two ops become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FuseRule {
    /// A vector that is added to every row of a product becomes the product's bias.
    Bias,
    /// A pointwise op that reads what another makes becomes one op with it.
    Chain,
    /// A pointwise op that reads a product becomes the product's epilogue.
    Epilogue,
    /// An op sums four columns each of what it makes; the op that sums each row stays and adds these partial sums.
    PartialSums,
    /// The column sums of an operand (a bias gradient) are made beside the product.
    RowSum,
    /// Row sums of several matrices become one op.
    Rows,
}

impl FuseRule {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [FuseRule; 6] =
        [FuseRule::Bias, FuseRule::Chain, FuseRule::Epilogue, FuseRule::PartialSums, FuseRule::RowSum, FuseRule::Rows];

    /// The name that listings show.
    pub fn name(self) -> &'static str {
        match self {
            FuseRule::Bias => "bias",
            FuseRule::Chain => "chain",
            FuseRule::Epilogue => "epilogue",
            FuseRule::PartialSums => "partial-sums",
            FuseRule::RowSum => "row-sum",
            FuseRule::Rows => "rows",
        }
    }

    /// What the rule does, in one sentence.
    pub fn summary(self) -> &'static str {
        match self {
            FuseRule::Bias => "a vector added to every row of a product becomes the product's bias",
            FuseRule::Chain => "a pointwise op that reads what another makes becomes one op with it",
            FuseRule::Epilogue => "a pointwise op that reads a product becomes the product's epilogue",
            FuseRule::PartialSums => "an op sums its own columns by fours, and the op that sums rows adds these up",
            FuseRule::RowSum => "column sums of an operand (a bias gradient) are made beside the product",
            FuseRule::Rows => "row sums of several matrices become one op",
        }
    }
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
    /// The ops it has taken in: by which rule, and their labels.
    pub fused: Vec<(FuseRule, String)>,
}

impl Op {
    /// An op without bindings.
    pub fn new(label: impl Into<String>, kernel: Kernel, grid: Grid) -> Self {
        Self { label: label.into(), kernel, bindings: Vec::new(), params: None, grid, flops: 0, fused: Vec::new() }
    }

    /// Binds a tensor.
    pub fn add(&mut self, name: &'static str, tensor: TensorId, access: Access) {
        self.bindings.push(Binding { name, tensor, access, touched: None });
    }

    fn bind(mut self, name: &'static str, tensor: TensorId, access: Access) -> Self {
        self.add(name, tensor, access);
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

    /// Whether two ops must stay in their order: one writes what the other uses.
    pub fn depends_on(&self, other: &Op, tensors: &TensorTable) -> bool {
        self.bindings.iter().any(|a| {
            let writes = |b: &Binding| a.access.writes() || b.access.writes();
            other.bindings.iter().any(|b| writes(b) && tensors.overlap(a.tensor, b.tensor))
        })
    }

    /// The tensor bound under a name.
    pub fn tensor(&self, name: &str) -> Option<TensorId> {
        self.bindings.iter().find(|b| b.name == name).map(|b| b.tensor)
    }
}
