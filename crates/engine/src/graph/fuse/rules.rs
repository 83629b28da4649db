//! The rules. Each makes two ops one, by their places in the list, or does not fit.

use super::list::List;
use super::programs::{has_no_shape, join, made, makes_one_number, once};
use crate::kernels::{Body, gemm, reduce};
use crate::plan::{
    Function, FuseRule, Index, Kernel, Op, Orientation, Pointwise, Reduce, StoredValue, TensorId, Value,
};

pub(super) fn repeat(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (list.op(first)?, list.op(second)?);
    let Kernel::Pool(pool) = a.kernel else { return None };
    let rows = pool.repeats()?;
    let (source, copies) = (a.tensor("source")?, a.tensor("result")?);
    // In another shape, rows of the copies are not rows of the map.
    let is_shaped_alike = list.space(b)?[..] == list.tensors().get(copies).shape[..];
    if !is_shaped_alike || list.is_read_elsewhere(copies, [first, second]) {
        return None;
    }
    let mut body = Body::of(b)?;
    let binding = body.reads.iter().position(|read| *read == copies)?;
    let of_copies = body.program.inputs.iter_mut().filter(|input| input.binding == binding);
    for input in of_copies {
        if input.index != Index::Whole {
            return None;
        }
        input.index = Index::Repeated { rows };
    }
    body.reads[binding] = source;
    let op = list.with_body(b, body)?;
    list.unite(first, second, op, FuseRule::Repeat)
}

pub(super) fn bias(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (list.op(first)?, list.op(second)?);
    let gemm = a.kernel.gemm()?;
    if gemm.bias || gemm.epilogue != Pointwise::plain() || !matches!(b.kernel, Kernel::Map(_)) {
        return None;
    }
    let (product, map) = (Body::of(a)?, Body::of(b)?);
    let [call] = map.program.calls.as_slice() else { return None };
    let [Value::Input(a_input), Value::Input(b_input)] = call.arguments[..] else { return None };
    let (of_a, of_b) = (map.program.inputs[a_input], map.program.inputs[b_input]);
    let adds = call.function == Function::Add && of_a.index == Index::Whole && of_b.index == Index::PerColumn;
    let [StoredValue { accumulate: false, index: Index::Whole, .. }] = map.program.stores[..] else { return None };
    let [product] = product.writes[..] else { return None };
    if !adds || map.reads[of_a.binding] != product || list.is_read_elsewhere(product, [first, second]) {
        return None;
    }
    let plain = Body { program: Pointwise::plain(), writes: map.writes, ..Body::default() };
    let mut op = list.with_body(a, plain)?;
    gemm::add_bias(list.tensors(), &mut op, map.reads[of_b.binding]).ok()?;
    list.unite(first, second, op, FuseRule::Bias)
}

pub(super) fn chain(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (list.op(first)?, list.op(second)?);
    if !matches!((&a.kernel, &b.kernel), (Kernel::Map(_), Kernel::Map(_))) {
        return None;
    }
    let (of_a, of_b) = (Body::of(a)?, Body::of(b)?);
    let spaces = [list.space(a)?, list.space(b)?];
    let shaped = match spaces {
        [x, y] if x == y => a,
        [[1, 1], _] if makes_one_number(&of_a.program) => {
            let is_read_elsewhere = of_a.writes.iter().any(|written| list.is_read_elsewhere(*written, [first, second]));
            if is_read_elsewhere {
                return None;
            }
            let body = join(list.tensors(), &once(of_a), &of_b)?;
            let op = list.with_body(b, list.without_dead_stores(body, [first, second]))?;
            return list.unite(first, second, op, FuseRule::Chain);
        }
        [x, y] if x[0] * x[1] != y[0] * y[1] => return None,
        _ if has_no_shape(&of_b.program) => a,
        _ if has_no_shape(&of_a.program) => b,
        _ => return None,
    };
    let body = join(list.tensors(), &of_a, &of_b)?;
    let op = list.with_body(shaped, list.without_dead_stores(body, [first, second]))?;
    list.unite(first, second, op, FuseRule::Chain)
}

