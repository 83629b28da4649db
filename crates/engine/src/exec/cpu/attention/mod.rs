//! Attention: a task has a head of a sequence. Its queries come in blocks, and its keys in tiles, whose scores stay in the cache.

mod product;

use super::job::{At, Floats, Job, Scratch};
use super::math::{exp, ln, share};
use super::memory::Region;
use super::vector::vectorised;
use crate::kernels::attention::AttentionParams;
use crate::plan::{AttentionKernel, Op, Pass, TensorTable};
use product::{LANES, Left, Multiply};

/// Queries of a block.
const QUERIES: usize = 8;
/// Keys of a tile.
const KEYS: usize = 4 * LANES;

/// Every head of every sequence.
pub(super) struct Heads {
    causal: bool,
    heads: usize,
    batch: usize,
    steps: usize,
    width: usize,
    qkv: Region,
    lengths: Option<Region>,
    result: Region,
    sums: Region,
    /// The gradient of the result, that of queries, keys and values, and the products.
    back: Option<[Region; 3]>,
}

/// A head of a sequence.
#[derive(Clone, Copy)]
struct Head<'a> {
    of: &'a Heads,
    sequence: usize,
    head: usize,
    /// Times of the sequence.
    length: usize,
}

/// Which of a head's matrices.
#[derive(Clone, Copy)]
enum Of {
    Query = 0,
    Key = 1,
    Value = 2,
}

impl Heads {
    pub fn new(op: &Op, tensors: &TensorTable, kernel: AttentionKernel) -> Self {
        let bound = |name| Region::bound(tensors, op, name);
        let p = AttentionParams::of(op);
        let [batch, steps, width] = [p.batch, p.steps, p.width].map(|n| n as usize);
        Self {
            causal: kernel.layer.causal,
            heads: kernel.layer.heads as usize,
            batch,
            steps,
            width,
            qkv: bound("qkv"),
            lengths: kernel.has_lengths.then(|| bound("lengths")),
            result: bound("result"),
            sums: bound("sums"),
            back: (kernel.pass == Pass::Backward).then(|| ["d_result", "d_qkv", "products"].map(bound)),
        }
    }

    /// Floats of a matrix of a head's times in panels.
    fn panels(&self) -> usize {
        self.steps.next_multiple_of(LANES) * self.width.next_multiple_of(LANES)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// The keys that a query sees.
    fn seen(&self, query: usize, length: usize) -> usize {
        if self.causal { query + 1 } else { length }
    }
}

impl Head<'_> {
    fn row(self, time: usize) -> usize {
        self.sequence * self.of.steps + time
    }

    /// The columns of a time among queries, keys and values.
    fn in_qkv(self, region: Region, time: usize, of: Of) -> Region {
        let columns = self.of.heads * self.of.width;
        let first = (self.row(time) * 3 + of as usize) * columns + self.head * self.of.width;
        region.part(first..first + self.of.width)
    }

    /// The columns of a time in a matrix of results.
    fn in_result(self, region: Region, time: usize) -> Region {
        let first = (self.row(time) * self.of.heads + self.head) * self.of.width;
        region.part(first..first + self.of.width)
    }

    /// The place of a time's number.
    fn number(self, region: Region, time: usize) -> Region {
        let at = self.row(time) * self.of.heads + self.head;
        region.part(at..at + 1)
    }

