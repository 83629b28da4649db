//! The metrics of a step.

use serde::{Deserialize, Serialize};

use crate::model::cost_of_kl;
use crate::model::step::MetricColumns;

/// The metrics of one step: means over its rows, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The reconstruction and `beta` times what the KL costs, or the loss that the objective reports itself.
    pub loss: f64,
    /// Negative log-likelihood of the batch.
    pub recon: f64,
    /// KL divergence from the prior.
    pub kl: f64,
    /// Global norm of the gradient before clipping; 0 without clipping.
    pub grad_norm: f64,
}

impl StepMetrics {
    /// Reads the metrics of a step from the numbers that its program reports.
    pub fn of(row: &[f64], columns: MetricColumns, beta: f64, capacity: Option<f64>) -> Self {
        let (recon, kl) = (row[columns.recon], row[columns.kl]);
        let loss = columns.loss.map_or_else(|| recon + beta * cost_of_kl(kl, capacity)[0], |column| row[column]);
        Self { loss, recon, kl, grad_norm: columns.gradient_norm.map_or(0.0, |column| row[column]) }
    }

    /// Corrects the means over several steps: where the KL is held at a capacity, the distance of the mean KL counts, not the mean of
    /// the distances.
    pub fn of_all(self, beta: f64, capacity: Option<f64>) -> Self {
        match capacity {
            None => self,
            Some(_) => Self { loss: self.recon + beta * cost_of_kl(self.kl, capacity)[0], ..self },
        }
    }
}
