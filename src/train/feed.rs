//! How rows reach the device: all of them at once where they fit, or those of the next steps, a submit at a time. Both ways give the
//! same bits.

use std::ops::Range;

use wgvae_data::{Columns, Dataset, Examples};
use wgvae_engine::exec::Execute;
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::kernels::batch::{half_bits, row_of};
use wgvae_engine::plan::{SUBMITS_IN_FLIGHT, StepScalars, TensorId};

use super::buckets::{lengths, order};
use crate::model::Vae;

/// Rows and their classes on the device.
#[derive(Debug, Clone, Copy)]
struct Held {
    rows: TensorId,
    classes: Option<TensorId>,
    /// How many there is room for.
    room: usize,
}

/// Training rows of which the device has those of the next steps: a ring of two halves, one for each submit in flight.
struct Staged {
    rows: Examples,
    /// Steps whose rows fit in one half.
    steps: usize,
    /// The free half.
    half: usize,
}

/// The rows of a run, for its device.
pub(super) struct Feed {
    /// Numbers of a row.
    width: usize,
    batch: usize,
    /// The columns whose values come with intervals.
    intervals: Option<Columns>,
    train: Held,
    test: Held,
    /// The training rows, if the device cannot hold all.
    staged: Option<Staged>,
    /// The order that training rows have on the device, where they are in buckets.
    order: Option<Vec<u32>>,
    /// Training rows of each bucket, or all of them.
    buckets: Vec<Range<usize>>,
    /// The test rows, if the device holds only some of them.
    some_of_test: Option<Examples>,
}

impl Feed {
    /// Writes the rows that fit to the device, and keeps the others.
    pub fn new(data: Dataset, vae: &Vae, batch: usize, executor: &mut dyn Execute) -> Result<Self, GpuError> {
        let held = |rows: TensorId, classes: Option<TensorId>| Held {
            rows,
            classes,
            room: vae.program.tensors.get(rows).shape[0],
        };
        let mut feed = Self {
            width: data.shape.len(),
            batch,
            intervals: data.columns.filter(|_| vae.intervals),
            train: held(vae.train_data, vae.labels.map(|labels| labels.train)),
            test: held(vae.test_data, vae.labels.map(|labels| labels.test)),
            staged: None,
            order: (!vae.buckets.is_empty()).then(|| order(&lengths(&data.train, data.shape.len()), &vae.buckets)),
            buckets: vae.buckets.iter().map(|bucket| bucket.rows.clone()).collect(),
            some_of_test: None,
        };
        if feed.buckets.is_empty() {
            feed.buckets.push(0..data.train.rows);
        }
        if feed.train.room == data.train.rows {
            feed.write_all(feed.train, &data.train, feed.order.as_deref(), executor)?;
        } else {
            let steps = feed.train.room / SUBMITS_IN_FLIGHT / batch;
            feed.staged = Some(Staged { rows: data.train, steps, half: 0 });
        }
        if feed.test.room == data.test.rows {
            feed.write_all(feed.test, &data.test, None, executor)?;
        } else {
            feed.some_of_test = Some(data.test);
        }
        Ok(feed)
    }

    fn write_all(
        &self,
        to: Held,
        rows: &Examples,
        order: Option<&[u32]>,
        executor: &mut dyn Execute,
    ) -> Result<(), GpuError> {
        if let Some(order) = order {
            let order = || order.iter().map(|row| *row as usize);
            executor.write_words(to.rows, &rows.words_of(order(), self.width))?;
            let classes = to.classes.zip(rows.labels.as_deref());
            return classes.map_or(Ok(()), |(tensor, labels)| {
                executor.write_words(tensor, &order().map(|row| labels[row]).collect::<Vec<_>>())
            });
        }
        match &self.intervals {
            None => executor.write_words(to.rows, &rows.words(self.width))?,
            columns => {
                executor.write_words(to.rows, &rows.words_with(0..rows.rows, self.width, columns.as_ref()))?;
            }
        }
        let classes = to.classes.zip(rows.labels.as_deref());
        classes.map_or(Ok(()), |(tensor, labels)| executor.write_words(tensor, labels))
    }

    /// The most steps that a submit may have.
    pub fn most_steps(&self) -> usize {
        self.staged.as_ref().map_or(usize::MAX, |staged| staged.steps)
    }

    /// Makes the rows of the next steps ready, each with its bucket, and returns the steps with where their rows lie.
    pub fn stage(
        &mut self,
        steps: &[(usize, StepScalars)],
        executor: &mut dyn Execute,
    ) -> Result<Vec<StepScalars>, GpuError> {
        let (batch, width) = (self.batch, self.width);
        let scalars = steps.iter().map(|(_, scalars)| *scalars);
        let Some(staged) = &mut self.staged else { return Ok(scalars.collect()) };
        let (buckets, order) = (&self.buckets, self.order.as_deref());
        let rows = steps.iter().flat_map(|(bucket, step)| {
            let rows = &buckets[*bucket];
            let half_bits = half_bits(rows.len());
            (0..batch).map(move |r| rows.start + row_of(r, rows.len(), half_bits, step))
        });
        let rows = rows.map(|place| order.map_or(place, |order| order[place] as usize));
        let words = staged.rows.words_with(rows.clone(), width, self.intervals.as_ref());
        let first = staged.half * staged.steps * batch;
        write_behind(executor, self.train.rows, first, &words)?;
        if let (Some(classes), Some(all)) = (self.train.classes, &staged.rows.labels) {
            write_behind(executor, classes, first, &rows.map(|row| all[row]).collect::<Vec<_>>())?;
        }
        staged.half = (staged.half + 1) % SUBMITS_IN_FLIGHT;
        let there = |i: usize| (first + i * batch) as u32;
        Ok(scalars.enumerate().map(|(i, step)| StepScalars { shuffle: 0, offset: there(i), ..step }).collect())
    }

    /// Makes the device hold test rows from `first` on; returns how many it holds.
    pub fn hold_test(&self, first: usize, executor: &mut dyn Execute) -> Result<usize, GpuError> {
        if let Some(test) = &self.some_of_test {
            let rows = first..(first + self.test.room).min(test.rows);
            executor
                .write_words(self.test.rows, &test.words_with(rows.clone(), self.width, self.intervals.as_ref()))?;
            if let (Some(classes), Some(all)) = (self.test.classes, &test.labels) {
                executor.write_words(classes, &all[rows])?;
            }
        }
        Ok(self.test.room)
    }
}

/// Writes words to a matrix, from a row on.
fn write_behind(executor: &mut dyn Execute, to: TensorId, row: usize, words: &[u32]) -> Result<(), GpuError> {
    let tensor = executor.program().tensors.get(to);
    let (buffer, offset) = (tensor.buffer, tensor.offset + row * tensor.shape[1]);
    executor.write_at(buffer, offset, words)
}
