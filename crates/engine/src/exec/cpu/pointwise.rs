//! Pointwise programs: as ops of their own, and as what becomes of a tile of a product while it is in the cache.
//!
//! A program runs over some hundred elements at a time. Each of its values has a register, an array of so many floats, and
//! each call is a loop over arrays.

use std::ops::Range;

use super::job::{At, Job, Registers, Scratch};
use super::memory::Region;
use super::rng::{drop_tokens, normal};
use super::vector::{add, each, vectorised};
use super::{activation, latent, likelihood};
use crate::kernels::batch::words_per_row;
use crate::kernels::map::MapParams;
use crate::plan::{Function, Index, Op, Pointwise, StoredValue, TensorTable, Value, is_missing};

/// Elements that a program goes over at a time; so many fit the first-level cache, in ten registers.
const CHUNK: usize = 1024;
/// Registers of a call: the most results that a function has.
const RESULTS: usize = 4;
/// The register of the product, and of the second column of a pair.
const PRODUCTS: usize = 2;

/// A tile of a product, of which a program takes the elements.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// The rows of the tile.
    pub values: &'a [f32],
    /// The distance from one row to the next, in floats.
    pub stride: usize,
    /// Where in a row the second columns of pairs begin.
    pub second: usize,
    /// The number that is added to each column of the product.
    pub bias: Option<&'a [f32]>,
}

/// A program and its tensors.
pub(super) struct BoundProgram {
    program: Pointwise,
    inputs: Vec<(Region, Index)>,
    stores: Vec<(Region, StoredValue)>,
    sums: Vec<Region>,
    /// Values that are the same for all elements, each with a register.
    scalars: Vec<Value>,
    /// The registers of each call's arguments.
    arguments: Vec<Vec<usize>>,
    /// Columns.
    cols: usize,
    /// Columns that a partial sum is over.
    group: usize,
}

/// The rows and columns that a chunk is of.
#[derive(Clone)]
struct Span {
    rows: Range<usize>,
    cols: Range<usize>,
}

impl Span {
    fn len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }
}