pub(super) fn epilogue(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (list.op(first)?, list.op(second)?);
    let (gemm, Kernel::Map(_)) = (a.kernel.gemm()?, &b.kernel) else { return None };
    let (mut product, map) = (Body::of(a)?, Body::of(b)?);
    let ([rows, cols], space) = (list.space(a)?, list.space(b)?);
    let reshaped = space[0] * space[1] == rows * cols && !gemm.pairs && has_no_shape(&map.program);
    if space != [rows, cols] && !reshaped {
        // Two halves of the product's columns, side by side: kernels of windows do not have both at a time, and only rows of B
        // can be taken in another order.
        let takes_pairs = gemm.windows.is_none() && gemm.orientation == Orientation::Nt;
        let is_plain = takes_pairs && !gemm.pairs && gemm.epilogue == Pointwise::plain();
        let halves = is_plain && space == [rows, cols / 2] && cols % 2 == 0;
        if !halves {
            return None;
        }
        let half = |which: usize| StoredValue {
            value: Value::Product(which),
            binding: 0,
            index: Index::Columns { stride: cols as u32, offset: (which * cols / 2) as u32 },
            accumulate: false,
        };
        product.program.stores = vec![half(0), half(1)];
    }
    let body = join(list.tensors(), &product, &map)?;
    // Grey levels are read as many columns at a time as the product is wide.
    if body.program.takes_pairs() && body.program.inputs.iter().any(|input| input.index.is_levels()) {
        return None;
    }
    let op = list.with_body(a, list.without_dead_stores(body, [first, second]))?;
    list.unite(first, second, op, FuseRule::Epilogue)
}

pub(super) fn partial_sums(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (begun, finished) = (list.op(first)?.clone(), list.op(second)?.clone());
    let Kernel::Reduce(Reduce::Rows(1)) = finished.kernel else { return None };
    let (matrix, total) = (finished.tensor(reduce::MATRIX[0])?, finished.tensor(reduce::TOTAL[0])?);
    let mut body = Body::of(&begun)?;
    let value = made(&body, body.writes.iter().position(|t| list.is_same(*t, matrix))?, Index::Whole)?;
    if list.is_written_between(matrix, first, second) {
        return None;
    }
    let [rows, cols] = list.space(&begun)?;
    if body.sums.len() == Pointwise::SUM.len() {
        return None;
    }
    let sums = body.program.partial_sums(cols);
    // Several rows of the space may be parts of one row of the sum.
    let totals = list.tensors().get(total).len();
    if rows % totals != 0 {
        return None;
    }
    // The partial sum of a row is its whole sum where the row has four columns or fewer.
    let is_whole = rows / totals * sums == 1;
    let partial = if is_whole {
        let total = list.tensors().get(total).clone();
        list.lowering.tensors.view(total.name, total.buffer, total.offset, &[rows, 1])
    } else {
        let name = format!("{} partial sums", list.tensors().get(matrix).name);
        list.lowering.shared(&name, &[rows, sums])
    };
    if list.is_bound(partial) {
        return None;
    }
    body.program.sums.push(value);
    body.sums.push(partial);
    let mut op = list.with_body(&begun, list.without_dead_stores(body, [first, second]))?;
    if !list.is_sound(&op) {
        return None;
    }
    if is_whole {
        return list.unite(first, second, op, FuseRule::PartialSums);
    }
    let summed = match rows / totals {
        1 => partial,
        each => {
            let tensor = list.tensors().get(partial).clone();
            list.lowering.tensors.view(tensor.name, tensor.buffer, tensor.offset, &[totals, each * sums])
        }
    };
    let mut sum = reduce::rows(list.tensors(), finished.label.clone(), &[(summed, total)]).ok()?;
    sum.fused = finished.fused;
    op.fused.push((FuseRule::PartialSums, sum.label.clone()));
    list.replace(first, Some(op));
    list.replace(second, Some(sum));
    Some(())
}

pub(super) fn row_sum(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    for [product, columns] in [[first, second], [second, first]] {
        let (op, sums) = (list.op(product)?, list.op(columns)?);
        let (Some(gemm), Kernel::Reduce(Reduce::Columns)) = (op.kernel.gemm(), &sums.kernel) else { continue };
        let of_a = op.tensor("a") == sums.tensor("values") && gemm.orientation == Orientation::Tn;
        if !of_a || gemm.row_sum {
            continue;
        }
        let mut op = op.clone();
        gemm::add_row_sum(list.tensors(), &mut op, sums.tensor("total")?).ok()?;
        return list.unite(first, second, op, FuseRule::RowSum);
    }
    None
}

pub(super) fn rows(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (list.op(first)?, list.op(second)?);
    let (Kernel::Reduce(Reduce::Rows(_)), Kernel::Reduce(Reduce::Rows(_))) = (&a.kernel, &b.kernel) else {
        return None;
    };
    let of = |op: &Op| -> Vec<(TensorId, TensorId)> {
        let pairs = reduce::MATRIX.iter().zip(reduce::TOTAL);
        pairs.map_while(|(matrix, total)| Some((op.tensor(matrix)?, op.tensor(total)?))).collect()
    };
    let matrices = [of(a), of(b)].concat();
    if matrices.len() > reduce::MATRICES || a.grid != b.grid {
        return None;
    }
    let mut op = reduce::rows(list.tensors(), a.label.clone(), &matrices).ok()?;
    op.fused = a.fused.clone();
    list.unite(first, second, op, FuseRule::Rows)
}
