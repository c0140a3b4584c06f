//! One attempt, from its grant to its end.

use super::context::{Context, Sleep};
use super::handler::{Execution, Handler, Outcome};
use super::log::Log;
use super::outcome::{Done, Failed, Failure};
use super::steps::Steps;
use super::watched::Watched;
use super::{Phase, Shared};
use crate::engine::{First, both, catch_panic, first_of};
use crate::error::Error;
use crate::host::{Clock, Host, Role, Task};
use crate::job::{How, Lease, milliseconds};
use crate::limits;
use crate::protocol::{CallError, Granted, On, Reported, Request};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A lease that this worker holds.
pub(crate) struct Held {
    pub lease: Lease,
    pub log: Arc<Log>,
    standing: Arc<Watched<Standing>>,
}

/// What is known of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The host's time from which on it is not trusted.
    pub trusted_until: Duration,
    /// Somebody asked for the job to stop.
    pub cancel: bool,
    /// The store said that it does not hold.
    pub lost: bool,
    /// The attempt has ended because its job waits for something.
    pub suspended: bool,
    /// Its handler was told to stop, and that what it results in is not stored.
    pub told: bool,
}

impl Standing {
    /// Whether the handler is to stop.
    pub fn is_stopped(self) -> bool {
        self.cancel || self.lost || self.suspended
    }
}

/// Why an attempt is over.
enum Verdict {
    /// Its handler has returned, or panicked.
    Returned(Result<Outcome, String>),
    /// Its payload does not decode.
    Undecodable(String),
    /// It has taken longer than it may: this long. Its handler may block a thread.
    TimedOut(Duration),
    /// Its lease can't be trusted any more: nothing may be said of it.
    Lost,
    /// It has ended already: its job waits for something.
    Suspended,
    /// Somebody asked for the job to stop.
    Cancelled,
    /// The worker stops.
    Released,
    /// Its start was confirmed when its lease could not be trusted any more: it never began.
    Late,
}

/// What the handler has come to: a panic is what it said.
type Returned = Result<Outcome, String>;

const PAUSE: Duration = Duration::from_millis(100);
/// How long the queue is told at least of what was said last.
const LAST_LINES: Duration = Duration::from_secs(2);

impl Held {
    /// The store renewed the lease, as asked for in time for it to be trusted until then.
    pub fn renewed(&self, trusted_until: Duration, cancel: bool) {
        self.standing.update(|standing| {
            standing.trusted_until = standing.trusted_until.max(trusted_until);
            standing.cancel |= cancel;
        });
    }

    /// The store said that the lease does not hold.
    pub fn lost(&self) {
        self.standing.update(|standing| standing.lost = true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody renews the lease any more: a handler that can't be dropped should know.
        self.lost();
    }
}

/// Runs one attempt. `slot` is free again at its end, or when a blocking handler returns.
pub async fn run<H: Host>(shared: &Shared<H>, granted: Granted, slot: OwnedSemaphorePermit) {
    let lease = granted.lease;
    let sent = shared.host.clock().boot();
    let trusted_until = shared.trusted_until(sent);
    if !is_started(shared, lease, trusted_until).await {
        return;
    }
    let standing = Standing { trusted_until, cancel: false, lost: false, suspended: false, told: false };
    let log = Arc::new(Log::new(shared, lease));
    let held = Arc::new(Held { lease, log, standing: Arc::new(Watched::new(standing)) });
    shared.hold(held.clone());
    // The answer may have been long on its way, and somebody else may have the job by now.
    let verdict = if trusted_until <= shared.host.clock().boot() {
        Verdict::Late
    } else {
        match begin(shared, &granted, &held, slot) {
            Ok((returned, handler)) => {
                let timeout = granted.timeout_ms.map(Duration::from_millis);
                let verdict = wait(shared, &held, returned, timeout).await;
                // Before anybody else may hear that the job is free.
                drop(handler);
                verdict
            }
            Err(error) => Verdict::Undecodable(error.to_string()),
        }
    };
    let blocks = shared.handlers[granted.kind.as_str()].blocks();
    let report = report(lease, verdict, blocks, |how, failure| judge(shared, &granted, how, failure));
    let (log, clock) = (held.log.clone(), shared.host.clock());
    // For as long as the end is reported at the most: it is of less worth.
    let until = held.standing.get().trusted_until.max(clock.boot() + LAST_LINES);
    let reported = async {
        if let Some(report) = report {
            send(shared, &held, report).await;
        }
        shared.let_go(lease.token);
        // Whoever still asks for its standing should know.
        held.lost();
    };
    // At the same time, so that one commit may do for both.
    both(log.tell_at_last(clock, until), reported).await;
    // What was said when the handler was dropped.
    log.tell_at_last(clock, until).await;
}

/// Confirms the start. Refused, or nobody knows: then it is not ours to run, and the lease expires by
/// itself. A start that is confirmed later than that is of no use.
async fn is_started<H: Host>(shared: &Shared<H>, lease: Lease, trusted_until: Duration) -> bool {
    loop {
        match shared.caller.call_until(trusted_until, Request::Start { lease }).await {
            Ok(_) => return true,
            // The server may be starting again, and whoever turns it away may be told better.
            Err(Error::Unavailable { .. } | Error::Rejected { .. })
                if shared.host.clock().boot() + PAUSE < trusted_until =>
            {
                shared.host.clock().sleep(PAUSE).await;
            }
            Err(_) => return false,
        }
    }
}

/// Starts the handler, if the payload decodes.
fn begin<H: Host>(
    shared: &Shared<H>,
    granted: &Granted,
    held: &Held,
    slot: OwnedSemaphorePermit,
) -> Result<(oneshot::Receiver<Returned>, Option<Task>), serde_json::Error> {
    let handler = &shared.handlers[granted.kind.as_str()];
    // A handler that blocks its thread keeps its slot until it returns, and middleware may not wait for that.
    let slot = Arc::new(slot);
    let prepare = || handler.prepare(context(shared, granted, held, &**handler), &granted.payload);
    #[cfg(feature = "tower")]
    let prepare = || prepare().map(|execution| super::middleware::around(shared, granted, execution, &slot));
    #[cfg(feature = "tracing")]
    let prepare = || super::layer::in_span(granted, &held.log, prepare);
    let execution = prepare()?;
    let (sender, returned) = oneshot::channel();
    let task = match execution {
        Execution::Async(work) => Some(shared.host.spawn(Role::Handler, "outlive-handler", async move {
            let outcome = catch_panic(work).await;
            drop(slot);
            // Nobody waits for it if the lease was lost.
            drop(sender.send(outcome));
        })),
        Execution::Blocking(work) => {
            shared.host.spawn_blocking("outlive-handler", move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                drop(slot);
                drop(sender.send(outcome.map_err(|panic| crate::engine::panic_message(&*panic))));
            });
            None
        }
    };
    Ok((returned, task))
}

