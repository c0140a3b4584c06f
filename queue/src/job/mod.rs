//! The life of a job: states, the transition table, retry policy, wait reasons.
//!
//! Pure: everything takes `now` and randomness as values, and nothing here reads a clock, a file or
//! a queue. What a transition means for rows is in [`life`]; who may run next is in
//! [`order`](crate::order).

pub mod explain;
mod gate;
mod id;
pub mod life;
mod log;
mod record;
mod refusal;
mod retry;
mod schedule;
mod sentence;
mod state;
mod text;
mod time;
mod trace;

pub use explain::{Blocker, Bound, Explanation, Place, Reason, Until};
pub use gate::{Gate, LimitRow, PauseRow, Probe, Rate};
pub(crate) use id::identity;
pub use id::{JobId, Lease, Nonce, RequestId, Token};
pub use log::{Level, LogLine, LogRow};
pub use record::{
    Attempt, AttemptEnd, EndRow, Failure, Holder, How, Job, KeyRow, KeyScope, NewJob, Next, ProgressRow, SignalRow,
    StepRow, Unmet, Wait, WaitOn, WaitRow,
};
pub use refusal::Refusal;
pub use retry::{Backoff, Limits, Policy, PolicyRow};
pub use schedule::{CatchUp, Rhythm, ScheduleRow, SkipRow, Slot, SlotRow, Slots, Step, Template};
pub use state::{Event, State};
pub(crate) use text::text_enum;
pub(crate) use time::milliseconds;
pub use time::{Due, Now, Steady, Wall};
pub use trace::{NoTraceParent, TraceParent};
