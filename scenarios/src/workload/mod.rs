//! What a run does: jobs and actors, drawn from the seed by swarm.

mod actors;
mod ballast;
mod cluster;
mod crew;
mod deploy;
mod draw;
mod faults;
mod intent;
mod jobs;
mod judge;
mod middlebox;
mod outside;
mod plan;
mod profile;
mod program;
mod schedules;
mod setting;
mod transfers;
mod waits;

pub use actors::SAID_BY_HAND;
pub use cluster::Cluster;
pub use deploy::Deploy;
pub use intent::{Act, BLOCKING, FOLLOWS, GARBAGE, Intent, KINDS, OFTEN, QUEUES, Script, traced};
pub use jobs::EFFECT;
pub use judge::{RESTS, Sentence, sentence};
pub use outside::Outside;
pub use plan::{Features, Plan, WorkerPlan};
pub use profile::Profile;
pub use program::{PATH, Program};
pub use schedules::SchedulePlan;
pub use setting::{Machines, Setting, Workload};
pub use transfers::{BY_HAND, COINS, DEED, followers};
