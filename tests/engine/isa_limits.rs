//! What AMD's compiler makes of the kernels that a GPU runs by default: nothing spills, enough waves fit, and no kernel gets worse
//! unnoticed. Mesa's RADV compiles for a card that is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::common::skipped;
use crate::isa::{Shader, Usage, child, compile, driver, of_presets};

/// RDNA 3.
const FAMILY: &str = "gfx1100";
/// Waves that a SIMD must be able to hold, so that some compute while others wait.
const LEAST_WAVES: u64 = 8;

/// What kernels took when this was written, and of which driver: another one counts otherwise.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    driver: String,
    kernels: BTreeMap<String, Usage>,
}

/// Not a test of its own: the process that [`kernels_of_a_gpu_spill_nothing_and_get_no_worse`] compiles in.
#[test]
#[ignore = "the work of a child process"]
fn child_of_the_test() {
    child();
}

#[test]
fn kernels_of_a_gpu_spill_nothing_and_get_no_worse() {
    if driver().is_none() {
        return skipped("no RADV (Debian: mesa-vulkan-drivers), so nothing is known of AMD's compiler");
    }
    let kernels = of_presets(false);
    let all: Vec<&Shader> = kernels.values().flatten().collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["isa_limits::child_of_the_test", "--exact", "--ignored"]);
    let found = compile(command, FAMILY, &all).unwrap();
    assert_eq!(found.usages.len(), all.len());
    let mut rest = found.usages.as_slice();
    let mut now = Known { driver: found.driver, kernels: BTreeMap::new() };
    for (name, shaders) in &kernels {
        let (usages, others) = rest.split_at(shaders.len());
        rest = others;
        let worst = Usage::worst(usages);
        assert_eq!(worst.spilled, 0, "{name} spills: {worst:?}");
        assert!(worst.waves >= LEAST_WAVES, "{name}: {worst:?}");
        now.kernels.insert(name.clone(), worst);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/isa.json");
    if std::env::var_os("WGVAE_ISA_WRITE").is_some() {
        // A line for each kernel, so that differences can be read.
        let line =
            |(name, usage): (&String, &Usage)| format!("    {name:?}: {}", serde_json::to_string(usage).unwrap());
        let lines: Vec<String> = now.kernels.iter().map(line).collect();
        let text = format!("{{\n  \"driver\": {:?},\n  \"kernels\": {{\n{}\n  }}\n}}\n", now.driver, lines.join(",\n"));
        std::fs::write(&path, text).unwrap();
    }
    let known: Known = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    if known.driver != now.driver {
        return skipped(&format!("what kernels take is known of {}, and this is {}", known.driver, now.driver));
    }
    for (name, now) in &now.kernels {
        let Some(before) = known.kernels.get(name) else { panic!("{name} is new: {AGAIN}") };
        let is_no_worse = now.vgprs <= before.vgprs
            && now.waves >= before.waves
            && now.shared <= before.shared
            && now.instructions <= before.instructions
            && now.waits <= before.waits;
        assert!(is_no_worse, "{name} takes {now:?}, and took {before:?}: {AGAIN}");
    }
    assert!(known.kernels.keys().all(|name| now.kernels.contains_key(name)), "a kernel is gone: {AGAIN}");
}

const AGAIN: &str = "mend it, or write the file again with WGVAE_ISA_WRITE=1 and look at the difference";
