//! Workers on the real machine: what handlers may do, and what the queue knows of it afterwards.
//!
//! A broken promise shows as a test that never ends, or in the order of what happened: nothing here
//! measures time.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::job::{AttemptEnd, Backoff, How, JobId, Level, Limits, RequestId, State};
use outlive::protocol::{Call, Enqueue, FailureView, JobView, Reply, Request};
use outlive::{Context, Done, Error, Failure, Job, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Serialize, Deserialize)]
struct Double {
    number: u32,
}

impl Job for Double {
    const KIND: &'static str = "double";
    type Output = String;
}

/// Longer than any test runs.
const EVER: Duration = Duration::from_secs(3_600);
const SHORT_LEASE: Duration = Duration::from_millis(300);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A new queue whose jobs rest for a millisecond after a failure.
async fn queue() -> (TempDir, Outlive) {
    queue_with(Options::default()).await
}

async fn queue_with(options: Options) -> (TempDir, Outlive) {
    let directory = tempfile::tempdir().unwrap();
    let backoff = Backoff::Exponential { first: MILLISECOND, longest: MILLISECOND };
    let limits = Limits { backoff, crash_backoff: backoff, ..options.limits };
    let outlive = Outlive::open_with(directory.path().join("queue.db"), Options { limits, ..options }).await.unwrap();
    (directory, outlive)
}

async fn enqueue(outlive: &Outlive, number: u32) -> JobId {
    outlive.enqueue(Double { number }).await.unwrap().job
}

/// The job once it is in this state.
async fn until(outlive: &Outlive, job: JobId, state: State) -> JobView {
    loop {
        let view = outlive.look(job).await.unwrap();
        if view.state == state {
            return view;
        }
        assert!(!view.state.is_terminal(), "it will never be {state}: {view:?}");
        tokio::task::yield_now().await;
    }
}

/// The failures of a job, oldest first.
fn failures(view: &JobView) -> Vec<FailureView> {
    view.history.iter().filter_map(|attempt| attempt.failure.clone()).collect()
}

async fn double(_: Context, job: Double) -> Result<Done<String>, Failure> {
    Ok(Done::complete((2 * job.number).to_string()))
}

// How attempts end.

#[tokio::test]
async fn a_handler_completes_its_job_with_a_result() {
    let (_directory, outlive) = queue().await;
    let job = enqueue(&outlive, 21).await;
    let _worker = outlive.worker().name("w").handle(double).start().unwrap();
    let view = until(&outlive, job, State::Completed).await;
    assert_eq!(outlive.result::<String>(job).await.unwrap(), "42");
    let [attempt] = &view.history[..] else { panic!("{view:?}") };
    assert_eq!((attempt.worker.as_str(), attempt.ended.unwrap().1), ("w", AttemptEnd::Completed));
    assert!(attempt.started_at.is_some(), "its start was confirmed");
}

#[tokio::test]
async fn a_worker_waits_for_jobs_that_are_enqueued_later() {
    let (_directory, outlive) = queue().await;
    let _worker = outlive.worker().handle(double).start().unwrap();
    for number in 0..20 {
        let job = enqueue(&outlive, number).await;
        until(&outlive, job, State::Completed).await;
    }
}

