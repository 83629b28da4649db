//! Fusing: a short list of rules, each of which makes two ops one. The first that fits is applied, until none does.
//!
//! A rule fires only where no value changes: the two ops can meet at one place of the list, both go over the same elements,
//! what is made has no more storage bindings than WebGPU promises, reads no buffer that it writes, and writes nothing twice.

use super::Lowering;
use crate::kernels::map::MapParams;
use crate::kernels::{Body, gemm, reduce};
use crate::plan::{
    Access, Binding, Function, FuseRule, Grid, Index, Input, Kernel, Op, Orientation, Pointwise, Reduce, Store,
    TensorId, TensorTable, Value,
};

/// Storage bindings that WebGPU promises a shader.
const MOST_BINDINGS: usize = 8;

/// Makes two ops one, by their places in the list, the first of which stands before the second; none where it does not fit.
type Apply = fn(&mut List<'_>, usize, usize) -> Option<()>;

fn apply(rule: FuseRule) -> Apply {
    match rule {
        FuseRule::Bias => bias,
        FuseRule::Chain => chain,
        FuseRule::Epilogue => epilogue,
        FuseRule::PartialSums => partial_sums,
        FuseRule::RowSum => row_sum,
        FuseRule::Rows => rows,
    }
}

/// Applies the rules to a plan's ops. Tensors in `kept` are read from outside.
pub fn fuse(ops: Vec<Op>, lowering: &mut Lowering, kept: &[TensorId]) -> Vec<Op> {
    let mut list = List { ops, lowering, kept };
    while list.step() {}
    list.ops
}

struct List<'a> {
    ops: Vec<Op>,
    lowering: &'a mut Lowering,
    kept: &'a [TensorId],
}

impl List<'_> {
    /// Applies the first rule that fits.
    fn step(&mut self) -> bool {
        FuseRule::ALL.iter().any(|rule| {
            let mut pairs = (0..self.ops.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
            pairs.any(|(first, second)| apply(*rule)(self, first, second).is_some())
        })
    }

    fn tensors(&self) -> &TensorTable {
        &self.lowering.tensors
    }

    /// Where two ops can meet: at the first's place, if the second depends on nothing between them; or at the second's, if
    /// nothing between them depends on the first.
    fn place(&self, first: usize, second: usize) -> Option<usize> {
        let between = &self.ops[first + 1..second];
        if !between.iter().any(|op| op.depends_on(&self.ops[second], self.tensors())) {
            return Some(first);
        }
        (!between.iter().any(|op| op.depends_on(&self.ops[first], self.tensors()))).then_some(second)
    }

    /// Whether an op stays within what a shader may bind, reads no buffer that it writes, and writes nothing twice.
    fn is_sound(&self, op: &Op) -> bool {
        let buffer = |id: TensorId| self.tensors().get(id).buffer;
        let read_and_written = op.bindings.iter().filter(|b| b.access.writes()).any(|written| {
            op.bindings.iter().any(|read| !read.access.writes() && buffer(read.tensor) == buffer(written.tensor))
        });
        let written_twice = op.bindings.iter().enumerate().any(|(i, a)| {
            let both = |b: &&Binding| a.access.writes() && b.access.writes();
            op.bindings[..i].iter().filter(both).any(|b| self.tensors().overlap(a.tensor, b.tensor))
        });
        op.bindings.len() <= MOST_BINDINGS && !read_and_written && !written_twice
    }

    /// Puts an op in place of two, by a rule.
    fn unite(&mut self, first: usize, second: usize, mut op: Op, rule: FuseRule) -> Option<()> {
        let at = self.place(first, second)?;
        if !self.is_sound(&op) {
            return None;
        }
        // It goes on under one label, and names the other.
        let [a, b] = [first, second].map(|i| &self.ops[i]);
        let taken = if op.label == a.label { b } else { a };
        op.fused.push((rule, taken.label.clone()));
        op.fused.extend(taken.fused.clone());
        self.ops[at] = op;
        self.ops.remove(if at == first { second } else { first });
        Some(())
    }

    /// Whether a tensor, or a part of it, is read by any but two ops.
    fn is_read_elsewhere(&self, tensor: TensorId, [first, second]: [usize; 2]) -> bool {
        let reads =
            |op: &Op| op.bindings.iter().any(|b| b.access != Access::Write && self.tensors().overlap(b.tensor, tensor));
        self.kept.iter().any(|kept| self.tensors().overlap(*kept, tensor))
            || self.ops.iter().enumerate().any(|(i, op)| i != first && i != second && reads(op))
    }

    /// Whether two tensors are the same elements, whatever their shapes.
    fn is_same(&self, a: TensorId, b: TensorId) -> bool {
        let [a, b] = [a, b].map(|id| self.tensors().get(id));
        (a.buffer, a.offset, a.len()) == (b.buffer, b.offset, b.len())
    }

    /// The rows and columns of an op's pointwise part.
    fn space(&self, op: &Op) -> Option<[usize; 2]> {
        match (&op.kernel, op.grid) {
            (Kernel::Gemm(gemm), Grid::Tiles { rows, cols }) => Some([rows, if gemm.pairs { cols / 2 } else { cols }]),
            (Kernel::Map(_), _) => {
                let p = MapParams::of(op);
                Some([p.m as usize, p.n as usize])
            }
            _ => None,
        }
    }

    /// A program without the stores that only the two ops it is made of would read. A product whose columns are summed keeps
    /// an output, which its tiles are spilled to.
    fn without_dead_stores(&self, mut body: Body, made_of: [usize; 2]) -> Body {
        let is_product = self.ops[made_of[0]].kernel.gemm().is_some();
        let is_dead = |body: &Body, i: usize| {
            let store = &body.program.stores[i];
            let whole = body.program.stores.iter().filter(|s| s.index == Index::Whole).count();
            let spills = is_product && !body.program.sums.is_empty() && store.index == Index::Whole && whole == 1;
            !spills && !self.is_read_elsewhere(body.writes[store.binding], made_of)
        };
        while let Some(dead) = (0..body.program.stores.len()).find(|i| is_dead(&body, *i)) {
            body.program.stores.remove(dead);
        }
        tidy(without_copies(body))
    }

    /// Gives an op another program.
    fn with_body(&self, op: &Op, body: Body) -> Option<Op> {
        let mut op = op.clone();
        match op.kernel {
            Kernel::Gemm(_) => gemm::set_epilogue(self.tensors(), &mut op, body).ok()?,
            _ => {
                let space = self.space(&op)?;
                body.bind(self.tensors(), &mut op, space).ok()?;
            }
        }
        Some(op)
    }
}

