//! Whether what happens is the moment that a block waits for.

use super::cast::Cast;
use crate::checkers::number_of;
use crate::event::Event;
use crate::scn::{Anchor, AnyOr, ClientName, Deed, Effect, Happening, JobName, Process as Who, WorkerName};
use outlive::JobId;
use outlive::protocol::{Call, Reply, Request};
use outlive_sim::MachineId;
use std::collections::BTreeMap;

/// What happens, where.
pub struct Moment<'a> {
    pub machine: MachineId,
    pub event: &'a Event,
    /// The call that it is about.
    pub call: Option<&'a Call>,
}

/// Which number of the file each job in the store has.
pub type Numbers = BTreeMap<JobId, u64>;

/// Learns the numbers of jobs from what somebody was told.
pub fn learn(numbers: &mut Numbers, moment: &Moment<'_>) {
    let Event::Answer { answer, .. } = moment.event else { return };
    match (moment.call.map(|call| &call.request), &**answer) {
        (Some(Request::Enqueue(asked)), Ok(Reply::Enqueued { job, .. })) => {
            numbers.extend(number_of(&asked.payload).map(|number| (*job, number)));
        }
        (_, Ok(Reply::Claimed { grants })) => {
            let told = grants.iter().filter_map(|granted| Some((granted.lease.job, number_of(&granted.payload)?)));
            numbers.extend(told);
        }
        _ => {}
    }
}

/// Whether this is the moment of an anchor.
pub fn is(cast: &Cast, numbers: &Numbers, anchor: &Anchor, moment: &Moment<'_>) -> bool {
    match (anchor, moment.event) {
        (Anchor::Before { event: Deed::Opens {}, .. }, Event::Opening)
        | (Anchor::After { event: Happening::Deed { deed: Deed::Opens {} }, .. }, Event::Opened) => {
            moment.machine == cast.machines.store
        }
        (Anchor::Before { event: Deed::Stops { worker }, .. }, Event::Stopping)
        | (Anchor::After { event: Happening::Deed { deed: Deed::Stops { worker } }, .. }, Event::Stopped) => {
            is_worker(cast, worker, moment.machine)
        }
        (Anchor::Before { event, .. }, Event::Invoke { .. }) => is_deed(cast, numbers, event, moment, None),
        (Anchor::After { event: Happening::Deed { deed }, .. }, Event::Answer { answer, .. }) => {
            answer.as_ref().as_ref().is_ok_and(|reply| is_deed(cast, numbers, deed, moment, Some(reply)))
        }
        _ => false,
    }
}

/// `reply` is what was answered, or none if it is about to be asked.
fn is_deed(cast: &Cast, numbers: &Numbers, deed: &Deed, moment: &Moment<'_>, reply: Option<&Reply>) -> bool {
    let Some(call) = moment.call else { return false };
    let by = |worker: &AnyOr<WorkerName>| is_worker(cast, worker, moment.machine);
    let asks = |client: &AnyOr<ClientName>| is_client(cast, client, moment.machine);
    let job = |wanted: &AnyOr<JobName>, job: JobId| is_job(cast, wanted, numbers.get(&job).copied());
    match (deed, &call.request) {
        (Deed::Claims { worker, job: wanted }, Request::Claim(_)) => {
            let granted = match reply {
                // Nobody knows which jobs it will get.
                None => true,
                Some(Reply::Claimed { grants }) => grants.iter().any(|it| job(wanted, it.lease.job)),
                Some(_) => false,
            };
            by(worker) && granted
        }
        (Deed::Starts { worker, job: wanted }, Request::Start { lease })
        | (Deed::Completes { worker, job: wanted }, Request::Complete { lease, .. })
        | (Deed::Fails { worker, job: wanted }, Request::Fail { lease, .. })
        | (Deed::Snoozes { worker, job: wanted }, Request::Snooze { lease, .. })
        | (Deed::Releases { worker, job: wanted }, Request::Release { lease, .. }) => {
            by(worker) && job(wanted, lease.job)
        }
        (Deed::Heartbeats { worker }, Request::Heartbeat { .. }) => by(worker),
        (Deed::Commits { worker, effect: Effect(key) }, Request::Complete { lease, .. }) => {
            by(worker) && numbers.get(&lease.job) == Some(&cast.number_of_effect(key))
        }
        (Deed::Enqueues { client, job: wanted }, Request::Enqueue(asked)) => {
            asks(client) && is_job(cast, wanted, number_of(&asked.payload))
        }
        (Deed::Cancels { client, job: wanted }, Request::Cancel { job: cancelled }) => {
            asks(client) && job(wanted, *cancelled)
        }
        _ => false,
    }
}

fn is_job(cast: &Cast, wanted: &AnyOr<JobName>, number: Option<u64>) -> bool {
    match wanted {
        AnyOr::Any => true,
        AnyOr::The(JobName(name)) => number == Some(cast.number(name)),
    }
}

fn is_worker(cast: &Cast, worker: &AnyOr<WorkerName>, machine: MachineId) -> bool {
    match worker {
        AnyOr::Any => cast.has_workers(machine),
        AnyOr::The(name) => cast.machine(&Who::Worker(name.clone())) == machine,
    }
}

fn is_client(cast: &Cast, client: &AnyOr<ClientName>, machine: MachineId) -> bool {
    match client {
        AnyOr::Any => cast.has_clients(machine),
        AnyOr::The(name) => cast.machine(&Who::Client(name.clone())) == machine,
    }
}
