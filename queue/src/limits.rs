//! Every limit of the queue, in one place. Beyond a limit a request is refused by name.

use std::time::Duration;

/// Largest payload, in bytes of JSON, unless [`Options`](crate::Options) says otherwise: 1 MiB.
pub const PAYLOAD_BYTES_DEFAULT: usize = 1 << 20;
/// What [`Options`](crate::Options) may raise the payload limit to, in bytes of JSON: 16 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Longest name of a queue, a kind or a worker, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Most steps of one job.
pub const STEPS_MAX: u64 = 1_000;
/// Most jobs for which a job may wait at once.
pub const WAITS_MAX: usize = 1_000;
/// Longest failure message kept, in bytes; a longer one is cut and says so.
pub const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// Most causes kept of one failure.
pub const CAUSES_MAX: usize = 16;
/// Most lines kept of what a handler said in one attempt: the last ones.
pub const LOG_LINES_MAX: usize = 100;
/// Most bytes kept of what a handler said in one attempt: the last ones.
pub const LOG_BYTES_MAX: usize = 32 << 10;
/// Longest line of that, in bytes; a longer one is cut and says so.
pub const LOG_LINE_BYTES_MAX: usize = 2 << 10;
/// A worker says what its handlers said this long after they did, or at the end of the attempt.
pub const LOG_DELAY: Duration = Duration::from_secs(1);

/// Lowest and highest priority; a higher one runs first.
pub const PRIORITY_MAX: i16 = 100;
/// See [`PRIORITY_MAX`].
pub const PRIORITY_MIN: i16 = -100;
/// Shortest time in which a job that waits may come to count as of the next higher priority.
pub const AGEING_MIN: Duration = Duration::from_secs(1);
/// Highest number of attempts that a job may be given.
pub const ATTEMPTS_MAX: u32 = 1_000;
/// Attempts that a job has unless it says otherwise.
pub const ATTEMPTS_DEFAULT: u32 = 25;
/// Crashes after which a job is quarantined, unless [`Options`](crate::Options) says otherwise.
pub const CRASHES_DEFAULT: u32 = 5;
/// Crashes from which on a job is suspected of killing its workers: it runs on no worker beside another such job.
pub const SUSPECT_CRASHES: u32 = 2;
/// Longest delay, snooze or backoff: ten years.
pub const DELAY_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Shortest lease.
pub const LEASE_MIN: Duration = Duration::from_millis(100);
/// Longest lease: a dead worker's job waits at most this long.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Lease of a worker that does not say otherwise.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(30);
/// A worker trusts its lease for this share less than it was granted, in per cent: twice the
/// highest clock drift that is survived.
pub const LEASE_MARGIN_PERCENT: u32 = 2;
/// A worker renews its leases this many times in a lease.
pub const HEARTBEATS_PER_LEASE: u32 = 3;
/// Steady time is written at least this many times in the shortest live lease.
pub const MARKS_PER_LEASE: u32 = 4;

/// Most jobs of a queue that a rate lets begin in its time.
pub const RATE_JOBS_MAX: u32 = 1_000_000;
/// Longest time of a rate: 31 days.
pub const RATE_PERIOD_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// Shortest rest before a job is let through to find out whether a service is back.
pub const PROBE_MIN: Duration = Duration::from_millis(100);
/// Longest rest before a job is let through to find out whether a service is back: a day.
pub const PROBE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Most queues that have limits, and most pauses.
pub const GATES_MAX: usize = 10_000;
/// Steady time is written at least this many times in the interval of a rate whose bucket is empty …
pub const MARKS_PER_INTERVAL: u32 = 4;
/// … but no more often than so …
pub const MARK_MIN: Duration = Duration::from_secs(1);
/// … and no more seldom.
pub const MARK_MAX: Duration = Duration::from_secs(60);
/// Most workers that are remembered because they were seen; the one that was seen longest ago is forgotten.
pub const WORKERS_SEEN_MAX: usize = 1_024;

