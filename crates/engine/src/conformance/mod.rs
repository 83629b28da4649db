//! Runs the registered cases on a device and compares it with the oracle.

pub mod case;
mod cases;

pub use case::Case;
use case::{GUARD, Tolerance};
pub use cases::cases;

use crate::exec::gpu::{GpuError, GpuOptions};
use crate::exec::oracle::Oracle;
use crate::exec::{Executor, OpenDevice};
use crate::plan::{Dtype, PlanError, PlanId, TensorId};

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The case did not run.
    #[error("{0}")]
    Gpu(#[from] GpuError),
    /// An output differs from the oracle's.
    #[error("{tensor}[{index}] is {found}, the oracle has {expected} ({excess:.3} times the tolerance)")]
    Differs {
        /// The name of the output that differs.
        tensor: String,
        /// The place of the element with the largest error.
        index: usize,
        /// The value that the executor computed.
        found: f32,
        /// The value that the oracle computed.
        expected: f32,
        /// Error divided by tolerance; infinite if the tolerance is 0 or a number is NaN.
        excess: f64,
    },
    /// A word differs from the oracle's.
    #[error("{tensor}[{index}] is {found:#010x}, the oracle has {expected:#010x}")]
    Words {
        /// The name of the output that differs.
        tensor: String,
        /// The place of the first element that differs.
        index: usize,
        /// The value that the executor computed.
        found: u32,
        /// The value that the oracle computed.
        expected: u32,
    },
    /// A step of a fused model differs from the step of its plan before fusing.
    #[error("{tensor} is off by {error:.1e} of its norm")]
    Model {
        /// The loss or gradient that differs.
        tensor: String,
        /// The norm of the error, divided by the norm of the loss or gradient.
        error: f64,
    },
    /// The model could not be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An element past the end of a tensor was overwritten.
    #[error("an element past the end of {tensor} was overwritten")]
    Guard {
        /// The tensor.
        tensor: String,
    },
}

/// Runs a case: inputs written, outputs and guards filled with NaN. Returns the outputs' words.
pub fn run(case: &Case, executor: &mut Executor) -> Result<Vec<Vec<u32>>, CaseError> {
    let tensors = case.program.tensors.clone();
    for (index, tensor) in tensors.tensors().iter().enumerate() {
        // These words are NaNs, so an output that is not written stays NaN. Each tensor has its own NaN, so one that is
        // copied from one guard to another is noticed.
        let fill = f32::NAN.to_bits() | (index as u32 + 1);
        let len = tensors.buffers()[tensor.buffer.0].len;
        executor.write_at(tensor.buffer, 0, &vec![fill; len])?;
    }
    for (id, words) in case.input_words() {
        executor.write_words(id, &words)?;
    }
    let guards = |executor: &mut Executor| -> Result<Vec<Vec<u32>>, GpuError> {
        tensors.tensors().iter().map(|t| executor.read_at(t.buffer, t.len(), GUARD)).collect()
    };
    let before = guards(executor)?;
    executor.dispatch(PlanId(0), &case.step)?;
    let after = guards(executor)?;
    for ((tensor, before), after) in tensors.tensors().iter().zip(&before).zip(&after) {
        if before != after {
            return Err(CaseError::Guard { tensor: tensor.name.clone() });
        }
    }
    let mut words = |id: &TensorId| {
        let t = tensors.get(*id);
        executor.read_at(t.buffer, t.offset, t.len())
    };
    case.outputs.iter().map(|(id, _)| Ok(words(id)?)).collect()
}

/// Compares an output with the oracle's; returns the largest error over its tolerance.
pub fn compare(name: &str, found: &[f32], expected: &[f32], tolerance: Tolerance) -> Result<f64, CaseError> {
    let Tolerance::Relative(relative) = tolerance;
    let squares: f64 = expected.iter().map(|v| f64::from(*v).powi(2)).sum();
    let rms = (squares / expected.len() as f64).sqrt();
    let excess = |f: f32, e: f32| {
        let error = (f64::from(f) - f64::from(e)).abs();
        let allowed = relative * (f64::from(e).abs() + rms.min(1.0));
        // The comparison is written so that a NaN counts as an infinite error.
        match error <= allowed {
            true if error == 0.0 => 0.0,
            true => error / allowed,
            false if error > 0.0 && allowed > 0.0 => error / allowed,
            false => f64::INFINITY,
        }
    };
    let mut worst = (0.0, 0);
    for (index, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let excess = excess(f, e);
        if excess > worst.0 {
            worst = (excess, index);
        }
    }
    let (excess, index) = worst;
    if excess <= 1.0 {
        Ok(excess)
    } else {
        Err(CaseError::Differs {
            tensor: name.to_string(),
            index,
            found: found[index],
            expected: expected[index],
            excess,
        })
    }
}

