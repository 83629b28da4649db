//! Planted faults in the code for the processor: each must make a case fail. A copy of the project is compiled once, in which every
//! faulty expression stands beside the right one, and a number says at run time which of the faults is there.

mod faults;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use faults::FAULTS;

/// What the copy has besides its faults.
const SWITCH: &str = "
/// The number of the fault that is there; the first is 1.
pub static FAULT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Whether it is this one.
#[inline(always)]
pub(crate) fn fault(number: usize) -> bool {
    FAULT.load(std::sync::atomic::Ordering::Relaxed) == number
}
";

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// The source of a file with its faults.
fn planted(file: &str, source: &str) -> String {
    let mut spots: Vec<_> = (FAULTS.iter().enumerate().filter(|(_, fault)| fault.0 == file))
        .map(|(number, (.., text, wrong))| {
            let (before, rest) = text.split_once('«').unwrap();
            let (right, behind) = rest.split_once('»').unwrap();
            let found: Vec<_> = source.match_indices(&format!("{before}{right}{behind}")).collect();
            assert_eq!(found.len(), 1, "`{text}` is in {file} {} times", found.len());
            let start = found[0].0 + before.len();
            let both = format!("(if crate::exec::cpu::fault({}) {{ {wrong} }} else {{ {right} }})", number + 1);
            (start..start + right.len(), both)
        })
        .collect();
    spots.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut result = source.to_string();
    for (range, both) in spots {
        result.replace_range(range, &both);
    }
    result
}

#[test]
fn every_planted_fault_is_found() {
    let (project, target) = (Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(env!("CARGO_TARGET_TMPDIR")));
    let root = target.join("processor_faults");
    let _ = fs::remove_dir_all(&root);
    let manifests = ["crates/engine/Cargo.toml", "crates/data/Cargo.toml"];
    let benches = ["benches/bench.rs", "benches/isa.rs"];
    let parts = ["crates/engine/src", "shaders", "tests/processor_faults/faults.rs"];
    for part in manifests.into_iter().chain(benches).chain(parts) {
        copy(&project.join(part), &root.join(part));
    }
    copy(&project.join("tests/processor_faults/runner.rs"), &root.join("examples/faults.rs"));
    // The example is one of the root's, so that it is compiled with the same crates as this test; it needs nothing of the root.
    for (empty, content) in [("src/lib.rs", ""), ("src/main.rs", "fn main() {}"), ("crates/data/src/lib.rs", "")] {
        fs::create_dir_all(root.join(empty).parent().unwrap()).unwrap();
        fs::write(root.join(empty), content).unwrap();
    }
    // Speed matters little here, and the time to compile does.
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("[workspace.lints.rust]", "[workspace.lints.rust]\nunused_parens = \"allow\"");
    let quick =
        ["release", "dev"].map(|profile| format!("\n[profile.{profile}.package.wgvae-engine]\nopt-level = 1\n"));
    // Another version, so that what is compiled here lies beside what the other tests are linked with, and not in its place.
    let [here, other] = [env!("CARGO_PKG_VERSION"), "0.0.0"].map(|version| format!("version = \"{version}\""));
    fs::write(root.join("Cargo.toml"), manifest.replace(&here, &other) + &quick.concat()).unwrap();
    let mut lock = fs::read_to_string(project.join("Cargo.lock")).unwrap().replace('\r', "");
    for name in ["wgvae", "wgvae-data", "wgvae-engine"] {
        let of = |version: &str| format!("name = \"{name}\"\n{version}\n");
        lock = lock.replace(&of(&here), &of(&other));
    }
    fs::write(root.join("Cargo.lock"), lock).unwrap();
    let cpu = root.join("crates/engine/src/exec/cpu");
    let switch = cpu.join("mod.rs");
    fs::write(&switch, fs::read_to_string(&switch).unwrap() + SWITCH).unwrap();
    let files: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.0).collect();
    for file in files {
        let path = cpu.join(file);
        fs::write(&path, planted(file, &fs::read_to_string(&path).unwrap())).unwrap();
    }
    // What this test was compiled with, so that the crates that the project needs are compiled already.
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let ran = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--locked", "--profile", profile, "--example", "faults", "--target-dir"])
        .arg(target.parent().unwrap())
        .current_dir(&root)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{printed}{}", String::from_utf8_lossy(&ran.stderr));
    let unnoticed: Vec<_> = printed.lines().map(|line| FAULTS[line.parse::<usize>().unwrap()]).collect();
    assert!(unnoticed.is_empty(), "went unnoticed:\n{unnoticed:#?}");
}
