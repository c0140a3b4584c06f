//! What handlers say is kept with their attempts.

use crate::bench::{Bench, LEASE, MILLISECOND, error, on_every_store};
use outlive::job::{JobId, Lease, Level, LogLine, Nonce, Refusal};
use outlive::limits;
use outlive::protocol::{AttemptView, LogView, Request};
use std::ops::RangeInclusive;
use std::time::Duration;

fn line(number: u64) -> LogLine {
    LogLine { after_ms: 10 * number, level: Level::Warn, text: format!("line {number}") }
}

fn lines(numbers: RangeInclusive<u64>) -> Vec<LogLine> {
    numbers.map(line).collect()
}

fn log(lease: Lease, numbers: RangeInclusive<u64>) -> Request {
    Request::Log { lease, first: *numbers.start(), lines: lines(numbers) }
}

fn kept(dropped: u64, numbers: RangeInclusive<u64>) -> LogView {
    LogView { dropped, lines: lines(numbers) }
}

impl Bench {
    async fn logs(&mut self, job: JobId) -> Vec<LogView> {
        self.look(job).await.history.into_iter().map(|AttemptView { log, .. }| log).collect()
    }
}

#[test]
fn what_is_said_is_kept_once_and_in_order_with_each_attempt() {
    on_every_store(async |bench| {
        let first = bench.started().await.lease;
        assert_eq!(bench.logs(first.job).await, [LogView::default()]);
        bench.done(log(first, 1..=2)).await;
        bench.done(log(first, 1..=4)).await;
        bench.done(log(first, 1..=2)).await;
        bench.fail(first, error("again")).await;
        bench.pass(Duration::from_secs(3_600)).await;
        let second = bench.claim_one().await.lease;
        bench.done(log(second, 1..=1)).await;
        bench.reopen_after(|_| ()).await;
        assert_eq!(bench.logs(first.job).await, [kept(0, 1..=4), kept(0, 1..=1)]);
    });
}

#[test]
fn the_last_lines_are_kept_and_the_others_counted() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let most = limits::LOG_LINES_MAX as u64;
        bench.done(log(lease, 1..=most)).await;
        bench.done(log(lease, most + 1..=most + 7)).await;
        assert_eq!(bench.logs(lease.job).await, [kept(7, 8..=most + 7)]);
        // Its worker had to drop some before it could say them.
        bench.done(log(lease, most + 10..=most + 10)).await;
        let [view] = &bench.logs(lease.job).await[..] else { panic!("one attempt") };
        assert_eq!((view.dropped, view.lines.last()), (10, Some(&line(most + 10))));
    });
}

#[test]
fn an_attempt_that_is_over_may_still_say_what_it_did() {
    on_every_store(async |bench| {
        let first = bench.started().await.lease;
        bench.done(log(first, 1..=1)).await;
        bench.pass(LEASE + MILLISECOND).await;
        bench.pass(Duration::from_secs(3_600)).await;
        let second = bench.claim_one().await.lease;
        // It has slept for longer than its lease: nothing else that it says is heard.
        let refusal = bench.refused(Request::Complete { lease: first, result: None }).await;
        assert!(matches!(refusal, Refusal::AttemptEnded { .. }), "{refusal}");
        bench.done(log(first, 1..=3)).await;
        bench.done(log(second, 1..=2)).await;
        assert_eq!(bench.logs(first.job).await, [kept(0, 1..=3), kept(0, 1..=2)]);
    });
}

#[test]
fn whoever_was_granted_nothing_says_nothing() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let forged = Lease { nonce: Nonce(lease.nonce.0 ^ 1), ..lease };
        let refusal = bench.refused(log(forged, 1..=1)).await;
        assert!(matches!(refusal, Refusal::StaleLease { .. }), "{refusal}");
        let refusal = bench.refused(log(Lease { job: JobId(7), ..lease }, 1..=1)).await;
        assert!(matches!(refusal, Refusal::UnknownJob { .. }), "{refusal}");
        assert_eq!(bench.logs(lease.job).await, [LogView::default()]);
    });
}

#[test]
fn long_lines_are_cut_and_push_out_others() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let long = LogLine { text: "x".repeat(1 << 20), ..line(1) };
        bench.done(Request::Log { lease, first: 1, lines: vec![long.clone(); 40] }).await;
        let [view] = &bench.logs(lease.job).await[..] else { panic!("one attempt") };
        assert_eq!(view.lines.len() as u64 + view.dropped, 40);
        assert!(view.lines.iter().all(|line| line.text.ends_with("x … (cut: it had 1048576 bytes)")));
        let bytes: usize = view.lines.iter().map(|line| line.text.len()).sum();
        assert!((limits::LOG_BYTES_MAX - limits::LOG_LINE_BYTES_MAX..=limits::LOG_BYTES_MAX).contains(&bytes));
    });
}

#[test]
fn a_report_of_lines_says_what_is_wrong_with_it() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let too_many = lines(1..=limits::LOG_LINES_MAX as u64 + 1);
        let mut said = String::new();
        for (first, lines) in [(0, lines(1..=1)), (u64::MAX, lines(1..=1)), (1, Vec::new()), (1, too_many)] {
            said += &format!("{}\n", bench.refused(Request::Log { lease, first, lines }).await);
        }
        insta::assert_snapshot!("a_report_of_lines_says_what_is_wrong_with_it", said);
        assert_eq!(bench.logs(lease.job).await, [LogView::default()]);
    });
}
