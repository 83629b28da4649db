//! Rows of a table that tokens choose, and the gradient of the table.
//!
//! A token is a whole number in a float; a number below 0 is no token.

use super::{expect_all, index_fits, params};
use crate::plan::{Grid, Kernel, Op, Pass, PlanError, TensorId, TensorTable};

params! {
    /// `Params` of `embed.wgsl`.
    pub struct EmbedParams {
        /// Positions of all rows of tokens.
        count: u32,
        /// Columns of the table.
        width: u32,
        /// Rows of the table.
        tokens: u32,
        /// Positions of a row of tokens.
        length: u32,
        /// Positions between a token and the one that it is used at.
        shift: u32,
    }
}

/// The params for `table (V, E)`, `ids (B, T)` and `rows (B T, E)`.
fn checked(
    tensors: &TensorTable,
    label: &str,
    [table, ids, rows]: [TensorId; 3],
    shift: usize,
) -> Result<EmbedParams, PlanError> {
    let ((tokens, width), (sequences, length)) = (tensors.matrix(label, table)?, tensors.matrix(label, ids)?);
    let count = sequences * length;
    expect_all(tensors, label, &[(table, &[tokens, width]), (ids, &[sequences, length]), (rows, &[count, width])])?;
    index_fits(label, tokens * width)?;
    index_fits(label, count * width)?;
    Ok(EmbedParams {
        count: index_fits(label, count)?,
        width: index_fits(label, width)?,
        tokens: index_fits(label, tokens)?,
        length: index_fits(label, length)?,
        shift: index_fits(label, shift)?,
    })
}

/// `y (B T, E)` of `table (V, E)` and `ids (B, T)`: row `b T + t` is that of the token at `t - shift`, zeros where there is none.
pub fn embed(
    tensors: &TensorTable,
    label: impl Into<String>,
    [table, ids, y]: [TensorId; 3],
    shift: usize,
) -> Result<Op, PlanError> {
    let label = label.into();
    let params = checked(tensors, &label, [table, ids, y], shift)?;
    let touched = tensors.get(y).len().min(tensors.get(table).len());
    Ok(Op::new(label, Kernel::Embed(Pass::Forward), Grid::Elements(tensors.get(y).len()))
        .read("table", table)
        .touching(touched)
        .read("ids", ids)
        .write("y", y)
        .params(params.block()))
}

/// `d_table (V, E)` of `ids (B, T)` and `d_y (B T, E)`.
pub fn back(
    tensors: &TensorTable,
    label: impl Into<String>,
    [ids, d_y, d_table]: [TensorId; 3],
    shift: usize,
) -> Result<Op, PlanError> {
    let label = label.into();
    let params = checked(tensors, &label, [d_table, ids, d_y], shift)?;
    Ok(Op::new(label, Kernel::Embed(Pass::Backward), Grid::Rows(params.tokens as usize))
        .read("ids", ids)
        .read("d_y", d_y)
        // Software adapters add to it in memory.
        .update("d_table", d_table)
        .params(params.block())
        .flops(tensors.get(d_y).len()))
}
