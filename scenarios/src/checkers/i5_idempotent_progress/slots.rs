//! Slots of schedules: no two jobs for one, whatever crashed, and whatever the clock showed.

use crate::checkers::facts::same_json;
use crate::checkers::schedules::{Schedules, interval};
use crate::checkers::{Facts, Finding, Report};
use crate::image::{JobRow, Rows};
use outlive::JobId;
use outlive::protocol::{Reply, Schedule, SlotView};

pub fn check(facts: &Facts, rows: &Rows, report: &mut Report) {
    let schedules = Schedules::of(facts);
    for (id, row) in &rows.jobs {
        let Some((name, at)) = &row.slot else { continue };
        let of_slot = rows.slots.get(&(name.clone(), *at));
        report.expect("I5.s", of_slot == Some(id), || {
            let says =
                format!("job {id} is there for the slot at {at} ms of schedule {name}, which has job {of_slot:?}");
            let transition =
                if of_slot.is_some() { "slot with two jobs" } else { "slot that has its job and is not there" };
            let found = Finding::new(transition, says).job(JobId(*id));
            of_slot.into_iter().fold(found, |found, other| found.job(JobId(*other)))
        });
        report.expect("I5.s", *at <= row.enqueued_ms, || {
            let says =
                format!("job {id} was there at {} ms for the slot at {at} ms of schedule {name}", row.enqueued_ms);
            Finding::new("slot's job before its time", says).job(JobId(*id))
        });
        let asked = schedules.get(name).is_some_and(|said| said.asked().any(|asked| is_of(asked, *at, row)));
        report.expect("I5.s", asked, || {
            let says =
                format!("job {id} is there for the slot at {at} ms of schedule {name}, as nobody asked: {row:?}");
            Finding::new("slot that nobody asked for", says).job(JobId(*id))
        });
    }
    for ((name, at), job) in &rows.slots {
        let of_job = rows.jobs.get(job).and_then(|row| row.slot.clone());
        report.expect("I5.s", of_job.as_ref() == Some(&(name.clone(), *at)), || {
            let says = format!("the slot at {at} ms of schedule {name} has job {job}, which is there for {of_job:?}");
            Finding::new("slot with the job of another", says).job(JobId(*job))
        });
    }
    told(facts, rows, report);
}

/// Whether the job of a slot is as this schedule asks for it.
fn is_of(asked: &Schedule, at: i64, row: &JobRow) -> bool {
    let job = &asked.job;
    at % interval(asked) == 0
        && job.kind == row.kind
        && job.queue == row.queue
        && i64::from(job.priority) == row.priority
        && job.concurrency_key == row.concurrency_key
        && same_json(&job.payload, &row.payload)
}

/// Whoever asks is told of slots and jobs that belong together.
fn told(facts: &Facts, rows: &Rows, report: &mut Report) {
    for call in &facts.calls {
        match call.reply() {
            Some((at, Reply::Claimed { grants })) => {
                for grant in grants {
                    let told = grant.slot.as_ref().map(|slot| (slot.schedule.clone(), slot.at.0));
                    let Some(row) =
                        rows.jobs.get(&grant.lease.job.0).filter(|row| told.is_some() || row.slot.is_some())
                    else {
                        continue;
                    };
                    report.expect("I5.s", told == row.slot, || {
                        let job = grant.lease.job;
                        let says =
                            format!("a worker was told that job {job} is for {told:?}, and it is for {:?}", row.slot);
                        Finding::new("told of another slot", says).job(job).call(call.number).at(at)
                    });
                }
            }
            Some((at, Reply::Schedules { schedules: views })) => {
                let slots = views.iter().flat_map(|view| view.last.iter().map(move |slot| (&view.schedule.name, slot)));
                for (name, slot) in slots {
                    let SlotView::Job { at: time, job } = slot else { continue };
                    let row = rows.slots.get(&(name.clone(), time.0));
                    report.expect("I5.s", row == Some(&job.0), || {
                        let says = format!(
                            "somebody was told that the slot at {} ms of schedule {name} has job {job}, and it has {row:?}",
                            time.0
                        );
                        Finding::new("told of another slot", says).job(*job).call(call.number).at(at)
                    });
                }
            }
            _ => {}
        }
    }
}