/// Runs a case on a device and in f64, and compares; returns the largest error over its tolerance.
pub fn check_case(device: &OpenDevice, case: &Case, options: &GpuOptions) -> Result<f64, CaseError> {
    let options = GpuOptions { whole_buffers: true, ..options.clone() };
    let found = run(case, &mut device.compile(case.program.clone(), &options)?)?;
    compare_outputs(case, &found)
}

/// Compares a case's outputs with the oracle's in f64; returns the largest error over its tolerance.
fn compare_outputs(case: &Case, found: &[Vec<u32>]) -> Result<f64, CaseError> {
    let mut oracle = Executor::OracleF64(Box::new(Oracle::new(case.program.clone())));
    let expected = run(case, &mut oracle)?;
    let mut worst: f64 = 0.0;
    for (((id, tolerance), found), expected) in case.outputs.iter().zip(found).zip(&expected) {
        let name = &case.program.tensors.get(*id).name;
        worst = worst.max(match case.program.tensors.dtype(*id) {
            Dtype::F32 => compare(name, bytemuck::cast_slice(found), bytemuck::cast_slice(expected), *tolerance)?,
            Dtype::U32 => match found.iter().zip(expected).position(|(f, e)| f != e) {
                None => 0.0,
                Some(index) => {
                    let (found, expected) = (found[index], expected[index]);
                    return Err(CaseError::Words { tensor: name.clone(), index, found, expected });
                }
            },
        });
    }
    Ok(worst)
}

/// Compares `gradient` with central differences of `loss` over every element of `input`, and returns the largest
/// error relative to the gradient's root mean square.
pub fn gradient_error(
    oracle: &mut Oracle<f64>,
    input: TensorId,
    gradient: TensorId,
    mut loss: impl FnMut(&mut Oracle<f64>) -> f64,
) -> f64 {
    const H: f64 = 1e-5;
    loss(oracle);
    let claimed = oracle.values(gradient).to_vec();
    let mut measured = Vec::with_capacity(claimed.len());
    for i in 0..claimed.len() {
        let original = oracle.values(input)[i];
        oracle.values_mut(input)[i] = original + H;
        let up = loss(oracle);
        oracle.values_mut(input)[i] = original - H;
        let down = loss(oracle);
        oracle.values_mut(input)[i] = original;
        measured.push((up - down) / (2.0 * H));
    }
    let mean_square = measured.iter().map(|m| m * m).sum::<f64>() / measured.len() as f64;
    let scale = mean_square.sqrt().max(1e-3);
    let worst = claimed.iter().zip(&measured).map(|(c, m)| (c - m).abs() / scale);
    // NaN must not be lost in a maximum.
    worst.fold(0.0, |a: f64, b| if a.is_nan() || b <= a { a } else { b })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_fails_on_nan_and_infinity() {
        let t = Tolerance::Relative(1e-3);
        assert!(compare("t", &[1.0, 2.0], &[1.0, 2.0], t).is_ok());
        assert!(compare("t", &[1.0, 2.0005], &[1.0, 2.0], t).is_ok());
        assert!(compare("t", &[1.0, 2.1], &[1.0, 2.0], t).is_err());
        assert!(compare("t", &[1.0, f32::NAN], &[1.0, 2.0], t).is_err());
        assert!(compare("t", &[1.0, 2.0], &[1.0, f32::NAN], t).is_err());
        assert!(compare("t", &[f32::NAN], &[f32::NAN], t).is_err());
        assert!(compare("t", &[f32::INFINITY], &[1.0], t).is_err());
        assert!(compare("t", &[0.0, 1.0], &[0.0, 1.0], Tolerance::Relative(0.0)).is_ok());
        assert!(compare("t", &[0.0, 1.0], &[1e-30, 1.0], Tolerance::Relative(0.0)).is_err());
    }
}
