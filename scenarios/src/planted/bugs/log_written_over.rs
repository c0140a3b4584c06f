//! What an attempt says later replaces what it said before.

use crate::planted::{Bug, Memory};
use outlive::job::LogRow;
use outlive::store::Change;

/// See the module.
pub struct LogWrittenOver;

impl Bug for LogWrittenOver {
    fn name(&self) -> &'static str {
        "log-written-over"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "what an attempt says later replaces what it said before"
    }

    fn changes(&self, _: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let last = |row: LogRow| LogRow { lines: row.lines.last().cloned().into_iter().collect(), ..row };
        let written = |change| match change {
            Change::UpdateLog(row) => Change::UpdateLog(last(row)),
            other => other,
        };
        changes.into_iter().map(written).collect()
    }
}
