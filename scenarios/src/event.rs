//! What clients saw: the history that checkers fold over.

use crate::stopwatch::{Stopwatch, Work};
use crate::tagging::{Deeds, TaggingStorage};
use outlive::job::{Refusal, RequestId};
use outlive::protocol::{
    Answering, Begin, Beginning, Call, CallError, Conversation, Heard, Hearing, Reply, Request, Said, Service,
    Shrinking, Snapshotting,
};
use outlive::{Compacted, Explanation, JobId};
use outlive_sim::{History, Nemesis, Process, SimDisk, World, sleep_true};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
        /// The idempotency key that it is given for an effect.
        key: String,
    },
    /// A handler did what a step of its job is about.
    StepRan {
        /// The job.
        job: JobId,
        /// Which execution of the job.
        attempt: u32,
        /// The step.
        name: String,
    },
    /// Somebody has asked for a copy of the file.
    CopyAsked {
        /// Where it is to be.
        path: String,
    },
    /// It was made; or it was not, and why.
    CopyMade {
        /// Where it is.
        path: String,
        /// Why it was not made.
        failed: Option<String>,
    },
    /// Somebody has asked for a smaller file.
    CompactionAsked,
    /// It was made smaller; or it was not, and why.
    Compacted(Result<Compacted, String>),
    /// Somebody has counted the coins, in a transaction for reading.
    Counted {
        /// All that there are.
        coins: i64,
        /// What is not in the purse any more.
        spent: i64,
        /// Transfers that are written down.
        transfers: i64,
    },
    /// A statement of the caller's was refused, or something else that no call was made for.
    Refused(Refusal),
    /// A handler has ended, or was dropped.
    HandlerEnded {
        /// The job.
        job: JobId,
        /// Which execution of the job.
        attempt: u32,
    },
    /// The file is about to be opened.
    Opening,
    /// The file was opened.
    Opened,
    /// A second process wanted the file, and did not get it.
    RivalTurnedAway(String),
    /// A worker was asked to stop.
    Stopping,
    /// A worker has stopped.
    Stopped,
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

/// Who hears of every event, and may do something about it before whoever did it goes on.
pub trait Onlooker: Send + Sync {
    /// Something happened; `call` is the call that it is about.
    fn sees(&self, process: &Process, event: &Event, call: Option<&Call>);
}

/// The events of one run, and who else hears of them.
#[derive(Clone)]
pub struct Recorder {
    history: History<Event>,
    nemesis: Nemesis,
    onlooker: Option<Arc<dyn Onlooker>>,
    calls: Arc<AtomicU64>,
    deeds: Deeds,
    stopwatch: Stopwatch,
}

impl Recorder {
    /// An empty history whose events `nemesis` hears of.
    pub fn new(nemesis: Nemesis) -> Self {
        Self {
            history: History::new(),
            nemesis,
            onlooker: None,
            calls: Arc::default(),
            deeds: Deeds::default(),
            stopwatch: Stopwatch::default(),
        }
    }

    /// Lets somebody else hear of every event.
    pub fn with_onlooker(self, onlooker: Arc<dyn Onlooker>) -> Self {
        Self { onlooker: Some(onlooker), ..self }
    }

    /// Keeps what stores do, too.
    pub fn with_deeds(self, deeds: Deeds) -> Self {
        Self { deeds, ..self }
    }

    /// What stores did so far, if that is kept.
    pub fn deeds(&self) -> &Deeds {
        &self.deeds
    }

    /// A storage of a process, whose deeds are kept if anybody wants them.
    pub fn storage<S>(&self, inner: S, world: &World, process: &Process) -> TaggingStorage<S> {
        self.deeds.storage(inner, world, process)
    }

    /// The events so far.
    pub fn history(&self) -> &History<Event> {
        &self.history
    }

    /// What the work took by a real clock.
    pub fn work(&self) -> Option<Work> {
        self.stopwatch.work()
    }