fn context<H: Host>(shared: &Shared<H>, granted: &Granted, held: &Held, handler: &dyn Handler) -> Context {
    let (clock, wall) = (shared.host.clock().clone(), shared.host.clock().clone());
    Context {
        job: granted.lease.job,
        attempt: granted.attempt,
        failures: granted.failures,
        max_attempts: granted.max_attempts,
        queue: granted.queue.as_str().into(),
        identity: granted.identity.as_str().into(),
        slot: granted.slot.clone().map(Arc::new),
        trace_parent: granted.trace_parent,
        state: shared.state.clone(),
        caller: shared.caller.clone(),
        lease: held.lease,
        steps: Arc::new(Steps::new(shared.caller.clone(), held.lease, granted.attempt)),
        log: held.log.clone(),
        standing: held.standing.clone(),
        blocks: handler.blocks(),
        sleep: Arc::new(move |duration| -> Sleep { Box::pin(clock.sleep(duration)) }),
        wall: Arc::new(move || wall.wall()),
    }
}

/// Waits for the handler, for as long as it may take, the lease is trusted, and nobody wants it to stop.
async fn wait<H: Host>(
    shared: &Shared<H>,
    held: &Held,
    mut returned: oneshot::Receiver<Returned>,
    timeout: Option<Duration>,
) -> Verdict {
    let begun = shared.host.clock().boot();
    loop {
        let standing = held.standing.get();
        let Standing { trusted_until, cancel, lost, suspended, told: _ } = standing;
        let now = shared.host.clock().boot();
        if suspended {
            return Verdict::Suspended;
        }
        if lost || trusted_until <= now {
            return Verdict::Lost;
        }
        if cancel {
            return Verdict::Cancelled;
        }
        let rest = timeout.map(|timeout| (begun + timeout).saturating_sub(now));
        if let (Some(timeout), Some(Duration::ZERO)) = (timeout, rest) {
            return Verdict::TimedOut(timeout);
        }
        let releasing = shared.reaches(Phase::Releasing);
        let changed = held.standing.until(|now| now != standing);
        let trusted = trusted_until - now;
        let distrust = shared.host.clock().sleep(rest.map_or(trusted, |rest| rest.min(trusted)));
        let interrupted = first_of(releasing, first_of(changed, distrust));
        match first_of(&mut returned, interrupted).await {
            // What it was told is above, and the word holds.
            First::Left(_) if held.standing.get().told => {}
            First::Left(Ok(outcome)) => return Verdict::Returned(outcome),
            First::Left(Err(_)) => return Verdict::Returned(Err("the handler was stopped from outside".into())),
            First::Right(First::Left(())) => return Verdict::Released,
            First::Right(First::Right(_)) => {}
        }
    }
}