/// Most jobs that are enqueued together.
pub const ENQUEUE_JOBS_MAX: usize = 1_000;
/// Largest payloads of jobs that are enqueued together, in bytes of JSON: a MiB, or as many as one may have.
pub const ENQUEUE_BYTES_MAX: usize = 1 << 20;
/// Most jobs for which those that are enqueued together wait, all added up.
pub const ENQUEUE_WAITS_MAX: usize = 10_000;
/// Most jobs in one claim.
pub const CLAIM_JOBS_MAX: u32 = 1_000;
/// Most kinds, and most queues, in one claim.
pub const CLAIM_NAMES_MAX: usize = 256;
/// Longest time that a claim may wait for work.
pub const CLAIM_WAIT_MAX: Duration = Duration::from_secs(300);
/// Most claims that may wait for work at once.
pub const CLAIMS_WAITING_MAX: usize = 4_096;
/// Longest time that a question may wait for the end of a job; the handle asks again.
pub const AWAIT_MAX: Duration = Duration::from_secs(300);
/// Most questions that may wait for the end of a job at once.
pub const AWAITS_MAX: usize = 4_096;
/// Most jobs that are looked at for one page of a list, or for one step of what is asked for many.
pub const LIST_JOBS_MAX: u32 = 200;
/// Most leases in one heartbeat.
pub const HEARTBEAT_LEASES_MAX: usize = 10_000;

/// How long a transaction of the caller's may be open, unless it says otherwise: nobody else is served meanwhile.
pub const TRANSACTION_DEFAULT: Duration = Duration::from_secs(1);
/// Longest time that a transaction of the caller's may be open.
pub const TRANSACTION_MAX: Duration = Duration::from_secs(10);
/// Longest statement of the caller's, in bytes.
pub const SQL_BYTES_MAX: usize = 1 << 20;
/// Most bytes that a statement of the caller's may answer.
pub const SQL_ROWS_BYTES_MAX: usize = 16 << 20;
/// Most steps of the database's machine that a statement of the caller's may take: a second or so.
pub const SQL_STEPS_MAX: u64 = 20_000_000;

/// For how long the log may grow while somebody copies the file: an hour.
pub const SNAPSHOT_MAX: Duration = Duration::from_secs(3600);
/// To how many bytes the log may grow meanwhile: 256 MiB. An opening after a crash holds it in memory.
pub const SNAPSHOT_LOG_BYTES_MAX: u64 = 256 << 20;
/// For how long a compaction lets nobody be served, the look at the file left out: then it leaves the rest to the next one …
pub const COMPACTION_PAUSE: Duration = Duration::from_secs(1);
/// … and while leases are held no longer than this part of the shortest: they must be renewed.
pub const COMPACTION_PART_OF_LEASE: u32 = 3;
/// Pages that a copy reads and writes at a time.
pub const COPY_PAGES: u32 = 32;
/// How long a copy rests between two of these, so that whoever works comes first to the disk.
pub const COPY_REST: Duration = Duration::from_millis(1);

/// Most requests committed together.
pub const GROUP_REQUESTS_MAX: usize = 512;
/// Most due transitions written with one group; the rest follow with the next.
pub const GROUP_DUE_MAX: usize = 256;
/// Most requests that wait for the engine; beyond, senders wait.
pub const REQUESTS_WAITING_MAX: usize = 4_096;
/// Most schedules.
pub const SCHEDULES_MAX: usize = 1_000;
/// Shortest time between slots of a schedule that has them every so often.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// How late a slot still has its job if missed ones are skipped, unless its schedule says otherwise.
pub const LATE_DEFAULT: Duration = Duration::from_secs(60);
/// How late a slot still has its job if its time comes once more, because the wall clock was set back.
pub const SLOT_GRACE: Duration = Duration::from_secs(10);
/// Largest payload of the jobs of a schedule, in bytes of JSON: 64 KiB.
pub const SCHEDULE_PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Most slots that get their jobs with one group; the rest follow with the next.
pub const GROUP_SLOTS_MAX: usize = 64;
/// Most slots that are shown of a schedule: the last ones.
pub const SLOTS_SHOWN: usize = 5;
/// How often the wall clock is looked at while there is a schedule, or while a claim waits for a job that waits for a time: a
/// clock that jumps tells nobody.
pub const WALL_LOOK: Duration = Duration::from_secs(1);
/// Jobs read at a time when a file is opened.
pub const OPEN_PAGE_JOBS: usize = 1_000;
/// Most jobs in front that [`explain`](crate::Outlive::explain) counts.
pub const LINE_COUNT_MAX: u64 = 10_000;

