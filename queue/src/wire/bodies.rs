//! The bodies of mutations. What most callers would choose need not be said; a field that nobody
//! knows is refused, because it is a typing error.

use crate::job::{
    Backoff, CatchUp, Gate, Holder, How, JobId, Lease, LogLine, Policy, Rhythm, State, Template, TraceParent, Unmet,
    Wall, milliseconds,
};
use crate::limits;
use crate::protocol::{
    After, Bulk, Claim, Enqueue, Filter, Key, KindPolicy, ListJobs, On, Progress, Reported, Request, Schedule, Scope,
    Signal, When,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The names of all mutations.
pub const NAMES: &[&str] = &[
    "enqueue",
    "enqueue-all",
    "claim",
    "heartbeat",
    "start",
    "step",
    "progress",
    "log",
    "complete",
    "fail",
    "release",
    "snooze",
    "wait",
    "signal",
    "obey",
    "cancel",
    "retry",
    "bulk",
    "limit",
    "policy",
    "schedule",
    "unschedule",
    "pause",
    "resume",
    "settle",
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnqueueBody {
    kind: String,
    #[serde(default = "default_queue")]
    queue: String,
    #[serde(default)]
    priority: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(default = "null")]
    payload: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Vec<JobId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unmet: Option<Unmet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_parent: Option<Box<TraceParent>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnqueueAllBody {
    jobs: Vec<EnqueueBody>,
}

impl EnqueueBody {
    /// Of a job; the error is that of a payload that is not JSON.
    fn of(job: Enqueue) -> serde_json::Result<Self> {
        let Enqueue { kind, queue, priority, max_attempts, max_age_ms, payload, when, key, after, .. } = job;
        let (delay_ms, at_ms) = match when {
            When::Now => (None, None),
            When::After(ms) => (Some(ms), None),
            When::At(Wall(ms)) => (None, Some(ms)),
        };
        let payload = RawValue::from_string(payload)?;
        let (key, key_scope) = match key {
            None => (None, None),
            Some(Key { name, scope: Scope::Forever }) => (Some(name), None),
            Some(Key { name, scope }) => (Some(name), Some(scope)),
        };
        let (after, unmet) = after.map(|After { jobs, unmet }| (jobs, unmet)).unzip();
        Ok(Self {
            kind,
            queue,
            priority,
            max_attempts,
            max_age_ms,
            payload,
            delay_ms,
            at_ms,
            key,
            key_scope,
            after,
            unmet,
            concurrency_key: job.concurrency_key,
            trace_parent: job.trace_parent,
        })
    }

    /// The job; the error is what does not go together, for a person.
    fn read(self) -> Result<Enqueue, String> {
        let Self { kind, queue, priority, max_attempts, max_age_ms, payload, delay_ms, at_ms, .. } = self;
        let after = match (self.after, self.unmet) {
            (None, None) => None,
            (Some(jobs), Some(unmet)) => Some(After { jobs, unmet }),
            (Some(_), None) => {
                return Err(
                    "after says for which jobs it waits; say what becomes of it if one ends without a result: \
                            \"unmet\":\"cancel\", \"discard\" or \"run\""
                        .into(),
                );
            }
            (None, Some(_)) => return Err("unmet is said of the jobs in after, and there is no after".into()),
        };
        let key = match (self.key, self.key_scope) {
            (None, None) => None,
            (None, Some(_)) => return Err("key_scope is said of a key, and there is none; say key too".into()),
            (Some(name), scope) => Some(Key { name, scope: scope.unwrap_or_default() }),
        };
        let when = match (delay_ms, at_ms) {
            (None, None) => When::Now,
            (Some(ms), None) => When::After(ms),
            (None, Some(ms)) => When::At(Wall(ms)),
            (Some(_), Some(_)) => return Err("delay_ms and at_ms both say when; leave one out".into()),
        };
        let (concurrency_key, trace_parent) = (self.concurrency_key, self.trace_parent);
        Ok(Enqueue {
            kind,
            queue,
            priority,
            max_attempts,
            max_age_ms,
            payload: payload.get().to_owned(),
            when,
            key,
            after,
            concurrency_key,
            trace_parent,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimBody {
    worker: String,
    #[serde(default = "default_queues")]
    queues: Vec<String>,
    kinds: Vec<String>,
    #[serde(default = "one")]
    most: u32,
    #[serde(default = "default_lease")]
    lease_ms: u64,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeartbeatBody {
    leases: Vec<Lease>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseBody {
    lease: Lease,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    lease: Lease,
    name: String,
    #[serde(default = "null")]
    result: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgressBody {
    lease: Lease,
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts_per_million: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogBody {
    lease: Lease,
    first: u64,
    lines: Vec<LogLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteBody {
    lease: Lease,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailBody {
    lease: Lease,
    #[serde(default = "error")]
    how: How,
    message: String,
    #[serde(default)]
    causes: Vec<String>,
    #[serde(default = "yes")]
    retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    lease: Lease,
    #[serde(default)]
    why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnoozeBody {
    lease: Lease,
    delay_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitBody {
    lease: Lease,
    on: On,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalBody {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default = "null")]
    payload: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<Backoff>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crashes_max: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleBody {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_ms: Option<u64>,
    #[serde(default = "latest")]
    catch_up: CatchUp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late_ms: Option<u64>,
    job: TemplateBody,
}

/// What the job of each slot is like.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateBody {
    kind: String,
    #[serde(default = "default_queue")]
    queue: String,
    #[serde(default)]
    priority: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    concurrency_key: Option<String>,
    #[serde(default = "null")]
    payload: Box<RawValue>,
}

impl TemplateBody {
    /// Of a template; the error is that of a payload that is not JSON.
    pub fn of(job: Template) -> serde_json::Result<Self> {
        let Template { kind, queue, priority, max_attempts, max_age_ms, concurrency_key, payload } = job;
        let payload = RawValue::from_string(payload)?;
        Ok(Self { kind, queue, priority, max_attempts, max_age_ms, concurrency_key, payload })
    }
}

impl From<TemplateBody> for Template {
    fn from(body: TemplateBody) -> Self {
        let TemplateBody { kind, queue, priority, max_attempts, max_age_ms, concurrency_key, payload } = body;
        let payload = payload.get().to_owned();
        Self { kind, queue, priority, max_attempts, max_age_ms, concurrency_key, payload }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnscheduleBody {
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    by: String,
    why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// The queue or the kind that a gate is of.
fn of_gate(gate: Gate) -> (Option<String>, Option<String>) {
    match gate {
        Gate::Queue(name) => (Some(name), None),
        Gate::Kind(name) => (None, Some(name)),
    }
}

fn read_gate(queue: Option<String>, kind: Option<String>) -> Result<Gate, String> {
    match (queue, kind) {
        (Some(name), None) => Ok(Gate::Queue(name)),
        (None, Some(name)) => Ok(Gate::Kind(name)),
        (Some(_), Some(_)) => Err("queue and kind are both there; ask for each by a request of its own".into()),
        (None, None) => Err("say what it is about: \"queue\":\"mail\", or \"kind\":\"send\"".into()),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobBody {
    job: JobId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    act: Bulk,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default = "before_all")]
    after: JobId,
    #[serde(default = "most_listed")]
    most: u32,
}

fn before_all() -> JobId {
    JobId(0)
}

fn most_listed() -> u32 {
    limits::LIST_JOBS_MAX
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBody {}

fn default_queue() -> String {
    "default".into()
}

fn default_queues() -> Vec<String> {
    vec![default_queue()]
}

fn default_lease() -> u64 {
    u64::try_from(limits::LEASE_DEFAULT.as_millis()).expect("a lease is short")
}

const fn latest() -> CatchUp {
    CatchUp::Latest
}

fn default_late() -> u64 {
    milliseconds(limits::LATE_DEFAULT).cast_unsigned()
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

const fn error() -> How {
    How::Error
}

/// The body of a mutation; that of a question is empty.
///
/// # Errors
/// A payload or a result that is not JSON.
pub fn body(request: &Request) -> serde_json::Result<Vec<u8>> {
    let raw = |json: &str| RawValue::from_string(json.to_owned());
    match request.clone() {
        Request::Enqueue(job) => serde_json::to_vec(&EnqueueBody::of(job)?),
        Request::EnqueueAll { jobs } => {
            let jobs: serde_json::Result<_> = jobs.into_iter().map(EnqueueBody::of).collect();
            serde_json::to_vec(&EnqueueAllBody { jobs: jobs? })
        }
        Request::Claim(Claim { worker, holder: _, queues, kinds, most, lease_ms, wait_ms }) => {
            serde_json::to_vec(&ClaimBody { worker, queues, kinds, most, lease_ms, wait_ms })
        }
        Request::Heartbeat { leases } => serde_json::to_vec(&HeartbeatBody { leases }),
        Request::Start { lease } | Request::Obey { lease } => serde_json::to_vec(&LeaseBody { lease }),
        Request::Step { lease, name, result } => serde_json::to_vec(&StepBody { lease, name, result: raw(&result)? }),
        Request::Progress { lease, progress: Progress { number, parts_per_million, message, checkpoint } } => {
            let checkpoint = checkpoint.as_deref().map(raw).transpose()?;
            serde_json::to_vec(&ProgressBody { lease, number, parts_per_million, message, checkpoint })
        }
        Request::Log { lease, first, lines } => serde_json::to_vec(&LogBody { lease, first, lines }),
        Request::Complete { lease, result } => {
            let result = result.as_deref().map(raw).transpose()?;
            serde_json::to_vec(&CompleteBody { lease, result })
        }
        Request::Fail { lease, failure: Reported { how, message, causes, retryable, retry_after_ms } } => {
            serde_json::to_vec(&FailBody { lease, how, message, causes, retryable, retry_after_ms })
        }
        Request::Release { lease, why } => serde_json::to_vec(&ReleaseBody { lease, why }),
        Request::Snooze { lease, delay_ms } => serde_json::to_vec(&SnoozeBody { lease, delay_ms }),
        Request::Wait { lease, on } => serde_json::to_vec(&WaitBody { lease, on }),
        Request::Signal(Signal { name, key, payload }) => {
            serde_json::to_vec(&SignalBody { name, key, payload: raw(&payload)? })
        }
        Request::Cancel { job } => serde_json::to_vec(&JobBody { job }),
        Request::Limit(limits) => serde_json::to_vec(&limits),
        Request::Retry { job } => serde_json::to_vec(&JobBody { job }),
        Request::Bulk { act, list: ListJobs { filter: Filter { state, kind, queue }, after, most } } => {
            serde_json::to_vec(&BulkBody { act, state, kind, queue, after, most })
        }
        Request::Policy(KindPolicy { kind, policy }) => {
            let Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } = policy;
            serde_json::to_vec(&PolicyBody { kind, backoff, max_attempts, max_age_ms, timeout_ms, crashes_max })
        }
        Request::Schedule(Schedule { name, rhythm, catch_up, late_ms, job }) => {
            let (cron, zone, every_ms) = match rhythm {
                Rhythm::Cron { cron, zone } => (Some(cron), Some(zone), None),
                Rhythm::Every { every_ms } => (None, None, Some(every_ms)),
            };
            let late_ms = (catch_up == CatchUp::Skip).then_some(late_ms);
            let job = TemplateBody::of(job)?;
            serde_json::to_vec(&ScheduleBody { name, cron, zone, every_ms, catch_up, late_ms, job })
        }
        Request::Unschedule { name } => serde_json::to_vec(&UnscheduleBody { name }),
        Request::Pause { gate, by, why } => {
            let (queue, kind) = of_gate(gate);
            serde_json::to_vec(&PauseBody { queue, kind, by, why })
        }
        Request::Resume { gate } => {
            let (queue, kind) = of_gate(gate);
            serde_json::to_vec(&ResumeBody { queue, kind })
        }
        Request::Settle => serde_json::to_vec(&NoBody {}),
        Request::Explain { .. }
        | Request::Look { .. }
        | Request::Gates
        | Request::Schedules
        | Request::List(_)
        | Request::Await { .. } => Ok(Vec::new()),
    }
}

/// The mutation called `name`, from its body.
///
/// # Errors
/// What is wrong with the body, for a person.
pub fn read_request(name: &str, body: &[u8]) -> Result<Request, String> {
    fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }
    Ok(match name {
        "enqueue" => Request::Enqueue(read::<EnqueueBody>(body)?.read()?),
        "enqueue-all" => {
            let (bodies, place) = (read::<EnqueueAllBody>(body)?.jobs, 1..);
            let read = |(body, place): (EnqueueBody, _)| body.read().map_err(|why| format!("job {place}: {why}"));
            Request::EnqueueAll { jobs: bodies.into_iter().zip(place).map(read).collect::<Result<_, _>>()? }
        }
        "claim" => {
            let ClaimBody { worker, queues, kinds, most, lease_ms, wait_ms } = read(body)?;
            let holder = Holder::Elsewhere;
            Request::Claim(Claim { worker, holder, queues, kinds, most, lease_ms, wait_ms })
        }
        "heartbeat" => Request::Heartbeat { leases: read::<HeartbeatBody>(body)?.leases },
        "start" => Request::Start { lease: read::<LeaseBody>(body)?.lease },
        "step" => {
            let StepBody { lease, name, result } = read(body)?;
            Request::Step { lease, name, result: result.get().to_owned() }
        }
        "progress" => {
            let ProgressBody { lease, number, parts_per_million, message, checkpoint } = read(body)?;
            let checkpoint = checkpoint.map(|json| json.get().to_owned());
            Request::Progress { lease, progress: Progress { number, parts_per_million, message, checkpoint } }
        }
        "log" => {
            let LogBody { lease, first, lines } = read(body)?;
            Request::Log { lease, first, lines }
        }
        "complete" => {
            let CompleteBody { lease, result } = read(body)?;
            Request::Complete { lease, result: result.map(|json| json.get().to_owned()) }
        }
        "fail" => {
            let FailBody { lease, how, message, causes, retryable, retry_after_ms } = read(body)?;
            Request::Fail { lease, failure: Reported { how, message, causes, retryable, retry_after_ms } }
        }
        "release" => {
            let ReleaseBody { lease, why } = read(body)?;
            Request::Release { lease, why }
        }
        "snooze" => {
            let SnoozeBody { lease, delay_ms } = read(body)?;
            Request::Snooze { lease, delay_ms }
        }
        "wait" => {
            let WaitBody { lease, on } = read(body)?;
            Request::Wait { lease, on }
        }
        "signal" => {
            let SignalBody { name, key, payload } = read(body)?;
            Request::Signal(Signal { name, key, payload: payload.get().to_owned() })
        }
        "obey" => Request::Obey { lease: read::<LeaseBody>(body)?.lease },
        "cancel" => Request::Cancel { job: read::<JobBody>(body)?.job },
        "retry" => Request::Retry { job: read::<JobBody>(body)?.job },
        "bulk" => {
            let BulkBody { act, state, kind, queue, after, most } = read(body)?;
            Request::Bulk { act, list: ListJobs { filter: Filter { state, kind, queue }, after, most } }
        }
        "limit" => Request::Limit(read(body)?),
        "policy" => {
            let PolicyBody { kind, backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } = read(body)?;
            let policy = Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max };
            Request::Policy(KindPolicy { kind, policy })
        }
        "schedule" => {
            let ScheduleBody { name, cron, zone, every_ms, catch_up, late_ms, job } = read(body)?;
            let rhythm = match (cron, zone, every_ms) {
                (Some(cron), zone, None) => Rhythm::Cron { cron, zone: zone.unwrap_or_else(|| "UTC".to_owned()) },
                (None, None, Some(every_ms)) => Rhythm::Every { every_ms },
                _ => return Err("say when the slots are: by cron (and zone), or by every_ms".into()),
            };
            if late_ms.is_some() && catch_up != CatchUp::Skip {
                return Err("late_ms says how late a slot still has its job; say \"catch_up\":\"skip\" too".into());
            }
            let late_ms = late_ms.unwrap_or_else(default_late);
            Request::Schedule(Schedule { name, rhythm, catch_up, late_ms, job: job.into() })
        }
        "unschedule" => {
            let UnscheduleBody { name } = read(body)?;
            Request::Unschedule { name }
        }
        "pause" => {
            let PauseBody { queue, kind, by, why } = read(body)?;
            Request::Pause { gate: read_gate(queue, kind)?, by, why }
        }
        "resume" => {
            let ResumeBody { queue, kind } = read(body)?;
            Request::Resume { gate: read_gate(queue, kind)? }
        }
        "settle" => {
            let NoBody {} = read(body)?;
            Request::Settle
        }
        other => return Err(format!("there is no request {other:?}; there are {}", NAMES.join(", "))),
    })
}
