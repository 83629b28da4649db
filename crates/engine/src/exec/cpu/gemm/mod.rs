//! Matrix products with their epilogues. A task makes a tile: it packs some columns of B, sums, and runs the epilogue over what it has
//! while that is in the cache.

mod kernel;
mod pack;
mod windows;

use std::ops::Range;

use super::Builder;
use super::job::{At, Job, Scratch};
use super::memory::Region;
use super::pointwise::{BoundProgram, Tile, rows_of_levels};
use super::vector::sums_of_columns;
use crate::kernels::batch::words_per_row;
use crate::kernels::gemm::GemmParams;
use crate::plan::{Gemm, Op, Orientation};
pub(super) use kernel::{Left, Multiply, NOWHERE, Shape, To};
pub(super) use pack::{Right, pack};

/// Terms that are summed before sums go back to the tile: so many rows of A and columns of B fit the second-level cache.
const TERMS: usize = 1024;
/// Tiles of a thread at least, where a product has work for them: so that no thread waits long for another.
const TILES_OF_THREAD: usize = 6;
/// Numbers that tiles would pack again, for which it is worth a phase to pack them once: some 20 us.
const SHARED: usize = 1 << 17;
/// Multiply-adds of a tile at least: some 2 us.
const WORK: usize = 1 << 17;

/// The job of a product.
pub(super) fn job(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm) -> Box<dyn Job> {
    match &gemm.windows {
        Some(windows) => windows::job(builder, op, gemm, windows),
        None => Box::new(Product::new(builder, op, gemm)),
    }
}

/// Grey levels that are made floats before the product begins: `(rows, cols)`.
struct Unpacked {
    bytes: Region,
    floats: Region,
    rows: usize,
    cols: usize,
}

impl Unpacked {
    /// Rows of a task.
    fn rows_of_task(&self) -> usize {
        ((1 << 15) / self.cols.max(1)).max(1)
    }

    fn tasks(&self) -> usize {
        self.rows.div_ceil(self.rows_of_task())
    }

    fn run(&self, at: At<'_>, task: usize) {
        let bytes: &[u8] = bytemuck::cast_slice(at.memory.words(self.bytes));
        let first = task * self.rows_of_task();
        let rows = first..(first + self.rows_of_task()).min(self.rows);
        let to = at.memory.floats_mut(self.floats.part(rows.start * self.cols..rows.end * self.cols));
        let stride = 4 * words_per_row(self.cols);
        rows_of_levels(&bytes[rows.start * stride..], stride, self.cols, self.cols, to);
    }
}

/// A product of matrices.
struct Product {
    orientation: Orientation,
    body: BoundProgram,
    /// The tensor that takes the product as it is, if there is nothing else to do.
    whole: Option<Region>,
    shape: Shape,
    sizes: [usize; 3],
    /// Columns of the epilogue: half of the product's where it takes pairs.
    cols: usize,
    a: Region,
    b: Region,
    /// Whether B has grey levels.
    b_levels: bool,
    bias: Option<Region>,
    row_sum: Option<Region>,
    unpacked: Vec<Unpacked>,
    /// All panels of B one behind another, packed before the tiles, where several tiles need each of them.
    packed: Option<Region>,
    /// Rows and columns of a tile.
    tile: [usize; 2],
}

impl Product {
    fn new(builder: &mut Builder<'_>, op: &Op, gemm: &Gemm) -> Self {
        let tensors = builder.tensors;
        let p = GemmParams::of(op);
        let [m, n, k] = [p.m, p.n, p.k].map(|n| n as usize);
        let bound = |name| Region::bound(tensors, op, name);
        let (mut a, mut b) = (bound("a"), bound("b"));
        let a_shape = if gemm.orientation == Orientation::Tn { [k, m] } else { [m, k] };
        // Grey levels of which rows are packed become floats on the way.
        let turned = gemm.orientation == Orientation::Nt;
        let mut unpacked = Vec::new();
        for (region, is_levels, [rows, cols]) in
            [(&mut a, gemm.a_levels, a_shape), (&mut b, gemm.b_levels && turned, [n, k])]
        {
            if is_levels {
                let floats = builder.scratch(rows * cols);
                unpacked.push(Unpacked { bytes: *region, floats, rows, cols });
                *region = floats;
            }
        }
        let shape = Shape::here();
        let cols = if gemm.pairs { n / 2 } else { n };
        let body = BoundProgram::new(op, tensors, &gemm.epilogue, cols, gemm.pairs);
        let tile = tile_of(shape, [m, cols, k], TILES_OF_THREAD * builder.threads);
        let again = (m.div_ceil(tile[0]) - 1) * n * k;
        let fits = n % shape.lanes == 0 && !gemm.pairs && !(gemm.b_levels && turned);
        Self {
            orientation: gemm.orientation,
            whole: if gemm.bias { None } else { body.plain() },
            body,
            shape,
            sizes: [m, n, k],
            cols,
            a,
            b,
            b_levels: gemm.b_levels && !turned,
            packed: (fits && again >= SHARED).then(|| builder.scratch(n * k)),
            bias: gemm.bias.then(|| bound("bias")),
            row_sum: gemm.row_sum.then(|| bound("row_sum")),
            unpacked,
            tile,
        }
    }

