//! What comes back: replies and errors.

use super::bodies::TemplateBody;
use crate::job::{CatchUp, Explanation, Lease, Next, Refusal, Rhythm, Slot, State, TraceParent, Wall};
use crate::protocol::{
    AttemptView, CallError, Enqueued, GatesView, Granted, JobSummary, JobView, ProgressView, Renewal, Reply, Request,
    Schedule, ScheduleView, SlotView, StepView,
};
use crate::{Effect, JobId};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize, Deserialize)]
struct EnqueueAllReply {
    jobs: Vec<Enqueued>,
}

#[derive(Serialize, Deserialize)]
struct ClaimReply {
    jobs: Vec<GrantedBody>,
}

#[derive(Serialize, Deserialize)]
struct GrantedBody {
    lease: Lease,
    attempt: u32,
    kind: String,
    queue: String,
    payload: Box<RawValue>,
    identity: String,
    lease_ms: u64,
    failures: u32,
    max_attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_parent: Option<TraceParent>,
}

#[derive(Serialize, Deserialize)]
struct HeartbeatReply {
    leases: Vec<Renewal>,
}

#[derive(Serialize, Deserialize)]
struct StepReply {
    result: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
struct WaitReply {
    /// The attempt has ended, and the job waits.
    #[serde(default)]
    suspended: bool,
    /// What the step came to, if the attempt goes on.
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct SignalReply {
    fresh: bool,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

#[derive(Serialize, Deserialize)]
struct FailReply {
    next: Next,
}

#[derive(Serialize, Deserialize)]
struct CancelReply {
    at_once: bool,
}

#[derive(Serialize, Deserialize)]
struct ResumeReply {
    was_paused: bool,
}

#[derive(Serialize, Deserialize)]
struct ScheduleReply {
    next: Wall,
}

#[derive(Serialize, Deserialize)]
struct UnscheduleReply {
    was_scheduled: bool,
}

#[derive(Serialize, Deserialize)]
struct SchedulesReply {
    schedules: Vec<ScheduleBody>,
}

#[derive(Serialize, Deserialize)]
struct ScheduleBody {
    /// What there is to know in words, for people.
    #[serde(default)]
    says: String,
    name: String,
    #[serde(flatten)]
    rhythm: Rhythm,
    catch_up: CatchUp,
    late_ms: u64,
    job: TemplateBody,
    since: Wall,
    next: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stuck: Option<String>,
    last: Vec<SlotView>,
}

#[derive(Serialize, Deserialize)]
struct ChangedReply {
    jobs: u64,
    next: Option<JobId>,
}

#[derive(Serialize, Deserialize)]
struct ListReply {
    jobs: Vec<JobSummary>,
    next: Option<JobId>,
}

#[derive(Serialize, Deserialize)]
struct SettleReply {
    committed: bool,
}

#[derive(Serialize, Deserialize)]
struct ExplainReply {
    /// The explanation in words, for people.
    says: String,
    explanation: Explanation,
}

#[derive(Serialize, Deserialize)]
struct JobBody {
    id: JobId,
    kind: String,
    queue: String,
    #[serde(default)]
    concurrency_key: Option<String>,
    state: State,
    priority: i16,
    attempts: u32,
    max_attempts: u32,
    failures: u32,
    crashes: u32,
    snoozes: u32,
    releases: u32,
    cancel_requested: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begins_by: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retried_at: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_parent: Option<TraceParent>,
    enqueued_at: Wall,
    finished_at: Option<Wall>,
    payload: Box<RawValue>,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    steps: Vec<StepBody>,
    #[serde(default)]
    progress: Option<ProgressBody>,
    history: Vec<AttemptView>,
}

#[derive(Serialize, Deserialize)]
struct StepBody {
    name: String,
    result: Box<RawValue>,
    attempt: u32,
    at: Wall,
}

#[derive(Serialize, Deserialize)]
struct ProgressBody {
    attempt: u32,
    number: u64,
    at: Wall,
    parts_per_million: Option<u32>,
    message: Option<String>,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct AwaitReply {
    /// The explanation in words, for people.
    says: String,
    #[serde(default, deserialize_with = "super::present", skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    explanation: Explanation,
}

/// The body of an error.
#[derive(Serialize, Deserialize)]
struct ErrorBody {
    /// In words, for people.
    message: String,
    /// Whether it may have happened all the same.
    effect: Effect,
    #[serde(flatten)]
    error: CallError,
}

/// A request that never reached the queue, because it was not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// What it is told.
    pub error: CallError,
}

impl Problem {
    /// What is wrong, and what to do: every copy of the request is turned away.
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, error: CallError::Rejected { why: why.into() } }
    }

