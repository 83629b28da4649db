//! Pointwise programs as kernels of their own.

use super::{Body, index_fits, params};
use crate::plan::{
    Call, Function, Grid, Index, Input, Kernel, Op, PlanError, Pointwise, StoredValue, TensorId, TensorTable, Value,
};

params! {
    /// `Params` of `map.wgsl.jinja`.
    pub struct MapParams {
        /// Rows.
        m: u32,
        /// Columns.
        n: u32,
    }
}

/// A program over `(rows, cols)`.
pub fn map(
    tensors: &TensorTable,
    label: impl Into<String>,
    [rows, cols]: [usize; 2],
    body: Body,
) -> Result<Op, PlanError> {
    let label = label.into();
    index_fits(&label, rows * cols)?;
    let params = MapParams { m: index_fits(&label, rows)?, n: index_fits(&label, cols)? };
    let kernel = Kernel::Map(Pointwise::default());
    let mut op = Op::new(label, kernel, Grid::Elements(rows * cols.div_ceil(4))).params(params.block());
    body.bind(tensors, &mut op, [rows, cols])?;
    Ok(op)
}

/// One function over `(rows, cols)`, of inputs to results.
pub fn call(
    tensors: &TensorTable,
    label: impl Into<String>,
    shape: [usize; 2],
    function: Function,
    inputs: &[(TensorId, Index)],
    results: &[TensorId],
) -> Result<Op, PlanError> {
    let arguments = (0..inputs.len()).map(Value::Input).collect();
    let store = |index| StoredValue {
        value: Value::Result { call: 0, index },
        binding: index,
        index: Index::Whole,
        accumulate: false,
    };
    let program = Pointwise {
        inputs: inputs.iter().enumerate().map(|(binding, (_, index))| Input { binding, index: *index }).collect(),
        calls: vec![Call { function, arguments }],
        stores: (0..results.len()).map(store).collect(),
        sums: Vec::new(),
    };
    let reads = inputs.iter().map(|(tensor, _)| *tensor).collect();
    map(tensors, label, shape, Body { program, reads, writes: results.to_vec(), sums: Vec::new() })
}
