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
    for family in families {
        let child = Command::new(std::env::current_exe().expect("this program"));
        let all: Vec<&isa::Shader> = kernels.values().flatten().collect();
        let found = isa::compile(child, &family, &all).expect("RADV compiles them");
        println!("\n{family}, {}\n", found.driver);
        println!(
            "| kernel | shaders | VGPRs | shared bytes | waves a SIMD | spilled | instructions | single waits in a row |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        let mut rest = found.usages.as_slice();
        for (name, shaders) in &kernels {
            let (usages, others) = rest.split_at(shaders.len());
            rest = others;
            let worst = Usage::worst(usages);
            println!(
                "| {name} | {} | {} | {} | {} | {} | {} | {} |",
                usages.len(),
                worst.vgprs,
                worst.shared,
                worst.waves,
                worst.spilled,
                worst.instructions,
                worst.waits,
            );
        }
    }
}
