//! Each fault of a link does what it says, counts what it did, and is over when it is ended.

use super::*;
use crate::network::LinkFault;
use crate::{Process, SimStream};

/// Answers every byte with itself.
async fn echo(_: Process, mut stream: SimStream) {
    while let Ok(bytes) = read_some(&mut stream, 100).await
        && !bytes.is_empty()
        && write_all(&mut stream, &bytes).await.is_ok()
    {}
}

/// Asks over an open stream; how long the answer took.
async fn round_trip(stream: &mut SimStream) -> io::Result<Duration> {
    let before = true_time();
    write_all(stream, b"?").await?;
    read_exactly(stream, 1).await?;
    Ok(true_time() - before)
}

/// How long round trips take that begin one second after the fault, and once it has ended 5 s later,
/// and how often it struck. The fault is of the link from the client, or of the way back.
fn struck(fault: LinkFault, back: bool) -> (Duration, Duration, u64) {
    between_two(1, async move |net| {
        net.serve_all(echo);
        let network = net.world.network().clone();
        let (from, to) = if back { (net.server, net.client) } else { (net.client, net.server) };
        let world = net.world.clone();
        net.ask(async move |_, mut stream| {
            assert!(round_trip(&mut stream).await.unwrap() < millis(10));
            let begun = network.begin(from, to, fault);
            sleep_true(secs(1)).await;
            let ending = world.spawn(async move {
                sleep_true(secs(5)).await;
                (network.end(begun), network.end(begun))
            });
            let during = round_trip(&mut stream).await.unwrap();
            let (changed, again) = ending.await.unwrap();
            assert_eq!(again, 0);
            (during, round_trip(&mut stream).await.unwrap(), changed)
        })
        .await
    })
}

#[test]
fn a_cut_withholds_in_one_direction_until_it_heals() {
    for back in [false, true] {
        let (during, after, changed) = struck(LinkFault::Cut, back);
        assert!((secs(5)..secs(5) + millis(10)).contains(&during), "{during:?}");
        assert!(after < millis(10), "{after:?}");
        assert_eq!(changed, 1);
    }
}

#[test]
fn what_waits_behind_two_cuts_waits_for_both() {
    between_two(1, async |net| {
        net.serve_all(echo);
        let (network, world) = (net.world.network().clone(), net.world.clone());
        let (from, to) = (net.client, net.server);
        let took = net.ask(async move |_, mut stream| {
            let cuts = [LinkFault::Cut, LinkFault::Cut].map(|cut| network.begin(from, to, cut));
            for (cut, lasting) in cuts.into_iter().zip([2, 4]) {
                let network = network.clone();
                world
                    .spawn(async move {
                        sleep_true(secs(lasting)).await;
                        assert!(network.end(cut) > 0);
                    })
                    .detach();
            }
            round_trip(&mut stream).await.unwrap()
        });
        let took = took.await;
        assert!((secs(4)..secs(4) + millis(10)).contains(&took), "{took:?}");
    });
}

#[test]
fn a_clog_delays_and_what_it_delayed_goes_on_when_it_ends() {
    let (during, after, changed) = struck(LinkFault::Clog { least: secs(2), most: secs(3) }, false);
    assert!((secs(2)..secs(3) + millis(10)).contains(&during), "{during:?}");
    assert!(after < millis(10) && changed == 1, "{after:?} {changed}");
    let (stalled, after, changed) = struck(LinkFault::Clog { least: secs(900), most: secs(999) }, true);
    assert!((secs(5)..secs(5) + millis(10)).contains(&stalled), "{stalled:?}");
    assert!(after < millis(10) && changed == 1, "{after:?} {changed}");
}

#[test]
fn faults_that_met_nothing_count_nothing() {
    let far = secs(900);
    for fault in [LinkFault::HangConnects, LinkFault::DelayFins { least: far, most: far }] {
        let (during, after, changed) = struck(fault, false);
        assert!(during < millis(10) && after < millis(10) && changed == 0, "{fault:?} {during:?} {changed}");
    }
    between_two(1, async |net| {
        for fault in [LinkFault::Cut, LinkFault::Clog { least: far, most: far }] {
            let begun = net.world.network().begin(net.client, net.server, fault);
            sleep_true(secs(1)).await;
            assert_eq!(net.world.network().end(begun), 0);
        }
        assert_eq!(net.world.network().reset_connections(net.client, net.server), 0);
        assert_eq!(net.world.network().abandon_connections(net.client, net.server), 0);
    });
}

