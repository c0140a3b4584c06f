use super::*;
use crate::job::life::{self, Grant, Report};
use crate::job::{Due, Holder, Limits, NewJob, Nonce, Steady, Token};

const NOW: Now = Now { steady: Steady(90_000), wall: Wall(1_767_225_600_000) };

fn waiting(wait: Wait, due: Due) -> Job {
    let new = NewJob {
        queue: "mail".into(),
        kind: "send".into(),
        priority: 5,
        max_attempts: 25,
        concurrency_key: None,
        slot: None,
        trace_parent: None,
        payload: "null".into(),
    };
    life::enqueue(JobId(17), new, wait, due, None, NOW)
}

fn running() -> (Job, Attempt) {
    let mut job = waiting(Wait::Line, Due::now(NOW));
    let lease = Duration::from_secs(30);
    let attempt = life::claim(
        &mut job,
        Grant {
            token: Token(1),
            nonce: Nonce(1),
            worker: "pid 4711".into(),
            holder: Holder::Here,
            lease,
            timeout_ms: None,
        },
        NOW,
    );
    (job, attempt)
}

fn check(job: &Job, latest: Option<&Attempt>, failure: Option<&Failure>, now: Now, line: Line) -> String {
    let around = Around { open: &[JobId(3), JobId(5)], obstacles: Vec::new(), crashes_max: 5 };
    let explanation = explain(job, latest, failure, around, now, || line);
    let json = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "JSON reads back");
    format!("{explanation}\n{json}")
}

const NOBODY: Line = Line { ahead: Place::Exactly(0), claims_waiting: 0, asked_ms_ago: None };

#[test]
fn every_wait_has_a_sentence() {
    let delay = Duration::from_millis(6_400);
    let mut all = String::new();
    for &wait in Wait::ALL {
        let mut job = waiting(wait, Due::after(NOW, delay));
        (job.failures, job.crashes) = (3, 2);
        job.wait_on = match wait {
            Wait::Condition => Some(WaitOn::Condition { what: "/mnt/tapes is not mounted".into() }),
            Wait::Signal => Some(WaitOn::Signal { name: "approved-7".into(), step: "approved".into() }),
            Wait::Jobs => Some(WaitOn::Before { unmet: Unmet::Cancel }),
            _ => None,
        };
        all += &format!("{}\n", check(&job, None, None, NOW, NOBODY));
    }
    for (wait, on) in [
        (Wait::Signal, WaitOn::Signal { name: "approved-7".into(), step: "approved".into() }),
        (Wait::Jobs, WaitOn::Jobs { step: "pages".into() }),
        (Wait::Jobs, WaitOn::Before { unmet: Unmet::Run }),
    ] {
        let mut job = waiting(wait, Due::never());
        job.wait_on = Some(on);
        all += &format!("{}\n", check(&job, None, None, NOW, NOBODY));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_job_in_line_says_who_is_ahead_and_whether_anybody_asks() {
    let job = waiting(Wait::Line, Due::now(NOW));
    let lines = [
        NOBODY,
        Line { ahead: Place::Exactly(12), claims_waiting: 0, asked_ms_ago: Some(200_000) },
        Line { ahead: Place::Exactly(12), claims_waiting: 1, asked_ms_ago: Some(0) },
        Line { ahead: Place::AtLeast(10_000), claims_waiting: 3, asked_ms_ago: Some(0) },
    ];
    let all: Vec<String> = lines.into_iter().map(|line| check(&job, None, None, NOW, line)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_keeps_a_job_from_running_is_all_said() {
    let pause = |gate, probe: Option<Probe>| PauseRow {
        gate,
        by: if probe.is_none() { "Ada" } else { "pid 4711" }.into(),
        why: "the mail server refuses connections".into(),
        at: NOW.wall,
        probe,
    };
    let probe = |under_way| {
        let due = Due::after(NOW, Duration::from_secs(12));
        Probe { every_ms: 30_000, due, last: Some(JobId(7)), under_way }
    };
    let down = |probe| Obstacle::Down { row: pause(Gate::kind("send"), Some(probe)), probe };
    let slots = |key, holders: &[i64]| {
        let holders: Vec<JobId> = holders.iter().copied().map(JobId).collect();
        let at_once = u32::try_from(holders.len().min(12)).unwrap();
        Obstacle::Slots(Slots { key, at_once, holders, first_expires_in: Duration::from_secs(12) })
    };
    let rate = Some(Rate { jobs: 100, per_ms: 60_000, burst: 1 });
    let full_at_ns = (NOW.steady.0 + 420) * 1_000_000;
    let limit = LimitRow { queue: "mail".into(), at_once: None, at_once_per_key: None, rate, full_at_ns };
    let all = [
        vec![Obstacle::Paused(pause(Gate::queue("mail"), None)), Obstacle::Paused(pause(Gate::kind("send"), None))],
        vec![down(probe(None))],
        vec![down(Probe { due: Due::now(NOW), ..probe(None) })],
        vec![down(probe(Some(Token(9))))],
        vec![slots(None, &[4, 5, 6]), Obstacle::Rate(limit)],
        vec![slots(Some(("customer 7".into(), Place::Exactly(2))), &[4])],
        vec![slots(None, &(1..=13).collect::<Vec<_>>())],
    ];
    let says = all.map(|obstacles| {
        let around = Around { open: &[], obstacles, crashes_max: 5 };
        let explanation = explain(&waiting(Wait::Line, Due::now(NOW)), None, None, around, NOW, || NOBODY);
        let json = serde_json::to_string(&explanation).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "JSON reads back");
        format!("{explanation}\n{json}\n")
    });
    insta::assert_snapshot!(says.join("\n"));
}

#[test]
fn a_running_job_says_where_and_until_when() {
    let (mut job, mut attempt) = running();
    let mut all = vec![check(&job, Some(&attempt), None, NOW, NOBODY)];
    life::start(&mut attempt, NOW);
    job.cancel_requested = true;
    all.push(check(&job, Some(&attempt), None, NOW, NOBODY));
    let expired = Now { steady: attempt.expires, ..NOW };
    all.push(check(&job, Some(&attempt), None, expired, NOBODY));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn an_end_says_how_it_came_to_it() {
    let mut all = Vec::new();
    let (mut job, mut attempt) = running();
    life::complete(&mut job, &mut attempt, None, NOW);
    all.push(check(&job, Some(&attempt), None, NOW, NOBODY));
    let (mut job, mut attempt) = running();
    let report = Report {
        how: How::Error,
        message: "connection refused".into(),
        causes: vec![],
        retryable: false,
        retry_after: None,
    };
    let failure = life::fail(&mut job, &mut attempt, report, &Limits::default(), 0, NOW);
    all.push(check(&job, Some(&attempt), Some(&failure), NOW, NOBODY));
    insta::assert_snapshot!(all.join("\n"));
}