/// Drops calls, inputs and bindings that nothing uses.
fn tidy(body: Body) -> Body {
    let Body { mut program, reads, writes, sums } = body;
    let used = |program: &Pointwise, value: Value| program.used().any(|v| v == value);
    for call in (0..program.calls.len()).rev() {
        if !(0..3).any(|index| used(&program, Value::Result { call, index })) {
            program.calls.remove(call);
            program.replace(|value| match value {
                Value::Result { call: later, index } if later > call => Value::Result { call: later - 1, index },
                value => value,
            });
        }
    }
    for input in (0..program.inputs.len()).rev() {
        if !used(&program, Value::Input(input)) {
            program.inputs.remove(input);
            program.replace(|value| match value {
                Value::Input(later) if later > input => Value::Input(later - 1),
                value => value,
            });
        }
    }
    let mut tidied = Body { sums, ..Body::default() };
    let number = |all: &mut Vec<TensorId>, tensor: TensorId| {
        all.iter().position(|t| *t == tensor).unwrap_or_else(|| {
            all.push(tensor);
            all.len() - 1
        })
    };
    for input in &mut program.inputs {
        input.binding = number(&mut tidied.reads, reads[input.binding]);
    }
    for store in &mut program.stores {
        store.binding = number(&mut tidied.writes, writes[store.binding]);
    }
    tidied.program = program;
    tidied
}

