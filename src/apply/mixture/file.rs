//! The file of a mixture: `weights (C, K)`, `means (K, Z)`, `factors (K, Z, Z)` or `(K, Z)`, and the checksum of the model that it
//! is of.

use std::path::PathBuf;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use wgvae_data::disk::{Disk, NotRead};

use super::Mixture;
use crate::apply::RunError;
use crate::train::{CODES, Files, MODEL};

/// More parts than any mixture has.
const MAX_PARTS: u64 = 1024;
/// The largest number of bytes in the file beside the numbers of the parts.
const MAX_BESIDE: u64 = 1 << 20;

fn unread(path: PathBuf) -> impl Fn(String) -> RunError {
    move |reason| RunError::Damaged { path: path.clone(), reason }
}

fn checksum(files: &Files) -> Result<String, RunError> {
    Ok(files.record(MODEL).map_err(|e| unread(files.path(MODEL))(e.to_string()))?.checksum)
}

pub fn save(mixture: &Mixture, disk: &dyn Disk, files: &Files) -> Result<(), RunError> {
    let of_model = checksum(files)?;
    let (parts, latent) = (mixture.parts(), mixture.latent);
    let factors = match mixture.factors.len() == parts * latent {
        true => vec![parts, latent],
        false => vec![parts, latent, latent],
    };
    let tensors = [
        ("weights", vec![mixture.weights.len() / parts, parts], &mixture.weights),
        ("means", vec![parts, latent], &mixture.means),
        ("factors", factors, &mixture.factors),
    ];
    let bytes = tensors.map(|(name, shape, values)| {
        (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    });
    let failed = |e: &dyn std::fmt::Display| RunError::Write { path: files.path(CODES), reason: e.to_string() };
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .chain([TensorView::new(Dtype::U8, vec![of_model.len()], of_model.as_bytes()).map(|view| ("model", view))])
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| failed(&e))?;
    let content = safetensors::serialize(views, None).map_err(|e| failed(&e))?;
    files.write(disk, CODES, &content).map_err(|e| failed(&e))
}

/// None if there is no file, or if it is of another model.
pub fn load(files: &Files, latent: usize, classes: Option<usize>) -> Result<Option<Mixture>, RunError> {
    let damaged = unread(files.path(CODES));
    // The largest that is fitted: a covariance of each of its parts.
    let of_part = (latent as u64 * (latent as u64 + 1)).saturating_add(classes.unwrap_or(1) as u64);
    let limit = of_part.saturating_mul(4 * MAX_PARTS).saturating_add(MAX_BESIDE);
    let content = match files.read(CODES, limit) {
        Err(NotRead::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        content => content.map_err(|e| damaged(e.to_string()))?,
    };
    let file = SafeTensors::deserialize(&content).map_err(|e| damaged(e.to_string()))?;
    let of_model = file.tensor("model").map_err(|e| damaged(e.to_string()))?;
    if of_model.data() != checksum(files)?.as_bytes() {
        return Ok(None);
    }
    let values = |name: &str, is_fit: &dyn Fn(&[usize]) -> bool| -> Result<Vec<f32>, RunError> {
        let view = file.tensor(name).map_err(|e| damaged(e.to_string()))?;
        if view.dtype() != Dtype::F32 || !is_fit(view.shape()) {
            return Err(damaged(format!("its {name} is {:?} of {:?}, which does not fit", view.dtype(), view.shape())));
        }
        let numbers = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let numbers: Vec<f32> = numbers.collect();
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(damaged(format!("its {name} holds what is not finite"))),
        }
    };
    let means = values("means", &|shape| shape.len() == 2 && shape[0] > 0 && shape[1] == latent)?;
    let parts = means.len() / latent;
    let weights = values("weights", &|shape| *shape == [classes.unwrap_or(1), parts])?;
    let factors = values("factors", &|shape| *shape == [parts, latent, latent] || *shape == [parts, latent])?;
    if weights.chunks(parts).any(|of| of.iter().any(|weight| *weight < 0.0) || of.iter().sum::<f32>() <= 0.0) {
        return Err(damaged("its weights are no shares".into()));
    }
    Ok(Some(Mixture { latent, weights, means, factors }))
}
