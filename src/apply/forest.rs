//! A random forest: trees that each split a draw of the rows, with replacement, by thresholds of single dimensions.
//!
//! A split takes off as much as it can of the squared deviations from the mean: of numbers those of their values, of classes those of a
//! column of zeros and ones for each class (Gini's impurity).

use rand::RngExt;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::draws::rng;
use super::statistics::explained;

/// Values of a dimension that are told apart at most.
const BINS: usize = 256;

/// How trees grow.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// How many trees there are.
    pub trees: usize,
    /// Rows of a leaf at least.
    pub leaf: usize,
    /// Splits from the root to a leaf at most.
    pub depth: usize,
    /// Dimensions that each split is looked for among, drawn anew for each; all where there are no more.
    pub tried: usize,
}

/// Trees, and what they were grown from.
pub struct Forest<'a> {
    binned: &'a Binned,
    targets: Targets<'a>,
    trees: Vec<Tree>,
}

/// Dimensions of rows in bins, which hold the same number of fitted rows each, as far as values are different.
pub struct Binned {
    /// `(F, N)`
    bins: Vec<u8>,
    rows: usize,
    dimensions: usize,
}

impl Binned {
    /// Rows of so many dimensions, of which `at` gives a row's value in one.
    pub fn of(rows: usize, dimensions: usize, at: impl Fn(usize, usize) -> f64 + Sync, fitted: &[usize]) -> Self {
        let of_dimension = |dimension: usize| {
            let mut sorted: Vec<f64> = fitted.iter().map(|row| at(*row, dimension)).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let mut cuts: Vec<f64> =
                (1..BINS).filter_map(|cut| sorted.get(cut * sorted.len() / BINS).copied()).collect();
            cuts.dedup();
            (0..rows).map(|row| cuts.partition_point(|cut| *cut <= at(row, dimension)) as u8).collect()
        };
        let bins: Vec<Vec<u8>> = (0..dimensions).into_par_iter().map(of_dimension).collect();
        Self { bins: bins.concat(), rows, dimensions }
    }

    fn of_dimension(&self, dimension: usize) -> &[u8] {
        &self.bins[dimension * self.rows..(dimension + 1) * self.rows]
    }
}

impl<'a> Forest<'a> {
    /// Trees that predict targets; `stream` is that of the seed for the first tree.
    pub fn grow(
        binned: &'a Binned,
        targets: Targets<'a>,
        fitted: &[usize],
        growth: Growth,
        [seed, stream]: [u64; 2],
    ) -> Self {
        let grow = |number: usize| {
            let mut rng = rng(seed, stream + number as u64);
            let drawn = (0..fitted.len()).map(|_| fitted[rng.random_range(0..fitted.len())]).collect();
            Tree::grow(binned, &targets, drawn, growth, &mut rng)
        };
        let trees = (0..growth.trees).into_par_iter().map(grow).collect();
        Self { binned, targets, trees }
    }

    /// `(F)`: each dimension's share of the squared deviations that splits took off, the mean over the trees; zeros if nothing could be
    /// split.
    pub fn importance(&self) -> Vec<f64> {
        let mut importance = vec![0.0; self.binned.dimensions];
        for tree in &self.trees {
            let all: f64 = tree.gains.iter().sum();
            if all > 0.0 {
                importance.iter_mut().zip(&tree.gains).for_each(|(sum, gain)| *sum += gain / all);
            }
        }
        let all: f64 = importance.iter().sum();
        if all > 0.0 {
            importance.iter_mut().for_each(|share| *share /= all);
        }
        importance
    }

    /// What is predicted of a row: the mean of the trees, a number or a share for each class.
    pub fn predict(&self, row: usize) -> Vec<f64> {
        let mut found = vec![0.0; self.targets.width()];
        self.trees.iter().for_each(|tree| tree.add(row, self.binned, 1.0 / self.trees.len() as f64, &mut found));
        found
    }

    /// R2 of rows that were held out.
    pub fn explained(&self, held: &[usize]) -> f64 {
        let targets = &self.targets;
        let mut sums = vec![0.0; targets.width()];
        held.iter().for_each(|row| _ = targets.add(*row, 1.0, &mut sums));
        let means: Vec<f64> = sums.iter().map(|sum| sum / held.len().max(1) as f64).collect();
        let of_row = |row: &usize| {
            let mut target = vec![0.0; targets.width()];
            targets.add(*row, 1.0, &mut target);
            let squares = |from: &[f64]| target.iter().zip(from).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            (squares(&self.predict(*row)), squares(&means))
        };
        // Sums in the order of the rows, so that they do not depend on the threads.
        let all: Vec<(f64, f64)> = held.par_iter().map(of_row).collect();
        let (errors, deviations) = all.iter().fold((0.0, 0.0), |sum, of_row| (sum.0 + of_row.0, sum.1 + of_row.1));
        explained(errors, deviations)
    }
}

