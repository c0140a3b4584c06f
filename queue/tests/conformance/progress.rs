//! How far a job has come, and names for what it does outside.

use crate::bench::{Bench, LEASE, MILLISECOND, claim, error, job, on_every_store};
use outlive::job::{JobId, Lease, Refusal};
use outlive::protocol::{Progress, ProgressView, Request};
use std::time::Duration;

fn checkpoint(number: u64, checkpoint: &str) -> Progress {
    Progress { number, parts_per_million: None, message: None, checkpoint: Some(checkpoint.into()) }
}

fn fraction(number: u64, parts: u32, message: &str) -> Progress {
    Progress { number, parts_per_million: Some(parts), message: Some(message.into()), checkpoint: None }
}

impl Bench {
    async fn report(&mut self, lease: Lease, progress: Progress) {
        self.done(Request::Progress { lease, progress }).await;
    }

    async fn progress(&mut self, job: JobId) -> Option<ProgressView> {
        self.look(job).await.progress
    }
}

#[test]
fn what_is_not_said_stays_as_it_was() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        assert_eq!(bench.progress(lease.job).await, None);
        bench.report(lease, fraction(1, 250_000, "page 1 of 4")).await;
        bench.report(lease, checkpoint(2, r#"{ "page": 2 }"#)).await;
        bench.reopen_after(|_| ()).await;
        let view = bench.progress(lease.job).await.expect("there is some");
        assert_eq!((view.attempt, view.number, view.parts_per_million), (1, 2, Some(250_000)));
        assert_eq!(view.message.as_deref(), Some("page 1 of 4"));
        assert_eq!(view.checkpoint.as_deref(), Some(r#"{"page":2}"#));
    });
}

#[test]
fn a_later_attempt_goes_on_and_an_overtaken_report_changes_nothing() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.report(first.lease, checkpoint(2, "2")).await;
        bench.report(first.lease, checkpoint(1, "1")).await;
        let kept = async |bench: &mut Bench| bench.progress(JobId(1)).await.expect("there is some").checkpoint;
        assert_eq!(kept(bench).await.as_deref(), Some("2"));
        bench.report(first.lease, checkpoint(2, "7")).await;
        bench.fail(first.lease, error("again")).await;
        bench.pass(Duration::from_secs(3_600)).await;
        let second = bench.claim_one().await;
        assert_eq!(kept(bench).await.as_deref(), Some("2"));
        bench.report(second.lease, checkpoint(1, "3")).await;
        assert_eq!(kept(bench).await.as_deref(), Some("3"), "its reports are counted anew");
    });
}

#[test]
fn whoever_has_no_lease_reports_nothing() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.pass(LEASE + MILLISECOND).await;
        let refusal = bench.refused(Request::Progress { lease: first.lease, progress: checkpoint(1, "1") }).await;
        assert!(matches!(refusal, Refusal::LeaseExpired { .. } | Refusal::AttemptEnded { .. }), "{refusal}");
        assert_eq!(bench.progress(JobId(1)).await, None);
    });
}

#[test]
fn a_report_says_what_is_wrong_with_it() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        for progress in [fraction(1, 1_000_001, "too much"), fraction(0, 1, "not counted"), checkpoint(1, "no JSON")] {
            let refusal = bench.refused(Request::Progress { lease, progress }).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        }
        assert_eq!(bench.progress(lease.job).await, None);
    });
}

#[test]
fn a_job_has_one_identity_in_all_its_attempts_and_no_other_job_has_it() {
    let mut files = Vec::new();
    for seed in [1, 2] {
        crate::bench::block_on(async {
            let mut bench = Bench::open(crate::bench::Kind::Turso, seed, outlive::Options::default()).await;
            let bench = &mut bench;
            let first = bench.started().await;
            bench.fail(first.lease, error("again")).await;
            bench.reopen_after(|clock| clock.pass(Duration::from_secs(3_600))).await;
            let second = bench.claim_one().await;
            assert_eq!(second.identity, first.identity);
            assert_eq!(second.identity.len(), 32);
            bench.enqueue(job("a")).await;
            let other = bench.claim(claim()).await.remove(0);
            assert_ne!(other.identity, first.identity);
            files.push((first.identity, other.identity));
        });
    }
    assert_ne!(files[0], files[1], "another file");
}
