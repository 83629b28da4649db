//! The files of a run in one archive.

use std::io::{Cursor, Read, Write};

use wgvae_engine::exec::catch_panic;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::RunError;
use crate::train::{Files, MAX_WEIGHTS};

/// How many times their size the bytes of a run may unpack to, if another program has packed them.
const MAX_PACKED: u64 = 1000;

/// Packs the named files that a run has, as they are: weights cannot be made smaller.
pub fn pack(files: &Files, names: &[&str]) -> Result<Vec<u8>, RunError> {
    let failed = |e: &dyn std::fmt::Display| RunError::Unfit(format!("the run could not be packed: {e}"));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names.iter().filter(|name| files.has(name)) {
        let content = files.read(name, MAX_WEIGHTS).map_err(|e| failed(&e))?;
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        archive.start_file(*name, options.large_file(content.len() >= u32::MAX as usize)).map_err(|e| failed(&e))?;
        archive.write_all(&content).map_err(|e| failed(&e))?;
    }
    Ok(archive.finish().map_err(|e| failed(&e))?.into_inner())
}

/// Unpacks the named files that an archive has.
pub fn unpack(bytes: &[u8], names: &[&str]) -> Result<Files, RunError> {
    let damaged = |reason: String| RunError::Unfit(format!("these are not the bytes of a run: {reason}"));
    let read = || -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
        let mut left = MAX_PACKED.saturating_mul(bytes.len() as u64);
        let mut all = Vec::new();
        for name in names {
            let Ok(mut file) = archive.by_name(name) else { continue };
            let mut content = Vec::new();
            file.by_ref().take(left).read_to_end(&mut content).map_err(|e| format!("{name}: {e}"))?;
            left -= content.len() as u64;
            if content.len() as u64 != file.size() {
                return Err(format!("{name} has another length than it says"));
            }
            all.push((name.to_string(), content));
        }
        Ok(all)
    };
    let all = catch_panic(read).unwrap_or_else(|| Err("its reader gave up".into()));
    Ok(Files::in_memory(all.map_err(damaged)?))
}
