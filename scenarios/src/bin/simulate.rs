//! Placeholder.
use outlive_sim::{Options, Seed, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let a: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let b: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let t = std::time::Instant::now();
    for seed in a..=b {
        let o = run(Seed(seed), Options::default(), outlive_scenarios::drive::drive);
        match o.result {
            Ok(e) => {
                let report = outlive_scenarios::checkers::judge(&e);
                println!(
                    "seed {seed} hash {:016x} sim {:?} wall {:?} entries {} ops {} boots {} panics {}",
                    o.hash,
                    o.simulated,
                    o.wall,
                    e.entries.len(),
                    e.disk_operations,
                    e.times.len(),
                    o.panics.len()
                );
                for v in report.violations.iter().take(4) {
                    println!("  {} {}", v.clause, v.sentence)
                }
                for p in o.panics.iter().take(3) {
                    println!("   {p:?}")
                }
                if b == a {
                    println!("{:?} {:?}", e.faults, report.counts)
                }
            }
            Err(f) => println!("seed {seed} FAILED {f:?}"),
        }
    }
    let n = b - a + 1;
    println!("{n} seeds {:?} = {:.1}/s", t.elapsed(), n as f64 / t.elapsed().as_secs_f64());
}