impl BoundProgram {
    /// Binds the program of an op to its tensors, over so many columns.
    pub fn new(op: &Op, tensors: &TensorTable, program: &Pointwise, cols: usize, pairs: bool) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let mut body = Self {
            inputs: program.inputs.iter().map(|i| (bound(Pointwise::IN[i.binding]), i.index)).collect(),
            stores: program.stores.iter().map(|s| (bound(Pointwise::OUT[s.binding]), *s)).collect(),
            sums: Pointwise::SUM.iter().take(program.sums.len()).map(|name| bound(name)).collect(),
            scalars: Vec::new(),
            arguments: Vec::new(),
            program: program.clone(),
            cols,
            // In a product of pairs, four columns are two pairs.
            group: if pairs { 2 } else { 4 },
        };
        for value in program.used() {
            if value.is_scalar() && !body.scalars.contains(&value) {
                body.scalars.push(value);
            }
        }
        let registers = |call: &crate::plan::Call| call.arguments.iter().map(|a| body.register(*a)).collect();
        body.arguments = program.calls.iter().map(registers).collect();
        body
    }

    /// The tensor that takes the product as it is, if there is nothing else to do.
    pub fn plain(&self) -> Option<Region> {
        let nothing = self.inputs.is_empty() && self.program.calls.is_empty() && self.sums.is_empty();
        match self.stores.as_slice() {
            [(region, store)] if nothing && !store.accumulate && store.index == Index::Whole => {
                (store.value == Value::Product(0)).then_some(*region)
            }
            _ => None,
        }
    }

    /// Where a value is.
    fn register(&self, value: Value) -> usize {
        let results = PRODUCTS + self.inputs.len() + self.scalars.len();
        match value {
            Value::Product(which) => which,
            Value::Input(i) => PRODUCTS + i,
            Value::Result { call, index } => results + RESULTS * call + index,
            Value::Constant(_) | Value::Step { .. } => {
                let place = self.scalars.iter().position(|scalar| *scalar == value);
                PRODUCTS + self.inputs.len() + place.unwrap_or(0)
            }
        }
    }

    /// Runs the program over some rows and columns; `tile` has these of the product.
    pub fn run(&self, at: At<'_>, tile: Option<Tile<'_>>, [rows, cols]: [Range<usize>; 2], registers: &mut Registers) {
        let count = PRODUCTS + self.inputs.len() + self.scalars.len() + RESULTS * self.program.calls.len();
        registers.values.sized(count * CHUNK);
        for scalar in &self.scalars {
            let value = match *scalar {
                Value::Constant(bits) => f32::from_bits(bits),
                Value::Step { scalar, over } => at.step.value(scalar) / over as f32,
                _ => 0.0,
            };
            registers.values.all_mut()[self.register(*scalar) * CHUNK..][..CHUNK].fill(value);
        }
        // Whole rows, as many as fit; or parts of one row.
        let width = cols.len().min(CHUNK);
        let height = (CHUNK / width.max(1)).max(1);
        for row in rows.clone().step_by(height) {
            for col in cols.clone().step_by(width.max(1)) {
                let span = Span { rows: row..(row + height).min(rows.end), cols: col..(col + width).min(cols.end) };
                if let Some(tile) = tile {
                    let from = [span.rows.start - rows.start, span.cols.start - cols.start];
                    self.load_product(tile, from, &span, registers.values.all_mut());
                }
                self.chunk(at, &span, registers);
            }
        }
    }

    fn load_product(&self, tile: Tile<'_>, [row, col]: [usize; 2], span: &Span, values: &mut [f32]) {
        let width = span.cols.len();
        let pairs = self.group == 2;
        for (which, register) in values.chunks_mut(CHUNK).take(if pairs { 2 } else { 1 }).enumerate() {
            let from = &tile.values[row * tile.stride + which * tile.second + col..];
            let to = &mut register[..span.len()];
            match tile.bias {
                Some(bias) => {
                    let bias = &bias[which * self.cols + span.cols.start..][..width];
                    rows_with_bias(from, tile.stride, bias, to);
                }
                None => rows(from, tile.stride, width, to),
            }
        }
    }

    fn chunk(&self, at: At<'_>, span: &Span, registers: &mut Registers) {
        for (i, (region, index)) in self.inputs.iter().enumerate() {
            let register = &mut registers.values.all_mut()[(PRODUCTS + i) * CHUNK..][..span.len()];
            self.load(at, *region, *index, span, register);
        }
        for (call, arguments) in self.arguments.iter().enumerate() {
            self.call(at, call, arguments, span, registers);
        }
        for (region, store) in &self.stores {
            let values = &registers.values.all()[self.register(store.value) * CHUNK..][..span.len()];
            self.store(at, *region, store, span, values);
        }
        let sums = self.cols.div_ceil(self.group);
        for (region, value) in self.sums.iter().zip(&self.program.sums) {
            let values = &registers.values.all()[self.register(*value) * CHUNK..][..span.len()];
            let groups = span.cols.len().div_ceil(self.group);
            for (row, values) in span.rows.clone().zip(values.chunks(span.cols.len())) {
                let start = row * sums + span.cols.start / self.group;
                let to = at.memory.floats_mut(region.part(start..start + groups));
                if self.group == 2 { partial_sums::<2>(values, to) } else { partial_sums::<4>(values, to) }
            }
        }
    }

    /// Brings an input's elements into a register.
    fn load(&self, at: At<'_>, region: Region, index: Index, span: &Span, register: &mut [f32]) {
        let (width, first) = (span.cols.len(), span.cols.start);
        if index.is_levels() {
            return self.load_levels(at, region, index, span, register);
        }
        let values = at.memory.floats(region);
        match index {
            Index::Whole => rows(&values[span.rows.start * self.cols + first..], self.cols, width, register),
            Index::Columns { stride, offset } => {
                let (stride, offset) = (stride as usize, offset as usize);
                rows(&values[span.rows.start * stride + offset + first..], stride, width, register);
            }
            Index::Repeated { rows: each } => {
                for (row, to) in span.rows.clone().zip(register.chunks_mut(width)) {
                    to.copy_from_slice(&values[row / each as usize * self.cols + first..][..width]);
                }
            }
            Index::PerRow if width == 1 => register.copy_from_slice(&values[span.rows.clone()]),
            Index::PerRow => {
                for (row, to) in span.rows.clone().zip(register.chunks_mut(width)) {
                    to.fill(values[row]);
                }
            }
            // Every row is the same.
            Index::PerColumn => rows(&values[first..], 0, width, register),
            Index::Once | Index::Levels | Index::LevelsOf { .. } => register.fill(values[0]),
        }
    }

    fn load_levels(&self, at: At<'_>, region: Region, index: Index, span: &Span, register: &mut [f32]) {
        let bytes: &[u8] = bytemuck::cast_slice(at.memory.words(region));
        // Rows of the space that one run of bytes holds; each run begins on a word.
        let rows = if let Index::LevelsOf { rows } = index { rows as usize } else { 1 };
        let stride = 4 * words_per_row(rows * self.cols);
        let width = span.cols.len();
        if rows == 1 {
            return rows_of_levels(
                &bytes[span.rows.start * stride + span.cols.start..],
                stride,
                width,
                width,
                register,
            );
        }
        let mut row = span.rows.start;
        let mut rest = register;
        while row < span.rows.end {
            // Whole rows of a run lie behind each other.
            let together = (rows - row % rows).min(span.rows.end - row);
            let start = row / rows * stride + row % rows * self.cols + span.cols.start;
            let (to, behind) = std::mem::take(&mut rest).split_at_mut(together * width);
            rows_of_levels(&bytes[start..], self.cols, width, width, to);
            rest = behind;
            row += together;
        }
    }

    fn store(&self, at: At<'_>, region: Region, store: &StoredValue, span: &Span, values: &[f32]) {
        let width = span.cols.len();
        let write = |start: usize, values: &[f32]| {
            let to = at.memory.floats_mut(region.part(start..start + values.len()));
            if store.accumulate { add(to, values) } else { to.copy_from_slice(values) }
        };
        let (stride, offset) = match store.index {
            Index::Columns { stride, offset } => (stride as usize, offset as usize),
            _ if width == self.cols => return write(span.rows.start * width, values),
            _ => (self.cols, 0),
        };
        for (row, values) in span.rows.clone().zip(values.chunks(width)) {
            write(row * stride + offset + span.cols.start, values);
        }
    }

    /// The numbers of the elements of a chunk, for what is drawn.
    fn number(&self, span: &Span, index: &mut Vec<u32>) {
        index.clear();
        for row in span.rows.clone() {
            let first = (row * self.cols + span.cols.start) as u32;
            index.extend((0..span.cols.len() as u32).map(|col| first + col));
        }
    }

    fn call(&self, at: At<'_>, number: usize, arguments: &[usize], span: &Span, registers: &mut Registers) {
        let len = span.len();
        // Results lie behind all that a call can take.
        let first = self.register(Value::Result { call: number, index: 0 });
        let (before, results) = registers.values.all_mut().split_at_mut(first * CHUNK);
        let x: [&[f32]; 5] =
            std::array::from_fn(|i| arguments.get(i).map_or(&[][..], |a| &before[*a * CHUNK..][..len]));
        let (y0, rest) = results.split_at_mut(CHUNK);
        let (y1, rest) = rest.split_at_mut(CHUNK);
        let (y2, y3) = rest.split_at_mut(CHUNK);
        let [y, y1, y2, y3] = [&mut y0[..len], &mut y1[..len], &mut y2[..len], &mut y3[..len]];
        match self.program.calls[number].function {
            Function::Copy => y.copy_from_slice(x[0]),
            Function::Add => each!([x[0], x[1]], [y], sum_of_two),
            Function::Multiply => each!([x[0], x[1]], [y], product_of_two),
            Function::Activate(a) => activation::activate(a, x[0], y),
            Function::Slope(a) => activation::slope(a, x[0], y),
            Function::Normal(draw) => {
                self.number(span, &mut registers.index);
                normal(at.step.noise_key, draw, &registers.index, y);
            }
            Function::DropToken(draw) => {
                self.number(span, &mut registers.index);
                drop_tokens(at.step.noise_key, draw, &registers.index, x[0], x[1], y);
            }
            Function::Reparameterise => each!([x[0], x[1], x[2]], [y], latent::reparameterise),
            Function::ReparameteriseLogvar => each!([x[0], x[1], x[2]], [y], latent::reparameterise_logvar),
            Function::Kl => each!([x[0], x[1]], [y], latent::kl),
            Function::KlLogvar => each!([x[0], x[1]], [y], latent::kl_logvar),
            Function::Exp => each!([x[0]], [y], latent::exponential),
            Function::LogDraw => each!([x[0], x[1]], [y], latent::log_draw),
            Function::LogDrawSlope => each!([x[0]], [y], latent::log_draw_slope),
            Function::LogNormal => each!([x[0], x[1], x[2]], [y], latent::log_normal),
            Function::LogNormalX => each!([x[0], x[1], x[2], x[3]], [y], latent::log_normal_x),
            Function::LogNormalMu => each!([x[0], x[1], x[2], x[3]], [y], latent::log_normal_mu),
            Function::LogNormalLogvar => each!([x[0], x[1], x[2], x[3]], [y], latent::log_normal_logvar),
            Function::Loss(loss) => likelihood::losses(loss, x, [y, y1, y2, y3]),
            Function::ColumnMean | Function::ColumnOrCountMean => likelihood::means(&x[..arguments.len()], y),
            Function::ZeroInflatedMean => each!([x[0], x[1], x[2]], [y], likelihood::zero_inflated_mean),
            Function::LogisticMean => each!([x[0], x[1]], [y, y1, y2], likelihood::logistic_mean),
            Function::Present => each!([x[0]], [y], present),
            Function::Absent => each!([x[0]], [y], absent),
        }
    }
}

