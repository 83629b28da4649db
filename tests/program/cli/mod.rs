//! The command line: commands, outputs, wrong inputs, exit codes.

mod commands;
mod errors;
mod texts;
mod training;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn wgvae(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGPU_ADAPTER_NAME"] {
        command.env_remove(variable);
    }
    // Tuning has tests of its own.
    command.env("WGVAE_TUNE", "off").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
    file.extend(bytes);
    file
}

/// A folder of tiny IDX images.
fn tiny(folder: &Path, train: u32, test: u32) {
    for (name, rows) in [("train", train), ("t10k", test)] {
        let pixels: Vec<u8> = (0..rows * 12).map(|i| (i * 37 % 251) as u8).collect();
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), idx(&[rows, 3, 4], &pixels)).unwrap();
    }
}

fn path(folder: &Path) -> String {
    folder.to_str().unwrap().to_string()
}
