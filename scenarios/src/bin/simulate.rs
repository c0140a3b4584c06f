//! Placeholder.
use outlive_sim::{Options, Seed, run};
fn main() {
    let a: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let b: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let t = std::time::Instant::now();
    for seed in a..=b {
        let o = run(Seed(seed), Options::default(), outlive_scenarios::drive::drive);
        match o.result {
            Ok(e) => {
                let rows = e.rows.as_ref();
                println!(
                    "seed {seed} hash {:016x} sim {:?} wall {:?} settled {} entries {} ops {} boots {} jobs {:?} loss {:?} panics {}",
                    o.hash,
                    o.simulated,
                    o.wall,
                    e.settled,
                    e.entries.len(),
                    e.disk_operations,
                    e.times.len(),
                    rows.map(|r| r.jobs.len()),
                    e.loss,
                    o.panics.len()
                );
                if let Err(x) = &e.rows {
                    println!("ROWS {x}")
                }
                for p in o.panics.iter().take(3) {
                    println!("   {p:?}")
                }
                if !e.settled {
                    if let Ok(r) = &e.rows {
                        for (i, j) in r.jobs.iter().filter(|(_, j)| !j.finished).take(5) {
                            println!("   pending {i} {j:?}")
                        }
                    }
                    for x in e.entries.iter().rev().take(5) {
                        println!("   {:?}", x)
                    }
                }
                if b == a {
                    println!("{:?}", e.faults)
                }
            }
            Err(f) => println!("seed {seed} FAILED {f:?}"),
        }
    }
    let n = b - a + 1;
    println!("{n} seeds {:?} = {:.1}/s", t.elapsed(), n as f64 / t.elapsed().as_secs_f64());
}
