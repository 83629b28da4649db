//! Who reads and writes which tensors, by the places of ops in a list.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::plan::{Access, BufferId, Op, TensorId, TensorTable};

/// The places behind one and before another.
#[derive(Clone, Copy)]
pub struct Between {
    pub first: usize,
    pub second: usize,
}

#[derive(Default)]
struct Of {
    readers: BTreeSet<usize>,
    writers: BTreeSet<usize>,
}

/// The places of each tensor's readers and writers, and which tensors have elements in common.
#[derive(Default)]
pub struct Uses {
    of: HashMap<TensorId, Of>,
    /// For each known tensor, the tensors that have elements in common with it, itself among them.
    alike: HashMap<TensorId, Vec<TensorId>>,
    by_buffer: HashMap<BufferId, Vec<TensorId>>,
}

fn is_there(places: &BTreeSet<usize>, between: Between) -> bool {
    // Between two neighbours there is no place.
    between.first + 1 < between.second && places.range(between.first + 1..between.second).next().is_some()
}

impl Uses {
    /// The uses of all tensors that ops bind, and of other tensors that will be asked for.
    pub fn of(ops: &[Op], others: &[TensorId], tensors: &TensorTable) -> Self {
        let mut uses = Self::default();
        let bound = ops.iter().flat_map(|op| &op.bindings).map(|binding| binding.tensor);
        let known: HashSet<TensorId> = bound.chain(others.iter().copied()).collect();
        for tensor in known {
            uses.by_buffer.entry(tensors.get(tensor).buffer).or_default().push(tensor);
        }
        for all in uses.by_buffer.values_mut() {
            all.sort_by_key(|tensor| (tensors.get(*tensor).offset, *tensor));
            all.iter().for_each(|tensor| uses.alike.entry(*tensor).or_default().push(*tensor));
            // The tensors are sorted by where they begin, so those that begin within another one stand behind it.
            for (place, tensor) in all.iter().enumerate() {
                let end = tensors.get(*tensor).offset + tensors.get(*tensor).len();
                for other in all[place + 1..].iter().take_while(|other| tensors.get(**other).offset < end) {
                    if tensors.overlap(*tensor, *other) {
                        uses.alike.entry(*tensor).or_default().push(*other);
                        uses.alike.entry(*other).or_default().push(*tensor);
                    }
                }
            }
        }
        for (place, op) in ops.iter().enumerate() {
            uses.add(place, op, tensors);
        }
        uses
    }

    /// Adds an op at a place.
    pub fn add(&mut self, place: usize, op: &Op, tensors: &TensorTable) {
        for binding in &op.bindings {
            self.know(binding.tensor, tensors);
            let of = self.of.entry(binding.tensor).or_default();
            if binding.access != Access::Write {
                of.readers.insert(place);
            }
            if binding.access.writes() {
                of.writers.insert(place);
            }
        }
    }

    /// Takes the op at a place away.
    pub fn remove(&mut self, place: usize, op: &Op) {
        for binding in &op.bindings {
            if let Some(of) = self.of.get_mut(&binding.tensor) {
                of.readers.remove(&place);
                of.writers.remove(&place);
            }
        }
    }

    fn know(&mut self, tensor: TensorId, tensors: &TensorTable) {
        if self.alike.contains_key(&tensor) {
            return;
        }
        let all = self.by_buffer.entry(tensors.get(tensor).buffer).or_default();
        let mut alike = vec![tensor];
        for other in all.iter().filter(|other| tensors.overlap(tensor, **other)) {
            alike.push(*other);
            self.alike.entry(*other).or_default().push(tensor);
        }
        all.push(tensor);
        self.alike.insert(tensor, alike);
    }

    /// The known tensors that have elements in common with one.
    pub fn alike(&self, tensor: TensorId, tensors: &TensorTable) -> Cow<'_, [TensorId]> {
        match self.alike.get(&tensor) {
            Some(alike) => Cow::Borrowed(alike),
            None => {
                let all = self.by_buffer.get(&tensors.get(tensor).buffer);
                all.into_iter().flatten().copied().filter(|other| tensors.overlap(tensor, *other)).collect()
            }
        }
    }

    /// The places of the ops that are bound to a tensor.
    pub fn places(&self, tensor: TensorId) -> impl Iterator<Item = usize> + '_ {
        self.of.get(&tensor).into_iter().flat_map(|of| of.readers.union(&of.writers).copied())
    }

    /// Whether any but two ops read a tensor.
    pub fn is_read_elsewhere(&self, tensor: TensorId, but: [usize; 2]) -> bool {
        self.of.get(&tensor).is_some_and(|of| of.readers.iter().any(|place| !but.contains(place)))
    }

    /// Whether an op between writes a tensor, or a part of it.
    pub fn is_written(&self, tensor: TensorId, between: Between, tensors: &TensorTable) -> bool {
        let alike = self.alike(tensor, tensors);
        alike.iter().filter_map(|tensor| self.of.get(tensor)).any(|of| is_there(&of.writers, between))
    }

    /// Whether an op between must stay in its order with this one: one writes what the other uses.
    pub fn depends(&self, op: &Op, between: Between, tensors: &TensorTable) -> bool {
        op.bindings.iter().any(|binding| {
            let alike = self.alike(binding.tensor, tensors);
            alike
                .iter()
                .filter_map(|tensor| self.of.get(tensor))
                .any(|of| is_there(&of.writers, between) || binding.access.writes() && is_there(&of.readers, between))
        })
    }

    /// The places of all ops that must stay in their order with this one, its own among them.
    pub fn dependent(&self, op: &Op, tensors: &TensorTable) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for binding in &op.bindings {
            for of in self.alike(binding.tensor, tensors).iter().filter_map(|tensor| self.of.get(tensor)) {
                found.extend(&of.writers);
                if binding.access.writes() {
                    found.extend(&of.readers);
                }
            }
        }
        found
    }
}
