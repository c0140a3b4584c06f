//! The same random calls on every store, with the same random numbers, time and reopenings: the
//! same answers, to the letter.
//!
//! There is no model here. Whatever one store does differently from another shows, and whatever
//! all of them do wrong does not.

use crate::bench::{Bench, Kind, answered, block_on, claim, error, job};
use crate::host::{Random, WALL_START};
use outlive::Options;
use outlive::job::{Backoff, How, JobId, Lease, Level, Limits, LogLine, Nonce, RequestId, Token, Unmet, Wall};
use outlive::protocol::{
    After, Answering, CallError, Claim, Enqueue, Key, On, Progress, Reply, Reported, Request, Scope, Signal, When,
};
use std::collections::BTreeMap;
use std::time::Duration;

const SEEDS: u64 = 20;
const STEPS: usize = 300;

/// What a random run has seen so far, and what it may come back to.
struct Run {
    bench: Bench,
    random: Random,
    jobs: i64,
    leases: Vec<Lease>,
    sent: Vec<(RequestId, Request)>,
    waiting: Vec<(RequestId, Answering)>,
    transcript: Vec<String>,
    reached: BTreeMap<String, usize>,
}

/// Small numbers, so that a run reaches what takes long: retention, quarantine, checkpoints.
fn options() -> Options {
    Options {
        request_retention: Duration::from_secs(40),
        limits: Limits {
            backoff: Backoff::Exponential { first: Duration::from_secs(1), longest: Duration::from_secs(8) },
            crash_backoff: Backoff::Exponential { first: Duration::from_secs(1), longest: Duration::from_secs(4) },
            crashes_max: 2,
        },
        checkpoint_frames: 40,
        payload_bytes_max: 64,
        ..Options::default()
    }
}

impl Run {
    async fn new(kind: Kind, seed: u64) -> Self {
        Self {
            bench: Bench::open(kind, seed, options()).await,
            random: Random::new(seed),
            jobs: 0,
            leases: Vec::new(),
            sent: Vec::new(),
            waiting: Vec::new(),
            transcript: Vec::new(),
            reached: BTreeMap::new(),
        }
    }

    async fn step(&mut self) {
        match self.random.below(100) {
            0..3 => self.reopen().await,
            3..15 => self.pass_time().await,
            15..20 => self.abandon(),
            20..27 if !self.sent.is_empty() => {
                let (id, request) = self.random.one_of(&self.sent);
                self.send(id, request).await;
            }
            27..29 if !self.sent.is_empty() => {
                let (id, _) = self.random.one_of(&self.sent);
                let request = self.request();
                self.send(id, request).await;
            }
            _ => {
                let (id, request) = (self.bench.request_id(), self.request());
                self.send(id, request).await;
            }
        }
    }

    async fn send(&mut self, id: RequestId, request: Request) {
        self.transcript.push(format!("{id}: {request:?}"));
        if !request.is_read() {
            self.sent.push((id, request.clone()));
        }
        let answering = self.bench.send_as(id, request);
        self.waiting.push((id, answering));
        self.collect().await;
    }

    /// Takes down every answer that is there once the engine has looked around.
    async fn collect(&mut self) {
        self.bench.engine_looks().await;
        for (id, mut answering) in std::mem::take(&mut self.waiting) {
            match answered(&mut answering) {
                Some(answer) => self.take_down(id, answer),
                None => self.waiting.push((id, answering)),
            }
        }
    }

    fn take_down(&mut self, id: RequestId, answer: Result<Reply, CallError>) {
        self.transcript.push(format!("  {id}: {answer:?}"));
        let what = match &answer {
            Ok(Reply::Enqueued { job, .. }) => {
                self.jobs = self.jobs.max(job.0);
                "enqueued".to_owned()
            }
            Ok(Reply::Claimed { grants }) => {
                self.leases.extend(grants.iter().map(|granted| granted.lease));
                if grants.is_empty() { "claimed nothing".to_owned() } else { "claimed".to_owned() }
            }
            Ok(reply) => format!("{reply:?}").split([' ', '(']).next().unwrap().to_owned(),
            Err(CallError::Refused(refusal)) => format!("{refusal:?}").split([' ', '{']).next().unwrap().to_owned(),
            Err(error) => panic!("nothing is wrong with the disk, but {error}"),
        };
        *self.reached.entry(what).or_default() += 1;
    }