    /// What is wrong with this copy of the request. Another one may have reached the queue.
    pub fn of_copy(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, error: CallError::Unknown { why: why.into() } }
    }

    /// The body of its answer.
    pub fn body(&self) -> Vec<u8> {
        error_body(&self.error)
    }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("what is in the file was checked to be JSON")
}

fn unraw(json: &RawValue) -> String {
    json.get().to_owned()
}

/// The body of a reply.
pub fn reply_body(reply: Reply) -> Vec<u8> {
    let written = match reply {
        Reply::Enqueued { job, fresh } => serde_json::to_vec(&Enqueued { job, fresh }),
        Reply::EnqueuedAll { jobs } => serde_json::to_vec(&EnqueueAllReply { jobs }),
        Reply::Claimed { grants } => {
            let jobs = grants.into_iter().map(|grant| {
                let Granted {
                    lease,
                    attempt,
                    kind,
                    queue,
                    payload,
                    identity,
                    lease_ms,
                    failures,
                    max_attempts,
                    timeout_ms,
                    slot,
                    trace_parent,
                } = grant;
                let payload = raw(&payload);
                GrantedBody {
                    lease,
                    attempt,
                    kind,
                    queue,
                    payload,
                    identity,
                    lease_ms,
                    failures,
                    max_attempts,
                    timeout_ms,
                    slot,
                    trace_parent,
                }
            });
            serde_json::to_vec(&ClaimReply { jobs: jobs.collect() })
        }
        Reply::Renewed { leases } => serde_json::to_vec(&HeartbeatReply { leases }),
        Reply::Stepped { result } => serde_json::to_vec(&StepReply { result: raw(&result) }),
        Reply::Suspended => serde_json::to_vec(&WaitReply { suspended: true, result: None }),
        Reply::Signalled { fresh } => serde_json::to_vec(&SignalReply { fresh }),
        Reply::Done => serde_json::to_vec(&Empty {}),
        Reply::Failed { next } => serde_json::to_vec(&FailReply { next }),
        Reply::Cancelled { at_once } => serde_json::to_vec(&CancelReply { at_once }),
        Reply::Resumed { was_paused } => serde_json::to_vec(&ResumeReply { was_paused }),
        Reply::Scheduled { next } => serde_json::to_vec(&ScheduleReply { next }),
        Reply::Unscheduled { was_scheduled } => serde_json::to_vec(&UnscheduleReply { was_scheduled }),
        Reply::Schedules { schedules } => {
            serde_json::to_vec(&SchedulesReply { schedules: schedules.into_iter().map(schedule_body).collect() })
        }
        Reply::Changed { jobs, next } => serde_json::to_vec(&ChangedReply { jobs, next }),
        Reply::Listed { jobs, next } => serde_json::to_vec(&ListReply { jobs, next }),
        Reply::Gated(view) => serde_json::to_vec(&view),
        Reply::Settled { committed } => serde_json::to_vec(&SettleReply { committed }),
        Reply::Explained(explanation) => {
            serde_json::to_vec(&ExplainReply { says: explanation.to_string(), explanation })
        }
        Reply::Awaited { result, explanation } => {
            let (says, result) = (explanation.to_string(), result.as_deref().map(raw));
            serde_json::to_vec(&AwaitReply { says, result, explanation })
        }
        Reply::Looked(view) => serde_json::to_vec(&job_body(*view)),
    };
    written.expect("a reply has string keys and no failing values")
}

fn job_body(view: JobView) -> JobBody {
    JobBody {
        id: view.id,
        kind: view.kind,
        queue: view.queue,
        concurrency_key: view.concurrency_key,
        state: view.state,
        priority: view.priority,
        attempts: view.attempts,
        max_attempts: view.max_attempts,
        failures: view.failures,
        crashes: view.crashes,
        snoozes: view.snoozes,
        releases: view.releases,
        cancel_requested: view.cancel_requested,
        begins_by: view.begins_by,
        retried_at: view.retried_at,
        slot: view.slot,
        trace_parent: view.trace_parent,
        enqueued_at: view.enqueued_at,
        finished_at: view.finished_at,
        payload: raw(&view.payload),
        result: view.result.as_deref().map(raw),
        steps: view.steps.into_iter().map(step_body).collect(),
        progress: view.progress.map(progress_body),
        history: view.history,
    }
}

