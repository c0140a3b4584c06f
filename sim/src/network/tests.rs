//! Streams carry bytes in order and push back; what dies or is cut is heard of as on a real network.

mod death;
mod faults;
mod support;
mod swarm;

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;

use self::support::*;
use crate::{Failure, Options, Outcome, Recording, Seed, World, first_difference, run, sleep_true, true_time};

/// Bytes that differ from place to place.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|place| (place * 7 + place / 251) as u8).collect()
}

/// Sends `chunks` over one stream, read in pieces of up to `piece` bytes; what was read.
fn sent_over(seed: u64, chunks: Vec<Vec<u8>>, piece: usize) -> Vec<u8> {
    between_two(seed, async move |net| {
        let read = Arc::new(Mutex::new(Vec::new()));
        let inside = read.clone();
        net.serve(async move |_, mut stream| {
            while let Ok(bytes) = read_some(&mut stream, piece).await
                && !bytes.is_empty()
            {
                inside.lock().unwrap().extend(bytes);
            }
        });
        let client = net.client(async move |_, mut stream| {
            for chunk in chunks {
                write_all(&mut stream, &chunk).await.unwrap();
            }
        });
        net.world.exited(client).await;
        sleep_true(secs(1)).await;
        read.lock().unwrap().clone()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_in_order_however_they_are_cut(
        seed in any::<u64>(),
        lengths in prop::collection::vec(0usize..40_000, 0..12),
        piece in 1usize..70_000,
    ) {
        let mut all = pattern(lengths.iter().sum());
        let expected = all.clone();
        let chunks = lengths.iter().map(|length| all.drain(..*length).collect()).collect();
        // Small pieces of many bytes are slow, and no different.
        prop_assert!(sent_over(seed, chunks, piece.max(expected.len() / 500).max(1)) == expected);
    }
}

#[test]
fn both_directions_go_on_by_themselves_and_end_by_themselves() {
    between_two(1, async |net| {
        net.serve(async |_, mut stream| {
            write_all(&mut stream, b"from the server").await.unwrap();
            let asked = read_to_end(&mut stream).await.unwrap();
            sleep_true(millis(50)).await;
            write_all(&mut stream, &asked).await.unwrap();
        });
        let heard = net.ask(async |_, mut stream| {
            write_all(&mut stream, b" and back").await.unwrap();
            shut_down(&mut stream).await.unwrap();
            assert_eq!(write_all(&mut stream, b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            read_to_end(&mut stream).await.unwrap()
        });
        assert_eq!(heard.await, b"from the server and back");
    });
}

#[test]
fn a_writer_waits_for_a_reader_that_does_not_read() {
    between_two(1, async |net| {
        net.serve(async |_, mut stream| {
            sleep_true(secs(10)).await;
            assert_eq!(read_exactly(&mut stream, 100_000).await.unwrap(), pattern(100_000));
            std::future::pending::<()>().await;
        });
        let (first, all) = net
            .ask(async |_, mut stream| {
                let bytes = pattern(100_000);
                let first = written_without_waiting(&mut stream, &bytes).await;
                sleep_true(secs(1)).await;
                assert_eq!(written_without_waiting(&mut stream, &bytes[first..]).await, 0);
                write_all(&mut stream, &bytes[first..]).await.unwrap();
                (first, true_time())
            })
            .await;
        assert_eq!(first, 64 << 10);
        assert!((secs(10)..secs(11)).contains(&all), "{all:?}");
    });
}

#[test]
fn a_paused_reader_keeps_its_connection_and_its_window_fills() {
    between_two(1, async |net| {
        let server = net.serve(async |_, mut stream| {
            let _ = read_to_end(&mut stream).await;
        });
        let wrote = net.ask(async move |process, mut stream| {
            sleep_true(millis(10)).await;
            process.inner().world.pause(server);
            let first = written_without_waiting(&mut stream, &pattern(100_000)).await;
            sleep_true(secs(600)).await;
            let later = written_without_waiting(&mut stream, &pattern(100_000)).await;
            process.inner().world.resume(server);
            write_all(&mut stream, &pattern(100_000)).await.unwrap();
            (first, later)
        });
        assert_eq!(wrote.await, (64 << 10, 0));
    });
}

#[test]
fn latency_is_that_of_the_link() {
    between_two(1, async |net| {
        let (there, back) = (millis(30)..=millis(31), millis(200)..=millis(210));
        net.world.network().set_latency(net.client, net.server, there);
        net.world.network().set_latency(net.server, net.client, back);
        net.serve(async |_, mut stream| {
            let asked = read_some(&mut stream, 10).await.unwrap();
            write_all(&mut stream, &asked).await.unwrap();
        });
        let (connected, answered) = net
            .ask(async |_, mut stream| {
                let connected = true_time();
                write_all(&mut stream, b"?").await.unwrap();
                read_exactly(&mut stream, 1).await.unwrap();
                (connected, true_time() - connected)
            })
            .await;
        for took in [connected, answered] {
            assert!((millis(230)..millis(243)).contains(&took), "{took:?}");
        }
    });
}

#[test]
fn addresses_are_those_of_machines_and_ports() {
    between_two(1, async |net| {
        net.serve(async |_, mut stream| {
            let name = format!("{:?}", stream.peer().machine);
            write_all(&mut stream, name.as_bytes()).await.unwrap();
        });
        let heard = net.ask(async |process, mut stream| {
            assert_eq!(process.network().resolve("server:80").unwrap(), stream.peer());
            for (name, error) in [("other:80", io::ErrorKind::NotFound), ("server", io::ErrorKind::InvalidInput)] {
                assert_eq!(process.network().resolve(name).unwrap_err().kind(), error);
            }
            assert_eq!(process.network().listen(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            read_to_end(&mut stream).await.unwrap()
        });
        assert_eq!(heard.await, b"MachineId(1)");
    });
}

#[test]
fn a_port_has_one_listener_and_is_free_when_it_is_dropped() {
    between_two(1, async |net| {
        let process = net.world.boot(net.server, "listener", async |process| {
            let listener = process.network().listen(80).unwrap();
            assert_eq!(process.network().listen(80).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            process.network().listen(80).unwrap();
        });
        assert_eq!(net.world.exited(process).await, crate::Exit::Finished);
    });
}

#[test]
fn who_connects_where_nobody_listens_is_refused() {
    between_two(1, async |net| {
        let refused = net.try_ask(async |_, stream| (stream.map(drop).unwrap_err().kind(), true_time())).await;
        assert_eq!(refused.0, io::ErrorKind::ConnectionRefused);
        assert!(refused.1 > Duration::from_micros(400), "not before an answer: {:?}", refused.1);
    });
}

#[test]
fn a_process_talks_to_itself() {
    between_two(1, async |net| {
        let process = net.world.boot(net.server, "both", async |process| {
            let listener = process.network().listen(80).unwrap();
            let mut one = process.network().connect(listener.address()).await.unwrap();
            let (mut other, peer) = listener.accept().await.unwrap();
            assert_eq!((peer, one.peer()), (one.local(), other.local()));
            write_all(&mut one, b"hello").await.unwrap();
            assert_eq!(read_exactly(&mut other, 5).await.unwrap(), b"hello");
        });
        assert_eq!(net.world.exited(process).await, crate::Exit::Finished);
        assert!(true_time() < millis(1), "within a machine it is quick: {:?}", true_time());
    });
}

#[test]
fn a_full_backlog_takes_more_once_there_is_room() {
    between_two(1, async |net| {
        let server = net.world.boot(net.server, "server", async |process| {
            let listener = process.network().listen(80).unwrap();
            sleep_true(secs(10)).await;
            let mut accepted = Vec::new();
            while accepted.len() < 130 {
                accepted.push(listener.accept().await.unwrap());
            }
        });
        let connected = Arc::new(Mutex::new(0));
        let inside = connected.clone();
        let address = net.address();
        net.world.boot(net.client, "client", async move |process| {
            for _ in 0..130 {
                let (own, inside) = (process.clone(), inside.clone());
                let work = async move {
                    let _stream = own.network().connect(address).await.unwrap();
                    *inside.lock().unwrap() += 1;
                    std::future::pending::<()>().await;
                };
                process.spawn("connect", work).detach();
            }
            std::future::pending::<()>().await;
        });
        sleep_true(secs(9)).await;
        assert_eq!(*connected.lock().unwrap(), 128);
        net.world.exited(server).await;
        sleep_true(secs(1)).await;
        assert_eq!(*connected.lock().unwrap(), 130);
    });
}

#[test]
fn who_gives_up_a_connect_leaves_nothing_open() {
    between_two(1, async |net| {
        let server = net.serve(async |_, mut stream| {
            assert_eq!(read_some(&mut stream, 1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        });
        let address = net.address();
        net.world.boot(net.client, "client", async move |process| {
            {
                let network = process.network().clone();
                let mut connecting = Box::pin(async move { network.connect(address).await });
                poll_fn(|context| {
                    assert!(connecting.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            std::future::pending::<()>().await;
        });
        assert_eq!(net.world.exited(server).await, crate::Exit::Finished);
    });
}

/// Clients that ask a server over the network, with faults and deaths; everything draws from forks.
async fn busy(world: World) {
    let net = Net::new(world);
    net.serve_all(async |_, mut stream| {
        while let Ok(bytes) = read_some(&mut stream, 100).await
            && !bytes.is_empty()
            && write_all(&mut stream, &bytes).await.is_ok()
        {}
    });
    let address = net.address();
    let choices = net.world.fork("choices");
    for round in 0..12 {
        let client = net.world.boot(net.client, "client", async move |process| {
            for key in 0..20 {
                let Ok(mut stream) = process.network().connect(address).await else { continue };
                let asked = vec![key; 50 + usize::from(key) * 100];
                let _ = write_all(&mut stream, &asked).await;
                let _ = read_some(&mut stream, 1000).await;
                let seen = std::collections::HashMap::from([(key, ()), (key + 1, ())]);
                process.event("first", &[u64::from(*seen.keys().next().unwrap())], &[]);
            }
        });
        let cut = net.world.network().begin(net.client, net.server, crate::LinkFault::Cut);
        sleep_true(choices.key(round).duration(millis(1)..=millis(30))).await;
        net.world.network().end(cut);
        sleep_true(choices.key(round).fork("run").duration(millis(1)..=millis(40))).await;
        net.world.network().reset_connections(net.client, net.server);
        net.world.crash(client);
    }
}

#[test]
fn the_same_seed_runs_the_same_whatever_ran_before() {
    let recorded = || Options { recording: Recording::Memory, ..Options::default() };
    let trace = |seed| -> Outcome<()> { run(Seed(seed), recorded(), busy) };
    let once: Vec<_> = [1, 2, 3].map(trace).into();
    let again: Vec<_> = [3, 2, 1].map(trace).into();
    for (one, other) in once.iter().zip(again.iter().rev()) {
        assert_eq!(first_difference(&one.trace, &other.trace), None);
        assert_eq!(one.hash, other.hash);
        assert!(one.events["network.chunk"] > 50 && one.events["network.withhold"] > 0, "{:?}", one.events);
    }
    assert_ne!(once[0].hash, once[1].hash);
}

#[test]
fn nothing_of_a_network_stays_in_memory() {
    let kept = Arc::new(());
    let inside = kept.clone();
    between_two(1, async move |net| {
        let own = inside.clone();
        net.serve(async move |_, mut stream| {
            let _own = own;
            let _ = read_to_end(&mut stream).await;
        });
        net.client(async move |_, mut stream| {
            let _inside = inside;
            let _ = read_to_end(&mut stream).await;
        });
        sleep_true(secs(1)).await;
    });
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn a_world_without_connections_has_no_event_of_a_network() {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        let process = world.boot(machine, "main", async |_| {});
        world.exited(process).await;
        world.power_loss(machine, crate::Survivors::None);
    });
    assert_eq!(outcome.result, Ok::<_, Failure>(()));
    assert!(outcome.events.keys().all(|kind| !kind.starts_with("network.")), "{:?}", outcome.events);
}
