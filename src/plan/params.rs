//! The parameter table: one layout shared by the weights, the gradients and both optimiser moments.

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `(-bound, bound)`; `torch.nn.Linear` uses `bound = 1 / sqrt(inputs)` for weights and biases.
    Uniform(f32),
    /// The same value everywhere.
    Constant(f32),
}

/// One named parameter of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The name it has in checkpoints, after PyTorch's `state_dict`.
    pub name: String,
    /// Extents; weights are `[out, in]`.
    pub shape: Vec<usize>,
    /// First element within an arena.
    pub offset: usize,
    /// How it starts.
    pub init: Init,
}

impl Param {
    /// How many elements the parameter has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the parameter has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where every parameter lies within an arena. Blocks start on 256-byte boundaries, which is what a storage
/// binding's offset needs; the parameters of one block follow each other without a gap, so that they can also be
/// bound as one tensor (`mu` and `logvar` are one GEMM).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParamTable {
    params: Vec<Param>,
    len: usize,
}

impl ParamTable {
    /// Elements between block starts: 256 bytes.
    pub const ALIGNMENT: usize = 64;

    /// Adds parameters that follow each other without a gap, and returns the offset of the first.
    pub fn push_block(&mut self, block: &[(&str, &[usize], Init)]) -> usize {
        let start = self.len;
        for (name, shape, init) in block {
            let param = Param { name: name.to_string(), shape: shape.to_vec(), offset: self.len, init: *init };
            self.len += param.len();
            self.params.push(param);
        }
        self.len = self.len.next_multiple_of(Self::ALIGNMENT);
        start
    }

    /// The parameters, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// The parameter of this name.
    pub fn find(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// Elements of an arena, the gaps between blocks included.
    pub fn arena_len(&self) -> usize {
        self.len
    }

    /// Trainable numbers, without the gaps.
    pub fn count(&self) -> usize {
        self.params.iter().map(Param::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_their_parameters_are_adjacent() {
        let mut table = ParamTable::default();
        table.push_block(&[("a", &[3, 5], Init::Constant(0.0))]);
        let heads = table.push_block(&[("mu", &[3, 7], Init::Constant(0.0)), ("logvar", &[3, 7], Init::Constant(0.0))]);
        assert_eq!(heads, 64);
        assert_eq!(table.find("logvar").unwrap().offset, 64 + 21);
        assert_eq!(table.arena_len(), 128);
        assert_eq!(table.count(), 15 + 42);
    }
}