#[inline(always)]
fn sum_of_two([a, b]: [f32; 2]) -> [f32; 1] {
    [a + b]
}

#[inline(always)]
fn product_of_two([a, b]: [f32; 2]) -> [f32; 1] {
    [a * b]
}

#[inline(always)]
fn present([x]: [f32; 1]) -> [f32; 1] {
    [if is_missing(x) { 0.0 } else { x }]
}

#[inline(always)]
fn absent([x]: [f32; 1]) -> [f32; 1] {
    [if is_missing(x) { 1.0 } else { 0.0 }]
}

vectorised! {
    /// Copies rows of `width` numbers that lie `stride` apart, one behind the other.
    fn rows<'a>(from: &'a [f32], stride: usize, width: usize, to: &'a mut [f32]) {
        if width == stride {
            return to.copy_from_slice(&from[..to.len()]);
        }
        for (row, to) in to.chunks_exact_mut(width).enumerate() {
            for (to, from) in to.iter_mut().zip(&from[row * stride..][..width]) {
                *to = *from;
            }
        }
    }
}

vectorised! {
    /// Copies rows that lie `stride` apart, and adds a bias to each column.
    fn rows_with_bias<'a>(from: &'a [f32], stride: usize, bias: &'a [f32], to: &'a mut [f32]) {
        for (row, to) in to.chunks_exact_mut(bias.len()).enumerate() {
            for (to, (from, bias)) in to.iter_mut().zip(from[row * stride..][..bias.len()].iter().zip(bias)) {
                *to = from + bias;
            }
        }
    }
}

