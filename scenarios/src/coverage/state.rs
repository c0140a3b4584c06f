//! One state of a job and of all that is around it: a point of a space of six axes.

use outlive_sim::FaultKind;

/// An axis: its values in order, and a word for each.
macro_rules! axis {
    ($(#[$doc:meta])* $axis:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $axis { $($(#[$value_doc])* $value,)* }

        impl $axis {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$value,)*];

            /// The value in a word or two.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$value => $word,)* }
            }
        }
    };
}

axis! {
    /// Where a job is in its life, by the rows of the file.
    JobState {
        /// It could run at once.
        Line = "in line",
        /// It waits for the time that it was enqueued for.
        Delay = "delayed",
        /// It rests after a failure.
        Backoff = "backoff",
        /// It rests after a crash.
        CrashBackoff = "crash backoff",
        /// It waits for the time that its handler asked for.
        Snooze = "snoozed",
        /// It waits for a signal, for other jobs, or until its handler looks again.
        Held = "held",
        /// A lease on it was granted; its start is not confirmed.
        Claimed = "claimed",
        /// Its attempt has started.
        Started = "started",
        /// Somebody asked for it to stop while it was claimed or had started.
        Stopping = "asked to stop",
        /// Its result is stored.
        Completed = "completed",
        /// Its attempts are spent, or a failure was not retryable.
        Discarded = "discarded",
        /// It was stopped as somebody asked.
        Cancelled = "cancelled",
        /// It was set aside because it keeps killing its workers.
        Quarantined = "quarantined",
    }
}

axis! {
    /// What there is to say of a lease.
    Lease {
        /// There is none, or its holder ended it.
        None = "no lease",
        /// Its holder relies on it.
        Valid = "valid",
        /// Nobody relies on it any more, and the store may still hold it for valid.
        TrustOver = "trust over",
        /// It surely holds no more, and the store has not taken it back.
        Expired = "expired",
        /// The store took it back.
        TakenBack = "taken back",
    }
}

axis! {
    /// The worker that holds the lease, or held it until it was taken back.
    Worker {
        /// Nobody holds it, or nobody was told that he does.
        None = "nobody",
        /// It lives, and is awake.
        Alive = "alive",
        /// It is paused.
        Paused = "paused",
        /// It is awake, after a pause in which its lease came to the end of its trust.
        Zombie = "zombie",
        /// Its process is dead.
        Dead = "dead",
    }
}

axis! {
    /// Whether what the rows say of the job will stay.
    Durability {
        /// It surely is on the disk: somebody was told of it, or of what came later. No change is asked for.
        Durable = "durable",
        /// A change is under way, or nobody was told of the last one yet.
        Open = "open",
    }
}

axis! {
    /// Attempts of the job that were begun.
    Attempts {
        /// None yet.
        None = "0",
        /// One.
        One = "1",
        /// Two.
        Two = "2",
        /// Three.
        Three = "3",
        /// Four or more.
        More = "4+",
    }
}

/// The kinds of fault that the last axis knows, after *none*. Others are not looked at: no seed draws them unless it
/// is told to.
pub const FAULTS: [FaultKind; 20] = [
    FaultKind::Crash,
    FaultKind::PowerLoss,
    FaultKind::Pause,
    FaultKind::SyncError,
    FaultKind::WriteError,
    FaultKind::FullDisk,
    FaultKind::SlowDisk,
    FaultKind::WallJump,
    FaultKind::Partition,
    FaultKind::OneWayPartition,
    FaultKind::Clog,
    FaultKind::HangingConnects,
    FaultKind::DelayedFins,
    FaultKind::ConnectionResets,
    FaultKind::HalfOpen,
    FaultKind::LostMessage,
    FaultKind::LostAnswer,
    FaultKind::WithheldMessage,
    FaultKind::DuplicatedMessage,
    FaultKind::ReplayedMessage,
];

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Where the job is in its life.
    pub job: JobState,
    /// The lease that it is looked at with.
    pub lease: Lease,
    /// Who holds it.
    pub worker: Worker,
    /// Whether that will stay.
    pub durability: Durability,
    /// Attempts of the job so far.
    pub attempts: Attempts,
    /// A fault that was active, or took effect shortly before.
    pub fault: Option<FaultKind>,
}

