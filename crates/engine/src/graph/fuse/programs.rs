//! Pointwise programs: two made one, and what is left of one.

use crate::kernels::Body;
use crate::plan::{Function, Index, Input, Pointwise, StoredValue, TensorId, TensorTable, Value};

/// Drops calls, inputs and bindings that nothing uses.
pub(super) fn tidy(body: Body) -> Body {
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
pub(super) fn join(tensors: &TensorTable, first: &Body, second: &Body) -> Option<Body> {
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
        body.program.stores.push(StoredValue { binding, ..store });
    }
    body.program.sums.extend(program.sums);
    body.sums.extend(&second.sums);
    let bound = body.reads.len() <= Pointwise::IN.len()
        && body.writes.len() <= Pointwise::OUT.len()
        && body.sums.len() <= Pointwise::SUM.len();
    (meet && bound).then_some(body)
}

/// The value that a tensor holds behind a program; none where something is added to it.
pub(super) fn made(body: &Body, binding: usize, index: Index) -> Option<Value> {
    let mut stores = body.program.stores.iter().filter(|s| s.binding == binding);
    let adds = stores.clone().any(|s| s.accumulate);
    stores.find(|s| s.index == index && !adds).map(|s| s.value)
}

/// A copy of a value is the value.
pub(super) fn without_copies(body: Body) -> Body {
    let mut body = body;
    for call in 0..body.program.calls.len() {
        if body.program.calls[call].function == Function::Copy {
            let original = body.program.calls[call].arguments[0];
            // An input that several elements share is copied for each of them, where it is summed or stored.
            body.program.replace(|value| if value == (Value::Result { call, index: 0 }) { original } else { value });
        }
    }
    body
}

/// Whether a program does the same to each element wherever it stands, so that it can go over them in any shape.
pub(super) fn has_no_shape(program: &Pointwise) -> bool {
    let inputs = program.inputs.iter().all(|input| matches!(input.index, Index::Whole | Index::Once));
    inputs && program.stores.iter().all(|store| store.index == Index::Whole) && program.sums.is_empty()
}

/// Whether a program over one element makes the same number wherever it is run.
pub(super) fn makes_one_number(program: &Pointwise) -> bool {
    let is_drawn = program.calls.iter().any(|call| call.function.draw().is_some());
    let adds = program.stores.iter().any(|store| store.accumulate);
    !is_drawn && !adds && has_no_shape(program)
}

/// A program over one element, as a part of a program over many: each of them has its numbers.
pub(super) fn once(mut body: Body) -> Body {
    body.program.inputs.iter_mut().for_each(|input| input.index = Index::Once);
    body.program.stores.iter_mut().for_each(|store| store.index = Index::Once);
    body
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

    fn store(value: Value, binding: usize) -> StoredValue {
        StoredValue { value, binding, index: Index::Whole, accumulate: false }
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
        // A store that adds to a tensor does not hold the value that was stored, so the programs do not join.
        let mut adds = first.clone();
        adds.program.stores.push(StoredValue { accumulate: true, ..adds.program.stores[1] });
        assert_eq!(join(&tensors, &adds, &second), None);
        // Another part of a tensor is not what was stored either.
        let half = |offset| Index::Columns { stride: 6, offset };
        let mut parts = first.clone();
        parts.program.stores[1].index = half(0);
        let mut reads = second;
        reads.program.inputs[0].index = half(3);
        assert_eq!(join(&tensors, &parts, &reads), None);
    }
}