/// What the worker's own policy for the kind makes of a failure.
fn judge<H: Host>(shared: &Shared<H>, granted: &Granted, how: How, failure: Failure) -> Failure {
    let Some(judge) = shared.judges.get(granted.kind.as_str()) else { return failure };
    let (attempt, max_attempts) = (granted.attempt, granted.max_attempts);
    let failed = Failed { how, attempt, failures: granted.failures + 1, max_attempts };
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&failed, failure.clone())));
    judged.unwrap_or_else(|panic| {
        let panic = crate::engine::panic_message(&*panic);
        let mut failure = failure;
        failure.causes.push(format!("what was to decide on it panicked, so the policy of its kind did: {panic}"));
        failure
    })
}

/// What is to be said of the attempt.
fn report(lease: Lease, verdict: Verdict, blocks: bool, judge: impl Fn(How, Failure) -> Failure) -> Option<Request> {
    let fail = |how, failure: Failure| {
        let Failure { message, causes, retryable, retry_after } = judge(how, failure);
        let retry_after_ms = retry_after.map(|delay| milliseconds(delay.min(limits::DELAY_MAX)).cast_unsigned());
        Request::Fail { lease, failure: Reported { how, message, causes, retryable, retry_after_ms } }
    };
    Some(match verdict {
        Verdict::Lost | Verdict::Suspended => return None,
        // Its transaction has said it.
        Verdict::Returned(Ok(Ok(Done::Committed(_)))) => return None,
        Verdict::Returned(Ok(Ok(Done::Complete(result)))) => Request::Complete { lease, result: Some(result) },
        Verdict::Returned(Ok(Ok(Done::Snooze(delay)))) => {
            Request::Snooze { lease, delay_ms: milliseconds(delay).cast_unsigned() }
        }
        Verdict::Returned(Ok(Ok(Done::LookAgain { after, what }))) => {
            let again_ms = milliseconds(after).cast_unsigned();
            Request::Wait { lease, on: On::Condition { what, again_ms } }
        }
        Verdict::Returned(Ok(Ok(Done::ServiceDown { why, probe }))) => {
            let why = if why.trim().is_empty() { "its handler did not say why".into() } else { why };
            let probe_ms = milliseconds(probe.clamp(limits::PROBE_MIN, limits::PROBE_MAX)).cast_unsigned();
            Request::Wait { lease, on: On::Service { why, probe_ms } }
        }
        Verdict::Returned(Ok(Err(failure))) => fail(How::Error, failure),
        Verdict::Returned(Err(panic)) => fail(How::Panic, Failure::retry(panic)),
        Verdict::TimedOut(timeout) => {
            let timeout = humantime::format_duration(timeout);
            let rest =
                if blocks { "; it blocks a thread, and keeps a slot of its worker until it returns" } else { "" };
            fail(How::Timeout, Failure::retry(format!("it took longer than {timeout}{rest}")))
        }
        Verdict::Undecodable(error) => fail(How::Undecodable, Failure::retry(error)),
        Verdict::Cancelled => Request::Obey { lease },
        Verdict::Released => Request::Release { lease, why: "its worker was stopped".into() },
        Verdict::Late => Request::Release { lease, why: "its start was confirmed too late to run it".into() },
    })
}

/// Says it, again and again under one name while its outcome is unknown, for as long as the lease is trusted.
async fn send<H: Host>(shared: &Shared<H>, held: &Held, report: Request) {
    let mut id = shared.caller.request_id();
    let mut report = report;
    loop {
        match shared.caller.once(id, &report).await {
            Ok(_) => return,
            // A result beyond the limit is the handler's failure, and must not be lost in silence.
            Err(CallError::Refused(refusal @ crate::job::Refusal::Limit { .. })) => {
                let failure = Reported {
                    how: How::Error,
                    message: format!("the attempt's end was refused: {refusal}"),
                    causes: Vec::new(),
                    retryable: false,
                    retry_after_ms: None,
                };
                if matches!(report, Request::Fail { .. }) {
                    return;
                }
                report = Request::Fail { lease: held.lease, failure };
                // The old one stands for what was refused.
                id = shared.caller.request_id();
            }
            Err(CallError::Refused(_)) => return,
            // A server may be starting again, and whoever turns it away may be told better.
            Err(CallError::Unknown { .. } | CallError::Unavailable { .. } | CallError::Rejected { .. }) => {
                shared.host.clock().sleep(PAUSE).await;
            }
        }
        let Standing { trusted_until, lost, .. } = held.standing.get();
        if lost || trusted_until <= shared.host.clock().boot() {
            return;
        }
    }
}