#[tokio::test]
async fn a_handler_knows_its_attempt() {
    async fn tell(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let (job, queue, attempt) = (context.job(), context.queue(), context.attempt());
        let said = format!("job {job} from {queue}, attempt {attempt}, last: {}", context.is_last_attempt());
        assert!(!context.is_stopped());
        if attempt == 1 { Err(Failure::retry(said)) } else { Ok(Done::complete(said)) }
    }
    let (_directory, outlive) = queue().await;
    let job = outlive.enqueue(Double { number: 1 }).queue("q").max_attempts(2).await.unwrap().job;
    let _worker = outlive.worker().queues(["q"]).handle(tell).start().unwrap();
    let view = until(&outlive, job, State::Completed).await;
    assert_eq!(failures(&view)[0].message, "job 1 from q, attempt 1, last: false");
    assert_eq!(view.result.as_deref(), Some(r#""job 1 from q, attempt 2, last: true""#));
}

#[derive(Debug, thiserror::Error)]
#[error("could not read the number")]
struct Unreadable(#[source] std::num::ParseIntError);

#[tokio::test]
async fn an_error_by_the_question_mark_is_recorded_with_its_causes_and_retried() {
    async fn read(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let text = if context.attempt() == 1 { "x" } else { "7" };
        let number: u32 = text.parse().map_err(Unreadable)?;
        Ok(Done::complete(number.to_string()))
    }
    let (_directory, outlive) = queue().await;
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().handle(read).start().unwrap();
    let view = until(&outlive, job, State::Completed).await;
    assert_eq!((view.attempts, view.failures, view.result.as_deref()), (2, 1, Some(r#""7""#)));
    let [failure] = &failures(&view)[..] else { panic!("{view:?}") };
    assert_eq!((failure.how, failure.message.as_str()), (How::Error, "could not read the number"));
    assert_eq!(failure.causes, ["invalid digit found in string"]);
    assert!(failure.retryable);
}

#[tokio::test]
async fn a_failure_that_would_not_be_mended_discards_its_job() {
    async fn refuse(_: Context, _: Double) -> Result<Done<String>, Failure> {
        Err(Failure::discard("never"))
    }
    let (_directory, outlive) = queue().await;
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().handle(refuse).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    assert_eq!((view.attempts, view.failures), (1, 1));
}

#[tokio::test]
async fn a_panic_is_recorded_and_takes_nothing_with_it() {
    async fn panic(context: Context, job: Double) -> Result<Done<String>, Failure> {
        assert_eq!(context.attempt(), 2, "the number was {}", job.number);
        Ok(Done::complete(String::new()))
    }
    let (_directory, outlive) = queue().await;
    let job = enqueue(&outlive, 5).await;
    let _worker = outlive.worker().concurrency(1).handle(panic).start().unwrap();
    let view = until(&outlive, job, State::Completed).await;
    let [failure] = &failures(&view)[..] else { panic!("{view:?}") };
    assert_eq!(failure.how, How::Panic);
    assert!(failure.message.contains("the number was 5"), "{failure:?}");
    assert_eq!((view.failures, view.crashes), (1, 0));
}

#[tokio::test]
async fn a_payload_that_does_not_decode_is_recorded_and_discarded_in_the_end() {
    let (_directory, outlive) = queue().await;
    let enqueue = Enqueue { max_attempts: Some(2), ..Enqueue::new(Double::KIND, r#"{"number":"seven"}"#) };
    let call = Call { id: RequestId([1; 16]), request: Request::Enqueue(enqueue) };
    let Ok(Reply::Enqueued { job, .. }) = outlive.service().call(call).await else { panic!("not enqueued") };
    let _worker = outlive.worker().concurrency(1).handle(double).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    let failures = failures(&view);
    assert_eq!((view.attempts, view.failures, failures.len()), (2, 2, 2));
    for failure in failures {
        assert_eq!(failure.how, How::Undecodable);
        assert!(failure.message.contains("invalid type: string"), "{failure:?}");
    }
    // Its slot is free again.
    let next = self::enqueue(&outlive, 1).await;
    until(&outlive, next, State::Completed).await;
}

#[tokio::test]
async fn a_handler_may_snooze_and_spends_no_attempt() {
    async fn snooze(context: Context, _: Double) -> Result<Done<String>, Failure> {
        assert!(context.is_last_attempt());
        Ok(if context.attempt() < 3 { Done::snooze(MILLISECOND) } else { Done::complete("now".into()) })
    }
    let (_directory, outlive) = queue().await;
    let job = outlive.enqueue(Double { number: 0 }).max_attempts(1).await.unwrap().job;
    let _worker = outlive.worker().handle(snooze).start().unwrap();
    let view = until(&outlive, job, State::Completed).await;
    assert_eq!((view.attempts, view.snoozes, view.failures), (3, 2, 0));
}

#[tokio::test]
async fn a_result_beyond_its_limit_is_a_failure_that_says_so() {
    async fn chatter(_: Context, _: Double) -> Result<Done<String>, Failure> {
        Ok(Done::complete("x".repeat(100)))
    }
    let (_directory, outlive) = queue_with(Options { payload_bytes_max: 50, ..Options::default() }).await;
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().handle(chatter).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    insta::assert_snapshot!(failures(&view)[0].message, @"the attempt's end was refused: the result's size in bytes is 102, but the limit is 50; keep large data in a file or table of your own and pass its name, or raise `payload_bytes_max`");
}

#[tokio::test]
async fn handlers_share_the_workers_state() {
    async fn count(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let counter = context.state::<AtomicUsize>();
        Ok(Done::complete(counter.fetch_add(1, Ordering::SeqCst).to_string()))
    }
    let (_directory, outlive) = queue().await;
    let _worker = outlive.worker().state(AtomicUsize::new(0)).handle(count).start().unwrap();
    let mut results = Vec::new();
    for number in 0..3 {
        let job = enqueue(&outlive, number).await;
        results.push(until(&outlive, job, State::Completed).await.result.unwrap());
    }
    assert_eq!(results, [r#""0""#, r#""1""#, r#""2""#]);
}

#[tokio::test]
async fn no_more_handlers_run_at_once_than_allowed() {
    struct Running {
        now: AtomicUsize,
        most: AtomicUsize,
    }
    async fn count(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let running = context.state::<Running>();
        running.most.fetch_max(running.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        context.sleep(MILLISECOND).await;
        running.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Done::complete(running.most.load(Ordering::SeqCst).to_string()))
    }
    let (_directory, outlive) = queue().await;
    let mut jobs = Vec::new();
    for number in 0..30 {
        jobs.push(enqueue(&outlive, number).await);
    }
    let running = Running { now: AtomicUsize::new(0), most: AtomicUsize::new(0) };
    let _worker = outlive.worker().concurrency(3).state(running).handle(count).start().unwrap();
    for job in jobs {
        until(&outlive, job, State::Completed).await;
        let most: usize = outlive.result::<String>(job).await.unwrap().parse().unwrap();
        assert!((1..=3).contains(&most));
    }
}

#[tokio::test]
async fn a_worker_beyond_a_limit_is_refused() {
    let (_directory, outlive) = queue().await;
    let refused = [
        outlive.worker().start(),
        outlive.worker().handle(double).lease(MILLISECOND).start(),
        outlive.worker().handle(double).name("").start(),
        outlive.worker().handle(double).queues([""]).start(),
    ];
    for worker in refused {
        assert!(matches!(worker.map(drop), Err(Error::Refused(_))));
    }
}

#[tokio::test]
#[should_panic(expected = "the kind \"double\" has two handlers")]
async fn a_kind_has_one_handler() {
    let (_directory, outlive) = queue().await;
    drop(outlive.worker().handle(double).handle(double));
}

// Handlers that are stopped.

/// What a test and its handlers tell each other.
struct Stage {
    started: UnboundedSender<JobId>,
    ended: UnboundedSender<JobId>,
    /// Handlers that block wait for the other end to be dropped.
    go: Mutex<Receiver<()>>,
}

/// The test's side of a [`Stage`].
struct Watch {
    started: UnboundedReceiver<JobId>,
    ended: UnboundedReceiver<JobId>,
    go: Sender<()>,
}

fn stage() -> (Stage, Watch) {
    let ((started, starts), (ended, ends)) = (unbounded_channel(), unbounded_channel());
    let (go, going) = std::sync::mpsc::channel();
    (Stage { started, ended, go: Mutex::new(going) }, Watch { started: starts, ended: ends, go })
}

/// Tells the test when it is dropped.
struct Ended(Arc<Stage>, JobId);

impl Drop for Ended {
    fn drop(&mut self) {
        // A test that is over does not listen.
        _ = self.0.ended.send(self.1);
    }
}

/// Never returns.
async fn endless(context: Context, _: Double) -> Result<Done<String>, Failure> {
    let stage = context.state::<Stage>();
    let _ended = Ended(stage.clone(), context.job());
    stage.started.send(context.job())?;
    std::future::pending().await
}

/// Returns once the test lets it go, and blocks its thread until then.
fn blocking(context: Context, _: Double) -> Result<Done<String>, Failure> {
    let stage = context.state::<Stage>();
    stage.started.send(context.job())?;
    // One waits for the channel, the others for the lock: all of them block.
    _ = stage.go.lock().unwrap().recv();
    Ok(Done::complete("done".into()))
}

#[tokio::test]
async fn a_blocking_handler_runs_on_a_thread_that_it_may_block() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let mut jobs = Vec::new();
    for number in 0..8 {
        jobs.push(enqueue(&outlive, number).await);
    }
    let worker = outlive.worker().concurrency(8).state(stage).handle_blocking(blocking).start().unwrap();
    for _ in &jobs {
        watch.started.recv().await.unwrap();
    }
    drop(watch.go);
    worker.stop(EVER).await;
    for job in jobs {
        assert_eq!(outlive.look(job).await.unwrap().state, State::Completed);
    }
}

#[tokio::test]
async fn what_a_handler_says_is_known_while_it_runs_and_when_its_worker_is_gone() {
    async fn speak(context: Context, job: Double) -> Result<Done<String>, Failure> {
        context.log(Level::Info, "at work");
        endless(context, job).await
    }
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = enqueue(&outlive, 0).await;
    let worker = outlive.worker().state(stage).handle(speak).start().unwrap();
    watch.started.recv().await.unwrap();
    let said = loop {
        let view = outlive.look(job).await.unwrap();
        assert_eq!(view.state, State::Running);
        if let Some(line) = view.history[0].log.lines.first() {
            break line.clone();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((said.level, &*said.text), (Level::Info, "at work"));
    // As good as killing it.
    drop(worker);
    let view = outlive.look(job).await.unwrap();
    assert_eq!(view.history[0].log.lines, [said]);
}

#[tokio::test]
async fn what_a_blocking_handler_says_is_kept() {
    fn speak(context: Context, _: Double) -> Result<Done<String>, Failure> {
        for number in 1..=150 {
            context.log(Level::Debug, number.to_string());
        }
        Ok(Done::complete("done".into()))
    }
    let (_directory, outlive) = queue().await;
    let job = enqueue(&outlive, 0).await;
    let worker = outlive.worker().handle_blocking(speak).start().unwrap();
    until(&outlive, job, State::Completed).await;
    worker.stop(EVER).await;
    let log = outlive.look(job).await.unwrap().history.remove(0).log;
    assert_eq!((log.dropped, &*log.lines[0].text, log.lines.len()), (50, "51", 100));
}

#[tokio::test]
async fn a_stop_lets_handlers_finish_and_takes_no_more_jobs() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let running = enqueue(&outlive, 0).await;
    let worker = outlive.worker().concurrency(1).state(stage).handle_blocking(blocking).start().unwrap();
    watch.started.recv().await.unwrap();
    let waiting = enqueue(&outlive, 1).await;
    let go = watch.go;
    tokio::join!(worker.stop(EVER), async { drop(go) });
    assert_eq!(outlive.look(running).await.unwrap().state, State::Completed);
    let view = outlive.look(waiting).await.unwrap();
    assert_eq!((view.state, view.attempts), (State::Waiting, 0));
}

#[tokio::test]
async fn a_stop_gives_back_what_still_runs_and_no_attempt_is_spent() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = outlive.enqueue(Double { number: 0 }).max_attempts(1).await.unwrap().job;
    let worker = outlive.worker().state(stage).handle(endless).start().unwrap();
    assert_eq!(watch.started.recv().await, Some(job));
    worker.stop(Duration::ZERO).await;
    assert_eq!(watch.ended.recv().await, Some(job), "the handler was dropped");
    let view = outlive.look(job).await.unwrap();
    assert_eq!((view.state, view.releases, view.failures, view.crashes), (State::Waiting, 1, 0, 0));
    assert_eq!((failures(&view)[0].how, view.history[0].ended.unwrap().1), (How::Shutdown, AttemptEnd::Released));
    // It runs elsewhere at once.
    let _other = outlive.worker().handle(double).start().unwrap();
    until(&outlive, job, State::Completed).await;
}

#[tokio::test]
async fn a_stop_gives_back_the_job_of_a_blocking_handler_and_does_not_wait_for_that() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = enqueue(&outlive, 21).await;
    let worker = outlive.worker().state(stage).handle_blocking(blocking).start().unwrap();
    watch.started.recv().await.unwrap();
    worker.stop(Duration::ZERO).await;
    let view = outlive.look(job).await.unwrap();
    assert_eq!((view.state, view.releases, view.failures), (State::Waiting, 1, 0));
    let _other = outlive.worker().handle(double).start().unwrap();
    until(&outlive, job, State::Completed).await;
    // What the first handler returns now is nobody's business any more.
    drop(watch.go);
    assert_eq!(outlive.result::<String>(job).await.unwrap(), "42");
}

#[tokio::test]
async fn an_idle_worker_stops_at_once_although_its_claim_waits() {
    let (_directory, outlive) = queue().await;
    let worker = outlive.worker().handle(double).start().unwrap();
    let job = enqueue(&outlive, 1).await;
    until(&outlive, job, State::Completed).await;
    worker.stop(EVER).await;
    let job = enqueue(&outlive, 1).await;
    assert_eq!(outlive.look(job).await.unwrap().state, State::Waiting);
}

#[tokio::test]
async fn a_dropped_worker_says_nothing_and_its_leases_expire_by_themselves() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = enqueue(&outlive, 0).await;
    let worker = outlive.worker().lease(SHORT_LEASE).state(stage).handle(endless).start().unwrap();
    watch.started.recv().await.unwrap();
    drop(worker);
    assert_eq!(watch.ended.recv().await, Some(job), "the handler was dropped");
    let view = until(&outlive, job, State::Waiting).await;
    assert_eq!((view.crashes, view.failures, failures(&view)[0].how), (1, 0, How::Crash));
}

#[tokio::test]
async fn a_cancelled_jobs_handler_is_dropped() {
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().lease(SHORT_LEASE).state(stage).handle(endless).start().unwrap();
    watch.started.recv().await.unwrap();
    assert!(!outlive.cancel(job).await.unwrap(), "it runs");
    assert_eq!(watch.ended.recv().await, Some(job));
    let view = until(&outlive, job, State::Cancelled).await;
    assert_eq!((view.history[0].ended.unwrap().1, view.failures), (AttemptEnd::Cancelled, 0));
}

#[tokio::test]
async fn a_blocking_handler_can_see_that_it_is_to_stop() {
    fn attentive(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let stage = context.state::<Stage>();
        let _ended = Ended(stage.clone(), context.job());
        stage.started.send(context.job())?;
        while !context.is_stopped() {
            thread::yield_now();
        }
        Ok(Done::complete("too late".into()))
    }
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().lease(SHORT_LEASE).state(stage).handle_blocking(attentive).start().unwrap();
    watch.started.recv().await.unwrap();
    outlive.cancel(job).await.unwrap();
    assert_eq!(watch.ended.recv().await, Some(job));
    assert_eq!(until(&outlive, job, State::Cancelled).await.result, None);
}

// Leases and handlers that block.

/// As many handlers as there are threads for them, each of which blocks its own for three leases.
#[tokio::test]
async fn handlers_that_block_every_thread_for_three_leases_keep_their_jobs_and_the_queue_answers_meanwhile() {
    async fn rude(context: Context, job: Double) -> Result<Done<String>, Failure> {
        let done = blocking(context, job)?;
        thread::sleep(SHORT_LEASE * 3);
        Ok(done)
    }
    let (_directory, outlive) = queue().await;
    let (stage, mut watch) = stage();
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let mut jobs = Vec::new();
    for number in 0..threads {
        jobs.push(enqueue(&outlive, u32::try_from(number).unwrap()).await);
    }
    let worker = outlive.worker().lease(SHORT_LEASE).concurrency(threads).state(stage).handle(rude).start().unwrap();
    for _ in &jobs {
        watch.started.recv().await.unwrap();
    }
    // None of them goes on before this test lets it: these calls are answered while all of them block.
    let other = enqueue(&outlive, 0).await;
    assert!(outlive.cancel(other).await.unwrap());
    assert_eq!(outlive.look(jobs[0]).await.unwrap().state, State::Running);
    drop(watch.go);
    worker.stop(EVER).await;
    for job in jobs {
        let view = outlive.look(job).await.unwrap();
        assert_eq!((view.state, view.attempts, view.crashes, view.releases), (State::Completed, 1, 0, 0));
        assert_eq!(view.history.len(), 1);
    }
}

// Time-outs, and what a worker decides by itself.

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_dropped_and_has_failed() {
    struct Dropped(Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    async fn sleep(context: Context, _: Double) -> Result<Done<String>, Failure> {
        let _dropped = Dropped(context.state::<Mutex<Sender<()>>>().lock().unwrap().clone());
        context.sleep(EVER).await;
        Ok(Done::complete("never".into()))
    }
    let (_directory, outlive) = queue().await;
    outlive.policy(Double::KIND).timeout(Duration::from_millis(50)).max_attempts(2).await.unwrap();
    let job = enqueue(&outlive, 0).await;
    let (sender, dropped) = std::sync::mpsc::channel::<()>();
    let _worker = outlive.worker().state(Mutex::new(sender)).handle(sleep).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    let failures = failures(&view);
    assert_eq!((failures.len(), failures[0].how), (2, How::Timeout));
    assert_eq!(failures[0].message, "it took longer than 50ms");
    assert_eq!(dropped.try_iter().count(), 2);
}

#[tokio::test]
async fn a_blocking_attempt_that_takes_too_long_is_told_and_keeps_its_slot_until_it_returns() {
    struct Gate {
        told: Sender<bool>,
        go_on: Receiver<()>,
    }
    fn block(context: Context, job: Double) -> Result<Done<String>, Failure> {
        if job.number == 1 {
            return Ok(Done::complete("second".into()));
        }
        let gate = context.state::<Mutex<Gate>>();
        let gate = gate.lock().unwrap();
        while !context.is_stopped() {
            thread::yield_now();
        }
        gate.told.send(true).unwrap();
        gate.go_on.recv().unwrap();
        Ok(Done::complete("too late".into()))
    }
    let (_directory, outlive) = queue().await;
    outlive.policy(Double::KIND).timeout(Duration::from_millis(50)).max_attempts(1).await.unwrap();
    let slow = enqueue(&outlive, 0).await;
    let (told, is_told) = std::sync::mpsc::channel();
    let (let_go, go_on) = std::sync::mpsc::channel();
    let gate = Mutex::new(Gate { told, go_on });
    let _worker = outlive.worker().concurrency(1).state(gate).handle_blocking(block).start().unwrap();
    let view = until(&outlive, slow, State::Discarded).await;
    assert_eq!(
        failures(&view)[0].message,
        "it took longer than 50ms; it blocks a thread, and keeps a slot of its worker until it returns"
    );
    let next = enqueue(&outlive, 1).await;
    assert!(tokio::task::spawn_blocking(move || is_told.recv().unwrap()).await.unwrap());
    // The only slot is taken still.
    for _ in 0..100 {
        assert_eq!(outlive.look(next).await.unwrap().state, State::Waiting);
    }
    let_go.send(()).unwrap();
    until(&outlive, next, State::Completed).await;
    // What it returned is refused.
    assert_eq!(outlive.look(slow).await.unwrap().result, None);
}

#[tokio::test]
async fn a_worker_may_decide_by_itself_what_follows_a_failure() {
    async fn fail(context: Context, job: Double) -> Result<Done<String>, Failure> {
        if job.number == 0 && context.attempt() == 2 {
            panic!("boom");
        }
        Err(Failure::retry("no"))
    }
    let (_directory, outlive) = queue().await;
    let (told, mut failed) = unbounded_channel();
    let judge = move |it: &outlive::Failed, failure: Failure| {
        told.send((it.how, it.failures, failure.message().to_owned())).unwrap();
        if it.failures == 1 { failure.after(MILLISECOND) } else { failure.for_good() }
    };
    let job = enqueue(&outlive, 0).await;
    let _worker = outlive.worker().on_failure::<Double>(judge).handle(fail).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    assert_eq!(failures(&view).iter().map(|it| it.retryable).collect::<Vec<_>>(), [true, false]);
    assert_eq!(failed.recv().await.unwrap(), (How::Error, 1, "no".into()));
    assert_eq!(failed.recv().await.unwrap(), (How::Panic, 2, "boom".into()));
}

#[tokio::test]
async fn a_decision_that_panics_is_left_to_the_policy_and_said() {
    async fn fail(_: Context, _: Double) -> Result<Done<String>, Failure> {
        Err(Failure::retry("no"))
    }
    let (_directory, outlive) = queue().await;
    let job = outlive.enqueue(Double { number: 0 }).max_attempts(2).await.unwrap().job;
    let judge = |_: &outlive::Failed, _: Failure| -> Failure { panic!("I have no idea") };
    let _worker = outlive.worker().on_failure::<Double>(judge).handle(fail).start().unwrap();
    let view = until(&outlive, job, State::Discarded).await;
    let failures = failures(&view);
    assert_eq!((failures.len(), failures[0].message.as_str()), (2, "no"));
    assert!(failures[0].causes[0].ends_with("I have no idea"), "{:?}", failures[0].causes);
}