fn job_view(body: JobBody) -> JobView {
    JobView {
        id: body.id,
        kind: body.kind,
        queue: body.queue,
        concurrency_key: body.concurrency_key,
        state: body.state,
        priority: body.priority,
        attempts: body.attempts,
        max_attempts: body.max_attempts,
        failures: body.failures,
        crashes: body.crashes,
        snoozes: body.snoozes,
        releases: body.releases,
        cancel_requested: body.cancel_requested,
        begins_by: body.begins_by,
        retried_at: body.retried_at,
        slot: body.slot,
        trace_parent: body.trace_parent,
        enqueued_at: body.enqueued_at,
        finished_at: body.finished_at,
        payload: unraw(&body.payload),
        result: body.result.as_deref().map(unraw),
        steps: body.steps.into_iter().map(step_view).collect(),
        progress: body.progress.map(progress_view),
        history: body.history,
    }
}

fn schedule_body(view: ScheduleView) -> ScheduleBody {
    let says = view.to_string();
    let ScheduleView { schedule, since, next, stuck, last } = view;
    let Schedule { name, rhythm, catch_up, late_ms, job } = schedule;
    let job = TemplateBody::of(job).expect("what is in the file was checked to be JSON");
    ScheduleBody { says, name, rhythm, catch_up, late_ms, job, since, next, stuck, last }
}

fn schedule_view(body: ScheduleBody) -> ScheduleView {
    let ScheduleBody { says: _, name, rhythm, catch_up, late_ms, job, since, next, stuck, last } = body;
    let schedule = Schedule { name, rhythm, catch_up, late_ms, job: job.into() };
    ScheduleView { schedule, since, next, stuck, last }
}

fn step_body(StepView { name, result, attempt, at }: StepView) -> StepBody {
    StepBody { name, result: raw(&result), attempt, at }
}

fn step_view(StepBody { name, result, attempt, at }: StepBody) -> StepView {
    StepView { name, result: unraw(&result), attempt, at }
}

fn progress_body(view: ProgressView) -> ProgressBody {
    let ProgressView { attempt, number, at, parts_per_million, message, checkpoint } = view;
    ProgressBody { attempt, number, at, parts_per_million, message, checkpoint: checkpoint.as_deref().map(raw) }
}

fn progress_view(body: ProgressBody) -> ProgressView {
    let ProgressBody { attempt, number, at, parts_per_million, message, checkpoint } = body;
    ProgressView { attempt, number, at, parts_per_million, message, checkpoint: checkpoint.as_deref().map(unraw) }
}

