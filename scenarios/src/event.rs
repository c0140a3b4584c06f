//! What clients saw: the history that checkers fold over.

use outlive::protocol::{Answering, Call, CallError, Reply, Request, Service};
use outlive::{Explanation, JobId};
use outlive_sim::{History, Nemesis, Process, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One event of a client.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call was made. The process that makes it may die before its answer: then it is unknown.
    Invoke {
        /// The call's number in the run.
        call: u64,
        /// What was asked, under which name.
        what: Arc<Call>,
    },
    /// A call was answered.
    Answer {
        /// The call's number in the run.
        call: u64,
        /// The answer.
        answer: Arc<Result<Reply, CallError>>,
    },
    /// A handler began to run.
    HandlerStarted {
        /// The job.
        job: JobId,
        /// Which execution of the job.
        attempt: u32,
    },
    /// A handler has ended, or was dropped.
    HandlerEnded {
        /// The job.
        job: JobId,
        /// Which execution of the job.
        attempt: u32,
    },
    /// The file was opened.
    Opened,
    /// The file could not be opened.
    OpenFailed(String),
    /// Every known job was asked why it waits, while nothing else happened.
    Census(Arc<Census>),
}

/// Every known job's explanation at a moment at which nothing else happened.
#[derive(Clone)]
pub struct Census {
    /// The disk at that moment.
    pub image: SimDisk,
    /// The wall clock before the first question and after the last answer, in milliseconds: a slow
    /// disk takes its time.
    pub wall_ms: (i64, i64),
    /// What was answered.
    pub explanations: Vec<(JobId, Explanation)>,
}

impl std::fmt::Debug for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Census").field("explanations", &self.explanations).finish_non_exhaustive()
    }
}

/// The events of one run, and who else hears of them.
#[derive(Clone)]
pub struct Recorder {
    history: History<Event>,
    nemesis: Nemesis,
    calls: Arc<AtomicU64>,
}

impl Recorder {
    /// An empty history whose events `nemesis` hears of.
    pub fn new(nemesis: Nemesis) -> Self {
        Self { history: History::new(), nemesis, calls: Arc::default() }
    }

    /// The events so far.
    pub fn history(&self) -> &History<Event> {
        &self.history
    }

    /// Records what a process saw.
    pub fn record(&self, process: &Process, event: Event) {
        let (kind, numbers): (&'static str, [u64; 2]) = match &event {
            Event::Invoke { call, what } => (operation(&what.request), [*call, 0]),
            Event::Answer { call, answer } => ("client.answer", [*call, u64::from(answer.is_ok())]),
            Event::HandlerStarted { job, attempt } => ("handler.start", [number(*job), u64::from(*attempt)]),
            Event::HandlerEnded { job, attempt } => ("handler.end", [number(*job), u64::from(*attempt)]),
            Event::Opened => ("queue.opened", [0, 0]),
            Event::OpenFailed(_) => ("queue.open_failed", [0, 0]),
            Event::Census(census) => ("client.census", [census.explanations.len() as u64, 0]),
        };
        process.event(kind, &numbers, &digested(&event));
        self.history.record(process, event.clone());
        let moment = match event {
            Event::HandlerStarted { .. } => HANDLER_STARTS,
            Event::HandlerEnded { .. } => HANDLER_ENDS,
            Event::Opened => AFTER_OPEN,
            _ => return,
        };
        self.nemesis.event(process, moment);
    }

    /// Records what became of a call.
    fn record_call(&self, process: &Process, event: Event, what: &Call) {
        let moment = moment(&event, what);
        self.record(process, event);
        moment.into_iter().for_each(|name| self.nemesis.event(process, &name));
    }

    /// A number for a call.
    pub fn number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// A service that records its calls and passes them on to `inner`.
    pub fn service(&self, process: &Process, inner: Arc<dyn Service>) -> Arc<dyn Service> {
        Arc::new(Recording { recorder: self.clone(), process: process.clone(), inner })
    }
}

struct Recording {
    recorder: Recorder,
    process: Process,
    inner: Arc<dyn Service>,
}

impl Service for Recording {
    fn call(&self, call: Call) -> Answering {
        let number = self.recorder.number();
        let (recorder, process, inner) = (self.recorder.clone(), self.process.clone(), self.inner.clone());
        let what = Arc::new(call.clone());
        Box::pin(async move {
            recorder.record_call(&process, Event::Invoke { call: number, what: what.clone() }, &what);
            let answer = inner.call(call).await;
            recorder.record_call(&process, Event::Answer { call: number, answer: Arc::new(answer.clone()) }, &what);
            answer
        })
    }
}

/// What a call is named in the trace, by which calls are counted.
fn operation(request: &Request) -> &'static str {
    match request {
        Request::Enqueue(_) => "call enqueue",
        Request::Claim(_) => "call claim",
        Request::Heartbeat { .. } => "call heartbeat",
        Request::Start { .. } => "call start",
        Request::Complete { .. } => "call complete",
        Request::Fail { .. } => "call fail",
        Request::Release { .. } => "call release",
        Request::Snooze { .. } => "call snooze",
        Request::Obey { .. } => "call obey",
        Request::Cancel { .. } => "call cancel",
        Request::Explain { .. } => "call explain",
        Request::Look { .. } => "call look",
    }
}

/// The requests at which faults come, by name: all that change something.
pub const REQUESTS: [&str; 10] =
    ["enqueue", "claim", "heartbeat", "start", "complete", "fail", "release", "snooze", "obey", "cancel"];

/// Every moment at which a fault can come that is no disk operation and no time.
pub fn moments() -> Vec<String> {
    let around = |name: &&str| [format!("before {name}"), format!("after {name}")];
    let handlers = [HANDLER_STARTS, HANDLER_ENDS, AFTER_OPEN].map(str::to_owned);
    REQUESTS.iter().flat_map(around).chain(handlers).collect()
}

const HANDLER_STARTS: &str = "handler starts";
const HANDLER_ENDS: &str = "handler ends";
const AFTER_OPEN: &str = "after open";

/// What the nemesis calls this moment: `before X` is about to be asked, `after X` has been answered, and
/// well. A claim that got nothing is no moment.
fn moment(event: &Event, what: &Call) -> Option<String> {
    let name = what.request.name();
    match event {
        _ if what.request.is_read() => None,
        Event::Invoke { .. } => Some(format!("before {name}")),
        Event::Answer { answer, .. } => match &**answer {
            Ok(Reply::Claimed { grants }) if grants.is_empty() => None,
            Ok(_) => Some(format!("after {name}")),
            Err(_) => None,
        },
        _ => None,
    }
}

/// The bytes by which two runs are compared.
fn digested(event: &Event) -> Vec<u8> {
    let json = match event {
        Event::Invoke { what, .. } => serde_json::to_vec(&**what),
        Event::Answer { answer, .. } => match &**answer {
            Ok(reply) => serde_json::to_vec(reply),
            Err(error) => serde_json::to_vec(error),
        },
        Event::Census(census) => serde_json::to_vec(&census.explanations),
        Event::OpenFailed(why) => return why.clone().into_bytes(),
        Event::HandlerStarted { .. } | Event::HandlerEnded { .. } | Event::Opened => return Vec::new(),
    };
    json.expect("what goes over a wire is JSON")
}

fn number(job: JobId) -> u64 {
    job.0.cast_unsigned()
}
