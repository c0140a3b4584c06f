//! Slots of schedules that were missed: what is made up for is what was asked for, and no burst.

use crate::checkers::schedules::{Said, Schedules, interval};
use crate::checkers::{Facts, Finding, Report};
use crate::image::Rows;
use outlive::JobId;
use outlive::job::CatchUp;
use outlive::protocol::Schedule;

pub fn check(facts: &Facts, rows: &Rows, report: &mut Report) {
    let schedules = Schedules::of(facts);
    for (id, row) in &rows.jobs {
        let Some((name, at)) = &row.slot else { continue };
        let Some(said) = schedules.get(name) else { continue };
        let late = row.enqueued_ms - at;
        report.expect("I4.l", said.asked().any(|asked| may_be_late(asked, late)), || {
            let says = format!(
                "job {id} was there {late} ms after its slot at {at} ms of schedule {name}, of which nobody asked for that: {}",
                asked(said)
            );
            Finding::new("missed slot with a job", says).job(JobId(*id))
        });
    }
}

/// Whether a slot may have its job so many milliseconds after its time.
fn may_be_late(asked: &Schedule, late: i64) -> bool {
    match asked.catch_up {
        CatchUp::All => true,
        // By then another one was the latest.
        CatchUp::Latest => late < interval(asked),
        CatchUp::Skip => late <= asked.late_ms.cast_signed(),
    }
}

fn asked(said: &Said<'_>) -> String {
    let mut all: Vec<String> =
        said.asked().map(|it| format!("{} {} (late {} ms)", it.rhythm, it.catch_up, it.late_ms)).collect();
    all.dedup();
    all.join(", ")
}
