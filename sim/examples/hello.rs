//! A program that promises, a power loss, and a checker that compares: `cargo run --example hello`.
use std::{io, time::Duration};

use outlive_sim::{
    Action, Fault, History, Nemesis, OpenMode, Options, Outcome, Process, Seed, Survivors, Trigger, run,
};

/// The program under test: it counts in a file, and says how far it has come.
async fn count(process: Process, said: History<u8>, sync: bool) -> io::Result<()> {
    let file = process.disk().open("/count", OpenMode::Any)?;
    process.disk().sync_directory("/")?;
    for number in 1..=5 {
        file.write_at(0, &[number])?;
        if sync {
            file.sync()?;
        }
        said.record(&process, number);
        process.clock().sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// One run: the last number that was said, and the one that is on the disk. The seed chooses when power is lost.
fn simulate(seed: Seed, sync: bool) -> Outcome<(u8, u8)> {
    run(seed, Options::default(), async move |world| {
        let machine = world.add_machine("one");
        let moment = seed.fork("moment").duration(Duration::ZERO..=Duration::from_millis(60));
        let fault = Fault { machine, trigger: Trigger::At(moment), action: Action::PowerLoss(Survivors::Subset) };
        Nemesis::start(&world, vec![fault]);
        let said = History::new();
        let own = said.clone();
        let process = world.boot(machine, "counter", async move |process| {
            count(process, own, sync).await.expect("this disk makes no errors");
        });
        world.exited(process).await;
        let promised = said.entries().last().map_or(0, |entry| entry.event);
        let kept = world.disk(machine).read_all("/count").unwrap_or_default();
        (promised, kept.first().copied().unwrap_or(0))
    })
}

fn main() {
    for sync in [false, true] {
        println!("a program that {}:", if sync { "syncs before it speaks" } else { "never syncs" });
        let results = (1..=100).map(Seed).map(|seed| (seed, simulate(seed, sync).result.expect("the run ends")));
        match results.into_iter().find(|(_, (promised, kept))| kept < promised) {
            Some((Seed(seed), (promised, kept))) => println!("  seed {seed}: it said {promised}, the disk has {kept}"),
            None => println!("  seeds 1 to 100: it always kept what it had said"),
        }
    }
    assert_eq!(simulate(Seed(1), true).hash, simulate(Seed(1), true).hash, "a seed's run is the same each time");
}
