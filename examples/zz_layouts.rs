use std::time::Instant;
use wgvae::executor::Executor;
use wgvae::gpu::*;
use wgvae::kernels::{Choices, Layout, Target, cases};
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let all = words.iter().any(|w| w == "all");
    let filter = words.first().cloned().unwrap_or_default();
    let entry = list(&instance()).remove(0);
    let gpu = Gpu::open(&entry, Needs::default()).unwrap();
    for case in cases().into_iter().filter(|c| c.timed && c.name.starts_with("dense") && c.name.contains(&filter)) {
        let op = &case.program.plans[0].ops[0];
        let mut layouts = Layout::candidates(op, gpu.target);
        if all {
            layouts = Layout::ALL
                .iter()
                .map(|l| l.1)
                .filter(|l| l.runs_on(gpu.target) && !matches!(l, Layout::Lanes { .. }))
                .collect();
        }
        for layout in layouts {
            let options = GpuOptions { choices: Choices::all_of([op], layout), ..Default::default() };
            let t = Instant::now();
            let mut e = Executor::Gpu(Box::new(GpuExecutor::new(gpu.clone(), case.program.clone(), &options).unwrap()));
            let compile0 = t.elapsed();
            for (id, w) in case.input_words() {
                e.write_words(id, &w).unwrap();
            }
            let t = Instant::now();
            e.submit(0, &[case.step]).unwrap();
            e.collect().unwrap();
            let first = t.elapsed();
            let mut best = f64::MAX;
            for _ in 0..6 {
                let n = 4;
                let t = Instant::now();
                e.submit(0, &vec![case.step; n]).unwrap();
                e.collect().unwrap();
                best = best.min(t.elapsed().as_secs_f64() / n as f64);
            }
            println!(
                "{:<36} {:<20} {:>8.3} ms {:>6.1} GFLOP/s  compile {:>5.0} + {:>5.0} ms",
                case.name,
                layout.to_string(),
                best * 1e3,
                op.flops as f64 / best / 1e9,
                compile0.as_secs_f64() * 1e3,
                first.as_secs_f64() * 1e3
            );
        }
    }
    let _ = Target::ALL;
}
