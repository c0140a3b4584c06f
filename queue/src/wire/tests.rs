use super::*;
use crate::Effect;
use crate::job::explain::{Doing, Explanation, LastFailure};
use crate::job::{
    Backoff, CatchUp, Gate, Holder, How, JobId, Lease, Level, LogLine, Nonce, Policy, Rate, Refusal, Rhythm, Slot,
    State, Template, Token, TraceParent, Unmet, Wall,
};
use crate::protocol::{
    After, Bulk, CallError, Claim, Enqueue, Enqueued, Filter, GatesView, Granted, JobSummary, Key, KindPolicy,
    LimitView, ListJobs, On, PauseView, ProbeView, Progress, QueueLimits, Renewal, Reply, Reported, Request, Schedule,
    ScheduleView, Scope, Signal, SlotView, When, WorkerView,
};
use std::time::Duration;

const LEASE: Lease = Lease { job: JobId(7), token: Token(9), nonce: Nonce(0x0123_4567_89ab_cdef) };

fn enqueue(payload: &str, when: When) -> Request {
    let key =
        Some(Key { name: "k".into(), scope: if when == When::Now { Scope::PeriodMs(5) } else { Scope::Forever } });
    let after = (when == When::Now).then(|| After { jobs: vec![JobId(1), JobId(2)], unmet: Unmet::Discard });
    let concurrency_key = after.as_ref().map(|_| "customer 7".into());
    Request::Enqueue(Enqueue {
        priority: -3,
        max_attempts: Some(4),
        max_age_ms: Some(7),
        when,
        key,
        after,
        concurrency_key,
        trace_parent: TraceParent::new(0xa1, 0xb2, true).map(Box::new),
        ..Enqueue::new("a", payload)
    })
}

fn together() -> Request {
    let jobs = [enqueue("[1.10]", When::Now), enqueue("null", When::After(3))];
    let job = |request| if let Request::Enqueue(job) = request { job } else { unreachable!("it is one") };
    Request::EnqueueAll { jobs: jobs.map(job).to_vec() }
}

fn list(kind: Option<&str>) -> ListJobs {
    let filter = Filter { state: State::Discarded, kind: kind.map(Into::into), queue: kind.map(|_| "ü".into()) };
    ListJobs { filter, after: JobId(5), most: 7 }
}

fn summary() -> JobSummary {
    let failure = LastFailure { attempt: 1, at: Wall(5), how: How::Timeout, message: "no".into() };
    JobSummary {
        id: JobId(7),
        kind: "a".into(),
        queue: "default".into(),
        state: State::Discarded,
        attempts: 1,
        max_attempts: 1,
        failures: 1,
        crashes: 0,
        enqueued_at: Wall(3),
        finished_at: Some(Wall(5)),
        last_failure: Some(failure),
    }
}

fn schedule(rhythm: Rhythm) -> Schedule {
    let job = Template {
        kind: "a".into(),
        queue: "mail".into(),
        priority: 3,
        max_attempts: Some(2),
        max_age_ms: None,
        concurrency_key: Some("k".into()),
        payload: "[1.10]".into(),
    };
    Schedule { name: "sweep".into(), rhythm, catch_up: CatchUp::Skip, late_ms: 7, job }
}

fn schedule_views() -> Vec<ScheduleView> {
    let last = vec![SlotView::Job { at: Wall(9), job: JobId(7) }, SlotView::Skipped { first: Wall(3), last: Wall(5) }];
    let view = |rhythm, next, stuck| ScheduleView {
        schedule: schedule(rhythm),
        since: Wall(1),
        next,
        stuck,
        last: last.clone(),
    };
    let cron = view(Rhythm::cron("30 7 * * *", "UTC"), Some(Wall(11)), None);
    vec![cron, view(Rhythm::every(Duration::from_secs(60)), None, Some("no room".into()))]
}

fn policy() -> KindPolicy {
    let backoff = Some(Backoff::Fixed { rest: Duration::from_secs(2) });
    let (max_attempts, max_age_ms, timeout_ms, crashes_max) = (Some(3), Some(5), Some(7), Some(9));
    KindPolicy { kind: "a".into(), policy: Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } }
}

fn line(text: &str) -> LogLine {
    LogLine { after_ms: 1_200, level: Level::Warn, text: text.into() }
}

fn progress() -> Progress {
    let (message, checkpoint) = (Some("half".into()), Some("[1,\"a\"]".into()));
    Progress { number: 3, parts_per_million: Some(500_000), message, checkpoint }
}

