//! Saving and loading weights as safetensors that PyTorch opens directly.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use wgvae_data::Examples;
use wgvae_data::disk::{self, Disk};
use wgvae_engine::plan::{Init, Param, ParamTable, is_missing};

use super::{Files, MODEL, TrainError};

/// How many numbers of the data [`Init::Rows`] asks for.
fn wanted_rows(params: &ParamTable) -> usize {
    params.iter().filter(|param| param.init == Init::Rows).map(Param::len).sum()
}

/// The rows that [`Init::Rows`] asks for, chosen by the seed; of fewer rows than it asks for, all in turn.
pub(super) fn first_rows(params: &ParamTable, rows: &Examples, width: usize, seed: u64) -> Vec<f32> {
    let wanted = wanted_rows(params);
    if wanted == 0 {
        return Vec::new();
    }
    let some = rows.some(wanted / width, seed);
    let numbers = some.numbers(0..some.rows, width).into_iter().map(|x| if is_missing(x) { 0.0 } else { x });
    numbers.collect::<Vec<f32>>().into_iter().cycle().take(wanted).collect()
}

/// Writes the rows to the parameters that ask for them.
pub(super) fn write_rows(params: &ParamTable, arena: &mut [f32], mut rows: &[f32]) {
    for param in params.iter().filter(|param| param.init == Init::Rows) {
        let (here, rest) = rows.split_at(param.len());
        arena[param.offset..param.offset + param.len()].copy_from_slice(here);
        rows = rest;
    }
}

/// Arenas as safetensors: every parameter of each, its name behind the prefix of its arena.
pub(super) fn serialized(
    params: &ParamTable,
    arenas: &[(&str, &[f32])],
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    // Safetensors are little-endian on every platform.
    let tensor = |prefix: &str, arena: &[f32], p: &Param| {
        let values = p.to_file(&arena[p.offset..p.offset + p.len()]);
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        (format!("{prefix}{}", p.name), p.shape.clone(), bytes)
    };
    let all: Vec<(String, Vec<usize>, Vec<u8>)> =
        arenas.iter().flat_map(|(prefix, arena)| params.iter().map(|p| tensor(prefix, arena, p))).collect();
    let views = all
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    // Only one entry: a map of several has no fixed order, and equal runs must give equal files.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize(views, Some(metadata))
}

/// An arena from safetensors: every parameter by its name behind the prefix, with its shape checked against the model's.
pub(super) fn arena(bytes: &[u8], params: &ParamTable, prefix: &str) -> Result<Vec<f32>, String> {
    let file = safetensors::SafeTensors::deserialize(bytes).map_err(|e| format!("it is damaged ({e})"))?;
    let mut arena = vec![0.0; params.arena_len()];
    for p in params.iter() {
        let name = format!("{prefix}{}", p.name);
        let view = file.tensor(&name).map_err(|_| format!("it has no {name}"))?;
        if view.shape() != p.shape || view.dtype() != safetensors::Dtype::F32 {
            return Err(format!(
                "its {name} is {:?} of {:?}, but the configuration needs F32 of {:?}",
                view.dtype(),
                view.shape(),
                p.shape
            ));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        arena[p.offset..p.offset + p.len()].copy_from_slice(&p.to_arena(&values));
        if let Some(value) = arena[p.offset..p.offset + p.len()].iter().find(|value| !is_finite(**value)) {
            return Err(format!("its {name} holds {value}, and nothing can be computed with that"));
        }
    }
    Ok(arena)
}

/// Whether a number is finite, by its bits: no optimisation for speed can take this away.
pub(super) fn is_finite(value: f32) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    value.to_bits() & EXPONENT != EXPONENT
}

/// Writes every parameter of an arena under its name.
pub fn save(disk: &dyn Disk, path: &Path, params: &ParamTable, arena: &[f32]) -> Result<(), TrainError> {
    let failed = |reason: String| TrainError::Write { path: path.to_path_buf(), reason };
    let file = serialized(params, &[("", arena)]).map_err(|e| failed(e.to_string()))?;
    disk::replace(disk, path, &file).map(drop).map_err(|e| failed(e.to_string()))
}

/// The most bytes of a file with so many arenas: their numbers, and the header, which may have a hundred megabytes.
pub(super) fn most_of_file(params: &ParamTable, arenas: usize) -> u64 {
    (params.count() as u64).saturating_mul(4 * arenas as u64).saturating_add(100_000_008)
}

/// Reads an arena back from a file.
pub fn load(path: &Path, params: &ParamTable) -> Result<Vec<f32>, LoadError> {
    let failed = |reason: String| LoadError { path: path.to_path_buf(), reason };
    let bytes = disk::read(path, most_of_file(params, 1)).map_err(|e| failed(e.to_string()))?;
    arena(&bytes, params, "").map_err(failed)
}

/// Reads an arena back from a run's model.
pub fn read(files: &Files, params: &ParamTable) -> Result<Vec<f32>, LoadError> {
    let failed = |reason: String| LoadError { path: files.path(MODEL), reason };
    let bytes = files.read(MODEL, most_of_file(params, 1)).map_err(|e| failed(e.to_string()))?;
    arena(&bytes, params, "").map_err(failed)
}

/// Why a model's weights could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the model {path} could not be read: {reason}")]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// The reason why the file could not be read.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgvae_data::disk::System;
    use wgvae_engine::session::initial_weights;

    #[test]
    fn what_is_saved_is_read_back_and_what_is_not_a_model_is_refused() {
        let mut params = ParamTable::default();
        params.push_block(&[("w", &[3, 5], Init::Uniform(1.0))]);
        params.push_block(&[("s", &[1], Init::Constant(0.5))]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let arena = initial_weights(&params, 3);
        save(&System, &path, &params, &arena).unwrap();
        assert_eq!(load(&path, &params).unwrap(), arena);
        params.push_block(&[("t", &[2], Init::Constant(0.5))]);
        assert!(load(&path, &params).unwrap_err().to_string().contains("it has no t"));
        let mut other = ParamTable::default();
        other.push_block(&[("w", &[5, 3], Init::Uniform(1.0))]);
        assert!(load(&path, &other).unwrap_err().to_string().contains("F32 of [5, 3]"));
        let mut bad = arena.clone();
        bad[1] = f32::NAN;
        params = ParamTable::default();
        params.push_block(&[("w", &[3, 5], Init::Uniform(1.0))]);
        save(&System, &path, &params, &bad).unwrap();
        assert!(load(&path, &params).unwrap_err().to_string().contains("its w holds NaN"));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(load(&path, &params).unwrap_err().to_string().contains("damaged"));
    }
}
