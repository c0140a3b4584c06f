//! What is beyond a limit is refused, and the refusal names the limit and a way out.

use crate::bench::{Bench, Kind, block_on, claim, error, job, on_every_store, on_every_store_with};
use crate::host::HandHost;
use outlive::job::{How, JobId, Lease, Limits, Nonce, Refusal, Token};
use outlive::protocol::{Claim, Enqueue, Reported, Request, When};
use outlive::store::memory::Memory;
use outlive::{Local, Options, limits};
use std::fmt::Write;

const NOBODYS: Lease = Lease { job: JobId(1), token: Token(1), nonce: Nonce(1) };

/// Refuses each of these on every store, and compares what is said with the snapshot `name`.
#[track_caller]
fn check(name: &str, options: Options, requests: Vec<(&str, Request)>) {
    on_every_store_with(options, async |bench| {
        let mut said = String::new();
        for (what, request) in &requests {
            let refusal = bench.refused(request.clone()).await;
            writeln!(said, "{what}: {refusal}").unwrap();
        }
        insta::assert_snapshot!(name, said);
    });
}

#[test]
fn an_enqueue_beyond_a_limit_is_refused() {
    let long = "x".repeat(limits::NAME_BYTES_MAX + 1);
    let wrong = |what, enqueue| (what, Request::Enqueue(enqueue));
    let large = format!("{:?}", "x".repeat(99));
    let too_late = u64::try_from(limits::DELAY_MAX.as_millis()).unwrap() + 1;
    let requests = vec![
        wrong("no kind", job("")),
        wrong("long kind", job(&long)),
        wrong("unreadable kind", job("a\nb")),
        wrong("no queue", Enqueue { queue: String::new(), ..job("a") }),
        wrong("long queue", Enqueue { queue: long.clone(), ..job("a") }),
        wrong("high priority", Enqueue { priority: 101, ..job("a") }),
        wrong("low priority", Enqueue { priority: -101, ..job("a") }),
        wrong("no attempts", Enqueue { max_attempts: Some(0), ..job("a") }),
        wrong("many attempts", Enqueue { max_attempts: Some(1_001), ..job("a") }),
        wrong("empty key", Enqueue { key: Some("".into()), ..job("a") }),
        wrong("long key", Enqueue { key: Some("k".repeat(513).into()), ..job("a") }),
        wrong("no JSON", Enqueue { payload: "{".into(), ..job("a") }),
        wrong("large payload", Enqueue { payload: large, ..job("a") }),
        wrong("huge payload", Enqueue { payload: " ".repeat(601), ..job("a") }),
        wrong("long delay", Enqueue { when: When::After(too_late), ..job("a") }),
    ];
    check("enqueue_beyond_a_limit", Options { payload_bytes_max: 100, ..Options::default() }, requests);
}

#[test]
fn a_claim_beyond_a_limit_is_refused() {
    let wrong = |what, claim| (what, Request::Claim(claim));
    let many = || vec!["a".to_owned(); limits::CLAIM_NAMES_MAX + 1];
    let requests = vec![
        wrong("no worker", Claim { worker: String::new(), ..claim() }),
        wrong("no kinds", Claim { kinds: vec![], ..claim() }),
        wrong("many kinds", Claim { kinds: many(), ..claim() }),
        wrong("no queues", Claim { queues: vec![], ..claim() }),
        wrong("many queues", Claim { queues: many(), ..claim() }),
        wrong("an unreadable queue", Claim { queues: vec!["\u{7}".into()], ..claim() }),
        wrong("no jobs", Claim { most: 0, ..claim() }),
        wrong("many jobs", Claim { most: 1_001, ..claim() }),
        wrong("short lease", Claim { lease_ms: 99, ..claim() }),
        wrong("long lease", Claim { lease_ms: 86_400_001, ..claim() }),
        wrong("long wait", Claim { wait_ms: 300_001, ..claim() }),
    ];
    check("claim_beyond_a_limit", Options::default(), requests);
}