vectorised! {
    /// Converts rows of grey levels that lie `stride` apart to floats, with zeros behind each row up to a width.
    pub(super) fn rows_of_levels<'a>(from: &'a [u8], stride: usize, count: usize, width: usize, to: &'a mut [f32]) {
        for (row, to) in to.chunks_exact_mut(width).enumerate() {
            let (to, rest) = to.split_at_mut(count);
            for (to, byte) in to.iter_mut().zip(&from[row * stride..][..count]) {
                *to = f32::from(*byte) * (1.0 / 255.0);
            }
            rest.fill(0.0);
        }
    }
}

vectorised! {
    /// The sums of so many neighbours each; the last may have fewer.
    fn partial_sums<'a, const GROUP: usize>(values: &'a [f32], to: &'a mut [f32]) {
        let (groups, rest) = values.as_chunks::<GROUP>();
        for (to, group) in to.iter_mut().zip(groups) {
            *to = group.iter().sum();
        }
        if let Some(last) = to.get_mut(groups.len()) {
            *last = rest.iter().sum();
        }
    }
}

/// A program over a matrix.
pub(super) struct Map {
    body: BoundProgram,
    rows: usize,
    /// Rows and columns of a task.
    tile: [usize; 2],
}

/// Elements of a task: some 10 us of work. Where a row is longer, each part begins with a partial sum.
const TASK: usize = 1 << 14;

impl Map {
    pub fn new(op: &Op, tensors: &TensorTable, program: &Pointwise) -> Self {
        let p = MapParams::of(op);
        let (rows, cols) = (p.m as usize, p.n as usize);
        let width = cols.clamp(1, TASK);
        Self { body: BoundProgram::new(op, tensors, program, cols, false), rows, tile: [(TASK / width).max(1), width] }
    }
}

impl Job for Map {
    fn phases(&self) -> Vec<usize> {
        vec![self.rows.div_ceil(self.tile[0]) * self.body.cols.div_ceil(self.tile[1])]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, scratch: &mut Scratch) {
        let across = self.body.cols.div_ceil(self.tile[1]);
        let [row, col] = [task / across * self.tile[0], task % across * self.tile[1]];
        let rows = row..(row + self.tile[0]).min(self.rows);
        let cols = col..(col + self.tile[1]).min(self.body.cols);
        self.body.run(at, None, [rows, cols], &mut scratch.registers);
    }
}
