//! Runs the cases with each of the faults in turn, and prints the numbers of those that nobody noticed. `main.rs` compiles this in a
//! copy of the project that has the faults.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use wgvae_engine::conformance;
use wgvae_engine::exec::OpenDevice;
use wgvae_engine::exec::gpu::GpuOptions;
use wgvae_engine::conformance::{Case, cases};

#[path = "../tests/processor_faults/faults.rs"]
mod faults;

fn fails(case: &Case) -> bool {
    let check = || conformance::check_case(&OpenDevice::Cpu, case, &GpuOptions::default()).is_err();
    catch_unwind(AssertUnwindSafe(check)).unwrap_or(true)
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut cases: Vec<Case> = cases();
    // Few faults need a large case.
    cases.sort_by_key(|case| case.timed);
    for (number, (.., prefix, _, _)) in faults::FAULTS.iter().enumerate() {
        let chosen = || cases.iter().filter(|case| case.name.starts_with(prefix));
        wgvae_engine::exec::cpu::FAULT.store(number + 1, Ordering::Relaxed);
        let found = chosen().find(|case| fails(case));
        wgvae_engine::exec::cpu::FAULT.store(0, Ordering::Relaxed);
        match found {
            None => println!("{number}"),
            Some(case) => assert!(!fails(case), "{} fails without a fault", case.name),
        }
    }
}
