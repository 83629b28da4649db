use wgvae::kernels::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let case = cases().into_iter().find(|c| c.name.starts_with(&a[1])).unwrap();
    let t = match a[2].as_str() {
        "lanes" => Target::Lanes,
        "spread" => Target::Spread,
        _ => Target::Tiles,
    };
    for s in sources(&case.program.plans[0].ops[0], t, &Choices::default()) {
        println!("== {}\n{}", s.variant, s.text);
    }
}