    /// Records what a process saw.
    pub fn record(&self, process: &Process, event: Event) {
        self.write_down(process, &event);
        self.onlooker.iter().for_each(|onlooker| onlooker.sees(process, &event, None));
        let moment = match event {
            Event::HandlerStarted { .. } => HANDLER_STARTS,
            Event::HandlerEnded { .. } => HANDLER_ENDS,
            Event::Opened => AFTER_OPEN,
            _ => return,
        };
        self.nemesis.event(process, moment);
    }

    /// Records what became of a call, and waits if its process was paused at that.
    async fn record_call(&self, process: &Process, event: Event, what: &Call) {
        self.write_down(process, &event);
        self.onlooker.iter().for_each(|onlooker| onlooker.sees(process, &event, Some(what)));
        moment(&event, what).into_iter().for_each(|name| self.nemesis.event(process, &name));
        if process.is_paused() || !process.is_alive() {
            // Here, and not at its next await: that may be behind what it was about to do.
            sleep_true(Duration::from_nanos(1)).await;
        }
    }

    fn write_down(&self, process: &Process, event: &Event) {
        let (kind, numbers): (&'static str, [u64; 2]) = match event {
            Event::Invoke { call, what } => (operation(&what.request), [*call, 0]),
            Event::Answer { call, answer } => ("client.answer", [*call, u64::from(answer.is_ok())]),
            Event::HandlerStarted { job, attempt, .. } => ("handler.start", [number(*job), u64::from(*attempt)]),
            Event::StepRan { job, attempt, .. } => ("handler.step", [number(*job), u64::from(*attempt)]),
            Event::Counted { spent, transfers, .. } => {
                ("client.counted", [spent.cast_unsigned(), transfers.cast_unsigned()])
            }
            Event::Refused(_) => ("client.refused", [0, 0]),
            Event::CopyAsked { .. } => ("client.copy_asked", [0, 0]),
            Event::CopyMade { failed, .. } => ("client.copy_made", [u64::from(failed.is_none()), 0]),
            Event::CompactionAsked => ("client.compaction_asked", [0, 0]),
            Event::Compacted(Ok(made)) => ("client.compacted", [made.before_bytes, made.after_bytes]),
            Event::Compacted(Err(_)) => ("client.not_compacted", [0, 0]),
            Event::HandlerEnded { job, attempt } => ("handler.end", [number(*job), u64::from(*attempt)]),
            Event::Opening => ("queue.opening", [0, 0]),
            Event::Opened => ("queue.opened", [0, 0]),
            Event::OpenFailed(_) => ("queue.open_failed", [0, 0]),
            Event::RivalTurnedAway(_) => ("queue.turned_away", [0, 0]),
            Event::Stopping => ("worker.stopping", [0, 0]),
            Event::Stopped => ("worker.stopped", [0, 0]),
            Event::Census(census) => ("client.census", [census.explanations.len() as u64, 0]),
        };
        process.event(kind, &numbers, &digested(event));
        self.history.record(process, event.clone());
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
            recorder.stopwatch.invoked(&what.request);
            recorder.record_call(&process, Event::Invoke { call: number, what: what.clone() }, &what).await;
            let answer = inner.call(call).await;
            if answer.is_ok() {
                recorder.stopwatch.answered(&what.request);
            }
            let heard = Event::Answer { call: number, answer: Arc::new(answer.clone()) };
            recorder.record_call(&process, heard, &what).await;
            answer
        })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        let (recorder, process) = (self.recorder.clone(), self.process.clone());
        let (id, beginning) = (begin.id, self.inner.begin(begin));
        Box::pin(async move {
            let inner = beginning.await?;
            let commands = Arc::default();
            Ok(Arc::new(RecordingConversation { recorder, process, inner, id, commands }) as Arc<dyn Conversation>)
        })
    }

    fn snapshot(&self) -> Snapshotting {
        self.inner.snapshot()
    }

    fn compact(&self) -> Shrinking {
        self.inner.compact()
    }
}

/// A transaction whose commands are recorded when it is committed: as calls that are made together, and answered
/// together.
struct RecordingConversation {
    recorder: Recorder,
    process: Process,
    inner: Arc<dyn Conversation>,
    id: RequestId,
    commands: Arc<Mutex<Vec<(Request, Reply)>>>,
}

