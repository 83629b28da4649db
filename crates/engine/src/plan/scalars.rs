//! The scalars and the metrics of a step: a program names both.

use super::op::Field;
use super::{PlanError, TensorId};

/// Largest number of steps per submit: the size of half the scalars ring and of half the metrics ring.
pub const STEPS_PER_SUBMIT: usize = 512;

/// Largest number of submits in flight: one runs while the next is encoded. The rings have a half for each.
pub const SUBMITS_IN_FLIGHT: usize = 2;

/// Largest number of scalars that a program names.
pub const MAX_SCALARS: usize = 32;

/// A number that a program names and a step sets: its place in [`StepScalars::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScalarId(pub u32);

/// The names of a program's scalars, such as `beta`, or the learning rate of a group of parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScalarTable(Vec<String>);

impl ScalarTable {
    /// The scalar of this name, added if there is none.
    pub fn add(&mut self, name: &str) -> Result<ScalarId, PlanError> {
        if let Some(known) = self.find(name) {
            return Ok(known);
        }
        if self.0.len() == MAX_SCALARS {
            return Err(PlanError::TooManyScalars { name: name.into() });
        }
        self.0.push(name.into());
        Ok(ScalarId(self.0.len() as u32 - 1))
    }

    /// The scalar of this name.
    pub fn find(&self, name: &str) -> Option<ScalarId> {
        self.0.iter().position(|known| known == name).map(|place| ScalarId(place as u32))
    }

    /// The names, in the order of their places.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(String::as_str)
    }
}

/// The numbers that change from step to step. The scalars of K steps are uploaded in one copy, and each op reads its
/// step's through a dynamic offset, as the uniform `step` of `shaders/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StepScalars {
    /// Key of the step's random numbers.
    pub noise_key: [u32; 2],
    /// Key of the binarisation draws of this step.
    pub binarise_key: [u32; 2],
    /// Key of the current epoch's permutation.
    pub shuffle_key: [u32; 2],
    /// Key of the next epoch's permutation, for a batch that crosses into it.
    pub next_shuffle_key: [u32; 2],
    /// 1: take rows in the epoch's permuted order; 0: in the order they are stored.
    pub shuffle: u32,
    /// Position of the batch's first row within the epoch.
    pub offset: u32,
    /// Valid rows of the batch; the rest are padding of a partial last batch.
    pub rows: u32,
    /// Slot of the metrics ring; the executor sets it.
    pub slot: u32,
    /// The scalars that the program names; those that it does not name are 0.
    pub values: [f32; MAX_SCALARS],
}

impl StepScalars {
    /// Names and byte offsets, to be checked against the shader's struct.
    pub const FIELDS: &[Field] = &[
        Field::of("noise_key", std::mem::offset_of!(StepScalars, noise_key)),
        Field::of("binarise_key", std::mem::offset_of!(StepScalars, binarise_key)),
        Field::of("shuffle_key", std::mem::offset_of!(StepScalars, shuffle_key)),
        Field::of("next_shuffle_key", std::mem::offset_of!(StepScalars, next_shuffle_key)),
        Field::of("shuffle", std::mem::offset_of!(StepScalars, shuffle)),
        Field::of("offset", std::mem::offset_of!(StepScalars, offset)),
        Field::of("rows", std::mem::offset_of!(StepScalars, rows)),
        Field::of("slot", std::mem::offset_of!(StepScalars, slot)),
        Field::of("values", std::mem::offset_of!(StepScalars, values)),
    ];

    /// One of the scalars that the program names.
    pub fn value(&self, scalar: ScalarId) -> f32 {
        self.values[scalar.0 as usize]
    }

    /// Sets one of the scalars that the program names.
    #[must_use]
    pub fn with(mut self, scalar: ScalarId, value: f32) -> Self {
        self.values[scalar.0 as usize] = value;
        self
    }
}

/// The metrics ring of a program: a row a step, with a column for each metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// `(slots, metrics)`
    pub ring: TensorId,
    /// The names of the columns.
    pub names: Vec<String>,
}

impl Metrics {
    /// The column of this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// The metrics of consecutive steps: means over the rows of each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricRows {
    width: usize,
    values: Vec<f64>,
    steps: usize,
}

impl MetricRows {
    /// Rows of so many steps, with `width` numbers each.
    pub fn new(steps: usize, width: usize, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len(), steps * width);
        Self { width, values, steps }
    }

    /// Adds a step.
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        self.values.extend(row);
        self.steps += 1;
        self.width = self.values.len() / self.steps;
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// The metrics of each step.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.steps).map(|step| &self.values[step * self.width..(step + 1) * self.width])
    }
}