/// One program of two, the second behind the first: what the second reads of what the first stores it takes from there.
/// None where the two do not meet, or not element by element.
fn join(tensors: &TensorTable, first: &Body, second: &Body) -> Option<Body> {
    let mut body = first.clone();
    let calls = body.program.calls.len();
    let mut meet = false;
    let mut inputs = Vec::new();
    for input in &second.program.inputs {
        let tensor = second.reads[input.binding];
        if let Some(binding) = first.writes.iter().position(|t| *t == tensor) {
            meet = true;
            inputs.push(made(first, binding, input.index)?);
            continue;
        }
        // Other elements of what the first stores.
        if first.writes.iter().any(|written| tensors.overlap(*written, tensor)) {
            return None;
        }
        let binding = body.reads.iter().position(|t| *t == tensor).unwrap_or_else(|| {
            body.reads.push(tensor);
            body.reads.len() - 1
        });
        let input = Input { binding, index: input.index };
        let number = body.program.inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
            body.program.inputs.push(input);
            body.program.inputs.len() - 1
        });
        inputs.push(Value::Input(number));
    }
    let mut program = second.program.clone();
    program.replace(|value| match value {
        Value::Input(i) => inputs[i],
        Value::Result { call, index } => Value::Result { call: call + calls, index },
        value => value,
    });
    body.program.calls.extend(program.calls);
    for store in program.stores {
        let tensor = second.writes[store.binding];
        let binding = body.writes.iter().position(|t| *t == tensor).unwrap_or_else(|| {
            body.writes.push(tensor);
            body.writes.len() - 1
        });
        body.program.stores.push(Store { binding, ..store });
    }
    body.program.sums.extend(program.sums);
    body.sums.extend(&second.sums);
    let bound = body.reads.len() <= Pointwise::IN.len()
        && body.writes.len() <= Pointwise::OUT.len()
        && body.sums.len() <= Pointwise::SUM.len();
    (meet && bound).then_some(body)
}

/// The value that a tensor holds behind a program; none where something is added to it.
fn made(body: &Body, binding: usize, index: Index) -> Option<Value> {
    let mut stores = body.program.stores.iter().filter(|s| s.binding == binding);
    let adds = stores.clone().any(|s| s.accumulate);
    stores.find(|s| s.index == index && !adds).map(|s| s.value)
}

/// A copy of a value is the value.
fn without_copies(body: Body) -> Body {
    let mut body = body;
    for call in 0..body.program.calls.len() {
        if body.program.calls[call].function == Function::Copy {
            let original = body.program.calls[call].arguments[0];
            // What is summed or stored of an input that is the same for several elements is a copy for each.
            body.program.replace(|value| if value == (Value::Result { call, index: 0 }) { original } else { value });
        }
    }
    body
}

/// Whether a program does the same to each element wherever it stands, so that it can go over them in any shape.
fn has_no_shape(program: &Pointwise) -> bool {
    let inputs = program.inputs.iter().all(|input| matches!(input.index, Index::Whole | Index::Once));
    inputs && program.stores.iter().all(|store| store.index == Index::Whole) && program.sums.is_empty()
}

fn bias(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let gemm = list.ops[first].kernel.gemm()?;
    if gemm.bias || gemm.epilogue != Pointwise::plain() || !matches!(list.ops[second].kernel, Kernel::Map(_)) {
        return None;
    }
    let (product, map) = (Body::of(&list.ops[first])?, Body::of(&list.ops[second])?);
    let [call] = map.program.calls.as_slice() else { return None };
    let [Value::Input(a), Value::Input(b)] = call.arguments[..] else { return None };
    let (a, b) = (map.program.inputs[a], map.program.inputs[b]);
    let adds = call.function == Function::Add && a.index == Index::Whole && b.index == Index::PerColumn;
    let [Store { accumulate: false, index: Index::Whole, .. }] = map.program.stores[..] else { return None };
    let [product] = product.writes[..] else { return None };
    if !adds || map.reads[a.binding] != product || list.is_read_elsewhere(product, [first, second]) {
        return None;
    }
    let plain = Body { program: Pointwise::plain(), writes: map.writes, ..Body::default() };
    let mut op = list.with_body(&list.ops[first], plain)?;
    gemm::add_bias(list.tensors(), &mut op, map.reads[b.binding]).ok()?;
    list.unite(first, second, op, FuseRule::Bias)
}

fn chain(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (&list.ops[first], &list.ops[second]);
    if !matches!((&a.kernel, &b.kernel), (Kernel::Map(_), Kernel::Map(_))) {
        return None;
    }
    let (of_a, of_b) = (Body::of(a)?, Body::of(b)?);
    let spaces = [list.space(a)?, list.space(b)?];
    let shaped = match spaces {
        [x, y] if x == y => a,
        [x, y] if x[0] * x[1] != y[0] * y[1] => return None,
        _ if has_no_shape(&of_b.program) => a,
        _ if has_no_shape(&of_a.program) => b,
        _ => return None,
    };
    let body = join(list.tensors(), &of_a, &of_b)?;
    let op = list.with_body(shaped, list.without_dead_stores(body, [first, second]))?;
    list.unite(first, second, op, FuseRule::Chain)
}