    /// Packs the rows of all times, so that products sum over the times: panels of columns.
    fn pack_rows<'b>(self, row: impl Fn(usize) -> &'b [f32], to: &mut [f32]) {
        for time in 0..self.length {
            for (panel, columns) in row(time).chunks(LANES).enumerate() {
                let first = (panel * self.of.steps + time) * LANES;
                to[first..first + columns.len()].copy_from_slice(columns);
                to[first + columns.len()..first + LANES].fill(0.0);
            }
        }
    }

    /// Packs the rows of all times, so that products sum over the columns: panels of times.
    fn pack_columns<'b>(self, row: impl Fn(usize) -> &'b [f32], to: &mut [f32]) {
        let width = self.of.width;
        for time in 0..self.length.next_multiple_of(LANES) {
            let (panel, lane) = (time / LANES, time % LANES);
            let to = &mut to[panel * width * LANES..][..width * LANES];
            let places = to[lane..].iter_mut().step_by(LANES);
            if time < self.length {
                places.zip(row(time)).for_each(|(to, value)| *to = *value);
            } else {
                places.for_each(|to| *to = 0.0);
            }
        }
    }

    fn forward(self, at: At<'_>, scratch: &mut Scratch) {
        let Heads { qkv, result, sums, steps, width, .. } = *self.of;
        let row = |time: usize, of: Of| at.memory.floats(self.in_qkv(qkv, time, of));
        let padded = width.next_multiple_of(LANES);
        let [keys, values] = split(&mut scratch.panel, [self.of.panels(), self.of.panels()]);
        self.pack_columns(|time| row(time, Of::Key), keys);
        self.pack_rows(|time| row(time, Of::Value), values);
        let [queries, scores, sum] = split(&mut scratch.tile, [QUERIES * width, QUERIES * KEYS, QUERIES * padded]);
        for first in (0..self.length).step_by(QUERIES) {
            let rows = QUERIES.min(self.length - first);
            copy_rows(queries, width, rows, |query| row(first + query, Of::Query));
            sum.fill(0.0);
            let (mut most, mut total) = ([f32::NEG_INFINITY; QUERIES], [0.0; QUERIES]);
            let behind = self.of.seen(first + rows - 1, self.length);
            for key in (0..behind).step_by(KEYS) {
                let tile = KEYS.min(behind - key);
                score(queries, width, rows, &keys[key * width..], tile, scores);
                for query in 0..rows {
                    let seen = self.of.seen(first + query, self.length).saturating_sub(key).min(tile);
                    let of = &mut scores[query * KEYS..][..tile];
                    let (largest, keep) = largest(&of[..seen], self.of.scale(), most[query]);
                    total[query] = total[query] * keep + weights(of, seen, self.of.scale(), largest);
                    most[query] = largest;
                    times(&mut sum[query * padded..][..padded], keep);
                }
                for (panel, columns) in (0..padded).step_by(LANES).enumerate() {
                    let values = &values[(panel * steps + key) * LANES..];
                    multiply((scores, Left::Rows(KEYS), rows), (values, tile), (&mut sum[columns..], padded));
                }
            }
            for query in 0..rows {
                times(&mut sum[query * padded..][..width], 1.0 / total[query]);
                let to = at.memory.floats_mut(self.in_result(result, first + query));
                to.copy_from_slice(&sum[query * padded..][..width]);
                at.memory.floats_mut(self.number(sums, first + query))[0] = most[query] + ln(total[query]);
            }
        }
        for time in self.length..steps {
            at.memory.floats_mut(self.in_result(result, time)).fill(0.0);
            at.memory.floats_mut(self.number(sums, time))[0] = 0.0;
        }
    }

    fn back(self, at: At<'_>, scratch: &mut Scratch, [d_result, d_qkv, products]: [Region; 3]) {
        let Heads { qkv, result, sums, steps, width, .. } = *self.of;
        let (padded, scale) = (width.next_multiple_of(LANES), self.of.scale());
        let row = |time: usize, of: Of| at.memory.floats(self.in_qkv(qkv, time, of));
        let d = |time: usize| at.memory.floats(self.in_result(d_result, time));
        let [keys, values, key_rows, query_rows, d_rows, d_keys, d_values] =
            split(&mut scratch.panel, [self.of.panels(); 7]);
        self.pack_columns(|time| row(time, Of::Key), keys);
        self.pack_columns(|time| row(time, Of::Value), values);
        self.pack_rows(|time| row(time, Of::Key), key_rows);
        self.pack_rows(|time| row(time, Of::Query), query_rows);
        self.pack_rows(d, d_rows);
        let turned = Left::Columns(KEYS);
        d_keys.fill(0.0);
        d_values.fill(0.0);
        let of_block = [QUERIES * width, QUERIES * width, QUERIES * KEYS, QUERIES * KEYS, QUERIES * padded];
        let [queries, ds, scores, slopes, sum] = split(&mut scratch.tile, of_block);
        for first in (0..self.length).step_by(QUERIES) {
            let rows = QUERIES.min(self.length - first);
            copy_rows(queries, width, rows, |query| row(first + query, Of::Query));
            copy_rows(ds, width, rows, |query| d(first + query));
            sum.fill(0.0);
            for query in 0..rows {
                let of_result = at.memory.floats(self.in_result(result, first + query));
                let product = dot(of_result, &ds[query * width..][..width]);
                at.memory.floats_mut(self.number(products, first + query))[0] = product;
            }
            let behind = self.of.seen(first + rows - 1, self.length);
            for key in (0..behind).step_by(KEYS) {
                let tile = KEYS.min(behind - key);
                score(queries, width, rows, &keys[key * width..], tile, scores);
                score(ds, width, rows, &values[key * width..], tile, slopes);
                for query in 0..rows {
                    let seen = self.of.seen(first + query, self.length).saturating_sub(key).min(tile);
                    let [log_sum, product] =
                        [sums, products].map(|region| at.memory.floats(self.number(region, first + query))[0]);
                    let of = &mut scores[query * KEYS..][..tile];
                    weights(of, seen, scale, log_sum);
                    d_scores(of, &mut slopes[query * KEYS..][..tile], product, scale);
                }
                for (panel, columns) in (0..padded).step_by(LANES).enumerate() {
                    let place = |time: usize| (panel * steps + time) * LANES;
                    multiply(
                        (slopes, Left::Rows(KEYS), rows),
                        (&key_rows[place(key)..], tile),
                        (&mut sum[columns..], padded),
                    );
                    let (of_keys, of_values) =
                        (&mut d_keys[key * padded + columns..], &mut d_values[key * padded + columns..]);
                    multiply((slopes, turned, tile), (&query_rows[place(first)..], rows), (of_keys, padded));
                    multiply((scores, turned, tile), (&d_rows[place(first)..], rows), (of_values, padded));
                }
            }
            for query in 0..rows {
                let to = at.memory.floats_mut(self.in_qkv(d_qkv, first + query, Of::Query));
                to.copy_from_slice(&sum[query * padded..][..width]);
            }
        }
        for time in 0..self.length {
            for (of, from) in [(Of::Key, &*d_keys), (Of::Value, &*d_values)] {
                at.memory.floats_mut(self.in_qkv(d_qkv, time, of)).copy_from_slice(&from[time * padded..][..width]);
            }
        }
        for time in self.length..steps {
            for of in [Of::Query, Of::Key, Of::Value] {
                at.memory.floats_mut(self.in_qkv(d_qkv, time, of)).fill(0.0);
            }
            at.memory.floats_mut(self.number(products, time))[0] = 0.0;
        }
    }
}

