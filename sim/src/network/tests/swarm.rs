//! Every fault and death at once, over many seeds: streams stay streams, and everything heals.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{Action, Address, Fault, FaultKind, MachineId, Nemesis, Process, SimStream, Survivors, Trigger};

const ADDRESS: Address = Address { machine: MachineId(0), port: 80 };

/// Answers with what it reads. It dies if bytes come out of order.
async fn echo(_: Process, mut stream: SimStream) {
    let mut next = 0u8;
    while let Ok(bytes) = read_some(&mut stream, 3_000).await
        && !bytes.is_empty()
    {
        for byte in &bytes {
            assert_eq!(*byte, next);
            next = next.wrapping_add(1);
        }
        if write_all(&mut stream, &bytes).await.is_err() {
            return;
        }
    }
}

/// Asks for `count` bytes in a row; `true` if all came back.
async fn ask(process: &Process, count: usize) -> bool {
    let Ok(mut stream) = process.network().connect(ADDRESS).await else { return false };
    let bytes: Vec<u8> = (0..count).map(|place| place as u8).collect();
    for some in bytes.chunks(2_000) {
        if write_all(&mut stream, some).await.is_err() {
            return false;
        }
        match read_exactly(&mut stream, some.len()).await {
            Ok(answer) => assert_eq!(answer, some),
            Err(_) => return false,
        }
    }
    shut_down(&mut stream).await.is_ok()
}

/// Keeps a program running on a machine, until it is told to stop.
async fn keep(world: World, machine: MachineId, stopped: Arc<Mutex<bool>>) {
    while !*stopped.lock().unwrap() {
        let process = world.boot(machine, "program", async move |process| {
            if machine == ADDRESS.machine {
                let listener = process.network().listen(ADDRESS.port).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    process.spawn("echo", echo(process.clone(), stream)).detach();
                }
            }
            for round in 0..10_000u64 {
                let own = process.clone();
                let asking = process.spawn("ask", async move { ask(&own, (round * 977 % 9_000) as usize).await });
                let wait = process.fork().key(round).duration(millis(1)..=millis(60));
                process.clock().sleep(wait).await;
                if round.is_multiple_of(3) {
                    asking.detach();
                }
            }
        });
        world.exited(process).await;
        sleep_true(millis(20)).await;
    }
}

fn drawn(world: &World) -> Vec<Fault> {
    let mut rng = world.fork("schedule").rng();
    let faults = (0..25).map(|_| {
        let machine = MachineId(rng.between(0..=2) as u32);
        let other = MachineId((machine.0 + rng.between(1..=2) as u32) % 3);
        let lasting = rng.duration(millis(1)..=millis(600));
        let least = rng.duration(millis(0)..=millis(50));
        let most = least + rng.duration(millis(0)..=millis(900));
        let action = *rng.pick(&[
            Action::Crash,
            Action::PowerLoss(Survivors::All),
            Action::Pause(lasting),
            Action::Partition { other, lasting },
            Action::OneWayPartition { to: other, lasting },
            Action::Clog { to: other, least, most, lasting },
            Action::HangingConnects { to: other, lasting },
            Action::DelayedFins { to: other, least, most, lasting },
            Action::ConnectionResets { other },
            Action::HalfOpen { peer: other },
        ]);
        Fault { machine, trigger: Trigger::At(rng.duration(millis(0)..=millis(3_000))), action }
    });
    faults.collect()
}

#[test]
fn any_mix_of_faults_and_deaths_keeps_streams_whole_and_heals() {
    let (mut effective, mut hashes) = (BTreeMap::<FaultKind, u64>::new(), BTreeSet::new());
    for seed in 0..60 {
        let outcome = run(Seed(seed), Options::default(), async |world| {
            let machines = ["server", "one", "two"].map(|name| world.add_machine(name));
            let nemesis = Nemesis::start(&world, drawn(&world));
            let stopped = Arc::new(Mutex::new(false));
            for machine in machines {
                world.spawn(keep(world.clone(), machine, stopped.clone())).detach();
            }
            sleep_true(millis(3_000)).await;
            nemesis.stop();
            sleep_true(secs(2)).await;
            let mut served = Vec::new();
            for machine in machines {
                let served_now = Arc::new(Mutex::new(false));
                let inside = served_now.clone();
                let late = world.boot(machine, "late", async move |process| {
                    *inside.lock().unwrap() = ask(&process, 200_000).await;
                });
                world.exited(late).await;
                served.push(*served_now.lock().unwrap());
            }
            *stopped.lock().unwrap() = true;
            (served, nemesis.counts(), world.panics())
        });
        let (served, counts, panics) = outcome.result.unwrap_or_else(|failure| panic!("seed {seed}: {failure:?}"));
        assert_eq!((&served[..], &panics[..]), (&[true; 3][..], &[][..]), "seed {seed}");
        assert!(hashes.insert(outcome.hash));
        for (kind, count) in counts {
            *effective.entry(kind).or_default() += count.effective;
        }
    }
    // A power loss counts by what the disk lost, and nothing is on it.
    effective.remove(&FaultKind::PowerLoss);
    assert!(effective.len() == 9 && effective.values().all(|count| *count > 0), "{effective:?}");
}
