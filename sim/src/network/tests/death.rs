//! What the peer of a dead process or machine hears, and when.

use super::*;
use crate::network::LinkFault;
use crate::{SimStream, Survivors};

/// What came of a read: how many bytes, or which error, and when.
async fn heard(stream: &mut SimStream) -> (Result<usize, io::ErrorKind>, Duration) {
    let read = read_some(stream, 100).await;
    (read.map(|bytes| bytes.len()).map_err(|error| error.kind()), true_time())
}

#[test]
fn a_killed_process_ends_its_streams_after_the_latency() {
    between_two(1, async |net| {
        net.world.network().set_latency(net.server, net.client, millis(40)..=millis(40));
        let server = net.serve(async |_, _stream| std::future::pending().await);
        let (world, killed) = (net.world.clone(), secs(1));
        net.world
            .spawn(async move {
                sleep_true(killed).await;
                world.crash(server);
            })
            .detach();
        let (read, at) = net.ask(async |_, mut stream| heard(&mut stream).await).await;
        assert_eq!(read, Ok(0));
        assert!((killed + millis(40)..killed + millis(41)).contains(&at), "{at:?}");
    });
}

#[test]
fn what_a_killed_process_wrote_arrives_before_the_end() {
    between_two(1, async |net| {
        net.serve(async |process, mut stream| {
            write_all(&mut stream, &pattern(50_000)).await.unwrap();
            process.inner().world.crash(process.id());
            assert_eq!(write_all(&mut stream, b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            std::future::pending().await
        });
        let read = net.ask(async |_, mut stream| read_to_end(&mut stream).await.unwrap());
        assert_eq!(read.await, pattern(50_000));
    });
}

#[test]
fn a_process_killed_with_unread_bytes_resets_its_peer() {
    between_two(1, async |net| {
        let server = net.serve(async |_, _stream| std::future::pending().await);
        let world = net.world.clone();
        let (read, _) = net
            .ask(async move |_, mut stream| {
                write_all(&mut stream, b"unread").await.unwrap();
                sleep_true(millis(100)).await;
                world.crash(server);
                heard(&mut stream).await
            })
            .await;
        assert_eq!(read, Err(io::ErrorKind::ConnectionReset));
    });
}

#[test]
fn who_was_not_accepted_is_reset_and_who_comes_later_refused() {
    between_two(1, async |net| {
        let server = net.world.boot(net.server, "server", async |process| {
            let _listener = process.network().listen(80).unwrap();
            std::future::pending().await
        });
        let (world, address) = (net.world.clone(), net.address());
        let (read, again) = net
            .ask(async move |process, mut stream| {
                world.crash(server);
                let (read, _) = heard(&mut stream).await;
                (read, process.network().connect(address).await.map(drop).unwrap_err().kind())
            })
            .await;
        assert_eq!((read, again), (Err(io::ErrorKind::ConnectionReset), io::ErrorKind::ConnectionRefused));
    });
}

#[test]
fn a_death_behind_a_partition_is_not_heard_before_it_heals() {
    between_two(1, async |net| {
        let server = net.serve(async |_, _stream| std::future::pending().await);
        let asking = net.clone();
        let hearing = net.world.spawn(async move { asking.ask(async |_, mut stream| heard(&mut stream).await).await });
        sleep_true(secs(1)).await;
        let cut = net.world.network().begin(net.server, net.client, LinkFault::Cut);
        net.world.crash(server);
        sleep_true(secs(1_000)).await;
        assert!(!hearing.is_finished());
        let healed = true_time();
        assert_eq!(net.world.network().end(cut), 1);
        let (read, at) = hearing.await.unwrap();
        assert_eq!(read, Ok(0));
        assert!((healed + Duration::from_micros(200)..healed + millis(3)).contains(&at), "{at:?}");
    });
}

#[test]
fn a_power_loss_leaves_the_peer_half_open() {
    between_two(1, async |net| {
        net.serve(async |_, _stream| std::future::pending().await);
        let asking = net.clone();
        let hearing = net.world.spawn(async move { asking.ask(async |_, mut stream| heard(&mut stream).await).await });
        sleep_true(secs(1)).await;
        net.world.power_loss(net.server, Survivors::None);
        sleep_true(secs(500)).await;
        net.serve(async |_, _stream| std::future::pending().await);
        sleep_true(secs(500)).await;
        assert!(!hearing.is_finished());
    });
}

#[test]
fn a_write_to_a_machine_that_came_back_is_answered_by_a_reset() {
    for seed in 0..10 {
        between_two(seed, async |net| {
            net.serve(async |_, _stream| std::future::pending().await);
            let late = net.clone();
            let (before, (read, at)) = net
                .ask(async move |_, mut stream| {
                    sleep_true(secs(1)).await;
                    late.world.power_loss(late.server, Survivors::None);
                    write_all(&mut stream, b"late").await.unwrap();
                    let world = late.world.clone();
                    world
                        .spawn(async move {
                            sleep_true(secs(60)).await;
                            late.serve(async |_, _stream| std::future::pending().await);
                        })
                        .detach();
                    (true_time(), heard(&mut stream).await)
                })
                .await;
            assert_eq!(read, Err(io::ErrorKind::ConnectionReset));
            assert!((before + secs(60)..before + secs(61)).contains(&at), "{at:?}");
        });
    }
}

#[test]
fn a_connect_to_a_machine_without_power_waits_until_it_is_back_or_gives_up() {
    between_two(1, async |net| {
        net.world.power_loss(net.server, Survivors::None);
        let (error, at) = net.try_ask(async |_, stream| (stream.map(drop).unwrap_err().kind(), true_time())).await;
        assert_eq!(error, io::ErrorKind::TimedOut);
        assert!((secs(127)..secs(128)).contains(&at), "{at:?}");
        let back = net.clone();
        net.world
            .spawn(async move {
                sleep_true(secs(10)).await;
                back.serve(async |_, _stream| std::future::pending().await);
            })
            .detach();
        // Its new kernel may hear of the connect before the new process listens.
        let later = net.try_ask(async |_, stream| (stream.map(drop).map_err(|error| error.kind()), true_time())).await;
        assert!(matches!(later.0, Ok(()) | Err(io::ErrorKind::ConnectionRefused)), "{later:?}");
        assert!(later.1 >= at + secs(10), "{later:?}");
    });
}

#[test]
fn a_connect_whose_answer_was_lost_with_the_power_is_sent_again() {
    for seed in 0..20 {
        between_two(seed, async |net| {
            net.world.network().set_latency(net.server, net.client, millis(500)..=millis(500));
            net.serve(async |_, _stream| std::future::pending().await);
            let back = net.clone();
            net.world
                .spawn(async move {
                    // The connect has arrived, and its answer has not.
                    sleep_true(millis(100)).await;
                    back.world.power_loss(back.server, Survivors::None);
                    back.serve(async |_, mut stream| write_all(&mut stream, b"new").await.unwrap());
                })
                .detach();
            let (connected, at) =
                net.try_ask(async |_, stream| (stream.map(drop).map_err(|error| error.kind()), true_time())).await;
            assert!(matches!(connected, Ok(()) | Err(io::ErrorKind::ConnectionRefused)), "{connected:?}");
            assert!((millis(500)..millis(1_200)).contains(&at), "{at:?}");
        });
    }
}

#[test]
fn a_dead_process_hears_errors_and_its_destructors_do_nothing() {
    between_two(1, async |net| {
        let server = net.serve(async |_, mut stream| {
            assert_eq!(read_to_end(&mut stream).await.unwrap(), b"");
            std::future::pending().await
        });
        let kept = Arc::new(Mutex::new(None));
        let inside = kept.clone();
        let client = net.client(async move |_, stream| {
            *inside.lock().unwrap() = Some(stream);
            std::future::pending().await
        });
        sleep_true(secs(1)).await;
        net.world.crash(client);
        let mut stream = kept.lock().unwrap().take().unwrap();
        assert_eq!(read_some(&mut stream, 1).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(write_all(&mut stream, b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(shut_down(&mut stream).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let dead = net.world.process(client);
        assert_eq!(dead.network().listen(80).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let address = net.address();
        assert_eq!(dead.network().connect(address).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(stream);
        sleep_true(secs(1)).await;
        assert!(net.world.process(server).is_alive());
    });
}