/// For how much steady time a repeated request gets its first answer, unless
/// [`Options`](crate::Options) says otherwise: a day.
pub const REQUEST_RETENTION_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// Most remembered answers dropped with one group.
pub const PRUNE_REQUESTS_MAX: usize = 64;

/// How long jobs that completed or were cancelled are kept after their ends, unless [`Options`](crate::Options) says
/// otherwise: a week.
pub const RETENTION_DONE_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long jobs that were discarded or quarantined are kept after their ends, unless [`Options`](crate::Options) says
/// otherwise: thirty days.
pub const RETENTION_FAILED_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Shortest time for which jobs that have ended can be kept.
pub const RETENTION_MIN: Duration = Duration::from_secs(1);
/// Jobs that are forgotten with one group: twice as many as have ended with the one before, but at least so many; the rest
/// follow with the next …
pub const GROUP_FORGET_MIN: usize = 32;
/// … and no more than this.
pub const GROUP_FORGET_MAX: usize = 1_024;
/// Ends that are read at a time, to find what is to be forgotten.
pub const FORGET_ENDS_READ: usize = 256;
/// Most attempts that are forgotten with one group, for all its jobs.
pub const FORGET_ATTEMPTS_MAX: usize = 256;
/// Between two looks at what is to be forgotten there is this share of the retention …
pub const FORGET_LOOKS: u32 = 16;
/// … and no more than this.
pub const FORGET_REST_MAX: Duration = Duration::from_secs(60);
/// Steady time is written at least this often if anything is to be forgotten: what a restart may take from how old it is.
pub const MARK_RETENTION: Duration = Duration::from_secs(3600);
/// How long the slots of a schedule are remembered that had their jobs: a wall clock that is set back by more than this may
/// bring them again.
pub const SLOTS_REMEMBERED: Duration = Duration::from_secs(400 * 24 * 3600);
/// Most slots that are forgotten with a job that was there for one.
pub const FORGET_SLOTS_MAX: usize = 4;

/// Most refusals that a server remembers; then another opening of it begins.
pub const REFUSALS_REMEMBERED_MAX: usize = 4_096;

/// Most transactions that a server remembers, the open one among them; then another opening of it begins.
pub const TRANSACTIONS_REMEMBERED_MAX: usize = 1_024;

/// Frames in the write-ahead log at which it is checkpointed, unless [`Options`](crate::Options)
/// says otherwise: about 4 MB.
pub const CHECKPOINT_FRAMES_DEFAULT: u64 = 1_000;
/// Bytes of a page of a new file, unless [`Options`](crate::Options) says otherwise: a block of
/// most file systems.
pub const PAGE_BYTES_DEFAULT: u32 = 4_096;
/// Smallest page of a new file, in bytes.
pub const PAGE_BYTES_MIN: u32 = 512;
/// Largest page of a new file, in bytes.
pub const PAGE_BYTES_MAX: u32 = 65_536;
/// Free space below which enqueue is refused, unless [`Options`](crate::Options) says otherwise.
/// What is in the file can still be finished within it.
pub const RESERVE_BYTES_DEFAULT: u64 = 32 << 20;

const _: () = assert!(LEASE_MARGIN_PERCENT < 50, "a worker would trust less than half of its lease");
const _: () = assert!(HEARTBEATS_PER_LEASE >= 2, "one lost heartbeat would lose the lease");
const _: () = assert!(MARKS_PER_LEASE >= 2, "a crash loop could hold a lease for ever");
const _: () = assert!(PAYLOAD_BYTES_DEFAULT <= PAYLOAD_BYTES_MAX);
const _: () = assert!(LEASE_MIN.as_millis() < LEASE_DEFAULT.as_millis());
const _: () = assert!(LEASE_DEFAULT.as_millis() < LEASE_MAX.as_millis());

/// Panics over the rows of a file, in one process, after which it is taken to be damaged.
pub const STUMBLES_MAX: u32 = 2;

/// Pages whose checksums an opening remembers; those of more are checked alone.
pub const SUMS_REMEMBERED_MAX: usize = 1 << 20;
