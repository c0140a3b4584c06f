//! Faults between machines: they fire, count only if they withheld, delayed or cut something, and a
//! stop ends them.

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::{Address, Options, Seed, SimStream, run};
use std::io;

const SERVER: MachineId = MachineId(0);
const CLIENT: MachineId = MachineId(1);
const ADDRESS: Address = Address { machine: SERVER, port: 80 };

/// In the middle of a connection, and not of a connect.
const AMID: Duration = Duration::from_micros(59_500);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn at(time: Duration, machine: MachineId, action: Action) -> Fault {
    Fault { machine, trigger: Trigger::At(time), action }
}

/// Every kind of fault between machines that lasts, as the client's.
fn lasting_ones(lasting: Duration) -> [Action; 5] {
    let (least, most) = (lasting * 10, lasting * 20);
    [
        Action::Partition { other: SERVER, lasting },
        Action::OneWayPartition { to: SERVER, lasting },
        Action::Clog { to: SERVER, least, most, lasting },
        Action::HangingConnects { to: SERVER, lasting },
        Action::DelayedFins { to: SERVER, least, most, lasting },
    ]
}

/// What a client met that asked five times over each of ten connections, 10 ms between connections.
#[derive(Clone, Debug, Default, PartialEq)]
struct Met {
    /// How many connections gave all their answers.
    served: u64,
    failed: Vec<io::ErrorKind>,
    took: Duration,
    /// The longest time in which the server waited for the end of a connection.
    ended_after: Duration,
}

async fn write_byte(stream: &mut SimStream) -> io::Result<()> {
    poll_fn(|context| Pin::new(&mut *stream).poll_write(context, b"?")).await.map(drop)
}

/// Whether a byte came, and not the end.
async fn read_byte(stream: &mut SimStream) -> io::Result<bool> {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    Ok(!buffer.filled().is_empty())
}