impl Attempts {
    /// So many.
    pub fn of(number: usize) -> Self {
        Self::ALL[number.min(Self::ALL.len() - 1)]
    }
}

impl JobState {
    /// Whether the job is not at work, and will be.
    pub fn waits(self) -> bool {
        self < Self::Claimed
    }

    /// Whether a lease on it is granted.
    pub fn is_leased(self) -> bool {
        matches!(self, Self::Claimed | Self::Started | Self::Stopping)
    }

    /// Whether nothing can happen to it any more.
    pub fn is_terminal(self) -> bool {
        self >= Self::Completed
    }
}

const FAULT_VALUES: usize = FAULTS.len() + 1;

impl State {
    /// How many there are, possible or not.
    pub const COUNT: usize = JobState::ALL.len()
        * Lease::ALL.len()
        * Worker::ALL.len()
        * Durability::ALL.len()
        * Attempts::ALL.len()
        * FAULT_VALUES;

    /// Its number, below [`COUNT`](Self::COUNT).
    ///
    /// # Panics
    /// If its fault is none of [`FAULTS`].
    pub fn number(self) -> u32 {
        let fault = self.fault.map_or(0, |kind| {
            1 + FAULTS.iter().position(|known| *known == kind).expect("the fault is one of the axis")
        });
        let digits = [
            (self.job as usize, JobState::ALL.len()),
            (self.lease as usize, Lease::ALL.len()),
            (self.worker as usize, Worker::ALL.len()),
            (self.durability as usize, Durability::ALL.len()),
            (self.attempts as usize, Attempts::ALL.len()),
            (fault, FAULT_VALUES),
        ];
        let number = digits.iter().fold(0, |number, (digit, base)| number * base + digit);
        u32::try_from(number).expect("all numbers fit")
    }

    /// The state of this number; none if there is no such one.
    pub fn of_number(number: u32) -> Option<Self> {
        let mut rest = number as usize;
        let mut digit = |base: usize| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        let fault = digit(FAULT_VALUES);
        let attempts = Attempts::ALL[digit(Attempts::ALL.len())];
        let durability = Durability::ALL[digit(Durability::ALL.len())];
        let worker = Worker::ALL[digit(Worker::ALL.len())];
        let lease = Lease::ALL[digit(Lease::ALL.len())];
        let job = *JobState::ALL.get(rest)?;
        Some(Self { job, lease, worker, durability, attempts, fault: fault.checked_sub(1).map(|it| FAULTS[it]) })
    }

    /// Every state, possible or not, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u32::MAX).map_while(Self::of_number)
    }
}

const _: () = assert!(State::COUNT <= 1 << 24, "a set of states is small");

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.job.word())?;
        match (self.lease, self.worker) {
            (Lease::None, Worker::None) => write!(f, ", no lease")?,
            (Lease::None, worker) => write!(f, ", no lease, worker {}", worker.word())?,
            (lease, Worker::None) => write!(f, ", lease {} that nobody was told of", lease.word())?,
            (lease, worker) => write!(f, ", lease {}, worker {}", lease.word(), worker.word())?,
        }
        write!(f, ", {}, {} attempts", self.durability.word(), self.attempts.word())?;
        match self.fault {
            None => write!(f, ", no fault"),
            Some(fault) => write!(f, ", {fault:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_number_of_its_own() {
        let all: Vec<State> = State::all().collect();
        assert_eq!(all.len(), State::COUNT);
        for (number, state) in all.iter().enumerate() {
            assert_eq!(state.number() as usize, number, "{state}");
        }
        assert_eq!(State::of_number(u32::try_from(State::COUNT).unwrap()), None);
    }

    #[test]
    fn a_state_reads_as_a_sentence() {
        let state = State {
            job: JobState::Started,
            lease: Lease::Expired,
            worker: Worker::Zombie,
            durability: Durability::Open,
            attempts: Attempts::of(7),
            fault: Some(FaultKind::Partition),
        };
        assert_eq!(state.to_string(), "started, lease expired, worker zombie, open, 4+ attempts, Partition");
    }
}