impl Job for Heads {
    fn phases(&self) -> Vec<usize> {
        vec![self.batch * self.heads]
    }

    fn run(&self, at: At<'_>, _: usize, task: usize, scratch: &mut Scratch) {
        let (sequence, head) = (task / self.heads, task % self.heads);
        let length = self.lengths.map_or(self.steps, |lengths| {
            // A number below 0 is 0.
            (at.memory.floats(lengths)[sequence].ceil() as usize).min(self.steps)
        });
        let head = Head { of: self, sequence, head, length };
        match self.back {
            None => head.forward(at, scratch),
            Some(regions) => head.back(at, scratch, regions),
        }
    }
}

/// Floats in parts.
fn split<const N: usize>(floats: &mut Floats, lengths: [usize; N]) -> [&mut [f32]; N] {
    let mut rest = floats.sized(lengths.iter().sum());
    lengths.map(|len| {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
        rest = behind;
        part
    })
}

fn copy_rows<'a>(to: &mut [f32], width: usize, rows: usize, row: impl Fn(usize) -> &'a [f32]) {
    to.chunks_exact_mut(width).take(rows).enumerate().for_each(|(number, to)| to.copy_from_slice(row(number)));
}

/// The products of some rows with a tile of packed times: `scores (rows, KEYS)`.
fn score(rows_of: &[f32], width: usize, rows: usize, packed: &[f32], tile: usize, scores: &mut [f32]) {
    for first in (0..tile).step_by(LANES) {
        let to = &mut scores[first..];
        for row in 0..rows {
            to[row * KEYS..][..LANES].fill(0.0);
        }
        multiply((rows_of, Left::Rows(width), rows), (&packed[first * width..], width), (to, KEYS));
    }
}

/// Adds the product of `rows` of A and a panel of `depth` to rows that are `stride` apart.
fn multiply(
    (a, left, rows): (&[f32], Left, usize),
    (panel, depth): (&[f32], usize),
    (to, stride): (&mut [f32], usize),
) {
    Multiply { a, left, rows, panel: &panel[..depth * LANES], to, stride }.run();
}

vectorised! {
    /// The largest of some scores and one before, scaled, and what sums up to the one before are multiplied by.
    fn largest<'a>(scores: &'a [f32], scale: f32, before: f32) -> (f32, f32) {
        let largest = scores.iter().fold(before, |most, score| most.max(*score * scale));
        (largest, if largest > before { exp(before - largest) } else { 1.0 })
    }
}

vectorised! {
    /// Scores to `exp(score - log_sum)`, of those that are seen; the others to 0. Returns their sum.
    fn weights<'a>(scores: &'a mut [f32], seen: usize, scale: f32, log_sum: f32) -> f32 {
        let (seen, others) = scores.split_at_mut(seen);
        for score in seen.iter_mut() {
            *score = share((*score * scale - log_sum).min(0.0));
        }
        others.fill(0.0);
        super::vector::sum_of(seen, |weight| weight)
    }
}

vectorised! {
    /// Gradients of weights to gradients of products.
    fn d_scores<'a>(weights: &'a [f32], slopes: &'a mut [f32], product: f32, scale: f32) {
        for (slope, weight) in slopes.iter_mut().zip(weights) {
            *slope = *weight * (*slope - product) * scale;
        }
    }
}

vectorised! {
    fn times<'a>(values: &'a mut [f32], factor: f32) {
        for value in values {
            *value *= factor;
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
