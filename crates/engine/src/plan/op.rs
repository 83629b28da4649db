//! Ops: a kernel, the tensors bound to it by name, its params and its grid.

use super::{Kernel, TensorId, TensorTable};

/// The way in which an op uses a bound tensor.
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
    /// The way in which the op uses the tensor.
    pub access: Access,
    /// Elements the op touches, if not the whole tensor: a gather reads only a batch of the data set.
    pub touched: Option<usize>,
}

/// A member of a uniform struct: its name and byte offset on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The member's name.
    pub name: &'static str,
    /// The offset of the member in bytes.
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

impl ParamsBlock {
    /// The bytes of one of several dispatches: the member `turn`, where there is one, has its number.
    pub fn of_turn(&self, turn: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(field) = self.fields.iter().find(|field| field.name == "turn") {
            bytes[field.offset..field.offset + 4].copy_from_slice(&turn.to_ne_bytes());
        }
        bytes
    }
}

/// How many workgroups an op needs, before a workgroup's size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// One workgroup.
    Single,
    /// One workgroup per row.
    Rows(usize),
    /// One invocation per element.
    Elements(usize),
    /// One workgroup per output tile of a `(rows, cols)` matrix; the GEMM variant decides the tile.
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
    /// A map or an epilogue reads a row in place of its copies.
    Repeat,
    /// A number per column that is added to a product becomes its bias.
    Bias,
    /// A map of a map's result is merged into it.
    Chain,
    /// A map of a product becomes its epilogue.
    Epilogue,
    /// An op computes sums over four columns each of its result; the op that sums whole rows adds these up.
    PartialSums,
    /// The column sums of an operand become an output of the product.
    RowSum,
    /// Sums over the rows of several matrices become one op.
    Rows,
}

impl FuseRule {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [FuseRule; 7] = [
        FuseRule::Repeat,
        FuseRule::Bias,
        FuseRule::Chain,
        FuseRule::Epilogue,
        FuseRule::PartialSums,
        FuseRule::RowSum,
        FuseRule::Rows,
    ];

    /// The name that listings show.
    pub fn name(self) -> &'static str {
        match self {
            FuseRule::Repeat => "repeat",
            FuseRule::Bias => "bias",
            FuseRule::Chain => "chain",
            FuseRule::Epilogue => "epilogue",
            FuseRule::PartialSums => "partial-sums",
            FuseRule::RowSum => "row-sum",
            FuseRule::Rows => "rows",
        }
    }

    /// Says in one sentence what the rule does.
    pub fn summary(self) -> &'static str {
        match self {
            FuseRule::Repeat => "a pointwise op reads each row several times in place of copies of it",
            FuseRule::Bias => "a vector added to every row of a product becomes the product's bias",
            FuseRule::Chain => "a pointwise op that reads what another makes becomes one op with it",
            FuseRule::Epilogue => "a pointwise op that reads a product becomes the product's epilogue",
            FuseRule::PartialSums => "an op sums its own columns by fours, and the op that sums rows adds these up",
            FuseRule::RowSum => "column sums of an operand (a bias gradient) are made beside the product",
            FuseRule::Rows => "row sums of several matrices become one op",
        }
    }
}

/// One dispatch, or several in a row that differ in their turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// The name of the op, e.g. `encoder.0 forward`.
    pub label: String,
    /// The kernel that runs.
    pub kernel: Kernel,
    /// The bound tensors.
    pub bindings: Vec<Binding>,
    /// The uniform `params`, if the kernel has one.
    pub params: Option<ParamsBlock>,
    /// The number of workgroups.
    pub grid: Grid,
    /// Dispatches in a row: each has its number from 0 on in the member `turn` of `params`.
    pub turns: usize,
    /// Floating-point operations, transcendental functions counted as one.
    pub flops: u64,
    /// The ops fused into it: rule and label of each.
    pub fused: Vec<(FuseRule, String)>,
}

impl Op {
    /// An op without bindings.
    pub fn new(label: impl Into<String>, kernel: Kernel, grid: Grid) -> Self {
        Self {
            label: label.into(),
            kernel,
            bindings: Vec::new(),
            params: None,
            grid,
            turns: 1,
            flops: 0,
            fused: Vec::new(),
        }
    }

    /// Binds a tensor.
    pub fn add(&mut self, name: &'static str, tensor: TensorId, access: Access) {
        self.bindings.push(Binding { name, tensor, access, touched: None });
    }

    fn bind(mut self, name: &'static str, tensor: TensorId, access: Access) -> Self {
        self.add(name, tensor, access);
        self
    }

    /// Declares that the op touches only `elements` elements of the last added binding.
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
