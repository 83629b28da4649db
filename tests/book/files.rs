//! The page about the files of a run names those that a run has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use crate::page::root;

const PAGE: &str = "docs/reference/files.md";

/// The test of the page.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("files::of_a_run_are_named", are_named)]
}

fn are_named() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let run = folder.path().join("run");
    let mut train = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    train.args(["train", "--data", "strokes:count=128", "--epochs", "1", "--device", "cpu", "--tune", "off", "--out"]);
    let output = train.arg(&run).env_remove("WGVAE_DATA").env_remove("WGVAE_SEED").output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut files = BTreeSet::new();
    collect(&run, "", &mut files)?;
    let page = std::fs::read_to_string(root().join(PAGE))?;
    let (first, _) = page.split_once("## Files that commands add").ok_or("the page has no second table")?;
    let named = first.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: BTreeSet<String> = named.map(|(name, _)| without_numbers(name)).collect();
    match files == named {
        true => Ok(()),
        false => Err(format!("{PAGE} names {named:?}, and a run has {files:?}").into()),
    }
}

/// Adds the files of a folder, with the names of the folders above.
fn collect(folder: &Path, above: &str, files: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => collect(&entry.path(), &format!("{name}/"), files)?,
            false => drop(files.insert(without_numbers(&name))),
        }
    }
    Ok(())
}

/// A name without the number of an epoch, or the step and the run of a checkpoint.
fn without_numbers(name: &str) -> String {
    match name.split_once('-') {
        Some((kind, rest)) => format!("{kind}-*{}", rest.find('.').map_or("", |dot| &rest[dot..])),
        None => name.to_string(),
    }
}
