//! What relations are looked for in, and those that were found.

use super::super::Column;
use super::Relation;

/// What a float may be off by, as a share of it.
pub(super) const FLOAT_DIGIT: f64 = 1e-6;

/// A table's cells as numbers, column by column; NaN where one is missing.
pub(super) struct TableNumbers<'a> {
    pub columns: &'a [Column],
    pub of: Vec<Vec<f64>>,
    /// How many different values each column has.
    pub distinct: Vec<usize>,
}

/// What follows from what, so that nothing follows from itself.
#[derive(Default)]
pub(super) struct FoundRelations {
    pub relations: Vec<Relation>,
}

impl FoundRelations {
    /// Whether a column follows from others.
    pub fn follows(&self, column: usize) -> bool {
        self.relations.iter().any(|relation| relation.column() == column)
    }

    /// Whether a column is another one, or follows from it.
    pub fn depends(&self, column: usize, on: usize) -> bool {
        column == on
            || self
                .relations
                .iter()
                .filter(|relation| relation.column() == column)
                .any(|relation| relation.from().into_iter().any(|from| self.depends(from, on)))
    }

    /// Whether a column may follow from some.
    pub fn may_follow(&self, column: usize, from: impl IntoIterator<Item = usize>) -> bool {
        !self.follows(column) && !from.into_iter().any(|from| self.depends(from, column))
    }

    /// The relations in an order in which each column is known before others follow from it.
    pub fn in_order(mut self) -> Vec<Relation> {
        let mut ordered: Vec<Relation> = Vec::with_capacity(self.relations.len());
        while !self.relations.is_empty() {
            let waits = |relation: &Relation| relation.from().into_iter().any(|from| self.follows(from));
            let Some(next) = self.relations.iter().position(|relation| !waits(relation)) else { break };
            ordered.push(self.relations.remove(next));
        }
        ordered
    }
}
