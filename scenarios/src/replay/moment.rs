//! Whether what happens is the moment that a block waits for.

use super::cast::Cast;
use crate::checkers::number_of;
use crate::event::Event;
use crate::scn::{Anchor, AnyOr, ClientName, Deed, Effect, Happening, JobName, Nth, Process as Who, WorkerName};
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
        (Some(Request::EnqueueAll { jobs }), Ok(Reply::EnqueuedAll { jobs: enqueued })) => {
            let told = jobs.iter().zip(enqueued);
            numbers.extend(told.filter_map(|(asked, it)| Some((it.job, number_of(&asked.payload)?))));
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
        (Deed::Enqueues { client, job: wanted }, Request::EnqueueAll { jobs }) => {
            asks(client) && jobs.iter().any(|asked| is_job(cast, wanted, number_of(&asked.payload)))
        }
        (Deed::Cancels { client, job: wanted }, Request::Cancel { job: cancelled }) => {
            asks(client) && job(wanted, *cancelled)
        }
        _ => false,
    }
}

/// What a moment is called in a file: of a claim each job that it got.
pub fn names(cast: &Cast, numbers: &Numbers, moment: &Moment<'_>) -> Vec<Anchor> {
    match moment.event {
        Event::Opened => vec![after(Deed::Opens {})],
        Event::Invoke { .. } => {
            let deeds = deeds(cast, numbers, moment, None);
            deeds.into_iter().map(|event| Anchor::Before { event, nth: Nth::NEXT }).collect()
        }
        Event::Answer { answer, .. } => match &**answer {
            Ok(reply) => deeds(cast, numbers, moment, Some(reply)).into_iter().map(after).collect(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn after(deed: Deed) -> Anchor {
    Anchor::After { event: Happening::Deed { deed }, nth: Nth::NEXT }
}

/// Nothing for a job of which nobody has heard yet.
fn deeds(cast: &Cast, numbers: &Numbers, moment: &Moment<'_>, reply: Option<&Reply>) -> Vec<Deed> {
    let Some(call) = moment.call else { return Vec::new() };
    let worker = match cast.process(moment.machine) {
        Some(Who::Worker(name)) => AnyOr::The(name),
        _ => AnyOr::Any,
    };
    let client = match cast.process(moment.machine) {
        Some(Who::Client(name)) => AnyOr::The(name),
        _ => AnyOr::Any,
    };
    let named = |number: Option<u64>| cast.job(number?).map(|name| AnyOr::The(JobName(name)));
    let known = |id: &JobId| named(numbers.get(id).copied());
    let one = |job: Option<AnyOr<JobName>>, deed: fn(AnyOr<WorkerName>, AnyOr<JobName>) -> Deed| {
        job.map(|job| deed(worker.clone(), job)).into_iter().collect()
    };
    match (&call.request, reply) {
        (Request::Claim(_), Some(Reply::Claimed { grants })) => {
            let jobs = grants.iter().filter_map(|granted| known(&granted.lease.job));
            jobs.map(|job| Deed::Claims { worker: worker.clone(), job }).collect()
        }
        (Request::Start { lease }, _) => one(known(&lease.job), |worker, job| Deed::Starts { worker, job }),
        (Request::Complete { lease, .. }, _) => one(known(&lease.job), |worker, job| Deed::Completes { worker, job }),
        (Request::Fail { lease, .. }, _) => one(known(&lease.job), |worker, job| Deed::Fails { worker, job }),
        (Request::Snooze { lease, .. }, _) => one(known(&lease.job), |worker, job| Deed::Snoozes { worker, job }),
        (Request::Release { lease, .. }, _) => one(known(&lease.job), |worker, job| Deed::Releases { worker, job }),
        (Request::Heartbeat { .. }, _) => vec![Deed::Heartbeats { worker }],
        (Request::Enqueue(asked), _) => {
            let job = named(number_of(&asked.payload));
            job.map(|job| Deed::Enqueues { client, job }).into_iter().collect()
        }
        (Request::EnqueueAll { jobs }, _) => {
            let jobs = jobs.iter().filter_map(|asked| named(number_of(&asked.payload)));
            jobs.map(|job| Deed::Enqueues { client: client.clone(), job }).collect()
        }
        (Request::Cancel { job }, _) => known(job).map(|job| Deed::Cancels { client, job }).into_iter().collect(),
        _ => Vec::new(),
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