    async fn pass_time(&mut self) {
        let duration = Duration::from_millis(self.random.one_of(&[1, 400, 1_000, 3_000, 10_000, 30_000]));
        match self.random.below(4) {
            0 => self.bench.pass_steady(duration).await,
            1 => {
                let back_and_forth = self.random.below(120_000);
                self.bench.set_wall(WALL_START + Duration::from_millis(back_and_forth)).await;
            }
            _ => self.bench.pass(duration).await,
        }
        self.transcript.push(format!("{duration:?} pass"));
        self.collect().await;
    }

    async fn reopen(&mut self) {
        // A claim that waits keeps the engine alive.
        self.waiting.clear();
        let closed_for = Duration::from_millis(self.random.below(5_000));
        self.bench.reopen_after(|clock| clock.pass(closed_for)).await;
        self.transcript.push("reopened".into());
        self.look_at_everything().await;
    }

    fn abandon(&mut self) {
        if !self.waiting.is_empty() {
            let index = usize::try_from(self.random.below(self.waiting.len() as u64)).unwrap();
            let (id, _) = self.waiting.remove(index);
            self.transcript.push(format!("{id} is abandoned"));
        }
    }

    async fn look_at_everything(&mut self) {
        for id in 1..=self.jobs {
            let view = self.bench.look(JobId(id)).await;
            let explanation = self.bench.explain(JobId(id)).await;
            *self.reached.entry(view.state.to_string()).or_default() += 1;
            self.transcript.push(format!("  {view:?}\n  {explanation:?}"));
        }
    }

    fn job(&mut self) -> JobId {
        // Now and then one that is not there.
        JobId(1 + i64::try_from(self.random.below(self.jobs.unsigned_abs() + 2)).unwrap())
    }

    fn lease(&mut self) -> Lease {
        if self.leases.is_empty() || self.random.below(30) == 0 {
            return Lease { job: self.job(), token: Token(1), nonce: Nonce(self.random.next()) };
        }
        // Mostly a recent one: the old ones have ended.
        let recent = self.leases.len().saturating_sub(6);
        let recent = &self.leases[if self.random.below(5) == 0 { 0 } else { recent }..];
        self.random.one_of(recent)
    }

    fn request(&mut self) -> Request {
        let lease = self.lease();
        match self.random.below(100) {
            0..22 => Request::Enqueue(self.enqueue()),
            22..25 => Request::EnqueueAll { jobs: (0..self.random.below(4)).map(|_| self.enqueue()).collect() },
            25..45 => Request::Claim(self.claim()),
            45..52 => Request::Start { lease },
            52..57 => Request::Heartbeat { leases: vec![lease, self.lease()] },
            57..66 => {
                let result = self.random.one_of(&[None, Some("[1, 2]".into()), Some("no JSON".into())]);
                Request::Complete { lease, result }
            }
            66..74 => Request::Fail { lease, failure: self.failure() },
            74..78 => Request::Release { lease, why: "bye".into() },
            78..82 => Request::Snooze { lease, delay_ms: self.random.one_of(&[0, 1, 2_000, 20_000]) },
            82..85 => Request::Obey { lease },
            85..88 => Request::Cancel { job: self.job() },
            88..90 => Request::Wait { lease, on: self.on() },
            92..93 => Request::Explain { job: self.job() },
            90..91 => Request::Wait { lease, on: self.on() },
            91..92 => self.signal(),
            93..94 => self.log(lease),
            94..96 => Request::Progress { lease, progress: self.progress() },
            96..98 => Request::Await { job: self.job(), wait_ms: self.random.one_of(&[0, 1, 10_000]) },
            _ => Request::Look { job: self.job() },
        }
    }

    fn on(&mut self) -> On {
        let step = self.random.one_of(&["s1", "s2"]).to_owned();
        match self.random.below(3) {
            0 => On::Signal {
                name: self.random.one_of(&["tea", "coffee"]).into(),
                step,
                limit_ms: self.random.one_of(&[None, Some(0), Some(2_000)]),
            },
            1 => On::Jobs { jobs: vec![self.job(), self.job()], step },
            _ => On::Condition { what: "no".into(), again_ms: self.random.one_of(&[1, 5_000]) },
        }
    }

    fn signal(&mut self) -> Request {
        let name = self.random.one_of(&["tea", "coffee"]).into();
        let key = self.random.one_of(&[None, Some("k1"), Some("k2")]).map(Into::into);
        Request::Signal(Signal { name, key, payload: self.random.one_of(&["1", "2"]).into() })
    }

