//! `cargo bench --bench isa [-- FAMILY...]`: what AMD's compiler makes of every kernel of every preset, for cards that are not there
//! (gfx1100 is RDNA 3, navi21 RDNA 2, vega10 Vega). A table in Markdown: of each kernel, or variant of a product, over all ops of all
//! presets. Needs Mesa's RADV.

#[path = "../tests/common/isa.rs"]
mod isa;

use std::process::Command;

use isa::Usage;

fn main() {
    if isa::child() || std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if isa::driver().is_none() {
        eprintln!("SKIPPED: this machine has no RADV (Debian's package mesa-vulkan-drivers has it)");
        return;
    }
    let mut families: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if families.is_empty() {
        families = ["gfx1100", "navi21", "vega10"].map(String::from).to_vec();
    }
    let kernels = isa::of_presets(true);
    let all: Vec<&isa::Shader> = kernels.values().flatten().collect();
    let compile = |family: &String| {
        let child = Command::new(std::env::current_exe().expect("this program"));
        isa::compile(child, family, &all).expect("RADV compiles them")
    };
    let found: Vec<isa::Found> = families.iter().map(compile).collect();
    println!("{}: VGPRs, waves a SIMD, spilled registers, waits with one load each in a row\n", found[0].driver);
    println!("| kernel | shaders | shared bytes | {} |", families.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(families.len()));
    let mut first = 0;
    for (name, shaders) in &kernels {
        let worst = found.iter().map(|found| Usage::worst(&found.usages[first..][..shaders.len()]));
        let worst: Vec<Usage> = worst.collect();
        let cell = |Usage { vgprs, waves, spilled, waits, .. }: &Usage| format!("{vgprs}, {waves}, {spilled}, {waits}");
        let cells: Vec<String> = worst.iter().map(cell).collect();
        println!("| {name} | {} | {} | {} |", shaders.len(), worst[0].shared, cells.join(" | "));
        first += shaders.len();
    }
}