#[test]
fn a_connect_hangs_while_others_go_on() {
    between_two(1, async |net| {
        net.serve_all(echo);
        let (network, world, address) = (net.world.network().clone(), net.world.clone(), net.address());
        let (from, to) = (net.client, net.server);
        net.ask(async move |process, mut stream| {
            let begun = network.begin(from, to, LinkFault::HangConnects);
            let ending = world.spawn(async move {
                sleep_true(secs(20)).await;
                network.end(begun)
            });
            let before = true_time();
            assert!(round_trip(&mut stream).await.unwrap() < millis(10));
            process.network().connect(address).await.unwrap();
            let took = true_time() - before;
            assert!((secs(20)..secs(21)).contains(&took), "{took:?}");
            assert_eq!(ending.await, Some(1));
        })
        .await;
    });
}

#[test]
fn a_connect_that_hangs_too_long_times_out_and_never_arrives() {
    between_two(1, async |net| {
        let accepted = Arc::new(Mutex::new(0));
        let inside = accepted.clone();
        net.serve_all(move |_, _| {
            *inside.lock().unwrap() += 1;
            std::future::ready(())
        });
        let begun = net.world.network().begin(net.client, net.server, LinkFault::HangConnects);
        let error = net.try_ask(async |_, stream| stream.map(drop).unwrap_err().kind()).await;
        assert_eq!((error, true_time().as_secs()), (io::ErrorKind::TimedOut, 127));
        net.world.network().end(begun);
        sleep_true(secs(10)).await;
        assert_eq!(*accepted.lock().unwrap(), 0);
    });
}

#[test]
fn a_delayed_end_comes_late_and_the_bytes_before_it_do_not() {
    between_two(1, async |net| {
        net.serve(async |_, mut stream| write_all(&mut stream, b"bytes").await.unwrap());
        let fault = LinkFault::DelayFins { least: secs(7), most: secs(8) };
        let begun = net.world.network().begin(net.server, net.client, fault);
        let (bytes, end) = net
            .ask(async |_, mut stream| {
                read_exactly(&mut stream, 5).await.unwrap();
                let bytes = true_time();
                assert_eq!(read_to_end(&mut stream).await.unwrap(), b"");
                (bytes, true_time())
            })
            .await;
        assert!(bytes < millis(10) && (secs(7)..secs(8) + millis(10)).contains(&end), "{bytes:?} {end:?}");
        assert_eq!(net.world.network().end(begun), 1);
    });
}

#[test]
fn a_reset_reaches_both_ends_and_what_was_on_its_way_is_lost() {
    between_two(1, async |net| {
        let server = net.serve(async |_, mut stream| {
            assert_eq!(read_to_end(&mut stream).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        });
        let (network, one, other) = (net.world.network().clone(), net.client, net.server);
        net.ask(async move |_, mut stream| {
            write_all(&mut stream, b"on its way").await.unwrap();
            assert_eq!(network.reset_connections(one, other), 1);
            assert_eq!(network.reset_connections(one, other), 0);
            assert_eq!(round_trip(&mut stream).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        })
        .await;
        assert_eq!(net.world.exited(server).await, crate::Exit::Finished);
    });
}

#[test]
fn a_connection_that_one_side_gave_up_is_half_open_until_the_other_writes() {
    between_two(1, async |net| {
        let server = net.serve(async |_, mut stream| {
            assert_eq!(read_to_end(&mut stream).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        });
        let (network, one, other) = (net.world.network().clone(), net.client, net.server);
        let world = net.world.clone();
        net.ask(async move |_, mut stream| {
            sleep_true(millis(10)).await;
            assert_eq!(network.abandon_connections(other, one), 1);
            assert_eq!(network.abandon_connections(other, one), 0);
            world.exited(server).await;
            sleep_true(secs(100)).await;
            // Nobody has told this end: its write goes out, and only then it hears.
            write_all(&mut stream, b"?").await.unwrap();
            assert_eq!(read_some(&mut stream, 1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        })
        .await;
    });
}
