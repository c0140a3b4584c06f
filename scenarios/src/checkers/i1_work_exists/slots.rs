//! Slots of schedules: none is lost, over crashes and jumps of the wall clock.

use crate::checkers::schedules::{Said, Schedules};
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::Rows;
use outlive::job::CatchUp;
use outlive_sim::FaultKind;
use std::time::Duration;

/// Rows have whole milliseconds, and a commit takes its time from when it was begun.
const MARGIN_MS: i64 = 2;

pub fn check(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    for (name, said) in Schedules::of(facts).all() {
        // Of one that had other slots for some time nobody knows which it had when.
        let Some(interval) = said.interval() else { continue };
        for (from, to) in surely_there(said) {
            let (begin, end) = passed(&evidence.wall_history, from, to.0);
            let mut slot = begin.div_euclid(interval) * interval + interval;
            while slot < end {
                report.expect("I1.i", is_accounted(rows, name, slot), || {
                    let says = format!(
                        "schedule {name} was there from {from:.1?} to {:.1?}, and its slot at {slot} ms has neither a job \
                         nor is it recorded as skipped",
                        to.0
                    );
                    Finding::new("slot lost", says).at(to.1)
                });
                slot += interval;
            }
        }
        latest(evidence, facts, rows, (name, said, interval), report);
    }
}

/// Each stretch in which a schedule was surely there: from when somebody was told so until somebody ended it, and when
/// that was answered.
fn surely_there(said: &Said<'_>) -> Vec<(Duration, (Duration, Duration))> {
    let stretch = |end: (usize, Duration, Duration)| {
        let (place, invoked, done) = end;
        // An end that may come at any time leaves nothing sure, nor does a schedule that may be set anew.
        let others = said.ended.iter().enumerate().filter(|(other, it)| *other != place && it.invoked <= done);
        let ended = others.map(|(_, it)| it.over).try_fold(Duration::ZERO, |last, over| Some(last.max(over?)))?;
        let set = said.set.iter().filter(|set| set.invoked >= ended);
        let from = set.filter_map(|set| set.done).filter(|at| *at <= invoked).min()?;
        Some((from, (invoked, done)))
    };
    let ends = said.ended.iter().enumerate().filter_map(|(place, it)| Some((place, it.invoked, it.done?)));
    ends.filter_map(stretch).collect()
}

/// Between which times the wall clock passed all: what it showed at `from`, and the least that it has shown from `to` on. What
/// was skipped is skipped no more once it was set back behind that.
fn passed(history: &[(Duration, Duration)], from: Duration, to: Duration) -> (i64, i64) {
    let shown = |at: Duration| {
        let (set, shown) =
            history.iter().rfind(|(set, _)| *set <= at).expect("a clock shows something from the beginning");
        i64::try_from((*shown + (at - *set)).as_millis()).expect("a date of our time")
    };
    let set_since = history.iter().filter(|(set, _)| to < *set).map(|(set, _)| shown(*set));
    let least = set_since.chain([shown(to)]).min().expect("one at least");
    (shown(from) + MARGIN_MS, least - MARGIN_MS)
}

fn is_accounted(rows: &Rows, name: &str, slot: i64) -> bool {
    let key = (name.to_owned(), slot);
    // Time that came once more may have been passed over once more, from another slot on.
    let mut before = rows.skips.range((name.to_owned(), i64::MIN)..=key.clone());
    rows.slots.contains_key(&key) || before.any(|(_, last)| slot <= *last)
}

/// Of slots that were missed the last one has its job, if that was asked for.
fn latest(
    evidence: &Evidence,
    facts: &Facts,
    rows: &Rows,
    (name, said, interval): (&str, &Said<'_>, i64),
    report: &mut Report,
) {
    let is_full = evidence.plan.faults.iter().any(|fault| fault.action.kind() == FaultKind::FullDisk);
    if facts.wall_jumped || is_full || said.asked().any(|asked| asked.catch_up != CatchUp::Latest) {
        return;
    }
    for ((_, first), last) in rows.skips.iter().filter(|((of, _), _)| of == name) {
        report.expect("I1.i", rows.slots.contains_key(&(name.to_owned(), last + interval)), || {
            let says = format!(
                "slots of schedule {name} from {first} to {last} ms were skipped for the one that came after them, and that \
                 has no job"
            );
            Finding::new("latest slot lost", says)
        });
    }
}