async fn ask(process: &Process) -> io::Result<()> {
    let mut stream = process.network().connect(ADDRESS).await?;
    for _ in 0..5 {
        write_byte(&mut stream).await?;
        if !read_byte(&mut stream).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn boot_server(world: &World, met: Arc<Mutex<Met>>) {
    world.boot(SERVER, "server", async move |process| {
        let listener = process.network().listen(80).unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            let met = met.clone();
            let work = async move {
                let mut asked = true_time();
                while let Ok(true) = read_byte(&mut stream).await {
                    asked = true_time();
                    if write_byte(&mut stream).await.is_err() {
                        return;
                    }
                }
                let mut met = met.lock().unwrap();
                met.ended_after = met.ended_after.max(true_time() - asked);
            };
            process.spawn("answer", work).detach();
        }
    });
}

/// Runs a schedule against such a client, and then for as long as the server needs.
fn met(schedule: Vec<Fault>) -> (Met, BTreeMap<FaultKind, Count>) {
    let outcome = run(Seed(1), Options::default(), async |world| {
        assert_eq!((world.add_machine("server"), world.add_machine("client")), (SERVER, CLIENT));
        world.network().set_latency(CLIENT, SERVER, millis(1)..=millis(1));
        world.network().set_latency(SERVER, CLIENT, millis(1)..=millis(1));
        let nemesis = Nemesis::start(&world, schedule);
        let met = Arc::new(Mutex::new(Met::default()));
        boot_server(&world, met.clone());
        let inside = met.clone();
        let client = world.boot(CLIENT, "client", async move |process| {
            for _ in 0..10 {
                process.clock().sleep(millis(10)).await;
                let asked = ask(&process).await;
                let mut met = inside.lock().unwrap();
                met.served += u64::from(asked.is_ok());
                met.failed.extend(asked.err().map(|error| error.kind()));
            }
            inside.lock().unwrap().took = true_time();
        });
        world.exited(client).await;
        sleep_true(Duration::from_secs(1000)).await;
        nemesis.stop();
        let met = met.lock().unwrap().clone();
        (met, nemesis.counts())
    });
    outcome.result.unwrap()
}

#[test]
fn links_that_withhold_or_delay_take_time_and_lose_nothing() {
    let (calm, _) = met(vec![]);
    assert_eq!((calm.served, &calm.failed[..]), (10, &[][..]));
    let lasting = millis(500);
    for action in lasting_ones(lasting) {
        let (seen, counts) = met(vec![at(AMID, CLIENT, action)]);
        assert_eq!(counts[&action.kind()], Count { scheduled: 1, fired: 1, effective: 1 }, "{action:?}");
        assert_eq!((seen.served, &seen.failed[..]), (10, &[][..]), "{action:?}");
        let (took, ended_after) = (seen.took.abs_diff(calm.took), seen.ended_after);
        if let Action::DelayedFins { .. } = action {
            assert!(took < millis(1) && ended_after > lasting * 9 / 10, "{took:?} {ended_after:?}");
        } else {
            assert!((lasting - millis(50)..lasting + millis(10)).contains(&took), "{action:?} took {took:?}");
        }
    }
}

#[test]
fn a_fault_of_an_idle_link_has_no_effect() {
    for action in lasting_ones(millis(500)) {
        let (_, counts) = met(vec![at(Duration::from_secs(100), CLIENT, action)]);
        assert_eq!(counts[&action.kind()], Count { scheduled: 1, fired: 1, effective: 0 }, "{action:?}");
    }
    for action in [Action::ConnectionResets { other: CLIENT }, Action::HalfOpen { peer: CLIENT }] {
        let (_, counts) = met(vec![at(Duration::from_secs(100), SERVER, action)]);
        assert_eq!(counts[&action.kind()], Count { scheduled: 1, fired: 1, effective: 0 }, "{action:?}");
    }
}

#[test]
fn a_clog_of_less_than_its_time_delays_each_message() {
    let (calm, _) = met(vec![]);
    let action = Action::Clog { to: CLIENT, least: millis(5), most: millis(5), lasting: Duration::from_secs(100) };
    let (clogged, counts) = met(vec![at(Duration::ZERO, SERVER, action)]);
    assert_eq!(counts[&FaultKind::Clog].effective, 1);
    // Of each connection the server's acceptance and its five answers.
    let took = clogged.took - calm.took;
    assert!((millis(300)..millis(301)).contains(&took), "{took:?}");
}

#[test]
fn cut_connections_fail_and_the_next_ones_do_not() {
    for machine in [SERVER, CLIENT] {
        let other = if machine == SERVER { CLIENT } else { SERVER };
        let (seen, counts) = met(vec![at(AMID, machine, Action::ConnectionResets { other })]);
        assert_eq!(counts[&FaultKind::ConnectionResets].effective, 1);
        assert_eq!((seen.served, &seen.failed[..]), (9, &[io::ErrorKind::ConnectionReset][..]));
    }
    let (seen, counts) = met(vec![at(AMID, CLIENT, Action::HalfOpen { peer: SERVER })]);
    assert_eq!(counts[&FaultKind::HalfOpen].effective, 1);
    assert_eq!((seen.served, &seen.failed[..]), (9, &[io::ErrorKind::TimedOut][..]));
    // The client's question is on its way, and is answered by a reset. A millisecond later the
    // answer would be lost, and the client would wait for ever.
    let (seen, counts) = met(vec![at(AMID - millis(1), SERVER, Action::HalfOpen { peer: CLIENT })]);
    assert_eq!(counts[&FaultKind::HalfOpen].effective, 1);
    assert_eq!((seen.served, &seen.failed[..]), (9, &[io::ErrorKind::ConnectionReset][..]));
}

#[test]
fn a_stop_heals_every_link() {
    for action in lasting_ones(Duration::from_secs(1_000_000)) {
        let outcome = run(Seed(1), Options::default(), async |world| {
            assert_eq!((world.add_machine("server"), world.add_machine("client")), (SERVER, CLIENT));
            let met = Arc::new(Mutex::new(Met::default()));
            boot_server(&world, met.clone());
            let client = world.boot(CLIENT, "client", async |process| {
                process.clock().sleep(millis(10)).await;
                ask(&process).await.unwrap();
                process.clock().sleep(Duration::from_secs(200)).await;
            });
            let nemesis = Nemesis::start(&world, vec![at(millis(5), CLIENT, action)]);
            sleep_true(Duration::from_secs(20)).await;
            let before = met.lock().unwrap().ended_after;
            nemesis.stop();
            sleep_true(Duration::from_secs(1)).await;
            let after = met.lock().unwrap().ended_after;
            world.exited(client).await;
            assert_eq!(nemesis.counts()[&action.kind()].effective, 1, "{action:?}");
            (before, after, world.panics())
        });
        let (before, after, panics) = outcome.result.unwrap();
        assert!(before.is_zero() && !after.is_zero() && panics.is_empty(), "{action:?} {before:?} {after:?}");
    }
}

#[test]
fn a_fault_between_machines_names_two() {
    for other in [CLIENT, MachineId(9)] {
        let outcome = run(Seed(1), Options::default(), async |world| {
            world.add_machine("server");
            world.add_machine("client");
            Nemesis::start(&world, vec![at(millis(5), CLIENT, Action::ConnectionResets { other })]);
        });
        assert!(outcome.result.is_err());
    }
}