    /// B, and how it lies.
    fn right<'a>(&self, at: At<'a>) -> Right<'a> {
        let [_, n, k] = self.sizes;
        match self.orientation {
            Orientation::Nt => Right::Columns(at.memory.floats(self.b), k),
            _ if self.b_levels => Right::Levels(bytemuck::cast_slice(at.memory.words(self.b)), 4 * words_per_row(n)),
            _ => Right::Rows(at.memory.floats(self.b), n),
        }
    }

    /// Whether there is a phase before the tiles.
    fn prepares(&self) -> bool {
        self.packed.is_some() || !self.unpacked.is_empty()
    }

    /// Packs one of the panels that tiles share.
    fn pack(&self, at: At<'_>, packed: Region, panel: usize) {
        let [_, n, k] = self.sizes;
        let (cols, width) = self.shape.panel_of(0..n, panel);
        let to = at.memory.floats_mut(packed.part(k * cols.start..k * cols.end));
        pack(self.right(at), 0..k, cols, width, to);
    }

    fn grid(&self) -> [usize; 2] {
        [self.sizes[0].div_ceil(self.tile[0]), self.cols.div_ceil(self.tile[1])]
    }

    /// Sums some rows and columns of the product. They go to the tile that the task has, whose rows are `stride` apart, at
    /// `place`; or to `whole`, a tensor that has the product and nothing else.
    fn columns(
        &self,
        at: At<'_>,
        [rows, cols]: [Range<usize>; 2],
        (place, stride): (usize, usize),
        whole: Option<Region>,
        scratch: &mut Scratch,
    ) {
        let [m, n, k] = self.sizes;
        let (a, right) = (at.memory.floats(self.a), self.right(at));
        let height = self.shape.rows;
        scratch.targets.clear();
        scratch
            .targets
            .extend((0..rows.len()).map(|row| if whole.is_some() { (rows.start + row) * n } else { row * stride }));
        scratch.targets.resize(rows.len().next_multiple_of(height), NOWHERE);
        for first in (0..k.max(1)).step_by(TERMS) {
            let terms = first..(first + TERMS).min(k);
            // Where rows, or groups of them, start; where those of A lie side by side and do not fill a group, they are
            // copied behind each other.
            let starts = &mut scratch.starts;
            starts.clear();
            let mut copied: &[f32] = &[];
            if self.orientation == Orientation::Tn {
                starts.extend(terms.clone().map(|k| k * m + rows.start));
                starts.extend((0..rows.len() / height).map(|group| group * height));
                let rest = rows.len() % height;
                if rest > 0 {
                    let copy = scratch.margin.sized(terms.len() * height);
                    copy.fill(0.0);
                    for (to, k) in copy.chunks_exact_mut(height).zip(terms.clone()) {
                        to[..rest].copy_from_slice(&a[k * m + rows.end - rest..][..rest]);
                    }
                    copied = copy;
                    starts.extend((0..terms.len()).map(|k| k * height));
                    starts.push(0);
                }
            } else {
                let last = rows.end - 1;
                let padded = rows.start..rows.start + rows.len().next_multiple_of(height);
                starts.extend(padded.map(|row| row.min(last) * k + terms.start));
            }
            for (of_panel, width) in self.shape.panels(cols.clone()) {
                let col = of_panel.start;
                let panel: &[f32] = match self.packed {
                    Some(packed) => {
                        let first = k * col;
                        at.memory.floats(packed.part(first + terms.start * width..first + terms.end * width))
                    }
                    None => {
                        let panel = scratch.panel.sized(terms.len() * width);
                        pack(right, terms.clone(), of_panel, width, panel);
                        panel
                    }
                };
                let tile = &mut scratch.tile.all_mut()[if whole.is_some() { 0 } else { place + col - cols.start }..];
                let tensor = whole.map(|region| (at.memory, region.part(col..region.len)));
                let targets = &scratch.targets;
                let accumulate = first > 0;
                if self.orientation == Orientation::Tn {
                    let (places, rest) = starts.split_at(terms.len());
                    let (groups, of_copy) = rest.split_at(rows.len() / height);
                    let (in_groups, of_rest) = targets.split_at(groups.len() * height);
                    let left = Left::Columns { places, starts: groups };
                    Multiply { a, left, panel, width, to: To::of(tensor, tile), targets: in_groups, accumulate }.run();
                    if let [places @ .., start] = of_copy {
                        let left = Left::Columns { places, starts: std::slice::from_ref(start) };
                        Multiply {
                            a: copied,
                            left,
                            panel,
                            width,
                            to: To::of(tensor, tile),
                            targets: of_rest,
                            accumulate,
                        }
                        .run();
                    }
                } else {
                    let left = Left::Rows { starts, segments: &[(0, terms.len())] };
                    Multiply { a, left, panel, width, to: To::of(tensor, tile), targets, accumulate }.run();
                }
            }
        }
    }

    /// The sums of A's columns.
    fn sum_rows(&self, at: At<'_>, to: Region) {
        sums_of_columns(at.memory.floats(self.a), at.memory.floats_mut(to));
    }
}

