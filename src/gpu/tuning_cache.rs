//! The tuning cache: the fastest measured variants of products, one small file per adapter in the user's cache folder.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Gpu;
use crate::kernels::{TuningTable, gemm};

/// Content of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningCache {
    /// The version of this program and a fingerprint of its products' shaders; timings of other shaders do not apply.
    program: String,
    /// The adapter's name and backend.
    adapter: String,
    /// Its driver, with version.
    driver: String,
    /// The variants.
    pub table: TuningTable,
}

/// The name of an adapter in configurations: variants that are fast on one may be slow on another.
pub fn adapter_name(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({})", info.name, info.backend)
}

impl TuningCache {
    fn for_gpu(gpu: &Gpu, checked: bool) -> Self {
        let info = &gpu.info;
        Self {
            program: format!(
                "{} {:016x}{}",
                env!("CARGO_PKG_VERSION"),
                gemm::fingerprint(),
                if checked { " checked" } else { "" }
            ),
            adapter: adapter_name(info),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            table: TuningTable::default(),
        }
    }

    /// The folder; `WGVAE_CACHE` chooses another.
    fn folder() -> Option<PathBuf> {
        match std::env::var_os("WGVAE_CACHE").filter(|path| !path.is_empty()) {
            Some(path) => Some(path.into()),
            None => dirs::cache_dir().map(|path| path.join("wgvae")),
        }
    }

    fn file(gpu: &Gpu, checked: bool) -> Option<PathBuf> {
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let adapter: String = adapter_name(&gpu.info).chars().map(word).collect();
        let kind = if checked { "-checked" } else { "" };
        Self::folder().map(|folder| folder.join(format!("tuning-{}{kind}.json", adapter.trim_matches('-'))))
    }

    /// The table saved for an adapter; empty where the file is from another version or driver, or is damaged.
    pub fn load(gpu: &Gpu, checked: bool) -> TuningTable {
        let wanted = Self::for_gpu(gpu, checked);
        Self::file(gpu, checked)
            .and_then(|path| std::fs::read(path).ok())
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|found| Self { table: TuningTable::default(), ..found.clone() } == wanted)
            .map(|found| found.table)
            .unwrap_or_default()
    }

    /// Writes a table for an adapter, and returns where.
    pub fn save(gpu: &Gpu, checked: bool, table: &TuningTable) -> std::io::Result<PathBuf> {
        let path = Self::file(gpu, checked).ok_or_else(|| std::io::Error::other("there is no cache folder"))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&Self { table: table.clone(), ..Self::for_gpu(gpu, checked) })?;
        // Written under a temporary name and renamed, because two runs may finish tuning at the same time.
        let beside = path.with_extension(format!("part{}", std::process::id()));
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &path)?;
        Ok(path)
    }
}
