//! Pointwise programs: calls of functions on each element of a matrix, from inputs to stores and sums. A program runs
//! as a kernel of its own, or as the epilogue of a matrix product.

use std::fmt;

use super::{Function, ScalarId};

/// How a bound tensor is indexed by the element `(row, col)` of an `(M, N)` space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Index {
    /// `(M, N)`
    Whole,
    /// `N` neighbouring columns of some rows of `(.., stride)`.
    Columns {
        /// Columns of the tensor.
        stride: u32,
        /// The first element: a column of a row.
        offset: u32,
    },
    /// `(M, N)` grey levels, four to a word, each row starting on a word.
    Levels,
    /// Grey levels of images, four to a word: each image has so many rows of the space, and starts on a word.
    LevelsOf {
        /// Rows of an image.
        rows: u32,
    },
    /// `(M / rows, N)`: each row stands for so many neighbouring rows of the space.
    Repeated {
        /// Rows of the space for each row.
        rows: u32,
    },
    /// `(M, 1)`: one number per row.
    PerRow,
    /// `(1, N)`: one number per column.
    PerColumn,
    /// `(1, 1)`
    Once,
}

impl Index {
    /// Whether the tensor holds grey levels.
    pub fn is_levels(self) -> bool {
        matches!(self, Index::Levels | Index::LevelsOf { .. })
    }
}

/// An input: the number of its binding `in0`, `in1`, ..., and how it is indexed. Several inputs may read one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Input {
    /// The number of the binding.
    pub binding: usize,
    /// How the tensor is indexed.
    pub index: Index,
}

/// A value in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// The matrix product, with its bias; in a product of pairs, the first (0) or the second (1) column.
    Product(usize),
    /// An input.
    Input(usize),
    /// A result of a call.
    Result {
        /// The number of the call.
        call: usize,
        /// The number of the result among those of the call.
        index: usize,
    },
    /// A constant, as the bits of an f32.
    Constant(u32),
    /// A scalar of the step, divided by a number.
    Step {
        /// The scalar.
        scalar: ScalarId,
        /// The divisor.
        over: u32,
    },
}

impl Value {
    /// Whether it is one number for the whole step.
    pub fn is_scalar(self) -> bool {
        matches!(self, Value::Constant(_) | Value::Step { .. })
    }

    /// A constant.
    pub fn constant(value: f32) -> Self {
        Value::Constant(value.to_bits())
    }
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// The function.
    pub function: Function,
    /// The arguments of the call.
    pub arguments: Vec<Value>,
}

/// A stored value: the number of its binding `out0`, `out1`, ..., and how that is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoredValue {
    /// The value.
    pub value: Value,
    /// The number of the binding.
    pub binding: usize,
    /// [`Index::Whole`] or [`Index::Columns`].
    pub index: Index,
    /// Whether it is added to the tensor's content.
    pub accumulate: bool,
}

/// A pointwise program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pointwise {
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// The stores.
    pub stores: Vec<StoredValue>,
    /// Values summed over four neighbouring columns each, into `sum0`, `sum1`, ..., each `(M, ceil(N / 4))`.
    pub sums: Vec<Value>,
}

impl Pointwise {
    /// Names of the bindings of inputs.
    pub const IN: [&'static str; 8] = ["in0", "in1", "in2", "in3", "in4", "in5", "in6", "in7"];
    /// Names of the bindings of stores.
    pub const OUT: [&'static str; 8] = ["out0", "out1", "out2", "out3", "out4", "out5", "out6", "out7"];
    /// Names of the bindings of partial sums.
    pub const SUM: [&'static str; 4] = ["sum0", "sum1", "sum2", "sum3"];

    /// The program that only stores the product.
    pub fn plain() -> Self {
        let store = StoredValue { value: Value::Product(0), binding: 0, index: Index::Whole, accumulate: false };
        Self { stores: vec![store], ..Self::default() }
    }

    /// Whether it takes both columns of a pair.
    pub fn takes_pairs(&self) -> bool {
        self.used().any(|value| value == Value::Product(1))
    }

    /// Partial sums per row of a space with `cols` columns: each is over four columns of the product, which are two pairs.
    pub fn partial_sums(&self, cols: usize) -> usize {
        if self.takes_pairs() { (2 * cols).div_ceil(4) } else { cols.div_ceil(4) }
    }

    /// The names of the functions that are called, in order.
    pub fn function_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.calls.iter().map(|call| call.function.signature().name)
    }

    /// Floating-point operations per element.
    pub fn flops(&self) -> usize {
        self.calls.iter().map(|call| call.function.signature().flops).sum::<usize>() + self.sums.len()
    }

    /// Every value that is used.
    pub fn used(&self) -> impl Iterator<Item = Value> + '_ {
        let arguments = self.calls.iter().flat_map(|call| call.arguments.iter().copied());
        arguments.chain(self.stores.iter().map(|s| s.value)).chain(self.sums.iter().copied())
    }

    /// Changes every value that is used.
    pub fn replace(&mut self, change: impl Fn(Value) -> Value) {
        let arguments = self.calls.iter_mut().flat_map(|call| call.arguments.iter_mut());
        for value in arguments.chain(self.stores.iter_mut().map(|s| &mut s.value)).chain(&mut self.sums) {
            *value = change(*value);
        }
    }
}

/// The form used in names of kernel variants.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Product(0) => write!(f, "p"),
            Value::Product(_) => write!(f, "q"),
            Value::Input(i) => write!(f, "i{i}"),
            Value::Result { call, index: 0 } => write!(f, "r{call}"),
            Value::Result { call, index } => write!(f, "r{call}.{index}"),
            Value::Constant(bits) => write!(f, "{}", f32::from_bits(*bits)),
            Value::Step { scalar, over } => write!(f, "s{}/{over}", scalar.0),
        }
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Index::Whole => Ok(()),
            Index::Columns { stride, offset } => write!(f, "[{offset}:{stride}]"),
            Index::Levels => write!(f, "[levels]"),
            Index::LevelsOf { rows } => write!(f, "[levels:{rows}]"),
            Index::Repeated { rows } => write!(f, "[row/{rows}]"),
            Index::PerRow => write!(f, "[row]"),
            Index::PerColumn => write!(f, "[col]"),
            Index::Once => write!(f, "[0]"),
        }
    }
}

impl fmt::Display for Pointwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        words.extend(
            self.inputs.iter().enumerate().map(|(i, input)| format!("i{i}=in{}{}", input.binding, input.index)),
        );
        for call in &self.calls {
            let arguments: Vec<String> = call.arguments.iter().map(Value::to_string).collect();
            let number = call.function.draw().map_or_else(String::new, |draw| draw.to_string());
            words.push(format!("{}{number}({})", call.function.signature().name, arguments.join(",")));
        }
        for store in &self.stores {
            let how = if store.accumulate { "+=" } else { "=" };
            words.push(format!("out{}{}{how}{}", store.binding, store.index, store.value));
        }
        words.extend(self.sums.iter().enumerate().map(|(i, value)| format!("sum{i}={value}")));
        f.write_str(&words.join(" "))
    }
}