/// The reply to `request`, from its body.
///
/// # Errors
/// The body is not such a reply.
pub fn read_reply(request: &Request, body: &[u8]) -> serde_json::Result<Reply> {
    Ok(match request {
        Request::Enqueue(_) => serde_json::from_slice::<Enqueued>(body)?.into(),
        Request::EnqueueAll { .. } => {
            Reply::EnqueuedAll { jobs: serde_json::from_slice::<EnqueueAllReply>(body)?.jobs }
        }
        Request::Claim(_) => {
            let grants = serde_json::from_slice::<ClaimReply>(body)?.jobs.into_iter().map(|granted| {
                let GrantedBody {
                    lease,
                    attempt,
                    kind,
                    queue,
                    payload,
                    identity,
                    lease_ms,
                    failures,
                    max_attempts,
                    timeout_ms,
                    slot,
                    trace_parent,
                } = granted;
                let payload = unraw(&payload);
                Granted {
                    lease,
                    attempt,
                    kind,
                    queue,
                    payload,
                    identity,
                    lease_ms,
                    failures,
                    max_attempts,
                    timeout_ms,
                    slot,
                    trace_parent,
                }
            });
            Reply::Claimed { grants: grants.collect() }
        }
        Request::Heartbeat { .. } => Reply::Renewed { leases: serde_json::from_slice::<HeartbeatReply>(body)?.leases },
        Request::Step { .. } => Reply::Stepped { result: unraw(&serde_json::from_slice::<StepReply>(body)?.result) },
        Request::Wait { .. } => match serde_json::from_slice(body)? {
            WaitReply { suspended: true, .. } => Reply::Suspended,
            WaitReply { result, .. } => Reply::Stepped { result: result.map_or("null".into(), |json| unraw(&json)) },
        },
        Request::Signal(_) => Reply::Signalled { fresh: serde_json::from_slice::<SignalReply>(body)?.fresh },
        Request::Fail { .. } => Reply::Failed { next: serde_json::from_slice::<FailReply>(body)?.next },
        Request::Cancel { .. } => Reply::Cancelled { at_once: serde_json::from_slice::<CancelReply>(body)?.at_once },
        Request::Resume { .. } => {
            Reply::Resumed { was_paused: serde_json::from_slice::<ResumeReply>(body)?.was_paused }
        }
        Request::Bulk { .. } => {
            let ChangedReply { jobs, next } = serde_json::from_slice(body)?;
            Reply::Changed { jobs, next }
        }
        Request::List(_) => {
            let ListReply { jobs, next } = serde_json::from_slice(body)?;
            Reply::Listed { jobs, next }
        }
        Request::Schedule(_) => Reply::Scheduled { next: serde_json::from_slice::<ScheduleReply>(body)?.next },
        Request::Unschedule { .. } => {
            Reply::Unscheduled { was_scheduled: serde_json::from_slice::<UnscheduleReply>(body)?.was_scheduled }
        }
        Request::Schedules => {
            let SchedulesReply { schedules } = serde_json::from_slice(body)?;
            Reply::Schedules { schedules: schedules.into_iter().map(schedule_view).collect() }
        }
        Request::Gates => Reply::Gated(serde_json::from_slice::<GatesView>(body)?),
        Request::Settle => Reply::Settled { committed: serde_json::from_slice::<SettleReply>(body)?.committed },
        Request::Explain { .. } => Reply::Explained(serde_json::from_slice::<ExplainReply>(body)?.explanation),
        Request::Await { .. } => {
            let AwaitReply { says: _, result, explanation } = serde_json::from_slice(body)?;
            Reply::Awaited { result: result.as_deref().map(unraw), explanation }
        }
        Request::Look { .. } => Reply::Looked(Box::new(job_view(serde_json::from_slice(body)?))),
        Request::Start { .. }
        | Request::Progress { .. }
        | Request::Log { .. }
        | Request::Complete { .. }
        | Request::Release { .. }
        | Request::Snooze { .. }
        | Request::Retry { .. }
        | Request::Limit(_)
        | Request::Policy(_)
        | Request::Pause { .. }
        | Request::Obey { .. } => {
            let Empty {} = serde_json::from_slice(body)?;
            Reply::Done
        }
    })
}

/// The body of an error.
pub fn error_body(error: &CallError) -> Vec<u8> {
    let body = ErrorBody { message: error.to_string(), effect: error.effect(), error: error.clone() };
    serde_json::to_vec(&body).expect("an error has string keys and no failing values")
}

/// The error of an answer that is none of the replies.
///
/// # Errors
/// The body is not an error of a queue.
pub fn read_error(body: &[u8]) -> serde_json::Result<CallError> {
    serde_json::from_slice::<ErrorBody>(body).map(|body| body.error)
}

/// The status of an answer.
pub fn status(answer: &Result<Reply, CallError>) -> StatusCode {
    match answer {
        Ok(_) => StatusCode::OK,
        Err(error) => status_of(error),
    }
}

/// The status of an error.
pub fn status_of(error: &CallError) -> StatusCode {
    match error {
        // The door says its own.
        CallError::Rejected { .. } => StatusCode::BAD_REQUEST,
        CallError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        CallError::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
        CallError::Refused(refusal) => status_of_refusal(refusal),
    }
}

fn status_of_refusal(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::OneOfMany { why, .. } => status_of_refusal(why),
        Refusal::UnknownJob { .. } => StatusCode::NOT_FOUND,
        Refusal::Forgotten { .. } => StatusCode::GONE,
        Refusal::Limit { .. } | Refusal::Statement { .. } | Refusal::WaitsForItself { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::StorageFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::StaleLease { .. }
        | Refusal::LeaseExpired { .. }
        | Refusal::AttemptEnded { .. }
        | Refusal::Overdue { .. }
        | Refusal::Finished { .. }
        | Refusal::NotRetryable { .. }
        | Refusal::KeyConflict { .. }
        | Refusal::SignalConflict { .. }
        | Refusal::NeverMet { .. }
        | Refusal::RolledBack { .. }
        | Refusal::RequestIdReused => StatusCode::CONFLICT,
    }
}
