//! Rows of a table that tokens choose, and the gradient of the table.

use super::{Call, Real};
use crate::kernels::embed::EmbedParams;
use crate::plan::Pass;

/// The row of the table for each position, if it has a token.
fn rows<T: Real>(ids: &[T], p: EmbedParams) -> Vec<Option<usize>> {
    let (length, shift) = (p.length as usize, p.shift as usize);
    let row = |i: usize| {
        let id = (i % length >= shift).then(|| ids[i - shift].wide())?;
        (id >= 0.0).then(|| (id as usize).min(p.tokens as usize - 1))
    };
    (0..p.count as usize).map(row).collect()
}

pub(super) fn run<T: Real>(call: &mut Call<'_, T>, pass: Pass) {
    let p = EmbedParams::of(call.op);
    let width = p.width as usize;
    let rows = rows(call.read("ids"), p);
    match pass {
        Pass::Forward => {
            let (table, zeros) = (call.read("table"), vec![T::zero(); width]);
            let of = |row: &Option<usize>| row.map_or(&zeros[..], |row| &table[row * width..][..width]);
            let y = rows.iter().flat_map(of).copied().collect();
            call.write_back("y", y);
        }
        Pass::Backward => {
            let mut sums = vec![T::zero(); p.tokens as usize * width];
            for (row, d_y) in rows.iter().zip(call.read("d_y").chunks(width)) {
                if let Some(row) = row {
                    sums[row * width..][..width].iter_mut().zip(d_y).for_each(|(sum, d)| *sum += *d);
                }
            }
            call.write_back("d_table", sums);
        }
    }
}
