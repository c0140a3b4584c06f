//! Nobody writes down that a signal was taken: whoever waits next has it too.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct SignalGivenAwayAgain;

impl Bug for SignalGivenAwayAgain {
    fn name(&self) -> &'static str {
        "signal-given-away-again"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "nobody writes down that a signal was taken: whoever waits next has it too"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::UpdateSignal(_)));
        changes
    }
}
