//! The parameter table: one layout shared by the weights, the gradients and both optimiser moments.

use std::borrow::Cow;
use std::collections::HashMap;

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in `(-bound, bound)`; `torch.nn.Linear` uses `bound = 1 / sqrt(inputs)` for weights and biases.
    Uniform(f32),
    /// Uniform in `(-bound, bound)` for a layer's weights and biases: a scheme of initial weights may set another
    /// bound.
    Layer(f32),
    /// One value for all elements.
    Constant(f32),
    /// `(K, D)`: K rows of the training data, chosen by the seed; missing values as 0.
    Rows,
}

/// The order of a parameter's elements in an arena, where it is not that of files: images are channels last here, and
/// channels first in PyTorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightLayout {
    /// Extents in the order of files.
    extents: Vec<usize>,
    /// The axes in the order of the arena, slowest first.
    axes: Vec<usize>,
}

impl WeightLayout {
    /// The layout of a convolution's weights: `[out, in, kh, kw]` in files, `[out, kh, kw, in]` in an arena.
    pub fn convolution(shape: [usize; 4]) -> Self {
        Self { extents: shape.to_vec(), axes: vec![0, 2, 3, 1] }
    }

    /// The layout of a matrix whose rows, or columns, are the numbers of images of so many channels and pixels. None
    /// where neither is.
    pub fn matrix(rows: (usize, usize), cols: (usize, usize)) -> Option<Self> {
        let is_plain = |(channels, pixels): (usize, usize)| channels == 1 || pixels == 1;
        let order = Self { extents: vec![rows.0, rows.1, cols.0, cols.1], axes: vec![1, 0, 3, 2] };
        (!is_plain(rows) || !is_plain(cols)).then_some(order)
    }

    /// Returns, for each element of the arena, its place in a file.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let stride = |axis: usize| self.extents[axis + 1..].iter().product::<usize>();
        let count = self.extents.iter().product::<usize>();
        (0..count).map(move |mut index| {
            let mut place = 0;
            for axis in self.axes.iter().rev() {
                place += index % self.extents[*axis] * stride(*axis);
                index /= self.extents[*axis];
            }
            place
        })
    }

    /// The elements in the order of files.
    fn to_file(&self, arena: &[f32]) -> Vec<f32> {
        let mut file = vec![0.0; arena.len()];
        self.places().zip(arena).for_each(|(place, value)| file[place] = *value);
        file
    }

    /// The elements in the order of the arena.
    fn to_arena(&self, file: &[f32]) -> Vec<f32> {
        self.places().map(|place| file[place]).collect()
    }
}

/// One named parameter of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The name it has in checkpoints, after PyTorch's `state_dict`.
    pub name: String,
    /// Extents in files; weights are `[out, in]`, those of convolutions `[out, in, kh, kw]`.
    pub shape: Vec<usize>,
    /// The order of its elements in an arena, if it is another one than that of files.
    pub order: Option<WeightLayout>,
    /// First element within an arena.
    pub offset: usize,
    /// How it starts.
    pub init: Init,
    /// Whether an op of its own updates it: it has no gradient, and the optimiser leaves it alone.
    pub has_own_update: bool,
}

impl Param {
    /// How many elements the parameter has.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns the parameter's elements in the order of files.
    pub fn to_file<'a>(&self, arena: &'a [f32]) -> Cow<'a, [f32]> {
        self.order.as_ref().map_or(Cow::Borrowed(arena), |order| order.to_file(arena).into())
    }

    /// Returns the parameter's elements in the order of the arena.
    pub fn to_arena<'a>(&self, file: &'a [f32]) -> Cow<'a, [f32]> {
        self.order.as_ref().map_or(Cow::Borrowed(file), |order| order.to_arena(file).into())
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
    /// The place of each by its name.
    places: HashMap<String, usize>,
    len: usize,
}

impl ParamTable {
    /// Elements between block starts: 256 bytes.
    pub const ALIGNMENT: usize = 64;

    /// Adds parameters that follow each other without a gap, and returns the offset of the first.
    pub fn push_block(&mut self, block: &[(&str, &[usize], Init)]) -> usize {
        let start = self.len;
        for (name, shape, init) in block {
            let (name, shape) = (name.to_string(), shape.to_vec());
            let param = Param { name, shape, order: None, offset: self.len, init: *init, has_own_update: false };
            self.len += param.len();
            self.places.entry(param.name.clone()).or_insert(self.params.len());
            self.params.push(param);
        }
        self.len = self.len.next_multiple_of(Self::ALIGNMENT);
        start
    }

    /// Sets the order of a parameter's elements.
    pub fn set_order(&mut self, name: &str, order: WeightLayout) {
        if let Some(param) = self.places.get(name).map(|place| &mut self.params[*place]) {
            param.order = Some(order);
        }
    }

    /// Takes a parameter away from the optimiser. It must be the last block: the optimiser updates what comes before it.
    pub fn set_own_update(&mut self, name: &str) {
        if let Some(param) = self.places.get(name).map(|place| &mut self.params[*place]) {
            param.has_own_update = true;
        }
    }

    /// Elements at the beginning of an arena that the optimiser updates.
    pub fn optimised_len(&self) -> usize {
        let end = self.params.iter().find(|p| p.has_own_update).map_or(self.len, |p| p.offset);
        debug_assert!(self.params.iter().all(|p| p.has_own_update == (p.offset >= end)));
        end
    }

    /// The parameters, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// The parameters, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Param> {
        self.params.iter_mut()
    }

    /// The parameter of this name.
    pub fn find(&self, name: &str) -> Option<&Param> {
        self.places.get(name).map(|place| &self.params[*place])
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

    #[test]
    fn orders_lead_to_files_and_back() {
        // Two filters of two channels and 1 x 3 taps: in files [out, in, kh, kw].
        let order = WeightLayout::convolution([2, 2, 1, 3]);
        let arena: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let file = order.to_file(&arena);
        assert_eq!(file, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0, 6.0, 8.0, 10.0, 7.0, 9.0, 11.0]);
        assert_eq!(order.to_arena(&file), arena);
        // Two rows of numbers, of images of two channels and three pixels.
        let order = WeightLayout::matrix((1, 2), (2, 3)).unwrap();
        assert_eq!(order.to_file(&arena), file);
        assert_eq!(order.to_arena(&file), arena);
        assert_eq!(WeightLayout::matrix((1, 4), (3, 1)), None);
    }
}
