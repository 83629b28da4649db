//! The tuning cache: what was measured on an adapter, one small file for each in the user's cache folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wgvae_data::disk;
use wgvae_engine::exec::gpu::adapter_name;
use wgvae_engine::wgsl::{self, TuningTable};

/// The most bytes that are read of a file.
const MAX_BYTES: u64 = 4 << 20;

/// Content of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningCache {
    /// The version of this program and a fingerprint of its products' shaders; timings of other shaders do not apply.
    program: String,
    /// The adapter's name and backend.
    adapter: String,
    /// The adapter's driver, with version.
    driver: String,
    /// The fastest variants of products.
    pub table: TuningTable,
    /// How long a model's step takes, by the plan's fingerprint.
    pub steps: BTreeMap<String, Speeds>,
}

/// Seconds of a step on an adapter and on the processor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speeds {
    /// Seconds of a step on the adapter.
    pub adapter: f64,
    /// Seconds of a step on the processor.
    pub processor: f64,
    /// Whether the step was not run on the adapter as a whole, and takes as long there at the least.
    pub at_least: bool,
}

impl TuningCache {
    fn empty(info: &wgpu::AdapterInfo, checked: bool) -> Self {
        Self {
            program: format!(
                "{} {:016x}{}",
                env!("CARGO_PKG_VERSION"),
                wgsl::fingerprint(),
                if checked { " checked" } else { "" }
            ),
            adapter: adapter_name(info),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            table: TuningTable::default(),
            steps: BTreeMap::new(),
        }
    }

    /// The folder; `WGVAE_CACHE` chooses another.
    fn folder() -> Option<PathBuf> {
        match std::env::var_os("WGVAE_CACHE").filter(|path| !path.is_empty()) {
            Some(path) => Some(path.into()),
            None => dirs::cache_dir().map(|path| path.join("wgvae")),
        }
    }

    fn file(info: &wgpu::AdapterInfo, checked: bool) -> Option<PathBuf> {
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let adapter: String = adapter_name(info).chars().map(word).collect();
        let kind = if checked { "-checked" } else { "" };
        Self::folder().map(|folder| folder.join(format!("tuning-{}{kind}.json", adapter.trim_matches('-'))))
    }

    /// Loads the cache of an adapter; empty where the file is from another version or driver, or is damaged.
    pub fn load(info: &wgpu::AdapterInfo, checked: bool) -> Self {
        let empty = Self::empty(info, checked);
        Self::file(info, checked)
            .and_then(|path| disk::read(&path, MAX_BYTES).ok())
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|found| (&found.program, &found.driver) == (&empty.program, &empty.driver))
            .filter(|found| found.adapter == empty.adapter)
            .unwrap_or(empty)
    }

    /// Saves it for an adapter, and returns where.
    pub fn save(&self, info: &wgpu::AdapterInfo, checked: bool) -> std::io::Result<PathBuf> {
        let path = Self::file(info, checked).ok_or_else(|| std::io::Error::other("there is no cache folder"))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(self)?;
        // Two runs may finish tuning at the same time.
        disk::write_file(&path, |out| out.write_all(text.as_bytes()))?;
        Ok(path)
    }
}
