//! Initial weights, and saving and loading weights as safetensors that PyTorch opens directly.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::TensorView;

use super::TrainError;
use crate::kernels::rng::{Stream, key};
use crate::plan::{Init, ParamTable};

/// The arena of initial weights, which depends on the seed alone.
pub fn initial_weights(params: &ParamTable, seed: u64) -> Vec<f32> {
    let [low, high] = key(seed, Stream::Weights, 0);
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(high) << 32 | u64::from(low));
    let mut arena = vec![0.0; params.arena_len()];
    for param in params.iter() {
        for value in &mut arena[param.offset..param.offset + param.len()] {
            *value = match param.init {
                Init::Uniform(bound) => bound * (2.0 * rng.random::<f32>() - 1.0),
                Init::Constant(constant) => constant,
            };
        }
    }
    arena
}

/// Writes every parameter of an arena under its name; an existing file is replaced only once the new one is complete.
pub fn save(path: &Path, params: &ParamTable, arena: &[f32]) -> Result<(), TrainError> {
    let failed = |reason: String| TrainError::Write { path: path.to_path_buf(), reason };
    // Safetensors are little-endian on every platform.
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = params
        .iter()
        .map(|p| {
            let values = &arena[p.offset..p.offset + p.len()];
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (p.name.clone(), p.shape.clone(), bytes)
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)
                .map(|view| (name.as_str(), view))
                .map_err(|e| failed(e.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    // Only one entry: a map of several has no fixed order, and equal runs must give equal files.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(e.to_string()))?;
    super::folder::replace(path, &file)
}

/// Reads an arena back: every parameter by its name, with its shape checked against the model's.
pub fn load(path: &Path, params: &ParamTable) -> Result<Vec<f32>, LoadError> {
    let failed = |reason: String| LoadError { path: path.to_path_buf(), reason };
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| failed(format!("it is damaged ({e})")))?;
    let mut arena = vec![0.0; params.arena_len()];
    for p in params.iter() {
        let view = file.tensor(&p.name).map_err(|_| failed(format!("it has no {}", p.name)))?;
        if view.shape() != p.shape || view.dtype() != safetensors::Dtype::F32 {
            return Err(failed(format!(
                "its {} is {:?} of {:?}, but the configuration needs F32 of {:?}",
                p.name,
                view.dtype(),
                view.shape(),
                p.shape
            )));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        arena[p.offset..p.offset + p.len()].iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
    }
    Ok(arena)
}

/// Why a model's weights could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the model {path} could not be read: {reason}")]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_back_and_what_is_not_a_model_is_refused() {
        let mut params = ParamTable::default();
        params.push_block(&[("w", &[3, 5], Init::Uniform(1.0))]);
        params.push_block(&[("s", &[1], Init::Constant(0.5))]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let arena = initial_weights(&params, 3);
        save(&path, &params, &arena).unwrap();
        assert_eq!(load(&path, &params).unwrap(), arena);
        params.push_block(&[("t", &[2], Init::Constant(0.5))]);
        assert!(load(&path, &params).unwrap_err().to_string().contains("it has no t"));
        let mut other = ParamTable::default();
        other.push_block(&[("w", &[5, 3], Init::Uniform(1.0))]);
        assert!(load(&path, &other).unwrap_err().to_string().contains("F32 of [5, 3]"));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(load(&path, &params).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn linear_layers_start_as_torchs_do() {
        let mut params = ParamTable::default();
        params.push_block(&[("w", &[400, 784], Init::Uniform(1.0 / 28.0))]);
        params.push_block(&[("s", &[1], Init::Constant(0.5))]);
        let arena = initial_weights(&params, 3);
        assert_eq!(arena, initial_weights(&params, 3));
        assert_ne!(arena, initial_weights(&params, 4));
        let weights = &arena[..400 * 784];
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() / weights.len() as f64;
        let variance = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weights.len() as f64;
        assert!(weights.iter().all(|w| w.abs() <= 1.0 / 28.0));
        // Uniform: variance = bound^2 / 3.
        assert!(mean.abs() < 2e-4 && (variance * 3.0 * 784.0 - 1.0).abs() < 0.01);
        assert_eq!(arena[params.find("s").unwrap().offset], 0.5);
    }
}