/// What is predicted of a row: a number, or zeros and ones.
pub enum Targets<'a> {
    /// A number of each row.
    Numbers(&'a [f64]),
    /// The class of each row, and how many there are.
    Classes(&'a [usize], usize),
}

impl Targets<'_> {
    fn width(&self) -> usize {
        match self {
            Targets::Numbers(_) => 1,
            Targets::Classes(_, count) => *count,
        }
    }

    /// Adds a row to sums, or takes it off, and returns by how much that changes the sum of their squares.
    fn add(&self, row: usize, times: f64, sums: &mut [f64]) -> f64 {
        let (place, value) = match self {
            Targets::Numbers(values) => (0, values[row]),
            Targets::Classes(classes, _) => (classes[row], 1.0),
        };
        let before = sums[place];
        sums[place] += times * value;
        sums[place] * sums[place] - before * before
    }
}

enum Node {
    /// Rows whose bin of a dimension is at most this go to the first of two nodes, others to the one behind it.
    Examples { dimension: usize, last: u8, below: usize },
    /// Means of the targets that are not 0.
    Leaf(Vec<(usize, f64)>),
}

struct Tree {
    nodes: Vec<Node>,
    /// `(F)`: squared deviations taken off.
    gains: Vec<f64>,
}

/// The best split of some rows.
struct Best {
    gain: f64,
    dimension: usize,
    last: u8,
}

impl Tree {
    fn grow(binned: &Binned, targets: &Targets<'_>, drawn: Vec<usize>, growth: Growth, rng: &mut ChaCha8Rng) -> Self {
        let mut tree = Self { nodes: vec![Node::Leaf(Vec::new())], gains: vec![0.0; binned.dimensions] };
        let mut open = vec![(0, drawn, 0)];
        while let Some((node, rows, depth)) = open.pop() {
            let best = if depth < growth.depth { best(binned, targets, &rows, growth, rng) } else { None };
            let Some(Best { gain, dimension, last }) = best else {
                let mut sums = vec![0.0; targets.width()];
                rows.iter().for_each(|row| _ = targets.add(*row, 1.0, &mut sums));
                let means = sums.iter().enumerate().filter(|(_, sum)| **sum != 0.0);
                tree.nodes[node] = Node::Leaf(means.map(|(place, sum)| (place, sum / rows.len() as f64)).collect());
                continue;
            };
            tree.gains[dimension] += gain;
            let bins = binned.of_dimension(dimension);
            let (below, above): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(|row| bins[*row] <= last);
            let first = tree.nodes.len();
            tree.nodes[node] = Node::Examples { dimension, last, below: first };
            for (place, rows) in [below, above].into_iter().enumerate() {
                tree.nodes.push(Node::Leaf(Vec::new()));
                open.push((first + place, rows, depth + 1));
            }
        }
        tree
    }

    /// Adds what it says of a row.
    fn add(&self, row: usize, binned: &Binned, times: f64, found: &mut [f64]) {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Examples { dimension, last, below } => {
                    at = below + usize::from(binned.of_dimension(*dimension)[row] > *last);
                }
                Node::Leaf(means) => return means.iter().for_each(|(place, mean)| found[*place] += times * mean),
            }
        }
    }
}

/// The split that takes off most; none if there is none that leaves enough rows on both sides.
fn best(binned: &Binned, targets: &Targets<'_>, rows: &[usize], growth: Growth, rng: &mut ChaCha8Rng) -> Option<Best> {
    if rows.len() < 2 * growth.leaf {
        return None;
    }
    let count = rows.len() as f64;
    let mut all = vec![0.0; targets.width()];
    // The squared deviations are the sum of squares less the squares of the sums over the count; only the latter change.
    let whole: f64 = rows.iter().map(|row| targets.add(*row, 1.0, &mut all)).sum();
    let least = 1e-9 * (whole / count).abs().max(1e-300);
    let mut best: Option<Best> = None;
    let mut sorted = Vec::new();
    let tried: Vec<usize> = match growth.tried < binned.dimensions {
        true => index::sample(rng, binned.dimensions, growth.tried).into_vec(),
        false => (0..binned.dimensions).collect(),
    };
    for dimension in tried {
        let bins = binned.of_dimension(dimension);
        sort(rows, bins, &mut sorted);
        let (mut left, mut right) = (vec![0.0; targets.width()], all.clone());
        let (mut of_left, mut of_right) = (0.0, whole);
        for (place, row) in sorted.iter().enumerate() {
            of_left += targets.add(*row, 1.0, &mut left);
            of_right += targets.add(*row, -1.0, &mut right);
            let (below, above) = (place + 1, rows.len() - place - 1);
            let is_cut = above >= growth.leaf && below >= growth.leaf && bins[sorted[place + 1]] > bins[*row];
            if !is_cut {
                continue;
            }
            let gain = of_left / below as f64 + of_right / above as f64 - whole / count;
            if gain > best.as_ref().map_or(least, |best| best.gain) {
                best = Some(Best { gain, dimension, last: bins[*row] });
            }
        }
    }
    best
}

/// Rows in the order of their bins.
fn sort(rows: &[usize], bins: &[u8], sorted: &mut Vec<usize>) {
    let mut places = [0_usize; BINS + 1];
    rows.iter().for_each(|row| places[usize::from(bins[*row]) + 1] += 1);
    for bin in 0..BINS {
        places[bin + 1] += places[bin];
    }
    sorted.resize(rows.len(), 0);
    for row in rows {
        let place = &mut places[usize::from(bins[*row])];
        sorted[*place] = *row;
        *place += 1;
    }
}
