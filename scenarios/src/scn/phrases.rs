//! Every sentence of the language. A new one is one line; docs/SCENARIO_FILES.md must have it too.

use super::grammar::phrases;
use super::nouns::{
    Answer, CatchUpWord, Clause, Comparison, Count, DiskFile, Outcome, Payload, Rejection, RequestKind, RhythmWord,
    WaitReason,
};
use super::pieces::{AnyOr, ClientName, Effect, JobName, Jump, MomentName, Name, Nth, Number, Process, WorkerName};
use outlive_sim::{OperationKind, Survivors};
use std::time::Duration;

phrases! {
    /// One item of `world`: who takes part, and what is chosen for all of them.
    pub enum WorldItem (glued " ") {
        /// The store, on a machine of its own. There is one.
        Store: "1" "store";
        /// One program with the store and the workers in it.
        Program: "1" "program";
        /// Workers that run from the beginning, each a process of its own.
        Workers: "workers" (names: Vec<Name>);
        /// Workers that run only once they are started.
        Spares: "spares" (names: Vec<Name>);
        /// Clients that enqueue and cancel.
        Clients: "clients" (names: Vec<Name>);
        /// The lease that workers ask for.
        Lease: "lease" (lease: Duration);
        /// Jobs that a worker runs at once.
        Concurrency: "concurrency" (jobs: Vec<Number<1, 1_000>>);
        /// The length of the write-ahead log at which it is checkpointed.
        Checkpoint: "checkpoint" (frames: Number<4, 1_000_000>) "frames";
        /// For each so long that a job has waited, it counts as of one priority more.
        Ageing: "ageing" (step: Duration);
        /// Each page of the store's file has a checksum.
        Checksums: "checksums";
        /// For how long jobs that ended in a state are kept.
        Keep: "keep" (state: Outcome) (kept: Duration);
        /// The size of the store's pages.
        Page: "page" (bytes: Number<512, 65_536>) "bytes";
        /// What a sync takes at the least.
        Sync: "sync" (takes: Duration);
        /// How long the store stays down after a crash.
        Downtime: "downtime" (lasting: Duration);
        /// Rests after failures.
        Backoff: "backoff" (first: Duration) "to" (longest: Duration);
        /// Rests after crashes.
        CrashBackoff: "crash-backoff" (first: Duration) "to" (longest: Duration);
        /// Crashes after which a job is quarantined.
        CrashesMax: "quarantine" "after" (crashes: Number<1, 1_000>) "crashes";
        /// Everybody does as a run of a seed does, with faults until then.
        Improvised: "improvised" "until" (end: Duration);
        /// Who enqueues: how many, the longest pause between two, and the most at once.
        Producers: "producers" (count: Number<1, 100>) "pause" (pause: Duration) "burst" (burst: Number<1, 1_000>);
        /// Who claims by hand, and is late, silent or wrong.
        Claimers: "claimers" (count: Number<1, 100>) "lease" (lease: Duration);
        /// A worker in the store's process.
        StoreWorker: "store-worker" "concurrency" (jobs: Number<1, 1_000>);
        /// Something stands before the store, and could lose, repeat and withhold requests.
        Middlebox: "middlebox";
        /// What each machine's clock gains: workers, clients, the store, what stands before it.
        Drifts: "drifts" (ppm: Vec<Number<-10_000, 10_000>>) "ppm";
        /// How long a caller waits for an answer.
        Patience: "patience" (patience: Duration);
        /// Some requests are made again under the same name.
        Repeats: "repeats";
        /// Somebody asks for jobs to stop.
        Cancels: "cancels";
        /// Workers decide by themselves what follows failures.
        Judges: "judges";
        /// Some jobs are enqueued together.
        Batches: "batches";
        /// Somebody copies the file.
        Copies: "copies";
        /// Somebody makes the file smaller.
        Compactions: "compactions";
        /// Somebody waits for the ends of jobs.
        Awaits: "awaits";
        /// Signals are sent for which jobs wait.
        Waits: "waits";
        /// Somebody pauses queues and kinds, and resumes them.
        Pauses: "pauses";
        /// How many jobs of a queue may be leased at once.
        AtOnce: "at-once" (jobs: Number<1, 1_000>) "of" (queue: Name);
        /// How many jobs of each concurrency key of a queue may be leased at once.
        AtOncePerKey: "at-once-per-key" (jobs: Number<1, 1_000>) "of" (queue: Name);
        /// How many attempts of a queue may begin in some time, and how many at once after a rest.
        Rate: "rate" (jobs: Number<1, 1_000>) "in" (period: Duration) "burst" (burst: Number<1, 1_000>) "of" (queue: Name);
        /// Somebody retries what has ended without a result.
        Retries: "retries";
        /// The longest time that an attempt of a kind may take.
        Timeout: "timeout" (longest: Duration) "of" (kind: Name);
        /// The time after which no attempt of a job of a kind begins.
        MaxAge: "max-age" (age: Duration) "of" (kind: Name);
        /// Failures after which a job of a kind is discarded.
        MaxAttempts: "max-attempts" (attempts: Number<1, 1_000>) "of" (kind: Name);
        /// Crashes after which a job of a kind is quarantined.
        KindCrashes: "max-crashes" (crashes: Number<1, 1_000>) "of" (kind: Name);
        /// The rest after each failure of a job of a kind.
        FixedBackoff: "fixed-backoff" (rest: Duration) "of" (kind: Name);
        /// The first rest after a failure of a job of a kind, and the longest.
        KindBackoff: "growing-backoff" (first: Duration) "to" (longest: Duration) "of" (kind: Name);
        /// Somebody keeps a schedule: when it has its slots, what becomes of missed ones, and the kind of their jobs.
        Schedule: "schedule" (name: Name) (rhythm: RhythmWord) (interval: Duration) (catch_up: CatchUpWord) "late" (late: Duration) "of" (kind: Name);
        /// A version of the program comes that knows a kind of job which the one before does not: when it comes, is taken back, and so on.
        Deploy: "deploy" (kind: Name) "at" (changes: Vec<Duration>);
        /// Somebody asks for what must be refused.
        Mischief: "mischief";
        /// Workers stop and start.
        Restarts: "restarts";
        /// A second process tries to open the file now and then.
        Rivals: "rivals";
    }

    /// One option of `job`.
    pub enum JobOption (glued "") {
        /// The name of its handler.
        Kind: "kind" "=" (kind: Name);
        /// Its idempotency key, by which its effect is named too.
        Key: "key" "=" (key: Name);
        /// For how long its key stands for it.
        KeyFor: "key_for" "=" (scope: KeyFor);
        /// The queue it waits in.
        Queue: "queue" "=" (queue: Name);
        /// A higher one runs first.
        Priority: "priority" "=" (priority: Number<-100, 100>);
        /// With which others of its queue it shares slots.
        ConcurrencyKey: "concurrency_key" "=" (key: Name);
        /// In which trace it is enqueued.
        Trace: "trace" "=" (trace: Number<1, 1_000_000>);
        /// Failures after which it is discarded.
        MaxAttempts: "max_attempts" "=" (attempts: Number<1, 1_000>);
        /// The time after which no attempt of it begins.
        MaxAge: "max_age" "=" (age: Duration);
        /// How long it waits after its enqueue.
        Delay: "delay" "=" (delay: Duration);
        /// How long each of its attempts takes.
        Work: "work" "=" (work: Duration);
        /// How many steps each of its attempts takes before its end.
        Steps: "steps" "=" (steps: Number<1, 1_000>);
        /// How often each of its attempts says how far it has come, and stores where to go on.
        Reports: "reports" "=" (reports: Number<1, 1_000>);
        /// How many lines each of its attempts says of what it does.
        Lines: "lines" "=" (lines: Number<1, 1_000>);
        /// For how many signals each of its attempts waits.
        Signals: "signals" "=" (signals: Number<1, 1_000>);
        /// For how many other jobs each of its attempts waits.
        Others: "others" "=" (others: Number<1, 1_000>);
        /// The jobs that must have ended before it runs.
        After: "after" "=" (jobs: Vec<JobName>);
        /// What becomes of it if one of these ends without a result.
        Unmet: "unmet" "=" (unmet: Unmet);
        /// How its attempts end, in order; the last one is repeated.
        Attempts: "attempts" "=" (ends: Vec<AttemptScript>);
        /// What it carries instead of what its handler asks for.
        Payload: "payload" "=" (payload: Payload);
        /// Who enqueues it.
        Client: "client" "=" (client: ClientName);
        /// From when on it may run, by the wall clock: milliseconds since 1970.
        RunAt: "run_at" "=" (wall_ms: u64);
        /// Another client asks for the same under the same key.
        Asked: "asked" "=" (times: Times);
    }

    /// How often something is asked for.
    pub enum Times (glued "") {
        /// Two times.
        Twice: "twice";
        /// Four times.
        Often: "often";
    }

    /// What becomes of a job that waits for one which ends without a result.
    pub enum Unmet (glued "") {
        /// It is cancelled.
        Cancel: "cancel";
        /// It is discarded.
        Discard: "discard";
        /// It runs.
        Run: "run";
    }

    /// For how long a key stands for its job.
    pub enum KeyFor (glued "") {
        /// Until the job has ended.
        Pending: "pending";
        /// For so long.
        Period: "period" ":" (period: Duration);
    }

    /// How an attempt ends, if nothing else ends it.
    pub enum AttemptScript (glued "") {
        /// With a result.
        Complete: "complete";
        /// With a retryable error that says when.
        FailAfter: "fail" ":" (after: Duration);
        /// With a retryable error.
        Fail: "fail";
        /// With an error that is not retryable.
        Discard: "discard";
        /// With a panic.
        Panic: "panic";
        /// With a request to go on later.
        Snooze: "snooze" ":" (lasting: Duration);
        /// With something outside that is not as it must be, and another look at it later.
        LookAgain: "look-again" ":" (after: Duration);
        /// With a service that is down, and a job that looks whether it is back so much later.
        ServiceDown: "service-down" ":" (probe: Duration);
        /// With a result, in a transaction with a row of its own and jobs that follow.
        Transfer: "transfer";
        /// With a retryable error, after all that a transfer does.
        TakeBack: "take-back";
        /// With the death of the worker's process.
        Crash: "crash";
        /// Never: the handler does not return.
        Hang: "hang";
    }

    /// Everything that the file leaves open.
    pub enum Rest (glued " ") {
        /// Nothing else goes wrong.
        Calm: "calm";
        /// Latencies, jitter and the order of tasks are those of another seed.
        Seed: "seed" (seed: u64) (turn: Option<Turn>);
    }

    /// Which order of tasks.
    pub enum Turn (glued " ") {
        /// Of those that the seed has, besides its first.
        Turn: "turn" (turn: u64);
    }

    /// When a block happens.
    pub enum Anchor (glued " ") {
        /// Once this is durable and answered.
        After: "after" (event: Happening) (nth: Nth);
        /// When somebody is about to do this. It waits until the block is done.
        Before: "before" (event: Deed) (nth: Nth);
        /// At this true time since the beginning.
        At: "at" (time: Duration);
    }

    /// What can have happened.
    pub enum Happening (glued " ") {
        /// Somebody did something.
        Deed: (deed: Deed);
        /// Something came to pass.
        Lapse: (lapse: Lapse);
    }

    /// What somebody does.
    pub enum Deed (glued " ") {
        /// The claim that gets this job.
        Claims: (worker: AnyOr<WorkerName>) "claims" (job: AnyOr<JobName>);
        /// The confirmation that its handler runs.
        Starts: (worker: AnyOr<WorkerName>) "starts" (job: AnyOr<JobName>);
        /// The renewal of all leases of a worker.
        Heartbeats: (worker: AnyOr<WorkerName>) "heartbeats";
        /// The report of a result.
        Completes: (worker: AnyOr<WorkerName>) "completes" (job: AnyOr<JobName>);
        /// The same, named by what the job is for.
        Commits: (worker: AnyOr<WorkerName>) "commits" "effect" (effect: Effect);
        /// The report of a failure.
        Fails: (worker: AnyOr<WorkerName>) "fails" (job: AnyOr<JobName>);
        /// The request to go on later.
        Snoozes: (worker: AnyOr<WorkerName>) "snoozes" (job: AnyOr<JobName>);
        /// The return of an attempt.
        Releases: (worker: AnyOr<WorkerName>) "releases" (job: AnyOr<JobName>);
        /// The end of a worker that was asked to stop.
        Stops: (worker: AnyOr<WorkerName>) "stops";
        /// An enqueue.
        Enqueues: (client: AnyOr<ClientName>) "enqueues" (job: AnyOr<JobName>);
        /// A request to cancel.
        Cancels: (client: AnyOr<ClientName>) "cancels" (job: AnyOr<JobName>);
        /// An opening of the file: each is a recovery.
        Opens: "store" "opens";
    }

    /// What comes to pass without anybody's doing. There is no moment at which it is about to.
    pub enum Lapse (glued " ") {
        /// The latest lease on a job is over.
        LeaseExpires: "lease" "of" (job: AnyOr<JobName>) "expires";
        /// A delay, a backoff or a snooze is over.
        RestEnds: "rest" "of" (job: AnyOr<JobName>) "ends";
        /// A process is gone, whatever killed it.
        Dies: (process: Process) "dies";
    }

    /// What a block does.
    pub enum Action (glued " ") {
        /// The process stands still, and does not notice.
        Pause: "pause" (process: Process) (at: Option<When>) (polls: Option<Polls>) (lasting: Option<For>);
        /// It goes on.
        Resume: "resume" (process: Process);
        /// The machine of the process loses power: what was not synced is at risk too.
        PowerLoss: "power-loss" | "crash" (process: Process) (at: Option<When>) (keep: Keep);
        /// The process dies.
        Crash: "crash" (process: Process) (at: Option<When>);
        /// A process that is down, or a spare worker, starts.
        Start: "start" (process: Process);
        /// A worker stops gracefully: it releases what it has not finished by then.
        Stop: "stop" (worker: WorkerName) (within: Option<Within>);
        /// A second process tries to open the store's file.
        OpenRival: "open" "rival";
        /// A client enqueues the job; one that a block enqueues is not enqueued at the beginning.
        Enqueue: "enqueue" (job: JobName);
        /// A client asks for the job to stop.
        Cancel: "cancel" (job: JobName);
        /// Nothing passes between two processes; one-way, nothing from the first to the second.
        Partition: "partition" (from: Process) (to: Process) (one_way: Option<OneWay>) (lasting: Option<For>);
        /// What passes between two processes stalls, and arrives later.
        Clog: "clog" (from: Process) (to: Process) (lasting: Option<For>);
        /// Each message from the first to the second takes longer.
        SlowLink: "slow-link" (from: Process) (to: Process) "by" (least: Duration) "to" (most: Duration) (lasting: For);
        /// Connects from the first to the second do not arrive.
        HangConnects: "hang-connects" (from: Process) (to: Process) (lasting: For);
        /// Ends of streams from the first to the second arrive late.
        LateEnds: "late-ends" (from: Process) (to: Process) "by" (least: Duration) "to" (most: Duration) (lasting: For);
        /// The first gives up its connections with the second, which hears nothing until it sends.
        HalfOpen: "half-open" (from: Process) (to: Process);
        /// Connections between two processes break.
        Reset: "reset" (from: Process) (to: Process);
        /// The link between two processes is whole again.
        HealLink: "heal" (from: Process) (to: Process);
        /// Every link is whole again.
        Heal: "heal";
        /// A message never arrives.
        Lose: "lose" (message: Message);
        /// A request arrives twice.
        Duplicate: "duplicate" (message: Sent);
        /// A request arrives later.
        Late: "delay" (message: Sent) "by" (by: Duration);
        /// A request arrives, and so much later it arrives again.
        Replay: "replay" (message: Sent) "after" (after: Duration);
        /// A sync of the store's disk fails: the next one that has something to do. What is durable of it nevertheless.
        SyncError: "sync-error" "store" (on: Option<OnFile>) (keep: Option<Keep>);
        /// A write to the store's disk fails: the next one.
        WriteError: "write-error" "store" (on: Option<OnFile>);
        /// The store's disk is full.
        FullDisk: "full-disk" "store" (lasting: For);
        /// Each operation on the store's disk takes its time.
        SlowDisk: "slow-disk" "store" "from" (least: Duration) "to" (most: Duration) (lasting: For);
        /// A wall clock jumps.
        JumpClock: "jump" "clock" "of" (process: Process) "by" (by: Jump);
    }

    /// Not at once.
    pub enum Polls (glued " ") {
        /// After so many polls of its tasks: at any await that follows.
        After: "after" (polls: Number<1, 1_000>) "polls";
    }

    /// How long it lasts.
    pub enum For (glued " ") {
        /// So long.
        For: "for" (lasting: Duration);
    }

    /// How long a worker has to finish.
    pub enum Within (glued " ") {
        /// So long.
        Within: "within" (lasting: Duration);
    }

    /// In one direction.
    pub enum OneWay (glued " ") {
        /// From the first to the second.
        OneWay: "one-way";
    }

    /// What survives of what was not synced.
    pub enum Keep (glued " ") {
        /// This.
        Keep: "keep" (survivors: Survivors);
    }

    /// At a disk operation, before it has any effect, or at what somebody on the machine does.
    pub enum When (glued " ") {
        /// The nth operation from now.
        At: "at" "next" (file: DiskFile) (operation: OperationKind) (nth: Nth);
        /// The nth such moment from now.
        Moment: "at" "next" (moment: MomentName) (nth: Nth);
    }

    /// On a file.
    pub enum OnFile (glued " ") {
        /// The nth from now.
        On: "on" (file: DiskFile) (nth: Nth);
    }

    /// Where a job runs.
    pub enum On (glued " ") {
        /// On this worker.
        On: "on" (worker: WorkerName);
    }

    /// A message that is to come.
    pub enum Message (glued " ") {
        /// The next answer to such a request of a process.
        Answer: "next" "answer" "to" (request: RequestKind) (nth: Nth) "of" (process: Process);
        /// The next such request of a process.
        Request: "next" (request: RequestKind) (nth: Nth) "of" (process: Process);
    }

    /// A request that is to come.
    pub enum Sent (glued " ") {
        /// The next such request of a process.
        Next: "next" (request: RequestKind) (nth: Nth) "of" (process: Process);
    }

    /// What must be so: in a block at that moment, at the end of a file once everything has settled.
    pub enum Expectation (glued " ") {
        /// The job waits, and for nothing else.
        Waiting: (job: JobName) "waiting" (reason: Option<WaitReason>);
        /// A worker holds a lease on it.
        Running: (job: JobName) "running" (on: Option<On>);
        /// It is terminal.
        Ended: (job: JobName) (outcome: Outcome);
        /// What was counted of it.
        Counted: (count: Count) (job: JobName) (comparison: Comparison) (number: u64);
        /// How often the effect was made through the queue.
        Effects: "effects" (effect: Effect) (comparison: Comparison) (number: u64);
        /// A request of the process was refused, at least once so far.
        Rejected: (process: Process) "rejected" (rejection: Rejection);
        /// What the process was told when it last asked this about the job.
        Told: (process: Process) "told" (answer: Answer) "about" (request: RequestKind) (job: JobName);
        /// Whoever opened the file as a second process did not get it.
        RivalTurnedAway: "rival" "turned-away";
        /// The clause was put to the test: the decisive moment came.
        ClauseReached: "clause" (clause: Clause) "reached";
        /// No checker has found anything.
        InvariantsHold: "invariants" "hold";
    }
}

/// Words that begin a sentence where a name could begin it too: nothing may be named so.
pub(super) fn reserved(word: &str) -> bool {
    let sentences = [Deed::shapes(), Lapse::shapes(), Expectation::shapes()].concat();
    let counts = super::grammar::canonical::<Count>().map(|(_, name)| name);
    let firsts = sentences.iter().filter_map(|sentence| sentence.split(' ').next());
    // What is written in capitals stands for something else.
    let firsts = firsts.filter(|first| first.starts_with(|c: char| c.is_ascii_lowercase()));
    firsts.chain(counts).chain([AnyOr::<JobName>::ANY]).any(|first| first == word)
}