impl Conversation for RecordingConversation {
    fn say(&self, said: Said) -> Hearing {
        let (recorder, process, commands) = (self.recorder.clone(), self.process.clone(), self.commands.clone());
        let (id, hearing) = (self.id, self.inner.say(said.clone()));
        match said {
            Said::Statement(_) => hearing,
            Said::Command(request) => Box::pin(async move {
                let heard = hearing.await;
                if let Ok(Heard::Reply(reply)) = &heard {
                    commands.lock().unwrap().push((request, reply.clone()));
                }
                heard
            }),
            Said::Commit => Box::pin(async move {
                let commands = std::mem::take(&mut *commands.lock().unwrap());
                let mut calls = Vec::new();
                for (place, (request, reply)) in (0..).zip(commands) {
                    let what = Arc::new(Call { id: name_of(id, place), request });
                    let call = recorder.number();
                    recorder.stopwatch.invoked(&what.request);
                    recorder.record_call(&process, Event::Invoke { call, what: what.clone() }, &what).await;
                    calls.push((call, what, reply));
                }
                let heard = hearing.await;
                for (call, what, reply) in calls {
                    let answer = heard.clone().map(|_| reply);
                    if answer.is_ok() {
                        recorder.stopwatch.answered(&what.request);
                    }
                    let event = Event::Answer { call, answer: Arc::new(answer) };
                    recorder.record_call(&process, event, &what).await;
                }
                heard
            }),
        }
    }
}

/// What a command of a transaction is called: the first one is named as the transaction is in the file.
pub fn name_of(transaction: RequestId, place: u8) -> RequestId {
    let RequestId(mut name) = transaction;
    name[8] ^= place;
    RequestId(name)
}

/// What a call is named in the trace, by which calls are counted.
fn operation(request: &Request) -> &'static str {
    match request {
        Request::Enqueue(_) => "call enqueue",
        Request::EnqueueAll { .. } => "call enqueue-all",
        Request::Claim(_) => "call claim",
        Request::Heartbeat { .. } => "call heartbeat",
        Request::Start { .. } => "call start",
        Request::Step { .. } => "call step",
        Request::Progress { .. } => "call progress",
        Request::Log { .. } => "call log",
        Request::Complete { .. } => "call complete",
        Request::Fail { .. } => "call fail",
        Request::Release { .. } => "call release",
        Request::Snooze { .. } => "call snooze",
        Request::Wait { .. } => "call wait",
        Request::Signal(_) => "call signal",
        Request::Obey { .. } => "call obey",
        Request::Cancel { .. } => "call cancel",
        Request::Retry { .. } => "call retry",
        Request::Bulk { .. } => "call bulk",
        Request::List(_) => "call list",
        Request::Limit(_) => "call limit",
        Request::Policy(_) => "call policy",
        Request::Schedule(_) => "call schedule",
        Request::Unschedule { .. } => "call unschedule",
        Request::Schedules => "call schedules",
        Request::Pause { .. } => "call pause",
        Request::Resume { .. } => "call resume",
        Request::Gates => "call gates",
        Request::Settle => "call settle",
        Request::Explain { .. } => "call explain",
        Request::Look { .. } => "call look",
        Request::Await { .. } => "call await",
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
        Event::OpenFailed(why) | Event::RivalTurnedAway(why) => return why.clone().into_bytes(),
        Event::Refused(why) => return why.to_string().into_bytes(),
        Event::CopyAsked { path } => return path.clone().into_bytes(),
        Event::CopyMade { path, failed } => return format!("{path} {failed:?}").into_bytes(),
        Event::Compacted(Err(why)) => return why.clone().into_bytes(),
        Event::StepRan { name, .. } => return name.clone().into_bytes(),
        Event::Counted { coins, .. } => return coins.to_be_bytes().to_vec(),
        Event::HandlerStarted { .. }
        | Event::HandlerEnded { .. }
        | Event::CompactionAsked
        | Event::Compacted(Ok(_))
        | Event::Opening
        | Event::Opened
        | Event::Stopping
        | Event::Stopped => return Vec::new(),
    };
    json.expect("what goes over a wire is JSON")
}

fn number(job: JobId) -> u64 {
    job.0.cast_unsigned()
}
