//! What handlers and clients ask of the queue: noted for the story, and a moment at which faults may come.

use outlive::JobId;
use outlive::job::{How, Lease, Token};
use outlive::protocol::{
    Answering, Begin, Beginning, Call, CallError, Conversation, Hearing, Reply, Request, Said, Service, Shrinking,
    Snapshotting,
};
use outlive_sim::{History, Nemesis, Process, sleep_true};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When faults may come, beside times and operations of the disk.
pub const MOMENTS: [&str; 8] = [
    "after start",
    "before step",
    "after step",
    "before complete",
    "after complete",
    "before commit",
    "after commit",
    "after enqueue",
];

/// Something for the story.
#[derive(Clone, Debug)]
pub enum Noted {
    /// A job is in the file.
    Enqueued { job: JobId, kind: String, payload: String },
    /// A handler is about to run.
    Began { job: JobId, kind: String, attempt: u32 },
    /// It said or did something.
    Did { job: JobId, attempt: u32, what: String },
    /// It is done, and this is what the queue knows of it.
    Ended { job: JobId, attempt: u32, what: String },
    /// It reported what the queue would not take.
    Refused { job: JobId, attempt: u32, why: String },
}

/// What is noted of a run. Clones are the same.
#[derive(Clone)]
pub struct Watch {
    pub noted: History<Noted>,
    pub nemesis: Nemesis,
    /// Kind and attempt of each lease.
    granted: Arc<Mutex<BTreeMap<Token, (String, u32)>>>,
    /// A handler that asked for what a simulation has not: its kind, and what it was told.
    foreign: Arc<Mutex<Option<(String, String)>>>,
}

/// What a panic says that asked for tokio's reactor, whichever part of it.
const NO_REACTOR: &str = "Tokio 1.x runtime";

impl Watch {
    /// Nothing noted yet.
    pub fn new(nemesis: Nemesis) -> Self {
        Self { noted: History::new(), nemesis, granted: Arc::default(), foreign: Arc::default() }
    }

    /// A handler that asked for tokio's reactor, and what it was told.
    pub fn foreign(&self) -> Option<(String, String)> {
        self.foreign.lock().unwrap().clone()
    }

    /// A service whose calls are noted.
    pub fn service(&self, process: &Process, inner: Arc<dyn Service>) -> Arc<dyn Service> {
        Arc::new(Watched { watch: self.clone(), process: process.clone(), inner })
    }

    fn attempt(&self, lease: Lease) -> u32 {
        self.granted.lock().unwrap().get(&lease.token).map_or(0, |(_, attempt)| *attempt)
    }

    fn kind(&self, lease: Lease) -> String {
        self.granted.lock().unwrap().get(&lease.token).map_or_else(String::new, |(kind, _)| kind.clone())
    }

    /// A fault may come now.
    async fn moment(&self, process: &Process, when: &str, request: &str) {
        self.nemesis.event(process, &format!("{when} {request}"));
        if process.is_paused() || !process.is_alive() {
            // Here, and not at its next await: that may be behind what it was about to do.
            sleep_true(Duration::from_nanos(1)).await;
        }
    }

    fn note(&self, process: &Process, request: &Request, answer: &Result<Reply, CallError>) {
        match answer {
            Ok(reply) => self.note_reply(process, request, reply),
            Err(CallError::Refused(why)) => {
                if let Some(lease) = lease_of(request) {
                    let (job, attempt) = (lease.job, self.attempt(lease));
                    let why = format!("{} was refused: {why}", request.name());
                    self.noted.record(process, Noted::Refused { job, attempt, why });
                }
            }
            Err(_) => {}
        }
    }