/// Rows and columns of a tile of an `(M, N)` product over `K`, of which there should be so many. Each number is summed in order of
/// k, so the bits do not depend on tiles.
fn tile_of(shape: Shape, [m, n, k]: [usize; 3], wanted: usize) -> [usize; 2] {
    let even = |all: usize, most: usize, unit: usize| {
        let count = all.div_ceil(most).max(1);
        all.div_ceil(count).next_multiple_of(unit).max(unit)
    };
    let panel = shape.panel();
    let tiles = [(256, 4), (256, 2), (256, 1), (128, 1), (64, 1), (32, 1)]
        .map(|(rows, panels)| [even(m, rows, shape.rows), even(n, panels * panel, panel)]);
    let enough = |[rows, cols]: &[usize; 2]| m.div_ceil(*rows) * n.div_ceil(*cols) >= wanted;
    let worth = |[rows, cols]: &[usize; 2]| rows.min(&m) * cols.min(&n) * k >= WORK;
    let fallback = tiles.iter().rev().find(|tile| worth(tile)).unwrap_or(&tiles[0]);
    *tiles.iter().filter(|tile| worth(tile)).find(|tile| enough(tile)).unwrap_or(fallback)
}

impl Job for Product {
    fn phases(&self) -> Vec<usize> {
        let [down, across] = self.grid();
        let tiles = down * across + usize::from(self.row_sum.is_some());
        if self.prepares() {
            let unpack: usize = self.unpacked.iter().map(Unpacked::tasks).sum();
            vec![unpack + self.packed.map_or(0, |_| self.shape.panels(0..self.sizes[1]).count()), tiles]
        } else {
            vec![tiles]
        }
    }

    fn run(&self, at: At<'_>, phase: usize, mut task: usize, scratch: &mut Scratch) {
        if phase == 0 && self.prepares() {
            for unpacked in &self.unpacked {
                if task < unpacked.tasks() {
                    return unpacked.run(at, task);
                }
                task -= unpacked.tasks();
            }
            if let Some(packed) = self.packed {
                return self.pack(at, packed, task);
            }
        }
        if let Some(to) = self.row_sum {
            // The first task, since it is a long one.
            if task == 0 {
                return self.sum_rows(at, to);
            }
            task -= 1;
        }
        let [_, across] = self.grid();
        let [row, col] = [task / across * self.tile[0], task % across * self.tile[1]];
        let rows = row..(row + self.tile[0]).min(self.sizes[0]);
        let mut cols = col..(col + self.tile[1]).min(self.cols);
        if let Some(whole) = self.whole {
            // Columns that fill vectors go where they belong; the others through a tile.
            let filled = cols.start + cols.len() / self.shape.lanes * self.shape.lanes;
            self.columns(at, [rows.clone(), cols.start..filled], (0, 0), Some(whole), scratch);
            cols.start = filled;
            if cols.is_empty() {
                return;
            }
        }
        // In a product of pairs, the second columns lie behind the first ones.
        let second = cols.len().next_multiple_of(self.shape.panel());
        let pairs = self.cols != self.sizes[1];
        let stride = if pairs { 2 * second } else { second };
        scratch.tile.sized(rows.len() * stride);
        self.columns(at, [rows.clone(), cols.clone()], (0, stride), None, scratch);
        if pairs {
            let others = cols.start + self.cols..cols.end + self.cols;
            self.columns(at, [rows.clone(), others], (second, stride), None, scratch);
        }
        let bias = self.bias.map(|bias| at.memory.floats(bias));
        let tile = Tile { values: scratch.tile.all(), stride, second, bias };
        self.body.run(at, Some(tile), [rows, cols], &mut scratch.registers);
    }
}
