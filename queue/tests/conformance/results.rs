//! Waiting for the end of a job.

use crate::bench::{Bench, answered, error, job, on_every_store};
use outlive::job::explain::Doing;
use outlive::job::{JobId, Refusal, State};
use outlive::protocol::{Answering, CallError, Reply, Reported, Request};
use outlive::{Error, limits};
use std::time::Duration;

fn wait_for(job: JobId, wait_ms: u64) -> Request {
    Request::Await { job, wait_ms }
}

/// The result, and how the job ended.
fn ended(answer: Option<Result<Reply, CallError>>) -> (Option<String>, State) {
    match answer {
        Some(Ok(Reply::Awaited { result, explanation })) => match explanation.doing {
            Doing::Finished { outcome, .. } => (result, outcome),
            doing => panic!("it has not ended: {doing:?}"),
        },
        other => panic!("no end: {other:?}"),
    }
}

impl Bench {
    async fn heard(&mut self, answering: &mut Answering) -> Option<Result<Reply, CallError>> {
        self.engine_looks().await;
        answered(answering)
    }
}

#[test]
fn whoever_waits_hears_of_the_end_and_not_before() {
    on_every_store(async |bench| {
        let running = bench.started().await;
        let mut waits = bench.send(wait_for(JobId(1), 60_000));
        let mut waits_too = bench.send(wait_for(JobId(1), 30_000));
        assert!(bench.heard(&mut waits).await.is_none());
        bench.done(Request::Complete { lease: running.lease, result: Some("[7]".into()) }).await;
        assert_eq!(ended(bench.heard(&mut waits).await), (Some("[7]".into()), State::Completed));
        assert_eq!(ended(bench.heard(&mut waits_too).await), (Some("[7]".into()), State::Completed));
        let mut later = bench.send(wait_for(JobId(1), 60_000));
        assert_eq!(ended(bench.heard(&mut later).await), (Some("[7]".into()), State::Completed), "long ended");
    });
}

#[test]
fn a_question_that_arrives_with_the_end_hears_of_it() {
    on_every_store(async |bench| {
        let running = bench.started().await;
        let mut before = bench.send(wait_for(JobId(1), 60_000));
        let mut end = bench.send(Request::Complete { lease: running.lease, result: None });
        let mut after = bench.send(wait_for(JobId(1), 60_000));
        assert_eq!(bench.heard(&mut end).await, Some(Ok(Reply::Done)));
        for question in [&mut before, &mut after] {
            assert_eq!(ended(bench.heard(question).await), (None, State::Completed));
        }
    });
}

#[test]
fn every_way_to_end_is_heard_of() {
    on_every_store(async |bench| {
        let (discarded, cancelled) = (bench.started().await, bench.enqueue(job("b")).await);
        let mut waits = bench.send(wait_for(discarded.lease.job, 60_000));
        let mut waits_too = bench.send(wait_for(cancelled, 60_000));
        bench.fail(discarded.lease, Reported { retryable: false, ..error("never") }).await;
        assert_eq!(ended(bench.heard(&mut waits).await), (None, State::Discarded));
        bench.cancel(cancelled).await;
        assert_eq!(ended(bench.heard(&mut waits_too).await), (None, State::Cancelled));
    });
}

#[test]
fn time_ends_a_wait_with_what_the_job_is_doing() {
    on_every_store(async |bench| {
        let running = bench.started().await;
        let mut waits = bench.send(wait_for(running.lease.job, 5_000));
        bench.engine_looks().await;
        bench.pass(Duration::from_millis(4_999)).await;
        assert!(bench.heard(&mut waits).await.is_none());
        bench.pass(Duration::from_millis(1)).await;
        let heard = bench.heard(&mut waits).await;
        let Some(Ok(Reply::Awaited { result: None, explanation })) = heard else { panic!("{heard:?}") };
        assert!(matches!(explanation.doing, Doing::Running { .. }), "{explanation}");
        let Ok(Reply::Awaited { explanation, .. }) = bench.call(wait_for(running.lease.job, 0)).await else { panic!() };
        assert!(matches!(explanation.doing, Doing::Running { .. }), "{explanation}");
    });
}

#[test]
fn a_wait_says_what_is_wrong_with_it() {
    on_every_store(async |bench| {
        assert_eq!(bench.refused(wait_for(JobId(9), 5)).await, Refusal::UnknownJob { job: JobId(9) });
        let job = bench.enqueue(job("a")).await;
        let longest = u64::try_from(limits::AWAIT_MAX.as_millis()).unwrap();
        let refusal = bench.refused(wait_for(job, longest + 1)).await;
        assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        let waiting: Vec<Answering> = (0..limits::AWAITS_MAX).map(|_| bench.send(wait_for(job, 1_000))).collect();
        bench.engine_looks().await;
        let refusal = bench.refused(wait_for(job, 1)).await;
        assert!(matches!(&refusal, Refusal::Limit { value, .. } if *value == waiting.len().to_string()), "{refusal}");
        drop(waiting);
        let mut again = bench.send(wait_for(job, 1));
        assert!(bench.heard(&mut again).await.is_none(), "those who have gone leave room");
    });
}

#[test]
fn a_handle_waits_for_the_result() {
    on_every_store(async |bench| {
        let running = bench.started().await;
        let outlive = bench.outlive();
        let short = outlive.result::<u8>(JobId(1)).within(Duration::ZERO).await;
        assert!(matches!(short, Err(Error::NotEnded { job: JobId(1), .. })), "{short:?}");
        bench.done(Request::Complete { lease: running.lease, result: Some("7".into()) }).await;
        assert_eq!(outlive.result::<u8>(JobId(1)).await.unwrap(), 7);
        let other = outlive.result::<String>(JobId(1)).await;
        assert!(matches!(other, Err(Error::Decode { .. })), "{other:?}");
        let job = bench.enqueue(job("b")).await;
        bench.cancel(job).await;
        let cancelled = outlive.result::<u8>(job).await.unwrap_err();
        assert!(matches!(cancelled, Error::NotCompleted { .. }), "{cancelled:?}");
        assert!(cancelled.to_string().starts_with("job 2 has no result. Job 2 (b) was cancelled at"), "{cancelled}");
    });
}