fn requests() -> Vec<Request> {
    let claim = Claim {
        worker: "w".into(),
        holder: Holder::Elsewhere,
        queues: vec!["default".into()],
        kinds: vec!["a".into(), "b".into()],
        most: 3,
        lease_ms: 1_000,
        wait_ms: 2_000,
    };
    let failure = Reported {
        how: How::Panic,
        message: "no".into(),
        causes: vec!["because".into()],
        retryable: false,
        retry_after_ms: Some(5),
    };
    vec![
        // Numbers that a double can't hold, and keys out of order.
        enqueue(r#"{"z":12345678901234567890123,"a":1.10}"#, When::Now),
        enqueue("\"text\"", When::After(3)),
        enqueue("null", When::At(Wall(1_750_000_000_000))),
        Request::Claim(claim),
        Request::Heartbeat { leases: vec![LEASE, LEASE] },
        Request::Start { lease: LEASE },
        Request::Step { lease: LEASE, name: "charge".into(), result: "[1, 2]".into() },
        Request::Complete { lease: LEASE, result: None },
        Request::Complete { lease: LEASE, result: Some("[1, 2]".into()) },
        Request::Fail { lease: LEASE, failure },
        Request::Release { lease: LEASE, why: "stop".into() },
        Request::Snooze { lease: LEASE, delay_ms: 3 },
        Request::Obey { lease: LEASE },
        Request::Cancel { job: JobId(7) },
        Request::Settle,
        Request::Explain { job: JobId(7) },
        Request::Look { job: JobId(7) },
        Request::Await { job: JobId(7), wait_ms: 30 },
        Request::Progress { lease: LEASE, progress: progress() },
        Request::Wait { lease: LEASE, on: On::Signal { name: "a".into(), step: "b".into(), limit_ms: Some(7) } },
        Request::Wait { lease: LEASE, on: On::Jobs { jobs: vec![JobId(1)], step: "b".into() } },
        Request::Wait { lease: LEASE, on: On::Condition { what: "no file".into(), again_ms: 5 } },
        Request::Complete { lease: LEASE, result: Some("null".into()) },
        Request::Progress { lease: LEASE, progress: Progress { checkpoint: Some("null".into()), ..progress() } },
        Request::Signal(Signal { name: "a".into(), key: Some("k".into()), payload: "[1.10]".into() }),
        Request::Wait { lease: LEASE, on: On::Service { why: "no smtp".into(), probe_ms: 5_000 } },
        Request::Limit(QueueLimits {
            queue: "mail".into(),
            at_once: Some(3),
            at_once_per_key: None,
            rate: Some(Rate { jobs: 7, per_ms: 1_000, burst: 2 }),
        }),
        Request::Pause { gate: Gate::queue("mail"), by: "Ada".into(), why: "because".into() },
        Request::Pause { gate: Gate::kind("send"), by: "Ada".into(), why: "because".into() },
        Request::Resume { gate: Gate::queue("mail") },
        Request::Resume { gate: Gate::kind("send") },
        Request::Gates,
        Request::Policy(policy()),
        Request::Policy(KindPolicy { policy: Policy::default(), ..policy() }),
        Request::Retry { job: JobId(7) },
        Request::Bulk { act: Bulk::Retry, list: list(Some("a b&c=d")) },
        Request::List(list(Some("a b&c=d"))),
        Request::List(list(None)),
        Request::Log { lease: LEASE, first: 7, lines: vec![line("packing"), line("\"slow\"")] },
        Request::Schedule(schedule(Rhythm::cron("30 7 * * *", "Europe/Berlin"))),
        Request::Schedule(schedule(Rhythm::every(Duration::from_secs(60)))),
        Request::Unschedule { name: "sweep".into() },
        Request::Schedules,
        together(),
    ]
}

#[test]
fn every_request_arrives_as_it_was_sent() {
    for request in requests() {
        let (method, path) = route(&request);
        let (path, query) = path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
        let arrived = Route::of(path, query).unwrap();
        assert_eq!(arrived.method(), method);
        let read = match arrived {
            Route::Question(question) => *question,
            Route::Begin | Route::Line(_) | Route::Metrics | Route::Backup | Route::Compact => {
                panic!("{path} is no request")
            }
            Route::Mutation(name) => read_request(&name, &body(&request).unwrap()).unwrap(),
        };
        assert_eq!(read, request);
    }
}

#[test]
fn whatever_a_claim_over_the_wire_says_it_is_from_elsewhere() {
    let claim = |more: &str| read_request("claim", format!(r#"{{"worker":"w","kinds":["a"]{more}}}"#).as_bytes());
    let Ok(Request::Claim(read)) = claim("") else { panic!() };
    assert_eq!(read.holder, Holder::Elsewhere);
    assert!(claim(r#","holder":"here""#).is_err());
}

#[test]
fn little_need_be_said_and_typing_errors_are_told() {
    let Ok(Request::Enqueue(read)) = read_request("enqueue", br#"{"kind":"a"}"#) else { panic!() };
    assert_eq!((read.queue.as_str(), read.max_attempts, read.payload.as_str()), ("default", None, "null"));
    let mut said = String::new();
    for (name, body) in [
        ("enqueue", r#"{"kind":"a","priorty":1}"#),
        ("enqueue", r#"{"queue":"a"}"#),
        ("enqueue", r#"{"kind":"a","delay_ms":1,"at_ms":2}"#),
        ("enqueue", r#"{"kind":"a","payload":}"#),
        ("enqueue", r#"{"kind":"a","key_scope":"while-pending"}"#),
        ("enqueue", r#"{"kind":"a","after":[1]}"#),
        ("enqueue", r#"{"kind":"a","unmet":"run"}"#),
        ("enqueue-all", r#"{"kind":"a"}"#),
        ("enqueue-all", r#"{"jobs":[{"kind":"a"},{"kind":"a","delay_ms":1,"at_ms":2}]}"#),
        ("wait", r#"{"lease":{"job":1,"token":2,"nonce":"0000000000000001"},"on":{"for":"weather"}}"#),
        (
            "wait",
            r#"{"lease":{"job":1,"token":2,"nonce":"0000000000000001"},"on":{"for":"signal","name":"a","step":"a","limit":5}}"#,
        ),
        ("limit", r#"{"queue":"mail","rate":{"jobs":1,"per":"minute"}}"#),
        ("pause", r#"{"queue":"mail","kind":"send","by":"Ada","why":"no"}"#),
        ("pause", r#"{"by":"Ada","why":"no"}"#),
        ("resume", r#"{"lane":"mail"}"#),
        ("fail", r#"{"lease":{"job":1,"token":2,"nonce":"x"},"message":"m"}"#),
        ("complete", ""),
        ("complain", "{}"),
    ] {
        let why = read_request(name, body.as_bytes()).unwrap_err();
        said.push_str(&format!("{name} {body}\n  {why}\n"));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn paths_that_ask_for_nothing_are_none() {
    for path in ["/", "/v1/", "/v2/enqueue", "/v1/explain", "/v1/jobs/x", "/v1/jobs/1/2", "/v1/enqueue/"] {
        assert_eq!(Route::of(path, None), Err(NoRoute::Nothing), "{path}");
    }
}

#[test]
fn a_query_that_says_something_else_is_told_what_to_say() {
    let mut said = String::new();
    let queries = [
        ("/v1/jobs", ""),
        ("/v1/jobs", "state=dead"),
        ("/v1/jobs", "stat=discarded"),
        ("/v1/jobs", "state=discarded&after=seven"),
        ("/v1/jobs", "state=discarded&most=-1"),
        ("/v1/jobs/7/result", ""),
        ("/v1/jobs/7/result", "wait_ms=soon"),
        ("/v1/jobs/7/result", "wait=1"),
    ];
    for (path, query) in queries {
        let Err(NoRoute::Query(why)) = Route::of(path, Some(query)) else { panic!("{path}?{query}") };
        said.push_str(&format!("{path}?{query}\n  {why}\n"));
    }
    assert!(matches!(Route::of("/v1/jobs", None), Err(NoRoute::Query(_))));
    insta::assert_snapshot!(said);
}

#[test]
fn every_reply_arrives_as_it_was_sent() {
    let granted = Granted {
        lease: LEASE,
        attempt: 2,
        kind: "a".into(),
        queue: "default".into(),
        payload: r#"{"n":12345678901234567890123}"#.into(),
        identity: "0123456789abcdef0123456789abcdef".into(),
        lease_ms: 30_000,
        failures: 1,
        max_attempts: 25,
        timeout_ms: Some(9),
        slot: Some(Slot { schedule: "sweep".into(), at: Wall(5_000) }),
        trace_parent: TraceParent::new(1, 2, false),
    };
    let lost = Renewal::Lost { why: Refusal::StaleLease { job: JobId(7) } };
    let explanation = Explanation {
        job: JobId(7),
        kind: "a".into(),
        attempts: 1,
        last_failure: None,
        begins_by: Some(Wall(9)),
        doing: Doing::Finished { outcome: crate::job::State::Completed, at: Wall(5), unmet: None, too_late: true },
    };
    let rate = Some(Rate { jobs: 7, per_ms: 1_000, burst: 2 });
    let limits = QueueLimits { queue: "mail".into(), at_once: None, at_once_per_key: Some(2), rate };
    let pause = |gate, probe| PauseView { gate, by: "Ada".into(), why: "because".into(), since: Wall(5), probe };
    let worker = WorkerView { worker: "w".into(), queues: vec!["mail".into()], kinds: vec!["a".into()], ago_ms: 7 };
    let gates = GatesView {
        limits: vec![LimitView { limits, leased: 3, rate_wait_ms: 9 }],
        pauses: vec![
            pause(Gate::queue("mail"), None),
            pause(Gate::kind("a"), Some(ProbeView { in_ms: 5, job: Some(JobId(7)) })),
        ],
        policies: vec![policy()],
        workers: vec![worker],
    };
    let awaited = Reply::Awaited { result: Some("[1.10]".into()), explanation: explanation.clone() };
    let replies = [
        (0, Reply::Enqueued { job: JobId(1), fresh: true }),
        (3, Reply::Claimed { grants: vec![granted] }),
        (4, Reply::Renewed { leases: vec![Renewal::Renewed { cancel: true }, lost] }),
        (5, Reply::Done),
        (6, Reply::Stepped { result: "[1, 2]".into() }),
        (8, Reply::Done),
        (9, Reply::Failed { next: crate::job::Next::Discard }),
        (13, Reply::Cancelled { at_once: false }),
        (17, awaited),
        (19, Reply::Suspended),
        (20, Reply::Stepped { result: "null".into() }),
        (20, Reply::Stepped { result: r#"[{"job":1}]"#.into() }),
        (24, Reply::Signalled { fresh: false }),
        (17, Reply::Awaited { result: Some("null".into()), explanation }),
        (14, Reply::Settled { committed: true }),
        (25, Reply::Suspended),
        (26, Reply::Done),
        (27, Reply::Done),
        (29, Reply::Resumed { was_paused: true }),
        (31, Reply::Gated(gates)),
        (32, Reply::Done),
        (34, Reply::Done),
        (35, Reply::Changed { jobs: 3, next: Some(JobId(9)) }),
        (36, Reply::Listed { jobs: vec![summary()], next: None }),
        (38, Reply::Done),
        (39, Reply::Scheduled { next: Wall(5_000) }),
        (41, Reply::Unscheduled { was_scheduled: true }),
        (42, Reply::Schedules { schedules: schedule_views() }),
        (43, Reply::EnqueuedAll { jobs: vec![Enqueued { job: JobId(1), fresh: false }] }),
    ];
    let requests = requests();
    for (request, reply) in replies {
        assert_eq!(read_reply(&requests[request], &reply_body(reply.clone())).unwrap(), reply);
    }
}

fn one_of_many(why: Refusal) -> Refusal {
    Refusal::OneOfMany { number: 2, of: 3, why: Box::new(why) }
}

#[test]
fn every_error_arrives_as_it_was_sent_and_says_whether_it_may_have_happened() {
    let unknown = CallError::Unknown { why: "the disk failed".into() };
    let errors = [
        (409, CallError::Refused(Refusal::StaleLease { job: JobId(7) })),
        (404, CallError::Refused(Refusal::UnknownJob { job: JobId(7) })),
        (404, CallError::Refused(one_of_many(Refusal::UnknownJob { job: JobId(7) }))),
        (500, CallError::Refused(Refusal::Internal { message: "a row is there twice".into() })),
        (507, CallError::Refused(Refusal::StorageFull { free_bytes: 1, reserve_bytes: 2 })),
        (503, CallError::Unavailable { why: "the file is closed".into() }),
        (504, unknown.clone()),
    ];
    for (code, error) in errors {
        assert_eq!(read_error(&error_body(&error)).unwrap(), error);
        assert_eq!(status(&Err(error)).as_u16(), code);
    }
    assert_eq!(unknown.effect(), Effect::Unknown);
    insta::assert_snapshot!(String::from_utf8(error_body(&unknown)).unwrap());
}

#[test]
fn a_problem_of_one_copy_says_nothing_of_the_others() {
    let effect = |problem: &Problem| read_error(&problem.body()).unwrap().effect();
    assert_eq!(effect(&Problem::new(hyper::StatusCode::UNAUTHORIZED, "no token")), Effect::Impossible);
    assert_eq!(effect(&Problem::of_copy(hyper::StatusCode::REQUEST_TIMEOUT, "too slow")), Effect::Unknown);
}