#[test]
fn an_attempts_end_beyond_a_limit_is_refused_before_its_lease_is_looked_at() {
    let too_long = u64::try_from(limits::DELAY_MAX.as_millis()).unwrap() + 1;
    let fail = |what, failure| (what, Request::Fail { lease: NOBODYS, failure });
    let mut requests = vec![
        ("large result", Request::Complete { lease: NOBODYS, result: Some(format!("{:?}", "x".repeat(99))) }),
        ("result that is no JSON", Request::Complete { lease: NOBODYS, result: Some("nan".into()) }),
        ("long snooze", Request::Snooze { lease: NOBODYS, delay_ms: too_long }),
        (
            "long rest",
            Request::Fail { lease: NOBODYS, failure: Reported { retry_after_ms: Some(too_long), ..error("") } },
        ),
        ("many leases", Request::Heartbeat { leases: vec![NOBODYS; limits::HEARTBEAT_LEASES_MAX + 1] }),
    ];
    for how in [How::Crash, How::LeaseExpired, How::Shutdown, How::Cancelled] {
        requests.push(fail(how.as_str(), Reported { how, ..error("") }));
    }
    check("end_beyond_a_limit", Options { payload_bytes_max: 100, ..Options::default() }, requests);
}

#[test]
fn a_payload_at_its_limit_is_kept_whole() {
    on_every_store_with(Options { payload_bytes_max: 100, ..Options::default() }, async |bench| {
        let payload = format!("{:?}", "x".repeat(98));
        // Space does not count: it is not kept.
        let spelled = format!("{payload}{}", " ".repeat(400));
        let id = bench.enqueue(Enqueue { payload: spelled, ..job("a") }).await;
        assert_eq!(bench.look(id).await.payload, payload);
    });
}

#[test]
fn a_large_payload_is_kept_whole() {
    on_every_store(async |bench| {
        let payload = format!("{:?}", "é".repeat((limits::PAYLOAD_BYTES_DEFAULT - 2) / 2));
        assert_eq!(payload.len(), limits::PAYLOAD_BYTES_DEFAULT);
        let id = bench.enqueue(Enqueue { payload: payload.clone(), ..job("a") }).await;
        assert!(bench.look(id).await.payload == payload);
    });
}

#[test]
fn a_long_message_is_cut_and_says_so() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let long = "é".repeat(limits::MESSAGE_BYTES_MAX);
        let causes = vec![long.clone(); limits::CAUSES_MAX + 1];
        bench.fail(lease, Reported { causes, ..error(&long) }).await;
        let failure = bench.look(lease.job).await.history[0].failure.clone().unwrap();
        assert_eq!(failure.causes.len(), limits::CAUSES_MAX);
        for text in failure.causes.iter().chain([&failure.message]) {
            let (kept, note) = text.split_at(limits::MESSAGE_BYTES_MAX);
            assert!(long.starts_with(kept));
            assert_eq!(note, " … (cut: it had 16384 bytes)");
        }
    });
}

#[test]
fn nothing_is_enqueued_into_the_reserve_and_what_is_there_can_still_be_finished() {
    // On the file alone: memory has no disk to fill.
    block_on(async {
        let mut bench = Bench::open(Kind::Turso, 1, Options::default()).await;
        bench.enqueue(job("a")).await;
        bench.reopen_with(Options { reserve_bytes: u64::MAX, ..Options::default() }).await;
        let refusal = bench.refused(Request::Enqueue(job("a"))).await;
        assert!(matches!(refusal, Refusal::StorageFull { reserve_bytes: u64::MAX, .. }), "{refusal}");
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
    });
}

#[test]
fn options_beyond_their_limits_are_refused() {
    let wrong = [
        Options { payload_bytes_max: limits::PAYLOAD_BYTES_MAX + 1, ..Options::default() },
        Options { checkpoint_frames: 3, ..Options::default() },
        Options { ageing: Some(std::time::Duration::from_millis(999)), ..Options::default() },
        Options { page_bytes: 1_000, ..Options::default() },
        Options { page_bytes: 131_072, ..Options::default() },
        Options { limits: Limits { crashes_max: 0, ..Limits::default() }, ..Options::default() },
    ];
    let mut said = String::new();
    for options in wrong {
        let host = HandHost::new(1);
        let refused = block_on(Local::open(host, Memory::default(), options)).unwrap_err();
        writeln!(said, "{refused}").unwrap();
    }
    insta::assert_snapshot!("options_beyond_a_limit", said);
}
