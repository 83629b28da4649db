//! The tuning cache: the variants of products that were found the fastest, in the user's cache folder, one small file an
//! adapter.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Gpu;
use crate::kernels::{TuningTable, gemm};

/// What a file of them says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningCache {
    /// The version of this program, and a fingerprint of its products' shaders: others time differently.
    program: String,
    /// The adapter's name and backend.
    adapter: String,
    /// Its driver, with version.
    driver: String,
    /// The variants.
    pub table: TuningTable,
}

/// An adapter in a word, as configurations name it: what is fast on one may be slow on another.
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

    /// What is remembered for an adapter; nothing where the file is another program's, another driver's, or damaged:
    /// then it is made anew.
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
        // Two runs may end their tuning at once: nobody meets half a file.
        let beside = path.with_extension(format!("part{}", std::process::id()));
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &path)?;
        Ok(path)
    }
}
