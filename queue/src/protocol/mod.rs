//! What can be asked of a queue, and what it answers: the same in the process and over a wire.

mod arguments;
mod enqueue;
mod gates_view;
mod job_view;
mod reply;
mod request;
mod schedule;
mod service;
mod transaction;

pub use arguments::{
    Bulk, Claim, Filter, KindPolicy, ListJobs, On, PolicyView, Progress, QueueLimits, Reported, Signal,
};
pub use enqueue::{After, Enqueue, Enqueued, Key, Scope, When};
pub use gates_view::{GatesView, LimitView, PauseView, ProbeView, WorkerView};
pub use job_view::{AttemptView, FailureView, JobSummary, JobView, LogView, ProgressView, StepView};
pub use reply::{Granted, Renewal, Reply};
pub use request::{Call, Request};
pub use schedule::{Schedule, ScheduleView, SlotView};
pub use service::{Answering, CallError, Service, Shrinking, Snapshotting};
pub use transaction::{Access, Begin, Beginning, Conversation, Heard, Hearing, Said};
