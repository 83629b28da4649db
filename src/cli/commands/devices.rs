//! `wgvae devices`: the available adapters.

use std::io::Write;

use serde::Serialize;
use wgvae_engine::exec::cpu::Cpu;
use wgvae_engine::exec::gpu;
use wgvae_engine::exec::{Device, adapter_hint, list_adapters};

use crate::cli::output::terminal;

/// Examples: a command line, and what it does.
pub const EXAMPLES: &[(&str, &str)] = &[("wgvae devices", "what --device can choose from")];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    index: usize,
    #[serde(flatten)]
    device: Device,
    max_buffer_bytes: u64,
    max_binding_bytes: u64,
    shared_memory_bytes: u32,
    invocations: u32,
    subgroup: [u32; 2],
    subgroups: bool,
    timestamps: bool,
    f16: bool,
}

/// The processor itself.
#[derive(Serialize)]
struct Processor {
    /// It has no number.
    index: Option<usize>,
    #[serde(flatten)]
    device: Device,
    threads: usize,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let rows: Vec<Row> = list_adapters(&gpu::instance())
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let limits = entry.adapter.limits();
            let features = entry.adapter.features();
            Row {
                index,
                device: Device::of(&entry.info, entry.kind),
                max_buffer_bytes: limits.max_buffer_size,
                max_binding_bytes: limits.max_storage_buffer_binding_size,
                shared_memory_bytes: limits.max_compute_workgroup_storage_size,
                invocations: limits.max_compute_invocations_per_workgroup,
                subgroup: [entry.info.subgroup_min_size, entry.info.subgroup_max_size],
                subgroups: features.contains(wgpu::Features::SUBGROUP),
                timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
                f16: features.contains(wgpu::Features::SHADER_F16),
            }
        })
        .collect();
    let mut out = terminal::out();
    let processor = Processor { index: None, device: Device::cpu(), threads: Cpu::available_threads() };
    if args.json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        writeln!(out, "{}", serde_json::to_string(&processor)?)?;
        return Ok(());
    }
    if rows.is_empty() {
        writeln!(out, "no GPU adapter was found: {}", adapter_hint())?;
    }
    for row in &rows {
        let yes = |b: bool| if b { "yes" } else { "no" };
        let mib = |bytes: u64| bytes / 1024 / 1024;
        writeln!(out, "{}  {}", row.index, row.device.name)?;
        writeln!(out, "   {}, {}, driver {}", row.device.kind, row.device.backend, row.device.driver)?;
        writeln!(
            out,
            "   buffers up to {} MiB, bindings up to {} MiB, shared memory {} KiB, {} invocations per workgroup",
            mib(row.max_buffer_bytes),
            mib(row.max_binding_bytes),
            row.shared_memory_bytes / 1024,
            row.invocations
        )?;
        writeln!(
            out,
            "   subgroups {} ({} to {} lanes), timestamps {}, f16 {}",
            yes(row.subgroups),
            row.subgroup[0],
            row.subgroup[1],
            yes(row.timestamps),
            yes(row.f16)
        )?;
    }
    let Processor { device, threads, .. } = &processor;
    writeln!(out, "cpu  {}", device.name)?;
    writeln!(out, "   {}, {} threads: always available (--device cpu)", device.backend, threads)?;
    Ok(())
}