    fn note_reply(&self, process: &Process, request: &Request, reply: &Reply) {
        let note = |noted| self.noted.record(process, noted);
        let did = |lease: &Lease, what| Noted::Did { job: lease.job, attempt: self.attempt(*lease), what };
        let ended = |lease: &Lease, what| Noted::Ended { job: lease.job, attempt: self.attempt(*lease), what };
        match (request, reply) {
            (Request::Enqueue(asked), Reply::Enqueued { job, fresh: true }) => {
                note(Noted::Enqueued { job: *job, kind: asked.kind.clone(), payload: asked.payload.clone() });
            }
            (Request::EnqueueAll { jobs }, Reply::EnqueuedAll { jobs: enqueued }) => {
                for (asked, it) in jobs.iter().zip(enqueued).filter(|(_, it)| it.fresh) {
                    note(Noted::Enqueued { job: it.job, kind: asked.kind.clone(), payload: asked.payload.clone() });
                }
            }
            (_, Reply::Claimed { grants }) => {
                let mut granted = self.granted.lock().unwrap();
                granted.extend(grants.iter().map(|grant| (grant.lease.token, (grant.kind.clone(), grant.attempt))));
            }
            (Request::Start { lease }, _) => {
                note(Noted::Began { job: lease.job, kind: self.kind(*lease), attempt: self.attempt(*lease) });
            }
            (Request::Step { lease, name, .. }, Reply::Stepped { result }) => {
                note(did(lease, format!("step {name:?} has {result}")));
            }
            (Request::Log { lease, lines, .. }, _) => {
                lines.iter().for_each(|line| note(did(lease, format!("said: {}", line.text))));
            }
            (Request::Complete { lease, .. }, _) => note(ended(lease, "is completed".into())),
            (Request::Fail { lease, failure }, _) => {
                note(ended(lease, format!("has failed: {}", failure.message)));
            }
            (Request::Release { lease, .. }, _) => note(ended(lease, "is given back".into())),
            (Request::Snooze { lease, .. }, _) => note(ended(lease, "is put off".into())),
            (Request::Wait { lease, .. }, Reply::Suspended) => note(ended(lease, "waits".into())),
            (Request::Obey { lease }, _) => note(ended(lease, "has stopped, as it was asked to".into())),
            _ => {}
        }
    }

    fn look_for_reactor(&self, request: &Request) {
        if let Request::Fail { lease, failure } = request
            && failure.how == How::Panic
            && is_foreign(&failure.message)
        {
            self.foreign.lock().unwrap().get_or_insert((self.kind(*lease), failure.message.clone()));
        }
    }
}

/// Whether a panic is about tokio's reactor.
pub fn is_foreign(panic: &str) -> bool {
    panic.contains(NO_REACTOR)
}

fn lease_of(request: &Request) -> Option<Lease> {
    match request {
        Request::Start { lease }
        | Request::Step { lease, .. }
        | Request::Complete { lease, .. }
        | Request::Fail { lease, .. }
        | Request::Snooze { lease, .. }
        | Request::Wait { lease, .. } => Some(*lease),
        _ => None,
    }
}

struct Watched {
    watch: Watch,
    process: Process,
    inner: Arc<dyn Service>,
}

impl Service for Watched {
    fn call(&self, call: Call) -> Answering {
        let (watch, process, inner) = (self.watch.clone(), self.process.clone(), self.inner.clone());
        Box::pin(async move {
            let request = call.request.clone();
            watch.look_for_reactor(&request);
            watch.moment(&process, "before", request.name()).await;
            let answer = inner.call(call).await;
            watch.note(&process, &request, &answer);
            if answer.is_ok() {
                watch.moment(&process, "after", request.name()).await;
            }
            answer
        })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        let (watch, process, beginning) = (self.watch.clone(), self.process.clone(), self.inner.begin(begin));
        Box::pin(async move {
            let inner = beginning.await?;
            let commands = Arc::default();
            Ok(Arc::new(WatchedLine { watch, process, inner, commands }) as Arc<dyn Conversation>)
        })
    }

    fn snapshot(&self) -> Snapshotting {
        self.inner.snapshot()
    }

    fn compact(&self) -> Shrinking {
        self.inner.compact()
    }
}

/// A transaction: what is asked in it is noted when it is committed.
struct WatchedLine {
    watch: Watch,
    process: Process,
    inner: Arc<dyn Conversation>,
    commands: Arc<Mutex<Vec<(Request, Reply)>>>,
}

impl Conversation for WatchedLine {
    fn say(&self, said: Said) -> Hearing {
        let (watch, process, inner) = (self.watch.clone(), self.process.clone(), self.inner.clone());
        let commands = self.commands.clone();
        Box::pin(async move {
            let commits = matches!(said, Said::Commit);
            let command = if let Said::Command(request) = &said { Some(request.clone()) } else { None };
            if commits {
                watch.moment(&process, "before", "commit").await;
            }
            let heard = inner.say(said).await;
            match (&heard, command) {
                (Ok(outlive::protocol::Heard::Reply(reply)), Some(request)) => {
                    commands.lock().unwrap().push((request, reply.clone()));
                }
                (Ok(_), _) if commits => {
                    for (request, reply) in commands.lock().unwrap().drain(..) {
                        watch.note_reply(&process, &request, &reply);
                    }
                    watch.moment(&process, "after", "commit").await;
                }
                _ => {}
            }
            heard
        })
    }
}