fn epilogue(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (&list.ops[first], &list.ops[second]);
    let (gemm, Kernel::Map(_)) = (a.kernel.gemm()?, &b.kernel) else { return None };
    let (mut product, map) = (Body::of(a)?, Body::of(b)?);
    let ([rows, cols], space) = (list.space(a)?, list.space(b)?);
    let reshaped = space[0] * space[1] == rows * cols && !gemm.pairs && has_no_shape(&map.program);
    if space != [rows, cols] && !reshaped {
        // Two halves of the product's columns, side by side.
        let halves = space == [rows, cols / 2] && cols % 2 == 0 && !gemm.pairs && gemm.epilogue == Pointwise::plain();
        if !halves {
            return None;
        }
        let half = |which: usize| Store {
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

fn partial_sums(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let Kernel::Reduce(Reduce::Rows(1)) = list.ops[second].kernel else { return None };
    let (matrix, total) = (list.ops[second].tensor(reduce::MATRIX[0])?, list.ops[second].tensor(reduce::TOTAL[0])?);
    let mut body = Body::of(&list.ops[first])?;
    let value = made(&body, body.writes.iter().position(|t| list.is_same(*t, matrix))?, Index::Whole)?;
    let writes = |b: &Binding| b.access.writes() && list.tensors().overlap(b.tensor, matrix);
    if list.ops[first + 1..second].iter().any(|op| op.bindings.iter().any(writes)) {
        return None;
    }
    let [rows, cols] = list.space(&list.ops[first])?;
    if body.sums.len() == Pointwise::SUM.len() {
        return None;
    }
    let name = format!("{} partial sums", list.tensors().get(matrix).name);
    let sums = body.program.partial_sums(cols);
    let partial = list.lowering.shared(&name, &[rows, sums]);
    // Several rows of the space may be parts of one row of the sum.
    let totals = list.tensors().get(total).len();
    if rows % totals != 0 {
        return None;
    }
    if list.ops.iter().any(|op| op.bindings.iter().any(|b| b.tensor == partial)) {
        return None;
    }
    body.program.sums.push(value);
    body.sums.push(partial);
    let mut op = list.with_body(&list.ops[first], list.without_dead_stores(body, [first, second]))?;
    if !list.is_sound(&op) {
        return None;
    }
    let summed = match rows / totals {
        1 => partial,
        each => {
            let tensor = list.tensors().get(partial).clone();
            list.lowering.tensors.view(tensor.name, tensor.buffer, tensor.offset, &[totals, each * sums])
        }
    };
    let mut sum = reduce::rows(list.tensors(), list.ops[second].label.clone(), &[(summed, total)]).ok()?;
    sum.fused = list.ops[second].fused.clone();
    op.fused.push((FuseRule::PartialSums, sum.label.clone()));
    list.ops[first] = op;
    list.ops[second] = sum;
    Some(())
}

fn row_sum(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    for [product, columns] in [[first, second], [second, first]] {
        let (op, sums) = (&list.ops[product], &list.ops[columns]);
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

fn rows(list: &mut List<'_>, first: usize, second: usize) -> Option<()> {
    let (a, b) = (&list.ops[first], &list.ops[second]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Call, Loss};

    fn result(call: usize) -> Value {
        Value::Result { call, index: 0 }
    }

    fn whole(binding: usize) -> Input {
        Input { binding, index: Index::Whole }
    }

    fn store(value: Value, binding: usize) -> Store {
        Store { value, binding, index: Index::Whole, accumulate: false }
    }

    fn call(function: Function, arguments: &[Value]) -> Call {
        Call { function, arguments: arguments.to_vec() }
    }

    #[test]
    fn what_nothing_uses_is_dropped_and_the_rest_is_renumbered() {
        let program = Pointwise {
            inputs: vec![whole(0), whole(1), whole(2)],
            calls: vec![
                call(Function::Copy, &[Value::Input(0)]),
                call(Function::Loss(Loss::Bernoulli), &[Value::Input(1), Value::Input(2)]),
                call(Function::Add, &[Value::Result { call: 1, index: 1 }, Value::Input(2)]),
            ],
            stores: vec![store(result(2), 1)],
            sums: vec![result(2)],
        };
        let [reads, writes, sums] =
            [vec![3, 4, 5], vec![6, 7], vec![8]].map(|ids| ids.into_iter().map(TensorId).collect());
        let tidied = tidy(Body { program, reads, writes, sums });
        let expected = Pointwise {
            inputs: vec![whole(0), whole(1)],
            calls: vec![
                call(Function::Loss(Loss::Bernoulli), &[Value::Input(0), Value::Input(1)]),
                call(Function::Add, &[Value::Result { call: 0, index: 1 }, Value::Input(1)]),
            ],
            stores: vec![store(result(1), 0)],
            sums: vec![result(1)],
        };
        let [reads, writes, sums] = [vec![4, 5], vec![7], vec![8]].map(|ids| ids.into_iter().map(TensorId).collect());
        assert_eq!(tidied, Body { program: expected, reads, writes, sums });
    }

    #[test]
    fn a_copy_is_what_it_is_of_and_nothing_else_is() {
        let program = Pointwise {
            inputs: vec![whole(0), whole(1)],
            calls: vec![
                call(Function::Copy, &[Value::Input(0)]),
                call(Function::Add, &[result(0), Value::Input(1)]),
                call(Function::Copy, &[result(1)]),
            ],
            stores: vec![store(result(0), 0), store(result(1), 1), store(result(2), 2)],
            sums: vec![result(2)],
        };
        let changed = without_copies(Body { program, ..Body::default() }).program;
        assert_eq!(changed.calls[1].arguments, [Value::Input(0), Value::Input(1)]);
        let values: Vec<Value> = changed.stores.iter().map(|store| store.value).collect();
        assert_eq!(values, [Value::Input(0), result(1), result(1)]);
        assert_eq!(changed.sums, [result(1)]);
    }

    #[test]
    fn a_joined_program_takes_values_in_place_of_what_it_read() {
        let mut tensors = TensorTable::default();
        let [x, made, other, y] = ["x", "made", "other", "y"].map(|name| tensors.floats(name, &[5, 6]));
        let [row, first_sum, second_sum] = ["row", "first", "second"].map(|name| tensors.floats(name, &[5]));
        let first = Body {
            program: Pointwise {
                inputs: vec![whole(0)],
                calls: vec![call(Function::Add, &[Value::Input(0), Value::Input(0)])],
                stores: vec![store(Value::Input(0), 0), store(result(0), 1)],
                sums: vec![result(0)],
            },
            reads: vec![x],
            writes: vec![other, made],
            sums: vec![first_sum],
        };
        let per_row = Input { binding: 1, index: Index::PerRow };
        let second = Body {
            program: Pointwise {
                inputs: vec![whole(0), per_row],
                calls: vec![
                    call(Function::Multiply, &[Value::Input(0), Value::Input(1)]),
                    call(Function::Add, &[result(0), Value::Input(0)]),
                ],
                stores: vec![store(result(1), 0)],
                sums: vec![result(1)],
            },
            reads: vec![made, row],
            writes: vec![y],
            sums: vec![second_sum],
        };
        let expected = Body {
            program: Pointwise {
                inputs: vec![whole(0), per_row],
                calls: vec![
                    call(Function::Add, &[Value::Input(0), Value::Input(0)]),
                    call(Function::Multiply, &[result(0), Value::Input(1)]),
                    call(Function::Add, &[result(1), result(0)]),
                ],
                stores: vec![store(Value::Input(0), 0), store(result(0), 1), store(result(2), 2)],
                sums: vec![result(0), result(2)],
            },
            reads: vec![x, row],
            writes: vec![other, made, y],
            sums: vec![first_sum, second_sum],
        };
        assert_eq!(join(&tensors, &first, &second), Some(expected));
        // What is added to is not what was stored.
        let mut adds = first.clone();
        adds.program.stores.push(Store { accumulate: true, ..adds.program.stores[1] });
        assert_eq!(join(&tensors, &adds, &second), None);
        // Nor is another part of it.
        let half = |offset| Index::Columns { stride: 6, offset };
        let mut parts = first.clone();
        parts.program.stores[1].index = half(0);
        let mut reads = second;
        reads.program.inputs[0].index = half(3);
        assert_eq!(join(&tensors, &parts, &reads), None);
    }
}