    fn log(&mut self, lease: Lease) -> Request {
        let first = self.random.below(4);
        let line = |number| LogLine { after_ms: number, level: Level::Info, text: format!("line {number}") };
        Request::Log { lease, first, lines: (first..first + self.random.below(4)).map(line).collect() }
    }

    fn progress(&mut self) -> Progress {
        let random = &mut self.random;
        Progress {
            number: random.below(4),
            parts_per_million: random.one_of(&[None, Some(0), Some(500_000), Some(2_000_000)]),
            message: random.one_of(&[None, Some("on its way".into())]),
            checkpoint: random.one_of(&[None, Some("{ \"page\": 7 }".into()), Some("no JSON".into())]),
        }
    }

    fn enqueue(&mut self) -> Enqueue {
        let after = (self.random.below(6) == 0).then(|| After {
            jobs: vec![self.job(), self.job()],
            unmet: self.random.one_of(&[Unmet::Cancel, Unmet::Discard, Unmet::Run]),
        });
        let random = &mut self.random;
        let wall = i64::try_from(WALL_START.as_millis()).unwrap() + random.below(60_000).cast_signed();
        Enqueue {
            queue: random.one_of(&["default", "default", "other"]).into(),
            priority: random.one_of(&[0, 0, 0, 5, -5, 100, 101]),
            max_attempts: random.one_of(&[Some(1), Some(2), Some(3), None]),
            payload: random.one_of(&["{}", "[1,  2]", r#"{"b":1,"a":"é"}"#, "null", "{", r#""0123456789""#]).into(),
            when: match random.below(4) {
                0 => When::After(random.one_of(&[0, 1, 3_000, 60_000])),
                1 => When::At(Wall(wall)),
                _ => When::Now,
            },
            key: random.one_of(&[None, None, Some("k1"), Some("k2"), Some("é")]).map(|name| Key {
                name: name.into(),
                scope: random.one_of(&[Scope::Forever, Scope::WhilePending, Scope::PeriodMs(3_000)]),
            }),
            after,
            ..job(random.one_of(&["a", "a", "b", "c"]))
        }
    }

    fn claim(&mut self) -> Claim {
        let random = &mut self.random;
        Claim {
            worker: random.one_of(&["w1", "w2"]).into(),
            queues: random.one_of(&[vec!["default".to_owned()], vec!["default".to_owned(), "other".to_owned()]]),
            most: random.one_of(&[1, 1, 2, 10]),
            lease_ms: random.one_of(&[100, 2_000, 2_000, 30_000]),
            wait_ms: random.one_of(&[0, 0, 1_000, 20_000]),
            ..claim()
        }
    }

    fn failure(&mut self) -> Reported {
        let random = &mut self.random;
        Reported {
            how: random.one_of(&[How::Error, How::Panic, How::Undecodable, How::Crash]),
            causes: random.one_of(&[vec![], vec!["because".to_owned(), "é \"'".to_owned()]]),
            retryable: random.below(8) != 0,
            retry_after_ms: random.one_of(&[None, None, Some(0), Some(5_000)]),
            ..error("no luck")
        }
    }
}

/// Everything that was said in a run, and how often each thing was reached.
fn transcript(kind: Kind, seed: u64) -> (Vec<String>, BTreeMap<String, usize>) {
    block_on(async {
        let mut run = Run::new(kind, seed).await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.look_at_everything().await;
        (run.transcript, run.reached)
    })
}

#[test]
fn all_stores_answer_alike() {
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..=SEEDS {
        let (memory, reached_now) = transcript(Kind::Memory, seed);
        let (turso, _) = transcript(Kind::Turso, seed);
        for (line, (memory, turso)) in memory.iter().zip(&turso).enumerate() {
            assert_eq!(memory, turso, "seed {seed}, line {line}");
        }
        assert_eq!(memory.len(), turso.len(), "seed {seed}");
        for (what, count) in reached_now {
            *reached.entry(what).or_default() += count;
        }
    }
    println!("{reached:#?}");
    // A run that reaches little shows little.
    for what in [
        "enqueued",
        "claimed",
        "claimed nothing",
        "Done",
        "Renewed",
        "Failed",
        "Cancelled",
        "Explained",
        "Looked",
        "UnknownJob",
        "StaleLease",
        "AttemptEnded",
        "KeyConflict",
        "RequestIdReused",
        "Limit",
        "Finished",
        "waiting",
        "running",
        "completed",
        "discarded",
        "cancelled",
        "quarantined",
    ] {
        assert!(reached.get(what).is_some_and(|count| *count >= 5), "{what} was hardly ever reached: {reached:#?}");
    }
}
