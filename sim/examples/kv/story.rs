//! A failing run, told: what happened, in order, and why the value is gone.

use std::time::Duration;

use outlive_sim::{Action, Exit, Fault, OperationKind, Survivors, Trigger};

use crate::hunt::Failing;
use crate::store::Recovery;
use crate::workload::{Event, Operation, Request};

/// The lines of a story, from the first event to the read that shows the loss.
pub fn tell(failing: &Failing) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in failing.entries.iter().take_while(|entry| entry.ordinal <= failing.violation.ordinal) {
        let text = match &entry.event {
            Event::Opened { found, generation } => format!("the store is open: {}", found_text(found, *generation)),
            Event::Invoked(operation) => format!("client {} asks: {}", operation.client, operation_text(operation)),
            Event::Put { operation, at_byte } => {
                format!("  acknowledged: {}; its record is at byte {at_byte} of the log", operation_text(operation))
            }
            Event::Got { operation, found } => format!("  {} finds {}", operation_text(operation), value_text(*found)),
            Event::Compacted { generation } => {
                format!("  acknowledged: all pairs are in snapshot {generation}, the log is empty")
            }
            Event::Down { exit: Exit::Finished, faults } if faults.is_empty() => "the clients are done".into(),
            Event::Down { exit, faults } => down_text(*exit, faults, &failing.case.faults),
            // Of what is left, only the loss is news.
            Event::Left { .. } if entry.ordinal < failing.violation.ordinal => continue,
            Event::Left { key, found } => format!("  {key} holds {}", value_text(*found)),
        };
        lines.push(format!("{:>11}  {text}", milliseconds(entry.at)));
    }
    lines
}

/// Why the value is gone: the acknowledgement, the fault, and what recovery made of it. It reads the history and
/// what the store said of its own recovery; nothing else in this example knows how a cause is found.
pub fn explain(failing: &Failing) -> String {
    let violation = failing.violation;
    let key = violation.key;
    let Some(lost) = violation.expected else {
        return format!("{key} holds {}, which no put of this key may have left.", value_text(violation.found));
    };
    let until_loss = || failing.entries.iter().take_while(|entry| entry.ordinal <= violation.ordinal);
    let acknowledged = until_loss().find_map(|entry| match entry.event {
        Event::Put { operation, at_byte } if operation.number == lost => Some((entry.ordinal, at_byte)),
        _ => None,
    });
    let Some((acknowledged, at_byte)) = acknowledged else {
        return format!("{key} held {}, which was read and is gone.", value_text(violation.expected));
    };
    let after = || until_loss().skip_while(|entry| entry.ordinal < acknowledged);
    let faults: Vec<usize> = until_loss()
        .filter_map(|entry| if let Event::Down { faults, .. } = &entry.event { Some(faults) } else { None })
        .flatten()
        .copied()
        .collect();
    let faults: Vec<String> = faults.iter().map(|place| fault_text(&failing.case.faults[*place])).collect();
    let promise = format!(
        "Put {lost} of {key} was acknowledged, with its record at byte {at_byte} of the log; then {key} held {}.",
        value_text(violation.found)
    );
    let cause = format!("What struck: {}.", faults.join("; "));
    let found =
        after().filter_map(|entry| if let Event::Opened { found, .. } = entry.event { Some(found) } else { None });
    let Some(found) = found.last() else { return format!("{promise}\n{cause}") };
    // The newest snapshot that the store has had since then: it has the value.
    let snapshots = after().filter(|entry| entry.ordinal < violation.ordinal).filter_map(|entry| match entry.event {
        Event::Compacted { generation } | Event::Opened { generation, .. } => Some(generation),
        _ => None,
    });
    let lost_snapshot = snapshots.filter(|generation| *generation > found.generation).min();
    let why = if found.stopped_at <= at_byte && found.stopped_at < found.log_bytes {
        format!(
            "The last start read the log up to byte {} of {} and stopped at a record that is not whole. The put's record \
             was behind it: it had been appended where no recovery would ever read.",
            found.stopped_at, found.log_bytes
        )
    } else if let Some(snapshot) = lost_snapshot {
        format!(
            "A compaction moved it into snapshot {snapshot} and emptied the log for good, before the snapshot's name \
             was durable. The last start found snapshot {}, and a log without it.",
            found.generation
        )
    } else {
        "What is on the disk does not say why.".into()
    };
    format!("{promise}\n{cause}\n{why}")
}

/// An operation in words.
pub fn operation_text(operation: &Operation) -> String {
    match operation.request {
        Request::Put { key, bytes } => format!("put {} of {key}, {bytes} bytes", operation.number),
        Request::Get { key } => format!("get {key}"),
        Request::Compact => "compact".into(),
    }
}

/// A fault in words.
pub fn fault_text(fault: &Fault) -> String {
    let action = match fault.action {
        Action::Crash => "the process crashes".into(),
        Action::PowerLoss(survivors) => format!("power is lost, and of what is not synced {}", survive(survivors)),
        Action::WriteError => "a write fails, after some of its sectors".into(),
        Action::SyncError(_) => "the next sync fails".into(),
        other => format!("{other:?}"),
    };
    let moment = match &fault.trigger {
        Trigger::At(time) => format!("at {}", milliseconds(*time).trim_start()),
        Trigger::AtMatching { suffix, kind, nth } => format!("before {} {nth} of {suffix}", kind_text(*kind)),
        Trigger::AtEvent { name, nth } => format!("after {name} {nth}"),
        other => format!("{other:?}"),
    };
    format!("{moment}, {action}")
}

fn survive(survivors: Survivors) -> &'static str {
    match survivors {
        Survivors::None => "nothing survives",
        Survivors::All => "everything survives",
        Survivors::Prefix => "the oldest part survives",
        Survivors::Subset => "any part survives",
        Survivors::SubsetTorn => "any part survives, sector by sector",
    }
}

fn kind_text(kind: OperationKind) -> String {
    match kind {
        OperationKind::SyncDirectory => "directory sync".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn down_text(exit: Exit, faults: &[usize], all: &[Fault]) -> String {
    let how = match exit {
        Exit::Finished => "the program ended by itself",
        Exit::Crashed => "the program died",
        Exit::Panicked => "the program panicked",
    };
    let faults: Vec<String> =
        faults.iter().map(|place| format!("fault {}: {}", place + 1, fault_text(&all[*place]))).collect();
    format!("{how} ({})", faults.join("; "))
}

fn found_text(found: &Recovery, now: u64) -> String {
    let Recovery { generation, records, stopped_at, log_bytes } = found;
    let unread = if stopped_at < log_bytes {
        format!("; bytes {stopped_at} to {log_bytes} of the log are not whole records, and were not read")
    } else {
        String::new()
    };
    let compacted = if now > *generation { format!("; all of it is in snapshot {now} now") } else { String::new() };
    format!("snapshot {generation}, {records} records in the log{unread}{compacted}")
}

fn value_text(number: Option<u64>) -> String {
    number.map_or_else(|| "nothing".into(), |number| format!("the value of put {number}"))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
